/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_stream_read.h"

#include <string.h>

#include "bridge/backend.h"

/* --- Subscribe ----------------------------------------------------------------------------------- */

static void subscribe_on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct ews_subscribed *s = ud;
    if (el == EL_SUBSCRIPTION_ID && xml_parent(x, 1) == EL_RESPONSE_MESSAGE) {
        buf_reset(&s->id);
        buf_str(&s->id, str_trim(text));
    }
}

static void subscribe_on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    (void)x;
    ews_outcome_take(&((struct ews_subscribed *)ud)->outcome, index, status);
}

const struct ews_reader ews_subscribe_reader = {
    .on_end = subscribe_on_end,
    .on_message = subscribe_on_message,
    .max_bytes = 1 << 20,
};

void ews_subscribe_write(struct xml_writer *w, const struct str *folder_ids, size_t count)
{
    static const char *const events[] = {"CopiedEvent",   "CreatedEvent", "DeletedEvent",
                                         "ModifiedEvent", "MovedEvent",   "NewMailEvent"};
    xml_open(w, "m:Subscribe");
    xml_open(w, "m:StreamingSubscriptionRequest");
    if (count == 0) {
        xml_attr_lit(w, "SubscribeToAllFolders", "true");
    } else {
        xml_open(w, "t:FolderIds");
        for (size_t i = 0; i < count && i < EWS_SUBSCRIBE_FOLDERS_MAX; i++)
            ews_write_folder_id(w, folder_ids[i]);
        xml_close(w);
    }
    xml_open(w, "t:EventTypes");
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        xml_leaf_lit(w, "t:EventType", events[i]);
    xml_close(w);
    xml_close(w);
    xml_close(w);
}

/* --- GetStreamingEvents -------------------------------------------------------------------------- */

void ews_events_reset(struct ews_events *e)
{
    arena_done(&e->arena);
    e->hierarchy = e->closed = e->answered = false;
    e->told = e->counted = (struct ews_folder_set){0};
    e->beats = e->events = 0;
    e->status = (struct ews_status){0};
}

void ews_events_done(struct ews_events *e)
{
    arena_done(&e->arena);
}

static bool is_event(int el)
{
    return el == EL_EVENT || el == EL_EVENT_CHANGED || el == EL_EVENT_STATUS;
}

static enum xml_want events_on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_events *e = ud;
    if (is_event(el)) {
        e->folder = e->parent = e->old_parent = STR_NULL;
        e->is_item = e->counts_only = false;
        return XML_COLLECT;
    }
    if (!is_event(xml_parent(x, 1)))
        return XML_COLLECT;
    struct str id = xml_attr_get(attrs, n, "Id");
    if (id.n > BACKEND_ID_MAX) {
        xml_fail(x, ERR_PROTOCOL, "an id of %zu bytes in an event", id.n);
        return XML_SKIP;
    }
    switch (el) {
    case EL_ITEM_ID:
        e->is_item = true;
        break;
    case EL_FOLDER_ID:
        e->folder = arena_str(&e->arena, id);
        break;
    case EL_PARENT_FOLDER_ID:
        e->parent = arena_str(&e->arena, id);
        break;
    case EL_OLD_PARENT_FOLDER_ID:
        e->old_parent = arena_str(&e->arena, id);
        break;
    case EL_UNREAD_COUNT:
        e->counts_only = true;
        break;
    default:
        break;
    }
    return XML_COLLECT;
}

static bool set_has(const struct ews_folder_set *set, struct str id)
{
    for (size_t i = 0; i < set->n; i++)
        if (str_eq(set->ids[i], id))
            return true;
    return false;
}

static void set_add(struct ews_events *e, struct ews_folder_set *set, struct str id)
{
    if (set_has(set, id))
        return;
    if (!set->ids)
        set->ids = arena_array(&e->arena, EWS_EVENT_FOLDERS_MAX, sizeof(*set->ids));
    if (set->n < EWS_EVENT_FOLDERS_MAX)
        set->ids[set->n++] = id;
    else
        set->full = true;
}

static void tell_folder(struct ews_events *e, struct str id)
{
    if (id.n == 0)
        return;
    set_add(e, &e->told, id);
    e->on_folder(e->ud, id);
}

static void settle_counts(struct ews_events *e)
{
    e->hierarchy = e->hierarchy || e->counted.full;
    for (size_t i = 0; i < e->counted.n; i++) {
        if (e->told.full || !set_has(&e->told, e->counted.ids[i])) {
            e->hierarchy = true;
            e->on_folder(e->ud, e->counted.ids[i]);
        }
    }
    e->counted.n = 0;
}

static void event_end(struct ews_events *e, enum ews_el el)
{
    e->events++;
    if (e->is_item) {
        tell_folder(e, e->old_parent);
        tell_folder(e, e->parent);
    } else if (el == EL_EVENT_CHANGED && e->counts_only && e->folder.n) {
        set_add(e, &e->counted, e->folder);
    } else {
        e->hierarchy = true;
    }
}

static void events_on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct ews_events *e = ud;
    if (el == EL_EVENT_STATUS)
        e->beats++;
    else if (is_event(el))
        event_end(e, el);
    else if (el == EL_CONNECTION_STATUS && xml_parent(x, 1) == EL_RESPONSE_MESSAGE)
        e->closed = str_is(str_trim(text), "Closed");
}

static void events_on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct ews_events *e = ud;
    (void)x;
    settle_counts(e);
    if (index > 0 && e->status.code && e->status.code->err != ERR_NONE)
        return; /* an error stays */
    e->answered = true;
    e->status = *status;
}

const struct ews_reader ews_events_reader = {
    .on_start = events_on_start,
    .on_end = events_on_end,
    .on_message = events_on_message,
    .max_bytes = 16 << 20,
};

void ews_events_write(struct xml_writer *w, struct str subscription_id, unsigned minutes)
{
    xml_open(w, "m:GetStreamingEvents");
    xml_open(w, "m:SubscriptionIds");
    xml_leaf(w, "t:SubscriptionId", subscription_id);
    xml_close(w);
    xml_leaf_u64(w, "m:ConnectionTimeout", minutes);
    xml_close(w);
}
