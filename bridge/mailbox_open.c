/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/account_private.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/sync.h"

#define PROGRESS_MS (10 * 1000)
#define ANNOUNCE_MS (60 * 1000) /* of a first sync: then what is there is shown */
#define FRESHEN_MS  (5 * 1000)  /* a folder known already opens after so long, whatever the server does */

struct mailbox_open {
    struct account *account;
    int64_t folder_pk;
    struct mailbox_open_events ev;
    mailbox_status_cb *status_cb; /* instead of ev: STATUS */
    void *ud;
    bool first; /* the folder was never shown */
    uint64_t waited_ms;
    struct timer *timer;
    struct sync_wait *wait;
    struct deferred finish;
    struct err err; /* of the outcome, for finish */
};

static void open_free(struct mailbox_open *o)
{
    loop_defer_cancel(&o->finish);
    sync_wait_cancel(&o->wait);
    timer_free(&o->timer);
    mem_free(o);
}

static void answer_status(struct mailbox_open *o)
{
    struct err err = o->err;
    struct store_counts c = {0};
    mailbox_status_cb *cb = o->status_cb;
    void *ud = o->ud;
    struct mailbox *m = err.code == ERR_NONE ? mailbox_loaded(o->account, o->folder_pk) : NULL;
    struct mailbox_status status = {0};
    if (m) {
        mailbox_get_counts(m, &status);
    } else if (err.code == ERR_NONE && store_counts(o->account->store, o->folder_pk, &c, &err)) {
        status = (struct mailbox_status){c.messages,    c.unseen, c.deleted, c.recent,      c.uidnext,
                                         c.uidvalidity, c.modseq, c.size,    c.deleted_size};
    }
    open_free(o);
    cb(ud, &status, &err);
}

static void on_finish(void *ud)
{
    struct mailbox_open *o = ud;
    if (o->status_cb) {
        answer_status(o);
        return;
    }
    struct err err = o->err;
    struct mailbox *m = err.code == ERR_NONE ? mailbox_load(o->account, o->folder_pk, &err) : NULL;
    struct mailbox_open_events ev = o->ev;
    void *who = o->ud;
    open_free(o);
    ev.on_done(who, m, &err);
}

static void finish(struct mailbox_open *o, const struct err *err)
{
    static const struct err none;
    o->err = err ? *err : none;
    timer_stop(o->timer);
    sync_wait_cancel(&o->wait);
    loop_defer(o->account->loop, &o->finish);
}

static void on_synced(void *ud, const struct err *err)
{
    struct mailbox_open *o = ud;
    o->wait = NULL;
    /* What is known already can be shown, whatever is wrong with the server. */
    finish(o, o->first || err->code == ERR_NOT_FOUND ? err : NULL);
}

static void on_timer(void *ud)
{
    struct mailbox_open *o = ud;
    struct err err = {0};
    if (!o->first) {
        finish(o, NULL);
        return;
    }
    o->waited_ms += PROGRESS_MS;
    if (o->ev.on_progress)
        o->ev.on_progress(o->ud, sync_progress(o->account->sync, o->folder_pk), 0);
    if (o->waited_ms >= ANNOUNCE_MS && sync_progress(o->account->sync, o->folder_pk) > 0) {
        finish(o, sync_announce(o->account->sync, o->folder_pk, &err) ? NULL : &err);
        return;
    }
    timer_start(o->timer, PROGRESS_MS);
}

static void begin(struct mailbox_open *o)
{
    struct account *a = o->account;
    struct err err = {0};
    const struct folder *f = account_folder_by_pk(a, o->folder_pk);
    if (a->wiped || !f || !f->selectable) {
        err_set(&err, a->wiped ? ERR_POLICY : ERR_NOT_FOUND, a->wiped ? "the account was wiped" : "no such folder");
        finish(o, &err);
        return;
    }
    o->first = !store_is_shown(a->store, o->folder_pk);
    if (!o->first && sync_is_clean(a->sync, o->folder_pk, 0)) {
        finish(o, NULL);
        return;
    }
    if (!sync_retry(a->sync)) {
        finish(o, o->first ? account_health(a) : NULL);
        return;
    }
    o->wait = sync_wait(a->sync, o->folder_pk, on_synced, o);
    timer_start(o->timer, o->first ? PROGRESS_MS : FRESHEN_MS);
}

static struct mailbox_open *open_new(struct account *a, int64_t folder_pk, void *ud)
{
    struct mailbox_open *o = MEM_NEW(struct mailbox_open);
    o->account = a;
    o->folder_pk = folder_pk;
    o->ud = ud;
    o->timer = timer_new(a->loop, on_timer, o);
    deferred_init(&o->finish, on_finish, o);
    return o;
}

struct mailbox_open *mailbox_open(struct account *a, int64_t folder_pk, const struct mailbox_open_events *ev, void *ud)
{
    struct mailbox_open *o = open_new(a, folder_pk, ud);
    o->ev = *ev;
    begin(o);
    return o;
}

struct mailbox_open *mailbox_get_status(struct account *a, int64_t folder_pk, mailbox_status_cb *cb, void *ud)
{
    struct mailbox_open *o = open_new(a, folder_pk, ud);
    o->status_cb = cb;
    begin(o);
    return o;
}

void mailbox_open_cancel(struct mailbox_open **o)
{
    if (!*o)
        return;
    open_free(*o);
    *o = NULL;
}

void mailbox_poke(struct mailbox *m)
{
    struct account *a = mailbox_account(m);
    if (!a->wiped)
        sync_want(a->sync, mailbox_folder_pk(m), SYNC_NOOP_MS);
}
