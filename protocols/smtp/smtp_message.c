/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DATA and BDAT: the message goes from the connection into a blob, piece by piece, then to Exchange. 250 is said when
 * Exchange has taken it, and not before. A message that is refused while it comes is read to its end and dropped, so
 * that the connection stays in step.
 */
#include "bridge/base/mem.h"
#include "protocols/smtp/smtp_session.h"

#define OVERRUN  ((uint64_t)64 << 20) /* bytes over the limit that are read and dropped before the connection ends */
#define FEED_MAX ((size_t)16 * 1024)  /* bytes at a time: what comes out is at most twice as many */

static const struct smtp_reply far_too_big = {552, "5.3.4", "This is far larger than any message may be."};

void smtp_mail_reset(struct smtp_session *s)
{
    blob_unref(&s->mail.message);
    mem_free(s->mail.recipients);
    arena_done(&s->mail.arena);
    s->mail = (struct smtp_mail){0};
}

void smtp_mail_add(struct smtp_session *s, struct str recipient)
{
    struct smtp_mail *m = &s->mail;
    if (m->recipient_n == m->recipient_room) {
        m->recipient_room = m->recipient_room ? 2 * m->recipient_room : 8;
        m->recipients = mem_realloc(m->recipients, m->recipient_room * sizeof(*m->recipients));
    }
    m->recipients[m->recipient_n++] = arena_str(&m->arena, recipient);
}

/* --- the end of a message --------------------------------------------------------------------- */

static void on_sent(void *ud, const struct err *err)
{
    struct smtp_session *s = ud;
    s->submit = NULL;
    smtp_mail_reset(s);
    if (err && err->code != ERR_NONE)
        smtp_answer_err(s, err);
    else
        smtp_answer(s, smtp_answer_of(ERR_NONE));
    smtp_go_on(s);
}

static void message_over(struct smtp_session *s)
{
    struct smtp_mail *m = &s->mail;
    s->mode = SMTP_MODE_COMMAND;
    if (m->problem.code == ERR_NONE && !blob_finish(m->message, &m->problem))
        m->problem.code = m->problem.code ? m->problem.code : ERR_DISK;
    if (m->problem.code != ERR_NONE) {
        smtp_answer_err(s, &m->problem);
        smtp_mail_reset(s);
        return;
    }
    s->mode = SMTP_MODE_BUSY;
    struct submit_request request = {
        .message = m->message, .sender = m->sender, .recipients = m->recipients, .recipient_count = m->recipient_n};
    s->submit = submit_start(s->client.account, &request, on_sent, s);
    blob_unref(&m->message); /* it has what it needs */
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void store(struct smtp_session *s, struct str bytes)
{
    struct smtp_mail *m = &s->mail;
    m->received += bytes.n;
    if (m->problem.code != ERR_NONE || bytes.n == 0)
        return;
    if (m->received > smtp_size_limit(s))
        err_set(&m->problem, ERR_TOO_BIG, "over the announced size");
    else if (blob_add(m->message, bytes, &m->problem))
        return;
    blob_unref(&m->message);
}

static void content_bytes(struct smtp_session *s, struct str *in)
{
    struct smtp_mail *m = &s->mail;
    struct buf out = {0};
    struct str piece = str_sub(*in, 0, FEED_MAX);
    size_t before = piece.n;
    bool over = smtp_data_feed(&m->data, &piece, &out);
    *in = str_skip(*in, before - piece.n);
    store(s, buf_view(&out));
    buf_done(&out);
    if (over)
        message_over(s);
}

static void chunk_over(struct smtp_session *s)
{
    static const struct smtp_reply taken = {250, "2.0.0", "Chunk taken."},
                                   order = {503, "5.5.1", "BDAT does not fit here."};
    struct smtp_mail *m = &s->mail;
    s->mode = SMTP_MODE_COMMAND;
    if (m->refused_chunk) {
        m->refused_chunk = false;
        smtp_answer_bad(s, &order);
    } else if (m->chunk_last) {
        struct buf out = {0};
        smtp_data_finish(&m->data, &out);
        store(s, buf_view(&out));
        buf_done(&out);
        message_over(s);
    } else if (m->problem.code != ERR_NONE) {
        smtp_answer_err(s, &m->problem);
    } else {
        smtp_answer(s, &taken);
    }
}

static void chunk_bytes(struct smtp_session *s, struct str *in)
{
    struct smtp_mail *m = &s->mail;
    size_t most = m->chunk_left < FEED_MAX ? (size_t)m->chunk_left : FEED_MAX;
    struct str piece = str_sub(*in, 0, most);
    *in = str_skip(*in, piece.n);
    m->chunk_left -= piece.n;
    if (!m->refused_chunk) {
        struct buf out = {0};
        smtp_data_feed(&m->data, &piece, &out);
        store(s, buf_view(&out));
        buf_done(&out);
    }
    if (m->chunk_left == 0)
        chunk_over(s);
}

void smtp_message_bytes(struct smtp_session *s, struct str *in)
{
    if (s->mode == SMTP_MODE_CHUNK)
        chunk_bytes(s, in);
    else
        content_bytes(s, in);
    if (!s->client.ending && s->mail.received > smtp_size_limit(s) + OVERRUN)
        smtp_end_with(s, &far_too_big, "a message far over the limit");
}

/* --- commands --------------------------------------------------------------------------------- */

static void begin_message(struct smtp_session *s, bool dots)
{
    s->mail.message = blob_new(smtp_server_of(s)->tmp_dir, UINT64_MAX);
    smtp_data_init(&s->mail.data, dots);
}

void smtp_cmd_data(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply early = {554, "5.5.0", "DATA is the last command of a group (RFC 2920)."},
                                   order = {503, "5.5.1", "MAIL and RCPT come first."},
                                   chunk = {503, "5.5.1", "The message has begun with BDAT."},
                                   nobody = {554, "5.5.1", "There is no valid recipient."};
    (void)c;
    if (s->pipelined) { /* bytes of a message, or commands? nobody can know */
        smtp_end_with(s, &early, "data behind DATA");
    } else if (!s->mail.begun) {
        smtp_answer_bad(s, &order);
    } else if (s->mail.chunked) {
        smtp_answer_bad(s, &chunk);
    } else if (!s->mail.recipient_n) {
        smtp_answer(s, &nobody);
    } else {
        begin_message(s, true);
        s->mode = SMTP_MODE_CONTENT;
        smtp_say(s, 354, NULL, "Send the message; end with a line that is a single dot.");
    }
}

void smtp_cmd_bdat(struct smtp_session *s, const struct smtp_command *c)
{
    struct smtp_mail *m = &s->mail;
    uint64_t most = smtp_size_limit(s) + OVERRUN;
    if (c->size > most) {
        smtp_end_with(s, &far_too_big, "a chunk far over the limit");
        return;
    }
    m->refused_chunk = !m->begun || !m->recipient_n;
    m->chunk_left = c->size;
    m->chunk_last = c->last;
    if (!m->refused_chunk && !m->chunked) {
        m->chunked = true;
        begin_message(s, false);
    }
    s->mode = SMTP_MODE_CHUNK;
    if (c->size == 0)
        chunk_over(s);
}
