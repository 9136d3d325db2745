/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_items_read.h"

#include "backends/eas/eas_status.h"

static const struct {
    int status;
    enum err_code code;
    const char *text;
} statuses[] = {
    {2, ERR_PROTOCOL, "the server does not understand the request"},
    {3, ERR_OFFLINE, "the server failed"},
    {5, ERR_DENIED, "access is denied"},
    {6, ERR_NOT_FOUND, "the item is not there any more"},
    {7, ERR_OFFLINE, "the server could not reach the store"},
    {8, ERR_PROTOCOL, "the byte range is not valid"},
    {9, ERR_PROTOCOL, "the store is not known"},
    {10, ERR_NOT_FOUND, "the file is empty"},
    {11, ERR_TOO_BIG, "the item is too large for the server's limit"},
    {12, ERR_OFFLINE, "the server failed to read the item"},
    {EAS_FETCH_CONVERSION, ERR_PROTOCOL, "the server could not convert the item"},
    {15, ERR_NOT_FOUND, "the attachment is not there"},
    {16, ERR_DENIED, "access is denied"},
    {17, ERR_PROTOCOL, "the server gave a part of the item only"},
    {18, ERR_DENIED, "the server wants other credentials for this item"},
};

bool eas_fetch_status_err(int status, struct err *err)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].status == status) {
            err_set(err, statuses[i].code, "Fetch: %s (status %d)", statuses[i].text, status);
            if (err)
                err->status = status;
            return false;
        }
    return eas_status_err(err, "Fetch", status);
}

static bool on_fetch(void *ud, struct err *err)
{
    struct eas_fetch_answer *a = ud;

    (void)err;
    eas_item_begin(&a->item);
    a->status = 0;
    a->id = STR_NULL;
    return true;
}

static bool on_status(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_fetch_answer *)ud)->status = eas_number(text);
    return true;
}

static bool on_id(void *ud, struct str text, struct err *err)
{
    struct eas_fetch_answer *a = ud;

    (void)err;
    if (text.n <= BACKEND_ID_MAX)
        a->id = arena_str(a->arena, text);
    return true;
}

/* Data of an attachment: properties have no Body around it. */
static bool on_data(void *ud, struct str piece, struct err *err)
{
    struct eas_fetch_answer *a = ud;

    (void)err;
    a->item.has_body = true;
    a->item.body.raw = true;
    eas_body_add(&a->item.body, piece);
    return true;
}

static bool on_part(void *ud, struct str text, struct err *err)
{
    struct eas_fetch_answer *a = ud;

    a->item.has_body = true;
    a->item.body.raw = true;
    return eas_item_body_part(&a->item, text, err);
}

static struct eas_fetched *find(struct eas_fetch_answer *a)
{
    for (size_t i = 0; i < a->count && a->id.n > 0; i++)
        if (!a->list[i].answered && str_eq(a->ids[i], a->id))
            return &a->list[i];
    if (a->id.n > 0 || a->position >= a->count || a->list[a->position].answered)
        return NULL; /* something that nobody asked for */
    return &a->list[a->position];
}

static bool close_fetch(void *ud, struct err *err)
{
    struct eas_fetch_answer *a = ud;
    struct eas_fetched *f = find(a);

    (void)err;
    a->position++;
    if (!f)
        return true;
    f->answered = true;
    f->status = a->status;
    f->has_body = a->item.has_body;
    f->type = a->item.body_type;
    f->part = a->item.part;
    f->truncated = a->item.truncated;
    f->estimated = a->item.estimated;
    f->body = a->item.body; /* moved */
    a->item.body = (struct eas_body_writer){.tmp_dir = a->tmp_dir, .limit = a->message_limit};
    return true;
}

static const struct eas_rule rules[] = {
    {.tag = ItemOperations_ItemOperations},
    EAS_CONTAINER(ItemOperations_ItemOperations, ItemOperations_Response),
    {ItemOperations_Response, ItemOperations_Fetch, .open = on_fetch, .close = close_fetch},
    {ItemOperations_Fetch, ItemOperations_Status, .text = on_status},
    {ItemOperations_Fetch, AirSync_ServerId, .text = on_id},
    {ItemOperations_Fetch, AirSyncBase_FileReference, .text = on_id},
    EAS_CONTAINER(ItemOperations_Fetch, ItemOperations_Properties),
    {ItemOperations_Properties, ItemOperations_Data, .data = on_data},
    {ItemOperations_Properties, ItemOperations_Part, .text = on_part},
    EAS_ITEM_RULES(ItemOperations_Properties),
};
const struct eas_rules eas_fetch_rules = {rules, sizeof(rules) / sizeof(rules[0])};

void eas_fetch_answer_begin(struct eas_fetch_answer *a, const struct str *ids, size_t count)
{
    eas_fetch_answer_done(a);
    a->ids = ids;
    a->count = count;
    a->position = 0;
    a->item.arena = a->arena;
    a->item.body.tmp_dir = a->tmp_dir;
    a->item.body.limit = a->message_limit;
    eas_item_begin(&a->item);
    for (size_t i = 0; i < count; i++)
        a->list[i] = (struct eas_fetched){.body = {.tmp_dir = a->tmp_dir, .limit = a->message_limit}};
}

void eas_fetch_answer_part(struct eas_fetch_answer *a, unsigned part, struct str piece)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->list[i].answered && (unsigned)a->list[i].part == part) {
            eas_body_add(&a->list[i].body, piece);
            return;
        }
}

void eas_fetch_answer_done(struct eas_fetch_answer *a)
{
    for (size_t i = 0; i < a->count; i++)
        eas_body_done(&a->list[i].body);
    a->count = 0;
    eas_item_done(&a->item);
}
