# SPDX-License-Identifier: Apache-2.0
"""password-command, token-command, password-file: right, slow, failing, too long, hanging. No secret is ever told."""
import os

import pytest
import rig
from rig import BEARER, PASSWORD, poll, status, wait_state


def make(stage, start=True, auth="basic", **keys):
    """{secret} in a command: the file that has it, for what stands on a command line is everybody's."""
    server = stage.exchange("--corpus", "3")
    bridge = stage.bridge(rig.Account("work", server, auth=auth), start=False)
    path = bridge.secret("secret", PASSWORD)
    bridge.accounts[0].keys.update({key.replace("_", "-"): value.replace("{secret}", path) for key, value in keys.items()})
    return server, bridge.start() if start else bridge


def read_all(bridge):
    imap = bridge.login("work")
    imap.open("INBOX")
    assert len(imap.bodies("1:*")) == 3
    imap.close()


def test_slow_command_is_run_once(stage):
    """While somebody types a passphrase, say: all requests wait for the one answer."""
    asked = os.path.join(str(stage.directory), "asked")
    server, bridge = make(stage, password_command=f"echo x >> {asked}; sleep 1; tr '\\n' '\\r' <{{secret}}; printf '\\nsecond line\\r\\n'")
    imap = bridge.login("work")  # the local password needs no server
    imap.close()
    read_all(bridge)
    assert open(asked).read() == "x\n"
    assert not [e for e in server.log() if e["status"] == 401]


@pytest.mark.parametrize(
    "command,told",
    [
        ("cat {secret}; exit 3", "exit status 3"),
        ("nobody-has-this-command 2>/dev/null", "127"),
        ("awk '{ while (1) print }' {secret}", ""),
        ("head -c 200000 /dev/zero | tr '\\0' x; cat {secret}", ""),
        ("true", "gave no password"),
        ("echo; cat {secret}", "gave no password"),
        ("kill -9 $$; cat {secret}", ""),
    ],
)
def test_failing_command(stage, command, told):
    server, bridge = make(stage, password_command=command)
    poll(60, lambda: status(bridge)["text"], bridge.tail)
    text = status(bridge)["text"]
    assert "work" in text and "password-command" in text and told in text, text
    done = bridge.cli("login", "work")
    assert done.returncode != 0 and "password-command" in done.stderr, done.stderr
    assert not [e for e in server.log() if e["authorization"]]
    bridge.accounts[0].keys["password-command"] = f"cat {bridge.secret('secret', PASSWORD)}"  # and mended
    bridge.write_config()
    assert bridge.cli("reload").returncode == 0
    poll(60, lambda: status(bridge)["state"] in ("online", "syncing"), bridge.tail)
    read_all(bridge)


def test_hanging_command_ends_with_the_bridge(stage):
    pid_file = os.path.join(str(stage.directory), "pid")
    server, bridge = make(stage, password_command=f"echo $$ > {pid_file}; sleep 1000; cat {{secret}}")
    poll(60, lambda: os.path.exists(pid_file) and open(pid_file).read().strip(), bridge.tail)
    pid = int(open(pid_file).read())
    imap = bridge.login("work")
    imap.send("a1 SELECT INBOX\r\n")  # waits, and holds nobody else up
    other = bridge.login("work")
    other.ok("NOOP")
    assert server.log() == []
    bridge.stop()
    poll(60, lambda: not os.path.exists(f"/proc/{pid}"), "the command outlives the bridge")


@pytest.mark.parametrize("what,told", [("open", "chmod 600"), ("missing", "password-file"), ("folder", "password-file"), ("empty", "gave no password")])
def test_unusable_file(stage, what, told):
    server, bridge = make(stage, start=False)
    path = bridge.secret("secret", PASSWORD if what == "open" else "")
    bridge.accounts[0].keys["password-file"] = path
    if what == "open":
        os.chmod(path, 0o640)
    if what in ("missing", "folder"):
        os.unlink(path)
    if what == "folder":
        os.mkdir(path)
    bridge.start()
    poll(60, lambda: status(bridge)["text"], bridge.tail)
    assert told in status(bridge)["text"] and server.log() == []
    if what == "folder":
        os.rmdir(path)
    bridge.secret("secret", PASSWORD)
    os.chmod(path, 0o600)
    assert bridge.cli("login", "work").returncode == 0
    read_all(bridge)


def test_token_command(stage):
    """A token of another program; a new one is asked for when the server does not take it any more."""
    server = stage.exchange("--corpus", "3", auth_schemes=BEARER)
    first = stage.bridge(rig.oauth_account("work", server), name="first", start=False)
    first.write_config()
    rig.sign_in(first, "work")
    token = server.oauth()["secrets"][0]
    bridge = stage.bridge(rig.Account("work", server, auth="token-command"), start=False)
    path = bridge.secret("token", token)
    bridge.accounts[0].keys["token-command"] = f"cat {path}"
    bridge.start()
    read_all(bridge)
    server.oauth("expire")
    bridge.restart()
    told = wait_state(bridge, "work", "needs-login")
    assert "refused" in told and "exbridge login work" in told, told
    assert len([e for e in server.log() if e["protocol"] == "ews" and e["status"] == 401 and e["authorization"]]) <= 2


def test_stored_password(stage):
    server, bridge = make(stage, start=False)
    bridge.write_config()
    assert bridge.cli("login", "work", text="canary-not-this-one\n").returncode == 77
    bridge.canaries.append("canary-not-this-one")
    assert bridge.cli("login", "work", text=PASSWORD + "\n").returncode == 0
    bridge.start()
    read_all(bridge)
