/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/common/oauth_signin.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/cli/cli_login.h"
#include "bridge/cli/commands.h"
#include "bridge/control.h"
#include "bridge/daemon.h"

#define LINE_MAX_BYTES  ((size_t)64 << 10) /* of a pasted address: a code can be long */
#define KEYRING_TICK_MS 100
#define FAREWELL_MS     300 /* for the browser's page to leave */
#define TEST_S          180 /* the daemon asks the server, which may be slow */

/* --- OAuth: a person signs in -------------------------------------------------------------------- */

struct signing_in {
    struct loop *loop;
    struct oauth_signin *signin;
    struct child *browser;
    struct loop_fd *input;
    struct buf line; /* of stdin, so far */
    bool open_browser, over;
    struct err err;
    struct buf *tokens;
};

static void on_browser(void *ud, const struct err *err, struct str output)
{
    struct signing_in *s = ud;
    (void)err; /* the address stands on the terminal */
    (void)output;
    s->browser = NULL;
}

static void open_browser(struct signing_in *s, const char *url)
{
    struct buf command = BUF_INIT(0);
    bool desktop = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    if (!s->open_browser || !desktop || strpbrk(url, "'\\")) /* it goes through a shell */
        return;
    buf_printf(&command, "exec xdg-open '%s' >/dev/null 2>&1", url);
    s->browser = child_run(s->loop, buf_z(&command), STR_NULL, 1024, OAUTH_SIGNIN_S * 1000, on_browser, s);
    buf_wipe(&command);
}

static void on_prompt(void *ud, const struct oauth_prompt *prompt)
{
    struct signing_in *s = ud;
    if (prompt->user_code) {
        fprintf(stderr, "Open %s in a browser, on any machine, and enter the code %s\n", prompt->url,
                prompt->user_code);
        return;
    }
    fprintf(stderr,
            "Sign in with a browser on this machine:\n\n  %s\n\n"
            "With a browser on another machine: open that address there. It will end at a page that cannot be opened;\n"
            "paste that page's address here.\n",
            prompt->url);
    open_browser(s, prompt->url);
}

static void on_signed_in(void *ud, const struct err *err, const struct oauth_tokens *tokens)
{
    struct signing_in *s = ud;
    s->over = true;
    s->err = *err;
    if (err->code == ERR_NONE)
        oauth_tokens_save(tokens, s->tokens);
}

static void take_line(struct signing_in *s)
{
    struct err err;
    if (str_trim(buf_view(&s->line)).n && !oauth_signin_paste(s->signin, buf_view(&s->line), &err))
        cli_complain("%s", err.text);
    buf_wipe(&s->line);
    buf_init(&s->line, LINE_MAX_BYTES);
}

static void on_input(void *ud)
{
    struct signing_in *s = ud;
    char room[4096];
    ssize_t n = read(STDIN_FILENO, room, sizeof(room));
    if (n <= 0)
        loop_fd_free(&s->input); /* nobody will paste anything */
    for (ssize_t i = 0; i < n; i++) {
        buf_byte(&s->line, room[i]);
        if (room[i] == '\n')
            take_line(s);
    }
    mem_wipe(room, sizeof(room));
}

static void on_farewell(void *ud)
{
    bool *over = ud;
    *over = true;
}

/* The browser's last page is still on its way. */
static void say_farewell(struct loop *loop)
{
    bool over = false;
    struct timer *timer = timer_new(loop, on_farewell, &over);
    timer_start(timer, FAREWELL_MS);
    while (!over)
        loop_turn(loop);
    timer_free(&timer);
}

static void on_trace(void *ud, struct str line)
{
    struct buf clean = BUF_INIT(0);
    (void)ud;
    text_add_printable(&clean, line);
    buf_byte(&clean, '\n');
    fwrite(clean.p, 1, clean.n, stderr);
    buf_done(&clean);
}

bool cli_sign_in(struct config *config, const struct config_login *l, const struct cli_sign_in *how, struct buf *tokens,
                 struct err *err)
{
    static const struct backend_trace trace = {.line = on_trace};
    struct signing_in s = {.loop = loop_new(), .open_browser = how->browser, .tokens = tokens};
    struct oauth_config oauth = config_oauth(config, l);
    struct http_client_opts http = config_oauth_http(config, l);
    buf_init(&s.line, LINE_MAX_BYTES);
    s.signin = oauth_signin_new(s.loop, &(struct oauth_signin_opts){.config = &oauth,
                                                                    .http = &http,
                                                                    .device = how->device,
                                                                    .trace = how->trace ? &trace : NULL,
                                                                    .on_prompt = on_prompt,
                                                                    .on_done = on_signed_in,
                                                                    .ud = &s});
    if (!how->device)
        s.input = loop_fd_new(s.loop, STDIN_FILENO, on_input, &s);
    while (!s.over)
        loop_turn(s.loop);
    if (!how->device)
        say_farewell(s.loop);
    loop_fd_free(&s.input);
    child_free(&s.browser);
    oauth_signin_free(&s.signin);
    loop_free(s.loop);
    buf_wipe(&s.line);
    *err = s.err;
    return err->code == ERR_NONE;
}

/* --- without a daemon ------------------------------------------------------------------------------ */

static void on_secrets_change(void *ud)
{
    (void)ud; /* loop_turn() returns, which is enough */
}

struct keyring_wait {
    struct timer *timer;
    uint64_t from_ms;
    bool told, interrupted;
};

/* setup blocks signals while it writes: somebody who presses ^C does not want to wait for the keyring's end. */
static void on_keyring_waits(void *ud)
{
    struct keyring_wait *w = ud;
    sigset_t pending;
    if (!w->told && time_mono_ms() - w->from_ms >= SECRETS_QUICK_MS) {
        cli_complain("waiting for the keyring (a minute at most): it may be asking for its password");
        w->told = true;
    }
    w->interrupted = sigpending(&pending) == 0 &&
                     (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP));
    timer_start(w->timer, KEYRING_TICK_MS);
}

enum secrets_result cli_wait_for_secrets(struct loop *loop, enum secrets_result (*again)(void *ud, struct err *err),
                                         void *ud, struct err *err)
{
    struct keyring_wait w = {.from_ms = time_mono_ms()};
    enum secrets_result result;
    w.timer = timer_new(loop, on_keyring_waits, &w);
    timer_start(w.timer, KEYRING_TICK_MS);
    while ((result = again(ud, err)) == SECRETS_WAIT && !w.interrupted)
        loop_turn(loop);
    timer_free(&w.timer);
    if (result == SECRETS_WAIT) {
        err_set(err, ERR_OFFLINE, "interrupted before the keyring had answered");
        result = SECRETS_FAILED;
    }
    return result;
}

struct storing {
    struct secrets *secrets;
    const char *record;
    struct str secret;
};

static enum secrets_result put(void *ud, struct err *err)
{
    const struct storing *s = ud;
    return secrets_put(s->secrets, s->record, s->secret, err);
}

bool cli_store_secret(struct config *config, const struct config_login *l, struct str secret, struct err *err)
{
    int lock = -1;
    if (!daemon_make_dir(config->server.state_dir, err) || !daemon_lock(config->server.state_dir, &lock, err))
        return false;
    struct loop *loop = loop_new();
    struct storing s = {.secrets = config_secrets_open(config, loop, on_secrets_change, NULL),
                        .record = config_login_record(config, l),
                        .secret = secret};
    enum secrets_result result = cli_wait_for_secrets(loop, put, &s, err);
    secrets_close(&s.secrets);
    loop_free(loop);
    close(lock);
    return result == SECRETS_OK;
}

struct proof {
    bool done;
    struct err err;
};

static void on_proved(void *ud, const struct reply *reply)
{
    struct proof *p = ud;
    p->done = true;
    p->err = reply->err;
}

/* Is this the password? True as well when nobody can be asked. */
static bool prove_alone(struct config *config, const struct config_account *a, struct str secret, struct err *err)
{
    struct backend_alone b = {0};
    struct proof p = {0};
    if (!backend_alone_open(config, a, &b, err))
        return false;
    backend_login(b.backend, secret, on_proved, &p);
    backend_alone_wait(&b, &p.done);
    backend_alone_close(&b);
    *err = p.err;
    if (p.err.code != ERR_NONE && p.err.code != ERR_AUTH)
        cli_complain("not tested: %s", p.err.text);
    return p.err.code != ERR_AUTH;
}

/* --- handing it over ------------------------------------------------------------------------------- */

static void say_outcome(const struct config_login *l, const json_t *answer)
{
    const char *problem = json_string_value(json_object_get(answer, "problem"));
    const char *user = json_string_value(json_object_get(answer, "user"));
    const char *server = json_string_value(json_object_get(answer, "server"));
    if (problem)
        cli_complain("%s is stored, but: %s", l->name, problem);
    else
        cli_say("%s: signed in%s%s%s%s", l->name, user && *user ? " as " : "", user ? user : "",
                server && *server ? ", " : "", server ? server : "");
}

static bool tell_daemon(struct cli *c, const struct config_login *l, const char *kind, struct str secret,
                        json_t **ret_answer, struct err *err)
{
    struct buf path = BUF_INIT(0);
    json_t *args = json_pack("{s:s, s:s}", "login", config_login_record(c->config, l), "kind", kind);
    json_t *text = secret.n ? json_stringn(secret.p, secret.n) : NULL;
    if (secret.n && !text) {
        json_decref(args);
        return err_set(err, ERR_INVALID, "the password is not UTF-8");
    }
    if (text)
        json_object_set_new(args, "secret", text);
    control_path(&path, c->config->server.state_dir);
    bool ok = control_call(&(struct control_call){.path = buf_z(&path),
                                                  .config_path = c->config->path,
                                                  .command = "login",
                                                  .args = args,
                                                  .timeout_s = TEST_S},
                           ret_answer, err);
    buf_done(&path);
    return ok;
}

static const struct config_account *first_account(const struct config *config, const struct config_login *l)
{
    for (size_t i = 0; i < config->account_count; i++)
        if (config->accounts[i].login == l)
            return &config->accounts[i];
    return NULL;
}

static int hand_over(struct cli *c, const struct config_login *l, bool is_password, struct str secret)
{
    const struct config_account *a = first_account(c->config, l);
    json_t *answer = NULL;
    struct err err;
    if (tell_daemon(c, l, is_password ? "password" : "tokens", secret, &answer, &err)) {
        say_outcome(l, answer);
        int code = json_object_get(answer, "problem") ? EX_UNAVAILABLE : EX_OK;
        json_decref(answer);
        return code;
    }
    if (!control_is_down(&err))
        return cli_fail(&err);
    if (is_password && a && !prove_alone(c->config, a, secret, &err)) {
        struct err why = err;
        err_set(&err, why.code, "%s; nothing was stored: is that the password of %s? (see user)", why.text, l->user);
        return cli_fail(&err);
    }
    if (!cli_store_secret(c->config, l, secret, &err))
        return cli_fail(&err);
    cli_say("%s: stored; exbridge is not running", l->name);
    return EX_OK;
}

/* The secret comes from a place that is not ours: all that can be done is to try it now. */
static int try_again(struct cli *c, const struct config_login *l, const char *where)
{
    json_t *answer = NULL;
    struct err err;
    fprintf(stderr, "The configuration takes the secret of \"%s\" from %s; trying what it gives now.\n", l->name,
            where);
    if (!tell_daemon(c, l, "again", STR_NULL, &answer, &err))
        return cli_fail(&err);
    say_outcome(l, answer);
    int code = json_object_get(answer, "problem") ? EX_NOPERM : EX_OK;
    json_decref(answer);
    return code;
}

/* --- the command ----------------------------------------------------------------------------------- */

static int login_tokens(struct cli *c, const struct config_login *l)
{
    struct buf tokens = BUF_INIT(0);
    struct err err;
    const struct cli_sign_in how = {
        .device = cli_flag(c, "--device"), .browser = !cli_flag(c, "--no-browser"), .trace = cli_flag(c, "--trace")};
    if (!cli_sign_in(c->config, l, &how, &tokens, &err)) {
        buf_wipe(&tokens);
        return cli_fail(&err);
    }
    int code = hand_over(c, l, false, buf_view(&tokens));
    buf_wipe(&tokens);
    return code;
}

static int login_password(struct cli *c, const struct config_login *l)
{
    struct buf question = BUF_INIT(0), password;
    struct err err;
    buf_printf(&question, "Password of %s", l->user);
    bool ok = cli_ask_secret(buf_z(&question), &password, &err);
    buf_done(&question);
    if (!ok)
        return cli_fail(&err);
    int code = EX_DATAERR;
    if (password.n)
        code = hand_over(c, l, true, buf_view(&password));
    else
        cli_complain("no password was given");
    buf_wipe(&password);
    return code;
}

/* An account, by its section or address, or a [login]. */
static const struct config_login *find(struct cli *c, const char *name)
{
    struct config *config = cli_config(c);
    for (size_t i = 0; config && name && i < config->login_count; i++)
        if (strcmp(config->logins[i].name, name) == 0)
            return &config->logins[i];
    struct config_account *a = config ? cli_account(c, name) : NULL;
    if (a && a->login == &a->own && a->local_auth == CONFIG_LOCAL_PASSTHROUGH) {
        cli_complain("with local-auth = passthrough the password comes from the mail client: sign in there");
        return NULL;
    }
    return a ? a->login : NULL;
}

static const char *place_of(const struct config_login *l)
{
    if (l->password_file)
        return "password-file";
    if (l->password_command)
        return "password-command";
    if (l->token_command)
        return "token-command";
    if (l->auth == AUTH_KERBEROS)
        return "the Kerberos ticket (kinit gets one)";
    return l->auth == AUTH_CERT ? "client-cert" : NULL;
}

static int login(struct cli *c)
{
    const struct config_login *l = find(c, c->args[0]);
    if (!l)
        return c->config ? EX_NOINPUT : EX_CONFIG;
    const char *place = place_of(l);
    bool oauth = l->auth == AUTH_OAUTH;
    if (!oauth && (cli_flag(c, "--device") || cli_flag(c, "--no-browser") || cli_flag(c, "--trace")))
        return cli_usage(c, "\"%s\" does not sign in with a browser or code: its auth is not oauth", l->name);
    if ((oauth || place) && cli_flag(c, "--password"))
        return cli_usage(c, "\"%s\" has no password of its own: %s", l->name, oauth ? "its auth is oauth" : place);
    if (place)
        return try_again(c, l, place);
    return oauth ? login_tokens(c, l) : login_password(c, l);
}

static const struct cli_flag flags[] = {
    {"--device", NULL, "auth = oauth: enter a code in a browser on any machine"},
    {"--no-browser", NULL, "auth = oauth: print the address, open no browser"},
    {"--trace", NULL, "auth = oauth: show what goes to the login server and comes from it, without secrets"},
    {"--password", NULL, "auth = basic, ntlm: ask for it (the default there)"},
    {0},
};

const struct cli_command cli_login = {
    .name = "login",
    .summary = "sign in to Exchange; a running exbridge goes on at once",
    .args = "[ACCOUNT]",
    .help = "ACCOUNT is an account, by its section or e-mail address, or the name of a\n"
            "[login] section.\n"
            "\n"
            "With auth = oauth a browser opens; when it runs on another machine, paste the\n"
            "address it ends at. With auth = basic or ntlm the password is asked for, shown\n"
            "to the server, and stored when it was right. Where the configuration names\n"
            "another place for the secret, that place is asked again.\n"
            "\n"
            "Secrets lie in the state directory, sealed; secret-store says where the key to\n"
            "them is.\n",
    .flags = flags,
    .max_args = 1,
    .words = {CLI_WORD_ACCOUNT},
    .fn = login,
};
