# SPDX-License-Identifier: Apache-2.0
"""LIST in all its forms (RFC 3501, 5258, 5819, 6154), LSUB, names on the wire."""
import re

import pytest

from imaptest import quote

TREE = [("a", "-", "Fruit", "mail"), ("b", "a", "Apple", "mail"), ("c", "a", "Banana", "mail"), ("d", "-", "Tofu", "mail"),
        ("e", "-", "Vegetable", "mail"), ("f", "e", "Broccoli", "mail"), ("g", "e", "Corn", "mail"), ("h", "-", "Archives", "other"),
        ("i", "h", "2024", "mail")]


@pytest.fixture
def c(start):
    s = start(folders=False, open_now=False)
    s.do("folder inbox - Posteingang mail inbox")
    s.do("folder sent - Gesendet mail sent")
    for ident, parent, name, kind in TREE:
        s.do("folder %s %s %s %s none" % (ident, parent, name, kind))
    s.do("open")
    client = s.login()
    for name in ("INBOX", "Gesendet", "Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable", "Vegetable/Broccoli",
                 "Vegetable/Corn", "Archives/2024"):
        client.run("UNSUBSCRIBE " + name)
    client.server = s
    return client


def names(lines, response="LIST"):
    """{name: (attributes, extra)} in the order of the answers"""
    out = {}
    for line in lines:
        m = re.match(r'\* %s \(([^)]*)\) "/" ("[^"]*"|\S+)(?: (\(.*\)))?$' % response, line.decode())
        assert m, line
        out[m.group(2).strip('"')] = (set(m.group(1).split()), m.group(3))
    return out


def test_wildcards(c):
    assert list(names(c.ok('LIST "" %'))) == ["INBOX", "Archives", "Fruit", "Gesendet", "Tofu", "Vegetable"]
    assert list(names(c.ok('LIST "" Fruit/%'))) == ["Fruit/Apple", "Fruit/Banana"]
    assert list(names(c.ok('LIST "Fruit/" *'))) == ["Fruit/Apple", "Fruit/Banana"]
    assert list(names(c.ok('LIST "" *o*'))) == ["INBOX", "Tofu", "Vegetable/Broccoli", "Vegetable/Corn"]
    assert list(names(c.ok('LIST "" %/%a%'))) == ["Fruit/Banana"]
    assert list(names(c.ok('LIST "" inbox'))) == ["INBOX"]
    assert list(names(c.ok('LIST "" in%'))) == ["INBOX"]
    assert c.ok('LIST "" tofu') == []
    assert c.ok('LIST "nowhere/" *') == []


def test_attributes(c):
    got = names(c.ok('LIST "" *'))
    assert got["Fruit"][0] == {"\\HasChildren"} and got["Fruit/Apple"][0] == {"\\HasNoChildren"}
    assert "\\Noselect" in got["Archives"][0] and "\\HasChildren" in got["Archives"][0]
    assert "\\Sent" in got["Gesendet"][0]
    c.no("SELECT Archives", "CANNOT")
    c.no("SELECT Nowhere", "NONEXISTENT")
    c.no("STATUS Archives (MESSAGES)", "NONEXISTENT")


def test_subscriptions(c):
    assert c.ok('LSUB "" *') == []
    c.ok("SUBSCRIBE Fruit/Banana")
    c.ok("SUBSCRIBE INBOX")
    c.no("SUBSCRIBE Nowhere", "NONEXISTENT")
    assert list(names(c.ok('LSUB "" *'), "LSUB")) == ["INBOX", "Fruit/Banana"]
    got = names(c.ok('LSUB "" %'), "LSUB")
    assert got["Fruit"][0] == {"\\Noselect"} and list(got) == ["INBOX", "Fruit"]
    got = names(c.ok('LIST (SUBSCRIBED) "" *'))
    assert list(got) == ["INBOX", "Fruit/Banana"] and all("\\Subscribed" in v[0] for v in got.values())
    got = names(c.ok('LIST "" * RETURN (SUBSCRIBED)'))
    assert {n for n, v in got.items() if "\\Subscribed" in v[0]} == {"INBOX", "Fruit/Banana"} and len(got) == 11
    c.ok("UNSUBSCRIBE Fruit/Banana")
    assert list(names(c.ok('LSUB "" *'), "LSUB")) == ["INBOX"]


def test_subscription_survives_the_folder(c):
    c.ok("SUBSCRIBE Tofu")
    c.server.do("rmfolder d")
    c.server.wait(lambda: c.ok('LIST "" Tofu') == [])
    got = names(c.ok('LIST (SUBSCRIBED) "" *'))
    assert got["Tofu"][0] >= {"\\Subscribed", "\\NonExistent"}
    assert names(c.ok('LSUB "" *'), "LSUB")["Tofu"][0] == {"\\Noselect"}
    c.ok("UNSUBSCRIBE Tofu")
    assert c.ok('LSUB "" *') == []


def test_recursivematch(c):
    """RFC 5258, section 5, example 8 and 9, with its tree."""
    c.ok("SUBSCRIBE Fruit/Banana")
    c.ok("SUBSCRIBE Vegetable")
    c.ok("SUBSCRIBE Vegetable/Broccoli")
    got = names(c.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"'))
    assert list(got) == ["Fruit", "Vegetable"]
    assert got["Fruit"][1] == '("CHILDINFO" ("SUBSCRIBED"))' and "\\Subscribed" not in got["Fruit"][0]
    assert got["Vegetable"][1] == '("CHILDINFO" ("SUBSCRIBED"))' and "\\Subscribed" in got["Vegetable"][0]
    got = names(c.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" "*"'))
    assert list(got) == ["Fruit/Banana", "Vegetable", "Vegetable/Broccoli"] and not any(v[1] for v in got.values())
    c.bad('LIST (RECURSIVEMATCH) "" "%"')
    c.server.do("folder j e Taken mail junk")
    c.server.wait(lambda: c.ok('LIST "" Vegetable/Taken'))
    got = names(c.ok('LIST (SPECIAL-USE RECURSIVEMATCH) "" "%"'))
    assert list(got) == ["Gesendet", "Vegetable"] and got["Vegetable"][1] == '("CHILDINFO" ("SPECIAL-USE"))'


def test_special_use(c):
    assert list(names(c.ok('LIST (SPECIAL-USE) "" *'))) == ["Gesendet"]
    got = names(c.ok('LIST "" % RETURN (SPECIAL-USE CHILDREN)'))
    assert "\\Sent" in got["Gesendet"][0] and len(got) == 6


def test_several_patterns(c):
    assert list(names(c.ok('LIST "" (INBOX "Vege%" "Fruit/*")'))) == ["INBOX", "Fruit/Apple", "Fruit/Banana", "Vegetable"]


def test_status_returned(c):
    lines = c.ok('LIST "" "Fruit*" RETURN (STATUS (MESSAGES UIDNEXT HIGHESTMODSEQ SIZE MAILBOXID) SPECIAL-USE)')
    status = [x.decode() for x in lines if x.startswith(b"* STATUS")]
    assert len(status) == 3
    for line in status:
        assert re.match(r"\* STATUS Fruit\S* \(MESSAGES 0 UIDNEXT \d+ SIZE 0 HIGHESTMODSEQ \d+ MAILBOXID \([^)]+\)\)$", line), line
    lines = c.ok('LIST "" Archives* RETURN (STATUS (MESSAGES))')
    assert [x for x in lines if x.startswith(b"* STATUS")][0].startswith(b"* STATUS Archives/2024 ")


def test_names_on_the_wire(c):
    c.server.do("folder n1 - %s mail none" % quote("Überweisungen & mehr"))
    c.server.do("folder n2 - %s mail none" % quote("a/b \"c\""))
    c.server.wait(lambda: len(c.ok('LIST "" *')) == 13)
    assert b'* LIST (\\HasNoChildren) "/" "&ANw-berweisungen &- mehr"' in c.ok('LIST "" "*mehr"')
    assert b'* LIST (\\HasNoChildren) "/" "a_x002F_b \\"c\\""' in c.ok('LIST "" "a*"')
    c.ok('SELECT "&ANw-berweisungen &- mehr"')
    c.no('SELECT "Überweisungen & mehr"')
    c.ok("ENABLE UTF8=ACCEPT")
    assert '* LIST (\\HasNoChildren) "/" "Überweisungen & mehr"'.encode() in c.ok('LIST "" "*mehr"')
    c.ok('SELECT "Überweisungen & mehr"')
    c.ok('STATUS "a_x002F_b \\"c\\"" (MESSAGES)')


def test_folders_are_not_there_yet(start):
    s = start(folders=False, open_now=False)
    s.do("folder inbox - Inbox mail inbox")
    s.do("delay folders 500")
    s.do("open")
    assert len(s.login().ok('LIST "" *')) == 1


def test_folders_cannot_be_had(start):
    s = start(folders=False, open_now=False)
    s.do("fail folders offline 100")
    s.do("open")
    c = s.login()
    c.no('LIST "" *', "UNAVAILABLE")
    c.no("SELECT INBOX", "UNAVAILABLE")


def test_a_new_folder_appears(c):
    c.server.do("folder new - New mail none")
    c.server.wait(lambda: list(names(c.ok('LIST "" N*'))) == ["New"])
    c.ok("SELECT New")
    c.server.do("rmfolder new")
    data = b""
    c.server.wait(lambda: "New" not in names(c.server.login().ok('LIST "" *')))
    c.send("x NOOP\r\n")
    data = c.closed()
    assert b"* BYE" in data


def test_refused_for_now(c):
    c.ok("SELECT INBOX")
    for command in ("CREATE x", "DELETE Tofu", "RENAME Tofu y", "APPEND INBOX {3+}\r\nabc", 'APPEND INBOX (\\Seen) {3}',
                    "APPEND INBOX ~{4+}\r\na\0bc", "EXPUNGE"):
        c.no(command, "CANNOT")
    c.ok("NOOP")
    c.ok("NAMESPACE")
    assert c.ok("ID NIL")[0].startswith(b'* ID ("name" "exbridge"')
