/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE, RENAME, DELETE (RFC 3501 6.3.3 to 6.3.5). */
#include "bridge/change.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_change.h"
#include "protocols/imap/imap_session.h"

static void on_done(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    struct imap_changing *w = s->work.ud;
    w->change = NULL;
    if (r->err.code == ERR_EXISTS)
        imap_finish(s, "NO", "ALREADYEXISTS", "There is a mailbox of that name already.");
    else if (r->err.code == ERR_UNSUPPORTED)
        imap_finish(s, "NO", "CANNOT", r->err.text);
    else
        imap_changing_finish(s, r, NULL, "Done.");
}

/* False: answered. */
static bool may_write(struct imap_session *s)
{
    if (account_can_write(s->client.account))
        return true;
    imap_finish(s, "NO", "CANNOT", IMAP_READ_ONLY_TEXT);
    return false;
}

static const struct folder *find(struct imap_session *s, struct str name)
{
    const struct folder *f = name.p ? account_folder_by_name(s->client.account, name) : NULL;
    if (!f)
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
    return f;
}

void cmd_create(struct imap_session *s, struct imap_command *c)
{
    if (!may_write(s))
        return;
    if (!c->create.mailbox.p || c->create.mailbox.n == 0)
        imap_finish(s, "NO", "CANNOT", "No mailbox can have this name.");
    else if (c->create.use.n) /* RFC 6154 3: Exchange's special folders are its own */
        imap_finish(s, "NO", "USEATTR", "The special use of mailboxes is the server's to decide.");
    else
        imap_changing_new(s)->change = change_folder_create(s->client.account, c->create.mailbox, on_done, s);
}

void cmd_delete(struct imap_session *s, struct imap_command *c)
{
    const struct folder *f = may_write(s) ? find(s, c->mailbox) : NULL;
    if (f)
        imap_changing_new(s)->change = change_folder_delete(s->client.account, f->pk, on_done, s);
}

void cmd_rename(struct imap_session *s, struct imap_command *c)
{
    const struct folder *f = may_write(s) ? find(s, c->rename.from) : NULL;
    if (f && !c->rename.to.p)
        imap_finish(s, "NO", "CANNOT", "No mailbox can have this name.");
    else if (f)
        imap_changing_new(s)->change = change_folder_rename(s->client.account, f->pk, c->rename.to, on_done, s);
}
