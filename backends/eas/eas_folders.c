/* SPDX-License-Identifier: Apache-2.0 */
/* FolderSync (MS-ASCMD 2.2.1.5). */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_folders_read.h"

/* FolderSync's own statuses (MS-ASCMD 2.2.3.177.5). */
enum folder_status {
    STATUS_OK = 1,
    STATUS_SERVER = 6,
    STATUS_KEY = 9,
    STATUS_FORMAT = 10,
    STATUS_UNKNOWN = 11,
    STATUS_CODE = 12
};

#define SERVER_RETRIES 2

struct folders_op {
    struct op op;
    struct eas_backend *b;
    struct eas_call call;
    struct eas_folder_changes changes;
    struct str cursor;
    bool full;      /* from key 0 */
    bool restarted; /* key 0 after an invalid one: not twice */
    unsigned server_errors;
};

static void ask(struct folders_op *f);

static void end(struct folders_op *f, const struct err *err)
{
    struct reply *reply = f->op.reply;
    struct eas_backend *b = f->b;

    eas_call_close(&f->call);
    reply->err = *err;
    if (err->code == ERR_NONE) {
        reply->folders.list = f->changes.list;
        reply->folders.count = f->changes.count;
        reply->folders.full = f->full;
        reply->folders.cursor = eas_cursor_write(b, &f->op.arena, f->changes.key);
        b->hierarchy = false;
        if (f->full)
            b->upgraded = false;
    }
    op_finish(&f->op);
}

static void start_over(struct folders_op *f)
{
    f->restarted = true;
    ask(f);
}

static void fail(struct folders_op *f, enum err_code code, int status)
{
    struct err err = {0};

    err_set(&err, code, "FolderSync: the server answered status %d", status);
    err.status = status;
    end(f, &err);
}

static void on_status(struct folders_op *f, int status)
{
    struct err none = {0};

    switch (status) {
    case STATUS_OK:
        if (f->changes.key.n > 0)
            end(f, &none);
        else
            fail(f, ERR_PROTOCOL, status);
        return;
    case STATUS_KEY:
        if (f->restarted || f->full)
            fail(f, ERR_PROTOCOL, status);
        else
            start_over(f);
        return;
    case STATUS_SERVER:
    case STATUS_UNKNOWN:
    case STATUS_CODE:
        if (f->server_errors++ < SERVER_RETRIES)
            ask(f);
        else if (!f->full)
            start_over(f);
        else
            fail(f, ERR_OFFLINE, status);
        return;
    default:
        fail(f, ERR_PROTOCOL, status);
    }
}

static void on_done(void *ud, const struct err *err)
{
    struct folders_op *f = ud;

    if (err->code == ERR_STALE && !f->full)
        start_over(f);
    else if (err->code != ERR_NONE)
        end(f, err);
    else
        on_status(f, f->call.empty ? 0 : f->call.answer.status);
}

static bool write_request(void *ud, struct eas_writer *w, struct err *err)
{
    struct folders_op *f = ud;
    struct str key;

    (void)err;
    f->full = f->restarted || !eas_cursor_read(f->b, f->cursor, &key);
    f->changes.version = f->b->state.version;
    eas_folder_changes_begin(&f->changes);
    eas_write_open(w, FolderHierarchy_FolderSync);
    eas_write_text(w, FolderHierarchy_SyncKey, f->full ? STR("0") : key);
    eas_write_close(w);
    return true;
}

static const struct eas_request request = {
    .command = EAS_FOLDER_SYNC, .rules = &eas_folder_rules, .write = write_request, .done = on_done};

static void ask(struct folders_op *f)
{
    eas_call_close(&f->call);
    eas_call_init(&f->call, f->b, &request, f);
    f->call.reader = &f->changes;
    eas_call_start(&f->call);
}

static void start(struct op *op)
{
    ask((struct folders_op *)op);
}

static void stop(struct op *op)
{
    eas_call_close(&((struct folders_op *)op)->call);
}

struct op *eas_folders(struct backend *base, struct str cursor, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.folders", sizeof(struct folders_op), start, stop};
    struct eas_backend *b = (struct eas_backend *)base;
    struct op *op = op_new(b->base.loop, &class, cb, ud);
    struct folders_op *f = (struct folders_op *)op;

    f->b = b;
    f->cursor = arena_str(&op->arena, cursor);
    f->changes.arena = &op->arena;
    f->changes.junk_name = b->config.junk_name;
    f->changes.archive_name = b->config.archive_name;
    return op;
}
