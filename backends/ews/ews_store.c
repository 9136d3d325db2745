/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storing a message (APPEND) and sending one: CreateItem with the MIME, streamed. Neither may happen twice, so each
 * item carries our journal property; after a lost answer the item with this property is looked for, and a repeated
 * attempt looks first (ews_find.h says when "not there" counts):
 *
 *     [retry: FIND ->] CREATE -> done
 *                        ^ \-> unknown -> FIND -> found: done
 *                        |                 | not found: ERR_OFFLINE, the client tries again
 *                        +- somebody on the way was busy
 *
 * As long as nobody could look, the outcome of an earlier attempt is unknown, whatever the reason: that is ERR_OFFLINE,
 * too (backend.h), or the next attempt would not look.
 *
 * A message that Exchange keeps in Drafts although it was to be sent (seen when a limit of the mailbox is hit) is sent
 * from there.
 */
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_find.h"
#include "backends/ews/ews_folders_read.h"
#include "backends/ews/ews_write.h"
#include "bridge/base/time.h"

#define AGAINS_MAX 2 /* CreateItem once more, when a gateway's 503 was about nothing that the server has */

struct store_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct ews_find find;
    bool sending, retry, unknown, find_only;
    struct str folder_id; /* append */
    struct blob *message;
    unsigned flags, agains;
    struct str *categories;
    size_t category_count;
    int64_t received_ms;
    struct str evidence;
    struct ews_done done[1];
    struct ews_done_list answer;
    struct err lost; /* what the lost answer looked like */
};

enum search_place { IN_SENT, IN_OUTBOX, IN_DRAFTS };
static const char *const search_in[EWS_FIND_PLACES] = {
    [IN_SENT] = "sentitems", [IN_OUTBOX] = "outbox", [IN_DRAFTS] = "drafts"};

static void finish(struct store_op *s, const struct err *err)
{
    blob_unref(&s->message);
    op_finish_err(&s->op, err);
}

static void still_unknown(struct store_op *s, const struct err *why)
{
    struct err err = *why;
    if (!s->find_only)
        err.code = ERR_OFFLINE;
    finish(s, &err);
}

static void begin_answer(struct store_op *s, const char *operation)
{
    s->answer = (struct ews_done_list){.operation = operation, .arena = &s->op.arena, .list = s->done, .count = 1};
}

/* --- creating --------------------------------------------------------------------------------- */

static void write_integer(struct xml_writer *w, uint32_t tag, unsigned value)
{
    xml_open(w, "t:ExtendedProperty");
    ews_write_property(w, tag, "Integer");
    xml_leaf_u64(w, "t:Value", value);
    xml_close(w);
}

static void write_time(struct store_op *s, struct xml_writer *w, uint32_t tag, int64_t wall_ms)
{
    struct buf b = {0};
    time_add_iso(&b, wall_ms / 1000);
    xml_open(w, "t:ExtendedProperty");
    ews_write_property(w, tag, "SystemTime");
    xml_leaf(w, "t:Value", buf_view(&b));
    xml_close(w);
    buf_done(&b);
    (void)s;
}

/* An appended message must not be a draft, and keeps its date: PidTagMessageFlags can be set only now
 * (MS-OXCMSG 2.2.1.6). */
static void write_appended(struct store_op *s, struct xml_writer *w)
{
    bool seen = s->flags & ITEM_SEEN;
    write_integer(w, EWS_TAG_MSG_FLAGS, (seen ? 1u : 0u) | (s->flags & ITEM_DRAFT ? 8u : 0u));
    if (s->received_ms != TIME_NONE)
        write_time(s, w, EWS_TAG_DELIVERED, s->received_ms);
    if (s->flags & ITEM_FLAGGED)
        write_integer(w, EWS_TAG_FLAG_STATUS, 2);
    if (s->flags & (ITEM_ANSWERED | ITEM_FORWARDED)) {
        write_integer(w, EWS_TAG_LAST_VERB, s->flags & ITEM_ANSWERED ? 102 : 104);
        write_integer(w, EWS_TAG_ICON, s->flags & ITEM_ANSWERED ? 261 : 262);
    }
}

static void write_item(struct store_op *s, struct xml_writer *w)
{
    xml_open(w, "t:Message");
    ews_call_write_mime(w);
    if (s->category_count) {
        xml_open(w, "t:Categories");
        for (size_t i = 0; i < s->category_count; i++)
            xml_leaf(w, "t:String", s->categories[i]);
        xml_close(w);
    }
    xml_open(w, "t:ExtendedProperty");
    ews_write_journal_field(w);
    xml_leaf(w, "t:Value", s->evidence);
    xml_close(w);
    if (!s->sending)
        write_appended(s, w);
    if (!s->sending)
        xml_leaf_lit(w, "t:IsRead", s->flags & ITEM_SEEN ? "true" : "false");
    xml_close(w);
}

static bool write_create(void *ud, struct xml_writer *w, bool slow)
{
    struct store_op *s = ud;
    (void)slow;
    s->answer.answered = 0;
    xml_open(w, "m:CreateItem");
    xml_attr_lit(w, "MessageDisposition", s->sending ? "SendAndSaveCopy" : "SaveOnly");
    xml_open(w, "m:SavedItemFolderId");
    if (s->sending)
        ews_write_distinguished(w, "sentitems", ews_delegate(s->ews));
    else
        ews_write_folder_id(w, s->folder_id);
    xml_close(w);
    xml_open(w, "m:Items");
    write_item(s, w);
    xml_close(w);
    xml_close(w);
    return true;
}

static void look(struct store_op *s);

static void on_created(void *ud, const struct err *err)
{
    struct store_op *s = ud;
    struct err problem = *err;
    s->call = NULL;
    if (problem.code != ERR_NONE && s->unknown) {
        s->lost = problem;
        look(s);
        return;
    }
    if (problem.code == ERR_NONE)
        ews_done_check(&s->answer, &problem);
    if (problem.code == ERR_NONE) {
        s->op.reply->created.id = s->done[0].id;
        s->op.reply->created.change = s->done[0].change;
        if (!s->sending && s->done[0].id.n == 0)
            err_set(&problem, ERR_PROTOCOL, "CreateItem: stored, but the server did not say under which id");
    }
    finish(s, &problem);
}

static void create(struct store_op *s)
{
    begin_answer(s, "CreateItem");
    s->call = ews_call_start(s->ews, &(struct ews_call_opts){
                                         .operation = "CreateItem",
                                         .write = write_create,
                                         .reader = &ews_done_reader,
                                         .reader_ud = &s->answer,
                                         .on_done = on_created,
                                         .ud = s,
                                         .once = true,
                                         .ret_unknown = &s->unknown,
                                         .mime = s->message,
                                     });
}

/* --- sending what stayed in Drafts ------------------------------------------------------------ */

static bool write_send(void *ud, struct xml_writer *w, bool slow)
{
    struct store_op *s = ud;
    (void)slow;
    s->answer.answered = 0;
    xml_open(w, "m:SendItem");
    xml_attr_lit(w, "SaveItemToFolder", "true");
    xml_open(w, "m:ItemIds");
    ews_write_item_version(w, s->find.found[IN_DRAFTS].id, s->find.found[IN_DRAFTS].change);
    xml_close(w);
    xml_open(w, "m:SavedItemFolderId");
    ews_write_distinguished(w, "sentitems", ews_delegate(s->ews));
    xml_close(w);
    xml_close(w);
    return true;
}

static void on_sent(void *ud, const struct err *err)
{
    struct store_op *s = ud;
    struct err problem = *err;
    s->call = NULL;
    if (problem.code == ERR_NONE)
        ews_done_check(&s->answer, &problem);
    if (err_is_transient(problem.code)) /* it lies in Drafts, or is sent: the next attempt looks again */
        still_unknown(s, &problem);
    else
        finish(s, &problem);
}

static void send_draft(struct store_op *s)
{
    begin_answer(s, "SendItem");
    s->call = ews_call_start(s->ews, &(struct ews_call_opts){
                                         .operation = "SendItem",
                                         .write = write_send,
                                         .reader = &ews_done_reader,
                                         .reader_ud = &s->answer,
                                         .on_done = on_sent,
                                         .ud = s,
                                         .once = true,
                                     });
}

/* --- looking for the evidence ----------------------------------------------------------------- */

static void not_found(struct store_op *s)
{
    struct err none = {0};
    if (s->find_only) {
        err_set(&none, ERR_NOT_FOUND, "FindItem: there is no such item");
        finish(s, &none);
    } else if (s->lost.code == ERR_NONE) { /* looked before the first attempt of this call */
        create(s);
    } else if (s->lost.retry_after_s && s->agains++ < AGAINS_MAX) {
        s->lost = (struct err){0};
        create(s);
    } else {
        still_unknown(s, &s->lost);
    }
}

static void on_found(void *ud, const struct err *err)
{
    struct store_op *s = ud;
    const struct ews_found *found = s->find.found;
    if (err->code != ERR_NONE) {
        still_unknown(s, s->lost.code ? &s->lost : err);
    } else if (!s->sending && found[0].id.n) {
        s->op.reply->created.id = found[0].id;
        s->op.reply->created.change = found[0].change;
        finish(s, err);
    } else if (s->sending && (found[IN_SENT].id.n || found[IN_OUTBOX].id.n)) {
        finish(s, err);
    } else if (s->sending && found[IN_DRAFTS].id.n) {
        send_draft(s);
    } else {
        not_found(s);
    }
}

static void look(struct store_op *s)
{
    s->find = (struct ews_find){.ews = s->ews,
                                .arena = &s->op.arena,
                                .evidence = s->evidence,
                                .folder_id = s->folder_id,
                                .well_known = s->sending ? search_in : NULL,
                                .well_known_count = s->sending ? EWS_FIND_PLACES : 0,
                                .passing = s->sending ? 1 : 0, /* Drafts */
                                .done = on_found,
                                .ud = s};
    ews_find_start(&s->find, s->lost.code != ERR_NONE);
}

/* --- the ops ---------------------------------------------------------------------------------- */

static void start(struct op *op)
{
    struct store_op *s = (struct store_op *)op;
    if (s->retry || s->find_only)
        look(s);
    else
        create(s);
}

/* Not abortable: what was begun is brought to an end. */
static const struct op_class append_class = {"ews.append", sizeof(struct store_op), start, NULL};
static const struct op_class send_class = {"ews.send", sizeof(struct store_op), start, NULL};

struct op *ews_append(struct backend *b, const struct append_request *request, op_cb *cb, void *ud)
{
    struct store_op *s = (struct store_op *)op_new(b->loop, &append_class, cb, ud);
    struct arena *arena = &s->op.arena;
    s->ews = (struct ews *)b;
    s->folder_id = arena_str(arena, request->folder_id);
    s->message = blob_ref(request->message);
    s->flags = request->flags;
    s->categories = arena_array(arena, request->category_count + 1, sizeof(*s->categories));
    s->category_count = request->category_count;
    for (size_t i = 0; i < request->category_count; i++)
        s->categories[i] = arena_str(arena, request->categories[i]);
    s->received_ms = request->received_ms;
    s->evidence = arena_str(arena, request->evidence);
    s->retry = request->retry;
    return &s->op;
}

struct op *ews_find_appended(struct backend *b, struct str folder_id, struct str evidence, op_cb *cb, void *ud)
{
    struct store_op *s = (struct store_op *)op_new(b->loop, &append_class, cb, ud);
    s->ews = (struct ews *)b;
    s->find_only = true;
    s->folder_id = arena_str(&s->op.arena, folder_id);
    s->evidence = arena_str(&s->op.arena, evidence);
    return &s->op;
}

struct op *ews_send(struct backend *b, const struct send_request *request, op_cb *cb, void *ud)
{
    struct store_op *s = (struct store_op *)op_new(b->loop, &send_class, cb, ud);
    s->ews = (struct ews *)b;
    s->sending = true;
    s->message = blob_ref(request->message);
    s->evidence = arena_str(&s->op.arena, request->evidence);
    s->retry = request->retry;
    return &s->op;
}
