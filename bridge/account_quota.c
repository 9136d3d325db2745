/* SPDX-License-Identifier: Apache-2.0 */
/* How full the mailbox is: one question for all who ask, and its answer kept for a while (Thunderbird asks at every
 * SELECT). And how large a message may be, which the backend keeps. */
#include "bridge/account_private.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define KEPT_MS         (5 * 60 * 1000)
#define KEPT_UNKNOWN_MS (60 * 60 * 1000) /* that the server tells no limit */
#define LIMIT_MS        (24 * 60 * 60 * 1000)
#define LIMIT_AGAIN_MS  (60 * 60 * 1000) /* after a passing failure */

struct quota_wait {
    struct list link; /* of account->quota_waits */
    struct account *account;
    account_quota_cb *cb;
    void *ud;
    struct deferred later; /* known already */
};

static void wait_free(struct quota_wait *w)
{
    list_remove(&w->link);
    loop_defer_cancel(&w->later);
    mem_free(w);
}

static void answer_one(struct quota_wait *w, const struct err *err)
{
    account_quota_cb *cb = w->cb;
    void *ud = w->ud;
    struct account_quota quota = w->account->quota;
    wait_free(w);
    cb(ud, &quota, err);
}

static void on_later(void *ud)
{
    struct err none = {0};
    answer_one(ud, &none);
}

static void on_quota(void *ud, const struct reply *reply)
{
    struct account *a = ud;
    struct err err = reply->err;
    struct list asked;
    a->quota_op = NULL;
    if (err.code == ERR_NONE) {
        a->quota = (struct account_quota){reply->quota.used, reply->quota.limit};
        a->quota_ms = time_mono_ms();
    }
    list_init(&asked);
    while (!list_empty(&a->quota_waits)) { /* a callback may ask again */
        struct list *l = a->quota_waits.next;
        list_remove(l);
        list_append(&asked, l);
    }
    while (!list_empty(&asked))
        answer_one(LIST_ITEM(asked.next, struct quota_wait, link), &err);
}

struct quota_wait *account_get_quota(struct account *a, account_quota_cb *cb, void *ud)
{
    struct quota_wait *w = MEM_NEW(struct quota_wait);
    uint64_t age = time_mono_ms() - a->quota_ms;
    w->account = a;
    w->cb = cb;
    w->ud = ud;
    list_init(&w->link);
    deferred_init(&w->later, on_later, w);
    if (a->quota_ms && age < (a->quota.limit ? KEPT_MS : KEPT_UNKNOWN_MS)) {
        loop_defer(a->loop, &w->later);
        return w;
    }
    list_append(&a->quota_waits, &w->link);
    if (!a->quota_op)
        a->quota_op = backend_quota(a->backend, on_quota, a);
    return w;
}

void account_quota_cancel(struct quota_wait **w)
{
    if (*w)
        wait_free(*w);
    *w = NULL;
}

static void on_limit(void *ud, const struct reply *reply)
{
    struct account *a = ud;
    a->limit_op = NULL;
    if (reply->err.code != ERR_NONE) {
        /* Nobody has asked, and nothing is wrong that others will not be told. */
        log_debug("account", account_name(a), "the server's limit for sending: %s", reply->err.text);
        if (err_is_transient(reply->err.code))
            a->limit_next_ms = time_mono_ms() + LIMIT_AGAIN_MS;
    }
}

void account_ask_limit(struct account *a)
{
    if (a->limit_op || time_mono_ms() < a->limit_next_ms || !a->backend || !a->backend->ops->send_limit)
        return;
    a->limit_next_ms = time_mono_ms() + LIMIT_MS;
    a->limit_op = backend_send_limit(a->backend, on_limit, a);
}

void account_quota_done(struct account *a)
{
    op_cancel(&a->limit_op);
    op_cancel(&a->quota_op);
    while (!list_empty(&a->quota_waits))
        wait_free(LIST_ITEM(a->quota_waits.next, struct quota_wait, link));
}
