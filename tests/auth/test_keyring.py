# SPDX-License-Identifier: Apache-2.0
"""secret-store = secret-service, with a real keyring: unlocked, locked, gone."""
import os

import canary
import pytest
import rig
from desktop_keyring import Keyring
from rig import PASSWORD, poll, status, wait_state


@pytest.fixture
def keyring(tmp_path):
    with Keyring(tmp_path / "keyring") as keyring:
        yield keyring


@pytest.fixture
def make(stage, keyring):
    def make():
        server = stage.exchange("--corpus", "3")
        bridge = stage.bridge(rig.Account("work", server), server={"secret-store": "secret-service"}, start=False)
        bridge.environment = dict(keyring.environment)
        return server, bridge

    return make


def read_all(bridge):
    imap = bridge.login("work")
    imap.open("INBOX")
    assert len(imap.bodies("1:*")) == 3
    imap.close()


def secrets(bridge):
    return set(os.listdir(os.path.join(bridge.state, "secrets"))) if os.path.exists(os.path.join(bridge.state, "secrets")) else set()


@pytest.mark.parametrize("running", [True, False])
def test_stored_and_read_again(make, keyring, running):
    server, bridge = make()
    bridge.write_config()
    if running:
        bridge.start()
        wait_state(bridge, "work", "needs-login")
    done = bridge.cli("login", "work", text=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    bridge.restart() if running else bridge.start()
    read_all(bridge)
    assert secrets(bridge) == {"account-work.secret", "keyring-id"}  # and no key beside them
    canary.Flock(PASSWORD).check_files(keyring.directory)  # the keyring has the key alone


def test_locked_at_the_start(make, keyring):
    server, bridge = make()
    bridge.write_config()
    assert bridge.cli("login", "work", text=PASSWORD + "\n").returncode == 0
    keyring.lock()
    mark = server.mark()
    bridge.start()
    told = wait_state(bridge, "work", "offline")
    assert "keyring" in told and "unlocked" in told and "work" in told
    imap = bridge.login("work")  # the local password has nothing to do with it
    assert not imap.run("SELECT INBOX")[0].startswith("OK")
    assert server.log(mark) == []
    keyring.unlock()
    assert bridge.cli("reload").returncode == 0
    poll(60, lambda: status(bridge)["state"] in ("online", "syncing"), bridge.tail)
    read_all(bridge)


@pytest.mark.parametrize("gone", ["service", "bus"])
def test_no_keyring(make, keyring, gone):
    server, bridge = make()
    keyring.stop() if gone == "bus" else keyring.end_service()
    bridge.write_config()
    for running in (False, True):
        if running:
            bridge.start()
        done = bridge.cli("login", "work", text=PASSWORD + "\n")
        assert done.returncode != 0 and "keyring" in done.stderr and "secret-store = file" in done.stderr, done.stderr
    assert secrets(bridge) == set()
