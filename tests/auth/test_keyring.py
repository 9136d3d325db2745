# SPDX-License-Identifier: Apache-2.0
"""secret-store = secret-service, with a real keyring: unlocked, locked, gone."""
import os
import re
import subprocess

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


def read_all(bridge, name="work"):
    imap = bridge.login(name)
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


def start_asking(stage, tmp_path):
    """A bridge whose one account needs the locked keyring, and whose other one does not; the keyring asks."""
    keyring = Keyring(tmp_path / "asking", screen=True)
    server = stage.exchange("--corpus", "3")
    other = rig.Account("other", server)
    bridge = stage.bridge(rig.Account("work", server), other, server={"secret-store": "secret-service"}, start=False)
    other.keys["password-file"] = bridge.secret("password", PASSWORD)
    tools = canary.watched_tools(os.path.join(keyring.directory, "tools"))
    bridge.environment = {**keyring.environment, "PATH": f"{tools}:{os.environ['PATH']}"}
    bridge.write_config()
    assert bridge.cli("login", "work", text=PASSWORD + "\n").returncode == 0
    keyring.lock()
    bridge.start()
    keyring.wait_for_question(bridge.tail)
    return keyring, server, bridge


def calls(keyring):
    """Of secret-tool, in their order."""
    with open(os.path.join(keyring.directory, "tools", "calls"), "rb") as file:
        data = file.read()
    canary.Flock(PASSWORD).check_text(data, "how tools were called")
    return [words.replace(b"\0", b" ").decode() for words in re.findall(rb"/secret-tool\0[a-z]+\0", data)]


def others_work(bridge):
    read_all(bridge, "other")
    assert status(bridge, "other")["state"] == "online"


def test_nobody_answers_yet(stage, tmp_path):
    """The question stands there: all else goes on, and so does this account when it is answered."""
    keyring, server, bridge = start_asking(stage, tmp_path)
    with keyring:
        others_work(bridge)
        waiting = bridge.login("work")  # the local password has nothing to do with it
        waiting.send("w1 SELECT INBOX\r\n")
        others_work(bridge)
        poll(60, lambda: status(bridge)["state"] == "waiting", lambda: status(bridge))
        done = bridge.cli("status", "work")
        assert "WAITING FOR THE KEYRING" in done.stdout and "-> answer the question on the desktop" in done.stdout
        assert done.returncode == 77 and bridge.cli("status", "other").returncode == 0
        keyring.answer()
        waiting.finish("w1")
        poll(60, lambda: status(bridge)["state"] == "online", bridge.tail)
        read_all(bridge)
        bridge.stop()


def test_declined(stage, tmp_path):
    """Who closes the question is told what to do, and is not asked again by itself; when another program has the keyring
    unlocked, all goes on."""
    keyring, server, bridge = start_asking(stage, tmp_path)
    with keyring:
        keyring.dismiss()
        told = wait_state(bridge, "work", "offline")
        assert "is the keyring unlocked?" in told and "secret-store = file" in told
        assert "NO" in bridge.login("work").run("SELECT INBOX")[0]
        others_work(bridge)
        mark = len(calls(keyring))
        poll(60, lambda: len(calls(keyring)) > mark)  # it was looked at
        assert not keyring.asks() and {"search"} == {call.split()[1] for call in calls(keyring)[mark:]}
        someone = subprocess.Popen(["secret-tool", "lookup", "service", "exbridge"], env=keyring.own, stdout=subprocess.DEVNULL)
        keyring.wait_for_question()
        keyring.answer()
        assert someone.wait(60) == 0
        poll(60, lambda: status(bridge)["state"] == "online", bridge.tail)
        read_all(bridge)
        bridge.stop()


def test_asked_again_by_a_person(stage, tmp_path):
    keyring, server, bridge = start_asking(stage, tmp_path)
    with keyring:
        keyring.dismiss()
        wait_state(bridge, "work", "offline")
        assert bridge.cli("reload").returncode == 0
        keyring.wait_for_question()
        keyring.answer()
        poll(60, lambda: status(bridge)["state"] == "online", bridge.tail)
        bridge.stop()


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
