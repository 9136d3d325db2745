/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h and tls.h over real sockets: the server on the loop, the client beside it, non-blocking, in the same thread.
 */
#include "bridge/io/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/io/blob.h"
#include "bridge/io/crypto.h"
#include "bridge/io/peer.h"
#include "certs/certs.h"
#include "tests/unit/test_loop.h"

#define INPUT_LIMIT 10000

/* --- the server: one connection is looked at ------------------------------------------------ */

enum action { DO_NOTHING, DO_CLOSE, DO_ABORT };

struct fixture {
    struct loop *loop;
    struct conn_listener *listener;
    struct tls_server *tls;
    char dir[64];
    struct conn *conn; /* the newest */
    int accepted, data, drained, timeouts, ended, closed;
    size_t taken;
    bool consume, echo, in_call, refill, stay /* when the peer has ended */;
    enum action on_accept, on_data, on_drained, on_timeout;
    struct blob *blob;
    int refills;
};

static void act(struct fixture *f, struct conn *c, enum action action)
{
    int before = f->closed;
    if (action == DO_CLOSE)
        conn_close(c, "test");
    else if (action == DO_ABORT)
        conn_abort(c, "test");
    assert_int_equal(f->closed, before); /* never from inside */
}

static void on_event(void *ud, struct conn *c, enum conn_event event)
{
    struct fixture *f = ud;
    assert_false(f->in_call);
    switch (event) {
    case CONN_DATA: {
        f->data++;
        struct str in = conn_input(c);
        assert_in_range(in.n, 1, INPUT_LIMIT);
        f->in_call = true;
        if (f->echo)
            conn_write(c, in);
        if (f->consume) {
            f->taken += in.n;
            conn_consume(c, in.n);
        }
        f->in_call = false;
        act(f, c, f->on_data);
        break;
    }
    case CONN_DRAINED:
        f->drained++;
        assert_false(conn_full(c));
        if (f->refills-- > 0)
            conn_write_blob(c, f->blob, 0, blob_size(f->blob));
        act(f, c, f->on_drained);
        break;
    case CONN_TIMEOUT:
        f->timeouts++;
        act(f, c, f->on_timeout);
        break;
    case CONN_ENDED:
        f->ended++;
        if (!f->stay)
            conn_close(c, "ended");
        break;
    case CONN_CLOSED:
        f->closed++;
        assert_true(conn_closing(c));
        assert_false(conn_write(c, STR("late")));
        if (f->conn == c)
            f->conn = NULL;
        break;
    }
}

static void on_accept(void *ud, struct conn *c)
{
    struct fixture *f = ud;
    f->accepted++;
    f->conn = c;
    conn_set_handler(c, on_event, f);
    act(f, c, f->on_accept);
}

static void listen_with(struct fixture *f, const char *address, bool tls, unsigned max)
{
    struct err err;
    struct conn_listen_opts o = {.name = "test",
                                 .address = address,
                                 .tls = tls ? f->tls : NULL,
                                 .same_user = true,
                                 .max_connections = max,
                                 .handshake_timeout_ms = 300,
                                 .input_limit = INPUT_LIMIT};
    conn_listener_free(&f->listener);
    f->listener = conn_listen(f->loop, &o, on_accept, f, &err);
    if (!f->listener)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    struct certs c;
    struct err err;
    f->loop = loop_new();
    f->consume = true;
    strcpy(f->dir, "/tmp/exbridge-test-conn-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_true(certs_ensure(f->dir, &c, &err));
    f->tls = tls_server_new("imap");
    assert_true(tls_server_load(f->tls, c.chain_file, c.key_file, &err));
    certs_done(&c);
    listen_with(f, "127.0.0.1", false, 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];
    conn_listener_free(&f->listener);
    if (f->conn)
        conn_abort(f->conn, "end of test");
    TURN_UNTIL(f->loop, !f->conn);
    tls_server_free(&f->tls);
    loop_free(f->loop);
    blob_unref(&f->blob);
    snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
    assert_int_equal(system(command), 0);
    mem_free(f);
    return 0;
}

/* --- the client ------------------------------------------------------------------------------- */

struct client {
    int fd;
    SSL *ssl;
    struct buf in;
    size_t total;
    struct crypto_sha256 *hash; /* instead of `in` */
    bool eof, reset, established, failed;
};

static void dial(struct fixture *f, struct client *c)
{
    *c = (struct client){.in = BUF_INIT(0)};
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)conn_listener_port(f->listener)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

static void dial_tls(struct fixture *f, struct client *c, SSL_CTX *ctx)
{
    dial(f, c);
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
}

static void hang_up(struct client *c)
{
    SSL_free(c->ssl);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_done(&c->in);
    crypto_sha256_done(&c->hash, NULL);
}

static ssize_t receive(struct client *c, char *piece, size_t n)
{
    if (!c->ssl)
        return recv(c->fd, piece, n, 0);
    ERR_clear_error();
    int got = SSL_read(c->ssl, piece, (int)n);
    c->established = SSL_is_init_finished(c->ssl);
    if (got > 0)
        return got;
    int e = SSL_get_error(c->ssl, got);
    if (e == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
        c->failed = true;
        return 0;
    }
    errno = EAGAIN;
    return -1;
}

/* Take what has come; true at the end of the connection. */
static bool pump(struct client *c)
{
    char piece[65536];
    for (int i = 0; i < 16 && !c->eof && !c->reset; i++) {
        ssize_t n = receive(c, piece, sizeof(piece));
        if (n < 0 && errno != EAGAIN)
            c->reset = true;
        if (n == 0)
            c->eof = true;
        if (n <= 0)
            break;
        c->total += (size_t)n;
        if (c->hash)
            crypto_sha256_add(c->hash, str_of(piece, (size_t)n));
        else
            buf_add(&c->in, piece, (size_t)n);
    }
    return c->eof || c->reset;
}

static void put(struct client *c, const char *p, size_t n)
{
    if (c->ssl)
        assert_int_equal(SSL_write(c->ssl, p, (int)n), n);
    else
        assert_int_equal(send(c->fd, p, n, MSG_NOSIGNAL), n);
}

/* Like TURN_UNTIL, with a client that reads meanwhile. */
#define TALK_UNTIL(f, c, condition)                                                                                    \
    do {                                                                                                               \
        uint64_t end_ms = time_mono_ms() + 10000;                                                                      \
        struct timer *t = timer_new((f)->loop, test_tick, NULL);                                                       \
        while (pump(c), !(condition) && time_mono_ms() < end_ms) {                                                     \
            timer_start(t, 1);                                                                                         \
            loop_turn((f)->loop);                                                                                      \
        }                                                                                                              \
        timer_free(&t);                                                                                                \
        if (!(condition))                                                                                              \
            fail_msg("not reached: %s", #condition);                                                                   \
    } while (0)

static SSL_CTX *client_context(struct fixture *f)
{
    char path[100];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    snprintf(path, sizeof(path), "%s/ca.pem", f->dir);
    assert_int_equal(SSL_CTX_load_verify_locations(ctx, path, NULL), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

/* --- plain ---------------------------------------------------------------------------------------- */

static void echo(void **state)
{
    struct fixture *f = *state;
    struct client c;
    f->echo = true;
    dial(f, &c);
    for (int i = 0; i < 50; i++)
        put(&c, "ping ", 5);
    TALK_UNTIL(f, &c, c.in.n == 250);
    assert_true(str_starts(buf_view(&c.in), STR("ping ping ")));
    hang_up(&c);
    TURN_UNTIL(f->loop, f->closed);
    assert_int_equal(f->closed, 1);
}

/* Nobody consumes: reading stops at the limit, and goes on where it stopped. */
static void input_limit(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char *much = mem_alloc(3 * INPUT_LIMIT);
    f->consume = false;
    dial(f, &c);
    put(&c, much, 3 * INPUT_LIMIT);
    TURN_UNTIL(f->loop, f->conn && conn_input(f->conn).n == INPUT_LIMIT);
    TURN_FOR(f->loop, 30);
    assert_int_equal(conn_input(f->conn).n, INPUT_LIMIT);
    conn_consume(f->conn, 100);
    TURN_UNTIL(f->loop, conn_input(f->conn).n == INPUT_LIMIT);
    f->taken = 100;
    f->consume = true;
    int before = f->data;
    conn_kick(f->conn);
    assert_int_equal(f->data, before);
    TURN_UNTIL(f->loop, f->taken == 3 * INPUT_LIMIT);
    assert_int_equal(conn_input(f->conn).n, 0);
    mem_free(much);
    hang_up(&c);
}

static size_t rss_anon_kb(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    size_t kb = 0;
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "RssAnon: %zu", &kb) == 1)
            break;
    fclose(file);
    return kb;
}

static struct blob *make_blob(size_t size, struct crypto_hash *ret_hash)
{
    struct blob *b = blob_new("/tmp", size);
    struct crypto_sha256 *h = crypto_sha256_new();
    char piece[10000];
    for (size_t at = 0, i = 0; at < size; i++) {
        size_t n = size - at < sizeof(piece) ? size - at : sizeof(piece);
        memset(piece, (int)i, n);
        assert_true(blob_add(b, str_of(piece, n), NULL));
        crypto_sha256_add(h, str_of(piece, n));
        at += n;
    }
    assert_true(blob_finish(b, NULL));
    crypto_sha256_done(&h, ret_hash);
    return b;
}

/* 50 MB through the connection, without being in memory. */
static void big_blob_to(struct fixture *f, struct client *c)
{
    const size_t size = 50 << 20;
    struct crypto_hash expected, got;
    TALK_UNTIL(f, c, f->conn); /* before the blob: on a slow disk the handshake would be waited for in vain */
    f->blob = make_blob(size, &expected);
    size_t before = rss_anon_kb(), most = before;
    c->hash = crypto_sha256_new();
    assert_true(conn_write_blob(f->conn, f->blob, 0, size));
    assert_true(conn_full(f->conn));
    while (c->total < size) {
        size_t had = c->total;
        TALK_UNTIL(f, c, c->total > had);
        if (rss_anon_kb() > most)
            most = rss_anon_kb();
    }
    crypto_sha256_done(&c->hash, &got);
    assert_memory_equal(got.b, expected.b, sizeof(got.b));
    TURN_UNTIL(f->loop, f->drained == 1);
#ifndef EXBRIDGE_SANITIZED /* it keeps freed memory for a while */
    if (most - before > 8192)
        fail_msg("memory grew by %zu KB", most - before);
#endif
}

static void big_blob(void **state)
{
    struct fixture *f = *state;
    struct client c;
    dial(f, &c);
    big_blob_to(f, &c);
    hang_up(&c);
}

static void order_is_kept(void **state)
{
    struct fixture *f = *state;
    struct client c;
    struct crypto_hash hash;
    dial(f, &c);
    TURN_UNTIL(f->loop, f->conn);
    f->blob = make_blob(300000, &hash);
    struct blob *small = blob_from_str(STR("0123456789"));
    for (int i = 0; i < 3; i++) {
        conn_write(f->conn, STR("<"));
        conn_write_blob(f->conn, f->blob, 5, 299000);
        conn_write(f->conn, STR(">"));
        conn_write_blob(f->conn, small, 2, 3);
        conn_write_blob(f->conn, small, 10, 0);
    }
    blob_unref(&small);
    conn_close(f->conn, "done");
    assert_false(conn_write(f->conn, STR("no more")));
    TALK_UNTIL(f, &c, c.eof);
    assert_int_equal(c.in.n, 3 * (1 + 299000 + 1 + 3));
    char *piece = mem_alloc(299000);
    assert_true(blob_read(f->blob, 5, piece, 299000, NULL));
    for (int i = 0; i < 3; i++) {
        const char *at = c.in.p + i * 299005;
        assert_int_equal(at[0], '<');
        assert_memory_equal(at + 1, piece, 299000);
        assert_memory_equal(at + 299001, ">234", 4);
    }
    mem_free(piece);
    hang_up(&c);
    TURN_UNTIL(f->loop, f->closed);
}

/* Output that nobody takes: writers stop, and go on when it drains. */
static void drained_again_and_again(void **state)
{
    struct fixture *f = *state;
    struct client c;
    struct crypto_hash hash;
    dial(f, &c);
    TURN_UNTIL(f->loop, f->conn);
    f->blob = make_blob(1 << 20, &hash);
    f->refills = 20;
    conn_write_blob(f->conn, f->blob, 0, 1 << 20);
    TURN_FOR(f->loop, 30);
    assert_in_range(f->drained, 0, 10); /* what the socket buffers take */
    TALK_UNTIL(f, &c, c.total == (size_t)21 << 20);
    TURN_UNTIL(f->loop, f->drained == 21);
    hang_up(&c);
}

/* The last words arrive, although bytes were never read: no reset. */
static void close_with_unread_input(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char *much = mem_alloc(200000);
    f->consume = false;
    dial(f, &c);
    put(&c, much, 200000);
    TURN_UNTIL(f->loop, f->conn && conn_input(f->conn).n == INPUT_LIMIT);
    conn_write(f->conn, STR("* BYE too much\r\n"));
    conn_close(f->conn, "too much");
    TALK_UNTIL(f, &c, c.eof || c.reset);
    assert_true(c.eof && !c.reset);
    assert_string_equal(buf_z(&c.in), "* BYE too much\r\n");
    hang_up(&c);
    TURN_UNTIL(f->loop, f->closed);
    mem_free(much);
}

/* A peer that neither reads nor closes after our end does not keep the connection. */
static void linger_ends(void **state)
{
    struct fixture *f = *state;
    struct client c;
    dial(f, &c);
    TURN_UNTIL(f->loop, f->conn);
    conn_close(f->conn, "bye");
    TURN_UNTIL(f->loop, f->closed);
    hang_up(&c);
}

static void end_from_inside(void **state)
{
    struct fixture *f = *state;
    for (enum action a = DO_CLOSE; a <= DO_ABORT; a++) {
        struct client c;
        f->on_accept = a;
        dial(f, &c);
        TALK_UNTIL(f, &c, c.eof || c.reset);
        hang_up(&c);
        TURN_UNTIL(f->loop, f->closed == f->accepted);
        f->on_accept = DO_NOTHING;

        f->on_data = a;
        dial(f, &c);
        put(&c, "x", 1);
        TALK_UNTIL(f, &c, c.eof || c.reset);
        hang_up(&c);
        TURN_UNTIL(f->loop, f->closed == f->accepted);
        f->on_data = DO_NOTHING;

        f->on_timeout = a;
        dial(f, &c);
        TURN_UNTIL(f->loop, f->accepted > f->closed);
        conn_set_timeout(f->conn, 10);
        TALK_UNTIL(f, &c, c.eof || c.reset);
        hang_up(&c);
        TURN_UNTIL(f->loop, f->closed == f->accepted);
        f->on_timeout = DO_NOTHING;

        struct crypto_hash hash;
        f->on_drained = a;
        f->blob = make_blob(2 << 20, &hash);
        dial(f, &c);
        TURN_UNTIL(f->loop, f->accepted > f->closed);
        conn_write_blob(f->conn, f->blob, 0, 2 << 20);
        TALK_UNTIL(f, &c, c.eof || c.reset);
        hang_up(&c);
        TURN_UNTIL(f->loop, f->closed == f->accepted);
        blob_unref(&f->blob);
        f->on_drained = DO_NOTHING;
    }
    assert_int_equal(f->accepted, 8);
    assert_int_equal(f->closed, 8);
}

static void abort_drops_output(void **state)
{
    struct fixture *f = *state;
    struct client c;
    struct crypto_hash hash;
    dial(f, &c);
    TURN_UNTIL(f->loop, f->conn);
    f->blob = make_blob(20 << 20, &hash);
    conn_write_blob(f->conn, f->blob, 0, 20 << 20);
    conn_close(f->conn, "slow");
    TURN_FOR(f->loop, 20);
    assert_int_equal(f->closed, 0); /* the client does not read; the stall limit is minutes away */
    conn_abort(f->conn, "hurry");
    assert_int_equal(f->closed, 0);
    TURN_UNTIL(f->loop, f->closed);
    TALK_UNTIL(f, &c, c.eof || c.reset);
    assert_true(c.total < 20 << 20);
    hang_up(&c);
}

static void half_closed(void **state)
{
    struct fixture *f = *state;
    struct client c;
    f->echo = true;
    f->on_data = DO_CLOSE;
    dial(f, &c);
    put(&c, "logout", 6);
    shutdown(c.fd, SHUT_WR);
    TALK_UNTIL(f, &c, c.eof);
    assert_string_equal(buf_z(&c.in), "logout");
    hang_up(&c);
    TURN_UNTIL(f->loop, f->closed);
}

static void timeouts(void **state)
{
    struct fixture *f = *state;
    struct client c;
    dial(f, &c);
    TURN_UNTIL(f->loop, f->conn);
    conn_set_timeout(f->conn, 20);
    TURN_UNTIL(f->loop, f->timeouts == 1);
    conn_set_timeout(f->conn, 20);
    conn_set_timeout(f->conn, 0);
    TURN_FOR(f->loop, 50);
    assert_int_equal(f->timeouts, 1);
    assert_int_equal(f->closed, 0);
    hang_up(&c);
}

/* --- listeners -------------------------------------------------------------------------------------- */

static void too_many(void **state)
{
    struct fixture *f = *state;
    struct client c[4];
    listen_with(f, "127.0.0.1", false, 2);
    for (int i = 0; i < 4; i++)
        dial(f, &c[i]);
    TALK_UNTIL(f, &c[3], c[3].eof || c[3].reset);
    TALK_UNTIL(f, &c[2], c[2].eof || c[2].reset);
    assert_int_equal(f->accepted, 2);
    hang_up(&c[0]);
    TURN_UNTIL(f->loop, f->closed == 1);
    hang_up(&c[3]);
    dial(f, &c[3]);
    TURN_UNTIL(f->loop, f->accepted == 3);
    for (int i = 1; i < 4; i++)
        hang_up(&c[i]);
    TURN_UNTIL(f->loop, f->closed == 3);
}

static void ports(void **state)
{
    struct fixture *f = *state;
    struct err err;
    char mine[32];
    struct conn_listen_opts o = {.name = "imap",
                                 .address = "127.0.0.1",
                                 .port = conn_listener_port(f->listener),
                                 .max_connections = 1,
                                 .input_limit = 100};
    assert_null(conn_listen(f->loop, &o, on_accept, f, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    snprintf(mine, sizeof(mine), "uid %u", (unsigned)geteuid());
    assert_non_null(strstr(err.text, mine));
    o.address = "localhost";
    assert_null(conn_listen(f->loop, &o, on_accept, f, &err));
    assert_int_equal(err.code, ERR_INVALID);
    listen_with(f, "::1", false, 1);
    assert_true(conn_listener_port(f->listener) > 0);
}

static void handed_over(void **state)
{
    struct fixture *f = *state;
    struct client c;
    struct err err;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    struct conn_listen_opts o = {.name = "imap", .address = "(socket)", .max_connections = 1, .input_limit = 100};
    conn_listener_free(&f->listener);
    f->listener = conn_listen_fd(f->loop, fd, &o, on_accept, f, &err);
    assert_non_null(f->listener);
    f->echo = true;
    dial(f, &c);
    put(&c, "hi", 2);
    TALK_UNTIL(f, &c, c.in.n == 2);
    hang_up(&c);
}

static void lookups(void **state)
{
    struct fixture *f = *state;
    struct client c;
    dial(f, &c);
    TURN_UNTIL(f->loop, f->conn);
    struct sockaddr_storage client_end, server_end;
    socklen_t n = sizeof(client_end), m = sizeof(server_end);
    assert_int_equal(getsockname(c.fd, (struct sockaddr *)&client_end, &n), 0);
    assert_int_equal(getpeername(c.fd, (struct sockaddr *)&server_end, &m), 0);
    int netlink = -1;
    uid_t by_netlink = 77777, by_proc = 77777;
    assert_int_equal(peer_uid(&netlink, (struct sockaddr *)&client_end, (struct sockaddr *)&server_end, &by_netlink),
                     PEER_FOUND);
    assert_int_equal(peer_uid_from_proc((struct sockaddr *)&client_end, (struct sockaddr *)&server_end, &by_proc),
                     PEER_FOUND);
    assert_int_equal(by_netlink, geteuid());
    assert_int_equal(by_proc, geteuid());
    ((struct sockaddr_in *)&client_end)->sin_port = htons(1);
    assert_int_equal(peer_uid(&netlink, (struct sockaddr *)&client_end, (struct sockaddr *)&server_end, &by_netlink),
                     PEER_GONE);
    if (netlink >= 0)
        close(netlink);
    hang_up(&c);
}

/* Another user's process sees an end before any byte. Only root can try that. */
static void other_users(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0)
        skip();
    f->echo = true;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct client c;
        char piece[16];
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(2);
        dial(f, &c);
        fcntl(c.fd, F_SETFL, 0);
        if (send(c.fd, "hello", 5, MSG_NOSIGNAL) != 5)
            _exit(0);
        _exit(recv(c.fd, piece, sizeof(piece), 0) > 0 ? 1 : 0);
    }
    int status = -1;
    pid_t ended = 0;
    TURN_UNTIL(f->loop, ended || (ended = waitpid(pid, &status, WNOHANG)));
    assert_int_equal(ended, pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(f->accepted, 0);
}

/* --- TLS ---------------------------------------------------------------------------------------------- */

static void tls_echo(void **state)
{
    struct fixture *f = *state;
    struct client c;
    SSL_CTX *ctx = client_context(f);
    listen_with(f, "127.0.0.1", true, 20);
    f->echo = true;
    dial_tls(f, &c, ctx);
    TALK_UNTIL(f, &c, c.established && f->conn);
    assert_true(conn_is_tls(f->conn));
    for (int i = 0; i < 100; i++)
        put(&c, "0123456789", 10);
    TALK_UNTIL(f, &c, c.in.n == 1000);
    f->on_data = DO_CLOSE;
    put(&c, "!", 1);
    TALK_UNTIL(f, &c, c.eof);
    assert_false(c.failed); /* the end was announced (close_notify) */
    assert_int_equal(c.in.n, 1001);
    hang_up(&c);
    TURN_UNTIL(f->loop, f->closed);
    SSL_CTX_free(ctx);
}

/* A peer that has ended its direction is still answered: what is left unread waits, and is told again when asked for.
 */
static void answered_after_the_end(void **state)
{
    struct fixture *f = *state;
    SSL_CTX *ctx = client_context(f);
    for (int tls = 0; tls < 2; tls++) {
        struct client c;
        listen_with(f, "127.0.0.1", tls, 20);
        f->stay = true;
        f->consume = false;
        f->data = f->ended = f->closed = 0;
        if (tls) {
            dial_tls(f, &c, ctx);
            TALK_UNTIL(f, &c, c.established);
        } else {
            dial(f, &c);
        }
        put(&c, "command", 7);
        TALK_UNTIL(f, &c, f->data == 1);
        assert_int_equal(f->ended, 0);
        if (tls)
            SSL_shutdown(c.ssl);
        else
            shutdown(c.fd, SHUT_WR);
        TALK_UNTIL(f, &c, f->ended);
        assert_int_equal(f->closed, 0);
        conn_kick(f->conn);
        TURN_UNTIL(f->loop, f->data == 2);
        conn_consume(f->conn, 7);
        assert_true(conn_write(f->conn, STR("answer")));
        TALK_UNTIL(f, &c, c.in.n == 6);
        assert_string_equal(buf_z(&c.in), "answer");
        conn_close(f->conn, "done");
        TALK_UNTIL(f, &c, c.eof);
        hang_up(&c);
        TURN_UNTIL(f->loop, f->closed);
        assert_int_equal(f->ended, 1);
    }
    SSL_CTX_free(ctx);
}

static void tls_input_limit(void **state)
{
    struct fixture *f = *state;
    struct client c;
    SSL_CTX *ctx = client_context(f);
    char *much = mem_alloc(5 * INPUT_LIMIT);
    listen_with(f, "127.0.0.1", true, 20);
    f->consume = false;
    dial_tls(f, &c, ctx);
    TALK_UNTIL(f, &c, c.established && f->conn);
    put(&c, much, 5 * INPUT_LIMIT);
    TALK_UNTIL(f, &c, conn_input(f->conn).n == INPUT_LIMIT);
    TURN_FOR(f->loop, 30);
    f->consume = true;
    conn_kick(f->conn);
    TURN_UNTIL(f->loop, f->taken == 5 * INPUT_LIMIT);
    mem_free(much);
    hang_up(&c);
    SSL_CTX_free(ctx);
}

static void tls_big_blob(void **state)
{
    struct fixture *f = *state;
    struct client c;
    SSL_CTX *ctx = client_context(f);
    listen_with(f, "127.0.0.1", true, 20);
    dial_tls(f, &c, ctx);
    TALK_UNTIL(f, &c,
               c.established && f->conn); /* making the blob takes longer than a handshake may, on a busy machine */
    big_blob_to(f, &c);
    hang_up(&c);
    SSL_CTX_free(ctx);
}

static void tls_offers(void **state)
{
    static const struct {
        const char *alpn; /* wire form */
        int max_version;
        bool accepted;
    } table[] = {
        {"", 0, true},
        {"\x04imap", 0, true},
        {"\x08http/1.1\x04imap", 0, true},
        {"\x08http/1.1", 0, false},
        {"\x02h2\x08http/1.1", TLS1_2_VERSION, false},
        {"", TLS1_2_VERSION, true},
        {"", TLS1_1_VERSION, false},
    };
    struct fixture *f = *state;
    listen_with(f, "127.0.0.1", true, 20);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct client c;
        SSL_CTX *ctx = client_context(f);
        if (table[i].max_version) {
            SSL_CTX_set_max_proto_version(ctx, table[i].max_version);
            SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
        }
        if (*table[i].alpn)
            SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)table[i].alpn, (unsigned)strlen(table[i].alpn));
        dial_tls(f, &c, ctx);
        int before = f->accepted;
        TALK_UNTIL(f, &c, c.failed || f->accepted > before);
        if ((f->accepted > before) != table[i].accepted)
            fail_msg("row %zu", i);
        hang_up(&c);
        SSL_CTX_free(ctx);
    }
    TURN_UNTIL(f->loop, f->closed == f->accepted);
}

/* What is not TLS, is slow, or goes away in the middle never reaches the session. */
static void tls_bad_beginnings(void **state)
{
    struct fixture *f = *state;
    struct client c;
    listen_with(f, "127.0.0.1", true, 20);
    dial(f, &c);
    put(&c, "a1 LOGIN alice secret\r\n", 23);
    TALK_UNTIL(f, &c, c.eof || c.reset);
    hang_up(&c);
    dial(f, &c); /* says nothing */
    TALK_UNTIL(f, &c, c.eof || c.reset);
    hang_up(&c);
    dial(f, &c);
    put(&c, "\x16\x03\x01", 3);
    hang_up(&c);
    dial(f, &c);
    put(&c, "\x16\x03\x01\x02\x00\x01", 6);
    TURN_FOR(f->loop, 20);
    conn_listener_free(&f->listener); /* a handshake under way outlives it, for nobody */
    TALK_UNTIL(f, &c, c.eof || c.reset);
    hang_up(&c);
    assert_int_equal(f->accepted, 0);
}

/* A certificate loaded at run time is for new connections; a bad one changes nothing. */
static void tls_reload(void **state)
{
    struct fixture *f = *state;
    struct client a, b;
    struct err err;
    struct certs certs;
    char path[100];
    SSL_CTX *ctx = client_context(f);
    listen_with(f, "127.0.0.1", true, 20);
    f->echo = true;
    dial_tls(f, &a, ctx);
    TALK_UNTIL(f, &a, a.established && f->conn);
    assert_false(tls_server_load(f->tls, "/nonexistent", "/nonexistent", &err));
    snprintf(path, sizeof(path), "%s/localhost.pem", f->dir);
    assert_int_equal(unlink(path), 0);
    assert_true(certs_ensure(f->dir, &certs, &err));
    assert_true(certs.made_leaf);
    assert_true(tls_server_load(f->tls, certs.chain_file, certs.key_file, &err));
    snprintf(path, sizeof(path), "%s/ca.key", f->dir);
    assert_false(tls_server_load(f->tls, certs.chain_file, path, &err)); /* not this certificate's key */
    certs_done(&certs);
    dial_tls(f, &b, ctx);
    TALK_UNTIL(f, &b, b.established && f->accepted == 2);
    X509 *old = SSL_get1_peer_certificate(a.ssl), *new = SSL_get1_peer_certificate(b.ssl);
    assert_int_not_equal(X509_cmp(old, new), 0);
    X509_free(old);
    X509_free(new);
    put(&a, "still here", 10);
    TALK_UNTIL(f, &a, a.in.n == 10);
    hang_up(&a);
    hang_up(&b);
    TURN_UNTIL(f->loop, f->closed == 2);
    SSL_CTX_free(ctx);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(echo),
        T(input_limit),
        T(big_blob),
        T(order_is_kept),
        T(drained_again_and_again),
        T(close_with_unread_input),
        T(linger_ends),
        T(end_from_inside),
        T(abort_drops_output),
        T(half_closed),
        T(answered_after_the_end),
        T(timeouts),
        T(too_many),
        T(ports),
        T(handed_over),
        T(lookups),
        T(other_users),
        T(tls_echo),
        T(tls_input_limit),
        T(tls_big_blob),
        T(tls_offers),
        T(tls_bad_beginnings),
        T(tls_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
