/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives the EWS backend by itself, without core or store: commands on stdin, one a line; JSON objects on stdout, one a
 * line.
 *
 *   ews_driver --url URL --user NAME --password-file FILE --email ADDRESS [--persist DIR] [--out DIR] [--mailbox
 * ADDRESS]
 *              [--impersonate] [--passthrough] [--fast] [--limit BYTES] [--stream-minutes N]
 *
 *   login [PASSWORD]          folders [CURSOR]           sync FOLDER [CURSOR]      one page
 *   syncall FOLDER            all pages; the ids are kept
 *   fetch header|message ID...                           one request
 *   fetchall header|message [COUNT]                      the ids kept, in batches, four requests at once
 *   watch FOLDER...           does not block; an answer comes as {"event":"watch",...}
 *   unwatch                   cancels it
 *   cancel-on-item            the next fetch is cancelled by its first item
 *   quit
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/common/login.h"
#include "backends/ews/ews.h"
#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "tests/driver/driver_json.h"

#define PARALLEL 4

struct slot {
    struct driver *driver;
    struct op *op;
    size_t from, count;
};

struct driver {
    struct loop *loop;
    struct loop_fd *input;
    struct buf line;
    struct login *login;
    struct backend *backend;
    struct op *op, *watch;
    const struct folder_ref *watched;
    size_t watched_count;
    bool subscribed;    /* what was missed before that has been told */
    struct arena arena; /* of the ids kept */
    struct str *ids;
    size_t id_count, id_room;
    struct str folder;
    char *cursor;
    unsigned pages;
    struct slot slots[PARALLEL];
    enum fetch_what what;
    size_t next, last, running, files;
    bool cancel_on_item, quit, ended, busy;
    const char *out_dir, *persist_dir;
    struct buf json;
};

/* --- helpers ------------------------------------------------------------------------------------- */

static void begin(struct driver *d, const char *event)
{
    driver_begin(&d->json, event);
}

static void end(struct driver *d)
{
    driver_end(&d->json);
}

static void next_command(struct driver *d);

static void done(struct driver *d)
{
    d->busy = false;
    next_command(d);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void on_login(void *ud, const struct reply *r)
{
    struct driver *d = ud;
    d->op = NULL;
    begin(d, "login");
    driver_err(&d->json, &r->err);
    if (r->err.code == ERR_NONE) {
        driver_key(&d->json, "user", r->login.user);
        driver_key(&d->json, "server", r->login.server);
    }
    end(d);
    done(d);
}

static void on_folders(void *ud, const struct reply *r)
{
    struct driver *d = ud;
    d->op = NULL;
    begin(d, "folders");
    driver_folders(&d->json, r);
    end(d);
    done(d);
}

static void keep_id(struct driver *d, struct str id)
{
    if (d->id_count == d->id_room) {
        d->id_room = d->id_room ? d->id_room * 2 : 64;
        d->ids = mem_realloc(d->ids, d->id_room * sizeof(*d->ids));
    }
    d->ids[d->id_count++] = arena_str(&d->arena, id);
}

static void json_item(struct buf *b, const struct item_info *i)
{
    buf_printf(b, "{\"gone\":%s,\"unread\":%s", i->gone ? "true" : "false", i->unread ? "true" : "false");
    driver_key(b, "id", i->id);
    driver_key(b, "change", i->change);
    buf_printf(b, ",\"flags\":%u,\"known\":%u,\"size\":%llu,\"content_changed\":%s", i->flags, i->flags_known,
               (unsigned long long)i->size_estimate, i->content_changed ? "true" : "false");
    if (i->received_ms != TIME_NONE)
        buf_printf(b, ",\"received\":%lld", (long long)i->received_ms);
    driver_key(b, "message_id", i->message_id);
    driver_key(b, "subject", i->subject);
    if (i->categories_known) {
        buf_lit(b, ",\"categories\":[");
        for (size_t k = 0; k < i->category_count; k++) {
            if (k)
                buf_byte(b, ',');
            driver_string(b, i->categories[k]);
        }
        buf_byte(b, ']');
    }
    buf_byte(b, '}');
}

static void json_page(struct driver *d, const struct reply *r)
{
    begin(d, "sync");
    driver_err(&d->json, &r->err);
    if (r->err.code == ERR_NONE) {
        driver_key(&d->json, "cursor", r->items.cursor);
        buf_printf(&d->json, ",\"more\":%s,\"restarted\":%s,\"list\":[", r->items.more ? "true" : "false",
                   r->items.restarted ? "true" : "false");
        for (size_t i = 0; i < r->items.count; i++) {
            if (i)
                buf_byte(&d->json, ',');
            json_item(&d->json, &r->items.list[i]);
        }
        buf_lit(&d->json, "]");
    }
    end(d);
}

static void on_page(void *ud, const struct reply *r)
{
    struct driver *d = ud;
    d->op = NULL;
    json_page(d, r);
    done(d);
}

static void on_all_pages(void *ud, const struct reply *r)
{
    struct driver *d = ud;
    d->op = NULL;
    d->pages++;
    for (size_t i = 0; r->err.code == ERR_NONE && i < r->items.count; i++)
        if (!r->items.list[i].gone)
            keep_id(d, r->items.list[i].id);
    if (r->err.code == ERR_NONE && r->items.more) {
        mem_free(d->cursor);
        d->cursor = str_dup(r->items.cursor);
        d->op = backend_sync(d->backend, d->folder, str_from(d->cursor), on_all_pages, d);
        return;
    }
    begin(d, "syncall");
    driver_err(&d->json, &r->err);
    buf_printf(&d->json, ",\"count\":%zu,\"pages\":%u", d->id_count, d->pages);
    if (r->err.code == ERR_NONE)
        driver_key(&d->json, "cursor", r->items.cursor);
    end(d);
    done(d);
}

static void json_fetched(struct driver *d, struct str id, const struct fetched *f)
{
    begin(d, "item");
    driver_err(&d->json, f->err);
    driver_key(&d->json, "id", id);
    driver_key(&d->json, "what", f->what == FETCH_HEADER ? STR("header") : STR("message"));
    if (f->content) {
        char path[512];
        struct err err = {0};
        snprintf(path, sizeof(path), "%s/%zu", d->out_dir ? d->out_dir : "/tmp", d->files++);
        if (d->out_dir && !blob_save(f->content, path, &err))
            fprintf(stderr, "%s\n", err.text);
        buf_printf(&d->json, ",\"size\":%llu,\"synthesised\":%s", (unsigned long long)blob_size(f->content),
                   f->synthesised ? "true" : "false");
        driver_key(&d->json, "path", str_from(path));
    }
    end(d);
}

static void more_slots(struct driver *d);

static void on_slot_item(void *ud, const struct fetched *f)
{
    struct slot *s = ud;
    struct driver *d = s->driver;
    json_fetched(d, d->ids[s->from + f->index], f);
    if (d->cancel_on_item) {
        d->cancel_on_item = false;
        op_cancel(&s->op);
        d->running--;
        begin(d, "cancelled");
        buf_printf(&d->json, ",\"ops\":%zu", op_live_count());
        end(d);
        done(d);
    }
}

static void on_slot(void *ud, const struct reply *r)
{
    struct slot *s = ud;
    struct driver *d = s->driver;
    s->op = NULL;
    d->running--;
    begin(d, "batch");
    driver_err(&d->json, &r->err);
    buf_printf(&d->json, ",\"from\":%zu,\"count\":%zu", s->from, s->count);
    end(d);
    more_slots(d);
}

static void more_slots(struct driver *d)
{
    size_t batch =
        d->what == FETCH_HEADER ? d->backend->limits.fetch_header_batch : d->backend->limits.fetch_message_batch;
    for (size_t i = 0; i < d->backend->limits.fetch_parallel && i < PARALLEL && d->next < d->last; i++) {
        struct slot *s = &d->slots[i];
        if (s->op)
            continue;
        s->driver = d;
        s->from = d->next;
        s->count = d->last - d->next < batch ? d->last - d->next : batch;
        d->next += s->count;
        d->running++;
        struct fetch_request request = {d->folder, d->ids + s->from, s->count, d->what, on_slot_item};
        s->op = backend_fetch(d->backend, &request, on_slot, s);
    }
    if (d->running == 0 && d->next >= d->last) {
        begin(d, "fetched");
        end(d);
        done(d);
    }
}

static void on_watch(void *ud, const struct reply *r)
{
    struct driver *d = ud;
    d->watch = NULL;
    if (!d->subscribed && r->err.code == ERR_NONE && r->watch.everything && r->watch.missed_until_ms &&
        !r->watch.count) {
        d->subscribed = true; /* nobody has asked for anything before: on as the core does */
        d->watch = backend_watch(d->backend, d->watched, d->watched_count, on_watch, d);
        return;
    }
    begin(d, "watch");
    driver_err(&d->json, &r->err);
    if (r->err.code == ERR_NONE) {
        buf_printf(&d->json, ",\"hierarchy\":%s,\"everything\":%s,\"folders\":[", r->watch.hierarchy ? "true" : "false",
                   r->watch.everything ? "true" : "false");
        for (size_t i = 0; i < r->watch.count; i++) {
            if (i)
                buf_byte(&d->json, ',');
            driver_string(&d->json, r->watch.folder_ids[i]);
        }
        buf_lit(&d->json, "]");
    }
    end(d);
}

/* --- commands ------------------------------------------------------------------------------------ */

static size_t words(struct driver *d, struct str rest, struct str **ret_list)
{
    size_t before = d->id_count;
    while (rest.n)
        keep_id(d, driver_word(&rest));
    *ret_list = d->ids + before;
    return d->id_count - before;
}

static void run(struct driver *d, struct str line)
{
    struct str *list;
    struct str command = driver_word(&line);
    d->busy = true;
    if (str_is(command, "login")) {
        d->op = backend_login(d->backend, line, on_login, d);
    } else if (str_is(command, "folders")) {
        d->op = backend_folders(d->backend, line, on_folders, d);
    } else if (str_is(command, "sync")) {
        struct str folder = driver_word(&line);
        d->op = backend_sync(d->backend, folder, line, on_page, d);
    } else if (str_is(command, "syncall")) {
        d->folder = arena_str(&d->arena, line);
        d->id_count = 0;
        d->pages = 0;
        d->op = backend_sync(d->backend, d->folder, STR_NULL, on_all_pages, d);
    } else if (str_is(command, "fetch") || str_is(command, "fetchall")) {
        struct str what = driver_word(&line);
        d->what = str_is(what, "header") ? FETCH_HEADER : FETCH_MESSAGE;
        d->next = 0;
        if (str_is(command, "fetch")) {
            d->id_count = 0;
            words(d, line, &list);
            d->last = d->id_count;
        } else {
            uint64_t most;
            d->last = str_to_u64(line, &most) && most < d->id_count ? (size_t)most : d->id_count;
        }
        more_slots(d);
    } else if (str_is(command, "watch")) {
        size_t before = d->id_count;
        size_t n = words(d, line, &list);
        struct folder_ref *folders = arena_array(&d->arena, n + 1, sizeof(*folders));
        for (size_t i = 0; i < n; i++)
            folders[i] = (struct folder_ref){list[i], FOLDER_MAIL};
        d->watched = folders;
        d->watched_count = n;
        d->watch = backend_watch(d->backend, folders, n, on_watch, d);
        d->id_count = before;
        d->busy = false;
    } else {
        d->cancel_on_item = d->cancel_on_item || str_is(command, "cancel-on-item");
        d->quit = d->quit || str_is(command, "quit");
        if (str_is(command, "unwatch"))
            op_cancel(&d->watch);
        d->busy = false;
    }
}

static void next_command(struct driver *d)
{
    size_t end_of_line;
    while (!d->busy && !d->quit && (end_of_line = str_find_byte(buf_view(&d->line), '\n')) != (size_t)-1) {
        char *copy = str_dup(str_sub(buf_view(&d->line), 0, end_of_line));
        buf_consume(&d->line, end_of_line + 1);
        run(d, str_from(copy));
        mem_free(copy);
    }
    if (d->quit || (d->ended && !d->busy))
        loop_stop(d->loop);
}

static void on_input(void *ud)
{
    struct driver *d = ud;
    char bytes[65536];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        d->ended = true;
        loop_fd_free(&d->input);
    } else {
        buf_add(&d->line, bytes, (size_t)n);
    }
    next_command(d);
}

/* --- what the account would lend ----------------------------------------------------------------- */

static bool persist_put(void *ud, struct str key, struct str value, struct err *err)
{
    return driver_file_put(((struct driver *)ud)->persist_dir, key, value, err);
}

static bool persist_get(void *ud, struct str key, struct buf *out)
{
    return driver_file_get(((struct driver *)ud)->persist_dir, key, out);
}

static void on_health(void *ud, const struct err *err)
{
    struct driver *d = ud;
    begin(d, "health");
    struct err none = {0};
    driver_err(&d->json, err ? err : &none);
    end(d);
}

static void go_fast(struct ews *e)
{
    e->tuning.patience = (struct ews_patience){.tries = 3, .first_ms = 20, .busy_ms = 50, .wait_max_ms = 4000};
    e->tuning.stall_s = 3;
    e->tuning.timeout_s = 5;
    e->tuning.slow_ms = 2500;
    e->tuning.stream_minutes = 1;
    e->tuning.stream_first_ms = 1000;
    e->tuning.stream_gap_ms = 200;
    e->tuning.stream_linger_ms = 5000;
    e->tuning.stream_retry_ms = 500;
    e->tuning.stream_again_ms = 3000;
    e->tuning.auth_pause_ms = 50;
    e->tuning.settle_ms = 3000;
}

struct options {
    struct login_opts login;
    struct backend_config config;
    bool fast;
    unsigned minutes;
};

static bool read_options(int argc, char **argv, struct driver *d, struct options *o)
{
    static const struct option options[] = {
        {"url", 1, NULL, 'u'},         {"user", 1, NULL, 'n'},    {"password-file", 1, NULL, 'p'},
        {"email", 1, NULL, 'e'},       {"persist", 1, NULL, 's'}, {"out", 1, NULL, 'o'},
        {"mailbox", 1, NULL, 'm'},     {"limit", 1, NULL, 'l'},   {"stream-minutes", 1, NULL, 't'},
        {"ca-file", 1, NULL, 'c'},     {"fast", 0, NULL, 'f'},    {"impersonate", 0, NULL, 'i'},
        {"passthrough", 0, NULL, 'P'}, {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const struct {
            int option;
            const char **to;
        } strings[] = {
            {'u', &o->config.url},  {'n', &o->login.user}, {'p', &o->login.command_or_file}, {'e', &o->config.email},
            {'s', &d->persist_dir}, {'o', &d->out_dir},    {'m', &o->config.mailbox},        {'c', &o->config.ca_file},
        };
        bool found = false;
        for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
            if (strings[i].option == c) {
                *strings[i].to = optarg;
                found = true;
            }
        }
        if (c == 'l')
            o->config.message_limit = strtoull(optarg, NULL, 10);
        else if (c == 't')
            o->minutes = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'f')
            o->fast = true;
        else if (c == 'i')
            o->config.impersonate = true;
        else if (c == 'P')
            o->login.source = LOGIN_PASSTHROUGH;
        else if (!found)
            return false;
    }
    return true;
}

static void init(struct driver *d, struct options *o)
{
    *d = (struct driver){.loop = loop_new()};
    buf_init(&d->line, 64 << 20);
    buf_init(&d->json, 64 << 20);
    *o = (struct options){
        .login = {.name = "test", .auth = HTTP_AUTH_BASIC, .source = LOGIN_FILE, .max_requests = 8},
        .config = {.name = "test",
                   .user_agent = "ews_driver",
                   .tls_min = 0x0303,
                   .tmp_dir = "/tmp",
                   .message_limit = UINT64_C(200) << 20,
                   .loop = d->loop,
                   .host = {d, persist_put, persist_get, NULL, on_health, NULL}},
    };
}

static void stop(struct driver *d)
{
    op_cancel(&d->op);
    op_cancel(&d->watch);
    for (size_t i = 0; i < PARALLEL; i++)
        op_cancel(&d->slots[i].op);
    begin(d, "end");
    buf_printf(&d->json, ",\"ops\":%zu", op_live_count());
    d->backend->ops->close(d->backend);
    end(d);
    login_free(&d->login);
    loop_fd_free(&d->input);
    loop_free(d->loop);
    arena_done(&d->arena);
    mem_free(d->ids);
    mem_free(d->cursor);
    buf_done(&d->line);
    buf_done(&d->json);
}

int main(int argc, char **argv)
{
    struct driver d;
    struct options o;
    struct err err = {0};
    init(&d, &o);
    if (!read_options(argc, argv, &d, &o))
        return 2;
    log_set_level(LOG_LEVEL_DEBUG);
    o.config.login = d.login = login_new(d.loop, &o.login);
    d.backend = ews_ops.open(&o.config, &err);
    if (!d.backend) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct ews *e = (struct ews *)d.backend;
    if (o.fast)
        go_fast(e);
    if (o.minutes)
        e->tuning.stream_minutes = o.minutes;
    d.input = loop_fd_new(d.loop, STDIN_FILENO, on_input, &d);
    loop_run(d.loop);
    stop(&d);
    return 0;
}
