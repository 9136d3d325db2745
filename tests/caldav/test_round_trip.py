# SPDX-License-Identifier: Apache-2.0
"""The corpus of tests/calendar through a server's representation and back: what Exchange was given, read again from it
with nothing cached, has the same occurrences for ten years; or the object was refused with the reason."""
import os
import pathlib
import re
import sys

import pytest

from davtest import C, Dav

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "calendar"
sys.path.append(str(CORPUS))

import expand  # noqa: E402

TABLE = dict(line.split("\t") for line in (CORPUS / "corpus.tsv").read_text(encoding="utf-8").splitlines() if line[0] != "#")


def source(name):
    return (CORPUS / "corpus" / f"{name}.ics").read_text(encoding="utf-8")


def span(occurrences, text):
    first, last = expand.window(text)
    if occurrences and "BEGIN:VTODO" in text:  # Exchange has dates there; hours are the client's own
        occurrences = [(t[:10], s) for t, s in occurrences]
    return sorted((t, s) for t, s in occurrences if f"{first:%Y-%m-%d}" <= t < f"{last:%Y-%m-%d}")


@pytest.fixture(scope="module")
def stored(module_stage, kind, exchange):
    """({name: precondition and reason} of what was refused, {name: text} of what the server has)."""
    bridge = module_stage.bridge(kind.account("work", exchange), dav=True, name=f"corpus-{kind}", start=False)
    bridge.environment["TZ"] = "Europe/Berlin"
    bridge.start()
    dav = Dav(bridge)
    homes, refused, texts = dav.calendars(), {}, {}
    paths = {name: homes["Tasks" if "BEGIN:VTODO" in source(name) else "Calendar"] + f"{name}.ics" for name in sorted(TABLE)}
    for name, path in paths.items():
        answer = dav.put(path, source(name))
        if answer.status != 201:
            refused[name] = (answer.status, answer.precondition(), "".join(answer.xml().itertext()))
    bridge.stop()
    bridge.delete_cache()
    bridge.start()
    dav.close()
    for home in homes.values():
        hrefs = list(dav.etags(home))
        for href, (status, props) in dav.multiget(home, hrefs).responses().items():
            assert status is None, href
            texts[os.path.basename(href)[:-4]] = props[C, "calendar-data"].text
    dav.close()
    return refused, texts


PRECONDITIONS = {"too-early": "min-date-time", "too-late": "max-date-time",
                 **dict.fromkeys(("bad-zone", "bad-value", "end-before-start", "rule-syntax"), "valid-calendar-data")}
# Over EAS a zone is the rules of one year, the same for all occurrences.
NOT_OVER_EAS = {"exception-other-zone", "dst-override-in-other-zone", "zone-gaza", "zone-of-the-end-other"}


def test_each_is_there_or_was_refused(stored, kind):
    refused, texts = stored
    assert set(refused) | set(texts) == set(TABLE) and not set(refused) & set(texts)
    assert {n for n in refused if TABLE[n] == "ok"} == (NOT_OVER_EAS if kind.backend == "eas" else set())
    for name, (status, precondition, reason) in refused.items():
        wanted = PRECONDITIONS.get(TABLE[name], "valid-calendar-object-resource")
        assert (status, precondition) == (403, wanted) and len(reason.split()) > 3, (name, reason)


# Windows has one zone for Gaza and Hebron, whose clocks differed in the autumn of 2011.
OTHERWISE = {"zone-gaza": ("2011-08-01", "2011-10-31")}
NAMELESS = {"zone-troll": "Antarctica/Troll"}  # no zone of Windows: what has lost its name is told by its rules


@pytest.mark.parametrize("name", sorted(n for n, verdict in TABLE.items() if verdict == "ok" and n != "task-plain"))
def test_occurrences(name, stored, kind):
    if kind.backend == "eas" and name in NOT_OVER_EAS:
        assert name in stored[0]
        return
    text = source(name)
    expected = span(expand.occurrences(text, 11), text)
    assert expected
    first, last = OTHERWISE.get(name, ("", ""))
    back = re.sub(r"Custom/[^:;\r\n]+", NAMELESS[name], stored[1][name]) if name in NAMELESS else stored[1][name]
    found = span(expand.occurrences(back, 11), text)
    assert [o for o in found if not first < o[0] < last] == [o for o in expected if not first < o[0] < last]
