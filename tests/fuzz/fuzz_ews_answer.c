/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers of EWS answers. The first byte chooses one, the second the size of the pieces; the rest is the document.
 * What is read must not depend on the pieces, and its numbers must stay within their limits.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ews/ews_event_read.h"
#include "backends/ews/ews_folders_read.h"
#include "backends/ews/ews_items_read.h"
#include "backends/ews/ews_stream_read.h"
#include "backends/ews/ews_sync_read.h"
#include "bridge/formats/build.h"

#define LIMIT 65536 /* bytes of a message */

struct result {
    uint64_t hash;
    bool ok;
};

static void mix(struct result *r, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        r->hash = (r->hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    r->hash = r->hash * 31 + s.n;
}

static void mix_status(struct result *r, const struct ews_status *s)
{
    mix(r, str_from(s->name));
    mix(r, str_from(s->text));
    r->hash += s->backoff_ms;
    if (s->backoff_ms > EWS_BACKOFF_MAX_MS || strpbrk(s->text, "\r\n") || strpbrk(s->name, "\r\n"))
        abort();
}

static void feed(const struct ews_reader *reader, void *ud, struct str doc, size_t piece, struct result *r)
{
    struct err err = {0};
    struct ews_server server;
    struct ews_answer *a = ews_answer_new(reader, ud);
    r->ok = true;
    for (size_t at = 0; r->ok && at < doc.n; at += piece)
        r->ok = ews_answer_feed(a, str_sub(doc, at, piece), &err);
    r->ok = r->ok && ews_answer_finish(a, &err);
    if (r->ok && ews_answer_fault(a))
        mix_status(r, ews_answer_fault(a));
    if (r->ok && ews_answer_server(a, &server))
        r->hash += server.major + server.build;
    if (ews_answer_messages(a) > EWS_ANSWER_MESSAGES_MAX)
        abort();
    ews_answer_free(a);
}

/* --- one function a reader --- */

static void read_page(struct str doc, size_t piece, struct result *r)
{
    struct arena arena = {0};
    struct ews_page page;
    ews_page_init(&page, &arena);
    feed(&ews_page_reader, &page, doc, piece, r);
    if (page.count > EWS_PAGE_CHANGES_MAX)
        abort();
    for (size_t i = 0; i < page.count; i++) {
        const struct item_info *f = &page.list[i];
        if (f->id.n == 0 || f->id.n > BACKEND_ID_MAX || f->category_count > EWS_ITEM_CATEGORIES_MAX ||
            (f->flags & ~f->flags_known) || !text_utf8_valid(f->subject))
            abort();
        mix(r, f->id);
        mix(r, f->subject);
        for (size_t k = 0; k < f->category_count; k++)
            mix(r, f->categories[k]);
        r->hash += f->flags + f->size_estimate + (uint64_t)f->received_ms;
    }
    mix(r, page.cursor);
    arena_done(&arena);
}

static void read_tree(struct str doc, size_t piece, struct result *r)
{
    struct arena arena = {0};
    struct ews_tree tree;
    ews_tree_init(&tree, &arena);
    ews_tree_page_begin(&tree);
    feed(&ews_tree_reader, &tree, doc, piece, r);
    for (size_t i = 0; i < tree.count; i++) {
        if (!text_utf8_valid(tree.list[i].name))
            abort();
        mix(r, tree.list[i].id);
        mix(r, tree.list[i].parent_id);
        mix(r, tree.list[i].name);
        r->hash += (uint64_t)tree.list[i].kind;
    }
    arena_done(&arena);
}

static void read_roles(struct str doc, size_t piece, struct result *r)
{
    struct arena arena = {0};
    struct ews_roles_found roles;
    ews_roles_init(&roles, &arena);
    roles.count = EWS_ROLE_COUNT;
    feed(&ews_roles_reader, &roles, doc, piece, r);
    if (roles.answered > EWS_ROLE_COUNT)
        abort();
    for (size_t i = 0; i < EWS_ROLE_COUNT; i++)
        mix(r, roles.ids[i]);
    arena_done(&arena);
}

static bool mix_piece(void *ud, struct str piece)
{
    struct result *r = ud;
    for (size_t i = 0; i < piece.n; i++)
        r->hash = (r->hash ^ (unsigned char)piece.p[i]) * UINT64_C(0x100000001b3);
    return true;
}

static void on_mime(void *ud, size_t index, const struct ews_status *status, struct str id, struct blob *content,
                    const struct err *err)
{
    struct result *r = ud;
    struct err e;
    mix_status(r, status);
    mix(r, id);
    r->hash += index + err->code;
    if (!content)
        return;
    if (blob_size(content) == 0 || blob_size(content) > LIMIT)
        abort();
    blob_each(content, mix_piece, r, &e);
}

static void read_mime(struct str doc, size_t piece, struct result *r)
{
    struct ews_mime mime;
    ews_mime_init(&mime, "/tmp", LIMIT);
    mime.on_item = on_mime;
    mime.ud = r;
    feed(&ews_mime_reader, &mime, doc, piece, r);
    ews_mime_done(&mime);
}

static void on_item(void *ud, size_t index, const struct ews_status *status, struct ews_props *props)
{
    struct result *r = ud;
    struct buf out = BUF_INIT(0);
    struct build_message message;
    struct build build;
    bool built;
    mix_status(r, status);
    mix(r, props->id);
    r->hash += index;
    if (!ews_props_header(props, &out, &built))
        abort();
    /* one block, and the empty line */
    struct str block = buf_view(&out);
    if (!str_is(block, "\r\n") &&
        (!str_ends(block, STR("\r\n\r\n")) || str_find(block, STR("\r\n\r\n")) != block.n - 4))
        abort();
    mix(r, buf_view(&out));
    buf_reset(&out);
    ews_props_message(props, &message);
    build_init(&build, &message);
    build_begin(&build, &out);
    mix(r, buf_view(&out));
    buf_done(&out);
}

static void read_items(struct str doc, size_t piece, struct result *r)
{
    struct ews_items items = {.on_item = on_item, .ud = r};
    ews_props_init(&items.props);
    feed(&ews_items_reader, &items, doc, piece, r);
    ews_props_done(&items.props);
}

static void read_attachment(struct str doc, size_t piece, struct result *r)
{
    struct ews_attachment_content content;
    ews_attachment_content_init(&content, mix_piece, r);
    feed(&ews_attachment_reader, &content, doc, piece, r);
    ews_attachment_content_done(&content);
}

static void on_folder(void *ud, struct str id)
{
    if (id.n == 0 || id.n > BACKEND_ID_MAX)
        abort();
    mix(ud, id);
}

static void read_events(struct str doc, size_t piece, struct result *r)
{
    /* Many envelopes: the splitter chooses where each ends. */
    struct ews_events events = {.on_folder = on_folder, .ud = r};
    struct xml_split split = {0};
    struct err err = {0};
    struct ews_answer *a = ews_answer_new(&ews_events_reader, &events);
    bool ok = true;
    for (size_t at = 0; ok && at < doc.n; at += piece) {
        struct str in = str_sub(doc, at, piece), part;
        bool ends;
        while (ok && xml_split_next(&split, &in, &part, &ends)) {
            ok = ews_answer_feed(a, part, &err);
            if (!ok || !ends)
                continue;
            ok = ews_answer_finish(a, &err);
            r->hash += events.events * 7 + events.beats * 3 + events.hierarchy + events.closed;
            ews_events_reset(&events);
            ews_answer_free(a);
            a = ews_answer_new(&ews_events_reader, &events);
        }
    }
    r->ok = ok && !split.in_document; /* an open one may be broken already, or not yet */
    ews_answer_free(a);
    ews_events_done(&events);
}

static void read_subscribed(struct str doc, size_t piece, struct result *r)
{
    struct ews_subscribed s = {.id = BUF_INIT(EWS_SUBSCRIPTION_ID_MAX)};
    feed(&ews_subscribe_reader, &s, doc, piece, r);
    if (s.id.n > EWS_SUBSCRIPTION_ID_MAX)
        abort();
    mix(r, buf_view(&s.id));
    buf_done(&s.id);
}

static void read_transport_headers(struct str doc, size_t piece, struct result *r)
{
    struct buf out = BUF_INIT(0);
    (void)piece;
    r->ok = ews_headers_clean(doc, &out);
    if (r->ok && (!str_ends(buf_view(&out), STR("\r\n")) || str_find(buf_view(&out), STR("\r\n\r\n")) != (size_t)-1))
        abort();
    mix(r, buf_view(&out));
    buf_done(&out);
}

static void mix_fields(struct result *r, const struct event_fields *f)
{
    r->hash += (uint64_t)f->start * 7 + (uint64_t)f->end * 3 + f->all_day + (uint64_t)f->busy;
    if (f->end < f->start || f->attendee_count > EVENT_ATTENDEES_MAX || f->category_count > EVENT_CATEGORIES_MAX ||
        f->attachment_count > EVENT_ATTACHMENTS_MAX)
        abort();
    mix(r, f->subject);
    mix(r, f->text);
    mix(r, f->html);
    mix(r, f->start_zone);
    for (size_t i = 0; i < f->attendee_count; i++)
        mix(r, f->attendees[i].email);
}

static void read_calendar(struct str doc, size_t piece, struct result *r)
{
    struct arena arena = {0};
    struct ews_event_reading got;
    ews_event_reading_init(&got, &arena, 4, tz_by_name(STR("Europe/Berlin")));
    feed(&ews_event_reader, &got, doc, piece, r);
    for (size_t i = 0; i < got.count; i++) {
        struct ews_got *g = &got.list[i];
        ews_event_complete(g);
        mix(r, g->id);
        mix(r, g->e.uid);
        if (g->is_event && g->e.kind == EVENT_APPOINTMENT)
            mix_fields(r, &g->e.fields);
        for (size_t k = 0; k < g->e.exception_count; k++) {
            if (k && g->e.exceptions[k - 1].original >= g->e.exceptions[k].original)
                abort();
            r->hash += (uint64_t)g->e.exceptions[k].original;
        }
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct str, size_t, struct result *) = {
        read_page,     read_tree,       read_roles,
        read_mime,     read_items,      read_attachment,
        read_events,   read_subscribed, read_transport_headers,
        read_calendar,
    };
    if (size < 2)
        return 0;
    void (*read)(struct str, size_t, struct result *) = readers[data[0] % (sizeof(readers) / sizeof(readers[0]))];
    struct str doc = str_of(data + 2, size - 2);
    struct result whole = {0}, pieces = {0};
    read(doc, doc.n ? doc.n : 1, &whole);
    read(doc, 1 + data[1] % 64, &pieces);
    if (whole.ok != pieces.ok || (whole.ok && whole.hash != pieces.hash))
        abort();
    return 0;
}
