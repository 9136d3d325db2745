/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_seqset.h"

#include <stdlib.h>

/* --- parsing ----------------------------------------------------------------------------------------------------- */

/* A number or `*` at the front of *s. */
static bool take_number(struct str *s, uint32_t *ret_n)
{
    if (s->n > 0 && s->p[0] == '*') {
        *s = str_skip(*s, 1);
        *ret_n = IMAP_STAR;
        return true;
    }
    uint64_t n = 0;
    size_t i = 0;
    while (i < s->n && s->p[i] >= '0' && s->p[i] <= '9') {
        n = n * 10 + (uint64_t)(s->p[i] - '0');
        if (n > UINT32_MAX)
            return false;
        i++;
    }
    if (i == 0 || n == 0)
        return false;
    *s = str_skip(*s, i);
    *ret_n = (uint32_t)n;
    return true;
}

static bool take_range(struct str *s, struct imap_range *ret_range)
{
    struct imap_range r;
    if (!take_number(s, &r.from))
        return false;
    r.to = r.from;
    if (s->n > 0 && s->p[0] == ':') {
        *s = str_skip(*s, 1);
        if (!take_number(s, &r.to))
            return false;
    }
    *ret_range = r;
    return true;
}

bool imap_seqset_parse(struct arena *a, struct str s, struct imap_seqset *ret_set)
{
    if (str_is(s, "$")) {
        *ret_set = (struct imap_seqset){.saved = true};
        return true;
    }
    size_t count = 1;
    for (size_t i = 0; i < s.n; i++)
        count += s.p[i] == ',';
    if (count > IMAP_SEQSET_MAX)
        return false;
    struct imap_range *ranges = arena_array(a, count, sizeof(*ranges));
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            if (s.n == 0 || s.p[0] != ',')
                return false;
            s = str_skip(s, 1);
        }
        if (!take_range(&s, &ranges[i]))
            return false;
    }
    if (s.n > 0)
        return false;
    *ret_set = (struct imap_seqset){.ranges = ranges, .n = count};
    return true;
}

/* --- resolving --------------------------------------------------------------------------------------------------- */

static int compare_ranges(const void *pa, const void *pb)
{
    const struct imap_range *a = pa, *b = pb;
    return a->from < b->from ? -1 : a->from > b->from;
}

/* Sorted ranges in place: those that overlap or touch become one. */
static size_t merge(struct imap_range *ranges, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (out > 0 && (uint64_t)ranges[i].from <= (uint64_t)ranges[out - 1].to + 1) {
            if (ranges[i].to > ranges[out - 1].to)
                ranges[out - 1].to = ranges[i].to;
        } else {
            ranges[out++] = ranges[i];
        }
    }
    return out;
}

void imap_seqset_resolve(struct arena *a, const struct imap_seqset *set, uint32_t max, struct imap_seqset *ret_set)
{
    struct imap_range *ranges = arena_array(a, set->n ? set->n : 1, sizeof(*ranges));
    size_t n = 0;
    bool sorted = true;
    for (size_t i = 0; i < set->n; i++) {
        struct imap_range r = set->ranges[i];
        if (max == 0 && (r.from == IMAP_STAR || r.to == IMAP_STAR))
            continue;
        r.from = r.from == IMAP_STAR ? max : r.from;
        r.to = r.to == IMAP_STAR ? max : r.to;
        if (r.from > r.to)
            r = (struct imap_range){r.to, r.from};
        sorted = sorted && (n == 0 || ranges[n - 1].from <= r.from);
        ranges[n++] = r;
    }
    if (!sorted)
        qsort(ranges, n, sizeof(*ranges), compare_ranges);
    n = merge(ranges, n);
    *ret_set = (struct imap_seqset){.ranges = ranges, .n = n, .saved = set->saved};
}

void imap_seqset_from_sorted(struct arena *a, const uint32_t *numbers, size_t n, struct imap_seqset *ret_set)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += i == 0 || (uint64_t)numbers[i] > (uint64_t)numbers[i - 1] + 1;
    struct imap_range *ranges = arena_array(a, count ? count : 1, sizeof(*ranges));
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || (uint64_t)numbers[i] > (uint64_t)numbers[i - 1] + 1)
            ranges[at++].from = numbers[i];
        ranges[at - 1].to = numbers[i];
    }
    *ret_set = (struct imap_seqset){.ranges = ranges, .n = count};
}

/* --- questions to a resolved set --------------------------------------------------------------------------------- */

/* The first range whose end is at least n; set->n if there is none. */
static size_t find_range(const struct imap_seqset *set, size_t from, uint32_t n)
{
    size_t low = from, high = set->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (set->ranges[mid].to < n)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool imap_seqset_has(const struct imap_seqset *set, uint32_t n)
{
    size_t i = find_range(set, 0, n);
    return i < set->n && set->ranges[i].from <= n;
}

uint64_t imap_seqset_count(const struct imap_seqset *set)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < set->n; i++)
        sum += (uint64_t)set->ranges[i].to - set->ranges[i].from + 1;
    return sum;
}

uint32_t imap_seqset_last(const struct imap_seqset *set)
{
    return set->n > 0 ? set->ranges[set->n - 1].to : 0;
}

void imap_seqset_iter_init(struct imap_seqset_iter *it, const struct imap_seqset *set)
{
    *it = (struct imap_seqset_iter){.set = set};
}

bool imap_seqset_iter_next(struct imap_seqset_iter *it, uint32_t *ret_n)
{
    while (it->i < it->set->n) {
        const struct imap_range *r = &it->set->ranges[it->i];
        if (it->next < r->from)
            it->next = r->from;
        if (it->next <= r->to) {
            *ret_n = (uint32_t)it->next++;
            return true;
        }
        it->i++;
    }
    return false;
}

void imap_seqset_iter_seek(struct imap_seqset_iter *it, uint32_t n)
{
    if (n <= it->next)
        return;
    it->next = n;
    it->i = find_range(it->set, it->i, n);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void add_range(struct buf *out, bool first, uint32_t from, uint32_t to)
{
    if (!first)
        buf_byte(out, ',');
    buf_u64(out, from);
    if (to != from) {
        buf_byte(out, ':');
        buf_u64(out, to);
    }
}

void imap_seqset_add(struct buf *out, const struct imap_seqset *set)
{
    for (size_t i = 0; i < set->n; i++)
        add_range(out, i == 0, set->ranges[i].from, set->ranges[i].to);
}

void imap_seqset_add_sorted(struct buf *out, const uint32_t *numbers, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t last = i;
        while (last + 1 < n && (uint64_t)numbers[last + 1] <= (uint64_t)numbers[last] + 1)
            last++;
        add_range(out, i == 0, numbers[i], numbers[last]);
        i = last + 1;
    }
}
