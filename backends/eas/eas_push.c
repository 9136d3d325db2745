/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_push.h"

#include "backends/eas/eas_status.h"
#include "bridge/base/crash.h"
#include "bridge/base/mem.h"

#define STALL_S        120
#define SERVER_RETRIES 2
#define RETRY_RETRIES  6

static void ask(struct eas_push *p);
static void begin_batch(struct eas_push *p);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void end(struct eas_push *p, const struct err *err)
{
    struct err copy = *err;

    eas_call_close(&p->call);
    p->done(p->ud, &copy);
}

/* An item whose deletion was refused is still there; whether another one has changed is seen when it is fetched. */
static void not_removed(struct eas_push *p)
{
    struct eas_record *r = &p->record;

    if (r->event && r->touched_count > 0 && r->touched[r->touched_count - 1].gone)
        eas_record_touch(r, r->touched[r->touched_count - 1].id, false, p->arena);
}

/* Nothing of the batch was carried out: as if it had never been sent. */
static void forget_batch(struct eas_push *p)
{
    struct err err = {0};

    not_removed(p);
    p->record.wire = false;
    p->record.request = p->record.client_id = p->record.added_id = STR_NULL;
    p->record.failed_count = 0;
    if (!p->known)
        eas_record_drop(p->b, p->folder_id);
    else if (!eas_record_save(p->b, p->folder_id, &p->record, &err))
        log_warn("eas", p->b->config.name, "%s", err.text); /* it will be found out the next time */
}

static void refuse(struct eas_push *p, enum err_code code, const char *text, int status)
{
    struct err err = {0};

    forget_batch(p);
    if (p->settling && p->batch && code != ERR_STALE) { /* that one came to nothing; now ours */
        begin_batch(p);
        return;
    }
    err_set(&err, code, "Sync: %s (status %d)", text, status);
    err.status = status;
    if (p->settling && code != ERR_STALE)
        err = (struct err){0};
    end(p, &err);
}

static void stale(struct eas_push *p, int status)
{
    struct eas_folder *f = eas_folder_find(p->b, p->folder_id);
    struct err err = {0};

    if (f)
        f->synced = false;
    eas_record_drop(p->b, p->folder_id);
    err_set(&err, ERR_STALE, "Sync: the sync state is not valid any more (status %d)", status);
    err.status = status;
    end(p, &err);
}

static void on_timer(void *ud)
{
    ask(ud);
}

static void ask_after(struct eas_push *p, uint64_t after_s)
{
    eas_call_close(&p->call);
    if (!p->timer)
        p->timer = timer_new(p->b->base.loop, on_timer, p);
    timer_start(p->timer, after_s * p->b->second_ms);
}

/* --- a good answer ----------------------------------------------------------------------------------------------- */

const struct eas_sync_response *eas_push_response(const struct eas_push *p, enum eas_tag command, struct str id)
{
    for (size_t i = 0; i < p->page->response_count; i++) {
        const struct eas_sync_response *r = &p->page->responses[i];

        if (r->command == command && str_eq(command == AirSync_Add ? r->client_id : r->id, id))
            return r;
    }
    return NULL;
}

bool eas_push_status(const struct eas_sync_response *response, struct err *err)
{
    static const struct {
        int status;
        enum err_code code;
        const char *text;
    } table[] = {
        {EAS_SYNC_PROTOCOL, ERR_INVALID, "the server does not understand the change"},
        {EAS_SYNC_SERVER, ERR_OFFLINE, "the server failed"},
        {EAS_SYNC_INVALID, ERR_INVALID, "the server refuses the change"},
        {EAS_SYNC_CONFLICT, ERR_CONFLICT, "the item was changed on the server meanwhile"},
        {EAS_SYNC_GONE, ERR_NOT_FOUND, "the item is gone"},
        {EAS_SYNC_QUOTA, ERR_QUOTA, "the mailbox is full"},
        {EAS_SYNC_RETRY, ERR_OFFLINE, "the server asks to try again"},
    };
    int status = response ? response->status : EAS_SYNC_OK;

    if (status == EAS_SYNC_OK || status == 0)
        return true;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status) {
            err_set(err, table[i].code, "Sync: %s (status %d)", table[i].text, status);
            err->status = status;
            return false;
        }
    return eas_status_err(err, "Sync", status);
}

/* Which of the commands in the record's request were refused. */
static void note_failures(struct eas_push *p)
{
    struct eas_record all = p->record;
    struct err ignored = {0};
    struct item_info *list;
    size_t count;

    all.wire = false;
    all.failed_count = 0;
    list = eas_record_effects(&all, p->b->state.version, p->arena, &count);
    p->record.failed = arena_array(p->arena, count + 1, sizeof(*p->record.failed));
    p->record.failed_count = 0;
    for (size_t i = 0; i < count; i++) {
        enum eas_tag command = list[i].gone ? AirSync_Delete : AirSync_Change;

        if (!eas_push_status(eas_push_response(p, command, list[i].id), &ignored))
            p->record.failed[p->record.failed_count++] = i;
    }
}

bool eas_push_event_status(const struct eas_push *p, struct err *err)
{
    return eas_push_status(p->page->response_count > 0 ? &p->page->responses[0] : NULL, err);
}

static void note_added(struct eas_push *p)
{
    const struct eas_sync_response *r = eas_push_response(p, AirSync_Add, p->record.client_id);
    struct err ignored = {0};

    if (!r || !eas_push_status(r, &ignored) || !eas_key_valid(r->id, BACKEND_ID_MAX))
        return;
    p->record.added_id = arena_str(p->arena, r->id);
    eas_made_note(p->b, p->record.client_id, p->record.added_id);
}

static void note_event(struct eas_push *p)
{
    struct err err = {0};

    if (p->record.client_id.n == 0) {
        if (!eas_push_event_status(p, &err) && err.code != ERR_NOT_FOUND)
            not_removed(p);
        return;
    }
    note_added(p);
    if (p->record.added_id.n == 0)
        return;
    eas_record_touch(&p->record, p->record.added_id, false, p->arena);
}

static void answered(struct eas_push *p)
{
    struct eas_sync_page *page = p->page;
    struct err err = {0};

    p->record.wire = false;
    if (p->record.event)
        note_event(p);
    else if (p->record.request.n > 0)
        note_failures(p);
    else
        note_added(p);
    /* Changes of others in the answer, which nobody asked for: the old key makes the server tell them again. */
    if (page->key.n > 0 && page->count == 0 && !page->more)
        p->record.key = arena_str(p->arena, page->key);
    p->known = true;
    crash_point("batch.answered");
    if (!eas_record_save(p->b, p->folder_id, &p->record, &err)) {
        end(p, &err); /* the older record repeats the batch, and finds the same out */
        return;
    }
    crash_point("batch.recorded");
    if (p->settling && p->batch)
        begin_batch(p);
    else
        end(p, &err);
}

/* --- statuses ---------------------------------------------------------------------------------------------------- */

static void again(struct eas_push *p, unsigned *count, unsigned max, uint64_t after_s, int status)
{
    struct err err = {0};

    if ((*count)++ < max) {
        ask_after(p, after_s);
        return;
    }
    err_set(&err, ERR_OFFLINE, "Sync: the server fails again and again (status %d)", status);
    err.status = status;
    end(p, &err);
}

static void common_status(struct eas_push *p, int status)
{
    const struct eas_status *entry = eas_status_find(status);
    struct err err = {0};

    if (entry && entry->code == ERR_STALE) {
        stale(p, status);
        return;
    }
    eas_status_err(&err, "Sync", status);
    refuse(p, err.code, entry ? entry->text : "the server answered a status that is not known", status);
}

static void bad_status(struct eas_push *p, int status)
{
    switch (status) {
    case EAS_SYNC_KEY:
        stale(p, status);
        return;
    case EAS_SYNC_PROTOCOL:
        refuse(p, ERR_INVALID, "the server does not understand the request, or one item", status);
        return;
    case EAS_SYNC_SERVER:
        again(p, &p->server_errors, SERVER_RETRIES, p->server_errors ? 5 : 1, status);
        return;
    case EAS_SYNC_GONE:
    case EAS_SYNC_HIERARCHY:
        p->b->hierarchy = true;
        refuse(p, ERR_NOT_FOUND, "the folder is gone", status);
        return;
    case EAS_SYNC_QUOTA:
        refuse(p, ERR_QUOTA, "the mailbox is full", status);
        return;
    case EAS_SYNC_INCOMPLETE:
    case EAS_SYNC_RETRY:
        again(p, &p->retries, status == EAS_SYNC_RETRY ? RETRY_RETRIES : 1, 1, status);
        return;
    default:
        common_status(p, status);
    }
}

static void on_answer(struct eas_push *p)
{
    struct eas_sync_page *page = p->page;
    int status = p->call.answer.status > EAS_SYNC_OK || !page->has_collection ? p->call.answer.status : page->status;

    if (p->call.empty || (!page->has_collection && (status == 0 || status == EAS_SYNC_OK))) {
        p->b->hierarchy = true; /* SOGo says nothing when there is no such folder */
        refuse(p, ERR_NOT_FOUND, "the server says nothing about the folder", status);
    } else if (status != EAS_SYNC_OK && status != 0) {
        bad_status(p, status);
    } else {
        answered(p);
    }
}

static void on_done(void *ud, const struct err *err)
{
    struct eas_push *p = ud;
    struct err copy = *err;

    if (err->code == ERR_NONE) {
        on_answer(p);
    } else if (err->code == ERR_STALE) {
        stale(p, err->status);
    } else if (p->settling && p->call.begun && (err->code == ERR_PROTOCOL || err->code == ERR_TOO_BIG)) {
        stale(p, err->status); /* the outcome cannot be read: the folder as a whole can */
    } else {
        if (!p->call.unknown && !p->settling)
            forget_batch(p);
        end(p, &copy);
    }
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void write_commands(struct eas_push *p, struct eas_writer *w)
{
    const struct eas_push_batch *batch = p->batch;

    eas_collection_open(w, p->record.key, p->folder_id);
    if (batch->deletes_as_moves >= 0)
        eas_write_uint(w, AirSync_DeletesAsMoves, (unsigned)batch->deletes_as_moves);
    eas_write_uint(w, AirSync_GetChanges, 0);
    if (!batch->event) /* those of the last Sync stay: with some of its own, Exchange sees a conflict where there is
                          none */
        eas_collection_options(w, p->kind, p->b->state.filter);
    eas_write_open(w, AirSync_Commands);
    batch->write(p->ud, w);
    eas_write_close(w);
    eas_collection_close(w);
}

/* Only now are version and policy known, and with them whether the sync state is of any use. */
static bool check_cursor(struct eas_push *p, struct err *err)
{
    struct str key;

    if (!eas_cursor_read(p->b, p->cursor, &key)) {
        eas_record_drop(p->b, p->folder_id);
        return err_set(err, ERR_STALE, "Sync: the sync state is of another protocol version or policy");
    }
    if (!p->known) {
        p->record.from = p->cursor;
        p->record.key = arena_str(p->arena, key);
    }
    return true;
}

/* From now on there is something that the core has not heard. */
static void forget_heard(struct eas_push *p)
{
    struct eas_folder *f = eas_folder_find(p->b, p->folder_id);

    if (f) {
        mem_free(f->heard);
        f->heard = NULL;
    }
}

static bool write_request(void *ud, struct eas_writer *w, struct err *err)
{
    struct eas_push *p = ud;

    if (!check_cursor(p, err))
        return false;
    p->page->options.version = p->b->state.version;
    eas_sync_page_reset(p->page);
    if (p->record.request.n > 0) { /* unchanged */
        buf_reset(w->out);
        buf_str(w->out, p->record.request);
        return true;
    }
    write_commands(p, w);
    if (w->out->failed)
        return err_set(err, ERR_INVALID, "Sync: the changes hold what cannot be sent");
    p->record.client_id = p->batch->client_id;
    p->record.added_flags = p->batch->added_flags;
    p->record.event = p->batch->event;
    if (p->batch->event_id.n > 0 && !p->record.wire)
        eas_record_touch(&p->record, p->batch->event_id, p->batch->gone, p->arena);
    if (!p->batch->mime)
        p->record.request = arena_str(p->arena, buf_view(w->out));
    if (p->record.wire)
        return true; /* written down before */
    p->record.wire = true;
    forget_heard(p);
    if (eas_record_save(p->b, p->folder_id, &p->record, err)) {
        crash_point("batch.written");
        return true;
    }
    p->record.wire = false;
    return false;
}

static const struct eas_request request = {
    .command = EAS_SYNC, .rules = &eas_sync_rules, .write = write_request, .done = on_done};
static const struct eas_request event_request = {
    .command = EAS_SYNC, .rules = &eas_sync_event_rules, .write = write_request, .done = on_done};

static void ask(struct eas_push *p)
{
    bool adds = !p->settling && p->batch->mime;

    eas_call_close(&p->call);
    eas_call_init(&p->call, p->b, eas_is_mail(p->kind) ? &request : &event_request, p);
    p->call.reader = p->page;
    p->call.stall_s = STALL_S;
    p->call.mime = adds ? p->batch->mime : NULL;
    eas_call_start(&p->call);
}

static void begin_batch(struct eas_push *p)
{
    p->settling = false;
    p->server_errors = p->retries = 0;
    p->record.wire = false;
    p->record.request = p->record.client_id = p->record.added_id = STR_NULL;
    p->record.failed_count = 0;
    ask(p);
}

void eas_push_init(struct eas_push *p, struct eas_backend *b, struct str folder_id, enum folder_kind kind,
                   struct arena *arena)
{
    struct eas_sync_options options = eas_sync_options(b, kind);

    *p = (struct eas_push){
        .b = b, .arena = arena, .folder_id = folder_id, .kind = kind, .page = eas_sync_page_new(&options)};
}

void eas_push_heard(struct eas_push *p, struct str id)
{
    struct eas_folder *f = eas_folder_get(p->b, p->folder_id);

    mem_free(f->heard);
    f->heard = str_dup(id);
}

bool eas_push_must_settle(struct eas_push *p, struct str cursor)
{
    const struct eas_folder *f;

    p->cursor = cursor;
    p->known = eas_record_load(p->b, p->folder_id, cursor, p->arena, &p->record);
    f = eas_folder_find(p->b, p->folder_id);
    if (p->known && !p->record.wire && f && f->heard)
        eas_record_forget(&p->record, str_from(f->heard));
    return p->known && p->record.wire && p->record.request.n > 0;
}

void eas_push_settle(struct eas_push *p, void (*done)(void *ud, const struct err *err), void *ud)
{
    p->batch = NULL;
    p->done = done;
    p->ud = ud;
    p->settling = true;
    ask(p);
}

void eas_push_send(struct eas_push *p, struct str cursor, const struct eas_push_batch *batch,
                   void (*done)(void *ud, const struct err *err), void *ud)
{
    p->batch = batch;
    p->done = done;
    p->ud = ud;
    p->settling = eas_push_must_settle(p, cursor);
    p->server_errors = p->retries = 0;
    if (p->settling)
        ask(p);
    else
        begin_batch(p);
}

void eas_push_close(struct eas_push *p)
{
    if (!p->b)
        return;
    eas_call_close(&p->call);
    timer_free(&p->timer);
    eas_sync_page_free(&p->page);
    p->b = NULL;
}
