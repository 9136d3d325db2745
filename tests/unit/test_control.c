/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/control_private.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/test_loop.h"

/* --- requests --------------------------------------------------------------------------------------- */

static const struct {
    const char *line, *name; /* name NULL: refused */
} requests[] = {
    {"{\"command\":\"status\"}", "status"},
    {" {\"x\": [1, {}], \"command\": \"a\\u00e4\"} ", "a\xc3\xa4"},
    {"{\"command\":\"\"}", ""},
    {"", NULL},
    {"null", NULL},
    {"[]", NULL},
    {"\"command\"", NULL},
    {"{}", NULL},
    {"{\"command\":1}", NULL},
    {"{\"command\":\"a\"} x", NULL},
    {"{\"command\":\"a\",\"command\":\"b\"}", NULL},
    {"{\"command\":\"\xff\"}", NULL},
    {"{\"command\":\"a", NULL},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct err err = {0};
        json_t *args = NULL;
        const char *name = NULL;
        bool ok = control_parse(str_from(requests[i].line), &args, &name, &err);
        if (ok != (requests[i].name != NULL) || (ok && strcmp(name, requests[i].name) != 0))
            fail_msg("%s", requests[i].line);
        assert_int_equal(err.code, ok ? ERR_NONE : ERR_INVALID);
        json_decref(args);
    }
    struct buf deep = BUF_INIT(0);
    buf_lit(&deep, "{\"command\":");
    buf_fill(&deep, '[', 60000);
    struct err err;
    json_t *args;
    const char *name;
    assert_false(control_parse(buf_view(&deep), &args, &name, &err));
    buf_fill(&deep, ' ', CONTROL_LINE_MAX);
    assert_false(control_parse(buf_view(&deep), &args, &name, &err));
    buf_done(&deep);
}

/* --- a daemon and its clients ------------------------------------------------------------------------ */

struct daemon {
    struct loop *loop;
    struct control *control;
    char *dir;
    struct buf path;
    struct control_request *held;
    unsigned gone, parts_dropped;
};

static void on_echo(void *ud, struct control_request *r, const json_t *args)
{
    (void)ud;
    control_ok(r, json_pack("{s:O}", "args", args));
}

static void on_fail(void *ud, struct control_request *r, const json_t *args)
{
    struct err err;
    (void)ud;
    (void)args;
    err_set(&err, ERR_NOT_FOUND, "there is no folder \xff%s", "X");
    control_fail(r, &err);
}

static void on_parts(void *ud, struct control_request *r, const json_t *args)
{
    (void)ud;
    (void)args;
    for (int i = 1; i <= 3; i++)
        assert_true(control_part(r, json_pack("{s:i}", "n", i)));
    control_ok(r, NULL);
}

static void on_flood(void *ud, struct control_request *r, const json_t *args)
{
    struct daemon *d = ud;
    (void)args;
    char *text = mem_alloc(1001);
    memset(text, 'x', 1000);
    for (int i = 0; i < 1000; i++)
        d->parts_dropped += !control_part(r, json_pack("{s:s}", "text", text));
    mem_free(text);
    control_ok(r, NULL);
}

static void on_huge(void *ud, struct control_request *r, const json_t *args)
{
    (void)ud;
    (void)args;
    char *text = mem_alloc(CONTROL_OUTPUT_MAX + 1);
    memset(text, 'x', CONTROL_OUTPUT_MAX);
    control_ok(r, json_pack("{s:s}", "text", text));
    mem_free(text);
}

static void on_gone(void *ud)
{
    struct daemon *d = ud;
    d->held = NULL;
    d->gone++;
}

static void on_hold(void *ud, struct control_request *r, const json_t *args)
{
    struct daemon *d = ud;
    d->held = r;
    if (json_is_true(json_object_get(args, "tell")))
        control_on_gone(r, on_gone, d);
}

static void setup_at(struct daemon *d, const char *below)
{
    struct err err;
    *d = (struct daemon){.loop = loop_new(), .dir = temp_dir_new()};
    buf_printf(&d->path, "%s/%s/control.sock", d->dir, below);
    d->control = control_new(d->loop, buf_z(&d->path), &err);
    if (!d->control)
        fail_msg("%s", err.text);
    control_command(d->control, "echo", on_echo, d);
    control_command(d->control, "fail", on_fail, d);
    control_command(d->control, "parts", on_parts, d);
    control_command(d->control, "flood", on_flood, d);
    control_command(d->control, "huge", on_huge, d);
    control_command(d->control, "hold", on_hold, d);
}

static void teardown(struct daemon *d)
{
    control_free(&d->control);
    assert_int_equal(access(buf_z(&d->path), F_OK), -1);
    loop_free(d->loop);
    buf_done(&d->path);
    temp_dir_done(&d->dir);
}

static int raw_connect(struct daemon *d)
{
    struct sockaddr_un address;
    int dir;
    struct err err;
    int fd = control_socket(buf_z(&d->path), &address, &dir, &err);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (dir >= 0)
        close(dir);
    return fd;
}

/* What came, up to `lines` lines or the end of the connection. */
static void raw_read(struct daemon *d, int fd, struct buf *out, unsigned lines)
{
    uint64_t end = time_mono_ms() + 20000;
    while (lines) {
        char bytes[4096];
        TURN_FOR(d->loop, 5);
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return;
        for (ssize_t i = 0; i < n; i++)
            lines -= lines && bytes[i] == '\n';
        if (n > 0)
            buf_add(out, bytes, (size_t)n);
        assert_true(time_mono_ms() < end);
    }
}

/* The command line's half blocks: it gets a thread. */
struct caller {
    struct control_call call;
    json_t *answer;
    struct err err;
    bool ok, done;
    unsigned parts;
    pthread_t thread;
};

static void *call_in_thread(void *ud)
{
    struct caller *c = ud;
    c->ok = control_call(&c->call, &c->answer, &c->err);
    __atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static void count_part(void *ud, const json_t *part)
{
    struct caller *c = ud;
    c->parts += json_integer_value(json_object_get(part, "n")) == (json_int_t)c->parts + 1;
}

static struct caller call(struct daemon *d, const char *command, json_t *args)
{
    struct caller c = {
        .call = {.path = buf_z(&d->path), .command = command, .args = args, .timeout_s = 20, .on_part = count_part}};
    struct caller *shared = mem_dup(&c, sizeof(c));
    shared->call.ud = shared;
    pthread_create(&shared->thread, NULL, call_in_thread, shared);
    TURN_UNTIL(d->loop, __atomic_load_n(&shared->done, __ATOMIC_ACQUIRE));
    pthread_join(shared->thread, NULL);
    c = *shared;
    mem_free(shared);
    return c;
}

static void test_calls(void **state)
{
    (void)state;
    struct daemon d;
    setup_at(&d, "run");
    struct stat st;
    assert_int_equal(stat(buf_z(&d.path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct caller c = call(&d, "echo", json_pack("{s:s}", "account", "work"));
    assert_true(c.ok);
    const json_t *args = json_object_get(c.answer, "args");
    assert_string_equal(json_string_value(json_object_get(args, "account")), "work");
    assert_string_equal(json_string_value(json_object_get(args, "command")), "echo");
    json_decref(c.answer);
    c = call(&d, "fail", NULL);
    assert_false(c.ok);
    assert_int_equal(c.err.code, ERR_NOT_FOUND);
    assert_string_equal(c.err.text, "there is no folder \xef\xbf\xbdX");
    c = call(&d, "parts", NULL);
    assert_true(c.ok);
    assert_int_equal(c.parts, 3);
    json_decref(c.answer);
    c = call(&d, "nonsense", NULL);
    assert_int_equal(c.err.code, ERR_UNSUPPORTED);
    c = call(&d, "huge", NULL);
    assert_int_equal(c.err.code, ERR_TOO_BIG);
    char *text = mem_alloc(CONTROL_LINE_MAX + 1);
    memset(text, 'x', CONTROL_LINE_MAX);
    c = call(&d, "echo", json_pack("{s:s}", "text", text));
    assert_int_equal(c.err.code, ERR_TOO_BIG);
    mem_free(text);
    teardown(&d);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct daemon d;
    setup_at(&d, "run");
    char *path = mem_strdup(buf_z(&d.path));
    struct control_call ask = {.path = path, .command = "echo", .timeout_s = 5};
    struct err err;
    control_free(&d.control);
    assert_false(control_call(&ask, NULL, &err));
    assert_int_equal(err.code, ERR_OFFLINE);
    assert_int_equal(err.status, CONTROL_NOT_RUNNING);
    d.control = control_new(d.loop, path, &err);
    assert_non_null(d.control);
    mem_free(path);
    teardown(&d);
}

/* A socket path may be longer than sun_path. */
static void test_long_path(void **state)
{
    (void)state;
    struct daemon d;
    char below[201] = "";
    memset(below, 'd', 200);
    setup_at(&d, below);
    struct caller c = call(&d, "echo", NULL);
    assert_true(c.ok);
    json_decref(c.answer);
    teardown(&d);
}

static void test_byte_by_byte_and_pipelined(void **state)
{
    (void)state;
    struct daemon d;
    setup_at(&d, "run");
    int fd = raw_connect(&d);
    static const char text[] =
        "{\"command\":\"echo\",\"n\":1}\n{\"command\":\"fail\"}\n{\"command\":\"echo\",\"n\":2}\n";
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        TURN_FOR(d.loop, 1);
    }
    struct buf out = BUF_INIT(0);
    raw_read(&d, fd, &out, 3);
    const char *z = buf_z(&out);
    const char *one = strstr(z, "\"n\":1"), *failed = strstr(z, "not-found"), *two = strstr(z, "\"n\":2");
    assert_true(one && failed && two && one < failed && failed < two);
    buf_done(&out);
    close(fd);
    teardown(&d);
}

static void test_nonsense_ends_it(void **state)
{
    (void)state;
    struct daemon d;
    setup_at(&d, "run");
    int fd = raw_connect(&d);
    assert_true(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
    struct buf out = BUF_INIT(0);
    raw_read(&d, fd, &out, 5);
    assert_non_null(strstr(buf_z(&out), "\"code\":\"invalid\""));
    close(fd);
    fd = raw_connect(&d); /* a line without end */
    char many[4096];
    memset(many, 'x', sizeof(many));
    buf_reset(&out);
    for (size_t sent = 0; sent < 4 * CONTROL_LINE_MAX; sent += sizeof(many)) {
        send(fd, many, sizeof(many), MSG_NOSIGNAL | MSG_DONTWAIT);
        TURN_FOR(d.loop, 1);
    }
    raw_read(&d, fd, &out, 1);
    assert_int_equal(out.n, 0);
    buf_done(&out);
    close(fd);
    teardown(&d);
}

static void test_client_leaves(void **state)
{
    (void)state;
    struct daemon d;
    setup_at(&d, "run");
    int fd = raw_connect(&d);
    static const char hold[] = "{\"command\":\"hold\",\"tell\":true}\n", quiet[] = "{\"command\":\"hold\"}\n";
    send(fd, hold, sizeof(hold) - 1, MSG_NOSIGNAL);
    TURN_UNTIL(d.loop, d.held);
    close(fd);
    TURN_UNTIL(d.loop, d.gone == 1);
    /* Without gone() the command goes on, and its answer is dropped. */
    fd = raw_connect(&d);
    send(fd, quiet, sizeof(quiet) - 1, MSG_NOSIGNAL);
    TURN_UNTIL(d.loop, d.held);
    close(fd);
    TURN_FOR(d.loop, 50);
    assert_false(control_part(d.held, json_object()));
    control_ok(d.held, json_object());
    assert_int_equal(d.gone, 1);
    /* And one that never ends is freed with the socket, under a client that is still there. */
    fd = raw_connect(&d);
    d.held = NULL;
    send(fd, quiet, sizeof(quiet) - 1, MSG_NOSIGNAL);
    TURN_UNTIL(d.loop, d.held);
    teardown(&d);
    close(fd);
}

static void test_slow_reader_loses_parts(void **state)
{
    (void)state;
    struct daemon d;
    setup_at(&d, "run");
    int fd = raw_connect(&d);
    static const char flood[] = "{\"command\":\"flood\"}\n";
    send(fd, flood, sizeof(flood) - 1, MSG_NOSIGNAL);
    TURN_UNTIL(d.loop, d.parts_dropped);
    assert_true(d.parts_dropped > 500 && d.parts_dropped < 1000);
    struct buf out = BUF_INIT(0);
    raw_read(&d, fd, &out, 1000 - d.parts_dropped + 1);
    assert_non_null(strstr(buf_z(&out), "{\"ok\":true,\"answer\":{}}\n"));
    buf_done(&out);
    close(fd);
    teardown(&d);
}

static void test_many_clients(void **state)
{
    (void)state;
    struct daemon d;
    setup_at(&d, "run");
    int fds[CONTROL_CLIENTS_MAX + 1];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++) {
        fds[i] = raw_connect(&d);
        TURN_FOR(d.loop, 10);
    }
    static const char echo[] = "{\"command\":\"echo\"}\n";
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct buf out = BUF_INIT(0);
        send(fds[i], echo, sizeof(echo) - 1, MSG_NOSIGNAL);
        raw_read(&d, fds[i], &out, 1);
        assert_non_null(strstr(buf_z(&out), "\"ok\":true"));
        buf_done(&out);
    }
    struct buf out = BUF_INIT(0);
    raw_read(&d, fds[CONTROL_CLIENTS_MAX], &out, 1);
    assert_int_equal(out.n, 0);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 1; i++)
        close(fds[i]);
    buf_done(&out);
    teardown(&d);
}

static void test_err_codes(void **state)
{
    (void)state;
    for (enum err_code code = ERR_AUTH; code < ERR_MAX; code++)
        assert_int_equal(control_err_code(err_name(code)), code);
    assert_int_equal(control_err_code("x"), ERR_INTERNAL);
    assert_int_equal(control_err_code(NULL), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_byte_by_byte_and_pipelined),
        cmocka_unit_test(test_nonsense_ends_it),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_slow_reader_loses_parts),
        cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_err_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
