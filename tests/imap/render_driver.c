/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bridge answers to a FETCH of a message in a file, without session, store or server:
 *     render_driver '(ENVELOPE BODYSTRUCTURE BODY.PEEK[1.MIME])' FILE...
 * For each file its answer "(ENVELOPE (...) ...)", after its length in bytes on a line of its own. The message is taken
 * as it is: line ends must be CRLF. Messages are parsed in pieces of 1000 bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/formats/header.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_render.h"
#include "protocols/imap/imap_write.h"

struct message {
    struct str bytes;
    struct mime_part *root;
};

static void die(const char *what)
{
    fprintf(stderr, "render_driver: %s\n", what);
    exit(1);
}

static struct imap_command *parse_items(const char *items)
{
    struct buf line = BUF_INIT(0);
    buf_printf(&line, "a FETCH 1 %s\r\n", items);
    struct charset_cache *cs = charset_cache_new();
    struct imap_parser *p = imap_parser_new(cs, &imap_limits_auth);
    imap_parser_set_state(p, IMAP_STATE_SELECTED);
    struct str in = buf_view(&line);
    struct imap_parse_event ev;
    if (imap_parser_feed(p, &in, &ev) != IMAP_PARSE_COMMAND)
        die(ev.error.text ? ev.error.text : "no command");
    imap_parser_free(p);
    charset_cache_free(cs);
    buf_done(&line);
    return ev.command;
}

static bool read_bytes(void *ud, uint64_t at, size_t n, struct buf *out)
{
    const struct message *m = ud;
    return buf_str(out, str_sub(m->bytes, (size_t)at, n));
}

static void add_section(struct buf *out, const struct message *m, const struct imap_fetch_item *item)
{
    struct mime_range range;
    if (!imap_render_section(m->root, item, &range)) {
        buf_lit(out, "NIL");
        return;
    }
    struct str bytes = str_sub(m->bytes, (size_t)range.at, (size_t)(range.end - range.at));
    struct buf fields = BUF_INIT(0);
    if (item->names) {
        header_add_fields(&fields, bytes, item->names, item->section == IMAP_SECTION_FIELDS);
        bytes = buf_view(&fields);
    }
    range = (struct mime_range){0, bytes.n};
    imap_render_partial(item, &range);
    imap_write_literal(out, str_sub(bytes, (size_t)range.at, (size_t)(range.end - range.at)));
    buf_done(&fields);
}

static void add_item(struct buf *out, const struct message *m, const struct imap_fetch_item *item,
                     struct charset_cache *cs)
{
    struct imap_reader reader = {(void *)m, read_bytes};
    struct buf preview = BUF_INIT(0);
    buf_str(out, item->label);
    buf_byte(out, ' ');
    if (item->kind == IMAP_FETCH_ENVELOPE)
        imap_render_envelope(out, m->root->envelope);
    else if (item->kind == IMAP_FETCH_BODY || item->kind == IMAP_FETCH_BODYSTRUCTURE)
        imap_render_body(out, m->root, item->kind == IMAP_FETCH_BODYSTRUCTURE);
    else if (item->kind == IMAP_FETCH_RFC822_SIZE)
        buf_u64(out, m->bytes.n);
    else if (item->kind == IMAP_FETCH_SECTION)
        add_section(out, m, item);
    else if (item->kind == IMAP_FETCH_PREVIEW && imap_render_preview(&preview, cs, m->root, &reader))
        imap_write_string(out, buf_view(&preview), false);
    else
        die("that item is not for this tool");
    buf_done(&preview);
}

static void read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char piece[65536];
    size_t n;
    if (f == NULL)
        die(path);
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(out, piece, n);
    fclose(f);
}

static void answer(const struct imap_fetch *fetch, const char *path, struct charset_cache *cs)
{
    struct buf file = BUF_INIT(0), out = BUF_INIT(0);
    struct arena a = {0};
    read_file(path, &file);
    struct message m = {.bytes = buf_view(&file)};
    struct mime_parser *p = mime_parser_new(&a, NULL);
    for (size_t at = 0; at < file.n; at += 1000)
        mime_parser_feed(p, str_sub(m.bytes, at, 1000));
    m.root = mime_parser_finish(p);
    mime_parser_free(p);
    for (size_t i = 0; i < fetch->n; i++) {
        buf_byte(&out, i ? ' ' : '(');
        add_item(&out, &m, &fetch->items[i], cs);
    }
    buf_byte(&out, ')');
    printf("%zu\n", out.n);
    fwrite(out.p, 1, out.n, stdout);
    putchar('\n');
    arena_done(&a);
    buf_done(&file);
    buf_done(&out);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: render_driver ITEMS FILE...");
    struct imap_command *c = parse_items(argv[1]);
    struct charset_cache *cs = charset_cache_new();
    for (int i = 2; i < argc; i++)
        answer(&c->fetch, argv[i], cs);
    charset_cache_free(cs);
    imap_command_free(c);
    return 0;
}
