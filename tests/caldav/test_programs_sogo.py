# SPDX-License-Identifier: Apache-2.0
"""Calendar programs over the bridge's EAS account on SOGo, a server that somebody else wrote. After each step the program,
the bridge, a second program and SOGo's own CalDAV show the same thing, field by field.

Habits of SOGo's, and what follows from each:
- It puts events into the user's time zone, whatever zone ActiveSync names: here the two are the same.
- Tasks have no UID in ActiveSync: SOGo's CalDAV shows one of its own. They are compared by what they are about.
- A task that is not done is IN-PROCESS to SOGo, and one of usual importance has PRIORITY:5. A day it is due on
  becomes midnight. Done is done: it has no PERCENT-COMPLETE (in_our_words).
- It does not give up the last category and the day a task is due on: no test here takes them away (what is refused
  because of that, and because of time zones, is in tests/eas/test_eas_sogo_writing.py).
- A sync state is a second: what SOGo's CalDAV changes waits for the next one (SogoDav.change).
- It polls: what its CalDAV changes comes up to five seconds later (poll).
"""
import http.client
import os
import re
import signal

import pytest

from bird import Bird
from bridge import Account, poll
from davtest import C, Dav, event, prop, todo
from evolution import Evolution
from fields import fields
from programs import Cadaver, PythonCaldav, Vdirsyncer, with_exceptions
from sogo import Sogo
from sogo_dav import SogoDav
from tsdav import Tsdav

USER, PASSWORD = "programs", "sogo-canary-pw"
SAYS = {"STATUS": "IN-PROCESS", "PRIORITY": "5"}
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:x\nEND:VALARM"


@pytest.fixture(scope="module")
def sogo():
    with Sogo(users={USER: PASSWORD}, zone="Europe/Berlin", debug=bool(os.environ.get("SOGO_DEBUG"))) as rig:
        yield rig


@pytest.fixture(scope="module")
def theirs(sogo):
    return SogoDav(sogo, USER)


@pytest.fixture(scope="module")
def dav(module_stage, sogo):
    """A client of the one bridge. Over plain TCP, because cadaver trusts no certificate; the others have TLS on the stand-in."""
    account = Account("work", None, "eas", url=sogo.eas_tls_url, user=USER, password=PASSWORD, ca_file=sogo.ca_file,
                      email=sogo.address(USER))
    client = Dav(module_stage.bridge(account, dav=True, tls=False))
    client.sign_in(sogo.address(USER))
    poll(60, lambda: client.collections("VEVENT") and client.collections("VTODO"), client.bridge.tail)
    yield client
    client.close()


@pytest.fixture(scope="module", params=[PythonCaldav, Vdirsyncer, Cadaver, Tsdav, Evolution, Bird], ids=lambda p: p.__name__)
def program(request, dav, tmp_path_factory):
    made = request.param(dav, tmp_path_factory.mktemp(request.param.__name__))
    yield made
    made.close()


@pytest.fixture(scope="module")
def second(dav):
    """Another program that looks on."""
    return PythonCaldav(dav)


def seen(text):
    """What it says, and the zone that it keeps to."""
    zone = re.search(r"^DTSTART;TZID=([^:;]+)", text, re.M)
    return {**fields(text), "zone": zone[1].strip('"') if zone else ""}


def in_our_words(found):
    """SOGo's own about tasks."""
    if "due" in found:
        found["due"] = found["due"].removesuffix("T00:00Z")
    if found.get("STATUS") == "COMPLETED":
        found["PERCENT-COMPLETE"] = "100"
    return {name: value for name, value in found.items() if SAYS.get(name) != value}


class Views:
    """What everybody shows of the events or the tasks: {UID or what it is about: fields}."""

    def __init__(self, kind, program, second, dav, theirs):
        self.kind, self.program, self.second, self.dav, self.theirs = kind, program, second, dav, theirs

    def key(self, found):
        return {f.pop("UID") if self.kind == "VEVENT" else f.pop("UID") and f["SUMMARY"]: f for f in found}

    def of_program(self):
        return self.key(map(seen, self.program.shown(self.kind).values()))

    def of_second(self):
        return self.key(map(seen, self.second.shown(self.kind).values()))

    def of_bridge(self):
        found = self.dav.query(self.program.paths[self.kind], component=self.kind).responses().values()
        return self.key(seen(props[C, "calendar-data"].text) for _, props in found)

    def of_sogo(self):
        return self.key(in_our_words(seen(text)) for text in self.theirs.objects(self.kind).values())

    def agree(self, *texts):
        wanted = self.key(map(seen, texts))
        for look in (self.of_sogo, self.of_bridge, self.of_second, self.of_program):
            found = []
            poll(60, lambda: found.append(look()) or found[-1] == wanted, lambda: f"{look.__name__}: {found[-1]}\nwanted: {wanted}")


@pytest.fixture
def events(program, second, dav, theirs):
    return Views("VEVENT", program, second, dav, theirs)


@pytest.fixture
def tasks(program, second, dav, theirs):
    return Views("VTODO", program, second, dav, theirs)


def test_events(program, events):
    timed = event("timed", "LOCATION:Room 1", "CATEGORIES:Blue,Green", "DESCRIPTION:Two\\nlines\\, and more", "CLASS:PRIVATE",
                  "TRANSP:TRANSPARENT", ALARM, summary="Grüße")
    day = event("day", start="DTSTART;VALUE=DATE:20261201", end="DTEND;VALUE=DATE:20261203", summary="Days")
    program.create("VEVENT", timed)
    program.create("VEVENT", day)
    events.agree(timed, day)
    program.change("VEVENT", "timed", {"SUMMARY": "Renamed", "LOCATION": "Elsewhere"})
    events.agree(timed.replace("Grüße", "Renamed").replace("Room 1", "Elsewhere"), day)
    program.remove("VEVENT", "timed")
    program.remove("VEVENT", "day")
    events.agree()


def test_a_series_with_exceptions(program, events):
    series = event("series", "RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=TU", "LOCATION:Hall")
    program.create("VEVENT", series)
    events.agree(series)
    program.make_exceptions("series", "Another name")
    events.agree(with_exceptions(series, "Another name"))
    program.remove("VEVENT", "series")
    events.agree()


def test_tasks(program, tasks):
    first = todo("t1", "DUE;VALUE=DATE:20261210", "DESCRIPTION:All of it", "CATEGORIES:Red", "PRIORITY:1", summary="First")
    other = todo("t2", summary="Other")
    program.create("VTODO", first)
    program.create("VTODO", other)
    tasks.agree(first, other)
    program.change("VTODO", "t2", {"STATUS": "COMPLETED", "PERCENT-COMPLETE": "100"})
    tasks.agree(first, todo("t2", "STATUS:COMPLETED", "PERCENT-COMPLETE:100", summary="Other"))
    program.remove("VTODO", "t1")
    program.remove("VTODO", "t2")
    tasks.agree()


def test_what_sogo_changes(program, events, tasks, theirs):
    series = with_exceptions(event("far", "RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=TU", "LOCATION:Hall", ALARM), "Another name")
    task = todo("far-task", "DUE;VALUE=DATE:20261210", "PRIORITY:1", summary="Far")
    theirs.change("far.ics", series)
    theirs.change("far-task.ics", task)
    events.agree(series)
    tasks.agree(task)
    theirs.change("far.ics", series.replace("Hall", "Attic"))
    theirs.change("far-task.ics", task.replace("20261210", "20261211"))
    events.agree(series.replace("Hall", "Attic"))
    tasks.agree(task.replace("20261210", "20261211"))
    theirs.change("far.ics")
    theirs.change("far-task.ics")
    events.agree()
    tasks.agree()


def test_khal(dav, theirs, tmp_path):
    """It makes an event in vdirsyncer's directory, and shows what SOGo's CalDAV makes of it."""
    vdirsyncer = Vdirsyncer(dav, tmp_path)
    vdirsyncer.khal("new", "-a", "one", "-l", "Room 1", "-g", "Blue", "-m", "10m", "-r", "daily", "2026-12-01 10:00", "11:00",
                    "Grüße", "::", "Two words")
    (uid, path), = vdirsyncer.files("VEVENT").items()
    mine = seen(path.read_bytes().decode())
    assert (mine["SUMMARY"], mine["start"], mine["zone"], mine["alarms"]) == ("Grüße", "2026-12-01T09:00Z", "Europe/Berlin", ["-PT10M"])
    vdirsyncer.sync()
    (name, text), = theirs.objects("VEVENT").items()
    assert seen(text) == mine
    theirs.change(name, text.replace("Room 1", "Room 2"))
    line = "{start-time} {end-time} {title} {location} {description} {categories} {repeat-pattern}"

    def shown():
        vdirsyncer.sync()
        return vdirsyncer.khal("list", "--format", line, "--day-format", "", "2026-12-02", "1d").strip()

    poll(60, lambda: shown() == "10:00 11:00 Grüße Room 2 Two words Blue FREQ=DAILY", shown)
    path.unlink()
    vdirsyncer.sync()
    assert theirs.objects() == {}


def test_copy_and_move_into_a_calendar_that_never_held_anything(dav):
    """SOGo forgets the sync state of an empty folder with its first object: nobody is told of it."""
    calendar = dav.collections("VEVENT")[0]
    names = [f"{dav.home}fresh-{n}/" for n in range(4)]
    for name in names:
        assert dav.ask("MKCALENDAR", name).status == 201
    poll(60, lambda: all(dav.etags(name) == {} for name in names), "they are not read")

    def ask(method, source, to):
        answer = dav.ask(method, source, headers={"Destination": to})
        return answer.status, answer.text()

    for uid in ("one", "two"):
        assert dav.put(calendar + uid + ".ics", event(uid + "-copied", summary=uid)).status == 201
        assert ask("COPY", calendar + uid + ".ics", f"{names[0]}{uid}.ics") == (201, "")
    assert ask("COPY", names[0] + "one.ics", names[1] + "a.ics") == (201, "")
    assert ask("COPY", names[0] + "two.ics", names[1] + "a.ics") == (204, "")
    for uid in ("one", "two"):
        assert ask("MOVE", f"{names[0]}{uid}.ics", f"{names[2]}{uid}.ics") == (201, "")
    assert ask("MOVE", names[1] + "a.ics", names[3] + "b.ics") == (201, "")
    assert ask("MOVE", calendar + "one.ics", names[3] + "b.ics") == (204, "")
    found = {path: fields(dav.get(path).text())["SUMMARY"] for name in [calendar, *names] for path in dav.etags(name)}
    assert found == {calendar + "two.ics": "two", names[2] + "one.ics": "one", names[2] + "two.ics": "two", names[3] + "b.ics": "one"}
    for path in [calendar + "two.ics", *names]:
        assert dav.ask("DELETE", path).status == 204


@pytest.fixture
def mortal(stage, sogo):
    """A bridge of its own."""
    account = Account("work", None, "eas", url=sogo.eas_tls_url, user=USER, password=PASSWORD, ca_file=sogo.ca_file,
                      email=sogo.address(USER))
    client = Dav(stage.bridge(account, dav=True), attempts=1)
    client.sign_in(sogo.address(USER))
    poll(60, lambda: client.collections("VEVENT") and client.collections("VTODO"), client.bridge.tail)
    yield client
    client.close()


def test_an_answer_that_nobody_heard_and_an_item_that_is_gone(mortal, theirs):
    """The repeated PUT makes it anew, once the server has shown by another object that it can be asked for one."""
    home = mortal.collections("VEVENT")[0]
    mortal.close()
    mortal.bridge.stop()
    mortal.bridge.environment = {"EXBRIDGE_CRASH_AT": "event.answered"}
    mortal.bridge.start()
    with pytest.raises((OSError, http.client.HTTPException)):
        mortal.put(home + "mine.ics", event("unheard"), If_None_Match="*")
    assert mortal.bridge.process.wait(60) == -signal.SIGKILL, mortal.bridge.tail()
    mortal.bridge.process, mortal.bridge.environment = None, {}
    mortal.close()
    (name, _), = theirs.objects("VEVENT").items()
    theirs.change(name)
    mortal.bridge.start()
    assert poll(60, lambda: (a := mortal.put(home + "other.ics", event("other"))).status < 500 and a).status == 201
    answer = poll(60, lambda: (a := mortal.put(home + "mine.ics", event("unheard"), If_None_Match="*")).status < 500 and a)
    assert answer.status == 201, answer.body
    assert set(mortal.etags(home)) == {home + "mine.ics", home + "other.ics"}
    for path in mortal.etags(home):
        assert poll(60, lambda: (a := mortal.ask("DELETE", path)).status < 500 and a.status) == 204


@pytest.mark.parametrize("changed", [False, True], ids=["unchanged", "changed"])
@pytest.mark.parametrize("component", ["VEVENT", "VTODO"])
def test_an_answer_that_nobody_heard(mortal, theirs, component, changed):
    """The bridge dies when SOGo has answered. The repeated PUT finds what the first one made, and what SOGo has made of it is no
    change; what its CalDAV changes is one, and stays."""
    path = mortal.collections(component)[0] + "mine.ics"
    lines = ("LOCATION:Hall", "CATEGORIES:Blue", "DESCRIPTION:Two\\nlines", ALARM)
    text = event("unheard", *lines) if component == "VEVENT" else todo("unheard", "DUE;VALUE=DATE:20261210", "PRIORITY:1")
    summary = "Meeting" if component == "VEVENT" else "Task"
    mortal.close()
    mortal.bridge.stop()
    mortal.bridge.environment = {"EXBRIDGE_CRASH_AT": "event.answered"}
    mortal.bridge.start()
    with pytest.raises((OSError, http.client.HTTPException)):
        mortal.put(path, text, If_None_Match="*")
    assert mortal.bridge.process.wait(60) == -signal.SIGKILL, mortal.bridge.tail()
    mortal.bridge.process, mortal.bridge.environment = None, {}
    mortal.close()
    (name, made), = theirs.objects(component).items()
    if changed:
        theirs.change(name, made.replace(f"SUMMARY:{summary}", "SUMMARY:Theirs"))
    mortal.bridge.start()
    answer = poll(60, lambda: (a := mortal.put(path, text, If_None_Match="*")).status < 500 and a)
    assert answer.status == (412 if changed else 201), answer.body
    assert list(mortal.etags(path.rsplit("/", 1)[0] + "/")) == [path]
    got = mortal.get(path).text()
    assert (prop(got, "UID"), prop(got, "SUMMARY")) == ("unheard", "Theirs" if changed else summary)
    (_, there), = theirs.objects(component).items()
    assert prop(there, "SUMMARY") == ("Theirs" if changed else summary)
    assert poll(60, lambda: (a := mortal.ask("DELETE", path)).status < 500 and a.status) == 204
