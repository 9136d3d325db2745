/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/smtp/smtp_session.h"

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "protocols/guard.h"

/* A mail client waits for the greeting (RFC 5321 4.3.1); a browser's form is there at once. Twice this, so that what
 * has arrived was read in between whatever the load. */
#define GREETING_PAUSE_MS 10

const char *smtp_account_name(const struct smtp_session *s)
{
    return s->account ? account_name(s->account) : "";
}

static const char *log_name(const struct smtp_session *s)
{
    return s->account ? account_name(s->account) : NULL;
}

/* --- answering
 * ------------------------------------------------------------------------------------------------------------- */

static void flush(struct smtp_session *s)
{
    if (s->out.n)
        conn_write(s->conn, buf_view(&s->out));
    buf_reset(&s->out);
}

void smtp_say(struct smtp_session *s, unsigned code, const char *enhanced, const char *text)
{
    buf_printf(&s->out, "%u %s%s%s\r\n", code, enhanced ? enhanced : "", enhanced ? " " : "", text);
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
    log_warn("smtp", log_name(s), "conn %llu: %u %s: %s: %s", (unsigned long long)conn_id(s->conn), answer->code,
             answer->enhanced, err_name(err->code), err->text);
    smtp_say(s, answer->code, answer->enhanced, text);
}

void smtp_answer_bad(struct smtp_session *s, const struct smtp_reply *reply)
{
    const struct smtp_server_limits *limits = &smtp_server_options(s->server)->limits;
    smtp_answer(s, reply);
    if (++s->bad_count >= (s->account ? limits->bad_authenticated : limits->bad_preauth))
        smtp_end(s, "4.7.0", "Too many bad commands.", "too many bad commands");
}

static void stop_work(struct smtp_session *s)
{
    smtp_auth_stop(s);
    submit_detach(&s->submit);
    smtp_mail_reset(s);
    timer_stop(s->greet);
}

void smtp_end_with(struct smtp_session *s, const struct smtp_reply *reply, const char *reason)
{
    if (s->ending)
        return;
    s->ending = true;
    stop_work(s);
    smtp_answer(s, reply);
    flush(s);
    conn_close(s->conn, reason);
}

void smtp_end(struct smtp_session *s, const char *enhanced, const char *text, const char *reason)
{
    smtp_end_with(s, &(struct smtp_reply){421, enhanced, text}, reason);
}

void smtp_shutting_down(struct smtp_session *s)
{
    smtp_end(s, "4.3.2", "exbridge is shutting down.", "shutdown");
}

static void drop_foreign(struct smtp_session *s)
{
    smtp_server_log_foreign(s->server, s);
    s->ending = true;
    stop_work(s);
    conn_abort(s->conn, "not SMTP");
}

/* --- time
 * ------------------------------------------------------------------------------------------------------------------ */

/* Before sign-in one time is for everything. */
static void restart_timeout(struct smtp_session *s)
{
    if (s->account && !s->ending)
        conn_set_timeout(s->conn, (uint64_t)smtp_server_options(s->server)->limits.idle_timeout_s * 1000);
}

static void on_timeout(struct smtp_session *s)
{
    if (!s->account)
        smtp_end(s, "4.4.2", "Signing in took too long.", "not signed in in time");
    else if (s->mode == SMTP_MODE_BUSY)
        restart_timeout(s);
    else
        smtp_end(s, "4.4.2", "Nothing heard for too long.", "idle");
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
    flush(s);
}

/* --- reading
 * --------------------------------------------------------------------------------------------------------------- */

static void on_command_line(struct smtp_session *s, struct str line)
{
    struct arena arena = {0};
    struct smtp_command c;
    const struct smtp_reply *problem = smtp_parse(line, &arena, &c);
    log_debug("smtp", log_name(s), "conn %llu: %s", (unsigned long long)conn_id(s->conn), smtp_verb_name(c.verb));
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
    if (!s->account && s->mode == SMTP_MODE_COMMAND && guard_is_foreign(line))
        drop_foreign(s);
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
static void read_some(struct smtp_session *s, struct str *in)
{
    if (s->mode == SMTP_MODE_CONTENT || s->mode == SMTP_MODE_CHUNK) {
        smtp_message_bytes(s, in);
        return;
    }
    struct str line;
    enum smtp_line_status status = smtp_lines_feed(&s->lines, in, &line);
    s->pipelined = in->n > 0;
    if (status != SMTP_LINE_MORE)
        on_line(s, status, line);
}

static bool may_read(const struct smtp_session *s)
{
    return !s->ending && s->mode != SMTP_MODE_BUSY && !conn_full(s->conn);
}

static void run(struct smtp_session *s)
{
    if (s->running || !may_read(s))
        return;
    if (s->mode == SMTP_MODE_GREETING) {
        if (conn_input(s->conn).n)
            drop_foreign(s);
        return;
    }
    s->running = true;
    while (may_read(s)) {
        struct str in = conn_input(s->conn);
        size_t before = in.n;
        if (!before)
            break;
        read_some(s, &in);
        if (conn_closing(s->conn))
            break;
        conn_consume(s->conn, before - in.n);
    }
    s->running = false;
    if (!s->ending) {
        flush(s);
        restart_timeout(s);
    }
}

static void on_turn(void *ud)
{
    run(ud);
}

void smtp_go_on(struct smtp_session *s)
{
    if (s->ending)
        return;
    s->mode = SMTP_MODE_COMMAND;
    flush(s);
    restart_timeout(s);
    if (smtp_server_closing(s->server))
        smtp_shutting_down(s);
    else
        loop_defer(s->loop, &s->turn);
}

/* --- life
 * ------------------------------------------------------------------------------------------------------------------ */

static void session_free(struct smtp_session *s)
{
    s->ending = true;
    stop_work(s);
    loop_defer_cancel(&s->turn);
    timer_free(&s->greet);
    smtp_lines_done(&s->lines);
    buf_done(&s->out);
    list_remove(&s->link);
    smtp_server_session_gone(s->server);
    mem_free(s);
}

static void on_conn(void *ud, struct conn *conn, enum conn_event event)
{
    struct smtp_session *s = ud;
    (void)conn;
    switch (event) {
    case CONN_DATA:
    case CONN_DRAINED:
        run(s);
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

struct smtp_session *smtp_session_new(struct smtp_server *server, struct conn *conn)
{
    const struct smtp_server_opts *opts = smtp_server_options(server);
    struct smtp_session *s = MEM_NEW(struct smtp_session);
    s->server = server;
    s->conn = conn;
    s->loop = conn_loop(conn);
    s->greet = timer_new(s->loop, on_greet, s);
    smtp_lines_init(&s->lines, opts->limits.line);
    buf_init(&s->out, 0);
    list_init(&s->link);
    deferred_init(&s->turn, on_turn, s);
    conn_set_handler(conn, on_conn, s);
    conn_set_timeout(conn, (uint64_t)opts->limits.preauth_timeout_s * 1000);
    timer_start(s->greet, GREETING_PAUSE_MS);
    return s;
}

static void on_dropped(void *ud, struct conn *conn, enum conn_event event)
{
    (void)ud;
    (void)conn;
    (void)event;
}

void smtp_session_drop(struct smtp_session *s)
{
    struct conn *conn = s->conn;
    session_free(s);
    conn_set_handler(conn, on_dropped, NULL);
    conn_abort(conn, "shutdown");
}
