/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_sync_read.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/base/time.h"

/* PidTagMessageFlags (MS-OXCMSG 2.2.1.6), PidTagLastVerbExecuted (MS-OXOMSG 2.2.1.41), PidTagFlagStatus
 * (MS-OXOFLAG 2.2.1.1) */
enum { MSGFLAG_READ = 0x01, MSGFLAG_UNSENT = 0x08 };
enum { VERB_REPLY = 102, VERB_REPLY_ALL = 103, VERB_FORWARD = 104 };
enum { FLAG_STATUS_FLAGGED = 2 };

void ews_page_init(struct ews_page *page, struct arena *arena)
{
    memset(page, 0, sizeof(*page));
    page->arena = arena;
}

static void change_begin(struct ews_page *p, enum ews_el el)
{
    memset(&p->item, 0, sizeof(p->item));
    p->item.received_ms = TIME_NONE;
    p->change = el;
    p->other = p->has_read = p->has_message_flags = false;
    p->categories = NULL;
    p->message_flags = 0;
    if (!p->ids_only && (el == EL_CREATE || el == EL_UPDATE)) {
        /* A property that was asked for and is not in the answer is not set on the item. */
        p->item.flags_known = ITEM_FLAGGED | ITEM_ANSWERED | ITEM_FORWARDED;
        p->item.categories_known = true;
    }
    p->item.gone = el == EL_DELETE;
}

static void take_id(struct ews_page *p, struct xml *x, const struct xml_attr *attrs, size_t n)
{
    struct str id = xml_attr_get(attrs, n, "Id"), change = xml_attr_get(attrs, n, "ChangeKey");
    if (id.n > BACKEND_ID_MAX || change.n > BACKEND_ID_MAX) {
        xml_fail(x, ERR_PROTOCOL, "an item id of %zu bytes", id.n > change.n ? id.n : change.n);
        return;
    }
    p->item.id = arena_str(p->arena, id);
    p->item.change = arena_str(p->arena, change);
}

static bool is_change(enum ews_el el)
{
    return el == EL_CREATE || el == EL_UPDATE || el == EL_DELETE || el == EL_READ_FLAG_CHANGE;
}

static enum xml_want on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_page *p = ud;
    int parent = xml_parent(x, 1);
    if (is_change(el) && parent == EL_CHANGES) {
        change_begin(p, el);
        return XML_COLLECT;
    }
    switch (el) {
    case EL_ITEM_OTHER:
        p->other = true;
        return XML_COLLECT;
    case EL_ITEM_ID:
        if (parent == EL_ITEM || parent == EL_ITEM_OTHER || is_change((enum ews_el)parent))
            take_id(p, x, attrs, n);
        return XML_COLLECT;
    case EL_EXTENDED:
        p->tag = 0;
        return XML_COLLECT;
    case EL_EXTENDED_URI:
        p->tag = ews_xml_property_tag(xml_attr_get(attrs, n, "PropertyTag"));
        return XML_COLLECT;
    case EL_ITEM_BODY:
    case EL_ATTACHMENTS:
    case EL_MIME_CONTENT:
        return XML_SKIP;
    default:
        return XML_COLLECT;
    }
}

static void take_flag(struct ews_page *p, unsigned flag, bool on)
{
    p->item.flags_known |= flag;
    if (on)
        p->item.flags |= flag;
    else
        p->item.flags &= ~flag;
}

/* The last verb says that its flag is set, and of the other one, which was perhaps executed before, nothing. */
static void take_verb(struct ews_page *p, uint32_t verb)
{
    bool replied = verb == VERB_REPLY || verb == VERB_REPLY_ALL, forwarded = verb == VERB_FORWARD;
    take_flag(p, ITEM_ANSWERED, replied);
    take_flag(p, ITEM_FORWARDED, forwarded);
    if (replied)
        p->item.flags_known &= ~(unsigned)ITEM_FORWARDED;
    if (forwarded)
        p->item.flags_known &= ~(unsigned)ITEM_ANSWERED;
}

static void take_property(struct ews_page *p, struct str text)
{
    uint32_t value;
    if (!str_to_u32(str_trim(text), &value))
        return;
    switch (p->tag) {
    case EWS_TAG_MSG_FLAGS:
        p->message_flags = value;
        p->has_message_flags = true;
        take_flag(p, ITEM_DRAFT, value & MSGFLAG_UNSENT);
        break;
    case EWS_TAG_FLAG_STATUS:
        take_flag(p, ITEM_FLAGGED, value == FLAG_STATUS_FLAGGED);
        break;
    case EWS_TAG_LAST_VERB:
        take_verb(p, value);
        break;
    }
}

static void take_category(struct ews_page *p, struct str text)
{
    if (p->item.category_count >= EWS_ITEM_CATEGORIES_MAX || text.n == 0)
        return;
    size_t n = p->item.category_count;
    if ((n & (n - 1)) == 0) { /* grows at 0, 1, 2, 4, ... */
        struct str *more = arena_array(p->arena, n ? n * 2 : 1, sizeof(*more));
        if (n)
            memcpy(more, p->categories, n * sizeof(*more));
        p->categories = more;
    }
    p->categories[n] = arena_str(p->arena, text);
    p->item.categories = p->categories;
    p->item.category_count++;
}

static void take_field(struct ews_page *p, enum ews_el el, struct str text)
{
    struct str trimmed = str_trim(text);
    switch (el) {
    case EL_SUBJECT:
        p->item.subject = arena_str(p->arena, text);
        break;
    case EL_MESSAGE_ID:
        p->item.message_id = arena_str(p->arena, trimmed);
        break;
    case EL_RECEIVED:
        if (!time_parse_iso(trimmed, &p->item.received_ms))
            p->item.received_ms = TIME_NONE;
        break;
    case EL_SIZE:
        if (!str_to_u64(trimmed, &p->item.size_estimate))
            p->item.size_estimate = 0;
        break;
    case EL_IS_READ:
        p->has_read = true;
        take_flag(p, ITEM_SEEN, ews_xml_bool(text));
        break;
    default:
        break;
    }
}

static void change_end(struct ews_page *p, struct xml *x)
{
    if (p->other && !p->all_kinds) {
        p->skipped++;
        return;
    }
    if (p->item.id.n == 0)
        return;
    if (!p->has_read && p->has_message_flags)
        take_flag(p, ITEM_SEEN, p->message_flags & MSGFLAG_READ);
    /* Only a message that was never sent can get another text; everything else that changes is flags and categories. */
    p->item.content_changed = p->change == EL_UPDATE && (p->item.flags & ITEM_DRAFT);
    if (p->count >= EWS_PAGE_CHANGES_MAX) {
        xml_fail(x, ERR_PROTOCOL, "more than %d changes in one page", EWS_PAGE_CHANGES_MAX);
        return;
    }
    if (p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 64;
        struct item_info *list = arena_array(p->arena, room, sizeof(*list));
        if (p->count)
            memcpy(list, p->list, p->count * sizeof(*list));
        p->list = list;
        p->room = room;
    }
    p->list[p->count++] = p->item;
}

static void on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct ews_page *p = ud;
    int parent = xml_parent(x, 1);
    if (is_change(el) && parent == EL_CHANGES)
        change_end(p, x);
    else if (parent == EL_RESPONSE_MESSAGE && el == EL_SYNC_STATE)
        p->cursor = arena_str(p->arena, str_trim(text));
    else if (parent == EL_RESPONSE_MESSAGE && el == EL_LAST_IN_RANGE)
        p->more = text.n && !ews_xml_bool(text);
    else if (parent == EL_ITEM || (parent == EL_READ_FLAG_CHANGE && el == EL_IS_READ))
        take_field(p, el, text);
    else if (parent == EL_CATEGORIES && el == EL_STRING)
        take_category(p, text);
    else if (parent == EL_EXTENDED && el == EL_VALUE)
        take_property(p, text);
}

static void on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    (void)x;
    ews_outcome_take(&((struct ews_page *)ud)->outcome, index, status);
}

const struct ews_reader ews_page_reader = {
    .on_start = on_start,
    .on_end = on_end,
    .on_message = on_message,
    .max_bytes = 32 << 20,
};

static void write_wanted(struct xml_writer *w)
{
    static const char *const fields[] = {"item:ItemClass",  "item:Subject",   "item:DateTimeReceived",    "item:Size",
                                         "item:Categories", "message:IsRead", "message:InternetMessageId"};
    static const uint32_t properties[] = {EWS_TAG_MSG_FLAGS, EWS_TAG_FLAG_STATUS, EWS_TAG_LAST_VERB};
    xml_open(w, "t:AdditionalProperties");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        ews_write_field(w, fields[i]);
    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
        ews_write_property(w, properties[i], "Integer");
    xml_close(w);
}

void ews_sync_write(struct xml_writer *w, const struct ews_sync_request *r)
{
    xml_open(w, "m:SyncFolderItems");
    xml_open(w, "m:ItemShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    if (!r->ids_only)
        write_wanted(w);
    xml_close(w);
    xml_open(w, "m:SyncFolderId");
    ews_write_folder_id(w, r->folder_id);
    xml_close(w);
    if (r->cursor.n)
        xml_leaf(w, "m:SyncState", r->cursor);
    xml_leaf_u64(w, "m:MaxChangesReturned", r->page);
    xml_leaf_lit(w, "m:SyncScope", "NormalItems");
    xml_close(w);
}

bool ews_page_check(const struct ews_page *p, struct err *ret_err)
{
    if (!ews_outcome_check(&p->outcome, "SyncFolderItems", ret_err))
        return false;
    if (p->cursor.n == 0 || p->cursor.n > BACKEND_CURSOR_MAX)
        return err_set(ret_err, ERR_PROTOCOL, "SyncFolderItems: a sync state of %zu bytes", p->cursor.n);
    return true;
}
