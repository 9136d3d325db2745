/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LOGIN and AUTHENTICATE. The local sign-in says nothing about Exchange: only a wrong name or password gets
 * [AUTHENTICATIONFAILED]; whatever is wrong upstream is [UNAVAILABLE] or the like, so that no client asks its user for
 * a new password because a server is down. The delay of failures is made by account_login().
 */
#include "protocols/imap/imap_session.h"
#include "protocols/sasl.h"

static void stop(struct imap_session *s)
{
    client_sign_in_cancel(&s->client);
    sasl_done(s->work.ud);
}

static void on_login(struct client *c, enum client_login_status status, const struct err *err)
{
    struct imap_session *s = (struct imap_session *)(void *)c;
    struct buf code = {0};
    sasl_done(s->work.ud);
    switch (status) {
    case CLIENT_LOGIN_DONE:
        imap_signed_in(s);
        buf_lit(&code, "CAPABILITY ");
        imap_write_capabilities(s, &code);
        imap_finish(s, "OK", buf_z(&code), "Signed in.");
        buf_done(&code);
        break;
    case CLIENT_LOGIN_WRONG:
        imap_finish(s, "NO", "AUTHENTICATIONFAILED",
                    "Wrong account name or password. The password is the one `exbridge setup` showed.");
        break;
    case CLIENT_LOGIN_AWAY:
        imap_refuse(s, err); /* logged already */
        break;
    case CLIENT_LOGIN_MANY:
        imap_finish(s, "NO", "LIMIT", "This account has too many connections at once.");
        break;
    }
}

static struct sasl *begin(struct imap_session *s, struct imap_command *c)
{
    struct sasl *sasl = ARENA_NEW(&c->arena, struct sasl);
    s->work = (struct imap_work){.stop = stop, .ud = sasl};
    return sasl;
}

static void verify(struct imap_session *s, struct str user, struct str password)
{
    s->work.line = NULL;
    client_sign_in(&s->client, user, password, on_login);
}

void cmd_login(struct imap_session *s, struct imap_command *c)
{
    begin(s, c);
    verify(s, c->login.user, c->login.password);
}

static void go_on(struct imap_session *s, enum sasl_result result, struct str challenge)
{
    struct sasl *sasl = s->work.ud;
    switch (result) {
    case SASL_CONTINUE:
        imap_expect_line(s, challenge, SASL_LINE_MAX);
        return;
    case SASL_COMPLETE:
        verify(s, buf_view(&sasl->user), buf_view(&sasl->password));
        return;
    case SASL_ABORTED:
        sasl_done(sasl);
        imap_finish_bad(s, "AUTHENTICATE cancelled.");
        return;
    case SASL_BROKEN:
        sasl_done(sasl);
        imap_finish_bad(s, "The answer does not follow the mechanism.");
        return;
    case SASL_REFUSED:
        sasl_done(sasl);
        imap_finish(s, "NO", "AUTHORIZATIONFAILED", "Nobody can sign in here to act for somebody else.");
        client_login_failed(&s->client);
        return;
    }
}

static void on_line(struct imap_session *s, struct str line)
{
    struct sasl *sasl = s->work.ud;
    struct str challenge = STR("");
    enum sasl_result result = line.p ? sasl_feed(sasl, line, &challenge) : SASL_BROKEN;
    go_on(s, result, challenge);
}

void cmd_authenticate(struct imap_session *s, struct imap_command *c)
{
    struct sasl *sasl = begin(s, c);
    if (!sasl_begin(sasl, c->authenticate.mechanism)) {
        imap_finish(s, "NO", "CANNOT", "This mechanism is not offered: use PLAIN or LOGIN.");
        return;
    }
    s->work.line = on_line;
    struct str challenge = STR("");
    go_on(s, sasl_initial(sasl, c->authenticate.has_initial, c->authenticate.initial, &challenge), challenge);
}
