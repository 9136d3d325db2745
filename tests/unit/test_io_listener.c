/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners of conn.h, and whose the other end is (peer.h). */
#include "bridge/io/conn.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/io/peer.h"
#include "tests/unit/conn_kit.h"

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
    assert_null(conn_listen(f->loop, &o, kit_on_accept, f, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    snprintf(mine, sizeof(mine), "uid %u", (unsigned)geteuid());
    assert_non_null(strstr(err.text, mine));
    o.address = "localhost";
    assert_null(conn_listen(f->loop, &o, kit_on_accept, f, &err));
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
    f->listener = conn_listen_fd(f->loop, fd, &o, kit_on_accept, f, &err);
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
    const struct CMUnitTest tests[] = {
        T(too_many), T(ports), T(handed_over), T(lookups), T(other_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
