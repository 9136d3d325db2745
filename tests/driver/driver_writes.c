/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/driver_writes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"

struct write {
    struct driver_writes *all;
    char name[16];
    struct arena arena;
    struct blob *message;
};

static void answered(struct write *w, struct buf *json)
{
    struct driver_writes *all = w->all;

    driver_end(json);
    buf_done(json);
    blob_unref(&w->message);
    arena_done(&w->arena);
    mem_free(w);
    all->running--;
    all->done(all->ud);
}

static void on_items(void *ud, const struct reply *r)
{
    struct write *w = ud;
    struct buf json = BUF_INIT((size_t)16 << 20);

    driver_begin(&json, w->name);
    driver_err(&json, &r->err);
    buf_lit(&json, ",\"each\":[");
    for (size_t i = 0; i < r->items_done.count; i++) {
        const struct err *err = &r->items_done.each[i];

        buf_lit(&json, i > 0 ? ",{\"index\":" : "{\"index\":");
        buf_u64(&json, i);
        driver_err(&json, err);
        if (r->items_done.new_ids)
            driver_key(&json, "new_id", r->items_done.new_ids[i]);
        buf_byte(&json, '}');
    }
    buf_byte(&json, ']');
    answered(w, &json);
}

static void on_created(void *ud, const struct reply *r)
{
    struct write *w = ud;
    struct buf json = BUF_INIT((size_t)1 << 20);

    driver_begin(&json, w->name);
    driver_err(&json, &r->err);
    if (r->err.code == ERR_NONE)
        driver_key(&json, "id", r->created.id);
    answered(w, &json);
}

static void on_plain(void *ud, const struct reply *r)
{
    struct write *w = ud;
    struct buf json = BUF_INIT((size_t)1 << 20);

    driver_begin(&json, w->name);
    driver_err(&json, &r->err);
    answered(w, &json);
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static struct str *words(struct write *w, struct str line, size_t *ret_count)
{
    struct str *list = arena_array(&w->arena, line.n + 1, sizeof(*list));

    *ret_count = 0;
    while (line.n > 0)
        list[(*ret_count)++] = driver_word(&line);
    return list;
}

static struct str parent(struct str word)
{
    return str_is(word, "-") ? STR_NULL : word;
}

static unsigned number(struct str text)
{
    uint32_t n;

    if (!str_to_u32(text, &n))
        abort();
    return n;
}

static struct blob *read_file(struct write *w, struct str path)
{
    int fd = open(arena_strdup(&w->arena, path), O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        abort();
    return blob_from_fd(fd, 0, (uint64_t)st.st_size);
}

static struct str *categories(struct write *w, struct str text, size_t *ret_count)
{
    struct str *list = arena_array(&w->arena, text.n + 1, sizeof(*list));

    *ret_count = 0;
    while (!str_is(text, "-") && str_cut(&text, '|', &list[*ret_count]))
        ++*ret_count;
    return list;
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static void flag(struct write *w, struct str line)
{
    struct str folder = driver_word(&line), piece;
    size_t count;
    struct str *specs = words(w, line, &count);
    struct flag_change *list = arena_array(&w->arena, count + 1, sizeof(*list));
    struct flag_request request = {.folder_id = folder, .items = list, .count = count};

    for (size_t i = 0; i < count; i++) {
        str_cut(&specs[i], ',', &list[i].id);
        str_cut(&specs[i], ',', &piece);
        list[i].set = number(piece);
        str_cut(&specs[i], ',', &piece);
        list[i].clear = number(piece);
        list[i].categories_set = specs[i].n > 0;
        if (list[i].categories_set)
            list[i].categories = categories(w, specs[i], &list[i].category_count);
    }
    backend_flag(w->all->backend, &request, on_items, w);
}

static void move_or_copy(struct write *w, struct str line, bool copy)
{
    struct str from = driver_word(&line), to = driver_word(&line);
    size_t count;
    struct str *ids = words(w, line, &count);

    if (copy)
        backend_copy(w->all->backend, from, to, ids, count, on_items, w);
    else
        backend_move(w->all->backend, from, to, ids, count, on_items, w);
}

static void remove_items(struct write *w, struct str line)
{
    struct str folder = driver_word(&line), how = driver_word(&line);
    size_t count;
    struct str *ids = words(w, line, &count);

    backend_remove(w->all->backend, folder, ids, count, str_is(how, "permanent"), on_items, w);
}

static void append(struct write *w, struct str line)
{
    struct append_request request = {.folder_id = driver_word(&line), .received_ms = TIME_NONE};

    request.message = w->message = read_file(w, driver_word(&line));
    request.flags = number(driver_word(&line));
    request.evidence = driver_word(&line);
    request.retry = str_is(driver_word(&line), "retry");
    backend_append(w->all->backend, &request, on_created, w);
}

static void send_message(struct write *w, struct str line)
{
    struct send_request request = {0};
    struct str word;

    request.message = w->message = read_file(w, driver_word(&line));
    request.evidence = driver_word(&line);
    while (line.n > 0) {
        word = driver_word(&line);
        request.retry = request.retry || str_is(word, "retry");
        if (!str_is(word, "reply") && !str_is(word, "forward"))
            continue;
        request.source_forwarded = str_is(word, "forward");
        request.source_folder_id = driver_word(&line);
        request.source_id = driver_word(&line);
    }
    backend_send(w->all->backend, &request, on_plain, w);
}

static void create(struct write *w, struct str line)
{
    struct str above = parent(driver_word(&line)), kind = driver_word(&line);
    enum folder_kind of = str_is(kind, "calendar") ? FOLDER_CALENDAR
                          : str_is(kind, "tasks")  ? FOLDER_TASKS
                                                   : FOLDER_MAIL;

    backend_folder_create(w->all->backend, above, line, of, on_created, w);
}

static void change(struct write *w, struct str line)
{
    struct str id = driver_word(&line), above = parent(driver_word(&line));

    backend_folder_change(w->all->backend, id, above, line, on_plain, w);
}

static bool run(struct write *w, struct str command, struct str line)
{
    if (str_is(command, "flag"))
        flag(w, line);
    else if (str_is(command, "move") || str_is(command, "copy"))
        move_or_copy(w, line, str_is(command, "copy"));
    else if (str_is(command, "remove"))
        remove_items(w, line);
    else if (str_is(command, "append"))
        append(w, line);
    else if (str_is(command, "send"))
        send_message(w, line);
    else if (str_is(command, "create"))
        create(w, line);
    else if (str_is(command, "change"))
        change(w, line);
    else if (str_is(command, "delete"))
        backend_folder_remove(w->all->backend, line, on_plain, w);
    else
        return false;
    return true;
}

bool driver_write(struct driver_writes *all, struct str line)
{
    struct write *w = MEM_NEW(struct write);
    struct str command;

    w->all = all;
    line = arena_str(&w->arena, line);
    command = driver_word(&line);
    snprintf(w->name, sizeof(w->name), "%.*s", STR_ARG(command));
    if (run(w, command, line)) {
        all->running++;
        return true;
    }
    arena_done(&w->arena);
    mem_free(w);
    return false;
}
