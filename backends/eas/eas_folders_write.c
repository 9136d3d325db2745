/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FolderCreate, FolderUpdate, FolderDelete (MS-ASCMD 2.2.1.2 to 2.2.1.4). They are bound to the key of the folder list,
 * and not idempotent: after a lost answer the list tells what has become of it.
 *
 *     ASK -> done
 *       \-> the key is too old: LIST all, ASK with the new key
 *       \-> unknown: LIST -> it is so: done | it is not so: ERR_OFFLINE, the client tries again
 */
#include "backends/eas/eas_listing.h"
#include "backends/eas/eas_write.h"

/* The commands' own statuses (MS-ASCMD 2.2.3.177.2 to .4). */
enum folder_status {
    STATUS_OK = 1,
    STATUS_EXISTS = 2,
    STATUS_SPECIAL = 3,
    STATUS_NOT_FOUND = 4,
    STATUS_NO_PARENT = 5,
    STATUS_SERVER = 6,
    STATUS_KEY = 9,
    STATUS_FORMAT = 10,
    STATUS_UNKNOWN = 11,
    STATUS_CODE = 12
};

#define SERVER_RETRIES 2

struct folder_kind_of_change;

struct folder_op {
    struct eas_write w;
    struct eas_call call;
    struct eas_listing listing;
    struct timer *pause;
    const struct folder_kind_of_change *kind;
    struct str id, parent_id, name; /* parent_id empty: the top */
    enum folder_kind of;            /* FOLDER_OTHER: not known */
    struct str cursor, fresh_key;   /* fresh_key: of a listing that the core does not know of */
    struct str new_key, new_id;     /* from the answer */
    struct err lost;
    unsigned server_errors;
};

struct folder_kind_of_change {
    const char *name;
    const struct eas_request *request;
    bool (*is_so)(const struct folder_op *f, const struct folder_info *list, size_t count, bool full,
                  struct str *ret_id);
};

static void ask(struct folder_op *f);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void leave(struct folder_op *f)
{
    eas_write_leave(&f->w);
    eas_call_close(&f->call);
    eas_listing_close(&f->listing);
    timer_free(&f->pause);
}

static void end(struct folder_op *f, const struct err *err)
{
    struct err copy = *err;

    leave(f);
    f->w.op.reply->created.id = f->new_id;
    op_finish_err(&f->w.op, &copy);
}

static void fail(struct folder_op *f, enum err_code code, const char *text, int status)
{
    struct err err = {0};

    err_set(&err, code, "%s: %s (status %d)", f->kind->name, text, status);
    err.status = status;
    end(f, &err);
}

/* The new key, and what we did under it, durable before anybody is told. */
static void confirmed(struct folder_op *f)
{
    struct folder_info info = {.id = f->id.n > 0 ? f->id : f->new_id,
                               .parent_id = f->parent_id,
                               .name = f->name,
                               .kind = f->of,
                               .gone = f->name.n == 0};
    struct eas_record *r = &f->listing.record;
    bool usable = f->fresh_key.n == 0 && f->new_key.n > 0 && info.id.n > 0;
    struct err err = {0};

    r->from = f->cursor;
    eas_listing_note(f->w.b, r, &info, usable ? 1 : 0, usable ? f->new_key : STR("0"), &f->w.op.arena, &err);
    if (f->new_id.n == 0)
        f->new_id = info.id;
    end(f, &err);
}

static void on_pause(void *ud)
{
    ask(ud);
}

/* --- looking at the list ----------------------------------------------------------------------------------------- */

static bool same_place(const struct folder_op *f, const struct folder_info *info)
{
    return !info->gone && str_eq(info->parent_id, f->parent_id) && str_eq(info->name, f->name);
}

static bool is_created(const struct folder_op *f, const struct folder_info *list, size_t count, bool full,
                       struct str *ret_id)
{
    (void)full;
    for (size_t i = 0; i < count; i++)
        if (same_place(f, &list[i])) {
            *ret_id = list[i].id;
            return true;
        }
    return false;
}

static bool is_changed(const struct folder_op *f, const struct folder_info *list, size_t count, bool full,
                       struct str *ret_id)
{
    (void)full;
    (void)ret_id;
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].id, f->id))
            return same_place(f, &list[i]);
    return false;
}

static bool is_removed(const struct folder_op *f, const struct folder_info *list, size_t count, bool full,
                       struct str *ret_id)
{
    (void)ret_id;
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].id, f->id))
            return list[i].gone;
    return full;
}

/* The answer was lost: is it so? What the listing told beside it goes to the core by way of the record. */
static void on_looked(void *ud, const struct err *err)
{
    struct folder_op *f = ud;
    struct eas_listing *l = &f->listing;
    struct eas_record *r = &l->record;
    struct err failed = {0};
    bool so;

    if (err->code != ERR_NONE) {
        end(f, &f->lost);
        return;
    }
    so = f->kind->is_so(f, l->changes.list, l->changes.count, l->full, &f->new_id);
    r->from = f->cursor;
    if (!eas_listing_note(f->w.b, r, l->changes.list, l->full ? 0 : l->changes.count,
                          l->full ? STR("0") : l->changes.key, &f->w.op.arena, &failed))
        log_warn("eas", f->w.b->config.name, "%s", failed.text); /* the server repeats it */
    failed = so ? (struct err){0} : f->lost;
    end(f, &failed);
}

static void look(struct folder_op *f, const struct err *err)
{
    f->lost = *err;
    eas_listing_start(&f->listing, false, on_looked, f);
}

static void on_relisted(void *ud, const struct err *err)
{
    struct folder_op *f = ud;

    if (err->code != ERR_NONE) {
        end(f, err);
        return;
    }
    f->fresh_key = f->listing.changes.key;
    ask(f);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static bool on_key(void *ud, struct str text, struct err *err)
{
    struct folder_op *f = ud;

    if (!eas_key_valid(text, EAS_SYNC_KEY_MAX))
        return err_set(err, ERR_PROTOCOL, "a SyncKey that cannot be right (%zu bytes)", text.n);
    f->new_key = arena_str(&f->w.op.arena, text);
    return true;
}

static bool on_id(void *ud, struct str text, struct err *err)
{
    struct folder_op *f = ud;

    (void)err;
    if (text.n <= BACKEND_ID_MAX && eas_key_valid(text, BACKEND_ID_MAX))
        f->new_id = arena_str(&f->w.op.arena, text);
    return true;
}

static const struct eas_rule rules[] = {
    {.tag = FolderHierarchy_FolderCreate},
    {.tag = FolderHierarchy_FolderUpdate},
    {.tag = FolderHierarchy_FolderDelete},
    {FolderHierarchy_FolderCreate, FolderHierarchy_SyncKey, .text = on_key},
    {FolderHierarchy_FolderUpdate, FolderHierarchy_SyncKey, .text = on_key},
    {FolderHierarchy_FolderDelete, FolderHierarchy_SyncKey, .text = on_key},
    {FolderHierarchy_FolderCreate, FolderHierarchy_ServerId, .text = on_id},
};
static const struct eas_rules answer_rules = {rules, sizeof(rules) / sizeof(rules[0])};

static void on_status(struct folder_op *f, int status)
{
    switch (status) {
    case STATUS_OK:
        confirmed(f);
        return;
    case STATUS_EXISTS:
        fail(
            f, ERR_EXISTS,
            "the name is taken, choose another name (the folder may be one that mail programs are not shown: contacts, "
            "notes, drafts before ActiveSync 16.0)",
            status);
        return;
    case STATUS_SPECIAL:
        fail(f, ERR_UNSUPPORTED, "this folder belongs to the mailbox", status);
        return;
    case STATUS_NOT_FOUND:
    case STATUS_NO_PARENT:
        f->w.b->hierarchy = true;
        fail(f, ERR_NOT_FOUND, "the folder, or the one above it, is not there", status);
        return;
    case STATUS_KEY:
        if (f->fresh_key.n == 0)
            eas_listing_start(&f->listing, true, on_relisted, f);
        else
            fail(f, ERR_PROTOCOL, "the server takes back every new key of the folder list", status);
        return;
    case STATUS_SERVER:
    case STATUS_UNKNOWN:
    case STATUS_CODE:
        if (f->server_errors++ >= SERVER_RETRIES) {
            fail(f, ERR_OFFLINE, "the server failed", status);
            return;
        }
        if (!f->pause)
            f->pause = timer_new(f->w.b->base.loop, on_pause, f);
        timer_start(f->pause, f->w.b->second_ms);
        return;
    case STATUS_FORMAT:
        fail(f, ERR_INVALID, "the server does not take this name", status);
        return;
    default:
        fail(f, ERR_PROTOCOL, "the server answered a status that is not known", status);
    }
}

static void on_done(void *ud, const struct err *err)
{
    struct folder_op *f = ud;
    struct err silence = {0};

    if (err->code == ERR_NONE && f->call.empty) {
        err_set(&silence, ERR_OFFLINE, "%s: whether it was done is unknown: an empty answer", f->kind->name);
        look(f, &silence);
    } else if (err->code == ERR_NONE) { /* some leave the status out */
        on_status(f, f->call.answer.status == 0 && f->new_key.n > 0 ? STATUS_OK : f->call.answer.status);
    } else if (f->call.unknown) {
        look(f, err);
    } else {
        end(f, err);
    }
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static bool current_key(struct folder_op *f, struct str *ret_key, struct err *err)
{
    f->new_key = f->new_id = STR_NULL;
    if (!eas_cursor_read(f->w.b, f->cursor, ret_key))
        return err_set(err, ERR_STALE, "%s: the folder list is of another protocol version or policy", f->kind->name);
    if (f->fresh_key.n > 0)
        *ret_key = f->fresh_key;
    else if (f->listing.known)
        *ret_key = f->listing.record.key;
    return true;
}

static void write_parent(const struct folder_op *f, struct eas_writer *w)
{
    eas_write_text(w, FolderHierarchy_ParentId, f->parent_id.n > 0 ? f->parent_id : STR("0"));
}

static bool write_create(void *ud, struct eas_writer *w, struct err *err)
{
    struct folder_op *f = ud;
    struct str key;

    if (!current_key(f, &key, err))
        return false;
    eas_write_open(w, FolderHierarchy_FolderCreate);
    eas_write_text(w, FolderHierarchy_SyncKey, key);
    write_parent(f, w);
    eas_write_text(w, FolderHierarchy_DisplayName, f->name);
    eas_write_uint(w, FolderHierarchy_Type, eas_folder_type(f->of));
    eas_write_close(w);
    return true;
}

static bool write_update(void *ud, struct eas_writer *w, struct err *err)
{
    struct folder_op *f = ud;
    struct str key;

    if (!current_key(f, &key, err))
        return false;
    eas_write_open(w, FolderHierarchy_FolderUpdate);
    eas_write_text(w, FolderHierarchy_SyncKey, key);
    eas_write_text(w, FolderHierarchy_ServerId, f->id);
    write_parent(f, w);
    eas_write_text(w, FolderHierarchy_DisplayName, f->name);
    eas_write_close(w);
    return true;
}

static bool write_delete(void *ud, struct eas_writer *w, struct err *err)
{
    struct folder_op *f = ud;
    struct str key;

    if (!current_key(f, &key, err))
        return false;
    eas_write_open(w, FolderHierarchy_FolderDelete);
    eas_write_text(w, FolderHierarchy_SyncKey, key);
    eas_write_text(w, FolderHierarchy_ServerId, f->id);
    eas_write_close(w);
    return true;
}

static const struct eas_request create_request = {
    .command = EAS_FOLDER_CREATE, .rules = &answer_rules, .once = true, .write = write_create, .done = on_done};
static const struct eas_request update_request = {
    .command = EAS_FOLDER_UPDATE, .rules = &answer_rules, .once = true, .write = write_update, .done = on_done};
static const struct eas_request delete_request = {
    .command = EAS_FOLDER_DELETE, .rules = &answer_rules, .once = true, .write = write_delete, .done = on_done};

static const struct folder_kind_of_change creating = {"FolderCreate", &create_request, is_created},
                                          changing = {"FolderUpdate", &update_request, is_changed},
                                          removing = {"FolderDelete", &delete_request, is_removed};

static void ask(struct folder_op *f)
{
    eas_call_close(&f->call);
    eas_call_init(&f->call, f->w.b, f->kind->request, f);
    eas_call_start(&f->call);
}

/* --- the ops ----------------------------------------------------------------------------------------------------- */

static void on_turn(void *ud)
{
    struct folder_op *f = ud;
    struct err err = {0};

    if (!eas_write_cursor(&f->w, STR_NULL, &f->cursor, &err)) {
        end(f, &err);
        return;
    }
    eas_listing_init(&f->listing, f->w.b, f->cursor, &f->w.op.arena);
    if (f->listing.known && str_is(f->listing.record.key, "0"))
        eas_listing_start(&f->listing, true, on_relisted, f);
    else
        ask(f);
}

static void start(struct op *op)
{
    struct folder_op *f = (struct folder_op *)op;

    eas_turn_wait(&f->w.turn, &f->w.b->hierarchies, true, on_turn, f);
}

static void stop(struct op *op)
{
    leave((struct folder_op *)op);
}

static struct folder_op *folder_op_new(struct backend *b, const struct folder_kind_of_change *kind, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.folder-change", sizeof(struct folder_op), start, stop};
    struct folder_op *f = (struct folder_op *)eas_write_new(b, &class, cb, ud);

    f->kind = kind;
    f->of = FOLDER_OTHER;
    return f;
}

struct op *eas_folder_create(struct backend *b, struct str parent_id, struct str name, enum folder_kind kind, op_cb *cb,
                             void *ud)
{
    struct folder_op *f = folder_op_new(b, &creating, cb, ud);

    f->of = kind;
    f->parent_id = arena_str(&f->w.op.arena, parent_id);
    f->name = arena_str(&f->w.op.arena, name);
    return &f->w.op;
}

struct op *eas_folder_change(struct backend *b, struct str id, struct str parent_id, struct str name, op_cb *cb,
                             void *ud)
{
    struct folder_op *f = folder_op_new(b, &changing, cb, ud);

    f->of = eas_folder_find(f->w.b, id) ? FOLDER_MAIL : FOLDER_OTHER; /* who was synchronised holds mail */
    f->id = arena_str(&f->w.op.arena, id);
    f->parent_id = arena_str(&f->w.op.arena, parent_id);
    f->name = arena_str(&f->w.op.arena, name);
    return &f->w.op;
}

struct op *eas_folder_remove(struct backend *b, struct str id, op_cb *cb, void *ud)
{
    struct folder_op *f = folder_op_new(b, &removing, cb, ud);

    f->id = arena_str(&f->w.op.arena, id);
    return &f->w.op;
}
