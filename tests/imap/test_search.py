# SPDX-License-Identifier: Apache-2.0
"""SEARCH, ESEARCH, SEARCHRES, WITHIN, SORT, THREAD."""
import re
import select
import time

import pytest

from imaptest import message

NOW = int(time.time())
ITEMS = [  # id, flags, received, categories, message
    ("m1", "S", 1700000000, (), dict(subject="Invoice for May", sender="Bob Smith <bob@example.com>", message_id="1@x",
                                     date="Tue, 14 Nov 2023 10:00:00 +0000", body="Please pay the amount.\r\n")),
    ("m2", "", 1700100000, ("Urgent",), dict(subject="Re: Invoice for May", sender="Alice <alice@example.com>", to="bob@example.com",
                                            message_id="2@x", date="Wed, 15 Nov 2023 10:00:00 +0000",
                                            extra="In-Reply-To: <1@x>\r\nReferences: <1@x>\r\nCc: carol@example.org\r\n",
                                            body="Payment is on its way\r\n")),
    ("m3", "SF", 1700200000, (), dict(subject="=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", sender="Zoe <zoe@example.com>", message_id="3@x",
                                      date="Thu, 16 Nov 2023 23:30:00 -0800",
                                      body="Schöne Grüße, ümläut\r\n")),
    ("m4", "SA", 1700300000, (), dict(subject="lunch?", sender="bob@example.com", to="Team <team@example.com>, alice@example.com",
                                      message_id="4@x", date="Fri, 17 Nov 2023 10:00:00 +0000", extra="X-Priority: 1\r\n",
                                      body="<b>not</b> html " + "x" * 3000 + "\r\n")),
    ("m5", "", NOW - 100, (), dict(subject="Fwd: Invoice for May", sender="Dan <dan@example.com>", message_id="5@x",
                                                     date="Sat, 18 Nov 2023 10:00:00 +0000",
                                                     extra="References: <1@x> <2@x>\r\n", body="Look\r\n")),
]


@pytest.fixture
def c(server):
    for ident, flags, received, cats, kw in ITEMS:
        server.item("inbox", ident, message(**kw), flags=flags or "-", received=received, categories=cats)
    client = server.login()
    client.select()
    client.server = server
    return client


def search(client, keys, command="UID SEARCH"):
    lines = [x for x in client.ok("%s %s" % (command, keys)) if x.startswith(b"* SEARCH")]
    assert len(lines) == 1
    return [int(x) for x in re.sub(rb"\(.*\)", b"", lines[0]).split()[2:]]


def test_keys(c):
    table = [
        ("ALL", [1, 2, 3, 4, 5]), ("SEEN", [1, 3, 4]), ("UNSEEN", [2, 5]), ("FLAGGED", [3]), ("ANSWERED", [4]), ("UNANSWERED", [1, 2, 3, 5]),
        ("DELETED", []), ("UNDELETED", [1, 2, 3, 4, 5]), ("DRAFT", []), ("KEYWORD urgent", [2]), ("UNKEYWORD Urgent", [1, 3, 4, 5]),
        ("RECENT", [1, 2, 3, 4, 5]), ("NEW", [2, 5]), ("OLD", []), ("2:3", [2, 3]), ("UID 4:*", [4, 5]), ("NOT 2:4", [1, 5]),
        ("SUBJECT invoice", [1, 2, 5]), ("SUBJECT \"INVOICE FOR\"", [1, 2, 5]), ("FROM bob", [1, 4]), ("FROM \"Bob Smith\"", [1]),
        ("TO team", [4]), ("TO alice", [1, 3, 4, 5]), ("CC carol", [2]), ("BCC x", []), ("BODY payment", [2]), ("TEXT pay", [1, 2]),
        ("HEADER X-Priority 1", [4]), ("HEADER X-Priority \"\"", [4]), ("HEADER Message-ID \"3@x\"", [3]), ("HEADER Nope x", []),
        ("LARGER 2500", [4]), ("SMALLER 2500", [1, 2, 3, 5]), ("OR FLAGGED ANSWERED", [3, 4]), ("NOT SEEN", [2, 5]),
        ("(SEEN NOT FLAGGED) SUBJECT lunch", [4]), ("OR (FROM bob) (FROM zoe)", [1, 3, 4]),
        ("BEFORE 15-Nov-2023", [1]), ("ON 17-Nov-2023", [3]), ("SINCE 17-Nov-2023", [3, 4, 5]), ("SENTBEFORE 15-Nov-2023", [1]),
        ("SENTON 16-Nov-2023", [3]), ("SENTSINCE 17-Nov-2023", [4, 5]), ("YOUNGER 3600", [5]), ("OLDER 3600", [1, 2, 3, 4]),
        ("CHARSET UTF-8 SUBJECT {7+}\r\ngrÜße", [3]), ("CHARSET ISO-8859-1 BODY {6+}\r\n", None),
    ]
    for keys, expected in table:
        if expected is not None:
            assert search(c, keys) == expected, keys
            assert search(c, keys, "SEARCH") == expected, keys
    for _ in range(2):  # again, from the cache
        assert search(c, "TEXT Smith") == [1]


def test_charsets(c):
    c.send("x UID SEARCH CHARSET ISO-8859-1 BODY {6+}\r\n".encode() + "ümläut".encode("latin-1") + b"\r\n")
    assert b"* SEARCH 3" in c.finish("x")[1]
    c.no("SEARCH CHARSET KLINGON SUBJECT x", "BADCHARSET")
    c.ok("ENABLE UTF8=ACCEPT")
    assert search(c, 'SUBJECT "köln"') == [3]


def test_only_what_decides_is_fetched(c):
    c.server.do("reset")
    assert search(c, "SEEN FLAGGED") == [3]
    assert search(c, "UID 1:2 SINCE 1-Jan-2030 TEXT pay") == []
    assert c.server.counts()["fetch"] == 0
    assert search(c, "FLAGGED SUBJECT aus") == [3]
    assert c.server.counts()["headers"] <= 1 + 4  # its neighbours may come along
    assert c.server.counts()["messages"] == 0
    assert search(c, "SUBJECT nothing BODY x") == []
    assert c.server.counts()["messages"] == 0


def test_what_cannot_be_had_is_no_answer(c):
    c.server.do("fail fetch offline 1000")
    lines = c.no("SEARCH BODY pay", "UNAVAILABLE")
    assert not any(x.startswith(b"* SEARCH") for x in lines)
    assert search(c, "SEEN") == [1, 3, 4]


def test_what_the_server_cannot_give_is_left_out(c):
    """One such message is no reason to answer nothing: keys over it are neither true nor false, the other ones decide."""
    c.server.do("fail-item m2 unsupported 1000")
    for keys, expected in [("SUBJECT invoice", [1, 5]), ("NOT SUBJECT invoice", [3, 4]), ("HEADER Subject invoice", [1, 5]),
                           ("TEXT pay", [1]), ("NOT BODY pay", [3, 4, 5]), ("OR UNSEEN BODY pay", [1, 2, 5]),
                           ("NOT (UNSEEN SUBJECT invoice)", [1, 3, 4]), ("UNSEEN NOT SUBJECT invoice", []),
                           ("SENTSINCE 1-Jan-2020", [1, 3, 4, 5])]:
        assert search(c, keys) == expected, keys
    c.ok("SEARCH SUBJECT invoice")
    assert c.status == "OK SEARCH completed; 1 of the messages could not be read."
    c.ok("SEARCH FLAGGED SUBJECT aus")
    assert c.status == "OK SEARCH completed."
    assert ordered(c, "SORT (SUBJECT) UTF-8 ALL") == [2, 3, 1, 5, 4]
    assert ordered(c, "SORT (DATE) UTF-8 SUBJECT invoice") == [1, 5]
    assert sorted(int(n) for n in re.findall(rb"\d+", c.ok("THREAD REFERENCES UTF-8 ALL")[-1])) == [1, 2, 3, 4, 5]
    c.ok("SEARCH RETURN (SAVE) SUBJECT invoice")
    assert search(c, "$") == [1, 5]
    c.server.do("fail-item m2 offline 1000")
    c.no("SEARCH SUBJECT invoice", "UNAVAILABLE")


def test_gone_message_matches_nothing(c):
    c.server.do("quiet on")
    c.server.do("rm inbox m1")
    assert search(c, "BODY pay") == [2]


def esearch(client, command):
    lines = [x.decode() for x in client.ok(command) if x.startswith(b"* ESEARCH")]
    assert len(lines) == 1, lines
    return re.sub(r'^\* ESEARCH \(TAG "a\d+"\)', "", lines[0]).strip()


def test_esearch(c):
    assert esearch(c, "SEARCH RETURN (MIN MAX COUNT ALL) SEEN") == "MIN 1 MAX 4 ALL 1,3:4 COUNT 3" or \
        sorted(esearch(c, "SEARCH RETURN (MIN MAX COUNT ALL) SEEN").split()) == sorted("MIN 1 MAX 4 ALL 1,3:4 COUNT 3".split())
    assert esearch(c, "UID SEARCH RETURN () UNSEEN") == "UID ALL 2,5"
    assert esearch(c, "UID SEARCH RETURN (COUNT) DELETED") == "UID COUNT 0"
    assert esearch(c, "SEARCH RETURN (MIN) SEEN") == "MIN 1"
    assert esearch(c, "SEARCH RETURN (MIN MAX ALL) DELETED") == ""
    c.ok("SELECT INBOX (CONDSTORE)")
    assert re.match(r"ALL 1:5 MODSEQ \d+$", esearch(c, "SEARCH RETURN (ALL) MODSEQ 1"))
    lines = c.ok("SEARCH MODSEQ 1")
    assert re.match(rb"\* SEARCH 1 2 3 4 5 \(MODSEQ \d+\)$", lines[-1])
    assert c.ok("SEARCH MODSEQ 99999999999")[-1] == b"* SEARCH"


def test_searchres(c):
    """RFC 5182, section 2."""
    c.ok("SEARCH RETURN (SAVE) SEEN")
    assert len([x for x in c.ok("FETCH $ FLAGS")]) == 3
    assert search(c, "$ FLAGGED") == [3]
    assert search(c, "NOT $") == [2, 5]
    assert c.ok("SEARCH RETURN (SAVE) ANSWERED") == []
    assert len(c.ok("UID FETCH $ FLAGS")) == 1
    esearch(c, "UID SEARCH RETURN (SAVE MIN) SEEN")
    assert search(c, "$") == [1]
    esearch(c, "UID SEARCH RETURN (SAVE MIN MAX) SEEN")
    assert search(c, "$") == [1, 4]
    esearch(c, "UID SEARCH RETURN (SAVE COUNT) UNSEEN")
    assert search(c, "$") == [2, 5]
    c.bad("SEARCH RETURN (SAVE) NONSENSE")
    assert search(c, "$") == [2, 5]
    c.server.do("fail fetch offline 1000")
    c.no("SEARCH RETURN (SAVE) BODY x")
    assert search(c, "$") == [] and c.ok("FETCH $ FLAGS") == []
    c.server.do("fail fetch offline 0")
    c.ok("SEARCH RETURN (SAVE) ALL")
    c.ok("SELECT INBOX")
    assert search(c, "$") == []


def test_searchres_and_expunge(c):
    c.ok("SEARCH RETURN (SAVE) 2:4")
    c.server.do("rm inbox m3")
    c.server.wait(lambda: b"* 3 EXPUNGE" in c.ok("NOOP") or search(c, "$") == [2, 4])
    assert search(c, "$") == [2, 4]


def ordered(client, command, word=b"SORT"):
    lines = [x for x in client.ok(command) if x.startswith(b"* " + word)]
    assert len(lines) == 1
    return [int(x) for x in lines[0].split()[2:]]


def test_sort(c):
    assert ordered(c, "UID SORT (ARRIVAL) UTF-8 ALL") == [1, 2, 3, 4, 5]
    assert ordered(c, "SORT (REVERSE ARRIVAL) UTF-8 SEEN") == [4, 3, 1]
    assert ordered(c, "SORT (DATE) UTF-8 ALL") == [1, 2, 3, 4, 5]
    assert ordered(c, "SORT (SUBJECT REVERSE DATE) US-ASCII ALL") == [3, 5, 2, 1, 4]
    assert ordered(c, "SORT (FROM SUBJECT) UTF-8 ALL") == [2, 1, 4, 5, 3]
    c.ok("FETCH 1:* BODY.PEEK[]")  # now the sizes are exact
    assert ordered(c, "SORT (SIZE) UTF-8 LARGER 2500") == [4]
    assert ordered(c, "SORT (DISPLAYFROM) UTF-8 ALL") == [2, 1, 4, 5, 3] or ordered(c, "SORT (DISPLAYFROM) UTF-8 ALL") == [2, 4, 1, 5, 3]
    assert ordered(c, "SORT (SUBJECT) UTF-8 DELETED") == []
    c.no("SORT (SUBJECT) KLINGON ALL", "BADCHARSET")
    assert esearch(c, "UID SORT RETURN (MIN COUNT ALL) (REVERSE ARRIVAL) UTF-8 ALL").startswith("UID MIN 5 ")


def test_thread(c):
    lines = c.ok("UID THREAD REFERENCES UTF-8 ALL")
    assert lines == [b"* THREAD (1 2 5)(3)(4)"]
    assert c.ok("THREAD ORDEREDSUBJECT UTF-8 ALL") == [b"* THREAD (1 (2)(5))(3)(4)"]
    assert c.ok("THREAD REFERENCES UTF-8 DELETED") == [b"* THREAD"]
    c.bad("THREAD NONSENSE UTF-8 ALL")


def test_many_do_not_block_others(server):
    server.do("bulk inbox b 20000 400")
    c = server.login(timeout=120)
    c.select()
    other = server.login()
    c.send("x UID SEARCH SUBJECT 1999\r\n")
    meanwhile = 0
    while not select.select([c.sock], [], [], 0)[0]:
        other.ok("NOOP")
        meanwhile += 1
    status, lines = c.finish("x")
    assert status.startswith("OK") and b"* SEARCH" in lines[-1]
    assert len(lines[-1].split()) == 2 + 12
    assert meanwhile >= 5, "answered only when the search had come to its end"


def test_a_long_search_says_so(server):
    for i in range(30):
        server.item("inbox", "m%d" % i, message(subject=str(i)))
    server.do("delay fetch 11000")
    c = server.login(timeout=60)
    c.select()
    lines = c.ok("SEARCH BODY Hello")
    assert any(x.startswith(b"* OK") for x in lines)


def test_exact_sizes(start):
    s = start("exact-size")
    for i in range(1, 6):
        s.item("inbox", "m%d" % i, message(body="x" * 1000 * i))
    c = s.login()
    c.select()
    sizes = [len(message(body="x" * 1000 * i)) for i in range(1, 6)]
    assert search(c, "LARGER %d" % sizes[2]) == [4, 5]
    assert search(c, "SMALLER %d" % sizes[1]) == [1]
    assert ordered(c, "SORT (REVERSE SIZE) UTF-8 ALL") == [5, 4, 3, 2, 1]


def test_sizes_stay_what_they_were(server):
    """What SEARCH decided by is what FETCH tells, also after the body is here."""
    server.item("inbox", "m", message(body="x" * 5000))
    c = server.login()
    c.select()
    low, high = 1, 1 << 20  # find the size by SEARCH alone
    while low < high:
        middle = (low + high) // 2
        if search(c, "LARGER %d" % middle) == [1]:
            low = middle + 1
        else:
            high = middle
    c.ok("FETCH 1 BODY.PEEK[]")
    assert c.ok("FETCH 1 RFC822.SIZE") == [b"* 1 FETCH (RFC822.SIZE %d)" % low]
    assert search(c, "SMALLER %d" % (low + 1)) == [1] and search(c, "LARGER %d" % low) == []
