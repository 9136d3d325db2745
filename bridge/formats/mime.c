/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/mime.h"

#include "bridge/base/mem.h"
#include "bridge/formats/header.h"
#include "bridge/formats/mime_field.h"

/* Boundaries are at most 70 bytes (RFC 2046 5.1.1); longer ones are compared by their beginning. */
enum { BOUNDARY_MAX = 80, LINE_MAX_HELD = BOUNDARY_MAX + 16 };

/* A multipart whose boundary lines are looked for; the innermost first. */
struct open_boundary {
    struct open_boundary *outer;
    struct mime_part *part;
    struct str text;
};

enum phase {
    IN_HEADER,
    IN_BODY,
    IN_BOUNDARY_LINE, /* the rest of a boundary line up to its LF; then `after_boundary` */
};

struct mime_parser {
    struct arena *arena;
    struct mime_limits limits;
    struct mime_part *root, *part; /* part: the one whose bytes are read */
    struct open_boundary *open;
    enum phase phase;
    enum phase after_boundary;
    uint64_t at;    /* offset of the next byte */
    uint64_t lines; /* LF bytes before it */
    uint32_t parts;
    uint32_t depth;  /* of `part`; the root has 0 */
    uint64_t kept;   /* header bytes kept in the arena */
    bool all_opaque; /* too many parts: boundaries that would begin another are no longer seen */
    /* header */
    struct buf field; /* the field being read, whole lines before line_at */
    size_t line_at;
    bool field_wanted;   /* its lines are kept */
    bool in_field;       /* a first line was seen, so a blank continues it */
    bool continues;      /* this line does */
    uint64_t line_start; /* offset of the header line being read */
    struct str boundary; /* of the Content-Type of this header */
    bool mime_version;   /* the header has that field */
    /* body */
    bool line_begins; /* the next byte is the first of a line */
    bool holding;     /* `line` has the beginning of one that may be a boundary */
    char line[LINE_MAX_HELD];
    size_t line_n;
    uint64_t held_at; /* its offset */
    char last[2];     /* the two bytes before the next one */
};

/* ---- parts ---- */

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value ? value : standard;
}

static void begin_header(struct mime_parser *p, uint64_t at, uint64_t lines)
{
    p->phase = IN_HEADER;
    p->part->header_at = p->line_start = at;
    p->part->header_lines = (uint32_t)lines; /* the count where it begins, until it ends */
    buf_reset(&p->field);
    p->line_at = 0;
    p->in_field = p->field_wanted = p->continues = p->mime_version = false;
    p->boundary = STR_NULL;
}

static void remember(struct mime_parser *p, const char *s, size_t n)
{
    if (n > 1)
        p->last[0] = s[n - 2];
    else if (n == 1)
        p->last[0] = p->last[1];
    if (n)
        p->last[1] = s[n - 1];
}

static struct mime_part *part_new(struct mime_parser *p, struct mime_part *parent, bool is_message)
{
    struct mime_part *part = ARENA_NEW(p->arena, struct mime_part);
    part->parent = parent;
    if (is_message)
        part->envelope = ARENA_NEW(p->arena, struct mime_envelope);
    p->parts++;
    if (parent) {
        /* children are linked in reverse until the parent ends */
        part->next = parent->children;
        parent->children = part;
        parent->child_count++;
    }
    return part;
}

struct mime_parser *mime_parser_new(struct arena *a, const struct mime_limits *limits)
{
    struct mime_parser *p = MEM_NEW(struct mime_parser);
    struct mime_limits l = limits ? *limits : (struct mime_limits){0};
    p->arena = a;
    p->limits.depth = or_default(l.depth, MIME_MAX_DEPTH);
    p->limits.parts = or_default(l.parts, MIME_MAX_PARTS);
    p->limits.params = or_default(l.params, MIME_MAX_PARAMS);
    p->limits.header_bytes = or_default(l.header_bytes, MIME_MAX_HEADER_BYTES);
    p->limits.all_header_bytes = or_default(l.all_header_bytes, MIME_MAX_ALL_HEADER_BYTES);
    buf_init(&p->field, (size_t)p->limits.header_bytes + LINE_MAX_HELD);
    p->root = p->part = part_new(p, NULL, true);
    begin_header(p, 0, 0);
    return p;
}

void mime_parser_free(struct mime_parser *p)
{
    if (!p)
        return;
    buf_done(&p->field);
    mem_free(p);
}

/* The children of a part that ends are put in order. */
static void order_children(struct mime_part *part)
{
    struct mime_part *head = NULL;
    for (struct mime_part *c = part->children, *next; c; c = next) {
        next = c->next;
        c->next = head;
        head = c;
    }
    part->children = head;
}

/* End the parts from the current one up to, not including, `keep` (NULL: all of them). */
static void end_parts(struct mime_parser *p, const struct mime_part *keep, uint64_t end, uint64_t lines)
{
    while (p->part && p->part != keep) {
        struct mime_part *part = p->part;
        if (p->open && p->open->part == part)
            p->open = p->open->outer;
        part->end = end;
        part->body_lines = (uint32_t)(lines - part->body_lines);
        order_children(part);
        p->part = part->parent;
        p->depth--;
    }
}

/* ---- the header of a part ---- */

/* p->field has a complete field, or nothing that is wanted. */
static void flush_field(struct mime_parser *p)
{
    struct header_iter it;
    struct header_field f;
    size_t n = p->field.n;
    bool wanted = n && p->field_wanted;
    p->field_wanted = false;
    p->line_at = 0;
    header_iter_init(&it, buf_view(&p->field));
    buf_reset(&p->field); /* the bytes stay where they are */
    if (!wanted || !header_next(&it, &f) || !f.name.n)
        return;
    if (p->kept + n > p->limits.all_header_bytes) {
        p->part->overflow = true;
        return;
    }
    p->kept += n;
    enum mime_field_kind kind = mime_field_kind(f.name);
    if (kind == MIME_FIELD_CONTENT)
        mime_field_content(p->arena, p->part, f.name, f.value, p->limits.params, &p->boundary);
    else if (kind == MIME_FIELD_ENVELOPE && p->part->envelope)
        mime_field_envelope(p->arena, p->part->envelope, f.name, f.value);
}

static bool line_wanted(struct mime_parser *p, struct str line)
{
    size_t n = str_find_byte(line, ':');
    if (n == (size_t)-1)
        return false;
    struct str name = str_trim((struct str){line.p, n});
    enum mime_field_kind kind = mime_field_kind(name);
    if (str_case_is(name, "mime-version"))
        p->mime_version = true;
    return kind == MIME_FIELD_CONTENT || (kind == MIME_FIELD_ENVELOPE && p->part->envelope);
}

/* RFC 2045 4: without MIME-Version (or, more leniently, Content-Type) a message has no MIME fields at all. */
static void forget_mime(struct mime_part *part)
{
    part->encoding = part->id = part->description = part->md5 = part->location = part->disposition = STR_NULL;
    part->disposition_params = NULL;
    part->languages = NULL;
    part->disposition_param_count = part->language_count = 0;
}

/* It says that there is something inside, but what is there will not be looked at, so IMAP must not be told so. */
static void make_opaque(struct mime_part *part)
{
    part->type = STR("application");
    part->subtype = STR("octet-stream");
}

/* What the part is, now that its header is complete. */
static void set_kind(struct mime_parser *p)
{
    struct mime_part *part = p->part;
    bool digest = part->parent && part->parent->kind == MIME_MULTIPART && str_case_is(part->parent->subtype, "digest");
    if (!part->type_given) {
        part->type = digest ? STR("message") : STR("text");
        part->subtype = digest ? STR("rfc822") : STR("plain");
        if (part->envelope && !p->mime_version)
            forget_mime(part);
    }
    bool multipart = str_case_is(part->type, "multipart");
    bool message = mime_is(part, "message", "rfc822") || mime_is(part, "message", "global");
    if (!multipart && !message)
        return;
    bool over = p->all_opaque || p->depth + 1 >= p->limits.depth || p->parts >= p->limits.parts;
    part->overflow = part->overflow || over;
    if (over || !part->subtype.n)
        make_opaque(part);
    else
        part->kind = multipart ? MIME_MULTIPART : MIME_MESSAGE;
}

static void finish_header(struct mime_parser *p, uint64_t end, uint64_t lines)
{
    struct mime_part *part = p->part;
    p->field.n = p->line_at;
    flush_field(p);
    part->body_at = end;
    part->header_lines = (uint32_t)(lines - part->header_lines);
    part->body_lines = (uint32_t)lines; /* the count where it begins, until it ends */
    set_kind(p);
}

static void begin_inner_message(struct mime_parser *p, uint64_t at, uint64_t lines)
{
    p->part = part_new(p, p->part, true);
    p->depth++;
    begin_header(p, at, lines);
}

/* The header ends where its part ends too. A message in it is an empty one. */
static void finish_header_without_body(struct mime_parser *p, uint64_t at, uint64_t lines)
{
    finish_header(p, at, lines);
    if (p->part->kind == MIME_MESSAGE) {
        begin_inner_message(p, at, lines);
        finish_header(p, at, lines);
    }
}

/* Begin what follows the empty line of a header. */
static void begin_body(struct mime_parser *p)
{
    struct mime_part *part = p->part;
    if (part->kind == MIME_MESSAGE) {
        begin_inner_message(p, p->at, p->lines);
        return;
    }
    if (part->kind == MIME_MULTIPART && p->boundary.p) {
        struct open_boundary *b = ARENA_NEW(p->arena, struct open_boundary);
        b->outer = p->open;
        b->part = part;
        b->text = str_sub(p->boundary, 0, BOUNDARY_MAX);
        p->open = b;
    }
    p->phase = IN_BODY;
    p->line_begins = true;
    p->holding = false;
}

/* ---- boundary lines ---- */

/*
 * The open boundary that a line (from its first byte, without line end) belongs to. Any line that begins with "--" and
 * a boundary is one; of several the one that is the whole line (with or without "--" after it), innermost first, then
 * the longest.
 */
static struct open_boundary *find_boundary(struct mime_parser *p, struct str line, bool *ret_closes)
{
    struct open_boundary *best = NULL;
    if (line.n < 2 || line.p[0] != '-' || line.p[1] != '-')
        return NULL;
    line = str_skip(line, 2);
    bool dashes = str_ends(line, STR("--"));
    for (struct open_boundary *b = p->open; b; b = b->outer) {
        if (!str_starts(line, b->text) || (best && best->text.n >= b->text.n))
            continue;
        best = b;
        if (b->text.n == line.n || (dashes && b->text.n == line.n - 2))
            break;
    }
    if (best)
        *ret_closes = str_starts(str_skip(line, best->text.n), STR("--"));
    return best;
}

/* A boundary line begins at `start`; everything inside its multipart ends at `end`. */
static void take_boundary(struct mime_parser *p, struct open_boundary *b, bool closes, uint64_t end, uint64_t lines)
{
    struct mime_part *multipart = b->part;
    end_parts(p, multipart, end, lines);
    p->open = closes ? b->outer : b;
    p->phase = IN_BOUNDARY_LINE;
    p->after_boundary = closes ? IN_BODY : IN_HEADER;
    p->holding = false;
}

/* After the LF of a boundary line. */
static void begin_after_boundary(struct mime_parser *p)
{
    if (p->after_boundary == IN_HEADER) {
        p->part = part_new(p, p->part, false);
        p->depth++;
        begin_header(p, p->at, p->lines);
    } else {
        p->phase = IN_BODY;
        p->line_begins = true;
    }
}

/* Is the line a boundary that counts? Too many parts: those that would begin another do not. */
static struct open_boundary *boundary_of(struct mime_parser *p, struct str line, bool *ret_closes)
{
    if (!p->open)
        return NULL;
    struct open_boundary *b = find_boundary(p, line, ret_closes);
    if (b && !*ret_closes && p->parts >= p->limits.parts) {
        p->all_opaque = true;
        p->part->overflow = true;
        return NULL;
    }
    return b;
}

/* ---- header lines ---- */

static struct str without_eol(struct str s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

/* A complete header line is at the end of p->field; p->at is behind it, `lines` were before it. */
static void header_line(struct mime_parser *p, uint64_t lines)
{
    struct str line = str_skip(buf_view(&p->field), p->line_at);
    struct str text = without_eol(line);
    bool closes;
    struct open_boundary *b = boundary_of(p, text, &closes);
    if (b) { /* the header ends without its empty line */
        finish_header_without_body(p, p->line_start, lines);
        take_boundary(p, b, closes, p->line_start, lines);
        if (line.p[line.n - 1] == '\n')
            begin_after_boundary(p);
        return;
    }
    if (!text.n) {
        finish_header(p, p->at, p->lines);
        begin_body(p);
        return;
    }
    p->line_start = p->at;
    if (p->continues) {
        if (!p->field_wanted || p->field.n > p->limits.header_bytes)
            p->field.n = p->line_at;
    } else {
        p->in_field = true;
        p->field_wanted = line_wanted(p, text);
        if (!p->field_wanted)
            p->field.n = 0;
    }
    p->line_at = p->field.n;
}

static size_t feed_header(struct mime_parser *p, struct str s)
{
    if (p->at == p->line_start) {
        p->continues = p->in_field && (s.p[0] == ' ' || s.p[0] == '\t');
        if (!p->continues)
            flush_field(p);
    }
    const char *lf = memchr(s.p, '\n', s.n);
    size_t n = lf ? (size_t)(lf - s.p) + 1 : s.n;
    /* A field over the limit loses its tail, but the beginning of each line is looked at. */
    size_t room = p->limits.header_bytes > p->field.n ? p->limits.header_bytes - p->field.n : 0;
    size_t held = p->field.n - p->line_at;
    if (held < LINE_MAX_HELD && room < LINE_MAX_HELD - held)
        room = LINE_MAX_HELD - held;
    if (n > room)
        p->part->overflow = true;
    buf_add(&p->field, s.p, n < room ? n : room);
    remember(p, s.p, n);
    p->at += n;
    if (lf) {
        p->lines++;
        header_line(p, p->lines - 1);
    }
    return n;
}

/* ---- body ---- */

static void note_nul(struct mime_parser *p, const char *s, size_t n)
{
    if (!p->part->has_nul && n && memchr(s, 0, n))
        p->part->has_nul = true;
}

/* p->line has what there is of a line that begins with "--" (its LF not included). True: it was a boundary. */
static bool held_line_ends(struct mime_parser *p)
{
    bool closes;
    struct str line = {p->line, p->line_n};
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    struct open_boundary *b = boundary_of(p, line, &closes);
    p->holding = false;
    if (!b)
        return false;
    uint64_t end = p->held_at, lines = p->lines;
    if (end > p->part->body_at) { /* the line end before it belongs to it (RFC 2046 5.1.1) */
        end -= p->last[1] == '\n' ? (p->last[0] == '\r' && end - 1 > p->part->body_at ? 2 : 1) : 0;
        lines--;
    }
    take_boundary(p, b, closes, end, lines);
    remember(p, p->line, p->line_n);
    return true;
}

/* At the beginning of a line: hold it while it can be a boundary. Returns how much was taken. */
static size_t hold_line(struct mime_parser *p, struct str s)
{
    size_t i = 0;
    if (!p->holding) {
        p->holding = true;
        p->line_n = 0;
        p->held_at = p->at;
    }
    for (; i < s.n && p->holding; i++) {
        char c = s.p[i];
        if (c == '\n' || p->line_n == sizeof(p->line)) {
            if (held_line_ends(p)) { /* the LF, if this is it, is taken by IN_BOUNDARY_LINE */
                p->at += i;
                return i;
            }
            break;
        }
        p->line[p->line_n++] = c;
        if (p->line_n <= 2 && c != '-')
            p->holding = false;
    }
    p->at += i;
    if (!p->holding) { /* an ordinary line: what was held is body like any other */
        p->line_begins = false;
        note_nul(p, p->line, p->line_n);
        remember(p, p->line, p->line_n);
    }
    return i;
}

/* Count lines up to the first one that may be a boundary. */
static size_t feed_body(struct mime_parser *p, struct str s)
{
    if (p->open && p->line_begins && (p->holding || s.p[0] == '-'))
        return hold_line(p, s);
    const char *at = s.p, *end = s.p + s.n;
    p->line_begins = false;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        if (!lf) {
            at = end;
            break;
        }
        p->lines++;
        at = lf + 1;
        if (at == end || *at == '-') {
            p->line_begins = true;
            if (p->open)
                break;
        }
    }
    if (p->line_begins && at == end && end[-1] != '\n')
        p->line_begins = false;
    size_t n = (size_t)(at - s.p);
    note_nul(p, s.p, n);
    remember(p, s.p, n);
    p->at += n;
    return n;
}

static size_t feed_boundary_line(struct mime_parser *p, struct str s)
{
    const char *lf = memchr(s.p, '\n', s.n);
    size_t n = lf ? (size_t)(lf - s.p) + 1 : s.n;
    p->at += n;
    remember(p, s.p, n);
    if (lf) {
        p->lines++;
        begin_after_boundary(p);
    }
    return n;
}

void mime_parser_feed(struct mime_parser *p, struct str chunk)
{
    while (chunk.n) {
        size_t n = 0;
        switch (p->phase) {
        case IN_HEADER:
            n = feed_header(p, chunk);
            break;
        case IN_BODY:
            n = feed_body(p, chunk);
            break;
        case IN_BOUNDARY_LINE:
            n = feed_boundary_line(p, chunk);
            break;
        }
        chunk = (struct str){chunk.p + n, chunk.n - n};
    }
}

struct mime_part *mime_parser_finish(struct mime_parser *p)
{
    if (p->phase == IN_HEADER && p->at > p->line_start)
        header_line(p, p->lines);
    if (p->phase == IN_BODY && p->holding && !held_line_ends(p))
        note_nul(p, p->line, p->line_n);
    /* A boundary line without its line end, as the last thing there is, begins no part (IN_BOUNDARY_LINE). */
    if (p->phase == IN_HEADER) {
        p->line_at = p->field.n;
        finish_header_without_body(p, p->at, p->lines);
    }
    end_parts(p, NULL, p->at, p->lines);
    return p->root;
}

struct mime_part *mime_parse(struct arena *a, struct str message)
{
    struct mime_parser *p = mime_parser_new(a, NULL);
    mime_parser_feed(p, message);
    struct mime_part *root = mime_parser_finish(p);
    mime_parser_free(p);
    return root;
}

/* ---- asking a part ---- */

struct str mime_param_raw(const struct mime_param *params, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_case_is(params[i].name, name))
            return params[i].value;
    }
    return STR_NULL;
}

bool mime_is(const struct mime_part *part, const char *type, const char *subtype)
{
    return str_case_is(part->type, type) && (!subtype || str_case_is(part->subtype, subtype));
}

bool mime_is_text(const struct mime_part *part)
{
    return part->kind == MIME_LEAF && mime_is(part, "text", NULL);
}
