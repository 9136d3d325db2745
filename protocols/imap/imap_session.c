/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_session.h"

#include <stdio.h>
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/change.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_change.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_write.h"

#define ALIVE_MS 10000 /* a client that waits hears from us this often */

static struct imap_session *session_of(struct client *c)
{
    return (struct imap_session *)(void *)c;
}

const char *imap_account_name(const struct imap_session *s)
{
    return s->client.account ? account_name(s->client.account) : "";
}

/* --- output ----------------------------------------------------------------------------------- */

static void on_alive(void *ud)
{
    struct imap_session *s = ud;
    if (!s->command || s->work.line || s->client.ending)
        return;
    uint64_t quiet = time_mono_ms() - s->client.flushed_ms;
    if (quiet >= ALIVE_MS && !conn_full(s->client.conn)) {
        imap_untagged(s, "OK", NULL, "Still working on it.");
        client_flush(&s->client);
    }
    timer_start(s->alive, quiet < ALIVE_MS ? ALIVE_MS - quiet : ALIVE_MS);
}

void imap_untagged(struct imap_session *s, const char *response, const char *code, const char *text)
{
    imap_write_line(&s->client.out, STR_NULL, response, code, text);
}

void imap_expect_line(struct imap_session *s, struct str continuation, size_t max)
{
    buf_lit(&s->client.out, "+ ");
    buf_str(&s->client.out, continuation);
    buf_lit(&s->client.out, "\r\n");
    imap_parser_expect_line(s->parser, max);
    client_flush(&s->client);
    client_go_on(&s->client);
}

/* --- ending a command ------------------------------------------------------------------------- */

static void command_over(struct imap_session *s)
{
    struct imap_command *c = s->command;
    s->command = NULL;
    s->work = (struct imap_work){0};
    timer_stop(s->alive);
    imap_command_free(c);
    client_go_on(&s->client);
}

/* Once a session: what a person has to do something about. */
static void tell_health(struct imap_session *s)
{
    if (s->alerted || !s->client.account)
        return;
    const struct err *health = account_health(s->client.account);
    switch (health->code) {
    case ERR_AUTH:
    case ERR_DENIED:
    case ERR_POLICY:
    case ERR_DISK:
        break;
    case ERR_NONE:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_INVALID:
    case ERR_UNSUPPORTED:
    case ERR_TOO_BIG:
    case ERR_QUOTA:
    case ERR_THROTTLED:
    case ERR_OFFLINE:
    case ERR_PROTOCOL:
    case ERR_STALE:
    case ERR_INTERNAL:
    case ERR_MAX:
        return;
    }
    char text[256];
    imap_answer_text(health, imap_account_name(s), text, sizeof(text));
    imap_untagged(s, "OK", "ALERT", text);
    s->alerted = true;
}

void imap_finish(struct imap_session *s, const char *response, const char *code, const char *text)
{
    struct imap_command *c = s->command;
    if (s->view) {
        unsigned flags = imap_verb_info(c->verb)->flags;
        imap_tell_news(s, !(flags & IMAP_NUMBERS) || c->uid);
    }
    tell_health(s);
    if (s->client.account && strcmp(response, "BAD") != 0)
        s->client.bad_count = 0;
    imap_write_line(&s->client.out, c->tag, response, code, text);
    command_over(s);
}

void imap_finish_ok(struct imap_session *s)
{
    char text[64];
    snprintf(text, sizeof(text), "%s%s completed.", s->command->uid ? "UID " : "",
             imap_verb_info(s->command->verb)->name);
    imap_finish(s, "OK", NULL, text);
}

void imap_refuse(struct imap_session *s, const struct err *err)
{
    char text[256];
    imap_answer_text(err, imap_account_name(s), text, sizeof(text));
    imap_finish(s, "NO", imap_answer_of(err->code)->code, text);
}

void imap_finish_err(struct imap_session *s, const struct err *err)
{
    log_warn("imap", imap_account_name(s), "%s: %s: %s", imap_verb_info(s->command->verb)->name, err_name(err->code),
             err->text);
    imap_refuse(s, err);
}

void imap_finish_bad(struct imap_session *s, const char *text)
{
    imap_finish(s, "BAD", NULL, text);
    client_bad(&s->client);
}

void imap_bye(struct imap_session *s, const char *text, const char *reason)
{
    if (s->client.ending)
        return;
    imap_session_stop(&s->client);
    imap_untagged(s, "BYE", NULL, text);
    client_close(&s->client, reason);
}

void imap_session_goodbye(struct client *c, enum goodbye why, const char *text)
{
    imap_untagged(session_of(c), "BYE", why == GOODBYE_CROWDED ? "LIMIT" : NULL, text);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void start_command(struct imap_session *s, struct imap_command *c)
{
    s->command = c;
    imap_append_heard(s);
    if (s->mailbox && mailbox_gone(s->mailbox)) {
        imap_bye(s, "The selected mailbox was deleted on the server.", "mailbox deleted");
        return;
    }
    log_debug("imap", imap_account_name(s), "conn %llu: %s%s", (unsigned long long)conn_id(s->client.conn),
              c->uid ? "UID " : "", imap_verb_info(c->verb)->name);
    imap_handler_of(c->verb)(s, c);
    if (s->command && !s->work.line && !s->client.ending)
        timer_start(s->alive, ALIVE_MS);
}

static void on_parse_error(struct imap_session *s, const struct imap_parse_error *e)
{
    if (s->work.line) { /* the line was too long: the command that waited for it answers */
        s->work.line(s, STR_NULL);
        return;
    }
    if (e->foreign) {
        client_foreign(&s->client);
        return;
    }
    imap_write_line(&s->client.out, e->tag, e->response, e->code, e->text);
    if (e->fatal)
        imap_bye(s, e->text, "unreadable command");
    else if (strcmp(e->response, "BAD") == 0)
        client_bad(&s->client);
}

bool imap_session_read(struct client *c, struct str *in)
{
    struct imap_session *s = session_of(c);
    size_t before = in->n;
    struct imap_parse_event ev = {0};
    imap_parser_set_state(s->parser, s->state);
    enum imap_parse_event_kind kind = imap_parser_feed(s->parser, in, &ev);
    switch (kind) {
    case IMAP_PARSE_MORE:
        break;
    case IMAP_PARSE_CONTINUE:
        buf_lit(&s->client.out, "+ OK\r\n");
        break;
    case IMAP_PARSE_COMMAND:
        start_command(s, ev.command);
        break;
    case IMAP_PARSE_APPEND:
        imap_append_begin(s, ev.command);
        break;
    case IMAP_PARSE_DATA:
        imap_append_data(s, ev.data);
        break;
    case IMAP_PARSE_LINE:
        s->work.line(s, ev.data.p ? ev.data : STR(""));
        break;
    case IMAP_PARSE_ERROR:
        on_parse_error(s, &ev.error);
        break;
    }
    return kind != IMAP_PARSE_MORE || in->n < before;
}

bool imap_session_busy(const struct client *c)
{
    const struct imap_session *s = (const struct imap_session *)(const void *)c;
    return s->command && !s->work.line;
}

void imap_session_turn(struct client *c)
{
    struct imap_session *s = session_of(c);
    s->work.step(s);
}

/* As `printf ... | nc` does, or it is gone: TCP does not tell. */
void imap_session_ended(struct client *c)
{
    struct imap_session *s = session_of(c);
    struct imap_changing *w = s->work.changing ? s->work.ud : NULL;
    if (w && w->change)
        change_doubt(w->change);
}

bool imap_session_changing(const struct client *c)
{
    return ((const struct imap_session *)(const void *)c)->work.changing;
}

/* --- life ------------------------------------------------------------------------------------- */

void imap_session_stop(struct client *c)
{
    struct imap_session *s = session_of(c);
    if (s->work.stop)
        s->work.stop(s);
    s->work = (struct imap_work){0};
}

void imap_session_free(struct client *c)
{
    struct imap_session *s = session_of(c);
    imap_unselect(s);
    imap_command_free(s->command);
    imap_parser_free(s->parser);
    imap_incoming_drop(s);
    imap_append_gone(s);
    timer_free(&s->alive);
}

void imap_session_start(struct client *c)
{
    struct imap_session *s = session_of(c);
    const struct imap_server *server = imap_server_of(s);
    s->state = IMAP_STATE_NOT_AUTHENTICATED;
    s->parser = imap_parser_new(server->charsets, &server->preauth);
    s->alive = timer_new(c->loop, on_alive, s);
    buf_lit(&c->out, "* OK [CAPABILITY ");
    imap_write_capabilities(s, &c->out);
    buf_lit(&c->out, "] exbridge ready.\r\n");
}

void imap_signed_in(struct imap_session *s)
{
    s->state = IMAP_STATE_AUTHENTICATED;
    imap_parser_set_limits(s->parser, &imap_server_of(s)->authenticated);
}

void imap_enable_utf8(struct imap_session *s)
{
    s->utf8 = true;
    imap_parser_set_utf8(s->parser, true);
}
