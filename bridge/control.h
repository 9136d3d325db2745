/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CONTROL_H
#define BRIDGE_CONTROL_H
/*
 * How the command line talks to the running daemon: a Unix socket of this user's own (directory 0700, SO_PEERCRED), one
 * JSON object a line in both directions.
 *
 *   -> {"command":"status","account":"work"}
 *   <- {"part":{...}}                                     any number of them (progress, trace lines)
 *   <- {"ok":true,"answer":{...}}                         or
 *   <- {"ok":false,"error":{"code":"not-found","text":"..."}}
 *
 * A client asks one thing at a time; several clients may be there. What a client can grow is bounded: CONTROL_LINE_MAX
 * bytes of a request, CONTROL_CLIENTS_MAX clients, CONTROL_OUTPUT_MAX bytes that wait for him.
 *
 * To add a command: a function of type control_fn, and control_command() where the daemon is put together
 * (bridge/run/). It ends in exactly one control_ok() or control_fail(), at once or later:
 *
 *   fn(ud, request, args) ... [control_part()]* ... control_ok() | control_fail()        -- the request is gone then
 *                         \-- the client leaves: gone(ud) if control_on_gone() was called, and the request is gone;
 *                             without it the command runs to its end, and its answer is dropped
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/config.h"
#include "bridge/io/loop.h"

#define CONTROL_LINE_MAX    ((size_t)64 * 1024)
#define CONTROL_CLIENTS_MAX 16
#define CONTROL_OUTPUT_MAX  ((size_t)16 << 20) /* an answer; parts are dropped much earlier */
#define CONTROL_IDLE_MS     (30 * 1000)        /* a client that has nothing under way and asks nothing */

struct json_t; /* jansson.h */
struct control;
struct control_request;

/* Where the socket is: in the state directory, which is one daemon's alone, whatever the environment of those who ask.
 */
void control_path(struct buf *out, const char *state_dir);

/* --- the daemon ------------------------------------------------------------------------------- */

/* The caller holds the lock of the state directory: a socket that is there already is a dead one's, and is replaced. */
struct control *control_new(struct loop *loop, const char *path, struct err *err);
void control_free(struct control **c); /* clients are cut off; gone() is called for what was under way */
/* The configuration of this daemon. Who asks with another file (two can name one state directory, or leave it at the
 * default) is told that this is not his daemon. */
void control_serves(struct control *c, const char *config_path);

/* `args` is the whole request object, valid until the request ends. */
typedef void control_fn(void *ud, struct control_request *r, const struct json_t *args);
void control_command(struct control *c, const char *name, control_fn *fn, void *ud);

/* Both take the reference to the object given; NULL is {}. */
void control_ok(struct control_request *r, struct json_t *answer);
/* False: the client does not read, and the part was dropped. */
bool control_part(struct control_request *r, struct json_t *part);
void control_fail(struct control_request *r, const struct err *err);
void control_on_gone(struct control_request *r, void (*gone)(void *ud), void *ud);

/* A string for an answer, from any bytes: json_string() refuses what is not UTF-8. */
struct json_t *control_text(const char *z);

/* A request line, without its LF; pure. *ret_args is the caller's; *ret_name lives in it. */
bool control_parse(struct str line, struct json_t **ret_args, const char **ret_name, struct err *err);

/* --- the command line ------------------------------------------------------------------------- */

typedef void control_part_cb(void *ud, const struct json_t *part);
struct control_call {
    const char *path;        /* of the socket */
    const char *config_path; /* whose daemon is meant; NULL = whatever runs there */
    const char *command;
    struct json_t *args;      /* an object with what the command wants to know, or NULL; the call takes it */
    unsigned timeout_s;       /* without a line from the daemon; 0 = wait for ever */
    control_part_cb *on_part; /* may be NULL */
    void *ud;
    int stop_fd; /* readable: the caller has heard enough, the call ends well and without an answer; 0 = none */
};
/* Ask, and wait for the answer; *ret_answer (may be NULL) is the caller's. ERR_OFFLINE with status CONTROL_NOT_RUNNING:
 * there is no daemon; with CONTROL_OTHER_CONFIG: there is one of another configuration. Other errors are the daemon's
 * own, or say what went wrong on the way. */
#define CONTROL_NOT_RUNNING  1
#define CONTROL_OTHER_CONFIG 2
static inline bool control_is_down(const struct err *err) /* either of them */
{
    return err->code == ERR_OFFLINE && (err->status == CONTROL_NOT_RUNNING || err->status == CONTROL_OTHER_CONFIG);
}
bool control_call(const struct control_call *call, struct json_t **ret_answer, struct err *err);

#endif
