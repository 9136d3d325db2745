# SPDX-License-Identifier: Apache-2.0
"""exbridge status and resync: what the running daemon tells, and what is told without one."""
import json
import os
import re
import shutil

import bridge as rig
import pytest
from bridge import poll
from test_program import account, call


def status(bridge, *words):
    return call("status", *words, "-c", bridge.config_path)


def told(bridge, name="work"):
    """The account's entry, whatever the exit status."""
    answer = json.loads(status(bridge, "--json").stdout)
    return next(a for a in answer["accounts"] if a["name"] == name)


def online(bridge, name="work"):
    return poll(60, lambda: (a := told(bridge, name))["state"] == "online" and a["folders"]["behind"] == 0 and a,
                lambda: f"not online: {told(bridge, name)}")


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_online(stage, backend):
    bridge = stage.bridge(account(stage, backend=backend, cache_limit="1G"), dav=True)
    one = online(bridge)
    assert one["folders"]["all"] == one["folders"]["complete"] > 5
    assert one["push"] == {"ews": "push", "eas": "push+poll"}[backend] or poll(60, lambda: told(bridge)["push"] != "poll")
    assert (one["clients"], one["last_error"], one["text"], one["next"]) == (0, None, None, None)
    assert one["answered_s_ago"] < 60 and one["cache"]["limit"] == 1 << 30
    client = bridge.login("work")
    client.ok("SELECT INBOX")
    client.ok("FETCH 1:* (BODY.PEEK[])")
    one = poll(60, lambda: (a := told(bridge))["cache"]["bytes"] > 0 and a)
    assert one["clients"] == 1
    text = status(bridge)
    assert text.returncode == 0
    assert f"exbridge 0.1.0, process {bridge.process.pid} since " in text.stdout
    ports = f", imap on port {bridge.port} (TLS), smtp on port {bridge.smtp_port} (TLS), dav on port {bridge.dav_port} (TLS)"
    assert ports in text.stdout
    assert f"work (work@bridge.test over {backend}): online\n" in text.stdout
    assert "1 clients; " in text.stdout and "of messages here, at most 1.0 GiB" in text.stdout


def test_without_daemon(stage):
    bridge = rig.Bridge(stage.directory / "bridge", [account(stage, "work"), account(stage, "other")], start=False)
    bridge.write_config()
    text = status(bridge)
    assert text.returncode == 69
    assert text.stdout.startswith("exbridge is not running; to start it: ")
    assert "work (work@bridge.test over ews): not known" in text.stdout
    answer = json.loads(status(bridge, "other", "--json").stdout)
    assert answer["running"] is False and [a["name"] for a in answer["accounts"]] == ["other"]
    for words in (["resync", "work"], ["resync", "work", "INBOX"]):
        result = call(*words, "-c", bridge.config_path)
        assert result.returncode == 69 and "exbridge is not running" in result.stderr


def test_trouble_and_its_end(stage):
    bridge = stage.bridge(account(stage))
    server = stage.exchanges[0]
    online(bridge)
    server.stop()
    one = poll(60, lambda: (a := told(bridge))["state"] == "offline" and a)
    assert one["last_error"]["code"] == "offline" and "127.0.0.1" in one["text"] and one["next"] == "exbridge doctor work"
    text = poll(60, lambda: (t := status(bridge)) and "next attempt in" in t.stdout and t)
    assert text.returncode == 75 and "work@bridge.test over ews): offline\n" in text.stdout
    server.start()
    call("resync", "work", "INBOX", "-c", bridge.config_path)  # somebody is impatient
    online(bridge)
    text = status(bridge)
    assert text.returncode == 0 and "last trouble, at 20" in text.stdout


def test_needs_login(stage):
    bridge = stage.bridge(account(stage, password="not this one"))
    one = poll(60, lambda: (a := told(bridge))["state"] == "needs-login" and a)
    assert one["next"] == "exbridge login work"
    text = status(bridge)
    assert text.returncode == 77 and "NEEDS LOGIN" in text.stdout and "-> exbridge login work" in text.stdout


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_wrong_guesses_are_not_the_accounts_trouble(stage, backend):
    """A client that offers the server wrong passwords is refused, and soon no longer passed on; the account goes on."""
    bridge = stage.bridge(account(stage, backend=backend, local_auth="passthrough"))
    server = stage.exchanges[0]
    client = bridge.login("work", password=rig.PASSWORD)
    client.open()
    online(bridge)
    mark = server.mark()
    for n in range(4):
        assert bridge.connect().run(f'LOGIN work "canary-guess-{n}"')[0].startswith("NO")
    assert len([e for e in server.log(mark) if e["status"] == 401]) == 3
    assert online(bridge)["text"] is None and len(bridge.log_lines(r"error account\[work\]")) == 1  # before the first sign-in
    server.deliver(subject="after the guesses")
    poll(60, lambda: client.ok("NOOP") is not None and client.open()["exists"] == 4)
    bridge.canaries.append("canary-guess")
    assert bridge.connect().run('LOGIN work "canary-guess-9"')[0].startswith("NO")
    assert online(bridge)["text"] is None


def test_account_that_cannot_be_opened(stage):
    bridge = stage.bridge(account(stage, "good"), account(stage, "bad"), start=False)
    os.makedirs(os.path.join(bridge.state, "accounts"), mode=0o700)
    os.chmod(bridge.state, 0o700)
    with open(bridge.account_dir("bad"), "w"):
        pass  # a file where the directory should be
    bridge.start()
    one = told(bridge, "bad")
    assert one["state"] == "closed" and "not a directory" in one["text"].lower()
    text = status(bridge, "bad")
    assert text.returncode == 77 and "CANNOT BE OPENED" in text.stdout and "exbridge reload" in text.stdout
    result = call("resync", "bad", "-c", bridge.config_path)
    assert result.returncode == 74 and "ot a directory" in result.stderr
    assert 1 <= one["retry_in_s"] <= 20
    for name in ("bad", "BAD@bridge.test"):  # the password has nothing to do with it
        refused = bridge.connect().run(f'LOGIN {name} "{rig.LOCAL_PASSWORD}"')[0]
        assert refused.startswith("NO [UNAVAILABLE]") and "disk of this computer is full or failing" in refused
    assert bridge.connect().run(f'LOGIN worse "{rig.LOCAL_PASSWORD}"')[0].startswith("NO [AUTHENTICATIONFAILED]")
    os.unlink(bridge.account_dir("bad"))
    online(bridge, "bad")  # by itself
    assert len(bridge.log_lines(r"error account\[bad\]")) == 1
    bridge.login("bad").open()


def test_no_account_can_be_opened_yet(stage):
    bridge = rig.Bridge(stage.directory / "bridge", [account(stage)], start=False)
    stage.bridges.append(bridge)
    os.makedirs(os.path.join(bridge.state, "accounts"), mode=0o700)
    os.chmod(bridge.state, 0o700)
    with open(bridge.account_dir("work"), "w"):
        pass
    bridge.start()
    assert "ready: " in bridge.log() and "; 0 of 1 accounts" in bridge.log()
    os.unlink(bridge.account_dir("work"))
    call("reload", "-c", bridge.config_path)  # somebody is impatient
    online(bridge)


def test_progress_of_a_long_first_sync(stage):
    server = stage.exchange("--corpus", "300")
    server.options(sync_page_max=20)
    pages = {"op": "SyncFolderItems", "do": "pause", "times": 0}  # INBOX is the first to be read
    held = server.fault(after=3, **pages)
    bridge = stage.bridge(rig.Account("work", server))
    one = poll(60, lambda: (a := told(bridge)).get("syncing") and a["syncing"]["messages"] > 0 and a)
    assert one["state"] == "syncing" and one["syncing"]["folder"] == "INBOX"
    first = one["syncing"]["messages"]
    server.fault(after=3, **pages)
    server.clear_faults(held)
    poll(60, lambda: (a := told(bridge)).get("syncing") and a["syncing"]["messages"] > first)
    assert "online, first synchronisation" in status(bridge).stdout
    assert "now INBOX (" in status(bridge).stdout
    server.clear_faults()
    online(bridge)


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_resync_keeps_uids(stage, backend):
    bridge = stage.bridge(account(stage, backend=backend))
    server = stage.exchanges[0]
    online(bridge)
    client = bridge.login("work")
    before = client.open()
    uids = client.uids()
    mark = server.mark()
    for words in (["INBOX"], []):
        result = call("resync", "work", *words, "-c", bridge.config_path)
        assert result.returncode == 0 and "being collected anew" in result.stdout, result
    client.ok("NOOP")
    online(bridge)
    assert server.counts(mark)  # it did ask
    again = client.open()
    assert (client.uids(), again["uidvalidity"], again["exists"]) == (uids, before["uidvalidity"], before["exists"])
    server.deliver(subject="after it")
    poll(60, lambda: client.open()["exists"] == before["exists"] + 1)
    assert client.uids()[:-1] == uids

    result = call("resync", "work", "No/Such", "-c", bridge.config_path)
    assert result.returncode == 66 and 'work has no mail folder "No/Such"' in result.stderr


@pytest.mark.parametrize("words", [[], ["work"]])
def test_a_file_with_mistakes(stage, words):
    """They are told, and the daemon that goes on with what the file was is asked all the same."""
    bridge = stage.bridge(account(stage))
    online(bridge)
    with open(bridge.config_path, "a") as file:
        file.write("colour = blue\n")
    done = status(bridge, *words)
    assert done.returncode == 78 and done.stderr.count("unknown key 'colour'") == 1
    assert f"process {bridge.process.pid} since " in done.stdout and "work (work@bridge.test over ews): online\n" in done.stdout
    done = status(bridge, *words, "--json")
    assert done.returncode == 78 and json.loads(done.stdout)["accounts"][0]["state"] == "online"
    bridge.stop()
    done = status(bridge, *words)
    assert (done.returncode, done.stdout) == (78, "") and done.stderr.count("unknown key 'colour'") == 1


class AtHome(rig.Bridge):
    """Its directories are the default ones of a home of its own, whose runtime directory it shares with others."""

    def __init__(self, stage, name, *accounts):
        super().__init__(stage.directory / name, accounts, start=False)
        runtime = stage.directory / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        self.environment = {"HOME": self.directory, "XDG_RUNTIME_DIR": str(runtime)}
        for variable, path in (("XDG_STATE_HOME", self.state), ("XDG_CACHE_HOME", self.cache)):
            self.environment[variable] = path
        self.state, self.cache = self.state + "/exbridge", self.cache + "/exbridge"
        self.control_path = os.path.join(self.state, "control.sock")

    def write_config(self):
        super().write_config()
        with open(self.config_path) as file:
            text = re.sub(r"(state|cache)-dir = .*\n", "", file.read())
        with open(self.config_path, "w") as file:
            file.write(text)

    def ask(self, *words, config=None):
        return call(*words, "-c", config or self.config_path, env={**os.environ, **self.environment})


def test_two_daemons_of_one_user(stage):
    """Each is asked by its own configuration, the first one also after the second has started and ended."""
    one, other = AtHome(stage, "one", account(stage, "first")), AtHome(stage, "other", account(stage, "second"))
    for bridge in (one, other):
        bridge.start()
        stage.bridges.append(bridge)
    for bridge, name in ((one, "first"), (other, "second")):
        text = bridge.ask("status").stdout
        assert f"process {bridge.process.pid} " in text and f"\n{name} (" in text, text
    other.stop()
    assert f"process {one.process.pid} " in one.ask("status").stdout
    done = other.ask("status")
    assert done.returncode == 69 and done.stdout.startswith("exbridge is not running; to start it: ")


def test_a_daemon_of_another_configuration(stage):
    """Two files, one state directory: the one that runs is not asked in the name of the other, by whatever command."""
    bridge = AtHome(stage, "one", account(stage))
    bridge.start()
    stage.bridges.append(bridge)
    copy, link = os.path.join(bridge.directory, "copy.conf"), os.path.join(bridge.directory, "link.conf")
    shutil.copy(bridge.config_path, copy)
    os.symlink("exbridge.conf", link)
    text = f"exbridge is not running with this configuration; the one that runs with its state directory (process {bridge.process.pid}) has "
    done = bridge.ask("status", config=copy)
    assert done.returncode == 69 and done.stdout.startswith(text + bridge.config_path + "\n"), done
    assert json.loads(bridge.ask("status", "--json", config=copy).stdout)["running"] is False
    for words in (["reload"], ["resync", "work"], ["trace", "work"]):
        done = bridge.ask(*words, config=copy)
        assert done.returncode == 69 and text in done.stderr, done
    assert text in bridge.ask("doctor", config=copy).stdout
    assert bridge.ask("status", config=link).returncode in (0, 75)
    os.chdir(bridge.directory)
    assert f"process {bridge.process.pid} " in bridge.ask("status", config="exbridge.conf").stdout
    os.replace(copy, bridge.config_path)  # an editor has saved it
    assert f"process {bridge.process.pid} " in bridge.ask("status").stdout
    assert bridge.ask("reload", config=link).returncode == 0
