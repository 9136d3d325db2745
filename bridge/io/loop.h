/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_LOOP_H
#define BRIDGE_IO_LOOP_H
/*
 * The event loop (libuv), timers, deferred calls, signals and child processes. One loop, one thread. uv types stay
 * inside bridge/io. Handles are freed by their *_free/close call at once from the caller's point of view: no callback
 * comes after it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/err.h"
#include "bridge/base/list.h"
#include "bridge/base/str.h"

struct loop;
struct uv_loop_s;

struct loop *loop_new(void);
void loop_run(struct loop *loop);  /* until loop_stop() or nothing is left to wait for */
void loop_stop(struct loop *loop); /* loop_run returns after the current turn */
/* One turn: waits for at most one batch of events. For tests. */
void loop_turn(struct loop *loop);
/* Closes what is left and frees. Objects made on the loop must be gone. */
void loop_free(struct loop *loop);
struct uv_loop_s *loop_uv(struct loop *loop); /* for bridge/io only */

/* Call fn(ud) once, later in this turn or at the start of the next, never from inside loop_defer(). The link is the
 * caller's; loop_defer_cancel() (harmless when not queued) must be called before it goes away. */
struct deferred {
    struct list link; /* list_init'ed by deferred_init */
    void (*fn)(void *ud);
    void *ud;
};
void deferred_init(struct deferred *d, void (*fn)(void *ud), void *ud);
void loop_defer(struct loop *loop, struct deferred *d); /* queueing twice is one call */
void loop_defer_cancel(struct deferred *d);

/* One-shot timer, restartable. */
struct timer;
struct timer *timer_new(struct loop *loop, void (*fn)(void *ud), void *ud);
void timer_start(struct timer *t, uint64_t after_ms); /* replaces an earlier start */
void timer_stop(struct timer *t);
bool timer_active(const struct timer *t);
void timer_free(struct timer **t); /* NULL inside is fine; clears the pointer */

/* Signals: fn runs from the loop. One handler a signal. */
struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *loop, int signum, void (*fn)(void *ud), void *ud);
void loop_signal_free(struct loop_signal **s);

/* Wait for readability of a foreign file descriptor (sd sockets, netlink). The descriptor stays the caller's, who
 * closes it after loop_fd_free(). */
struct loop_fd;
struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*fn)(void *ud), void *ud);
/* What to wait for from now on; fn is called for either, and finds out by trying. */
void loop_fd_want(struct loop_fd *f, bool read, bool write);
void loop_fd_free(struct loop_fd **f);

/* Run `/bin/sh -c command` in a session of its own, with stdin from /dev/null (or `input`), collect stdout (up to
 * `limit` bytes), stderr goes to ours. fn is called exactly once, never from inside, unless the child is abandoned with
 * child_free() first (which kills it and what it started). The child is gone when fn returns: clear your pointer in fn.
 * Errors: ERR_INVALID (exit status: err->status; not found: 127; killed), ERR_OFFLINE (ran longer than timeout_ms:
 * SIGTERM to it and all that it started, a second later SIGKILL to whoever is left), ERR_TOO_BIG (the same). `output`
 * is wiped after fn returns: it may be a password. */
struct child;
typedef void child_cb(void *ud, const struct err *err, struct str output);
struct child *child_run(struct loop *loop, const char *command, struct str input, size_t limit, uint64_t timeout_ms,
                        child_cb *fn, void *ud);
/* For programs without anything else to do: waits, turning the loop. True: it ended with status 0 in time. */
bool child_succeeds(struct loop *loop, const char *command, uint64_t timeout_ms);
void child_free(struct child **c);

#endif
