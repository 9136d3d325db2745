/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/mem.h"
#include "bridge/io/loop_private.h"

#define GRACE_MS    2000 /* between the shell's end and that of its output: a daemon it started may keep the pipe open */
#define TERM_MS     1000  /* between SIGTERM and SIGKILL: to put away what lies about, or to give a terminal back */
#define CHATTER_MAX 65536 /* bytes of output that nobody reads */

struct child {
    struct loop *loop;
    uv_process_t process;
    uv_pipe_t in, out;
    uv_write_t write;
    struct timer *timer;
    struct deferred deferred; /* a failed start is told from the loop too */
    struct buf input, output;
    child_cb *fn; /* NULL: told, or abandoned */
    void *ud;
    struct err err;
    unsigned handles; /* not yet closed */
    bool running, exited, in_open, out_open, telling;
    bool ending, killed; /* SIGTERM, SIGKILL were sent */
};

static void release(struct child *c)
{
    if (c->handles || c->telling || c->fn)
        return;
    loop_defer_cancel(&c->deferred);
    buf_wipe(&c->input);
    buf_wipe(&c->output);
    mem_free(c);
}

void child_on_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;
    c->handles--;
    release(c);
}

static void close_pipe(uv_pipe_t *pipe, bool *open)
{
    if (*open)
        uv_close((uv_handle_t *)pipe, child_on_closed);
    *open = false;
}

/* Close all but the process, which must be waited for, or it would stay a zombie. */
static void let_go(struct child *c)
{
    c->fn = NULL;
    timer_free(&c->timer);
    close_pipe(&c->in, &c->in_open);
    close_pipe(&c->out, &c->out_open);
}

static void tell(struct child *c)
{
    child_cb *fn = c->fn;
    if (fn) {
        c->fn = NULL;
        c->telling = true;
        fn(c->ud, &c->err, c->err.code == ERR_NONE ? buf_view(&c->output) : STR_NULL);
        c->telling = false;
        buf_wipe(&c->output);
    }
    let_go(c);
    release(c);
}

/* The shell and all that it started and that did not take a session of its own: it leads a group (UV_PROCESS_DETACHED),
 * which may outlive it. False: nobody is left. */
static bool signal_group(struct child *c, int signum)
{
    return kill(-c->process.pid, signum) == 0;
}

static void kill_group(struct child *c)
{
    if (c->running || (c->ending && !c->killed))
        signal_group(c, SIGKILL);
    c->killed = true;
}

static void fail(struct child *c, enum err_code code, const char *text)
{
    if (c->err.code == ERR_NONE)
        err_set(&c->err, code, "%s", text);
    if (!c->running || c->ending)
        return;
    c->ending = true;
    signal_group(c, SIGTERM);
    timer_start(c->timer, TERM_MS);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)suggested;
    struct child *c = handle->data;
    size_t n = c->output.limit - c->output.n; /* one byte more than allowed shows that it is too long */
    if (n > 4096)
        n = 4096;
    char *room = n ? buf_room(&c->output, n) : NULL;
    *ret_buf = uv_buf_init(room, room ? (unsigned)n : 0);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct child *c = stream->data;
    if (n > 0)
        c->output.n += (size_t)n;
    if (n >= 0 && c->output.n < c->output.limit)
        return;
    if (n >= 0 || n == UV_ENOBUFS)
        fail(c, ERR_TOO_BIG, "the command's output is too long");
    close_pipe(&c->out, &c->out_open);
    if (c->exited && !c->ending)
        tell(c);
}

static void on_time(void *ud)
{
    struct child *c = ud;
    if (c->ending)
        kill_group(c);
    else if (!c->exited)
        fail(c, ERR_OFFLINE, "the command took too long and was killed");
    if (c->exited)
        tell(c);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signum)
{
    struct child *c = process->data;
    c->exited = true;
    c->running = false;
    if (c->err.code == ERR_NONE && signum)
        err_set(&c->err, ERR_INVALID, "the command was killed by signal %d", signum);
    else if (c->err.code == ERR_NONE && status == 127)
        err_set(&c->err, ERR_INVALID, "the command was not found (exit status 127)");
    else if (c->err.code == ERR_NONE && status)
        err_set(&c->err, ERR_INVALID, "the command failed with exit status %d", (int)status);
    if (c->err.code == ERR_INVALID && !signum)
        c->err.status = (int)status;
    uv_close((uv_handle_t *)process, child_on_closed);
    if (!c->fn)
        return;
    if (c->ending && !c->killed && signal_group(c, 0))
        return; /* the shell obeyed, not all of its children did yet: on_time() */
    if (!c->out_open || c->err.code != ERR_NONE)
        tell(c);
    else
        timer_start(c->timer, GRACE_MS);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* a command that does not read its input may still do its work */
    struct child *c = write->data;
    close_pipe(&c->in, &c->in_open);
}

static void on_start_failed(void *ud)
{
    tell(ud);
}

static bool spawn(struct child *c, const char *command)
{
    char *argv[] = {mem_strdup("/bin/sh"), mem_strdup("-c"), mem_strdup(command), NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->out},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
    };
    if (c->in_open) {
        stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
        stdio[0].data.stream = (uv_stream_t *)&c->in;
    }
    uv_process_options_t options = {
        .exit_cb = on_exit_status,
        .file = argv[0],
        .args = argv,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };
    c->process.data = c;
    c->handles++; /* even a failed uv_spawn leaves an initialised handle */
    int rc = uv_spawn(&c->loop->uv, &c->process, &options);
    for (size_t i = 0; argv[i]; i++)
        mem_free(argv[i]);
    if (rc == 0) {
        c->running = true;
        return true;
    }
    uv_close((uv_handle_t *)&c->process, child_on_closed);
    return err_set(&c->err, ERR_INTERNAL, "cannot start /bin/sh: %s", uv_strerror(rc));
}

struct child *child_run(struct loop *loop, const char *command, struct str input, size_t limit, uint64_t timeout_ms,
                        child_cb *fn, void *ud)
{
    struct child *c = MEM_NEW(struct child);
    c->loop = loop;
    c->fn = fn;
    c->ud = ud;
    c->output.limit = limit + 1;
    deferred_init(&c->deferred, on_start_failed, c);
    c->timer = timer_new(loop, on_time, c);
    uv_pipe_init(&loop->uv, &c->out, 0);
    c->out.data = c;
    c->out_open = true;
    c->handles++;
    if (input.n) {
        buf_init(&c->input, input.n);
        buf_str(&c->input, input);
        uv_pipe_init(&loop->uv, &c->in, 0);
        c->in.data = c;
        c->in_open = true;
        c->handles++;
    }
    if (!spawn(c, command)) {
        loop_defer(loop, &c->deferred);
        return c;
    }
    uv_read_start((uv_stream_t *)&c->out, on_alloc, on_read);
    if (c->in_open) {
        uv_buf_t piece = uv_buf_init(c->input.p, (unsigned)c->input.n);
        c->write.data = c;
        if (uv_write(&c->write, (uv_stream_t *)&c->in, &piece, 1, on_written) != 0)
            close_pipe(&c->in, &c->in_open);
    }
    timer_start(c->timer, timeout_ms);
    return c;
}

void child_free(struct child **child)
{
    struct child *c = *child;
    *child = NULL;
    if (!c)
        return;
    kill_group(c);
    let_go(c);
    release(c);
}

struct outcome {
    bool done, ok;
};

static void on_outcome(void *ud, const struct err *err, struct str output)
{
    struct outcome *o = ud;
    (void)output;
    *o = (struct outcome){.done = true, .ok = err->code == ERR_NONE};
}

bool child_succeeds(struct loop *loop, const char *command, uint64_t timeout_ms)
{
    struct outcome o = {.done = false};
    child_run(loop, command, STR_NULL, CHATTER_MAX, timeout_ms, on_outcome, &o);
    while (!o.done)
        loop_turn(loop);
    return o.ok;
}
