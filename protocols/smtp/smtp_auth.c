/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AUTH (RFC 4954). The local sign-in says nothing about Exchange: only a wrong name or password gets 535; whatever is
 * wrong upstream is 454, so that no client asks its user for a new password because a server is down. The delay of
 * failures is made by account_login().
 */
#include <stdio.h>

#include "bridge/base/log.h"
#include "protocols/smtp/smtp_session.h"

#define FAILURES_MAX 3 /* wrong passwords on one connection */

void smtp_auth_stop(struct smtp_session *s)
{
    account_login_cancel(&s->login);
    sasl_done(&s->sasl);
}

static void fail(struct smtp_session *s, const struct smtp_reply *reply)
{
    smtp_answer(s, reply);
    if (++s->auth_failures >= FAILURES_MAX)
        smtp_end(s, "4.7.0", "Too many failed attempts to sign in.", "too many failed sign-ins");
}

static void signed_in(struct smtp_session *s, struct account *account)
{
    static const struct smtp_reply done = {235, "2.7.0", "Signed in."};
    s->account = account;
    s->bad_count = 0;
    smtp_answer(s, &done);
    log_info("smtp", account_name(account), "conn %llu: signed in", (unsigned long long)conn_id(s->conn));
}

static void on_login(void *ud, struct account *account, const struct err *err)
{
    static const struct smtp_reply wrong = {535, "5.7.8",
                                            "Wrong account name or password. The password is the one `exbridge setup` "
                                            "showed."},
                                   away = {454, "4.7.0", "Exchange cannot be asked now; try again later."},
                                   many = {454, "4.7.0", "This account has too many connections at once."};
    struct smtp_session *s = ud;
    s->login = NULL;
    sasl_done(&s->sasl);
    if (err && err->code != ERR_NONE) {
        log_warn("smtp", account ? account_name(account) : NULL, "conn %llu: sign-in failed: %s: %s",
                 (unsigned long long)conn_id(s->conn), err_name(err->code), err->text);
        if (err->code == ERR_AUTH)
            fail(s, &wrong);
        else
            smtp_answer(s, &away);
    } else if (smtp_server_account_sessions(s->server, account) >= smtp_server_options(s->server)->limits.per_account) {
        smtp_answer(s, &many);
    } else {
        signed_in(s, account);
    }
    smtp_go_on(s);
}

static void over(struct smtp_session *s)
{
    sasl_done(&s->sasl);
    s->mode = SMTP_MODE_COMMAND;
    s->lines.limit = smtp_server_options(s->server)->limits.line;
}

static void go_on(struct smtp_session *s, enum sasl_result result, struct str challenge)
{
    static const struct smtp_reply aborted = {501, "5.7.0", "Signing in was cancelled."},
                                   broken = {501, "5.5.2", "The answer does not follow the mechanism."},
                                   refused = {535, "5.7.8", "Nobody can sign in here to act for somebody else."};
    switch (result) {
    case SASL_CONTINUE:
        s->mode = SMTP_MODE_AUTH_LINE;
        s->lines.limit = SASL_LINE_MAX;
        buf_printf(&s->out, "334 %.*s\r\n", STR_ARG(challenge));
        return;
    case SASL_COMPLETE:
        s->mode = SMTP_MODE_BUSY;
        s->lines.limit = smtp_server_options(s->server)->limits.line;
        s->login = account_login(smtp_server_options(s->server)->accounts, buf_view(&s->sasl.user),
                                 buf_view(&s->sasl.password), on_login, s);
        return;
    case SASL_ABORTED:
        over(s);
        smtp_answer_bad(s, &aborted);
        return;
    case SASL_BROKEN:
        over(s);
        smtp_answer_bad(s, &broken);
        return;
    case SASL_REFUSED:
        over(s);
        fail(s, &refused);
        return;
    }
}

void smtp_auth_line(struct smtp_session *s, struct str line, bool too_long)
{
    static const struct smtp_reply long_line = {500, "5.5.6", "The answer is too long."},
                                   early = {554, "5.5.0", "More was sent than was asked for."};
    struct str challenge = STR("");
    if (too_long) {
        over(s);
        smtp_answer_bad(s, &long_line);
    } else if (s->pipelined) {
        smtp_end_with(s, &early, "data behind an answer of AUTH");
    } else {
        enum sasl_result result = sasl_feed(&s->sasl, line, &challenge);
        go_on(s, result, challenge);
    }
}

void smtp_cmd_auth(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply hello = {503, "5.5.1", "Say EHLO first."},
                                   twice = {503, "5.5.1", "Signed in already."},
                                   unknown = {504, "5.5.4", "This mechanism is not offered: use PLAIN or LOGIN."},
                                   early = {554, "5.5.0", "AUTH is the last command of a group (RFC 2920)."};
    struct str challenge = STR("");
    if (s->pipelined)
        smtp_end_with(s, &early, "data behind AUTH");
    else if (!s->said_hello)
        smtp_answer_bad(s, &hello);
    else if (s->account)
        smtp_answer_bad(s, &twice);
    else if (!sasl_begin(&s->sasl, c->argument))
        smtp_answer_bad(s, &unknown);
    else {
        enum sasl_result result = sasl_initial(&s->sasl, c->has_initial, c->initial, &challenge);
        go_on(s, result, challenge);
    }
}
