# SPDX-License-Identifier: Apache-2.0
"""Tasks in EAS (MS-ASTASK). Dates come twice, as local time said to be UTC and as UTC; a Change carries the whole task."""
import dataclasses
import datetime
import re

import cal_model
import cal_zones
import eas_calendar
import eas_items
import eas_schema
from cal_recur import ALL_DAYS, DAILY, LAST, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY, YEARLY_NTH, Recurrence
from eas_calendar_in import QUALIFIERS, TYPES, Invalid, home_zone
from ews_tasks import finish_task
from wbxml import E

STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,3})?Z")
RULES = eas_schema.parse(
    {
        "AirSync:ApplicationData": (
            "all AirSyncBase:Body? Tasks:Categories? Tasks:Complete? Tasks:DateCompleted? Tasks:DueDate? "
            "Tasks:UtcDueDate? Tasks:Importance? Tasks:OrdinalDate? Tasks:SubOrdinalDate? Tasks:Recurrence? "
            "Tasks:ReminderSet? Tasks:ReminderTime? Tasks:Sensitivity? Tasks:StartDate? Tasks:UtcStartDate? "
            "Tasks:Subject?"
        ),
        "Tasks:Categories": "seq Category*",
        "Tasks:Recurrence": (
            "all Type Start Until? Occurrences? Interval? DayOfWeek? DayOfMonth? WeekOfMonth? MonthOfYear? "
            "Regenerate? DeadOccur? CalendarType? IsLeapMonth? FirstDayOfWeek?"
        ),
        "AirSyncBase:Body": "all Type EstimatedDataSize? Truncated? Data?",
    }
)


def stamp(naive):
    return naive.strftime("%Y-%m-%dT%H:%M:%S.000Z")


# ---- out ----


def task_data(ctx, item, wish, part=None):
    task, zone = item.cal, home_zone(ctx)
    fields = [eas_calendar.body(ctx, task, wish)]
    if task.subject:
        fields.append(E("Tasks:Subject", eas_items.clean(task.subject)))
    fields.append(E("Tasks:Importance", eas_items.IMPORTANCE[task.importance]))
    for name, day in (("StartDate", task.start), ("DueDate", task.due)):
        if day is not None:
            midnight = datetime.datetime.combine(day, datetime.time())
            utc = cal_zones.EPOCH + datetime.timedelta(seconds=zone.epoch(midnight))
            fields += [E("Tasks:Utc" + name, stamp(utc)), E("Tasks:" + name, stamp(midnight))]
    if task.categories:
        fields.append(E("Tasks:Categories", *[E("Category", eas_items.clean(c)) for c in task.categories]))
    if task.recurrence is not None:
        fields.append(recurrence(ctx, task))
    fields.append(E("Tasks:Complete", int(task.status == "Completed")))
    if task.completed is not None and task.status == "Completed":
        fields.append(E("Tasks:DateCompleted", eas_items.stamp(task.completed)))
    fields.append(E("Tasks:Sensitivity", eas_calendar.SENSITIVITY[task.sensitivity]))
    fields.append(E("Tasks:ReminderSet", int(task.reminder is not None)))
    if task.reminder is not None:
        fields.append(E("Tasks:ReminderTime", eas_items.stamp(task.reminder)))
    return fields


def recurrence(ctx, task):
    r = task.recurrence
    start = datetime.datetime.combine(r.start, datetime.time())
    fields = [E("Type", eas_calendar.KINDS[r.kind]), E("Start", stamp(start))]
    if r.count is not None:
        fields.append(E("Occurrences", r.count))
    elif r.end is not None:
        fields.append(E("Until", stamp(datetime.datetime.combine(r.end, datetime.time()))))
    fields += [E("Regenerate", int(r.regenerate)), E("DeadOccur", int(task.dead)), E("Interval", r.interval)]
    if r.kind in (WEEKLY, MONTHLY_NTH, YEARLY_NTH):
        fields.append(E("DayOfWeek", r.days))
    if r.kind in (MONTHLY, YEARLY):
        fields.append(E("DayOfMonth", r.day))
    if r.kind in (MONTHLY_NTH, YEARLY_NTH):
        fields.append(E("WeekOfMonth", LAST if r.index == LAST else r.index))
    if r.kind in (YEARLY, YEARLY_NTH):
        fields.append(E("MonthOfYear", r.month))
    if r.kind == WEEKLY and ctx.at_least("14.1"):
        fields.append(E("FirstDayOfWeek", r.first_day))
    return E("Tasks:Recurrence", *fields)


# ---- in ----


def naive(text, what):
    found = STAMP.fullmatch(text or "")
    try:
        made = datetime.datetime.fromisoformat(found.group(1))
    except (AttributeError, ValueError):
        raise Invalid(f"{what} is {text!r}") from None
    if not cal_zones.possible(made):
        raise Invalid(f"{what} is {text}, out of range")
    return made


def number(element, name, low, high, default=None):
    text = element.value("Tasks:" + name)
    if text is None:
        return default
    if not text.isdigit() or not low <= int(text) <= high:
        raise Invalid(f"{name} is {text!r}")
    return int(text)


def whole(ctx, data, before=None):
    """The Task of an Add or a Change: what is not there is not set."""
    wrong = eas_schema.mismatch(data, RULES)
    if wrong:
        raise Invalid(wrong)
    if ctx.at_least("16.0"):
        for e in data.elements:
            if not e.elements and e.text == "":
                raise Invalid(f"{e.name} is empty")
    fields = {
        "subject": data.value("Tasks:Subject", ""),
        "importance": cal_model.IMPORTANCE[number(data, "Importance", 0, 2, 1)],
        "sensitivity": cal_model.SENSITIVITY[number(data, "Sensitivity", 0, 3, 0)],
        "categories": tuple(c.text for c in data.all("Tasks:Categories/Category")),
        "start": day(data, "StartDate"),
        "due": day(data, "DueDate"),
        "reminder": reminder(data),
        "recurrence": None,
        "dead": False,
    }
    if fields["start"] and fields["due"] and fields["due"] < fields["start"]:
        raise Invalid("DueDate before StartDate")
    body = data.get("AirSyncBase:Body")
    if body is not None and body.has("Data"):
        if body.value("Type") not in ("1", "2"):
            raise Invalid("Body type")
        fields["body"] = ("HTML" if body.value("Type") == "2" else "Text", body.value("Data"))
    element = data.get("Tasks:Recurrence")
    if element is not None:
        fields["recurrence"] = pattern(element)
        fields["dead"] = number(element, "DeadOccur", 0, 1, 0) == 1
    task = before or cal_model.Task()
    status = completion(data, task)
    done = finish_task(ctx.now(), task, {**fields, **status})
    if status.get("status") == "Completed":
        done = dataclasses.replace(done, completed=status["completed"])
    return done


def completion(data, task):
    complete = number(data, "Complete", 0, 1, 0)
    if not complete:
        return {} if task.status != "Completed" else {"status": "NotStarted"}
    if not data.has("Tasks:DateCompleted"):
        raise Invalid("Complete without DateCompleted")
    return {
        "status": "Completed",
        "completed": cal_zones.seconds(naive(data.value("Tasks:DateCompleted"), "DateCompleted")),
    }


def day(data, name):
    """The local date; the UTC form must be there, too."""
    local, utc = data.value("Tasks:" + name), data.value("Tasks:Utc" + name)
    if (local is None) != (utc is None):
        raise Invalid(f"{name} and Utc{name} come together")
    if local is None:
        return None
    naive(utc, "Utc" + name)
    return naive(local, name).date()


def reminder(data):
    wish = number(data, "ReminderSet", 0, 1, 0)
    if not wish:
        return None
    if not data.has("Tasks:ReminderTime"):
        raise Invalid("ReminderSet without ReminderTime")
    return cal_zones.seconds(naive(data.value("Tasks:ReminderTime"), "ReminderTime"))


def pattern(element):
    kind = TYPES.get(element.value("Type"))
    if kind is None:
        raise Invalid(f"Recurrence of Type {element.value('Type')}")
    given = {e.tag for e in element.elements}
    regenerate = number(element, "Regenerate", 0, 1, 0) == 1
    needs, allows = QUALIFIERS[kind]
    if not regenerate:
        if not needs <= given or given & {"DayOfWeek", "DayOfMonth", "WeekOfMonth", "MonthOfYear"} - needs - allows:
            raise Invalid(f"Recurrence of Type {element.value('Type')} with {' '.join(sorted(given))}")
    days = number(element, "DayOfWeek", 1, ALL_DAYS, 0)
    count = number(element, "Occurrences", 1, 999)
    return Recurrence(
        WEEKLY if kind == DAILY and days else kind,
        naive(element.value("Start"), "Start").date(),
        interval=number(element, "Interval", 0, 999, 1) or 1,
        days=days,
        day=number(element, "DayOfMonth", 1, 31, 0),
        index=number(element, "WeekOfMonth", 1, 5, 0),
        month=number(element, "MonthOfYear", 1, 12, 0),
        first_day=number(element, "FirstDayOfWeek", 0, 6, 0),
        count=count,
        end=naive(element.value("Until"), "Until").date() if "Until" in given and count is None else None,
        regenerate=regenerate,
    )
