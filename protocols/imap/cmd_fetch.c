/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FETCH and UID FETCH: message by message in ascending order. What the cache has is written at once; for the first
 * message that lacks something, everything that will be wanted next is asked for with it. A message that cannot be had
 * is left out, and the tagged answer says so after all others were told.
 */
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/time.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_fetch.h"

#define AHEAD_LOOK 2048 /* messages looked at to fill a request */

static void step(struct imap_session *s);

static void release(struct fetch *f)
{
    imap_fetch_unload(f);
    imap_source_done(&f->src);
}

static void stop(struct imap_session *s)
{
    struct fetch *f = s->work.ud;
    change_detach(&f->change);
    release(f);
}

/* This message cannot be had; the others can. */
static void skip_message(struct fetch *f)
{
    imap_fetch_unload(f);
    f->seq = 0;
}

static void fail_message(struct fetch *f)
{
    if (f->src.err.code == ERR_NOT_FOUND) {
        f->gone = true;
    } else if (f->failed++ == 0) {
        f->err = f->src.err;
        if (f->err.code == ERR_NONE)
            err_set(&f->err, ERR_INTERNAL, "a message could not be made ready");
    }
    skip_message(f);
}

static void finish(struct fetch *f)
{
    struct imap_session *s = f->s;
    struct err err = f->err;
    bool gone = f->gone, unknown_encoding = f->unknown_encoding;
    unsigned failed = f->failed;
    release(f);
    if (unknown_encoding) {
        imap_finish(s, "NO", "UNKNOWN-CTE", "A part has a transfer encoding that nobody knows.");
    } else if (failed > 0) {
        const struct imap_answer *answer = imap_answer_of(err.code);
        char reason[256];
        imap_answer_text(&err, imap_account_name(s), reason, sizeof(reason));
        struct str text = arena_printf(&s->command->arena, "%u of the messages could not be had: %s", failed, reason);
        log_warn("imap", imap_account_name(s), "FETCH: %u messages missing: %s: %s", failed, err_name(err.code),
                 err.text);
        imap_finish(s, "NO", answer->code, text.p);
    } else if (gone) {
        imap_finish(s, "NO", "EXPUNGEISSUED", "Some of the messages are not there any more.");
    } else {
        imap_finish_ok(s);
    }
}

/* RFC 3501 6.4.5: BODY[] without PEEK sets \Seen. The server is told once, for all messages; the news of it go out with
 * the tagged answer, which does not depend on how that ends: the messages were given. */
static void on_seen(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    struct fetch *f = s->work.ud;
    f->change = NULL;
    if (r->err.code != ERR_NONE)
        log_warn("imap", imap_account_name(s), "FETCH: marking as read: %s: %s", err_name(r->err.code), r->err.text);
    finish(f);
}

static void end(struct fetch *f)
{
    static const struct change_flags seen = {.mode = CHANGE_ADD, .flags = ITEM_SEEN};
    if (f->unseen_n == 0) {
        finish(f);
        return;
    }
    client_flush(&f->s->client);
    f->change = change_flags(f->s->mailbox, f->unseen, f->unseen_n, &seen, on_seen, f->s);
}

/* --- asking the server ------------------------------------------------------------------------ */

/* The message cannot be had just now, as when offline: the header that is known by itself is better than nothing. */
static bool knows_header(const struct fetch *f)
{
    const struct message *m = mailbox_find(f->s->mailbox, f->src.uid);
    return f->alone && !f->header_will_do && f->src.err.code != ERR_NOT_FOUND && m &&
           content_has(f->s->mailbox, m, CONTENT_HEADER);
}

static void on_content(void *ud, const struct content *content)
{
    struct imap_session *s = ud;
    struct fetch *f = s->work.ud;
    imap_source_took(&f->src, content);
    if (content->err.code != ERR_NONE && knows_header(f))
        f->header_will_do = true;
    else if (content->err.code != ERR_NONE)
        fail_message(f);
    client_begin_slice(&s->client);
    step(s);
}

/* RFC 7162 3.1.4.1 */
static bool is_wanted(const struct fetch *f, const struct message *m)
{
    return m && (!f->args->has_changedsince || m->modseq > f->args->changedsince);
}

static size_t look_ahead(struct fetch *f, enum content_need need, uint32_t *uids)
{
    struct imap_session *s = f->s;
    struct imap_seqset_iter iter = f->iter; /* stands behind the message at hand */
    size_t hint = f->hint, n = 0;
    uint32_t seq;
    uids[n++] = f->src.uid;
    for (size_t looked = 0; looked < AHEAD_LOOK && n < CONTENT_AHEAD && imap_seqset_iter_next(&iter, &seq); looked++) {
        const struct message *m = imap_message_at(s, seq, &hint);
        if (is_wanted(f, m) && !content_has(s->mailbox, m, need))
            uids[n++] = m->uid;
    }
    return n;
}

static void ask(struct fetch *f, enum content_need need)
{
    uint32_t uids[CONTENT_AHEAD];
    size_t n = look_ahead(f, need, uids);
    if (!imap_source_ask(&f->src, uids, n, need, on_content)) {
        fail_message(f);
        client_yield(&f->s->client);
    }
}

/* --- sizes ------------------------------------------------------------------------------------ */

static bool tell_sizes(struct fetch *f)
{
    struct imap_session *s = f->s;
    uint32_t uid = f->src.uid;
    if (!imap_tell_sizes(s, uid, f->iter, f->hint, &f->src.err))
        return false;
    imap_source_set(&f->src, mailbox_find(s->mailbox, uid));
    return true;
}

static bool wants_size_told(const struct fetch *f)
{
    return (f->args->kinds & 1u << IMAP_FETCH_RFC822_SIZE) && !f->src.m->size_told && !f->src.m->size_exact &&
           !account_exact_size(f->s->client.account);
}

/* --- the walk --------------------------------------------------------------------------------- */

/* The next message that is there. False: no more. */
static bool next_message(struct fetch *f)
{
    struct imap_session *s = f->s;
    while (imap_seqset_iter_next(&f->iter, &f->seq)) {
        const struct message *m = imap_message_at(s, f->seq, &f->hint);
        f->gone |= !m && !s->command->uid;
        if (!is_wanted(f, m))
            continue;
        imap_source_set(&f->src, m);
        return true;
    }
    f->seq = 0;
    return false;
}

/* Do the answers take nothing but the message's record? */
static bool is_plain(const struct fetch *f)
{
    unsigned plain = 1u << IMAP_FETCH_UID | 1u << IMAP_FETCH_FLAGS | 1u << IMAP_FETCH_INTERNALDATE |
                     1u << IMAP_FETCH_MODSEQ | 1u << IMAP_FETCH_SAVEDATE | 1u << IMAP_FETCH_EMAILID |
                     1u << IMAP_FETCH_THREADID;
    return (f->args->kinds & ~plain) == 0;
}

/* False: wait, a callback or step() will go on. */
static bool answer_message(struct fetch *f)
{
    if (!is_plain(f)) {
        enum fetch_ready ready = wants_size_told(f) && !tell_sizes(f) ? FETCH_FAILED : imap_fetch_load(f);
        switch (ready) {
        case FETCH_READY:
            break;
        case FETCH_NEEDS_HEADER:
            ask(f, CONTENT_HEADER);
            return false;
        case FETCH_NEEDS_MESSAGE:
            ask(f, CONTENT_MESSAGE);
            return false;
        case FETCH_AGAIN:
            client_yield(&f->s->client);
            return false;
        case FETCH_UNDECODABLE:
            f->unknown_encoding = true;
            skip_message(f);
            return true;
        case FETCH_FAILED:
            fail_message(f);
            return true;
        }
    }
    imap_fetch_write(f);
    if (f->unseen && !(f->src.m->flags & ITEM_SEEN))
        f->unseen[f->unseen_n++] = f->src.uid;
    if (!is_plain(f))
        imap_fetch_unload(f);
    f->seq = 0;
    return true;
}

static void step(struct imap_session *s)
{
    struct fetch *f = s->work.ud;
    if (f->seq != 0) { /* after a turn of the loop the record may lie elsewhere, or nowhere */
        const struct message *m = mailbox_find(s->mailbox, f->src.uid);
        f->gone |= !m && !s->command->uid;
        if (m)
            imap_source_set(&f->src, m);
        else
            skip_message(f);
    }
    for (;;) {
        if (!client_has_room(&s->client)) {
            client_yield(&s->client);
            return;
        }
        if (f->seq == 0 && !next_message(f)) {
            end(f);
            return;
        }
        if (!answer_message(f))
            return;
    }
}

void cmd_fetch(struct imap_session *s, struct imap_command *c)
{
    const struct imap_fetch *args = &c->fetch;
    struct fetch *f = ARENA_NEW(&c->arena, struct fetch);
    *f = (struct fetch){.s = s, .args = args};
    if (args->vanished && (!s->qresync || !c->uid || !args->has_changedsince)) { /* RFC 7162 3.2.6 */
        imap_finish_bad(s, "VANISHED wants UID FETCH, CHANGEDSINCE, and QRESYNC enabled.");
        return;
    }
    if (!imap_resolve(s, &args->set, c->uid, &f->seqs)) {
        imap_finish_bad(s, "There is no message with that number.");
        return;
    }
    if (args->has_changedsince || (args->kinds & 1u << IMAP_FETCH_MODSEQ))
        imap_enable_condstore(s);
    if (args->vanished) {
        struct imap_seqset known;
        struct err err = {0};
        uint32_t count = view_count(s->view);
        imap_seqset_resolve(&c->arena, &args->set, count ? view_uid(s->view, count) : 0, &known);
        if (!imap_write_vanished(s, &known, args->changedsince, 0, &err)) {
            imap_finish_err(s, &err);
            return;
        }
    }
    f->alone = imap_seqset_count(&f->seqs) == 1 && !(args->needs & IMAP_NEEDS_MESSAGE);
    imap_seqset_iter_init(&f->iter, &f->seqs);
    imap_source_init(&f->src, s);
    f->values = arena_array(&c->arena, args->n, sizeof(*f->values));
    if (args->kinds & (1u << IMAP_FETCH_BINARY | 1u << IMAP_FETCH_BINARY_SIZE))
        f->decodes = arena_array(&c->arena, args->n, sizeof(*f->decodes));
    if ((args->needs & IMAP_NEEDS_SEEN) && !s->read_only)
        f->unseen = arena_array(&c->arena, (size_t)view_count(s->view) + 1, sizeof(*f->unseen));
    s->work = (struct imap_work){.step = step, .stop = stop, .ud = f};
    step(s);
}
