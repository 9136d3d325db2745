/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEARCH, SORT and THREAD: RETURN options (RFC 4731, RFC 5182, RFC 5267), CHARSET, and the keys of RFC 3501 6.4.4 and
 * of WITHIN (RFC 5032), CONDSTORE (RFC 7162), SAVEDATE (RFC 8514), OBJECTID (RFC 8474). Texts are converted to UTF-8
 * and folded here, once.
 */
#include "bridge/formats/date.h"
#include "bridge/formats/unicode.h"
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_write.h"

struct search_parser {
    struct imap_args *args;
    struct str charset;
    struct imap_search *search;
    size_t keys;
};

static struct imap_search_key *parse_key(struct search_parser *p);

static struct imap_search_key *new_key(struct search_parser *p, enum imap_search_op op)
{
    if (++p->keys > p->args->limits->items) {
        imap_args_fail(p->args, "Too many search keys");
        return NULL;
    }
    struct imap_search_key *k = ARENA_NEW(p->args->arena, struct imap_search_key);
    k->op = op;
    return k;
}

static struct imap_search_key *wrap(struct search_parser *p, enum imap_search_op op, struct imap_search_key *child)
{
    struct imap_search_key *k = child ? new_key(p, op) : NULL;
    if (k)
        k->child = child;
    return k;
}

/* --- arguments of keys ------------------------------------------------------------------------------------------- */

static bool take_text(struct search_parser *p, struct imap_search_key *k)
{
    struct imap_args *a = p->args;
    struct str raw;
    if (!imap_args_space(a) || !imap_args_astring(a, &raw))
        return false;
    struct buf utf8 = BUF_INIT(0), folded = BUF_INIT(0);
    charset_to_utf8(a->charsets, p->charset, raw, &utf8);
    unicode_fold_add(&folded, buf_view(&utf8));
    k->text = arena_str(a->arena, buf_view(&utf8));
    k->folded = arena_str(a->arena, buf_view(&folded));
    bool ok = !utf8.failed && !folded.failed;
    buf_done(&utf8);
    buf_done(&folded);
    return ok || imap_args_fail_with(a, "BAD", "TOOBIG", "A search text is too long");
}

static bool take_header(struct search_parser *p, struct imap_search_key *k)
{
    return imap_args_space(p->args) && imap_args_astring(p->args, &k->field) && take_text(p, k);
}

static bool take_day(struct search_parser *p, struct imap_search_key *k)
{
    struct str date;
    if (!imap_args_space(p->args) || !imap_args_astring(p->args, &date))
        return false;
    return date_parse_imap_day(date, &k->day) || imap_args_fail(p->args, "Wrong date");
}

static bool take_number(struct search_parser *p, struct imap_search_key *k)
{
    return imap_args_space(p->args) && imap_args_u64(p->args, &k->number);
}

static bool take_interval(struct search_parser *p, struct imap_search_key *k)
{
    if (!take_number(p, k))
        return false;
    return k->number > 0 || imap_args_fail(p->args, "The interval cannot be 0"); /* RFC 5032 4: nz-number */
}

/* MODSEQ [entry-name entry-type] n (RFC 7162 3.1.5); only flags have entries and they share the message's MODSEQ. */
static bool take_modseq(struct search_parser *p, struct imap_search_key *k)
{
    struct imap_args *a = p->args;
    static const struct imap_word types[] = {{"PRIV", 0}, {"SHARED", 1}, {"ALL", 2}};
    if (!imap_args_space(a))
        return false;
    if (imap_args_is(a, '"')) {
        struct str entry;
        unsigned which;
        if (!imap_args_string(a, &entry) || !imap_args_space(a) ||
            !imap_args_word(a, types, 3, "Wrong entry type", &which) || !imap_args_space(a))
            return false;
        if (!str_case_starts(entry, STR("/flags/")))
            return imap_args_fail(a, "Unknown MODSEQ entry");
    }
    p->search->uses_modseq = true;
    return imap_args_u64(a, &k->number);
}

static bool take_keyword(struct search_parser *p, struct imap_search_key *k)
{
    if (!imap_args_space(p->args) || !imap_args_atom(p->args, &k->text))
        return false;
    k->bits = imap_flag_bit(k->text);
    if (k->bits != 0)
        k->op = IMAP_SEARCH_FLAG;
    return true;
}

static bool take_uids(struct search_parser *p, struct imap_search_key *k)
{
    if (!imap_args_space(p->args) || !imap_args_seqset(p->args, &k->set))
        return false;
    p->search->uses_saved = p->search->uses_saved || k->set.saved;
    return true;
}

static bool take_object_id(struct search_parser *p, struct imap_search_key *k)
{
    return imap_args_space(p->args) && imap_args_astring(p->args, &k->text);
}

/* --- the keys ---------------------------------------------------------------------------------------------------- */

struct key_name {
    const char *name;
    enum imap_search_op op;
    bool negated;
    unsigned bits;
    bool (*take)(struct search_parser *p, struct imap_search_key *k);
};
static const struct key_name key_names[] = {
    {"ALL", IMAP_SEARCH_ALL, false, 0, NULL},
    {"ANSWERED", IMAP_SEARCH_FLAG, false, ITEM_ANSWERED, NULL},
    {"BCC", IMAP_SEARCH_BCC, false, 0, take_text},
    {"BEFORE", IMAP_SEARCH_BEFORE, false, 0, take_day},
    {"BODY", IMAP_SEARCH_BODY, false, 0, take_text},
    {"CC", IMAP_SEARCH_CC, false, 0, take_text},
    {"DELETED", IMAP_SEARCH_FLAG, false, ITEM_DELETED, NULL},
    {"DRAFT", IMAP_SEARCH_FLAG, false, ITEM_DRAFT, NULL},
    {"EMAILID", IMAP_SEARCH_EMAILID, false, 0, take_object_id},
    {"FLAGGED", IMAP_SEARCH_FLAG, false, ITEM_FLAGGED, NULL},
    {"FROM", IMAP_SEARCH_FROM, false, 0, take_text},
    {"HEADER", IMAP_SEARCH_HEADER, false, 0, take_header},
    {"KEYWORD", IMAP_SEARCH_KEYWORD, false, 0, take_keyword},
    {"LARGER", IMAP_SEARCH_LARGER, false, 0, take_number},
    {"MODSEQ", IMAP_SEARCH_MODSEQ, false, 0, take_modseq},
    {"OLD", IMAP_SEARCH_RECENT, true, 0, NULL},
    {"OLDER", IMAP_SEARCH_OLDER, false, 0, take_interval},
    {"ON", IMAP_SEARCH_ON, false, 0, take_day},
    {"RECENT", IMAP_SEARCH_RECENT, false, 0, NULL},
    {"SAVEDATESUPPORTED", IMAP_SEARCH_SAVEDATESUPPORTED, false, 0, NULL},
    {"SAVEDBEFORE", IMAP_SEARCH_SAVEDBEFORE, false, 0, take_day},
    {"SAVEDON", IMAP_SEARCH_SAVEDON, false, 0, take_day},
    {"SAVEDSINCE", IMAP_SEARCH_SAVEDSINCE, false, 0, take_day},
    {"SEEN", IMAP_SEARCH_FLAG, false, ITEM_SEEN, NULL},
    {"SENTBEFORE", IMAP_SEARCH_SENTBEFORE, false, 0, take_day},
    {"SENTON", IMAP_SEARCH_SENTON, false, 0, take_day},
    {"SENTSINCE", IMAP_SEARCH_SENTSINCE, false, 0, take_day},
    {"SINCE", IMAP_SEARCH_SINCE, false, 0, take_day},
    {"SMALLER", IMAP_SEARCH_SMALLER, false, 0, take_number},
    {"SUBJECT", IMAP_SEARCH_SUBJECT, false, 0, take_text},
    {"TEXT", IMAP_SEARCH_TEXT, false, 0, take_text},
    {"THREADID", IMAP_SEARCH_THREADID, false, 0, take_object_id},
    {"TO", IMAP_SEARCH_TO, false, 0, take_text},
    {"UID", IMAP_SEARCH_UID, false, 0, take_uids},
    {"UNANSWERED", IMAP_SEARCH_FLAG, true, ITEM_ANSWERED, NULL},
    {"UNDELETED", IMAP_SEARCH_FLAG, true, ITEM_DELETED, NULL},
    {"UNDRAFT", IMAP_SEARCH_FLAG, true, ITEM_DRAFT, NULL},
    {"UNFLAGGED", IMAP_SEARCH_FLAG, true, ITEM_FLAGGED, NULL},
    {"UNKEYWORD", IMAP_SEARCH_KEYWORD, true, 0, take_keyword},
    {"UNSEEN", IMAP_SEARCH_FLAG, true, ITEM_SEEN, NULL},
    {"YOUNGER", IMAP_SEARCH_YOUNGER, false, 0, take_interval},
};

/* NEW is RECENT UNSEEN (RFC 3501 6.4.4). */
static struct imap_search_key *make_new(struct search_parser *p)
{
    struct imap_search_key *recent = new_key(p, IMAP_SEARCH_RECENT);
    struct imap_search_key *seen = new_key(p, IMAP_SEARCH_FLAG);
    if (!recent || !seen)
        return NULL;
    seen->bits = ITEM_SEEN;
    recent->next = wrap(p, IMAP_SEARCH_NOT, seen);
    return recent->next ? wrap(p, IMAP_SEARCH_AND, recent) : NULL;
}

static bool enter(struct search_parser *p)
{
    if (p->args->depth >= p->args->limits->depth)
        return imap_args_fail(p->args, "Search keys are nested too deep");
    p->args->depth++;
    return true;
}

static bool next_is_or(const struct imap_args *a)
{
    struct str s = a->rest;
    while (s.n > 0 && s.p[0] == ' ')
        s = str_skip(s, 1);
    return str_case_starts(s, STR("OR "));
}

/* OR a b. Clients ask for one of many with OR a OR b OR c d, which is one key with many children here, so that depth
 * does not limit how many. */
static struct imap_search_key *parse_or(struct search_parser *p)
{
    struct imap_search_key *k = new_key(p, IMAP_SEARCH_OR);
    if (!k || !enter(p))
        return NULL;
    struct imap_search_key **end = &k->child;
    for (;;) {
        if (!imap_args_space(p->args) || !(*end = parse_key(p)))
            return NULL;
        end = &(*end)->next;
        if (!next_is_or(p->args))
            break;
        if (!imap_args_space(p->args))
            return NULL;
        p->args->rest = str_skip(p->args->rest, 2);
    }
    if (!imap_args_space(p->args) || !(*end = parse_key(p)))
        return NULL;
    p->args->depth--;
    return k;
}

static struct imap_search_key *parse_not(struct search_parser *p)
{
    if (!enter(p) || !imap_args_space(p->args))
        return NULL;
    struct imap_search_key *k = wrap(p, IMAP_SEARCH_NOT, parse_key(p));
    p->args->depth--;
    return k;
}

static struct imap_search_key *parse_group(struct search_parser *p)
{
    struct imap_search_key *k = new_key(p, IMAP_SEARCH_AND);
    if (!k || !imap_args_open(p->args))
        return NULL;
    struct imap_search_key **end = &k->child;
    size_t count = 0;
    while (imap_args_more(p->args, &count)) {
        if (!(*end = parse_key(p)))
            return NULL;
        end = &(*end)->next;
    }
    if (imap_args_ok(p->args) && count == 0)
        imap_args_fail(p->args, "Empty parentheses in SEARCH");
    return imap_args_ok(p->args) ? k : NULL;
}

static struct imap_search_key *parse_set(struct search_parser *p)
{
    struct imap_search_key *k = new_key(p, IMAP_SEARCH_SEQ);
    if (!k || !imap_args_seqset(p->args, &k->set))
        return NULL;
    p->search->uses_saved = p->search->uses_saved || k->set.saved;
    return k;
}

static struct imap_search_key *parse_named(struct search_parser *p)
{
    struct str name;
    if (!imap_args_name(p->args, &name))
        return NULL;
    if (str_is(name, "OR"))
        return parse_or(p);
    if (str_is(name, "NOT"))
        return parse_not(p);
    if (str_is(name, "NEW"))
        return make_new(p);
    for (size_t i = 0; i < sizeof(key_names) / sizeof(key_names[0]); i++) {
        const struct key_name *known = &key_names[i];
        if (!str_is(name, known->name))
            continue;
        struct imap_search_key *k = new_key(p, known->op);
        if (!k)
            return NULL;
        k->bits = known->bits;
        if (known->take && !known->take(p, k))
            return NULL;
        return known->negated ? wrap(p, IMAP_SEARCH_NOT, k) : k;
    }
    imap_args_fail(p->args, "Unknown search key");
    return NULL;
}

static struct imap_search_key *parse_key(struct search_parser *p)
{
    if (p->args->rest.n == 0) {
        imap_args_fail(p->args, "A search key is missing");
        return NULL;
    }
    char c = p->args->rest.p[0];
    if (c == '(')
        return parse_group(p);
    if ((c >= '0' && c <= '9') || c == '*' || c == '$')
        return parse_set(p);
    return parse_named(p);
}

bool imap_parse_search_keys(struct imap_args *a, struct str charset, struct imap_search *search)
{
    struct search_parser p = {.args = a, .charset = charset, .search = search};
    if (charset.n > 0 && !charset_known(a->charsets, charset))
        return imap_args_fail_with(a, "NO", "BADCHARSET (US-ASCII UTF-8)", "The charset is not known");
    struct imap_search_key *program = new_key(&p, IMAP_SEARCH_AND);
    struct imap_search_key **end = &program->child;
    do {
        if (!(*end = parse_key(&p)))
            return false;
        end = &(*end)->next;
    } while (imap_args_is(a, ' ') && str_trim(a->rest).n > 0 && imap_args_space(a));
    search->program = program;
    return imap_args_end(a);
}

/* --- the commands ------------------------------------------------------------------------------------------------ */

/* If the next word is `word`, take it and the space after it. */
static bool take_word(struct imap_args *a, struct str word)
{
    if (!str_case_starts(a->rest, word) || a->rest.n == word.n || a->rest.p[word.n] != ' ')
        return false;
    a->rest = str_skip(a->rest, word.n);
    return imap_args_space(a);
}

/* RETURN (MIN MAX ALL COUNT SAVE) */
static bool parse_return(struct imap_args *a, struct imap_search *s)
{
    static const struct imap_word options[] = {{"MIN", IMAP_RETURN_MIN},
                                               {"MAX", IMAP_RETURN_MAX},
                                               {"ALL", IMAP_RETURN_ALL},
                                               {"COUNT", IMAP_RETURN_COUNT},
                                               {"SAVE", IMAP_RETURN_SAVE}};
    if (!take_word(a, STR("RETURN")))
        return imap_args_ok(a);
    size_t count = 0;
    if (!imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        unsigned one = 0;
        if (!imap_args_word(a, options, 5, "Unknown RETURN option", &one))
            return false;
        s->returns |= one;
    }
    s->has_return = true;
    if (s->returns == 0)
        s->returns = IMAP_RETURN_ALL; /* RFC 4731 3.1 */
    return imap_args_ok(a) && imap_args_space(a);
}

bool imap_parse_search(struct imap_args *a, struct imap_command *c)
{
    struct str charset = STR_NULL;
    if (!imap_args_space(a) || !parse_return(a, &c->search))
        return false;
    if (take_word(a, STR("CHARSET")) && (!imap_args_astring(a, &charset) || !imap_args_space(a)))
        return false;
    return imap_args_ok(a) && imap_parse_search_keys(a, charset, &c->search);
}

static bool parse_sort_keys(struct imap_args *a, struct imap_search *s)
{
    static const struct imap_word keys[] = {{"ARRIVAL", IMAP_SORT_ARRIVAL},
                                            {"CC", IMAP_SORT_CC},
                                            {"DATE", IMAP_SORT_DATE},
                                            {"FROM", IMAP_SORT_FROM},
                                            {"SIZE", IMAP_SORT_SIZE},
                                            {"SUBJECT", IMAP_SORT_SUBJECT},
                                            {"TO", IMAP_SORT_TO},
                                            {"DISPLAYTO", IMAP_SORT_DISPLAYTO},
                                            {"DISPLAYFROM", IMAP_SORT_DISPLAYFROM},
                                            {"REVERSE", 100}};
    struct imap_sort_by by[2 * (IMAP_SORT_DISPLAYTO + 1)];
    size_t n = 0, count = 0;
    bool reverse = false;
    if (!imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        unsigned one = 0;
        if (!imap_args_word(a, keys, sizeof(keys) / sizeof(keys[0]), "Unknown SORT key", &one))
            return false;
        if (one == 100) {
            if (reverse)
                return imap_args_fail(a, "REVERSE twice");
            reverse = true;
            continue;
        }
        if (n == sizeof(by) / sizeof(by[0]))
            return imap_args_fail(a, "Too many SORT keys");
        by[n++] = (struct imap_sort_by){(enum imap_sort_key)one, reverse};
        reverse = false;
    }
    if (!imap_args_ok(a))
        return false;
    if (n == 0 || reverse)
        return imap_args_fail(a, "SORT wants a key");
    struct imap_sort_by *kept = arena_array(a->arena, n, sizeof(*kept));
    memcpy(kept, by, n * sizeof(*kept));
    s->sort = kept;
    s->sort_n = n;
    return true;
}

bool imap_parse_sort(struct imap_args *a, struct imap_command *c)
{
    struct str charset;
    return imap_args_space(a) && parse_return(a, &c->search) && parse_sort_keys(a, &c->search) && imap_args_space(a) &&
           imap_args_astring(a, &charset) && imap_args_space(a) && imap_parse_search_keys(a, charset, &c->search);
}

bool imap_parse_thread(struct imap_args *a, struct imap_command *c)
{
    static const struct imap_word algorithms[] = {{"ORDEREDSUBJECT", IMAP_THREAD_ORDEREDSUBJECT},
                                                  {"REFERENCES", IMAP_THREAD_REFERENCES},
                                                  {"REFS", IMAP_THREAD_REFS}};
    unsigned which = 0;
    struct str charset;
    if (!imap_args_space(a) || !imap_args_word(a, algorithms, 3, "Unknown THREAD algorithm", &which) ||
        !imap_args_space(a) || !imap_args_astring(a, &charset) || !imap_args_space(a))
        return false;
    c->search.thread = (enum imap_thread_by)which;
    return imap_parse_search_keys(a, charset, &c->search);
}
