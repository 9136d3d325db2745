/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_sync_read.h"

#include "backends/eas/eas_collection.h"
#include "backends/eas/eas_invitations.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define ESTIMATE_SLACK 1024
#define VERB_REPLY     1
#define VERB_REPLY_ALL 2
#define VERB_FORWARD   3

static bool is_mail(const struct eas_sync_page *page)
{
    return eas_is_mail(page->options.kind);
}

static void begin_item(struct eas_sync_page *page)
{
    if (is_mail(page))
        eas_item_begin(&page->item);
    else
        eas_event_begin(&page->event);
    page->current = (struct item_info){.received_ms = TIME_NONE};
    page->need = EAS_NEED_NOTHING;
    page->instance = false;
    memset(&page->meeting, 0, sizeof(page->meeting));
}

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
    if (!is_mail(page) && page->arena.total > EAS_SYNC_EVENT_BYTES)
        return err_set(err, ERR_TOO_BIG, "over %zu bytes of events in one Sync answer", EAS_SYNC_EVENT_BYTES);
    begin_item(page);
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

static bool on_instance(void *ud, struct str text, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    page->instance = true;
    page->response.instance = arena_str(&page->arena, str_sub(str_trim(text), 0, EAS_SYNC_INSTANCE_MAX));
    return true;
}

static void append(struct eas_sync_page *page, const struct item_info *info)
{
    if (page->count == page->size) {
        struct item_info *more;
        enum eas_sync_need *needs;

        page->size = page->size ? page->size * 2 : 32;
        more = arena_array(&page->arena, page->size, sizeof(*more));
        needs = arena_array(&page->arena, page->size, sizeof(*needs));
        if (page->count > 0) {
            memcpy(more, page->items, page->count * sizeof(*more));
            memcpy(needs, page->needs, page->count * sizeof(*needs));
        }
        page->items = more;
        page->needs = needs;
    }
    page->needs[page->count] = page->need;
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
 * that is not told was never executed by way of the server: what a client noted here itself stands. The last verb says
 * nothing of the one before it. */
static void take_properties(struct eas_sync_page *page)
{
    bool is_add = page->adding;
    const struct eas_item *item = &page->item;
    struct item_info *info = &page->current;
    bool replied = item->verb == VERB_REPLY || item->verb == VERB_REPLY_ALL, forwarded = item->verb == VERB_FORWARD;

    set_flag(info, is_add || item->has_read, item->read, ITEM_SEEN);
    set_flag(info, is_add || item->has_flag, item->flagged, ITEM_FLAGGED);
    set_flag(info, item->has_verb && !forwarded, replied, ITEM_ANSWERED);
    set_flag(info, item->has_verb && !replied, forwarded, ITEM_FORWARDED);
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

/* --- invitations ------------------------------------------------------------------------------------------------- */

static bool on_message_class(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_sync_page *)ud)->meeting.request = str_case_is(text, "IPM.Schedule.Meeting.Request");
    return true;
}

static bool on_instance_type(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_sync_page *)ud)->meeting.one_occurrence = eas_number(text) >= EAS_ONE_OCCURRENCE;
    return true;
}

static bool on_global_id(void *ud, struct str text, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    page->meeting.uid = eas_uid_of_global_id(text, &page->arena);
    return true;
}

static void take_invitation(struct eas_sync_page *page)
{
    struct eas_sync_invitation *more;

    if (!page->meeting.request || page->meeting.one_occurrence || page->meeting.uid.n == 0 || page->current.id.n == 0)
        return;
    if (page->invitation_count == page->invitation_size) {
        page->invitation_size = page->invitation_size ? page->invitation_size * 2 : 8;
        more = arena_array(&page->arena, page->invitation_size, sizeof(*more));
        if (page->invitation_count > 0)
            memcpy(more, page->invitations, page->invitation_count * sizeof(*more));
        page->invitations = more;
    }
    page->invitations[page->invitation_count++] = (struct eas_sync_invitation){page->current.id, page->meeting.uid};
}

static bool close_item(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    take_invitation(page);
    take_properties(page);
    take_content(page);
    return close_command(page);
}

/* An occurrence alone (16.x) is no item: what it means for the series is told by the series. */
static bool close_event(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;
    struct event *e;

    (void)err;
    page->need = EAS_NEED_ITEM;
    if (!page->instance) {
        e = arena_alloc(&page->arena, sizeof(*e));
        if (eas_event_make(&page->event, page->current.id, e) == EAS_EVENT_WHOLE) {
            page->current.event = e;
            page->need = eas_event_wants_html(&page->event) ? EAS_NEED_HTML : EAS_NEED_NOTHING;
        }
    }
    return close_command(page);
}

static bool close_delete(void *ud, struct err *err)
{
    struct eas_sync_page *page = ud;

    (void)err;
    if (page->instance)
        page->need = EAS_NEED_ITEM;
    else
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
    begin_item(page);
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
    if (!is_mail(page))
        page->response.uid = page->event.e.uid;
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

/* clang-format off */
#define SYNC_RULES(CLOSE_ITEM)                                                                                          \
    {.tag = AirSync_Sync},                                                                                              \
    EAS_CONTAINER(AirSync_Sync, AirSync_Collections),                                                                   \
    {AirSync_Collections, AirSync_Collection, .open = on_collection},                                                   \
    {AirSync_Collection, AirSync_SyncKey, .text = on_key},                                                              \
    {AirSync_Collection, AirSync_Status, .text = on_status},                                                            \
    {AirSync_Collection, AirSync_MoreAvailable, .open = on_more},                                                       \
    EAS_CONTAINER(AirSync_Collection, AirSync_Commands),                                                                \
    {AirSync_Commands, AirSync_Add, .open = on_add, .close = CLOSE_ITEM},                                               \
    {AirSync_Commands, AirSync_Change, .open = on_other, .close = CLOSE_ITEM},                                          \
    {AirSync_Commands, AirSync_Delete, .open = on_other, .close = close_delete},                                        \
    {AirSync_Commands, AirSync_SoftDelete, .open = on_other, .close = close_soft_delete},                               \
    {AirSync_Add, AirSync_ServerId, .text = on_server_id},                                                              \
    {AirSync_Change, AirSync_ServerId, .text = on_server_id},                                                           \
    {AirSync_Delete, AirSync_ServerId, .text = on_server_id},                                                           \
    {AirSync_SoftDelete, AirSync_ServerId, .text = on_server_id},                                                       \
    {AirSync_Change, AirSyncBase_InstanceId, .text = on_instance},                                                      \
    {AirSync_Delete, AirSyncBase_InstanceId, .text = on_instance},                                                      \
    EAS_CONTAINER(AirSync_Collection, AirSync_Responses),                                                               \
    {AirSync_Responses, AirSync_Add, .open = on_response_add, .close = close_response},                                 \
    {AirSync_Responses, AirSync_Change, .open = on_response_change, .close = close_response},                           \
    {AirSync_Responses, AirSync_Delete, .open = on_response_delete, .close = close_response},                           \
    {AirSync_Add, AirSync_Status, .text = on_command_status},                                                           \
    {AirSync_Change, AirSync_Status, .text = on_command_status},                                                        \
    {AirSync_Delete, AirSync_Status, .text = on_command_status},                                                        \
    {AirSync_Add, AirSync_ClientId, .text = on_client_id},                                                              \
    EAS_CONTAINER(AirSync_Add, AirSync_ApplicationData),                                                                \
    EAS_CONTAINER(AirSync_Change, AirSync_ApplicationData)
/* clang-format on */

static const struct eas_rule rules[] = {
    SYNC_RULES(close_item),
    EAS_ITEM_RULES(AirSync_ApplicationData),
    {AirSync_ApplicationData, Email_MessageClass, .text = on_message_class},
    EAS_CONTAINER(AirSync_ApplicationData, Email_MeetingRequest),
    {Email_MeetingRequest, Email_InstanceType, .text = on_instance_type},
    {Email_MeetingRequest, Email_GlobalObjId, .text = on_global_id},
};
const struct eas_rules eas_sync_rules = {rules, sizeof(rules) / sizeof(rules[0])};
static const struct eas_rule event_rules[] = {SYNC_RULES(close_event), EAS_EVENT_RULES(AirSync_ApplicationData)};
const struct eas_rules eas_sync_event_rules = {event_rules, sizeof(event_rules) / sizeof(event_rules[0])};

struct eas_event_options eas_sync_event_options(const struct eas_sync_options *o)
{
    return (struct eas_event_options){
        .version = o->version, .task = o->kind == FOLDER_TASKS, .zone = o->zone, .me = o->me};
}

/* A fresh reader of the page's kind of items. */
static void init_reader(struct eas_sync_page *page)
{
    const struct eas_sync_options *o = &page->options;

    if (is_mail(page))
        page->item =
            (struct eas_item){.arena = &page->arena, .body = {.tmp_dir = o->tmp_dir, .limit = o->message_limit}};
    else
        page->event = (struct eas_event){.arena = &page->arena, .options = eas_sync_event_options(o)};
    begin_item(page);
}

struct eas_sync_page *eas_sync_page_new(const struct eas_sync_options *options)
{
    struct eas_sync_page *page = MEM_NEW(struct eas_sync_page);

    page->options = *options;
    init_reader(page);
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
    if (is_mail(page))
        eas_item_done(&page->item);
    else
        eas_event_done(&page->event);
    arena_done(&page->arena);
}

void eas_sync_page_reset(struct eas_sync_page *page)
{
    forget(page);
    *page = (struct eas_sync_page){.options = page->options};
    init_reader(page);
}

bool eas_sync_page_quarantine(struct eas_sync_page *page)
{
    if (!page->item_open || page->current.id.n == 0 || page->key.n == 0)
        return false;
    if (is_mail(page))
        take_properties(page);
    else
        page->need = EAS_NEED_ITEM;
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
