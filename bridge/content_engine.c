/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The asynchronous half of content.h. A `get` is somebody who waits for one message (and says what he will want next);
 * a `job` is one fetch op for several messages. pump() makes jobs from what the gets miss, as full as the backend's
 * batches are, as many at once as it likes; each get asks for each of its messages once, so that a failure is told and
 * never repeated by itself.
 */
#include "bridge/content_engine.h"

#include <string.h>

#include "bridge/account_private.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define RECENT_S  (30 * 24 * 3600) /* prefetch = recent */
#define SIZES_MAX 64

struct content_get {
    struct list link;
    struct content_engine *engine;
    struct mailbox *mailbox;
    enum content_need need;
    uint32_t *uids;
    bool *tried;
    size_t count;
    content_cb *cb;
    void *ud;
    struct deferred answer;
    struct content content; /* what answer will say; blobs referenced */
    bool answered;
};

struct wanted {
    int64_t pk;
    struct str id; /* in the job's arena */
    uint32_t uid;
    bool done;
};

struct job {
    struct list link;
    struct content_engine *engine;
    struct op *op;
    struct arena arena;
    int64_t folder_pk;
    enum content_need need;
    struct wanted *items;
    size_t count;
    bool background;
    unsigned failed;
};

struct content_engine {
    struct account *account;
    struct list gets, jobs;
    size_t job_count;
    bool stopped;
    struct deferred pump, flush;
    struct item_size sizes[SIZES_MAX]; /* not written down yet */
    size_t size_count;
    struct { /* a client that walks a folder one message at a time */
        int64_t folder_pk;
        uint32_t uid;
    } last;
    struct { /* background */
        int64_t *folders;
        size_t count, size;
        struct mailbox *mailbox;
        uint32_t below_uid;
    } prefetch;
};

/* --- gets ------------------------------------------------------------------------------------- */

static void get_free(struct content_get *g)
{
    list_remove(&g->link);
    loop_defer_cancel(&g->answer);
    mailbox_unref(&g->mailbox);
    blob_unref(&g->content.header);
    blob_unref(&g->content.message);
    mem_free(g->uids);
    mem_free(g->tried);
    mem_free(g);
}

static void on_answer(void *ud)
{
    struct content_get *g = ud;
    content_cb *cb = g->cb;
    void *who = g->ud;
    struct content content = g->content;
    g->content.header = g->content.message = NULL;
    get_free(g);
    cb(who, &content);
    blob_unref(&content.header);
    blob_unref(&content.message);
}

static void answer(struct content_get *g, const struct err *err, struct blob *header, struct blob *message)
{
    if (g->answered)
        return;
    g->answered = true;
    g->content.uid = g->uids[0];
    if (err)
        g->content.err = *err;
    g->content.header = header ? blob_ref(header) : NULL;
    g->content.message = message ? blob_ref(message) : NULL;
    loop_defer(g->engine->account->loop, &g->answer);
}

/* Whoever waits for this message as his first. */
static void answer_waiting(struct content_engine *e, int64_t folder_pk, uint32_t uid, enum content_need got,
                           const struct err *err, bool unreadable, struct blob *content)
{
    LIST_EACH (&e->gets, l) {
        struct content_get *g = LIST_ITEM(l, struct content_get, link);
        if (g->answered || g->uids[0] != uid || mailbox_folder_pk(g->mailbox) != folder_pk)
            continue;
        g->content.unreadable = unreadable;
        if (err)
            answer(g, err, NULL, NULL);
        else if (got == CONTENT_MESSAGE)
            answer(g, NULL, NULL, content);
        else if (g->need == CONTENT_HEADER)
            answer(g, NULL, content, NULL);
    }
}

static bool answer_from_cache(struct content_get *g)
{
    const struct message *msg = mailbox_find(g->mailbox, g->uids[0]);
    struct err err = {0};
    if (!msg) {
        err_set(&err, ERR_NOT_FOUND, "the message is gone");
        answer(g, &err, NULL, NULL);
        return true;
    }
    struct blob *message = cache_message(g->engine->account->cache, msg->pk);
    if (message) {
        answer(g, NULL, NULL, message);
        blob_unref(&message);
        return true;
    }
    struct arena arena = {0};
    struct str header;
    bool have = g->need == CONTENT_HEADER &&
                cache_header(g->engine->account->cache, msg->pk, &arena, &header) != CACHE_NO_HEADER;
    if (have) {
        struct blob *b = blob_from_str(header);
        answer(g, NULL, b, NULL);
        blob_unref(&b);
    }
    arena_done(&arena);
    return have;
}

/* --- sizes ------------------------------------------------------------------------------------ */

void content_flush_sizes(struct content_engine *e)
{
    struct err err = {0};
    if (e->size_count == 0)
        return;
    bool ok = store_sizes_exact(e->account->store, e->sizes, e->size_count, &err);
    if (!ok)
        log_warn("store", account_name(e->account), "sizes of messages: %s", err.text);
    for (size_t i = 0; ok && i < e->size_count; i++) {
        struct mailbox *m = mailbox_loaded(e->account, e->sizes[i].folder_pk);
        uint32_t uid = m ? store_item_uid(e->account->store, e->sizes[i].item_pk) : 0;
        if (uid)
            mailbox_size_known(m, uid, e->sizes[i].size);
    }
    e->size_count = 0;
}

static void on_flush(void *ud)
{
    content_flush_sizes(ud);
}

void content_size_known(struct content_engine *e, int64_t folder_pk, int64_t item_pk, uint64_t size)
{
    if (size > UINT32_MAX || e->stopped)
        return;
    e->sizes[e->size_count++] = (struct item_size){folder_pk, item_pk, (uint32_t)size};
    if (e->size_count == SIZES_MAX)
        content_flush_sizes(e);
    else if (e->job_count == 0)
        loop_defer(e->account->loop, &e->flush); /* else when a job ends */
}

/* --- jobs ------------------------------------------------------------------------------------- */

static bool in_flight(struct content_engine *e, int64_t pk, enum content_need need)
{
    LIST_EACH (&e->jobs, l) {
        struct job *j = LIST_ITEM(l, struct job, link);
        if (j->need < need)
            continue; /* a message job brings the header too */
        for (size_t i = 0; i < j->count; i++)
            if (j->items[i].pk == pk && !j->items[i].done)
                return true;
    }
    return false;
}

/* alone: this is said of the item, not of the whole request. */
static void item_failed(struct job *j, struct wanted *w, const struct err *err, bool alone)
{
    struct account *a = j->engine->account;
    bool unreadable = alone && (err->code == ERR_UNSUPPORTED || err->code == ERR_TOO_BIG || err->code == ERR_INVALID);
    w->done = true;
    j->failed++;
    if (err->code == ERR_NOT_FOUND) {
        struct err store_err = {0};
        struct mailbox *m = mailbox_loaded(a, j->folder_pk);
        if (!store_item_gone(a->store, j->folder_pk, w->pk, w->id, &store_err))
            log_warn("store", account_name(a), "%s", store_err.text);
        else if (m)
            mailbox_refresh(m);
    }
    answer_waiting(j->engine, j->folder_pk, w->uid, j->need, err, unreadable, NULL);
}

static void on_item(void *ud, const struct fetched *f)
{
    struct job *j = ud;
    if (j->engine->stopped || f->index >= j->count || j->items[f->index].done)
        return;
    struct wanted *w = &j->items[f->index];
    if (f->err->code != ERR_NONE) {
        item_failed(j, w, f->err, true);
        return;
    }
    w->done = true;
    enum content_need got = f->what == FETCH_MESSAGE ? CONTENT_MESSAGE : CONTENT_HEADER;
    if (got == CONTENT_MESSAGE)
        content_take_message(j->engine->account, j->folder_pk, w->pk, f->content);
    else
        content_take_header(j->engine->account, w->pk, f->content);
    answer_waiting(j->engine, j->folder_pk, w->uid, got, NULL, false, f->content);
}

static void job_free(struct job *j)
{
    list_remove(&j->link);
    j->engine->job_count--;
    op_cancel(&j->op);
    arena_done(&j->arena);
    mem_free(j);
}

static void prefetch_stop(struct content_engine *e)
{
    mailbox_unref(&e->prefetch.mailbox);
    e->prefetch.count = 0;
}

static void on_job_done(void *ud, const struct reply *reply)
{
    struct job *j = ud;
    struct content_engine *e = j->engine;
    struct err err = reply->err;
    j->op = NULL;
    if (err.code == ERR_NONE)
        err_set(&err, ERR_PROTOCOL, "the server left out a message that was asked for");
    else if (!j->background)
        log_warn("content", account_name(e->account), "%s", err.text);
    for (size_t i = 0; i < j->count; i++)
        if (!j->items[i].done && err.code != ERR_NOT_FOUND) {
            item_failed(j, &j->items[i], &err, false);
        } else if (!j->items[i].done) { /* the folder is gone: the hierarchy will tell */
            j->items[i].done = true;
            answer_waiting(e, j->folder_pk, j->items[i].uid, j->need, &err, false, NULL);
        }
    if (j->background && (reply->err.code != ERR_NONE || j->failed == j->count))
        prefetch_stop(e); /* until the next change: no hammering from the background */
    job_free(j);
    content_flush_sizes(e);
    loop_defer(e->account->loop, &e->pump);
}

struct batch {
    struct wanted items[CONTENT_AHEAD];
    size_t count, max;
    uint64_t bytes, bytes_max;
};

static void batch_init(struct batch *b, const struct account *a, enum content_need need)
{
    const struct backend_limits *l = account_limits(a);
    unsigned max = need == CONTENT_MESSAGE ? l->fetch_message_batch : l->fetch_header_batch;
    *b = (struct batch){.max = max ? max : 1,
                        .bytes_max =
                            need == CONTENT_MESSAGE && l->fetch_message_bytes ? l->fetch_message_bytes : UINT64_MAX};
    if (b->max > CONTENT_AHEAD)
        b->max = CONTENT_AHEAD;
}

static bool batch_add(struct batch *b, const struct message *msg)
{
    if (b->count == b->max || (b->count && b->bytes + msg->size > b->bytes_max))
        return false;
    b->items[b->count++] = (struct wanted){.pk = msg->pk, .uid = msg->uid};
    b->bytes += msg->size;
    return true;
}

static void start_job(struct content_engine *e, int64_t folder_pk, enum content_need need, const struct batch *b,
                      bool background)
{
    const struct folder *folder = account_folder_by_pk(e->account, folder_pk);
    struct job *j = MEM_NEW(struct job);
    j->engine = e;
    j->folder_pk = folder_pk;
    j->need = need;
    j->background = background;
    j->items = arena_array(&j->arena, b->count, sizeof(*j->items));
    memcpy(j->items, b->items, b->count * sizeof(*j->items));
    j->count = b->count;
    list_init(&j->link);
    list_append(&e->jobs, &j->link);
    e->job_count++;
    struct str *ids = arena_array(&j->arena, b->count, sizeof(*ids));
    uint64_t estimate;
    for (size_t i = 0; i < b->count; i++) {
        store_item_id(e->account->store, b->items[i].pk, &j->arena, &ids[i], &estimate);
        j->items[i].id = ids[i];
    }
    struct fetch_request request = {
        .folder_id = folder ? folder->server_id : STR_NULL,
        .ids = ids,
        .count = b->count,
        .what = need == CONTENT_MESSAGE ? FETCH_MESSAGE : FETCH_HEADER,
        .on_item = on_item,
    };
    j->op = backend_fetch(e->account->backend, &request, on_job_done, j);
}

/* --- what to fetch ---------------------------------------------------------------------------- */

static bool missing(struct content_engine *e, struct mailbox *m, const struct message *msg, enum content_need need)
{
    return !content_has(m, msg, need) && !in_flight(e, msg->pk, need);
}

/* Uncached neighbours of a message asked for alone, later ones first: clients that fetch one by one walk upwards. */
static void add_neighbours(struct content_engine *e, struct content_get *g, struct batch *b)
{
    struct mailbox *m = g->mailbox;
    size_t at = mailbox_lower_bound(m, g->uids[0]), looked = 0, limit = 4 * b->max;
    for (size_t i = at + 1; i < mailbox_count(m) && looked < limit && b->count < b->max; i++, looked++) {
        const struct message *msg = mailbox_at(m, i);
        if (missing(e, m, msg, g->need) && !batch_add(b, msg))
            return;
    }
    looked = 0;
    for (size_t i = at; i-- > 0 && looked < limit && b->count < b->max; looked++) {
        const struct message *msg = mailbox_at(m, i);
        if (missing(e, m, msg, g->need) && !batch_add(b, msg))
            return;
    }
}

static bool fill_from_list(struct content_engine *e, struct content_get *g, struct batch *b)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->tried[i])
            continue;
        const struct message *msg = mailbox_find(g->mailbox, g->uids[i]);
        if (msg && missing(e, g->mailbox, msg, g->need) && !batch_add(b, msg))
            break;
        g->tried[i] = true;
    }
    return b->count > 0;
}

static bool is_walking(const struct content_engine *e, const struct content_get *g)
{
    if (e->last.folder_pk != mailbox_folder_pk(g->mailbox) || g->uids[0] <= e->last.uid)
        return false;
    size_t from = mailbox_lower_bound(g->mailbox, e->last.uid), to = mailbox_lower_bound(g->mailbox, g->uids[0]);
    return to - from <= 64;
}

static void pump_get(struct content_engine *e, struct content_get *g)
{
    const struct backend_limits *limits = account_limits(e->account);
    unsigned parallel = limits->fetch_parallel ? limits->fetch_parallel : 1;
    bool alone = g->count == 1, walking = alone && is_walking(e, g);
    while (e->job_count < parallel) {
        struct batch b;
        batch_init(&b, e->account, g->need);
        bool fresh = fill_from_list(e, g, &b);
        if (alone && (fresh || walking))
            add_neighbours(e, g, &b);
        /* A read-ahead batch that is not full is not worth a request of its own. */
        if (b.count == 0 || (!fresh && b.count < b.max && b.bytes < b.bytes_max / 2))
            return;
        start_job(e, mailbox_folder_pk(g->mailbox), g->need, &b, false);
    }
}

static void pump_prefetch(struct content_engine *e);

static void on_pump(void *ud)
{
    struct content_engine *e = ud;
    if (e->stopped)
        return;
    LIST_EACH (&e->gets, l) {
        struct content_get *g = LIST_ITEM(l, struct content_get, link);
        if (!g->answered)
            pump_get(e, g);
        if (g->answered || !g->tried[0])
            continue;
        const struct message *msg = mailbox_find(g->mailbox, g->uids[0]);
        if (!msg || !in_flight(e, msg->pk, g->need)) {
            if (answer_from_cache(g))
                continue;
            struct err err = {0};
            err_set(&err, ERR_OFFLINE, "the message could not be fetched");
            answer(g, &err, NULL, NULL);
        }
    }
    pump_prefetch(e);
}

struct content_get *content_get(struct mailbox *m, const uint32_t *uids, size_t count, enum content_need need,
                                content_cb *cb, void *ud)
{
    struct content_engine *e = mailbox_account(m)->content;
    struct content_get *g = MEM_NEW(struct content_get);
    g->engine = e;
    g->mailbox = mailbox_ref(m);
    g->need = need;
    g->count = count < CONTENT_AHEAD ? count : CONTENT_AHEAD;
    g->uids = mem_dup(uids, g->count * sizeof(*uids));
    g->tried = mem_array(g->count, sizeof(*g->tried));
    g->cb = cb;
    g->ud = ud;
    list_init(&g->link);
    deferred_init(&g->answer, on_answer, g);
    list_append(&e->gets, &g->link);
    if (e->stopped) {
        answer(g, account_health(e->account), NULL, NULL);
    } else if (!answer_from_cache(g)) {
        on_pump(e);
    }
    if (count == 1) {
        e->last.folder_pk = mailbox_folder_pk(m);
        e->last.uid = uids[0];
    }
    return g;
}

void content_get_cancel(struct content_get **g)
{
    if (!*g)
        return;
    get_free(*g);
    *g = NULL;
}

/* --- prefetch --------------------------------------------------------------------------------- */

void content_prefetch(struct content_engine *e, int64_t folder_pk)
{
    if (e->account->opts.prefetch == PREFETCH_NONE || e->stopped)
        return;
    for (size_t i = 0; i < e->prefetch.count; i++)
        if (e->prefetch.folders[i] == folder_pk && i > 0)
            return; /* waits its turn already */
    if (e->prefetch.count == e->prefetch.size) {
        e->prefetch.size = e->prefetch.size ? e->prefetch.size * 2 : 16;
        e->prefetch.folders = mem_realloc(e->prefetch.folders, e->prefetch.size * sizeof(int64_t));
    }
    e->prefetch.folders[e->prefetch.count++] = folder_pk;
    loop_defer(e->account->loop, &e->pump);
}

static enum content_need prefetch_need(const struct content_engine *e, const struct message *msg)
{
    switch (e->account->opts.prefetch) {
    case PREFETCH_ALL:
        return CONTENT_MESSAGE;
    case PREFETCH_RECENT:
        return time_wall_s() - msg->received_s < RECENT_S ? CONTENT_MESSAGE : CONTENT_HEADER;
    case PREFETCH_NONE:
    case PREFETCH_HEADERS:
        break;
    }
    return CONTENT_HEADER;
}

/* The next messages of the folder at the head of the queue, newest first; false when it has none left. */
static bool next_batch(struct content_engine *e, struct batch *b, enum content_need *need)
{
    struct mailbox *m = e->prefetch.mailbox;
    for (size_t i = mailbox_lower_bound(m, e->prefetch.below_uid); i-- > 0;) {
        const struct message *msg = mailbox_at(m, i);
        enum content_need want = prefetch_need(e, msg);
        if (b->count && want != *need)
            break;
        if (!b->count) {
            *need = want;
            batch_init(b, e->account, want);
        }
        if (missing(e, m, msg, want) && !batch_add(b, msg))
            break;
        e->prefetch.below_uid = msg->uid;
    }
    return b->count > 0;
}

static void pump_prefetch(struct content_engine *e)
{
    while (e->prefetch.count && e->job_count == 0) {
        struct batch b = {0};
        enum content_need need = CONTENT_HEADER;
        if (!e->prefetch.mailbox) {
            e->prefetch.mailbox = mailbox_load(e->account, e->prefetch.folders[0], NULL);
            e->prefetch.below_uid = UINT32_MAX;
        }
        if (e->prefetch.mailbox && next_batch(e, &b, &need)) {
            start_job(e, e->prefetch.folders[0], need, &b, true);
            return;
        }
        mailbox_unref(&e->prefetch.mailbox);
        e->prefetch.count--;
        memmove(e->prefetch.folders, e->prefetch.folders + 1, e->prefetch.count * sizeof(int64_t));
    }
}

/* --- life ------------------------------------------------------------------------------------- */

struct content_engine *content_engine_new(struct account *a)
{
    struct content_engine *e = MEM_NEW(struct content_engine);
    e->account = a;
    list_init(&e->gets);
    list_init(&e->jobs);
    deferred_init(&e->pump, on_pump, e);
    deferred_init(&e->flush, on_flush, e);
    return e;
}

void content_engine_stop(struct content_engine *e)
{
    if (!e || e->stopped)
        return;
    e->stopped = true;
    e->size_count = 0;
    prefetch_stop(e);
    LIST_EACH (&e->jobs, l)
        op_detach(&LIST_ITEM(l, struct job, link)->op);
    LIST_EACH (&e->gets, l)
        answer(LIST_ITEM(l, struct content_get, link), account_health(e->account), NULL, NULL);
}

void content_engine_free(struct content_engine **ep)
{
    struct content_engine *e = *ep;
    if (!e)
        return;
    *ep = NULL;
    prefetch_stop(e);
    loop_defer_cancel(&e->pump);
    loop_defer_cancel(&e->flush);
    if (!e->stopped)
        content_flush_sizes(e);
    while (!list_empty(&e->gets))
        get_free(LIST_ITEM(e->gets.next, struct content_get, link));
    while (!list_empty(&e->jobs))
        job_free(LIST_ITEM(e->jobs.next, struct job, link));
    mem_free(e->prefetch.folders);
    mem_free(e);
}
