/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/cli/commands.h"
#include "bridge/cli/config_accounts.h"
#include "bridge/cli/doctor.h"
#include "bridge/control.h"

/* --- lines ------------------------------------------------------------------------------------------------ */

static const char *const verdicts[] = {[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "FAIL"};

const char *doctor_text(struct doctor *d, const char *fmt, ...)
{
    struct buf text = BUF_INIT(0);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    const char *copy = arena_strdup(&d->arena, buf_view(&text));
    buf_done(&text);
    return copy;
}

static void add_json(struct doctor *d, enum doctor_verdict verdict, const char *what, const char *evidence,
                     const char *fix)
{
    json_t *line = json_object();
    json_object_set_new(line, "verdict", json_string(verdicts[verdict]));
    json_object_set_new(line, "account", d->account ? control_text(d->account->name) : json_null());
    json_object_set_new(line, "what", control_text(what));
    json_object_set_new(line, "evidence", control_text(evidence));
    json_object_set_new(line, "fix", fix ? control_text(fix) : json_null());
    json_array_append_new(d->lines, line);
}

void doctor_say(struct doctor *d, enum doctor_verdict verdict, const char *what, const char *fix, const char *fmt, ...)
{
    struct buf evidence = BUF_INIT(0);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&evidence, fmt, ap);
    va_end(ap);
    d->counts[verdict]++;
    if (d->json)
        add_json(d, verdict, what, buf_z(&evidence), fix);
    else
        cli_say("%-4s  %s%s%s (%s)%s%s", verdicts[verdict], d->account ? d->account->name : "", d->account ? ": " : "",
                what, buf_z(&evidence), fix ? " -> " : "", fix ? fix : "");
    fflush(stdout); /* some take a while */
    buf_done(&evidence);
}

/* --- the daemon ---------------------------------------------------------------------------------------------- */

static void ask_daemon(struct doctor *d)
{
    struct buf path = BUF_INIT(0);
    struct err err;
    control_path(&path, d->config->server.state_dir);
    d->running = control_call(
        &(struct control_call){
            .path = buf_z(&path), .config_path = d->config->path, .command = "status", .timeout_s = 10},
        &d->status, &err);
    if (d->running)
        doctor_say(d, DOCTOR_OK, "exbridge itself", NULL, "running, version %s",
                   json_string_value(json_object_get(d->status, "version")));
    else if (control_is_down(&err))
        doctor_say(d, DOCTOR_WARN, "exbridge itself",
                   err.status == CONTROL_NOT_RUNNING ? "systemctl --user start exbridge, or: exbridge run"
                                                     : "give each configuration a state-dir of its own",
                   "%s", err.text);
    else
        doctor_say(d, DOCTOR_FAIL, "exbridge itself", "stop it, and start it again", "it does not answer: %s",
                   err.text);
    buf_done(&path);
}

const json_t *doctor_status_of(const struct doctor *d, const struct config_account *a)
{
    const json_t *list = json_object_get(d->status, "accounts"), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name && strcmp(name, a->name) == 0)
            return one;
    }
    return NULL;
}

/* --- in order --------------------------------------------------------------------------------------------------- */

/* The file that cannot be read is the first finding, and the last: nothing else is known then. */
static bool read_config(struct doctor *d)
{
    struct buf path = BUF_INIT(0), problems = BUF_INIT(0);
    struct err err;
    struct str rest, line;
    if (!cli_config_path(d->cli, &path, &err)) {
        doctor_say(d, DOCTOR_FAIL, "configuration", "set HOME, or name the file with -c", "%s", err.text);
        return false;
    }
    d->config = config_load(buf_z(&path), &problems);
    rest = buf_view(&problems);
    while (!d->config && str_cut(&rest, '\n', &line) && line.n)
        doctor_say(d, DOCTOR_FAIL, "configuration",
                   access(buf_z(&path), F_OK) == 0 ? "correct the file" : "exbridge setup", "%.*s", STR_ARG(line));
    if (d->config)
        doctor_say(d, DOCTOR_OK, "configuration", NULL, "%s, %zu account%s", d->config->path, d->config->account_count,
                   d->config->account_count == 1 ? "" : "s");
    d->cli->config = d->config;
    buf_done(&path);
    buf_done(&problems);
    return d->config != NULL;
}

static void examine(struct doctor *d, const struct config_account *a)
{
    d->account = a;
    d->reachable = d->schemes_known = d->no_secret = false;
    d->schemes = 0;
    doctor_local_account(d, a);
    doctor_net(d, a);
    doctor_sign(d, a);
    d->account = NULL;
}

static int finish(struct doctor *d)
{
    int code = d->counts[DOCTOR_FAIL] ? 2 : d->counts[DOCTOR_WARN] ? 1 : 0;
    if (d->json)
        cli_say_json(json_pack("{s:s, s:i, s:i, s:i, s:o}", "verdict", verdicts[code], "ok", (int)d->counts[DOCTOR_OK],
                               "warn", (int)d->counts[DOCTOR_WARN], "fail", (int)d->counts[DOCTOR_FAIL], "lines",
                               d->lines));
    else
        cli_say("%u ok, %u warn, %u FAIL", d->counts[DOCTOR_OK], d->counts[DOCTOR_WARN], d->counts[DOCTOR_FAIL]);
    return code;
}

static void on_secrets(void *ud)
{
    struct doctor *d = ud;
    if (d->login)
        login_vault_changed(d->login);
}

static int doctor(struct cli *c)
{
    struct doctor d = {.cli = c, .json = cli_flag(c, "--json") != NULL};
    const struct config_account *only = NULL;
    int code = EX_OK;
    d.lines = d.json ? json_array() : NULL;
    d.loop = loop_new();
    log_set_level(LOG_LEVEL_ERROR); /* what a backend would write into a log is told in lines here */
    if (read_config(&d)) {
        if (c->arg_count && !(only = cli_account(c, c->args[0])))
            code = EX_NOINPUT;
        if (code == EX_OK) {
            d.secrets = config_secrets_open(d.config, d.loop, on_secrets, &d);
            ask_daemon(&d);
            doctor_local(&d);
            for (size_t i = 0; i < d.config->account_count; i++)
                if (!only || only == &d.config->accounts[i])
                    examine(&d, &d.config->accounts[i]);
        }
    }
    if (code == EX_OK)
        code = finish(&d);
    else
        json_decref(d.lines);
    json_decref(d.status);
    secrets_close(&d.secrets);
    loop_free(d.loop);
    arena_done(&d.arena);
    return code;
}

static const struct cli_flag flags[] = {
    {"--json", NULL, "one object: verdict, counts, and a list of lines"},
    {0},
};

const struct cli_command cli_doctor = {
    .name = "doctor",
    .summary = "examine this machine, the way to the server, and the sign-in",
    .args = "[ACCOUNT]",
    .help = "Says a line for each thing looked at: ok, warn or FAIL, the evidence, and what to do.\n"
            "Changes nothing. Signs in once for each account, and not at all where the running\n"
            "exbridge was refused.\n"
            "\n"
            "Exit status: 0 all is well, 1 there are warnings, 2 something FAILs.\n",
    .flags = flags,
    .max_args = 1,
    .words = {CLI_WORD_ACCOUNT},
    .fn = doctor,
};
