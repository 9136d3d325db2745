# SPDX-License-Identifier: Apache-2.0
"""mailbox = archive: the signed-in user's archive as an account of its own (EWS)."""
import bridge as rig
import pytest
from bridge import poll


@pytest.fixture(scope="module")
def both(module_stage):
    """Stand-in, and a bridge with the mailbox and its archive, in which lie a folder and two messages."""
    exchange = module_stage.exchange("--corpus", "3")
    exchange.call("POST", "archive", {})
    exchange.folder("create", name="Papers", archive=True)
    exchange.deliver(subject="old one", count=2, folder="Papers", quiet=True, archive=True)
    bridge = module_stage.bridge(rig.Account("work", exchange), rig.Account("archive", exchange, mailbox="archive"))
    return exchange, bridge


def archived(exchange, folder="Papers"):
    return exchange.items(folder, archive=1)


def test_listed_and_read(both):
    exchange, bridge = both
    imap = bridge.login("archive")
    names = {line.rsplit(b' "/" ', 1)[1].strip(b'"') for line in imap.ok('LIST "" "*"')}
    assert b"Papers" in names and b"Deleted Items" in names and b"Sent Items" not in names
    imap.open("Papers")
    assert [b"old one" in body for body in imap.bodies("1:*").values()] == [True, True]
    own = bridge.login("work")
    assert not [line for line in own.ok('LIST "" "*"') if b"Papers" in line]
    own.open("INBOX")
    assert len(own.uids()) == 3


def test_what_others_do_there_is_seen(both):
    exchange, bridge = both
    imap = bridge.login("archive")
    before = imap.open("Papers")["exists"]
    tag = imap.idle()
    exchange.deliver(subject="by a retention policy", folder="Papers", quiet=True, archive=True)
    imap.wait_line(rb"\* %d EXISTS" % (before + 1))
    imap.done(tag)


def test_moved_into_it(both):
    """As mail programs do between accounts: read here, append there, delete here."""
    exchange, bridge = both
    own, imap = bridge.login("work"), bridge.login("archive")
    own.open("INBOX")
    uid = own.uids()[0]
    message = own.bodies(uid)[uid]
    imap.ok("CREATE Papers/Projects")
    imap.send(b"a1 APPEND Papers/Projects (\\Seen) {%d+}\r\n%s\r\n" % (len(message), message))
    answer = imap.finish("a1")[0]
    assert answer.startswith("OK [APPENDUID"), answer
    own.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
    own.ok(f"UID EXPUNGE {uid}")
    assert len(archived(exchange, "Papers/Projects")) == 1 and len(exchange.items("inbox")) == 2
    imap.open("Papers/Projects")
    assert imap.bodies("1:*") and list(imap.bodies("1:*").values()) == [message]
    imap.ok('MOVE 1 Papers')
    imap.ok("DELETE Papers/Projects")
    poll(60, lambda: not [line for line in imap.ok('LIST "" "Papers/*"')])


def test_no_archive(stage):
    exchange = stage.exchange("--corpus", "1")
    bridge = stage.bridge(rig.Account("archive", exchange, mailbox="archive"))
    imap = bridge.login("archive")
    assert not imap.run("SELECT INBOX")[0].startswith("OK")
    poll(60, lambda: "ErrorFolderNotFound" in bridge.log(), bridge.tail)
