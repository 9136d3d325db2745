/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a person. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/cli/cli.h"

bool cli_is_interactive(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* A line of stdin, byte by byte: what follows it may be for a program that we start. */
static bool read_line(struct buf *answer, struct err *err)
{
    char c;
    for (;;) {
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, ERR_INVALID, errno, "stdin");
        if (n == 0)
            return answer->n > 0 || err_set(err, ERR_INVALID, "a question needs an answer, and stdin has ended");
        if (c == '\n')
            return true;
        if (!buf_byte(answer, c))
            return err_set(err, ERR_TOO_BIG, "an answer of more than %zu bytes", CLI_ANSWER_MAX);
    }
}

static void trim(struct buf *answer)
{
    struct str inner = str_trim(buf_view(answer));
    if (inner.n)
        memmove(answer->p, inner.p, inner.n);
    answer->n = inner.n;
}

bool cli_ask(const char *question, const char *initial, struct buf *answer, struct err *err)
{
    for (;;) {
        if (initial && *initial)
            fprintf(stderr, "%s [%s]: ", question, initial);
        else
            fprintf(stderr, "%s: ", question);
        fflush(stderr);
        buf_init(answer, CLI_ANSWER_MAX);
        if (!read_line(answer, err)) {
            buf_done(answer);
            return false;
        }
        if (text_utf8_valid(buf_view(answer)))
            break;
        fprintf(stderr, "That is not UTF-8: is the terminal set to another character set?\n");
        buf_done(answer);
    }
    trim(answer);
    if (answer->n == 0 && initial)
        buf_lit(answer, initial);
    return true;
}

/* --- without echo ---------------------------------------------------------------------------------- */

static struct {
    struct termios before; /* of the terminal; read by the signal handler */
    volatile sig_atomic_t changed;
} terminal;

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void on_ending(int signum)
{
    if (terminal.changed)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal.before); /* async-signal-safe: POSIX.1-2017 2.4.3 */
    signal(signum, SIG_DFL);
    raise(signum);
}

static bool echo_off(struct sigaction *before)
{
    if (tcgetattr(STDIN_FILENO, &terminal.before) != 0)
        return false;
    struct termios quiet = terminal.before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ECHONL;
    struct sigaction action = {.sa_handler = on_ending};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        sigaction(endings[i], &action, &before[i]);
    terminal.changed = 1;
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
}

static void echo_on(const struct sigaction *before)
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal.before);
    terminal.changed = 0;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        sigaction(endings[i], &before[i], NULL);
}

bool cli_ask_secret(const char *question, struct buf *answer, struct err *err)
{
    struct sigaction before[sizeof(endings) / sizeof(endings[0])];
    bool is_terminal = isatty(STDIN_FILENO);
    fprintf(stderr, "%s: ", question);
    fflush(stderr);
    buf_init(answer, CLI_ANSWER_MAX);
    if (is_terminal && !echo_off(before))
        return err_set_errno(err, ERR_INVALID, errno, "the terminal");
    bool ok = read_line(answer, err);
    if (is_terminal)
        echo_on(before);
    if (!ok)
        buf_wipe(answer);
    return ok;
}

bool cli_ask_yes(const char *question, bool initial, bool *ret_yes, struct err *err)
{
    struct buf answer;
    struct buf text = BUF_INIT(0);
    buf_printf(&text, "%s [%s]", question, initial ? "Y/n" : "y/N");
    bool ok, understood = false;
    do {
        ok = cli_ask(buf_z(&text), NULL, &answer, err);
        if (!ok)
            break;
        struct str s = buf_view(&answer);
        bool yes = str_case_is(s, "y") || str_case_is(s, "yes"), no = str_case_is(s, "n") || str_case_is(s, "no");
        understood = yes || no || s.n == 0;
        *ret_yes = s.n == 0 ? initial : yes;
        buf_done(&answer);
    } while (!understood);
    buf_done(&text);
    return ok;
}
