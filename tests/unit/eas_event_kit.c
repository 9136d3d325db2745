/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eas_event_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "tests/unit/eas_doc.h"

/* --- an event as one line ---------------------------------------------------------------------------------------- */

static void say_time(struct buf *out, const char *key, int64_t at)
{
    buf_printf(out, " %s", key);
    if (at == TIME_NONE)
        buf_lit(out, "none");
    else
        time_add_iso(out, at);
}

void eas_kit_say_text(struct buf *out, const char *key, struct str text)
{
    if (text.n == 0)
        return;
    buf_printf(out, " %s'", key);
    for (size_t i = 0; i < text.n; i++)
        buf_byte(out, text.p[i] == '\n' ? '|' : text.p[i]);
    buf_byte(out, '\'');
}

static void say_people(struct buf *out, const struct event_fields *f)
{
    static const char roles[] = "ROX", responses[] = "?oatd";

    for (size_t i = 0; i < f->attendee_count; i++)
        buf_printf(out, " %c%c<%.*s|%.*s>", roles[f->attendees[i].role], responses[f->attendees[i].response],
                   STR_ARG(f->attendees[i].email), STR_ARG(f->attendees[i].name));
}

static void say_fields(struct buf *out, const struct event_fields *f)
{
    static const char *const mine[] = {" mine=?", "", " mine=a", " mine=t", " mine=d"};

    say_time(out, "", f->start);
    say_time(out, "- ", f->end);
    if (f->all_day)
        buf_lit(out, " day");
    else
        buf_printf(out, " %.*s", STR_ARG(f->start_zone.n ? f->start_zone : STR("UTC")));
    eas_kit_say_text(out, "", f->subject);
    eas_kit_say_text(out, "at", f->location);
    eas_kit_say_text(out, "text", f->text);
    eas_kit_say_text(out, "html", f->html);
    if (f->busy != EVENT_BUSY)
        buf_printf(out, " busy=%d", f->busy);
    if (f->sensitivity)
        buf_printf(out, " private=%d", f->sensitivity);
    if (f->importance != EVENT_MEDIUM)
        buf_printf(out, " importance=%d", f->importance);
    if (f->has_reminder)
        buf_printf(out, " alarm=%d", f->reminder_minutes);
    for (size_t i = 0; i < f->category_count; i++)
        eas_kit_say_text(out, "#", f->categories[i]);
    say_people(out, f);
    for (size_t i = 0; i < f->attachment_count; i++)
        buf_printf(out, " file=%.*s|%.*s|%llu%s", STR_ARG(f->attachments[i].id), STR_ARG(f->attachments[i].name),
                   (unsigned long long)f->attachments[i].size, f->attachments[i].is_inline ? "|inline" : "");
    if (f->cancelled)
        buf_lit(out, " cancelled");
    buf_lit(out, mine[f->mine]);
    if (f->replied != TIME_NONE)
        say_time(out, "replied=", f->replied);
}

static void say_rule(struct buf *out, const struct event_recurrence *p)
{
    static const char *const names[] = {"daily", "weekly", "monthly", "monthly-nth", "yearly", "yearly-nth"};

    buf_printf(out, " every %u %s", p->interval, names[p->pattern]);
    if (p->days)
        buf_printf(out, " days=%u", p->days);
    if (p->week)
        buf_printf(out, " week=%u", p->week);
    if (p->day_of_month)
        buf_printf(out, " day=%u", p->day_of_month);
    if (p->month)
        buf_printf(out, " month=%u", p->month);
    if (p->first_day != (p->pattern == EVENT_WEEKLY))
        buf_printf(out, " from=%u", p->first_day);
    if (p->count)
        buf_printf(out, " count=%u", p->count);
    if (p->has_until)
        say_time(out, "until=", p->until);
    if (p->regenerates)
        buf_lit(out, " regenerates");
    if (p->calendar || p->leap_month)
        buf_printf(out, " calendar=%u/%d", p->calendar, p->leap_month);
}

void eas_kit_say_event(struct buf *out, const struct event *e)
{
    buf_printf(out, "%s%.*s", e->kind == EVENT_TASK ? "task " : "", STR_ARG(e->uid));
    say_fields(out, &e->fields);
    if (e->is_meeting)
        buf_printf(out, " meeting of <%.*s|%.*s>%s", STR_ARG(e->organizer_email), STR_ARG(e->organizer_name),
                   e->response_requested ? " rsvp" : "");
    eas_kit_say_text(out, "join", e->join_url);
    if (e->has_recurrence)
        say_rule(out, &e->recurrence);
    if (e->kind == EVENT_TASK && e->task.status == EVENT_COMPLETED)
        say_time(out, "done ", e->task.completed);
    if (e->kind == EVENT_TASK && e->task.reminder_at != TIME_NONE)
        say_time(out, "alarm ", e->task.reminder_at);
    for (size_t i = 0; i < e->exception_count; i++) {
        say_time(out, "{", e->exceptions[i].original);
        if (e->exceptions[i].deleted)
            buf_lit(out, " deleted");
        else
            say_fields(out, &e->exceptions[i].fields);
        buf_byte(out, '}');
    }
}

/* --- documents --------------------------------------------------------------------------------------------------- */

static void expand(struct buf *out, const char *text)
{
    static const char *const spaces[] = {"c:Calendar:", "b:AirSyncBase:", "t:Tasks:"};

    for (; *text; text++) {
        size_t n = strcspn(text + 1, " ()");
        bool start = out->n == 0 || strchr(" (", out->p[out->n - 1]);

        if (*text == '$') {
            unsigned char blob[TZ_BLOB_SIZE] = {0};
            const struct tz *zone = tz_by_name(str_of(text + 1, n));

            if (zone) /* else all zero */
                tz_blob_write(zone, 2026, blob);
            text_base64_add(out, str_of(blob, sizeof(blob)));
            text += n;
            continue;
        }
        for (size_t i = 0; start && text[1] == ':' && i < 3; i++)
            if (text[0] == spaces[i][0]) {
                buf_lit(out, spaces[i] + 2);
                text += 2;
                break;
            }
        buf_byte(out, *text);
    }
}

void eas_kit_document(struct buf *out, const char *text)
{
    struct buf whole = BUF_INIT(0);

    expand(&whole, text);
    eas_doc(out, "AirSync", buf_z(&whole));
    buf_done(&whole);
}

struct eas_sync_options eas_kit_options(unsigned version, bool task)
{
    return (struct eas_sync_options){.kind = task ? FOLDER_TASKS : FOLDER_CALENDAR,
                                     .tmp_dir = "/tmp",
                                     .version = version,
                                     .zone = tz_by_name(STR("Europe/Berlin")),
                                     .me = STR("me@example.com")};
}

void eas_kit_say_page(struct buf *out, const struct eas_sync_page *page)
{
    static const char *const needs[] = {"", "html ", "fetch "};

    for (size_t i = 0; i < page->count; i++) {
        buf_printf(out, "[%s%s", needs[page->needs[i]], page->items[i].gone ? "gone " : "");
        if (page->items[i].event)
            eas_kit_say_event(out, page->items[i].event);
        else
            buf_printf(out, "%.*s", STR_ARG(page->items[i].id));
        buf_byte(out, ']');
    }
}

bool eas_kit_feed(struct eas_answer *a, struct str doc, size_t step, struct err *err)
{
    for (size_t at = 0; at < doc.n; at += step)
        if (!eas_answer_feed(a, str_sub(doc, at, step), err))
            return false;
    return eas_answer_end(a, err);
}
