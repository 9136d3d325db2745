# SPDX-License-Identifier: Apache-2.0
"""Recurrence patterns as Exchange has them (MS-OXOCAL 2.2.1.44, MS-OXWSCDATA), and the local dates they fall on.

The server's own arithmetic. Tests compare it with an independent one: cal_oracle.py.
"""
import calendar
import dataclasses
import datetime

LAST_DAY = datetime.date(4500, 8, 31)
DAILY, WEEKLY, MONTHLY, MONTHLY_NTH, YEARLY, YEARLY_NTH = "daily weekly monthly monthly_nth yearly yearly_nth".split()
LAST = 5
ALL_DAYS = 127  # bits, Sunday is the lowest, as in MS-ASCAL
MAX_OCCURRENCES = 999


class BadRecurrence(ValueError):
    """`code` is the EWS response code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


@dataclasses.dataclass(frozen=True)
class Recurrence:
    kind: str
    start: datetime.date
    interval: int = 1
    days: int = 0  # bits; weekly and the nth kinds
    day: int = 0  # of the month; above its length it is the last one
    index: int = 0  # 1..4, 5 = last
    month: int = 0
    first_day: int = 0  # 0 = Sunday
    end: datetime.date = None
    count: int = None
    calendar: int = 0  # CalendarType of MS-ASCAL 2.2.2.10: 0 default, 1 Gregorian; others are not reckoned with
    regenerate: bool = False  # tasks: the next one begins when this one is done

    def dates(self):
        """All dates from the start on, in order, up to the end of the range."""
        made = 0
        for day in self.endless():
            if day < self.start:
                continue
            if day > (self.end or LAST_DAY) or (self.count is not None and made >= self.count):
                return
            made += 1
            yield day

    def endless(self):
        if self.kind == DAILY:
            return every_day(self.start, self.interval)
        if self.kind == WEEKLY:
            return every_week(self.start, self.interval, self.days, self.first_day)
        months = self.interval if self.kind in (MONTHLY, MONTHLY_NTH) else 12 * self.interval
        month = self.month if self.kind in (YEARLY, YEARLY_NTH) else self.start.month
        absolute = self.kind in (MONTHLY, YEARLY)
        return every_month(self.start.year, month, months, self.day if absolute else None, self.days, self.index)

    def check(self):
        """Raises BadRecurrence for what Exchange does not take."""
        limit = {DAILY: 999, WEEKLY: 99, MONTHLY: 99, MONTHLY_NTH: 99}.get(self.kind, 99)
        if not 1 <= self.interval <= limit:
            raise BadRecurrence("ErrorCalendarInvalidRecurrence", f"The interval {self.interval} is out of range.")
        if self.kind == WEEKLY and not 1 <= self.days <= ALL_DAYS:
            raise BadRecurrence("ErrorCalendarInvalidRecurrence", "A weekly recurrence needs days.")
        if self.kind in (MONTHLY, YEARLY) and not 1 <= self.day <= 31:
            raise BadRecurrence("ErrorCalendarInvalidRecurrence", f"There is no day {self.day}.")
        if self.kind == YEARLY and self.day > (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[self.month]:
            raise BadRecurrence("ErrorCalendarInvalidRecurrence", f"Month {self.month} has no day {self.day}.")
        if self.count is not None and not 1 <= self.count <= MAX_OCCURRENCES:
            raise BadRecurrence("ErrorCalendarInvalidRecurrence", f"{self.count} occurrences are out of range.")
        if self.end is not None and self.end > LAST_DAY:
            raise BadRecurrence("ErrorRecurrenceEndDateTooBig", "The recurrence ends too late.")
        if next(self.dates(), None) is None:
            raise BadRecurrence("ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence.")

    def anchored(self):
        """The same with the start on the first date of the pattern, as it is stored."""
        return dataclasses.replace(self, start=next(self.dates()))

    def last(self):
        """The last date, or None when there is no end."""
        if self.end is None and self.count is None:
            return None
        found = None
        for found in self.dates():
            pass
        return found


def every_day(start, interval):
    day = start
    while day <= LAST_DAY:
        yield day
        day += datetime.timedelta(days=interval)


def every_week(start, interval, days, first_day):
    back = ((start.weekday() + 1) % 7 - first_day) % 7
    week = start - datetime.timedelta(days=back)
    while week <= LAST_DAY:
        for n in range(7):
            day = week + datetime.timedelta(days=n)
            if days >> (day.weekday() + 1) % 7 & 1:
                yield day
        week += datetime.timedelta(weeks=interval)


def every_month(year, month, step, day, days, index):
    """The day of the month, or with `day` None the index-th of the days whose bits are set."""
    while year <= LAST_DAY.year:
        length = calendar.monthrange(year, month)[1]
        if day is not None:
            yield datetime.date(year, month, min(day, length))
        else:
            fits = [
                d
                for d in (datetime.date(year, month, n) for n in range(1, length + 1))
                if days >> (d.weekday() + 1) % 7 & 1
            ]
            yield fits[-1] if index == LAST else fits[index - 1]
        month += step
        year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
