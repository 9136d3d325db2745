/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APPEND, MULTIAPPEND and REPLACE:
 *
 *     recognise -> rows ASKED -> one message after the other: [sent? look for the server's copy] [asked before? look
 * whether it is there] store -> all in one transaction -> [REPLACE: remove the old one] -> answer
 *
 * A failure before the transaction takes back what the server has got already (change_undo.c); so does the next start
 * after a crash. A client that repeats the command after a lost answer is given what its first attempt made.
 */
#include <string.h>

#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/change_private.h"
#include "bridge/content_engine.h"
#include "bridge/names.h"
#include "bridge/sent_copy.h"

static struct append_message *at_hand(const struct change *c)
{
    return &c->appending->messages[c->appending->at];
}

static bool is_unknown(const struct err *err)
{
    return err->code == ERR_OFFLINE || err->code == ERR_PROTOCOL;
}

static const struct folder *target(const struct change *c)
{
    return account_folder_by_pk(c->account, c->folder_pk);
}

void append_done(struct change *c)
{
    struct appending *w = c->appending;
    for (size_t i = 0; w && i < w->count; i++)
        blob_unref(&w->messages[i].message);
    if (w)
        mailbox_unref(&w->replaces_in);
}

/* --- receipts: does anybody know of it? ------------------------------------------------------- */

struct receipt {
    struct list link;
    int64_t batch;
};

static struct receipt *find_receipt(const struct account *a, int64_t batch)
{
    LIST_EACH (&a->receipts, link) {
        struct receipt *r = LIST_ITEM(link, struct receipt, link);
        if (r->batch == batch)
            return r;
    }
    return NULL;
}

static void drop_receipt(struct receipt *r)
{
    list_remove(&r->link);
    mem_free(r);
}

void change_hold(struct account *a, int64_t receipt)
{
    if (receipt == 0)
        return;
    struct receipt *r = MEM_NEW(struct receipt);
    r->batch = receipt;
    list_init(&r->link);
    list_append(&a->receipts, &r->link);
}

void change_unheard(struct account *a, int64_t receipt)
{
    struct receipt *r = receipt ? find_receipt(a, receipt) : NULL;
    if (r)
        drop_receipt(r);
}

void change_heard(struct account *a, int64_t receipt)
{
    struct err err = {0};
    if (receipt == 0 || !find_receipt(a, receipt))
        return;
    change_unheard(a, receipt);
    if (!store_append_forget(a->store, receipt, &err))
        log_warn("append", account_name(a), "journal: %s", err.text);
}

void append_receipts_done(struct account *a)
{
    while (!list_empty(&a->receipts))
        drop_receipt(LIST_ITEM(a->receipts.next, struct receipt, link));
}

/* --- recognising a retry ---------------------------------------------------------------------- */

static struct change *owner_of(const struct change *c, int64_t batch)
{
    LIST_EACH (&c->account->changes, link) {
        struct change *other = LIST_ITEM(link, struct change, link);
        if (other != c && other->appending && other->appending->batch == batch)
            return other;
    }
    return NULL;
}

/* Not while somebody is there who asked for it and will hear of it: then this is another one that is wanted too. */
static bool usable(void *ud, int64_t pk, int64_t batch)
{
    const struct change *c = ud, *owner = owner_of(c, batch);
    for (size_t i = 0; i < c->appending->count; i++)
        if (c->appending->messages[i].row_pk == pk)
            return false; /* the same message twice in one command */
    return !find_receipt(c->account, batch) && (!owner || owner->detached || owner->doubted);
}

/* *ret_owner: the change that is still busy with the same message for a client that went away; NULL: none. */
static bool recognise(struct change *c, struct append_message *m, struct change **ret_owner, struct err *err)
{
    struct append_row row;
    *ret_owner = NULL;
    if (!store_append_find(c->account->store, c->folder_pk, &m->key, usable, c, &c->arena, &row, err))
        return false;
    struct change *owner = row.pk ? owner_of(c, row.batch) : NULL;
    *ret_owner = owner;
    if (owner || row.pk == 0 ||
        (row.state == APPEND_DONE && row.item_pk == 0)) /* it was deleted since: this is a new one */
        return true;
    m->row_pk = row.pk;
    m->row_batch = row.batch;
    m->replaces_pk = row.replaces_pk;
    memcpy(m->evidence, row.evidence, sizeof(m->evidence));
    m->retry = true;
    m->fate = row.state == APPEND_DONE ? APPEND_KNOWN : row.state == APPEND_TAKEN ? APPEND_HELD : APPEND_STORE;
    m->server_id = row.server_id;
    m->uid = row.uid;
    if (c->appending->batch == 0)
        c->appending->batch = row.batch;
    return true;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int64_t replaced_pk(struct change *c)
{
    const struct appending *w = c->appending;
    struct store_item old;
    return w->replaces_in && store_item_by_uid(c->account->store, mailbox_folder_pk(w->replaces_in), w->replaces_uid,
                                               &c->arena, &old)
               ? old.pk
               : 0;
}

static bool add_rows(struct change *c, struct err *err)
{
    struct appending *w = c->appending;
    struct append_new *rows = arena_array(&c->arena, w->count, sizeof(*rows));
    struct append_message **of = arena_array(&c->arena, w->count, sizeof(*of));
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct append_message *m = &w->messages[i];
        if (m->fate != APPEND_OPEN)
            continue;
        struct buf token = {0};
        rand_add_hex(&token, 16);
        memcpy(m->evidence, buf_z(&token), token.n + 1);
        buf_done(&token);
        m->replaces_pk = replaced_pk(c);
        rows[n] = (struct append_new){.key = m->key,
                                      .evidence = str_from(m->evidence),
                                      .message_id_hash = m->who.message_id_hash,
                                      .replaces_pk = m->replaces_pk};
        of[n++] = m;
    }
    if (n == 0)
        return true;
    if (!store_append_add(c->account->store, c->folder_pk, rows, n, &w->batch, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        of[i]->row_pk = rows[i].pk;
        of[i]->row_batch = w->batch;
        of[i]->fate = APPEND_STORE;
    }
    crash_point("append.journaled");
    return true;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void answer(struct change *c)
{
    const struct appending *w = c->appending;
    for (size_t i = 0; i < w->count; i++) {
        const struct append_message *m = &w->messages[i];
        c->items[i].new_uid = m->uid;
        if (m->row_batch != w->batch) /* of another command: there can be one receipt only */
            store_append_forget_row(c->account->store, m->row_pk, NULL);
    }
    c->result.receipt = w->batch;
    crash_point("append.done");
    change_end(c, NULL);
}

/* --- REPLACE: the old one goes ---------------------------------------------------------------- */

static void on_replaced(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct err item = change_item_err(reply, 0), err = {0};
    struct append_message *m = &c->appending->messages[0];
    int64_t folder = mailbox_folder_pk(c->appending->replaces_in);
    c->op = NULL;
    crash_point("replace.answered");
    if (is_unknown(&item)) { /* perhaps it is gone: then the new one must not go, too */
        store_append_replaced(c->account->store, m->row_pk, NULL);
        change_end(c, &item);
        return;
    }
    if (item.code != ERR_NONE && item.code != ERR_NOT_FOUND) {
        append_fail(c, &item);
        return;
    }
    if (!store_items_gone(c->account->store, folder, &m->replaces_pk, 1, &err) ||
        !store_append_replaced(c->account->store, m->row_pk, &err))
        log_warn("append", account_name(c->account), "%s", err.text); /* the next sync tells the same */
    crash_point("replace.stored");
    mailbox_refresh(c->appending->replaces_in);
    answer(c);
}

static void replace(struct change *c)
{
    struct appending *w = c->appending;
    struct store_item old;
    const struct folder *f =
        w->replaces_in ? account_folder_by_pk(c->account, mailbox_folder_pk(w->replaces_in)) : NULL;
    if (!f || !store_item_by_uid(c->account->store, f->pk, w->replaces_uid, &c->arena, &old)) {
        answer(c);
        return;
    }
    w->messages[0].replaces_pk = old.pk;
    struct str *id = arena_array(&c->arena, 1, sizeof(*id));
    id[0] = old.server_id;
    c->op =
        backend_remove(c->account->backend, f->server_id, id, 1, c->account->opts.expunge_permanent, on_replaced, c);
}

/* --- all are on the server -------------------------------------------------------------------- */

static struct store_created created(struct change *c, const struct append_message *m)
{
    return (struct store_created){
        .server_id = m->server_id,
        .change = m->version,
        .flags = m->flags,
        .flags_known = m->flags,
        .categories = change_join(&c->arena, m->categories, m->category_count),
        .received_ms = m->received_ms == TIME_NONE ? time_wall_ms() : m->received_ms,
        .size = (uint32_t)blob_size(m->message),
        .size_exact = true,
        .message_id = m->who.message_id,
        .subject = m->who.subject,
        .append_pk = m->row_pk,
        .told_again = account_caps(c->account) & CAP_TELLS_OWN,
    };
}

static void commit(struct change *c)
{
    struct appending *w = c->appending;
    struct store_created *made = arena_array(&c->arena, w->count, sizeof(*made));
    struct append_message **of = arena_array(&c->arena, w->count, sizeof(*of));
    struct err err = {0};
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->messages[i].fate != APPEND_HELD)
            continue;
        of[n] = &w->messages[i];
        made[n++] = created(c, &w->messages[i]);
    }
    if (n && !store_created(c->account->store, c->folder_pk, made, n, &err)) {
        append_fail(c, &err);
        return;
    }
    crash_point("append.stored");
    for (size_t i = 0; i < n; i++) {
        of[i]->uid = made[i].new_uid;
        content_take_message(c->account, c->folder_pk, made[i].pk, of[i]->message);
        if (of[i]->merge)
            sent_copy_keep(c->account, c->folder_pk, made[i].pk, of[i]->who.message_id_hash);
    }
    change_refresh(c->account, c->folder_pk);
    replace(c);
}

/* --- one after the other ---------------------------------------------------------------------- */

static void on_failed(struct change *c)
{
    change_end(c, &c->appending->failed);
}

/* Nothing of the command stays. What may or may not be on the server stays written down: for a single message, so that
 * the client's next attempt finds it; of several, to be looked for and taken back. */
void append_fail(struct change *c, const struct err *err)
{
    struct appending *w = c->appending;
    struct store *store = c->account->store;
    struct err journal = {0};
    bool undo = w->count > 1 && is_unknown(err), ok = true;
    for (size_t i = 0; i < w->count; i++)
        undo |= w->messages[i].fate == APPEND_HELD || (w->messages[i].fate == APPEND_KNOWN && w->replaces_in);
    if (undo)
        ok = store_append_undo(store, w->batch, &journal);
    else if (!is_unknown(err))
        ok = store_append_forget(store, w->batch, &journal);
    if (!ok)
        log_error("append", account_name(c->account), "journal: %s", journal.text);
    w->failed = *err;
    c->step = on_failed;
    c->follows = undo ? append_pending(c->account) : NULL;
    if (!c->follows)
        on_failed(c);
}

static void on_appended(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    struct append_message *m = at_hand(c);
    struct err err = reply->err;
    c->op = NULL;
    crash_point("append.answered");
    if (err.code == ERR_NONE) {
        m->fate = APPEND_HELD;
        m->server_id = arena_str(&c->arena, reply->created.id);
        m->version = arena_str(&c->arena, reply->created.change);
        if (c->appending->count > 1 && !store_append_taken(c->account->store, m->row_pk, m->server_id, &err))
            append_fail(c, &err);
        else
            append_next(c);
        return;
    }
    if (err.code == ERR_STALE &&
        c->rounds++ < CONFLICT_ROUNDS) { /* collected anew, the folder tells what became of it */
        m->retry = true;
        m->looked = false;
        append_next(c);
        return;
    }
    append_fail(c, &err);
}

/* --- an earlier attempt whose answer was lost ------------------------------------------------- */

/* The row stays, for the client's next attempt. */
void append_not_known(struct change *c, const struct err *why)
{
    struct err err = {0};
    err_set(&err, ERR_OFFLINE, "whether an earlier attempt was stored is not known yet: %s", why->text);
    append_fail(c, &err);
}

static void on_looked(void *ud, const struct err *err)
{
    struct change *c = ud;
    struct append_message *m = at_hand(c);
    struct store *store = c->account->store;
    struct sent_found found;
    struct err failed = *err;
    c->wait = NULL;
    m->looked = true;
    if (failed.code == ERR_NONE && store_append_seen(store, m->row_pk, &c->arena, &found, &failed) && found.pk &&
        store_append_done(store, m->row_pk, found.server_id, found.pk, &failed)) {
        m->fate = APPEND_KNOWN;
        m->uid = found.uid;
        change_refresh(c->account, c->folder_pk);
    }
    if (failed.code == ERR_NONE)
        append_next(c);
    else
        append_not_known(c, &failed);
}

static void look(struct change *c)
{
    struct err err = {0};
    c->wait = sync_wait(c->account->sync, c->folder_pk, on_looked, c);
    if (c->wait)
        return;
    err_set(&err, ERR_OFFLINE, "the folder cannot be looked at");
    append_not_known(c, &err);
}

static bool can_store(const struct change *c, const struct folder *f)
{
    unsigned caps = account_caps(c->account);
    return (caps & CAP_APPEND) || ((caps & CAP_APPEND_DRAFT) && f->use == USE_DRAFTS);
}

static void store_message(struct change *c, const struct folder *f)
{
    struct append_message *m = at_hand(c);
    struct append_request request = {
        .folder_id = f->server_id,
        .message = m->message,
        .flags = m->flags,
        .categories = m->categories,
        .category_count = m->category_count,
        .received_ms = m->received_ms,
        .evidence = str_from(m->evidence),
        .retry = m->retry,
    };
    c->op = backend_append(c->account->backend, &request, on_appended, c);
}

static bool was_sent(struct change *c, const struct folder *f, const struct append_message *m, bool *ret_sent,
                     struct err *err)
{
    *ret_sent = false;
    return f->use != USE_SENT || m->merge ||
           store_journal_was_sent(c->account->store, m->who.message_id_hash, ret_sent, err);
}

void append_next(struct change *c)
{
    struct appending *w = c->appending;
    const struct folder *f = target(c);
    struct err err = {0};
    bool sent;
    while (w->at < w->count && (at_hand(c)->fate == APPEND_KNOWN || at_hand(c)->fate == APPEND_HELD))
        w->at++;
    if (w->at == w->count)
        commit(c);
    else if (!f) {
        err_set(&err, ERR_NOT_FOUND, "the folder is gone");
        append_fail(c, &err);
    } else if (!was_sent(c, f, at_hand(c), &sent, &err))
        append_not_known(c, &err);
    else if (sent)
        append_find_sent(c);
    else if (at_hand(c)->retry && !at_hand(c)->looked && !c->account->backend->ops->find_appended)
        look(c);
    else if (can_store(c, f))
        store_message(c, f);
    else {
        err_set(&err, ERR_UNSUPPORTED, "this server takes no messages into this folder (Exchange ActiveSync)");
        append_fail(c, &err);
    }
}

static void append_step(struct change *c)
{
    struct appending *w = c->appending;
    const struct folder *f = target(c);
    struct err err = {0};
    if (!f || !f->selectable) {
        err_set(&err, ERR_NOT_FOUND, "no such folder");
        change_end(c, &err);
        return;
    }
    c->result.uidvalidity = f->uidvalidity;
    for (size_t i = 0; i < w->count; i++) {
        if (w->messages[i].fate == APPEND_OPEN && !recognise(c, &w->messages[i], &c->follows, &err)) {
            change_end(c, &err);
            return;
        }
        if (c->follows)
            return; /* append_step() again when it is over */
    }
    if (!add_rows(c, &err)) {
        change_end(c, &err);
        return;
    }
    append_next(c);
}

static void append_begin(struct change *c)
{
    if (target(c))
        change_with_shown_target(c, c->folder_pk, append_step);
    else
        append_step(c);
}

/* --- the call --------------------------------------------------------------------------------- */

static void take_message(struct change *c, struct append_message *m, const struct change_message *what)
{
    struct crypto_hash bytes = blob_hash(what->message);
    m->message = blob_ref(what->message);
    m->flags = what->flags;
    m->received_ms = what->received_s == TIME_NONE ? TIME_NONE : what->received_s * 1000;
    m->categories = arena_array(&c->arena, what->keyword_count + 1, sizeof(*m->categories));
    m->category_count = what->keyword_count;
    for (size_t i = 0; i < what->keyword_count; i++) {
        struct buf b = {0};
        names_category(&b, what->keywords[i]);
        m->categories[i] = arena_str(&c->arena, buf_view(&b));
        buf_done(&b);
    }
    m->key.content = arena_str(&c->arena, str_of(bytes.b, sizeof(bytes.b)));
    m->key.identity = message_attempt(what->message, &c->arena);
    message_identity(what->message, &c->arena, &m->who);
}

struct change *change_append(struct account *a, int64_t folder_pk, const struct change_append *what, change_cb *cb,
                             void *ud)
{
    struct change *c = change_new(a, NULL, cb, ud);
    struct appending *w = ARENA_NEW(&c->arena, struct appending);
    w->messages = arena_array(&c->arena, what->count, sizeof(*w->messages));
    w->count = what->count;
    for (size_t i = 0; i < what->count; i++)
        take_message(c, &w->messages[i], &what->messages[i]);
    w->replaces_in = what->replaces_in ? mailbox_ref(what->replaces_in) : NULL;
    w->replaces_uid = what->replaces_uid;
    c->appending = w;
    c->folder_pk = folder_pk;
    c->items = arena_array(&c->arena, what->count, sizeof(*c->items));
    c->count = what->count;
    append_pending(a); /* somebody is there, and so may be the server */
    change_begin(c, append_begin);
    return c;
}
