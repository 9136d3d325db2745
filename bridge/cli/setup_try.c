/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setup tries what it has found, exactly as the daemon will use it: the backend signs in, lists folders, and is asked
 * to obey a device policy. Nothing of it touches the disk.
 */
#include <string.h>

#include "bridge/base/mem.h"
#include "bridge/cli/cli_login.h"
#include "bridge/cli/setup.h"

#define FOLDER_PAGES_MAX 1000

/* --- configuration and login ------------------------------------------------------------------------------- */

const struct config_account *setup_trial_config(struct setup *s, struct config **ret_config, struct err *err)
{
    struct setup_values v = s->v;
    struct buf section = BUF_INIT(0), text = BUF_INIT(0), problems = BUF_INIT(0);
    if (s->test_mailbox)
        v.mailbox = s->test_mailbox;
    if (!v.backend || !v.url) { /* not known yet: this is for the login alone */
        v.backend = "ews";
        v.url = "https://localhost/";
    }
    bool ok = setup_write_account(&section, &v, err);
    setup_append(&text, v.login ? buf_view(&s->old_text) : STR_NULL, buf_view(&section));
    *ret_config = ok ? config_parse(buf_view(&text), "setup", &problems) : NULL;
    if (ok && !*ret_config) {
        struct str all = buf_view(&problems), line;
        str_cut(&all, '\n', &line);
        size_t at = str_find(line, STR(": "));
        err_set(err, ERR_INVALID, "%.*s", STR_ARG(at < line.n ? str_skip(line, at + 2) : line));
    }
    buf_done(&section);
    buf_done(&text);
    buf_done(&problems);
    return *ret_config ? &(*ret_config)->accounts[(*ret_config)->account_count - 1] : NULL;
}

/* Tokens stay in memory until the end. */
static enum login_stored vault_get(void *ud, const char *record, struct buf *out, struct err *err)
{
    struct setup *s = ud;
    (void)record;
    (void)err;
    if (s->secret.n == 0)
        return LOGIN_STORED_NONE;
    buf_str(out, buf_view(&s->secret));
    return LOGIN_STORED_OK;
}

static enum login_stored vault_put(void *ud, const char *record, struct str value, struct err *err)
{
    struct setup *s = ud;
    (void)record;
    (void)err;
    char *copy = str_dup(value);
    buf_wipe(&s->secret);
    buf_lit(&s->secret, copy);
    mem_wipe_free(copy);
    return LOGIN_STORED_OK;
}

static void on_secrets(void *ud)
{
    struct setup *s = ud;
    if (s->login)
        login_vault_changed(s->login);
}

bool setup_trial_login(struct setup *s, struct err *err)
{
    struct login_opts o;
    struct config *trial;
    const struct config_account *a = setup_trial_config(s, &trial, err);
    if (!a)
        return false;
    login_free(&s->login);
    config_free(&s->trial);
    s->trial = trial;
    s->accepted = false;
    if (s->v.login) { /* one that is in use: its secret is where it always is */
        if (!s->secrets)
            s->secrets = config_secrets_open(s->old, s->loop, on_secrets, s);
        s->login = config_login_open(trial, a->login, s->loop, s->secrets);
        return true;
    }
    config_login_opts(trial, a->login, &o);
    o.vault = (struct login_vault){s, vault_get, vault_put};
    if (o.source == LOGIN_STORED)
        o.source = LOGIN_PASSTHROUGH; /* what was typed is kept in memory once the server has accepted it */
    s->login = login_new(s->loop, &o);
    return true;
}

bool setup_trial_sign_in(struct setup *s, struct err *err)
{
    const struct cli_sign_in how = {.device = cli_flag(s->cli, "--device"),
                                    .browser = !cli_flag(s->cli, "--no-browser")};
    struct config *trial;
    const struct config_account *a = setup_trial_config(s, &trial, err);
    buf_wipe(&s->secret);
    if (!a)
        return false;
    setup_say("Sign in as %s.", s->v.email);
    bool ok = cli_sign_in(trial, a->login, &how, &s->secret, err);
    config_free(&trial);
    return ok && setup_trial_login(s, err);
}

/* --- the trial ------------------------------------------------------------------------------------------------- */

struct trial {
    struct setup *setup;
    struct backend_alone alone;
    bool done;
    struct err err;
    struct arena arena; /* of what was answered */
    const char *user, *server;
    struct str cursor;
    bool more;
    size_t folders, mail_folders;
};

static void on_login(void *ud, const struct reply *reply)
{
    struct trial *t = ud;
    t->done = true;
    t->err = reply->err;
    if (t->err.code != ERR_NONE)
        return;
    t->user = arena_strdup(&t->arena, reply->login.user);
    t->server = arena_strdup(&t->arena, reply->login.server);
}

static void on_folders(void *ud, const struct reply *reply)
{
    struct trial *t = ud;
    t->done = true;
    t->err = reply->err;
    if (t->err.code != ERR_NONE)
        return;
    for (size_t i = 0; i < reply->folders.count; i++) {
        t->folders += !reply->folders.list[i].gone;
        t->mail_folders += !reply->folders.list[i].gone && reply->folders.list[i].kind == FOLDER_MAIL;
    }
    t->cursor = arena_str(&t->arena, reply->folders.cursor);
    t->more = reply->folders.more;
}

static bool wait(struct trial *t, struct err *err)
{
    backend_alone_wait(&t->alone, &t->done);
    t->done = false;
    *err = t->err;
    return err->code == ERR_NONE;
}

static bool sign_in(struct trial *t, struct err *err)
{
    struct setup *s = t->setup;
    bool typed = setup_is_typed(s) && !s->accepted;
    backend_login(t->alone.backend, typed ? buf_view(&s->secret) : STR_NULL, on_login, t);
    if (!wait(t, err))
        return false;
    s->accepted = true;
    setup_say("Signed in%s%s: %s.", *t->user ? " as " : "", t->user, t->server);
    return true;
}

static bool list_folders(struct trial *t, struct err *err)
{
    t->more = true;
    t->cursor = STR_NULL;
    for (int i = 0; t->more && i < FOLDER_PAGES_MAX; i++) {
        backend_folders(t->alone.backend, t->cursor, on_folders, t);
        if (!wait(t, err))
            return false;
    }
    setup_say("The mailbox has %zu folders, %zu of them for mail.", t->folders, t->mail_folders);
    return true;
}

static bool try_once(struct setup *s, struct err *err)
{
    struct trial t = {.setup = s};
    struct config *config;
    const struct config_account *a = setup_trial_config(s, &config, err);
    if (!a)
        return false;
    if (s->eas_state.n)
        backend_alone_put(&t.alone, STR(BACKEND_ALONE_EAS_STATE), buf_view(&s->eas_state));
    bool ok = backend_alone_open_with(config, a, s->loop, s->login, &t.alone, err) && sign_in(&t, err) &&
              list_folders(&t, err);
    buf_reset(&s->eas_state);
    backend_alone_get(&t.alone, STR(BACKEND_ALONE_EAS_STATE), &s->eas_state);
    if (t.alone.wiped)
        ok = err_set(err, ERR_POLICY, "the server orders the data of this device to be destroyed: %s", t.alone.wiped);
    backend_alone_close(&t.alone);
    arena_done(&t.arena);
    config_free(&config);
    return ok;
}

/* --- what can be done when it fails ------------------------------------------------------------------------------ */

static bool ask_policy(struct setup *s, struct err *err)
{
    bool yes;
    if (s->v.provision || s->asked[SETUP_ASK_POLICY])
        return false;
    setup_say("%s", err->text);
    setup_say(
        "exbridge cannot enforce that, and says so to the server (as partly met). Your mail programs and this machine "
        "are yours to secure.");
    if (!setup_ask_yes(s, SETUP_ASK_POLICY, "Go on under these rules?", false, false, "--provision accept", &yes, err))
        return false;
    if (!yes)
        return err_set(err, ERR_POLICY, "the server demands rules for devices that were not accepted");
    s->v.provision = "accept";
    return true;
}

/* EWS found, but closed for us: the other way in, unless the user insists. */
static bool go_to_eas(struct setup *s, struct err *err)
{
    bool closed = err->code == ERR_DENIED || err->code == ERR_NOT_FOUND || err->code == ERR_UNSUPPORTED ||
                  err->status == 403 || err->status == 404;
    if (!closed || cli_flag(s->cli, "--backend") || strcmp(s->v.backend, "ews") != 0 || !s->eas_url || s->v.mailbox ||
        s->test_mailbox)
        return false;
    setup_say("EWS is closed to us (%s). ActiveSync may be open.", err->text);
    s->v.backend = "eas";
    s->v.url = s->eas_url;
    s->v.why = "EWS is closed on this server";
    return setup_may_send(s, s->v.url, "autodiscover", err);
}

bool setup_try(struct setup *s, struct err *err)
{
    int tries = 0;
    for (;;) {
        if (try_once(s, err))
            return true;
        if (err->code == ERR_POLICY ? ask_policy(s, err) : setup_ask_again(s, &tries, err) || go_to_eas(s, err))
            continue;
        return false;
    }
}
