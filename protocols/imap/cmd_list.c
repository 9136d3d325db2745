/* SPDX-License-Identifier: Apache-2.0 */
/* LIST (RFC 3501, 5258, 5819, 6154), LSUB, SUBSCRIBE, UNSUBSCRIBE. */
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/names.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_list.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

#define CHILDINFO       (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL_USE)
#define STATUS_PARALLEL 8 /* RETURN (STATUS): folders looked at at once */

struct status_job {
    struct listing *listing;
    int64_t pk;
    struct str name;
    struct mailbox_open *op;
};

struct listing {
    struct imap_session *s;
    struct waiter *waiter;
    struct imap_strs patterns; /* reference and pattern joined */
    struct status_job *jobs;
    size_t job_n, started, ended;
};

static void stop(struct imap_session *s)
{
    struct listing *l = s->work.ud;
    waiter_cancel(&l->waiter);
    for (size_t i = 0; i < l->started; i++)
        mailbox_open_cancel(&l->jobs[i].op);
}

/* --- one line --------------------------------------------------------------------------------- */

static const char *use_attribute(enum folder_use use)
{
    static const char *const names[] = {
        [USE_NONE] = NULL,     [USE_INBOX] = NULL,  [USE_DRAFTS] = "Drafts",   [USE_SENT] = "Sent",
        [USE_TRASH] = "Trash", [USE_JUNK] = "Junk", [USE_ARCHIVE] = "Archive", [USE_OUTBOX] = NULL,
    };
    return names[use];
}

void imap_write_folder(struct imap_session *s, const struct folder *f, const char *response, bool subscribed,
                       unsigned childinfo)
{
    const char *attributes[5];
    size_t n = 0;
    if (!f->selectable)
        attributes[n++] = "Noselect";
    if (subscribed && f->subscribed)
        attributes[n++] = "Subscribed";
    attributes[n++] = f->has_children ? "HasChildren" : "HasNoChildren";
    if (use_attribute(f->use))
        attributes[n++] = use_attribute(f->use);
    imap_write_list(&s->client.out, response, attributes, n, f->name, s->utf8, childinfo);
}

/* A subscribed name that is no mailbox (any more): RFC 5258 3.1. */
static void write_lost(struct imap_session *s, struct str name)
{
    static const char *const attributes[] = {"Subscribed", "NonExistent"};
    imap_write_list(&s->client.out, "LIST", attributes, 2, name, s->utf8, 0);
}

/* --- LIST ------------------------------------------------------------------------------------- */

static bool is_selected(const struct imap_list *args, const struct folder *f)
{
    if ((args->selects & IMAP_LIST_SUBSCRIBED) && !f->subscribed)
        return false;
    return !(args->selects & IMAP_LIST_SPECIAL_USE) || use_attribute(f->use);
}

/* RFC 5258 3.5: is something selected below f that the patterns do not show themselves? */
static bool has_hidden_descendant(const struct listing *l, const struct imap_list *args, const struct folder *f)
{
    size_t n;
    const struct folder *const *folders = account_folders(l->s->client.account, &n);
    for (size_t i = 0; i < n; i++)
        if (names_is_below(folders[i]->name, f->name) && is_selected(args, folders[i]) &&
            !imap_list_match_any(folders[i]->name, &l->patterns))
            return true;
    return false;
}

static void start_statuses(struct listing *l);

static void on_status(void *ud, const struct mailbox_status *status, const struct err *err)
{
    struct status_job *job = ud;
    struct listing *l = job->listing;
    struct imap_session *s = l->s;
    job->op = NULL;
    l->ended++;
    /* RFC 5819 2: a mailbox whose status cannot be had is left out. */
    if (err && err->code != ERR_NONE)
        log_debug("imap", imap_account_name(s), "LIST RETURN (STATUS): %s", err->text);
    else
        imap_write_status_of(s, job->pk, job->name, s->command->list.status, status);
    start_statuses(l);
}

static void start_statuses(struct listing *l)
{
    struct imap_session *s = l->s;
    while (l->started < l->job_n && l->started - l->ended < STATUS_PARALLEL) {
        struct status_job *job = &l->jobs[l->started++];
        job->op = mailbox_get_status(s->client.account, job->pk, on_status, job);
    }
    if (l->ended == l->job_n)
        imap_finish_ok(s);
    else
        client_flush(&s->client);
}

static void list_all(struct listing *l, const struct imap_list *args)
{
    struct imap_session *s = l->s;
    size_t n, lost_n;
    const struct folder *const *folders = account_folders(s->client.account, &n);
    bool subscribed = (args->selects | args->returns) & IMAP_LIST_SUBSCRIBED;
    bool recursive = args->selects & IMAP_LIST_RECURSIVEMATCH;
    if (args->returns & IMAP_LIST_STATUS)
        l->jobs = arena_array(&s->command->arena, n, sizeof(*l->jobs));
    for (size_t i = 0; i < n; i++) {
        const struct folder *f = folders[i];
        if (!imap_list_match_any(f->name, &l->patterns))
            continue;
        unsigned childinfo = recursive && has_hidden_descendant(l, args, f) ? args->selects & CHILDINFO : 0;
        if (!is_selected(args, f) && !childinfo)
            continue;
        imap_write_folder(s, f, "LIST", subscribed, childinfo);
        if (l->jobs && f->selectable)
            l->jobs[l->job_n++] =
                (struct status_job){.listing = l, .pk = f->pk, .name = arena_str(&s->command->arena, f->name)};
    }
    if (!(args->selects & IMAP_LIST_SUBSCRIBED) || (args->selects & IMAP_LIST_SPECIAL_USE))
        return;
    const struct str *lost = account_lost_subscriptions(s->client.account, &lost_n);
    for (size_t i = 0; i < lost_n; i++)
        if (imap_list_match_any(lost[i], &l->patterns))
            write_lost(s, lost[i]);
}

static void on_list_folders(void *ud, const struct err *err)
{
    struct listing *l = ud;
    struct imap_session *s = l->s;
    l->waiter = NULL;
    if (err && err->code != ERR_NONE) {
        imap_finish_err(s, err);
        return;
    }
    list_all(l, &s->command->list);
    if (s->command->list.status & IMAP_STATUS_HIGHESTMODSEQ)
        imap_enable_condstore(s);
    start_statuses(l);
}

static void begin(struct imap_session *s, struct imap_command *c, waiter_cb *on_folders)
{
    struct listing *l = ARENA_NEW(&c->arena, struct listing);
    struct str *patterns = arena_array(&c->arena, c->list.patterns.n, sizeof(*patterns));
    for (size_t i = 0; i < c->list.patterns.n; i++) {
        struct str reference = c->list.reference, pattern = c->list.patterns.items[i];
        if (pattern.p && reference.n > 0)
            pattern = arena_printf(&c->arena, "%.*s%.*s", (int)reference.n, reference.p, (int)pattern.n, pattern.p);
        patterns[i] = pattern;
    }
    l->s = s;
    l->patterns = (struct imap_strs){patterns, c->list.patterns.n};
    s->work = (struct imap_work){.stop = stop, .ud = l};
    account_poke_folders(s->client.account);
    l->waiter = account_wait_folders(s->client.account, on_folders, l);
}

void cmd_list(struct imap_session *s, struct imap_command *c)
{
    const struct imap_list *args = &c->list;
    /* RFC 3501 6.3.8: an empty name asks for the separator and the root. */
    if (!args->extended && args->patterns.n == 1 && args->patterns.items[0].p && args->patterns.items[0].n == 0) {
        buf_lit(&s->client.out, "* LIST (\\Noselect) \"/\" \"\"\r\n");
        imap_finish_ok(s);
        return;
    }
    begin(s, c, on_list_folders);
}

/* --- LSUB ------------------------------------------------------------------------------------- */

/* RFC 3501 6.3.9: "foo/bar" subscribed, "foo" not, "%" asked: "foo" is told with \Noselect. */
static void lsub_parents(struct listing *l, struct str name, struct str *previous)
{
    for (size_t i = 0; i < name.n; i++) {
        struct str parent = str_sub(name, 0, i);
        if (name.p[i] != '/' || str_eq(parent, *previous) || names_is_below(*previous, parent) ||
            !imap_list_match_any(parent, &l->patterns))
            continue;
        const struct folder *f = account_folder_by_name(l->s->client.account, parent);
        static const char *const attributes[] = {"Noselect"};
        if (!f || !f->subscribed)
            imap_write_list(&l->s->client.out, "LSUB", attributes, 1, parent, l->s->utf8, 0);
        *previous = parent;
    }
}

static void lsub_one(struct listing *l, struct str name, const struct folder *f, struct str *previous)
{
    static const char *const gone[] = {"Noselect"};
    if (!imap_list_match_any(name, &l->patterns))
        lsub_parents(l, name, previous);
    else if (f)
        imap_write_folder(l->s, f, "LSUB", false, 0);
    else
        imap_write_list(&l->s->client.out, "LSUB", gone, 1, name, l->s->utf8, 0);
}

static void on_lsub_folders(void *ud, const struct err *err)
{
    struct listing *l = ud;
    struct imap_session *s = l->s;
    size_t n, lost_n;
    l->waiter = NULL;
    if (err && err->code != ERR_NONE) {
        imap_finish_err(s, err);
        return;
    }
    const struct folder *const *folders = account_folders(s->client.account, &n);
    const struct str *lost = account_lost_subscriptions(s->client.account, &lost_n);
    struct str previous = STR_NULL;
    for (size_t i = 0; i < n; i++)
        if (folders[i]->subscribed)
            lsub_one(l, folders[i]->name, folders[i], &previous);
    previous = STR_NULL;
    for (size_t i = 0; i < lost_n; i++)
        lsub_one(l, lost[i], NULL, &previous);
    imap_finish_ok(s);
}

void cmd_lsub(struct imap_session *s, struct imap_command *c)
{
    begin(s, c, on_lsub_folders);
}

/* --- SUBSCRIBE -------------------------------------------------------------------------------- */

static void on_subscribe_folders(void *ud, const struct err *err)
{
    struct listing *l = ud;
    struct imap_session *s = l->s;
    struct err why = {0};
    bool subscribe = s->command->verb == IMAP_SUBSCRIBE;
    l->waiter = NULL;
    if (err && err->code != ERR_NONE)
        imap_finish_err(s, err);
    else if (subscribe && !account_folder_by_name(s->client.account, s->command->mailbox))
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
    else if (!account_subscribe(s->client.account, s->command->mailbox, subscribe, &why))
        imap_finish_err(s, &why);
    else
        imap_finish_ok(s);
}

void cmd_subscribe(struct imap_session *s, struct imap_command *c)
{
    if (!c->mailbox.p) {
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
        return;
    }
    struct listing *l = ARENA_NEW(&c->arena, struct listing);
    l->s = s;
    s->work = (struct imap_work){.stop = stop, .ud = l};
    l->waiter = account_wait_folders(s->client.account, on_subscribe_folders, l);
}

void cmd_unsubscribe(struct imap_session *s, struct imap_command *c)
{
    cmd_subscribe(s, c);
}
