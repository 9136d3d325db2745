# SPDX-License-Identifier: Apache-2.0
"""What an object says, whoever wrote it down: for comparing two clients' views field by field."""
import datetime

import icalendar

TEXTS = ("SUMMARY", "LOCATION", "DESCRIPTION", "CLASS", "TRANSP", "STATUS", "PRIORITY", "PERCENT-COMPLETE", "RRULE", "UID")
USUAL = {"CLASS": "PUBLIC", "TRANSP": "OPAQUE", "STATUS": {"VEVENT": "CONFIRMED", "VTODO": "NEEDS-ACTION"}, "PRIORITY": "0",
         "PERCENT-COMPLETE": "0"}


def moment(value):
    """A point in time in UTC, or a date."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%MZ") if value.tzinfo else value.isoformat()
    return value.isoformat()


def of_component(c):
    found = {}
    for name in TEXTS:
        value = c.get(name)
        text = value.to_ical().decode() if value is not None else ""
        usual = USUAL.get(name, "")
        if text and text != (usual[c.name] if isinstance(usual, dict) else usual):
            found[name] = text.replace("\\,", ",").replace("\\;", ";").replace("\\n", "\n").strip()
    for name, key in (("DTSTART", "start"), ("DTEND", "end"), ("DUE", "due"), ("RECURRENCE-ID", "of")):
        if name in c:
            found[key] = moment(c.decoded(name))
    if "DURATION" in c and "DTSTART" in c:
        found["end"] = moment(c.decoded("DTSTART") + c.decoded("DURATION"))
    categories = c.get("CATEGORIES")
    if categories is not None:
        lists = categories if isinstance(categories, list) else [categories]
        found["categories"] = sorted(str(x) for one in lists for x in one.cats)
    alarms = [str(a["TRIGGER"].to_ical().decode()) for a in c.subcomponents if a.name == "VALARM"]
    if alarms:
        found["alarms"] = alarms
    gone = c.get("EXDATE")
    if gone is not None:
        found["gone"] = sorted(moment(d.dt) for one in (gone if isinstance(gone, list) else [gone]) for d in one.dts)
    return found


def fields(text):
    """{field: value} of the one event or task, with `changed` for its exceptions; what is usual is left out."""
    if not text.startswith("BEGIN:VCALENDAR"):
        text = f"BEGIN:VCALENDAR\r\n{text.strip()}\r\nEND:VCALENDAR\r\n"
    parts = [of_component(c) for c in icalendar.Calendar.from_ical(text).walk() if c.name in ("VEVENT", "VTODO")]
    masters = [p for p in parts if "of" not in p]
    assert len(masters) == 1, text
    others = sorted((p for p in parts if "of" in p), key=lambda p: p["of"])
    return {**masters[0], **({"changed": others} if others else {})}
