# SPDX-License-Identifier: Apache-2.0
"""iCalendar as Exchange writes and reads it (RFC 5545, RFC 5546, MS-OXCICAL): time zones under their Windows names."""
import collections
import datetime
import re

import cal_zones
from cal_model import CANCELED, MEETING, Appointment, Attendee
from cal_recur import DAILY, LAST, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY, YEARLY_NTH, Recurrence
from ews_calendar_xml import to_text
from mimeinfo import Address

DAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
ROLES = {"Required": "REQ-PARTICIPANT", "Optional": "OPT-PARTICIPANT", "Resource": "NON-PARTICIPANT"}
PARTSTAT = {"Accept": "ACCEPTED", "Tentative": "TENTATIVE", "Decline": "DECLINED"}
CLASSES = {"Normal": "PUBLIC", "Personal": "PRIVATE", "Private": "PRIVATE", "Confidential": "CONFIDENTIAL"}
CDO_BUSY = {
    "Free": "FREE",
    "Tentative": "TENTATIVE",
    "Busy": "BUSY",
    "OOF": "OOF",
    "WorkingElsewhere": "WORKINGELSEWHERE",
}
PRIORITY = {"High": "1", "Normal": "5", "Low": "9"}

Line = collections.namedtuple("Line", "name params value")


class BadCalendar(ValueError):
    """What was sent is no iCalendar that Exchange understands."""


# ---- writing ----


def escape(text):
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\r\n", "\n").replace("\n", "\\n")


def fold(line):
    data, out = line.encode(), []
    while len(data) > 75:
        cut = 75
        while data[cut] & 0xC0 == 0x80:
            cut -= 1
        out.append(data[:cut])
        data = b" " + data[cut:]
    return b"\r\n".join(out + [data])


def utc(instant):
    return (cal_zones.EPOCH + datetime.timedelta(seconds=instant)).strftime("%Y%m%dT%H%M%SZ")


def moment(name, cal, instant, zone):
    """DTSTART and the like: a date for a day, local time with the zone's Windows name else."""
    local = zone.local(instant)
    if cal.all_day:
        return f"{name};VALUE=DATE:{local:%Y%m%d}"
    ident = f'"{zone.id}"' if set(zone.id) & set(",;:") else zone.id
    return f"{name};TZID={ident}:{local:%Y%m%dT%H%M%S}" if zone.id != "UTC" else f"{name}:{utc(instant)}"


def rrule(cal):
    r = cal.recurrence
    parts = [
        "FREQ=" + {DAILY: "DAILY", WEEKLY: "WEEKLY", MONTHLY: "MONTHLY", MONTHLY_NTH: "MONTHLY"}.get(r.kind, "YEARLY")
    ]
    if r.count is not None:
        parts.append(f"COUNT={r.count}")
    elif r.end is not None:
        last = datetime.datetime.combine(r.end, cal.zone.local(cal.start).time())
        parts.append(f"UNTIL={r.end:%Y%m%d}" if cal.all_day else f"UNTIL={utc(cal.zone.epoch(last))}")
    parts.append(f"INTERVAL={r.interval}")
    days = [day for n, day in enumerate(DAYS) if r.days >> n & 1]
    if r.kind == WEEKLY:
        parts += ["BYDAY=" + ",".join(days), f"WKST={DAYS[r.first_day]}"]
    if r.kind in (MONTHLY, YEARLY):
        parts.append(f"BYMONTHDAY={-1 if r.day == 31 else r.day}")
    if r.kind in (MONTHLY_NTH, YEARLY_NTH):
        nth = -1 if r.index == LAST else r.index
        parts += [f"BYDAY={nth}{days[0]}"] if len(days) == 1 else ["BYDAY=" + ",".join(days), f"BYSETPOS={nth}"]
    if r.kind in (YEARLY, YEARLY_NTH):
        parts.append(f"BYMONTH={r.month}")
    return "RRULE:" + ";".join(parts)


def vtimezone(zone, year):
    rules = cal_zones.rules_of(zone, year)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone.id}"]
    summer = rules.bias + rules.daylight_bias
    lines += observance("STANDARD", rules.standard, summer, rules.bias)
    if rules.daylight is not None:
        lines += observance("DAYLIGHT", rules.daylight, rules.bias, summer)
    return lines + ["END:VTIMEZONE"]


def observance(name, rule, before, after):
    lines = [f"BEGIN:{name}"]
    if rule is None:
        lines += ["DTSTART:16010101T000000", f"TZOFFSETFROM:{offset(after)}"]
    else:
        nth = -1 if rule.nth == LAST else rule.nth
        lines += [
            f"DTSTART:16010101T{rule.hour:02d}{rule.minute:02d}00",
            f"TZOFFSETFROM:{offset(before)}",
            f"RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY={nth}{DAYS[rule.weekday]};BYMONTH={rule.month}",
        ]
    return lines + [f"TZOFFSETTO:{offset(after)}", f"END:{name}"]


def offset(bias):
    return f"{'-' if bias > 0 else '+'}{abs(bias) // 60:02d}{abs(bias) % 60:02d}"


def person(name, one, params=""):
    shown = (one.name or one.email).replace('"', "'")
    return f'{name}{params};CN="{shown}":MAILTO:{one.email}'


def vevent(cal, method=None, attendees=None):
    zone, end_zone = cal.zone, cal.end_zone or cal.zone
    lines = ["BEGIN:VEVENT"]
    if cal.organizer and (cal.is_meeting or method):
        lines.append(person("ORGANIZER", cal.organizer))
    for one in cal.attendees if attendees is None else attendees:
        state = PARTSTAT.get(one.response, "NEEDS-ACTION")
        lines.append(person("ATTENDEE", one, f";ROLE={ROLES[one.role]};PARTSTAT={state};RSVP=TRUE"))
    kind, text = cal.body
    lines.append("DESCRIPTION;LANGUAGE=en-US:" + escape((to_text(text) if kind == "HTML" else text) or "\n"))
    lines += [rrule(cal)] if cal.recurrence is not None else []
    lines += [moment("EXDATE", cal, cal.regular(day)[0], zone) for day in sorted(cal.deleted)]
    lines += [f"UID:{cal.uid}", "SUMMARY;LANGUAGE=en-US:" + escape(cal.subject)]
    lines += [moment("DTSTART", cal, cal.start, zone), moment("DTEND", cal, cal.end, end_zone)]
    lines += [moment("RECURRENCE-ID", cal, cal.original, zone)] if cal.original is not None else []
    status = "CANCELLED" if method == "CANCEL" or cal.state & CANCELED else "CONFIRMED"
    lines += [
        f"CLASS:{CLASSES[cal.sensitivity]}",
        f"PRIORITY:{PRIORITY[cal.importance]}",
        f"DTSTAMP:{utc(cal.stamp)}",
        f"TRANSP:{'TRANSPARENT' if cal.busy == 'Free' else 'OPAQUE'}",
        f"STATUS:{status}",
        f"SEQUENCE:{cal.sequence}",
    ]
    lines += ["LOCATION;LANGUAGE=en-US:" + escape(cal.location)] if cal.location else []
    busy = CDO_BUSY.get(cal.busy, "BUSY")
    lines.append(f"X-MICROSOFT-CDO-APPT-SEQUENCE:{cal.sequence}")
    lines.append(f"X-MICROSOFT-CDO-BUSYSTATUS:{'TENTATIVE' if method == 'REQUEST' else busy}")
    lines.append(f"X-MICROSOFT-CDO-INTENDEDSTATUS:{busy}")
    lines.append(f"X-MICROSOFT-CDO-ALLDAYEVENT:{'TRUE' if cal.all_day else 'FALSE'}")
    lines.append("X-MICROSOFT-CDO-INSTTYPE:" + ("1" if cal.recurrence else "3" if cal.original is not None else "0"))
    if cal.reminder is not None:
        lines += ["BEGIN:VALARM", "DESCRIPTION:REMINDER", f"TRIGGER;RELATED=START:-PT{cal.reminder}M"]
        lines += ["ACTION:DISPLAY", "END:VALARM"]
    return lines + ["END:VEVENT"]


def document(events, method="PUBLISH"):
    """A whole iCalendar object; `events` is a list of lists of lines with the Appointments they are of."""
    lines = ["BEGIN:VCALENDAR", f"METHOD:{method}", "PRODID:Microsoft Exchange Server 2010", "VERSION:2.0"]
    zones = {}
    for cal, _ in events:
        for zone in (cal.zone, cal.end_zone or cal.zone):
            if zone.id != "UTC" and not cal.all_day:
                zones.setdefault(zone.id, (zone, zone.local(cal.start).year))
    for zone, year in zones.values():
        lines += vtimezone(zone, year)
    for _, more in events:
        lines += more
    return b"\r\n".join(fold(line) for line in lines + ["END:VCALENDAR"]) + b"\r\n"


def with_exceptions(cal, method=None):
    """[(Appointment, lines)] of an event and, of a series, its modified occurrences."""
    found = [cal] + ([cal.occurrence(day) for day in sorted(cal.exceptions)] if cal.recurrence is not None else [])
    return [(one, vevent(one, method)) for one in found]


# ---- reading ----


def unfold(data):
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return [line for line in text.replace("\n ", "").replace("\n\t", "").split("\n") if line.strip()]


PARAM = re.compile(r';([A-Za-z0-9-]+)=((?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)')


def parse_line(text):
    head = re.match(r"[A-Za-z0-9-]+", text)
    if not head:
        raise BadCalendar(f"no property: {text[:60]}")
    at, params = head.end(), {}
    while at < len(text) and text[at] == ";":
        found = PARAM.match(text, at)
        if not found:
            raise BadCalendar(f"a bad parameter: {text[:60]}")
        params[found.group(1).upper()] = found.group(2).strip('"')
        at = found.end()
    if text[at : at + 1] != ":":
        raise BadCalendar(f"no value: {text[:60]}")
    return Line(head.group().upper(), params, text[at + 1 :])


class Component:
    def __init__(self, name):
        self.name, self.lines, self.inner = name, [], []

    def get(self, name):
        return next((line for line in self.lines if line.name == name), None)

    def all(self, name):
        return [line for line in self.lines if line.name == name]

    def text(self, name, default=None):
        line = self.get(name)
        return default if line is None else unescape(line.value)


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m.group(1) in "nN" else m.group(1), text)


def parse(data):
    """The VCALENDAR of some bytes; BadCalendar when there is none."""
    root, stack = None, []
    for text in unfold(data):
        line = parse_line(text)
        if line.name == "BEGIN":
            made = Component(line.value.strip().upper())
            if stack:
                stack[-1].inner.append(made)
            root = root or made
            stack.append(made)
        elif line.name == "END":
            if not stack or stack[-1].name != line.value.strip().upper():
                raise BadCalendar(f"END:{line.value} closes nothing")
            stack.pop()
        elif stack:
            stack[-1].lines.append(line)
        else:
            raise BadCalendar("a property outside of the calendar")
    if root is None or stack or root.name != "VCALENDAR":
        raise BadCalendar("no whole VCALENDAR")
    return root


def zone_for(name, calendar):
    """The Zone of a TZID: by its Windows or IANA name, else by what its VTIMEZONE says."""
    known = cal_zones.find(name) or cal_zones.by_iana(name)
    if known is not None:
        return known
    for part in calendar.inner:
        if part.name == "VTIMEZONE" and part.text("TZID") == name:
            return cal_zones.by_rules(rules_of(part), 2026)
    raise BadCalendar(f"TZID {name} is not defined")


def rules_of(part):
    found = {}
    for inner in part.inner:
        to, before = (bias_of(inner.text(n)) for n in ("TZOFFSETTO", "TZOFFSETFROM"))
        rule = rule_of(inner)
        known = found.get(inner.name)
        if known is None or rule is not None:
            found[inner.name] = to, rule, before
    if "STANDARD" not in found:
        raise BadCalendar("VTIMEZONE without STANDARD")
    bias, standard, _ = found["STANDARD"]
    summer, daylight, _ = found.get("DAYLIGHT", (bias, None, None))
    if standard is None or daylight is None:
        return cal_zones.Rules(bias, None, None, 0)
    return cal_zones.Rules(bias, standard, daylight, summer - bias)


def bias_of(text):
    sign, hours, minutes = text[0], int(text[1:3]), int(text[3:5])
    return (hours * 60 + minutes) * (-1 if sign == "+" else 1)


def rule_of(part):
    line, start = part.get("RRULE"), part.get("DTSTART")
    if line is None:
        return None
    parts = dict(p.split("=", 1) for p in line.value.split(";"))
    found = re.fullmatch(r"([+-]?\d)([A-Z]{2})", parts.get("BYDAY", ""))
    if not found or "UNTIL" in parts:
        return None
    nth, at = int(found.group(1)), start.value
    return cal_zones.Rule(
        int(parts["BYMONTH"]), DAYS.index(found.group(2)), LAST if nth == -1 else nth, int(at[9:11]), int(at[11:13])
    )


def when(line, calendar, home):
    """(instant, Zone, whether it is a date) of DTSTART and the like; floating times are meant at home."""
    value = line.value.strip()
    if re.fullmatch(r"\d{8}", value):
        day = datetime.datetime(int(value[:4]), int(value[4:6]), int(value[6:]))
        if not cal_zones.possible(day):
            raise BadCalendar(f"{line.name} is {value}, out of range")
        return home.midnight(day.date()), home, True
    try:
        naive = datetime.datetime.strptime(value.rstrip("Z"), "%Y%m%dT%H%M%S")
    except ValueError:
        raise BadCalendar(f"{line.name} is {value}") from None
    if not cal_zones.possible(naive):
        raise BadCalendar(f"{line.name} is {value}, out of range")
    if value.endswith("Z"):
        return cal_zones.seconds(naive), cal_zones.utc(), False
    zone = zone_for(line.params["TZID"], calendar) if "TZID" in line.params else home
    return zone.epoch(naive), zone, False


def recurrence_of(value, start, zone):
    """The Recurrence of an RRULE; BadCalendar for what Exchange cannot keep."""
    parts = dict(p.split("=", 1) for p in value.strip().upper().split(";") if p)
    frequency, first = parts.get("FREQ"), zone.local(start)
    fields = {"interval": int(parts.get("INTERVAL", 1))}
    if "COUNT" in parts:
        fields["count"] = int(parts["COUNT"])
    elif "UNTIL" in parts:
        until = parts["UNTIL"]
        naive = datetime.datetime.strptime(until[:15].rstrip("Z"), "%Y%m%dT%H%M%S" if "T" in until else "%Y%m%d")
        fields["end"] = zone.local(cal_zones.seconds(naive)).date() if until.endswith("Z") else naive.date()
    by_day = [re.fullmatch(r"([+-]?\d+)?([A-Z]{2})", d) for d in parts.get("BYDAY", "").split(",") if d]
    if any(d is None for d in by_day) or set(parts) & {"BYYEARDAY", "BYWEEKNO", "BYHOUR", "BYMINUTE", "BYSECOND"}:
        raise BadCalendar(f"RRULE {value}")
    days = sum(1 << DAYS.index(d.group(2)) for d in by_day)
    nth = {int(d.group(1)) for d in by_day if d.group(1)} | {int(n) for n in parts.get("BYSETPOS", "").split(",") if n}
    if len(nth) > 1 or nth - {1, 2, 3, 4, -1} or nth and not days:
        raise BadCalendar(f"RRULE {value}")
    month_days = [int(n) for n in parts.get("BYMONTHDAY", "").split(",") if n]
    if len(month_days) > 1 or any(n < -1 for n in month_days):
        raise BadCalendar(f"RRULE {value}")
    start_date = first.date()
    if frequency == "DAILY" and not by_day and not month_days:
        return Recurrence(DAILY, start_date, **fields)
    if frequency == "WEEKLY" or (frequency == "DAILY" and days):
        bits = days or 1 << (first.weekday() + 1) % 7
        return Recurrence(WEEKLY, start_date, days=bits, first_day=DAYS.index(parts.get("WKST", "MO")), **fields)
    if frequency not in ("MONTHLY", "YEARLY"):
        raise BadCalendar(f"RRULE {value}")
    month = int(parts.get("BYMONTH", first.month)) if frequency == "YEARLY" else 0
    if nth:
        index = LAST if nth == {-1} else nth.pop()
        return Recurrence(
            YEARLY_NTH if month else MONTHLY_NTH, start_date, days=days, index=index, month=month, **fields
        )
    day = month_days[0] if month_days else first.day
    return Recurrence(YEARLY if month else MONTHLY, start_date, day=31 if day == -1 else day, month=month, **fields)


def address(line):
    email = re.sub(r"(?i)^mailto:", "", line.value.strip())
    return Address(line.params.get("CN", email), email)


def attendee_of(line):
    who = address(line)
    role = {"OPT-PARTICIPANT": "Optional", "NON-PARTICIPANT": "Resource"}.get(
        line.params.get("ROLE", "").upper(), "Required"
    )
    words = {text: word for word, text in PARTSTAT.items()}
    return Attendee(who.email, who.name, role, words.get(line.params.get("PARTSTAT", "").upper(), "Unknown"))


def reminder_of(part):
    """Minutes before the start of the first alarm that is so timed; None without one."""
    for alarm in part.inner:
        line = alarm.get("TRIGGER") if alarm.name == "VALARM" else None
        found = (
            re.fullmatch(r"-P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:\d+S)?)?", line.value) if line else None
        )
        if found:
            weeks, days, hours, minutes = (int(n or 0) for n in found.groups())
            return ((weeks * 7 + days) * 24 + hours) * 60 + minutes
    return None


Event = collections.namedtuple("Event", "uid original appointment deleted intended")
"""One VEVENT: `original` is the instant of its RECURRENCE-ID or None, `deleted` the instants of EXDATE."""


def event_of(part, calendar, home):
    if part.get("UID") is None or part.get("DTSTART") is None:
        raise BadCalendar("VEVENT without UID or DTSTART")
    start, zone, all_day = when(part.get("DTSTART"), calendar, home)
    end, end_zone = start + (86400 if all_day else 0), zone
    if part.get("DTEND") is not None:
        end, end_zone, _ = when(part.get("DTEND"), calendar, home)
    rule, recurrence_id = part.get("RRULE"), part.get("RECURRENCE-ID")
    stamp = part.get("DTSTAMP")
    priority = part.text("PRIORITY", "5")
    organizer = part.get("ORGANIZER")
    people = tuple(attendee_of(line) for line in part.all("ATTENDEE"))
    appt = Appointment(
        zone,
        start,
        end,
        end_zone=None if end_zone == zone else end_zone,
        subject=part.text("SUMMARY", ""),
        body=("Text", part.text("DESCRIPTION", "")),
        location=part.text("LOCATION", ""),
        all_day=all_day,
        sensitivity={"PRIVATE": "Private", "CONFIDENTIAL": "Confidential"}.get(part.text("CLASS", ""), "Normal"),
        importance="High"
        if priority in ("1", "2", "3", "4")
        else "Low"
        if priority in ("6", "7", "8", "9")
        else "Normal",
        uid=part.text("UID"),
        stamp=when(stamp, calendar, home)[0] if stamp is not None else 0,
        sequence=int(part.text("SEQUENCE", "0")),
        organizer=address(organizer) if organizer is not None else None,
        attendees=people,
        state=MEETING if organizer is not None else 0,
        reminder=reminder_of(part),
        recurrence=recurrence_of(rule.value, start, zone) if rule is not None else None,
    )
    deleted = [
        when(line._replace(value=v), calendar, home)[0] for line in part.all("EXDATE") for v in line.value.split(",")
    ]
    words = {text: word for word, text in CDO_BUSY.items()}
    intended = words.get(
        part.text("X-MICROSOFT-CDO-INTENDEDSTATUS", ""), "Free" if part.text("TRANSP") == "TRANSPARENT" else "Busy"
    )
    original = when(recurrence_id, calendar, home)[0] if recurrence_id is not None else None
    return Event(appt.uid, original, appt, deleted, intended)


def events_of(data, home):
    """(METHOD, [Event]) of an iCalendar object; BadCalendar for anything else."""
    try:
        calendar = parse(data)
        parts = [part for part in calendar.inner if part.name == "VEVENT"]
        return calendar.text("METHOD", "").upper(), [event_of(part, calendar, home) for part in parts]
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise BadCalendar(str(error)) from None
