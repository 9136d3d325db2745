/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_item.h"

#include "backends/eas/eas_collection.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/formats/header.h"

#define CHARACTER_REST 3 /* bytes of a character of UTF-8 but for one */
#define HEADER_SCAN_MAX                                                                                                \
    ((uint64_t)1024 * 1024) /* a truncated message whose header is longer is fetched whole instead */

/* --- bodies ------------------------------------------------------------------------------------------------------ */

enum line_ends { LINE_ENDS_UNKNOWN, LINE_ENDS_KEPT, LINE_ENDS_CONVERTED };

static void drop_body(struct eas_body_writer *w)
{
    blob_unref(&w->blob);
    if (w->err.code == ERR_NONE)
        err_set(&w->err, ERR_INTERNAL, "a message body could not be stored");
}

static void learn_line_ends(struct eas_body_writer *w, struct str piece)
{
    size_t lf = str_find_byte(piece, '\n');

    if (lf >= piece.n) {
        w->last = piece.p[piece.n - 1];
        return;
    }
    w->line_ends = (lf > 0 ? piece.p[lf - 1] : w->last) == '\r' ? LINE_ENDS_KEPT : LINE_ENDS_CONVERTED;
}

static bool add_converted(struct eas_body_writer *w, struct str piece)
{
    struct buf out = BUF_INIT(piece.n * 2 + 16);
    bool ok = eol_crlf_feed(&w->crlf, piece, &out) && blob_add(w->blob, buf_view(&out), &w->err);

    buf_done(&out);
    return ok;
}

void eas_body_add(struct eas_body_writer *w, struct str piece)
{
    if (w->err.code != ERR_NONE || piece.n == 0)
        return;
    w->taken += piece.n;
    if (!w->blob)
        w->blob = blob_new(w->tmp_dir, w->limit);
    if (w->line_ends == LINE_ENDS_UNKNOWN && !w->raw)
        learn_line_ends(w, piece);
    if (w->line_ends == LINE_ENDS_CONVERTED ? !add_converted(w, piece) : !blob_add(w->blob, piece, &w->err))
        drop_body(w);
}

struct blob *eas_body_finish(struct eas_body_writer *w)
{
    struct blob *blob;
    struct buf rest = BUF_INIT(16);

    if (w->blob && w->line_ends == LINE_ENDS_CONVERTED &&
        (!eol_crlf_finish(&w->crlf, &rest) || !blob_add(w->blob, buf_view(&rest), &w->err)))
        drop_body(w);
    buf_done(&rest);
    blob = w->blob;
    w->blob = NULL;
    if (blob && !blob_finish(blob, &w->err)) {
        w->blob = blob;
        drop_body(w);
        return NULL;
    }
    return blob;
}

void eas_body_done(struct eas_body_writer *w)
{
    blob_unref(&w->blob);
    w->err = (struct err){0};
    w->crlf = (struct eol_crlf){0};
    w->line_ends = LINE_ENDS_UNKNOWN;
    w->last = 0;
    w->raw = false;
    w->taken = 0;
}

size_t eas_header_size(struct str mime)
{
    size_t at = 0;

    while (at < mime.n) {
        struct str rest = str_skip(mime, at);
        size_t lf;

        if (rest.p[0] == '\n')
            return at + 1;
        if (rest.n >= 2 && rest.p[0] == '\r' && rest.p[1] == '\n')
            return at + 2;
        lf = str_find_byte(rest, '\n');
        if (lf >= rest.n)
            break;
        at += lf + 1;
    }
    return 0;
}

struct blob *eas_header_of(const struct blob *mime)
{
    uint64_t n = blob_size(mime) < HEADER_SCAN_MAX ? blob_size(mime) : HEADER_SCAN_MAX;
    struct buf copy = BUF_INIT(HEADER_SCAN_MAX);
    struct blob *header = NULL;
    struct str view;
    size_t size;

    if (!blob_view(mime, &view)) {
        char *to = buf_room(&copy, (size_t)n);

        if (!to || !blob_read(mime, 0, to, (size_t)n, NULL))
            n = 0;
        view = str_of(to, (size_t)n);
    }
    size = eas_header_size(view);
    if (size > 0)
        header = blob_from_str(str_sub(view, 0, size));
    buf_done(&copy);
    return header;
}

struct str eas_message_id(const struct blob *mime, struct arena *arena)
{
    uint64_t n = blob_size(mime) < EAS_TRUNCATION ? blob_size(mime) : EAS_TRUNCATION;
    struct buf copy = BUF_INIT(EAS_TRUNCATION);
    struct str view, value, id = STR_NULL;
    char *to;

    if (!blob_view(mime, &view)) {
        to = buf_room(&copy, (size_t)n);
        view = to && blob_read(mime, 0, to, (size_t)n, NULL) ? str_of(to, (size_t)n) : STR_NULL;
    }
    view = str_sub(view, 0, EAS_TRUNCATION);
    /* a field that ends with the last byte may go on behind it */
    if (header_find(view, "Message-ID", &value) && value.p + value.n < view.p + view.n) {
        id = str_trim(header_unfold(arena, value));
        if (id.n > 1 && id.p[0] == '<' && id.p[id.n - 1] == '>')
            id = str_sub(id, 1, id.n - 2);
        id = arena_str(arena, id);
    }
    buf_done(&copy);
    return id;
}

static bool ends_at(uint64_t size, uint64_t limit)
{
    return size <= limit && size + CHARACTER_REST >= limit;
}

/* A server that forgets to say Truncated: the body was to be longer, and ends where we asked, or where one of the
 * levels of MIMETruncation does (MS-ASCMD 2.2.3.101), but for a character that was not to be split. Taken for whole it
 * would be the message for ever; taken for a piece it costs a fetch. */
static bool looks_cut(uint64_t size, uint64_t estimated, uint64_t truncation)
{
    static const uint64_t levels[] = {4096, 5120, 7168, 10240, 20480, 51200, 102400};

    if (truncation == 0 || estimated <= size)
        return false;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (ends_at(size, levels[i]))
            return true;
    return ends_at(size, truncation);
}

void eas_item_content(struct eas_item *item, uint64_t truncation, struct blob **ret_header, struct blob **ret_message)
{
    struct blob *blob = eas_body_finish(&item->body);

    *ret_header = NULL;
    *ret_message = NULL;
    if (!blob || item->body_type != EAS_BODY_MIME || blob_size(blob) == 0) {
        blob_unref(&blob);
        return;
    }
    if (!item->truncated && !looks_cut(item->body.taken, item->estimated, truncation)) {
        *ret_message = blob;
        return;
    }
    *ret_header = eas_header_of(blob);
    blob_unref(&blob);
}

/* --- properties -------------------------------------------------------------------------------------------------- */

void eas_item_begin(struct eas_item *item)
{
    struct eas_item fresh = {.arena = item->arena, .all = item->all, .received_ms = TIME_NONE};

    eas_body_done(&item->body);
    fresh.body.tmp_dir = item->body.tmp_dir;
    fresh.body.limit = item->body.limit;
    *item = fresh;
}

void eas_item_done(struct eas_item *item)
{
    eas_body_done(&item->body);
}

static bool is_true(struct str text)
{
    return eas_number(text) == 1;
}

static struct str keep(const struct eas_item *item, struct str text)
{
    return text_utf8_repair(item->arena, arena_str(item->arena, str_sub(text, 0, EAS_ITEM_TEXT_MAX)));
}

#define ITEM_TEXT(function, condition, assignment)                                                                     \
    bool function(void *ud, struct str text, struct err *err)                                                          \
    {                                                                                                                  \
        struct eas_item *item = ud;                                                                                    \
                                                                                                                       \
        (void)err;                                                                                                     \
        if (condition)                                                                                                 \
            assignment;                                                                                                \
        return true;                                                                                                   \
    }

ITEM_TEXT(eas_item_subject, true, item->subject = keep(item, text))
ITEM_TEXT(eas_item_from, item->all, item->from = keep(item, text))
ITEM_TEXT(eas_item_sender, item->all, item->sender = keep(item, text))
ITEM_TEXT(eas_item_to, item->all, item->to = keep(item, text))
ITEM_TEXT(eas_item_cc, item->all, item->cc = keep(item, text))
ITEM_TEXT(eas_item_bcc, item->all, item->bcc = keep(item, text))
ITEM_TEXT(eas_item_reply_to, item->all, item->reply_to = keep(item, text))
ITEM_TEXT(eas_item_importance, true,
          item->importance = text.n == 1 && text.p[0] != '1' ? (text.p[0] == '0' ? -1 : 1) : 0)
ITEM_TEXT(eas_item_flag_status, true, item->flagged = eas_number(text) == 2)
ITEM_TEXT(eas_item_body_type, true, item->body_type = eas_number(text))
ITEM_TEXT(eas_item_body_truncated, true, item->truncated = is_true(text))
ITEM_TEXT(eas_item_attachment_name, item->all, item->attachment.name = keep(item, text))
ITEM_TEXT(eas_item_attachment_reference, item->all, item->attachment.reference = keep(item, text))
ITEM_TEXT(eas_item_attachment_type, item->all, item->attachment.type = keep(item, text))
ITEM_TEXT(eas_item_attachment_id, item->all, item->attachment.content_id = keep(item, text))
ITEM_TEXT(eas_item_attachment_method, true, item->attachment.method = eas_number(text))
ITEM_TEXT(eas_item_attachment_inline, true, item->attachment.is_inline = is_true(text))

bool eas_item_read(void *ud, struct str text, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    item->has_read = true;
    item->read = is_true(text);
    return true;
}

bool eas_item_received(void *ud, struct str text, struct err *err)
{
    struct eas_item *item = ud;
    int64_t wall_ms;

    (void)err;
    if (time_parse_iso(str_trim(text), &wall_ms))
        item->received_ms = wall_ms;
    return true;
}

bool eas_item_flag_open(void *ud, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    item->has_flag = true;
    item->flagged = false; /* an empty Flag clears it */
    return true;
}

bool eas_item_categories_open(void *ud, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    item->has_categories = true;
    item->category_count = 0;
    return true;
}

bool eas_item_category(void *ud, struct str text, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    if (text.n == 0 || text.n > EAS_CATEGORY_MAX || item->category_count == EAS_CATEGORIES_MAX)
        return true;
    if (!item->categories)
        item->categories = arena_array(item->arena, EAS_CATEGORIES_MAX, sizeof(struct str));
    item->categories[item->category_count++] = text_utf8_repair(item->arena, arena_str(item->arena, text));
    return true;
}

bool eas_item_verb(void *ud, struct str text, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    item->has_verb = true;
    item->verb = eas_number(text);
    return true;
}

bool eas_item_draft(void *ud, struct str text, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    item->has_draft = true;
    item->draft = is_true(text);
    return true;
}

bool eas_item_body_open(void *ud, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    eas_body_done(&item->body);
    item->has_body = true;
    item->truncated = false;
    item->body_type = EAS_BODY_NONE;
    item->part = 0;
    item->estimated = 0;
    return true;
}

bool eas_item_body_size(void *ud, struct str text, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    if (!str_to_u64(str_trim(text), &item->estimated))
        item->estimated = 0;
    return true;
}

bool eas_item_body_data(void *ud, struct str piece, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    eas_body_add(&item->body, piece);
    return true;
}

bool eas_item_body_part(void *ud, struct str text, struct err *err)
{
    struct eas_item *item = ud;
    int part = eas_number(text);

    (void)err;
    item->part = part > 0 ? part : 0;
    return true;
}

bool eas_item_attachment_open(void *ud, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    item->attachment = (struct eas_attachment){0};
    return true;
}

bool eas_item_attachment_size(void *ud, struct str text, struct err *err)
{
    struct eas_item *item = ud;

    (void)err;
    if (!str_to_u64(str_trim(text), &item->attachment.size))
        item->attachment.size = 0;
    return true;
}

bool eas_item_attachment_close(void *ud, struct err *err)
{
    struct eas_item *item = ud;
    size_t n = item->attachment_count;

    (void)err;
    if (!item->all || n == EAS_ATTACHMENTS_MAX)
        return true;
    if ((n & (n - 1)) == 0) { /* room for 1, 2, 4, ... */
        struct eas_attachment *more = arena_array(item->arena, n ? n * 2 : 1, sizeof(*more));

        if (n > 0)
            memcpy(more, item->attachments, n * sizeof(*more));
        item->attachments = more;
    }
    item->attachments[item->attachment_count++] = item->attachment;
    return true;
}
