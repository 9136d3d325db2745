# SPDX-License-Identifier: Apache-2.0
"""Changing and sending mail over EAS through the whole program: what the client was told and what the server has must
agree, in few requests; and what ActiveSync cannot do is refused in words."""
import email
import re
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP

import pytest

import kinds
from bridge import LOCAL_PASSWORD, poll

MAIL = (b"From: alice@example.com\r\nTo: bob@fabrikam.example\r\nSubject: appended\r\nMessage-ID: <append-1@example.com>\r\n"
        b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nBody of it.\r\n")
BOTH = pytest.mark.parametrize("kind", [kinds.EAS_16, kinds.EAS_14], ids=str)


class Set:
    def __init__(self, stage, kind, count=12):
        self.stage, self.kind = stage, kind
        self.exchange = kind.exchange(stage, "--corpus", str(count))
        self.bridge = stage.bridge(kind.account("work", self.exchange))
        self.imap = self.bridge.login("work")
        self.imap.open("INBOX")

    def inbox(self):
        """Items of the inbox in the order of their UIDs."""
        return sorted(self.exchange.items("inbox"), key=lambda i: (i["received"], i["num"]))

    def requests(self, mark):
        """Requests that a command causes: what looks for changes of others apart."""
        found = []
        for entry in self.exchange.log(mark, protocol="eas"):
            if entry["op"] not in ("Ping", "FolderSync") and not (entry["op"] == "Sync" and not entry["detail"]["commands"]):
                found.append(entry["op"])
        return found

    def append(self, folder, data, flags=""):
        self.imap.send(b"ap1 APPEND %s (%s) {%d+}\r\n" % (folder.encode(), flags.encode(), len(data)) + data + b"\r\n")
        return self.imap.finish("ap1")[0]

    def send_drafts(self, count):
        """One command, tagged ap1."""
        drafts = [MAIL.replace(b"append-1", b"append-%d" % n) for n in range(count)]
        self.imap.send(b"ap1 APPEND Drafts" + b"".join(b" (\\Draft) {%d+}\r\n" % len(d) + d for d in drafts) + b"\r\n")

    def smtp(self):
        smtp = smtplib.SMTP_SSL("localhost", self.bridge.smtp_port, timeout=60,
                                context=ssl.create_default_context(cafile=self.bridge.ca_file))
        smtp.login("work", LOCAL_PASSWORD)
        return smtp

    def send(self, data=MAIL):
        with self.smtp() as smtp:
            smtp.sendmail("alice@example.com", ["bob@fabrikam.example"], data)


@pytest.mark.parametrize("lost", [False, True])
def test_draft_when_the_server_has_forgotten_the_sync_state(stage, lost):
    """The folder is collected anew, and the draft is stored then; if it was already, it is not stored again."""
    stage.expected = ("Ping of a folder that was never synced",)
    s = Set(stage, kinds.EAS_16, 1)
    assert s.append("Drafts", MAIL.replace(b"append-1", b"first"), "\\Draft").startswith("OK")
    poll(60, lambda: s.bridge.login("work").open("Drafts")["exists"] == 1)
    if lost:
        s.exchange.fault(protocol="eas", op="Sync", where={"commands": ["Add"]}, do="hold", seconds=1)
        s.imap.send(b"ap1 APPEND Drafts (\\Draft) {%d+}\r\n" % len(MAIL) + MAIL + b"\r\n")
        poll(60, lambda: len(s.exchange.items("drafts")) == 2)
        s.exchange.invalidate()
        answer = s.imap.finish("ap1")[0]
    else:
        s.exchange.invalidate()
        answer = s.append("Drafts", MAIL, "\\Draft")
    uid = re.match(r"OK \[APPENDUID \d+ (\d+)\]", answer)
    assert uid, answer
    imap = s.bridge.login("work")
    imap.open("Drafts")
    assert imap.uids() == [1, int(uid[1])]
    assert sorted(i["message_id"] for i in s.exchange.items("drafts")) == ["<append-1@example.com>", "<first@example.com>"]


@pytest.fixture
def make(stage):
    return lambda kind, **more: Set(stage, kind, **more)


@BOTH
def test_store(make, kind):
    s = make(kind)
    mark = s.exchange.mark()
    answer = s.imap.ok(r"STORE 1:3 +FLAGS (\Seen \Flagged $label1 Own)")
    assert len([line for line in answer if b"FETCH" in line]) == 3
    assert s.requests(mark) == ["Sync"]
    for item in s.inbox()[:3]:
        assert item["read"] and item["flag"] == 2 and set(item["categories"]) >= {"Important", "Own"}
    mark = s.exchange.mark()
    s.imap.ok(r"STORE 1:3 +FLAGS (\Seen)")
    s.imap.ok(r"STORE 1:3 +FLAGS.SILENT (\Answered $Forwarded \Deleted)")  # kept here
    assert s.requests(mark) == []
    s.imap.ok(r"STORE 1:3 -FLAGS.SILENT (\Seen \Flagged Own)")
    for item in s.inbox()[:3]:
        assert not item["read"] and item["flag"] != 2 and "Own" not in item["categories"]
    assert all({"\\Answered", "$Forwarded", "\\Deleted"} <= flags for uid, flags in s.imap.flags("1:3").items())


@BOTH
def test_categories_of_others_survive(make, kind):
    s = make(kind)
    s.exchange.change("update", num=s.inbox()[0]["num"], categories=["Outlook's own"])
    s.imap.ok("NOOP")
    poll(60, lambda: b"Outlook" in b"".join(s.imap.ok("NOOP") + s.imap.ok("FETCH 1 (FLAGS)")))
    s.imap.ok("STORE 1 +FLAGS ($label2)")
    assert set(s.inbox()[0]["categories"]) == {"Outlook's own", "Work"}


@BOTH
def test_a_conflict_is_decided_anew(make, kind):
    s = make(kind)
    s.exchange.fault(op="Sync", where={"commands": ["Change"]}, do="eas_status", eas="item", code=7)
    s.imap.ok(r"STORE 1 +FLAGS (\Flagged)")
    assert s.inbox()[0]["flag"] == 2


@BOTH
@pytest.mark.parametrize("ids", ["stable", "remint", "reuse"])
def test_sync_state_is_gone(make, kind, ids):
    """Ids may mean other messages afterwards: what was named by UID is found again, and nothing else is touched."""
    s = make(kind)
    s.stage.expected = ("Ping of a folder that was never synced",)  # by the server's word, which is not heard yet
    s.imap.ok("CREATE Kept")
    before = s.inbox()
    s.exchange.options(eas_item_ids=ids)
    for command in (r"UID STORE {} +FLAGS (\Flagged)", "UID MOVE {} Kept", None):
        s.exchange.invalidate()
        uids = s.imap.uids()
        if command:
            s.imap.ok(command.format(uids[1]))
        else:
            s.imap.ok(rf"UID STORE {uids[1]} +FLAGS.SILENT (\Deleted)")
            s.imap.ok(f"UID EXPUNGE {uids[1]}")
    kept = s.exchange.items("Kept")
    assert [i["message_id"] for i in kept] == [before[1]["message_id"]] and kept[0]["flag"] == 2
    left = s.inbox()
    assert [i["message_id"] for i in left] == [before[0]["message_id"]] + [i["message_id"] for i in before[3:]]
    assert not [i for i in left if i["flag"] == 2 and i["message_id"] not in [b["message_id"] for b in before if b["flag"] == 2]]


@BOTH
@pytest.mark.parametrize("how, trash", [("recoverable", 3), ("permanent", 0)])
def test_move_and_expunge(stage, kind, how, trash):
    exchange = kind.exchange(stage, "--corpus", "220")
    bridge = stage.bridge(kind.account("work", exchange, expunge=how))
    imap = bridge.login("work")
    imap.ok("CREATE Kept")
    imap.open("INBOX")
    mark = exchange.mark()
    answer = b"".join(imap.ok("MOVE 1:100 Kept"))
    assert re.search(rb"COPYUID \d+ 1:100 1:100", answer) and answer.count(b"EXPUNGE") == 100
    assert exchange.counts(mark)["eas:MoveItems"] == 1
    imap.ok(r"STORE 1:3 +FLAGS.SILENT (\Deleted)")
    mark = exchange.mark()
    assert b"".join(imap.ok("EXPUNGE")).count(b"EXPUNGE") == 3
    assert len([e for e in exchange.log(mark, op="Sync") if e["detail"]["commands"]]) == 1
    assert len(exchange.items("inbox")) == 117 and len(exchange.items("Kept")) == 100
    assert len(exchange.items("deleteditems")) == trash
    imap.open("Kept")
    assert len(imap.uids()) == 100


@BOTH
def test_what_activesync_cannot_do(make, kind):
    """Refused with the right code, in words, before anything was sent; and nothing is lost."""
    s = make(kind)
    mark = s.exchange.mark()
    s.imap.no("COPY 1 Trash", "CANNOT")
    assert "can be moved" in s.imap.status
    answer = s.append("INBOX", MAIL)
    assert answer.startswith("NO [CANNOT] Exchange ActiveSync"), answer
    assert s.requests(mark) == [] and len(s.inbox()) == 12
    assert kind.draft == (b"Drafts" in b"".join(s.imap.ok('LIST "" "*"')))


def test_drafts(make):
    s = make(kinds.EAS_16)
    mark = s.exchange.mark()
    answer = s.append("Drafts", MAIL, r"\Seen \Draft \Flagged $label3")
    uid = int(re.search(r"APPENDUID \d+ (\d+)", answer).group(1))
    assert s.requests(mark) == ["Sync", "Sync"]  # the message, and its category
    (draft,) = s.exchange.items("drafts")
    assert draft["draft"] and draft["read"] and draft["flag"] == 2 and draft["categories"] == ["Personal"]
    s.imap.open("Drafts")
    assert s.imap.bodies(str(uid)) == {uid: MAIL}
    assert {"\\Seen", "\\Draft", "\\Flagged"} <= s.imap.flags(str(uid))[uid]
    second = s.append("Drafts", MAIL.replace(b"Body", b"Text"), r"\Draft")
    s.imap.ok(rf"UID STORE {uid} +FLAGS.SILENT (\Deleted)")
    s.imap.ok(f"UID EXPUNGE {uid}")
    uid = int(re.search(r"APPENDUID \d+ (\d+)", second).group(1))
    assert s.imap.uids() == [uid] and len(s.exchange.items("drafts")) == 1
    s.imap.ok("NOOP")
    assert s.imap.uids() == [uid]
    third = MAIL.replace(b"Body", b"Other text")
    s.imap.send(b"r1 UID REPLACE %d Drafts (\\Draft) {%d+}\r\n%s\r\n" % (uid, len(third), third))
    assert s.imap.finish("r1")[0].startswith("OK")
    [item], [uid] = s.exchange.items("drafts"), s.imap.uids()
    assert s.exchange.mime(item["num"]) == third and s.imap.bodies(str(uid)) == {uid: third}


def drafts_mail():
    """One with everything that 16.0 has words for."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "alice@example.com"
    mail["To"] = 'Bob Größe <bob@fabrikam.example>, "Last, First" <last@example.com>, carol@example.com'
    mail["Cc"], mail["Bcc"], mail["Reply-To"] = "cc@example.com", "secret@example.com", "answers@example.com"
    mail["Subject"], mail["X-Priority"], mail["Message-ID"] = "Grüße vom Hafen", "1 (Highest)", "<draft@example.com>"
    mail.set_content("Plain.\n")
    mail.add_alternative('<p>Grüße, <b>fett</b> <img src="cid:pic@x"></p>\n', subtype="html", charset="iso-8859-1")
    mail.get_payload()[1].add_related(b"\x89PNG\0\1", "image", "png", cid="<pic@x>", filename="pic.png", disposition="inline")
    mail.add_attachment(bytes(range(256)) * 1000, "application", "pdf", filename="Größe.pdf")
    mail.add_attachment("A text, attached.\n", filename="notes.txt")
    return mail.as_bytes()


def test_drafts_by_their_properties(make):
    """ActiveSync 16.0 takes no MIME."""
    s = make(kinds.EAS_16_0)
    data = drafts_mail()
    answer = s.append("Drafts", data, r"\Seen \Draft \Flagged")
    uid = int(re.search(r"APPENDUID \d+ (\d+)", answer).group(1))
    [item] = s.exchange.items("drafts")
    assert item["draft"] and item["read"] and item["flag"] == 2
    made, mail = (email.message_from_bytes(d, policy=SMTP) for d in (s.exchange.mime(item["num"]), data))
    for name in ("To", "Cc", "Bcc", "Reply-To"):
        assert [(a.display_name, a.addr_spec) for a in made[name].addresses] == [
            (a.display_name, a.addr_spec) for a in mail[name].addresses], name
    assert made["Subject"] == "Grüße vom Hafen" and made["Importance"] == "high"
    assert made.get_body(["html"]).get_content() == mail.get_body(["html"]).get_content()

    def files(message):
        return [(p.get_filename(), p.get_content_type(), p["Content-ID"], p.get_content_disposition(), p.get_payload(decode=True))
                for p in message.walk() if p.get_filename()]

    assert files(made) == files(mail)
    s.imap.open("Drafts")
    assert s.imap.bodies(str(uid)) == {uid: data}
    plain = MAIL.replace(b"Body", b"Text")
    assert "APPENDUID" in s.append("Drafts", plain, r"\Draft")
    made = [email.message_from_bytes(s.exchange.mime(i["num"]), policy=SMTP) for i in s.exchange.items("drafts")][-1]
    assert made.get_content_type() == "text/plain" and made.get_content() == "Text of it.\r\n"


SIGNED = b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\ny\r\n--b--\r\n"
HOLDS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + MAIL + b"--b--\r\n"
TEXTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n"
REFUSED = {"signed or encrypted": SIGNED, "another message is attached": HOLDS, "more than one text": TEXTS,
           "is not an address": b"Cc: somebody\r\n\r\nx\r\n", "encoded in a way that is not known": b"Content-Type: text/plain; charset=nobody\r\n\r\nx\r\n"}


def test_drafts_without_words(make):
    """What 16.0 could not store whole it is not given; its author is told what it is."""
    s = make(kinds.EAS_16_0)
    mark = s.exchange.mark()
    for why, rest in REFUSED.items():
        answer = s.append("Drafts", b"From: a@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n" + rest, r"\Draft")
        assert answer.startswith("NO [CANNOT] Exchange ActiveSync 16.0 cannot store this draft: ") and why in answer, answer
    assert s.requests(mark) == [] and not s.exchange.items("drafts")


@pytest.mark.parametrize("fault", ["lose", "reset_before"])
@pytest.mark.parametrize("kind", [kinds.EAS_16, kinds.EAS_16_0], ids=str)
def test_a_draft_whose_answer_is_lost(make, kind, fault):
    s = make(kind)
    s.exchange.fault(op="Sync", where={"commands": ["Add"]}, do=fault)
    assert "APPENDUID" in s.append("Drafts", MAIL, r"\Draft")
    assert len(s.exchange.items("drafts")) == 1


@pytest.mark.parametrize("fault, stored", [("lose", 1), ("reset_before", 0)])
def test_a_draft_again_after_the_folder_has_moved_on(make, fault, stored):
    """The client was told that it is not known; by the time it comes again a sync has told what became of the first one,
    and with a draft of somebody else."""
    s = make(kinds.EAS_16)
    s.append("Drafts", MAIL.replace(b"Body", b"An older text"), r"\Draft")  # of the same Message-ID
    s.exchange.fault(op="Sync", where={"commands": ["Add"]}, do=fault, times=20)
    assert s.append("Drafts", MAIL, r"\Draft").startswith("NO [UNAVAILABLE]")
    s.exchange.clear_faults()
    s.exchange.deliver(folder="drafts", subject="Of somebody else")
    poll(60, lambda: s.imap.status_of("Drafts")["MESSAGES"] == 2 + stored)
    answer = s.append("Drafts", MAIL, r"\Draft")
    uid = int(re.search(r"APPENDUID \d+ (\d+)", answer).group(1))
    assert len(s.exchange.items("drafts")) == 3
    s.imap.open("Drafts")
    assert s.imap.bodies(str(uid)) == {uid: MAIL} and len(s.imap.uids()) == 3


@pytest.mark.parametrize("count", [1, 2])
def test_drafts_after_a_crash(make, count):
    """kill -9 while the last one is on the server and its answer is not here: a single one is recognised when it comes
    again, of several none stays."""
    s = make(kinds.EAS_16)
    s.exchange.fault(op="Sync", where={"commands": ["Add"]}, do="hold", after=count - 1)
    s.send_drafts(count)
    poll(60, lambda: len(s.exchange.items("drafts")) == count)
    s.bridge.kill()
    s.exchange.clear_faults()
    s.bridge.start()
    s.imap = s.bridge.login("work")
    if count > 1:
        poll(60, lambda: not s.exchange.items("drafts"))
    s.send_drafts(count)
    assert "APPENDUID" in s.imap.finish("ap1")[0]
    assert len(s.exchange.items("drafts")) == count == s.imap.status_of("Drafts")["MESSAGES"]


@pytest.mark.parametrize("fault", ["lose", "reset_before"])
def test_half_a_multiappend_goes_again(make, fault):
    """The second draft's answer is lost: neither of the two stays."""
    s = make(kinds.EAS_16)
    s.exchange.fault(op="Sync", where={"commands": ["Add"]}, do=fault, after=1, times=20)
    s.send_drafts(2)
    assert s.imap.finish("ap1")[0].startswith("NO [UNAVAILABLE]")
    s.exchange.clear_faults()
    poll(90, lambda: s.imap.ok("NOOP") is not None and not s.exchange.items("drafts"))
    assert s.imap.status_of("Drafts")["MESSAGES"] == 0


@BOTH
def test_folders(make, kind):
    s = make(kind)
    s.imap.ok("CREATE Projects/2026/Plans")
    assert {"Projects", "2026", "Plans"} <= {f["name"] for f in s.exchange.folders()}
    s.imap.no("CREATE Projects")
    s.imap.ok("RENAME Projects/2026/Plans Projects/Ideas")
    names = b"".join(s.imap.ok('LIST "" "Projects*"'))
    assert b"Projects/Ideas" in names and b"Plans" not in names
    s.imap.no("DELETE Projects")
    s.imap.ok("DELETE Projects/Ideas")
    assert b"Projects/Ideas" not in b"".join(s.imap.ok('LIST "" "Projects*"'))
    s.imap.no("DELETE INBOX")
    # names of folders that exist, and that nobody is shown
    for name in ("Notes", *kind.hidden):
        assert name.encode() not in b"".join(s.imap.ok('LIST "" "*"'))
        s.imap.no(f"CREATE {name}", "ALREADYEXISTS")
        assert "not shown" in s.imap.status and "another name" in s.imap.status


@BOTH
def test_send(make, kind):
    s = make(kind)
    mark = s.exchange.mark()
    s.send()
    assert s.requests(mark) == ["SendMail"]
    (submission,) = s.exchange.submissions()
    assert submission["recipients"] == ["bob@fabrikam.example"]
    assert len(s.exchange.items("sentitems")) == 1
    # the client's own copy is merged with the server's
    sent = next(name for name in ("Sent Items", "Sent") if name.encode() in b"".join(s.imap.ok('LIST "" "*"')))
    s.imap.send(b'ap1 APPEND "%s" (\\Seen) {%d+}\r\n' % (sent.encode(), len(MAIL)) + MAIL + b"\r\n")
    answer = s.imap.finish("ap1")[0]
    assert "APPENDUID" in answer, answer
    assert len(s.exchange.items("sentitems")) == 1
    other = MAIL.replace(b"append-1", b"never-sent")
    s.imap.send(b'ap2 APPEND "%s" (\\Seen) {%d+}\r\n' % (sent.encode(), len(other)) + other + b"\r\n")
    answer = s.imap.finish("ap2")[0]
    assert answer.startswith("NO [CANNOT]"), answer


@BOTH
@pytest.mark.parametrize("fault", ["lose", "reset_before", "reset_after"])
def test_a_lost_answer_to_sending(make, kind, fault):
    s = make(kind)
    s.exchange.fault(op="SendMail", do=fault)
    s.send()
    assert len(s.exchange.submissions()) == 1 and len(s.exchange.items("sentitems")) == 1


def test_the_clients_retry_after_a_crash(make):
    s = make(kinds.EAS_16)
    s.exchange.fault(op="SendMail", do="hold")
    with s.smtp() as smtp:
        smtp.mail("alice@example.com")
        smtp.rcpt("bob@fabrikam.example")
        smtp.putcmd("data")
        assert smtp.getreply()[0] == 354
        smtp.send(MAIL + b".\r\n")
        poll(60, lambda: s.exchange.submissions())
        s.bridge.kill()
        smtp.close()
    s.bridge.start()
    s.send()
    assert len(s.exchange.submissions()) == 1


def test_an_answer_is_marked(make):
    """The server marks the message that was answered, for other programs to see."""
    s = make(kinds.EAS_16)
    original = s.inbox()[2]
    reply = MAIL.replace(b"Subject: appended\r\n", b"Subject: Re: x\r\nIn-Reply-To: %s\r\n" % original["message_id"].encode())
    s.send(reply.replace(b"append-1", b"reply-1"))
    poll(60, lambda: s.inbox()[2]["last_verb"] == 102)
    assert len(s.exchange.submissions()) == 1


def test_mail_is_sent_when_the_original_is_unknown(make):
    s = make(kinds.EAS_16)
    s.send(MAIL.replace(b"Subject:", b"In-Reply-To: <nobody-knows@example.com>\r\nSubject:"))
    assert len(s.exchange.submissions()) == 1


@pytest.mark.parametrize("fault, sent", [("lose", 1), ("reset_before", 0)])
def test_a_server_that_does_not_remember(make, fault, sent):
    """451; and the client's retry finds what was sent by its copy in Sent."""
    s = make(kinds.EAS_14)
    s.exchange.options(eas_server_version="14.1", eas_server_name="SOGo", eas_remembers_sends=False)
    s.imap.ok("NOOP")
    s.imap.ok(r"STORE 1 +FLAGS (\Flagged)")  # an answer from which the bridge learns what server it is
    s.exchange.fault(op="SendMail", do=fault)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        s.send()
    assert refused.value.smtp_code == 451
    assert len(s.exchange.submissions()) == sent
    s.send()
    assert len(s.exchange.submissions()) == 1 and len(s.exchange.items("sentitems")) == 1


def test_signed_mail_goes_out_as_it_is(make):
    """Not by SmartReply, which may encode it anew."""
    s = make(kinds.EAS_16)
    original = s.inbox()[2]["message_id"].encode()
    mail = MAIL.replace(b"Subject:", b"In-Reply-To: %s\r\nContent-Type: multipart/signed; boundary=b\r\nSubject:" % original)
    mark = s.exchange.mark()
    s.send(mail)
    assert s.requests(mark) == ["SendMail"]


@pytest.mark.parametrize("kind", [kinds.EAS_16, kinds.EAS_16_0], ids=str)
def test_the_labels_of_a_draft_while_a_page_waits(make, kind):
    """They go after the draft in a request of their own. No page comes between the two: it would tell of a draft without
    labels, and what we did ourselves the server does not tell later."""
    s = make(kind)
    s.append("Drafts", MAIL.replace(b"append-1", b"first"), r"\Draft")
    s.exchange.fault(op="Sync", where={"commands": ["Add"]}, do="hold", seconds=1)
    s.imap.send(b"ap1 APPEND Drafts (\\Draft $label1) {%d+}\r\n" % len(MAIL) + MAIL + b"\r\n")
    poll(60, lambda: len(s.exchange.items("drafts")) == 2)
    s.exchange.deliver(folder="drafts", subject="Of somebody else")  # Ping tells, and the folder's page waits for its turn
    assert s.imap.finish("ap1")[0].startswith("OK")
    s.imap.open("Drafts")
    poll(60, lambda: (s.imap.ok("NOOP"), len(s.imap.uids()) == 3)[1])
    assert sorted("$label1" in flags for flags in s.imap.flags().values()) == [False, False, True]
