# SPDX-License-Identifier: Apache-2.0
"""Real clients change and send mail over EAS on SOGo, a server that somebody else wrote; in the end what they believe is what
its IMAP server holds. Habits of SOGo's: mail that is deleted is copied to Trash and stays where it was with \\Deleted on it."""
import itertools
import re
import subprocess

import pytest
from bridge import LOCAL_PASSWORD, Account, as_mail
from maildir import Maildir
from mbsync import BOTH_WAYS, Mbsync, on_disk, without_tuid
from mutt import Mutt
from smtptest import parse
from sogo import Sogo
from test_two_way import Message, in_maildirs, mail, over_imap, same

NAMES = itertools.count(1)
PASSWORD = "sogo-canary-pw"


@pytest.fixture(scope="module")
def sogo():
    with Sogo() as rig:
        yield rig


class User:
    """One of SOGo's, with mail in his INBOX."""

    def __init__(self, sogo, subjects, account="work"):
        self.sogo, self.user = sogo, f"write{next(NAMES)}"
        sogo.add_user(self.user, PASSWORD)
        sogo.create_folder(self.user, "Kept")
        self.uids = dict(zip(subjects, sogo.append(self.user, [mail(s).replace(b"\n", b"\r\n") for s in subjects])))
        self.account = Account(account, None, "eas", url=sogo.eas_tls_url, user=self.user, password=PASSWORD, ca_file=sogo.ca_file,
                               email=sogo.address(self.user))

    def on_server(self):
        """{folder: what is in it}, as Dovecot has it."""
        found = {}
        imap = self.sogo.imap(self.user)
        for line in imap.list()[1]:
            folder = re.search(rb'"/" (.*)$|"\." (.*)$', line)
            folder = (folder[1] or folder[2]).decode().strip('"')
            if folder == "Drafts":  # ActiveSync before 16.0 must not show it
                continue
            imap.select(f'"{folder}"', readonly=True)
            uids = imap.uid("SEARCH", "UNDELETED")[1][0].split()
            messages = []
            for uid in uids:
                answers = imap.uid("FETCH", uid, "(FLAGS BODY.PEEK[])")[1]
                head, data = next((a for a in answers if isinstance(a, tuple)), (b"", None))
                if data is None:  # gone since
                    continue
                messages.append(Message(without_tuid(on_disk(as_mail(data, "eas"))), b"\\Seen" in head, b"\\Flagged" in head,
                                        b"\\Answered" in head))
            found[folder] = sorted(messages)
        imap.logout()
        return found



class Rig(User):
    """He, and a bridge."""

    def __init__(self, stage, sogo, subjects):
        super().__init__(sogo, subjects)
        self.bridge = stage.bridge(self.account)

    def item(self, subject, folder="INBOX"):
        [found] = [m for m in self.on_server()[folder] if f"Subject: {subject}\n".encode() in m.data]
        return found

    def sent(self, subject):
        """What left the server under this subject."""
        return [m for m in map(parse, self.sogo.sent_outside()) if m["Subject"] == subject]


def change_far(rig):
    sogo, user, uids = rig.sogo, rig.user, rig.uids
    sogo.set_flags(user, uids["flags far"], "\\Seen \\Flagged")
    sogo.delete(user, uids["leaves far"])
    sogo.create_folder(user, "Far made")
    sogo.move(user, uids["moved far"], "INBOX", "Far made")
    sogo.append(user, mail("new far").replace(b"\n", b"\r\n"))


def change_near(near):
    near.mark(near.find("INBOX", "Subject: flags near\n"), "FS")
    near.mark(near.find("INBOX", "Subject: leaves near\n"), "T")
    near.create("Near made")
    near.add("INBOX", mail("new near"))


def test_mbsync(stage, sogo, tmp_path):
    rig = Rig(stage, sogo, ("flags near", "flags far", "leaves near", "leaves far", "moved far"))
    mbsync = Mbsync(tmp_path / "mbsync", rig.bridge, "work", "*", BOTH_WAYS)
    near = Maildir(mbsync.mail)
    mbsync.run()
    same(rig.on_server(), in_maildirs(near), "server and Maildirs")
    change_near(near)
    change_far(rig)
    assert mbsync.run().count("NO [CANNOT] Exchange ActiveSync ") == 1
    mbsync.run()  # what was expunged appeared in Trash only then
    server, kept = rig.on_server(), in_maildirs(near)
    [new] = [m for m in kept["INBOX"] if b"Subject: new near\n" in m.data]
    kept["INBOX"].remove(new)  # the server takes no messages, so it stays where it is
    same(server, kept, "server and Maildirs")
    same(server, over_imap(rig.bridge.login("work")), "server and IMAP")
    subjects = {folder: sorted(re.search(rb"^Subject: (.*)$", m.data, re.M)[1].decode() for m in found) for folder, found in server.items()}
    assert subjects["INBOX"] == ["flags far", "flags near", "new far"] and subjects["Far made"] == ["moved far"]
    assert subjects["Trash"] == ["leaves near"] and subjects["Near made"] == []
    assert all(m.seen and m.flagged for m in server["INBOX"] if b"Subject: flags" in m.data)


def test_mutt(stage, sogo, tmp_path):
    rig = Rig(stage, sogo, ("To answer", "To file", "To delete"))
    with Mutt("mutt", str(tmp_path), rig.bridge, "work", sent="Sent") as mutt:
        mutt.index(3)
        mutt.types("answer")
        mutt.go_to("To answer")
        mutt.keys("r")
        mutt.wait("^COMPOSE")
        mutt.keys("y")
        mutt.wait(r"^-> *\d+ .*r.*\|To answer")
        mutt.go_to("To file")
        mutt.prompted("s", "^Save to mailbox", "=Kept")
        mutt.wait("Exchange ActiveSync cannot copy messages; they can be moved.")
        mutt.wait("Error saving message")
        mutt.go_to("To delete")
        mutt.keys("d")
        mutt.keys("$")
        mutt.index(2)
        mutt.keys("q")
        assert mutt.status() == 0
    assert rig.item("To answer").answered and rig.item("To file") and not rig.on_server()["Kept"]
    assert len(rig.on_server()["Sent"]) == 1 and len(rig.on_server()["INBOX"]) == 2
    same(rig.on_server(), over_imap(rig.bridge.login("work")), "server and IMAP")


def sends(program, rig, tmp_path):
    """A program's command line, and what it reads."""
    server, port, user = "localhost", rig.bridge.smtp_port, rig.sogo.address(rig.user)
    text = f"From: {user}\nTo: bob@elsewhere.test\nSubject: by {program}\nMessage-ID: <{program}@near.test>\n\nHello.\n"
    if program == "swaks":
        return ["swaks", "--server", server, "--port", port, "--tls-on-connect", "--auth", "PLAIN", "--auth-user", "work",
                "--auth-password", LOCAL_PASSWORD, "--from", user, "--to", "bob@elsewhere.test", "--header", f"Subject: by {program}"], ""
    if program == "curl":
        path = tmp_path / "mail"
        path.write_text(text)
        return ["curl", "-sS", "--cacert", rig.bridge.ca_file, f"smtps://{server}:{port}", "--user", f"work:{LOCAL_PASSWORD}",
                "--mail-from", user, "--mail-rcpt", "bob@elsewhere.test", "--crlf", "--upload-file", path], ""
    path = tmp_path / "msmtprc"
    path.write_text(f"account default\nhost {server}\nport {port}\ntls on\ntls_starttls off\ntls_trust_file {rig.bridge.ca_file}\n"
                    f"auth on\nuser work\npassword {LOCAL_PASSWORD}\nfrom {user}\n")
    path.chmod(0o600)
    return ["msmtp", "-C", path, "-t"], text


def test_programs_that_send(stage, sogo, tmp_path):
    rig = Rig(stage, sogo, ())
    for number, program in enumerate(("swaks", "msmtp", "curl"), 1):
        command, text = sends(program, rig, tmp_path)
        done = subprocess.run([str(c) for c in command], input=text.encode(), capture_output=True, timeout=90)
        assert done.returncode == 0, (program, done.stdout, done.stderr)
        [out] = rig.sent(f"by {program}")
        assert out["X-Envelope-To"] == "bob@elsewhere.test"
        assert len(rig.on_server()["Sent"]) == number
    same(rig.on_server(), over_imap(rig.bridge.login("work")), "server and IMAP")
    out = subprocess.run([str(c).replace("bob@", "reject@") for c in sends("swaks", rig, tmp_path)[0]], capture_output=True, text=True,
                         timeout=90).stdout
    assert re.search(r"^<\S* +55\d 5\.", out, re.M), out
