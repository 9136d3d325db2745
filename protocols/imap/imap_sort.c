/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_sort.h"

#include <stdlib.h>

static bool wants(const struct imap_sort_by *by, size_t n, enum imap_sort_key key)
{
    for (size_t i = 0; i < n; i++)
        if (by[i].key == key)
            return true;
    return false;
}

void imap_sort_fill(struct arena *a, const struct imap_sort_by *by, size_t n, const struct imap_digest *digest,
                    struct imap_sort_entry *entry)
{
    entry->date_s = digest && digest->has_date ? digest->date_s : entry->arrival_s;
    if (digest == NULL)
        return;
    const struct {
        enum imap_sort_key key;
        struct str from, *to;
    } strings[] = {{IMAP_SORT_CC, digest->cc_box, &entry->cc},
                   {IMAP_SORT_FROM, digest->from_box, &entry->from},
                   {IMAP_SORT_TO, digest->to_box, &entry->to},
                   {IMAP_SORT_SUBJECT, digest->base_subject, &entry->subject},
                   {IMAP_SORT_DISPLAYFROM, digest->from_name, &entry->display_from},
                   {IMAP_SORT_DISPLAYTO, digest->to_name, &entry->display_to}};
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        if (strings[i].from.n > 0 && wants(by, n, strings[i].key))
            *strings[i].to = arena_str(a, strings[i].from);
}

bool imap_sort_needs_digest(const struct imap_sort_by *by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (by[i].key != IMAP_SORT_ARRIVAL && by[i].key != IMAP_SORT_SIZE)
            return true;
    return false;
}

/* --- comparing --------------------------------------------------------------------------------------------------- */

static int compare_s(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_by(const struct imap_sort_entry *a, const struct imap_sort_entry *b, enum imap_sort_key key)
{
    switch (key) {
    case IMAP_SORT_ARRIVAL:
        return compare_s(a->arrival_s, b->arrival_s);
    case IMAP_SORT_DATE:
        return compare_s(a->date_s, b->date_s);
    case IMAP_SORT_SIZE:
        return a->size < b->size ? -1 : a->size > b->size;
    case IMAP_SORT_CC:
        return str_cmp(a->cc, b->cc);
    case IMAP_SORT_FROM:
        return str_cmp(a->from, b->from);
    case IMAP_SORT_TO:
        return str_cmp(a->to, b->to);
    case IMAP_SORT_SUBJECT:
        return str_cmp(a->subject, b->subject);
    case IMAP_SORT_DISPLAYFROM:
        return str_cmp(a->display_from, b->display_from);
    case IMAP_SORT_DISPLAYTO:
        return str_cmp(a->display_to, b->display_to);
    }
    return 0;
}

struct program {
    const struct imap_sort_by *by;
    size_t n;
};

static int compare(const void *pa, const void *pb, void *ud)
{
    const struct imap_sort_entry *a = pa, *b = pb;
    const struct program *p = ud;
    for (size_t i = 0; i < p->n; i++) {
        int c = compare_by(a, b, p->by[i].key);
        if (c != 0)
            return p->by[i].reverse ? -c : c;
    }
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

void imap_sort_run(struct imap_sort_entry *entries, size_t count, const struct imap_sort_by *by, size_t n)
{
    struct program p = {by, n};
    if (count > 1)
        qsort_r(entries, count, sizeof(*entries), compare, &p);
}
