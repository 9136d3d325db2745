# SPDX-License-Identifier: Apache-2.0
"""An independent view of a series: python3-dateutil's rrule, fed with what the stand-in's model holds.

The server itself expands with cal_recur.py; a test compares the two, and tests of clients ask for this one.
"""
import datetime

from dateutil import rrule

import cal_zones
from cal_recur import DAILY, LAST, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY

DAYS = (rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA)


def rule(recurrence, first, until=None):
    """The pattern as an rrule of local times that begins at `first` (naive)."""
    r = recurrence
    more = {"interval": r.interval, "dtstart": first, "wkst": DAYS[r.first_day]}
    if r.count is not None:
        more["count"] = r.count
    if r.end is not None:
        until = min(until or datetime.datetime.max, datetime.datetime.combine(r.end, first.time()))
    if until is not None and "count" not in more:
        more["until"] = until
    days = [day for n, day in enumerate(DAYS) if r.days >> n & 1]
    if r.kind == DAILY:
        return rrule.rrule(rrule.DAILY, **more)
    if r.kind == WEEKLY:
        return rrule.rrule(rrule.WEEKLY, byweekday=days, **more)
    frequency = rrule.MONTHLY if r.kind in (MONTHLY, MONTHLY_NTH) else rrule.YEARLY
    if frequency == rrule.YEARLY:
        more["bymonth"] = r.month
    if r.kind in (MONTHLY, YEARLY):
        # a day that the month has not is its last one: the latest of those up to it
        up_to = list(range(min(r.day, 28), r.day + 1))
        return rrule.rrule(frequency, bymonthday=up_to, bysetpos=-1, **more)
    return rrule.rrule(frequency, byweekday=days, bysetpos=-1 if r.index == LAST else r.index, **more)


def occurrences(cal, begin, end):
    """[(start, end, original start or None)] of what overlaps [begin, end), in order."""
    if cal.recurrence is None:
        return [(cal.start, cal.end, None)] if touches(cal.start, cal.end, begin, end) else []
    zone, end_zone = cal.zone, cal.end_zone or cal.zone
    first, length = cal.zone.local(cal.start), end_zone.local(cal.end) - cal.zone.local(cal.start)
    found = []
    for local in rule(cal.recurrence, first, zone.local(end) + datetime.timedelta(days=1)):
        day = local.date()
        start, stop = zone.epoch(local), end_zone.epoch(local + length)
        if day in cal.deleted or day in cal.exceptions:
            continue
        if start >= end:
            break
        if touches(start, stop, begin, end):
            found.append((start, stop, start))
    for day, change in cal.exceptions.items():
        local = datetime.datetime.combine(day, first.time())
        start, stop = zone.epoch(local), end_zone.epoch(local + length)
        span = change.get("start", start), change.get("end", stop)
        if touches(*span, begin, end):
            found.append((*span, start))
    return sorted(found)


def touches(start, stop, begin, end):
    return start < end and stop > begin or start == stop and begin <= start < end


def utc(year, month=1, day=1):
    return cal_zones.seconds(datetime.datetime(year, month, day))
