/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/control_private.h"

static int connect_to(const char *path, struct err *err)
{
    struct sockaddr_un address;
    int dir;
    struct err why;
    int fd = control_socket(path, &address, &dir, &why);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    int failed = errno;
    if (dir >= 0)
        close(dir);
    if (ok)
        return fd;
    if (fd >= 0)
        close(fd);
    if (failed == EACCES || failed == EPERM) {
        err_set(err, ERR_DENIED, "%s: not allowed; the daemon belongs to another user", path);
    } else {
        err_set(err, ERR_OFFLINE, "exbridge is not running (nobody answers at %s)", path);
        err->status = CONTROL_NOT_RUNNING;
    }
    return -1;
}

static bool send_request(int fd, const struct control_call *call, struct err *err)
{
    json_t *request = call->args ? json_copy(call->args) : json_object();
    json_object_set_new(request, "command", json_string(call->command));
    if (call->config_path)
        json_object_set_new(request, "config", control_config(call->config_path));
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!text)
        return err_set(err, ERR_INTERNAL, "the request cannot be written");
    struct str rest = str_from(text);
    bool ok = rest.n <= CONTROL_LINE_MAX || err_set(err, ERR_TOO_BIG, "the request is too long");
    while (ok && rest.n) {
        ssize_t n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);
        if (n > 0)
            rest = str_skip(rest, (size_t)n);
        else if (errno != EINTR)
            ok = err_set_errno(err, ERR_OFFLINE, errno, "the daemon");
    }
    ok = ok && (send(fd, "\n", 1, MSG_NOSIGNAL) == 1 || err_set_errno(err, ERR_OFFLINE, errno, "the daemon"));
    mem_wipe(text, strlen(text)); /* may hold a password */
    free(text);
    return ok;
}

/* The next line, without its LF, at the front of `in`; *ret_n is its length. False with ERR_NONE: the caller has heard
 * enough. */
static bool read_line(int fd, const struct control_call *call, struct buf *in, size_t *ret_n, struct err *err)
{
    for (;;) {
        *ret_n = str_find_byte(buf_view(in), '\n');
        if (*ret_n != (size_t)-1)
            return true;
        struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = call->stop_fd, .events = POLLIN}};
        int ready = poll(p, call->stop_fd ? 2 : 1, call->timeout_s ? (int)call->timeout_s * 1000 : -1);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return err_set(err, ERR_OFFLINE, "the daemon did not answer within %u s", call->timeout_s);
        if (p[1].revents) {
            *err = (struct err){.code = ERR_NONE};
            return false;
        }
        char *room = buf_room(in, 65536);
        ssize_t n = room ? recv(fd, room, 65536, 0) : -1;
        if (!room)
            return err_set(err, ERR_TOO_BIG, "the daemon's answer is too long");
        if (n == 0)
            return err_set(err, ERR_OFFLINE, "the daemon ended the conversation");
        if (n < 0 && errno != EINTR)
            return err_set_errno(err, ERR_OFFLINE, errno, "the daemon");
        if (n > 0)
            in->n += (size_t)n;
    }
}

enum err_code control_err_code(const char *name)
{
    for (enum err_code code = ERR_AUTH; name && code < ERR_MAX; code++)
        if (strcmp(err_name(code), name) == 0)
            return code;
    return ERR_INTERNAL;
}

static bool take_error(const json_t *line, struct err *err)
{
    const json_t *error = json_object_get(line, "error");
    const char *text = json_string_value(json_object_get(error, "text"));
    err_set(err, control_err_code(json_string_value(json_object_get(error, "code"))), "%s",
            text ? text : "the daemon refused without a word");
    err->status = (int)json_integer_value(json_object_get(error, "status"));
    return false;
}

static bool converse(int fd, const struct control_call *call, struct buf *in, json_t **ret_answer, struct err *err)
{
    size_t n;
    if (!send_request(fd, call, err))
        return false;
    while (read_line(fd, call, in, &n, err)) {
        json_t *line = json_loadb(in->p, n, 0, NULL);
        json_t *part = json_object_get(line, "part"), *answer = json_object_get(line, "answer");
        bool ok = json_is_true(json_object_get(line, "ok"));
        buf_consume(in, n + 1);
        if (part && call->on_part)
            call->on_part(call->ud, part);
        else if (ok && ret_answer)
            *ret_answer = json_incref(answer);
        else if (!part && !ok)
            take_error(line, err);
        json_decref(line);
        if (!part)
            return ok;
    }
    return err->code == ERR_NONE;
}

bool control_call(const struct control_call *call, json_t **ret_answer, struct err *err)
{
    struct buf in = BUF_INIT(CONTROL_OUTPUT_MAX + 65536);
    int fd = connect_to(call->path, err);
    bool ok = fd >= 0 && converse(fd, call, &in, ret_answer, err);
    if (fd >= 0)
        close(fd);
    buf_wipe(&in);
    json_decref(call->args);
    return ok;
}
