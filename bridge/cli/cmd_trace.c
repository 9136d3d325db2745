/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "bridge/cli/commands.h"
#include "bridge/control.h"

#define SECONDS_MAX 86400

static int stop_pipe[2];

/* The daemon ends the trace when the conversation ends: all there is to do is to leave. */
static void on_signal(int number)
{
    (void)number;
    ssize_t n = write(stop_pipe[1], "", 1);
    (void)n; /* full: it was told already */
}

static bool catch_signals(uint32_t seconds, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGALRM};
    struct sigaction action = {.sa_handler = on_signal};
    if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_set_errno(err, ERR_INTERNAL, errno, "pipe");
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    alarm(seconds);
    return true;
}

static void on_part(void *ud, const json_t *part)
{
    const char *line = json_string_value(json_object_get(part, "line"));
    const char *name = ud;
    if (line)
        cli_say("%s", line);
    else
        cli_complain("%s: what goes to the server and comes from it; ^C ends it", name);
    fflush(stdout);
}

static int trace(struct cli *c)
{
    struct err err;
    uint32_t seconds = 0;
    const char *span = cli_flag(c, "--seconds");
    if (span && (!str_to_u32(str_from(span), &seconds) || seconds == 0 || seconds > SECONDS_MAX))
        return cli_usage(c, "--seconds: a number from 1 to %d", SECONDS_MAX);
    if (!cli_config(c))
        return EX_CONFIG;
    struct config_account *a = cli_account(c, c->arg_count ? c->args[0] : NULL);
    if (!a)
        return EX_NOINPUT;
    if (!catch_signals(seconds, &err))
        return cli_fail(&err);
    struct buf path = BUF_INIT(0);
    control_path(&path, c->config->server.state_dir);
    bool ok = control_call(&(struct control_call){.path = buf_z(&path),
                                                  .config_path = c->config->path,
                                                  .command = "trace",
                                                  .args = json_pack("{s:s}", "account", a->name),
                                                  .stop_fd = stop_pipe[0],
                                                  .on_part = on_part,
                                                  .ud = (void *)a->name},
                           NULL, &err);
    buf_done(&path);
    return ok ? EX_OK : cli_fail(&err);
}

static const struct cli_flag flags[] = {
    {"--seconds", "N", "end by itself after so long"},
    {0},
};

const struct cli_command cli_trace = {
    .name = "trace",
    .summary = "show what an account and its server say to each other",
    .args = "[ACCOUNT]",
    .help = "Shows the requests of the running exbridge and the answers of the server, EWS as XML and\n"
            "ActiveSync decoded into text, until ^C. Each line begins with the number of the request:\n"
            "> goes to the server, < comes from it, = is the end, with time and sizes. Requests to a\n"
            "login server (auth = oauth) have numbers of their own: #login-1.\n"
            "\n"
            "Passwords, tokens, addresses, names, subjects and the text of messages are not shown, only\n"
            "how long they are: what is printed can be sent to somebody who looks for a fault. Names of\n"
            "servers, ids, dates and sizes are there.\n",
    .flags = flags,
    .max_args = 1,
    .words = {CLI_WORD_ACCOUNT},
    .fn = trace,
};
