/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/control.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/list.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/control_private.h"
#include "bridge/daemon.h"

#define PART_HIGH ((size_t)256 * 1024) /* waiting bytes above which parts are dropped */
#define BACKLOG   16

struct command {
    const char *name;
    control_fn *fn;
    void *ud;
};

struct control {
    struct loop *loop;
    char *path, *config_path; /* the second is NULL for a daemon of any configuration */
    int fd;
    struct loop_fd *watch;
    struct command *commands;
    size_t command_count;
    struct list clients, requests;
    unsigned client_count;
};

struct client {
    struct list link;
    struct control *control;
    int fd;
    struct loop_fd *watch;
    struct buf in, out;
    struct control_request *request; /* under way */
    struct timer *idle;
    struct deferred next;
    bool ended; /* asks nothing any more; what is queued is still sent */
};

struct control_request {
    struct list link;
    struct client *client; /* NULL: gone */
    json_t *args;
    const char *name;
    void (*gone)(void *ud);
    void *ud;
};

/* --- requests ------------------------------------------------------------------------------------- */

static void request_free(struct control_request *r)
{
    if (r->client)
        r->client->request = NULL;
    list_remove(&r->link);
    json_decref(r->args);
    mem_free(r);
}

static void request_abandon(struct control_request *r)
{
    r->client->request = NULL;
    r->client = NULL;
    if (!r->gone)
        return;
    void (*gone)(void *ud) = r->gone;
    void *ud = r->ud;
    request_free(r);
    gone(ud);
}

bool control_parse(struct str line, json_t **ret_args, const char **ret_name, struct err *err)
{
    json_error_t why;
    json_t *args =
        line.n <= CONTROL_LINE_MAX ? json_loadb(line.p ? line.p : "", line.n, JSON_REJECT_DUPLICATES, &why) : NULL;
    const char *name = json_string_value(json_object_get(args, "command"));
    if (args && name) {
        *ret_args = args;
        *ret_name = name;
        return true;
    }
    json_decref(args);
    return err_set(err, ERR_INVALID,
                   args ? "a request is an object with a \"command\"" : "a request is a line of JSON");
}

/* --- clients -------------------------------------------------------------------------------------- */

static void client_free(struct client *c)
{
    if (c->request)
        request_abandon(c->request);
    list_remove(&c->link);
    c->control->client_count--;
    loop_defer_cancel(&c->next);
    loop_fd_free(&c->watch);
    timer_free(&c->idle);
    close(c->fd);
    buf_wipe(&c->in); /* may hold a password */
    buf_wipe(&c->out);
    mem_free(c);
}

/* False: the client is gone. */
static bool flush(struct client *c)
{
    while (c->out.n) {
        ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            client_free(c);
            return false;
        }
        if (n < 0)
            break;
        buf_consume(&c->out, (size_t)n);
    }
    if (c->ended && !c->request && c->out.n == 0) {
        client_free(c);
        return false;
    }
    loop_fd_want(c->watch, !c->ended, c->out.n > 0);
    return true;
}

/* A line of JSON. False: it is too much. */
static bool say(struct client *c, json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    size_t n = text ? strlen(text) : 0;
    bool ok = text && c->out.n + n + 1 <= CONTROL_OUTPUT_MAX;
    if (ok) {
        buf_add(&c->out, text, n);
        buf_byte(&c->out, '\n');
    }
    free(text);
    return ok;
}

static void say_error(struct client *c, const struct err *err)
{
    json_t *text = control_text(err->text);
    say(c, json_pack("{s:b, s:{s:s, s:o, s:i}}", "ok", 0, "error", "code", err_name(err->code), "text", text, "status",
                     err->status));
}

/* --- whose daemon ------------------------------------------------------------------------------------------ */

json_t *control_config(const char *path)
{
    struct buf text = BUF_INIT(0), file = BUF_INIT(0);
    char *directory = path[0] == '/' ? NULL : getcwd(NULL, 0);
    struct stat st;
    buf_printf(&text, "%s%s%s", directory ? directory : "", directory ? "/" : "", path);
    free(directory);
    if (stat(path, &st) == 0)
        buf_printf(&file, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    json_t *config = json_pack("{s:o, s:s}", "path", control_text(buf_z(&text)), "file", buf_z(&file));
    buf_done(&text);
    buf_done(&file);
    return config;
}

/* The same name is enough, and so is the same file: one of them may be a link, or have been written anew. */
static bool is_meant(const struct control *c, const json_t *args, struct err *err)
{
    const json_t *asked = json_object_get(args, "config");
    if (!c->config_path || !json_is_object(asked))
        return true;
    json_t *own = control_config(c->config_path);
    const char *path = json_string_value(json_object_get(own, "path"));
    bool same = json_equal(json_object_get(own, "path"), json_object_get(asked, "path")) ||
                json_equal(json_object_get(own, "file"), json_object_get(asked, "file"));
    if (!same)
        err_set(err, ERR_OFFLINE,
                "exbridge is not running with this configuration; the one that runs with its state directory (process "
                "%d) has %s",
                (int)getpid(), path ? path : "another");
    err->status = CONTROL_OTHER_CONFIG;
    json_decref(own);
    return same;
}

static void begin_request(struct client *c, struct str line)
{
    struct err err;
    json_t *args;
    const char *name;
    if (!control_parse(line, &args, &name, &err)) {
        say_error(c, &err);
        c->ended = true; /* who knows what follows */
        return;
    }
    struct control *all = c->control;
    if (!is_meant(all, args, &err)) {
        json_decref(args);
        say_error(c, &err);
        return;
    }
    for (size_t i = 0; i < all->command_count; i++) {
        if (strcmp(all->commands[i].name, name) != 0)
            continue;
        struct control_request *r = MEM_NEW(struct control_request);
        r->client = c;
        r->args = args;
        r->name = all->commands[i].name;
        c->request = r;
        list_append(&all->requests, &r->link);
        timer_stop(c->idle);
        log_debug("control", NULL, "%s", r->name);
        all->commands[i].fn(all->commands[i].ud, r, args);
        return;
    }
    json_decref(args);
    err_set(&err, ERR_UNSUPPORTED, "this daemon does not know the command; is it of another version?");
    say_error(c, &err);
}

/* Take up what was asked, as long as nothing is under way. */
static void on_next(void *ud)
{
    struct client *c = ud;
    while (!c->request && !c->ended) {
        size_t n = str_find_byte(buf_view(&c->in), '\n');
        if (n == (size_t)-1)
            break;
        begin_request(c, str_sub(buf_view(&c->in), 0, n));
        mem_wipe(c->in.p, n);
        buf_consume(&c->in, n + 1);
    }
    if (!c->request)
        timer_start(c->idle, CONTROL_IDLE_MS);
    flush(c);
}

static void on_client(void *ud)
{
    struct client *c = ud;
    char *room = buf_room(&c->in, 4096);
    ssize_t n = room && !c->ended ? recv(c->fd, room, 4096, MSG_DONTWAIT) : -1;
    if (n > 0) {
        c->in.n += (size_t)n;
    } else if (n == 0 || (room && !c->ended && errno != EAGAIN && errno != EINTR)) {
        client_free(c); /* who does not wait for the answer does not want it */
        return;
    } else if (!room) {
        log_warn("control", NULL, "a request of more than %zu bytes", CONTROL_LINE_MAX);
        client_free(c);
        return;
    }
    if (flush(c))
        on_next(c);
}

static void on_idle(void *ud)
{
    client_free(ud);
}

static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}

static void on_connection(void *ud)
{
    struct control *all = ud;
    int fd = accept4(all->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (!is_ours(fd) || all->client_count == CONTROL_CLIENTS_MAX) {
        log_warn("control", NULL, "turned a client away: %s",
                 all->client_count == CONTROL_CLIENTS_MAX ? "too many of them" : "another user's");
        close(fd);
        return;
    }
    struct client *c = MEM_NEW(struct client);
    c->control = all;
    c->fd = fd;
    c->watch = loop_fd_new(all->loop, fd, on_client, c);
    c->idle = timer_new(all->loop, on_idle, c);
    buf_init(&c->in, CONTROL_LINE_MAX + 4096);
    buf_init(&c->out, CONTROL_OUTPUT_MAX);
    deferred_init(&c->next, on_next, c);
    list_append(&all->clients, &c->link);
    all->client_count++;
    timer_start(c->idle, CONTROL_IDLE_MS);
    if (!c->watch)
        client_free(c);
}

/* --- answers -------------------------------------------------------------------------------------- */

json_t *control_text(const char *z)
{
    struct arena arena = {0};
    struct str s = text_utf8_repair(&arena, str_from(z));
    json_t *text = json_stringn_nocheck(s.n ? s.p : "", s.n);
    arena_done(&arena);
    return text;
}

static void end_request(struct control_request *r)
{
    struct client *c = r->client;
    request_free(r);
    if (c)
        loop_defer(c->control->loop, &c->next);
}

void control_ok(struct control_request *r, json_t *answer)
{
    struct client *c = r->client;
    if (!answer)
        answer = json_object();
    if (!c) {
        json_decref(answer);
    } else if (!say(c, json_pack("{s:b, s:o}", "ok", 1, "answer", answer))) {
        struct err err;
        err_set(&err, ERR_TOO_BIG, "the answer has more than %zu bytes", CONTROL_OUTPUT_MAX);
        say_error(c, &err);
    }
    end_request(r);
}

void control_fail(struct control_request *r, const struct err *err)
{
    if (r->client)
        say_error(r->client, err);
    end_request(r);
}

bool control_part(struct control_request *r, json_t *part)
{
    struct client *c = r->client;
    if (!c || c->out.n > PART_HIGH) {
        json_decref(part);
        return false;
    }
    bool ok = say(c, json_pack("{s:o}", "part", part));
    loop_defer(c->control->loop, &c->next);
    return ok;
}

void control_on_gone(struct control_request *r, void (*gone)(void *ud), void *ud)
{
    r->gone = gone;
    r->ud = ud;
}

/* --- the socket ------------------------------------------------------------------------------------ */

void control_path(struct buf *out, const char *state_dir)
{
    buf_printf(out, "%s/control.sock", state_dir);
}

int control_socket(const char *path, struct sockaddr_un *ret_address, int *ret_dir, struct err *err)
{
    size_t n = strlen(path);
    const char *slash = strrchr(path, '/');
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_dir = -1;
    if (n < sizeof(ret_address->sun_path)) {
        memcpy(ret_address->sun_path, path, n);
    } else {
        char *dir = slash ? str_dup(str_of(path, (size_t)(slash - path))) : mem_strdup(".");
        *ret_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        mem_free(dir);
        if (*ret_dir < 0) {
            err_set_errno(err, ERR_DISK, errno, path);
            return -1;
        }
        snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%s", *ret_dir,
                 slash ? slash + 1 : path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set_errno(err, ERR_INTERNAL, errno, "socket");
        if (*ret_dir >= 0)
            close(*ret_dir);
    }
    return fd;
}

static bool bind_there(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un address;
    int dir;
    int fd = control_socket(path, &address, &dir, err);
    if (fd < 0)
        return false;
    unlink(path);
    bool ok = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && chmod(path, 0600) == 0 &&
              listen(fd, BACKLOG) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
    if (!ok) {
        err_set_errno(err, ERR_DISK, errno, path);
        close(fd);
    }
    if (dir >= 0)
        close(dir);
    *ret_fd = fd;
    return ok;
}

struct control *control_new(struct loop *loop, const char *path, struct err *err)
{
    int fd = -1;
    const char *slash = strrchr(path, '/');
    char *dir = str_dup(str_of(path, slash ? (size_t)(slash - path) : 0));
    bool ok = daemon_make_dir(dir, err) && bind_there(path, &fd, err);
    mem_free(dir);
    if (!ok)
        return NULL;
    struct control *c = MEM_NEW(struct control);
    c->loop = loop;
    c->path = mem_strdup(path);
    c->fd = fd;
    list_init(&c->clients);
    list_init(&c->requests);
    c->watch = loop_fd_new(loop, fd, on_connection, c);
    return c;
}

void control_serves(struct control *c, const char *config_path)
{
    mem_free(c->config_path);
    c->config_path = mem_strdup(config_path);
}

void control_command(struct control *c, const char *name, control_fn *fn, void *ud)
{
    c->commands = mem_realloc(c->commands, (c->command_count + 1) * sizeof(*c->commands));
    c->commands[c->command_count++] = (struct command){name, fn, ud};
}

void control_free(struct control **control)
{
    struct control *c = *control;
    *control = NULL;
    if (!c)
        return;
    while (!list_empty(&c->clients))
        client_free(LIST_ITEM(c->clients.next, struct client, link));
    while (!list_empty(&c->requests)) /* nobody waits for them any more */
        request_free(LIST_ITEM(c->requests.next, struct control_request, link));
    loop_fd_free(&c->watch);
    close(c->fd);
    unlink(c->path);
    mem_free(c->path);
    mem_free(c->config_path);
    mem_free(c->commands);
    mem_free(c);
}
