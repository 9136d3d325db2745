/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, renaming, moving and deleting folders (MS-OXWSFOLD): one small request after the other, each sent once.
 *
 * Another parent and another name are two requests. What the second finds in its way must not leave the folder half
 * way:
 *
 *     look -> MoveFolder -> UpdateFolder -> done
 *               |  the old name is taken there: the new name first
 *               v
 *     failed, or the answer was lost: look -> the step was done: the next
 *                                          -> all is as it was: failed
 *                                          -> half: back to what it was, failed
 */
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_folders_read.h"
#include "backends/ews/ews_write.h"

enum { ROLE_ROOT = 0 }; /* index into ews.roles: msgfolderroot */

struct folder_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct str id, parent_id, name;  /* parent_id empty: the top */
    struct str is_name, is_parent;   /* as the server has them now */
    struct str old_name, old_parent; /* ... and had them before */
    bool deleting;
    bool moving;     /* the step under way is MoveFolder */
    bool name_first; /* UpdateFolder comes before MoveFolder */
    bool stepped;    /* a step was done */
    bool undoing;
    struct err failed; /* why it could not be as wanted */
    struct ews_done done[1];
    struct ews_done_list answer;
    enum folder_kind kind; /* of one to be made */
};

static struct str root_id(const struct folder_op *f)
{
    return f->ews->roles[ROLE_ROOT] ? str_from(f->ews->roles[ROLE_ROOT]) : STR_NULL;
}

static void write_parent(struct folder_op *f, struct xml_writer *w, const char *element)
{
    xml_open(w, element);
    if (f->parent_id.n)
        ews_write_folder_id(w, f->parent_id);
    else
        ews_write_known(w, "msgfolderroot", ews_place(f->ews));
    xml_close(w);
}

static void ask(struct folder_op *f, const char *operation, bool (*write)(void *ud, struct xml_writer *w, bool slow),
                void (*on_done)(void *ud, const struct err *err))
{
    f->answer = (struct ews_done_list){.operation = operation, .arena = &f->op.arena, .list = f->done, .count = 1};
    f->call = ews_call_start(f->ews, &(struct ews_call_opts){
                                         .operation = operation,
                                         .write = write,
                                         .reader = &ews_done_reader,
                                         .reader_ud = &f->answer,
                                         .on_done = on_done,
                                         .ud = f,
                                         .once = true,
                                     });
}

/* The error of the step that has just ended. */
static struct err outcome(struct folder_op *f, const struct err *err)
{
    struct err problem = *err;
    f->call = NULL;
    if (problem.code == ERR_NONE)
        ews_done_check(&f->answer, &problem);
    return problem;
}

static void on_last(void *ud, const struct err *err)
{
    struct folder_op *f = ud;
    struct err problem = outcome(f, err);
    f->op.reply->created.id = f->done[0].id;
    f->op.reply->created.change = f->done[0].change;
    op_finish_err(&f->op, &problem);
}

/* --- create ----------------------------------------------------------------------------------- */

static bool write_create(void *ud, struct xml_writer *w, bool slow)
{
    static const struct {
        const char *element, *class;
    } classes[] = {
        [FOLDER_MAIL] = {"t:Folder", "IPF.Note"},
        [FOLDER_CALENDAR] = {"t:CalendarFolder", "IPF.Appointment"},
        [FOLDER_TASKS] = {"t:TasksFolder", "IPF.Task"},
    };
    struct folder_op *f = ud;
    (void)slow;
    f->answer.answered = 0;
    xml_open(w, "m:CreateFolder");
    write_parent(f, w, "m:ParentFolderId");
    xml_open(w, "m:Folders");
    xml_open(w, classes[f->kind].element);
    xml_leaf_lit(w, "t:FolderClass", classes[f->kind].class);
    xml_leaf(w, "t:DisplayName", f->name);
    xml_close(w);
    xml_close(w);
    xml_close(w);
    return true;
}

static void start_create(struct op *op)
{
    struct folder_op *f = (struct folder_op *)op;
    ask(f, "CreateFolder", write_create, on_last);
}

/* --- what it is now --------------------------------------------------------------------------- */

static enum xml_want on_look_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct folder_op *f = ud;
    (void)x;
    if (el == EL_PARENT_FOLDER_ID)
        f->is_parent = arena_str(&f->op.arena, str_sub(xml_attr_get(attrs, n, "Id"), 0, BACKEND_ID_MAX));
    return XML_COLLECT;
}

static void on_look_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct folder_op *f = ud;
    (void)x;
    if (el == EL_DISPLAY_NAME)
        f->is_name = arena_str(&f->op.arena, text);
}

static void on_look_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct folder_op *f = ud;
    ews_done_reader.on_message(&f->answer, x, index, status);
}

static const struct ews_reader look_reader = {
    .on_start = on_look_start, .on_end = on_look_end, .on_message = on_look_message, .max_bytes = 1 << 20};

static bool write_look(void *ud, struct xml_writer *w, bool slow)
{
    struct folder_op *f = ud;
    (void)slow;
    f->answer.answered = 0;
    xml_open(w, "m:GetFolder");
    xml_open(w, "m:FolderShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_open(w, "t:AdditionalProperties");
    ews_write_field(w, "folder:DisplayName");
    ews_write_field(w, "folder:ParentFolderId");
    xml_close(w);
    xml_close(w);
    xml_open(w, "m:FolderIds");
    ews_write_folder_id(w, f->id);
    xml_close(w);
    xml_close(w);
    return true;
}

/* --- change ----------------------------------------------------------------------------------- */

static bool write_rename(void *ud, struct xml_writer *w, bool slow)
{
    struct folder_op *f = ud;
    (void)slow;
    f->answer.answered = 0;
    xml_open(w, "m:UpdateFolder");
    xml_open(w, "m:FolderChanges");
    xml_open(w, "t:FolderChange");
    ews_write_folder_id(w, f->id);
    xml_open(w, "t:Updates");
    xml_open(w, "t:SetFolderField");
    ews_write_field(w, "folder:DisplayName");
    xml_open(w, "t:Folder");
    xml_leaf(w, "t:DisplayName", f->name);
    for (int i = 0; i < 6; i++)
        xml_close(w);
    return true;
}

static bool write_move(void *ud, struct xml_writer *w, bool slow)
{
    struct folder_op *f = ud;
    (void)slow;
    f->answer.answered = 0;
    xml_open(w, "m:MoveFolder");
    write_parent(f, w, "m:ToFolderId");
    xml_open(w, "m:FolderIds");
    ews_write_folder_id(w, f->id);
    xml_close(w);
    xml_close(w);
    return true;
}

static struct str wanted_parent(const struct folder_op *f)
{
    return f->parent_id.n ? f->parent_id : root_id(f);
}

static void finish_change(struct folder_op *f)
{
    f->op.reply->created.id = f->done[0].id.n ? f->done[0].id : f->id;
    f->op.reply->created.change = f->done[0].change;
    op_finish_err(&f->op, &f->failed);
}

static void failed(struct folder_op *f, const struct err *why);
static void on_stepped(void *ud, const struct err *err);

static void next_step(struct folder_op *f)
{
    bool parent = !str_eq(f->is_parent, wanted_parent(f)), name = !str_eq(f->is_name, f->name);
    f->moving = parent && !(name && f->name_first);
    if (f->moving)
        ask(f, "MoveFolder", write_move, on_stepped);
    else if (name)
        ask(f, "UpdateFolder", write_rename, on_stepped);
    else
        finish_change(f);
}

static void on_stepped(void *ud, const struct err *err)
{
    struct folder_op *f = ud;
    struct err problem = outcome(f, err);
    if (problem.code == ERR_NONE && f->moving)
        f->is_parent = wanted_parent(f);
    else if (problem.code == ERR_NONE)
        f->is_name = f->name;
    f->stepped |= problem.code == ERR_NONE;
    bool taken = problem.code == ERR_EXISTS && f->moving && !f->name_first && !str_eq(f->is_name, f->name);
    if (taken)
        f->name_first = true; /* a folder of the old name is there: it may be in the way of the first step only */
    if (problem.code == ERR_NONE || taken)
        next_step(f);
    else
        failed(f, &problem);
}

static void start_look(struct op *op);

static void failed(struct folder_op *f, const struct err *why)
{
    if (f->undoing) {
        log_warn("ews", f->ews->config.name, "a folder stays half renamed: %s", why->text);
        finish_change(f);
        return;
    }
    f->failed = *why;
    if (f->stepped || why->code == ERR_OFFLINE)
        start_look(&f->op);
    else
        finish_change(f);
}

/* After a failure, and a look at what there is now. */
static void on_settled(struct folder_op *f)
{
    bool parent = str_eq(f->is_parent, wanted_parent(f)), name = str_eq(f->is_name, f->name);
    if (f->moving ? parent : name) { /* it was done, the answer alone was lost */
        f->failed = (struct err){0};
        next_step(f);
    } else if (str_eq(f->is_parent, f->old_parent) && str_eq(f->is_name, f->old_name)) {
        finish_change(f);
    } else {
        f->undoing = true;
        f->parent_id = f->old_parent;
        f->name = f->old_name;
        next_step(f);
    }
}

static bool write_delete(void *ud, struct xml_writer *w, bool slow);

/* What was deleted already is in Deleted Items: deleting it there is for good. */
static bool in_trash(const struct folder_op *f)
{
    for (size_t i = 0; i < EWS_ROLE_COUNT; i++)
        if (ews_roles[i].use == USE_TRASH && f->ews->roles[i] && str_is(f->is_parent, f->ews->roles[i]))
            return true;
    return false;
}

static void on_looked(void *ud, const struct err *err)
{
    struct folder_op *f = ud;
    struct err problem = outcome(f, err);
    if (f->failed.code != ERR_NONE && problem.code == ERR_NONE) {
        on_settled(f);
    } else if (f->failed.code != ERR_NONE) {
        finish_change(f); /* what became of it the folder list will tell */
    } else if (problem.code != ERR_NONE) {
        op_finish_err(&f->op, &problem);
    } else if (f->deleting) {
        ask(f, "DeleteFolder", write_delete, on_last);
    } else {
        f->old_name = f->is_name;
        f->old_parent = f->is_parent;
        next_step(f);
    }
}

static void start_look(struct op *op)
{
    struct folder_op *f = (struct folder_op *)op;
    f->answer = (struct ews_done_list){.operation = "GetFolder", .arena = &f->op.arena, .list = f->done, .count = 1};
    f->call = ews_call_start(f->ews, &(struct ews_call_opts){
                                         .operation = "GetFolder",
                                         .write = write_look,
                                         .reader = &look_reader,
                                         .reader_ud = f,
                                         .on_done = on_looked,
                                         .ud = f,
                                     });
}

/* --- delete ----------------------------------------------------------------------------------- */

/* A deleted folder does not go to Recoverable Items, so it goes to Deleted Items first, as with Outlook. */
static bool write_delete(void *ud, struct xml_writer *w, bool slow)
{
    struct folder_op *f = ud;
    (void)slow;
    f->answer.answered = 0;
    xml_open(w, "m:DeleteFolder");
    xml_attr_lit(w, "DeleteType", in_trash(f) ? "HardDelete" : "MoveToDeletedItems");
    xml_open(w, "m:FolderIds");
    ews_write_folder_id(w, f->id);
    xml_close(w);
    xml_close(w);
    return true;
}

/* --- the ops ---------------------------------------------------------------------------------- */

static const struct op_class create_class = {"ews.folder-create", sizeof(struct folder_op), start_create, NULL};
static const struct op_class change_class = {"ews.folder-change", sizeof(struct folder_op), start_look, NULL};

static struct folder_op *folder_op_new(struct backend *b, const struct op_class *class, struct str id, op_cb *cb,
                                       void *ud)
{
    struct folder_op *f = (struct folder_op *)op_new(b->loop, class, cb, ud);
    f->ews = (struct ews *)b;
    f->id = arena_str(&f->op.arena, id);
    return f;
}

struct op *ews_folder_create(struct backend *b, struct str parent_id, struct str name, enum folder_kind kind, op_cb *cb,
                             void *ud)
{
    struct folder_op *f = folder_op_new(b, &create_class, STR_NULL, cb, ud);
    f->kind = kind <= FOLDER_TASKS ? kind : FOLDER_MAIL;
    f->parent_id = arena_str(&f->op.arena, parent_id);
    f->name = arena_str(&f->op.arena, name);
    return &f->op;
}

struct op *ews_folder_change(struct backend *b, struct str id, struct str parent_id, struct str name, op_cb *cb,
                             void *ud)
{
    struct folder_op *f = folder_op_new(b, &change_class, id, cb, ud);
    f->parent_id = arena_str(&f->op.arena, parent_id);
    f->name = arena_str(&f->op.arena, name);
    return &f->op;
}

struct op *ews_folder_remove(struct backend *b, struct str id, op_cb *cb, void *ud)
{
    struct folder_op *f = folder_op_new(b, &change_class, id, cb, ud);
    f->deleting = true;
    return &f->op;
}
