# SPDX-License-Identifier: Apache-2.0
"""Calendar objects into the event model and back: the same occurrences for ten years, or a refusal that the table names.

Three opinions on each object: dateutil on what the client wrote, the program's walk over what it understood, and both
dateutil and libical on what the program wrote (with its own VTIMEZONE).
"""

import os
import pathlib
import subprocess

import pytest

import expand

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("EXBRIDGE_BUILD", HERE.parent.parent / "out/asan"))
TABLE = dict(
    line.split("\t") for line in (HERE / "corpus.tsv").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
)
ACCEPTED = sorted(name for name, verdict in TABLE.items() if verdict == "ok")
REFUSED = sorted(name for name, verdict in TABLE.items() if verdict != "ok")
DATED = [n for n in ACCEPTED if n != "task-plain"]

# It has the offset of before for months after Samoa left out a day (30 December 2011).
NOT_FOR_LIBICAL = {"zone-apia"}


def path(name):
    return str(HERE / "corpus" / f"{name}.ics")


def driver(program, *args):
    """One answer a file, without the line of one dot; the program is asked once for all of them."""
    run = subprocess.run([BUILD / "tests" / program, *args], capture_output=True, timeout=600)
    assert run.returncode == 0, run.stderr.decode()
    answers, lines = [], []
    for line in run.stdout.decode().split("\n"):
        if line != ".":
            lines.append(line)
            continue
        answers.append("".join(f"{x}\n" for x in lines))
        lines = []
    return answers


@pytest.fixture(scope="module")
def verdicts():
    names = sorted(TABLE)
    answers = driver("calendar_driver", "read", *[path(n) for n in names])
    return dict(zip(names, [a.strip() for a in answers]))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """name -> file of what the program writes without the client's spelling."""
    folder = tmp_path_factory.mktemp("written")
    answers = driver("calendar_driver", "plain", *[path(n) for n in ACCEPTED])
    files = {}
    for name, text in zip(ACCEPTED, answers):
        files[name] = folder / f"{name}.ics"
        files[name].write_bytes(text.encode())
    return files


def test_the_table_and_the_folder_agree():
    assert sorted(TABLE) == sorted(f.stem for f in (HERE / "corpus").glob("*.ics"))
    assert len(TABLE) >= 150


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, verdicts):
    words = verdicts[name].split()
    assert words[:2] == ["refused", TABLE[name]]
    assert len(words) > 4  # a sentence for people


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name, verdicts):
    assert verdicts[name] == "ok"


def test_written_again_is_the_same(written):
    again = driver("calendar_driver", "plain", *[str(written[n]) for n in ACCEPTED])
    for name, text in zip(ACCEPTED, again):
        assert text == written[name].read_bytes().decode(), name


def cut(occurrences, first, last):
    if occurrences and occurrences[0][1].startswith("task-"):  # Exchange has dates there; hours are the client's own
        occurrences = [(t[:10], s) for t, s in occurrences]
    return sorted((t, s) for t, s in occurrences if f"{first:%Y-%m-%d}" <= t < f"{last:%Y-%m-%d}")


def source(name):
    return pathlib.Path(path(name)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def walked():
    """name -> what the program sees, as (start, summary)."""
    args = []
    for name in DATED:
        first, last = expand.window(source(name))
        args += [f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}", path(name)]
    rows = [[line.split(" ", 2) for line in a.splitlines()] for a in driver("calendar_driver", "walk", *args)]
    return {name: [(start if start != "-" else end, text) for start, end, text in r] for name, r in zip(DATED, rows)}


@pytest.fixture(scope="module")
def seen_by_libical(written):
    args = []
    for name in DATED:
        first, last = expand.window(source(name))
        args += [f"{first:%Y%m%d}", f"{last:%Y%m%d}", str(written[name])]
    answers = driver("libical_witness", *args)
    return {name: [tuple(line.split(" ", 1)) for line in a.splitlines()] for name, a in zip(DATED, answers)}


@pytest.mark.parametrize("name", DATED)
def test_occurrences(name, written, walked, seen_by_libical):
    first, last = expand.window(source(name))
    expected = cut(expand.occurrences(source(name), 11), first, last)
    assert expected
    assert cut(walked[name], first, last) == expected
    assert cut(expand.occurrences(written[name].read_text(encoding="utf-8"), 11), first, last) == expected
    # libical takes the second of two equal hours, and does not come back from an hour that is not there: RFC 5545 3.3.5
    # and dateutil say otherwise.
    if name not in NOT_FOR_LIBICAL and not expand.meets_a_change(source(name)):
        assert cut(seen_by_libical[name], first, last) == expected
