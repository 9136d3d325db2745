/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storing a draft: an Add in the drafts folder, with the whole message (16.1) or with what 16.0 has words for
 * (eas_draft.h). It is the only message that ActiveSync takes into a folder.
 *
 * The message itself is not kept for a repetition after a crash, it may be large; the client has it. Before it comes
 * again the core synchronises the folder, from the SyncKey that the lost request went out with: its pages tell the
 * draft, or it was not stored. When it was answered, and only the core did not live to hear of it, no page tells more
 * than its id; eas_made_find() does.
 */
#include "backends/eas/eas_draft.h"
#include "backends/eas/eas_push.h"
#include "backends/eas/eas_write.h"
#include "bridge/base/time.h"

struct append_op {
    struct eas_write w;
    struct eas_push push;
    struct eas_push_batch batch;
    struct str folder_id, client_id, id;
    struct blob *message; /* or, unless `whole`, what it was taken apart into */
    bool whole;
    unsigned flags;
    int64_t flagged_ms; /* of a flag with dates: the same in each attempt */
    struct str *categories;
    size_t category_count;
    struct op *labels; /* the categories, which go after the message */
};

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void leave(struct append_op *a)
{
    eas_write_leave(&a->w);
    eas_push_close(&a->push);
    op_cancel(&a->labels);
    blob_unref(&a->message);
}

static void end(struct append_op *a, const struct err *err)
{
    struct err copy = *err;

    leave(a);
    a->w.op.reply->created.id = a->id;
    op_finish_err(&a->w.op, &copy);
}

static void on_labelled(void *ud, const struct reply *reply)
{
    struct append_op *a = ud;
    struct err none = {0};

    a->labels = NULL;
    if (reply->err.code != ERR_NONE) /* the message is there, and that is what was asked */
        log_warn("eas", a->w.b->config.name, "categories of a new draft: %s", reply->err.text);
    end(a, &none);
}

static void stored(struct append_op *a, struct str id)
{
    struct flag_change change = {
        .id = id, .categories_set = true, .categories = a->categories, .category_count = a->category_count};
    struct flag_request request = {.folder_id = a->folder_id, .items = &change, .count = 1};
    struct err none = {0};

    a->id = id;
    if (a->category_count == 0) {
        end(a, &none);
        return;
    }
    /* Still in our turn: a page between the two would tell of a draft without categories, and none tells of them later.
     */
    a->labels = eas_flag_in_turn(&a->w.b->base, &request, on_labelled, a);
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static void write_add(void *ud, struct eas_writer *w)
{
    struct append_op *a = ud;

    eas_write_open(w, AirSync_Add);
    eas_write_text(w, AirSync_ClientId, a->client_id);
    eas_write_open(w, AirSync_ApplicationData);
    if (a->whole) {
        eas_write_open(w, AirSyncBase_Body);
        eas_write_uint(w, AirSyncBase_Type, EAS_BODY_MIME);
        eas_call_write_mime(&a->push.call, w, AirSyncBase_Data, EAS_MIME_TEXT);
        eas_write_close(w);
    } else {
        eas_call_write_raw(&a->push.call, w);
    }
    eas_write_uint(w, Email_Read, (a->flags & ITEM_SEEN) != 0);
    if (a->flags & ITEM_FLAGGED)
        eas_write_flag(w, true, a->flagged_ms);
    eas_write_close(w);
    eas_write_close(w);
}

static void on_batch(void *ud, const struct err *err)
{
    struct append_op *a = ud;
    const struct eas_sync_response *r;
    struct err refused = *err;

    if (err->code != ERR_NONE) {
        end(a, err);
        return;
    }
    r = eas_push_response(&a->push, AirSync_Add, a->client_id);
    if (!eas_push_status(r, &refused))
        end(a, &refused);
    else if (a->push.record.added_id.n > 0)
        stored(a, a->push.record.added_id);
    else {
        err_set(&refused, ERR_PROTOCOL, "Sync: the draft was stored, but the server did not say under which id");
        end(a, &refused);
    }
}

static void on_turn(void *ud)
{
    struct append_op *a = ud;
    struct err err = {0};
    struct str cursor, id = eas_made_find(a->w.b, a->client_id, &a->w.op.arena);

    if (!eas_write_cursor(&a->w, a->folder_id, &cursor, &err)) {
        end(a, &err);
        return;
    }
    if (id.n > 0) { /* answered, but nobody lived to hear it */
        stored(a, id);
        return;
    }
    eas_push_init(&a->push, a->w.b, a->folder_id, FOLDER_MAIL, &a->w.op.arena);
    eas_push_send(&a->push, cursor, &a->batch, on_batch, a);
}

/* What goes out in place of the message. */
static bool take_apart(struct append_op *a, struct err *err)
{
    struct blob *properties = eas_draft_properties(a->message, a->w.b->config.tmp_dir, err);

    if (!properties)
        return false;
    blob_unref(&a->message);
    a->message = a->batch.mime = properties;
    return true;
}

static bool look_for_nul(void *ud, struct str piece)
{
    *(bool *)ud = str_find_byte(piece, '\0') < piece.n;
    return !*(bool *)ud;
}

static void start(struct op *op)
{
    struct append_op *a = (struct append_op *)op;
    struct err err = {0};
    bool nul = false;

    a->whole = a->w.b->state.version >= EAS_DRAFTS_MIME;
    a->flagged_ms = a->w.b->flag_dates ? time_wall_ms() : TIME_NONE;
    if (a->w.b->state.version < EAS_DRAFTS_SINCE)
        err_set(&err, ERR_UNSUPPORTED, "ActiveSync %s stores no messages", eas_version_name(a->w.b->state.version));
    else if (blob_each(a->message, look_for_nul, &nul, &err) && nul)
        err_set(&err, ERR_INVALID, "a message with NUL bytes cannot be stored as a draft");
    else if (err.code == ERR_NONE && !a->whole)
        take_apart(a, &err);
    if (err.code != ERR_NONE)
        end(a, &err);
    else
        eas_turn_wait(&a->w.turn, &a->w.b->syncs, true, on_turn, a);
}

static void stop(struct op *op)
{
    leave((struct append_op *)op);
}

struct op *eas_append(struct backend *b, const struct append_request *request, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.append", sizeof(struct append_op), start, stop};
    struct append_op *a = (struct append_op *)eas_write_new(b, &class, cb, ud);
    struct arena *arena = &a->w.op.arena;

    a->folder_id = arena_str(arena, request->folder_id);
    a->client_id = arena_str(arena, request->evidence);
    a->message = blob_ref(request->message);
    a->flags = request->flags;
    a->categories = arena_array(arena, request->category_count + 1, sizeof(*a->categories));
    a->category_count = request->category_count;
    for (size_t i = 0; i < request->category_count; i++)
        a->categories[i] = arena_str(arena, request->categories[i]);
    a->batch = (struct eas_push_batch){.deletes_as_moves = -1,
                                       .write = write_add,
                                       .client_id = a->client_id,
                                       .added_flags = a->flags & (ITEM_SEEN | ITEM_FLAGGED),
                                       .mime = a->message};
    return &a->w.op;
}
