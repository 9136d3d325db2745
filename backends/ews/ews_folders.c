/* SPDX-License-Identifier: Apache-2.0 */
/* The folder tree: all pages of SyncFolderHierarchy, and once per run which folders have a role. */
#include <assert.h>
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_folders_read.h"
#include "bridge/base/mem.h"

#define PAGES_MAX 1000

/* The cursor where only single folders of another's mailbox may be seen: it has no sync state, everything is asked
 * anew. */
#define CURSOR_SINGLE STR("single folders")

struct folders_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct str asked, cursor;
    unsigned pages;
    bool single;        /* no right to see the tree */
    struct err refusal; /* why */
    struct ews_tree tree;
    struct ews_roles_found found;
};

/* --- the answer ---------------------------------------------------------------------------------- */

static void set_role(struct ews *e, struct folder_info *f)
{
    for (size_t i = 0; i < EWS_ROLE_COUNT; i++) {
        if (!e->roles[i])
            continue;
        if (str_is(f->parent_id, e->roles[i]) && i == 0)
            f->parent_id = STR_NULL;
        if (str_is(f->id, e->roles[i])) {
            if (ews_roles[i].use != USE_NONE)
                f->use = ews_roles[i].use;
            f->hidden = f->hidden || ews_roles[i].hidden;
        }
    }
}

/* No server version tells all roles: what the user named stands in, at the top of the tree. */
static void set_named(const struct folder_info *list, struct folder_info *f, size_t count, const char *name,
                      enum folder_use use)
{
    if (!name || f->use != USE_NONE || f->kind != FOLDER_MAIL || f->parent_id.n || !str_case_is(f->name, name))
        return;
    for (size_t i = 0; i < count; i++)
        if (list[i].use == use)
            return;
    f->use = use;
}

static void answer(struct folders_op *f)
{
    struct ews *e = f->ews;
    struct ews_tree *t = &f->tree;
    for (size_t i = 0; i < t->count; i++)
        if (!t->list[i].gone)
            set_role(e, &t->list[i]);
    for (size_t i = 0; i < t->count; i++) {
        if (t->list[i].gone)
            continue;
        set_named(t->list, &t->list[i], t->count, e->config.archive_name, USE_ARCHIVE);
        set_named(t->list, &t->list[i], t->count, e->config.junk_name, USE_JUNK);
    }
    struct reply *r = f->op.reply;
    r->folders.list = t->list;
    r->folders.count = t->count;
    r->folders.cursor = f->cursor;
    r->folders.full = f->asked.n == 0;
    r->folders.more = false;
    op_finish(&f->op);
}

/* --- which folder has which role ----------------------------------------------------------------- */

/* Another's mailbox of which somebody was granted the inbox, say, and not the tree: what can be had by role is listed.
 */
static void answer_single(struct folders_op *f)
{
    struct folder_info *list = arena_array(&f->op.arena, EWS_ROLE_COUNT, sizeof(*list));
    struct reply *r = f->op.reply;
    for (size_t i = 1; i < EWS_ROLE_COUNT; i++) {
        if (f->found.ids[i].n == 0 || ews_roles[i].hidden)
            continue;
        list[r->folders.count++] = (struct folder_info){
            .id = f->found.ids[i],
            .name = f->found.names[i].n ? f->found.names[i] : str_from(ews_roles[i].name),
            .kind = FOLDER_MAIL,
            .use = ews_roles[i].use,
        };
    }
    if (r->folders.count == 0) {
        op_finish_err(&f->op, &f->refusal);
        return;
    }
    r->folders.list = list;
    r->folders.cursor = CURSOR_SINGLE;
    r->folders.full = true;
    op_finish(&f->op);
}

static bool write_roles(void *ud, struct xml_writer *w, bool slow)
{
    struct folders_op *f = ud;
    (void)slow;
    f->found.arena = &f->op.arena;
    f->ews->roles_is_15 = ews_is_15(f->ews);
    ews_roles_write(w, &f->found, f->ews->roles_is_15, ews_place(f->ews));
    return true;
}

static void on_roles(void *ud, const struct err *err)
{
    struct folders_op *f = ud;
    struct ews *e = f->ews;
    struct err problem = *err;
    f->call = NULL;
    if (problem.code == ERR_NONE && f->found.answered != f->found.count)
        err_set(&problem, ERR_PROTOCOL, "GetFolder: %zu answers to %zu questions", f->found.answered, f->found.count);
    else if (problem.code == ERR_NONE && !f->single && f->found.first_error.code)
        ews_status_err(&f->found.first_error, "GetFolder", &problem);
    if (problem.code != ERR_NONE) {
        op_finish_err(&f->op, &problem);
        return;
    }
    if (f->single) {
        answer_single(f);
        return;
    }
    static_assert(sizeof(e->roles) / sizeof(e->roles[0]) >= EWS_ROLE_COUNT, "room for all roles");
    for (size_t i = 0; i < EWS_ROLE_COUNT; i++) {
        mem_free(e->roles[i]);
        e->roles[i] = f->found.ids[i].n ? str_dup(f->found.ids[i]) : NULL;
    }
    e->has_roles = true;
    answer(f);
}

static void ask_roles(struct folders_op *f)
{
    f->call = ews_call_start(f->ews, &(struct ews_call_opts){
                                         .operation = "GetFolder",
                                         .write = write_roles,
                                         .reader = &ews_roles_reader,
                                         .reader_ud = &f->found,
                                         .on_done = on_roles,
                                         .ud = f,
                                         .batch = true,
                                     });
}

/* --- the tree ------------------------------------------------------------------------------------ */

static bool write_tree(void *ud, struct xml_writer *w, bool slow)
{
    struct folders_op *f = ud;
    (void)slow;
    ews_tree_page_begin(&f->tree);
    ews_tree_write(w, f->cursor, ews_is_15(f->ews), ews_place(f->ews));
    return true;
}

static void ask_tree(struct folders_op *f);

static void on_tree(void *ud, const struct err *err)
{
    struct folders_op *f = ud;
    struct ews_tree *t = &f->tree;
    struct err problem = *err;
    f->call = NULL;
    if (problem.code == ERR_NONE && ews_outcome_check(&t->outcome, "SyncFolderHierarchy", &problem) &&
        (t->cursor.n == 0 || t->cursor.n > BACKEND_CURSOR_MAX))
        err_set(&problem, ERR_PROTOCOL, "SyncFolderHierarchy: a sync state of %zu bytes", t->cursor.n);
    bool refused = problem.code == ERR_DENIED || problem.code == ERR_NOT_FOUND;
    /* Who has seen the tree before must not lose it over a passing refusal. */
    if (refused && ews_delegate(f->ews) && f->asked.n == 0) {
        f->single = true;
        f->refusal = problem;
        f->refusal.code = ERR_DENIED;
        ask_roles(f);
        return;
    }
    if (problem.code != ERR_NONE) {
        op_finish_err(&f->op, &problem);
        return;
    }
    bool more = t->more && !str_eq(t->cursor, f->cursor);
    if (more && ++f->pages == PAGES_MAX) {
        /* A part of the tree must not pass for the whole: what it leaves out would be taken for deleted. */
        err_set(&problem, ERR_PROTOCOL, "SyncFolderHierarchy: more than %d pages", PAGES_MAX);
        op_finish_err(&f->op, &problem);
        return;
    }
    f->cursor = t->cursor;
    ews_tree_page_done(t);
    if (more)
        ask_tree(f);
    else if (!f->ews->has_roles || (!f->ews->roles_is_15 && ews_is_15(f->ews)))
        ask_roles(f);
    else
        answer(f);
}

static void ask_tree(struct folders_op *f)
{
    f->call = ews_call_start(f->ews, &(struct ews_call_opts){
                                         .operation = "SyncFolderHierarchy",
                                         .write = write_tree,
                                         .reader = &ews_tree_reader,
                                         .reader_ud = &f->tree,
                                         .on_done = on_tree,
                                         .ud = f,
                                         .sync = true,
                                     });
}

static void start(struct op *op)
{
    ask_tree((struct folders_op *)op);
}

static void stop(struct op *op)
{
    ews_call_abort(&((struct folders_op *)op)->call);
}

static const struct op_class class = {"ews.folders", sizeof(struct folders_op), start, stop};

struct op *ews_folders(struct backend *b, struct str cursor, op_cb *cb, void *ud)
{
    struct folders_op *f = (struct folders_op *)op_new(b->loop, &class, cb, ud);
    f->ews = (struct ews *)b;
    if (!str_eq(cursor, CURSOR_SINGLE))
        f->asked = f->cursor = arena_str(&f->op.arena, cursor);
    ews_tree_init(&f->tree, &f->op.arena);
    return &f->op;
}
