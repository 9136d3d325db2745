# SPDX-License-Identifier: Apache-2.0
"""Client certificates: a web server that demands one, at once or when it sees what is asked for (front.py)."""
import os
import shutil

import front
import pytest
import rig
from rig import poll, status, wait_state

ASKS = [None, "TLSv1.2", "TLSv1.3"]  # at once; by renegotiation; by post-handshake authentication


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return front.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def make(stage, authority):
    """make(asks, certificate): stand-in, web server and bridge, the files of the certificate in the bridge's directory."""
    fronts = []

    def make(asks, certificate, *backends, start=True):
        exchange = stage.exchange("--corpus", "3")
        server = front.Front(exchange, authority.certificate(["localhost"]), client_ca=authority.ca, renegotiate=asks)
        fronts.append(server)
        accounts = []
        for backend in backends:
            url = server.url if backend == "ews" else server.eas_url
            accounts.append(rig.Account(backend, None, backend, url=url, auth="cert" if certificate else "basic", ca_file=authority.ca))
        bridge = stage.bridge(*accounts, start=False)
        for account in accounts:
            if certificate:
                for key, path in zip(("client-cert", "client-key"), certificate):
                    account.keys[key] = place(bridge, key, path)
            else:
                account.keys["password-file"] = bridge.secret("password", rig.PASSWORD)
        return server, bridge.start() if start else bridge

    yield make
    for server in fronts:
        server.stop()


def place(bridge, name, path):
    to = shutil.copy(path, os.path.join(bridge.directory, name))
    os.chmod(to, 0o600)
    return to


@pytest.mark.parametrize("asks", ASKS)
def test_reading(make, authority, asks):
    server, bridge = make(asks, authority.person("alice"), "ews", "eas")
    for name in ("ews", "eas"):
        imap = bridge.login(name)
        imap.open("INBOX")
        assert len(imap.bodies("1:*")) == 3
    assert {r["scheme"] for r in server.requests()} == {"-"}  # MS-ASHTTP 2.2.1.1.2.2: no Authorization besides


@pytest.mark.parametrize("asks", ASKS)
@pytest.mark.parametrize("which", ["expired", "stranger", "none"])
def test_refused(make, authority, tmp_path, asks, which):
    certificate = {
        "expired": lambda: authority.person("alice", expired=True),
        "stranger": lambda: front.Authority(tmp_path / "other", "Somebody else").person("alice"),
        "none": lambda: None,
    }[which]()
    server, bridge = make(asks, certificate, "ews", "eas")
    for name in ("ews", "eas"):
        told = wait_state(bridge, name, "needs-login")
        assert "localhost" in told and "client certificate" in told and "client-cert" in told, told
    first = len([line for line in server.errors().splitlines() if "client" in line])
    imap = bridge.login("ews")
    assert not imap.run("SELECT INBOX")[0].startswith("OK")
    imap.run("NOOP")
    assert len([line for line in server.errors().splitlines() if "client" in line]) == first  # not tried again by itself
    if which == "none" or asks:
        return
    for key, path in zip(("client-cert", "client-key"), authority.person("alice")):  # a new one in its place
        place(bridge, key, path)
    assert bridge.cli("login", "ews").returncode == 0, bridge.tail()
    imap = bridge.login("ews")
    imap.open("INBOX")


@pytest.mark.parametrize("what", ["missing", "other key", "not PEM"])
def test_unusable_files(make, authority, what):
    cert, key = authority.person("alice")
    if what == "other key":
        key = authority.person("bob")[1]
    server, bridge = make(None, (cert, key), "ews", start=False)
    path = os.path.join(bridge.directory, "client-cert")
    if what == "missing":
        os.unlink(path)
    elif what == "not PEM":
        open(path, "w").write("no certificate\n")
    bridge.start()
    poll(60, lambda: status(bridge, "ews")["text"], bridge.tail)
    told = status(bridge, "ews")["text"]
    assert "client-cert" in told and "client-key" in told, told
    assert server.requests() == []
