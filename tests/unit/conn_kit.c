/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/conn_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "certs/certs.h"

/* --- the server: one connection is looked at ------------------------------------------------ */

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

void kit_on_accept(void *ud, struct conn *c)
{
    struct fixture *f = ud;
    f->accepted++;
    f->conn = c;
    conn_set_handler(c, on_event, f);
    act(f, c, f->on_accept);
}

void listen_with(struct fixture *f, const char *address, bool tls, unsigned max)
{
    struct err err;
    struct conn_listen_opts o = {.name = "test",
                                 .address = address,
                                 .tls = tls ? f->tls : NULL,
                                 .same_user = true,
                                 .max_connections = max,
                                 .handshake_timeout_ms = f->handshake_ms,
                                 .input_limit = INPUT_LIMIT};
    conn_listener_free(&f->listener);
    f->listener = conn_listen(f->loop, &o, kit_on_accept, f, &err);
    if (!f->listener)
        fail_msg("%s", err.text);
}

int kit_set_up(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    struct certs c;
    struct err err;
    f->loop = loop_new();
    f->consume = true;
    f->handshake_ms = 60 * 1000; /* of a busy machine */
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

int kit_tear_down(void **state)
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

void dial(struct fixture *f, struct client *c)
{
    *c = (struct client){.in = BUF_INIT(0)};
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)conn_listener_port(f->listener)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

void dial_tls(struct fixture *f, struct client *c, SSL_CTX *ctx)
{
    dial(f, c);
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
}

void hang_up(struct client *c)
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

bool pump(struct client *c)
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

void put(struct client *c, const char *p, size_t n)
{
    if (c->ssl)
        assert_int_equal(SSL_write(c->ssl, p, (int)n), n);
    else
        assert_int_equal(send(c->fd, p, n, MSG_NOSIGNAL), n);
}

SSL_CTX *client_context(struct fixture *f)
{
    char path[100];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    snprintf(path, sizeof(path), "%s/ca.pem", f->dir);
    assert_int_equal(SSL_CTX_load_verify_locations(ctx, path, NULL), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
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

struct blob *make_blob(size_t size, struct crypto_hash *ret_hash)
{
    struct blob *b = blob_new(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", size);
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

void big_blob_to(struct fixture *f, struct client *c)
{
    const size_t size = 24 << 20;
    struct crypto_hash expected, got;
    TALK_UNTIL(f, c, f->conn);
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
