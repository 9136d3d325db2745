/* SPDX-License-Identifier: Apache-2.0 */
/* What a session knows of its selected mailbox, and how its news are told. */
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/change.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

#define SIZES_AHEAD 2048 /* sizes written down at once */

static void on_view_change(void *ud)
{
    struct imap_session *s = ud;
    if (s->work.change && !s->client.ending)
        s->work.change(s);
}

void imap_select(struct imap_session *s, struct mailbox *mailbox, bool examine)
{
    s->mailbox = mailbox;
    s->state = IMAP_STATE_SELECTED;
    s->read_only = examine || !account_can_write(s->client.account);
    s->examined = examine;
    s->view = view_new(mailbox, examine, on_view_change, s);
}

void imap_unselect(struct imap_session *s)
{
    if (!s->view)
        return;
    view_free(&s->view);
    mailbox_unref(&s->mailbox);
    mem_free(s->saved);
    s->saved = NULL;
    s->saved_n = 0;
    s->keywords_told = 0;
    s->state = IMAP_STATE_AUTHENTICATED;
}

const struct message *imap_message_at(struct imap_session *s, uint32_t seq, size_t *hint)
{
    uint32_t uid = view_uid(s->view, seq);
    size_t count = mailbox_count(s->mailbox);
    /* Walking upwards, the next one is nearly always the next one of the mailbox too. */
    if (*hint < count) {
        const struct message *m = mailbox_at(s->mailbox, *hint);
        if (m->uid == uid) {
            ++*hint;
            return m;
        }
    }
    size_t i = mailbox_lower_bound(s->mailbox, uid);
    *hint = i + 1;
    if (i >= count)
        return NULL;
    const struct message *m = mailbox_at(s->mailbox, i);
    return m->uid == uid ? m : NULL;
}

/* --- sets ------------------------------------------------------------------------------------- */

static void uids_to_seqs(struct imap_session *s, const struct imap_seqset *uids, struct imap_seqset *ret_seqs)
{
    struct imap_range *ranges = arena_array(&s->command->arena, uids->n, sizeof(*ranges));
    size_t n = 0;
    for (size_t i = 0; i < uids->n; i++) {
        uint32_t from = uids->ranges[i].from > 1 ? view_seq_le(s->view, uids->ranges[i].from - 1) + 1 : 1;
        uint32_t to = view_seq_le(s->view, uids->ranges[i].to);
        if (from > to)
            continue;
        if (n > 0 && ranges[n - 1].to + 1 == from)
            ranges[n - 1].to = to;
        else
            ranges[n++] = (struct imap_range){from, to};
    }
    *ret_seqs = (struct imap_seqset){.ranges = ranges, .n = n};
}

bool imap_resolve(struct imap_session *s, const struct imap_seqset *set, bool uid, struct imap_seqset *ret_seqs)
{
    struct arena *a = &s->command->arena;
    uint32_t count = view_count(s->view);
    struct imap_seqset resolved;
    if (set->saved) {
        imap_seqset_from_sorted(a, s->saved, s->saved_n, &resolved);
        uids_to_seqs(s, &resolved, ret_seqs);
        return true;
    }
    if (uid) {
        imap_seqset_resolve(a, set, count ? view_uid(s->view, count) : 0, &resolved);
        uids_to_seqs(s, &resolved, ret_seqs);
        return true;
    }
    imap_seqset_resolve(a, set, count, &resolved);
    if (imap_seqset_last(&resolved) > count)
        return false;
    *ret_seqs = resolved;
    return true;
}

bool imap_tell_sizes(struct imap_session *s, uint32_t uid, struct imap_seqset_iter iter, size_t hint, struct err *err)
{
    uint32_t uids[SIZES_AHEAD], seq;
    size_t n = 0;
    uids[n++] = uid;
    while (n < SIZES_AHEAD && imap_seqset_iter_next(&iter, &seq)) {
        const struct message *m = imap_message_at(s, seq, &hint);
        if (m && !m->size_told && !m->size_exact)
            uids[n++] = m->uid;
    }
    return mailbox_tell_sizes(s->mailbox, uids, n, err);
}

/* --- news ------------------------------------------------------------------------------------- */

void imap_write_flags_of(struct imap_session *s, const struct message *m)
{
    struct imap_strs keywords = {0};
    if (m->keyword_set)
        keywords.items = mailbox_keywords(s->mailbox, m, &keywords.n);
    imap_write_flags(&s->client.out, m->flags, !s->rev2 && view_recent(s->view, m->uid), keywords);
}

void imap_write_all_flags(struct imap_session *s)
{
    size_t n;
    const struct str *keywords = mailbox_all_keywords(s->mailbox, &n);
    buf_lit(&s->client.out, "* FLAGS ");
    imap_write_flags(&s->client.out, CHANGE_SETTABLE | ITEM_DRAFT, false, (struct imap_strs){keywords, n});
    buf_lit(&s->client.out, "\r\n");
    s->keywords_told = n;
}

void imap_write_flag_news(struct imap_session *s, uint32_t seq, const struct message *m)
{
    buf_lit(&s->client.out, "* ");
    buf_u64(&s->client.out, seq);
    buf_lit(&s->client.out, " FETCH (");
    /* RFC 7162 3.2.4: UID is a must with QRESYNC, and helps without; RFC 3501 6.4.8: whatever a UID command causes. */
    if (s->qresync || s->condstore || (s->command && s->command->uid)) {
        buf_lit(&s->client.out, "UID ");
        buf_u64(&s->client.out, m->uid);
        buf_byte(&s->client.out, ' ');
    }
    buf_lit(&s->client.out, "FLAGS ");
    imap_write_flags_of(s, m);
    if (s->condstore) {
        buf_lit(&s->client.out, " MODSEQ (");
        buf_u64(&s->client.out, m->modseq);
        buf_byte(&s->client.out, ')');
    }
    buf_lit(&s->client.out, ")\r\n");
}

void imap_write_exists(struct imap_session *s)
{
    struct buf *out = &s->client.out;
    buf_lit(out, "* ");
    buf_u64(out, view_count(s->view));
    buf_lit(out, " EXISTS\r\n");
    if (s->rev2)
        return;
    buf_lit(out, "* ");
    buf_u64(out, view_recent_count(s->view));
    buf_lit(out, " RECENT\r\n");
}

struct news {
    struct imap_session *s;
    uint32_t *uids; /* vanished, with QRESYNC: told as one set */
    size_t n, size;
    uint32_t count_before;
    bool vanished_told;
};

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void tell_vanished(struct news *news)
{
    if (news->n == 0 || news->vanished_told)
        return;
    struct buf *out = &news->s->client.out;
    qsort(news->uids, news->n, sizeof(*news->uids), compare_u32);
    buf_lit(out, "* VANISHED ");
    imap_seqset_add_sorted(out, news->uids, news->n);
    buf_lit(out, "\r\n");
    news->vanished_told = true;
}

static void on_expunge(void *ud, uint32_t seq, uint32_t uid)
{
    struct news *news = ud;
    struct buf *out = &news->s->client.out;
    news->count_before--;
    if (!news->s->qresync) {
        buf_lit(out, "* ");
        buf_u64(out, seq);
        buf_lit(out, " EXPUNGE\r\n");
        return;
    }
    if (news->n == news->size) {
        news->size = news->size ? news->size * 2 : 64;
        news->uids = mem_realloc(news->uids, news->size * sizeof(*news->uids));
    }
    news->uids[news->n++] = uid;
}

static void on_exists(void *ud, uint32_t count)
{
    struct news *news = ud;
    struct imap_session *s = news->s;
    tell_vanished(news);
    if (count <= news->count_before)
        return; /* only shrunk: EXPUNGE and VANISHED have said it (RFC 3501 7.4.1) */
    imap_write_exists(s);
}

static void on_flags(void *ud, uint32_t seq, const struct message *m)
{
    struct news *news = ud;
    size_t n;
    tell_vanished(news);
    mailbox_all_keywords(news->s->mailbox, &n);
    if (n > news->s->keywords_told)
        imap_write_all_flags(news->s);
    imap_write_flag_news(news->s, seq, m);
}

void imap_tell_news(struct imap_session *s, bool expunges)
{
    static const struct view_events events = {on_expunge, on_exists, on_flags};
    if (!view_pending(s->view))
        return;
    struct news news = {.s = s, .count_before = view_count(s->view)};
    view_update(s->view, expunges, &events, &news);
    tell_vanished(&news);
    mem_free(news.uids);
}

void imap_enable_condstore(struct imap_session *s)
{
    if (s->condstore)
        return;
    s->condstore = true;
    if (!s->mailbox)
        return;
    struct mailbox_status status;
    mailbox_get_counts(s->mailbox, &status);
    buf_lit(&s->client.out, "* OK [HIGHESTMODSEQ ");
    buf_u64(&s->client.out, status.highestmodseq);
    buf_lit(&s->client.out, "] CONDSTORE is on now.\r\n");
}
