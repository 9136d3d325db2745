/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h without TLS. */
#include "bridge/io/conn.h"

#include <string.h>
#include <sys/socket.h>

#include "bridge/base/mem.h"
#include "tests/unit/conn_kit.h"

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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
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
        T(timeouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
