/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APPEND (RFC 3501 6.3.11) with MULTIAPPEND (RFC 3502), BINARY (RFC 3516 4.4), APPENDLIMIT (RFC 7889), and REPLACE
 * (RFC 8508). Whether a message can be stored is said before the client sends it; its bytes go to a blob as they come,
 * a file when it is large. The server is asked when all messages of the command are here, so a client that goes away
 * in the middle leaves nothing behind.
 *
 * Bare line feeds become CRLF: the server would do the same, and then the appended bytes would not be the message's
 * bytes. What only a literal8 can carry, Exchange cannot store: NUL bytes and parts encoded "binary" are refused.
 */
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/formats/mime.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_change.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

#define APPEND_MAX   ((uint64_t)150 << 20) /* of one message, where the server's own limit is unknown */
#define TOGETHER_MAX ((uint64_t)1 << 30)   /* of all messages of one command */
#define RECEIPTS_MAX 1000

#define ONLY_DRAFTS "Exchange ActiveSync takes no messages into this mailbox; only drafts can be stored."
#define NO_APPEND   "Exchange ActiveSync stores no messages; they can be moved between mailboxes."

struct imap_incoming {
    struct blob *message;
    struct imap_flags flags;
    int64_t received_s;
    bool binary, nul;
    struct eol_crlf eol;
    struct err err; /* the rest is read and dropped; the answer comes at the end */
};

void imap_incoming_drop(struct imap_session *s)
{
    for (size_t i = 0; i < s->incoming_n; i++)
        blob_unref(&s->incoming[i].message);
    mem_free(s->incoming);
    s->incoming = NULL;
    s->incoming_n = s->incoming_room = 0;
    s->incoming_bytes = 0;
}

/* --- what can be stored ---------------------------------------------------------------------------------------------
 */

static bool can_append(const struct account *a, const struct folder *f)
{
    unsigned caps = account_caps(a);
    /* Into Sent goes what was sent, which the server has filed already. */
    return (caps & CAP_APPEND) || f->use == USE_SENT || ((caps & CAP_APPEND_DRAFT) && f->use == USE_DRAFTS);
}

uint64_t imap_append_limit(const struct account *a, const struct folder *f)
{
    uint64_t limit = account_limits(a)->message_max;
    if (f && !can_append(a, f))
        return 0;
    return limit && limit < APPEND_MAX ? limit : APPEND_MAX;
}

struct refusal {
    const char *response, *code, *text;
};

/* The message that REPLACE is about is there? A number beyond the end is BAD, as everywhere (RFC 3501 9). */
static struct refusal no_message(const struct imap_session *s, const struct imap_command *c)
{
    uint32_t n = c->append.replace_seq;
    if (s->read_only)
        return (struct refusal){"NO", s->examined ? NULL : "CANNOT",
                                s->examined ? "The mailbox was opened read-only." : IMAP_READ_ONLY_TEXT};
    if (!c->uid && (n != IMAP_STAR && n > view_count(s->view)))
        return (struct refusal){"BAD", NULL, "There is no message of that number."};
    if (view_count(s->view) == 0 || (c->uid && n != IMAP_STAR && !view_seq(s->view, n)))
        return (struct refusal){"NO", "NONEXISTENT", "The message to be replaced is not there."};
    return (struct refusal){0};
}

static struct refusal refusal_of(const struct imap_session *s, const struct imap_command *c)
{
    const struct account *a = s->client.account;
    const struct folder *f = c->append.mailbox.p ? account_folder_by_name(a, c->append.mailbox) : NULL;
    if (!account_can_write(a))
        return (struct refusal){"NO", "CANNOT", IMAP_READ_ONLY_TEXT};
    if (!f || !f->selectable)
        return (struct refusal){"NO", "TRYCREATE", "There is no such mailbox."};
    if (!can_append(a, f))
        return (struct refusal){"NO", "CANNOT", account_caps(a) & CAP_APPEND_DRAFT ? ONLY_DRAFTS : NO_APPEND};
    if (c->append.size > imap_append_limit(a, f))
        return (struct refusal){"NO", "TOOBIG", "The message is larger than the server takes."};
    if (c->append.size > TOGETHER_MAX - s->incoming_bytes)
        return (struct refusal){"NO", "LIMIT", "These are too many bytes for one command."};
    if (c->append.size == 0)
        return (struct refusal){"NO", NULL, "An empty message cannot be stored."};
    return c->verb == IMAP_REPLACE ? no_message(s, c) : (struct refusal){0};
}

/* --- a message comes ------------------------------------------------------------------------------------------------
 */

static struct imap_incoming *add_incoming(struct imap_session *s)
{
    if (s->incoming_n == s->incoming_room) {
        s->incoming_room = s->incoming_room ? 2 * s->incoming_room : 1;
        s->incoming = mem_realloc(s->incoming, s->incoming_room * sizeof(*s->incoming));
    }
    struct imap_incoming *in = &s->incoming[s->incoming_n++];
    memset(in, 0, sizeof(*in));
    return in;
}

void imap_append_begin(struct imap_session *s, const struct imap_command *c)
{
    if (c->append.index == 0)
        imap_incoming_drop(s); /* of a command that was not finished */
    struct refusal no = refusal_of(s, c);
    if (no.response) {
        imap_write_line(&s->client.out, c->tag, no.response, no.code, no.text);
        imap_parser_refuse(s->parser);
        imap_incoming_drop(s);
        return;
    }
    struct imap_incoming *in = add_incoming(s);
    in->message = blob_new(account_tmp_dir(s->client.account), APPEND_MAX * 2);
    in->flags = c->append.flags;
    in->received_s = c->append.has_date ? c->append.date_s : TIME_NONE;
    in->binary = c->append.binary && !c->append.utf8;
    s->incoming_bytes += c->append.size;
    if (c->append.sync)
        buf_lit(&s->client.out, "+ OK\r\n");
    imap_parser_take(s->parser);
}

void imap_append_data(struct imap_session *s, struct str bytes)
{
    struct imap_incoming *in = s->incoming_n ? &s->incoming[s->incoming_n - 1] : NULL;
    struct buf lines = {0};
    if (!in || in->err.code != ERR_NONE || bytes.n == 0)
        return;
    in->nul |= memchr(bytes.p, '\0', bytes.n) != NULL;
    if (eol_crlf_feed(&in->eol, bytes, &lines))
        blob_add(in->message, buf_view(&lines), &in->err);
    else
        err_set(&in->err, ERR_TOO_BIG, "the message is too big");
    buf_done(&lines);
}

/* --- all of them are here -------------------------------------------------------------------------------------------
 */

static bool feed_mime(void *ud, struct str piece)
{
    mime_parser_feed(ud, piece);
    return true;
}

static bool has_binary_part(const struct mime_part *part)
{
    for (; part; part = part->next) /* nesting is bounded by the parser */
        if (str_case_is(str_trim(part->encoding), "binary") || has_binary_part(part->children))
            return true;
    return false;
}

/* RFC 3516 4.4 */
static bool is_binary(const struct imap_incoming *in, struct imap_command *c)
{
    if (!in->binary || in->nul)
        return in->nul;
    struct mime_parser *p = mime_parser_new(&c->arena, NULL);
    blob_each(in->message, feed_mime, p, NULL);
    bool binary = has_binary_part(mime_parser_finish(p));
    mime_parser_free(p);
    return binary;
}

static bool finish_one(struct imap_incoming *in, struct err *err)
{
    struct buf rest = {0};
    bool ok = in->err.code == ERR_NONE && eol_crlf_finish(&in->eol, &rest) &&
              blob_add(in->message, buf_view(&rest), &in->err) && blob_finish(in->message, &in->err);
    buf_done(&rest);
    if (!ok)
        *err = in->err;
    return ok;
}

static struct change_message *messages_of(struct imap_session *s, struct imap_command *c, struct err *err)
{
    bool keywords = account_caps(s->client.account) & CAP_KEYWORDS;
    struct change_message *list = arena_array(&c->arena, s->incoming_n, sizeof(*list));
    for (size_t i = 0; i < s->incoming_n; i++) {
        struct imap_incoming *in = &s->incoming[i];
        if (!finish_one(in, err))
            return NULL;
        list[i] = (struct change_message){.message = in->message,
                                          .flags = in->flags.bits,
                                          .keywords = in->flags.keywords.items,
                                          .keyword_count = keywords ? in->flags.keywords.n : 0,
                                          .received_s = in->received_s};
    }
    return list;
}

static struct str appenduid(struct imap_session *s, const struct change_result *r)
{
    struct buf b = {0};
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].new_uid == 0)
            return STR_NULL;
    if (r->uidvalidity == 0)
        return STR_NULL;
    buf_printf(&b, "APPENDUID %u ", r->uidvalidity);
    imap_changing_add_uids(&b, r->items, r->count, true);
    struct str code = arena_str(&s->command->arena, buf_view(&b));
    buf_done(&b);
    return code;
}

static void on_appended(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    struct imap_changing *w = s->work.ud;
    w->change = NULL;
    imap_append_told(s, r->receipt);
    struct str code = r->err.code == ERR_NONE ? appenduid(s, r) : STR_NULL;
    if (r->err.code == ERR_TOO_BIG) { /* RFC 7889 4 */
        char text[256];
        imap_answer_text(&r->err, imap_account_name(s), text, sizeof(text));
        log_warn("imap", imap_account_name(s), "APPEND: %s", r->err.text);
        imap_finish(s, "NO", "TOOBIG", text);
    } else if (r->err.code == ERR_UNSUPPORTED && !(account_caps(s->client.account) & CAP_APPEND)) {
        imap_finish(s, "NO", "CANNOT", r->err.text); /* of this message; a sentence of the backend's own */
    } else if (s->command->verb == IMAP_REPLACE) {   /* RFC 8508 4.4: it is told before the news of the mailbox */
        if (code.p)
            imap_untagged(s, "OK", code.p, "The new message is there.");
        imap_changing_finish(s, r, NULL, "REPLACE completed.");
    } else {
        imap_changing_finish(s, r, code.p, "APPEND completed.");
    }
}

static void ask(struct imap_session *s, struct imap_command *c, const struct folder *f,
                const struct change_message *messages)
{
    struct change_append what = {.messages = messages, .count = s->incoming_n};
    if (c->verb == IMAP_REPLACE) {
        uint32_t n = c->append.replace_seq, last = view_count(s->view);
        what.replaces_in = s->mailbox;
        what.replaces_uid = n == IMAP_STAR ? view_uid(s->view, last) : c->uid ? n : view_uid(s->view, n);
    }
    struct imap_changing *w = imap_changing_new(s);
    w->change = change_append(s->client.account, f->pk, &what, on_appended, s);
    if (s->client.ended)
        change_doubt(w->change);
    imap_incoming_drop(s); /* it has what it needs */
}

void cmd_append(struct imap_session *s, struct imap_command *c)
{
    struct err err = {0};
    const struct folder *f = c->append.mailbox.p ? account_folder_by_name(s->client.account, c->append.mailbox) : NULL;
    struct refusal no = c->verb == IMAP_REPLACE && f ? no_message(s, c) : (struct refusal){0};
    const struct change_message *messages = messages_of(s, c, &err);
    for (size_t i = 0; messages && !no.response && i < s->incoming_n; i++)
        if (is_binary(&s->incoming[i], c))
            no = (struct refusal){"NO", "UNKNOWN-CTE", "Exchange cannot store binary parts: encode them in base64."};
    if (!f)
        err_set(&err, ERR_NOT_FOUND, "the mailbox is gone");
    if (no.response) {
        imap_incoming_drop(s);
        imap_finish(s, no.response, no.code, no.text);
    } else if (!f || !messages) {
        imap_incoming_drop(s);
        imap_finish_err(s, &err);
    } else {
        ask(s, c, f, messages);
    }
}

/* --- does the client know? ------------------------------------------------------------------------------------------
 */

/* A client that goes on after it has nothing more in the pipe has heard the answers so far (change.h: receipts). */
void imap_append_told(struct imap_session *s, int64_t receipt)
{
    if (receipt == 0 || s->client.ended) /* change_doubt() */
        return;
    if (s->receipt_n == RECEIPTS_MAX)
        change_heard(s->client.account, s->receipts[--s->receipt_n]);
    s->receipts = mem_realloc(s->receipts, (s->receipt_n + 1) * sizeof(*s->receipts));
    s->receipts[s->receipt_n++] = receipt;
    s->receipts_quiet = conn_input(s->client.conn).n == 0;
}

void imap_append_heard(struct imap_session *s)
{
    for (size_t i = 0; s->receipts_quiet && i < s->receipt_n; i++)
        change_heard(s->client.account, s->receipts[i]);
    if (s->receipts_quiet)
        s->receipt_n = 0;
}

void imap_append_gone(struct imap_session *s)
{
    for (size_t i = 0; i < s->receipt_n; i++)
        change_unheard(s->client.account, s->receipts[i]);
    mem_free(s->receipts);
    s->receipts = NULL;
    s->receipt_n = 0;
}
