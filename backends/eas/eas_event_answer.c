/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_event_answer.h"

#include "backends/eas/eas_collection.h"
#include "backends/eas/eas_items_read.h"

static bool on_fetch(void *ud, struct err *err)
{
    struct eas_event_answer *a = ud;

    if (a->event.arena->total > EAS_SYNC_EVENT_BYTES)
        return err_set(err, ERR_TOO_BIG, "over %zu bytes of events in one answer", EAS_SYNC_EVENT_BYTES);
    eas_event_begin(&a->event);
    a->status = 0;
    a->id = STR_NULL;
    return true;
}

static bool on_status(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_event_answer *)ud)->status = eas_number(text);
    return true;
}

static bool on_collection_status(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_event_answer *)ud)->collection = eas_number(text);
    return true;
}

static bool on_id(void *ud, struct str text, struct err *err)
{
    struct eas_event_answer *a = ud;

    (void)err;
    if (text.n <= BACKEND_ID_MAX)
        a->id = arena_str(a->event.arena, text);
    return true;
}

static struct eas_got *find(struct eas_event_answer *a)
{
    for (size_t i = 0; i < a->count && a->id.n > 0; i++)
        if (!a->asked[i]->answered && str_eq(a->asked[i]->id, a->id))
            return a->asked[i];
    if (a->id.n > 0 || a->position >= a->count || a->asked[a->position]->answered)
        return NULL; /* something that nobody asked for */
    return a->asked[a->position];
}

static void take(struct eas_event_answer *a, struct eas_got *got)
{
    struct event *e = arena_alloc(a->event.arena, sizeof(*e));

    if (eas_event_make(&a->event, got->id, e) != EAS_EVENT_WHOLE) {
        err_set(&got->err, ERR_PROTOCOL, "Fetch: what the server calls an event has no beginning");
    } else if (got->need == EAS_NEED_HTML && got->event) {
        eas_event_add_html(got->event, e);
        got->need = EAS_NEED_NOTHING;
        return;
    } else {
        got->event = e;
        if (eas_event_wants_html(&a->event)) {
            got->need = EAS_NEED_HTML;
            got->asked = 0;
            return;
        }
    }
    got->need = EAS_NEED_NOTHING;
}

/* A description that does not come as HTML is there as text: better than no event. */
static void refuse(struct eas_got *got, const struct err *err)
{
    if (got->need == EAS_NEED_ITEM || err->code == ERR_NOT_FOUND)
        got->err = *err;
    got->need = EAS_NEED_NOTHING;
}

static bool close_fetch(struct eas_event_answer *a, bool (*status_err)(int status, struct err *err))
{
    struct eas_got *got = find(a);
    struct err err = {0};

    a->position++;
    if (!got)
        return true;
    got->answered = true;
    if (a->status != EAS_FETCH_OK && a->status != 0) {
        status_err(a->status, &err);
        refuse(got, &err);
    } else {
        take(a, got);
    }
    return true;
}

static bool close_item(void *ud, struct err *err)
{
    (void)err;
    return close_fetch(ud, eas_fetch_status_err);
}

static bool sync_status_err(int status, struct err *err)
{
    enum err_code code = status == EAS_SYNC_GONE ? ERR_NOT_FOUND : ERR_OFFLINE;

    return err_set(err, code, "Sync: the server does not give an item (status %d)", status);
}

static bool close_sync_fetch(void *ud, struct err *err)
{
    (void)err;
    return close_fetch(ud, sync_status_err);
}

static const struct eas_rule item_rules[] = {
    {.tag = ItemOperations_ItemOperations},
    EAS_CONTAINER(ItemOperations_ItemOperations, ItemOperations_Response),
    {ItemOperations_Response, ItemOperations_Fetch, .open = on_fetch, .close = close_item},
    {ItemOperations_Fetch, ItemOperations_Status, .text = on_status},
    {ItemOperations_Fetch, AirSync_ServerId, .text = on_id},
    EAS_CONTAINER(ItemOperations_Fetch, ItemOperations_Properties),
    EAS_EVENT_RULES(ItemOperations_Properties),
};
const struct eas_rules eas_event_items_rules = {item_rules, sizeof(item_rules) / sizeof(item_rules[0])};

static const struct eas_rule fetch_rules[] = {
    {.tag = AirSync_Sync},
    EAS_CONTAINER(AirSync_Sync, AirSync_Collections),
    EAS_CONTAINER(AirSync_Collections, AirSync_Collection),
    {AirSync_Collection, AirSync_Status, .text = on_collection_status},
    EAS_CONTAINER(AirSync_Collection, AirSync_Responses),
    {AirSync_Responses, AirSync_Fetch, .open = on_fetch, .close = close_sync_fetch},
    {AirSync_Fetch, AirSync_Status, .text = on_status},
    {AirSync_Fetch, AirSync_ServerId, .text = on_id},
    EAS_CONTAINER(AirSync_Fetch, AirSync_ApplicationData),
    EAS_EVENT_RULES(AirSync_ApplicationData),
};
const struct eas_rules eas_event_fetch_rules = {fetch_rules, sizeof(fetch_rules) / sizeof(fetch_rules[0])};

void eas_event_answer_begin(struct eas_event_answer *a, struct arena *arena, const struct eas_sync_options *options,
                            struct eas_got **asked, size_t count)
{
    eas_event_answer_done(a);
    *a = (struct eas_event_answer){.asked = asked, .count = count};
    a->event.arena = arena;
    a->event.options = eas_sync_event_options(options);
    eas_event_begin(&a->event);
    for (size_t i = 0; i < count; i++)
        asked[i]->answered = false;
}

void eas_event_answer_done(struct eas_event_answer *a)
{
    eas_event_done(&a->event);
}
