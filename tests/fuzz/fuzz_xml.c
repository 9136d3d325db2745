/* SPDX-License-Identifier: Apache-2.0 */
/* XML from a client (first byte even) or a server (odd): whole and in pieces the same events, every start has its end.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/base/text.h"
#include "bridge/formats/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct events {
    struct buf log;
    size_t depth;
};

static enum xml_want on_start(void *ctx, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                              size_t n)
{
    struct events *e = ctx;
    if (++e->depth != xml_depth(x))
        abort();
    buf_byte(&e->log, '<');
    buf_str(&e->log, name->local);
    for (size_t i = 0; i < n; i++) {
        buf_byte(&e->log, ' ');
        buf_str(&e->log, attrs[i].name);
        buf_byte(&e->log, '=');
        buf_str(&e->log, attrs[i].value);
        if (!text_utf8_valid(attrs[i].value))
            abort();
    }
    if (name->local.p[0] == 'k') {
        e->depth--;
        return XML_SKIP;
    }
    return name->local.p[0] == 's' ? XML_STREAM : XML_COLLECT;
}

static void on_text(void *ctx, struct xml *x, struct str piece)
{
    struct events *e = ctx;
    (void)x;
    buf_str(&e->log, piece);
}

static void on_end(void *ctx, struct xml *x, const struct xml_name *name, struct str text)
{
    struct events *e = ctx;
    if (e->depth-- != xml_depth(x) || !text_utf8_valid(text))
        abort();
    buf_byte(&e->log, '[');
    buf_str(&e->log, text);
    buf_byte(&e->log, ']');
    buf_str(&e->log, name->local);
}

static const struct xml_tag tags[] = {{0, "a", 1}, {1, "b", 2}};
static const char *const namespaces[] = {"u"};

static bool run(enum xml_mode mode, struct str s, size_t step, struct events *e)
{
    struct xml_spec spec = {.namespaces = namespaces,
                            .namespace_count = 1,
                            .tags = tags,
                            .tag_count = 2,
                            .mode = mode,
                            .on_start = on_start,
                            .on_text = on_text,
                            .on_end = on_end};
    struct xml *x = xml_new(&spec, e);
    struct err err = {0};
    bool ok = true;
    for (; s.n && ok; s = str_skip(s, step)) {
        struct str piece = str_sub(s, 0, step);
        char *copy = malloc(piece.n);
        memcpy(copy, piece.p, piece.n);
        ok = xml_feed(x, str_of(copy, piece.n), &err);
        free(copy);
    }
    ok = xml_finish(x, &err) && ok;
    if (ok != (err.code == ERR_NONE) || (ok && e->depth))
        abort();
    xml_free(x);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    enum xml_mode mode = data[0] & 1 ? XML_SERVER : XML_STRICT;
    struct str s = str_of(data + 1, size - 1);
    struct events whole = {.log = BUF_INIT(0)}, pieces = {.log = BUF_INIT(0)};
    bool one = run(mode, s, size, &whole), two = run(mode, s, 1 + data[0] % 5, &pieces);
    if (one != two || (one && !str_eq(buf_view(&whole.log), buf_view(&pieces.log))))
        abort();
    struct buf escaped = BUF_INIT(0);
    buf_lit(&escaped, "<a>");
    xml_add_escaped(&escaped, s);
    buf_lit(&escaped, "</a>");
    buf_reset(&whole.log);
    whole.depth = 0;
    if (!run(XML_STRICT, buf_view(&escaped), escaped.n, &whole) && size < XML_MAX_TEXT)
        abort();
    buf_done(&escaped);
    buf_done(&whole.log);
    buf_done(&pieces.log);
    return 0;
}
