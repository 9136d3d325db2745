/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h over TLS (tls.h). */
#include "bridge/io/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "certs/certs.h"
#include "tests/unit/conn_kit.h"

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
    TALK_UNTIL(f, &c, c.established && f->conn);
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
    f->handshake_ms = 300;
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
#define T(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
    const struct CMUnitTest tests[] = {
        T(tls_echo),   T(answered_after_the_end), T(tls_input_limit), T(tls_big_blob),
        T(tls_offers), T(tls_bad_beginnings),     T(tls_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
