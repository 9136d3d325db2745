# SPDX-License-Identifier: Apache-2.0
"""Programs that people send with, over TLS, with the certificate checked."""
import base64
import os
import smtplib
import ssl
import subprocess

import bridge as rig
import kinds
import pytest
from smtptest import ALICE, message, parse

BOB, CAROL = "bob@example.com", "carol@example.com"


@pytest.fixture(scope="module", params=kinds.WRITING, ids=str)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def exchange(module_stage, kind):
    return kind.exchange(module_stage)


@pytest.fixture(scope="module")
def bridge(module_stage, exchange, kind):
    return module_stage.bridge(kind.account("work", exchange), name=str(kind))


def run(*command, data=None, code=0):
    done = subprocess.run([str(c) for c in command], input=data, capture_output=True, timeout=90)
    assert done.returncode == code, (done.returncode, done.stdout.decode(), done.stderr.decode())
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def one(exchange, subject):
    """(recipients, message) of the one that was sent under this subject."""
    found = []
    for s in exchange.submissions():
        mail = parse(base64.b64decode(s["mime_b64"]))
        if mail["Subject"] == subject:
            found.append((sorted(s["recipients"]), mail))
    assert len(found) == 1, (subject, len(found))
    return found[0]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(bridge, exchange, mechanism):
    subject = f"swaks {mechanism}"
    out = run("swaks", "--server", "localhost", "--port", bridge.smtp_port, "--tls-on-connect", "--tls-verify", "--tls-ca-path",
              bridge.ca_file, "--auth", mechanism, "--auth-user", "work", "--auth-password", rig.LOCAL_PASSWORD, "--from", ALICE,
              "--to", f"{BOB},{CAROL}", "--header", f"Subject: {subject}", "--body", "Hello.\n.\nBye.\n", "--pipeline")
    assert "250 2.0.0" in out
    recipients, mail = one(exchange, subject)
    assert recipients == [BOB, CAROL] and "Hello.\n.\nBye." in mail.get_content().replace("\r\n", "\n")


def test_swaks_attachment(bridge, exchange, tmp_path):
    data = os.urandom(300_000)
    (tmp_path / "data.bin").write_bytes(data)
    run("swaks", "--server", "localhost", "--port", bridge.smtp_port, "--tls-on-connect", "--auth", "PLAIN", "--auth-user", "work",
        "--auth-password", rig.LOCAL_PASSWORD, "--from", ALICE, "--to", BOB, "--header", "Subject: attached", "--attach",
        f"@{tmp_path / 'data.bin'}")
    _, mail = one(exchange, "attached")
    assert [p.get_payload(decode=True) for p in mail.walk() if p.get_content_type() == "application/octet-stream"] == [data]


def test_swaks_wrong_password(bridge):
    run("swaks", "--server", "localhost", "--port", bridge.smtp_port, "--tls-on-connect", "--auth", "PLAIN", "--auth-user", "work",
        "--auth-password", "wrong", "--from", ALICE, "--to", BOB, code=28)


@pytest.fixture
def msmtprc(bridge, tmp_path):
    path = tmp_path / "msmtprc"
    path.write_text(f"account default\nhost localhost\nport {bridge.smtp_port}\ntls on\ntls_starttls off\n"
                    f"tls_trust_file {bridge.ca_file}\nauth on\nuser work@bridge.test\npassword {rig.LOCAL_PASSWORD}\nfrom {ALICE}\n")
    path.chmod(0o600)
    return path


def test_msmtp(exchange, msmtprc):
    data = message("msmtp", to=BOB, extra=f"Bcc: {CAROL}\r\n", body="Hello.\r\n.\r\nBye.\r\n").replace(b"\r\n", b"\n")
    run("msmtp", "-C", msmtprc, "-t", data=data)
    recipients, mail = one(exchange, "msmtp")
    assert recipients == [BOB, CAROL] and mail["To"] == BOB


def test_a_text_without_a_header(exchange, msmtprc):
    """echo hello | msmtp bob@example.com, which puts From and Date above it and no empty line between; and a patch of git's."""
    before = len(exchange.submissions())
    run("msmtp", "-C", msmtprc, BOB, data=b"hello, Bob\nTo: somebody@example.com\n")
    run("msmtp", "-C", msmtprc, BOB, data=b"From 0123abc Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\nthe patch\n")
    text, patch = exchange.submissions()[before:]
    assert text["recipients"] == patch["recipients"] == [BOB]
    assert base64.b64decode(text["mime_b64"]).endswith(b"\r\n\r\nhello, Bob\r\nTo: somebody@example.com\r\n")
    mail = parse(base64.b64decode(patch["mime_b64"]))
    assert mail["Subject"] == "[PATCH] x" and mail.get_content().strip() == "the patch" and not mail.defects


FULL = {"ews": dict(op="CreateItem", do="error", code="ErrorQuotaExceeded"), "eas": dict(op="SendMail", do="eas_status", code=113)}
DENIED = {"ews": dict(op="CreateItem", do="error", code="ErrorSendAsDenied"), "eas": dict(op="SendMail", do="eas_status", code=120)}


def test_msmtp_is_told(exchange, msmtprc, kind):
    """What went wrong reaches its user."""
    exchange.fault(**FULL[kind.backend])
    out = run("msmtp", "-C", msmtprc, BOB, data=b"Subject: full\n\nx\n", code=69)
    assert "452" in out and "The mailbox of account work is full." in out
    exchange.fault(**DENIED[kind.backend])
    assert "550 5.7.1" in run("msmtp", "-C", msmtprc, BOB, data=b"Subject: denied\n\nx\n", code=69)


def test_curl(bridge, exchange, tmp_path):
    path = tmp_path / "mail"
    path.write_bytes(message("curl", to=BOB))
    run("curl", "-sS", "--cacert", bridge.ca_file, f"smtps://localhost:{bridge.smtp_port}/client.test", "--user",
        f"work:{rig.LOCAL_PASSWORD}", "--mail-from", ALICE, "--mail-rcpt", BOB, "--mail-rcpt", CAROL, "--upload-file", path)
    recipients, _ = one(exchange, "curl")
    assert recipients == [BOB, CAROL]


def test_python(bridge, exchange):
    context = ssl.create_default_context(cafile=bridge.ca_file)
    with smtplib.SMTP_SSL("localhost", bridge.smtp_port, context=context) as client:
        client.login("work", rig.LOCAL_PASSWORD)
        assert client.verify(BOB)[0] == 252
        assert client.sendmail(ALICE, [BOB], message("python", to=BOB)) == {}
    one(exchange, "python")


def test_the_copy_is_seen_over_imap(bridge, exchange):
    """What was sent can be read in the folder of sent mail, once."""
    imap = bridge.login("work")
    context = ssl.create_default_context(cafile=bridge.ca_file)
    with smtplib.SMTP_SSL("localhost", bridge.smtp_port, context=context) as client:
        client.login("work", rig.LOCAL_PASSWORD)
        client.sendmail(ALICE, [BOB], message("both protocols", to=BOB))
    folders = [line for line in imap.ok('LIST (SPECIAL-USE) "" "*"') if b"\\Sent" in line]
    imap.open(folders[0].decode().rsplit(' "/" ', 1)[1].strip('"'))

    def found():
        return [x for x in imap.ok('SEARCH SUBJECT "both protocols"') if x.startswith(b"* SEARCH ")]

    [line] = rig.poll(60, found)
    assert len(line.split()) == 3, line
