# SPDX-License-Identifier: Apache-2.0
"""Reading the configuration again under a running bridge: what has not changed is not disturbed, a bad file changes nothing."""
import os
import signal
import socket
import ssl

import bridge as rig
import pytest
from bridge import LOCAL_PASSWORD, Account, poll
from test_program import account, call


def reload(bridge, write=True):
    if write:
        bridge.write_config()
    return call("reload", "-c", bridge.config_path)


def names(bridge):
    return [line.split(" ")[0] for line in call("status", "-c", bridge.config_path).stdout.splitlines() if "@" in line]


def text_of(bridge):
    with open(bridge.config_path) as file:
        return file.read()


def put(bridge, text):
    with open(bridge.config_path, "w") as file:
        file.write(text)


def test_added_removed_changed(stage):
    bridge = stage.bridge(account(stage, "stays"), account(stage, "goes"), account(stage, "changes"))
    stays, goes, changes = (bridge.login(name) for name in ("stays", "goes", "changes"))
    for client in (stays, goes, changes):
        client.open()
    idle = stays.idle()

    bridge.accounts = [bridge.accounts[0], account(stage, "comes"), account(stage, "changes", expunge="permanent")]
    result = reload(bridge)
    assert result.returncode == 0, result
    assert result.stdout == "the configuration was read again\nadded: comes\nremoved: goes\nchanged: changes\n"
    assert b"BYE The account's configuration has changed; please connect again." in goes.closed()
    assert b"* BYE" in changes.closed()
    bridge.clients = [stays]
    bridge.login("comes").open()
    poll(60, lambda: "opened again with its new configuration" in bridge.log())
    bridge.login("changes").open()
    bridge.connect().no(f'LOGIN goes "{LOCAL_PASSWORD}"')
    assert names(bridge) == ["stays", "comes", "changes"]
    assert os.path.exists(os.path.join(bridge.account_dir("goes"), "state.db"))

    stage.exchanges[0].deliver(subject="while all that was going on")
    stays.wait_line(rb"\* 4 EXISTS")
    stays.done(idle)

    assert reload(bridge).stdout == "the configuration was read again\n"  # nothing to do
    stays.ok("NOOP")


def test_uids_outlive_a_change(stage):
    bridge = stage.bridge(account(stage))
    client = bridge.login("work")
    before, uids = client.open(), client.uids()
    for permanent in ("permanent", "recoverable"):
        bridge.accounts[0].keys["expunge"] = permanent
        assert "changed: work" in reload(bridge).stdout
        assert b"* BYE" in client.closed()
        client = poll(60, lambda: sign_in(bridge))
        assert (client.open()["uidvalidity"], client.uids()) == (before["uidvalidity"], uids)


def sign_in(bridge, name="work"):
    """A session, or None while the account is being changed: that must never look like a wrong password."""
    client = bridge.connect()
    status = client.run(f'LOGIN {name} "{LOCAL_PASSWORD}"')[0]
    assert status.startswith("OK") or "[UNAVAILABLE]" in status, status
    return client if status.startswith("OK") else None


@pytest.mark.parametrize("how", ["reload", "SIGHUP"])
def test_bad_file_is_kept_out(stage, how):
    bridge = stage.bridge(account(stage))
    client = bridge.login("work")
    good = text_of(bridge)
    put(bridge, good.replace("backend = ews", "backend = imap").replace("[account", "colour = blue\n[account"))
    if how == "reload":
        result = reload(bridge, write=False)
        assert result.returncode == 78
        assert "unknown key 'colour'" in result.stderr and "backend: must be one of: ews, eas" in result.stderr
        put(bridge, good.replace("prefetch = none", "prefetch = much"))
    bridge.process.send_signal(signal.SIGHUP)
    poll(60, lambda: bridge.log_lines("run: the configuration has mistakes and was not taken over; it goes on as before"))
    assert bridge.log_lines(r"error run: .*exbridge.conf:\d+: (prefetch|backend): must be one of: ")
    client.ok("NOOP")
    bridge.login("work").open()
    put(bridge, good)
    bridge.process.send_signal(signal.SIGHUP)
    poll(60, lambda: bridge.log_lines("run: configuration read again; accounts added: none; removed: none; changed: none"))
    client.ok("NOOP")


def test_what_needs_a_restart(stage):
    bridge = stage.bridge(account(stage))
    good = text_of(bridge)
    put(bridge, good.replace("cache-dir = ", "cache-dir = /tmp"))
    result = reload(bridge, write=False)
    assert result.returncode == 78 and "secret-store cannot change while exbridge runs; restart it" in result.stderr
    put(bridge, good.replace("state-dir = ", "state-dir = /tmp"))
    result = reload(bridge, write=False)
    assert result.returncode == 69 and "one that runs with another state-dir cannot be found with this file: restart it" in result.stderr
    put(bridge, good + "\n[limits]\nimap-line = 32K\n")
    result = reload(bridge, write=False)
    assert result.returncode == 0 and "[limits] count from the next start" in result.stderr


def test_ports_move(stage):
    bridge = stage.bridge(account(stage))
    client = bridge.login("work")
    old = bridge.port
    bridge.port = rig.free_port()
    assert reload(bridge).returncode == 0
    bridge.login("work").open()
    client.ok("NOOP")  # connections live on
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old), timeout=10)

    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        here, bridge.port = bridge.port, squatter.getsockname()[1]
        result = reload(bridge)
        assert result.returncode == 0 and "is taken by a process of uid" in result.stderr
        assert "the listeners stay as they were" in result.stderr
        bridge.port = here
        bridge.login("work").open()
    assert f"imap on port {here} " in call("status", "-c", bridge.config_path).stdout


def test_tls_is_turned_on_and_off(stage):
    bridge = stage.bridge(account(stage), tls=False)
    bridge.login("work").open()
    for tls in (True, False):
        bridge.tls = tls
        assert reload(bridge).returncode == 0
        bridge.login("work").open()
        if tls:
            with socket.create_connection(("127.0.0.1", bridge.port)) as plain:
                plain.settimeout(30)
                plain.sendall(b"a NOOP\r\n")
                assert b"OK" not in plain.recv(100)
        else:
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                context = ssl.create_default_context(cafile=bridge.ca_file)
                context.wrap_socket(socket.create_connection(("127.0.0.1", bridge.port)), server_hostname="localhost")


def test_change_under_way_is_answered_first(stage):
    server = stage.exchange("--corpus", "3")
    bridge = stage.bridge(Account("work", server))
    client = bridge.login("work")
    client.open()
    uid = client.uids()[0]
    server.fault(op="UpdateItem", delay_s=2)
    tag = client.tag()
    mark = server.mark()
    client.send(f"{tag} UID STORE {uid} +FLAGS (\\Flagged)\r\n")
    poll(60, lambda: server.log(mark, op="UpdateItem") or server.counts(mark).get("UpdateItem"))
    bridge.accounts[0].keys["expunge"] = "permanent"
    assert "changed: work" in reload(bridge).stdout
    assert client.finish(tag)[0].startswith("OK")
    assert b"* BYE" in client.closed()
    client = poll(60, lambda: sign_in(bridge))
    client.open()
    assert "\\Flagged" in client.flags(uid)[uid]


def test_shared_login_is_one(stage):
    """Accounts of one [login] section that come later share its guard and its password."""
    server = stage.exchange("--corpus", "3")
    bridge = stage.bridge(Account("work", server))
    login = f'\n[login "corp"]\nuser = {rig.USER}\nauth = basic\npassword-command = echo x >> {bridge.directory}/asked; cat {bridge.directory}/password-work\n'
    section = ('\n[account "{0}"]\nemail = {0}@bridge.test\nbackend = ews\nurl = ' + server.url
               + f"\nlogin = corp\nlocal-password-file = {bridge.directory}/local-password\n")
    base = text_of(bridge)
    put(bridge, base + login + section.format("one"))
    assert "added: one" in reload(bridge, write=False).stdout
    bridge.login("one").open()
    put(bridge, base + login + section.format("one") + section.format("two"))
    assert "added: two" in reload(bridge, write=False).stdout
    bridge.login("two").open()
    put(bridge, base + login.replace("basic", "ntlm") + section.format("one") + section.format("two"))
    assert "changed: one, two" in reload(bridge, write=False).stdout
    put(bridge, base)
    assert "removed: one, two" in reload(bridge, write=False).stdout
    poll(60, lambda: names(bridge) == ["work"])


def test_account_that_was_broken_is_opened(stage):
    bridge = stage.bridge(account(stage, "good"), account(stage, "bad"), start=False)
    os.makedirs(os.path.join(bridge.state, "accounts"), mode=0o700)
    os.chmod(bridge.state, 0o700)
    with open(bridge.account_dir("bad"), "w"):
        pass
    bridge.start()
    os.unlink(bridge.account_dir("bad"))
    assert "changed: bad" in reload(bridge).stdout
    poll(60, lambda: "opened again" in bridge.log())
    bridge.login("bad").open()


def test_many_reloads_at_once(stage):
    """Back and forth while clients come and go; the end counts."""
    bridge = stage.bridge(account(stage, "work"), account(stage, "other"))
    for i in range(12):
        bridge.accounts[1].keys["expunge"] = "permanent" if i % 2 else "recoverable"
        if i % 3 == 2:
            gone = bridge.accounts.pop()
            assert reload(bridge).returncode == 0
            bridge.accounts.append(gone)
        assert reload(bridge).returncode == 0
        bridge.connect().send("a LOGIN other " + LOCAL_PASSWORD + "\r\nb SELECT INBOX\r\n")
    poll(60, lambda: names(bridge) == ["work", "other"])
    poll(60, lambda: sign_in(bridge, "other")).open()


# ---- sockets from the service manager ----

ACTIVATE = """
import os, sys
fds = [int(n) for n in sys.argv[1].split(",")]
for i, fd in enumerate(fds):
    os.dup2(fd, 100 + i)
for i in range(len(fds)):
    os.dup2(100 + i, 3 + i)
    os.close(100 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES="x")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(stage, monkeypatch):
    held = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        s = socket.socket(family)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind((address, held[0].getsockname()[1] if held else 0))
        s.listen()
        s.set_inheritable(True)
        held.append(s)
    spare = socket.create_server(("127.0.0.1", 0))
    spare.set_inheritable(True)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # ListenDatagram=, by mistake
    udp.bind(held[0].getsockname())
    udp.set_inheritable(True)
    original = rig.subprocess.Popen
    monkeypatch.setattr(rig.subprocess, "Popen", lambda *a, **k: original(*a, close_fds=False, **k))
    fds = ",".join(str(s.fileno()) for s in (udp, *held, spare))
    bridge = stage.bridge(account(stage), start=False, command=["/usr/bin/python3", "-c", ACTIVATE, fds])
    bridge.port = held[0].getsockname()[1]
    early = socket.create_connection(("127.0.0.1", bridge.port))  # before there is anybody
    bridge.start()
    context = ssl.create_default_context(cafile=bridge.ca_file)
    early.settimeout(30)
    early = context.wrap_socket(early, server_hostname="localhost")
    assert early.recv(100).startswith(b"* OK")
    early.close()
    bridge.login("work").open()
    with socket.create_connection(("::1", bridge.port)) as six:
        assert context.wrap_socket(six, server_hostname="localhost").recv(100).startswith(b"* OK")
    port = spare.getsockname()[1]
    assert bridge.log_lines(f"the socket of 127.0.0.1 port {port} that the service manager holds is in no line")
    assert bridge.log_lines("the socket of [?] port 0 that the service manager holds is in no line")
    bridge.tls = False  # listeners are made again, on the same sockets
    assert reload(bridge).returncode == 0
    bridge.login("work").open()
    for s in (udp, *held, spare):
        s.close()
