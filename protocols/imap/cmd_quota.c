/* SPDX-License-Identifier: Apache-2.0 */
/* GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208): one root "" for the whole mailbox, where the server tells its limit. */
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

struct asking {
    struct waiter *waiter;
    struct quota_wait *quota;
};

static void stop(struct imap_session *s)
{
    struct asking *w = s->work.ud;
    waiter_cancel(&w->waiter);
    account_quota_cancel(&w->quota);
}

static void on_quota(void *ud, const struct account_quota *quota, const struct err *err)
{
    struct imap_session *s = ud;
    struct imap_command *c = s->command;
    struct buf *out = &s->client.out;
    ((struct asking *)s->work.ud)->quota = NULL;
    if (err->code != ERR_NONE) {
        imap_finish_err(s, err);
        return;
    }
    if (c->verb == IMAP_GETQUOTA && quota->limit == 0) {
        imap_finish(s, "NO", "NONEXISTENT", "There is no such quota root.");
        return;
    }
    if (c->verb == IMAP_GETQUOTAROOT) {
        buf_lit(out, "* QUOTAROOT ");
        imap_write_mailbox(out, c->mailbox, s->utf8);
        buf_lit(out, quota->limit ? " \"\"\r\n" : "\r\n");
    }
    if (quota->limit) /* in units of 1024 octets */
        buf_printf(out, "* QUOTA \"\" (STORAGE %llu %llu)\r\n", (unsigned long long)((quota->used + 1023) / 1024),
                   (unsigned long long)(quota->limit / 1024));
    imap_finish_ok(s);
}

static struct asking *begin(struct imap_session *s)
{
    struct asking *w = ARENA_NEW(&s->command->arena, struct asking);
    s->work = (struct imap_work){.stop = stop, .ud = w};
    return w;
}

static bool offered(struct imap_session *s)
{
    if (account_caps(s->client.account) & CAP_QUOTA)
        return true;
    imap_finish(s, "NO", "CANNOT", "The server of this account tells no quota.");
    return false;
}

void cmd_getquota(struct imap_session *s, struct imap_command *c)
{
    if (!offered(s))
        return;
    if (c->quota.root.n)
        imap_finish(s, "NO", "NONEXISTENT", "There is no such quota root.");
    else
        begin(s)->quota = account_get_quota(s->client.account, on_quota, s);
}

static void on_folders(void *ud, const struct err *err)
{
    struct imap_session *s = ud;
    struct asking *w = s->work.ud;
    w->waiter = NULL;
    if (err->code != ERR_NONE)
        imap_finish_err(s, err);
    else if (!s->command->mailbox.p || !account_folder_by_name(s->client.account, s->command->mailbox))
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
    else
        w->quota = account_get_quota(s->client.account, on_quota, s);
}

void cmd_getquotaroot(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    if (offered(s))
        begin(s)->waiter = account_wait_folders(s->client.account, on_folders, s);
}

void cmd_setquota(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    imap_finish(s, "NO", "NOPERM", "An administrator of Exchange sets quotas.");
}
