/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/xml.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include "bridge/base/mem.h"
#include "bridge/formats/charset.h"

#if LIBXML_VERSION >= 21200
#define XML_ERROR_ARG const xmlError *
#else
#define XML_ERROR_ARG xmlErrorPtr
#endif
#if LIBXML_VERSION >= 21300
#define XML_OPTIONS (XML_PARSE_NONET | XML_PARSE_IGNORE_ENC | XML_PARSE_NO_XXE)
#else
#define XML_OPTIONS (XML_PARSE_NONET | XML_PARSE_IGNORE_ENC)
#endif

struct frame {
    struct xml_name name;
    size_t text_at; /* where its own text begins in xml->text */
    enum xml_want want;
};

enum { CHUNK = 16384, REFERENCE_MAX = 24 };

struct xml {
    const struct xml_spec *spec;
    void *ctx;
    xmlParserCtxtPtr parser;
    struct err err;
    bool failed, root_ended;
    size_t max_depth, max_elements, max_text;
    uint64_t max_bytes, bytes;
    size_t elements;
    size_t depth;   /* frames in use */
    size_t skipped; /* open elements below a skipped one, itself included */
    struct frame frames[XML_MAX_DEPTH];
    struct buf text; /* collected, of all open elements one after the other */
    struct xml_attr attrs[XML_MAX_ATTRS];
    struct buf attr_text;
    /* names */
    uint16_t *slots; /* tag index + 1; open addressing */
    size_t slot_mask;
    const xmlChar *last_uri; /* libxml2 keeps one copy of each string, so pointers can be compared */
    int last_ns;
    /* XML_SERVER: the input made well-formed */
    struct charset_decoder utf8;
    struct buf repaired, clean;
    char reference[REFERENCE_MAX]; /* "&#x1" so far */
    size_t reference_n;
};

/* ---- names ---- */

static uint32_t name_hash(int ns, const char *p, size_t n)
{
    uint32_t h = 2166136261u ^ (uint32_t)ns;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 16777619u;
    return h;
}

static void build_slots(struct xml *x)
{
    size_t size = 16;
    while (size < x->spec->tag_count * 2)
        size *= 2;
    x->slots = mem_array(size, sizeof(*x->slots));
    x->slot_mask = size - 1;
    for (size_t i = 0; i < x->spec->tag_count; i++) {
        const struct xml_tag *t = &x->spec->tags[i];
        size_t at = name_hash(t->ns, t->name, strlen(t->name)) & x->slot_mask;
        while (x->slots[at])
            at = (at + 1) & x->slot_mask;
        x->slots[at] = (uint16_t)(i + 1);
    }
}

static int find_ns(struct xml *x, const xmlChar *uri)
{
    if (!uri)
        return 0;
    if (uri == x->last_uri)
        return x->last_ns;
    x->last_uri = uri;
    x->last_ns = -1;
    for (size_t i = 0; i < x->spec->namespace_count; i++) {
        if (strcmp((const char *)uri, x->spec->namespaces[i]) == 0)
            x->last_ns = (int)i + 1;
    }
    return x->last_ns;
}

static void name_set(struct xml *x, const xmlChar *local, const xmlChar *uri, struct xml_name *ret)
{
    ret->uri = str_from((const char *)uri);
    ret->local = str_from((const char *)local);
    ret->ns = find_ns(x, uri);
    ret->id = 0;
    if (ret->ns < 0 || !x->spec->tag_count)
        return;
    size_t at = name_hash(ret->ns, ret->local.p, ret->local.n) & x->slot_mask;
    for (; x->slots[at]; at = (at + 1) & x->slot_mask) {
        const struct xml_tag *t = &x->spec->tags[x->slots[at] - 1];
        if (t->ns == ret->ns && str_is(ret->local, t->name)) {
            ret->id = t->id;
            return;
        }
    }
}

/* ---- callbacks of libxml2 ---- */

void xml_fail(struct xml *x, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    if (x->failed)
        return;
    x->failed = true;
    va_start(ap, fmt);
    err_vset(&x->err, code, fmt, ap);
    va_end(ap);
    /* xmlStopParser() here would free the input that attribute values point into; the flag ends it just as well. */
}

/* Where entities are not substituted, libxml2 hands out "&" in an attribute as "&#38;". The room was made before. */
static struct str attr_value(struct xml *x, struct str raw)
{
    size_t start = x->attr_text.n, at;
    while ((at = str_find(raw, STR("&#38;"))) != (size_t)-1) {
        buf_add(&x->attr_text, raw.p, at + 1);
        raw = str_skip(raw, at + 5);
    }
    if (x->attr_text.n == start)
        return raw;
    buf_str(&x->attr_text, raw);
    return str_skip(buf_view(&x->attr_text), start);
}

static bool take_attrs(struct xml *x, const xmlChar **raw, size_t n)
{
    size_t bytes = 0;
    if (n > XML_MAX_ATTRS) {
        xml_fail(x, ERR_TOO_BIG, "XML: an element with %zu attributes", n);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        bytes += (size_t)(raw[i * 5 + 4] - raw[i * 5 + 3]);
    buf_reset(&x->attr_text);
    if (bytes > XML_MAX_ATTR_BYTES || !buf_room(&x->attr_text, bytes)) {
        xml_fail(x, ERR_TOO_BIG, "XML: attributes of %zu bytes", bytes);
        return false;
    }
    for (size_t i = 0; i < n; i++, raw += 5) {
        x->attrs[i].ns = find_ns(x, raw[2]);
        x->attrs[i].name = str_from((const char *)raw[0]);
        x->attrs[i].value = attr_value(x, str_of(raw[3], (size_t)(raw[4] - raw[3])));
    }
    return true;
}

static void on_start(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int namespaces_n,
                     const xmlChar **namespaces, int attrs_n, int defaulted_n, const xmlChar **attrs)
{
    struct xml *x = ctx;
    (void)prefix, (void)namespaces_n, (void)namespaces, (void)defaulted_n;
    if (x->failed)
        return;
    if (x->depth + x->skipped >= x->max_depth) {
        xml_fail(x, ERR_TOO_BIG, "XML: more than %zu elements inside each other", x->max_depth);
        return;
    }
    if (++x->elements > x->max_elements) {
        xml_fail(x, ERR_TOO_BIG, "XML: more than %zu elements", x->max_elements);
        return;
    }
    if (x->skipped) {
        x->skipped++;
        return;
    }
    if (!take_attrs(x, attrs, (size_t)attrs_n))
        return;
    struct frame *f = &x->frames[x->depth++];
    name_set(x, local, uri, &f->name);
    f->text_at = x->text.n;
    f->want = x->spec->on_start ? x->spec->on_start(x->ctx, x, &f->name, x->attrs, (size_t)attrs_n) : XML_COLLECT;
    if (f->want == XML_SKIP) {
        x->depth--;
        x->skipped = 1;
    }
}

static void on_end(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    struct xml *x = ctx;
    (void)local, (void)prefix, (void)uri;
    if (x->failed)
        return;
    if (x->skipped) {
        x->skipped--;
    } else if (x->depth) {
        struct frame *f = &x->frames[x->depth - 1];
        struct str text = f->want == XML_COLLECT ? str_skip(buf_view(&x->text), f->text_at) : STR_NULL;
        if (x->spec->on_end)
            x->spec->on_end(x->ctx, x, &f->name, text);
        x->text.n = f->text_at;
        x->depth--;
    }
    if (!x->depth && !x->skipped)
        x->root_ended = true;
}

static void on_characters(void *ctx, const xmlChar *p, int n)
{
    struct xml *x = ctx;
    if (x->failed || x->skipped || !x->depth)
        return;
    struct frame *f = &x->frames[x->depth - 1];
    if (f->want == XML_STREAM) {
        if (x->spec->on_text)
            x->spec->on_text(x->ctx, x, str_of(p, (size_t)n));
    } else if (x->text.n - f->text_at + (size_t)n > x->max_text) {
        xml_fail(x, ERR_TOO_BIG, "XML: an element with more than %zu bytes of text", x->max_text);
    } else if (!buf_add(&x->text, p, (size_t)n)) {
        xml_fail(x, ERR_TOO_BIG, "XML: too much text");
    }
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    struct xml *x = ctx;
    (void)name, (void)external, (void)system;
    xml_fail(x, ERR_PROTOCOL, "XML: a document type declaration is not accepted");
    xmlStopParser(x->parser);
}

/* libxml2's own words may quote the document, which must not get into logs. */
static void on_error(void *ctx, XML_ERROR_ARG e)
{
    struct xml *x = ctx;
    if (e->level >= XML_ERR_ERROR)
        xml_fail(x, ERR_PROTOCOL, "XML: not well-formed (libxml2 error %d at line %d)", e->code, e->line);
}

static xmlParserInputPtr no_entity(const char *url, const char *id, xmlParserCtxtPtr parser)
{
    (void)url, (void)id, (void)parser;
    return NULL;
}

/* ---- life ---- */

static size_t or_default(size_t value, size_t standard)
{
    return value ? value : standard;
}

struct xml *xml_new(const struct xml_spec *spec, void *ctx)
{
    struct xml *x = MEM_NEW(struct xml);
    xmlSAXHandler sax = {
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_characters,
        .ignorableWhitespace = on_characters,
        .cdataBlock = on_characters,
        .internalSubset = on_doctype,
        .serror = on_error,
    };
    x->spec = spec;
    x->ctx = ctx;
    x->max_depth = or_default(spec->max_depth, XML_MAX_DEPTH);
    if (x->max_depth > XML_MAX_DEPTH)
        x->max_depth = XML_MAX_DEPTH;
    x->max_elements = or_default(spec->max_elements, XML_MAX_ELEMENTS);
    x->max_text = or_default(spec->max_text, XML_MAX_TEXT);
    x->max_bytes = spec->max_bytes ? spec->max_bytes : XML_MAX_BYTES;
    buf_init(&x->text, x->max_text * 2);
    buf_init(&x->attr_text, XML_MAX_ATTR_BYTES + 1);
    buf_init(&x->repaired, CHUNK * 4);
    buf_init(&x->clean, CHUNK * 4);
    charset_decoder_init(&x->utf8, NULL, STR("utf-8"));
    build_slots(x);
    xmlInitParser();
    xmlSetExternalEntityLoader(no_entity);
    x->parser = xmlCreatePushParserCtxt(&sax, x, NULL, 0, NULL);
    if (!x->parser)
        abort(); /* out of memory, as mem_alloc does */
    /* What the document says of its encoding is not believed: it is UTF-8 (RFC 3023 and [MS-OXWSCDATA] leave nothing
     * else). */
    xmlCtxtUseOptions(x->parser, XML_OPTIONS);
    return x;
}

void xml_free(struct xml *x)
{
    if (!x)
        return;
    xmlFreeParserCtxt(x->parser);
    charset_decoder_done(&x->utf8);
    buf_done(&x->text);
    buf_done(&x->attr_text);
    buf_done(&x->repaired);
    buf_done(&x->clean);
    mem_free(x->slots);
    mem_free(x);
}

static bool result(struct xml *x, struct err *e)
{
    if (x->failed && e)
        *e = x->err;
    return !x->failed;
}

static void parse(struct xml *x, struct str s)
{
    while (s.n && !x->failed) {
        struct str piece = str_sub(s, 0, CHUNK);
        int code = xmlParseChunk(x->parser, piece.p, (int)piece.n, 0);
        if (code && !x->failed && !x->parser->wellFormed)
            xml_fail(x, ERR_PROTOCOL, "XML: not well-formed (libxml2 error %d)", code);
        s = str_skip(s, piece.n);
    }
}

/* ---- what Exchange sends, made well-formed ---- */

static bool is_xml_char(uint32_t c)
{
    if (c < 0x20)
        return c == '\t' || c == '\n' || c == '\r';
    return c < 0xd800 || (c > 0xdfff && c != 0xfffe && c != 0xffff && c <= 0x10ffff);
}

static int digit_value(char c, bool hex)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return hex && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* x->reference is complete ("&#31;"): keep it when it stands for a character of XML. */
static void end_reference(struct xml *x)
{
    bool hex = x->reference[2] == 'x';
    uint32_t c = 0;
    for (size_t i = hex ? 3 : 2; i + 1 < x->reference_n; i++) {
        c = c * (hex ? 16 : 10) + (uint32_t)digit_value(x->reference[i], hex);
        if (c > 0x10ffff)
            c = 0x110000;
    }
    if (is_xml_char(c))
        buf_add(&x->clean, x->reference, x->reference_n);
    x->reference_n = 0;
}

/* One more byte of a reference; false when it is none after all (what was held is text, and this byte too). */
static bool reference_byte(struct xml *x, char c)
{
    size_t n = x->reference_n;
    bool hex = n > 2 && x->reference[2] == 'x';
    size_t digits_at = hex ? 3 : 2;
    bool ok = n == 1 ? c == '#' : digit_value(c, hex) >= 0 || (n == 2 && c == 'x') || (c == ';' && n > digits_at);
    if (!ok || n == REFERENCE_MAX) {
        buf_add(&x->clean, x->reference, n);
        x->reference_n = 0;
        return false;
    }
    x->reference[x->reference_n++] = c;
    if (c == ';')
        end_reference(x);
    return true;
}

/* Bytes that can go through unseen: none below 0x20, no '&', none of 0xef (U+FFFE begins with it). */
static size_t plain_run(struct str s)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    size_t i = 0;
    uint64_t w;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&w, s.p + i, 8);
        uint64_t amp = w ^ (ones * '&'), ef = w ^ (ones * 0xef);
        if ((((w - ones * 0x20) & ~w) | ((amp - ones) & ~amp) | ((ef - ones) & ~ef)) & high)
            break;
    }
    while (i < s.n && (unsigned char)s.p[i] >= 0x20 && s.p[i] != '&' && (unsigned char)s.p[i] != 0xef)
        i++;
    return i;
}

/* s is valid UTF-8 and begins at a byte plain_run() stopped at; returns how much was dealt with. */
static size_t odd_byte(struct xml *x, struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    if (c == '&') {
        x->reference[0] = '&';
        x->reference_n = 1;
        return 1;
    }
    if (c == 0xef && s.n >= 3) {
        if (memcmp(s.p, "\xef\xbf\xbe", 3) != 0 && memcmp(s.p, "\xef\xbf\xbf", 3) != 0)
            buf_add(&x->clean, s.p, 3);
        return 3;
    }
    if (is_xml_char(c))
        buf_byte(&x->clean, s.p[0]);
    return 1;
}

static void parse_repaired(struct xml *x, struct str s)
{
    while (s.n && !x->failed) {
        struct str piece = str_sub(s, 0, CHUNK / 4);
        s = str_skip(s, piece.n);
        buf_reset(&x->repaired);
        buf_reset(&x->clean);
        charset_decoder_feed(&x->utf8, piece, &x->repaired);
        struct str r = buf_view(&x->repaired);
        while (r.n) {
            size_t n = 1;
            if (x->reference_n) {
                if (!reference_byte(x, r.p[0]))
                    continue; /* look at the byte again, as text */
            } else if ((n = plain_run(r)) > 0) {
                buf_add(&x->clean, r.p, n);
            } else {
                n = odd_byte(x, r);
            }
            r = str_skip(r, n);
        }
        parse(x, buf_view(&x->clean));
    }
}

bool xml_feed(struct xml *x, struct str bytes, struct err *e)
{
    if (!x->failed && bytes.n > x->max_bytes - x->bytes)
        xml_fail(x, ERR_TOO_BIG, "XML: a document of more than %llu bytes", (unsigned long long)x->max_bytes);
    if (!x->failed) {
        x->bytes += bytes.n;
        if (x->spec->mode == XML_SERVER)
            parse_repaired(x, bytes);
        else
            parse(x, bytes);
    }
    return result(x, e);
}

bool xml_finish(struct xml *x, struct err *e)
{
    if (!x->failed && x->spec->mode == XML_SERVER) {
        buf_reset(&x->repaired);
        charset_decoder_finish(&x->utf8, &x->repaired);
        buf_add(&x->repaired, x->reference, x->reference_n);
        parse(x, buf_view(&x->repaired));
    }
    if (!x->failed) {
        int code = xmlParseChunk(x->parser, NULL, 0, 1);
        if (!x->failed && (!x->root_ended || !x->parser->wellFormed))
            xml_fail(x, ERR_PROTOCOL, "XML: the document is cut short or not well-formed (libxml2 error %d)", code);
    }
    return result(x, e);
}

/* ---- asking ---- */

size_t xml_depth(const struct xml *x)
{
    return x->depth;
}

int xml_parent(const struct xml *x, size_t up)
{
    return up < x->depth ? x->frames[x->depth - 1 - up].name.id : 0;
}

bool xml_inside(const struct xml *x, int id)
{
    for (size_t i = 0; i < x->depth; i++) {
        if (x->frames[i].name.id == id)
            return true;
    }
    return false;
}

struct str xml_attr_get(const struct xml_attr *attrs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (!attrs[i].ns && str_is(attrs[i].name, name))
            return attrs[i].value;
    }
    return STR_NULL;
}
