# SPDX-License-Identifier: Apache-2.0
"""IMAP4rev2 (RFC 9051) where it differs from IMAP4rev1: after ENABLE, and not before; special uses and quotas of accounts that have
none; and who is told of \\Recent."""
import re

import pytest

from imaptest import message

CAPS_NO_QUOTA = 2 | 4 | 8 | 16 | 64


@pytest.fixture
def s(start):
    server = start("writes")
    for i in range(1, 6):
        server.item("inbox", "m%d" % i, message(subject="Number %d" % i, message_id="m%d@x" % i), received=1700000000 + i,
                    flags="S" if i < 3 else "-")
    return server


@pytest.fixture
def c(s):
    client = s.login()
    assert client.ok("ENABLE IMAP4rev2") == [b"* ENABLED IMAP4rev2"]
    return client


def words(client, command="CAPABILITY"):
    return client.ok(command)[0].decode().split()


def test_announced(s):
    stranger = s.connect()
    assert b"IMAP4rev1 IMAP4rev2" in stranger.greeting
    assert "IMAP4rev2" in words(stranger)
    client = s.login()
    # RFC 9051 Appendix E, 3: what became part of it
    assert {"IMAP4rev2", "IMAP4rev1", "NAMESPACE", "UNSELECT", "UIDPLUS", "ESEARCH", "SEARCHRES", "ENABLE", "IDLE", "SASL-IR",
            "LIST-EXTENDED", "LIST-STATUS", "MOVE", "LITERAL+", "BINARY", "SPECIAL-USE", "STATUS=SIZE"} <= set(words(client))
    assert client.ok("ENABLE IMAP4rev2 NONSENSE CONDSTORE") == [b"* ENABLED CONDSTORE IMAP4rev2"]
    assert client.ok("ENABLE imap4REV2") == [b"* ENABLED"]


def test_select(s, c):
    lines = c.select()
    assert not [x for x in lines if "RECENT" in x or "[UNSEEN" in x]
    assert "* 5 EXISTS" in lines and '* LIST (\\HasNoChildren) "/" INBOX' in lines
    assert [x for x in lines if x.startswith("* OK [UIDNEXT ")] and [x for x in lines if "[PERMANENTFLAGS " in x]
    lines = c.select("Work")
    assert lines[0].startswith("* OK [CLOSED]") and '* LIST (\\HasChildren) "/" Work' in lines
    old = s.login()
    lines = old.select()
    assert [x for x in lines if "RECENT" in x] and [x for x in lines if "[UNSEEN 3]" in x]
    assert not [x for x in lines if x.startswith("* LIST")]


def test_no_recent(s, c):
    c.select()
    assert not [x for x in c.ok("FETCH 1:* FLAGS") if b"Recent" in x]
    s.item("inbox", "new", message(subject="new"))
    lines = []
    s.wait(lambda: lines.extend(c.ok("NOOP")) or b"* 6 EXISTS" in lines)
    assert not [x for x in lines if b"RECENT" in x]
    assert b"\\Recent" not in b"".join(c.ok("FETCH 6 FLAGS"))
    assert b"PERMANENTFLAGS" not in b"".join(lines)


@pytest.mark.parametrize("command, expected", [("SEARCH UNSEEN", b") ALL 3:5"), ("UID SEARCH 1:2", b") UID ALL 1:2"),
                                               ("SEARCH SUBJECT nothing", b")"), ("SEARCH RETURN () SEEN", b") ALL 1:2"),
                                               ("SEARCH RETURN (COUNT) ALL", b") COUNT 5")])
def test_search_answers_esearch(c, command, expected):
    c.select()
    lines = c.ok(command)
    assert len(lines) == 1
    assert re.fullmatch(rb'\* ESEARCH \(TAG "a\d+"' + re.escape(expected), lines[0]), lines


def test_search_before_enable(s):
    client = s.login()
    client.select()
    assert client.ok("SEARCH UNSEEN") == [b"* SEARCH 3 4 5"]


def test_saved_result(c):
    c.select()
    c.ok("SEARCH RETURN (SAVE) UNSEEN")
    assert [x.split()[1] for x in c.ok("FETCH $ UID")] == [b"3", b"4", b"5"]
    c.ok("SEARCH UNSEEN 4")  # without SAVE: stays
    assert len(c.ok("FETCH $ UID")) == 3


def test_names_are_utf8(s, c):
    c.ok('CREATE "Entwürfe für später"')
    lines = c.ok('LIST "" *')
    assert '* LIST (\\HasNoChildren) "/" "Entwürfe für später"'.encode() in lines
    assert "STATUS \"Entwürfe für später\" (MESSAGES 0)".encode() in c.ok('STATUS "Entwürfe für später" (MESSAGES)')[0]
    assert b"Entw&APw-rfe" in b"".join(s.login().ok('LIST "" *'))


def test_oldname(s, c):
    """What is made is named with its normal form (NFC): the client is told, once it knows how."""
    assert c.ok('CREATE "Cafe\u0301"') == ['* LIST () "/" "Café" ("OLDNAME" ("Cafe\u0301"))'.encode()]
    assert c.ok('CREATE "Plain"') == []
    assert c.ok('RENAME Plain "Menu\u0308"') == ['* LIST () "/" "Menü" ("OLDNAME" ("Menu\u0308"))'.encode()]
    other = s.login()
    assert other.ok("CREATE Caf&AOk-2") == []
    c.no('CREATE "Cafe\u0301"', "ALREADYEXISTS")


def test_rename_makes_what_is_above(c):
    c.ok("CREATE Leaf")
    c.ok("RENAME Leaf Above/Between/Leaf")
    names = [x.split(b'"/" ')[1] for x in c.ok('LIST "" "Above*"')]
    assert names == [b"Above", b"Above/Between", b"Above/Between/Leaf"]
    c.no("DELETE Above", "HASCHILDREN")
    c.no("RENAME Above/Between/Leaf Above//x", "CANNOT")


def test_status(c):
    c.select()
    c.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    line = c.ok("STATUS INBOX (DELETED SIZE DELETED-STORAGE MESSAGES)")[0].decode()
    assert "DELETED 2 " in line and "MESSAGES 5" in line
    size, deleted = int(re.search(r"SIZE (\d+)", line).group(1)), int(re.search(r"DELETED-STORAGE (\d+)", line).group(1))
    assert 0 < deleted < size
    s = [int(re.search(rb"SIZE (\d+)", x).group(1)) for x in c.ok("FETCH 1:2 RFC822.SIZE")]
    assert sum(s) == deleted
    c.ok("UNSELECT")
    assert "DELETED-STORAGE %d" % deleted in c.ok("STATUS INBOX (DELETED-STORAGE)")[0].decode()


# ---- special uses ----


def uses(client):
    return dict((m.group(2), m.group(1)) for x in client.ok('LIST (SPECIAL-USE) "" * RETURN (SPECIAL-USE)')
                if (m := re.search(r"\\(Drafts|Sent|Trash|Junk|Archive)\S*\) \"/\" (.*)", x.decode())))


def test_special_use(start, s):
    client = s.login()
    assert "CREATE-SPECIAL-USE" in words(client)
    assert uses(client) == {"Drafts": "Drafts", '"Sent Items"': "Sent", '"Deleted Items"': "Trash"}
    client.ok("CREATE Old (USE (\\Archive))")
    client.ok("CREATE Spam (USE (\\junk))")
    assert uses(client)["Old"] == "Archive" and uses(client)["Spam"] == "Junk"
    for wrong in ("\\Archive", "\\Sent", "\\All", "\\Junk \\Archive", "\\Nonsense"):
        client.no("CREATE Other (USE (%s))" % wrong, "USEATTR")
    assert b"Other" not in b"".join(client.ok('LIST "" *'))
    client.ok("RENAME Old Older")
    assert uses(client)["Older"] == "Archive"
    client.ok("DELETE Older")
    client.ok("CREATE Newer (USE (\\Archive))")
    assert uses(client)["Newer"] == "Archive"
    s.do("folder junk - Junk%20Email mail junk")  # the server has one of its own now
    s.wait(lambda: uses(client).get('"Junk Email"') == "Junk" and "Spam" not in uses(client))


# ---- quota ----


def test_no_quota(start):
    server = start("writes", "caps=%d" % CAPS_NO_QUOTA)
    client = server.login()
    assert not [w for w in words(client) if "QUOTA" in w]
    for command in ("GETQUOTAROOT INBOX", 'GETQUOTA ""'):
        client.no(command, "CANNOT")
    client.no('SETQUOTA "" (STORAGE 1)', "NOPERM")


# ---- \Recent (RFC 3501 2.3.2: the first session that is told) ----


def recent(client):
    return [i + 1 for i, x in enumerate(client.ok("FETCH 1:* FLAGS")) if b"\\Recent" in x]


def told(lines, name):
    return [int(x.split()[1]) for x in lines if x.endswith(b" " + name)]


def test_recent_belongs_to_the_first(s):
    assert b"RECENT 5" in s.login().ok("STATUS INBOX (RECENT)")[0]
    first = s.login()
    assert told([x.encode() for x in first.select()], b"RECENT") == [5]
    second = s.login()
    assert told([x.encode() for x in second.select()], b"RECENT") == [0]
    assert recent(first) == [1, 2, 3, 4, 5] and recent(second) == []
    assert first.ok("SEARCH RECENT") == [b"* SEARCH 1 2 3 4 5"] and second.ok("SEARCH RECENT") == [b"* SEARCH"]
    assert b"RECENT 0" in second.ok("STATUS INBOX (RECENT)")[0]
    s.item("inbox", "n1", message(subject="n1"))
    lines = []
    s.wait(lambda: lines.extend(second.ok("NOOP")) or told(lines, b"EXISTS") == [6])
    assert told(lines, b"RECENT") == [1] and recent(second) == [6]
    lines = first.ok("NOOP")
    assert told(lines, b"EXISTS") == [6] and told(lines, b"RECENT") == [5] and recent(first) == [1, 2, 3, 4, 5]


def test_examine_takes_nothing(s):
    looker = s.login()
    looker.ok("EXAMINE INBOX")
    assert recent(looker) == [1, 2, 3, 4, 5]
    owner = s.login()
    owner.select()
    assert recent(owner) == [1, 2, 3, 4, 5]
    assert recent(looker) == [1, 2, 3, 4, 5]
    owner.ok("UNSELECT")
    owner.select()
    assert recent(owner) == []


def test_recent_after_a_restart(start, tmp_path):
    def serve():
        server = start("writes", open_now=False)
        for i in range(1, 4):
            server.item("inbox", "m%d" % i, message(subject="Number %d" % i), received=1700000000 + i)
        server.do("open")
        return server

    server = serve()
    client = server.login()
    client.select()
    assert recent(client) == [1, 2, 3]
    client.ok("LOGOUT")
    server.stop()
    server = serve()
    client = server.login()
    client.select()
    assert recent(client) == []
