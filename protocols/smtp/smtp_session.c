/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/smtp/smtp_session.h"

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "protocols/guard.h"

/* A mail client waits for the greeting (RFC 5321 4.3.1); a browser's form is there at once. Twice this, so that what
 * has arrived was read in between whatever the load. */
#define GREETING_PAUSE_MS 10

static struct smtp_session *session_of(struct client *c)
{
    return (struct smtp_session *)(void *)c;
}

const char *smtp_account_name(const struct smtp_session *s)
{
    return s->client.account ? account_name(s->client.account) : "";
}

/* --- answering -------------------------------------------------------------------------------- */

void smtp_say(struct smtp_session *s, unsigned code, const char *enhanced, const char *text)
{
    buf_printf(&s->client.out, "%u %s%s%s\r\n", code, enhanced ? enhanced : "", enhanced ? " " : "", text);
}

void smtp_answer(struct smtp_session *s, const struct smtp_reply *reply)
{
    smtp_say(s, reply->code, reply->enhanced, reply->text);
}

void smtp_answer_err(struct smtp_session *s, const struct err *err)
{
    const struct smtp_reply *answer = smtp_answer_of(err->code);
    char text[256];
    smtp_answer_text(err, smtp_account_name(s), text, sizeof(text));
    log_warn("smtp", client_account_name(&s->client), "conn %llu: %u %s: %s: %s",
             (unsigned long long)conn_id(s->client.conn), answer->code, answer->enhanced, err_name(err->code),
             err->text);
    smtp_say(s, answer->code, answer->enhanced, text);
}

void smtp_answer_bad(struct smtp_session *s, const struct smtp_reply *reply)
{
    smtp_answer(s, reply);
    client_bad(&s->client);
}

void smtp_end_with(struct smtp_session *s, const struct smtp_reply *reply, const char *reason)
{
    if (s->client.ending)
        return;
    smtp_answer(s, reply);
    client_close(&s->client, reason);
}

void smtp_session_goodbye(struct client *c, enum goodbye why, const char *text)
{
    static const char *const enhanced[] = {
        [GOODBYE_STRANGERS] = "4.3.2", [GOODBYE_CROWDED] = "4.3.2", [GOODBYE_SIGN_IN] = "4.4.2",
        [GOODBYE_FAILURES] = "4.7.0",  [GOODBYE_IDLE] = "4.4.2",    [GOODBYE_BAD] = "4.7.0",
        [GOODBYE_SHUTDOWN] = "4.3.2",  [GOODBYE_CHANGED] = "4.3.2",
    };
    _Static_assert(sizeof(enhanced) / sizeof(enhanced[0]) == GOODBYE_MAX, "every goodbye has its code");
    smtp_say(session_of(c), 421, enhanced[why], text);
}

static void on_greet(void *ud)
{
    struct smtp_session *s = ud;
    if (!s->greet_again) {
        s->greet_again = true;
        timer_start(s->greet, GREETING_PAUSE_MS);
        return;
    }
    s->mode = SMTP_MODE_COMMAND;
    smtp_say(s, 220, NULL, "localhost ESMTP exbridge ready");
    client_flush(&s->client);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void on_command_line(struct smtp_session *s, struct str line)
{
    struct arena arena = {0};
    struct smtp_command c;
    const struct smtp_reply *problem = smtp_parse(line, &arena, &c);
    log_debug("smtp", client_account_name(&s->client), "conn %llu: %s", (unsigned long long)conn_id(s->client.conn),
              smtp_verb_name(c.verb));
    if (!problem)
        smtp_dispatch(s, &c);
    else if (c.verb == SMTP_BDAT) /* nobody knows where its chunk ends */
        smtp_end_with(s, problem, "unreadable BDAT");
    else if (c.verb == SMTP_RCPT || c.verb == SMTP_MAIL) /* an address, most likely: not the client's fault */
        smtp_answer(s, problem);
    else
        smtp_answer_bad(s, problem);
    arena_done(&arena);
}

static void on_line(struct smtp_session *s, enum smtp_line_status status, struct str line)
{
    static const struct smtp_reply bare_lf = {500, "5.5.2", "A line ends with CR and LF."},
                                   endless = {500, "5.5.2", "The line does not end."},
                                   too_long = {500, "5.5.2", "The line is too long."};
    if (!s->client.account && s->mode == SMTP_MODE_COMMAND && guard_is_foreign(line))
        client_foreign(&s->client);
    else if (status == SMTP_LINE_BARE_LF)
        smtp_end_with(s, &bare_lf, "bare LF in a command");
    else if (status == SMTP_LINE_ENDLESS)
        smtp_end_with(s, &endless, "endless line");
    else if (s->mode == SMTP_MODE_AUTH_LINE)
        smtp_auth_line(s, line, status == SMTP_LINE_TOO_LONG);
    else if (status == SMTP_LINE_TOO_LONG)
        smtp_answer_bad(s, &too_long);
    else
        on_command_line(s, line);
}

/* One line, or the bytes at hand of a message. `in` is left at what comes after. */
bool smtp_session_read(struct client *c, struct str *in)
{
    struct smtp_session *s = session_of(c);
    if (s->mode == SMTP_MODE_GREETING) {
        client_foreign(c);
        return false;
    }
    if (s->mode == SMTP_MODE_CONTENT || s->mode == SMTP_MODE_CHUNK) {
        smtp_message_bytes(s, in);
        return true;
    }
    struct str line;
    enum smtp_line_status status = smtp_lines_feed(&s->lines, in, &line);
    s->pipelined = in->n > 0;
    if (status != SMTP_LINE_MORE)
        on_line(s, status, line);
    return true;
}

bool smtp_session_busy(const struct client *c)
{
    return ((const struct smtp_session *)(const void *)c)->mode == SMTP_MODE_BUSY;
}

bool smtp_session_sending(const struct client *c)
{
    return ((const struct smtp_session *)(const void *)c)->submit != NULL;
}

void smtp_go_on(struct smtp_session *s)
{
    if (s->client.ending)
        return;
    s->mode = SMTP_MODE_COMMAND;
    client_go_on(&s->client);
}

/* --- life ------------------------------------------------------------------------------------- */

void smtp_session_stop(struct client *c)
{
    struct smtp_session *s = session_of(c);
    sasl_done(&s->sasl);
    submit_detach(&s->submit);
    smtp_mail_reset(s);
    timer_stop(s->greet);
}

void smtp_session_free(struct client *c)
{
    struct smtp_session *s = session_of(c);
    timer_free(&s->greet);
    smtp_lines_done(&s->lines);
}

void smtp_session_start(struct client *c)
{
    struct smtp_session *s = session_of(c);
    s->greet = timer_new(c->loop, on_greet, s);
    smtp_lines_init(&s->lines, smtp_server_of(s)->limits.line);
    timer_start(s->greet, GREETING_PAUSE_MS);
}
