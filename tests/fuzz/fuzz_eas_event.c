/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events and tasks in ActiveSync's answers. The first byte chooses version, kind of folder and command, the second the
 * size of the pieces. However the bytes come, the same must come out; and it must be an event that can be written down,
 * walked and compared.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backends/eas/eas_event_answer.h"
#include "bridge/base/time.h"
#include "bridge/formats/ical.h"

static bool feed(const struct eas_rules *rules, void *ud, struct str bytes, size_t step)
{
    struct eas_answer a;
    struct err err = {0};
    bool ok = true;

    eas_answer_init(&a, *rules, ud);
    for (size_t at = 0; ok && at < bytes.n; at += step)
        ok = eas_answer_feed(&a, str_sub(bytes, at, step), &err);
    ok = ok && eas_answer_end(&a, &err);
    if (!ok && err.code == ERR_NONE)
        abort();
    eas_answer_done(&a);
    return ok;
}

static bool count_some(void *ud, const struct event_occurrence *o)
{
    size_t *n = ud;

    if (o->end < o->start && o->end != TIME_NONE)
        abort();
    return ++*n < 50;
}

static void check_fields(const struct event_fields *f)
{
    if (f->all_day && f->start != TIME_NONE && f->end != TIME_NONE && (f->start % 86400 || f->end % 86400))
        abort();
    if (!f->all_day && !tz_by_name(f->start_zone))
        abort();
    for (size_t i = 0; i < f->attendee_count; i++)
        if (str_find_byte(f->attendees[i].email, '@') == (size_t)-1)
            abort();
}

static void check_event(const struct event *e, struct buf *out)
{
    static const struct ical_options options = {0};
    struct arena arena = {0};
    struct event copy;
    size_t n = 0;

    check_fields(&e->fields);
    for (size_t i = 0; i < e->exception_count; i++) {
        if (i > 0 && e->exceptions[i].original <= e->exceptions[i - 1].original)
            abort();
        if (!e->exceptions[i].deleted)
            check_fields(&e->exceptions[i].fields);
    }
    if (e->uid.n == 0 || (e->exception_count > 0 && !e->has_recurrence))
        abort();
    event_copy(&copy, e, &arena);
    if (event_differ(e, &copy))
        abort();
    event_each(e, 0, INT64_MAX, STR(""), count_some, &n);
    ical_write(out, e, &options, STR_NULL);
    arena_done(&arena);
}

static void read_page(const struct eas_sync_options *options, struct str bytes, size_t step, struct buf *out)
{
    struct eas_sync_page *page = eas_sync_page_new(options);

    if (!feed(&eas_sync_event_rules, page, bytes, step))
        eas_sync_page_quarantine(page);
    for (size_t i = 0; i < page->count; i++) {
        const struct item_info *item = &page->items[i];

        if ((page->needs[i] == EAS_NEED_ITEM) != (!item->event && !item->gone && !item->left_window))
            abort();
        if (item->event)
            check_event(item->event, out);
    }
    eas_sync_page_free(&page);
}

static void read_items(const struct eas_sync_options *options, const struct eas_rules *rules, struct str bytes,
                       size_t step, struct buf *out)
{
    struct arena arena = {0};
    struct event known = {.uid = STR("known")};
    struct eas_got list[] = {{.id = STR("a"), .need = EAS_NEED_ITEM},
                             {.id = STR("b"), .need = EAS_NEED_HTML, .event = &known},
                             {.id = STR("c"), .need = EAS_NEED_ITEM}},
                   *asked[] = {&list[0], &list[1], &list[2]};
    struct eas_event_answer answer = {0};

    eas_event_answer_begin(&answer, &arena, options, asked, 3);
    feed(rules, &answer, bytes, step);
    for (size_t i = 0; i < 3; i += 2) {
        if (list[i].need == EAS_NEED_NOTHING && (list[i].event != NULL) != (list[i].err.code == ERR_NONE))
            abort();
        if (list[i].event)
            check_event(list[i].event, out);
    }
    eas_event_answer_done(&answer);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned versions[] = {121, 140, 141, 160, 161};
    struct eas_sync_options options;
    struct buf whole = BUF_INIT(0), pieces = BUF_INIT(0);
    struct str bytes;

    if (size < 2)
        return 0;
    bytes = str_of(data + 2, size - 2);
    options = (struct eas_sync_options){.kind = data[0] & 1 ? FOLDER_TASKS : FOLDER_CALENDAR,
                                        .tmp_dir = "/tmp",
                                        .version = versions[data[0] / 8 % 5],
                                        .zone = tz_by_name(STR("Europe/Berlin")),
                                        .me = STR("me@example.com")};
    for (unsigned i = 0; i < 2; i++) {
        struct buf *out = i ? &pieces : &whole;
        size_t step = i ? 1u + data[1] : size;

        if (data[0] & 2)
            read_items(&options, data[0] & 4 ? &eas_event_fetch_rules : &eas_event_items_rules, bytes, step, out);
        else
            read_page(&options, bytes, step, out);
    }
    if (!str_eq(buf_view(&whole), buf_view(&pieces)))
        abort();
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
