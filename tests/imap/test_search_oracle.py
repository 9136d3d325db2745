# SPDX-License-Identifier: Apache-2.0
"""SEARCH, SORT and THREAD answers as Dovecot gives them, over the same messages (search_driver against Debian's Dovecot)."""
import os
import random
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "exchange")]

import broken_mime  # noqa: E402
from dovecot import Dovecot, available  # noqa: E402

TOOL = os.path.join(ROOT, os.environ.get("EXBRIDGE_BUILD", "build"), "tests", "search_driver")
SHOWN = int(os.environ.get("EXBRIDGE_ORACLE_SHOWN", "10"))


@pytest.fixture(autouse=True, scope="module")
def needed():
    assert available(), "dovecot-imapd is not installed"
    assert os.path.exists(TOOL), f"{TOOL} is not built"


def flags(number):
    return ("F" if number % 3 == 0 else "") + ("S" if number % 2 == 0 else "")


def compare(tmp_path, messages, commands, digest="1"):
    paths = []
    for i, message in enumerate(messages):
        paths.append(str(tmp_path / f"{i:05d}.eml"))
        with open(paths[-1], "wb") as file:
            file.write(message)
    (tmp_path / "commands").write_bytes(b"".join(command + b"\n" for command in commands))
    mine = subprocess.run([TOOL, str(tmp_path / "commands"), *paths], stdout=subprocess.PIPE, check=True,
                          env=dict(os.environ, EXBRIDGE_DIGEST=digest)).stdout.split(b"\r\n")
    dovecot = Dovecot(messages, flags=flags)
    different = []
    try:
        dovecot.command(b"SELECT INBOX")
        for command, ours in zip(commands, mine):
            name = command.split(b" ")[0]
            theirs = [a for a in dovecot.command(command) if a.startswith(b"* " + name)][0]
            if ours.rstrip() != theirs.rstrip():
                different.append((command, ours, theirs))
    finally:
        dovecot.close()
    for command, ours, theirs in different[:SHOWN]:
        a, b = set(ours.split()), set(theirs.split())
        print(f"--- {command!r}\n" + (f"ours only {sorted(a - b)[:20]}, Dovecot only {sorted(b - a)[:20]}\n" if command.startswith(b"SEARCH") else
                                     f"ours:    {ours.decode()}\nDovecot: {theirs.decode()}\n"))
    assert not different, f"{len(different)} of {len(commands)} answers differ"


def corpus_messages(count):
    import corpus
    source = corpus.Corpus(1, 4000)
    return [broken_mime.crlf(source.mime(i, 1_767_600_000 + i * 600)) for i in range(count)]


SEARCHES = [
    b"ALL", b"SEEN", b"UNSEEN FLAGGED", b"OR SEEN FLAGGED", b"NOT (SEEN FLAGGED)", b"1:10,50:* NOT 60:70", b"LARGER 5000", b"SMALLER 2500",
    b"BEFORE 5-Jan-2024", b"ON 5-Jan-2024", b"SINCE 5-Jan-2024", b"SENTBEFORE 6-Jan-2026 HEADER Date 2",  # without a Date field it is sent before everything to Dovecot, never to us
    b"SENTON 6-Jan-2026", b"SENTSINCE 6-Jan-2026",
    b"SUBJECT meeting", b"SUBJECT Re:", b"SUBJECT \"the \"", b"FROM alice", b"FROM example.com", b"TO example", b"CC example", b"BCC example",
    b"SUBJECT \"\"", b"CC \"\"", b"HEADER Cc \"\"", b"HEADER X-Nothing \"\"", b"HEADER Content-Type multipart", b"HEADER Message-ID @", b"HEADER Received from",
    b"HEADER references example", b"BODY canteen", b"BODY \"audit a\"", b"BODY \"<html>\"", b"TEXT canteen", b"TEXT payroll SEEN", b"BODY CANTEEN NOT BODY payroll",
    b"TEXT received", b"BODY zzzzzz", b"OR SUBJECT budget BODY budget", b"TEXT Content-Transfer-Encoding", b"BODY base64",
    "CHARSET UTF-8 SUBJECT \"ä\"".encode(), "CHARSET UTF-8 BODY \"ä\"".encode(), "CHARSET UTF-8 BODY \"änderung\"".encode(), "CHARSET UTF-8 FROM \"ü\"".encode(),
    "CHARSET UTF-8 TEXT \"견적\"".encode(), "CHARSET UTF-8 BODY \"ŁÓDŹ\"".encode(), "CHARSET UTF-8 SUBJECT \"встреча\"".encode(),
    "CHARSET UTF-8 SUBJECT \"ВСТРЕЧА\"".encode(), "CHARSET UTF-8 TEXT \"A\"".encode(),
]


def test_search(tmp_path):
    compare(tmp_path, corpus_messages(300), [b"SEARCH " + key for key in SEARCHES])


def test_search_in_headers(tmp_path):
    """The same without digests."""
    compare(tmp_path, corpus_messages(100), [b"SEARCH " + key for key in SEARCHES], digest="0")


def test_sort(tmp_path):
    keys = [b"ARRIVAL", b"CC", b"DATE", b"FROM", b"SIZE", b"SUBJECT", b"TO", b"DISPLAYFROM", b"DISPLAYTO", b"REVERSE DATE", b"REVERSE SUBJECT DATE",
            b"SUBJECT REVERSE DATE", b"FROM SUBJECT", b"REVERSE SIZE ARRIVAL"]
    compare(tmp_path, corpus_messages(300), [b"SORT (" + key + b") UTF-8 ALL" for key in keys])


THREADS = [b"THREAD REFERENCES UTF-8 ALL", b"THREAD REFS UTF-8 ALL", b"THREAD ORDEREDSUBJECT UTF-8 ALL", b"THREAD REFERENCES UTF-8 2:10",
           b"THREAD REFERENCES UTF-8 SEEN", b"THREAD REFS UTF-8 5:20"]


def test_thread(tmp_path):
    compare(tmp_path, corpus_messages(300), THREADS)


def tangled(seed):
    """A dozen messages that refer to each other, to themselves and to nothing, share ids, and share subjects."""
    rnd = random.Random(seed)
    count = rnd.randrange(2, 14)
    days = rnd.sample(range(1, 29), count)
    out = []
    for i in range(count):
        ids = [b"<%d@x>" % rnd.randrange(count + 4) for _ in range(rnd.choice([0, 0, 1, 1, 2, 3, 5]))]
        head = []
        if rnd.random() < 0.95:
            head.append(b"Message-ID: <%d@x>" % (i if rnd.random() < 0.95 else rnd.randrange(count)))
        if ids:
            head.append(rnd.choice([b"References: ", b"References: ", b"In-Reply-To: "]) + b" ".join(ids))
        if rnd.random() < 0.9:
            head.append(b"Subject: " + rnd.choice([b"", b"", b"Re: ", b"Fwd: "]) + rnd.choice([b"a", b"b", b"c", b"d", b"e", b"f", b""]))
        head.append(b"Date: %d Jan 2024 00:00:00 +0000" % (days[i] if seed % 2 else rnd.randrange(1, 29)))
        out.append(b"\r\n".join(head) + b"\r\n\r\nx\r\n")
    return out


@pytest.mark.parametrize("seed", range(50))
def test_thread_of_tangled_messages(tmp_path, seed):
    # REFS says nothing about threads whose latest messages have the same date, which even seeds have.
    compare(tmp_path, tangled(seed), THREADS[:3] if seed % 2 else [THREADS[0], THREADS[2]])
