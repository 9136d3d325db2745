/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APPEND. Two things are special:
 *  - Sent copies. The server files its own copy of what was sent through us; when the client then appends the same
 * message to the Sent folder, it is answered with that copy's UID as soon as a sync has brought it. Never two.
 *  - Unknown outcomes. A journal row with the evidence is committed before the request; a client that repeats the same
 * APPEND after a lost answer makes the backend look for the evidence first. The row is settled only when the client has
 * been told, so one that had gone by then is not given a second copy.
 */
#include <string.h>

#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/change_private.h"
#include "bridge/content_engine.h"
#include "bridge/formats/header.h"
#include "bridge/message_id.h"
#include "bridge/names.h"

#define SENT_COPY_TRIES 10 /* looks at the Sent folder for the server's copy */
#define SENT_COPY_MS    3000

/* --- the server's own Sent copy
 * --------------------------------------------------------------------------------------------- */

static void sent_look(struct change *c);

static void on_sent_timer(void *ud)
{
    sent_look(ud);
}

static void on_sent_synced(void *ud, const struct err *err)
{
    struct change *c = ud;
    c->wait = NULL;
    uint32_t uid = store_uid_by_identity(c->account->store, c->folder_pk, c->identity);
    if (uid || err->code != ERR_NONE || ++c->rounds >= SENT_COPY_TRIES) {
        /* Without the copy in sight it is still the server's to file: OK, but no APPENDUID. */
        c->items[0].new_uid = uid;
        change_refresh(c->account, c->folder_pk);
        change_end(c, NULL);
        return;
    }
    timer_start(c->timer, SENT_COPY_MS);
}

static void sent_look(struct change *c)
{
    c->wait = sync_wait(c->account->sync, c->folder_pk, on_sent_synced, c);
    if (!c->wait)
        change_end(c, account_health(c->account));
}

/* --- storing
 * ------------------------------------------------------------------------------------------------------------------ */

static bool outcome_unknown(const struct err *err)
{
    return err->code == ERR_OFFLINE || err->code == ERR_PROTOCOL;
}

static void on_appended(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct err err = reply->err;
    c->op = NULL;
    crash_point("append.answered");
    if (err.code != ERR_NONE) {
        if (!outcome_unknown(&err) && c->journal_pk)
            store_journal_set(c->account->store, c->journal_pk, JOURNAL_REFUSED, NULL);
        change_end(c, &err);
        return;
    }
    struct message_identity who;
    message_identity(c->append.message, &c->arena, &who);
    uint64_t size = blob_size(c->append.message);
    struct store_created made = {
        .server_id = reply->created.id,
        .change = reply->created.change,
        .flags = c->append.flags,
        .flags_known = c->append.flags,
        .categories = change_join(&c->arena, c->append.keywords, c->append.keyword_count),
        .received_ms = c->append.received_s == TIME_NONE ? time_wall_ms() : c->append.received_s * 1000,
        .size = (uint32_t)size,
        .size_exact = true,
        .message_id = who.message_id,
        .subject = who.subject,
    };
    bool ok = store_created(c->account->store, c->folder_pk, &made, 1, &err);
    crash_point("append.stored");
    if (ok) {
        content_take_message(c->account, c->folder_pk, made.pk, c->append.message);
        c->items[0].new_uid = made.new_uid;
        c->told_journal_pk = c->journal_pk; /* once told, the same bytes may be appended again */
        change_refresh(c->account, c->folder_pk);
    }
    change_end(c, ok ? NULL : &err);
}

/* The row is that of another APPEND of the same bytes, which is under way: its client has lost patience, or two have
 * the same idea. */
static bool in_flight(const struct change *c, int64_t journal_pk)
{
    LIST_EACH (&c->account->changes, l) {
        const struct change *other = LIST_ITEM(l, struct change, link);
        if (other != c && other->journal_pk == journal_pk)
            return true;
    }
    return false;
}

static bool journal(struct change *c, char evidence[48], bool *ret_retry, struct err *err)
{
    struct buf content = {0}, token = {0};
    buf_printf(&content, "append/%lld/", (long long)c->folder_pk);
    struct crypto_hash bytes = blob_hash(c->append.message);
    buf_add(&content, bytes.b, sizeof(bytes.b));
    struct crypto_hash hash = crypto_sha256(buf_view(&content));
    buf_done(&content);
    struct journal_key key = {.content = str_of(hash.b, sizeof(hash.b)), .identity = STR(""), .message_id = STR("")};
    struct journal_row row;
    *ret_retry = store_journal_find(c->account->store, &key, &row) && row.state == JOURNAL_UNKNOWN;
    if (*ret_retry && in_flight(c, row.pk))
        return err_set(err, ERR_CONFLICT, "the same message is being stored already");
    if (*ret_retry) {
        memcpy(evidence, row.evidence, sizeof(row.evidence));
        c->journal_pk = row.pk;
        return true;
    }
    rand_add_hex(&token, 16);
    memcpy(evidence, buf_z(&token), token.n + 1);
    buf_done(&token);
    return store_journal_add(c->account->store, &key, str_from(evidence), &c->journal_pk, err) &&
           store_journal_set(c->account->store, c->journal_pk, JOURNAL_UNKNOWN, err);
}

static void append_step(struct change *c)
{
    const struct folder *f = account_folder_by_pk(c->account, c->folder_pk);
    struct message_identity who;
    struct err err = {0};
    char evidence[48];
    bool retry = false;
    if (!f || !f->selectable) {
        err_set(&err, ERR_NOT_FOUND, "no such folder");
        change_end(c, &err);
        return;
    }
    c->result.uidvalidity = f->uidvalidity;
    message_identity(c->append.message, &c->arena, &who);
    if (f->use == USE_SENT && store_journal_was_sent(c->account->store, who.message_id_hash)) {
        c->identity = who.identity;
        c->timer = timer_new(c->account->loop, on_sent_timer, c);
        sent_look(c);
        return;
    }
    unsigned caps = account_caps(c->account);
    if (!(caps & CAP_APPEND) && !((caps & CAP_APPEND_DRAFT) && f->use == USE_DRAFTS)) {
        err_set(&err, ERR_UNSUPPORTED, "this server takes no messages into this folder (Exchange ActiveSync)");
        change_end(c, &err);
        return;
    }
    if (!journal(c, evidence, &retry, &err)) {
        change_end(c, &err);
        return;
    }
    struct append_request request = {
        .folder_id = f->server_id,
        .message = c->append.message,
        .flags = c->append.flags,
        .categories = c->append.keywords,
        .category_count = c->append.keyword_count,
        .received_ms = c->append.received_s == TIME_NONE ? TIME_NONE : c->append.received_s * 1000,
        .evidence = str_from(evidence),
        .retry = retry,
    };
    crash_point("append.journaled");
    c->op = backend_append(c->account->backend, &request, on_appended, c);
}

static void append_begin(struct change *c)
{
    if (account_folder_by_pk(c->account, c->folder_pk))
        change_with_shown_target(c, c->folder_pk, append_step);
    else
        append_step(c);
}

struct change *change_append(struct account *a, int64_t folder_pk, const struct change_append *what, change_cb *cb,
                             void *ud)
{
    struct change *c = change_new(a, NULL, cb, ud);
    struct str *categories = arena_array(&c->arena, what->keyword_count + 1, sizeof(*categories));
    for (size_t i = 0; i < what->keyword_count; i++) {
        struct buf b = {0};
        names_category(&b, what->keywords[i]);
        categories[i] = arena_str(&c->arena, buf_view(&b));
        buf_done(&b);
    }
    c->append = *what;
    c->append.message = blob_ref(what->message);
    c->append.keywords = categories;
    c->folder_pk = folder_pk;
    c->items = arena_array(&c->arena, 1, sizeof(*c->items));
    c->count = 1;
    change_begin(c, append_begin);
    return c;
}
