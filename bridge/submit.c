/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/submit.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/account_private.h"
#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/formats/header.h"
#include "bridge/message_id.h"
#include "bridge/sent_copy.h"
#include "bridge/store_write.h"
#include "bridge/submit_headers.h"
#include "bridge/submit_source.h"
#include "bridge/sync.h"

#define HEADER_MAX (4u << 20)

struct submit {
    struct list link; /* of account->submits */
    struct account *account;
    submit_cb *cb;
    void *ud;
    bool detached;
    struct blob *message; /* as the server gets it */
    struct str sender;
    struct str *recipients;
    size_t recipient_count;
    struct arena arena;
    struct journal_key key;
    struct journal_row row;
    struct op *op;
    struct sync_wait *wait; /* for the Sent folder */
    struct deferred later;
    struct err err;
};

static void submit_free(struct submit *s)
{
    list_remove(&s->link);
    loop_defer_cancel(&s->later);
    op_detach(&s->op);
    sync_wait_cancel(&s->wait);
    blob_unref(&s->message);
    arena_done(&s->arena);
    mem_free(s);
}

static void on_answer(void *ud)
{
    struct submit *s = ud;
    if (!s->detached)
        s->cb(s->ud, &s->err);
    submit_free(s);
}

static void answer(struct submit *s, const struct err *err)
{
    s->err = err ? *err : (struct err){0};
    sync_disk_failed(s->account->sync, &s->err);
    deferred_init(&s->later, on_answer, s);
    loop_defer(s->account->loop, &s->later);
}

/* --- recognising a retry ---------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return str_case_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str hash_of(struct submit *s, struct str bytes)
{
    struct crypto_hash h = crypto_sha256(bytes);
    return arena_str(&s->arena, str_of(h.b, sizeof(h.b)));
}

/* Content: sender, recipients in any order, bytes. Identity: Message-ID and recipients, for clients that stamp a new
 * Date on a retry. */
static void make_key(struct submit *s, const struct blob *original)
{
    struct message_identity who;
    struct buf recipients = {0}, all = {0};
    struct str *sorted = arena_array(&s->arena, s->recipient_count + 1, sizeof(*sorted));
    memcpy(sorted, s->recipients, s->recipient_count * sizeof(*sorted));
    qsort(sorted, s->recipient_count, sizeof(*sorted), compare);
    for (size_t i = 0; i < s->recipient_count; i++) {
        buf_str(&recipients, sorted[i]);
        buf_byte(&recipients, '\n');
    }
    message_identity(original, &s->arena, &who);
    struct crypto_hash bytes = blob_hash(original);
    buf_str(&all, s->sender);
    buf_byte(&all, '\n');
    buf_str(&all, buf_view(&recipients));
    buf_add(&all, bytes.b, sizeof(bytes.b));
    s->key.content = hash_of(s, buf_view(&all));
    s->key.identity = STR("");
    s->key.message_id = who.message_id_hash;
    if (who.message_id.n) {
        buf_reset(&all);
        buf_str(&all, who.message_id);
        buf_byte(&all, '\n');
        buf_str(&all, buf_view(&recipients));
        s->key.identity = hash_of(s, buf_view(&all));
    }
    buf_done(&recipients);
    buf_done(&all);
}

/* --- what goes out ---------------------------------------------------------------------------- */

struct copy {
    struct blob *to;
    uint64_t skip;
    struct err *err;
};

static bool on_piece(void *ud, struct str piece)
{
    struct copy *c = ud;
    size_t skip = c->skip < piece.n ? (size_t)c->skip : piece.n;
    c->skip -= skip;
    return blob_add(c->to, str_skip(piece, skip), c->err);
}

static bool rewrite(struct submit *s, const struct blob *original, struct err *err)
{
    uint64_t n = blob_size(original) < HEADER_MAX ? blob_size(original) : HEADER_MAX;
    char *bytes = arena_alloc(&s->arena, (size_t)n + 1);
    struct buf header = BUF_INIT(2 * (uint64_t)HEADER_MAX);
    if (n && !blob_read(original, 0, bytes, (size_t)n, err))
        return false;
    size_t text;
    struct str block = submit_headers_block(str_of(bytes, (size_t)n), &text);
    s->message = blob_new(cache_tmp_dir(s->account->cache), UINT64_MAX);
    struct copy copy = {s->message, text, err};
    bool ok = submit_headers_rewrite(&header, block, s->recipients, s->recipient_count) ||
              err_set(err, ERR_TOO_BIG, "the header is too big");
    ok = ok && blob_add(s->message, buf_view(&header), err) && blob_each(original, on_piece, &copy, err) &&
         blob_finish(s->message, err);
    buf_done(&header);
    return ok;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* After these nothing was sent, and will not be by itself: the client may try again as if new. */
static bool refused(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
    case ERR_OFFLINE:
    case ERR_PROTOCOL:
    case ERR_INTERNAL:
    case ERR_MAX:
        return false;
    case ERR_AUTH:
    case ERR_DENIED:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_INVALID:
    case ERR_UNSUPPORTED:
    case ERR_TOO_BIG:
    case ERR_QUOTA:
    case ERR_THROTTLED:
    case ERR_STALE:
    case ERR_POLICY:
    case ERR_DISK:
        return true;
    }
    return false;
}

static void on_sent(void *ud, const struct reply *reply)
{
    struct submit *s = ud;
    struct err err = reply->err, journal_err = {0};
    s->op = NULL;
    crash_point("submit.answered");
    enum journal_state state = err.code == ERR_NONE ? JOURNAL_SENT
                               : refused(err.code)  ? JOURNAL_REFUSED
                                                    : JOURNAL_UNKNOWN;
    /* The message is out: a journal that cannot be written costs the recognition of a retry, not the answer. */
    if (!store_journal_set(s->account->store, s->row.pk, state, &journal_err))
        log_error("submit", account_name(s->account), "journal: %s", journal_err.text);
    crash_point("submit.settled");
    if (err.code == ERR_NONE)
        log_info("submit", account_name(s->account), "sent to %zu recipients, %llu bytes, %llu ms", s->recipient_count,
                 (unsigned long long)blob_size(s->message),
                 (unsigned long long)(time_wall_ms() - s->row.created_s * 1000));
    else
        log_warn("submit", account_name(s->account), "not sent: %s", err.text);
    answer(s, &err);
}

static void send_out(struct submit *s, bool retry)
{
    struct submit_source source = {0};
    struct err err = {0};
    if (!retry)
        sent_copy_before_sending(s->account, s->key.message_id);
    /* The row says "on the wire" before the first byte is. */
    if (!store_journal_set(s->account->store, s->row.pk, JOURNAL_UNKNOWN, &err)) {
        answer(s, &err);
        return;
    }
    crash_point("submit.marked");
    if (!(account_caps(s->account) & CAP_ANSWERED))
        submit_find_source(s->account, s->message, &s->arena, &source);
    struct send_request request = {
        .message = s->message,
        .sender = s->sender,
        .recipients = s->recipients,
        .recipient_count = s->recipient_count,
        .evidence = str_from(s->row.evidence),
        .retry = retry,
        .source_folder_id = source.folder_id,
        .source_id = source.item_id,
        .source_forwarded = source.forwarded,
    };
    s->op = backend_send(s->account->backend, &request, on_sent, s);
}

/* A server that cannot say whether it has sent this may have filed a copy all the same. */
static void on_sent_looked(void *ud, const struct err *err)
{
    struct submit *s = ud;
    const struct folder *f = sent_copy_folder(s->account);
    struct err failed = *err, journal = {0};
    struct sent_found found = {0};
    s->wait = NULL;
    if (failed.code != ERR_NONE || (f && !store_sent_find(s->account->store, f->pk, s->key.message_id, 0,
                                                          s->row.created_s, &s->arena, &found, &failed))) {
        answer(s, &failed);
    } else if (found.pk) {
        log_info("submit", account_name(s->account), "an earlier attempt went through: its copy is in Sent");
        if (!store_journal_set(s->account->store, s->row.pk, JOURNAL_SENT, &journal))
            log_error("submit", account_name(s->account), "journal: %s", journal.text);
        answer(s, NULL);
    } else {
        send_out(s, true);
    }
}

static void on_begin(void *ud)
{
    struct submit *s = ud;
    const struct folder *f = sent_copy_folder(s->account);
    bool retry = s->row.state == JOURNAL_UNKNOWN;
    if (retry && f && s->key.message_id.n && !(account_caps(s->account) & CAP_SENDS_ONCE))
        s->wait = sync_wait(s->account->sync, f->pk, on_sent_looked, s);
    if (!s->wait)
        send_out(s, retry);
}

static bool in_flight(const struct submit *s)
{
    LIST_EACH (&s->account->submits, l) {
        const struct submit *other = LIST_ITEM(l, struct submit, link);
        if (other != s && other->row.pk == s->row.pk && other->row.pk)
            return true;
    }
    return false;
}

static bool prepare(struct submit *s, const struct blob *original, struct err *err)
{
    struct buf token = {0};
    if (s->account->wiped) {
        *err = s->account->health;
        return false;
    }
    make_key(s, original);
    if (!store_journal_find(s->account->store, &s->key, &s->row, err))
        return false;
    if (s->row.pk) {
        if (in_flight(s))
            return err_set(err, ERR_OFFLINE, "the same message is being sent already");
        if (s->row.state == JOURNAL_SENT)
            return true;
    } else {
        rand_add_hex(&token, 16);
        memcpy(s->row.evidence, buf_z(&token), token.n + 1);
        buf_done(&token);
        s->row.created_s = time_wall_s();
        if (!store_journal_add(s->account->store, &s->key, str_from(s->row.evidence), &s->row.pk, err))
            return false;
        crash_point("submit.journaled");
    }
    return rewrite(s, original, err);
}

struct submit *submit_start(struct account *a, const struct submit_request *request, submit_cb *cb, void *ud)
{
    struct submit *s = MEM_NEW(struct submit);
    struct err err = {0};
    s->account = a;
    s->cb = cb;
    s->ud = ud;
    list_init(&s->link);
    list_append(&a->submits, &s->link);
    deferred_init(&s->later, on_begin, s);
    s->sender = arena_str(&s->arena, request->sender);
    s->recipients = arena_array(&s->arena, request->recipient_count + 1, sizeof(*s->recipients));
    s->recipient_count = request->recipient_count;
    for (size_t i = 0; i < request->recipient_count; i++)
        s->recipients[i] = arena_str(&s->arena, request->recipients[i]);
    if (!prepare(s, request->message, &err))
        answer(s, &err);
    else if (s->row.state == JOURNAL_SENT)
        answer(s, NULL);
    else
        loop_defer(a->loop, &s->later);
    return s;
}

void submit_detach(struct submit **s)
{
    if (*s)
        (*s)->detached = true;
    *s = NULL;
}

void submits_done(struct account *a)
{
    while (!list_empty(&a->submits))
        submit_free(LIST_ITEM(a->submits.next, struct submit, link));
}

uint64_t submit_size_limit(const struct account *a)
{
    return account_limits(a)->message_max;
}
