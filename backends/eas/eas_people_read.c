/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_people_read.h"

#include <string.h>

#include "backends/eas/eas_status.h"

#define OK         1
#define NAME_MAX   1024
#define DIGITS_MAX ((size_t)32 * 1024) /* MS-ASCMD 2.2.3.109 */
#define NO_DATA    '4'

/* --- MeetingResponse --------------------------------------------------------------------------------------------- */

static bool on_meeting_status(void *ud, struct str text, struct err *err)
{
    struct eas_meeting_answer *a = ud;

    (void)err;
    a->answered = true;
    a->status = eas_number(text);
    return true;
}

static bool on_calendar_id(void *ud, struct str text, struct err *err)
{
    struct eas_meeting_answer *a = ud;

    (void)err;
    if (eas_key_valid(text, BACKEND_ID_MAX))
        a->calendar_id = arena_str(a->arena, text);
    return true;
}

static const struct eas_rule meeting_rules[] = {
    {.tag = MeetingResponse_MeetingResponse},
    EAS_CONTAINER(MeetingResponse_MeetingResponse, MeetingResponse_Result),
    {MeetingResponse_Result, MeetingResponse_Status, .text = on_meeting_status},
    {MeetingResponse_Result, MeetingResponse_CalendarId, .text = on_calendar_id},
};
const struct eas_rules eas_meeting_rules = {meeting_rules, sizeof(meeting_rules) / sizeof(meeting_rules[0])};

bool eas_meeting_status(const struct eas_meeting_answer *a, struct err *err)
{
    static const struct {
        int status;
        enum err_code code;
        const char *text;
    } table[] = {
        {2, ERR_INVALID, "this meeting cannot be answered (it is over, cancelled, or one's own)"},
        {3, ERR_OFFLINE, "the server could not reach the mailbox"},
        {4, ERR_OFFLINE, "the server failed"},
    };

    if (!a->answered)
        return err_set(err, ERR_PROTOCOL, "MeetingResponse: the server says nothing about it");
    if (a->status == OK)
        return true;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == a->status) {
            err_set(err, table[i].code, "MeetingResponse: %s (status %d)", table[i].text, a->status);
            err->status = a->status;
            return false;
        }
    return eas_status_err(err, "MeetingResponse", a->status);
}

/* --- ResolveRecipients ------------------------------------------------------------------------------------------- */

static bool on_response(void *ud, struct err *err)
{
    struct eas_resolve_answer *a = ud;

    (void)err;
    a->to = STR_NULL;
    a->current = (struct eas_resolved){.answered = true};
    return true;
}

static bool on_to(void *ud, struct str text, struct err *err)
{
    struct eas_resolve_answer *a = ud;

    (void)err;
    a->to = arena_str(a->arena, str_sub(text, 0, NAME_MAX));
    return true;
}

static bool on_status(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_resolve_answer *)ud)->current.status = eas_number(text);
    return true;
}

static bool on_recipient(void *ud, struct err *err)
{
    struct eas_resolve_answer *a = ud;

    (void)err;
    a->email = a->digits = STR_NULL;
    a->availability = 0;
    return true;
}

static bool on_email(void *ud, struct str text, struct err *err)
{
    struct eas_resolve_answer *a = ud;

    (void)err;
    a->email = arena_str(a->arena, str_sub(text, 0, NAME_MAX));
    return true;
}

static bool on_availability(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_resolve_answer *)ud)->availability = eas_number(text);
    return true;
}

static bool on_digits(void *ud, struct str text, struct err *err)
{
    struct eas_resolve_answer *a = ud;

    (void)err;
    a->digits = arena_str(a->arena, str_sub(text, 0, DIGITS_MAX));
    return true;
}

/* A name may fit several people: the one whose address it is, or else the only one. */
static bool close_recipient(void *ud, struct err *err)
{
    struct eas_resolve_answer *a = ud;

    (void)err;
    if (a->current.recipients++ == 0 || str_case_eq(a->email, a->to)) {
        a->current.availability = a->availability;
        a->current.digits = a->digits;
        if (str_case_eq(a->email, a->to))
            a->current.status = OK;
    }
    return true;
}

static bool close_response(void *ud, struct err *err)
{
    struct eas_resolve_answer *a = ud;
    size_t at = a->position++;

    (void)err;
    if (a->to.n > 0)
        for (at = 0; at < a->count && (a->list[at].answered || !str_case_eq(a->addresses[at], a->to));)
            at++;
    if (at < a->count && !a->list[at].answered)
        a->list[at] = a->current;
    return true;
}

static const struct eas_rule resolve_rules[] = {
    {.tag = ResolveRecipients_ResolveRecipients},
    {ResolveRecipients_ResolveRecipients, ResolveRecipients_Response, .open = on_response, .close = close_response},
    {ResolveRecipients_Response, ResolveRecipients_To, .text = on_to},
    {ResolveRecipients_Response, ResolveRecipients_Status, .text = on_status},
    {ResolveRecipients_Response, ResolveRecipients_Recipient, .open = on_recipient, .close = close_recipient},
    {ResolveRecipients_Recipient, ResolveRecipients_EmailAddress, .text = on_email},
    EAS_CONTAINER(ResolveRecipients_Recipient, ResolveRecipients_Availability),
    {ResolveRecipients_Availability, ResolveRecipients_Status, .text = on_availability},
    {ResolveRecipients_Availability, ResolveRecipients_MergedFreeBusy, .text = on_digits},
};
const struct eas_rules eas_resolve_rules = {resolve_rules, sizeof(resolve_rules) / sizeof(resolve_rules[0])};

void eas_resolve_begin(struct eas_resolve_answer *a, const struct str *addresses, size_t count)
{
    a->addresses = addresses;
    a->count = count;
    a->position = 0;
    memset(a->list, 0, count * sizeof(*a->list));
}

bool eas_resolve_status(const struct eas_resolved *r, struct err *err)
{
    if (!r->answered || r->recipients == 0)
        return err_set(err, ERR_NOT_FOUND, "ResolveRecipients: the server knows nobody of this address (status %d)",
                       r->status);
    if (r->status != OK)
        return err_set(err, ERR_NOT_FOUND, "ResolveRecipients: several people fit this address (status %d)", r->status);
    if (r->availability != OK && r->availability != 0)
        return eas_status_err(err, "ResolveRecipients", r->availability);
    return r->digits.n > 0 || err_set(err, ERR_DENIED, "ResolveRecipients: the server tells no free/busy times");
}

/* --- free and busy ----------------------------------------------------------------------------------------------- */

static void add_span(struct busy_list *list, const struct busy_span *span, struct arena *arena)
{
    struct busy_span *all = arena_array(arena, list->count + 1, sizeof(*all));

    if (list->count > 0)
        memcpy(all, list->spans, list->count * sizeof(*all));
    all[list->count] = *span;
    list->spans = all;
    list->count++;
}

static void join_span(struct busy_list *list, struct busy_span span, struct arena *arena)
{
    const struct busy_span *last = list->count > 0 ? &list->spans[list->count - 1] : NULL;

    if (last && last->to == span.from && last->busy == span.busy) {
        span.from = last->from;
        list->count--;
    }
    add_span(list, &span, arena);
}

bool eas_busy_add(struct busy_list *list, struct str digits, int64_t begin, int64_t from, int64_t to,
                  struct arena *arena)
{
    bool any = false;

    for (size_t i = 0, next; i < digits.n; i = next) {
        char digit = digits.p[i];
        struct busy_span span = {.from = begin + (int64_t)i * EAS_BUSY_SLOT_S};

        for (next = i + 1; next < digits.n && digits.p[next] == digit;)
            next++;
        any = any || digit != NO_DATA;
        span.to = begin + (int64_t)next * EAS_BUSY_SLOT_S;
        if (span.from < from)
            span.from = from;
        if (span.to > to)
            span.to = to;
        if (digit < '1' || digit > '3' || span.from >= span.to)
            continue;
        span.busy = digit == '1' ? EVENT_TENTATIVE : digit == '2' ? EVENT_BUSY : EVENT_OOF;
        join_span(list, span, arena);
    }
    return any;
}
