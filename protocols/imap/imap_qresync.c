/* SPDX-License-Identifier: Apache-2.0 */
/* VANISHED (EARLIER) of RFC 7162. */
#include "bridge/base/mem.h"
#include "protocols/imap/imap_session.h"

struct ranges {
    struct arena *arena;
    struct imap_range *items;
    size_t n, size;
};

static void add_range(struct ranges *r, uint32_t from, uint32_t to)
{
    if (r->n > 0 && r->items[r->n - 1].to + 1 == from) {
        r->items[r->n - 1].to = to;
        return;
    }
    if (r->n == r->size) {
        size_t size = r->size ? r->size * 2 : 64;
        struct imap_range *items = arena_array(r->arena, size, sizeof(*items));
        if (r->n)
            memcpy(items, r->items, r->n * sizeof(*items));
        r->items = items;
        r->size = size;
    }
    r->items[r->n++] = (struct imap_range){from, to};
}

/* What of [from, to] is not in the view. */
static void add_missing(struct imap_session *s, struct ranges *r, uint32_t from, uint32_t to)
{
    uint32_t seq = from > 1 ? view_seq_le(s->view, from - 1) : 0;
    uint32_t at = from;
    while (seq < view_count(s->view)) {
        uint32_t uid = view_uid(s->view, ++seq);
        if (uid > to)
            break;
        if (uid > at)
            add_range(r, at, uid - 1);
        at = uid + 1; /* uid <= to < 2^32, and no UID is 2^32 - 1 */
    }
    if (at <= to)
        add_range(r, at, to);
}

/* The log does not reach back: whatever is known and not there counts as vanished (RFC 7162 3.2.5.2 allows too many).
 */
static void all_missing(struct imap_session *s, const struct imap_seqset *known, uint32_t from, uint32_t to,
                        struct ranges *r)
{
    if (!known) {
        if (from <= to)
            add_missing(s, r, from, to);
        return;
    }
    for (size_t i = 0; i < known->n; i++) {
        uint32_t lo = known->ranges[i].from > from ? known->ranges[i].from : from;
        uint32_t hi = known->ranges[i].to < to ? known->ranges[i].to : to;
        if (lo <= hi)
            add_missing(s, r, lo, hi);
    }
}

bool imap_write_vanished(struct imap_session *s, const struct imap_seqset *known, uint64_t modseq, uint32_t intact,
                         struct err *err)
{
    struct mailbox_status status;
    struct ranges r = {.arena = &s->command->arena};
    uint32_t *uids;
    size_t n;
    bool complete;
    if (!mailbox_vanished_since(s->mailbox, modseq, r.arena, &uids, &n, &complete, err))
        return false;
    mailbox_get_counts(s->mailbox, &status);
    if (!complete) {
        all_missing(s, known, intact + 1, status.uidnext - 1, &r);
    } else {
        for (size_t i = 0; i < n; i++)
            if ((!known || imap_seqset_has(known, uids[i])) && !view_seq(s->view, uids[i]))
                add_range(&r, uids[i], uids[i]);
    }
    if (r.n == 0)
        return true;
    struct imap_seqset set = {.ranges = r.items, .n = r.n};
    buf_lit(&s->client.out, "* VANISHED (EARLIER) ");
    imap_seqset_add(&s->client.out, &set);
    buf_lit(&s->client.out, "\r\n");
    return true;
}
