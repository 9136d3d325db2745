/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEARCH, SORT, THREAD (RFC 3501, 4731, 5032, 5182, 5256, 5267, 5957, 7162). All three walk the messages, match them,
 * and differ in what they do with those that match. The answer is exact and complete or it is NO: a message that cannot
 * be had now when the outcome depends on it ends the command. One that the server has and cannot give would do so for
 * ever: what is asked of it is neither true nor false (NOT does not match either), and the tagged OK tells how many
 * there were. Many messages are spread over many turns of the loop.
 */
#include <string.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "protocols/imap/imap_search.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_sort.h"
#include "protocols/imap/imap_source.h"
#include "protocols/imap/imap_thread.h"
#include "protocols/imap/imap_write.h"

#define AHEAD_LOOK 1024 /* messages looked at to fill a request */

struct search {
    struct imap_session *s;
    const struct imap_search *args;
    enum imap_verb verb;
    struct imap_search_env env;
    struct imap_seqset saved; /* "$" */
    struct imap_searcher *searcher;
    unsigned needs;
    bool wants_email_id;
    bool cares_for_size;     /* sizes decide something */
    bool wants_exact_size;   /* and exact-size = yes */
    struct imap_seqset seqs; /* to look at */
    struct imap_seqset_iter iter;
    uint32_t seq; /* at hand; 0 = take the next one */
    size_t hint;
    uint32_t unreadable_uid; /* the last one that the server cannot give; 0 = none */
    unsigned unreadable_n;
    struct imap_source src;
    struct arena keys; /* strings of SORT and THREAD */
    uint32_t *found;   /* sequence numbers, ascending */
    size_t n, size;
    struct imap_sort_entry *sorts;
    struct imap_thread_entry *threads;
};

static void step(struct imap_session *s);

static void stop(struct imap_session *s)
{
    struct search *q = s->work.ud;
    imap_source_done(&q->src);
    imap_searcher_free(q->searcher);
    arena_done(&q->keys);
    mem_free(q->found);
    mem_free(q->sorts);
    mem_free(q->threads);
}

/* --- what matched ----------------------------------------------------------------------------- */

static void grow(struct search *q)
{
    if (q->n < q->size)
        return;
    q->size = q->size ? q->size * 2 : 256;
    q->found = mem_realloc(q->found, q->size * sizeof(*q->found));
    if (q->verb == IMAP_SORT)
        q->sorts = mem_realloc(q->sorts, q->size * sizeof(*q->sorts));
    if (q->verb == IMAP_THREAD)
        q->threads = mem_realloc(q->threads, q->size * sizeof(*q->threads));
}

static bool wants_digest(const struct search *q)
{
    return q->verb == IMAP_THREAD || (q->verb == IMAP_SORT && imap_sort_needs_digest(q->args->sort, q->args->sort_n));
}

static uint64_t size_of(const struct search *q)
{
    const struct message *m = q->src.m;
    return q->wants_exact_size && !m->size_exact && q->src.message ? blob_size(q->src.message) : m->size;
}

static void add_found(struct search *q)
{
    const struct message *m = q->src.m;
    const struct imap_digest *digest = q->src.has_digest ? &q->src.digest : NULL;
    uint32_t id = q->s->command->uid ? m->uid : q->seq;
    grow(q);
    if (q->verb == IMAP_SORT) {
        struct imap_sort_entry *e = &q->sorts[q->n];
        *e = (struct imap_sort_entry){.seq = q->seq, .id = id, .arrival_s = m->received_s, .size = size_of(q)};
        imap_sort_fill(&q->keys, q->args->sort, q->args->sort_n, digest, e);
    } else if (q->verb == IMAP_THREAD) {
        struct imap_thread_entry *e = &q->threads[q->n];
        *e = (struct imap_thread_entry){.seq = q->seq, .id = id};
        imap_thread_fill(&q->keys, q->args->thread, digest, m->received_s, e);
    }
    q->found[q->n++] = q->seq;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* RFC 5182 2.1: with MIN or MAX alone only those are kept; with ALL, COUNT or nothing else, everything. */
static void save(struct search *q)
{
    struct imap_session *s = q->s;
    unsigned returns = q->args->returns;
    bool ends_only =
        (returns & (IMAP_RETURN_MIN | IMAP_RETURN_MAX)) && !(returns & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT));
    s->saved = mem_realloc(s->saved, (q->n + 2) * sizeof(*s->saved));
    s->saved_n = 0;
    for (size_t i = 0; i < q->n; i++) {
        bool first = i == 0 && (returns & IMAP_RETURN_MIN), last = i + 1 == q->n && (returns & IMAP_RETURN_MAX);
        if (!ends_only || first || last)
            s->saved[s->saved_n++] = view_uid(s->view, q->found[i]);
    }
}

static uint64_t modseq_of(struct search *q, uint32_t seq)
{
    const struct message *m = mailbox_find(q->s->mailbox, view_uid(q->s->view, seq));
    return m ? m->modseq : 0;
}

/* RFC 7162 3.1.5, RFC 4731 3.2: the highest of the messages that are told. */
static uint64_t highest_modseq(struct search *q)
{
    unsigned returns = q->args->returns;
    uint64_t highest = 0;
    if (!q->args->uses_modseq || q->n == 0)
        return 0;
    bool ends_only = q->args->has_return && !(returns & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT)) &&
                     (returns & (IMAP_RETURN_MIN | IMAP_RETURN_MAX));
    for (size_t i = 0; i < q->n; i++) {
        bool first = i == 0 && (returns & IMAP_RETURN_MIN), last = i + 1 == q->n && (returns & IMAP_RETURN_MAX);
        if (ends_only && !first && !last)
            continue;
        uint64_t modseq = modseq_of(q, q->found[i]);
        if (modseq > highest)
            highest = modseq;
    }
    return highest;
}

static void write_esearch(struct search *q, const uint32_t *numbers)
{
    struct imap_session *s = q->s;
    unsigned returns = q->args->returns & ~(unsigned)IMAP_RETURN_SAVE;
    if (returns == 0) /* RFC 5182 2.1: SAVE alone gets no ESEARCH */
        return;
    struct imap_esearch e = {.tag = s->command->tag,
                             .uid = s->command->uid,
                             .returns = returns,
                             .numbers = numbers,
                             .n = q->n,
                             .sorted = q->verb == IMAP_SORT,
                             .modseq = highest_modseq(q)};
    imap_write_esearch(&s->client.out, &e);
}

static void finish(struct search *q)
{
    struct imap_session *s = q->s;
    if (q->args->returns & IMAP_RETURN_SAVE)
        save(q);
    if (q->verb == IMAP_THREAD) {
        buf_lit(&s->client.out, "* THREAD");
        if (q->n > 0)
            buf_byte(&s->client.out, ' ');
        imap_thread_run(&s->client.out, q->args->thread, q->threads, q->n);
        buf_lit(&s->client.out, "\r\n");
    } else {
        uint64_t modseq = q->args->has_return ? 0 : highest_modseq(q);
        uint32_t *numbers = mem_array(q->n + 1, sizeof(*numbers));
        if (q->verb == IMAP_SORT)
            imap_sort_run(q->sorts, q->n, q->args->sort, q->args->sort_n);
        for (size_t i = 0; i < q->n; i++) {
            if (q->verb == IMAP_SORT)
                numbers[i] = q->sorts[i].id;
            else
                numbers[i] = s->command->uid ? view_uid(s->view, q->found[i]) : q->found[i];
        }
        if (q->args->has_return)
            write_esearch(q, numbers);
        else
            imap_write_numbers(&s->client.out, q->verb == IMAP_SORT ? "SORT" : "SEARCH", numbers, q->n, modseq);
        mem_free(numbers);
    }
    stop(s);
    if (q->unreadable_n == 0) {
        imap_finish_ok(s);
        return;
    }
    struct str text = arena_printf(&s->command->arena, "%s%s completed; %u of the messages could not be read.",
                                   s->command->uid ? "UID " : "", imap_verb_info(q->verb)->name, q->unreadable_n);
    imap_finish(s, "OK", NULL, text.p);
}

/* RFC 5182 2.1: a SEARCH with SAVE that ends in NO empties the saved result. */
static void finish_err(struct search *q)
{
    struct imap_session *s = q->s;
    struct err err = q->src.err;
    if (err.code == ERR_NONE)
        err_set(&err, ERR_INTERNAL, "a message could not be searched");
    if (q->args->returns & IMAP_RETURN_SAVE)
        s->saved_n = 0;
    stop(s);
    imap_finish_err(s, &err);
}

/* --- matching --------------------------------------------------------------------------------- */

static bool get_digest(void *ud, struct imap_search_message *sm)
{
    struct imap_source *src = ud;
    if (!imap_source_digest(src))
        return false;
    sm->digest = &src->digest;
    return true;
}

static bool get_header(void *ud, struct imap_search_message *sm)
{
    struct imap_source *src = ud;
    if (!imap_source_header(src))
        return false;
    sm->header = src->header;
    return true;
}

static bool get_message(void *ud, struct imap_search_message *sm)
{
    struct imap_source *src = ud;
    if (!imap_source_message(src) || !imap_source_structure(src))
        return false;
    sm->structure = src->root;
    sm->reader = &src->reader;
    return true;
}

static enum imap_match match(struct search *q, uint32_t seq)
{
    const struct message *m = q->src.m;
    struct mailbox *mailbox = q->s->mailbox;
    struct imap_search_message sm = {.seq = seq,
                                     .uid = m->uid,
                                     .flags = m->flags,
                                     .recent = view_recent(q->s->view, m->uid),
                                     .size = size_of(q),
                                     .modseq = m->modseq,
                                     .internal_s = m->received_s,
                                     .saved_s = m->saved_s,
                                     .ud = &q->src,
                                     .get_digest = get_digest,
                                     .get_header = get_header,
                                     .get_message = get_message};
    if (m->keyword_set)
        sm.keywords.items = mailbox_keywords(mailbox, m, &sm.keywords.n);
    if (q->wants_email_id)
        sm.email_id = mailbox_email_id(mailbox, m, &q->src.arena);
    return imap_searcher_match(q->searcher, &sm);
}

/* What else will be asked for: messages whose outcome depends on what is not here. */
static size_t look_ahead(struct search *q, enum content_need need, uint32_t *uids)
{
    struct imap_session *s = q->s;
    struct imap_seqset_iter iter = q->iter;
    size_t hint = q->hint, n = 0;
    uint32_t seq, uid = q->src.uid;
    uids[n++] = uid;
    for (size_t looked = 0; looked < AHEAD_LOOK && n < CONTENT_AHEAD && imap_seqset_iter_next(&iter, &seq); looked++) {
        const struct message *m = imap_message_at(s, seq, &hint);
        if (!m || content_has(s->mailbox, m, need))
            continue;
        imap_source_set(&q->src, m);
        enum imap_match outcome = match(q, seq);
        bool sorts = outcome == IMAP_MATCH_YES && wants_digest(q) && !imap_source_digest(&q->src);
        if (outcome == IMAP_MATCH_NEEDS_MESSAGE ||
            (need == CONTENT_HEADER && (sorts || outcome == IMAP_MATCH_NEEDS_HEADER)))
            uids[n++] = m->uid;
    }
    imap_source_set(&q->src, mailbox_find(s->mailbox, uid));
    return n;
}

static void on_content(void *ud, const struct content *content)
{
    struct imap_session *s = ud;
    struct search *q = s->work.ud;
    imap_source_took(&q->src, content);
    client_begin_slice(&s->client);
    if (content->err.code == ERR_NOT_FOUND) {
        q->seq = 0; /* gone: it matches nothing */
    } else if (content->unreadable) {
        log_warn("imap", imap_account_name(s), "%s: message %u could not be read: %s", imap_verb_info(q->verb)->name,
                 content->uid, content->err.text);
        q->unreadable_uid = content->uid;
        q->unreadable_n++;
    } else if (content->err.code != ERR_NONE) {
        finish_err(q);
        return;
    }
    step(s);
}

static bool ask(struct search *q, enum content_need need)
{
    uint32_t uids[CONTENT_AHEAD];
    size_t n = look_ahead(q, need, uids);
    if (!imap_source_ask(&q->src, uids, n, need, on_content))
        finish_err(q);
    return false;
}

/* False: the command waits, or is over. */
static bool judge(struct search *q)
{
    const struct message *m = q->src.m;
    bool unreadable = m->uid == q->unreadable_uid;
    if (q->cares_for_size && !q->wants_exact_size && !m->size_exact && !m->size_told) {
        /* FETCH RFC822.SIZE has to say the same afterwards. */
        if (!imap_tell_sizes(q->s, m->uid, q->iter, q->hint, &q->src.err)) {
            finish_err(q);
            return false;
        }
        imap_source_set(&q->src, mailbox_find(q->s->mailbox, q->src.uid));
    }
    if (q->wants_exact_size && !q->src.m->size_exact && !unreadable && !imap_source_message(&q->src))
        return ask(q, CONTENT_MESSAGE);
    enum imap_match outcome = match(q, q->seq);
    if (outcome == IMAP_MATCH_FAILED) {
        finish_err(q);
        return false;
    }
    if (outcome == IMAP_MATCH_YES) {
        if (wants_digest(q) && !unreadable && !imap_source_digest(&q->src))
            return ask(q, CONTENT_HEADER);
        add_found(q);
    } else if (outcome != IMAP_MATCH_NO && !unreadable) {
        return ask(q, outcome == IMAP_MATCH_NEEDS_HEADER ? CONTENT_HEADER : CONTENT_MESSAGE);
    }
    q->seq = 0;
    return true;
}

/* MIN alone is known with the first match. */
static bool is_decided(const struct search *q)
{
    return q->n > 0 && q->args->has_return && (q->args->returns & ~(unsigned)IMAP_RETURN_SAVE) == IMAP_RETURN_MIN &&
           q->verb == IMAP_SEARCH;
}

static void step(struct imap_session *s)
{
    struct search *q = s->work.ud;
    for (;;) {
        if (q->needs & IMAP_NEEDS_MESSAGE)
            s->client.slice_n |= 31; /* bodies take their time: look at the clock after each */
        if (!client_has_room(&s->client)) {
            client_yield(&s->client);
            return;
        }
        if (q->seq == 0 && (is_decided(q) || !imap_seqset_iter_next(&q->iter, &q->seq))) {
            finish(q);
            return;
        }
        const struct message *m = imap_message_at(s, q->seq, &q->hint);
        imap_source_set(&q->src, m);
        if (!m)
            q->seq = 0; /* expunged meanwhile: it matches nothing */
        else if (!judge(q))
            return;
    }
}

/* --- begin ------------------------------------------------------------------------------------ */

static bool names(const struct imap_search_key *key, enum imap_search_op op)
{
    for (; key; key = key->next) /* nesting is bounded by the parser */
        if (key->op == op || names(key->child, op))
            return true;
    return false;
}

static bool cares_for_size(const struct imap_search *args)
{
    for (size_t i = 0; i < args->sort_n; i++)
        if (args->sort[i].key == IMAP_SORT_SIZE)
            return true;
    return names(args->program, IMAP_SEARCH_LARGER) || names(args->program, IMAP_SEARCH_SMALLER);
}

static void set_bounds(struct search *q)
{
    struct imap_session *s = q->s;
    bool uid;
    const struct imap_seqset *set;
    struct imap_range *all = ARENA_NEW(&s->command->arena, struct imap_range);
    *all = (struct imap_range){1, view_count(s->view)};
    q->seqs = (struct imap_seqset){.ranges = all, .n = view_count(s->view) > 0};
    if (imap_searcher_bounds(q->searcher, &uid, &set))
        return;
    if (!imap_resolve(s, set, uid, &q->seqs)) /* numbers beyond the end match nothing */
        q->seqs = (struct imap_seqset){.ranges = all, .n = view_count(s->view) > 0};
}

static void begin(struct imap_session *s, struct imap_command *c)
{
    struct search *q = ARENA_NEW(&c->arena, struct search);
    uint32_t count = view_count(s->view);
    *q = (struct search){.s = s, .args = &c->search, .verb = c->verb};
    if (c->search.uses_modseq)
        imap_enable_condstore(s);
    imap_seqset_from_sorted(&c->arena, s->saved, s->saved_n, &q->saved);
    q->env = (struct imap_search_env){.charsets = imap_server_of(s)->charsets,
                                      .last_seq = count,
                                      .last_uid = count ? view_uid(s->view, count) : 0,
                                      .saved_uids = &q->saved,
                                      .now_s = time_wall_s()};
    q->searcher = imap_searcher_new(&q->env, c->search.program);
    q->needs = imap_search_needs(c->search.program);
    q->wants_email_id = names(c->search.program, IMAP_SEARCH_EMAILID);
    q->cares_for_size = cares_for_size(&c->search);
    q->wants_exact_size = q->cares_for_size && account_exact_size(s->client.account);
    imap_source_init(&q->src, s);
    set_bounds(q);
    imap_seqset_iter_init(&q->iter, &q->seqs);
    s->work = (struct imap_work){.step = step, .stop = stop, .ud = q};
    step(s);
}

void cmd_search(struct imap_session *s, struct imap_command *c)
{
    if (s->rev2 && !c->search.has_return) { /* RFC 9051 6.4.4: ESEARCH, and ALL where nothing else is asked for */
        c->search.has_return = true;
        c->search.returns = IMAP_RETURN_ALL;
    }
    begin(s, c);
}

void cmd_sort(struct imap_session *s, struct imap_command *c)
{
    begin(s, c);
}

void cmd_thread(struct imap_session *s, struct imap_command *c)
{
    begin(s, c);
}
