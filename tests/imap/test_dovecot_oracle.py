# SPDX-License-Identifier: Apache-2.0
"""ENVELOPE, BODY, BODYSTRUCTURE, sizes and sections of ordinary and of broken messages, byte for byte as Dovecot answers.

render_driver (tests/imap/render_driver.c) renders each message with the bridge's own code; Debian's Dovecot gets the same files.
EXBRIDGE_BUILD names the build directory (default: build), EXBRIDGE_ORACLE_COUNT the number of broken messages."""
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "exchange")]

import broken_mime  # noqa: E402
from dovecot import Dovecot, available  # noqa: E402

TOOL = os.path.join(ROOT, os.environ.get("EXBRIDGE_BUILD", "build"), "tests", "render_driver")
COUNT = int(os.environ.get("EXBRIDGE_ORACLE_COUNT", "1500"))
STRUCTURE = b"(RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)"
SHOWN = int(os.environ.get("EXBRIDGE_ORACLE_SHOWN", "10"))
PARTS = [b"1", b"2", b"3", b"1.1", b"1.2", b"2.1", b"1.1.1", b"2.1.1", b"0x"[:0]]
SECTIONS = b"(" + b" ".join(
    [b"BODY.PEEK[]", b"BODY.PEEK[HEADER]", b"BODY.PEEK[TEXT]", b"BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT Content-Type X-Long)]",
     b"BODY.PEEK[HEADER.FIELDS.NOT (FROM RECEIVED DATE)]", b"BODY.PEEK[]<3.20>", b"BODY.PEEK[TEXT]<0.1>", b"BODY.PEEK[]<999999.5>"] +
    [b"BODY.PEEK[" + part + suffix + b"]" for part in PARTS if part for suffix in (b"", b".MIME")] +
    [b"BODY.PEEK[1.HEADER]", b"BODY.PEEK[1.TEXT]", b"BODY.PEEK[2.HEADER]", b"BODY.PEEK[2.TEXT]", b"BODY.PEEK[1.1.HEADER]",
     b"BODY.PEEK[2.HEADER.FIELDS (SUBJECT)]"]) + b")"


@pytest.fixture(autouse=True, scope="module")
def needed():
    assert available(), "dovecot-imapd is not installed"
    assert os.path.exists(TOOL), f"{TOOL} is not built"


def ours(items, paths):
    out = subprocess.run([TOOL, items.decode(), *paths], stdout=subprocess.PIPE, check=True).stdout
    answers = []
    at = 0
    for _ in paths:
        end = out.index(b"\n", at)
        size = int(out[at:end])
        answers.append(out[end + 1:end + 1 + size])
        at = end + size + 2
    return answers


def parse_value(data, at):
    """(value, end) of the list, string or atom at `at`. A quoted string and a literal of the same bytes are the same: Dovecot makes
    a literal of each subject that was folded, the bridge only where it has to."""
    c = data[at:at + 1]
    if c == b"(":
        items, at = [], at + 1
        while data[at:at + 1] != b")":
            value, at = parse_value(data, at)
            items.append(value)
            at += data[at:at + 1] == b" "
        return items, at + 1
    if c == b'"':
        out, at = bytearray(b'"'), at + 1
        while data[at:at + 1] != b'"':
            at += data[at:at + 1] == b"\\"
            out += data[at:at + 1]
            at += 1
        return bytes(out), at + 1
    if c == b"{":
        end = data.index(b"}\r\n", at)
        stop = end + 3 + int(data[at + 1:end])
        return b'"' + data[end + 3:stop], stop
    end = at
    while data[end:end + 1] not in (b" ", b")", b"(", b""):
        end += 1
    return data[at:end], end


def first_difference(a, b, path=()):
    if isinstance(a, list) and isinstance(b, list):
        for i, (x, y) in enumerate(zip(a, b)):
            found = first_difference(x, y, path + (i,))
            if found:
                return found
        if len(a) == len(b):
            return None
    return None if a == b else (path, a, b)


def items_of(answer):
    """"(A x B (y))" as {A: x, B: [y]}; labels may hold blanks in brackets."""
    items = {}
    at = 1
    while answer[at:at + 1] != b")":
        end = at
        bracket = 0
        while answer[end:end + 1] != b" " or bracket:
            bracket += {b"[": 1, b"]": -1}.get(answer[end:end + 1], 0)
            end += 1
        label = answer[at:end]
        items[label], stop = parse_value(answer, end + 1)
        at = stop + (answer[stop:stop + 1] == b" ")
    return items


def theirs(dovecot, items, count):
    answers = [None] * count
    for answer in dovecot.command(b"FETCH 1:* " + items):
        if b" FETCH " not in answer[:30]:
            continue
        number = int(answer.split(b" ", 2)[1])
        answers[number - 1] = answer[answer.index(b" FETCH ") + 7:]
    return answers


def is_part_one(label, value, items):
    """To Dovecot part 1 of a part without parts is that part itself, and what is not there is an empty string; RFC 3501 6.4.5 knows
    no such parts, and the bridge answers NIL."""
    while value != b'"':
        shorter = re.sub(rb"\.1((\.MIME)?\])$", rb"\1", label)
        if shorter == label:
            return False
        if items.get(shorter) == value:
            return True
        label = shorter
    return True


def without_end(label, value):
    """A header that lacks its empty line, and what is made of it: RFC 3501 6.4.5 wants the empty line in HEADER.FIELDS, which
    Dovecot then leaves out; a part that is all header ends with the line end that belongs to the boundary."""
    return value.rstrip(b"\r\n") if b".MIME]" in label or b"HEADER" in label else value


def compare(tmp_path, messages, items, tolerated=0):
    """tolerated: messages that may differ."""
    paths = []
    for i, message in enumerate(messages):
        paths.append(str(tmp_path / f"{i}.eml"))
        with open(paths[-1], "wb") as file:
            file.write(message)
    dovecot = Dovecot(messages)
    try:
        dovecot.command(b"SELECT INBOX")
        expected = theirs(dovecot, items, len(messages))
    finally:
        dovecot.close()
    differences = []
    for i, answer in enumerate(ours(items, paths)):
        mine, other = items_of(answer), items_of(expected[i])
        for label, value in other.items():
            if label in (b"FLAGS", b"UID"):
                continue
            if mine.get(label) == b"NIL" and is_part_one(label, value, other):
                continue
            difference = first_difference(mine.get(label), value)
            if difference and items is SECTIONS and without_end(label, mine[label]) == without_end(label, value):
                continue
            if difference:
                differences.append((i, label, difference))
    for i, label, (path, mine, other) in differences[:SHOWN]:
        print(f"--- message {i} {label.decode()} at {path}\nours:    {mine!r}\nDovecot: {other!r}\n")
    count = len({d[0] for d in differences})
    assert count <= tolerated, f"{len(differences)} differences in {count} of {len(messages)} messages"


def corpus_messages():
    import corpus
    source = corpus.Corpus(1, 4000)
    return [broken_mime.crlf(source.mime(i, 1_767_600_000 + i * 600)) for i in range(300)]


# Where a message breaks several rules at once there is no right answer, and three in a thousand are answered differently (two broken From
# fields, two dispositions, a boundary in what another one leaves over).
def test_structure_of_broken_messages(tmp_path):
    compare(tmp_path, list(broken_mime.messages(COUNT)), STRUCTURE, COUNT // 100)


def test_sections_of_broken_messages(tmp_path):
    compare(tmp_path, list(broken_mime.messages(COUNT // 3, seed=2)), SECTIONS, COUNT // 100)


def test_structure_of_ordinary_messages(tmp_path):
    compare(tmp_path, corpus_messages(), STRUCTURE)


def test_sections_of_ordinary_messages(tmp_path):
    compare(tmp_path, corpus_messages()[:100], SECTIONS)
