# SPDX-License-Identifier: Apache-2.0
"""COPY and MOVE between two calendars, over what is there and beside it, with faults and kill -9 in the middle, from a seed. The
client asks until it is told; then each object is where it was asked to be, once, on the server and for a new client."""
import http.client
import random
import threading

import kinds
import pytest

from bridge import poll
from davtest import Dav, event, prop

SEED, OPERATIONS = 20261129, 30
LOST = (http.client.HTTPException, OSError)
ASKED = {"ews": ["MoveItem", "DeleteItem", "CreateItem", "UpdateItem", "GetItem", "SyncFolderItems"],
         "eas": ["MoveItems", "Sync", "Sync", "ItemOperations"]}
FAULTS = [{"do": "reset_before"}, {"do": "lose"}, {"do": "lose", "times": 3}, {"do": "reset_after"}, {"do": "cut", "bytes": 200},
          {"do": "status", "status": 500}]


class Walk:
    def __init__(self, stage, kind):
        stage.expected = ("Ping of a folder that was never synced",)
        self.kind, self.exchange, self.rnd = kind, kind.exchange(stage), random.Random(SEED)
        self.bridge = stage.bridge(kind.account("work", self.exchange), dav=True)
        self.dav = Dav(self.bridge, attempts=1)
        self.calendars = [self.dav.calendar(), self.dav.home + "second/"]
        assert self.dav.ask("MKCALENDAR", self.calendars[1]).status == 201
        self.there, self.lines = {}, []  # href -> UID

    def calendar_of(self, href):
        return href.rsplit("/", 1)[0] + "/"

    def create(self, number):
        href, uid = f"{self.rnd.choice(self.calendars)}n{number}.ics", f"u{number}"
        assert self.dav.put(href, event(uid, f"X-MINE:{uid}", summary=uid)).status == 201
        self.there[href] = uid

    def choose(self, number):
        """(method, source, target) that nothing stands against."""
        while True:
            source, method = self.rnd.choice(sorted(self.there)), self.rnd.choice(["COPY", "MOVE", "MOVE"])
            into = self.rnd.choice(self.calendars)
            target = self.rnd.choice([*sorted(h for h in self.there if self.calendar_of(h) == into), f"{into}m{number}.ics"])
            same = self.calendar_of(source) == into
            other = [h for h, uid in self.there.items() if self.calendar_of(h) == into and uid == self.there[source] and h != target]
            if source != target and (method == "MOVE" if same else not other):
                return method, source, target

    def trouble(self):
        """Something goes wrong in the request that comes now; True: the process dies."""
        if self.rnd.random() < 0.5:
            self.exchange.fault(protocol=self.kind.backend, op=self.rnd.choice(ASKED[self.kind.backend]), **self.rnd.choice(FAULTS))
        return self.rnd.random() < 0.3

    def ask(self, method, source, target, dies):
        kill = threading.Timer(self.rnd.random() * 0.08, self.bridge.process.kill) if dies else None
        if kill:
            kill.start()
        try:
            return self.dav.ask(method, source, headers={"Destination": target}).status
        except LOST:
            self.dav.close()
            return 599
        finally:
            if kill:
                kill.join()
                self.bridge.kill(close=False)
                self.bridge.start()
                self.dav.close()

    def step(self, number):
        method, source, target = self.choose(number)
        expected = 204 if target in self.there else 201
        dies, said = self.trouble(), []
        while not said or said[-1] >= 500:
            assert len(said) < 20, said
            said.append(self.ask(method, source, target, dies and not said))
            if said[-1] >= 500 and self.rnd.random() < 0.5:
                self.exchange.clear_faults()
        self.exchange.clear_faults()
        self.lines.append(f"{number}: {method} {source} {target}, dies {dies}: {said}, expected {expected}")
        # a MOVE to another calendar remembers what it was; else the target, as it is when the client asks again, is what counts
        remembers = method == "MOVE" and self.calendar_of(source) != self.calendar_of(target)
        assert said[-1] in ({expected} if remembers else {201, 204}), "\n".join(self.lines)
        self.there[target] = self.there[source]
        if method == "MOVE":
            del self.there[source]

    def compare(self):
        wanted = {name: sorted(uid for href, uid in self.there.items() if self.calendar_of(href) == name) for name in self.calendars}

        def on_the_server():
            return {name: sorted(e["subject"] for e in self.exchange.events(folder)) for name, folder in zip(self.calendars, ("calendar", "second"))}

        def shown():
            return {href for name in self.calendars for href in self.dav.etags(name)}

        poll(60, lambda: on_the_server() == wanted, lambda: f"{on_the_server()}\n{wanted}\n" + "\n".join(self.lines))
        poll(60, lambda: shown() == set(self.there), lambda: f"{shown()}\n{self.there}\n" + "\n".join(self.lines))
        for href, uid in self.there.items():
            text = self.dav.get(href).text()
            assert (prop(text, "UID"), prop(text, "SUMMARY"), prop(text, "X-MINE")) == (uid, uid, uid), "\n".join(self.lines)


@pytest.mark.parametrize("kind", kinds.CALENDARS, ids=str)
def test_each_is_where_it_was_asked_to_be(stage, kind):
    walk = Walk(stage, kind)
    for number in range(6):
        walk.create(number)
    for number in range(OPERATIONS):
        walk.step(number)
    walk.compare()
    walk.dav.close()
