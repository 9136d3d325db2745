/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/imap/imap_search.h"

#include "bridge/base/mem.h"
#include "bridge/formats/date.h"
#include "protocols/imap/imap_scan.h"

/* A key, ready for use: sets resolved, children in the order of their cost. */
struct node {
    const struct imap_search_key *key;
    struct imap_seqset set;
    struct node *child, *next;
    unsigned cost;
};

struct imap_searcher {
    struct imap_search_env env;
    struct arena arena;
    struct node *program;
    struct imap_scan scan;
    /* Of the message at hand: what was asked for already. */
    bool asked_digest, asked_header, asked_message;
    bool failed;
    struct buf header; /* read from the message */
};

enum truth { NO, YES, UNKNOWN };
enum need { NEED_HEADER = IMAP_NEEDS_HEADER, NEED_MESSAGE = IMAP_NEEDS_MESSAGE };

/* --- preparing --------------------------------------------------------------------------------------------------- */

static unsigned cost_of(const struct imap_search_key *k)
{
    switch (k->op) {
    case IMAP_SEARCH_BODY:
    case IMAP_SEARCH_TEXT:
        return 1000;
    case IMAP_SEARCH_HEADER:
        return 100;
    case IMAP_SEARCH_FROM:
    case IMAP_SEARCH_TO:
    case IMAP_SEARCH_CC:
    case IMAP_SEARCH_BCC:
    case IMAP_SEARCH_SUBJECT:
        return 20;
    case IMAP_SEARCH_SENTBEFORE:
    case IMAP_SEARCH_SENTON:
    case IMAP_SEARCH_SENTSINCE:
        return 10;
    case IMAP_SEARCH_KEYWORD:
        return 2;
    case IMAP_SEARCH_ALL:
    case IMAP_SEARCH_AND:
    case IMAP_SEARCH_OR:
    case IMAP_SEARCH_NOT:
    case IMAP_SEARCH_SEQ:
    case IMAP_SEARCH_UID:
    case IMAP_SEARCH_FLAG:
    case IMAP_SEARCH_RECENT:
    case IMAP_SEARCH_LARGER:
    case IMAP_SEARCH_SMALLER:
    case IMAP_SEARCH_MODSEQ:
    case IMAP_SEARCH_BEFORE:
    case IMAP_SEARCH_ON:
    case IMAP_SEARCH_SINCE:
    case IMAP_SEARCH_SAVEDBEFORE:
    case IMAP_SEARCH_SAVEDON:
    case IMAP_SEARCH_SAVEDSINCE:
    case IMAP_SEARCH_SAVEDATESUPPORTED:
    case IMAP_SEARCH_OLDER:
    case IMAP_SEARCH_YOUNGER:
    case IMAP_SEARCH_EMAILID:
    case IMAP_SEARCH_THREADID:
        break;
    }
    return 1;
}

/* Depth is bounded by the parser's limit. Long lists of children are sorted by three buckets of cost, not by insertion
 * into one list, which would be quadratic in what the client sends. */
static struct node *prepare(struct imap_searcher *s, const struct imap_search_key *k)
{
    struct node *n = ARENA_NEW(&s->arena, struct node);
    n->key = k;
    n->cost = cost_of(k);
    if (k->op == IMAP_SEARCH_SEQ || k->op == IMAP_SEARCH_UID)
        imap_seqset_resolve(&s->arena, &k->set, k->op == IMAP_SEARCH_SEQ ? s->env.last_seq : s->env.last_uid, &n->set);
    struct {
        struct node *first, **end;
    } buckets[4];
    for (size_t i = 0; i < 4; i++)
        buckets[i].end = &buckets[i].first, buckets[i].first = NULL;
    for (const struct imap_search_key *c = k->child; c; c = c->next) {
        struct node *child = prepare(s, c);
        size_t b = child->cost < 10 ? 0 : child->cost < 100 ? 1 : child->cost < 1000 ? 2 : 3;
        *buckets[b].end = child;
        buckets[b].end = &child->next;
        if (child->cost > n->cost)
            n->cost = child->cost;
    }
    struct node **end = &n->child;
    for (size_t i = 0; i < 4; i++) {
        *end = buckets[i].first;
        if (buckets[i].first)
            end = buckets[i].end;
    }
    *end = NULL;
    return n;
}

struct imap_searcher *imap_searcher_new(const struct imap_search_env *env, const struct imap_search_key *program)
{
    struct imap_searcher *s = MEM_NEW(struct imap_searcher);
    s->env = *env;
    imap_scan_init(&s->scan, env->charsets);
    s->program = prepare(s, program);
    return s;
}

void imap_searcher_free(struct imap_searcher *s)
{
    if (s == NULL)
        return;
    imap_scan_done(&s->scan);
    buf_done(&s->header);
    arena_done(&s->arena);
    mem_free(s);
}

unsigned imap_search_needs(const struct imap_search_key *k)
{
    unsigned needs = 0;
    for (const struct imap_search_key *c = k->child; c; c = c->next)
        needs |= imap_search_needs(c);
    unsigned cost = cost_of(k);
    return needs | (cost >= 1000 ? NEED_MESSAGE : cost >= 10 ? NEED_HEADER : 0);
}

bool imap_searcher_bounds(struct imap_searcher *s, bool *ret_uid, const struct imap_seqset **ret_set)
{
    for (struct node *n = s->program->child; n; n = n->next) {
        bool uid = n->key->op == IMAP_SEARCH_UID;
        if (!uid && n->key->op != IMAP_SEARCH_SEQ)
            continue;
        *ret_uid = uid || n->set.saved;
        *ret_set = &n->set;
        if (n->set.saved) {
            static const struct imap_seqset nothing = {NULL, 0, false};
            *ret_set = s->env.saved_uids ? s->env.saved_uids : &nothing;
        }
        return false;
    }
    return true;
}

/* --- what is known of the message -------------------------------------------------------------------------------- */

static bool have_message(struct imap_searcher *s, struct imap_search_message *m)
{
    if (m->structure && m->reader)
        return true;
    if (s->asked_message || m->get_message == NULL)
        return false;
    s->asked_message = true;
    return m->get_message(m->ud, m) && m->structure && m->reader;
}

/* The header block; from the message when it is here anyway. */
static bool have_header(struct imap_searcher *s, struct imap_search_message *m)
{
    if (m->header.p)
        return true;
    if (!s->asked_header && m->get_header) {
        s->asked_header = true;
        if (m->get_header(m->ud, m) && m->header.p)
            return true;
    }
    if (!have_message(s, m))
        return false;
    buf_reset(&s->header);
    const struct mime_part *root = m->structure;
    if (!m->reader->read(m->reader->ud, root->header_at, (size_t)(root->body_at - root->header_at), &s->header)) {
        s->failed = true;
        return false;
    }
    m->header = str_of(buf_z(&s->header), s->header.n);
    return true;
}

static bool have_digest(struct imap_searcher *s, struct imap_search_message *m)
{
    if (m->digest)
        return true;
    if (s->asked_digest || m->get_digest == NULL)
        return false;
    s->asked_digest = true;
    return m->get_digest(m->ud, m) && m->digest;
}

/* --- keys over the header ---------------------------------------------------------------------------------------- */

static enum truth contains(bool there, struct str folded, struct str needle)
{
    return there && (needle.n == 0 || str_find(folded, needle) != (size_t)-1) ? YES : NO;
}

static enum truth match_field(struct imap_searcher *s, struct imap_search_message *m, struct str name,
                              struct str needle, unsigned *needs)
{
    if (have_header(s, m))
        return imap_scan_field(&s->scan, m->header, name, needle) ? YES : NO;
    if (!s->failed)
        *needs |= NEED_HEADER;
    return UNKNOWN;
}

static enum truth match_envelope(struct imap_searcher *s, struct imap_search_message *m,
                                 const struct imap_search_key *k, unsigned *needs)
{
    static const struct {
        enum imap_search_op op;
        const char *field;
        size_t text, there;
    } fields[] = {
        {IMAP_SEARCH_FROM, "From", offsetof(struct imap_digest, from), offsetof(struct imap_digest, has_from)},
        {IMAP_SEARCH_TO, "To", offsetof(struct imap_digest, to), offsetof(struct imap_digest, has_to)},
        {IMAP_SEARCH_CC, "Cc", offsetof(struct imap_digest, cc), offsetof(struct imap_digest, has_cc)},
        {IMAP_SEARCH_BCC, "Bcc", offsetof(struct imap_digest, bcc), offsetof(struct imap_digest, has_bcc)},
        {IMAP_SEARCH_SUBJECT, "Subject", offsetof(struct imap_digest, subject),
         offsetof(struct imap_digest, has_subject)}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (k->op == IMAP_SEARCH_HEADER ? !str_case_is(k->field, fields[i].field) : k->op != fields[i].op)
            continue;
        if (!have_digest(s, m))
            return match_field(s, m, str_from(fields[i].field), k->folded, needs);
        const char *d = (const char *)m->digest;
        return contains(*(const bool *)(d + fields[i].there), *(const struct str *)(const void *)(d + fields[i].text),
                        k->folded);
    }
    return match_field(s, m, k->field, k->folded, needs);
}

static enum truth match_sent(struct imap_searcher *s, struct imap_search_message *m, const struct imap_search_key *k,
                             unsigned *needs)
{
    int64_t date_s;
    int zone;
    if (have_digest(s, m)) {
        if (!m->digest->has_date)
            return NO;
        date_s = m->digest->date_s;
        zone = m->digest->date_zone;
    } else if (have_header(s, m)) {
        struct str value;
        if (!header_find(m->header, "Date", &value) || !date_parse(value, &date_s, &zone))
            return NO;
    } else {
        if (!s->failed)
            *needs |= NEED_HEADER;
        return UNKNOWN;
    }
    int64_t day = date_day(date_s, zone);
    bool yes = k->op == IMAP_SEARCH_SENTON       ? day == k->day
               : k->op == IMAP_SEARCH_SENTBEFORE ? day < k->day
                                                 : day >= k->day;
    return yes ? YES : NO;
}

/* --- keys over the message --------------------------------------------------------------------------------------- */

static enum truth match_text(struct imap_searcher *s, struct imap_search_message *m, const struct imap_search_key *k,
                             unsigned *needs)
{
    bool header = k->op == IMAP_SEARCH_TEXT;
    if (k->folded.n == 0)
        return YES;
    if (header && have_header(s, m) && imap_scan_header(&s->scan, m->header, k->folded))
        return YES;
    if (s->failed)
        return UNKNOWN;
    if (!have_message(s, m)) {
        *needs |= NEED_MESSAGE;
        return UNKNOWN;
    }
    bool found;
    if (!imap_scan_message(&s->scan, m->structure, m->reader, header, k->folded, &found)) {
        s->failed = true;
        return UNKNOWN;
    }
    return found ? YES : NO;
}

/* --- cheap keys ------------------------------------------------------------------------------- */

static bool has_keyword(const struct imap_search_message *m, struct str keyword)
{
    for (size_t i = 0; i < m->keywords.n; i++)
        if (str_case_eq(m->keywords.items[i], keyword))
            return true;
    return false;
}

static bool in_set(const struct imap_searcher *s, const struct imap_search_message *m, const struct node *n)
{
    if (n->set.saved)
        return s->env.saved_uids && imap_seqset_has(s->env.saved_uids, m->uid);
    return imap_seqset_has(&n->set, n->key->op == IMAP_SEARCH_SEQ ? m->seq : m->uid);
}

static int64_t day_of(const struct imap_searcher *s, const struct imap_search_message *m, bool saved)
{
    return date_day(saved && m->saved_s != 0 ? m->saved_s : m->internal_s, s->env.zone_minutes);
}

static bool match_cheap(const struct imap_searcher *s, const struct imap_search_message *m, const struct node *n)
{
    const struct imap_search_key *k = n->key;
    switch (k->op) {
    case IMAP_SEARCH_SEQ:
    case IMAP_SEARCH_UID:
        return in_set(s, m, n);
    case IMAP_SEARCH_FLAG:
        return (m->flags & k->bits) == k->bits;
    case IMAP_SEARCH_KEYWORD:
        return has_keyword(m, k->text);
    case IMAP_SEARCH_RECENT:
        return m->recent;
    case IMAP_SEARCH_LARGER:
        return m->size > k->number;
    case IMAP_SEARCH_SMALLER:
        return m->size < k->number;
    case IMAP_SEARCH_MODSEQ:
        return m->modseq >= k->number;
    case IMAP_SEARCH_BEFORE:
    case IMAP_SEARCH_SAVEDBEFORE:
        return day_of(s, m, k->op == IMAP_SEARCH_SAVEDBEFORE) < k->day;
    case IMAP_SEARCH_ON:
    case IMAP_SEARCH_SAVEDON:
        return day_of(s, m, k->op == IMAP_SEARCH_SAVEDON) == k->day;
    case IMAP_SEARCH_SINCE:
    case IMAP_SEARCH_SAVEDSINCE:
        return day_of(s, m, k->op == IMAP_SEARCH_SAVEDSINCE) >= k->day;
    /* RFC 5032 3: OLDER is at least that old, YOUNGER at most. */
    case IMAP_SEARCH_OLDER:
        return k->number <= INT64_MAX / 2 && m->internal_s <= s->env.now_s - (int64_t)k->number;
    case IMAP_SEARCH_YOUNGER:
        return k->number > INT64_MAX / 2 || m->internal_s >= s->env.now_s - (int64_t)k->number;
    case IMAP_SEARCH_EMAILID:
        return m->email_id.n > 0 && str_eq(m->email_id, k->text);
    case IMAP_SEARCH_THREADID:
        return m->thread_id.n > 0 && str_eq(m->thread_id, k->text);
    case IMAP_SEARCH_ALL:
    case IMAP_SEARCH_SAVEDATESUPPORTED:
    case IMAP_SEARCH_AND:
    case IMAP_SEARCH_OR:
    case IMAP_SEARCH_NOT:
    case IMAP_SEARCH_SENTBEFORE:
    case IMAP_SEARCH_SENTON:
    case IMAP_SEARCH_SENTSINCE:
    case IMAP_SEARCH_HEADER:
    case IMAP_SEARCH_FROM:
    case IMAP_SEARCH_TO:
    case IMAP_SEARCH_CC:
    case IMAP_SEARCH_BCC:
    case IMAP_SEARCH_SUBJECT:
    case IMAP_SEARCH_BODY:
    case IMAP_SEARCH_TEXT:
        break;
    }
    return true;
}

/* --- the program ------------------------------------------------------------------------------ */

static enum truth match(struct imap_searcher *s, struct imap_search_message *m, const struct node *n, unsigned *needs);

/* AND ends at the first NO, OR at the first YES; what is unknown matters only if none ends it. */
static enum truth match_all(struct imap_searcher *s, struct imap_search_message *m, const struct node *n,
                            enum truth ends, unsigned *needs)
{
    enum truth result = ends == NO ? YES : NO;
    unsigned wanted = 0;
    for (const struct node *c = n->child; c; c = c->next) {
        enum truth t = match(s, m, c, &wanted);
        if (t == ends)
            return ends;
        if (t == UNKNOWN)
            result = UNKNOWN;
    }
    if (result == UNKNOWN)
        *needs |= wanted;
    return result;
}

static enum truth match(struct imap_searcher *s, struct imap_search_message *m, const struct node *n, unsigned *needs)
{
    enum truth t;
    switch (n->key->op) {
    case IMAP_SEARCH_AND:
        return match_all(s, m, n, NO, needs);
    case IMAP_SEARCH_OR:
        return match_all(s, m, n, YES, needs);
    case IMAP_SEARCH_NOT:
        t = match(s, m, n->child, needs);
        return t == UNKNOWN ? UNKNOWN : t == YES ? NO : YES;
    case IMAP_SEARCH_HEADER:
    case IMAP_SEARCH_FROM:
    case IMAP_SEARCH_TO:
    case IMAP_SEARCH_CC:
    case IMAP_SEARCH_BCC:
    case IMAP_SEARCH_SUBJECT:
        return match_envelope(s, m, n->key, needs);
    case IMAP_SEARCH_SENTBEFORE:
    case IMAP_SEARCH_SENTON:
    case IMAP_SEARCH_SENTSINCE:
        return match_sent(s, m, n->key, needs);
    case IMAP_SEARCH_BODY:
    case IMAP_SEARCH_TEXT:
        return match_text(s, m, n->key, needs);
    case IMAP_SEARCH_ALL:
    case IMAP_SEARCH_SEQ:
    case IMAP_SEARCH_UID:
    case IMAP_SEARCH_FLAG:
    case IMAP_SEARCH_KEYWORD:
    case IMAP_SEARCH_RECENT:
    case IMAP_SEARCH_LARGER:
    case IMAP_SEARCH_SMALLER:
    case IMAP_SEARCH_MODSEQ:
    case IMAP_SEARCH_BEFORE:
    case IMAP_SEARCH_ON:
    case IMAP_SEARCH_SINCE:
    case IMAP_SEARCH_SAVEDBEFORE:
    case IMAP_SEARCH_SAVEDON:
    case IMAP_SEARCH_SAVEDSINCE:
    case IMAP_SEARCH_SAVEDATESUPPORTED:
    case IMAP_SEARCH_OLDER:
    case IMAP_SEARCH_YOUNGER:
    case IMAP_SEARCH_EMAILID:
    case IMAP_SEARCH_THREADID:
        break;
    }
    return match_cheap(s, m, n) ? YES : NO;
}

enum imap_match imap_searcher_match(struct imap_searcher *s, struct imap_search_message *m)
{
    unsigned needs = 0;
    s->asked_digest = s->asked_header = s->asked_message = s->failed = false;
    switch (match(s, m, s->program, &needs)) {
    case NO:
        return IMAP_MATCH_NO;
    case YES:
        return IMAP_MATCH_YES;
    case UNKNOWN:
        break;
    }
    if (needs & NEED_HEADER) /* the smaller thing first: it may be enough */
        return IMAP_MATCH_NEEDS_HEADER;
    return needs & NEED_MESSAGE ? IMAP_MATCH_NEEDS_MESSAGE : IMAP_MATCH_FAILED;
}
