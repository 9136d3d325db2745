/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APPEND (RFC 3501 6.3.11, RFC 4315 3, RFC 6855). What can be refused is refused before the client sends the message;
 * the message goes to a blob as it comes, a file when it is large. Bare line feeds become CRLF: the server would do the
 * same, with other bytes.
 */
#include "bridge/base/time.h"
#include "bridge/change.h"
#include "bridge/formats/eol.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_change.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

#define APPEND_MAX ((uint64_t)150 << 20) /* where the server's own limit is unknown */

static bool can_append(const struct account *a, const struct folder *f)
{
    unsigned caps = account_caps(a);
    return (caps & CAP_APPEND) || ((caps & CAP_APPEND_DRAFT) && (f->use == USE_DRAFTS || f->use == USE_SENT));
}

static uint64_t size_limit(const struct account *a)
{
    uint64_t limit = account_limits(a)->message_max;
    return limit && limit < APPEND_MAX ? limit : APPEND_MAX;
}

static void refuse(struct imap_session *s, const struct imap_command *c, const char *code, const char *text)
{
    imap_write_line(&s->client.out, c->tag, "NO", code, text);
    imap_parser_refuse(s->parser);
    blob_unref(&s->incoming);
}

void imap_append_begin(struct imap_session *s, const struct imap_command *c)
{
    const struct folder *f = c->append.mailbox.p ? account_folder_by_name(s->client.account, c->append.mailbox) : NULL;
    if (c->verb != IMAP_APPEND || !account_can_write(s->client.account))
        refuse(s, c, "CANNOT", IMAP_READ_ONLY_TEXT);
    else if (c->append.index > 0)
        refuse(s, c, "CANNOT", "One message at a time, please.");
    else if (!f || !f->selectable)
        refuse(s, c, "TRYCREATE", "There is no such mailbox.");
    else if (!can_append(s->client.account, f))
        refuse(s, c, "CANNOT", "Exchange ActiveSync takes no messages into this mailbox; only drafts can be stored.");
    else if (c->append.size > size_limit(s->client.account))
        refuse(s, c, "TOOBIG", "The message is larger than the server takes.");
    else if (c->append.size == 0)
        refuse(s, c, NULL, "An empty message cannot be stored.");
    else {
        blob_unref(&s->incoming);
        s->incoming = blob_new(account_tmp_dir(s->client.account), APPEND_MAX * 2);
        s->incoming_err = (struct err){0};
        s->incoming_eol = (struct eol_crlf){0};
        if (c->append.sync)
            buf_lit(&s->client.out, "+ OK\r\n");
        imap_parser_take(s->parser);
    }
}

void imap_append_data(struct imap_session *s, struct str bytes)
{
    struct buf lines = {0};
    if (!s->incoming || s->incoming_err.code != ERR_NONE)
        return; /* the rest is read and dropped; the answer comes at the end */
    if (eol_crlf_feed(&s->incoming_eol, bytes, &lines))
        blob_add(s->incoming, buf_view(&lines), &s->incoming_err);
    else
        err_set(&s->incoming_err, ERR_TOO_BIG, "the message is too big");
    buf_done(&lines);
}

static void stop(struct imap_session *s)
{
    struct imap_changing *w = s->work.ud;
    blob_unref(&w->message);
    imap_changing_stop(s);
}

static void on_appended(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    struct imap_changing *w = s->work.ud;
    struct buf code = {0};
    w->change = NULL;
    blob_unref(&w->message);
    if (r->count && r->items[0].new_uid && r->uidvalidity)
        buf_printf(&code, "APPENDUID %u %u", r->uidvalidity, r->items[0].new_uid);
    imap_changing_finish(s, r, code.n ? buf_z(&code) : NULL, "APPEND completed.");
    buf_done(&code);
}

void cmd_append(struct imap_session *s, struct imap_command *c)
{
    struct err err = s->incoming_err;
    struct blob *message = s->incoming;
    struct buf rest = {0};
    s->incoming = NULL;
    if (message && err.code == ERR_NONE) {
        if (eol_crlf_finish(&s->incoming_eol, &rest) && blob_add(message, buf_view(&rest), &err))
            blob_finish(message, &err);
    }
    buf_done(&rest);
    const struct folder *f = c->append.mailbox.p ? account_folder_by_name(s->client.account, c->append.mailbox) : NULL;
    if (!message || err.code != ERR_NONE || !f) {
        blob_unref(&message);
        if (err.code == ERR_NONE)
            err_set(&err, ERR_NOT_FOUND, "the mailbox is gone");
        imap_finish_err(s, &err);
        return;
    }
    struct change_append what = {
        .message = message,
        .flags = c->append.flags.bits,
        .keywords = c->append.flags.keywords.items,
        .keyword_count = account_caps(s->client.account) & CAP_KEYWORDS ? c->append.flags.keywords.n : 0,
        .received_s = c->append.has_date ? c->append.date_s : TIME_NONE,
    };
    struct imap_changing *w = imap_changing_new(s);
    w->message = message;
    s->work.stop = stop;
    w->change = change_append(s->client.account, f->pk, &what, on_appended, s);
}
