# SPDX-License-Identifier: Apache-2.0
"""The search for secrets finds them: one is planted in each kind of place, wrapped in each way, in each rig."""
import base64
import contextlib
import http.client
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import urllib.parse

import bridge as rig
import canary
import pytest
from bridge import LOCAL_PASSWORD, PASSWORD, ROOT, USER, Account, poll

SECRET, CONTENT = "canary-p/anted+1=", "canary-content-33e1"
FLOCK = canary.Flock(SECRET, content=[CONTENT])
WRAPPED = {
    "plain": SECRET.encode(),
    "in an address": urllib.parse.quote(SECRET, safe="").encode(),
    "hex": SECRET.encode().hex().encode(),
    "utf-16": SECRET.encode("utf-16-le"),
    **{f"base64 after {n}": base64.b64encode(b"alice:"[:n] + SECRET.encode() + b"xyz"[:n]) for n in range(4)},
    **{f"base64url after {n}": base64.urlsafe_b64encode(b"alice:"[:n] + SECRET.encode() + b"xyz"[:n]) for n in range(4)},
}


@contextlib.contextmanager
def found(*texts):
    with pytest.raises(AssertionError) as caught:
        yield
    for text in texts:
        assert text in str(caught.value), caught.value


@pytest.mark.parametrize("how", WRAPPED)
def test_wrapped(tmp_path, how):
    with found("in the output"):
        FLOCK.check_text(b"before " + WRAPPED[how] + b" after", "the output")
    FLOCK.check_text(b"before" + base64.b64encode(b"canary-planted-2") + b"after", "the output")  # and nothing else is


@pytest.mark.parametrize("place", ["logs", "state", "cache", "config"])
@pytest.mark.parametrize("how", ["file", "deep", "name", "folder", "link"])
def test_files(tmp_path, place, how):
    top = tmp_path / "top"
    deep = top / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "innocent").write_bytes(b"x" * 100000)
    FLOCK.check_places(**{place: [str(top)]})
    name = SECRET.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D")
    if how == "file":
        (top / "file").write_text("x" * 5000 + SECRET)
    elif how == "deep":
        (deep / "file").write_text(SECRET)
    elif how == "name":
        (deep / name).write_text("")
    elif how == "folder":
        (deep / name).mkdir()
    else:
        (deep / "link").symlink_to("/nowhere/" + SECRET)
    with found(repr(SECRET)):
        FLOCK.check_places(**{place: [str(top)]})


@pytest.mark.parametrize("place, secret", [("logs", True), ("state", True), ("config", True), ("cache", False)])
def test_content(tmp_path, place, secret):
    """What messages say belongs into the cache, and nowhere else."""
    (tmp_path / "file").write_text(CONTENT)
    with found(CONTENT) if secret else contextlib.nullcontext():
        FLOCK.check_places(**{place: [str(tmp_path)]})


@pytest.mark.parametrize("place, script", [
    ("cmdline", 'exec sh -c "sleep 600; :" "$it"'),  # on its own command line
    ("cmdline", 'sh -c "sleep 600; :" "$it" & wait'),  # on that of a child
    ("cmdline", '(sh -c "sleep 600; :" "$it" & wait) & wait'),  # of a child's child
    ("environ", 'exec env PLANTED="$it" sleep 600'), ("environ", 'PLANTED="$it" sleep 600 & wait')])
def test_processes(place, script):
    """The script reads the secret, so that it stands in one place alone, and stays there."""
    program = subprocess.Popen(["/bin/sh", "-c", "read -r it; " + script], stdin=subprocess.PIPE, start_new_session=True)
    try:
        FLOCK.check_processes(program.pid)
        program.stdin.write(SECRET.encode() + b"\n")
        program.stdin.close()

        def seen():
            try:
                FLOCK.check_processes(program.pid)
            except AssertionError as e:
                return f"{place} of process" in str(e)
            return False

        assert poll(60, seen)
    finally:
        os.killpg(program.pid, 9)
        program.wait()


def test_status(tmp_path):
    """A daemon that tells too much."""
    path = str(tmp_path / "control.sock")
    assert canary.ask_status(path) is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            for answer in ('{"ok":true}\n', '{"ok":true,"answer":{"text":"%s"}}\n' % SECRET):
                client, _ = listener.accept()
                client.recv(100)
                client.sendall(answer.encode())
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        FLOCK.check_running(os.getpid(), path)
        with found("in status"):
            FLOCK.check_running(os.getpid(), path)
        thread.join()


def test_requests(stage):
    server = stage.exchange()
    ask = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    ask.request("GET", "/autodiscover/autodiscover.xml?a=b")
    ask.getresponse().read()
    FLOCK.check_requests(server)
    ask.request("GET", "/autodiscover/autodiscover.xml?code=" + urllib.parse.quote(SECRET, safe=""))
    ask.getresponse().read()
    with found("address of a request"):
        FLOCK.check_requests(server)


# ---- the rigs ----


def load(path, name):
    """A rig of another folder."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(ROOT, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rig_of(folder):
    """Its class for the program, and its stage."""
    sys.path.append(os.path.join(ROOT, "tests", folder))
    try:
        return load(f"tests/{folder}/rig.py", f"{folder}_rig")
    finally:
        sys.path.pop()


def make_bridge(name, tmp_path, server):
    if name == "auth":
        auth = rig_of("auth")
        bridge = auth.Bridge(str(tmp_path / "bridge"), [Account("work", server)], start=False)
        bridge.accounts[0].keys["password-file"] = bridge.secret("password", PASSWORD)
        bridge.start()
        return bridge
    return rig.Bridge(str(tmp_path / "bridge"), [Account("work", server)])


@pytest.fixture(scope="module")
def server(module_stage):
    return module_stage.exchange("--corpus", "1")


@pytest.mark.parametrize("name", ["clients", "auth"])
@pytest.mark.parametrize("place", ["log", "state", "cache", "environ"])
def test_rigs(tmp_path, server, name, place):
    """clients serves smtp, caldav, service, servers and bench, too."""
    bridge = make_bridge(name, tmp_path, server)
    try:
        poll(60, lambda: os.path.isdir(bridge.cache))
        path = {"log": bridge.log_path, "state": bridge.state + "/new", "cache": bridge.cache + "/new"}.get(place)
        if path:
            with open(path, "ab") as file:
                file.write(base64.b64encode(f"{USER}:{PASSWORD}".encode()))
        else:
            bridge.canaries.append(os.path.basename(bridge.config_path))  # which the command line has
        with found("stands in"):
            bridge.finish()
        assert bridge.process is None
    finally:
        if bridge.process:
            bridge.kill()


def test_answers(tmp_path, server):
    """What mail programs hear, over each protocol."""
    from davtest import Dav
    from smtptest import Smtp

    bridge = rig.Bridge(str(tmp_path / "bridge"), [Account("work", server)], dav=True)
    try:
        imap = bridge.login("work")
        smtp = Smtp(bridge)
        bridge.canaries += ["completed", "PIPELINING", "multistatus"]  # as if those were secrets
        with found("completed"):
            imap.ok("NOOP")
        with found("PIPELINING"):
            smtp.do("EHLO client.test")
        with found("multistatus"):
            Dav(bridge).propfind("/dav/", "<D:displayname/>")
    finally:
        bridge.kill()


@pytest.mark.parametrize("path, name", [("tests/ews/driver.py", "ews_rig"), ("tests/eas/easdriver.py", "eas_rig")])
def test_backends(tmp_path, server, path, name):
    """The backends alone, whose log is the driver's."""
    driver = load(path, name).Driver(server.url if name == "ews_rig" else server.eas_url, str(tmp_path), user=USER, password=PASSWORD)
    with open(tmp_path / "stderr", "ab") as log:
        log.write(b"Authorization: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()))
    with found("stands in the log"):
        driver.stop()


def test_imap_rig(tmp_path):
    server = rig.imaptest.Server(tmp_path, folders=False)
    with open(tmp_path / "stderr", "ab") as log:
        log.write(rig.imaptest.PASSWORD.encode())
    with found("stands in the log"):
        server.stop()


def test_commands(tmp_path, monkeypatch):
    from test_program import call

    call("--version")
    program = tmp_path / "exbridge"
    program.write_text(f"#!/bin/sh\necho {LOCAL_PASSWORD} >&2\n")
    program.chmod(0o700)
    monkeypatch.setenv("EXBRIDGE", str(program))
    with found(LOCAL_PASSWORD):
        call("status")


@pytest.mark.parametrize("where", ["output", "config", "state", "log", "tool"])
def test_setup_rig(tmp_path, monkeypatch, where):
    setup = rig_of("setup")
    world = setup.World(tmp_path / "world", setup.Kit(tmp_path))
    home = setup.Home(world)
    home.run("--version")
    home.stop()
    secret = setup.PASSWORD
    if where in ("config", "state"):
        path = home.config if where == "config" else home.state + "/file"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(f"password = {secret}\n")
    script = {"output": f"echo {secret}", "tool": f"secret-tool lookup {secret} || true", "log": f'trap "exit 0" TERM; echo ready: {secret}; while :; do sleep 0.1; done'}
    program = tmp_path / "exbridge"
    program.write_text("#!/bin/sh\n" + script.get(where, "true") + "\n")
    program.chmod(0o700)
    monkeypatch.setenv("EXBRIDGE", str(program))
    with found(secret):
        if where == "log":
            home.start()
        else:
            home.run("setup")
        home.stop()
    world.finish()
