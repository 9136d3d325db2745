/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/loop.h"

#include <assert.h>
#include <signal.h>

#include "bridge/base/mem.h"
#include "bridge/io/loop_private.h"

/* --- deferred calls ------------------------------------------------------------------------------ */

static void on_idle(uv_idle_t *idle)
{
    struct loop *loop = idle->data;
    /* What these calls defer waits for the next turn: two that defer each other must not keep the sockets waiting. */
    struct list now;
    list_init(&now);
    while (!list_empty(&loop->deferred)) {
        struct list *link = loop->deferred.next;
        list_remove(link);
        list_append(&now, link);
    }
    while (!list_empty(&now)) {
        struct deferred *d = LIST_ITEM(now.next, struct deferred, link);
        list_remove(&d->link);
        d->fn(d->ud);
    }
    if (list_empty(&loop->deferred))
        uv_idle_stop(idle);
}

void deferred_init(struct deferred *d, void (*fn)(void *ud), void *ud)
{
    list_init(&d->link);
    d->fn = fn;
    d->ud = ud;
}

void loop_defer(struct loop *loop, struct deferred *d)
{
    if (!list_empty(&d->link))
        return;
    list_append(&loop->deferred, &d->link);
    uv_idle_start(&loop->idle, on_idle);
}

void loop_defer_cancel(struct deferred *d)
{
    list_remove(&d->link);
}

/* --- the loop ------------------------------------------------------------------------------------ */

struct loop *loop_new(void)
{
    signal(SIGPIPE, SIG_IGN); /* a closed connection is an error code, not the end of the process */
    struct loop *loop = MEM_NEW(struct loop);
    list_init(&loop->deferred);
    int rc = uv_loop_init(&loop->uv);
    assert(rc == 0);
    (void)rc;
    uv_idle_init(&loop->uv, &loop->idle);
    loop->idle.data = loop;
    return loop;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_turn(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_ONCE);
}

static void close_walked(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) /* a process: an abandoned child that has not ended yet, which owns itself */
        uv_close(handle, handle->type == UV_PROCESS ? child_on_closed : NULL);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT); /* close callbacks under way free their objects */
    uv_walk(&loop->uv, close_walked, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&loop->uv);
    assert(rc == 0);
    (void)rc;
    mem_free(loop->scratch);
    mem_free(loop);
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

uint64_t loop_next_id(struct loop *loop)
{
    return ++loop->last_id;
}

char *loop_scratch(struct loop *loop)
{
    if (!loop->scratch)
        loop->scratch = mem_alloc(LOOP_SCRATCH_SIZE);
    return loop->scratch;
}

/* --- timers -------------------------------------------------------------------------------------- */

struct timer {
    uv_timer_t uv;
    void (*fn)(void *ud);
    void *ud;
};

static void on_timer(uv_timer_t *uv)
{
    struct timer *t = uv->data;
    t->fn(t->ud);
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

struct timer *timer_new(struct loop *loop, void (*fn)(void *ud), void *ud)
{
    struct timer *t = MEM_NEW(struct timer);
    uv_timer_init(&loop->uv, &t->uv);
    t->uv.data = t;
    t->fn = fn;
    t->ud = ud;
    return t;
}

void timer_start(struct timer *t, uint64_t after_ms)
{
    uv_update_time(t->uv.loop); /* the loop's idea of now is from the start of this turn */
    uv_timer_start(&t->uv, on_timer, after_ms, 0);
}

void timer_stop(struct timer *t)
{
    uv_timer_stop(&t->uv);
}

bool timer_active(const struct timer *t)
{
    return uv_is_active((const uv_handle_t *)&t->uv);
}

void timer_free(struct timer **t)
{
    if (*t)
        uv_close((uv_handle_t *)&(*t)->uv, on_timer_closed);
    *t = NULL;
}

/* --- signals and descriptors --------------------------------------------------------------------- */

struct loop_signal {
    uv_signal_t uv;
    void (*fn)(void *ud);
    void *ud;
};

static void on_signal(uv_signal_t *uv, int signum)
{
    (void)signum;
    struct loop_signal *s = uv->data;
    s->fn(s->ud);
}

static void on_signal_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signum, void (*fn)(void *ud), void *ud)
{
    struct loop_signal *s = MEM_NEW(struct loop_signal);
    uv_signal_init(&loop->uv, &s->uv);
    s->uv.data = s;
    s->fn = fn;
    s->ud = ud;
    uv_signal_start(&s->uv, on_signal, signum);
    uv_unref((uv_handle_t *)&s->uv); /* a handler alone is nothing to wait for */
    return s;
}

void loop_signal_free(struct loop_signal **s)
{
    if (*s)
        uv_close((uv_handle_t *)&(*s)->uv, on_signal_closed);
    *s = NULL;
}

struct loop_fd {
    uv_poll_t uv;
    void (*fn)(void *ud);
    void *ud;
};

static void on_fd(uv_poll_t *uv, int status, int events)
{
    (void)status; /* an error shows when the descriptor is read */
    (void)events;
    struct loop_fd *f = uv->data;
    f->fn(f->ud);
}

static void on_fd_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*fn)(void *ud), void *ud)
{
    struct loop_fd *f = MEM_NEW(struct loop_fd);
    if (uv_poll_init(&loop->uv, &f->uv, fd) != 0) {
        mem_free(f);
        return NULL;
    }
    f->uv.data = f;
    f->fn = fn;
    f->ud = ud;
    uv_poll_start(&f->uv, UV_READABLE, on_fd);
    return f;
}

void loop_fd_want(struct loop_fd *f, bool read, bool write)
{
    int events = (read ? UV_READABLE : 0) | (write ? UV_WRITABLE : 0);
    if (events)
        uv_poll_start(&f->uv, events, on_fd);
    else
        uv_poll_stop(&f->uv);
}

void loop_fd_free(struct loop_fd **f)
{
    if (*f) {
        uv_poll_stop(&(*f)->uv);
        uv_close((uv_handle_t *)&(*f)->uv, on_fd_closed);
    }
    *f = NULL;
}
