# SPDX-License-Identifier: Apache-2.0
"""Signing in, the mailbox list, opening, reading: the plain road."""
import re

from imaptest import code, message


def test_greeting_and_capability(server):
    c = server.connect()
    assert c.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
    assert b"AUTH=PLAIN" in c.greeting and b"STARTTLS" not in c.greeting and b"LOGINDISABLED" not in c.greeting
    before = c.ok("CAPABILITY")[0]
    assert before[2:].split()[1:] == c.greeting[c.greeting.index(b"[") + 1:c.greeting.index(b"]")].split()[1:]
    c.ok("LOGIN work secret")
    assert "[CAPABILITY IMAP4rev1 " in c.status
    after = c.ok("CAPABILITY")[0].decode()
    for word in ("QRESYNC", "CONDSTORE", "IDLE", "SORT", "UTF8=ACCEPT"):
        assert word in after.split()
    for word in ("COMPRESS=DEFLATE", "UIDPLUS", "IMAP4rev2", "STARTTLS", "AUTH=PLAIN"):
        assert word not in after.split()


def test_select_and_fetch(inbox):
    c = inbox.login()
    lines = c.select()
    assert "* 5 EXISTS" in lines and "* 5 RECENT" in lines
    assert code(lines, "UNSEEN") == "3"
    assert code(lines, "UIDNEXT") == "6"
    assert code(lines, "PERMANENTFLAGS") == "()"
    assert int(code(lines, "UIDVALIDITY")) > 0 and int(code(lines, "HIGHESTMODSEQ")) > 0
    assert re.match(r"\([A-Za-z0-9_-]+\)$", code(lines, "MAILBOXID"))
    assert c.status.startswith("OK [READ-ONLY]")
    flags = c.ok("FETCH 1:* (UID FLAGS)")
    assert len(flags) == 5
    assert flags[0] == rb"* 1 FETCH (UID 1 FLAGS (\Seen \Recent))", flags[0]
    body = c.ok("UID FETCH 2 BODY.PEEK[]")
    raw = message(subject="Number 2", message_id="m2@example.com")
    assert body == [b"* 2 FETCH (UID 2 BODY[] {%d}\r\n" % len(raw) + raw + b")"]
    c.ok("NOOP")
    c.ok("LOGOUT")
    assert c.closed() == b""
    inbox.wait(lambda: inbox.do("sessions") == "0")


def test_logout_answers(server):
    c = server.connect()
    assert c.ok("LOGOUT")[0].startswith(b"* BYE")
    assert c.closed() == b""


def test_list(server):
    c = server.login()
    lines = [x.decode() for x in c.ok('LIST "" "*"')]
    assert lines == ['* LIST (\\HasNoChildren) "/" INBOX',
                     '* LIST (\\HasNoChildren \\Trash) "/" "Deleted Items"',
                     '* LIST (\\HasNoChildren \\Drafts) "/" Drafts',
                     '* LIST (\\HasNoChildren \\Sent) "/" "Sent Items"',
                     '* LIST (\\HasChildren) "/" Work',
                     '* LIST (\\HasNoChildren) "/" Work/Projects'], lines
    assert c.ok('LIST "" ""') == [b'* LIST (\\Noselect) "/" ""']


def test_status(inbox):
    c = inbox.login()
    line = c.ok("STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)")[0].decode()
    m = re.match(r"\* STATUS INBOX \(MESSAGES 5 RECENT 5 UIDNEXT 6 UIDVALIDITY (\d+) UNSEEN 3\)$", line)
    assert m, line
    lines = c.select()
    assert code(lines, "UIDVALIDITY") == m.group(1)


def test_new_mail_in_idle(inbox):
    c = inbox.login()
    c.select()
    c.send("i IDLE\r\n")
    assert c.line().startswith(b"+ ")
    inbox.item("inbox", "m6", message(subject="six"))
    assert c.line() == b"* 6 EXISTS"
    assert c.line() == b"* 6 RECENT"
    inbox.change("inbox", "m6", "SF")
    assert c.line() == rb"* 6 FETCH (FLAGS (\Flagged \Seen \Recent))"
    inbox.do("rm inbox m1")
    assert c.line() == b"* 1 EXPUNGE"
    c.send("DONE\r\n")
    assert c.finish("i")[0].startswith("OK")
