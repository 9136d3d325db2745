# SPDX-License-Identifier: Apache-2.0
"""Calendar clients that keep in step, other people on the server, and trouble, all at once, from a seed.

    play(stage, kind, seed, count)

An event is known by its summary. Its clients only ever add a word to its description, by If-Match on what they have seen;
other people only ever write its location. So what has been overwritten unseen is missing in the end, and seen:

  1  A word whose PUT was answered with 2xx is in the description for as long as there is the event; one that was refused with
     412 or 404 is not, and none is there twice. An event that was put with 2xx is on the server once, whatever was retried.
  2  The location is what others wrote last: a client that has not seen it cannot take it back.
  3  Who deletes by If-Match has seen every word that was promised. What is deleted does not come back.
  4  When all is quiet, the server, a new client, and each old client that followed its sync-token show the same; the name
     (href) that a client gave is still the name.
"""
import http.client
import random
import re
import ssl
import time

import invariants
from actor import Actor
from bridge import poll
from davtest import C, D, Dav, event, prop

CLIENTS = 3
QUIET_S = 90
GONE = (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError, OSError)
CLIENT_OPERATIONS = {"sync": 5, "create": 5, "edit": 12, "delete": 2}
WORLD_OPERATIONS = {"create": 2, "locate": 8, "delete": 1, "fault": 8, "drop": 1, "kill": 1.5, "invalidate": 0.4}
OPERATIONS = {"ews": ["CreateItem", "UpdateItem", "DeleteItem", "GetItem", "SyncFolderItems"], "eas": ["Sync", "Sync", "ItemOperations"]}
FAULTS = [{"do": "reset_before"}, {"do": "lose"}, {"do": "reset_after"}, {"do": "cut", "bytes": 200}, {"delay_s": 0.5},
          {"do": "status", "status": 500}, {"do": "status", "status": 503, "headers": {"Retry-After": "1"}},
          {"do": "throttle", "backoff_ms": 300}, {"do": "truncate", "bytes": 150}, {"do": "html"}]


def words(text):
    """What clients wrote into a description, one after the other."""
    return re.findall(r"\bx\d+-\d+\b", text or "")


def with_word(text, word):
    """The client's edit: all else stays as it came."""
    if prop(text, "DESCRIPTION") is None:
        return text.replace("END:VEVENT", f"DESCRIPTION:{word}\r\nEND:VEVENT", 1)
    return re.sub(r"^(DESCRIPTION[^\r]*(?:\r\n [^\r]*)*)", lambda m: f"{m[1]} {word}", text, count=1, flags=re.M)


def seen(text):
    """(summary, location, words) of an object."""
    return prop(text, "SUMMARY"), prop(text, "LOCATION") or "", tuple(words(prop(text, "DESCRIPTION")))


class Event:
    def __init__(self, summary, promised=False, href=None):
        self.summary, self.promised, self.href = summary, promised, href
        self.words = {}  # word -> True: promised, False: refused, None: nobody knows
        self.location = ""
        self.deleted = None  # words that were seen by who deleted it for certain
        self.may_be_gone = False


class Book(invariants.Ledger):
    """What was promised, by summary."""

    def __init__(self):
        super().__init__()
        self.events = {}

    def event(self, summary):
        with self.lock:
            return self.events.setdefault(summary, Event(summary))


class Client(Actor):
    """A client as they are: it follows the sync-token, keeps a copy, and writes by If-Match on that copy."""

    def __init__(self, play, number):
        super().__init__(f"client {number}")
        self.play, self.book, self.number = play, play.book, number
        self.dav = Dav(play.bridge, attempts=1)
        self.token, self.copy = "", {}  # href -> (ETag, text)
        self.doubted = set()  # of what it has written it does not know what became of it there
        self.pending = []  # (href, text, summary) of new events whose outcome is not known

    def one(self, number, operation):
        rnd = random.Random(f"{self.play.seed} {number}")
        try:
            if self.pending and rnd.random() < 0.5:
                self.try_create(*self.pending.pop(0))
            getattr(self, operation)(rnd, f"x{self.number}-{number}")
        except GONE as e:
            self.book.note(self.name, f"{operation}: connection lost ({type(e).__name__})")
            self.dav.close()

    # ---- looking ----

    def sync(self, rnd=None, word=None):
        """All that has changed; True if the copy is up to date now."""
        found = self.dav.sync(self.play.calendar, self.token)
        if not isinstance(found, tuple):
            self.book.note(self.name, f"sync-collection -> {found.status} {found.body[:100]}")
            self.book.expect(found.status >= 500 or found.precondition() == "valid-sync-token", f"{self.name}: {found.status} {found.body}")
            if found.status < 500:
                self.token, self.copy = "", {}
            return False
        changed, gone, token, _ = found
        wanted = [href for href, props in changed.items() if self.copy.get(href, (None,))[0] != props[D, "getetag"].text]
        texts = {}
        if wanted:
            answer = self.dav.multiget(self.play.calendar, wanted)
            if answer.status != 207:
                return False
            texts = {href: (props[D, "getetag"].text, props[C, "calendar-data"].text.replace("\r\n", "\n").replace("\n", "\r\n"))
                     for href, (status, props) in answer.responses().items() if status is None and (C, "calendar-data") in props}
        if not self.token:
            self.copy = {href: there for href, there in self.copy.items() if href in changed}
        for href in gone:
            self.copy.pop(href, None)
        self.copy.update(texts)
        for href in set(wanted) - set(texts):  # gone in between: the next look tells
            self.copy.pop(href, None)
        self.token = token if len(texts) == len(wanted) else self.token
        return len(texts) == len(wanted)

    def look(self, href):
        """What is there now; True if that was told."""
        answer = self.dav.get(href)
        self.book.expect(answer.status in (200, 404) or answer.status >= 500, f"GET {href}: {answer.status} {answer.body}")
        if answer.status == 200:
            self.copy[href] = answer.headers["ETag"], answer.text()
        elif answer.status == 404:
            self.copy.pop(href, None)
        return answer.status in (200, 404)

    def certain(self):
        self.doubted -= {href for href in self.doubted if self.look(href)}
        return not self.doubted

    def some(self, rnd):
        if not self.certain() or not self.copy and not self.sync():
            return None
        return rnd.choice(sorted(self.copy)) if self.copy else None

    def up_to_date(self):
        try:
            return self.certain() and self.sync()
        except GONE:  # the connection of before
            self.dav.close()
            return False

    # ---- changing ----

    def create(self, rnd, word):
        href = f"{self.play.calendar}{word}.ics"
        kind = ["RRULE:FREQ=WEEKLY;COUNT=5"] if rnd.random() < 0.3 else []
        self.book.event(word).href = href
        self.try_create(href, event(f"{word}@random.test", *kind, summary=word), word)

    def try_create(self, href, text, summary):
        self.pending.append((href, text, summary))
        answer = self.dav.put(href, text, If_None_Match="*")
        self.book.note(self.name, f"PUT {summary}, new -> {answer.status} {answer.body[-120:] if answer.status >= 300 else ''}")
        self.book.expect(answer.status in (201, 412) or answer.status >= 500, f"new {summary}: {answer.status} {answer.body}")
        if answer.status == 201 or answer.status == 412:  # it was there already: the PUT before got through
            self.pending.remove((href, text, summary))
            with self.book.lock:
                self.book.event(summary).promised = True

    def edit(self, rnd, word):
        href = self.some(rnd)
        if not href:
            return
        etag, text = self.copy[href]
        it = self.book.event(seen(text)[0])
        with self.book.lock:
            it.words[word] = None
        self.doubted.add(href)
        answer = self.dav.put(href, with_word(text, word), If_Match=etag)
        self.book.note(self.name, f"PUT {it.summary} with {word} on {etag} -> {answer.status} {answer.body[-120:] if answer.status >= 300 else ''}")
        self.book.expect(answer.status in (201, 204, 404, 412) or answer.status >= 500, f"{it.summary}: {answer.status} {answer.body}")
        with self.book.lock:
            it.words[word] = {201: True, 204: True, 404: False, 412: False}.get(answer.status)

    def delete(self, rnd, word):
        href = self.some(rnd)
        if not href:
            return
        etag, text = self.copy[href]
        summary, _, known = seen(text)
        it = self.book.event(summary)
        it.may_be_gone = True
        self.doubted.add(href)
        answer = self.dav.ask("DELETE", href, headers={"If-Match": etag})
        self.book.note(self.name, f"DELETE {summary} on {etag}, {known} -> {answer.status}")
        self.book.expect(answer.status in (204, 404, 412) or answer.status >= 500, f"{summary}: {answer.status} {answer.body}")
        if answer.status == 204:
            it.deleted = set(known)


class World:
    """What other people do to the calendar, and what happens to the server."""

    def __init__(self, play):
        self.play, self.book, self.exchange = play, play.book, play.exchange
        self.kills = self.hits = 0

    def one(self, number, operation):
        getattr(self, operation)(random.Random(f"{self.play.seed} {number}"), f"w-{number}")

    def create(self, rnd, name):
        self.exchange.event("create", event={"subject": name, "start": "2026-12-02T10:00:00Z", "end": "2026-12-02T11:00:00Z"})
        self.book.note("world", f"creates {name}")
        self.book.event(name).promised = True

    def some(self, rnd):
        found = [e for e in self.exchange.events() if not e["recurrence"]]
        return rnd.choice(found) if found else None

    def locate(self, rnd, name):
        there = self.some(rnd)
        if not there:
            return
        it = self.book.event(there["subject"])
        try:
            self.exchange.event("update", num=there["num"], event={"location": name})
        except Exception as e:  # a client has deleted it in this moment
            self.book.note("world", f"{it.summary} cannot be moved to {name}: {e}")
            assert all(e["num"] != there["num"] for e in self.exchange.events())
            return
        self.book.note("world", f"moves {it.summary} to {name}")
        it.location = name

    def delete(self, rnd, name):
        there = self.some(rnd)
        if there:
            self.book.note("world", f"deletes {there['subject']}")
            self.book.event(there["subject"]).may_be_gone = True
            try:
                self.exchange.event("delete", num=there["num"])
            except Exception:
                assert all(e["num"] != there["num"] for e in self.exchange.events())

    def fault(self, rnd, name):
        rule, operation = rnd.choice(FAULTS), rnd.choice(OPERATIONS[self.play.kind.backend])
        self.book.note("world", f"fault {rule} for {operation}")
        self.exchange.fault(protocol=self.play.kind.backend, op=operation, **rule)

    def drop(self, rnd, name):
        self.book.note("world", "drops connections")
        self.exchange.drop_connections()

    def invalidate(self, rnd, name):
        self.book.note("world", "forgets sync states")
        self.exchange.invalidate()

    def kill(self, rnd, name):
        self.kills += 1
        self.book.note("world", "kill -9")
        self.play.bridge.kill(close=False)
        self.play.bridge.start()


class Play:
    def __init__(self, stage, kind, seed):
        self.kind, self.seed, self.book = kind, seed, Book()
        stage.expected = ("Ping of a folder that was never synced",)  # when the server has forgotten all it knew
        self.exchange = kind.exchange(stage)
        self.bridge = stage.bridge(kind.account("work", self.exchange), dav=True)
        self.calendar = poll(60, lambda: Dav(self.bridge).calendars().get("Calendar"), "no calendar is shown")
        self.world, self.clients = World(self), [Client(self, n) for n in range(CLIENTS)]

    def account(self):
        """What was done, in a line."""
        told = [promise for it in self.book.events.values() for promise in it.words.values()]
        return (f"{len(self.book.events)} events, {sum(e.deleted is not None for e in self.book.events.values())} deleted by clients; "
                f"{len(told)} edits: {told.count(True)} promised, {told.count(False)} refused, {told.count(None)} unknown; "
                f"{self.world.kills} kills, {self.world.hits} faults met")

    def run(self, count):
        rnd = random.Random(f"script {self.seed}")
        for n in range(8):
            self.world.create(rnd, f"w-s{n}")
        for client in self.clients:
            client.start()
        for number in range(count):
            if rnd.random() < 0.25:
                self.world.one(number, rnd.choices(list(WORLD_OPERATIONS), list(WORLD_OPERATIONS.values()))[0])
            else:
                what = rnd.choices(list(CLIENT_OPERATIONS), list(CLIENT_OPERATIONS.values()))[0]
                self.clients[rnd.randrange(CLIENTS)].todo.put((number, what))
            if self.book.problems or any(c.error for c in self.clients):
                break
        for client in self.clients:
            client.todo.put(None)
        for client in self.clients:
            client.join(300)
            if client.error:
                raise client.error
            self.book.expect(not client.is_alive(), f"{client.name} does not end")

    def settle(self):
        """The trouble is over: who has no answer asks again, until there is one."""
        self.world.hits = sum(rule["hits"] for rule in self.exchange.faults())
        self.exchange.clear_faults()
        self.book.note("play", "trouble is over")
        for client in self.clients:
            poll(QUIET_S, lambda: self.again(client), lambda: f"{client.name}: {client.pending}\n{self.bridge.tail()}")

    def again(self, client):
        try:
            for what in list(client.pending):
                client.pending.remove(what)
                client.try_create(*what)
        except GONE:
            client.dav.close()
        return not client.pending

    def compare(self):
        views = {}

        def agree():
            views.clear()
            views["server"] = sorted((e["subject"], e["location"], tuple(words(e["body"]["text"]))) for e in self.exchange.events())
            fresh = Client(self, 99)
            for client in [*self.clients, fresh]:
                if not client.up_to_date():
                    return False
                views[client.name] = sorted(seen(text) for _, text in client.copy.values())
            fresh.dav.close()
            return all(view == views["server"] for view in views.values())

        def differences():
            there = set(views["server"])
            return "\n".join(f"{name} lacks {sorted(there - set(view))} and has {sorted(set(view) - there)}" for name, view in views.items())

        poll(QUIET_S, agree, differences)
        self.promises(views["server"], {seen(text)[0]: href for href, (_, text) in self.clients[0].copy.items()})

    def promises(self, there, hrefs):
        found = {summary: (location, marks) for summary, location, marks in there}
        self.book.expect(len(found) == len(there), f"events are there twice: {there}")
        self.book.expect(set(found) <= set(self.book.events), f"nobody made {set(found) - set(self.book.events)}")
        for it in self.book.events.values():
            promised = {word for word, promise in it.words.items() if promise}
            if it.deleted is not None:
                self.book.expect(it.summary not in found, f"{it.summary} was deleted and is there")
                self.book.expect(promised <= it.deleted, f"{it.summary} was deleted by one who had not seen {promised - it.deleted}")
            elif it.summary not in found:
                self.book.expect(it.may_be_gone or not it.promised, f"{it.summary} is lost")
            else:
                location, marks = found[it.summary]
                self.book.expect(location == it.location, f"{it.summary} is at {location!r}, and was moved to {it.location!r}")
                self.book.expect(len(marks) == len(set(marks)), f"{it.summary}: {marks}")
                self.book.expect(promised <= set(marks), f"{it.summary}: {promised - set(marks)} overwritten, left are {marks}")
                refused = {word for word, promise in it.words.items() if promise is False}
                self.book.expect(not refused & set(marks), f"{it.summary}: {refused & set(marks)} were refused and are there")
                self.book.expect(it.href in (None, hrefs[it.summary]), f"{it.summary} was put at {it.href} and is at {hrefs[it.summary]}")


def play(stage, kind, seed, count):
    """Raises an AssertionError that tells how to see it again."""
    it = Play(stage, kind, seed)
    path = f"{it.bridge.directory}/operations"
    try:
        it.run(count)
        if not it.book.problems:
            it.settle()
            it.compare()
        if it.book.problems:
            raise invariants.Violation("\n".join(it.book.problems[:20]))
    except BaseException as e:
        raise AssertionError(f"seed {seed}, {count} operations, {kind}; all of them are in {path}\n{e}") from e
    finally:
        with open(path, "w") as file:
            file.write("\n".join(it.book.lines) + "\n")
        for client in it.clients:
            client.dav.close()
    return it
