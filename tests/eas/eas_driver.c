/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives the EAS backend by itself, without core or store: commands on stdin, one a line; JSON objects on stdout, one a
 * line.
 *
 *   eas_driver --url URL --user NAME --password-file FILE --email ADDRESS --out DIR --persist DIR [--passthrough]
 * [--fast]
 *              [--limit BYTES] [--provision ask|accept|refuse] [--heartbeat S] [--junk NAME] [--archive NAME]
 * [--ca-file FILE]
 *
 *   login [PASSWORD]          folders [CURSOR]           sync FOLDER [CURSOR]      one page
 *   syncall FOLDER [CURSOR]   all pages; the ids are kept
 *   kind mail|calendar|tasks  of the folders named from here on
 *   events FOLDER ID...       event_fetch
 *   fetch FOLDER header|message ID...                    one request to the backend
 *   fetchall header|message [COUNT]                      the ids kept, in the backend's batches
 *   watch FOLDER...           does not block; the answer comes as {"event":"watch",...}
 *   unwatch                   cancels it
 *   cancel-on-item            the next fetch is cancelled by its first item
 *   begin-sync FOLDER CURSOR  starts a page and does not wait; cancel-sync cancels it
 *   begin COMMAND             one of tests/driver/driver_writes.h or driver_events.h, without waiting for its answer
 *   no-commit, commit         whether sync states count as committed by the core
 *   quit
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/common/login.h"
#include "backends/eas/eas.h"
#include "backends/eas/eas_backend.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "tests/driver/driver_events.h"

struct driver {
    struct loop *loop;
    struct loop_fd *input;
    struct buf line, json;
    struct login *login;
    struct backend *backend;
    struct op *op, *watch, *sync;
    struct arena arena; /* of the ids kept */
    struct str *ids;
    size_t id_count, id_room;
    struct str folder;
    char *cursor;
    unsigned pages;
    bool one_page;
    enum folder_kind kind;
    enum fetch_what what;
    size_t from, next, last, files;
    bool cancel_on_item, no_commit, quit, ended, busy;
    struct driver_writes writes;
    const char *out_dir, *persist_dir;
};

static void next_command(struct driver *d);
static void next_batch(struct driver *d);

/* --- helpers ----------------------------------------------------------------------------------------------------- */

static void begin(struct driver *d, const char *event)
{
    driver_begin(&d->json, event);
}

static void end(struct driver *d)
{
    driver_end(&d->json);
}

static void done(struct driver *d)
{
    d->busy = false;
    next_command(d);
}

/* As the core does with what a page or a listing brought, unless `no-commit` plays a core that could not. */
static void commit(struct driver *d, struct str folder_id, struct str cursor)
{
    struct err err = {0};
    char key[1200];

    snprintf(key, sizeof(key), "cursor.%.*s", STR_ARG(folder_id));
    if (!d->no_commit && !driver_file_put(d->persist_dir, str_from(key), cursor, &err))
        fprintf(stderr, "%s\n", err.text);
}

/* Content as a file of its own: {"header":{"size":n,"path":"..."}}. */
static void json_blob(struct driver *d, const char *key, const struct blob *blob)
{
    struct err err = {0};
    char path[512];

    if (!blob)
        return;
    snprintf(path, sizeof(path), "%s/%zu", d->out_dir, d->files++);
    if (!blob_save(blob, path, &err))
        fprintf(stderr, "%s\n", err.text);
    buf_printf(&d->json, ",\"%s\":{\"size\":%llu", key, (unsigned long long)blob_size(blob));
    driver_key(&d->json, "path", str_from(path));
    buf_byte(&d->json, '}');
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

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
    if (r->err.code == ERR_NONE)
        commit(d, STR_NULL, r->folders.cursor);
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

/* As a client would get it. */
static void json_event(struct driver *d, const struct event *e)
{
    static const struct ical_options options = {.zone = {"Europe/Berlin", 13}};
    struct buf text = BUF_INIT(0);

    ical_write(&text, e, &options, STR_NULL);
    driver_key(&d->json, "ical", buf_view(&text));
    buf_done(&text);
}

static void json_item(struct driver *d, const struct item_info *i)
{
    struct buf *b = &d->json;

    buf_printf(b, "{\"gone\":%s", i->gone ? "true" : "false");
    driver_bool(b, "left_window", i->left_window);
    driver_bool(b, "unread", i->unread);
    driver_bool(b, "content_changed", i->content_changed);
    driver_bool(b, "size_exact", i->size_exact);
    driver_key(b, "id", i->id);
    buf_printf(b, ",\"flags\":%u,\"known\":%u,\"size\":%llu", i->flags, i->flags_known,
               (unsigned long long)i->size_estimate);
    if (i->received_ms != TIME_NONE)
        buf_printf(b, ",\"received\":%lld", (long long)i->received_ms);
    driver_key(b, "subject", i->subject);
    if (i->categories_known)
        driver_list(b, "categories", i->categories, i->category_count);
    json_blob(d, "header", i->header);
    json_blob(d, "message", i->message);
    if (i->event)
        json_event(d, i->event);
    buf_byte(b, '}');
}

static void json_page(struct driver *d, const struct reply *r)
{
    begin(d, "sync");
    driver_err(&d->json, &r->err);
    if (r->err.code == ERR_NONE) {
        driver_key(&d->json, "cursor", r->items.cursor);
        driver_bool(&d->json, "more", r->items.more);
        driver_bool(&d->json, "restarted", r->items.restarted);
        buf_lit(&d->json, ",\"list\":[");
        for (size_t i = 0; i < r->items.count; i++) {
            if (i > 0)
                buf_byte(&d->json, ',');
            json_item(d, &r->items.list[i]);
        }
        buf_byte(&d->json, ']');
    }
    end(d);
}

static void on_page(void *ud, const struct reply *r);

static void ask_page(struct driver *d, struct str cursor)
{
    d->op = d->kind == FOLDER_MAIL ? backend_sync(d->backend, d->folder, cursor, on_page, d)
                                   : backend_sync_events(d->backend, d->folder, d->kind, cursor, NULL, on_page, d);
}

static void on_page(void *ud, const struct reply *r)
{
    struct driver *d = ud;
    bool more = r->err.code == ERR_NONE && r->items.more && !d->one_page;

    d->op = NULL;
    if (r->err.code == ERR_NONE)
        commit(d, d->folder, r->items.cursor);
    d->pages++;
    for (size_t i = 0; r->err.code == ERR_NONE && i < r->items.count; i++)
        if (!r->items.list[i].gone)
            keep_id(d, r->items.list[i].id);
    json_page(d, r);
    if (more) {
        mem_free(d->cursor);
        d->cursor = str_dup(r->items.cursor);
        ask_page(d, str_from(d->cursor));
        return;
    }
    if (!d->one_page) {
        begin(d, "synced");
        driver_err(&d->json, &r->err);
        buf_printf(&d->json, ",\"count\":%zu,\"pages\":%u", d->id_count, d->pages);
        end(d);
    }
    done(d);
}

static void on_begun(void *ud, const struct reply *r)
{
    struct driver *d = ud;

    d->sync = NULL;
    json_page(d, r);
}

static void on_item(void *ud, const struct fetched *f)
{
    struct driver *d = ud;

    begin(d, "item");
    driver_err(&d->json, f->err);
    driver_key(&d->json, "id", d->ids[d->from + f->index]);
    driver_key(&d->json, "what", f->what == FETCH_HEADER ? STR("header") : STR("message"));
    driver_bool(&d->json, "synthesised", f->synthesised);
    json_blob(d, "content", f->content);
    end(d);
    if (!d->cancel_on_item)
        return;
    d->cancel_on_item = false;
    op_cancel(&d->op);
    begin(d, "fetched");
    driver_key(&d->json, "err", STR("cancelled"));
    buf_printf(&d->json, ",\"ops\":%zu", op_live_count());
    end(d);
    done(d);
}

static void on_batch(void *ud, const struct reply *r)
{
    struct driver *d = ud;

    d->op = NULL;
    if (r->err.code != ERR_NONE || d->next >= d->last) {
        begin(d, "fetched");
        driver_err(&d->json, &r->err);
        end(d);
        done(d);
        return;
    }
    next_batch(d);
}

static void next_batch(struct driver *d)
{
    size_t batch =
        d->what == FETCH_HEADER ? d->backend->limits.fetch_header_batch : d->backend->limits.fetch_message_batch;
    struct fetch_request request = {.folder_id = d->folder, .what = d->what, .on_item = on_item};

    d->from = d->next;
    request.ids = d->ids + d->from;
    request.count = d->last - d->from < batch ? d->last - d->from : batch;
    d->next += request.count;
    d->op = backend_fetch(d->backend, &request, on_batch, d);
}

static void on_watch(void *ud, const struct reply *r)
{
    struct driver *d = ud;
    struct eas_backend *b = (struct eas_backend *)d->backend;

    d->watch = NULL;
    begin(d, "watch");
    driver_err(&d->json, &r->err);
    buf_printf(&d->json, ",\"heartbeat\":%u", b->heartbeat_s);
    if (r->err.code == ERR_NONE) {
        driver_bool(&d->json, "hierarchy", r->watch.hierarchy);
        driver_bool(&d->json, "everything", r->watch.everything);
        driver_list(&d->json, "folders", r->watch.folder_ids, r->watch.count);
    }
    end(d);
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static void begin_pages(struct driver *d, struct str line, bool one_page)
{
    d->folder = arena_str(&d->arena, driver_word(&line));
    d->one_page = one_page;
    d->id_count = 0;
    d->pages = 0;
    ask_page(d, line);
}

static void on_events(void *ud, const struct reply *r)
{
    struct driver *d = ud;

    d->op = NULL;
    begin(d, "events");
    driver_err(&d->json, &r->err);
    buf_lit(&d->json, ",\"list\":[");
    for (size_t i = 0; r->err.code == ERR_NONE && i < r->events.count; i++) {
        buf_lit(&d->json, i ? ",{\"id\":" : "{\"id\":");
        driver_string(&d->json, d->ids[i]);
        driver_err(&d->json, &r->events.each[i]);
        if (r->events.each[i].code == ERR_NONE)
            json_event(d, r->events.list[i].event);
        buf_byte(&d->json, '}');
    }
    buf_byte(&d->json, ']');
    end(d);
    done(d);
}

static void begin_events(struct driver *d, struct str line)
{
    d->folder = arena_str(&d->arena, driver_word(&line));
    d->id_count = 0;
    while (line.n > 0)
        keep_id(d, driver_word(&line));
    d->op = backend_event_fetch(d->backend, d->folder, d->kind, d->ids, d->id_count, on_events, d);
}

static enum folder_kind kind_of(struct str name)
{
    return str_is(name, "calendar") ? FOLDER_CALENDAR : str_is(name, "tasks") ? FOLDER_TASKS : FOLDER_MAIL;
}

static void begin_fetch(struct driver *d, struct str line, bool all)
{
    uint64_t most;

    if (!all)
        d->folder = arena_str(&d->arena, driver_word(&line));
    d->what = str_is(driver_word(&line), "header") ? FETCH_HEADER : FETCH_MESSAGE;
    d->next = 0;
    if (!all) {
        d->id_count = 0;
        while (line.n > 0)
            keep_id(d, driver_word(&line));
    }
    d->last = all && str_to_u64(line, &most) && most < d->id_count ? (size_t)most : d->id_count;
    if (d->last == 0)
        abort();
    next_batch(d);
}

static void begin_watch(struct driver *d, struct str line)
{
    struct folder_ref folders[64];
    size_t n = 0;

    while (line.n > 0 && n < 64)
        folders[n++] = (struct folder_ref){driver_word(&line), d->kind};
    d->watch = backend_watch(d->backend, folders, n, on_watch, d);
}

static void run(struct driver *d, struct str line)
{
    struct str whole = line, command = driver_word(&line);
    bool parallel = str_is(command, "begin");

    d->busy = !parallel;
    if (driver_write(&d->writes, parallel ? line : whole) || driver_event(&d->writes, parallel ? line : whole))
        return;
    d->busy = true;
    if (str_is(command, "login")) {
        d->op = backend_login(d->backend, line, on_login, d);
    } else if (str_is(command, "folders")) {
        d->op = backend_folders(d->backend, line, on_folders, d);
    } else if (str_is(command, "sync") || str_is(command, "syncall")) {
        begin_pages(d, line, str_is(command, "sync"));
    } else if (str_is(command, "events")) {
        begin_events(d, line);
    } else if (str_is(command, "fetch") || str_is(command, "fetchall")) {
        begin_fetch(d, line, str_is(command, "fetchall"));
    } else {
        d->busy = false;
        if (str_is(command, "kind"))
            d->kind = kind_of(line);
        if (str_is(command, "watch"))
            begin_watch(d, line);
        if (str_is(command, "unwatch"))
            op_cancel(&d->watch);
        if (str_is(command, "begin-sync")) {
            struct str folder = driver_word(&line);

            d->sync = backend_sync(d->backend, folder, line, on_begun, d);
        }
        if (str_is(command, "cancel-sync"))
            op_cancel(&d->sync);
        d->cancel_on_item = d->cancel_on_item || str_is(command, "cancel-on-item");
        if (str_is(command, "commit") || str_is(command, "no-commit"))
            d->no_commit = str_is(command, "no-commit");
        d->quit = d->quit || str_is(command, "quit");
    }
}

static void commit_page(void *ud, struct str folder_id, struct str cursor)
{
    commit(ud, folder_id, cursor);
}

static void on_written(void *ud)
{
    done(ud);
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

/* --- what the account would lend --------------------------------------------------------------------------------- */

static bool persist_put(void *ud, struct str key, struct str value, struct err *err)
{
    return driver_file_put(((struct driver *)ud)->persist_dir, key, value, err);
}

static bool persist_get(void *ud, struct str key, struct buf *out)
{
    return driver_file_get(((struct driver *)ud)->persist_dir, key, out);
}

static bool committed(void *ud, struct str folder_id, struct buf *out)
{
    char key[1200];

    snprintf(key, sizeof(key), "cursor.%.*s", STR_ARG(folder_id));
    return driver_file_get(((struct driver *)ud)->persist_dir, str_from(key), out);
}

static void on_health(void *ud, const struct err *err)
{
    static const struct err none;
    struct driver *d = ud;

    begin(d, "health");
    driver_err(&d->json, err ? err : &none);
    end(d);
}

static void on_wipe(void *ud, const char *why)
{
    struct driver *d = ud;

    begin(d, "wipe");
    driver_key(&d->json, "why", str_from(why));
    end(d);
}

struct arguments {
    struct login_opts login;
    struct backend_config config;
    bool fast;
    unsigned heartbeat_s;
};

static bool read_arguments(int argc, char **argv, struct driver *d, struct arguments *a)
{
    enum {
        URL = 1,
        USER,
        PASSWORD,
        EMAIL,
        PERSIST,
        OUT,
        PASSTHROUGH,
        FAST,
        LIMIT,
        POLICY,
        HEARTBEAT,
        JUNK,
        ARCHIVE,
        CA
    };
    static const struct option options[] = {
        {"url", 1, NULL, URL},
        {"user", 1, NULL, USER},
        {"email", 1, NULL, EMAIL},
        {"password-file", 1, NULL, PASSWORD},
        {"out", 1, NULL, OUT},
        {"persist", 1, NULL, PERSIST},
        {"fast", 0, NULL, FAST},
        {"passthrough", 0, NULL, PASSTHROUGH},
        {"limit", 1, NULL, LIMIT},
        {"provision", 1, NULL, POLICY},
        {"junk", 1, NULL, JUNK},
        {"heartbeat", 1, NULL, HEARTBEAT},
        {"archive", 1, NULL, ARCHIVE},
        {"ca-file", 1, NULL, CA},
        {NULL, 0, NULL, 0},
    };
    static const char *const answers[] = {"ask", "accept", "refuse"};
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const char **text[CA + 1] = {[URL] = &a->config.url,        [USER] = &a->login.user,
                                     [EMAIL] = &a->config.email,    [PASSWORD] = &a->login.command_or_file,
                                     [OUT] = &d->out_dir,           [PERSIST] = &d->persist_dir,
                                     [JUNK] = &a->config.junk_name, [ARCHIVE] = &a->config.archive_name,
                                     [CA] = &a->config.ca_file};

        if (o < 1 || o > CA)
            return false;
        if (text[o])
            *text[o] = optarg;
        else if (o == PASSTHROUGH)
            a->login.source = LOGIN_PASSTHROUGH;
        else if (o == FAST)
            a->fast = true;
        else if (o == LIMIT)
            a->config.message_limit = strtoull(optarg, NULL, 10);
        else if (o == HEARTBEAT)
            a->heartbeat_s = (unsigned)atoi(optarg);
        for (int i = 0; o == POLICY && i < 3; i++)
            if (strcmp(optarg, answers[i]) == 0)
                a->config.provision = i;
    }
    return a->config.url && a->config.email && a->login.user && d->out_dir && d->persist_dir;
}

static void close_all(struct driver *d)
{
    op_cancel(&d->op);
    op_cancel(&d->watch);
    op_cancel(&d->sync);
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
    struct driver d = {.loop = loop_new(), .line = BUF_INIT((size_t)64 << 20), .json = BUF_INIT((size_t)64 << 20)};
    struct arguments a = {
        .login = {.name = "test", .auth = HTTP_AUTH_BASIC, .source = LOGIN_FILE, .max_requests = 8},
        .config = {.name = "test",
                   .user_agent = "exbridge/test",
                   .tls_min = 0x0303,
                   .tmp_dir = "/tmp",
                   .provision = PROVISION_ACCEPT,
                   .zone = DRIVER_ZONE,
                   .message_limit = (uint64_t)200 << 20,
                   .loop = d.loop,
                   .host = {&d, persist_put, persist_get, on_wipe, on_health, committed}},
    };
    struct err err = {0};
    struct eas_backend *b;

    if (!read_arguments(argc, argv, &d, &a))
        return 2;
    log_set_level(LOG_LEVEL_DEBUG);
    a.config.login = d.login = login_new(d.loop, &a.login);
    d.backend = eas_backend_ops.open(&a.config, &err);
    if (!d.backend) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    b = (struct eas_backend *)d.backend;
    if (a.fast)
        b->second_ms = 20;
    if (a.heartbeat_s > 0)
        b->heartbeat_s = b->heartbeat_min_s = a.heartbeat_s;
    d.writes = (struct driver_writes){
        .backend = d.backend, .done = on_written, .ud = &d, .email = a.config.email, .commit = commit_page};
    d.input = loop_fd_new(d.loop, STDIN_FILENO, on_input, &d);
    loop_run(d.loop);
    close_all(&d);
    return 0;
}
