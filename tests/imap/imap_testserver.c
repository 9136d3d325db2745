/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core and the IMAP server over a fake backend, driven by lines on stdin (see fake_backend.h, and below), for the
 * dialogue tests.
 *
 *   imap_testserver DIR [exact-size] [passthrough] [writes] [prefetch=none|headers|recent|all] [caps=BITS]
 *       [KEY=N ...]
 *
 * DIR holds state and cache and survives restarts. KEY: idle_timeout_s, or a member of
 * struct server_limits. Prints "port N" first.
 * Own lines: open (opens the account: after the folders were described), ops (operations alive), sessions, memory,
 * quit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/account.h"
#include "bridge/base/buf.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/io/loop.h"
#include "bridge/op.h"
#include "protocols/imap/imap_server.h"
#include "tests/imap/fake_backend.h"

#define DRAIN_MS 1000 /* clients that do not read are dropped then, as by the program */

struct test {
    struct loop *loop;
    struct fake *fake;
    struct accounts *accounts;
    struct servers *servers;
    struct server *server;
    struct account_opts opts;
    struct loop_fd *in;
    struct timer *drain;
    struct buf input;
    char dirs[4][600];
};

static void open_account(struct test *t, struct buf *answer)
{
    struct err err = {0};
    if (account_open(t->accounts, &t->opts, &err))
        buf_lit(answer, "ok");
    else
        buf_printf(answer, "error %s", err.text);
}

static void add_memory(struct buf *answer)
{
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            buf_printf(answer, "ok %d", atoi(line + 8));
    if (f)
        fclose(f);
}

static void quit(struct test *t);

static void on_command(struct test *t, struct str line)
{
    struct buf answer = BUF_INIT(1 << 20);
    if (str_is(line, "open"))
        open_account(t, &answer);
    else if (str_is(line, "ops"))
        buf_printf(&answer, "ok %zu", op_live_count());
    else if (str_is(line, "sessions"))
        buf_printf(&answer, "ok %zu", servers_clients(t->servers));
    else if (str_is(line, "memory"))
        add_memory(&answer);
    else if (str_is(line, "quit")) {
        quit(t);
        return;
    } else
        fake_command(t->fake, line, &answer);
    printf("%s\n", buf_z(&answer));
    fflush(stdout);
    buf_done(&answer);
}

static void on_input(void *ud)
{
    struct test *t = ud;
    char *room = buf_room(&t->input, 65536);
    ssize_t n = room ? read(0, room, 65536) : -1;
    if (n <= 0) {
        quit(t);
        return;
    }
    t->input.n += (size_t)n;
    size_t end;
    while ((end = str_find_byte(buf_view(&t->input), '\n')) != (size_t)-1) {
        char *line = str_dup(str_sub(buf_view(&t->input), 0, end));
        buf_consume(&t->input, end + 1);
        on_command(t, str_from(line));
        mem_free(line);
        if (!t->in)
            return;
    }
}

static void on_empty(void *ud)
{
    loop_stop(((struct test *)ud)->loop);
}

static void quit(struct test *t)
{
    loop_fd_free(&t->in);
    timer_start(t->drain, DRAIN_MS);
    servers_shutdown(t->servers);
}

static void set_option(struct test *t, struct server_limits *limits, struct imap_server_limits *own, const char *arg)
{
    static const char *const prefetch[] = {"prefetch=none", "prefetch=headers", "prefetch=recent", "prefetch=all"};
    static const struct {
        const char *name;
        size_t at;
    } keys[] = {
        {"connections=", offsetof(struct server_limits, connections)},
        {"unauthenticated=", offsetof(struct server_limits, unauthenticated)},
        {"per_account=", offsetof(struct server_limits, per_account)},
        {"preauth_timeout_s=", offsetof(struct server_limits, preauth_timeout_s)},
    };
    for (int i = 0; i < 4; i++)
        if (strcmp(arg, prefetch[i]) == 0)
            t->opts.prefetch = (enum account_prefetch)i;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strncmp(arg, keys[i].name, strlen(keys[i].name)) == 0)
            *(unsigned *)(void *)((char *)limits + keys[i].at) = (unsigned)atoi(arg + strlen(keys[i].name));
    if (strncmp(arg, "idle_timeout_s=", 15) == 0)
        own->idle_timeout_s = (unsigned)atoi(arg + 15);
    t->opts.exact_size |= strcmp(arg, "exact-size") == 0;
    if (strcmp(arg, "passthrough") == 0)
        t->opts.local_auth = LOCAL_AUTH_PASSTHROUGH;
    if (strcmp(arg, "writes") == 0)
        fake_allow_writes(t->fake);
    if (strncmp(arg, "caps=", 5) == 0)
        fake_set_caps(t->fake, (unsigned)strtoul(arg + 5, NULL, 0));
    if (strcmp(arg, "debug") == 0)
        log_set_level(LOG_LEVEL_DEBUG);
}

static void make_dirs(struct test *t, const char *dir)
{
    static const char *const names[4] = {"state", "cache", "tmp", "password"};
    for (int i = 0; i < 4; i++) {
        snprintf(t->dirs[i], sizeof(t->dirs[i]), "%s/%s", dir, names[i]);
        if (i < 3)
            mkdir(t->dirs[i], 0700);
    }
    FILE *f = fopen(t->dirs[3], "w");
    if (f) {
        fputs("secret\n", f);
        fclose(f);
    }
    chmod(t->dirs[3], 0600);
}

int main(int argc, char **argv)
{
    struct test t = {0};
    struct err err = {0};
    if (argc < 2)
        return 2;
    t.loop = loop_new();
    t.fake = fake_new();
    t.accounts = accounts_new(t.loop);
    make_dirs(&t, argv[1]);
    t.opts = (struct account_opts){.name = "work",
                                   .email = "alice@example.com",
                                   .state_dir = t.dirs[0],
                                   .cache_dir = t.dirs[1],
                                   .local_password_file = t.dirs[3],
                                   .prefetch = PREFETCH_NONE,
                                   .backend = &fake_backend_ops,
                                   .backend_config = {.name = "work",
                                                      .email = "alice@example.com",
                                                      .login = (struct login *)(void *)t.fake,
                                                      .tmp_dir = t.dirs[2],
                                                      .message_limit = 150u << 20}};
    struct servers_opts all = {.loop = t.loop, .accounts = t.accounts, .on_empty = on_empty, .ud = &t};
    struct imap_server_opts opts = {.version = "test", .tmp_dir = t.dirs[2]};
    for (int i = 2; i < argc; i++)
        set_option(&t, &all.limits, &opts.limits, argv[i]);
    t.servers = opts.all = servers_new(&all);
    t.server = imap_server_new(&opts);
    if (!server_listen(t.server, "127.0.0.1", 0, NULL, true, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("port %u\n", server_port(t.server));
    fflush(stdout);
    t.drain = timer_new(t.loop, on_empty, &t);
    t.in = loop_fd_new(t.loop, 0, on_input, &t);
    loop_run(t.loop);
    timer_free(&t.drain);
    server_free(&t.server);
    servers_free(&t.servers);
    accounts_free(&t.accounts);
    loop_free(t.loop);
    fake_free(t.fake);
    buf_done(&t.input);
    size_t live = op_live_count();
    printf("left %zu\n", live);
    return live != 0;
}
