/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONN_KIT_H
#define TESTS_UNIT_CONN_KIT_H
/* For tests of conn.h and tls.h over real sockets: the server on the loop, the client beside it, non-blocking, in the
 * same thread. Nothing here depends on how busy the machine is: deadlines only end what hangs. */
#include <openssl/ssl.h>

#include "bridge/base/buf.h"
#include "bridge/io/blob.h"
#include "bridge/io/conn.h"
#include "bridge/io/crypto.h"
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
    unsigned handshake_ms;
};

int kit_set_up(void **state); /* *state: a fixture that listens on 127.0.0.1 without TLS */
int kit_tear_down(void **state);
void kit_on_accept(void *ud, struct conn *c);
/* Instead of the listener that is there. */
void listen_with(struct fixture *f, const char *address, bool tls, unsigned max);

/* --- the client ------------------------------------------------------------------------------- */

struct client {
    int fd;
    SSL *ssl;
    struct buf in;
    size_t total;
    struct crypto_sha256 *hash; /* instead of `in` */
    bool eof, reset, established, failed;
};

void dial(struct fixture *f, struct client *c);
void dial_tls(struct fixture *f, struct client *c, SSL_CTX *ctx);
SSL_CTX *client_context(struct fixture *f); /* trusts the fixture's authority; the caller frees it */
void hang_up(struct client *c);
bool pump(struct client *c); /* Take what has come; true at the end of the connection. */
void put(struct client *c, const char *p, size_t n);

/* Like TURN_UNTIL, with a client that reads meanwhile. */
#define TALK_UNTIL(f, c, condition)                                                                                    \
    do {                                                                                                               \
        uint64_t end_ms = time_mono_ms() + TEST_DEADLINE_MS;                                                           \
        struct timer *t = timer_new((f)->loop, test_tick, NULL);                                                       \
        while (pump(c), !(condition) && time_mono_ms() < end_ms) {                                                     \
            timer_start(t, 1);                                                                                         \
            loop_turn((f)->loop);                                                                                      \
        }                                                                                                              \
        timer_free(&t);                                                                                                \
        if (!(condition))                                                                                              \
            fail_msg("not reached: %s", #condition);                                                                   \
    } while (0)

/* --- messages ------------------------------------------------------------------------------------ */

struct blob *make_blob(size_t size, struct crypto_hash *ret_hash);
/* 24 MB through the connection, without being in memory. */
void big_blob_to(struct fixture *f, struct client *c);

#endif
