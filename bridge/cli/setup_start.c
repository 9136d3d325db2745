/* SPDX-License-Identifier: Apache-2.0 */
/* Setup has the new account served: by the daemon that is running, or as a user service. Then it says what mail
 * programs need to know. The account is set up already: what fails here is told, and no error. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/cli/cli_trust.h"
#include "bridge/cli/client_texts.h"
#include "bridge/cli/setup.h"
#include "bridge/control.h"
#include "certs/trust.h"

#define UNIT       "exbridge.service"
#define SYSTEMD_MS 20000
#define READY_MS   20000
#define LOOK_MS    200
#define LOGIN_S    180 /* the daemon asks the server, which may be slow */

/* --- the daemon -------------------------------------------------------------------------------------------------- */

static bool ask_daemon(struct setup *s, const char *command, json_t *args, unsigned timeout_s, json_t **ret_answer,
                       struct err *err)
{
    struct buf path = BUF_INIT(0);
    control_path(&path, s->saved->server.state_dir);
    bool ok = control_call(&(struct control_call){.path = buf_z(&path),
                                                  .config_path = s->saved->path,
                                                  .command = command,
                                                  .args = args,
                                                  .timeout_s = timeout_s},
                           ret_answer, err);
    buf_done(&path);
    return ok;
}

static bool is_running(struct setup *s)
{
    struct err err;
    return ask_daemon(s, "ping", NULL, 5, NULL, &err);
}

static void on_look(void *ud)
{
    bool *over = ud;
    *over = true;
}

static bool wait_until_running(struct setup *s)
{
    uint64_t end_ms = time_mono_ms() + READY_MS;
    bool over = false;
    struct timer *timer = timer_new(s->loop, on_look, &over);
    bool running;
    while (!(running = is_running(s)) && time_mono_ms() < end_ms) {
        timer_start(timer, LOOK_MS);
        over = false;
        while (!over)
            loop_turn(s->loop);
    }
    timer_free(&timer);
    return running;
}

static void hand_over(struct setup *s, const struct config_account *a)
{
    struct err err;
    json_t *answer = NULL;
    json_t *args = json_pack("{s:s, s:s, s:s%}", "login", config_login_record(s->saved, a->login), "kind",
                             setup_is_typed(s) ? "password" : "tokens", "secret", s->secret.p, s->secret.n);
    if (!args || !ask_daemon(s, "login", args, LOGIN_S, &answer, &err)) {
        setup_say("The running exbridge did not take the secret%s%s; run: exbridge login %s", args ? ": " : "",
                  args ? err.text : "", a->name);
        return;
    }
    const char *problem = json_string_value(json_object_get(answer, "problem"));
    if (problem)
        setup_say("The secret is stored, but: %s", problem);
    json_decref(answer);
}

static void tell_daemon(struct setup *s, const struct config_account *a)
{
    struct err err;
    json_t *answer = NULL;
    if (!ask_daemon(s, "reload", NULL, 60, &answer, &err)) {
        setup_say("The running exbridge did not read the file again: %s", err.text);
        return;
    }
    json_decref(answer);
    setup_say("The running exbridge serves it now.");
    if (s->hand_over)
        hand_over(s, a);
}

/* --- the service ---------------------------------------------------------------------------------------------------
 */

static void start_service(struct setup *s)
{
    const char *by_hand =
        arena_printf(&s->arena, s->cli->config_file ? "exbridge run -c %s" : "exbridge run", s->path).p;
    if (cli_flag(s->cli, "--no-service") || s->cli->config_file) {
        setup_say("Start it with: %s", by_hand);
    } else if (!child_succeeds(s->loop, "exec systemctl --user cat " UNIT " >/dev/null 2>&1", SYSTEMD_MS)) {
        setup_say("There is no user service here (systemd --user, %s). Start it with: %s", UNIT, by_hand);
    } else if (!child_succeeds(s->loop, "exec systemctl --user enable --now " UNIT " >/dev/null 2>&1", SYSTEMD_MS)) {
        setup_say("The service did not start; systemctl --user status " UNIT " says why.");
    } else if (!wait_until_running(s)) {
        setup_say("The service is enabled, and not ready yet; exbridge status says how it stands.");
    } else {
        setup_say("exbridge is running, and starts by itself when you log in.");
    }
}

/* --- what mail programs need ------------------------------------------------------------------ */

static void show_settings(struct setup *s, const struct config_account *a)
{
    const struct config_server *v = &s->saved->server;
    const char *security = v->tls ? "SSL/TLS" : "none";
    cli_say("Settings for mail programs:");
    if (v->imap)
        cli_say("  IMAP      localhost, port %u, %s", (unsigned)v->imap, security);
    if (v->smtp)
        cli_say("  SMTP      localhost, port %u, %s", (unsigned)v->smtp, security);
    if (v->dav)
        cli_say("  CalDAV    %s://localhost:%u/", v->tls ? "https" : "http", (unsigned)v->dav);
    cli_say("  user      %s", a->email);
    if (s->local_password)
        cli_say("  password  %s", s->local_password);
    else
        cli_say("  password  the one for Exchange");
    if (s->local_password)
        cli_say("That password is good on this machine only. It is not shown again; exbridge password %s --new makes "
                "another one.",
                a->name);
    struct buf programs = BUF_INIT(0);
    for (const struct client_text *t = client_texts; t->name; t++)
        if (strcmp(t->name, "plain") != 0)
            buf_printf(&programs, "%s%s", programs.n ? ", " : "", t->name);
    cli_say("Ready to be pasted: exbridge client-settings PROGRAM %s; PROGRAM is one of %s", a->name, buf_z(&programs));
    buf_done(&programs);
}

/* --- programs that would warn of the certificate ------------------------------------------------------------------ */

static bool may_ask(const struct setup *s)
{
    size_t asked = 0;
    for (size_t i = 0; i < SETUP_QUESTIONS; i++)
        asked += s->asked[i];
    return !s->yes && asked < SETUP_ASKED_MAX;
}

static void offer_trust(struct setup *s)
{
    const char *home = getenv("HOME"), *ca = cli_trust_ca(s->saved);
    bool wanted = cli_flag(s->cli, "--trust") != NULL;
    struct profiles found = {0};
    struct err err;
    if (!s->saved->server.tls || s->saved->server.cert || access(ca, R_OK) != 0)
        return;
    if (home)
        profiles_find(home, NULL, &found);
    if (!found.count && !wanted)
        return;
    if (!found.count)
        setup_say("There is no profile of Thunderbird or Firefox yet; after its first start: exbridge trust");
    else if (!trust_is_possible(&err))
        setup_say("Thunderbird and Firefox cannot be told to trust the certificate: %s", err.text);
    else if (!wanted && may_ask(s) &&
             !cli_ask_yes(
                 "Have Thunderbird and Firefox trust this machine's certificate? It is good for localhost only.", true,
                 &wanted, &err))
        setup_say("%s", err.text);
    else if (!wanted)
        setup_say("Thunderbird and Firefox will ask about the certificate; this spares it: exbridge trust");
    for (size_t i = 0; wanted && i < found.count && trust_is_possible(&err); i++)
        cli_trust_profile(&found.list[i], ca, false);
    profiles_done(&found);
}

void setup_start(struct setup *s)
{
    if (s->service_login) {
        setup_say("Add mailboxes with: exbridge setup --login %s ADDRESS", s->service_login);
        return;
    }
    const struct config_account *a = &s->saved->accounts[s->saved->account_count - 1];
    if (is_running(s))
        tell_daemon(s, a);
    else
        start_service(s);
    offer_trust(s);
    show_settings(s, a);
}
