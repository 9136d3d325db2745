/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/header.h"
#include "tests/imap/fake_private.h"

static const char *const kind_names[FAKE_MAX] = {"login", "folders", "sync", "fetch", "watch", "write"};

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

static void set_categories(struct fake_item *item, struct str list)
{
    struct str one;
    fake_free_categories(item);
    if (str_is(list, "-"))
        return;
    while (str_cut(&list, ',', &one)) {
        item->categories = mem_realloc(item->categories, (item->category_n + 1) * sizeof(*item->categories));
        item->categories[item->category_n++] = str_from(decoded(one));
    }
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
    struct fake_folder *folder = fake_add_folder(f, id);
    mem_free(folder->parent);
    mem_free(folder->name);
    folder->parent = decoded(parent);
    folder->name = decoded(word(w));
    folder->kind = (enum folder_kind)index_of(word(w), kinds, 5);
    folder->use = (enum folder_use)index_of(word(w), uses, 8);
    fake_folder_changed(f, folder);
    buf_lit(answer, "ok");
}

static void do_rmfolder(struct fake *f, struct words *w, struct buf *answer)
{
    struct fake_folder *folder = fake_find_folder(f, word(w));
    if (folder) {
        folder->gone = true;
        fake_folder_changed(f, folder);
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
    struct fake_item *item = fake_add_item(f, folder, id, taken(&message));
    item->flags = flags_of(flags);
    item->received_s = received;
    set_categories(item, categories);
    fake_item_changed(f, item);
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
    struct fake_item *item = fake_add_item(f, folder, id, (struct str){bytes, (size_t)n});
    item->flags = flags_of(flags);
    item->received_s = received;
    fake_item_changed(f, item);
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
        struct fake_item *item = fake_add_item(f, folder, str_from(id), taken(&message));
        item->received_s = 1700000000 + (int64_t)i;
        item->flags = i % 3 ? ITEM_SEEN : 0;
        fake_item_changed(f, item);
    }
    f->quiet = quiet;
    char *z = str_dup(folder);
    fake_wake(f, z);
    mem_free(z);
    buf_lit(answer, "ok");
}

static void do_change(struct fake *f, struct words *w, struct buf *answer)
{
    struct str folder = word(w);
    struct fake_item *item = fake_find_item(f, folder, word(w));
    if (item) {
        item->flags = flags_of(word(w));
        set_categories(item, word(w));
        fake_item_changed(f, item);
    }
    buf_lit(answer, item ? "ok" : "error no item");
}

static void do_rm(struct fake *f, struct words *w, struct buf *answer)
{
    struct str folder = word(w);
    struct fake_item *item = fake_find_item(f, folder, word(w));
    if (item) {
        item->gone = true;
        fake_item_changed(f, item);
    }
    buf_lit(answer, item ? "ok" : "error no item");
}

static void do_wake(struct fake *f, struct words *w, struct buf *answer)
{
    char *folder = str_dup(word(w));
    fake_wake(f, folder);
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
    f->ops[kind].fail_after = (unsigned)number(w);
    buf_lit(answer, "ok");
}

static void do_lose(struct fake *f, struct words *w, struct buf *answer)
{
    f->ops[FAKE_WRITE].lose_n = (unsigned)number(w);
    f->ops[FAKE_WRITE].lose_after = (unsigned)number(w);
    buf_lit(answer, "ok");
}

static void do_hold(struct fake *f, struct words *w, struct buf *answer)
{
    int kind = index_of(word(w), kind_names, FAKE_MAX);
    f->ops[kind].held = true;
    f->ops[kind].held_after = (unsigned)number(w);
    buf_lit(answer, "ok");
}

static void do_release(struct fake *f, struct words *w, struct buf *answer)
{
    fake_release(f, (enum fake_kind)index_of(word(w), kind_names, FAKE_MAX));
    buf_lit(answer, "ok");
}

static void do_ids(struct fake *f, struct words *w, struct buf *answer)
{
    struct str folder = word(w);
    buf_lit(answer, "ok");
    LIST_EACH (&f->items, link) {
        const struct fake_item *item = LIST_ITEM(link, struct fake_item, link);
        if (!item->gone && str_is(folder, item->folder))
            buf_printf(answer, " %s", item->id);
    }
}

static void do_fail_item(struct fake *f, struct words *w, struct buf *answer)
{
    struct fake_item *item = fake_find_item(f, STR_NULL, word(w));
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
    struct fake_folder *folder = fake_find_folder(f, word(w));
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
    {"folder", do_folder}, {"rmfolder", do_rmfolder}, {"item", do_item}, {"load", do_load},
    {"bulk", do_bulk},     {"change", do_change},     {"rm", do_rm},     {"wake", do_wake},
    {"quiet", do_quiet},   {"delay", do_delay},       {"fail", do_fail}, {"fail-item", do_fail_item},
    {"lose", do_lose},     {"ids", do_ids},           {"page", do_page}, {"stale", do_stale},
    {"counts", do_counts}, {"reset", do_reset},       {"hold", do_hold}, {"release", do_release},
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
