/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages built from hostile properties: the header has the fields that were asked for and no others, all of it is
 * ASCII in short lines, and text and attachment come back as they were.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/base/text.h"
#include "bridge/formats/build.h"
#include "bridge/formats/header.h"
#include "bridge/formats/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_header(struct str header)
{
    static const char *const known[] = {
        "Date",       "From",       "Sender",       "Reply-To",     "To",
        "Cc",         "Bcc",        "Subject",      "Message-ID",   "In-Reply-To",
        "References", "Importance", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"};
    struct header_iter it;
    struct header_field f;
    header_iter_init(&it, header);
    while (header_next(&it, &f)) {
        bool found = str_case_starts(f.name, STR("X-"));
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            found = found || str_is(f.name, known[i]);
        if (!found)
            abort();
    }
    if (!text_utf8_valid(header))
        abort();
    for (size_t i = 0; i < header.n; i++) {
        unsigned char c = (unsigned char)header.p[i];
        if (c == 127 || c == 0 || (c == '\n' && (i == 0 || header.p[i - 1] != '\r')) ||
            (c == '\r' && (i + 1 == header.n || header.p[i + 1] != '\n')))
            abort();
    }
}

static void check_attachment(const struct mime_part *p, struct str message, struct str want)
{
    struct mime_decoder d;
    struct buf back = BUF_INIT(0);
    mime_decoder_init(&d, mime_encoding_of(p));
    mime_decoder_feed(&d, str_sub(message, p->body_at, p->end - p->body_at), &back);
    mime_decoder_finish(&d, &back);
    mime_decoder_done(&d);
    if (!str_eq(buf_view(&back), want))
        abort();
    buf_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = str_of(data, size), piece[8] = {{0}};
    for (size_t i = 0; i < 8; i++)
        str_cut(&all, '\x02', &piece[i]);
    struct build_address address = {piece[0], piece[1]};
    struct build_message m = {.date_s = (int64_t)size,
                              .from = {&address, 1},
                              .to = {&address, 1},
                              .subject = piece[2],
                              .message_id = piece[3],
                              .references = piece[4],
                              .text = piece[5],
                              .html = size % 2 ? piece[6] : STR_NULL,
                              .attachment_count = 1,
                              .importance = (int)(size % 3) - 1};
    struct build_attachment att = {.name = piece[6], .content_type = piece[0], .content_id = piece[1]};
    struct arena a = {0};
    struct buf out = BUF_INIT(0), header = BUF_INIT(0);
    struct build b;
    build_init(&b, &m);
    build_begin(&b, &out);
    build_attachment(&b, &att, &out);
    for (size_t i = 0; i < piece[7].n; i += 5)
        build_attachment_data(&b, str_sub(piece[7], i, 5), &out);
    build_end(&b, &out);
    build_header(&m, &header);
    const struct mime_part *root = mime_parse(&a, buf_view(&out));
    if (root->child_count != 2 || !str_eq(buf_view(&header), str_sub(buf_view(&out), 0, root->body_at)))
        abort();
    check_header(buf_view(&header));
    check_attachment(root->children->next, buf_view(&out), piece[7]);
    buf_done(&out);
    buf_done(&header);
    arena_done(&a);
    return 0;
}
