/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "protocols/imap/imap_fetch.h"
#include "protocols/imap/imap_write.h"

#define INLINE_MAX (64 * 1024) /* larger pieces go from the blob to the connection by themselves */

typedef void write_item(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v);

static void write_label(struct fetch *f, const struct imap_fetch_item *item)
{
    struct buf *out = &f->s->client.out;
    buf_str(out, item->label);
    buf_byte(out, ' ');
}

static void write_uid(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    (void)item;
    (void)v;
    buf_lit(&f->s->client.out, "UID ");
    buf_u64(&f->s->client.out, f->src.m->uid);
}

static void write_flags(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    (void)item;
    (void)v;
    buf_lit(&f->s->client.out, "FLAGS ");
    imap_write_flags_of(f->s, f->src.m);
}

static void write_internaldate(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    (void)v;
    write_label(f, item);
    imap_write_internaldate(&f->s->client.out, f->src.m->received_s, 0);
}

static void write_size(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    write_label(f, item);
    buf_u64(&f->s->client.out, v->size ? v->size : f->src.m->size);
}

static void write_modseq(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    (void)item;
    (void)v;
    buf_lit(&f->s->client.out, "MODSEQ (");
    buf_u64(&f->s->client.out, f->src.m->modseq);
    buf_byte(&f->s->client.out, ')');
}

static void write_savedate(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    (void)v;
    write_label(f, item);
    if (f->src.m->saved_s)
        imap_write_internaldate(&f->s->client.out, f->src.m->saved_s, 0);
    else
        buf_lit(&f->s->client.out, "NIL");
}

static void write_emailid(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    (void)v;
    write_label(f, item);
    buf_byte(&f->s->client.out, '(');
    buf_str(&f->s->client.out, mailbox_email_id(f->s->mailbox, f->src.m, &f->src.arena));
    buf_byte(&f->s->client.out, ')');
}

static void write_binary_size(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    write_label(f, item);
    buf_u64(&f->s->client.out, v->size);
}

/* A plain literal cannot hold NUL: 0x80 takes its place, as Dovecot does it. */
static void write_blob(struct fetch *f, const struct fetch_value *v)
{
    struct buf *out = &f->s->client.out;
    uint64_t n = v->end - v->at;
    imap_write_literal_head(out, n, v->binary);
    if (n > INLINE_MAX) {
        client_flush(&f->s->client);
        conn_write_blob(f->s->client.conn, v->blob, v->at, n);
        return;
    }
    char *to = buf_room(out, (size_t)n);
    if (!to || !blob_read(v->blob, v->at, to, (size_t)n, NULL)) {
        /* The size is announced: there is no way back but to end the connection. */
        conn_abort(f->s->client.conn, "message not readable");
        return;
    }
    if (!v->binary)
        for (char *nul; (nul = memchr(to, '\0', (size_t)(out->p + out->n + n - to))) != NULL; to = nul)
            *nul = (char)0x80;
    out->n += (size_t)n;
}

static void write_value(struct fetch *f, const struct imap_fetch_item *item, const struct fetch_value *v)
{
    struct buf *out = &f->s->client.out;
    write_label(f, item);
    switch (v->form) {
    case FETCH_FORM_NIL:
        buf_lit(out, "NIL");
        break;
    case FETCH_FORM_PLAIN:
        buf_str(out, v->bytes);
        break;
    case FETCH_FORM_TEXT:
        imap_write_string(out, v->bytes, f->s->utf8);
        break;
    case FETCH_FORM_LITERAL:
        imap_write_literal(out, v->bytes);
        break;
    case FETCH_FORM_BLOB:
        write_blob(f, v);
        break;
    }
}

static write_item *const writers[] = {
    [IMAP_FETCH_UID] = write_uid,
    [IMAP_FETCH_FLAGS] = write_flags,
    [IMAP_FETCH_INTERNALDATE] = write_internaldate,
    [IMAP_FETCH_RFC822_SIZE] = write_size,
    [IMAP_FETCH_ENVELOPE] = write_value,
    [IMAP_FETCH_BODYSTRUCTURE] = write_value,
    [IMAP_FETCH_BODY] = write_value,
    [IMAP_FETCH_MODSEQ] = write_modseq,
    [IMAP_FETCH_SAVEDATE] = write_savedate,
    [IMAP_FETCH_EMAILID] = write_emailid,
    [IMAP_FETCH_THREADID] = write_value,
    [IMAP_FETCH_PREVIEW] = write_value,
    [IMAP_FETCH_SECTION] = write_value,
    [IMAP_FETCH_BINARY] = write_value,
    [IMAP_FETCH_BINARY_SIZE] = write_binary_size,
};

void imap_fetch_write(struct fetch *f)
{
    struct buf *out = &f->s->client.out;
    const struct imap_fetch *args = f->args;
    bool first = true;
    buf_lit(out, "* ");
    buf_u64(out, f->seq);
    buf_lit(out, " FETCH (");
    if (f->s->command->uid && !(args->kinds & 1u << IMAP_FETCH_UID)) {
        write_uid(f, NULL, NULL);
        first = false;
    }
    for (size_t i = 0; i < args->n; i++) {
        if (!first)
            buf_byte(out, ' ');
        first = false;
        writers[args->items[i].kind](f, &args->items[i], &f->values[i]);
    }
    if (args->has_changedsince && !(args->kinds & 1u << IMAP_FETCH_MODSEQ)) {
        buf_byte(out, ' ');
        write_modseq(f, NULL, NULL);
    }
    buf_lit(out, ")\r\n");
}
