/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/imap_describe.h"

#include <inttypes.h>

#include "protocols/imap/imap_write.h"

/* --- arguments --------------------------------------------------------------------------------------------------- */

static void add_text(struct buf *out, struct str s)
{
    if (s.p == NULL) {
        buf_lit(out, "NULL");
        return;
    }
    buf_byte(out, '<');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c < 0x7f)
            buf_byte(out, (char)c);
        else
            buf_printf(out, "\\%02x", c);
    }
    buf_byte(out, '>');
}

static void add_texts(struct buf *out, struct imap_strs list)
{
    for (size_t i = 0; i < list.n; i++) {
        buf_byte(out, ' ');
        add_text(out, list.items[i]);
    }
}

static void add_set(struct buf *out, const struct imap_seqset *set)
{
    if (set->saved)
        buf_lit(out, "$");
    for (size_t i = 0; i < set->n; i++) {
        struct imap_range r = set->ranges[i];
        buf_lit(out, i ? "," : "");
        buf_printf(out, r.from == IMAP_STAR ? "*" : "%u", r.from);
        if (r.to != r.from)
            buf_printf(out, r.to == IMAP_STAR ? ":*" : ":%u", r.to);
    }
}

static void add_section(struct buf *out, const struct imap_fetch_item *i)
{
    static const char *const kinds[] = {"ALL", "HEADER", "FIELDS", "NOT", "TEXT", "MIME"};
    buf_printf(out, "{%s", kinds[i->section]);
    for (size_t k = 0; k < i->path_n; k++)
        buf_printf(out, "%c%u", k ? '.' : ' ', i->path[k]);
    if (i->peek)
        buf_lit(out, " peek");
    if (i->partial)
        buf_printf(out, " %" PRIu64 "+%" PRIu64, i->offset, i->count);
    buf_byte(out, '}');
}

static void add_fetch(struct buf *out, const struct imap_fetch *f)
{
    buf_byte(out, ' ');
    add_set(out, &f->set);
    for (size_t i = 0; i < f->n; i++) {
        const struct imap_fetch_item *item = &f->items[i];
        buf_byte(out, ' ');
        buf_str(out, item->label);
        if (item->kind >= IMAP_FETCH_SECTION)
            add_section(out, item);
        if (item->kind == IMAP_FETCH_BODY)
            buf_lit(out, "{structure}");
        if (item->lazy)
            buf_lit(out, "{lazy}");
    }
    if (f->has_changedsince)
        buf_printf(out, " since=%" PRIu64, f->changedsince);
    if (f->vanished)
        buf_lit(out, " vanished");
    static const char *const needs[] = {"-", "H", "M", "HM", "S", "HS", "MS", "HMS"};
    buf_printf(out, " needs=%s", needs[f->needs]);
}

static void add_key(struct buf *out, const struct imap_search_key *k);

static void add_children(struct buf *out, const char *name, const struct imap_search_key *k)
{
    buf_printf(out, "%s(", name);
    for (const struct imap_search_key *c = k->child; c; c = c->next) {
        if (c != k->child)
            buf_byte(out, ' ');
        add_key(out, c);
    }
    buf_byte(out, ')');
}

static void add_key(struct buf *out, const struct imap_search_key *k)
{
    static const char *const names[] = {
        [IMAP_SEARCH_ALL] = "all",
        [IMAP_SEARCH_RECENT] = "recent",
        [IMAP_SEARCH_LARGER] = "larger",
        [IMAP_SEARCH_SMALLER] = "smaller",
        [IMAP_SEARCH_MODSEQ] = "modseq",
        [IMAP_SEARCH_BEFORE] = "before",
        [IMAP_SEARCH_ON] = "on",
        [IMAP_SEARCH_SINCE] = "since",
        [IMAP_SEARCH_SENTBEFORE] = "sentbefore",
        [IMAP_SEARCH_SENTON] = "senton",
        [IMAP_SEARCH_SENTSINCE] = "sentsince",
        [IMAP_SEARCH_SAVEDBEFORE] = "savedbefore",
        [IMAP_SEARCH_SAVEDON] = "savedon",
        [IMAP_SEARCH_SAVEDSINCE] = "savedsince",
        [IMAP_SEARCH_SAVEDATESUPPORTED] = "savedatesupported",
        [IMAP_SEARCH_OLDER] = "older",
        [IMAP_SEARCH_YOUNGER] = "younger",
        [IMAP_SEARCH_FROM] = "from",
        [IMAP_SEARCH_TO] = "to",
        [IMAP_SEARCH_CC] = "cc",
        [IMAP_SEARCH_BCC] = "bcc",
        [IMAP_SEARCH_SUBJECT] = "subject",
        [IMAP_SEARCH_BODY] = "body",
        [IMAP_SEARCH_TEXT] = "text",
        [IMAP_SEARCH_EMAILID] = "emailid",
        [IMAP_SEARCH_THREADID] = "threadid",
        [IMAP_SEARCH_KEYWORD] = "keyword",
        [IMAP_SEARCH_HEADER] = "header",
        [IMAP_SEARCH_FLAG] = "flag",
    };
    if (k->op == IMAP_SEARCH_AND || k->op == IMAP_SEARCH_OR || k->op == IMAP_SEARCH_NOT) {
        add_children(out, k->op == IMAP_SEARCH_AND ? "and" : k->op == IMAP_SEARCH_OR ? "or" : "not", k);
        return;
    }
    if (k->op == IMAP_SEARCH_SEQ || k->op == IMAP_SEARCH_UID) {
        buf_lit(out, k->op == IMAP_SEARCH_SEQ ? "seq=" : "uid=");
        add_set(out, &k->set);
        return;
    }
    buf_lit(out, names[k->op]);
    if (k->op == IMAP_SEARCH_FLAG)
        imap_write_flags(out, k->bits, false, (struct imap_strs){0});
    else if (k->op >= IMAP_SEARCH_BEFORE && k->op <= IMAP_SEARCH_SAVEDSINCE)
        buf_printf(out, "=%" PRId64, k->day);
    else if (k->text.p)
        add_text(out, k->field), add_text(out, k->text);
    else if (k->op != IMAP_SEARCH_ALL && k->op != IMAP_SEARCH_RECENT && k->op != IMAP_SEARCH_SAVEDATESUPPORTED)
        buf_printf(out, "=%" PRIu64, k->number);
}

static void add_search(struct buf *out, const struct imap_command *c)
{
    static const char *const keys[] = {"arrival", "cc", "date",        "from",     "size",
                                       "subject", "to", "displayfrom", "displayto"};
    static const char *const threads[] = {"orderedsubject", "references", "refs"};
    const struct imap_search *s = &c->search;
    if (s->has_return)
        buf_printf(out, " return=%x", s->returns);
    for (size_t i = 0; i < s->sort_n; i++)
        buf_printf(out, " %s%s", s->sort[i].reverse ? "-" : "+", keys[s->sort[i].key]);
    if (c->verb == IMAP_THREAD)
        buf_printf(out, " %s", threads[s->thread]);
    buf_byte(out, ' ');
    add_key(out, s->program);
    buf_lit(out, s->uses_modseq ? " modseq" : "");
    buf_lit(out, s->uses_saved ? " saved" : "");
}

static void add_flags(struct buf *out, const struct imap_flags *f)
{
    buf_byte(out, ' ');
    imap_write_flags(out, f->bits, f->recent, f->keywords);
    if (f->unknown)
        buf_lit(out, "+unknown");
}

static void add_list(struct buf *out, const struct imap_list *l)
{
    buf_printf(out, " %s", l->extended ? "extended" : "basic");
    if (l->selects)
        buf_printf(out, " select=%x", l->selects);
    buf_byte(out, ' ');
    add_text(out, l->reference);
    add_texts(out, l->patterns);
    if (l->returns)
        buf_printf(out, " return=%x status=%x", l->returns, l->status);
}

static void add_select(struct buf *out, const struct imap_select *s)
{
    buf_byte(out, ' ');
    add_text(out, s->mailbox);
    if (s->condstore)
        buf_lit(out, " condstore");
    if (!s->qresync)
        return;
    buf_printf(out, " qresync %u %" PRIu64, s->uidvalidity, s->modseq);
    if (s->has_known_uids) {
        buf_lit(out, " known=");
        add_set(out, &s->known_uids);
    }
    if (s->has_match) {
        buf_lit(out, " match=");
        add_set(out, &s->match_seqs);
        buf_byte(out, '/');
        add_set(out, &s->match_uids);
    }
}

static void add_append(struct buf *out, const struct imap_append *m)
{
    buf_byte(out, ' ');
    add_text(out, m->mailbox);
    buf_printf(out, " #%zu", m->index);
    if (m->replace_seq)
        buf_printf(out, " replaces %u", m->replace_seq);
    add_flags(out, &m->flags);
    if (m->has_date)
        buf_printf(out, " date=%" PRId64 "/%d", m->date_s, m->date_zone);
    buf_printf(out, " size=%" PRIu64 "%s%s%s", m->size, m->sync ? " sync" : "", m->binary ? " binary" : "",
               m->utf8 ? " utf8" : "");
}

static void add_store(struct buf *out, const struct imap_store *s)
{
    static const char *const how[] = {"replace", "add", "remove"};
    buf_byte(out, ' ');
    add_set(out, &s->set);
    if (s->has_unchangedsince)
        buf_printf(out, " unchangedsince=%" PRIu64, s->unchangedsince);
    buf_printf(out, " %s%s", how[s->how], s->silent ? " silent" : "");
    add_flags(out, &s->flags);
}

static void add_mailbox(struct buf *out, struct str name)
{
    buf_byte(out, ' ');
    add_text(out, name);
}

static void add_arguments(struct buf *out, const struct imap_command *c)
{
    switch (c->verb) {
    case IMAP_LOGIN:
        add_mailbox(out, c->login.user);
        add_mailbox(out, c->login.password);
        return;
    case IMAP_AUTHENTICATE:
        add_mailbox(out, c->authenticate.mechanism);
        if (c->authenticate.has_initial)
            add_mailbox(out, c->authenticate.initial);
        return;
    case IMAP_ENABLE:
        add_texts(out, c->enable);
        return;
    case IMAP_ID:
        for (size_t i = 0; i < c->id.n; i++) {
            add_mailbox(out, c->id.pairs[i].name);
            buf_byte(out, '=');
            add_text(out, c->id.pairs[i].value);
        }
        return;
    case IMAP_LIST:
    case IMAP_LSUB:
        add_list(out, &c->list);
        return;
    case IMAP_SUBSCRIBE:
    case IMAP_UNSUBSCRIBE:
    case IMAP_DELETE:
    case IMAP_GETQUOTAROOT:
        add_mailbox(out, c->mailbox);
        return;
    case IMAP_SELECT:
    case IMAP_EXAMINE:
        add_select(out, &c->select);
        return;
    case IMAP_STATUS:
        add_mailbox(out, c->status.mailbox);
        buf_printf(out, " %x", c->status.items);
        return;
    case IMAP_CREATE:
        add_mailbox(out, c->create.mailbox);
        add_texts(out, c->create.use);
        return;
    case IMAP_RENAME:
        add_mailbox(out, c->rename.from);
        add_mailbox(out, c->rename.to);
        return;
    case IMAP_GETQUOTA:
    case IMAP_SETQUOTA:
        add_mailbox(out, c->quota.root);
        return;
    case IMAP_FETCH:
        add_fetch(out, &c->fetch);
        return;
    case IMAP_SEARCH:
    case IMAP_SORT:
    case IMAP_THREAD:
        add_search(out, c);
        return;
    case IMAP_STORE:
        add_store(out, &c->store);
        return;
    case IMAP_COPY:
    case IMAP_MOVE:
        buf_byte(out, ' ');
        add_set(out, &c->copy.set);
        add_mailbox(out, c->copy.mailbox);
        return;
    case IMAP_EXPUNGE:
        buf_lit(out, c->uid ? " " : "");
        add_set(out, &c->expunge.set);
        return;
    case IMAP_APPEND:
    case IMAP_REPLACE:
        add_append(out, &c->append);
        return;
    case IMAP_CAPABILITY:
    case IMAP_NOOP:
    case IMAP_LOGOUT:
    case IMAP_STARTTLS:
    case IMAP_NAMESPACE:
    case IMAP_IDLE:
    case IMAP_UNSELECT:
    case IMAP_CLOSE:
    case IMAP_CHECK:
    case IMAP_VERB_MAX:
        return;
    }
}

void imap_describe_command(struct buf *out, const struct imap_command *c)
{
    buf_str(out, c->tag);
    buf_printf(out, " %s%s", c->uid ? "UID " : "", imap_verb_info(c->verb)->name);
    add_arguments(out, c);
}

/* --- events ------------------------------------------------------------------------------------------------------ */

struct run {
    struct buf *out;
    struct imap_parser *parser;
    const struct imap_describe_options *options;
    bool in_data;
};

static void on_command(struct run *r, struct imap_command *c)
{
    imap_describe_command(r->out, c);
    buf_byte(r->out, '\n');
    if (c->verb == IMAP_IDLE || (c->verb == IMAP_AUTHENTICATE && !c->authenticate.has_initial))
        imap_parser_expect_line(r->parser, c->verb == IMAP_IDLE ? 10 : 100);
    imap_command_free(c);
}

static void on_error(struct buf *out, const struct imap_parse_error *e)
{
    buf_byte(out, '!');
    imap_write_line(out, e->tag, e->response, e->code, e->text);
    out->n -= 2;
    buf_lit(out, e->fatal ? " FATAL" : "");
    buf_lit(out, e->foreign ? " FOREIGN" : "");
    buf_byte(out, '\n');
}

static void on_event(struct run *r, enum imap_parse_event_kind kind, const struct imap_parse_event *ev)
{
    if (r->in_data && kind != IMAP_PARSE_DATA) {
        buf_byte(r->out, '\n');
        r->in_data = false;
    }
    switch (kind) {
    case IMAP_PARSE_MORE:
        return;
    case IMAP_PARSE_CONTINUE:
        buf_lit(r->out, "+\n");
        return;
    case IMAP_PARSE_COMMAND:
        on_command(r, ev->command);
        return;
    case IMAP_PARSE_APPEND:
        buf_lit(r->out, "message: ");
        imap_describe_command(r->out, ev->command);
        buf_byte(r->out, '\n');
        (r->options->refuse ? imap_parser_refuse : imap_parser_take)(r->parser);
        return;
    case IMAP_PARSE_DATA:
        if (!r->in_data)
            buf_lit(r->out, "data: ");
        r->in_data = true;
        buf_str(r->out, ev->data);
        return;
    case IMAP_PARSE_LINE:
        buf_lit(r->out, "line: ");
        add_text(r->out, ev->data);
        buf_byte(r->out, '\n');
        return;
    case IMAP_PARSE_ERROR:
        on_error(r->out, &ev->error);
        return;
    }
}

static bool feed(struct run *r, struct str in)
{
    struct imap_parse_event ev;
    while (in.n > 0) {
        enum imap_parse_event_kind kind = imap_parser_feed(r->parser, &in, &ev);
        if (kind == IMAP_PARSE_MORE)
            break;
        on_event(r, kind, &ev);
        if (kind == IMAP_PARSE_ERROR && ev.error.fatal)
            return false;
    }
    return true;
}

void imap_describe_input(struct buf *out, struct str input, const struct imap_describe_options *options)
{
    struct charset_cache *charsets = charset_cache_new();
    struct run r = {.out = out, .options = options};
    r.parser = imap_parser_new(charsets, options->limits ? options->limits : &imap_limits_auth);
    imap_parser_set_state(r.parser, options->state ? options->state : IMAP_STATE_SELECTED);
    imap_parser_set_utf8(r.parser, options->utf8);
    size_t first = options->feeding == FEED_WHOLE ? input.n : options->feeding == FEED_BYTES ? 1 : options->cut;
    bool alive = true;
    for (size_t at = 0; at < input.n && alive;) {
        size_t n = at == 0 || options->feeding == FEED_BYTES ? first : input.n - at;
        struct str piece = str_sub(input, at, n ? n : input.n);
        /* A copy of its own, so that the address sanitizer sees every read outside the piece. */
        struct buf copy = BUF_INIT(0);
        buf_str(&copy, piece);
        alive = feed(&r, buf_view(&copy));
        buf_done(&copy);
        at += piece.n;
    }
    if (r.in_data)
        buf_byte(out, '\n');
    if (alive && imap_parser_busy(r.parser))
        buf_lit(out, "busy\n");
    imap_parser_free(r.parser);
    charset_cache_free(charsets);
}
