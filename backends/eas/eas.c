/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas.h"

#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_http.h"
#include "backends/eas/eas_write.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define HEARTBEAT_START_S 480
#define HEARTBEAT_MIN_S   30 /* until the server names its own bounds (MS-ASCMD 2.2.3.79.1); gateways wait for 60 s */
#define HEARTBEAT_MAX_S   1680
#define PING_FLOOR_S      60
#define FETCH_BYTES       ((uint64_t)8 << 20)
#define OUTLOOK_COM       "eas.outlook.com"

void eas_add_anchor_cookie(struct eas_backend *b)
{
    struct buf line = BUF_INIT(1024);

    if (str_case_is(eas_http_host(str_from(eas_address(b))), OUTLOOK_COM) && !strpbrk(b->config.email, "; \t\r\n")) {
        buf_printf(&line, "DefaultAnchorMailbox=%s; domain=" OUTLOOK_COM "; path=/; secure", b->config.email);
        http_client_add_cookie(b->http, buf_z(&line));
    }
    buf_done(&line);
}

static void load_synced(struct eas_backend *b);

static struct backend *open_backend(const struct backend_config *config, struct err *err)
{
    struct eas_backend *b = MEM_NEW(struct eas_backend);

    b->base.ops = &eas_backend_ops;
    b->base.loop = config->loop;
    b->config = *config;
    list_init(&b->calls);
    list_init(&b->writes);
    eas_queue_init(&b->syncs, config->loop);
    eas_queue_init(&b->hierarchies, config->loop);
    list_init(&b->folders);
    list_init(&b->watches);
    eas_setup_init(b);
    b->second_ms = 1000;
    b->heartbeat_s = HEARTBEAT_START_S;
    b->heartbeat_min_s = HEARTBEAT_MIN_S;
    b->heartbeat_max_s = HEARTBEAT_MAX_S;
    b->ping_floor_s = PING_FLOOR_S;
    if (!eas_state_load(&b->state, config, err)) {
        eas_state_done(&b->state);
        mem_free(b);
        return NULL;
    }
    b->events_by_sync = b->event_fetch_works = b->state.events_by_sync;
    b->http = http_client_new(config->loop, &(struct http_client_opts){.account = config->name,
                                                                       .user_agent = config->user_agent,
                                                                       .ca_file = config->ca_file,
                                                                       .proxy = config->proxy,
                                                                       .client_cert = config->client_cert,
                                                                       .client_key = config->client_key,
                                                                       .tls_min = config->tls_min,
                                                                       .max_connections = EAS_CONNECTIONS});
    eas_add_anchor_cookie(b);
    load_synced(b);
    eas_apply_version(b);
    return &b->base;
}

static void reconnect(struct backend *base)
{
    ((struct eas_backend *)base)->heartbeat_lost_s = 0;
    http_client_forget_connections(((struct eas_backend *)base)->http);
}

static void close_backend(struct backend *base)
{
    struct eas_backend *b = (struct eas_backend *)base;

    if (!b)
        return;
    eas_writes_done(b);
    eas_setup_done(b);
    eas_queue_done(&b->syncs);
    eas_queue_done(&b->hierarchies);
    eas_trace(base, NULL);
    http_client_free(&b->http);
    while (!list_empty(&b->folders)) {
        struct eas_folder *f = LIST_ITEM(b->folders.next, struct eas_folder, link);

        list_remove(&f->link);
        mem_free(f->id);
        mem_free(f->heard);
        mem_free(f);
    }
    eas_state_done(&b->state);
    mem_free(b);
}

void eas_apply_version(struct eas_backend *b)
{
    unsigned version = b->state.version;

    b->base.caps = (version >= 140 ? CAP_KEYWORDS : 0) | (version >= EAS_DRAFTS_SINCE ? CAP_APPEND_DRAFT : 0) |
                   (version >= 140 && b->remembers_sends ? CAP_SENDS_ONCE : 0) | CAP_CALENDAR | CAP_TASKS | CAP_COARSE |
                   (version >= EAS_SCHEDULING_SINCE ? CAP_SCHEDULING : 0) |
                   (version >= EAS_BUSY_SINCE ? CAP_FREE_BUSY : 0);
    b->base.limits = (struct backend_limits){.sync_page = EAS_WINDOW_DEFAULT,
                                             .fetch_header_batch = EAS_FETCH_BATCH,
                                             .fetch_message_batch = EAS_FETCH_BATCH,
                                             .fetch_message_bytes = FETCH_BYTES,
                                             .fetch_parallel = 2,
                                             .write_batch = EAS_BATCH};
}

void eas_forget_synced(struct eas_backend *b)
{
    LIST_EACH (&b->folders, link)
        LIST_ITEM(link, struct eas_folder, link)->synced = false;
}

void eas_new_epoch(struct eas_backend *b)
{
    struct err err = {0};

    b->state.epoch++;
    eas_forget_synced(b);
    if (!eas_state_save(&b->state, &b->config, &err))
        log_error("eas", b->config.name, "%s", err.text);
}

void eas_health(struct eas_backend *b, const struct err *err)
{
    bool bad = err->code == ERR_AUTH || err->code == ERR_DENIED || err->code == ERR_POLICY;

    if (!bad && err->code != ERR_NONE)
        return; /* the network and single requests say nothing about the account */
    b->troubles += bad;
    if (err->code == b->health)
        return;
    b->health = err->code;
    b->config.host.health(b->config.host.ud, bad ? err : NULL);
}

struct eas_folder *eas_folder_find(struct eas_backend *b, struct str id)
{
    LIST_EACH (&b->folders, link) {
        struct eas_folder *f = LIST_ITEM(link, struct eas_folder, link);

        if (str_is(id, f->id))
            return f;
    }
    return NULL;
}

struct eas_folder *eas_folder_get(struct eas_backend *b, struct str id)
{
    struct eas_folder *f = eas_folder_find(b, id);

    if (f)
        return f;
    if (b->folder_count == EAS_FOLDERS_MAX) {
        f = LIST_ITEM(b->folders.next, struct eas_folder, link); /* the oldest */
        list_remove(&f->link);
        mem_free(f->id);
        mem_free(f->heard);
        *f = (struct eas_folder){0};
    } else {
        f = MEM_NEW(struct eas_folder);
        b->folder_count++;
    }
    f->id = str_dup(id);
    f->window = EAS_WINDOW_DEFAULT;
    list_append(&b->folders, &f->link);
    return f;
}

/* --- for status and doctor --------------------------------------------------------------------------------------- */

/* By MaxEmailAgeFilter, and what MaxCalendarAgeFilter adds (MS-ASPROV 2.2.2.33, 2.2.2.31). */
#define RULES         "the server's rules are acknowledged"
#define EVENTS(since) "events of the last " since " and later only"
#define MAIL_AND(events)                                                                                               \
    RULES ": mail of the last day only" events, RULES ": mail of the last 3 days only" events,                         \
        RULES ": mail of the last week only" events, RULES ": mail of the last 2 weeks only" events,                   \
        RULES ": mail of the last month only" events
#define MAILS 6
static const char *const policy_texts[][MAILS] = {
    [0] = {RULES, MAIL_AND("")},
    [4] = {RULES ": " EVENTS("2 weeks"), MAIL_AND(", " EVENTS("2 weeks"))},
    [5] = {RULES ": " EVENTS("month"), MAIL_AND(", " EVENTS("month"))},
    [6] = {RULES ": " EVENTS("3 months"), MAIL_AND(", " EVENTS("3 months"))},
    [7] = {RULES ": " EVENTS("6 months"), MAIL_AND(", " EVENTS("6 months"))},
};

/* What is acknowledged is not told again: the key stands for it, and the filters (MS-ASCMD 2.2.3.68.2). */
static const char *policy_text(const struct eas_state *state)
{
    size_t events = state->calendar_filter, mail = state->filter;
    bool known = events < sizeof(policy_texts) / sizeof(policy_texts[0]) && mail < MAILS;

    if (state->version == 0)
        return "not known yet";
    if (strcmp(state->policy_key, "0") == 0)
        return "the server has not asked for any so far";
    return known && policy_texts[events][mail] ? policy_texts[events][mail] : RULES;
}

void eas_facts(const struct backend *base, struct backend_facts *ret)
{
    const struct eas_backend *b = (const struct eas_backend *)base;

    *ret = (struct backend_facts){.policy = policy_text(&b->state), .device = b->state.device_id};
    eas_push_facts(b, ret);
}

unsigned eas_filter(const struct eas_backend *b, enum folder_kind kind)
{
    return kind == FOLDER_CALENDAR ? b->state.calendar_filter : kind == FOLDER_TASKS ? 0 : b->state.filter;
}

/* Both age filters as one number: sync states of others are void. */
static unsigned filters(const struct eas_backend *b)
{
    return b->state.filter + 10 * b->state.calendar_filter;
}

/* --- which folders have been synchronised ------------------------------------------------------------------------ */

#define SYNCED_KEY STR("eas.synced")
#define SYNCED_MAX                                                                                                     \
    ((size_t)256 * 1024) /* bytes of the record; folders beyond are watched after their first page of a run */

static void write_partnership(const struct eas_backend *b, struct buf *out)
{
    buf_printf(out, "%s %u %u\n", eas_version_name(b->state.version), b->state.epoch, filters(b));
}

void eas_folder_synced(struct eas_backend *b, struct eas_folder *f)
{
    struct buf record = BUF_INIT(SYNCED_MAX);
    struct err err = {0};

    if (f->synced)
        return;
    f->synced = true;
    write_partnership(b, &record);
    LIST_EACH (&b->folders, link) {
        const struct eas_folder *one = LIST_ITEM(link, struct eas_folder, link);

        if (one->synced && !strchr(one->id, '\n') && record.n + strlen(one->id) + 1 < SYNCED_MAX)
            buf_printf(&record, "%s\n", one->id);
    }
    if (!b->config.host.persist_put(b->config.host.ud, SYNCED_KEY, buf_view(&record), &err))
        log_warn("eas", b->config.name, "%s", err.text); /* costs a Sync after the next start, no more */
    buf_done(&record);
    eas_watch_refresh(b, str_from(f->id));
}

static void load_synced(struct eas_backend *b)
{
    struct buf record = BUF_INIT(SYNCED_MAX), partnership = BUF_INIT(128);
    struct str rest, line;

    write_partnership(b, &partnership);
    if (b->config.host.persist_get(b->config.host.ud, SYNCED_KEY, &record) &&
        str_starts(buf_view(&record), buf_view(&partnership))) {
        rest = str_skip(buf_view(&record), partnership.n);
        while (str_cut(&rest, '\n', &line))
            if (line.n > 0)
                eas_folder_get(b, line)->synced = true;
    }
    buf_done(&record);
    buf_done(&partnership);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

struct eas_sync_options eas_sync_options(const struct eas_backend *b, enum folder_kind kind)
{
    const struct tz *zone = tz_by_name(str_from(b->config.zone));

    return (struct eas_sync_options){.kind = kind,
                                     .tmp_dir = b->config.tmp_dir,
                                     .message_limit = b->config.message_limit,
                                     .truncation = EAS_TRUNCATION,
                                     .version = b->state.version,
                                     .zone = zone ? zone : tz_utc(),
                                     .me = str_from(b->config.email)};
}

/* --- cursors ----------------------------------------------------------------------------------------------------- */

bool eas_cursor_read(const struct eas_backend *b, struct str cursor, struct str *ret_key)
{
    struct buf prefix = BUF_INIT(128);
    bool ok;

    buf_printf(&prefix, "1 %s %u %u ", eas_version_name(b->state.version), b->state.epoch, filters(b));
    ok = str_starts(cursor, buf_view(&prefix)) && cursor.n > prefix.n;
    if (ok)
        *ret_key = str_skip(cursor, prefix.n);
    buf_done(&prefix);
    return ok;
}

struct str eas_cursor_write(const struct eas_backend *b, struct arena *arena, struct str key)
{
    return arena_printf(arena, "1 %s %u %u %.*s", eas_version_name(b->state.version), b->state.epoch, filters(b),
                        STR_ARG(key));
}

const struct backend_ops eas_backend_ops = {
    .name = "eas",
    .open = open_backend,
    .close = close_backend,
    .reconnect = reconnect,
    .facts = eas_facts,
    .trace = eas_trace,
    .login = eas_login,
    .folders = eas_folders,
    .sync = eas_sync,
    .fetch = eas_fetch,
    .watch = eas_watch,
    .flag = eas_flag,
    .move = eas_move,
    .remove = eas_remove,
    .append = eas_append,
    .send = eas_send,
    .folder_create = eas_folder_create,
    .folder_change = eas_folder_change,
    .folder_remove = eas_folder_remove,
    .sync_events = eas_sync_events,
    .event_fetch = eas_event_fetch,
    .event_put = eas_event_put,
    .event_remove = eas_event_remove,
    .event_respond = eas_event_respond,
    .event_attachment = eas_event_attachment,
    .free_busy = eas_free_busy,
};
