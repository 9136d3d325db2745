/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_rebuild.h"

#include <string.h>

#include "backends/ews/ews_call.h"
#include "backends/ews/ews_items_read.h"
#include "bridge/base/mem.h"
#include "bridge/formats/build.h"

#define PIECE_MAX (64 * 1024) /* what is built is written out this often */

struct ews_rebuild {
    struct ews *ews;
    struct ews_call *call;
    char *id;
    void (*on_done)(void *ud, struct blob *content, const struct err *err);
    void *ud;
    struct ews_items items;
    struct ews_outcome found;
    unsigned flags; /* enum ews_code_flag that asking for the properties failed with */
    struct build_message message;
    struct build build;
    struct buf out;
    struct blob *blob;
    struct err err;
    /* The attachment under way. It is fetched into a blob of its own first: an answer that breaks off must not leave
     * half of it in the message. */
    size_t next;
    struct ews_attachment_content content;
    struct blob *attachment;
};

static void free_rebuild(struct ews_rebuild *r)
{
    ews_call_abort(&r->call);
    ews_attachment_content_done(&r->content);
    ews_props_done(&r->items.props);
    buf_done(&r->out);
    blob_unref(&r->blob);
    blob_unref(&r->attachment);
    mem_free(r->id);
    mem_free(r);
}

void ews_rebuild_abort(struct ews_rebuild **r)
{
    if (*r)
        free_rebuild(*r);
    *r = NULL;
}

static void finish(struct ews_rebuild *r, const struct err *err)
{
    struct err e = *err;
    if (e.code == ERR_NONE && !blob_finish(r->blob, &e) && e.code == ERR_NONE)
        err_set(&e, ERR_INTERNAL, "rebuilding a message failed");
    struct blob *content = e.code == ERR_NONE ? blob_ref(r->blob) : NULL;
    void (*on_done)(void *, struct blob *, const struct err *) = r->on_done;
    void *ud = r->ud;
    free_rebuild(r);
    on_done(ud, content, &e);
    blob_unref(&content);
}

static bool write_out(struct ews_rebuild *r)
{
    if (r->out.failed)
        return err_set(&r->err, ERR_TOO_BIG, "a rebuilt message is too large");
    bool ok = blob_add(r->blob, buf_view(&r->out), &r->err);
    buf_reset(&r->out);
    return ok;
}

/* --- attachments --------------------------------------------------------------------------------- */

static void next_attachment(struct ews_rebuild *r);

static bool attachment_sink(void *ud, struct str bytes)
{
    struct ews_rebuild *r = ud;
    return blob_add(r->attachment, bytes, &r->err);
}

static bool copy_piece(void *ud, struct str piece)
{
    struct ews_rebuild *r = ud;
    return build_attachment_data(&r->build, piece, &r->out) && write_out(r);
}

static bool add_attachment(struct ews_rebuild *r, const struct ews_attachment *from)
{
    struct build_attachment a = {
        .name = from->name,
        .content_type = from->content_type,
        .content_id = from->content_id,
        .is_inline = from->is_inline,
        .is_message = from->is_item,
    };
    return build_attachment(&r->build, &a, &r->out) && write_out(r) && blob_finish(r->attachment, &r->err) &&
           blob_each(r->attachment, copy_piece, r, &r->err);
}

/* The reader of the message is told what is missing; the rest of the message is still worth having. */
static bool add_placeholder(struct ews_rebuild *r, const struct ews_attachment *from, const struct ews_status *status)
{
    struct build_attachment a = {.name = STR("unreadable-attachment.txt"), .content_type = STR("text/plain")};
    struct buf text = BUF_INIT(4096);
    buf_lit(&text, "The server could not give the attachment \"");
    buf_str(&text, str_sub(from->name, 0, 255));
    buf_printf(&text, "\" (%s).\r\n", status->name);
    bool ok = build_attachment(&r->build, &a, &r->out) && build_attachment_data(&r->build, buf_view(&text), &r->out) &&
              write_out(r);
    buf_done(&text);
    return ok;
}

static void on_attachment(void *ud, const struct err *err)
{
    struct ews_rebuild *r = ud;
    const struct ews_attachment *from = &r->items.props.attachments[r->next++];
    struct err e = *err;
    r->call = NULL;
    bool ok = true;
    if (e.code != ERR_NONE) {
        ok = false;
    } else if (!r->content.outcome.answered) {
        ok = ews_outcome_check(&r->content.outcome, "GetAttachment", &e);
    } else if (r->content.decoder.failed) {
        ok = false;
        e = r->err;
    } else if (r->content.outcome.status.code->err != ERR_NONE) {
        ok = add_placeholder(r, from, &r->content.outcome.status);
    } else {
        ok = add_attachment(r, from);
    }
    if (ok) {
        next_attachment(r);
        return;
    }
    if (e.code == ERR_NONE)
        e = r->err;
    if (e.code == ERR_NONE)
        err_set(&e, ERR_INTERNAL, "rebuilding a message failed");
    finish(r, &e);
}

static bool write_attachment(void *ud, struct xml_writer *w, bool slow)
{
    struct ews_rebuild *r = ud;
    (void)slow;
    ews_attachment_content_done(&r->content);
    ews_attachment_content_init(&r->content, attachment_sink, r);
    blob_unref(&r->attachment);
    r->attachment = blob_new(r->ews->config.tmp_dir, r->ews->config.message_limit);
    ews_attachment_write(w, r->items.props.attachments[r->next].id);
    return true;
}

static void next_attachment(struct ews_rebuild *r)
{
    if (r->next < r->items.props.attachment_count) {
        r->call = ews_call_start(r->ews, &(struct ews_call_opts){
                                             .operation = "GetAttachment",
                                             .write = write_attachment,
                                             .reader = &ews_attachment_reader,
                                             .reader_ud = &r->content,
                                             .on_done = on_attachment,
                                             .ud = r,
                                             .bulk = true,
                                         });
        return;
    }
    if (!build_end(&r->build, &r->out) || !write_out(r)) {
        if (r->err.code == ERR_NONE)
            err_set(&r->err, ERR_INTERNAL, "rebuilding a message failed");
    }
    finish(r, &r->err);
}

/* --- the frame ----------------------------------------------------------------------------------- */

static void on_item(void *ud, size_t index, const struct ews_status *status, struct ews_props *props)
{
    struct ews_rebuild *r = ud;
    (void)props;
    ews_outcome_take(&r->found, index, status);
}

static void on_properties(void *ud, const struct err *err)
{
    struct ews_rebuild *r = ud;
    struct err e = *err;
    r->call = NULL;
    if (e.code == ERR_NONE && !ews_outcome_check(&r->found, "GetItem", &e))
        r->flags = r->found.answered ? r->found.status.code->flags : 0;
    else if (e.code == ERR_NONE && !str_is(r->items.props.id, r->id))
        err_set(&e, ERR_PROTOCOL, "GetItem: another item than the one asked for");
    if (e.code != ERR_NONE) {
        ews_item_err(r->flags, &e);
        finish(r, &e);
        return;
    }
    r->items.props.body.failed = false; /* cut at the limit: still worth having */
    ews_props_message(&r->items.props, &r->message);
    build_init(&r->build, &r->message);
    if (!build_begin(&r->build, &r->out) || !write_out(r)) {
        if (r->err.code == ERR_NONE)
            err_set(&r->err, ERR_TOO_BIG, "a rebuilt message is too large");
        finish(r, &r->err);
        return;
    }
    next_attachment(r);
}

static bool write_properties(void *ud, struct xml_writer *w, bool slow)
{
    struct ews_rebuild *r = ud;
    (void)slow;
    r->found = (struct ews_outcome){0};
    ews_props_reset(&r->items.props);
    ews_items_write_begin(w, EWS_GET_PARTS);
    ews_write_item_id(w, str_from(r->id));
    xml_close(w);
    xml_close(w);
    return true;
}

struct ews_rebuild *ews_rebuild_start(struct ews *e, struct str id,
                                      void (*on_done)(void *ud, struct blob *content, const struct err *err), void *ud)
{
    struct ews_rebuild *r = MEM_NEW(struct ews_rebuild);
    r->ews = e;
    r->id = str_dup(id);
    r->on_done = on_done;
    r->ud = ud;
    r->items.on_item = on_item;
    r->items.ud = r;
    ews_props_init(&r->items.props);
    ews_attachment_content_init(&r->content, attachment_sink, r);
    buf_init(&r->out, EWS_BODY_MAX * (size_t)3 + PIECE_MAX);
    r->blob = blob_new(e->config.tmp_dir, e->config.message_limit);
    r->call = ews_call_start(e, &(struct ews_call_opts){
                                    .operation = "GetItem",
                                    .write = write_properties,
                                    .reader = &ews_items_reader,
                                    .reader_ud = &r->items,
                                    .on_done = on_properties,
                                    .ud = r,
                                    .ret_flags = &r->flags,
                                    .bulk = true,
                                });
    return r;
}
