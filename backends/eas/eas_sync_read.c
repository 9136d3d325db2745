/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_sync_read.h"

#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define ESTIMATE_SLACK 1024
#define VERB_REPLY     1
#define VERB_REPLY_ALL 2
#define VERB_FORWARD   3

static bool on_collection(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;

    if (page->has_collection)
        return err_set(err, ERR_PROTOCOL, "the Sync answer speaks of more collections than were asked for");
    page->has_collection = true;
    return true;
}

static bool on_key(void *ud, struct str text, struct err *err)
{
    struct eas_sync_page *page = ud;

    if (!eas_key_valid(text, EAS_SYNC_KEY_MAX))
        return err_set(err, ERR_PROTOCOL, "a SyncKey that cannot be right (%zu bytes)", text.n);
    page->key = arena_str(&page->arena, text);
    return true;
}

static bool on_status(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_sync_page *)ud)->status = eas_number(text);
    return true;
}

static bool on_more(void *ud, struct err *err)
{
    (void)err;
    ((struct eas_sync_page *)ud)->more = true;
    return true;
}

static bool on_command(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;

    if (page->count == EAS_SYNC_ITEMS_MAX)
        return err_set(err, ERR_TOO_BIG, "over %d items in one Sync answer", EAS_SYNC_ITEMS_MAX);
    eas_item_begin(&page->item);
    page->current = (struct item_info){.received_ms = TIME_NONE};
    page->item_open = true;
    return true;
}

static bool on_add(void *ud, struct err *err)
{
    ((struct eas_sync_page *)ud)->adding = true;
    return on_command(ud, err);
}

static bool on_other(void *ud, struct err *err)
{
    ((struct eas_sync_page *)ud)->adding = false;
    return on_command(ud, err);
}

static bool on_server_id(void *ud, struct str text, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    if (text.n <= BACKEND_ID_MAX)
        page->current.id = arena_str(&page->arena, text);
    return true;
}

static void append(struct eas_sync_page *page, const struct item_info *info)
{
    if (page->count == page->size) {
        struct item_info *more;

        page->size = page->size ? page->size * 2 : 32;
        more = arena_array(&page->arena, page->size, sizeof(*more));
        if (page->count > 0)
            memcpy(more, page->items, page->count * sizeof(*more));
        page->items = more;
    }
    page->items[page->count++] = *info;
}

/* A command without a usable id is of no use to anybody: it is left out. */
static bool close_command(struct eas_sync_page *page)
{
    page->item_open = false;
    if (page->current.id.n > 0) {
        append(page, &page->current);
    } else {
        blob_unref(&page->current.header);
        blob_unref(&page->current.message);
    }
    page->current = (struct item_info){.received_ms = TIME_NONE};
    return true;
}

static void set_flag(struct item_info *info, bool known, bool value, unsigned flag)
{
    if (!known)
        return;
    info->flags_known |= flag;
    if (value)
        info->flags |= flag;
}

/* What an Add does not mention is not set; what a Change does not mention stays as it is (MS-ASCMD 2.2.3.24). A verb
 * that is not told was never executed by way of the server: what a client noted here itself stands. */
static void take_properties(struct eas_sync_page *page)
{
    bool is_add = page->adding;
    const struct eas_item *item = &page->item;
    struct item_info *info = &page->current;
    bool replied = item->verb == VERB_REPLY || item->verb == VERB_REPLY_ALL;

    set_flag(info, is_add || item->has_read, item->read, ITEM_SEEN);
    set_flag(info, is_add || item->has_flag, item->flagged, ITEM_FLAGGED);
    set_flag(info, item->has_verb, replied, ITEM_ANSWERED);
    set_flag(info, item->has_verb, item->verb == VERB_FORWARD, ITEM_FORWARDED);
    set_flag(info, is_add || item->has_draft, item->draft, ITEM_DRAFT);
    info->categories_known = (is_add && page->options.version >= 140) || item->has_categories;
    info->categories = item->categories;
    info->category_count = item->category_count;
    info->received_ms = item->received_ms;
    if (is_add && info->received_ms == TIME_NONE) /* a new item has a place in time, told or not */
        info->received_ms = time_wall_ms();
    info->subject = item->subject;
}

static void take_content(struct eas_sync_page *page)
{
    struct item_info *info = &page->current;

    if (!page->item.has_body)
        return;
    /* Some servers send the whole item when a flag changes: its MIME is not new. Drafts alone can be edited. */
    info->content_changed = !page->adding && page->item.has_draft && page->item.draft;
    if (page->item.body_type == EAS_BODY_MIME)
        info->size_estimate = page->item.estimated;
    eas_item_content(&page->item, page->options.truncation, &info->header, &info->message);
    if (page->adding && (info->header || info->message))
        info->message_id = eas_message_id(info->header ? info->header : info->message, &page->arena);
    if (info->message) {
        info->size_estimate = blob_size(info->message);
        info->size_exact = true;
    } else if (info->header && info->size_estimate <= page->options.truncation + ESTIMATE_SLACK) {
        info->size_estimate = 0; /* the size of the piece, not of the message (SOGo) */
    }
}

static bool close_item(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    take_properties(page);
    take_content(page);
    return close_command(page);
}

static bool close_delete(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    page->current.gone = true;
    return close_command(page);
}

static bool close_soft_delete(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    page->current.left_window = true;
    return close_command(page);
}

/* --- responses to our own commands ------------------------------------------------------------------------------- */

static bool open_response(struct eas_sync_page *page, enum eas_tag command, struct err *err)
{
    if (page->response_count == EAS_SYNC_ITEMS_MAX)
        return err_set(err, ERR_TOO_BIG, "over %d responses in one Sync answer", EAS_SYNC_ITEMS_MAX);
    eas_item_begin(&page->item);
    page->current = (struct item_info){.received_ms = TIME_NONE};
    page->response = (struct eas_sync_response){.command = command};
    return true;
}

static bool on_response_add(void *ud, struct err *err)
{
    return open_response(ud, AirSync_Add, err);
}

static bool on_response_change(void *ud, struct err *err)
{
    return open_response(ud, AirSync_Change, err);
}

static bool on_response_delete(void *ud, struct err *err)
{
    return open_response(ud, AirSync_Delete, err);
}

static bool on_command_status(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_sync_page *)ud)->response.status = eas_number(text);
    return true;
}

static bool on_client_id(void *ud, struct str text, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    if (text.n <= BACKEND_ID_MAX)
        page->response.client_id = arena_str(&page->arena, text);
    return true;
}

static bool close_response(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    page->response.id = page->current.id;
    page->current = (struct item_info){.received_ms = TIME_NONE};
    if (page->response_count == page->response_size) {
        struct eas_sync_response *more;

        page->response_size = page->response_size ? page->response_size * 2 : 32;
        more = arena_array(&page->arena, page->response_size, sizeof(*more));
        if (page->response_count > 0)
            memcpy(more, page->responses, page->response_count * sizeof(*more));
        page->responses = more;
    }
    page->responses[page->response_count++] = page->response;
    return true;
}

static const struct eas_rule rules[] = {
    {.tag = AirSync_Sync},
    EAS_CONTAINER(AirSync_Sync, AirSync_Collections),
    {AirSync_Collections, AirSync_Collection, .open = on_collection},
    {AirSync_Collection, AirSync_SyncKey, .text = on_key},
    {AirSync_Collection, AirSync_Status, .text = on_status},
    {AirSync_Collection, AirSync_MoreAvailable, .open = on_more},
    EAS_CONTAINER(AirSync_Collection, AirSync_Commands),
    {AirSync_Commands, AirSync_Add, .open = on_add, .close = close_item},
    {AirSync_Commands, AirSync_Change, .open = on_other, .close = close_item},
    {AirSync_Commands, AirSync_Delete, .open = on_other, .close = close_delete},
    {AirSync_Commands, AirSync_SoftDelete, .open = on_other, .close = close_soft_delete},
    {AirSync_Add, AirSync_ServerId, .text = on_server_id},
    {AirSync_Change, AirSync_ServerId, .text = on_server_id},
    {AirSync_Delete, AirSync_ServerId, .text = on_server_id},
    {AirSync_SoftDelete, AirSync_ServerId, .text = on_server_id},
    EAS_CONTAINER(AirSync_Collection, AirSync_Responses),
    {AirSync_Responses, AirSync_Add, .open = on_response_add, .close = close_response},
    {AirSync_Responses, AirSync_Change, .open = on_response_change, .close = close_response},
    {AirSync_Responses, AirSync_Delete, .open = on_response_delete, .close = close_response},
    {AirSync_Add, AirSync_Status, .text = on_command_status},
    {AirSync_Change, AirSync_Status, .text = on_command_status},
    {AirSync_Delete, AirSync_Status, .text = on_command_status},
    {AirSync_Add, AirSync_ClientId, .text = on_client_id},
    EAS_CONTAINER(AirSync_Add, AirSync_ApplicationData),
    EAS_CONTAINER(AirSync_Change, AirSync_ApplicationData),
    EAS_ITEM_RULES(AirSync_ApplicationData),
};
const struct eas_rules eas_sync_rules = {rules, sizeof(rules) / sizeof(rules[0])};

struct eas_sync_page *eas_sync_page_new(const struct eas_sync_options *options)
{
    struct eas_sync_page *page = MEM_NEW(struct eas_sync_page);

    page->options = *options;
    page->item.arena = &page->arena;
    page->item.body.tmp_dir = options->tmp_dir;
    page->item.body.limit = options->message_limit;
    eas_item_begin(&page->item);
    return page;
}

static void forget(struct eas_sync_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        blob_unref(&page->items[i].header);
        blob_unref(&page->items[i].message);
    }
    blob_unref(&page->current.header);
    blob_unref(&page->current.message);
    eas_item_done(&page->item);
    arena_done(&page->arena);
}

void eas_sync_page_reset(struct eas_sync_page *page)
{
    struct eas_item item = {.arena = &page->arena,
                            .body = {.tmp_dir = page->options.tmp_dir, .limit = page->options.message_limit}};

    forget(page);
    *page = (struct eas_sync_page){.options = page->options, .item = item};
    eas_item_begin(&page->item);
}

bool eas_sync_page_quarantine(struct eas_sync_page *page)
{
    if (!page->item_open || page->current.id.n == 0 || page->key.n == 0)
        return false;
    take_properties(page);
    close_command(page);
    return true;
}

void eas_sync_page_free(struct eas_sync_page **page)
{
    if (!*page)
        return;
    forget(*page);
    mem_free(*page);
    *page = NULL;
}
