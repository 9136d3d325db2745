/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/cli/commands.h"
#include "bridge/control.h"

static const char *text_of(const json_t *o, const char *name)
{
    const char *z = json_string_value(json_object_get(o, name));
    return z ? z : "";
}

static json_int_t number_of(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

/* --- as text ------------------------------------------------------------------------------------------- */

static void add_span(struct buf *out, json_int_t s)
{
    static const struct {
        json_int_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (s >= 2 * units[i].seconds) {
            buf_printf(out, "%lld %s", (long long)(s / units[i].seconds), units[i].name);
            return;
        }
    }
    buf_printf(out, "%lld s", (long long)s);
}

static void add_bytes(struct buf *out, json_int_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1) {
        n /= 1024;
        unit++;
    }
    buf_printf(out, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

static void add_state(struct buf *out, const json_t *a)
{
    static const struct {
        const char *state, *text;
    } table[] = {{"online", "online"},
                 {"syncing", "online, first synchronisation"},
                 {"starting", "connecting"},
                 {"waiting", "WAITING FOR THE KEYRING"},
                 {"offline", "offline"},
                 {"throttled", "online, the server asks for a pause"},
                 {"needs-login", "NEEDS LOGIN"},
                 {"needs-admin", "NEEDS ADMINISTRATOR"},
                 {"wiped", "WIPED"},
                 {"closed", "CANNOT BE OPENED"},
                 {"disk", "DISK FULL OR FAILING"},
                 {"trouble", "IN TROUBLE"},
                 {"unknown", "not known"}};
    const char *state = text_of(a, "state");
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].state, state) == 0)
            state = table[i].text;
    buf_lit(out, state);
}

static void say_problem(const json_t *a)
{
    if (*text_of(a, "text"))
        cli_say("    %s", text_of(a, "text"));
    if (json_is_integer(json_object_get(a, "retry_in_s"))) {
        struct buf b = BUF_INIT(0);
        add_span(&b, number_of(a, "retry_in_s"));
        cli_say("    next attempt in %s", buf_z(&b));
        buf_done(&b);
    }
    if (*text_of(a, "next"))
        cli_say("    -> %s", text_of(a, "next"));
}

static void say_folders(const json_t *a)
{
    const json_t *folders = json_object_get(a, "folders"), *now = json_object_get(a, "syncing");
    struct buf b = BUF_INIT(0);
    json_int_t all = number_of(folders, "all"), complete = number_of(folders, "complete"),
               behind = number_of(folders, "behind");
    if (complete < all)
        buf_printf(&b, "%lld of %lld folders complete", (long long)complete, (long long)all);
    else
        buf_printf(&b, "%lld folders", (long long)all);
    if (behind)
        buf_printf(&b, ", %lld to be looked at", (long long)behind);
    if (json_is_object(now))
        buf_printf(&b, ", now %s (%lld messages so far)", text_of(now, "folder"),
                   (long long)number_of(now, "messages"));
    buf_printf(&b, "; changes come by %s", text_of(a, "push"));
    if (json_is_integer(json_object_get(a, "answered_s_ago"))) {
        buf_lit(&b, "; looked ");
        add_span(&b, number_of(a, "answered_s_ago"));
        buf_lit(&b, " ago");
    }
    cli_say("    %s", buf_z(&b));
    buf_done(&b);
}

static void say_use(const json_t *a)
{
    const json_t *cache = json_object_get(a, "cache");
    struct buf b = BUF_INIT(0);
    buf_printf(&b, "%lld clients; ", (long long)number_of(a, "clients"));
    add_bytes(&b, number_of(cache, "bytes"));
    buf_lit(&b, " of messages here");
    if (number_of(cache, "limit")) {
        buf_lit(&b, ", at most ");
        add_bytes(&b, number_of(cache, "limit"));
    }
    if (number_of(a, "changes"))
        buf_printf(&b, "; %lld changes on their way", (long long)number_of(a, "changes"));
    if (number_of(a, "sending"))
        buf_printf(&b, "; %lld messages being sent", (long long)number_of(a, "sending"));
    cli_say("    %s", buf_z(&b));
    buf_done(&b);
    if (number_of(a, "unreadable"))
        cli_say("    items of calendars that cannot be read: %lld (the log says why)",
                (long long)number_of(a, "unreadable"));
    if (number_of(a, "held"))
        cli_say("    mails about meetings that wait for what the server says of them: %lld",
                (long long)number_of(a, "held"));
    if (*text_of(cache, "trouble"))
        cli_say("    what is read cannot be kept: %s", text_of(cache, "trouble"));
}

static void say_account(const json_t *a)
{
    struct buf state = BUF_INIT(0);
    const json_t *last = json_object_get(a, "last_error");
    add_state(&state, a);
    cli_say("%s (%s over %s): %s", text_of(a, "name"), text_of(a, "email"), text_of(a, "backend"), buf_z(&state));
    buf_done(&state);
    say_problem(a);
    if (!json_is_object(json_object_get(a, "folders")))
        return;
    say_folders(a);
    say_use(a);
    if (json_is_object(last) && !*text_of(a, "text"))
        cli_say("    last trouble, at %s: %s", text_of(last, "at"), text_of(last, "text"));
}

static void say_all(const json_t *status)
{
    size_t i;
    json_t *item;
    struct buf b = BUF_INIT(0);
    json_array_foreach(json_object_get(status, "listening"), i, item)
        buf_printf(&b, ", %s on port %lld (%s)", text_of(item, "protocol"), (long long)number_of(item, "port"),
                   json_is_true(json_object_get(item, "tls")) ? "TLS" : "plain");
    if (json_is_true(json_object_get(status, "running")))
        cli_say("exbridge %s, process %lld since %s%s", text_of(status, "version"), (long long)number_of(status, "pid"),
                text_of(status, "since"), buf_z(&b));
    else if (*text_of(status, "text"))
        cli_say("%s", text_of(status, "text"));
    else
        cli_say("exbridge is not running; to start it: systemctl --user start exbridge, or exbridge run");
    buf_done(&b);
    json_array_foreach(json_object_get(status, "accounts"), i, item) say_account(item);
}

/* --- without a daemon ------------------------------------------------------------------------------------ */

/* What the configuration tells. state.db is the daemon's: two must not read it in different versions. */
static json_t *from_config(const struct config *config, const char *only)
{
    json_t *accounts = json_array();
    for (size_t i = 0; i < config->account_count; i++) {
        const struct config_account *a = &config->accounts[i];
        if (only && strcmp(only, a->name) != 0)
            continue;
        json_array_append_new(accounts,
                              json_pack("{s:s, s:o, s:s, s:o, s:s}", "name", a->name, "email", control_text(a->email),
                                        "backend", a->backend == BACKEND_EWS ? "ews" : "eas", "url",
                                        control_text(a->url), "state", "unknown"));
    }
    return json_pack("{s:b, s:o}", "running", 0, "accounts", accounts);
}

/* The worst of what was told, as an exit status. */
static int verdict(const json_t *status)
{
    static const struct {
        const char *state;
        int code;
    } table[] = {{"needs-login", EX_NOPERM}, {"needs-admin", EX_NOPERM}, {"wiped", EX_NOPERM},
                 {"closed", EX_NOPERM},      {"offline", EX_TEMPFAIL},   {"throttled", EX_TEMPFAIL},
                 {"trouble", EX_TEMPFAIL},   {"disk", EX_NOPERM},        {"waiting", EX_NOPERM}};
    int code = EX_OK;
    size_t i;
    json_t *item;
    if (!json_is_true(json_object_get(status, "running")))
        return EX_UNAVAILABLE;
    json_array_foreach(json_object_get(status, "accounts"), i,
                       item) for (size_t t = 0; t < sizeof(table) / sizeof(table[0]);
                                  t++) if (strcmp(table[t].state, text_of(item, "state")) == 0 && table[t].code > code)
        code = table[t].code;
    return code;
}

static int tell(const struct cli *c, json_t *answer)
{
    int code = verdict(answer);
    if (cli_flag(c, "--json"))
        cli_say_json(json_incref(answer));
    else
        say_all(answer);
    json_decref(answer);
    return code;
}

/* The daemon goes on with what it has read before. */
static int status_with_mistakes(struct cli *c)
{
    struct err err;
    json_t *answer = NULL, *args = c->arg_count ? json_pack("{s:s}", "account", c->args[0]) : NULL;
    if (cli_ask_daemon(c, "status", args, &answer, &err))
        tell(c, answer);
    return EX_CONFIG;
}

static int status(struct cli *c)
{
    struct err err;
    json_t *answer = NULL, *args = NULL;
    const struct config *config = cli_config(c);
    const struct config_account *only = NULL;
    if (!config)
        return status_with_mistakes(c);
    if (c->arg_count) {
        only = cli_account(c, c->args[0]);
        if (!only)
            return EX_NOINPUT;
        args = json_pack("{s:s}", "account", only->name);
    }
    if (!cli_ask_daemon(c, "status", args, &answer, &err)) {
        if (!control_is_down(&err))
            return cli_fail(&err);
        answer = from_config(config, only ? only->name : NULL);
        if (err.status == CONTROL_OTHER_CONFIG)
            json_object_set_new(answer, "text", control_text(err.text));
    }
    return tell(c, answer);
}

static const struct cli_flag flags[] = {{"--json", NULL, "as JSON"}, {0}};

const struct cli_command cli_status = {
    .name = "status",
    .summary = "how the accounts stand",
    .args = "[ACCOUNT]",
    .help = "What the running daemon knows of each account: connected or not and why, how far a\n"
            "first synchronisation has come, whether changes are pushed, what waits, the size\n"
            "of the cache, and the last trouble.\n"
            "\n"
            "Exit status: 0 all is well, 69 the daemon is not running, 75 an account is offline\n"
            "(it tries again by itself), 77 an account needs somebody to do something, 78 the\n"
            "configuration has mistakes; the daemon goes on with what it has read before.\n",
    .flags = flags,
    .max_args = 1,
    .words = {CLI_WORD_ACCOUNT},
    .fn = status,
};
