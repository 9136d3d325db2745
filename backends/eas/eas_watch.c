/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Push by Ping (MS-ASCMD 2.2.1.13): one parked request for all folders of interest. It is stateless: the server
 * compares with what it told us last by Sync, so a lost answer costs nothing, and what came between two Pings is found
 * by the second.
 *
 * The heartbeat grows while Pings run to their end, and shrinks when connections are cut before (a NAT or proxy on the
 * way), which is remembered for an hour, or until the network is another one. Servers that answer much earlier than
 * asked are not asked more than once in ping_floor_s.
 */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_watch_read.h"
#include "bridge/base/time.h"

/* Ping's own statuses (MS-ASCMD 2.2.3.177.11). */
enum ping_status {
    STATUS_EXPIRED = 1,
    STATUS_CHANGES = 2,
    STATUS_MISSING = 3,
    STATUS_SYNTAX = 4,
    STATUS_HEARTBEAT = 5,
    STATUS_FOLDERS = 6,
    STATUS_HIERARCHY = 7,
    STATUS_SERVER = 8
};

#define GROW_S          300
#define TIMEOUT_SLACK_S 30
#define CORRECTIONS_MAX 5 /* statuses 5, 6 and 7 in a row */
#define LOSSES_MAX      3 /* connections lost in a row before the account is called offline */
#define SERVER_RETRIES  3
#define LOST_MS         ((uint64_t)60 * 60 * 1000) /* so long after a loss its length is not tried again */
#define MUTED_MS        ((uint64_t)15 * 60 * 1000)
#define EARLY_S         5 /* a Ping that ends so much before its heartbeat was cut short */
#define MINUTE_MS       ((uint64_t)60 * 1000)
#define WAKES_A_MINUTE  30 /* Pings that end with news; what comes more often is asked for every PACE_S */
#define PACE_S          5

struct watch_op {
    struct op op;
    struct list link; /* b->watches */
    struct eas_backend *b;
    struct eas_call call;
    struct eas_ping_answer answer;
    struct arena arena; /* of one answer */
    struct timer *timer;
    struct folder_ref *folders;
    size_t count;
    size_t asked; /* folders named in the last Ping */
    uint64_t sent_ms;
    bool parked;
    unsigned corrections, losses, server_errors;
};

static void ping(struct watch_op *w);

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void leave(struct watch_op *w)
{
    list_remove(&w->link);
    eas_call_close(&w->call);
    timer_free(&w->timer);
    arena_done(&w->arena);
}

static void end(struct watch_op *w, const struct err *err)
{
    struct reply *reply = w->op.reply;
    struct arena arena;

    reply->err = *err;
    if (err->code == ERR_NONE) {
        reply->watch.count = w->answer.count;
        reply->watch.folder_ids = w->answer.ids;
    }
    arena = w->arena; /* the ids live in it */
    w->arena = (struct arena){0};
    leave(w);
    op_finish(&w->op);
    arena_done(&arena);
}

static void end_hierarchy(struct watch_op *w)
{
    struct err none = {0};

    w->answer.count = 0;
    w->op.reply->watch.hierarchy = true;
    end(w, &none);
}

static void fail(struct watch_op *w, enum err_code code, const char *text, int status)
{
    struct err err = {0};

    err_set(&err, code, "Ping: %s (status %d)", text, status);
    err.status = status;
    end(w, &err);
}

static void on_timer(void *ud)
{
    ping(ud);
}

static void ping_after(struct watch_op *w, uint64_t after_ms)
{
    eas_call_close(&w->call);
    if (!w->timer)
        w->timer = timer_new(w->b->base.loop, on_timer, w);
    timer_start(w->timer, after_ms);
}

/* --- heartbeat --------------------------------------------------------------------------------------------------- */

static unsigned clamp(const struct eas_backend *b, unsigned heartbeat_s)
{
    if (heartbeat_s > b->heartbeat_max_s)
        heartbeat_s = b->heartbeat_max_s;
    return heartbeat_s < b->heartbeat_min_s ? b->heartbeat_min_s : heartbeat_s;
}

/* Not so long again, for a while: what is on the way would not let it live. */
static bool is_too_long(const struct eas_backend *b, unsigned heartbeat_s)
{
    return b->heartbeat_lost_s > 0 && heartbeat_s >= b->heartbeat_lost_s &&
           time_mono_ms() - b->heartbeat_lost_ms < LOST_MS;
}

static void shrink(struct eas_backend *b)
{
    b->heartbeat_s = clamp(b, b->heartbeat_s > GROW_S + 180 ? b->heartbeat_s - GROW_S : b->heartbeat_s / 2);
}

static void set_bound(struct eas_backend *b, int bound_s)
{
    if (bound_s <= 0 || bound_s > 86400) { /* it does not say which: it will be too long, if anything */
        shrink(b);
        return;
    }
    if ((unsigned)bound_s < b->heartbeat_s)
        b->heartbeat_max_s = (unsigned)bound_s;
    else
        b->heartbeat_min_s = (unsigned)bound_s;
    if (b->heartbeat_min_s > b->heartbeat_max_s)
        b->heartbeat_min_s = b->heartbeat_max_s;
    b->heartbeat_s = clamp(b, (unsigned)bound_s);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void on_expired(struct watch_op *w)
{
    struct eas_backend *b = w->b;
    uint64_t took_s = (time_mono_ms() - w->sent_ms) / 1000;
    bool early;

    w->corrections = w->losses = w->server_errors = 0;
    b->ping_hierarchies = 0;
    early = took_s + EARLY_S < b->heartbeat_s;
    if (!early && !is_too_long(b, clamp(b, b->heartbeat_s + GROW_S)))
        b->heartbeat_s = clamp(b, b->heartbeat_s + GROW_S);
    /* its own idea of a heartbeat, and a short one */
    if ((early || b->heartbeat_s <= EARLY_S) && took_s + EARLY_S < b->ping_floor_s)
        b->ping_next_ms = w->sent_ms + (uint64_t)b->ping_floor_s * b->second_ms;
    ping(w);
}

/* A server that tells the same change for ever must not keep us busy for ever; neither must a mailbox that is full of
 * life: what comes closer together is found together. */
static void pace(struct eas_backend *b)
{
    uint64_t now = time_mono_ms();

    if (b->wakes == 0 || now - b->wakes_ms > MINUTE_MS) {
        b->wakes_ms = now;
        b->wakes = 0;
    }
    if (++b->wakes > WAKES_A_MINUTE)
        b->ping_next_ms = now + (uint64_t)PACE_S * b->second_ms;
}

/* When a look at the folders did not help, not again at once: after 1, 4, 16 s and then the floor. A folder that we
 * have just deleted ourselves may stand in two requests, and must not stop push for a minute. */
static void pause_looks(struct eas_backend *b)
{
    uint64_t next_ms, pause_s;

    pace(b);
    if (b->ping_hierarchies > 0) {
        pause_s = b->ping_hierarchies < 4 ? UINT64_C(1) << (2 * (b->ping_hierarchies - 1)) : b->ping_floor_s;
        next_ms = time_mono_ms() + (pause_s < b->ping_floor_s ? pause_s : b->ping_floor_s) * b->second_ms;
        if (next_ms > b->ping_next_ms)
            b->ping_next_ms = next_ms;
    }
    b->ping_hierarchies++;
}

static bool is_watched(const struct watch_op *w, struct str id)
{
    for (size_t i = 0; i < w->count; i++)
        if (str_eq(w->folders[i].id, id))
            return true;
    return false;
}

/* Changes, but not where: in no folder, or in none by a name that we know. */
static void on_changes_somewhere(struct watch_op *w)
{
    struct err none = {0};

    pause_looks(w->b);
    w->answer.count = 0;
    w->op.reply->watch.everything = true;
    end(w, &none);
}

static void on_changes(struct watch_op *w)
{
    struct eas_backend *b = w->b;
    struct err none = {0};
    size_t known = 0;

    for (size_t i = 0; i < w->answer.count; i++)
        if (is_watched(w, w->answer.ids[i])) {
            eas_folder_get(b, w->answer.ids[i])->woken = true;
            w->answer.ids[known++] = w->answer.ids[i];
        }
    if (known == 0) {
        on_changes_somewhere(w);
        return;
    }
    w->answer.count = known;
    b->ping_hierarchies = 0;
    pace(b);
    end(w, &none);
}

static void correct(struct watch_op *w, int status)
{
    if (++w->corrections > CORRECTIONS_MAX)
        fail(w, ERR_PROTOCOL, "the server is not content with any Ping", status);
    else
        ping(w);
}

static void on_hierarchy(struct watch_op *w)
{
    pause_looks(w->b);
    end_hierarchy(w);
}

static void on_server_error(struct watch_op *w, int status)
{
    static const uint64_t pauses_s[SERVER_RETRIES] = {5, 30, 120};

    if (w->server_errors < SERVER_RETRIES)
        ping_after(w, pauses_s[w->server_errors++] * w->b->second_ms);
    else
        fail(w, ERR_OFFLINE, "the server failed", status);
}

static void on_status(struct watch_op *w, int status)
{
    struct eas_backend *b = w->b;

    switch (status) {
    case STATUS_EXPIRED:
        on_expired(w);
        return;
    case STATUS_CHANGES:
        on_changes(w);
        return;
    case STATUS_HEARTBEAT:
        set_bound(b, w->answer.heartbeat_s);
        correct(w, status);
        return;
    case STATUS_FOLDERS:
        b->ping_folders_max =
            w->answer.max_folders > 0 ? (unsigned)w->answer.max_folders : (unsigned)(w->asked + 1) / 2;
        correct(w, status);
        return;
    case STATUS_HIERARCHY:
        on_hierarchy(w);
        return;
    case STATUS_MISSING: /* we always send everything: somewhere it was lost */
        correct(w, status);
        return;
    case STATUS_SERVER:
        on_server_error(w, status);
        return;
    default:
        fail(w, ERR_PROTOCOL, "the server does not understand the request", status);
    }
}

/* The connection went away, or the answer was no answer. Before the heartbeat was over: something on the way does not
 * like it so long. */
static void on_lost(struct watch_op *w, const struct err *err)
{
    struct eas_backend *b = w->b;

    b->ping_err = *err;
    if (w->losses++ >= LOSSES_MAX) {
        end(w, err);
        return;
    }
    if (time_mono_ms() - w->sent_ms > 1000) {
        b->heartbeat_lost_s = b->heartbeat_s;
        b->heartbeat_lost_ms = time_mono_ms();
        shrink(b);
    }
    ping_after(w, (uint64_t)b->second_ms << (2 * w->losses));
}

static void note_length(struct watch_op *w)
{
    uint64_t length = time_mono_ms() - w->sent_ms;

    w->b->ping_err.code = ERR_NONE;
    if (length > w->b->ping_longest_ms)
        w->b->ping_longest_ms = length;
}

static void on_done(void *ud, const struct err *err)
{
    struct watch_op *w = ud;

    w->parked = false;
    if (err->code == ERR_NONE)
        note_length(w);
    if ((err->code == ERR_OFFLINE && err->retry_after_s == 0) || err->code == ERR_PROTOCOL)
        on_lost(w, err);
    else if (err->code != ERR_NONE)
        end(w, err);
    else
        on_status(w, w->call.empty ? STATUS_EXPIRED : w->call.answer.status);
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static bool is_wanted(struct watch_op *w, struct str id)
{
    struct eas_folder *f = eas_folder_find(w->b, id);
    uint64_t now = time_mono_ms();

    if (!f || !f->synced) /* servers call it an error, or never say anything */
        return false;
    if (f->fruitless >= EAS_FRUITLESS_MAX) { /* it cries wolf: not for a while; the safety poll looks after it */
        f->fruitless = 0;
        f->muted_until_ms = now + MUTED_MS;
    }
    return now >= f->muted_until_ms;
}

static size_t count_wanted(struct watch_op *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++)
        n += is_wanted(w, w->folders[i].id);
    return w->b->ping_folders_max > 0 && n > w->b->ping_folders_max ? w->b->ping_folders_max : n;
}

static bool write_request(void *ud, struct eas_writer *writer, struct err *err)
{
    static const char *const classes[] = {[FOLDER_MAIL] = "Email",
                                          [FOLDER_CALENDAR] = "Calendar",
                                          [FOLDER_TASKS] = "Tasks",
                                          [FOLDER_CONTACTS] = "Contacts",
                                          [FOLDER_OTHER] = "Email"};
    struct watch_op *w = ud;
    size_t left = count_wanted(w);

    (void)err;
    arena_done(&w->arena);
    w->answer = (struct eas_ping_answer){.arena = &w->arena};
    w->asked = left;
    w->sent_ms = time_mono_ms();
    w->parked = true;
    eas_write_open(writer, Ping_Ping);
    eas_write_uint(writer, Ping_HeartbeatInterval, w->b->heartbeat_s);
    eas_write_open(writer, Ping_Folders);
    for (size_t i = 0; i < w->count && left > 0; i++) {
        if (!is_wanted(w, w->folders[i].id))
            continue;
        left--;
        eas_write_open(writer, Ping_Folder);
        eas_write_text(writer, Ping_Id, w->folders[i].id);
        eas_write_text(writer, Ping_Class, str_from(classes[w->folders[i].kind]));
        eas_write_close(writer);
    }
    eas_write_close(writer);
    eas_write_close(writer);
    return true;
}

static const struct eas_request request = {
    .command = EAS_PING, .rules = &eas_ping_rules, .patient = true, .write = write_request, .done = on_done};

static void ping(struct watch_op *w)
{
    struct eas_backend *b = w->b;
    uint64_t now = time_mono_ms();

    if (b->hierarchy || b->upgraded) {
        end_hierarchy(w);
        return;
    }
    if (now < b->ping_next_ms) {
        ping_after(w, b->ping_next_ms - now);
        return;
    }
    if (count_wanted(w) == 0) { /* nothing to watch for now; a muted folder will be back */
        ping_after(w, (uint64_t)b->ping_floor_s * b->second_ms);
        return;
    }
    eas_call_close(&w->call);
    eas_call_init(&w->call, b, &request, w);
    w->call.reader = &w->answer;
    w->call.stall_s = w->call.timeout_s = b->heartbeat_s + TIMEOUT_SLACK_S;
    eas_call_start(&w->call);
}

/* Longer than a refusal takes: the server is content with the Ping. */
#define CONTENT_MS 2000

void eas_push_facts(const struct eas_backend *b, struct backend_facts *ret)
{
    ret->push = "Ping";
    ret->asked_s = b->heartbeat_s;
    ret->longest_s = (unsigned)(b->ping_longest_ms / 1000);
    ret->push_err = b->ping_err;
    LIST_EACH (&b->watches, link) {
        const struct watch_op *w = LIST_ITEM(link, struct watch_op, link);
        uint64_t since = time_mono_ms() - w->sent_ms;

        if (!w->parked || since < CONTENT_MS)
            continue;
        ret->push_open = true;
        ret->push_s = (unsigned)(since / 1000);
    }
}

void eas_watch_refresh(struct eas_backend *b, struct str folder_id)
{
    LIST_EACH (&b->watches, link) {
        struct watch_op *w = LIST_ITEM(link, struct watch_op, link);

        for (size_t i = 0; i < w->count; i++)
            if (str_eq(w->folders[i].id, folder_id)) {
                ping_after(w, 0);
                break;
            }
    }
}

static void start(struct op *op)
{
    struct watch_op *w = (struct watch_op *)op;

    list_append(&w->b->watches, &w->link);
    ping(w);
}

static void stop(struct op *op)
{
    leave((struct watch_op *)op);
}

struct op *eas_watch(struct backend *base, const struct folder_ref *folders, size_t count, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.watch", sizeof(struct watch_op), start, stop};
    struct op *op = op_new(base->loop, &class, cb, ud);
    struct watch_op *w = (struct watch_op *)op;

    w->b = (struct eas_backend *)base;
    list_init(&w->link);
    w->count = count < EAS_PING_FOLDERS_MAX ? count : EAS_PING_FOLDERS_MAX;
    w->folders = arena_array(&op->arena, w->count, sizeof(struct folder_ref));
    for (size_t i = 0; i < w->count; i++)
        w->folders[i] = (struct folder_ref){arena_str(&op->arena, folders[i].id), folders[i].kind};
    return op;
}
