/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE (with special uses, RFC 6154 3), RENAME, DELETE (RFC 9051 6.3.4 to 6.3.6). */
#include "bridge/change.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_change.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_utf7.h"
#include "protocols/imap/imap_write.h"

static void answer(struct imap_session *s, const struct change_result *r)
{
    if (r->err.code == ERR_EXISTS)
        imap_finish(s, "NO", "ALREADYEXISTS", r->err.text);
    else if (r->err.code == ERR_UNSUPPORTED)
        imap_finish(s, "NO", "CANNOT", r->err.text);
    else
        imap_changing_finish(s, r, NULL, "Done.");
}

/* RFC 9051 7.3.1: a name that became another one (its Unicode form is normalised) is told with both. `asked` is in
 * UTF-8, as names on the wire are then. */
static void tell_oldname(struct imap_session *s, const struct folder *f, struct str asked)
{
    if (s->rev2 && f && !str_case_eq(f->name, asked))
        imap_write_oldname(&s->client.out, f->name, asked, s->utf8);
}

/* False: answered. */
static bool may_write(struct imap_session *s)
{
    if (account_can_write(s->client.account))
        return true;
    imap_finish(s, "NO", "CANNOT", IMAP_READ_ONLY_TEXT);
    return false;
}

/* False: answered. */
static bool may_be_named(struct imap_session *s, struct str name)
{
    const char *why = name.p ? imap_name_check(name) : "No mailbox can have this name";
    if (why)
        imap_finish(s, "NO", "CANNOT", why);
    return !why;
}

static const struct folder *find(struct imap_session *s, struct str name)
{
    const struct folder *f = name.p ? account_folder_by_name(s->client.account, name) : NULL;
    if (!f)
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
    return f;
}

/* --- CREATE ---------------------------------------------------------------------------------------------------------
 */

/* Drafts, Sent and Trash are Exchange's own, in any language; Junk and Archive may be missing, and are then ours to
 * give. False: no mailbox can be made with these. */
static bool special_use(struct imap_session *s, const struct imap_strs *names, enum folder_use *ret_use)
{
    static const struct {
        const char *name;
        enum folder_use use;
    } uses[] = {{"\\Junk", USE_JUNK}, {"\\Archive", USE_ARCHIVE}};
    size_t n;
    const struct folder *const *folders = account_folders(s->client.account, &n);
    *ret_use = USE_NONE;
    if (names->n > 1)
        return false;
    for (size_t i = 0; names->n && i < sizeof(uses) / sizeof(uses[0]); i++)
        if (str_case_is(names->items[0], uses[i].name))
            *ret_use = uses[i].use;
    for (size_t i = 0; *ret_use != USE_NONE && i < n; i++)
        if (folders[i]->use == *ret_use)
            return false;
    return names->n == 0 || *ret_use != USE_NONE;
}

static void on_created(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    struct imap_command *c = s->command;
    struct imap_changing *w = s->work.ud;
    enum folder_use use;
    struct err err = {0};
    w->change = NULL;
    if (r->err.code != ERR_NONE) {
        answer(s, r);
        return;
    }
    if (!special_use(s, &c->create.use, &use) ||
        (use != USE_NONE && !account_set_use(s->client.account, r->folder_pk, use, &err))) {
        imap_finish(s, "NO", "USEATTR", "The mailbox was made, but somebody else took the special use.");
        return;
    }
    const struct folder *f = account_folder_by_pk(s->client.account, r->folder_pk);
    struct str id = f ? folder_mailbox_id(s->client.account, f, &c->arena) : STR_NULL;
    tell_oldname(s, f, c->create.asked);
    imap_finish(s, "OK", f ? arena_printf(&c->arena, "MAILBOXID (%.*s)", STR_ARG(id)).p : NULL, /* RFC 8474 4.1 */
                "CREATE completed.");
}

void cmd_create(struct imap_session *s, struct imap_command *c)
{
    enum folder_use use;
    if (!may_write(s) || !may_be_named(s, c->create.mailbox))
        return;
    if (!special_use(s, &c->create.use, &use))
        imap_finish(s, "NO", "USEATTR", "No mailbox can be made for this special use.");
    else
        imap_changing_new(s)->change = change_folder_create(s->client.account, c->create.mailbox, on_created, s);
}

/* --- DELETE, RENAME -------------------------------------------------------------------------------------------------
 */

static void on_deleted(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    ((struct imap_changing *)s->work.ud)->change = NULL;
    if (r->err.code == ERR_NONE && s->mailbox && mailbox_gone(s->mailbox))
        imap_unselect(s); /* it was the selected one, and the client knows: no reason to hang up */
    answer(s, r);
}

void cmd_delete(struct imap_session *s, struct imap_command *c)
{
    const struct folder *f = may_write(s) ? find(s, c->mailbox) : NULL;
    if (f && f->has_children && f->use == USE_NONE) /* they must not go with it */
        imap_finish(s, "NO", "HASCHILDREN", "There are mailboxes below this one: delete those first.");
    else if (f)
        imap_changing_new(s)->change = change_folder_delete(s->client.account, f->pk, on_deleted, s);
}

static void on_renamed(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    ((struct imap_changing *)s->work.ud)->change = NULL;
    if (r->err.code == ERR_NONE)
        tell_oldname(s, account_folder_by_pk(s->client.account, r->folder_pk), s->command->rename.asked);
    answer(s, r);
}

void cmd_rename(struct imap_session *s, struct imap_command *c)
{
    const struct folder *f = may_write(s) ? find(s, c->rename.from) : NULL;
    if (f && may_be_named(s, c->rename.to))
        imap_changing_new(s)->change = change_folder_rename(s->client.account, f->pk, c->rename.to, on_renamed, s);
}
