# SPDX-License-Identifier: Apache-2.0
"""Kerberos and NTLM for real: a KDC, and a web server in front of the stand-in that signs people in (front.py)."""
import front
import pytest
import rig
from rig import PASSWORD, poll, status, wait_state

KERBEROS, NTLM = "kerberos", "ntlm"


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    realm = front.Realm(tmp_path_factory.mktemp("realm"))
    yield realm
    realm.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return front.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def fronts(realm, authority):
    """make(auth, exchange): the web server; the realm has a ticket."""
    made = []

    def make(auth, exchange, **options):
        realm.ticket()
        how = {"realm": realm} if auth == KERBEROS else {"ntlm": {"alice": PASSWORD}}
        made.append(front.Front(exchange, authority.certificate(["localhost"]), **how, **options))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def bridge_for(stage, realm, authority, server, auth, *backends, password=PASSWORD, start=True):
    accounts = []
    for backend in backends:
        url = server.url if backend == "ews" else server.eas_url
        keys = {"auth": auth, "ca-file": authority.ca, "user": "EXAMPLE\\alice"}
        accounts.append(rig.Account(backend, None, backend, url=url, **keys))
    bridge = stage.bridge(*accounts, start=False)
    for account in accounts:
        if auth == NTLM:
            account.keys["password-file"] = bridge.secret("ntlm", password)
    bridge.environment = realm.client_environment
    return bridge.start() if start else bridge


def read_all(bridge, name):
    imap = bridge.login(name)
    imap.open("INBOX")
    found = imap.bodies("1:*")
    imap.close()
    return found


def connections(requests):
    """{connection: [its requests, in their order]}"""
    found = {}
    for request in requests:
        found.setdefault(request["connection"], []).append(request)
    return {number: sorted(list_, key=lambda r: r["before"]) for number, list_ in found.items()}


def check_legs(auth, server, since=0):
    """NTLM signs a connection in: one refused request without a body at its begin, then whatever it carries. Kerberos
    needs no second leg. No body is ever sent for nothing."""
    requests = server.requests(since)
    refused = [r for r in requests if r["status"] == 401]
    assert not [r for r in refused if r["length"]]
    assert {r["user"] for r in requests if r["status"] == 200} == {"alice@EXAMPLE.TEST" if auth == KERBEROS else r"EXAMPLE\\alice"}
    if auth == KERBEROS:
        assert not refused
        return
    for first, *rest in connections(requests).values():
        assert (first["status"], first["scheme"], first["length"]) == (401, "NTLM", 0)
        assert all(r["status"] != 401 for r in rest)
        assert all(r["scheme"] == ("-" if i else "NTLM") for i, r in enumerate(rest))


@pytest.mark.parametrize("auth", [KERBEROS, NTLM])
def test_reading_and_writing(stage, fronts, realm, authority, auth):
    exchange = stage.exchange("--corpus", "30")
    server = fronts(auth, exchange)
    bridge = bridge_for(stage, realm, authority, server, auth, "ews", "eas")
    for name in ("ews", "eas"):
        assert len(read_all(bridge, name)) == 30
    # Many at once on connections of their own, large ones, and such as must not be sent twice.
    clients = [bridge.login("ews") for _ in range(4)]
    for imap in clients:
        imap.open("INBOX")
        imap.send("a1 UID FETCH 1:* (BODY.PEEK[])\r\n")
    for imap in clients:
        assert imap.finish("a1")[0].startswith("OK")
    message = b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: large\r\n\r\n" + b"0123456789abcde\r\n" * 60000
    for name in ("ews", "eas"):
        rig.send(bridge, name, "alice@example.com", "bob@example.com", message)
    assert len(exchange.submissions()) == 2
    clients[0].send(b"a2 APPEND INBOX {%d+}\r\n%s\r\n" % (len(message), message))
    answer = clients[0].finish("a2")[0]
    assert answer.startswith("OK [APPENDUID"), answer
    large = lambda: [r for r in server.requests() if r["length"] > 1000000]  # noqa: E731
    poll(60, lambda: len(large()) >= 3)  # a request is logged after its answer
    check_legs(auth, server)
    assert len(large()) == 3


@pytest.mark.parametrize("auth,options", [(KERBEROS, {"per_request": True}), (KERBEROS, {"requests": 3}), (NTLM, {"requests": 3})])
def test_servers_that_forget(stage, fronts, realm, authority, auth, options):
    """One that asks with each request, and one that closes connections after a few."""
    exchange = stage.exchange("--corpus", "30")
    server = fronts(auth, exchange, **options)
    bridge = bridge_for(stage, realm, authority, server, auth, "ews")
    assert len(read_all(bridge, "ews")) == 30
    check_legs(auth, server)


def attempts(server):
    """Requests that showed credentials, first legs of NTLM apart."""
    return [r for r in server.requests() if r["scheme"] != "-" and not (r["scheme"] == "NTLM" and r["before"] == 0)]


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_wrong_ntlm_password(stage, fronts, realm, authority, backend):
    server = fronts(NTLM, stage.exchange("--corpus", "3"))
    bridge = bridge_for(stage, realm, authority, server, NTLM, backend, password="canary-wrong-0815")
    bridge.canaries.append("canary-wrong-0815")
    told = wait_state(bridge, backend, "needs-login")
    assert "localhost" in told and "401" in told and f"exbridge login {backend}" in told and "Extended Protection" in told
    for _ in range(3):
        imap = bridge.login(backend)
        assert not imap.run("SELECT INBOX")[0].startswith("OK")
        imap.close()
    assert len(attempts(server)) == 1 and {r["status"] for r in server.requests()} == {401}
    bridge.secret("ntlm", PASSWORD)
    assert bridge.cli("login", backend).returncode == 0
    assert len(read_all(bridge, backend)) == 3


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_no_ticket(stage, fronts, realm, authority, backend):
    server = fronts(KERBEROS, stage.exchange("--corpus", "3"))
    realm.no_ticket()
    bridge = bridge_for(stage, realm, authority, server, KERBEROS, backend)
    told = wait_state(bridge, backend, "needs-login")
    assert "localhost" in told and "No credentials were supplied" in told and "kinit" in told
    login = bridge.cli("login", backend)
    assert login.returncode == 77 and "kinit" in login.stderr
    assert not [r for r in server.requests() if r["length"] and r["status"] != 400]  # no body for nobody
    mark = len(server.requests())
    realm.ticket()
    assert bridge.cli("login", backend).returncode == 0
    assert len(read_all(bridge, backend)) == 3
    check_legs(KERBEROS, server, mark)


def test_expired_ticket(stage, fronts, realm, authority):
    exchange = stage.exchange("--corpus", "3")
    server = fronts(KERBEROS, exchange)
    bridge = bridge_for(stage, realm, authority, server, KERBEROS, "ews")
    assert len(read_all(bridge, "ews")) == 3
    realm.ticket("3s")

    def ask():
        imap = bridge.login("ews")
        imap.run("SELECT INBOX")
        imap.run("NOOP")
        imap.close()
        return status(bridge, "ews")["state"] == "needs-login"

    poll(60, lambda: exchange.deliver(subject="too late") and ask(), bridge.tail)
    told = status(bridge, "ews")["text"]
    assert "expired" in told.lower() and "kinit" in told
    realm.ticket()
    poll(60, lambda: ask() is False and status(bridge, "ews")["state"] == "online", bridge.tail)  # a client asked: no command needed
    poll(60, lambda: len(read_all(bridge, "ews")) == len(exchange.items()))


@pytest.mark.parametrize("auth", [KERBEROS, NTLM])
def test_extended_protection(stage, fronts, realm, authority, auth):
    """A server that demands it, libcurl that has none: named, with the way out, and asked once."""
    server = fronts(auth, stage.exchange("--corpus", "3"), binding=True)
    bridge = bridge_for(stage, realm, authority, server, auth, "ews")
    told = wait_state(bridge, "ews", "needs-login")
    assert "Extended Protection" in told and "auth = " in told and "localhost" in told
    assert len(attempts(server)) == 1
