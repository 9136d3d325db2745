# SPDX-License-Identifier: Apache-2.0
"""The control server's calendar half: the model as JSON, and what others do to a calendar while a client looks."""
import base64
import dataclasses
import datetime
import random

import cal_meet
import cal_model
import cal_recur
import cal_zones
from cal_model import Appointment, Attachment, Attendee, Task
from clock import from_iso, iso
from ews_calendar_schema import DAYS
from mimeinfo import Address

PLAIN = (
    "subject location all_day busy sensitivity importance reminder uid client_uid sequence state my_response "
    "response_requested new_time_proposal sent edited zoneless"
).split()
TASK_PLAIN = "subject status percent importance sensitivity dead".split()


# ---- out ----


def recurrence_json(r):
    if r is None:
        return None
    found = {f.name: getattr(r, f.name) for f in dataclasses.fields(r)}
    found["days"] = [DAYS[n] for n in range(7) if r.days >> n & 1]
    found["start"], found["end"] = r.start.isoformat(), r.end and r.end.isoformat()
    return found


def attachments_json(cal):
    return [
        {"name": a.name, "type": a.content_type, "size": len(a.data), "data_b64": base64.b64encode(a.data).decode()}
        for a in cal.attachments
    ]


def event_json(cal):
    found = {name: getattr(cal, name) for name in PLAIN}
    found.update(
        start=iso(cal.start),
        end=iso(cal.end),
        zone=cal.zone.id,
        end_zone=(cal.end_zone or cal.zone).id,
        body={"type": cal.body[0], "text": cal.body[1]},
        categories=list(cal.categories),
        stamp=iso(cal.stamp),
        organizer=cal.organizer and {"name": cal.organizer.name, "email": cal.organizer.email},
        attendees=[{**dataclasses.asdict(a), "replied": a.replied and iso(a.replied)} for a in cal.attendees],
        recurrence=recurrence_json(cal.recurrence),
        attachments=attachments_json(cal),
        place=dict(cal.place),
    )
    if cal.recurrence is not None:
        found["exceptions"] = {day.isoformat(): event_json(cal.occurrence(day)) for day in sorted(cal.exceptions)}
        found["deleted"] = [day.isoformat() for day in sorted(cal.deleted)]
    if cal.original is not None:
        found["original"] = iso(cal.original)
    return found


def task_json(task):
    found = {name: getattr(task, name) for name in TASK_PLAIN}
    found.update(
        start=task.start and task.start.isoformat(),
        due=task.due and task.due.isoformat(),
        completed=task.completed and iso(task.completed),
        reminder=task.reminder and iso(task.reminder),
        body={"type": task.body[0], "text": task.body[1]},
        categories=list(task.categories),
        recurrence=recurrence_json(task.recurrence),
    )
    return found


def item_json(item):
    found = event_json(item.cal) if cal_model.is_event(item) else task_json(item.cal)
    ext = [[*key, *value] for key, value in (item.ext or {}).items()]
    return {"num": item.num, "folder": item.folder, "modified": iso(item.modified), "ext": ext, **found}


# ---- in ----


def instant(text, zone):
    """With an offset or Z an instant, without one wall time of the zone."""
    if text.endswith("Z") or "+" in text[10:]:
        return from_iso(text)
    return zone.epoch(datetime.datetime.fromisoformat(text))


def recurrence_from(given):
    given = dict(given)
    given["days"] = sum(1 << DAYS.index(d) for d in given.get("days", ()))
    for name in ("start", "end"):
        if given.get(name):
            given[name] = datetime.date.fromisoformat(given[name])
    return cal_recur.Recurrence(**given)


def zone_of(given):
    """A zone by its Windows id; or of rules alone, which no name is known of: {bias, standard, daylight, daylight_bias}."""
    if isinstance(given, str):
        return cal_zones.find(given)
    rules = [given.get(name) and cal_zones.Rule(*given[name]) for name in ("standard", "daylight")]
    return cal_zones.custom(cal_zones.Rules(given["bias"], *rules, given.get("daylight_bias", 0)))


def event_fields(given, zone):
    """Appointment fields of a JSON object."""
    fields = {name: given[name] for name in PLAIN if name in given and name != "edited"}
    if "zone" in given:
        zone = zone_of(given["zone"])
        if zone is None:
            raise ValueError(f"no zone {given['zone']}")
        fields["zone"] = zone
    for name in ("start", "end"):
        if name in given:
            fields[name] = instant(given[name], zone)
    if "body" in given:
        body = given["body"]
        fields["body"] = ("Text", body) if isinstance(body, str) else (body["type"], body["text"])
    if "categories" in given:
        fields["categories"] = tuple(given["categories"])
    if "recurrence" in given:
        fields["recurrence"] = given["recurrence"] and recurrence_from(given["recurrence"])
    if "organizer" in given:
        who = given["organizer"]
        fields["organizer"] = who and Address(who.get("name", ""), who["email"])
    if "attendees" in given:
        fields["attendees"] = tuple(Attendee(**a) for a in given["attendees"])
    if "attachments" in given:
        fields["attachments"] = tuple(
            Attachment(n, a["name"], a.get("type", "application/octet-stream"), base64.b64decode(a["data_b64"]))
            for n, a in enumerate(given["attachments"], 1)
        )
    return fields


def task_fields(given):
    fields = {name: given[name] for name in TASK_PLAIN if name in given}
    for name in ("start", "due"):
        if name in given:
            fields[name] = given[name] and datetime.date.fromisoformat(given[name])
    for name in ("completed", "reminder"):
        if name in given:
            fields[name] = given[name] and from_iso(given[name])
    if "body" in given:
        body = given["body"]
        fields["body"] = ("Text", body) if isinstance(body, str) else (body["type"], body["text"])
    if "categories" in given:
        fields["categories"] = tuple(given["categories"])
    if "recurrence" in given:
        fields["recurrence"] = given["recurrence"] and recurrence_from(given["recurrence"])
    return fields


class CalendarControl:
    """Endpoints of Control."""

    def meeting_of(self, raw):
        """What a message says about a meeting: method, UID, occurrence, who answered what; None for other mail."""
        events, method = cal_meet.read(self.app, raw)
        if events is None:
            return None
        event = events[0]
        return {
            "method": method,
            "uid": event.uid,
            "original": event.original and iso(event.original),
            "sequence": event.appointment.sequence,
            "events": len(events),
            "attendees": {a.email: a.response for a in event.appointment.attendees},
            "start": iso(event.appointment.start),
        }

    def get_calendar(self, args):
        """All calendar items and tasks of a folder (default calendar), oldest first."""
        mailbox = self.mailbox(args)
        with mailbox.lock:
            folder = self.folder(mailbox, args, default="calendar")
            found = sorted((i for i in folder.items.values() if i.cal is not None), key=lambda i: i.num)
            return [item_json(item) for item in found]

    def get_occurrences(self, args):
        """What overlaps [from, to) in a folder, or of one item (num): expanded by dateutil; by=server: by the server."""
        import cal_oracle  # dateutil is there for tests only

        mailbox = self.mailbox(args)
        begin, end = from_iso(args["from"]), from_iso(args["to"])
        with mailbox.lock:
            if "num" in args:
                items = [mailbox.item(int(args["num"]))]
            else:
                items = list(self.folder(mailbox, args, default="calendar").items.values())
            found = []
            for item in items:
                if cal_model.is_event(item):
                    mine = args.get("by") == "server" and item.cal.recurrence is not None
                    expand = server_occurrences if mine else cal_oracle.occurrences
                    found += [(*span, item.num, item.cal.uid) for span in expand(item.cal, begin, end)]
        return [
            {"start": iso(start), "end": iso(stop), "original": original and iso(original), "num": num, "uid": uid}
            for start, stop, original, num, uid in sorted(found, key=lambda f: (f[0], f[3]))
        ]

    def post_calendar(self, args):
        """{do: create|fill|update|delete|occurrence|cancel_occurrence|attendee, num or uid, day, folder, ...}"""
        mailbox = self.mailbox(args)
        with mailbox.lock:
            do = getattr(self, "calendar_" + args["do"])
            item = do(mailbox, args)
            return item_json(item) if item is not None else {}

    def event(self, mailbox, args):
        if "uid" in args and "num" not in args:
            item = cal_model.find_uid(mailbox, args["uid"])
            if item is None:
                raise ValueError(f"no event {args['uid']}")
            return item
        return mailbox.item(int(args["num"]))

    def calendar_create(self, mailbox, args):
        folder = self.folder(mailbox, args, default="calendar")
        given = args.get("event", {})
        if folder.cls.startswith("IPF.Task"):
            return cal_model.add(mailbox, folder, Task(**task_fields(given)))
        zone = zone_of(given.get("zone", "UTC"))
        me = Address(mailbox.display_name, mailbox.email)
        appt = Appointment(**{"zone": zone, "organizer": me, **event_fields(given, zone)})
        return cal_model.add(mailbox, folder, appt)

    def calendar_fill(self, mailbox, args):
        """{count, seed, start: a date}: as many events, each the same on every run; every fifth is a weekly series."""
        folder = self.folder(mailbox, args, default="calendar")
        dice, me = random.Random(args.get("seed", 1)), Address(mailbox.display_name, mailbox.email)
        first = datetime.date.fromisoformat(args.get("start", "2026-01-05"))
        zones = [cal_zones.find(name) for name in ("W. Europe Standard Time", "Eastern Standard Time", "UTC")]
        for n in range(args["count"]):
            zone, day = dice.choice(zones), first + datetime.timedelta(days=dice.randrange(365))
            start = zone.epoch(
                datetime.datetime.combine(day, datetime.time(dice.randrange(8, 18), dice.choice((0, 30))))
            )
            days = 1 << (day.weekday() + 1) % 7
            weekly = cal_recur.Recurrence(cal_recur.WEEKLY, day, days=days, count=dice.randrange(3, 20))
            appt = Appointment(
                zone,
                start,
                start + dice.choice((1800, 3600, 5400)),
                subject=f"Event {n + 1}",
                location=dice.choice(("", "Room 1", "Große Halle", "会議室")),
                body=("Text", f"What event {n + 1} is about.\n" * dice.randrange(4)),
                organizer=me,
                reminder=dice.choice((None, 15, 30)),
                recurrence=weekly if n % 5 == 4 else None,
            )
            cal_model.add(mailbox, folder, appt)

    def calendar_update(self, mailbox, args):
        """Fields in `event`; mail: true makes the server tell the attendees."""
        item = self.event(mailbox, args)
        before = item.cal
        if cal_model.is_task(item):
            return cal_model.save(mailbox, item, dataclasses.replace(before, **task_fields(args["event"])))
        cal_model.save(mailbox, item, cal_model.changed(before, event_fields(args["event"], before.zone)))
        if args.get("mail"):
            cal_meet.organized(self.app, mailbox, item, before, "SendToAllAndSaveCopy")
        return item

    def calendar_occurrence(self, mailbox, args):
        """Changes the occurrence of the date `day`."""
        item = self.event(mailbox, args)
        before, day = item.cal, datetime.date.fromisoformat(args["day"])
        fields = event_fields(args["event"], before.zone)
        cal_model.save(mailbox, item, cal_model.changed_occurrence(before, day, fields))
        if args.get("mail"):
            cal_meet.organized(self.app, mailbox, item, before, "SendToAllAndSaveCopy", day)
        return item

    def calendar_cancel_occurrence(self, mailbox, args):
        item, day = self.event(mailbox, args), datetime.date.fromisoformat(args["day"])
        occurrence = item.cal.occurrence(day)
        left = cal_model.without_occurrence(item.cal, day)
        if args.get("mail"):
            cal_meet.cancelled(self.app, mailbox, occurrence, "SendToAllAndSaveCopy")
        if left is None:
            mailbox.delete_item(item)
            return None
        return cal_model.save(mailbox, item, left)

    def calendar_attendee(self, mailbox, args):
        """An attendee's answer: {email, response}; nothing is sent."""
        item, address = self.event(mailbox, args), args["email"].casefold()
        now = mailbox.clock.now()
        people = tuple(
            dataclasses.replace(a, response=args["response"], replied=now) if a.email.casefold() == address else a
            for a in item.cal.attendees
        )
        return cal_model.save(mailbox, item, dataclasses.replace(item.cal, attendees=people))

    def calendar_delete(self, mailbox, args):
        item = self.event(mailbox, args)
        if args.get("mail"):
            cal_meet.cancelled(self.app, mailbox, item.cal, "SendToAllAndSaveCopy")
        return mailbox.delete_item(item, args.get("how", "hard"))


def server_occurrences(cal, begin, end):
    return sorted((*cal.span(day), cal.regular(day)[0]) for day in cal.between(begin, end))
