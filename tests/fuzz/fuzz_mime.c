/* SPDX-License-Identifier: Apache-2.0 */
/* The MIME parser, whole and in pieces chosen by the input: the same tree, offsets in order, and a packed form that
 * comes back. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/formats/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mime_part *p, uint64_t size)
{
    if (p->header_at > p->body_at || p->body_at > p->end || p->end > size)
        abort();
    if (p->parent && (p->header_at < p->parent->body_at || p->end > p->parent->end))
        abort();
    if (p->next && p->next->header_at < p->end)
        abort();
}

static struct mime_part *parse_in_pieces(struct arena *a, struct str s, unsigned seed)
{
    struct mime_parser *parser = mime_parser_new(a, NULL);
    while (s.n) {
        seed = seed * 1103515245u + 12345u;
        struct str piece = str_sub(s, 0, 1 + (seed >> 16) % 7);
        mime_parser_feed(parser, piece);
        s = str_skip(s, piece.n);
    }
    struct mime_part *root = mime_parser_finish(parser);
    mime_parser_free(parser);
    return root;
}

/* Every text part decodes to valid UTF-8, whatever it says it is. */
static void decode(struct charset_cache *cs, const struct mime_part *p, struct str s)
{
    struct buf text = BUF_INIT(0);
    struct mime_text t;
    mime_text_init(&t, cs, p);
    mime_text_feed(&t, str_sub(s, p->body_at, p->end - p->body_at), &text);
    mime_text_finish(&t, &text);
    mime_text_done(&t);
    if (!text_utf8_valid(buf_view(&text)))
        abort();
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    static struct charset_cache *cs; /* opening converters is most of the time otherwise */
    struct buf one = BUF_INIT(0), two = BUF_INIT(0);
    struct str s = str_of(data, size), name;
    struct mime_part *root = mime_parse(&a, s), *back;
    if (!cs)
        cs = charset_cache_new();
    mime_pack(root, &one);
    mime_pack(parse_in_pieces(&a, s, size ? data[0] : 0), &two);
    if (!str_eq(buf_view(&one), buf_view(&two)) || !mime_unpack(&a, buf_view(&one), &back))
        abort();
    for (const struct mime_part *p = back; p;) {
        check(p, size);
        mime_file_name(&a, cs, p, &name);
        if (mime_is_text(p))
            decode(cs, p, s);
        if (p->children) {
            p = p->children;
            continue;
        }
        while (p && !p->next)
            p = p->parent;
        p = p ? p->next : NULL;
    }
    buf_done(&one);
    buf_done(&two);
    arena_done(&a);
    return 0;
}
