/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LOGIN and AUTHENTICATE. The local sign-in says nothing about Exchange: only a wrong name or password gets
 * [AUTHENTICATIONFAILED]; whatever is wrong upstream is [UNAVAILABLE] or the like, so that no client asks its user for
 * a new password because a server is down. The delay of failures is made by account_login().
 */
#include <stdio.h>
#include <string.h>

#include "bridge/base/log.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_session.h"
#include "protocols/sasl.h"

#define FAILURES_MAX 3 /* wrong passwords on one connection */

struct auth {
    struct sasl sasl;
    struct account_login *login;
};

static void stop(struct imap_session *s)
{
    struct auth *auth = s->work.ud;
    account_login_cancel(&auth->login);
    sasl_done(&auth->sasl);
}

static void fail(struct imap_session *s, const char *code, const char *text)
{
    bool last = ++s->auth_failures >= FAILURES_MAX;
    imap_finish(s, "NO", code, text);
    if (last)
        imap_bye(s, NULL, "Too many failed attempts to sign in.", "too many failed sign-ins");
}

static void on_login(void *ud, struct account *account, const struct err *err)
{
    struct imap_session *s = ud;
    struct auth *auth = s->work.ud;
    auth->login = NULL;
    sasl_done(&auth->sasl);
    unsigned max = imap_server_options(s->server)->limits.per_account;
    if (err && err->code == ERR_AUTH) {
        log_warn("imap", account ? account_name(account) : NULL, "conn %llu: sign-in failed: %s",
                 (unsigned long long)conn_id(s->conn), err->text);
        fail(s, "AUTHENTICATIONFAILED",
             "Wrong account name or password. The password is the one `exbridge setup` showed.");
    } else if (err && err->code != ERR_NONE) {
        imap_finish_err(s, err);
    } else if (imap_server_account_sessions(s->server, account) >= max) {
        imap_finish(s, "NO", "LIMIT", "This account has too many connections at once.");
    } else {
        char code[512];
        imap_signed_in(s, account);
        struct str capabilities = imap_capabilities(s);
        snprintf(code, sizeof(code), "CAPABILITY %.*s", STR_ARG(capabilities));
        imap_finish(s, "OK", code, "Signed in.");
    }
}

static struct auth *begin(struct imap_session *s, struct imap_command *c)
{
    struct auth *auth = ARENA_NEW(&c->arena, struct auth);
    s->work = (struct imap_work){.stop = stop, .ud = auth};
    return auth;
}

static void verify(struct imap_session *s, struct str user, struct str password)
{
    struct auth *auth = s->work.ud;
    s->work.line = NULL;
    auth->login = account_login(imap_server_options(s->server)->accounts, user, password, on_login, s);
}

void cmd_login(struct imap_session *s, struct imap_command *c)
{
    begin(s, c);
    verify(s, c->login.user, c->login.password);
}

static void go_on(struct imap_session *s, enum sasl_result result, struct str challenge)
{
    struct auth *auth = s->work.ud;
    switch (result) {
    case SASL_CONTINUE:
        imap_expect_line(s, challenge, SASL_LINE_MAX);
        return;
    case SASL_COMPLETE:
        verify(s, buf_view(&auth->sasl.user), buf_view(&auth->sasl.password));
        return;
    case SASL_ABORTED:
        sasl_done(&auth->sasl);
        imap_finish_bad(s, "AUTHENTICATE cancelled.");
        return;
    case SASL_BROKEN:
        sasl_done(&auth->sasl);
        imap_finish_bad(s, "The answer does not follow the mechanism.");
        return;
    case SASL_REFUSED:
        sasl_done(&auth->sasl);
        fail(s, "AUTHORIZATIONFAILED", "Nobody can sign in here to act for somebody else.");
        return;
    }
}

static void on_line(struct imap_session *s, struct str line)
{
    struct auth *auth = s->work.ud;
    struct str challenge = STR("");
    enum sasl_result result = line.p ? sasl_feed(&auth->sasl, line, &challenge) : SASL_BROKEN;
    go_on(s, result, challenge);
}

void cmd_authenticate(struct imap_session *s, struct imap_command *c)
{
    struct auth *auth = begin(s, c);
    if (!sasl_begin(&auth->sasl, c->authenticate.mechanism)) {
        imap_finish(s, "NO", "CANNOT", "This mechanism is not offered: use PLAIN or LOGIN.");
        return;
    }
    s->work.line = on_line;
    struct str challenge = STR("");
    go_on(s, sasl_initial(&auth->sasl, c->authenticate.has_initial, c->authenticate.initial, &challenge), challenge);
}
