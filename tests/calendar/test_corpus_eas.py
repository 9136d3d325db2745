# SPDX-License-Identifier: Apache-2.0
"""The same objects through ActiveSync and back: put on the stand-in, read again; the same occurrences for ten years, or a
refusal that says why. In 14.1 exceptions stand inside the item, in 16.1 each is a command of its own."""
import itertools
import os
import pathlib
import sys

import pytest

import expand
from test_corpus import ACCEPTED, cut, driver, source

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "eas"), str(ROOT / "exchange")]

from easdriver import Driver  # noqa: E402
from standin import Standin  # noqa: E402

# Of whose occurrences one is in a zone of its own, and a zone that no rules of one year describe.
REFUSED = {"dst-override-in-other-zone", "exception-other-zone", "zone-gaza", "zone-of-the-end-other"}
REFUSED |= {"task-half-done-daily"}  # accounts read such a task otherwise (ical_options.coarse)


class Folder:
    def __init__(self, driver, kind):
        self.driver, self.kind = driver, kind
        self.id = next(f["id"] for f in driver.folders()["list"] if f["kind"] == kind)
        got = driver.write("epage", self.id, kind)
        assert got["err"] == "none" and not got["more"], got

    def put(self, name, serial):
        text = source(name).replace("\r\n", "\n").replace("\n", "\r\n").encode()
        return self.driver.write("eput", self.id, self.kind, "-", self.driver.file(text), "-", f"e{serial}")


@pytest.fixture(scope="module", params=["14.1", "16.1"])
def answers(request, tmp_path_factory):
    """(version, {name: what became of it})"""
    exchange = Standin("--corpus", "0", "--set", f'eas_versions=["{request.param}"]')
    try:
        with Driver(exchange.eas_url, tmp_path_factory.mktemp("driver")) as driver:
            folders = {kind: Folder(driver, kind) for kind in ("calendar", "tasks")}
            serial = itertools.count(1)
            found = {}
            for name in ACCEPTED:
                kind = "tasks" if "BEGIN:VTODO" in source(name) else "calendar"
                found[name] = folders[kind].put(name, next(serial))
        assert exchange.violations() == []
    finally:
        exchange.stop()
    return request.param, found


def occurrences(text, first, last, path):
    """Of what has come back; a zone that only its rules describe dateutil does not know."""
    if "TZID:Custom/" not in text:
        return cut(expand.occurrences(text, 11), first, last)
    path.write_text(text)
    (walked,) = driver("calendar_driver", "walk", f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}", str(path))
    rows = [line.split(" ", 2) for line in walked.splitlines()]
    return cut([(start, summary) for start, _, summary in rows], first, last)


def test_it_comes_back_as_it_went_or_is_refused(answers, tmp_path):
    version, found = answers
    wrong, refused = [], {}
    for name, got in found.items():
        if got["err"] in ("unsupported", "invalid"):
            refused[name] = got["text"]
            continue
        if got["err"] != "none":
            wrong.append((name, got))
            continue
        first, last = expand.window(source(name)) if name != "task-plain" else (None, None)
        if not first:
            continue
        expected = cut(expand.occurrences(source(name), 11), first, last)
        back = occurrences(got["text"], first, last, tmp_path / "back.ics")
        if back != expected:
            wrong.append((name, [x for x in expected if x not in back][:3], [x for x in back if x not in expected][:3]))
    for name, text in refused.items():
        print(version, name, text)
    for one in wrong:
        print(version, "WRONG", *one)
    assert not wrong
    assert set(refused) == REFUSED
