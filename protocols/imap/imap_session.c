/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_session.h"

#include <stdio.h>
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_write.h"

#define OUT_CHUNK (32 * 1024) /* answers are handed to the connection in pieces of about this size */
#define SLICE_MS  6           /* work of one command in one turn of the loop */
#define ALIVE_MS  10000       /* a client that waits hears from us this often */

static void run(struct imap_session *s);

const char *imap_account_name(const struct imap_session *s)
{
    return s->account ? account_name(s->account) : "";
}

/* --- timeouts
 * --------------------------------------------------------------------------------------------------------- */

static void restart_timeout(struct imap_session *s)
{
    const struct imap_server_limits *limits = &imap_server_options(s->server)->limits;
    if (s->state != IMAP_STATE_NOT_AUTHENTICATED)
        conn_set_timeout(s->conn, (uint64_t)limits->idle_timeout_s * 1000);
}

static void on_alive(void *ud)
{
    struct imap_session *s = ud;
    if (!s->command || s->work.line || s->ending)
        return;
    if (!conn_full(s->conn)) {
        imap_untagged(s, "OK", NULL, "Still working on it.");
        imap_flush(s);
    }
    timer_start(s->alive, ALIVE_MS);
}

static void on_timeout(struct imap_session *s)
{
    if (s->state == IMAP_STATE_NOT_AUTHENTICATED)
        imap_bye(s, NULL, "Signing in took too long.", "not signed in in time");
    else if (s->command && !s->work.line)
        restart_timeout(s);
    else
        imap_bye(s, NULL, "Nothing heard for too long.", "idle");
}

/* --- output
 * ----------------------------------------------------------------------------------------------------------- */

void imap_flush(struct imap_session *s)
{
    if (s->out.n == 0)
        return;
    if (s->out.failed) { /* an answer over 64 MiB that does not stream: half of it would be worse than none */
        log_error("imap", imap_account_name(s), "conn %llu: an answer is too large",
                  (unsigned long long)conn_id(s->conn));
        conn_abort(s->conn, "answer too large");
        return;
    }
    conn_write(s->conn, buf_view(&s->out));
    buf_reset(&s->out);
    if (timer_active(s->alive))
        timer_start(s->alive, ALIVE_MS);
}

bool imap_has_room(struct imap_session *s)
{
    if (s->out.n >= OUT_CHUNK)
        imap_flush(s);
    if ((++s->slice_n & 31) == 0 && time_mono_ms() - s->slice_ms >= SLICE_MS)
        return false;
    return !conn_full(s->conn);
}

void imap_yield(struct imap_session *s)
{
    imap_flush(s);
    s->yielded = true;
    if (!conn_full(s->conn))
        loop_defer(s->loop, &s->turn);
}

void imap_untagged(struct imap_session *s, const char *response, const char *code, const char *text)
{
    imap_write_line(&s->out, STR_NULL, response, code, text);
}

void imap_expect_line(struct imap_session *s, struct str continuation, size_t max)
{
    buf_lit(&s->out, "+ ");
    buf_str(&s->out, continuation);
    buf_lit(&s->out, "\r\n");
    imap_parser_expect_line(s->parser, max);
    imap_flush(s);
    if (!s->running)
        loop_defer(s->loop, &s->turn);
}

/* --- ending a command
 * ------------------------------------------------------------------------------------------------- */

static void command_over(struct imap_session *s)
{
    struct imap_command *c = s->command;
    s->command = NULL;
    s->work = (struct imap_work){0};
    s->yielded = false;
    timer_stop(s->alive);
    imap_command_free(c);
    if (s->running)
        return;
    imap_flush(s);
    restart_timeout(s);
    loop_defer(s->loop, &s->turn);
}

/* Once a session: what a person has to do something about. */
static void tell_health(struct imap_session *s)
{
    if (s->alerted || !s->account)
        return;
    const struct err *health = account_health(s->account);
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
    imap_write_line(&s->out, c->tag, response, code, text);
    command_over(s);
}

void imap_finish_ok(struct imap_session *s)
{
    char text[64];
    snprintf(text, sizeof(text), "%s%s completed.", s->command->uid ? "UID " : "",
             imap_verb_info(s->command->verb)->name);
    imap_finish(s, "OK", NULL, text);
}

void imap_finish_err(struct imap_session *s, const struct err *err)
{
    const struct imap_answer *answer = imap_answer_of(err->code);
    char text[256];
    imap_answer_text(err, imap_account_name(s), text, sizeof(text));
    log_warn("imap", imap_account_name(s), "%s: %s: %s", imap_verb_info(s->command->verb)->name, err_name(err->code),
             err->text);
    imap_finish(s, "NO", answer->code, text);
}

static void count_bad(struct imap_session *s)
{
    const struct imap_server_limits *limits = &imap_server_options(s->server)->limits;
    unsigned max = s->state == IMAP_STATE_NOT_AUTHENTICATED ? limits->bad_preauth : limits->bad_authenticated;
    if (++s->bad_count >= max && !s->ending)
        imap_bye(s, NULL, "Too many bad commands.", "too many bad commands");
}

void imap_finish_bad(struct imap_session *s, const char *text)
{
    imap_finish(s, "BAD", NULL, text);
    count_bad(s);
}

void imap_bye(struct imap_session *s, const char *code, const char *text, const char *reason)
{
    if (s->ending)
        return;
    s->ending = true;
    if (s->work.stop)
        s->work.stop(s);
    s->work = (struct imap_work){0};
    imap_untagged(s, "BYE", code, text);
    imap_flush(s);
    conn_close(s->conn, reason);
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------- */

static void start_command(struct imap_session *s, struct imap_command *c)
{
    s->command = c;
    s->slice_ms = time_mono_ms();
    s->slice_n = 0;
    if (s->mailbox && mailbox_gone(s->mailbox)) {
        imap_bye(s, NULL, "The selected mailbox was deleted on the server.", "mailbox deleted");
        return;
    }
    log_debug("imap", imap_account_name(s), "conn %llu: %s%s", (unsigned long long)conn_id(s->conn),
              c->uid ? "UID " : "", imap_verb_info(c->verb)->name);
    imap_handler_of(c->verb)(s, c);
    if (s->command && !s->work.line && !s->ending)
        timer_start(s->alive, ALIVE_MS);
    else if (!s->command && s->state != IMAP_STATE_NOT_AUTHENTICATED)
        s->bad_count = 0;
}

static void on_parse_error(struct imap_session *s, const struct imap_parse_error *e)
{
    if (s->work.line) { /* the line was too long: the command that waited for it answers */
        s->work.line(s, STR_NULL);
        return;
    }
    if (e->foreign) {
        imap_server_log_foreign(s->server, s);
        s->ending = true;
        conn_abort(s->conn, "not IMAP");
        return;
    }
    imap_write_line(&s->out, e->tag, e->response, e->code, e->text);
    if (e->fatal)
        imap_bye(s, e->code, e->text, "unreadable command");
    else if (strcmp(e->response, "BAD") == 0)
        count_bad(s);
}

/* One event. False: nothing more to do with what is there. */
static bool read_event(struct imap_session *s)
{
    struct str in = conn_input(s->conn);
    size_t before = in.n;
    if (before == 0)
        return false;
    struct imap_parse_event ev = {0};
    imap_parser_set_state(s->parser, s->state);
    enum imap_parse_event_kind kind = imap_parser_feed(s->parser, &in, &ev);
    size_t used = before - in.n;
    switch (kind) {
    case IMAP_PARSE_MORE:
        break;
    case IMAP_PARSE_CONTINUE:
        buf_lit(&s->out, "+ OK\r\n");
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
    if (conn_closing(s->conn))
        return false;
    conn_consume(s->conn, used);
    return kind != IMAP_PARSE_MORE || used > 0;
}

static bool may_read(const struct imap_session *s)
{
    return !s->ending && (!s->command || s->work.line) && !conn_full(s->conn);
}

static void run(struct imap_session *s)
{
    if (s->running || !may_read(s))
        return;
    s->running = true;
    while (may_read(s) && read_event(s))
        ;
    s->running = false;
    if (!s->ending) {
        imap_flush(s);
        restart_timeout(s);
    }
}

static void step(struct imap_session *s)
{
    s->yielded = false;
    s->slice_ms = time_mono_ms();
    s->slice_n = 0;
    s->work.step(s);
}

static void on_turn(void *ud)
{
    struct imap_session *s = ud;
    if (s->ending)
        return;
    if (!s->yielded)
        run(s);
    else if (!conn_full(s->conn))
        step(s);
}

/* --- life
 * ------------------------------------------------------------------------------------------------------------- */

static void session_free(struct imap_session *s)
{
    s->ending = true;
    if (s->work.stop)
        s->work.stop(s);
    s->work = (struct imap_work){0};
    imap_unselect(s);
    imap_command_free(s->command);
    imap_parser_free(s->parser);
    blob_unref(&s->incoming);
    loop_defer_cancel(&s->turn);
    timer_free(&s->alive);
    buf_done(&s->out);
    list_remove(&s->link);
    imap_server_session_gone(s->server, s);
    mem_free(s);
}

static void on_conn(void *ud, struct conn *conn, enum conn_event event)
{
    struct imap_session *s = ud;
    (void)conn;
    switch (event) {
    case CONN_DATA:
        run(s);
        break;
    case CONN_DRAINED:
        on_turn(s);
        break;
    case CONN_TIMEOUT:
        if (!s->ending)
            on_timeout(s);
        break;
    case CONN_CLOSED:
        session_free(s);
        break;
    }
}

struct imap_session *imap_session_new(struct imap_server *server, struct conn *conn)
{
    const struct imap_server_opts *opts = imap_server_options(server);
    struct imap_session *s = MEM_NEW(struct imap_session);
    s->server = server;
    s->conn = conn;
    s->loop = conn_loop(conn);
    s->state = IMAP_STATE_NOT_AUTHENTICATED;
    s->parser = imap_parser_new(imap_server_charsets(server), imap_server_parse_limits(server, false));
    s->alive = timer_new(s->loop, on_alive, s);
    buf_init(&s->out, 0);
    list_init(&s->link);
    deferred_init(&s->turn, on_turn, s);
    conn_set_handler(conn, on_conn, s);
    conn_set_timeout(conn, (uint64_t)opts->limits.preauth_timeout_s * 1000);
    buf_lit(&s->out, "* OK [CAPABILITY ");
    buf_str(&s->out, imap_capabilities(s));
    buf_lit(&s->out, "] exbridge ready.\r\n");
    imap_flush(s);
    return s;
}

static void on_dropped(void *ud, struct conn *conn, enum conn_event event)
{
    (void)ud;
    (void)conn;
    (void)event;
}

void imap_session_drop(struct imap_session *s)
{
    struct conn *conn = s->conn;
    session_free(s);
    conn_set_handler(conn, on_dropped, NULL);
    conn_abort(conn, "shutdown");
}

void imap_signed_in(struct imap_session *s, struct account *account)
{
    s->account = account;
    s->state = IMAP_STATE_AUTHENTICATED;
    s->bad_count = 0;
    imap_parser_set_limits(s->parser, imap_server_parse_limits(s->server, true));
    restart_timeout(s);
    log_info("imap", account_name(account), "conn %llu: signed in", (unsigned long long)conn_id(s->conn));
}

void imap_enable_utf8(struct imap_session *s)
{
    s->utf8 = true;
    imap_parser_set_utf8(s->parser, true);
}
