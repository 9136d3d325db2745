# SPDX-License-Identifier: Apache-2.0
"""Servers that answer badly, seen from the mail client: the bridge stays up, cached mail is served, what cannot be had is refused
with a reason, a line in the log says why, and when the trouble is over everything works."""
import pytest

import counting
from bridge import LOCAL_PASSWORD, PASSWORD, Account, as_mail, literal, poll

KINDS = ("ews", "eas")
READ = {"ews": "GetItem", "eas": "ItemOperations"}
COMMON = {
    "garbage": {"do": "garbage", "bytes": 5000, "seed": 3},
    "login page": {"do": "html", "status": 200},
    "nothing": {"do": "empty"},
    "cut": {"do": "cut", "bytes": 400},
    "truncated": {"do": "truncate", "bytes": 300},
    "too long a length": {"do": "bad_length", "delta": 500},
    "reset": {"do": "reset_before"},
    "no answer": {"do": "lose"},
    "gzip bomb": {"do": "bomb", "size": 3_000_000_000},
    "broken deflate": {"do": "deflate_garbage"},
    "nested": {"do": "nest", "depth": 50_000},
    "403": {"do": "status", "status": 403},
    "500": {"do": "status", "status": 500},
    "503": {"do": "status", "status": 503, "headers": {"Retry-After": "3600"}},
    "429": {"do": "status", "status": 429, "headers": {"Retry-After": "3600"}},
}
SPECIAL = {
    "ews": {"doctype": {"do": "doctype"}, "fault": {"do": "soap_fault", "code": "ErrorInternalServerError"},
            "item error": {"do": "error", "code": "ErrorItemCorrupt"}},
    "eas": {"length": {"do": "wbxml_length"}, "unknown tags": {"do": "wbxml_unknown"},
            "status": {"do": "eas_status", "code": "110", "eas": "command"}},
}
CASES = [(kind, name) for kind in KINDS for name in [*COMMON, *SPECIAL[kind]]]


def rule(kind, name):
    return COMMON.get(name) or SPECIAL[kind][name]


@pytest.mark.parametrize("kind,name", CASES)
def test_bodies_that_cannot_be_had(stage, kind, name):
    exchange = stage.exchange("--corpus", 24, "--kinds", "small")
    bridge = stage.bridge(Account("work", exchange, kind))
    imap = bridge.login("work", timeout=90)
    imap.open("INBOX")
    uids = imap.uids()
    served = [as_mail(exchange.mime(i["num"], served=True), kind) for i in sorted(exchange.items(), key=lambda i: i["received"])]
    first, last = served[0], served[-1]
    counting.settle(exchange, kind)
    exchange.fault(protocol=kind, op=READ[kind], times=0, **rule(kind, name))
    status, lines = imap.run(f"UID FETCH {uids[0]} (BODY.PEEK[])")
    got = [literal(line) for line in lines if b"BODY[] {" in line]
    if got:  # some damage leaves the message whole: then it has to be
        assert got == [first], name
    else:
        assert status.startswith("NO") and len(status) > 20 and "canary" not in status, (status, lines)
    assert imap.ok("NOOP") is not None
    other = bridge.login("work")
    assert other.open("INBOX")["exists"] == 24 and other.uids() == uids
    exchange.clear_faults()
    if name in ("503", "429"):  # the server asked for an hour; a restart has no memory of that
        bridge.restart()
        imap = bridge.login("work", timeout=90)
        imap.open("INBOX")
    poll(90, lambda: any(b"BODY[] {" in line for line in imap.run(f"UID FETCH {uids[-1]} (BODY.PEEK[])")[1]),
         lambda: "it does not recover\n" + bridge.tail())
    assert imap.bodies(str(uids[-1]))[uids[-1]] == last


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["garbage", "login page", "cut", "nested", "gzip bomb", "500", "403"])
def test_synchronisation_goes_wrong_and_right_again(stage, kind, name):
    op = {"ews": "SyncFolderItems", "eas": "Sync"}[kind]
    exchange = stage.exchange("--corpus", 20, "--kinds", "small")
    bridge = stage.bridge(Account("work", exchange, kind))
    imap = bridge.login("work", timeout=90)
    before = imap.open("INBOX")
    uids = imap.uids()
    counting.settle(exchange, kind)
    exchange.fault(protocol=kind, op=op, times=0, **COMMON[name])
    exchange.deliver(subject="Behind the fault")
    poll(60, lambda: any(f["hits"] for f in exchange.faults()), "the fault is not met")
    again = bridge.login("work", timeout=90)
    assert again.open("INBOX")["uidvalidity"] == before["uidvalidity"] and again.uids() == uids
    poll(60, lambda: bridge.log_lines(r" (warn|error) "), "nothing in the log\n" + bridge.tail())
    exchange.clear_faults()
    bridge.restart()
    imap = bridge.login("work", timeout=90)
    imap.open("INBOX")
    poll(60, lambda: imap.ok("NOOP") is not None and len(imap.uids()) == 21, lambda: "it does not recover\n" + bridge.tail())
    assert imap.uids()[:20] == uids


def test_policy_refresh(stage):
    exchange = stage.exchange("--corpus", 10)
    bridge = stage.bridge(Account("work", exchange, "eas"))
    imap = bridge.login("work")
    imap.open("INBOX")
    counting.settle(exchange, "eas")
    exchange.fault(protocol="eas", op="ItemOperations", do="policy")
    assert len(imap.bodies("1:*")) == 10
    assert bridge.log_lines("policy acknowledged")


def test_remote_wipe(stage):
    exchange = stage.exchange("--corpus", 10)
    bridge = stage.bridge(Account("work", exchange, "eas"), Account("other", exchange, "ews"))
    imap = bridge.login("work")
    imap.open("INBOX")
    assert len(imap.bodies("1:*")) == 10
    counting.settle(exchange, "eas")
    exchange.options(eas_wipe="device")
    exchange.drop_connections()
    exchange.deliver(subject="wakes the device up")
    poll(90, lambda: bridge.log_lines("wipe"), "no wipe\n" + bridge.tail())
    poll(60, lambda: any(e["detail"].get("wipe_ack") for e in exchange.log(op="Provision")), "the wipe is not acknowledged")
    refused = bridge.connect()
    status, _ = refused.run(f'LOGIN work "{LOCAL_PASSWORD}"')
    assert status.startswith("NO")
    poll(60, lambda: bridge.login("other").open("INBOX")["exists"] == 11, bridge.tail)
    bridge.restart()
    status, _ = bridge.connect().run(f'LOGIN work "{LOCAL_PASSWORD}"')
    assert status.startswith("NO")


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_exchange_password_does_not_lock_the_user_out(stage, kind):
    """At most three refused requests, however often clients ask; the local password stays right."""
    exchange = stage.exchange("--corpus", 5)
    bridge = stage.bridge(Account("work", exchange, kind, password="canary-wrong-password"))
    for _ in range(4):
        imap = bridge.login("work")
        status, _ = imap.run("SELECT INBOX")
        assert status.startswith("NO") and "AUTHENTICATIONFAILED" not in status, status
        imap.run('LIST "" "*"')
        imap.run("STATUS INBOX (MESSAGES)")
    refused = [e for e in exchange.log() if e["status"] == 401]
    assert 1 <= len(refused) <= 3, len(refused)
    assert bridge.log_lines(r"error account\[work\].*(credentials|password|sign)")


@pytest.mark.parametrize("kind", KINDS)
def test_passthrough(stage, kind):
    exchange = stage.exchange("--corpus", 5)
    bridge = stage.bridge(Account("work", exchange, kind, local_auth="passthrough"))
    bridge.connect().no('LOGIN work "canary-not-this-one"', "AUTHENTICATIONFAILED")
    imap = bridge.login("work", password=PASSWORD)
    assert imap.open("INBOX")["exists"] == 5
    mark = exchange.mark()
    bridge.connect().no('LOGIN work "canary-not-this-one"', "AUTHENTICATIONFAILED")
    bridge.canaries.append("canary-not-this-one")
    for n in range(4):
        status, _ = bridge.connect().run(f'LOGIN work "canary-guess-{n}"')
        assert status.startswith("NO")
    assert len([e for e in exchange.log(mark) if e["status"] == 401]) <= 3  # since the last good one
    assert bridge.login("work", password=PASSWORD).open("INBOX")["exists"] == 5
    exchange.fault(do="reset_before", times=0)  # the server is away: the password it accepted last is known
    assert bridge.login("work", password=PASSWORD).open("INBOX")["exists"] == 5


def test_plain_text_of_an_http_request_and_of_starttls(stage):
    exchange = stage.exchange("--corpus", 1)
    bridge = stage.bridge(Account("work", exchange, "ews"), tls=False)
    imap = bridge.connect()
    imap.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    imap.closed()
    bridge.connect().bad("STARTTLS\r\nx LOGIN a b")
    assert bridge.login("work").open("INBOX")["exists"] == 1
