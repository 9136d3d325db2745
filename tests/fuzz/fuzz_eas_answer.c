/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of every command, read by its rules: the first byte chooses which, the second the size of the pieces. Content
 * that comes out must be consistent, and whatever happens nothing may be left behind (the leak check).
 */
#include <stdint.h>
#include <stdlib.h>

#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_folders_read.h"
#include "backends/eas/eas_items_read.h"
#include "backends/eas/eas_move_read.h"
#include "backends/eas/eas_multipart.h"
#include "backends/eas/eas_people_read.h"
#include "backends/eas/eas_policy.h"
#include "backends/eas/eas_record.h"
#include "backends/eas/eas_sync_read.h"
#include "backends/eas/eas_watch_read.h"

#define BODY_MAX 4096

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

static void check_item(const struct item_info *i)
{
    struct str header;

    if (i->id.n == 0 || (i->header && i->message) || (i->flags & ~i->flags_known))
        abort();
    if (i->message && (!i->size_exact || i->size_estimate != blob_size(i->message)))
        abort();
    if (i->header && (!blob_view(i->header, &header) || eas_header_size(header) != header.n))
        abort();
}

static void fuzz_sync(struct str bytes, size_t step)
{
    static const struct eas_sync_options options = {
        .tmp_dir = "/tmp", .message_limit = BODY_MAX, .truncation = 64, .version = 161};
    struct eas_sync_page *page = eas_sync_page_new(&options);

    for (unsigned attempt = 0; attempt < 2; attempt++) {
        eas_sync_page_reset(page);
        if (!feed(&eas_sync_rules, page, bytes, step))
            eas_sync_page_quarantine(page);
        for (size_t i = 0; i < page->invitation_count; i++)
            if (page->invitations[i].id.n == 0 || page->invitations[i].uid.n == 0)
                abort();
        for (size_t i = 0; i < page->count; i++)
            check_item(&page->items[i]);
    }
    eas_sync_page_free(&page);
}

static void fuzz_folders(struct str bytes, size_t step)
{
    struct arena arena = {0};
    struct eas_folder_changes c = {.arena = &arena, .version = 141, .junk_name = "junk"};

    eas_folder_changes_begin(&c);
    feed(&eas_folder_rules, &c, bytes, step);
    for (size_t i = 0; i < c.count; i++)
        if (c.list[i].id.n == 0 || c.list[i].id.n > BACKEND_ID_MAX)
            abort();
    arena_done(&arena);
}

static bool on_part(void *ud, unsigned part, struct str piece, bool last, struct err *err)
{
    (void)last;
    (void)err;
    eas_fetch_answer_part(ud, part, piece);
    return true;
}

static void fuzz_fetch(struct str bytes, size_t step)
{
    static const struct str ids[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    struct eas_fetched list[3];
    struct arena arena = {0};
    struct eas_fetch_answer answer = {.arena = &arena, .tmp_dir = "/tmp", .message_limit = BODY_MAX, .list = list};
    struct eas_multipart m;
    struct err err = {0};

    answer.item.all = true;
    eas_fetch_answer_begin(&answer, ids, 3);
    feed(&eas_fetch_rules, &answer, bytes, step);
    eas_multipart_init(&m, on_part, &answer);
    for (size_t at = 0; at < bytes.n; at += step)
        if (!eas_multipart_feed(&m, str_sub(bytes, at, step), &err))
            break;
    for (size_t i = 0; i < 3; i++) {
        struct blob *blob = eas_body_finish(&list[i].body);

        blob_unref(&blob);
    }
    eas_fetch_answer_done(&answer);
    arena_done(&arena);
}

static void fuzz_ping(struct str bytes, size_t step)
{
    struct arena arena = {0};
    struct eas_ping_answer answer = {.arena = &arena};

    feed(&eas_ping_rules, &answer, bytes, step);
    arena_done(&arena);
}

static void fuzz_provision(struct str bytes, size_t step)
{
    struct eas_provision p = {0};
    struct arena arena = {0};

    feed(&eas_provision_rules, &p, bytes, step);
    if (eas_policy_text(&p.policy, &arena, 100).n > 100)
        abort();
    arena_done(&arena);
}

static void fuzz_moves(struct str bytes, size_t step)
{
    static const struct str ids[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    struct arena arena = {0};
    struct eas_move_answer answer = {.arena = &arena};

    eas_move_answer_begin(&answer, ids, 3);
    feed(&eas_move_rules, &answer, bytes, step);
    for (size_t i = 0; i < 3; i++)
        if (answer.list[i].new_id.n > BACKEND_ID_MAX)
            abort();
    arena_done(&arena);
}

/* What was read comes out again as it was, and what a batch did can be told from it. */
static void fuzz_record(struct str bytes, size_t step)
{
    struct arena arena = {0};
    struct buf out = BUF_INIT(EAS_RECORD_MAX * 2);
    struct eas_record r, again;
    size_t count;

    (void)step;
    if (eas_record_read(&r, bytes, &arena)) {
        eas_record_effects(&r, 161, &arena, &count);
        if (count > EAS_BATCH_MAX)
            abort();
        eas_record_write(&r, &out);
        if (!out.failed && (!eas_record_read(&again, buf_view(&out), &arena) || !str_eq(again.request, r.request) ||
                            !str_eq(again.from, r.from) || again.failed_count != r.failed_count))
            abort();
    }
    buf_done(&out);
    arena_done(&arena);
}

static void fuzz_meeting(struct str bytes, size_t step)
{
    struct arena arena = {0};
    struct eas_meeting_answer answer = {.arena = &arena};
    struct err err = {0};

    feed(&eas_meeting_rules, &answer, bytes, step);
    if (!eas_meeting_status(&answer, &err) && err.code == ERR_NONE)
        abort();
    arena_done(&arena);
}

static void fuzz_resolve(struct str bytes, size_t step)
{
    static const struct str addresses[] = {{"a", 1}, {"b", 1}};
    struct arena arena = {0};
    struct eas_resolved list[2];
    struct eas_resolve_answer answer = {.arena = &arena, .list = list};

    eas_resolve_begin(&answer, addresses, 2);
    feed(&eas_resolve_rules, &answer, bytes, step);
    for (size_t i = 0; i < 2; i++) {
        struct busy_list busy = {0};
        struct err err = {0};

        if (!eas_resolve_status(&list[i], &err))
            continue;
        eas_busy_add(&busy, str_sub(list[i].digits, 0, 2016), 0, 600, 1000000, &arena);
        for (size_t k = 0; k < busy.count; k++)
            if (busy.spans[k].from >= busy.spans[k].to || (k > 0 && busy.spans[k].from < busy.spans[k - 1].to))
                abort();
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct str bytes, size_t step) = {fuzz_sync,   fuzz_folders,   fuzz_fetch,
                                                                     fuzz_ping,   fuzz_provision, fuzz_moves,
                                                                     fuzz_record, fuzz_meeting,   fuzz_resolve};

    if (size < 2)
        return 0;
    targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](str_of(data + 2, size - 2), 1u + data[1]);
    return 0;
}
