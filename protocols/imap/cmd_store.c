/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STORE, EXPUNGE and CLOSE's expunge. Written through: OK means that the server confirmed. The change belongs to the
 * account, so a client that hangs up only stops hearing of it.
 */
#include <stdio.h>
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/change.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_change.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

struct imap_changing *imap_changing_new(struct imap_session *s)
{
    struct imap_changing *w = ARENA_NEW(&s->command->arena, struct imap_changing);
    s->work.ud = w;
    s->work.stop = imap_changing_stop;
    s->work.changing = true;
    return w;
}

void imap_changing_stop(struct imap_session *s)
{
    struct imap_changing *w = s->work.ud;
    change_detach(&w->change);
}

uint32_t *imap_changing_uids(struct imap_session *s, const struct imap_seqset *set, bool uid, unsigned flags,
                             size_t *ret_count, bool *ret_ok)
{
    struct imap_seqset seqs;
    struct imap_seqset_iter it;
    uint32_t seq;
    size_t n = 0, hint = 0;
    *ret_count = 0;
    *ret_ok = imap_resolve(s, set, uid, &seqs);
    if (!*ret_ok)
        return NULL;
    uint32_t *uids = arena_array(&s->command->arena, (size_t)view_count(s->view) + 1, sizeof(*uids));
    imap_seqset_iter_init(&it, &seqs);
    while (imap_seqset_iter_next(&it, &seq)) {
        const struct message *m = imap_message_at(s, seq, &hint);
        if (m && (m->flags & flags) == flags)
            uids[n++] = m->uid;
    }
    *ret_count = n;
    return uids;
}

/* The account's error, else the first of a message, those that are gone apart; NULL: none. */
static const struct err *error_of(const struct change_result *r, size_t *ret_failed)
{
    const struct err *err = r->err.code != ERR_NONE ? &r->err : NULL;
    *ret_failed = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].err.code == ERR_NONE)
            continue;
        ++*ret_failed;
        if (!err && r->items[i].err.code != ERR_NOT_FOUND)
            err = &r->items[i].err;
    }
    return err;
}

/* What to say at the end. */
void imap_changing_finish(struct imap_session *s, const struct change_result *r, const char *ok_code,
                          const char *ok_text)
{
    size_t failed;
    const struct err *err = error_of(r, &failed);
    if (err) {
        struct err copy = *err;
        imap_finish_err(s, &copy);
    } else if (failed) {
        imap_finish(s, "NO", "EXPUNGEISSUED", "Some of the messages are gone.");
    } else {
        imap_finish(s, "OK", ok_code, ok_text);
    }
}

/* --- STORE ------------------------------------------------------------------------------------ */

static void tell_message(struct imap_session *s, uint32_t uid, bool silent)
{
    const struct message *m = mailbox_find(s->mailbox, uid);
    uint32_t seq = view_seq(s->view, uid);
    if (!m || !seq)
        return;
    view_told(s->view, uid, m->modseq);
    if (silent && !s->condstore)
        return;
    buf_lit(&s->client.out, "* ");
    buf_u64(&s->client.out, seq);
    buf_lit(&s->client.out, " FETCH (UID ");
    buf_u64(&s->client.out, uid);
    if (!silent) {
        buf_lit(&s->client.out, " FLAGS ");
        imap_write_flags_of(s, m);
    }
    if (s->condstore) {
        buf_lit(&s->client.out, " MODSEQ (");
        buf_u64(&s->client.out, m->modseq);
        buf_byte(&s->client.out, ')');
    }
    buf_lit(&s->client.out, ")\r\n");
}

/* RFC 7162 3.1.3: which ones had changed meanwhile. */
static struct str modified_set(struct imap_session *s, const struct change_result *r)
{
    uint32_t *numbers = arena_array(&s->command->arena, r->count + 1, sizeof(*numbers));
    struct buf code = {0};
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].err.code == ERR_CONFLICT)
            numbers[n++] = s->command->uid ? r->items[i].uid : view_seq(s->view, r->items[i].uid);
    if (n == 0)
        return STR_NULL;
    buf_lit(&code, "MODIFIED ");
    imap_seqset_add_sorted(&code, numbers, n);
    struct str text = arena_str(&s->command->arena, buf_view(&code));
    buf_done(&code);
    return text;
}

static void on_stored(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    struct imap_changing *w = s->work.ud;
    const struct imap_store *args = &s->command->store;
    w->change = NULL;
    size_t keywords;
    mailbox_all_keywords(s->mailbox, &keywords);
    if (keywords > s->keywords_told) /* FLAGS before a FETCH that has a new one */
        imap_write_all_flags(s);
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].err.code == ERR_NONE)
            tell_message(s, r->items[i].uid, args->silent);
    struct str modified = args->has_unchangedsince ? modified_set(s, r) : STR_NULL;
    if (r->err.code == ERR_NONE && modified.n)
        imap_finish(s, "OK", modified.p, "STORE completed, but not for all.");
    else
        imap_changing_finish(s, r, NULL, "STORE completed.");
}

void cmd_store(struct imap_session *s, struct imap_command *c)
{
    static const enum change_mode modes[] = {
        [IMAP_STORE_REPLACE] = CHANGE_REPLACE, [IMAP_STORE_ADD] = CHANGE_ADD, [IMAP_STORE_REMOVE] = CHANGE_REMOVE};
    const struct imap_store *args = &c->store;
    size_t n;
    bool ok;
    if (s->read_only) {
        imap_finish(s, "NO", s->examined ? "READ-ONLY" : "CANNOT",
                    s->examined ? "The mailbox is open read-only." : IMAP_READ_ONLY_TEXT);
        return;
    }
    if (args->flags.keywords.n && args->how != IMAP_STORE_REMOVE && !(account_caps(s->client.account) & CAP_KEYWORDS)) {
        imap_finish(s, "NO", "CANNOT", "This server keeps no keywords.");
        return;
    }
    if (args->has_unchangedsince)
        imap_enable_condstore(s);
    uint32_t *uids = imap_changing_uids(s, &args->set, c->uid, 0, &n, &ok);
    if (!ok) {
        imap_finish_bad(s, "There is no message of that number.");
        return;
    }
    struct change_flags what = {
        .mode = modes[args->how],
        .flags = args->flags.bits,
        .keywords = args->flags.keywords.items,
        .keyword_count = args->flags.keywords.n,
        .has_unchanged_since = args->has_unchangedsince,
        .unchanged_since = args->unchangedsince,
    };
    imap_changing_new(s)->change = change_flags(s->mailbox, uids, n, &what, on_stored, s);
}

/* --- EXPUNGE ---------------------------------------------------------------------------------- */

/* RFC 7162 3.2.7: up to where the client is informed when it has heard the answer. */
static const char *highest_code(struct imap_session *s)
{
    struct mailbox_status status;
    mailbox_get_counts(s->mailbox, &status);
    return arena_printf(&s->command->arena, "HIGHESTMODSEQ %llu", (unsigned long long)status.highestmodseq).p;
}

/* CLOSE has no NO (RFC 3501 6.4.2): the mailbox is closed, and what went wrong is said beside it. */
static void warn(struct imap_session *s, const struct err *err)
{
    char text[256];
    imap_answer_text(err, imap_account_name(s), text, sizeof(text));
    log_warn("imap", imap_account_name(s), "CLOSE: %s: %s", err_name(err->code), err->text);
    imap_untagged(s, "NO", imap_answer_of(err->code)->code, text);
}

static void on_expunged(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    struct imap_changing *w = s->work.ud;
    w->change = NULL;
    size_t failed;
    const struct err *err = error_of(r, &failed);
    if (w->closing && err)
        warn(s, err);
    if (w->closing)
        w->closing(s);
    else
        imap_changing_finish(s, r, s->qresync ? highest_code(s) : NULL, "EXPUNGE completed.");
}

void cmd_expunge(struct imap_session *s, struct imap_command *c)
{
    struct imap_range everything = {1, IMAP_STAR};
    struct imap_seqset all = {.ranges = &everything, .n = 1};
    size_t n;
    bool ok;
    if (s->read_only) {
        imap_finish(s, "NO", s->examined ? "READ-ONLY" : "CANNOT",
                    s->examined ? "The mailbox is open read-only." : IMAP_READ_ONLY_TEXT);
        return;
    }
    uint32_t *uids = imap_changing_uids(s, c->uid ? &c->expunge.set : &all, true, ITEM_DELETED, &n, &ok);
    if (n == 0)
        imap_finish_ok(s);
    else
        imap_changing_new(s)->change = change_expunge(s->mailbox, uids, n, on_expunged, s);
}

bool imap_close_expunge(struct imap_session *s, void (*done)(struct imap_session *s))
{
    struct imap_range everything = {1, IMAP_STAR};
    struct imap_seqset all = {.ranges = &everything, .n = 1};
    size_t n = 0;
    bool ok;
    uint32_t *uids = s->read_only ? NULL : imap_changing_uids(s, &all, true, ITEM_DELETED, &n, &ok);
    if (n == 0)
        return false;
    struct imap_changing *w = imap_changing_new(s);
    w->closing = done;
    w->change = change_expunge(s->mailbox, uids, n, on_expunged, s);
    return true;
}
