# SPDX-License-Identifier: Apache-2.0
"""Judge: Debian's DavMail, an EWS client of its own, shows the stand-in's mailbox over IMAP."""
import email
import email.header
import imaplib
import smtplib

import pytest

import judge_mailbox
from davmail import Davmail
from standin import PASSWORD, USER


@pytest.fixture(scope="module")
def exchange():
    with judge_mailbox.start() as server:
        yield server
        assert server.violations() == []


@pytest.fixture(scope="module")
def davmail(exchange, tmp_path_factory):
    with Davmail(str(tmp_path_factory.mktemp("davmail")), exchange.url) as running:
        yield running


@pytest.fixture
def imap(davmail):
    client = imaplib.IMAP4("127.0.0.1", davmail.imap_port, timeout=60)
    client.login(USER, PASSWORD)
    yield client
    client.logout()


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def decode(name):
    """Modified UTF-7."""
    out, rest = "", name
    while "&" in rest:
        plain, _, rest = rest.partition("&")
        code, _, rest = rest.partition("-")
        out += plain + (("+" + code.replace(",", "/") + "-").encode().decode("utf-7") if code else "&")
    return out + rest


def test_folders(imap, exchange):
    listed = [decode(line.decode().split('"/" ', 1)[1].strip('"')) for line in ok(imap.list())]
    for name in (
        "INBOX",
        "Sent",
        "Drafts",
        "Trash",
        "Archive",
        "会議メモ",
        "Отчёты",
        "INBOX/Größe & Änderung",
        "INBOX/Projects/Harbour 2026",
        "Clients_xF8FF_Suppliers",
    ):
        assert name in listed, listed


def test_counts_and_flags(imap, exchange):
    items = exchange.items()
    assert int(ok(imap.select("INBOX"))[0]) == len(items)
    unseen = ok(imap.search(None, "UNSEEN"))[0].split()
    assert len(unseen) == sum(not i["read"] for i in items)
    flagged = ok(imap.search(None, "FLAGGED"))[0].split()
    assert len(flagged) == sum(i["flag"] == 2 for i in items)


def test_subjects(imap, exchange):
    ok(imap.select("INBOX", readonly=True))
    found = []
    for part in ok(imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
        if isinstance(part, tuple):
            raw = email.message_from_bytes(part[1])["Subject"] or ""
            pieces = email.header.decode_header(raw)
            found.append("".join(p.decode(c or "utf-8", "replace") if isinstance(p, bytes) else p for p, c in pieces))
    assert len(found) == len(exchange.items())
    assert judge_mailbox.SUBJECT in [s.strip() for s in found]


def test_body_as_delivered(imap, exchange):
    ok(imap.select("INBOX", readonly=True))
    newest = exchange.items()[-1]
    number = ok(imap.search(None, "HEADER", "Message-ID", newest["message_id"]))[0].split()[-1]
    raw = ok(imap.fetch(number, "(BODY.PEEK[])"))[0][1]
    assert raw == exchange.mime(newest["num"])
    assert "Zażółć gęślą jaźń" in email.message_from_bytes(raw).get_payload(decode=True).decode("utf-8")


def test_new_mail(imap, exchange):
    before = int(ok(imap.select("INBOX"))[0])
    exchange.deliver(subject=judge_mailbox.NEW_SUBJECT)

    def seen():
        ok(imap.noop())
        return [int(n) for n in imap.response("EXISTS")[1] if n] == [before + 1]

    assert judge_mailbox.poll(60, seen)
    subject = email.message_from_bytes(ok(imap.fetch(str(before + 1), "(BODY.PEEK[HEADER])"))[0][1])["Subject"]
    assert subject == judge_mailbox.NEW_SUBJECT


def test_store_copy_move(imap, exchange):
    ok(imap.select("INBOX"))
    ok(imap.store("1", "+FLAGS", "(\\Flagged \\Seen)"))
    oldest = exchange.items()[0]
    assert oldest["flag"] == 2 and oldest["read"]
    total = len(exchange.items("junkemail"))
    ok(imap.copy("1", "Junk"))
    assert len(exchange.items("junkemail")) == total + 1


def test_append_and_delete(imap, exchange):
    raw = b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: Appended\r\n"
    raw += b"Message-ID: <appended@judge>\r\n\r\nText.\r\n"
    ok(imap.append("Sent", "(\\Seen)", None, raw))
    kept = [i for i in exchange.items("sentitems") if i["message_id"] == "<appended@judge>"]
    assert len(kept) == 1 and not kept[0]["draft"]
    ok(imap.select("Sent"))
    number = ok(imap.search(None, "HEADER", "Message-ID", "<appended@judge>"))[0].split()[-1]
    ok(imap.store(number, "+FLAGS", "(\\Deleted)"))
    ok(imap.expunge())
    assert "<appended@judge>" not in [i["message_id"] for i in exchange.items("sentitems")]


def test_send(davmail, exchange):
    with smtplib.SMTP("127.0.0.1", davmail.smtp_port, timeout=60) as smtp:
        smtp.login(USER, PASSWORD)
        smtp.sendmail(
            USER, [USER], "From: alice@example.com\r\nTo: alice@example.com\r\nSubject: By SMTP\r\n\r\nHello\r\n"
        )
    assert judge_mailbox.subjects(exchange).count("By SMTP") == 1
    assert judge_mailbox.subjects(exchange, "sentitems").count("By SMTP") == 1
