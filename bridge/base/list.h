/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_LIST_H
#define BRIDGE_BASE_LIST_H
/*
 * Intrusive doubly linked ring. Head and links are the same type; an initialised link that is on no list points to
 * itself, so list_remove() on it is harmless and may be called twice.
 */
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_append(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}
static inline void list_prepend(struct list *head, struct list *l)
{
    list_append(head->next, l);
}
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}
#define LIST_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))
/* `item` may be removed (and freed) in the body; other items must not. */
#define LIST_EACH(head, link)                                                                                          \
    for (struct list *link = (head)->next, *link##_n = link->next; link != (head);                                     \
         link = link##_n, link##_n = link->next)

#endif
