/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AUTH (RFC 4954). The local sign-in says nothing about Exchange: only a wrong name or password gets 535; whatever is
 * wrong upstream is 454, so that no client asks its user for a new password because a server is down. The delay of
 * failures is made by account_login().
 */
#include "protocols/smtp/smtp_session.h"

static void on_login(struct client *c, enum client_login_status status, const struct err *err)
{
    static const struct smtp_reply answers[] = {
        [CLIENT_LOGIN_DONE] = {235, "2.7.0", "Signed in."},
        [CLIENT_LOGIN_WRONG] = {535, "5.7.8",
                                "Wrong account name or password. The password is the one `exbridge setup` showed."},
        [CLIENT_LOGIN_AWAY] = {454, "4.7.0", "Exchange cannot be asked now; try again later."},
        [CLIENT_LOGIN_MANY] = {454, "4.7.0", "This account has too many connections at once."},
    };
    struct smtp_session *s = (struct smtp_session *)(void *)c;
    (void)err;
    sasl_done(&s->sasl);
    smtp_answer(s, &answers[status]);
    smtp_go_on(s);
}

static void over(struct smtp_session *s)
{
    sasl_done(&s->sasl);
    s->mode = SMTP_MODE_COMMAND;
    s->lines.limit = smtp_server_of(s)->limits.line;
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
        buf_printf(&s->client.out, "334 %.*s\r\n", STR_ARG(challenge));
        return;
    case SASL_COMPLETE:
        s->mode = SMTP_MODE_BUSY;
        s->lines.limit = smtp_server_of(s)->limits.line;
        client_sign_in(&s->client, buf_view(&s->sasl.user), buf_view(&s->sasl.password), on_login);
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
        smtp_answer(s, &refused);
        client_login_failed(&s->client);
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
    else if (s->client.account)
        smtp_answer_bad(s, &twice);
    else if (!sasl_begin(&s->sasl, c->argument))
        smtp_answer_bad(s, &unknown);
    else {
        enum sasl_result result = sasl_initial(&s->sasl, c->has_initial, c->initial, &challenge);
        go_on(s, result, challenge);
    }
}
