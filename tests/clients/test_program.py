# SPDX-License-Identifier: Apache-2.0
"""The program as its service manager and its user meet it: command line, configuration, start, signals, certificates, files."""
import os
import signal
import socket
import ssl
import stat
import subprocess

import bridge as rig
import canary
import pytest
from bridge import LOCAL_PASSWORD, PASSWORD, Account, poll


def call(*args, **kwargs):
    done = subprocess.run(
        [rig.program(), *args], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **kwargs
    )
    canary.Flock(PASSWORD, LOCAL_PASSWORD).check_text(done.stdout + done.stderr, f"the output of {args}")
    return done


def account(stage, name="work", **keys):
    if not stage.exchanges:
        stage.exchange("--corpus", "3")
    return Account(name, stage.exchanges[0], **keys)


def unstarted(stage):
    """A bridge that is not expected to come up."""
    return rig.Bridge(os.path.join(str(stage.directory), "bridge"), [account(stage)], start=False)


def modes(top):
    for folder, folders, names in os.walk(top):
        for name in [folder, *(os.path.join(folder, n) for n in names)]:
            yield name, stat.S_IMODE(os.lstat(name).st_mode)


# ---- command line and configuration ----


def test_help_and_version():
    assert "usage: exbridge" in call("--help").stdout
    assert call("--version").stdout.startswith("exbridge 0.")
    for args in ([], ["fly"], ["run", "now"], ["run", "-c"], ["check-config", "-c", "x", "-c", "y"]):
        result = call(*args)
        assert result.returncode == 64 and "exbridge: " in result.stderr, args


def test_check_config(tmp_path):
    path = tmp_path / "x.conf"
    path.write_text(
        '[server]\nimaps = 1\n[account "work"]\nemail = alice@example.com\nbackend = ewss\n'
        "url = https://mail.example.com/EWS/Exchange.asmx\nauth = basic\npassword = geheim\nlocal-auth = passthrough\n"
    )
    result = call("check-config", "-c", str(path))
    assert result.returncode == 78
    assert f"{path}:2: unknown key 'imaps'" in result.stderr
    assert f"{path}:5: backend: must be one of: ews, eas" in result.stderr
    assert f"{path}:8: unknown key 'password'" in result.stderr
    assert "geheim" not in result.stderr
    good = path.read_text().replace("imaps", "imap").replace("ewss", "ews").replace("password = geheim\n", "")
    path.write_text(good)
    result = call("check-config", "-c", str(path))
    assert (result.returncode, result.stderr) == (0, "") and "fine, 1 account" in result.stdout
    path.chmod(0o666)
    assert "chmod go-w" in call("check-config", "-c", str(path)).stderr
    assert call("run", "-c", str(path)).returncode == 78
    path.chmod(0o600)
    path.write_text(good.replace("basic", "oauth").replace("passthrough", "password\nlocal-password-file = /x"))
    assert "auth = oauth needs oauth-client-id" in call("check-config", "-c", str(path)).stderr


def test_default_path(tmp_path):
    env = dict(os.environ, HOME=str(tmp_path))
    env.pop("XDG_CONFIG_HOME", None)
    assert f"{tmp_path}/.config/exbridge/exbridge.conf: No such file" in call("check-config", env=env).stderr
    env["XDG_CONFIG_HOME"] = str(tmp_path / "cfg")
    assert f"{tmp_path}/cfg/exbridge/exbridge.conf: No such file" in call("check-config", env=env).stderr


# ---- start and end ----


def test_one_instance(stage):
    bridge = stage.bridge(account(stage))
    result = call("run", "-c", bridge.config_path)
    assert (
        result.returncode == 75 and f"running already with {bridge.state} (pid {bridge.process.pid})" in result.stderr
    )
    bridge.kill()  # the lock does not outlive the process
    bridge.start()


def test_port_is_taken(stage):
    bridge = unstarted(stage)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        bridge.port = squatter.getsockname()[1]
        bridge.write_config()
        result = call("run", "-c", bridge.config_path)
    assert result.returncode == 75
    assert f"port {bridge.port} on 127.0.0.1 is taken by a process of uid {os.geteuid()}" in result.stderr
    assert "ready" not in result.stderr


def test_a_bad_account_does_not_stop_the_others(stage):
    bridge = stage.bridge(account(stage, "good"), account(stage, "bad"), start=False)
    os.makedirs(bridge.state, mode=0o700)
    os.makedirs(os.path.join(bridge.state, "accounts"), mode=0o700)
    with open(bridge.account_dir("bad"), "w"):
        pass  # a file where the directory should be
    bridge.start()
    assert "1 of 2 accounts" in bridge.log()
    assert bridge.log_lines(r"error account\[bad\]")
    bridge.login("good")
    client = bridge.connect()
    client.no(f'LOGIN bad "{LOCAL_PASSWORD}"')


def test_ready_and_stopping_are_told(stage, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(30)
        bridge = stage.bridge(
            account(stage), start=False, command=["env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=200000"]
        )
        bridge.start()
        told = [manager.recv(100)]
        while told[-1] == b"WATCHDOG=1":
            told.append(manager.recv(100))
        assert told[-1] == b"READY=1"
        assert manager.recv(100) == b"WATCHDOG=1"
        bridge.process.send_signal(signal.SIGTERM)
        while manager.recv(100) != b"STOPPING=1":
            pass
        assert bridge.process.wait(60) == 0
        bridge.process = None


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_end_is_quick_and_said(stage, how):
    bridge = stage.bridge(account(stage))
    clients = [bridge.login("work") for _ in range(5)] + [bridge.connect()]
    bridge.process.send_signal(how)
    assert bridge.process.wait(60) == 0  # the clients do nothing: they are given three seconds, and not waited for
    bridge.process = None
    for client in clients:
        assert client.closed().startswith(b"* BYE")


# ---- who may come in, and how ----


def test_files_are_ours_alone(stage):
    old = os.umask(0)
    try:
        bridge = stage.bridge(account(stage))
    finally:
        os.umask(old)
    bridge.login("work").ok("SELECT INBOX")
    seen = [pair for top in (bridge.state, bridge.cache) for pair in modes(top)]
    assert len(seen) > 6
    assert not [pair for pair in seen if pair[1] & 0o077]


def test_state_directory_of_others(stage):
    bridge = unstarted(stage)
    os.makedirs(bridge.state)
    os.chmod(bridge.state, 0o777)
    bridge.write_config()
    result = call("run", "-c", bridge.config_path)
    assert result.returncode == 78 and "chmod go-w" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_other_users_see_nothing(stage):
    bridge = stage.bridge(account(stage), tls=False)
    script = (
        "import os, socket, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=20)\n"
        "try: data = s.recv(100)\n"
        "except ConnectionResetError: data = b''\n"
        "sys.exit(1 if data else 0)\n"
    )
    assert subprocess.run(["/usr/bin/python3", "-c", script, str(bridge.port)], timeout=60).returncode == 0
    assert bridge.log_lines("refused a connection from a process of uid 65534")
    assert b"OK" in bridge.connect().greeting


def handshake(bridge, alpn=None, version=None):
    context = ssl.create_default_context(cafile=bridge.ca_file)
    if alpn:
        context.set_alpn_protocols(alpn)
    if version:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", bridge.port), timeout=30) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            return tls.getpeercert(True), tls.recv(4)


def test_tls(stage):
    bridge = stage.bridge(account(stage))
    assert handshake(bridge)[1] == b"* OK"
    assert handshake(bridge, alpn=["imap"])[1] == b"* OK"
    for alpn in (["http/1.1"], ["h2", "http/1.1"]):  # a browser
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            handshake(bridge, alpn=alpn)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(bridge, version=ssl.TLSVersion.TLSv1_1)
    with socket.create_connection(("::1", bridge.port), timeout=30):
        pass


def test_new_certificate_without_restart(stage):
    bridge = stage.bridge(account(stage))
    old = bridge.login("work")
    before = handshake(bridge)[0]
    os.unlink(os.path.join(bridge.state, "certs", "localhost.pem"))
    bridge.process.send_signal(signal.SIGHUP)
    poll(60, lambda: handshake(bridge)[0] != before)
    old.ok("NOOP")
    # A restart keeps it, and the CA that clients trust.
    now = handshake(bridge)[0]
    with open(bridge.ca_file, "rb") as file:
        ca = file.read()
    bridge.restart()
    assert handshake(bridge)[0] == now
    with open(bridge.ca_file, "rb") as file:
        assert file.read() == ca


def test_missing_ca_is_an_error(stage):
    bridge = stage.bridge(account(stage))
    bridge.stop()
    os.unlink(os.path.join(bridge.state, "certs", "ca.pem"))
    result = call("run", "-c", bridge.config_path)
    assert result.returncode == 78 and "ca.pem is missing" in result.stderr


# ---- signing in ----


def test_passthrough(stage):
    exchange = stage.exchange("--corpus", "3")
    bridge = stage.bridge(Account("work", exchange, local_auth="passthrough"))
    client = bridge.connect()
    client.no('LOGIN work "canary-wrong-1"')
    client = bridge.login("work", PASSWORD)
    client.ok("SELECT INBOX")
    bridge.login("work@bridge.test", PASSWORD)
    # What was refused once is not tried again, whoever asks.
    refused = [e for e in exchange.log() if e["status"] == 401]
    client = bridge.connect()
    client.no('LOGIN work "canary-wrong-1"')
    assert len([e for e in exchange.log() if e["status"] == 401]) == len(refused)


def test_wrong_password_at_the_server_is_asked_once(stage):
    """Twenty clients, a stale password: the account must not be locked at the server."""
    exchange = stage.exchange("--corpus", "3")
    bridge = stage.bridge(Account("work", exchange, password="canary-stale-5"))
    poll(60, lambda: bridge.log_lines("refused"))
    for _ in range(20):
        bridge.login("work").run("SELECT INBOX")
    assert len([e for e in exchange.log() if e["status"] == 401]) <= 3


def test_password_command(stage):
    exchange = stage.exchange("--corpus", "3")
    path = stage.directory / "password"
    path.write_text(PASSWORD + "\n")
    bridge = stage.bridge(Account("work", exchange, password_command=f"cat {path}; echo second line; exit 0"))
    bridge.login("work").ok("SELECT INBOX")
