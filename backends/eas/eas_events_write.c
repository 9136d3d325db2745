/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, changing and deleting calendar items and tasks: one Sync a step, each with one command, durable as
 * eas_record.h says (MS-ASCMD 2.2.1.21).
 *
 *     [retry: LOOK ->] ADD, or [RESET ->] CHANGE -> OCCURRENCES, one by one -> READ BACK what the server made of it
 *
 * A step with nothing to do is left out: an event without exceptions costs two requests.
 *
 * Up to 14.1 the exceptions stand in a CHANGE, also after an ADD: some servers take an Add with exceptions and forget
 * them. From 16.0 on each is a request of its own, because Exchange loses one of two commands for a series in the same
 * Sync. An exception that is not named stays, so they are taken back by another pattern (RESET), which makes the server
 * forget all of them, and then the right one.
 */
#include "backends/eas/eas_event_write.h"
#include "backends/eas/eas_getter.h"
#include "backends/eas/eas_push.h"
#include "backends/eas/eas_write.h"
#include "bridge/base/time.h"

#define TRIES    6 /* of a step that the server has no time for */
#define NOT_SENT (EVENT_PART_MINE | EVENT_PART_RESPONSES | EVENT_PART_CANCELLED)

struct put_op {
    struct eas_write w;
    struct eas_push push;
    struct eas_push_batch batch;
    struct eas_event_writing writing;
    struct timer *pause;
    struct eas_getter reading;
    enum folder_kind kind;
    struct str folder_id, id, evidence;
    struct event wanted, base, altered;
    bool has_base, notify;
    event_current_cb *is_current;
    bool made; /* by this op: to be taken back when the rest of it is refused */
    bool reset;
    size_t next_exception;
    const struct event *sending; /* what write_master() writes */
    const struct event_exception *occurrence;
    unsigned tries;
    void (*then)(struct put_op *p);
    struct err refused;
};

static void send(struct put_op *p);
static void change(struct put_op *p);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void leave(struct put_op *p)
{
    eas_write_leave(&p->w);
    eas_push_close(&p->push);
    eas_getter_close(&p->reading);
    timer_free(&p->pause);
}

static void end(struct put_op *p, const struct err *err)
{
    struct err copy = *err;

    if (copy.code == ERR_NOT_FOUND)
        copy.code = ERR_CONFLICT; /* deleted meanwhile: the client is to see that first */
    leave(p);
    op_finish_err(&p->w.op, &copy);
}

static void on_taken_back(void *ud, const struct err *err)
{
    struct put_op *p = ud;

    if (err->code != ERR_NONE)
        log_warn("eas", p->w.b->config.name, "an event that was stored by half could not be taken back: %s", err->text);
    end(p, &p->refused);
}

static void write_delete(void *ud, struct eas_writer *w)
{
    struct put_op *p = ud;

    eas_write_open(w, AirSync_Delete);
    eas_write_text(w, AirSync_ServerId, p->id);
    eas_write_close(w);
}

static bool is_final(enum err_code code)
{
    return code == ERR_INVALID || code == ERR_UNSUPPORTED || code == ERR_TOO_BIG || code == ERR_QUOTA;
}

/* A new item of which the server refuses the rest does not stay by half. */
static void fail(struct put_op *p, const struct err *err)
{
    struct str cursor;

    p->refused = *err;
    if (!p->made || !is_final(err->code) || !eas_write_cursor(&p->w, p->folder_id, &cursor, &(struct err){0})) {
        end(p, &p->refused);
        return;
    }
    p->batch = (struct eas_push_batch){
        .deletes_as_moves = 0, .write = write_delete, .event = true, .gone = true, .event_id = p->id};
    eas_push_send(&p->push, cursor, &p->batch, on_taken_back, p);
}

/* --- read back --------------------------------------------------------------------------------------------------- */

static void on_read(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    const struct eas_got *got = &p->reading.list[0];
    struct reply *r = p->w.op.reply;
    struct err none = {0};

    r->event_done.id = p->id;
    /* What was asked for is done: that it cannot be read now is no reason to deny it. The next page brings it. */
    if (err->code == ERR_NONE && got->err.code == ERR_NONE && got->event) {
        r->event_done.event = got->event;
        eas_push_heard(&p->push, p->id);
    }
    end(p, &none);
}

static void fetch(struct put_op *p, void (*done)(void *ud, const struct err *err))
{
    eas_getter_close(&p->reading);
    eas_getter_init(&p->reading, p->w.b, p->folder_id, p->kind, &p->w.op.arena, 1);
    p->reading.list[0] = (struct eas_got){.id = p->id, .need = EAS_NEED_ITEM};
    eas_getter_start(&p->reading, done, p);
}

static void read_back(struct put_op *p)
{
    fetch(p, on_read);
}

/* --- one step ---------------------------------------------------------------------------------------------------- */

static void on_pause(void *ud)
{
    send(ud);
}

static bool try_again(struct put_op *p, const struct err *err)
{
    if ((err->status != EAS_SYNC_SERVER && err->status != EAS_SYNC_RETRY) || ++p->tries >= TRIES)
        return false;
    if (!p->pause)
        p->pause = timer_new(p->w.b->base.loop, on_pause, p);
    timer_start(p->pause, p->w.b->second_ms);
    return true;
}

static void on_step(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    struct err problem = *err;

    if (problem.code == ERR_NONE && !eas_push_event_status(&p->push, &problem) && try_again(p, &problem))
        return;
    if (problem.code != ERR_NONE) {
        fail(p, &problem);
        return;
    }
    p->tries = 0;
    p->then(p);
}

static void send(struct put_op *p)
{
    struct err err = {0};
    struct str cursor;

    if (eas_write_cursor(&p->w, p->folder_id, &cursor, &err))
        eas_push_send(&p->push, cursor, &p->batch, on_step, p);
    else
        fail(p, &err);
}

static void step(struct put_op *p, void (*write)(void *ud, struct eas_writer *w), void (*then)(struct put_op *p))
{
    p->batch = (struct eas_push_batch){.deletes_as_moves = -1, .write = write, .event = true, .event_id = p->id};
    p->then = then;
    send(p);
}

/* --- occurrences (16.x) ------------------------------------------------------------------------------------------ */

/* What the exceptions of the series are compared with: after a new pattern or new times there are none on the server.
 */
static const struct event *known(const struct put_op *p)
{
    return p->has_base && !p->reset ? &p->base : NULL;
}

static void write_occurrence(void *ud, struct eas_writer *w)
{
    struct put_op *p = ud;
    const struct event_exception *x = p->occurrence;
    enum eas_tag command = x->deleted ? AirSync_Delete : AirSync_Change;

    eas_write_open(w, command);
    eas_write_text(w, AirSync_ServerId, p->id);
    eas_write_text(w, AirSyncBase_InstanceId,
                   eas_event_instance_id(&p->wanted, x->original, &p->writing, &p->w.op.arena));
    if (!x->deleted) {
        eas_write_open(w, AirSync_ApplicationData);
        eas_event_write_occurrence(w, &p->wanted, x, &p->writing, eas_event_occurrence_parts(&p->wanted, x, known(p)));
        eas_write_close(w);
    }
    eas_write_close(w);
}

static bool is_told(const struct put_op *p, const struct event_exception *x)
{
    const struct event *base = known(p);
    const struct event_exception *was = base ? event_exception(base, x->original) : NULL;

    return x->deleted ? was && was->deleted : eas_event_occurrence_parts(&p->wanted, x, base) == 0;
}

static void occurrences(struct put_op *p)
{
    while (p->writing.version >= EAS_EVENTS_APART && p->next_exception < p->wanted.exception_count) {
        p->occurrence = eas_event_exception_at(&p->wanted, p->next_exception++);
        if (is_told(p, p->occurrence))
            continue;
        step(p, write_occurrence, occurrences);
        return;
    }
    read_back(p);
}

/* --- the item ---------------------------------------------------------------------------------------------------- */

static void write_master(void *ud, struct eas_writer *w)
{
    struct put_op *p = ud;
    bool add = p->id.n == 0;

    eas_write_open(w, add ? AirSync_Add : AirSync_Change);
    eas_write_text(w, add ? AirSync_ClientId : AirSync_ServerId, add ? p->evidence : p->id);
    eas_write_open(w, AirSync_ApplicationData);
    eas_event_write(w, p->sending, &p->writing);
    eas_write_close(w);
    eas_write_close(w);
}

static void begin_writing(struct put_op *p, const struct event *e)
{
    p->sending = e;
    p->writing.base = p->has_base ? &p->base : NULL;
    p->writing.with_exceptions = true;
}

static void change_master(struct put_op *p)
{
    begin_writing(p, &p->wanted);
    step(p, write_master, occurrences);
}

/* With every other pattern the exceptions go. */
static void write_reset(struct put_op *p)
{
    struct event_recurrence *r = &p->altered.recurrence;

    p->altered = p->wanted;
    p->altered.exception_count = 0;
    r->interval = r->interval > 1 ? r->interval - 1 : 2;
    begin_writing(p, &p->altered);
    step(p, write_master, change_master);
}

/* Is there an exception that the server has and that is wanted no more? */
static bool takes_back(const struct put_op *p)
{
    for (size_t i = 0; p->wanted.has_recurrence && i < p->base.exception_count; i++) {
        const struct event_exception *was = &p->base.exceptions[i], *now = event_exception(&p->wanted, was->original);

        if (!now || (was->deleted && !now->deleted))
            return true;
    }
    return false;
}

static void change(struct put_op *p)
{
    const unsigned series = EVENT_PART_RECURRENCE | EVENT_PART_TIME;
    unsigned parts = event_differ(&p->base, &p->wanted) & ~(unsigned)NOT_SENT;
    bool apart = p->writing.version >= EAS_EVENTS_APART;
    bool moved = p->base.has_recurrence && parts & series, back = !moved && takes_back(p);

    p->reset = moved || back;
    if (back)
        parts |= EVENT_PART_RECURRENCE;
    p->writing.parts = parts;
    if (back)
        write_reset(p);
    else if (apart ? parts & ~(unsigned)EVENT_PART_EXCEPTIONS : parts)
        change_master(p);
    else
        occurrences(p);
}

/* Of a new series up to 14.1 the exceptions come after it. */
static void on_added(struct put_op *p)
{
    p->id = p->push.record.added_id;
    p->made = true;
    if (p->id.n == 0) {
        struct err err = {0};

        err_set(&err, ERR_PROTOCOL, "Sync: the event was stored, but the server did not say under which id");
        end(p, &err);
    } else if (p->writing.version < EAS_EVENTS_APART && p->wanted.exception_count > 0) {
        change_master(p);
    } else {
        occurrences(p);
    }
}

static void add(struct put_op *p)
{
    begin_writing(p, &p->wanted);
    p->writing.with_exceptions = false;
    p->batch =
        (struct eas_push_batch){.deletes_as_moves = -1, .write = write_master, .event = true, .client_id = p->evidence};
    p->then = on_added;
    send(p);
}

/* --- an attempt whose outcome is unknown ------------------------------------------------------------------------- */

/* It had stored the item: now it is made what is wanted, which may be something else than then. */
static void on_found(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    const struct eas_got *got = &p->reading.list[0];
    struct err problem = err->code != ERR_NONE ? *err : got->err;

    if (problem.code == ERR_NONE && got->event) {
        p->base = *got->event;
        p->has_base = true;
        change(p);
    } else if (problem.code == ERR_NOT_FOUND) {
        p->id = STR_NULL;
        add(p);
    } else {
        end(p, &problem);
    }
}

static void look(struct put_op *p)
{
    p->id = eas_made_find(p->w.b, p->evidence, &p->w.op.arena);
    if (p->id.n > 0)
        fetch(p, on_found);
    else
        add(p);
}

static void on_settled(void *ud, const struct err *err)
{
    struct put_op *p = ud;

    if (err->code != ERR_NONE)
        end(p, err);
    else
        look(p);
}

/* --- the op ------------------------------------------------------------------------------------------------------ */

/* The server sees a conflict with what our sync state does not know of; a page that came while this op waited for its
 * turn has moved that on. */
static bool is_current(struct eas_write *w, event_current_cb *ask, struct err *err)
{
    return !ask || ask(w->op.ud) || err_set(err, ERR_CONFLICT, "the server's item was changed meanwhile");
}

static bool check(struct put_op *p, struct err *err)
{
    struct eas_event_writing *o = &p->writing;

    o->version = p->w.b->state.version;
    o->base = p->has_base ? &p->base : NULL;
    if (o->version >= EAS_EVENTS_APART && !p->notify && p->wanted.is_meeting && p->wanted.fields.attendee_count > 0)
        return err_set(err, ERR_UNSUPPORTED, "with ActiveSync %s the server invites the guests itself, always",
                       eas_version_name(o->version));
    return eas_event_check(&p->wanted, o, err);
}

static void on_turn(void *ud)
{
    struct put_op *p = ud;
    struct err err = {0};
    struct str cursor;

    if (!eas_write_cursor(&p->w, p->folder_id, &cursor, &err) || !check(p, &err) ||
        !is_current(&p->w, p->is_current, &err)) {
        end(p, &err);
        return;
    }
    eas_push_init(&p->push, p->w.b, p->folder_id, p->kind, &p->w.op.arena);
    if (p->has_base)
        change(p);
    else if (eas_push_must_settle(&p->push, cursor))
        eas_push_settle(&p->push, on_settled, p);
    else
        look(p);
}

static void start(struct op *op)
{
    struct put_op *p = (struct put_op *)op;

    eas_turn_wait(&p->w.turn, &p->w.b->syncs, true, on_turn, p);
}

static void stop(struct op *op)
{
    leave((struct put_op *)op);
}

static const struct op_class put_class = {"eas.event-put", sizeof(struct put_op), start, stop};

struct op *eas_event_put(struct backend *b, const struct event_put *request, op_cb *cb, void *ud)
{
    struct put_op *p = (struct put_op *)eas_write_new(b, &put_class, cb, ud);
    struct arena *arena = &p->w.op.arena;
    const struct backend_config *config = &p->w.b->config;

    p->kind = request->kind;
    p->folder_id = arena_str(arena, request->folder_id);
    p->id = arena_str(arena, request->id);
    p->evidence = arena_str(arena, request->evidence);
    p->notify = request->notify;
    event_copy(&p->wanted, request->wanted, arena);
    p->has_base = request->id.n > 0 && request->base;
    p->is_current = p->has_base ? request->is_current : NULL;
    if (p->has_base)
        event_copy(&p->base, request->base, arena);
    p->writing = (struct eas_event_writing){
        .zone = str_from(config->zone ? config->zone : ""), .stamped = time_wall_s(), .email = str_from(config->email)};
    return &p->w.op;
}

/* --- deleting ---------------------------------------------------------------------------------------------------- */

struct remove_op {
    struct eas_write w;
    struct eas_push push;
    struct eas_push_batch batch;
    struct str folder_id, id;
    enum folder_kind kind;
    event_current_cb *is_current;
};

static void leave_removing(struct remove_op *r)
{
    eas_write_leave(&r->w);
    eas_push_close(&r->push);
}

static void end_removing(struct remove_op *r, const struct err *err)
{
    struct err *each = arena_array(&r->w.op.arena, 1, sizeof(*each));

    each[0] = *err;
    r->w.op.reply->items_done.each = each;
    r->w.op.reply->items_done.count = 1;
    leave_removing(r);
    op_finish_err(&r->w.op, &each[0]);
}

static void write_removal(void *ud, struct eas_writer *w)
{
    struct remove_op *r = ud;

    eas_write_open(w, AirSync_Delete);
    eas_write_text(w, AirSync_ServerId, r->id);
    eas_write_close(w);
}

static void on_removed(void *ud, const struct err *err)
{
    struct remove_op *r = ud;
    struct err problem = *err;

    if (problem.code == ERR_NONE && eas_push_event_status(&r->push, &problem))
        eas_push_heard(&r->push, r->id);
    end_removing(r, &problem);
}

static void on_removing_turn(void *ud)
{
    struct remove_op *r = ud;
    struct err err = {0};
    struct str cursor;

    if (!eas_write_cursor(&r->w, r->folder_id, &cursor, &err) || !is_current(&r->w, r->is_current, &err)) {
        end_removing(r, &err);
        return;
    }
    eas_push_init(&r->push, r->w.b, r->folder_id, r->kind, &r->w.op.arena);
    r->batch = (struct eas_push_batch){
        .deletes_as_moves = 1, .write = write_removal, .event = true, .gone = true, .event_id = r->id};
    eas_push_send(&r->push, cursor, &r->batch, on_removed, r);
}

static void start_removing(struct op *op)
{
    struct remove_op *r = (struct remove_op *)op;

    eas_turn_wait(&r->w.turn, &r->w.b->syncs, true, on_removing_turn, r);
}

static void stop_removing(struct op *op)
{
    leave_removing((struct remove_op *)op);
}

/* Whom to tell of it, and whether, is up to the server (16.x) or to the core (before). */
struct op *eas_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                            struct str change, bool notify, event_current_cb *current, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.event-remove", sizeof(struct remove_op), start_removing, stop_removing};
    struct remove_op *r = (struct remove_op *)eas_write_new(b, &class, cb, ud);

    (void)change;
    (void)notify;
    r->folder_id = arena_str(&r->w.op.arena, folder_id);
    r->kind = kind;
    r->is_current = current;
    r->id = arena_str(&r->w.op.arena, id);
    return &r->w.op;
}
