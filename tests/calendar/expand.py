# SPDX-License-Identifier: Apache-2.0
"""The occurrences of an iCalendar object by dateutil and zoneinfo: a second opinion that shares no line with the program."""

import datetime
import zoneinfo

from dateutil import rrule

UTC = datetime.timezone.utc
WINDOWS = {"W. Europe Standard Time": "Europe/Berlin", "Customized Time Zone": "Europe/Berlin", "My time": "America/New_York",
           "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna": "Europe/Berlin", "Fixed": "Asia/Kathmandu",
           "GMT+0100/GMT+0200": "Europe/Berlin"}  # names that objects of the corpus use, and describe


def components(text):
    """[(name, [(property, params, value)])] of VEVENT and VTODO."""
    lines = text.replace("\r\n", "\n").replace("\n ", "").split("\n")
    found, stack = [], []
    for line in filter(None, lines):
        head, value = line.split(":", 1) if '"' not in line.split(":", 1)[0] else quoted(line)
        name, *params = head.split(";")
        if name == "BEGIN":
            stack.append((value, []))
        elif name == "END":
            done = stack.pop()
            if done[0] in ("VEVENT", "VTODO"):
                found.append(done)
        else:
            stack[-1][1].append((name, dict(p.split("=", 1) for p in params), value))
    return found


def quoted(line):
    inside = False
    for i, c in enumerate(line):
        inside ^= c == '"'
        if c == ":" and not inside:
            return line[:i], line[i + 1 :]
    raise ValueError(line)


class Moment:
    """A value as written: naive local time, its zone (None: a date), and what sorts."""

    def __init__(self, params, value, floating):
        self.date = len(value) == 8
        form = "%Y%m%d" if self.date else "%Y%m%dT%H%M%S"
        self.local = datetime.datetime.strptime(value.rstrip("Z"), form)
        tzid = params.get("TZID", "").strip('"')
        if value.endswith("Z"):
            self.zone = zoneinfo.ZoneInfo("UTC")
        elif tzid:
            self.zone = zoneinfo.ZoneInfo(WINDOWS.get(tzid, "/".join(tzid.split("/")[-2:]) if tzid[0] == "/" else tzid))
        else:
            self.zone = None if self.date else zoneinfo.ZoneInfo(floating)

    def key(self):
        return self.local if self.date else instant(self.local, self.zone)


def instant(local, zone):
    # PEP 495: fold 0 is the first of two hours, and in a gap the offset before it. So is RFC 5545 3.3.5.
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def values(props, name, floating):
    return [Moment(p, v, floating) for n, p, value in props if n == name for v in value.split(",")]


def rule_of(text, start):
    """The rule with its UNTIL in local time, as dateutil wants it for naive times; SKIP=BACKWARD is ours to do."""
    parts = dict(p.split("=", 1) for p in text.split(";"))
    parts.pop("RSCALE", None)
    backward = parts.pop("SKIP", "") == "BACKWARD"
    if "UNTIL" in parts:
        until = Moment({}, parts["UNTIL"], "UTC")
        local = until.local
        if until.date and not start.date:
            local += datetime.timedelta(hours=23, minutes=59, seconds=59)
        elif until.zone and parts["UNTIL"].endswith("Z") and start.zone:
            local = until.local.replace(tzinfo=UTC).astimezone(start.zone).replace(tzinfo=None)
        parts["UNTIL"] = local.strftime("%Y%m%dT%H%M%S")
    if backward:
        day = int(parts.get("BYMONTHDAY", start.local.day))
        if parts["FREQ"] == "YEARLY":
            parts.setdefault("BYMONTH", str(start.local.month))
        parts["BYMONTHDAY"] = ",".join(str(d) for d in range(min(28, day), day + 1))
        parts["BYSETPOS"] = "-1"
    return rrule.rrulestr(";".join(f"{k}={v}" for k, v in parts.items()), dtstart=start.local)


def occurrences(text, years=10, floating="Europe/Berlin"):
    """Sorted [(start, summary)], start in UTC ("2026-01-05T09:00:00Z") or a date, from DTSTART for so many years."""
    items = components(text)
    masters = [c for c in items if not any(n == "RECURRENCE-ID" for n, _, _ in c[1])]
    _, props = masters[0]
    start = (values(props, "DTSTART", floating) + values(props, "DUE", floating) + [None])[0]
    if start is None:
        return []
    end = start.local.replace(year=start.local.year + years, day=min(start.local.day, 28))
    rules = [value for name, _, value in props if name == "RRULE"]
    locals_ = [start.local] if not rules else list(rule_of(rules[0], start).between(start.local, end, inc=True))
    found = {day if start.date else instant(day, start.zone) for day in locals_ if day < end}
    found |= {m.key() for m in values(props, "RDATE", floating)}
    deleted = values(props, "EXDATE", floating)
    for m in deleted:
        if m.date and not start.date:
            found -= {t for t in found if t.astimezone(start.zone).date() == m.local.date()}
        elif start.date:
            found.discard(m.local.replace(hour=0, minute=0, second=0))
        else:
            found.discard(m.key())
    result = [(t, summary(props)) for t in found]
    for _, override in items:
        ids = values(override, "RECURRENCE-ID", floating)
        if ids:
            result = [(t, s) for t, s in result if t != ids[0].key()]
            result.append((values(override, "DTSTART", floating)[0].key(), summary(override)))
    form = "%Y-%m-%d" if start.date else "%Y-%m-%dT%H:%M:%SZ"
    return sorted((t.strftime(form), s) for t, s in result)


def meets_a_change(text, floating="Europe/Berlin"):
    """Does an occurrence begin in an hour that is there twice, or not at all?"""
    _, props = components(text)[0]
    start = (values(props, "DTSTART", floating) + values(props, "DUE", floating))[0]
    if start.date:
        return False
    days = range(0, 60)
    locals_ = [start.local + datetime.timedelta(d) for d in days]
    return any(t.replace(tzinfo=start.zone).utcoffset() != t.replace(tzinfo=start.zone, fold=1).utcoffset() for t in locals_)


def summary(props):
    return next((value for name, _, value in props if name == "SUMMARY"), "")


def window(text, years=10):
    """The dates between which occurrences() looks, as yyyymmdd: a year early for what was moved before the start."""
    _, props = components(text)[0]
    start = (values(props, "DTSTART", "UTC") + values(props, "DUE", "UTC"))[0].local
    return start.replace(year=start.year - 1, day=1), start.replace(year=start.year + years, day=min(start.day, 28))
