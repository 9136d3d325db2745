/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/driver_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/base/mem.h"
#include "bridge/formats/ical.h"

struct ask {
    struct driver_writes *all;
    char name[16];
    struct arena arena;
    struct str folder, me[1];
};

static void begin(struct ask *w, struct buf *json, const struct reply *r)
{
    *json = BUF_INIT((size_t)64 << 20);
    driver_begin(json, w->name);
    driver_err(json, &r->err);
}

static void answered(struct ask *w, struct buf *json)
{
    struct driver_writes *all = w->all;

    driver_end(json);
    buf_done(json);
    arena_done(&w->arena);
    mem_free(w);
    all->running--;
    all->done(all->ud);
}

static struct ical_options options(struct ask *w)
{
    w->me[0] = str_from(w->all->email);
    return (struct ical_options){.zone = STR(DRIVER_ZONE), .me = w->me, .me_count = 1};
}

static void add_event(struct ask *w, struct buf *json, const struct event *e)
{
    struct ical_options o = options(w);
    struct buf text = BUF_INIT((size_t)16 << 20);

    ical_write(&text, e, &o, STR_NULL);
    driver_key(json, "text", buf_view(&text));
    buf_done(&text);
}

static void add_item(struct ask *w, struct buf *json, const struct item_info *item)
{
    driver_key(json, "id", item->id);
    driver_bool(json, "gone", item->gone);
    if (item->event)
        add_event(w, json, item->event);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void on_page(void *ud, const struct reply *r)
{
    struct ask *w = ud;
    struct buf json;

    begin(w, &json, r);
    if (r->err.code == ERR_NONE) {
        buf_lit(&json, ",\"list\":[");
        for (size_t i = 0; i < r->items.count; i++) {
            buf_printf(&json, "%s{\"index\":%zu", i > 0 ? "," : "", i);
            add_item(w, &json, &r->items.list[i]);
            buf_byte(&json, '}');
        }
        buf_byte(&json, ']');
        driver_key(&json, "cursor", r->items.cursor);
        driver_bool(&json, "more", r->items.more);
        w->all->commit(w->all->ud, w->folder, r->items.cursor);
    }
    answered(w, &json);
}

static void on_fetched(void *ud, const struct reply *r)
{
    struct ask *w = ud;
    struct buf json;

    begin(w, &json, r);
    buf_lit(&json, ",\"list\":[");
    for (size_t i = 0; r->err.code == ERR_NONE && i < r->events.count; i++) {
        buf_printf(&json, "%s{\"index\":%zu", i > 0 ? "," : "", i);
        driver_err(&json, &r->events.each[i]);
        if (r->events.each[i].code == ERR_NONE)
            add_item(w, &json, &r->events.list[i]);
        buf_byte(&json, '}');
    }
    buf_byte(&json, ']');
    answered(w, &json);
}

static void on_put(void *ud, const struct reply *r)
{
    struct ask *w = ud;
    struct buf json;

    begin(w, &json, r);
    if (r->err.code == ERR_NONE) {
        driver_key(&json, "id", r->event_done.id);
        if (r->event_done.event)
            add_event(w, &json, r->event_done.event);
    }
    answered(w, &json);
}

static void on_removed(void *ud, const struct reply *r)
{
    struct ask *w = ud;
    struct buf json;

    begin(w, &json, r);
    answered(w, &json);
}

static void on_busy(void *ud, const struct reply *r)
{
    struct ask *w = ud;
    struct buf json;

    begin(w, &json, r);
    buf_lit(&json, ",\"list\":[");
    for (size_t i = 0; r->err.code == ERR_NONE && i < r->free_busy.count; i++) {
        buf_printf(&json, "%s{\"index\":%zu", i > 0 ? "," : "", i);
        driver_err(&json, &r->free_busy.each[i]);
        buf_lit(&json, ",\"spans\":[");
        for (size_t k = 0; k < r->free_busy.list[i].count; k++) {
            const struct busy_span *s = &r->free_busy.list[i].spans[k];

            buf_printf(&json, "%s[%lld,%lld,%d]", k > 0 ? "," : "", (long long)s->from, (long long)s->to, s->busy);
        }
        buf_lit(&json, "]}");
    }
    buf_byte(&json, ']');
    answered(w, &json);
}

static void on_attachment(void *ud, const struct reply *r)
{
    struct ask *w = ud;
    struct buf json;
    struct str bytes;

    begin(w, &json, r);
    if (r->err.code == ERR_NONE && blob_view(r->content, &bytes))
        driver_key(&json, "content", bytes);
    answered(w, &json);
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static struct str read_file(struct ask *w, struct str path)
{
    FILE *file = fopen(arena_strdup(&w->arena, path), "rb");
    struct buf all = BUF_INIT((size_t)64 << 20);
    char bytes[65536];
    struct str text;

    if (!file)
        abort();
    for (size_t n; (n = fread(bytes, 1, sizeof(bytes), file)) > 0;)
        buf_add(&all, bytes, n);
    fclose(file);
    text = arena_str(&w->arena, buf_view(&all));
    buf_done(&all);
    return text;
}

static const struct event *read_event(struct ask *w, struct str path)
{
    struct ical_options o = options(w);
    struct event *e = arena_alloc(&w->arena, sizeof(*e));
    struct ical_problem problem = {0};
    struct str extras;

    if (!ical_read(read_file(w, path), &o, &w->arena, e, &extras, &problem)) {
        fprintf(stderr, "%.*s: %s\n", STR_ARG(path), problem.text);
        abort();
    }
    return e;
}

static enum folder_kind kind_of(struct str word)
{
    return str_is(word, "tasks") ? FOLDER_TASKS : FOLDER_CALENDAR;
}

static struct str or_nothing(struct str word)
{
    return str_is(word, "-") ? STR_NULL : word;
}

static struct str *words(struct ask *w, struct str line, size_t *ret_count)
{
    struct str *list = arena_array(&w->arena, line.n + 1, sizeof(*list));

    *ret_count = 0;
    while (line.n > 0)
        list[(*ret_count)++] = driver_word(&line);
    return list;
}

static int64_t number(struct ask *w, struct str word)
{
    return strtoll(arena_strdup(&w->arena, word), NULL, 10);
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static void page(struct ask *w, struct str line)
{
    enum folder_kind kind;

    w->folder = driver_word(&line);
    kind = kind_of(driver_word(&line));
    backend_sync_events(w->all->backend, w->folder, kind, line, NULL, on_page, w);
}

static void fetch(struct ask *w, struct str line)
{
    struct str folder = driver_word(&line);
    enum folder_kind kind = kind_of(driver_word(&line));
    size_t count;
    struct str *ids = words(w, line, &count);

    backend_event_fetch(w->all->backend, folder, kind, ids, count, on_fetched, w);
}

static void put(struct ask *w, struct str line)
{
    struct event_put request = {.folder_id = driver_word(&line), .notify = true};
    struct str base, word;

    request.kind = kind_of(driver_word(&line));
    request.id = or_nothing(driver_word(&line));
    request.wanted = read_event(w, driver_word(&line));
    base = or_nothing(driver_word(&line));
    request.base = base.n > 0 ? read_event(w, base) : NULL;
    request.evidence = driver_word(&line);
    while (line.n > 0) {
        word = driver_word(&line);
        request.retry = request.retry || str_is(word, "retry");
        request.notify = request.notify && !str_is(word, "quiet");
    }
    backend_event_put(w->all->backend, &request, on_put, w);
}

static void respond(struct ask *w, struct str line)
{
    struct event_reply request = {.folder_id = driver_word(&line), .notify = true};
    struct str word;

    request.id = driver_word(&line);
    word = driver_word(&line);
    request.response = str_is(word, "accept")      ? EVENT_ACCEPTED
                       : str_is(word, "tentative") ? EVENT_TENTATIVELY_ACCEPTED
                                                   : EVENT_DECLINED;
    request.has_instance = line.n > 0;
    if (request.has_instance) {
        request.instance = number(w, driver_word(&line));
        request.event = read_event(w, driver_word(&line));
    }
    backend_event_respond(w->all->backend, &request, on_put, w);
}

static void busy(struct ask *w, struct str line)
{
    int64_t from = number(w, driver_word(&line)), to = number(w, driver_word(&line));
    size_t count;
    struct str *addresses = words(w, line, &count);

    backend_free_busy(w->all->backend, addresses, count, from, to, on_busy, w);
}

static void remove_item(struct ask *w, struct str line)
{
    struct str folder = driver_word(&line);
    enum folder_kind kind = kind_of(driver_word(&line));

    backend_event_remove(w->all->backend, folder, kind, line, STR_NULL, true, NULL, on_removed, w);
}

static void attachment(struct ask *w, struct str line)
{
    backend_event_attachment(w->all->backend, STR_NULL, line, on_attachment, w);
}

static const struct {
    const char *name;
    void (*run)(struct ask *w, struct str line);
} commands[] = {
    {"epage", page}, {"efetch", fetch},          {"eput", put}, {"eremove", remove_item}, {"erespond", respond},
    {"ebusy", busy}, {"eattachment", attachment}};

bool driver_event(struct driver_writes *all, struct str line)
{
    struct str rest = line, command = driver_word(&rest);

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct ask *w;

        if (!str_is(command, commands[i].name))
            continue;
        w = MEM_NEW(struct ask);
        w->all = all;
        snprintf(w->name, sizeof(w->name), "%s", commands[i].name);
        all->running++;
        commands[i].run(w, arena_str(&w->arena, rest));
        return true;
    }
    return false;
}
