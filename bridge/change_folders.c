/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE, RENAME, DELETE: after the server has said yes the folder list is read again, and the answer waits for it. */
#include "bridge/base/crash.h"
#include "bridge/change_private.h"
#include "bridge/names.h"

#define EMPTY_LEVEL "a folder name has an empty part"

static void on_listed(void *ud, const struct err *err)
{
    struct change *c = ud;
    c->wait = NULL;
    crash_point(c->name.n ? "rename.listed" : "delete.listed");
    const struct folder *f = account_folder_by_name(c->account, c->name);
    c->result.folder_pk = f ? f->pk : 0;
    change_end(c, err->code == ERR_NONE ? NULL : err);
}

static void list_again(struct change *c)
{
    c->wait = sync_folders_again(c->account->sync, on_listed, c);
    if (!c->wait)
        change_end(c, account_health(c->account));
}

static void split(struct str path, struct str *ret_parent, struct str *ret_label)
{
    size_t at = path.n;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    *ret_label = str_skip(path, at);
    *ret_parent = at ? str_sub(path, 0, at - 1) : STR_NULL;
}

static struct str display(struct change *c, struct str label)
{
    struct buf b = {0};
    names_display(&b, label);
    struct str s = arena_str(&c->arena, buf_view(&b));
    buf_done(&b);
    return s;
}

static void fail(struct change *c, enum err_code code, const char *text)
{
    struct err err = {0};
    err_set(&err, code, "%s", text);
    change_end(c, &err);
}

/* Servers take a space at either end of a name away, and then the folder is not the one that was asked for. False: the
 * change has failed. */
static bool may_be_named(struct change *c, struct str label)
{
    if (label.p[0] != ' ' && label.p[label.n - 1] != ' ')
        return true;
    fail(c, ERR_UNSUPPORTED, "a folder name cannot begin or end with a space");
    return false;
}

/* The server id of the folder a path stands for; empty for the top level. False: there is none. */
static bool parent_of(struct change *c, struct str parent, struct str *ret_id)
{
    if (parent.n == 0) {
        *ret_id = STR_NULL;
        return true;
    }
    const struct folder *f = account_folder_by_name(c->account, parent);
    if (!f)
        return false;
    *ret_id = f->server_id;
    return true;
}

/* No level of a path is empty. */
static bool is_path(struct str path)
{
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '/' && (i == 0 || i + 1 == path.n || path.p[i + 1] == '/'))
            return false;
    return path.n > 0;
}

/* --- create: missing parents first, one round of create and list for each level --------------- */

static void on_level_listed(void *ud, const struct err *err)
{
    struct change *c = ud;
    c->wait = NULL;
    crash_point("create.listed");
    c->rounds++;
    if (err->code != ERR_NONE)
        change_end(c, err);
    else if (!account_folder_by_name(c->account, c->level)) /* asking again would make another one */
        fail(c, ERR_PROTOCOL, "the server made the folder, but does not list it by its name");
    else
        c->step(c);
}

static void on_level_created(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    c->op = NULL;
    crash_point("create.answered");
    if (reply->err.code != ERR_NONE) {
        change_end(c, &reply->err);
        return;
    }
    c->wait = sync_folders_again(c->account->sync, on_level_listed, c);
    if (!c->wait)
        change_end(c, account_health(c->account));
}

/* Make the highest level of the path that is missing; c->step() goes on when it is listed. */
static void create_level(struct change *c, struct str path)
{
    struct str parent, label, parent_id = STR_NULL;
    for (;; path = parent) {
        split(path, &parent, &label);
        if (parent_of(c, parent, &parent_id))
            break;
    }
    if (!may_be_named(c, label))
        return;
    c->level = path;
    c->op = backend_folder_create(c->account->backend, parent_id, display(c, label), FOLDER_MAIL, on_level_created, c);
}

static void create_step(struct change *c)
{
    const struct folder *there = account_folder_by_name(c->account, c->name);
    if (!is_path(c->name)) {
        fail(c, ERR_INVALID, EMPTY_LEVEL);
    } else if (there && c->rounds) {
        c->result.folder_pk = there->pk;
        change_end(c, NULL);
    } else if (there && there->selectable) {
        fail(c, ERR_EXISTS, "there is a folder of that name already");
    } else {
        create_level(c, c->name);
    }
}

/* As the list of folders will have it: each part normalised and escaped. */
static struct str canonical(struct change *c, struct str path)
{
    struct buf b = {0};
    struct str part;
    while (path.n && path.p[path.n - 1] == '/') /* RFC 9051 6.3.4: a trailing separator only announces children */
        path.n--;
    for (const char *between = ""; str_cut(&path, '/', &part); between = "/") {
        buf_lit(&b, between);
        if (part.n)
            names_label(&b, display(c, part));
    }
    struct str s = arena_str(&c->arena, b.n ? buf_view(&b) : STR(""));
    buf_done(&b);
    return s;
}

struct change *change_folder_create(struct account *a, struct str name, change_cb *cb, void *ud)
{
    struct change *c = change_new(a, NULL, cb, ud);
    c->name = canonical(c, name);
    change_begin(c, create_step);
    return c;
}

/* --- rename ----------------------------------------------------------------------------------- */

static void on_changed(void *ud, const struct reply *reply)
{
    struct change *c = ud;
    c->op = NULL;
    crash_point(c->name.n ? "rename.answered" : "delete.answered");
    if (reply->err.code != ERR_NONE)
        change_end(c, &reply->err);
    else
        list_again(c);
}

static bool is_special(const struct folder *f)
{
    return f->use != USE_NONE && !f->own_use;
}

static void rename_step(struct change *c)
{
    const struct folder *f = account_folder_by_pk(c->account, c->folder_pk);
    struct str parent, label, parent_id;
    split(c->name, &parent, &label);
    if (!f)
        fail(c, ERR_NOT_FOUND, "no such folder");
    else if (!is_path(c->name))
        fail(c, ERR_INVALID, EMPTY_LEVEL);
    else if (is_special(f))
        fail(c, ERR_UNSUPPORTED, "this folder belongs to the mailbox and cannot be renamed");
    else if (account_folder_by_name(c->account, c->name))
        fail(c, ERR_EXISTS, "there is a folder of that name already");
    else if (names_is_below(c->name, f->name)) /* some servers take it, and the folder is never seen again */
        fail(c, ERR_UNSUPPORTED, "a folder cannot be moved below itself");
    else if (!parent_of(c, parent, &parent_id)) /* RFC 9051 6.3.6: what is above is made */
        create_level(c, parent);
    else if (may_be_named(c, label))
        c->op = backend_folder_change(c->account->backend, f->server_id, parent_id, display(c, label), on_changed, c);
}

struct change *change_folder_rename(struct account *a, int64_t folder_pk, struct str new_name, change_cb *cb, void *ud)
{
    struct change *c = change_new(a, NULL, cb, ud);
    c->name = canonical(c, new_name);
    c->folder_pk = folder_pk;
    change_begin(c, rename_step);
    return c;
}

/* --- delete ----------------------------------------------------------------------------------- */

static void delete_step(struct change *c)
{
    const struct folder *f = account_folder_by_pk(c->account, c->folder_pk);
    if (!f)
        fail(c, ERR_NOT_FOUND, "no such folder");
    else if (is_special(f))
        fail(c, ERR_UNSUPPORTED, "this folder belongs to the mailbox and cannot be deleted");
    else if (f->has_children) /* RFC 9051 6.3.5: the children must not go with it */
        fail(c, ERR_UNSUPPORTED, "the folder has folders below it; delete those first");
    else
        c->op = backend_folder_remove(c->account->backend, f->server_id, on_changed, c);
}

struct change *change_folder_delete(struct account *a, int64_t folder_pk, change_cb *cb, void *ud)
{
    struct change *c = change_new(a, NULL, cb, ud);
    c->name = STR("");
    c->folder_pk = folder_pk;
    change_begin(c, delete_step);
    return c;
}
