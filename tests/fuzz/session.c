/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/session.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/account.h"
#include "bridge/base/log.h"
#include "bridge/cache_file.h"
#include "bridge/io/loop.h"
#include "bridge/op.h"
#include "tests/imap/fake_backend.h"

#define PIECE_TURNS 2  /* of the loop, between two pieces */
#define PIECES_MAX  64 /* of what is said */

struct rig {
    struct loop *loop;
    struct fake *fake;
    struct accounts *accounts;
    struct servers *servers;
    struct server *server;
    struct loop_fd *client;
    int fd;
    struct str left; /* to be said */
    size_t piece;
    unsigned pause;   /* turns before the next piece */
    bool over, heard; /* heard: since it was last looked at */
    char dirs[4][80];
};

#define NAME "exbridge-fuzz-"
static char top[60];

static void remove_top(void)
{
    cache_file_remove_tree(top);
}

/* What fuzzers left behind that were killed; their process ids are in the names. */
static void sweep(const char *place)
{
    DIR *dir = opendir(place);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[300];
        int pid, end = 0;
        if (sscanf(entry->d_name, NAME "%d-%*6[A-Za-z0-9]%n", &pid, &end) != 1 || end == 0 ||
            entry->d_name[end] != '\0')
            continue;
        snprintf(path, sizeof(path), "%s/%s", place, entry->d_name);
        if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH)
            cache_file_remove_tree(path);
    }
    if (dir)
        closedir(dir);
}

/* In memory where there is a place for that: a run makes and deletes a database. */
static void make_top(void)
{
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    sweep(place);
    snprintf(top, sizeof(top), "%s/" NAME "%d-XXXXXX", place, (int)getpid());
    if (!mkdtemp(top))
        abort();
    atexit(remove_top);
    log_set_level(LOG_LEVEL_ERROR);
}

static void make_dirs(struct rig *r)
{
    static const char *const names[] = {"state", "cache", "tmp", "password"};
    for (int i = 0; i < 4; i++)
        snprintf(r->dirs[i], sizeof(r->dirs[i]), "%s/%s", top, names[i]);
    for (int i = 0; i < 3; i++) {
        cache_file_remove_tree(r->dirs[i]);
        if (mkdir(r->dirs[i], 0700) != 0)
            abort();
    }
    int fd = open(r->dirs[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "secret\n", 7) != 7)
        abort();
    close(fd);
}

static void fill(struct rig *r)
{
    static const char *const lines[] = {
        "folder inbox - Inbox mail inbox",
        "folder sent - Sent%20Items mail sent",
        "folder drafts - Drafts mail drafts",
        "folder trash - Deleted%20Items mail trash",
        "folder work - Work mail none",
        "folder p1 work Projects mail none",
        /* From: a@example.com, To: b@example.com, Subject: one, Message-ID: <1@example.com>, a line of text */
        "item inbox i1 - 1700000000 - "
        "RnJvbTogYUBleGFtcGxlLmNvbQ0KVG86IGJAZXhhbXBsZS5jb20NClN1YmplY3Q6IG9uZQ0KTWVzc2FnZS1J"
        "RDogPDFAZXhhbXBsZS5jb20+DQoNCkhlbGxvLg0K",
        /* multipart/mixed of a text and an attachment in base64 */
        "item inbox i2 SF 1700000100 Red "
        "RnJvbTogYUBleGFtcGxlLmNvbQ0KU3ViamVjdDogdHdvDQpNSU1FLVZlcnNpb246IDEuMA0KQ29udGVudC"
        "1UeXBlOiBtdWx0aXBhcnQvbWl4ZWQ7IGJvdW5kYXJ5PWINCg0KLS1iDQoNClRleHQuDQotLWINCkNvbnRlbnQtVHlwZTogaW1hZ2UvcG5nOyBu"
        "YW1l"
        "PWENCkNvbnRlbnQtVHJhbnNmZXItRW5jb2Rpbmc6IGJhc2U2NA0KDQpBQUFBDQotLWItLQ0K",
        "bulk inbox b 5 300",
        "bulk work w 3 200",
        "folder cal - Calendar calendar none",
        "folder todo - Tasks tasks none",
        "folder cal2 - Second calendar none",
        /* an event */
        "item cal e1 - 1700000000 - "
        "QkVHSU46VkNBTEVOREFSDQpWRVJTSU9OOjIuMA0KUFJPRElEOngNCkJFR0lOOlZFVkVOVA0KVUlEOm9uZQ0KRFRTVEFNUDoyMDI2"
        "MTEwMVQwMDAwMDBaDQpEVFNUQVJUOjIwMjYxMjAxVDEwMDAwMFoNCkRURU5EOjIwMjYxMjAxVDExMDAwMFoNClNVTU1BUlk6b25l"
        "DQpFTkQ6VkVWRU5UDQpFTkQ6VkNBTEVOREFSDQo=",
        /* a series with an exception */
        "item cal e2 - 1700000000 - "
        "QkVHSU46VkNBTEVOREFSDQpWRVJTSU9OOjIuMA0KUFJPRElEOngNCkJFR0lOOlZFVkVOVA0KVUlEOndlZWtseQ0KRFRTVEFNUDoy"
        "MDI2MTEwMVQwMDAwMDBaDQpEVFNUQVJUO1RaSUQ9RXVyb3BlL0JlcmxpbjoyMDI2MTIwMVQxMjAwMDANCkRURU5EO1RaSUQ9RXVy"
        "b3BlL0JlcmxpbjoyMDI2MTIwMVQxMzAwMDANClJSVUxFOkZSRVE9V0VFS0xZO0NPVU5UPTUNCkVYREFURTtUWklEPUV1cm9wZS9C"
        "ZXJsaW46MjAyNjEyMTVUMTIwMDAwDQpTVU1NQVJZOnMNCkVORDpWRVZFTlQNCkJFR0lOOlZFVkVOVA0KVUlEOndlZWtseQ0KRFRT"
        "VEFNUDoyMDI2MTEwMVQwMDAwMDBaDQpSRUNVUlJFTkNFLUlEO1RaSUQ9RXVyb3BlL0JlcmxpbjoyMDI2MTIwOFQxMjAwMDANCkRU"
        "U1RBUlQ7VFpJRD1FdXJvcGUvQmVybGluOjIwMjYxMjA4VDE0MDAwMA0KRFRFTkQ7VFpJRD1FdXJvcGUvQmVybGluOjIwMjYxMjA4"
        "VDE1MDAwMA0KU1VNTUFSWTptb3ZlZA0KRU5EOlZFVkVOVA0KRU5EOlZDQUxFTkRBUg0K",
        /* a meeting of the user */
        "item cal e3 - 1700000000 - "
        "QkVHSU46VkNBTEVOREFSDQpWRVJTSU9OOjIuMA0KUFJPRElEOngNCkJFR0lOOlZFVkVOVA0KVUlEOm1pbmUNCkRUU1RBTVA6MjAy"
        "NjExMDFUMDAwMDAwWg0KRFRTVEFSVDtWQUxVRT1EQVRFOjIwMjYxMjAyDQpTVU1NQVJZOm0NCk9SR0FOSVpFUjptYWlsdG86YWxp"
        "Y2VAZXhhbXBsZS5jb20NCkFUVEVOREVFOm1haWx0bzpib2JAZXhhbXBsZS5jb20NCkVORDpWRVZFTlQNCkVORDpWQ0FMRU5EQVIN"
        "Cg==",
        /* somebody else's meeting */
        "item cal e4 - 1700000000 - "
        "QkVHSU46VkNBTEVOREFSDQpWRVJTSU9OOjIuMA0KUFJPRElEOngNCkJFR0lOOlZFVkVOVA0KVUlEOnRoZWlycw0KRFRTVEFNUDoy"
        "MDI2MTEwMVQwMDAwMDBaDQpEVFNUQVJUOjIwMjYxMjAzVDEwMDAwMFoNCkRVUkFUSU9OOlBUMUgNClNVTU1BUlk6dA0KT1JHQU5J"
        "WkVSOm1haWx0bzpib2JAZXhhbXBsZS5jb20NCkFUVEVOREVFO1BBUlRTVEFUPU5FRURTLUFDVElPTjptYWlsdG86YWxpY2VAZXhh"
        "bXBsZS5jb20NCkVORDpWRVZFTlQNCkVORDpWQ0FMRU5EQVINCg==",
        /* the first one, elsewhere */
        "item cal2 e5 - 1700000000 - "
        "QkVHSU46VkNBTEVOREFSDQpWRVJTSU9OOjIuMA0KUFJPRElEOngNCkJFR0lOOlZFVkVOVA0KVUlEOm9uZQ0KRFRTVEFNUDoyMDI2"
        "MTEwMVQwMDAwMDBaDQpEVFNUQVJUOjIwMjYxMjAxVDEwMDAwMFoNCkRURU5EOjIwMjYxMjAxVDExMzAwMFoNClNVTU1BUlk6b3Ro"
        "ZXINCkVORDpWRVZFTlQNCkVORDpWQ0FMRU5EQVINCg==",
        /* a task */
        "item todo t1 - 1700000000 - "
        "QkVHSU46VkNBTEVOREFSDQpWRVJTSU9OOjIuMA0KUFJPRElEOngNCkJFR0lOOlZUT0RPDQpVSUQ6dG9kbw0KRFRTVEFNUDoyMDI2"
        "MTEwMVQwMDAwMDBaDQpEVUU7VkFMVUU9REFURToyMDI2MTIxMA0KU1RBVFVTOklOLVBST0NFU1MNClNVTU1BUlk6dG9kbw0KRU5E"
        "OlZUT0RPDQpFTkQ6VkNBTEVOREFSDQo=",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct buf answer = {0};
        fake_command(r->fake, str_from(lines[i]), &answer);
        if (!str_starts(buf_view(&answer), STR("ok")))
            abort();
        buf_done(&answer);
    }
}

static void open_all(struct rig *r, struct server *(*make)(struct servers *all, const char *tmp_dir))
{
    struct err err = {0};
    r->loop = loop_new();
    r->fake = fake_new();
    fake_allow_writes(r->fake);
    fake_set_caps(r->fake, CAP_PUSH_ALL | CAP_KEYWORDS | CAP_COPY | CAP_APPEND | CAP_ANSWERED | CAP_CALENDAR |
                               CAP_TASKS | CAP_FREE_BUSY);
    r->accounts = accounts_new(r->loop);
    struct account_opts account = {.name = "mine",
                                   .email = "alice@example.com",
                                   .state_dir = r->dirs[0],
                                   .cache_dir = r->dirs[1],
                                   .local_password_file = r->dirs[3],
                                   .calendars = true,
                                   .backend = &fake_backend_ops,
                                   .backend_config = {.name = "mine",
                                                      .email = "alice@example.com",
                                                      .login = (struct login *)(void *)r->fake,
                                                      .tmp_dir = r->dirs[2],
                                                      .message_limit = 1 << 20}};
    fill(r);
    if (!account_open(r->accounts, &account, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    r->servers = servers_new(&(struct servers_opts){.loop = r->loop, .accounts = r->accounts});
    r->server = make(r->servers, r->dirs[2]);
    if (!server_listen(r->server, "127.0.0.1", 0, NULL, false, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static void close_all(struct rig *r)
{
    loop_fd_free(&r->client);
    close(r->fd);
    server_free(&r->server);
    servers_free(&r->servers);
    accounts_free(&r->accounts);
    loop_free(r->loop);
    fake_free(r->fake);
    if (op_live_count() != 0)
        abort();
}

static void say_more(struct rig *r)
{
    struct str piece = str_sub(r->left, 0, r->piece);
    ssize_t n = piece.n ? send(r->fd, piece.p, piece.n, MSG_NOSIGNAL) : 0;
    if (n < 0 && errno == EAGAIN)
        return;
    r->left = n < 0 ? STR_NULL : str_skip(r->left, (size_t)n); /* the server has hung up: nothing more to say */
    r->pause = PIECE_TURNS;
    if (r->left.n == 0)
        shutdown(r->fd, SHUT_WR);
}

static void on_client(void *ud)
{
    struct rig *r = ud;
    char piece[65536];
    ssize_t n = recv(r->fd, piece, sizeof(piece), 0);
    r->heard |= n > 0;
    r->over = n == 0 || (n < 0 && errno != EAGAIN);
}

static void on_tick(void *ud)
{
    (void)ud; /* it only ends the wait of loop_turn() */
}

/* The server speaks first, and answers each line. */
static void sign_in(struct rig *r, struct str lines)
{
    struct str line;
    while (lines.n && !r->over) {
        for (r->heard = false; !r->heard && !r->over;)
            loop_turn(r->loop);
        str_cut(&lines, '\n', &line);
        if (send(r->fd, line.p, line.n + 1, MSG_NOSIGNAL) != (ssize_t)line.n + 1)
            abort();
    }
    for (r->heard = false; !r->heard && !r->over;)
        loop_turn(r->loop);
}

/* libFuzzer's clock interrupts system calls. */
static bool is_connected(int fd, const struct sockaddr_in *to)
{
    while (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 && errno != EISCONN)
        if (errno != EINTR && errno != EALREADY) {
            perror("connect");
            return false;
        }
    return true;
}

static void talk(struct rig *r, struct str lines)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server_port(r->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct deferred tick;
    deferred_init(&tick, on_tick, NULL);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->fd < 0 || !is_connected(r->fd, &to) || fcntl(r->fd, F_SETFL, O_NONBLOCK) != 0)
        abort();
    r->client = loop_fd_new(r->loop, r->fd, on_client, r);
    if (lines.n)
        sign_in(r, lines);
    if (r->left.n == 0)
        shutdown(r->fd, SHUT_WR);
    while (!r->over) {
        if (r->left.n) {
            loop_defer(r->loop, &tick);
            if (r->pause-- == 0)
                say_more(r);
        }
        loop_turn(r->loop);
    }
    loop_defer_cancel(&tick);
}

int session_run(struct server *(*make)(struct servers *all, const char *tmp_dir), const char *lines,
                const uint8_t *data, size_t size)
{
    struct rig r = {.piece = size / PIECES_MAX + (size ? data[0] : 0) + 1, .pause = PIECE_TURNS};
    if (!*top)
        make_top();
    r.left = str_of(size > 1 ? (const char *)data + 1 : "", size > 1 ? size - 1 : 0);
    make_dirs(&r);
    open_all(&r, make);
    talk(&r, str_from(lines));
    close_all(&r);
    return 0;
}
