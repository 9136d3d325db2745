/* SPDX-License-Identifier: Apache-2.0 */
/* FETCH (RFC 3501 6.4.5; BINARY RFC 3516, CONDSTORE and QRESYNC RFC 7162, OBJECTID RFC 8474, SAVEDATE RFC 8514, PREVIEW
 * RFC 8970). */
#include "bridge/base/buf.h"
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_write.h"

#define MAX_ITEMS 256                  /* of one FETCH; more only serve to make one answer large */
#define MAX_PATH  (MIME_MAX_DEPTH + 1) /* part numbers; a deeper part cannot exist */

struct items {
    struct imap_fetch_item *list;
    size_t n, size;
};

static bool add_item(struct imap_args *a, struct items *items, const struct imap_fetch_item *item)
{
    for (size_t i = 0; i < items->n; i++) {
        struct imap_fetch_item *old = &items->list[i];
        if (old->kind == item->kind && str_eq(old->label, item->label) && old->partial == item->partial &&
            old->count == item->count) {
            old->peek = old->peek && item->peek;
            old->lazy = old->lazy && item->lazy;
            return true;
        }
    }
    if (items->n >= MAX_ITEMS)
        return imap_args_fail(a, "Too many FETCH items");
    if (items->n == items->size) {
        items->size = items->size ? 4 * items->size : 8;
        struct imap_fetch_item *list = arena_array(a->arena, items->size, sizeof(*list));
        if (items->n > 0)
            memcpy(list, items->list, items->n * sizeof(*list));
        items->list = list;
    }
    items->list[items->n++] = *item;
    return true;
}

/* --- sections ---------------------------------------------------------------------------------------------------- */

/* 1.2.3, and whether a "." follows. */
static bool parse_path(struct imap_args *a, struct imap_fetch_item *item, bool *ret_more)
{
    uint32_t path[MAX_PATH];
    size_t n = 0;
    *ret_more = false;
    while (a->rest.n > 0 && a->rest.p[0] >= '0' && a->rest.p[0] <= '9') {
        if (n == MAX_PATH)
            return imap_args_fail(a, "A part number is too deep");
        if (!imap_args_u32(a, &path[n]) || path[n] == 0)
            return imap_args_fail(a, "Wrong part number");
        n++;
        *ret_more = imap_args_char(a, '.');
        if (!*ret_more)
            break;
    }
    uint32_t *kept = arena_array(a->arena, n ? n : 1, sizeof(*kept));
    memcpy(kept, path, n * sizeof(*kept));
    item->path = kept;
    item->path_n = n;
    return true;
}

static bool parse_field_names(struct imap_args *a, struct imap_fetch_item *item, struct buf *label)
{
    struct imap_strs_builder names = {0};
    size_t count = 0;
    if (!imap_args_space(a) || !imap_args_open(a))
        return false;
    buf_lit(label, " (");
    while (imap_args_more(a, &count)) {
        struct str name;
        if (!imap_args_astring(a, &name))
            return false;
        name = imap_args_upper(a, name);
        imap_strs_add(a->arena, &names, name);
        if (names.n > 1)
            buf_byte(label, ' ');
        imap_write_astring(label, name, false);
    }
    buf_byte(label, ')');
    if (!imap_args_ok(a))
        return false;
    if (names.n == 0)
        return imap_args_fail(a, "Expected names of header fields");
    item->names = header_names_new(a->arena, names.items, names.n);
    return true;
}

static bool parse_section_text(struct imap_args *a, struct imap_fetch_item *item, struct buf *label)
{
    static const struct imap_word texts[] = {
        {"HEADER", IMAP_SECTION_HEADER},
        {"HEADER.FIELDS", IMAP_SECTION_FIELDS},
        {"HEADER.FIELDS.NOT", IMAP_SECTION_FIELDS_NOT},
        {"TEXT", IMAP_SECTION_TEXT},
        {"MIME", IMAP_SECTION_MIME},
    };
    unsigned kind = 0;
    if (!imap_args_word(a, texts, sizeof(texts) / sizeof(texts[0]), "Unknown section", &kind))
        return false;
    if (kind == IMAP_SECTION_MIME && item->path_n == 0)
        return imap_args_fail(a, "MIME wants a part number");
    item->section = (enum imap_section_kind)kind;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].value == kind)
            buf_lit(label, texts[i].name);
    if (kind == IMAP_SECTION_FIELDS || kind == IMAP_SECTION_FIELDS_NOT)
        return parse_field_names(a, item, label);
    return true;
}

/* <offset.count> */
static bool parse_partial(struct imap_args *a, struct imap_fetch_item *item, struct buf *label)
{
    if (!imap_args_char(a, '<'))
        return true;
    if (item->kind == IMAP_FETCH_BINARY_SIZE)
        return imap_args_fail(a, "BINARY.SIZE has no partial form");
    if (!imap_args_u64(a, &item->offset) || !imap_args_expect(a, '.', "Wrong partial range") ||
        !imap_args_u64(a, &item->count) || !imap_args_expect(a, '>', "Wrong partial range"))
        return imap_args_fail(a, "Wrong partial range");
    if (item->count == 0)
        return imap_args_fail(a, "A partial range of no bytes");
    item->partial = true;
    buf_byte(label, '<');
    buf_u64(label, item->offset);
    buf_byte(label, '>');
    return true;
}

/* From the "[" on; label has the name of the item. */
static bool parse_section(struct imap_args *a, struct imap_fetch_item *item, struct buf *label)
{
    bool more = false;
    if (!imap_args_expect(a, '[', "Expected [ after the item") || !parse_path(a, item, &more))
        return false;
    buf_byte(label, '[');
    for (size_t i = 0; i < item->path_n; i++)
        buf_printf(label, i ? ".%u" : "%u", item->path[i]);
    if (more)
        buf_byte(label, '.');
    if (more || !imap_args_is(a, ']')) {
        if (item->kind != IMAP_FETCH_SECTION)
            return imap_args_fail(a, "BINARY takes part numbers only");
        if (item->path_n > 0 && !more)
            return imap_args_fail(a, "Wrong section");
        if (!parse_section_text(a, item, label))
            return false;
    }
    if (!imap_args_expect(a, ']', "A section does not end"))
        return false;
    buf_byte(label, ']');
    return parse_partial(a, item, label);
}

/* --- items ------------------------------------------------------------------------------------------------------- */

struct item_name {
    const char *name;
    enum imap_fetch_kind kind;
    bool section; /* [...] follows (BODY: may follow) */
    bool peek;
    enum imap_section_kind implied; /* RFC822.* are old names of sections */
    const char *label;
};
static const struct item_name item_names[] = {
    {"UID", IMAP_FETCH_UID, false, false, 0, "UID"},
    {"FLAGS", IMAP_FETCH_FLAGS, false, false, 0, "FLAGS"},
    {"INTERNALDATE", IMAP_FETCH_INTERNALDATE, false, false, 0, "INTERNALDATE"},
    {"RFC822.SIZE", IMAP_FETCH_RFC822_SIZE, false, false, 0, "RFC822.SIZE"},
    {"ENVELOPE", IMAP_FETCH_ENVELOPE, false, false, 0, "ENVELOPE"},
    {"BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE, false, false, 0, "BODYSTRUCTURE"},
    {"BODY", IMAP_FETCH_SECTION, true, false, 0, "BODY"},
    {"BODY.PEEK", IMAP_FETCH_SECTION, true, true, 0, "BODY"},
    {"BINARY", IMAP_FETCH_BINARY, true, false, 0, "BINARY"},
    {"BINARY.PEEK", IMAP_FETCH_BINARY, true, true, 0, "BINARY"},
    {"BINARY.SIZE", IMAP_FETCH_BINARY_SIZE, true, true, 0, "BINARY.SIZE"},
    {"RFC822", IMAP_FETCH_SECTION, false, false, IMAP_SECTION_ALL, "RFC822"},
    {"RFC822.HEADER", IMAP_FETCH_SECTION, false, true, IMAP_SECTION_HEADER, "RFC822.HEADER"},
    {"RFC822.TEXT", IMAP_FETCH_SECTION, false, false, IMAP_SECTION_TEXT, "RFC822.TEXT"},
    {"MODSEQ", IMAP_FETCH_MODSEQ, false, false, 0, "MODSEQ"},
    {"SAVEDATE", IMAP_FETCH_SAVEDATE, false, false, 0, "SAVEDATE"},
    {"EMAILID", IMAP_FETCH_EMAILID, false, false, 0, "EMAILID"},
    {"THREADID", IMAP_FETCH_THREADID, false, false, 0, "THREADID"},
    {"PREVIEW", IMAP_FETCH_PREVIEW, false, false, 0, "PREVIEW"},
};
#define ITEM_NAMES (sizeof(item_names) / sizeof(item_names[0]))

/* PREVIEW (LAZY): the parentheses may as well be those of the FETCH modifiers. */
static bool parse_lazy(struct imap_args *a, struct imap_fetch_item *item)
{
    if (!str_case_starts(a->rest, STR(" (LAZY")))
        return true;
    size_t count = 0;
    static const struct imap_word modifiers[] = {{"LAZY", 0}};
    unsigned which;
    if (!imap_args_space(a) || !imap_args_open(a))
        return false;
    while (imap_args_more(a, &count))
        imap_args_word(a, modifiers, 1, "Unknown PREVIEW modifier", &which);
    item->lazy = true;
    return imap_args_ok(a);
}

static bool parse_item(struct imap_args *a, struct str name, struct items *items)
{
    const struct item_name *known = NULL;
    for (size_t i = 0; i < ITEM_NAMES && known == NULL; i++)
        if (str_is(name, item_names[i].name))
            known = &item_names[i];
    if (known == NULL)
        return imap_args_fail(a, "Unknown FETCH item");
    struct imap_fetch_item item = {
        .kind = known->kind, .label = str_from(known->label), .section = known->implied, .peek = known->peek};
    if (str_is(name, "BODY") && !imap_args_is(a, '[')) {
        item.kind = IMAP_FETCH_BODY;
    } else if (known->section) {
        struct buf label = BUF_INIT(4 * a->limits->line);
        buf_lit(&label, known->label);
        bool ok = parse_section(a, &item, &label);
        item.label = arena_str(a->arena, buf_view(&label));
        buf_done(&label);
        if (!ok)
            return false;
    } else if (item.kind == IMAP_FETCH_PREVIEW && !parse_lazy(a, &item)) {
        return false;
    }
    return add_item(a, items, &item);
}

/* ALL, FAST, FULL (RFC 3501 6.4.5): only by themselves. */
static bool parse_macro(struct imap_args *a, struct str name, struct items *items, bool *ret_is_macro)
{
    static const struct {
        const char *name;
        size_t items;
    } macros[] = {{"FAST", 3}, {"ALL", 4}, {"FULL", 5}};
    static const char *const names[] = {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"};
    *ret_is_macro = false;
    for (size_t i = 0; i < 3; i++) {
        if (!str_is(name, macros[i].name))
            continue;
        *ret_is_macro = true;
        for (size_t k = 0; k < macros[i].items; k++)
            if (!parse_item(a, str_from(names[k]), items))
                return false;
    }
    return true;
}

static bool parse_items(struct imap_args *a, struct items *items)
{
    struct str name;
    if (imap_args_is(a, '(')) {
        size_t count = 0;
        imap_args_open(a);
        while (imap_args_more(a, &count))
            if (!imap_args_name(a, &name) || !parse_item(a, name, items))
                return false;
        if (imap_args_ok(a) && items->n == 0)
            return imap_args_fail(a, "FETCH wants at least one item");
        return imap_args_ok(a);
    }
    bool is_macro;
    if (!imap_args_name(a, &name) || !parse_macro(a, name, items, &is_macro))
        return false;
    return is_macro || parse_item(a, name, items);
}

/* (CHANGEDSINCE n [VANISHED]) */
static bool parse_modifiers(struct imap_args *a, struct imap_command *c)
{
    static const struct imap_word modifiers[] = {{"CHANGEDSINCE", 0}, {"VANISHED", 1}};
    struct imap_fetch *f = &c->fetch;
    size_t count = 0;
    if (!imap_args_space(a) || !imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        unsigned which = 0;
        if (!imap_args_word(a, modifiers, 2, "Unknown FETCH modifier", &which))
            return false;
        if (which == 1) {
            f->vanished = true;
        } else {
            f->has_changedsince = true;
            if (!imap_args_space(a) || !imap_args_u64(a, &f->changedsince))
                return false;
        }
    }
    if (!imap_args_ok(a))
        return false;
    /* RFC 7162 3.2.6 */
    if (f->vanished && !c->uid)
        return imap_args_fail(a, "VANISHED is for UID FETCH");
    if (f->vanished && !f->has_changedsince)
        return imap_args_fail(a, "VANISHED wants CHANGEDSINCE");
    return true;
}

static unsigned item_needs(const struct imap_fetch_item *item)
{
    unsigned seen = item->peek ? 0 : IMAP_NEEDS_SEEN;
    switch (item->kind) {
    case IMAP_FETCH_ENVELOPE:
        return IMAP_NEEDS_HEADER;
    case IMAP_FETCH_BODY:
    case IMAP_FETCH_BODYSTRUCTURE:
    case IMAP_FETCH_BINARY_SIZE:
        return IMAP_NEEDS_MESSAGE;
    case IMAP_FETCH_PREVIEW:
        return item->lazy ? 0 : IMAP_NEEDS_MESSAGE;
    case IMAP_FETCH_BINARY:
        return IMAP_NEEDS_MESSAGE | seen;
    case IMAP_FETCH_SECTION:
        if (item->path_n == 0 && item->section != IMAP_SECTION_ALL && item->section != IMAP_SECTION_TEXT)
            return IMAP_NEEDS_HEADER | seen;
        return IMAP_NEEDS_MESSAGE | seen;
    case IMAP_FETCH_UID:
    case IMAP_FETCH_FLAGS:
    case IMAP_FETCH_INTERNALDATE:
    case IMAP_FETCH_RFC822_SIZE:
    case IMAP_FETCH_MODSEQ:
    case IMAP_FETCH_SAVEDATE:
    case IMAP_FETCH_EMAILID:
    case IMAP_FETCH_THREADID:
        return 0;
    }
    return 0;
}

bool imap_parse_fetch(struct imap_args *a, struct imap_command *c)
{
    struct imap_fetch *f = &c->fetch;
    struct items items = {0};
    if (!imap_args_space(a) || !imap_args_seqset(a, &f->set) || !imap_args_space(a) || !parse_items(a, &items))
        return false;
    if (imap_args_is(a, ' ') && str_trim(a->rest).n > 0 && !parse_modifiers(a, c))
        return false;
    f->items = items.list;
    f->n = items.n;
    for (size_t i = 0; i < items.n; i++) {
        f->kinds |= 1u << items.list[i].kind;
        f->needs |= item_needs(&items.list[i]);
    }
    return imap_args_end(a);
}
