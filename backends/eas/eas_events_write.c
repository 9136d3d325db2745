/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and changing calendar items and tasks: one Sync a step, each with one command, durable as
 * eas_record.h says (MS-ASCMD 2.2.1.21).
 *
 *     [retry: LOOK ->] ADD, or [RESET ->] CHANGE -> OCCURRENCES, one by one -> READ BACK what the server made of it
 *
 * What LOOK finds is told, and left alone (backend.h). A step with nothing to do is left out: an event without
 * exceptions costs two requests.
 *
 * Up to 14.1 the exceptions stand in a CHANGE, also after an ADD: some servers take an Add with exceptions and forget
 * them. From 16.0 on each is a request of its own, because Exchange loses one of two commands for a series in the same
 * Sync. An exception that is not named stays, and there is no command that takes one back; another pattern makes the
 * server forget all of them (MS-ASCAL 2.2.2.22). Up to 14.1 that is done by a wrong one (RESET) and then the right one.
 * From 16.0 on the server would tell the guests of both. So there it is the right one in other words, which they hear
 * of once: a look at the item shows whether the server took it for another one. Only if not, or where a rule has no
 * other words (every second day, several days of every second week), it is RESET as well.
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
    struct event before; /* the base that the client had; `base` becomes what the server is seen to have */
    bool has_base, notify;
    event_current_cb *is_current;
    bool made; /* by this op: to be taken back when the rest of it is refused */
    bool reset;
    bool current; /* reading.list[0] is what the server has now */
    size_t next_exception;
    const struct event *sending; /* what write_master() writes */
    const struct event_exception *occurrence;
    unsigned tries;
    void (*then)(struct put_op *p);
    struct err refused;
};

static void send(struct put_op *p);

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
    if (copy.code != ERR_NONE)    /* what was made and not taken back stays */
        p->w.op.reply->event_done.id = p->made ? p->id : STR_NULL;
    leave(p);
    op_finish_err(&p->w.op, &copy);
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

static bool remove_made(struct put_op *p);

static void on_taken_back(void *ud, const struct err *err)
{
    struct put_op *p = ud;

    if (err->code == ERR_STALE && p->tries++ == 0 && remove_made(p)) /* SOGo forgets what it said of an empty folder */
        return;
    if (err->code != ERR_NONE)
        log_warn("eas", p->w.b->config.name, "an event that was stored by half could not be taken back: %s", err->text);
    else
        p->made = false;
    end(p, &p->refused);
}

static bool remove_made(struct put_op *p)
{
    struct str cursor;
    struct err err = {0};

    if (!eas_write_cursor(&p->w, p->folder_id, &cursor, &err))
        return false;
    p->batch = (struct eas_push_batch){
        .deletes_as_moves = 0, .write = write_delete, .event = true, .gone = true, .event_id = p->id};
    eas_push_send(&p->push, cursor, &p->batch, on_taken_back, p);
    return true;
}

/* A new item of which the server refuses the rest does not stay by half. */
static void fail(struct put_op *p, const struct err *err)
{
    p->refused = *err;
    p->tries = 0;
    if (!p->made || !is_final(err->code) || !remove_made(p))
        end(p, &p->refused);
}

/* --- read back --------------------------------------------------------------------------------------------------- */

static bool apart(const struct put_op *p)
{
    return p->writing.version >= EAS_EVENTS_APART;
}

/* What is left out up to 14.1, and an empty element in 16.x, takes away what the schema lets be empty (MS-ASCAL 6), but
 * servers have their own mind: one that says no, or nothing and does nothing, is not to look as if it had. */
static bool was_taken(const struct put_op *p, const struct event *got, struct err *err)
{
    const char *kept = (apart(p) || got) && p->has_base ? eas_event_taken_away(&p->before, &p->wanted, got) : NULL;

    return !kept || err_set(err, ERR_UNSUPPORTED,
                            "ActiveSync %s: the server does not let %s be taken away; change it instead, or delete the "
                            "event and make a new one",
                            eas_version_name(p->writing.version), kept);
}

/* Nor is one that puts a series into a zone of its own choice, where its hours are others. */
static bool keeps_hours(const struct put_op *p, const struct event *got, struct err *err)
{
    struct str zone = got->fields.start_zone.n ? got->fields.start_zone : STR("UTC");

    return eas_event_keeps_hours(&p->wanted, got) ||
           err_set(err, ERR_UNSUPPORTED,
                   "the server keeps the series in the time zone %.*s, where it would have other hours for a part of "
                   "the year; choose the zone in the preferences of your account there, or this one here",
                   (int)zone.n, zone.p);
}

static void on_read(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    const struct eas_got *got = &p->reading.list[0];
    struct reply *r = p->w.op.reply;
    struct err problem = {0};

    r->event_done.id = p->id;
    /* What was asked for is done: that it cannot be read now is no reason to deny it. The next page brings it. */
    if (err->code == ERR_NONE && got->err.code == ERR_NONE && got->event) {
        if (!was_taken(p, got->event, &problem) || !keeps_hours(p, got->event, &problem)) {
            fail(p, &problem);
            return;
        }
        r->event_done.event = got->event;
        eas_push_heard(&p->push, p->id);
    }
    end(p, &problem);
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
    if (p->current)
        on_read(p, &(struct err){0});
    else
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
        if (problem.code == ERR_INVALID)
            was_taken(p, NULL, &problem);
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
    p->current = false;
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

    p->writing.base = known(p);
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
    while (apart(p) && p->next_exception < p->wanted.exception_count) {
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

    p->reset = true;
    p->altered = p->wanted;
    p->altered.exception_count = 0;
    r->interval = r->interval > 1 ? r->interval - 1 : 2;
    begin_writing(p, &p->altered);
    step(p, write_master, change_master);
}

static void on_looked(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    const struct eas_got *got = &p->reading.list[0];
    struct err problem = err->code != ERR_NONE ? *err : got->err;

    if (problem.code != ERR_NONE || !got->event) {
        end(p, &problem);
    } else if (eas_event_takes_back(&p->wanted, got->event)) {
        write_reset(p);
    } else {
        p->base = *got->event;
        p->current = true;
        occurrences(p);
    }
}

static void look_again(struct put_op *p)
{
    fetch(p, on_looked);
}

static void take_back(struct put_op *p)
{
    p->writing.parts |= EVENT_PART_RECURRENCE;
    p->altered = p->wanted;
    if (!apart(p) || !eas_event_reword(&p->base.recurrence, &p->altered.recurrence)) {
        write_reset(p);
        return;
    }
    begin_writing(p, &p->altered);
    step(p, write_master, look_again);
}

static void change(struct put_op *p)
{
    unsigned parts = event_differ(&p->base, &p->wanted) & ~(unsigned)NOT_SENT;

    p->before = p->base;
    p->reset = eas_event_moves(&p->wanted, &p->base);
    p->writing.parts = parts;
    if (!p->reset && eas_event_takes_back(&p->wanted, &p->base))
        take_back(p);
    else if (apart(p) ? parts & ~(unsigned)EVENT_PART_EXCEPTIONS : parts)
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
    } else if (!apart(p) && p->wanted.exception_count > 0) {
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

static void on_found(void *ud, const struct err *err)
{
    struct put_op *p = ud;
    const struct eas_got *got = &p->reading.list[0];
    struct reply *r = p->w.op.reply;
    struct err problem = err->code != ERR_NONE ? *err : got->err;

    if (problem.code == ERR_NOT_FOUND) {
        p->id = STR_NULL;
        add(p);
        return;
    }
    if (problem.code == ERR_NONE && !got->event)
        err_set(&problem, ERR_PROTOCOL, "the event is there, but the server does not say what it is");
    if (problem.code == ERR_NONE) {
        r->event_done.id = p->id;
        r->event_done.event = got->event;
        r->event_done.found = true;
        eas_push_heard(&p->push, p->id);
    }
    end(p, &problem);
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
        !eas_write_is_current(&p->w, p->is_current, &err)) {
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
