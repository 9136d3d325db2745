/* SPDX-License-Identifier: Apache-2.0 */
/* STATUS (RFC 3501, 7162, 8438, 8474). */
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

struct status {
    struct waiter *waiter;
    struct mailbox_open *op;
    int64_t pk;
};

static void stop(struct imap_session *s)
{
    struct status *st = s->work.ud;
    waiter_cancel(&st->waiter);
    mailbox_open_cancel(&st->op);
}

void imap_write_status_of(struct imap_session *s, int64_t folder_pk, struct str name, unsigned items,
                          const struct mailbox_status *status)
{
    struct imap_status_values values = {
        .messages = status->messages,
        .recent = status->recent,
        .uidnext = status->uidnext,
        .uidvalidity = status->uidvalidity,
        .unseen = status->unseen,
        .deleted = status->deleted,
        .size = status->size,
        .deleted_size = status->deleted_size,
        .highestmodseq = status->highestmodseq,
    };
    const struct folder *f = account_folder_by_pk(s->client.account, folder_pk);
    values.appendlimit = imap_append_limit(s->client.account, f);
    if ((items & IMAP_STATUS_MAILBOXID) && f)
        values.mailbox_id = folder_mailbox_id(s->client.account, f, &s->command->arena);
    else
        items &= ~(unsigned)IMAP_STATUS_MAILBOXID;
    imap_write_status(&s->client.out, name, s->utf8, items, &values);
}

static void on_status(void *ud, const struct mailbox_status *status, const struct err *err)
{
    struct imap_session *s = ud;
    struct status *st = s->work.ud;
    st->op = NULL;
    if (err && err->code != ERR_NONE) {
        imap_finish_err(s, err);
        return;
    }
    if (s->command->status.items & IMAP_STATUS_HIGHESTMODSEQ)
        imap_enable_condstore(s);
    imap_write_status_of(s, st->pk, s->command->status.mailbox, s->command->status.items, status);
    imap_finish_ok(s);
}

static void on_folders(void *ud, const struct err *err)
{
    struct imap_session *s = ud;
    struct status *st = s->work.ud;
    st->waiter = NULL;
    if (err && err->code != ERR_NONE) {
        imap_finish_err(s, err);
        return;
    }
    const struct folder *f = account_folder_by_name(s->client.account, s->command->status.mailbox);
    if (!f || !f->selectable) {
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
        return;
    }
    st->pk = f->pk;
    st->op = mailbox_get_status(s->client.account, f->pk, on_status, s);
}

void cmd_status(struct imap_session *s, struct imap_command *c)
{
    if (!c->status.mailbox.p) {
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
        return;
    }
    struct status *st = ARENA_NEW(&c->arena, struct status);
    s->work = (struct imap_work){.stop = stop, .ud = st};
    st->waiter = account_wait_folders(s->client.account, on_folders, s);
}
