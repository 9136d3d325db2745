/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_record.h"

#include "backends/eas/eas_backend.h"
#include "bridge/base/time.h"

/*
 * Lines of "name value" up to an empty line, then the bytes of the request:
 *
 *     batch 1 | from CURSOR | key SYNCKEY | wire 0 or 1 | failed N N N | client-id ID | added FLAGS ID | event 1
 *     changed ID | removed ID
 */
#define FIRST_LINE "batch 1"
#define KEY_PREFIX "eas.batch."
#define MADE_KEY   STR("eas.made") /* lines of "CLIENT-ID SERVER-ID", the newest last */

static bool is_line(struct str s)
{
    return eas_key_valid(s, BACKEND_CURSOR_MAX);
}

static void write_touched(const struct eas_record *r, struct buf *out)
{
    for (size_t i = 0; i < r->touched_count; i++) {
        buf_printf(out, "%s %.*s\n", r->touched[i].gone ? "removed" : "changed", STR_ARG(r->touched[i].id));
        if (!is_line(r->touched[i].id))
            out->failed = true;
    }
}

void eas_record_write(const struct eas_record *r, struct buf *out)
{
    buf_lit(out, FIRST_LINE "\nfrom ");
    buf_str(out, r->from);
    buf_lit(out, "\nkey ");
    buf_str(out, r->key);
    buf_printf(out, "\nwire %d\n", r->wire);
    if (r->failed_count > 0) {
        buf_lit(out, "failed");
        for (size_t i = 0; i < r->failed_count; i++)
            buf_printf(out, " %zu", r->failed[i]);
        buf_byte(out, '\n');
    }
    if (r->client_id.n > 0)
        buf_printf(out, "client-id %.*s\n", STR_ARG(r->client_id));
    if (r->added_id.n > 0)
        buf_printf(out, "added %u %.*s\n", r->added_flags, STR_ARG(r->added_id));
    if (r->event)
        buf_lit(out, "event 1\n");
    write_touched(r, out);
    buf_byte(out, '\n');
    buf_str(out, r->request);
    if (!is_line(r->from) || !is_line(r->key) || !is_line(r->client_id) || !is_line(r->added_id))
        out->failed = true;
}

static bool read_failed(struct eas_record *r, struct str numbers, struct arena *arena)
{
    struct str number;
    uint32_t n;

    if (r->failed) /* once is enough */
        return false;
    r->failed = arena_array(arena, numbers.n + 1, sizeof(*r->failed));
    while (str_cut(&numbers, ' ', &number)) {
        if (!str_to_u32(number, &n) || (r->failed_count > 0 && n <= r->failed[r->failed_count - 1]))
            return false;
        r->failed[r->failed_count++] = n;
    }
    return true;
}

static bool read_added(struct eas_record *r, struct str value, struct arena *arena)
{
    struct str flags;
    uint32_t n;

    if (!str_cut(&value, ' ', &flags) || !str_to_u32(flags, &n))
        return false;
    r->added_flags = n;
    r->added_id = arena_str(arena, value);
    return true;
}

static bool read_line(struct eas_record *r, struct str name, struct str value, struct arena *arena)
{
    if (str_is(name, "from"))
        r->from = arena_str(arena, value);
    else if (str_is(name, "key"))
        r->key = arena_str(arena, value);
    else if (str_is(name, "wire"))
        r->wire = str_is(value, "1");
    else if (str_is(name, "failed"))
        return read_failed(r, value, arena);
    else if (str_is(name, "client-id"))
        r->client_id = arena_str(arena, value);
    else if (str_is(name, "added"))
        return read_added(r, value, arena);
    else if (str_is(name, "event"))
        r->event = str_is(value, "1");
    else if (str_is(name, "changed") || str_is(name, "removed"))
        eas_record_touch(r, value, str_is(name, "removed"), arena);
    else
        return false;
    return true;
}

void eas_record_forget(struct eas_record *r, struct str id)
{
    size_t n = 0;

    for (size_t i = 0; i < r->touched_count; i++)
        if (!str_eq(r->touched[i].id, id))
            r->touched[n++] = r->touched[i];
    r->touched_count = n;
}

void eas_record_touch(struct eas_record *r, struct str id, bool gone, struct arena *arena)
{
    struct eas_touched *all = r->touched;
    size_t n;

    if (!all)
        all = r->touched = arena_array(arena, EAS_BATCH_MAX, sizeof(*all));
    eas_record_forget(r, id);
    n = r->touched_count;
    if (n == EAS_BATCH_MAX)
        memmove(all, all + 1, --n * sizeof(*all));
    all[n++] = (struct eas_touched){arena_str(arena, id), gone};
    r->touched_count = n;
}

bool eas_record_read(struct eas_record *r, struct str bytes, struct arena *arena)
{
    struct str line, name;

    *r = (struct eas_record){0};
    if (bytes.n > EAS_RECORD_MAX || !str_cut(&bytes, '\n', &line) || !str_is(line, FIRST_LINE))
        return false;
    for (;;) {
        if (bytes.n == 0 || !str_cut(&bytes, '\n', &line))
            return false;
        if (line.n == 0)
            break;
        if (!is_line(line) || !str_cut(&line, ' ', &name) || !read_line(r, name, line, arena))
            return false;
    }
    r->request = arena_str(arena, bytes);
    return r->from.n > 0 && r->key.n > 0;
}

static bool has_failed(const struct eas_record *r, size_t position)
{
    for (size_t i = 0; i < r->failed_count; i++)
        if (r->failed[i] == position)
            return true;
    return false;
}

/* Our request reads like a page of the server's: the same elements, with the same meaning. */
static size_t read_request(const struct eas_record *r, unsigned version, struct arena *arena, struct item_info *to)
{
    struct eas_sync_options options = {.tmp_dir = "/", .version = version};
    struct eas_sync_page *page = eas_sync_page_new(&options);
    struct eas_answer answer;
    size_t n = 0;

    eas_answer_init(&answer, eas_sync_rules, page);
    if (eas_answer_feed(&answer, r->request, NULL) && eas_answer_end(&answer, NULL))
        for (size_t i = 0; i < page->count; i++) {
            struct item_info *item = &page->items[i];
            struct str *categories = arena_array(arena, item->category_count + 1, sizeof(*categories));

            if (n == EAS_BATCH_MAX)
                break;
            if (has_failed(r, i) || item->header || item->message)
                continue;
            for (size_t c = 0; c < item->category_count; c++)
                categories[c] = arena_str(arena, item->categories[c]);
            to[n] = *item;
            to[n].id = arena_str(arena, item->id);
            to[n].categories = categories;
            to[n++].subject = STR_NULL;
        }
    eas_answer_done(&answer);
    eas_sync_page_free(&page);
    return n;
}

struct item_info *eas_record_effects(const struct eas_record *r, unsigned version, struct arena *arena,
                                     size_t *ret_count)
{
    struct item_info *list = arena_array(arena, EAS_BATCH_MAX + 1, sizeof(*list));

    *ret_count = 0;
    if (r->wire)
        return list;
    if (r->event) {
        for (size_t i = 0; i < r->touched_count; i++)
            list[(*ret_count)++] =
                (struct item_info){.id = r->touched[i].id, .gone = r->touched[i].gone, .received_ms = TIME_NONE};
    } else if (r->request.n > 0) {
        *ret_count = read_request(r, version, arena, list);
    } else if (r->added_id.n > 0) {
        list[0] = (struct item_info){
            .id = r->added_id,
            .flags = r->added_flags | ITEM_DRAFT,
            .flags_known = ITEM_SEEN | ITEM_FLAGGED | ITEM_DRAFT,
            .received_ms = time_wall_ms(),
        };
        *ret_count = 1;
    }
    return list;
}

/* --- storage ----------------------------------------------------------------------------------------------------- */

static struct str key_of(struct str folder_id, struct arena *arena)
{
    return arena_printf(arena, KEY_PREFIX "%.*s", STR_ARG(folder_id));
}

bool eas_record_load(struct eas_backend *b, struct str folder_id, struct str cursor, struct arena *arena,
                     struct eas_record *ret)
{
    const struct backend_host *host = &b->config.host;
    struct buf bytes = BUF_INIT(EAS_RECORD_MAX);
    bool found = host->persist_get(host->ud, key_of(folder_id, arena), &bytes);
    bool ours = found && eas_record_read(ret, buf_view(&bytes), arena) && str_eq(ret->from, cursor);

    buf_done(&bytes);
    if (found && !ours)
        eas_record_drop(b, folder_id);
    if (!ours)
        *ret = (struct eas_record){0};
    return ours;
}

bool eas_record_save(struct eas_backend *b, struct str folder_id, const struct eas_record *r, struct err *err)
{
    const struct backend_host *host = &b->config.host;
    struct buf bytes = BUF_INIT(EAS_RECORD_MAX);
    struct arena arena = {0};
    bool ok;

    eas_record_write(r, &bytes);
    ok = bytes.failed ? err_set(err, ERR_TOO_BIG, "the changes do not fit into one record")
                      : host->persist_put(host->ud, key_of(folder_id, &arena), buf_view(&bytes), err);
    buf_done(&bytes);
    arena_done(&arena);
    return ok;
}

void eas_record_drop(struct eas_backend *b, struct str folder_id)
{
    const struct backend_host *host = &b->config.host;
    struct arena arena = {0};
    struct err err = {0};

    if (!host->persist_put(host->ud, key_of(folder_id, &arena), STR_NULL, &err))
        log_warn("eas", b->config.name, "%s", err.text); /* it is recognised as over the next time, too */
    arena_done(&arena);
}

void eas_made_note(struct eas_backend *b, struct str client_id, struct str id)
{
    const struct backend_host *host = &b->config.host;
    struct buf old = BUF_INIT(EAS_RECORD_MAX), now = BUF_INIT(EAS_RECORD_MAX);
    struct err err = {0};
    struct str rest, line;
    size_t lines = 1;

    if (!is_line(client_id) || !is_line(id) || client_id.n == 0)
        return;
    host->persist_get(host->ud, MADE_KEY, &old);
    for (rest = buf_view(&old); str_cut(&rest, '\n', &line);)
        lines += line.n > 0;
    for (rest = buf_view(&old); str_cut(&rest, '\n', &line);)
        if (line.n > 0 && lines-- <= EAS_MADE_MAX)
            buf_printf(&now, "%.*s\n", STR_ARG(line));
    buf_printf(&now, "%.*s %.*s\n", STR_ARG(client_id), STR_ARG(id));
    if (now.failed || !host->persist_put(host->ud, MADE_KEY, buf_view(&now), &err))
        log_warn("eas", b->config.name, "%s", err.text); /* the record itself says the same for now */
    buf_done(&old);
    buf_done(&now);
}

struct str eas_made_find(struct eas_backend *b, struct str client_id, struct arena *arena)
{
    const struct backend_host *host = &b->config.host;
    struct buf all = BUF_INIT(EAS_RECORD_MAX);
    struct str rest, line, name, found = STR_NULL;

    host->persist_get(host->ud, MADE_KEY, &all);
    for (rest = buf_view(&all); str_cut(&rest, '\n', &line);)
        if (str_cut(&line, ' ', &name) && str_eq(name, client_id))
            found = arena_str(arena, line);
    buf_done(&all);
    return found;
}
