# SPDX-License-Identifier: Apache-2.0
"""Tokens are renewed in time, by one request, and never lost: not by a crash, a failing login server or a full disk."""
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import rig
from bridge import fetched
from rig import BEARER, USER, oauth_account, oauth_keys, poll, sign_in, status


def start(stage, accounts=1, corpus=3, backend="ews", login=None, **options):
    server = stage.exchange("--corpus", str(corpus), auth_schemes=BEARER, **options)
    logins = {login: {**oauth_keys(server), "user": USER}} if login else {}
    keys = {"login": login} if login else {}
    made = [oauth_account(f"work{i}" if accounts > 1 else "work", server, backend, **keys) for i in range(accounts)]
    for account in made if login else []:
        for key in oauth_keys(server):
            del account.keys[key]
    bridge = stage.bridge(*made, logins=logins, start=False)
    bridge.write_config()
    sign_in(bridge, login or "work")
    return server, bridge.start()


def unauthorized(server, since=0):
    return [e for e in server.log(since) if e["protocol"] in ("ews", "eas") and e["status"] == 401]


def look(bridge, server, name="work"):
    """A request to Exchange on behalf of a client: a new message is fetched."""
    server.deliver(subject="more", text=rig.TEXT)
    imap = bridge.login(name)
    imap.open("INBOX")
    poll(60, lambda: imap.open("INBOX")["exists"] == len(server.items("inbox")), lambda: bridge.tail())
    uid = imap.uids()[-1]
    assert rig.TEXT.encode() in imap.bodies(uid)[uid]
    imap.close()


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_renewed_in_time(stage, backend):
    server, bridge = start(stage, backend=backend, oauth_access_s=20)  # a token is not given out in its last two seconds
    for _ in range(2):
        look(bridge, server)
        done = server.oauth()["refreshed"]
        poll(60, lambda: look(bridge, server) or server.oauth()["refreshed"] > done)
    assert not unauthorized(server)  # nobody was ever sent with an old one


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_expired_under_way(stage, backend):
    """The server does not take the token any more, twice in the middle of a long FETCH: the client notices nothing."""
    server, bridge = start(stage, backend=backend)
    server.deliver(subject="long", text="long enough that a list does not bring it\r\n" * 700, count=200)
    imap = bridge.login("work")
    poll(60, lambda: imap.open("INBOX")["exists"] == 203, bridge.tail)
    op = {"ews": "GetItem", "eas": "ItemOperations"}[backend]
    mark, held = server.mark(), server.fault(op=op, do="pause", times=0)
    imap.send("a9 UID FETCH 1:* (UID BODY.PEEK[])\r\n")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(imap.finish, "a9")
        for _ in range(2):
            # Messages are on their way, so this token was taken; the next ones are asked for with one that is not any more.
            poll(60, lambda: [e for e in server.log(mark, op=op) if not e["done"] and e["user"]], bridge.tail)
            server.oauth("expire")
            before, mark, held = held, server.mark(), server.fault(op=op, do="pause", times=0)
            server.clear_faults(before)
        server.clear_faults()
        status, lines = reading.result(60)
    assert status.startswith("OK") and not [line for line in lines if b"ALERT" in line], (status, bridge.tail())
    assert len({uid for uid, line in fetched(lines) if b"BODY[] " in line}) == 203
    assert server.oauth()["refreshed"] == 2 and unauthorized(server)


def test_one_renewal_for_all(stage):
    server, bridge = start(stage, accounts=4, corpus=30, login="corp")
    for i in range(4):
        look(bridge, server, f"work{i}")
    mark = server.mark()
    server.fault(op="token", delay_s=1)
    server.oauth("expire")
    clients = [bridge.login(f"work{i}") for i in range(4) for _ in range(2)]
    server.deliver(subject="new", count=3)
    for imap in clients:
        imap.send("x1 STATUS INBOX (MESSAGES)\r\n")
        imap.send("x2 SELECT INBOX\r\n")
        imap.send("x3 FETCH 1:* (BODY.PEEK[])\r\n")
    for imap in clients:
        assert imap.finish("x3")[0].startswith("OK")
    assert server.oauth()["refreshed"] == 1
    assert [e["detail"]["grant"] for e in server.log(mark, op="token")] == ["refresh_token"]


# ---- kill -9 ----


@pytest.mark.parametrize("rotation", ["keep", "grace", "strict"])
@pytest.mark.parametrize("point", ["on-the-wire", "oauth.answered", "oauth.stored"])
def test_killed_while_renewing(stage, rotation, point):
    server, bridge = start(stage, oauth_rotation=rotation)
    look(bridge, server)
    bridge.stop()
    server.oauth("expire")
    bridge.environment = {"EXBRIDGE_CRASH_AT": point}
    if point == "on-the-wire":  # the request is out, nothing was rotated yet
        server.fault(op="token", do="hang", seconds=600)
    bridge.start(ready=False)
    if point == "on-the-wire":
        poll(60, lambda: server.counts().get("oauth:token", 0) > 1)
        bridge.kill()
    else:
        assert bridge.process.wait(60) == -signal.SIGKILL, bridge.tail()
        bridge.process = None
    server.clear_faults()
    bridge.environment = {}
    bridge.start()
    if rotation == "strict" and point == "oauth.answered":  # spent, and its successor lost: only a person can help
        poll(60, lambda: status(bridge)["state"] == "needs-login", lambda: bridge.tail())
        sign_in(bridge, "work")
    look(bridge, server)


# ---- what only a person can repair ----


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_revoked(stage, backend):
    server, bridge = start(stage, backend=backend)
    look(bridge, server)
    secret = os.path.join(bridge.state, "secrets", "account-work.secret")
    before = open(secret, "rb").read()
    imap = bridge.login("work")
    server.oauth("revoke")
    server.oauth("expire")
    server.deliver(subject="while away")
    poll(60, lambda: imap.open("INBOX") and status(bridge)["state"] == "needs-login", lambda: bridge.tail())
    told = status(bridge)
    assert "run: exbridge login work" in told["text"] and "AADSTS50173" in told["text"]
    assert open(secret, "rb").read() == before  # kept
    mark = server.mark()
    for _ in range(5):
        imap.ok("NOOP")
        imap.open("INBOX")
    assert len(server.log(mark, op="token")) == 0  # and not shown to anybody again by itself
    assert "work: signed in" in sign_in(bridge, "work")
    look(bridge, server)  # without a restart, and the client's old connection goes on, too
    poll(60, lambda: imap.open("INBOX")["exists"] == len(server.items("inbox")))
    assert status(bridge)["state"] not in ("needs-login", "offline")


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_an_answer_from_before(stage, backend):
    """What was asked while the tokens were good, and is answered when they are not any more, is no sign of recovery."""
    server, bridge = start(stage, backend=backend)
    look(bridge, server)
    reader, writer = bridge.login("work"), bridge.login("work")
    reader.open("INBOX"), writer.open("INBOX")
    op = {"ews": "GetItem", "eas": "ItemOperations"}[backend]
    bridge.delete_cache()
    server.fault(op=op, do="pause", times=0)
    mark = server.mark()
    reader.send("r1 FETCH 1 (BODY.PEEK[])\r\n")
    poll(60, lambda: server.log(mark, op=op))
    server.oauth("revoke")
    server.oauth("expire")
    writer.no("STORE 1 +FLAGS (\\Flagged)")
    assert status(bridge)["state"] == "needs-login"
    server.clear_faults()
    assert reader.finish("r1")[0].startswith("OK")
    assert status(bridge)["state"] == "needs-login"


def test_refused_although_new(stage):
    """A mailbox that takes no token at all: few requests, and the text says what it may be."""
    server, bridge = start(stage)
    look(bridge, server)
    mark = server.mark()
    server.fault(protocol="ews", do="status", status=401, times=0)
    server.drop_connections()
    poll(60, lambda: status(bridge)["state"] == "needs-login", lambda: bridge.tail())
    imap = bridge.login("work")
    for _ in range(5):
        imap.ok("NOOP")
    assert server.oauth()["refreshed"] <= 2 and len(unauthorized(server, mark)) <= 8
    server.clear_faults()
    sign_in(bridge, "work")
    look(bridge, server)


# ---- what passes by itself ----


def test_login_server_away(stage):
    server, bridge = start(stage)
    look(bridge, server)
    secret = os.path.join(bridge.state, "secrets", "account-work.secret")
    before = open(secret, "rb").read()
    faults = [{"do": "html"}, {"do": "status", "status": 500, "body": '{"error":"invalid_grant"}'}]
    for fault in faults:
        server.fault(op="token", **fault)
    server.oauth("expire")
    server.deliver(subject="while away")
    imap = bridge.login("work")
    poll(120, lambda: imap.open("INBOX")["exists"] == len(server.items("inbox")), lambda: bridge.tail())
    assert server.oauth()["refreshed"] == 1 and open(secret, "rb").read() != before
    assert not bridge.log_lines("exbridge login")


def test_no_room_for_the_new_token(stage):
    """What cannot be stored is not used; when there is room, it is stored and used without asking again."""
    server, bridge = start(stage, oauth_rotation="strict")
    look(bridge, server)
    obstacle = os.path.join(bridge.state, "secrets", "account-work.secret.tmp")
    os.mkdir(obstacle)
    server.oauth("expire")
    server.deliver(subject="later")
    mark = server.mark()
    poll(60, lambda: "cannot be stored, and so not be used" in (status(bridge)["text"] or "") or bridge.login("work").open("INBOX") and False,
         lambda: bridge.tail())
    assert server.oauth()["refreshed"] == 1
    assert all(e["status"] == 401 for e in server.log(mark, protocol="ews") if e["done"] and e["status"])
    os.rmdir(obstacle)
    look(bridge, server)
    assert server.oauth()["refreshed"] == 1
    bridge.restart()
    look(bridge, server)


def test_damaged_store(stage):
    server, bridge = start(stage)
    bridge.stop()
    secret = os.path.join(bridge.state, "secrets", "account-work.secret")
    with open(secret, "r+b") as file:
        file.seek(60)
        file.write(b"\0\0\0\0")
    bridge.start()
    poll(60, lambda: bridge.log_lines("damaged, or sealed with another key"))
    assert os.path.exists(secret)
    sign_in(bridge, "work")
    look(bridge, server)


def test_two_programs(stage):
    """`exbridge login` without a daemon, then the daemon, then tokens renewed by somebody else: the stored ones count."""
    server, bridge = start(stage, oauth_rotation="strict")
    look(bridge, server)
    bridge.stop()
    sign_in(bridge, "work")
    bridge.start()
    look(bridge, server)
