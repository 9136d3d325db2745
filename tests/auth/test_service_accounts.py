# SPDX-License-Identifier: Apache-2.0
"""One set of credentials and many mailboxes: impersonation and delegation, with the rights and without."""
import json
import os
import smtplib
import time

import pytest
import rig
from rig import BEARER, PASSWORD, poll, send, status

SERVICE = "svc@example.com"
PEOPLE = ("bob", "carol", "dave")


def exchange(stage, *rights, **options):
    """Mailboxes of PEOPLE with two messages each, and a service user who may do `rights` in all of them."""
    server = stage.exchange(**options)
    server.call("POST", "users", {"name": SERVICE, "password": PASSWORD, "email": SERVICE})
    for name in PEOPLE:
        server.call("POST", "users", {"name": f"{name}@example.com", "password": PASSWORD + name, "email": f"{name}@example.com"})
        server.deliver(subject=f"for {name}", text=rig.TEXT, count=2, user=f"{name}@example.com")
        server.rights(SERVICE, f"{name}@example.com", *rights)
    return server


def account(name, server, access="impersonation", **keys):
    return rig.Account(name, server, login="corp", email=f"{name}@example.com", mailbox=f"{name}@example.com", access=access, **keys)


def bridge_for(stage, server, *accounts, password=PASSWORD, **kwargs):
    bridge = stage.bridge(*accounts, start=False, **kwargs)
    if not bridge.logins:
        bridge.logins = {"corp": {"user": SERVICE, "auth": "basic", "password-file": bridge.secret("svc", password)}}
    return bridge.start()


def subjects(bridge, name):
    imap = bridge.login(name)
    imap.open("INBOX")
    return {rig.clients.re.search(rb"Subject: (.*)\r", h).group(1).decode() for h in imap.bodies("1:*", "BODY.PEEK[HEADER]").values()}


@pytest.mark.parametrize("access,rights", [("impersonation", ["impersonate"]), ("delegation", ["full", "send-as"])])
def test_many_mailboxes(stage, access, rights):
    server = exchange(stage, *rights)
    bridge = bridge_for(stage, server, *[account(name, server, access) for name in PEOPLE])
    for name in PEOPLE:
        assert subjects(bridge, name) == {f"for {name}"}
    imap = bridge.login("bob")
    imap.open("INBOX")
    tag = imap.idle()
    server.deliver(subject="pushed", user="bob@example.com")
    imap.wait_line(rb"\* 3 EXISTS")
    imap.done(tag)
    imap.ok(r"STORE 1 +FLAGS (\Flagged)")
    assert [i["flag"] for i in server.items(user="bob@example.com")].count(2) == 1
    imap.ok("CREATE Projects")
    imap.ok("MOVE 1 Projects")
    assert len(server.items(user="bob@example.com")) == 2
    send(bridge, "bob", "bob@example.com", "carol@example.com")
    assert [(s["sender"], s["recipients"]) for s in server.submissions()] == [("bob@example.com", ["carol@example.com"])]
    poll(60, lambda: "sent by bob" in subjects(bridge, "carol"))
    poll(60, lambda: len(server.items("sentitems", user="bob@example.com")) == 1)
    # Whose mailbox each request was about, and that the service's own was never opened. (The limits of a sender are in none.)
    seen = {e["detail"].get("mailbox") for e in server.log(protocol="ews") if e["status"] == 200 and e["op"] != "GetServiceConfiguration"}
    assert seen == {f"{name}@example.com" for name in PEOPLE}


def test_over_oauth(stage):
    server = exchange(stage, "full", auth_schemes=BEARER)
    bridge = stage.bridge(account("bob", server, "delegation"), account("carol", server, "delegation"),
                          logins={"corp": {**rig.oauth_keys(server), "user": SERVICE}})
    assert "corp: signed in" in rig.sign_in(bridge, "bob", SERVICE, PASSWORD)
    assert subjects(bridge, "carol") == {"for carol"} and subjects(bridge, "bob") == {"for bob"}


@pytest.mark.parametrize(
    "access,rights,mailbox,texts",
    [
        ("impersonation", ["full"], "bob@example.com", ["ErrorImpersonateUserDenied", "ApplicationImpersonation"]),
        ("impersonation", ["impersonate"], "nobody@example.com", ["ErrorNonExistentMailbox", "is mailbox"]),
        ("delegation", ["impersonate"], "bob@example.com", ["ErrorAccessDenied"]),
        ("delegation", [], "nobody@example.com", ["ErrorNonExistentMailbox", "is mailbox"]),
    ],
)
def test_wrong_rights(stage, access, rights, mailbox, texts):
    server = exchange(stage, *rights)
    wrong = account("bob", server, access)
    wrong.keys["mailbox"] = mailbox
    bridge = bridge_for(stage, server, wrong)
    poll(60, lambda: status(bridge, "bob")["state"] == "needs-admin", lambda: json.dumps(status(bridge, "bob")))
    told = status(bridge, "bob")["text"]
    assert all(text in told for text in texts), told
    imap = bridge.login("bob")  # the local password is right, whatever the server says
    assert not imap.run("SELECT INBOX")[0].startswith("OK")
    server.rights(SERVICE, "bob@example.com", "impersonate", "full")
    wrong.keys["mailbox"] = "bob@example.com"
    bridge.write_config()
    if mailbox != "bob@example.com":
        bridge.cli("reload")
    else:
        assert bridge.cli("login", "corp").returncode == 0  # the administrator has done his part: go on
    poll(60, lambda: status(bridge, "bob")["state"] not in ("needs-admin", "closed"), lambda: bridge.tail())
    assert subjects(bridge, "bob") == {"for bob"}


def test_reading_only(stage):
    server = exchange(stage, "read")
    bridge = bridge_for(stage, server, account("bob", server, "delegation"))
    imap = bridge.login("bob")
    imap.open("INBOX")
    imap.no(r"STORE 1 +FLAGS (\Flagged)")
    imap.no("CREATE Projects")
    assert subjects(bridge, "bob") == {"for bob"}
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(bridge, "bob", "bob@example.com", "carol@example.com")
    assert refused.value.smtp_code // 100 == 5 and server.submissions() == []


def test_one_folder_only(stage):
    server = exchange(stage, "inbox")
    bridge = bridge_for(stage, server, account("bob", server, "delegation"))
    imap = bridge.login("bob")
    assert [line for line in imap.ok('LIST "" "*"') if b"INBOX" in line] and len(imap.ok('LIST "" "*"')) == 1
    assert subjects(bridge, "bob") == {"for bob"}
    server.deliver(subject="second look", user="bob@example.com")
    poll(60, lambda: "second look" in subjects(bridge, "bob"))


# ---- one guard, one throttle ----


def test_one_guard_for_all(stage):
    """Twenty mailboxes and a password that is no longer right: one attempt, not twenty."""
    server = exchange(stage, "impersonate", lockout_after=5)
    bridge = bridge_for(stage, server, *[account(name, server) for name in PEOPLE])
    for name in PEOPLE:
        subjects(bridge, name)
    server.call("POST", "password", {"user": SERVICE, "password": "canary-new-one-11"})
    bridge.canaries.append("canary-new-one-11")
    time.sleep(2.5)  # LOGIN_FRESH_MS: the last answer is no proof any more
    mark = server.mark()
    server.drop_connections()
    for name in PEOPLE:
        imap = bridge.login(name)
        imap.run("SELECT INBOX")
        imap.run("NOOP")
    poll(60, lambda: all(status(bridge, name)["state"] == "needs-login" for name in PEOPLE), lambda: bridge.tail())
    for name in PEOPLE * 3:
        imap = bridge.login(name)
        imap.run("SELECT INBOX")
    # The one that went ahead, and one more after the password was read anew.
    assert len([e for e in server.log(mark) if e["status"] == 401]) <= 2
    with open(os.path.join(bridge.directory, "svc"), "w") as file:
        file.write("canary-new-one-11\n")
    result = bridge.cli("login", "corp")
    assert result.returncode == 0, result.stderr
    for name in PEOPLE:
        assert subjects(bridge, name) == {f"for {name}"}


def test_one_throttle_for_all(stage):
    server = exchange(stage, "impersonate")
    bridge = bridge_for(stage, server, *[account(name, server) for name in PEOPLE])
    clients = {name: bridge.login(name) for name in PEOPLE}
    for imap in clients.values():
        imap.open("INBOX")
    server.fault(op="GetItem", do="throttle", backoff_ms=4000)
    mark = server.mark()
    clients["bob"].send("b1 FETCH 1:* (BODY.PEEK[])\r\n")
    poll(60, lambda: status(bridge, "bob")["state"] == "throttled" or len(server.log(mark, op="GetItem")) > 1)  # or over already
    for name in ("carol", "dave"):
        clients[name].send("c1 FETCH 1:* (BODY.PEEK[])\r\n")
    for name, tag in (("bob", "b1"), ("carol", "c1"), ("dave", "c1")):
        assert clients[name].finish(tag)[0].startswith("OK")
    times = [e["t"] for e in server.log(mark) if e["op"] == "GetItem"]
    assert all(t - times[0] >= 3.9 for t in times[1:]) and len(times) >= 4


def test_refused_here_and_accepted_there(stage):
    """Two accounts of one login, on two servers of which one takes the password and the other never does: no endless
    turns between them."""
    server, other = exchange(stage, "full"), stage.exchange()
    other.call("POST", "users", {"name": SERVICE, "password": "something else", "email": SERVICE})
    bridge = bridge_for(stage, server, account("bob", server, "delegation"), account("carol", other, "delegation"))
    assert subjects(bridge, "bob") == {"for bob"}
    for _ in range(10):
        imap = bridge.login("carol")
        imap.run("SELECT INBOX")
        subjects(bridge, "bob")
    assert len([e for e in other.log() if e["status"] == 401]) <= 6
