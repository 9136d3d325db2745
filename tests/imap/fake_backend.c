/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/imap/fake_backend.h"

#include <stdio.h>
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/header.h"

enum fake_kind { FAKE_LOGIN, FAKE_FOLDERS, FAKE_SYNC, FAKE_FETCH, FAKE_WATCH, FAKE_MAX };
static const char *const kind_names[FAKE_MAX] = {"login", "folders", "sync", "fetch", "watch"};

struct fake_folder {
    struct list link;
    char *id, *parent, *name;
    enum folder_kind kind;
    enum folder_use use;
    bool gone;
    uint64_t changed; /* number of its last change */
    bool stale;
};

struct fake_item {
    struct list link;
    struct fake_item *same_hash;
    char *folder, *id;
    struct str message; /* ours */
    unsigned flags;
    int64_t received_s;
    struct str *categories;
    size_t category_n;
    bool gone;
    uint64_t changed;
    enum err_code fail;
    unsigned fail_n;
};

#define HASH_SIZE 65536

struct fake {
    struct list folders, items;
    struct fake_item *by_id[HASH_SIZE];
    uint64_t changes; /* numbers every change */
    struct {
        uint64_t delay_ms;
        enum err_code fail;
        unsigned fail_n;
        unsigned count;
    } ops[FAKE_MAX];
    unsigned headers, messages, page;
    bool quiet;
    struct fake_op *reporting; /* the fetch that calls on_item now; NULL when that cancelled it */
    struct list watches;       /* struct fake_op */
};

struct fake_backend {
    struct backend base;
    struct fake *fake;
};

struct fake_op {
    struct op op;
    struct list link; /* parked watch */
    struct fake *fake;
    enum fake_kind kind;
    struct timer *timer;
    struct str folder, cursor;
    struct str *ids;
    size_t id_n;
    enum fetch_what what;
    fetched_cb *on_item;
    void *ud;
};

/* --- the model
 * ---------------------------------------------------------------------------------------------------------- */

static struct fake_folder *find_folder(struct fake *f, struct str id)
{
    LIST_EACH (&f->folders, link) {
        struct fake_folder *folder = LIST_ITEM(link, struct fake_folder, link);
        if (str_is(id, folder->id))
            return folder;
    }
    return NULL;
}

static uint32_t hash_of(struct str id)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < id.n; i++)
        hash = (hash ^ (unsigned char)id.p[i]) * 16777619u;
    return hash % HASH_SIZE;
}

static struct fake_item *find_item(struct fake *f, struct str folder, struct str id)
{
    for (struct fake_item *item = f->by_id[hash_of(id)]; item; item = item->same_hash)
        if (str_is(id, item->id) && (folder.n == 0 || str_is(folder, item->folder)))
            return item;
    return NULL;
}

static void finish_watch(struct fake_op *o, const char *folder)
{
    struct str *ids = arena_array(&o->op.arena, 1, sizeof(*ids));
    list_remove(&o->link);
    ids[0] = arena_str(&o->op.arena, str_from(folder));
    o->op.reply->watch.folder_ids = ids;
    o->op.reply->watch.count = folder ? 1 : 0;
    o->op.reply->watch.hierarchy = !folder;
    timer_free(&o->timer);
    op_finish(&o->op);
}

static void wake(struct fake *f, const char *folder)
{
    while (!list_empty(&f->watches))
        finish_watch(LIST_ITEM(f->watches.next, struct fake_op, link), folder);
}

static void item_changed(struct fake *f, struct fake_item *item)
{
    item->changed = ++f->changes;
    list_remove(&item->link);
    list_append(&f->items, &item->link); /* kept in the order of their last change */
    if (!f->quiet)
        wake(f, item->folder);
}

/* --- operations
 * --------------------------------------------------------------------------------------------------------- */

static bool take_failure(struct fake_op *o)
{
    struct fake *f = o->fake;
    if (f->ops[o->kind].fail_n == 0)
        return false;
    f->ops[o->kind].fail_n--;
    struct err err = {0};
    err_set(&err, f->ops[o->kind].fail, "ordered by the test");
    if (err.code == ERR_THROTTLED)
        err.retry_after_s = 1;
    op_finish_err(&o->op, &err);
    return true;
}

static void run_folders(struct fake_op *o)
{
    struct fake *f = o->fake;
    struct folder_info *list;
    size_t n = 0;
    uint64_t since = 0;
    if (o->cursor.n)
        str_to_u64(o->cursor, &since);
    LIST_EACH (&f->folders, link)
        n++;
    list = arena_array(&o->op.arena, n, sizeof(*list));
    n = 0;
    LIST_EACH (&f->folders, link) {
        struct fake_folder *folder = LIST_ITEM(link, struct fake_folder, link);
        if (folder->changed <= since || (folder->gone && !o->cursor.n))
            continue;
        list[n++] = (struct folder_info){.id = str_from(folder->id),
                                         .parent_id = str_from(folder->parent),
                                         .name = str_from(folder->name),
                                         .kind = folder->kind,
                                         .use = folder->use,
                                         .gone = folder->gone};
    }
    o->op.reply->folders.list = list;
    o->op.reply->folders.count = n;
    o->op.reply->folders.full = o->cursor.n == 0;
    o->op.reply->folders.cursor = arena_printf(&o->op.arena, "%llu", (unsigned long long)f->changes);
    op_finish(&o->op);
}

static struct item_info info_of(const struct fake_item *item, struct arena *a)
{
    struct str id, subject;
    struct item_info info = {.id = str_from(item->id), .gone = item->gone};
    if (item->gone)
        return info;
    info.flags = item->flags;
    info.flags_known = 0xff;
    info.categories_known = true;
    info.categories = item->categories;
    info.category_count = item->category_n;
    info.received_ms = item->received_s * 1000;
    info.size_estimate = item->message.n;
    if (header_find(item->message, "Message-ID", &id))
        info.message_id = str_trim(id);
    if (header_find(item->message, "Subject", &subject))
        info.subject = header_unfold(a, subject);
    return info;
}

static void run_sync(struct fake_op *o)
{
    struct fake *f = o->fake;
    struct fake_folder *folder = find_folder(f, o->folder);
    struct err err = {0};
    uint64_t since = 0;
    if (!folder || folder->gone) {
        err_set(&err, ERR_NOT_FOUND, "no such folder");
        op_finish_err(&o->op, &err);
        return;
    }
    if (folder->stale && o->cursor.n) {
        folder->stale = false;
        err_set(&err, ERR_STALE, "ordered by the test");
        op_finish_err(&o->op, &err);
        return;
    }
    str_to_u64(o->cursor, &since);
    unsigned page = f->page;
    struct item_info *list = arena_array(&o->op.arena, page, sizeof(*list));
    size_t n = 0;
    uint64_t last = f->changes;
    bool more = false;
    LIST_EACH (&f->items, link) {
        struct fake_item *item = LIST_ITEM(link, struct fake_item, link);
        if (item->changed <= since || !str_is(o->folder, item->folder) || (item->gone && since == 0))
            continue;
        if (n == page) {
            more = true;
            break;
        }
        list[n++] = info_of(item, &o->op.arena);
        if (n == page)
            last = item->changed;
    }
    o->op.reply->items.list = list;
    o->op.reply->items.count = n;
    o->op.reply->items.more = more;
    o->op.reply->items.restarted = o->cursor.n == 0;
    o->op.reply->items.cursor = arena_printf(&o->op.arena, "%llu", (unsigned long long)(more ? last : f->changes));
    op_finish(&o->op);
}

static void fetch_one(struct fake_op *o, size_t i)
{
    struct fake *f = o->fake;
    struct err err = {0};
    struct fetched fetched = {.index = i, .err = &err, .what = o->what};
    struct fake_item *item = find_item(f, STR_NULL, o->ids[i]);
    if (!item || item->gone) {
        err_set(&err, ERR_NOT_FOUND, "no such item");
    } else if (item->fail_n > 0) {
        item->fail_n--;
        err_set(&err, item->fail, "ordered by the test");
    } else {
        struct str bytes = item->message;
        if (o->what == FETCH_HEADER) {
            bytes.n = header_block_size(bytes);
            f->headers++;
        } else {
            f->messages++;
        }
        fetched.content = blob_from_str(bytes);
    }
    o->on_item(o->ud, &fetched);
    blob_unref(&fetched.content);
}

static void run_fetch(struct fake_op *o)
{
    struct fake *f = o->fake;
    f->reporting = o;
    for (size_t i = 0; f->reporting && i < o->id_n; i++)
        fetch_one(o, i);
    if (!f->reporting)
        return;
    f->reporting = NULL;
    op_finish(&o->op);
}

static void run_op(void *ud)
{
    struct fake_op *o = ud;
    timer_free(&o->timer);
    if (take_failure(o))
        return;
    switch (o->kind) {
    case FAKE_LOGIN:
        if (o->cursor.n && !str_is(o->cursor, "right")) {
            struct err err = {0};
            err_set(&err, ERR_AUTH, "wrong password");
            op_finish_err(&o->op, &err);
            return;
        }
        op_finish(&o->op);
        break;
    case FAKE_FOLDERS:
        run_folders(o);
        break;
    case FAKE_SYNC:
        run_sync(o);
        break;
    case FAKE_FETCH:
        run_fetch(o);
        break;
    case FAKE_WATCH:
        list_append(&o->fake->watches, &o->link);
        break;
    case FAKE_MAX:
        abort();
    }
}

static void start_op(struct op *op)
{
    struct fake_op *o = (struct fake_op *)op;
    o->fake->ops[o->kind].count++;
    o->timer = timer_new(op->loop, run_op, o);
    timer_start(o->timer, o->fake->ops[o->kind].delay_ms);
}

static void abort_op(struct op *op)
{
    struct fake_op *o = (struct fake_op *)op;
    timer_free(&o->timer);
    list_remove(&o->link);
    if (o->fake->reporting == o)
        o->fake->reporting = NULL;
}

static const struct op_class fake_class = {"fake", sizeof(struct fake_op), start_op, abort_op};

static struct fake_op *new_op(struct backend *b, enum fake_kind kind, op_cb *cb, void *ud)
{
    struct fake_op *o = (struct fake_op *)op_new(b->loop, &fake_class, cb, ud);
    o->fake = ((struct fake_backend *)b)->fake;
    o->kind = kind;
    o->ud = ud;
    list_init(&o->link);
    return o;
}

static struct op *fake_login(struct backend *b, struct str secret, op_cb *cb, void *ud)
{
    struct fake_op *o = new_op(b, FAKE_LOGIN, cb, ud);
    o->cursor = arena_str(&o->op.arena, secret);
    return &o->op;
}

static struct op *fake_folders(struct backend *b, struct str cursor, op_cb *cb, void *ud)
{
    struct fake_op *o = new_op(b, FAKE_FOLDERS, cb, ud);
    o->cursor = arena_str(&o->op.arena, cursor);
    return &o->op;
}

static struct op *fake_sync(struct backend *b, struct str folder, struct str cursor, op_cb *cb, void *ud)
{
    struct fake_op *o = new_op(b, FAKE_SYNC, cb, ud);
    o->folder = arena_str(&o->op.arena, folder);
    o->cursor = arena_str(&o->op.arena, cursor);
    return &o->op;
}

static struct op *fake_fetch(struct backend *b, const struct fetch_request *request, op_cb *cb, void *ud)
{
    struct fake_op *o = new_op(b, FAKE_FETCH, cb, ud);
    o->ids = arena_array(&o->op.arena, request->count, sizeof(*o->ids));
    o->id_n = request->count;
    for (size_t i = 0; i < request->count; i++)
        o->ids[i] = arena_str(&o->op.arena, request->ids[i]);
    o->what = request->what;
    o->on_item = request->on_item;
    return &o->op;
}

static struct op *fake_watch(struct backend *b, const struct str *folders, size_t n, op_cb *cb, void *ud)
{
    (void)folders;
    (void)n;
    return &new_op(b, FAKE_WATCH, cb, ud)->op;
}

static struct backend *fake_open(const struct backend_config *config, struct err *err)
{
    (void)err;
    struct fake_backend *b = MEM_NEW(struct fake_backend);
    b->base.ops = &fake_backend_ops;
    b->base.loop = config->loop;
    b->base.caps = CAP_PUSH_ALL | CAP_KEYWORDS;
    b->base.limits = (struct backend_limits){.sync_page = 512,
                                             .fetch_header_batch = 100,
                                             .fetch_message_batch = 20,
                                             .fetch_message_bytes = 8u << 20,
                                             .fetch_parallel = 4,
                                             .write_batch = 100,
                                             .message_max = 36700160};
    b->fake = (struct fake *)(void *)config->login;
    return &b->base;
}

static void fake_close(struct backend *b)
{
    mem_free(b);
}

const struct backend_ops fake_backend_ops = {.name = "fake",
                                             .open = fake_open,
                                             .close = fake_close,
                                             .login = fake_login,
                                             .folders = fake_folders,
                                             .sync = fake_sync,
                                             .fetch = fake_fetch,
                                             .watch = fake_watch};

/* --- commands
 * ----------------------------------------------------------------------------------------------------------- */

struct words {
    struct str rest;
};

static struct str word(struct words *w)
{
    struct str piece;
    return str_cut(&w->rest, ' ', &piece) ? piece : STR("");
}

static uint64_t number(struct words *w)
{
    uint64_t n = 0;
    str_to_u64(word(w), &n);
    return n;
}

static char *decoded(struct str s)
{
    struct buf b = BUF_INIT(1 << 20);
    if (!str_is(s, "-"))
        text_percent_decode(&b, s);
    char *z = mem_strdup(buf_z(&b));
    buf_done(&b);
    return z;
}

static unsigned flags_of(struct str s)
{
    static const char letters[] = "SFAWDTJM";
    unsigned flags = 0;
    for (size_t i = 0; i < s.n; i++)
        for (unsigned bit = 0; letters[bit]; bit++)
            if (s.p[i] == letters[bit])
                flags |= 1u << bit;
    return flags;
}

static int index_of(struct str s, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (str_is(s, names[i]))
            return i;
    return 0;
}

static void free_categories(struct fake_item *item)
{
    for (size_t i = 0; i < item->category_n; i++)
        mem_free((char *)item->categories[i].p);
    mem_free(item->categories);
    item->categories = NULL;
    item->category_n = 0;
}

static void set_categories(struct fake_item *item, struct str list)
{
    struct str one;
    free_categories(item);
    if (str_is(list, "-"))
        return;
    while (str_cut(&list, ',', &one)) {
        item->categories = mem_realloc(item->categories, (item->category_n + 1) * sizeof(*item->categories));
        item->categories[item->category_n++] = str_from(decoded(one));
    }
}

/* Takes the message's bytes. */
static struct fake_item *add_item(struct fake *f, struct str folder, struct str id, struct str message)
{
    struct fake_item *item = MEM_NEW(struct fake_item), **bucket = &f->by_id[hash_of(id)];
    item->folder = str_dup(folder);
    item->id = str_dup(id);
    item->message = message;
    item->same_hash = *bucket;
    *bucket = item;
    list_init(&item->link);
    return item;
}

static struct str taken(struct buf *b)
{
    struct str bytes = {mem_dup(b->p, b->n ? b->n : 1), b->n};
    buf_done(b);
    return bytes;
}

static void do_folder(struct fake *f, struct words *w, struct buf *answer)
{
    static const char *const kinds[] = {"mail", "calendar", "tasks", "contacts", "other"};
    static const char *const uses[] = {"none", "inbox", "drafts", "sent", "trash", "junk", "archive", "outbox"};
    struct str id = word(w), parent = word(w);
    struct fake_folder *folder = find_folder(f, id);
    if (!folder) {
        folder = MEM_NEW(struct fake_folder);
        folder->id = str_dup(id);
        list_init(&folder->link);
        list_append(&f->folders, &folder->link);
    }
    mem_free(folder->parent);
    mem_free(folder->name);
    folder->parent = decoded(parent);
    folder->name = decoded(word(w));
    folder->kind = (enum folder_kind)index_of(word(w), kinds, 5);
    folder->use = (enum folder_use)index_of(word(w), uses, 8);
    folder->changed = ++f->changes;
    wake(f, NULL);
    buf_lit(answer, "ok");
}

static void do_rmfolder(struct fake *f, struct words *w, struct buf *answer)
{
    struct fake_folder *folder = find_folder(f, word(w));
    if (folder) {
        folder->gone = true;
        folder->changed = ++f->changes;
        wake(f, NULL);
    }
    buf_lit(answer, folder ? "ok" : "error no folder");
}

static void do_item(struct fake *f, struct words *w, struct buf *answer)
{
    struct str folder = word(w), id = word(w), flags = word(w);
    int64_t received = (int64_t)number(w);
    struct str categories = word(w);
    struct buf message = BUF_INIT(0);
    if (!text_base64_decode(&message, word(w))) {
        buf_lit(answer, "error base64");
        return;
    }
    buf_byte(&message, '\0'); /* so that an empty one has a place, too */
    message.n--;
    struct fake_item *item = add_item(f, folder, id, taken(&message));
    item->flags = flags_of(flags);
    item->received_s = received;
    set_categories(item, categories);
    item_changed(f, item);
    buf_lit(answer, "ok");
}

static void do_load(struct fake *f, struct words *w, struct buf *answer)
{
    struct str folder = word(w), id = word(w), flags = word(w);
    int64_t received = (int64_t)number(w);
    char *path = decoded(word(w));
    FILE *file = fopen(path, "rb");
    mem_free(path);
    if (!file) {
        buf_lit(answer, "error file");
        return;
    }
    fseek(file, 0, SEEK_END);
    long n = ftell(file);
    rewind(file);
    char *bytes = mem_alloc((size_t)n + 1);
    n = (long)fread(bytes, 1, (size_t)n, file);
    fclose(file);
    struct fake_item *item = add_item(f, folder, id, (struct str){bytes, (size_t)n});
    item->flags = flags_of(flags);
    item->received_s = received;
    item_changed(f, item);
    buf_lit(answer, "ok");
}

static void do_bulk(struct fake *f, struct words *w, struct buf *answer)
{
    struct str folder = word(w), prefix = word(w);
    uint64_t count = number(w), size = number(w);
    bool quiet = f->quiet;
    f->quiet = true;
    for (uint64_t i = 0; i < count; i++) {
        struct buf message = BUF_INIT(0);
        char id[64];
        snprintf(id, sizeof(id), "%.*s%llu", (int)prefix.n, prefix.p, (unsigned long long)i);
        buf_printf(&message,
                   "From: Sender %llu <s%llu@example.com>\r\nTo: Alice <alice@example.com>\r\nSubject: Number %llu\r\n"
                   "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%s@example.com>\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
                   (unsigned long long)i, (unsigned long long)(i % 97), (unsigned long long)i, id);
        while (message.n < size)
            buf_lit(&message, "The quick brown fox jumps over the lazy dog, again and again and again.\r\n");
        struct fake_item *item = add_item(f, folder, str_from(id), taken(&message));
        item->received_s = 1700000000 + (int64_t)i;
        item->flags = i % 3 ? ITEM_SEEN : 0;
        item_changed(f, item);
    }
    f->quiet = quiet;
    char *z = str_dup(folder);
    wake(f, z);
    mem_free(z);
    buf_lit(answer, "ok");
}

static void do_change(struct fake *f, struct words *w, struct buf *answer)
{
    struct str folder = word(w);
    struct fake_item *item = find_item(f, folder, word(w));
    if (item) {
        item->flags = flags_of(word(w));
        set_categories(item, word(w));
        item_changed(f, item);
    }
    buf_lit(answer, item ? "ok" : "error no item");
}

static void do_rm(struct fake *f, struct words *w, struct buf *answer)
{
    struct str folder = word(w);
    struct fake_item *item = find_item(f, folder, word(w));
    if (item) {
        item->gone = true;
        item_changed(f, item);
    }
    buf_lit(answer, item ? "ok" : "error no item");
}

static void do_wake(struct fake *f, struct words *w, struct buf *answer)
{
    char *folder = str_dup(word(w));
    wake(f, folder);
    mem_free(folder);
    buf_lit(answer, "ok");
}

static void do_quiet(struct fake *f, struct words *w, struct buf *answer)
{
    f->quiet = str_is(word(w), "on");
    buf_lit(answer, "ok");
}

static void do_delay(struct fake *f, struct words *w, struct buf *answer)
{
    int kind = index_of(word(w), kind_names, FAKE_MAX);
    f->ops[kind].delay_ms = number(w);
    buf_lit(answer, "ok");
}

static enum err_code code_of(struct str name)
{
    for (int i = 0; i < ERR_MAX; i++)
        if (str_is(name, err_name((enum err_code)i)))
            return (enum err_code)i;
    return ERR_INTERNAL;
}

static void do_fail(struct fake *f, struct words *w, struct buf *answer)
{
    int kind = index_of(word(w), kind_names, FAKE_MAX);
    f->ops[kind].fail = code_of(word(w));
    f->ops[kind].fail_n = (unsigned)number(w);
    buf_lit(answer, "ok");
}

static void do_fail_item(struct fake *f, struct words *w, struct buf *answer)
{
    struct fake_item *item = find_item(f, STR_NULL, word(w));
    if (item) {
        item->fail = code_of(word(w));
        item->fail_n = (unsigned)number(w);
    }
    buf_lit(answer, item ? "ok" : "error no item");
}

static void do_page(struct fake *f, struct words *w, struct buf *answer)
{
    f->page = (unsigned)number(w);
    buf_lit(answer, "ok");
}

static void do_stale(struct fake *f, struct words *w, struct buf *answer)
{
    struct fake_folder *folder = find_folder(f, word(w));
    if (folder)
        folder->stale = true;
    buf_lit(answer, folder ? "ok" : "error no folder");
}

static void do_counts(struct fake *f, struct words *w, struct buf *answer)
{
    (void)w;
    buf_lit(answer, "ok");
    for (int i = 0; i < FAKE_MAX; i++)
        buf_printf(answer, " %s=%u", kind_names[i], f->ops[i].count);
    buf_printf(answer, " headers=%u messages=%u", f->headers, f->messages);
}

static void do_reset(struct fake *f, struct words *w, struct buf *answer)
{
    (void)w;
    for (int i = 0; i < FAKE_MAX; i++)
        f->ops[i].count = 0;
    f->headers = f->messages = 0;
    buf_lit(answer, "ok");
}

static const struct {
    const char *name;
    void (*fn)(struct fake *f, struct words *w, struct buf *answer);
} commands[] = {
    {"folder", do_folder}, {"rmfolder", do_rmfolder}, {"item", do_item},     {"load", do_load},
    {"bulk", do_bulk},     {"change", do_change},     {"rm", do_rm},         {"wake", do_wake},
    {"quiet", do_quiet},   {"delay", do_delay},       {"fail", do_fail},     {"fail-item", do_fail_item},
    {"page", do_page},     {"stale", do_stale},       {"counts", do_counts}, {"reset", do_reset},
};

void fake_command(struct fake *f, struct str line, struct buf *answer)
{
    struct words w = {line};
    struct str name = word(&w);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (str_is(name, commands[i].name)) {
            commands[i].fn(f, &w, answer);
            return;
        }
    buf_lit(answer, "error unknown command");
}

struct fake *fake_new(void)
{
    struct fake *f = MEM_NEW(struct fake);
    list_init(&f->folders);
    list_init(&f->items);
    list_init(&f->watches);
    f->page = 512;
    return f;
}

void fake_free(struct fake *f)
{
    LIST_EACH (&f->folders, link) {
        struct fake_folder *folder = LIST_ITEM(link, struct fake_folder, link);
        mem_free(folder->id);
        mem_free(folder->parent);
        mem_free(folder->name);
        mem_free(folder);
    }
    LIST_EACH (&f->items, link) {
        struct fake_item *item = LIST_ITEM(link, struct fake_item, link);
        free_categories(item);
        mem_free((char *)item->message.p);
        mem_free(item->folder);
        mem_free(item->id);
        mem_free(item);
    }
    mem_free(f);
}
