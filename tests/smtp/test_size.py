# SPDX-License-Identifier: Apache-2.0
"""How large a message may be: what the server says, told to SMTP and IMAP clients before they send the bytes."""
import subprocess

import bridge as rig
import pytest
from smtptest import ALICE, Smtp, message, signed_in

BOB = "bob@example.com"
KB = 1024
FITS = 48 << 20  # into one request


def size(smtp):
    return int([x for x in smtp.ok("EHLO x", 250).split("\n") if x.startswith("SIZE ")][0][5:])


def told(bridge):
    smtp = signed_in(bridge)
    found = size(smtp)
    smtp.close()
    return found


def asked(exchange, since=0):
    return [e for e in exchange.log(since, protocol="ews") if e["op"] == "GetServiceConfiguration"]


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange("--set", "max_send_kb=2000")


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    bridge = module_stage.bridge(rig.Account("work", exchange, email=ALICE))
    rig.poll(60, lambda: told(bridge) == 2000 * KB, "the limit is not told")
    return bridge


def test_announced_before_and_after_signing_in(bridge):
    smtp = Smtp(bridge)
    assert f"SIZE {2000 * KB}" in smtp.extensions.split("\n")
    smtp.sign_in()
    assert size(smtp) == 2000 * KB


def test_refused_at_once(bridge, exchange):
    before = len(exchange.submissions())
    smtp = signed_in(bridge)
    smtp.check(f"MAIL FROM:<{ALICE}> SIZE={2000 * KB + 1}", 552, "5.3.4")
    smtp.check(f"MAIL FROM:<{ALICE}> SIZE={2000 * KB}", 250, "2.1.0")
    smtp.check("RSET", 250)
    assert smtp.send([BOB], message("over", body="x" * 70 + "\r\n" + "y" * (2000 * KB) + "\r\n"))[0] == 552
    assert len(exchange.submissions()) == before
    assert smtp.send([BOB], message("under"))[0] == 250
    assert len(exchange.submissions()) == before + 1


def test_appendlimit(bridge):
    imap = bridge.login("work")
    assert f"APPENDLIMIT={2000 * KB}".encode() in b" ".join(imap.ok("CAPABILITY"))
    imap.close()


@pytest.mark.parametrize("client", ["swaks", "curl"])
def test_clients_are_told(bridge, tmp_path, client):
    mail = tmp_path / "mail"
    mail.write_bytes(message("large", body="".join("x" * 76 + "\r\n" for _ in range(30000))))
    if client == "swaks":
        command = ["swaks", "--server", "localhost", "--port", bridge.smtp_port, "--tls-on-connect", "--auth", "PLAIN", "--auth-user", "work",
                   "--auth-password", rig.LOCAL_PASSWORD, "--from", ALICE, "--to", BOB, "--quit-after", "FIRST-EHLO"]
    else:  # announces the size of what it uploads
        command = ["curl", "-sSv", "--ssl-reqd", "--cacert", bridge.ca_file, "--user", f"work:{rig.LOCAL_PASSWORD}", "--mail-from", ALICE,
                   "--mail-rcpt", BOB, "--upload-file", mail, f"smtps://localhost:{bridge.smtp_port}"]
    out = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60)
    assert f"SIZE {2000 * KB}" in out.stdout + out.stderr
    if client == "curl":
        assert out.returncode == 55 and "552 5.3.4" in out.stderr, out


def test_kept_and_asked_again(stage):
    """It is known from the start of the next life, asked once in each, and follows the server."""
    exchange = stage.exchange("--set", "max_send_kb=3000")
    bridge = stage.bridge(rig.Account("work", exchange, email=ALICE))
    rig.poll(60, lambda: told(bridge) == 3000 * KB)
    assert len(asked(exchange)) == 1
    exchange.fault(protocol="ews", op="GetServiceConfiguration", do="pause", times=0)
    exchange.options(max_send_kb=4000)
    bridge.restart()
    assert told(bridge) == 3000 * KB  # nothing waits for the server
    rig.poll(60, lambda: len(asked(exchange)) == 2)
    assert told(bridge) == 3000 * KB
    exchange.clear_faults()
    rig.poll(60, lambda: told(bridge) == 4000 * KB)
    exchange.fault(protocol="ews", op="GetServiceConfiguration", do="status", status=403)
    bridge.restart()
    rig.poll(60, lambda: bridge.log_lines("limit for sending: .*403"))
    assert told(bridge) == 4000 * KB  # who was not let in was told nothing new
    exchange.options(max_send_kb=0)
    bridge.restart()
    rig.poll(60, lambda: told(bridge) == FITS)  # unlimited: what we can carry


NO = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">'
      '<s:Body><m:GetServiceConfigurationResponse ResponseClass="Error"><m:MessageText>No.</m:MessageText><m:ResponseCode>ErrorInvalidArgument'
      '</m:ResponseCode></m:GetServiceConfigurationResponse></s:Body></s:Envelope>')


@pytest.mark.parametrize("fault", [dict(do="replace", body=NO), dict(do="soap_fault", code="ErrorInvalidRequest"),
                                   dict(do="status", status=500), dict(do="status", status=403), dict(do="garbage")],
                         ids=lambda f: f"{f['do']}-{f.get('status', '')}")
def test_not_told(stage, fault):
    """A server that does not say leaves what there is without it, and nobody else notices."""
    exchange = stage.exchange("--set", "max_send_kb=3000")
    exchange.fault(protocol="ews", op="GetServiceConfiguration", times=0, **fault)
    bridge = stage.bridge(rig.Account("work", exchange, email=ALICE))
    rig.poll(60, lambda: asked(exchange))
    assert told(bridge) == FITS
    smtp = signed_in(bridge)
    assert smtp.send([BOB], message("small"))[0] == 250
    assert not bridge.log_lines(r"(warn|error) .*GetServiceConfiguration")
