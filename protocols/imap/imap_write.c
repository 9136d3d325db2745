/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_write.h"

#include "bridge/base/text.h"
#include "bridge/formats/date.h"
#include "bridge/names.h"
#include "protocols/imap/imap_seqset.h"
#include "protocols/imap/imap_utf7.h"

/* --- strings ----------------------------------------------------------------------------------------------------- */

#define QUOTED_MAX 1000 /* longer strings become literals, which cost no scanning at the other end */

enum form { FORM_ATOM, FORM_QUOTED, FORM_LITERAL };

/* What a byte may be part of at the most: bit 0 of atoms, bit 1 of quoted strings, bit 2 needs escaping there. */
static unsigned classify(unsigned char c)
{
    if (c == '"' || c == '\\')
        return 2 | 4;
    if (c < 0x20 || c >= 0x7f)
        return c == '\t' ? 2 : 0;
    return c == ' ' || strchr("(){%*]", c) ? 2 : 3;
}

static enum form form_of(struct str s, bool utf8)
{
    if (s.n == 0)
        return FORM_QUOTED;
    if (s.n > QUOTED_MAX)
        return FORM_LITERAL;
    unsigned all = 3;
    bool high = false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x80)
            high = true;
        else
            all &= classify(c);
    }
    if (high)
        return utf8 && (all & 2) && text_utf8_valid(s) ? FORM_QUOTED : FORM_LITERAL;
    return all & 1 ? FORM_ATOM : all & 2 ? FORM_QUOTED : FORM_LITERAL;
}

static void write_quoted(struct buf *out, struct str s)
{
    buf_byte(out, '"');
    size_t start = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '"' && s.p[i] != '\\')
            continue;
        buf_add(out, s.p + start, i - start);
        buf_byte(out, '\\');
        start = i;
    }
    if (s.n > 0)
        buf_add(out, s.p + start, s.n - start);
    buf_byte(out, '"');
}

void imap_write_astring(struct buf *out, struct str s, bool utf8)
{
    /* An atom that reads NIL is not the string "NIL" to every client. */
    if (form_of(s, utf8) == FORM_ATOM && !str_case_is(s, "NIL"))
        buf_str(out, s);
    else
        imap_write_string(out, s, utf8);
}

void imap_write_string(struct buf *out, struct str s, bool utf8)
{
    if (form_of(s, utf8) == FORM_LITERAL)
        imap_write_literal(out, s);
    else
        write_quoted(out, s);
}

void imap_write_nstring(struct buf *out, struct str s, bool utf8)
{
    if (s.p == NULL)
        buf_lit(out, "NIL");
    else
        imap_write_string(out, s, utf8);
}

void imap_write_literal_head(struct buf *out, uint64_t size, bool literal8)
{
    buf_lit(out, literal8 ? "~{" : "{");
    buf_u64(out, size);
    buf_lit(out, "}\r\n");
}

void imap_write_literal(struct buf *out, struct str s)
{
    imap_write_literal_head(out, s.n, false);
    size_t at = out->n;
    buf_str(out, s);
    if (s.n == 0 || out->failed || !memchr(s.p, '\0', s.n))
        return;
    for (size_t i = at; i < out->n; i++)
        if (out->p[i] == '\0')
            out->p[i] = (char)0x80;
}

void imap_write_mailbox(struct buf *out, struct str name, bool utf8)
{
    struct buf wire = BUF_INIT(0);
    if (!imap_name_encode(&wire, name, utf8))
        buf_reset(&wire);
    imap_write_astring(out, buf_view(&wire), utf8);
    buf_done(&wire);
}

/* --- flags and dates --------------------------------------------------------------------------------------------- */

static const struct {
    unsigned bit;
    const char *name;
} flag_names[] = {
    {ITEM_ANSWERED, "\\Answered"}, {ITEM_FLAGGED, "\\Flagged"}, {ITEM_DELETED, "\\Deleted"},
    {ITEM_SEEN, "\\Seen"},         {ITEM_DRAFT, "\\Draft"},     {ITEM_FORWARDED, "$Forwarded"},
};

unsigned imap_flag_bit(struct str name)
{
    for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
        if (str_case_is(name, flag_names[i].name))
            return flag_names[i].bit;
    return names_mark(name);
}

static void add_word(struct buf *out, struct str word)
{
    if (out->n && out->p[out->n - 1] != '(')
        buf_byte(out, ' ');
    buf_str(out, word);
}

void imap_write_flags(struct buf *out, unsigned bits, bool recent, struct imap_strs keywords)
{
    buf_byte(out, '(');
    for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
        if (bits & flag_names[i].bit)
            add_word(out, str_from(flag_names[i].name));
    for (size_t i = 0; i < NAMES_MARKS; i++)
        if (bits & (unsigned)ITEM_MARK_FIRST << i)
            add_word(out, str_from(names_marks[i]));
    if (recent)
        add_word(out, STR("\\Recent"));
    for (size_t i = 0; i < keywords.n; i++)
        add_word(out, keywords.items[i]);
    buf_byte(out, ')');
}

void imap_write_internaldate(struct buf *out, int64_t wall_s, int zone_minutes)
{
    buf_byte(out, '"');
    date_add_imap(out, wall_s, zone_minutes);
    buf_byte(out, '"');
}

/* --- untagged answers -------------------------------------------------------------------------------------------- */

void imap_write_status(struct buf *out, struct str name, bool utf8, unsigned items, const struct imap_status_values *v)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"MESSAGES", v->messages},
               {"RECENT", v->recent},
               {"UIDNEXT", v->uidnext},
               {"UIDVALIDITY", v->uidvalidity},
               {"UNSEEN", v->unseen},
               {"DELETED", v->deleted},
               {"SIZE", v->size},
               {"HIGHESTMODSEQ", v->highestmodseq},
               {"APPENDLIMIT", v->appendlimit},
               {"DELETED-STORAGE", v->deleted_size}};
    buf_lit(out, "* STATUS ");
    imap_write_mailbox(out, name, utf8);
    const char *before = " (";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (!(items & (1u << i)))
            continue;
        buf_lit(out, before);
        buf_lit(out, all[i].name);
        buf_byte(out, ' ');
        buf_u64(out, all[i].value);
        before = " ";
    }
    if (items & IMAP_STATUS_MAILBOXID) {
        buf_lit(out, before);
        buf_lit(out, "MAILBOXID (");
        buf_str(out, v->mailbox_id);
        buf_byte(out, ')');
    }
    buf_lit(out, items ? ")\r\n" : " ()\r\n");
}

void imap_write_list(struct buf *out, const char *response, const char *const *attributes, size_t attribute_n,
                     struct str name, bool utf8, unsigned childinfo)
{
    buf_lit(out, "* ");
    buf_lit(out, response);
    buf_lit(out, " (");
    for (size_t i = 0; i < attribute_n; i++) {
        buf_lit(out, i ? " \\" : "\\");
        buf_lit(out, attributes[i]);
    }
    buf_lit(out, ") \"/\" ");
    imap_write_mailbox(out, name, utf8);
    if (childinfo) {
        buf_lit(out, " (\"CHILDINFO\" (");
        if (childinfo & IMAP_LIST_SUBSCRIBED)
            add_word(out, STR("\"SUBSCRIBED\""));
        if (childinfo & IMAP_LIST_SPECIAL_USE)
            add_word(out, STR("\"SPECIAL-USE\""));
        buf_lit(out, "))");
    }
    buf_lit(out, "\r\n");
}

void imap_write_oldname(struct buf *out, struct str name, struct str old, bool utf8)
{
    buf_lit(out, "* LIST () \"/\" ");
    imap_write_mailbox(out, name, utf8);
    buf_lit(out, " (\"OLDNAME\" (");
    imap_write_mailbox(out, old, utf8);
    buf_lit(out, "))\r\n");
}

/* Numbers in SORT's order: neighbours that count upwards by one become a range, as in any sequence set. */
static void add_all(struct buf *out, const struct imap_esearch *e)
{
    if (!e->sorted) {
        imap_seqset_add_sorted(out, e->numbers, e->n);
        return;
    }
    for (size_t i = 0; i < e->n;) {
        size_t last = i;
        while (last + 1 < e->n && (uint64_t)e->numbers[last + 1] == (uint64_t)e->numbers[last] + 1)
            last++;
        if (i > 0)
            buf_byte(out, ',');
        imap_seqset_add_sorted(out, e->numbers + i, last + 1 - i);
        i = last + 1;
    }
}

void imap_write_esearch(struct buf *out, const struct imap_esearch *e)
{
    buf_lit(out, "* ESEARCH (TAG ");
    imap_write_string(out, e->tag, false);
    buf_lit(out, e->uid ? ") UID" : ")");
    if (e->n > 0 && (e->returns & IMAP_RETURN_MIN)) {
        buf_lit(out, " MIN ");
        buf_u64(out, e->numbers[0]);
    }
    if (e->n > 0 && (e->returns & IMAP_RETURN_MAX)) {
        buf_lit(out, " MAX ");
        buf_u64(out, e->numbers[e->n - 1]);
    }
    if (e->n > 0 && (e->returns & IMAP_RETURN_ALL)) {
        buf_lit(out, " ALL ");
        add_all(out, e);
    }
    if (e->returns & IMAP_RETURN_COUNT) {
        buf_lit(out, " COUNT ");
        buf_u64(out, e->n);
    }
    if (e->modseq > 0) {
        buf_lit(out, " MODSEQ ");
        buf_u64(out, e->modseq);
    }
    buf_lit(out, "\r\n");
}

void imap_write_numbers(struct buf *out, const char *response, const uint32_t *numbers, size_t n, uint64_t modseq)
{
    buf_lit(out, "* ");
    buf_lit(out, response);
    for (size_t i = 0; i < n; i++) {
        buf_byte(out, ' ');
        buf_u64(out, numbers[i]);
    }
    if (modseq > 0) {
        buf_lit(out, " (MODSEQ ");
        buf_u64(out, modseq);
        buf_byte(out, ')');
    }
    buf_lit(out, "\r\n");
}

#define TEXT_MAX 200

void imap_write_line(struct buf *out, struct str tag, const char *response, const char *code, const char *text)
{
    if (tag.n > 0)
        buf_str(out, tag);
    else
        buf_byte(out, '*');
    buf_byte(out, ' ');
    buf_lit(out, response);
    if (code) {
        buf_lit(out, " [");
        buf_lit(out, code);
        buf_byte(out, ']');
    }
    buf_byte(out, ' ');
    for (size_t i = 0; text[i] && i < TEXT_MAX; i++)
        buf_byte(out, text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
    buf_lit(out, "\r\n");
}
