# SPDX-License-Identifier: Apache-2.0
"""Meetings: the mail that the server sends by itself, and what an arriving one does to a calendar (MS-OXOCAL 3.1.4, RFC 5546).

Organizer: `organized()` after a change, `cancelled()` before a deletion. Attendee: `respond()`. Each sends at most one message,
whoever gets it: tests count Store.submissions. Every message that arrives goes through `arrived()`, whether this server wrote
it or a client: a request makes or updates the event (tentatively, until it is answered), a cancellation marks it, a reply
changes the attendee's status at the organizer's.
"""
import base64
import collections
import dataclasses
import email
import email.utils

import cal_ics
import cal_model
import cal_zones
from cal_model import CANCELED, MEETING, RECEIVED, Attendee
from model import ModelError

REQUEST, CANCEL, REPLY = "IPM.Schedule.Meeting.Request", "IPM.Schedule.Meeting.Canceled", "IPM.Schedule.Meeting.Resp"
REPLY_CLASSES = {"Accept": REPLY + ".Pos", "Tentative": REPLY + ".Tent", "Decline": REPLY + ".Neg"}
WORDS = {"Accept": "Accepted", "Tentative": "Tentative", "Decline": "Declined"}
# A change of these asks the attendees again (MS-OXOCAL 3.1.4.7.4.1).
SIGNIFICANT = ("start", "end", "all_day", "recurrence")
NOT_SHOWN = {
    "reminder",
    "categories",
    "busy",
    "sensitivity",
    "attachments",
    "stamp",
    "sequence",
    "sent",
    "exceptions",
} | {
    "deleted",
    "client_uid",
    "ext",
    "my_response",
    "reply_time",
    "state",
    "edited",
}

Meeting = collections.namedtuple("Meeting", "method uid original appointment response intended kind")
"""What a message says: `appointment` is the event as it was sent, `original` the instant of the one occurrence it is about,
`kind` NewMeetingRequest, FullUpdate, InformationalUpdate or Outdated."""


# ---- what the organizer's server does ----


def mine(mailbox, cal):
    """Whether the mailbox organizes this meeting."""
    return cal.is_meeting and cal.is_organizer


def others(mailbox, attendees):
    own = mailbox.email.casefold()
    return [a for a in attendees if a.email.casefold() != own]


def organized(app, mailbox, item, before, send, day=None):
    """The organizer made or changed a meeting (or one occurrence); `send` is how EWS words it."""
    cal = item.cal if day is None else item.cal.occurrence(day)
    old = before if before is None or day is None else before.occurrence(day)
    if send == "SendToNone" or not (mine(mailbox, cal) or old is not None and mine(mailbox, old)):
        return
    people = others(mailbox, cal.attendees)
    known = {a.email.casefold() for a in others(mailbox, old.attendees)} if old is not None and old.sent else set()
    now = {a.email.casefold() for a in people}
    removed = [a for a in old.attendees if a.email.casefold() in known - now] if old is not None else []
    changed_people = bool(known - now or now - known)
    if "Changed" in send and changed_people and old is not None and old.sent:
        people = [a for a in people if a.email.casefold() not in known]
    significant = old is not None and old.sent and any(getattr(cal, n) != getattr(old, n) for n in SIGNIFICANT)
    stamped = dataclasses.replace(
        item.cal,
        sequence=item.cal.sequence + significant,
        stamp=mailbox.clock.now(),
        sent=item.cal.sent or bool(people),
        attendees=unanswered(item.cal.attendees, significant and day is None),
    )
    cal_model.save(mailbox, item, stamped)
    cal = stamped if day is None else stamped.occurrence(day)
    keep = send.endswith("SaveCopy")
    if removed:
        mail(app, mailbox, dataclasses.replace(cal, attendees=tuple(removed)), "CANCEL", removed, keep)
    if people:
        mail(app, mailbox, cal, "REQUEST", people, keep)


def unanswered(attendees, ask_again):
    """Who is asked again has not answered."""
    return tuple(
        dataclasses.replace(a, response="Unknown", replied=None) if ask_again and a.response in REPLY_CLASSES else a
        for a in attendees
    )


def shown_change(before, after):
    """Whether attendees would see a difference; without one a server that decides for itself sends nothing."""
    if before is None:
        return True
    names = {f.name for f in dataclasses.fields(after)} - NOT_SHOWN
    return any(getattr(before, name) != getattr(after, name) for name in names)


def cancelled(app, mailbox, cal, send):
    """The organizer deletes a meeting or one occurrence of it."""
    people = others(mailbox, cal.attendees)
    if send != "SendToNone" and mine(mailbox, cal) and cal.sent and people and not cal.state & CANCELED:
        gone = dataclasses.replace(cal, sequence=cal.sequence + 1, stamp=mailbox.clock.now())
        mail(app, mailbox, gone, "CANCEL", people, send.endswith("SaveCopy"))


# ---- the messages ----


def mail(app, mailbox, cal, method, people, keep, text=None):
    """One message to all of them."""
    subject = ("Canceled: " if method == "CANCEL" else "") + cal.subject
    events = [(cal, cal_ics.vevent(cal, method))]
    if cal.recurrence is not None and method == "REQUEST":
        events = cal_ics.with_exceptions(cal, method)
    send(
        app,
        mailbox,
        [a.email for a in people],
        subject,
        cal_ics.document(events, method),
        method,
        text or body_text(cal),
        keep,
    )


def body_text(cal):
    return cal_ics.to_text(cal.body[1]) if cal.body[0] == "HTML" else cal.body[1]


def send(app, mailbox, recipients, subject, calendar, method, text, keep):
    raw = message(mailbox, recipients, subject, calendar, method, text)
    if keep:
        mailbox.add_item(mailbox.kinds["sentitems"], raw, read=True)
    app.store.submit(mailbox.email, recipients, raw, by="server")


def message(mailbox, recipients, subject, calendar, method, text):
    """multipart/alternative: the words, and the iCalendar object."""
    mark = "_000_standin_meeting_"
    number = mailbox.next_num * 1000 + len(mailbox.store.submissions)

    def part(kind, data):
        wrapped = base64.encodebytes(data).replace(b"\n", b"\r\n").decode()
        return f"--{mark}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n{wrapped}"

    head = [
        "From: " + email.utils.formataddr((mailbox.display_name, mailbox.email)),
        "To: " + ", ".join(recipients),
        "Subject: " + encoded(subject),
        "Date: " + email.utils.formatdate(mailbox.clock.now()),
        f"Message-ID: <meeting.{number}.{mailbox.email.split('@')[0]}@standin.example.com>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{mark}"',
    ]
    parts = part("text/plain; charset=utf-8", (text or "").encode())
    parts += part(f'text/calendar; charset="utf-8"; method={method}', calendar)
    return ("\r\n".join(head) + "\r\n\r\n" + parts + f"--{mark}--\r\n").encode()


def encoded(text):
    text = " ".join(text.split())
    return text if text.isascii() else "=?utf-8?B?" + base64.b64encode(text.encode()).decode() + "?="


# ---- what arrives ----


def home(app):
    return cal_zones.find(app.options.mailbox_zone)


def calendar_part(raw):
    """(method, bytes) of the text/calendar part, or None."""
    if b"text/calendar" not in raw.lower():
        return None
    for part in email.message_from_bytes(raw).walk():
        if part.get_content_type() == "text/calendar":
            return (part.get_param("method") or "").upper(), part.get_payload(decode=True) or b""
    return None


def read(app, raw):
    """[Event] and method of a message, or (None, None)."""
    found = calendar_part(raw)
    if found is None:
        return None, None
    method, data = found
    try:
        written, events = cal_ics.events_of(data, home(app))
    except cal_ics.BadCalendar:
        return None, None
    method = method or written
    return (events or None), method


def arrived(app, mailbox, item):
    """The calendar assistant: looks at each new message."""
    events, method = read(app, item.mime())
    if events is None or method not in ("REQUEST", "REPLY", "CANCEL"):
        return
    event = events[0]
    if method == "REPLY":
        reply_arrived(mailbox, item, event)
        return
    organizer = event.appointment.organizer
    if organizer is None or organizer.email.casefold() == mailbox.email.casefold():
        return  # a copy for oneself
    if method == "CANCEL":
        cancel_arrived(mailbox, item, events)
    else:
        request_arrived(mailbox, item, events)


def label(mailbox, item, cls, meeting):
    mailbox.update_item(item, item_class=cls, meeting=meeting)


def request_arrived(mailbox, item, events):
    known = cal_model.find_uid(mailbox, events[0].uid)
    kind = "NewMeetingRequest"
    if known is not None:
        before, new = known.cal, events[0].appointment
        newer = (new.sequence, new.stamp) >= (before.sequence, before.stamp)
        again = events[0].original is not None or any(getattr(new, n) != getattr(before, n) for n in SIGNIFICANT)
        kind = ("FullUpdate" if again else "InformationalUpdate") if newer and not mine(mailbox, before) else "Outdated"
    first = events[0]
    label(
        mailbox,
        item,
        REQUEST,
        Meeting("REQUEST", first.uid, first.original, first.appointment, None, first.intended, kind),
    )
    if kind == "Outdated":
        return
    try:
        for event in sorted(events, key=lambda e: e.original is not None):
            known = placed(mailbox, known, event)
    except ModelError:
        pass  # an exception where none can be: the series stays as it is


def as_invited(appt, intended):
    """How an event looks to who was invited and has not answered."""
    return dataclasses.replace(
        appt,
        state=MEETING | RECEIVED,
        busy="Free" if intended == "Free" else "Tentative",
        my_response="NoResponseReceived",
        reminder=cal_model.DEFAULT_REMINDER,
    )


def placed(mailbox, known, event):
    """The event of a request goes into the calendar; returns its Item."""
    appt = as_invited(event.appointment, event.intended)
    if event.original is not None and known is not None and known.cal.recurrence is not None:
        return placed_occurrence(mailbox, known, event, appt)
    if known is None:
        known = cal_model.add(mailbox, mailbox.kinds["calendar"], appt)
    else:
        before = known.cal
        again = any(getattr(appt, n) != getattr(before, n) for n in SIGNIFICANT)
        fields = {n: getattr(appt, n) for n in FROM_ORGANIZER}
        if not again:
            fields.pop("recurrence")
        else:
            fields.update(my_response="NoResponseReceived", busy=appt.busy, reply_time=None)
        cal_model.save(mailbox, known, cal_model.changed(before, fields))
    cal = known.cal
    for instant in event.deleted if cal.recurrence is not None else ():
        day = cal.date_of_original(instant)
        if day is not None and day not in cal.deleted:
            cal = cal_model.without_occurrence(cal, day) or cal
    if cal is not known.cal:
        cal_model.save(mailbox, known, cal)
    return known


FROM_ORGANIZER = (
    "subject body location start end all_day zone end_zone importance sensitivity stamp sequence organizer attendees state "
    "recurrence"
).split()


def placed_occurrence(mailbox, known, event, appt):
    day = known.cal.date_of_original(event.original)
    if day is None or day in known.cal.deleted:
        return known
    names = ("subject", "body", "location", "start", "end", "all_day", "importance", "attendees", "my_response", "busy")
    fields = {n: getattr(appt, n) for n in names}
    cal = cal_model.changed_occurrence(known.cal, day, fields)
    cal_model.save(mailbox, known, dataclasses.replace(cal, sequence=max(cal.sequence, appt.sequence)))
    return known


def cancel_arrived(mailbox, item, events):
    event = events[0]
    known = cal_model.find_uid(mailbox, event.uid)
    meeting = Meeting("CANCEL", event.uid, event.original, event.appointment, None, event.intended, "None")
    label(mailbox, item, CANCEL, meeting)
    if known is None or event.appointment.sequence < known.cal.sequence:
        return
    gone = {"busy": "Free", "state": MEETING | RECEIVED | CANCELED, "reminder": None}
    for event in events:
        cal = known.cal
        if event.original is None or cal.recurrence is None:
            cal = dataclasses.replace(cal, subject=titled(cal), sequence=event.appointment.sequence, **gone)
        else:
            day = cal.date_of_original(event.original)
            if day is None or day in cal.deleted:
                continue
            cal = cal_model.changed_occurrence(cal, day, {**gone, "subject": titled(cal.occurrence(day))})
        cal_model.save(mailbox, known, cal)


def titled(cal):
    return cal.subject if cal.subject.startswith("Canceled: ") else "Canceled: " + cal.subject


def reply_arrived(mailbox, item, event):
    answer = event.appointment.attendees[0] if event.appointment.attendees else None
    if answer is None or answer.response not in REPLY_CLASSES:
        return
    meeting = Meeting("REPLY", event.uid, event.original, event.appointment, answer.response, event.intended, "None")
    label(mailbox, item, REPLY_CLASSES[answer.response], meeting)
    known = cal_model.find_uid(mailbox, event.uid)
    if known is None or not mine(mailbox, known.cal):
        return
    cal, stamp = known.cal, event.appointment.stamp
    if event.original is not None and cal.recurrence is not None:
        day = cal.date_of_original(event.original)
        if day is None or day in cal.deleted:
            return
        people = answered(cal.occurrence(day).attendees, answer, stamp)
        cal_model.save(mailbox, known, cal_model.changed_occurrence(cal, day, {"attendees": people}))
    else:
        cal_model.save(mailbox, known, dataclasses.replace(cal, attendees=answered(cal.attendees, answer, stamp)))


def answered(attendees, answer, stamp):
    """The attendees with one's answer, unless a later one is there; who was not invited is added as an optional one."""
    found, known = [], False
    for one in attendees:
        if one.email.casefold() == answer.email.casefold():
            known = True
            if one.replied is None or stamp >= one.replied:
                one = dataclasses.replace(one, response=answer.response, replied=stamp)
        found.append(one)
    if not known:
        found.append(Attendee(answer.email, answer.name, "Optional", answer.response, stamp))
    return tuple(found)


# ---- what the attendee's server does ----


def respond(app, mailbox, item, day, response, sends, text=None):
    """The user's answer to the event (or one occurrence of it): Accept, Tentative or Decline. A declined event leaves the
    calendar. Returns the Item, or None when it is gone."""
    cal = item.cal if day is None else item.cal.occurrence(day)
    now = mailbox.clock.now()
    intended = "Busy" if cal.busy in ("Tentative", "Free", "Busy") else cal.busy
    fields = {
        "my_response": response,
        "reply_time": now,
        "busy": "Tentative" if response == "Tentative" else intended,
    }
    if sends:
        reply(app, mailbox, cal, response, now, text)
    if response != "Decline":
        new = (
            dataclasses.replace(item.cal, **fields)
            if day is None
            else cal_model.changed_occurrence(item.cal, day, fields)
        )
        cal_model.save(mailbox, item, new)
        return item
    left = cal_model.without_occurrence(item.cal, day) if day is not None else None
    if left is None:
        mailbox.delete_item(item, "trash")
        return None
    cal_model.save(mailbox, item, left)
    return item


def reply(app, mailbox, cal, response, now, text):
    if cal.organizer is None:
        return
    me = Attendee(mailbox.email, mailbox.display_name, "Required", response)
    answer = dataclasses.replace(cal, stamp=now, attendees=(me,), reminder=None)
    calendar = cal_ics.document([(answer, cal_ics.vevent(answer, "REPLY"))], "REPLY")
    send(app, mailbox, [cal.organizer.email], f"{WORDS[response]}: {cal.subject}", calendar, "REPLY", text, True)


def event_of_message(mailbox, item):
    """(Item, date or None) of the event that a meeting message is about; a request brings it back when it is gone."""
    meeting = item.meeting
    known = cal_model.find_uid(mailbox, meeting.uid)
    if known is None and meeting.method == "REQUEST":
        known = placed(mailbox, None, cal_ics.Event(meeting.uid, None, meeting.appointment, (), meeting.intended))
    if known is None:
        return None, None
    if meeting.original is None or known.cal.recurrence is None:
        return known, None
    return known, known.cal.date_of_original(meeting.original)


def register(app):
    app.store.on_delivery.append(lambda mailbox, item: arrived(app, mailbox, item))
