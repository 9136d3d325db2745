/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of both servers share. */
#include <stdlib.h>

#include "bridge/base/time.h"
#include "bridge/formats/event.h"

struct str event_lines(struct arena *arena, struct str s)
{
    char *to = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\r')
            to[n++] = s.p[i];
    while (n > 0 && (to[n - 1] == '\n' || to[n - 1] == ' '))
        n--;
    return str_of(to, n);
}

void event_months_to_years(struct event *e, int64_t local_start)
{
    struct event_recurrence *p = &e->recurrence;
    struct time_parts parts;
    if (!e->has_recurrence || p->interval % 12 || p->interval == 0 ||
        (p->pattern != EVENT_MONTHLY && p->pattern != EVENT_MONTHLY_RELATIVE))
        return;
    time_to_parts(local_start, 0, &parts);
    p->pattern = p->pattern == EVENT_MONTHLY ? EVENT_YEARLY : EVENT_YEARLY_RELATIVE;
    p->interval /= 12;
    p->month = (unsigned)parts.month;
}

static int by_original(const void *a, const void *b)
{
    const struct event_exception *x = a, *y = b;
    return x->original < y->original ? -1 : x->original > y->original;
}

size_t event_order_exceptions(struct event_exception *list, size_t count)
{
    size_t n = 0;
    if (count)
        qsort(list, count, sizeof(*list), by_original);
    for (size_t i = 0; i < count; i++)
        if (!n || list[n - 1].original != list[i].original)
            list[n++] = list[i];
        else if (list[i].deleted)
            list[n - 1] = list[i];
    return n;
}

size_t event_drop_attendee(struct event_attendee *list, size_t count, struct str email)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!str_case_eq(list[i].email, email))
            list[n++] = list[i];
    return n;
}
