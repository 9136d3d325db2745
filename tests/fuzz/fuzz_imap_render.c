/* SPDX-License-Identifier: Apache-2.0 */
/* ENVELOPE, BODY, BODYSTRUCTURE, PREVIEW and sections of any message: balanced, and within the message. */
#include <stdint.h>
#include <stdlib.h>

#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_bytes(void *ud, uint64_t at, size_t n, struct buf *out)
{
    const struct str *message = ud;
    if (at > message->n || n > message->n - at)
        abort();
    return buf_str(out, str_sub(*message, (size_t)at, n));
}

/* Parentheses match, outside of strings and literals, and the value ends where the bytes end. */
static void check_balanced(struct str s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '(') {
            depth++;
        } else if (s.p[i] == ')') {
            if (depth-- == 0)
                abort();
        } else if (s.p[i] == '"') {
            for (i++; i < s.n && s.p[i] != '"'; i++) {
                if ((unsigned char)s.p[i] >= 0x80 || s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
                    abort();
                i += s.p[i] == '\\';
            }
            if (i >= s.n)
                abort();
        } else if (s.p[i] == '{') {
            size_t n = 0;
            for (i++; i < s.n && s.p[i] != '}'; i++)
                n = n * 10 + (size_t)(s.p[i] - '0');
            i += 2 + n;
            if (i >= s.n)
                abort();
        }
        if (depth == 0 && i + 1 != s.n)
            abort();
    }
    if (depth != 0)
        abort();
}

static void check_sections(const struct mime_part *root, size_t size)
{
    static const uint32_t paths[][3] = {{1, 1, 1}, {2, 1, 1}, {1, 2, 2}};
    for (unsigned i = 0; i < 3 * 4 * 6; i++) {
        struct imap_fetch_item item = {.kind = IMAP_FETCH_SECTION,
                                       .section = (enum imap_section_kind)(i % 6),
                                       .path = paths[i / 24],
                                       .path_n = i / 6 % 4,
                                       .partial = i % 2,
                                       .offset = i,
                                       .count = 7};
        struct mime_range range;
        if (!imap_render_section(root, &item, &range))
            continue;
        if (range.at > range.end || range.end > size)
            abort();
        struct mime_range cut = range;
        imap_render_partial(&item, &cut);
        if (cut.at < range.at || cut.end > range.end || cut.at > cut.end)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct charset_cache *cs;
    if (cs == NULL)
        cs = charset_cache_new();
    struct str message = str_of(size ? data : (const uint8_t *)"", size);
    struct arena a = {0};
    struct buf out = BUF_INIT(0);
    struct imap_reader reader = {&message, read_bytes};
    const struct mime_part *root = mime_parse(&a, message);
    imap_render_envelope(&out, root->envelope);
    check_balanced(buf_view(&out));
    buf_reset(&out);
    imap_render_envelope_of(&out, message);
    check_balanced(buf_view(&out));
    for (int extended = 0; extended < 2; extended++) {
        buf_reset(&out);
        imap_render_body(&out, root, extended);
        check_balanced(buf_view(&out));
    }
    buf_reset(&out);
    if (!imap_render_preview(&out, cs, root, &reader) || out.n > 4 * 200)
        abort();
    check_sections(root, size);
    buf_done(&out);
    arena_done(&a);
    return 0;
}
