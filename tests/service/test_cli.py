# SPDX-License-Identifier: Apache-2.0
"""What all commands have in common: words, flags, help, exit status; and the control socket as a file."""
import json
import os
import re
import socket
import stat
import subprocess

import bridge as rig
import pytest
from bridge import poll
from test_program import account, call


@pytest.mark.parametrize("words, text", [
    ([], "a command is missing; see exbridge --help"),
    (["fly"], "there is no command fly; see exbridge --help"),
    (["stauts"], "there is no command stauts (did you mean status?); see exbridge --help"),
    (["-c", "x", "status"], "-c: the command comes first, as in exbridge status -c FILE; see exbridge --help"),
    (["run", "now"], "unexpected: now; see exbridge help run"),
    (["run", "--now"], "unexpected: --now; see exbridge help run"),
    (["run", "-c"], "-c FILE: the file is missing; see exbridge help run"),
    (["run", "-c", "x", "--config=y"], "-c is there twice; see exbridge help run"),
    (["help", "fly"], "there is no command fly; see exbridge help help"),
    (["check-config", "--", "-c"], "unexpected: -c; see exbridge help check-config"),
])
def test_wrong_usage(words, text):
    result = call(*words)
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr == f"exbridge: {text}\n"


def test_files_of_the_configuration(tmp_path):
    """What the file is, and what it names: each mistake with the way out."""
    path = tmp_path / "exbridge.conf"
    check = lambda: call("check-config", "-c", str(path))  # noqa: E731
    text = ('[account "work"]\nemail = alice@example.com\nbackend = ews\nhost = mail.example.com\nauth = basic\n'
            f"password-file = {tmp_path}/secret\n")
    result = check()
    assert result.returncode == 78 and f"{path}: No such file or directory; exbridge setup makes one" in result.stderr
    path.mkdir()
    assert f"{path}: not a file" in check().stderr
    path.rmdir()
    path.write_text(text)
    result = check()
    assert result.returncode == 78 and f"{path}:6: password-file: {tmp_path}/secret: No such file or directory" in result.stderr
    (tmp_path / "secret").write_text("x\n")
    assert check().returncode == 0
    result = call("status", "home", "-c", str(path))
    assert result.returncode == 66 and f"there is no account home in {path}; there is: work" in result.stderr
    result = call("client-settings", "outlook", "-c", str(path))
    assert result.returncode == 66 and "there are thunderbird, mutt" in result.stderr
    path.write_bytes(b"\xff\xfe" + text.encode("utf-16-le"))
    assert f"{path}:1: control characters, or not UTF-8" in check().stderr


def test_help_is_the_table():
    text = call("--help").stdout
    names = re.findall(r"^  ([a-z][a-z-]*)(?: .*)?$", text, re.M)
    assert {"run", "check-config", "client-settings"} <= set(names)
    columns = {35 if re.match(r".{34} [a-z]", line) else line for line in text.splitlines()[4:19] if "client-settings" not in line}
    assert columns == {35}
    for name in names:
        about = call("help", name)
        assert about.returncode == 0 and about.stdout.startswith(f"usage: exbridge {name}")
        assert about.stdout == call(name, "--help").stdout
        assert max(map(len, about.stdout.splitlines())) <= 120
    assert max(map(len, text.splitlines())) <= 120


def ask(path, *lines):
    """The answers' lines, for requests sent at once."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(path)
        client.sendall(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        with client.makefile("rb") as answers:
            return [json.loads(answers.readline()) for _ in lines]


def test_control_socket(stage):
    bridge = stage.bridge(account(stage))
    path = os.path.join(bridge.state, "control.sock")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    os.chdir(bridge.state)  # sun_path is short
    pong, unknown = ask("control.sock", {"command": "ping"}, {"command": "pang"})
    assert pong["ok"] and pong["answer"]["version"] in call("--version").stdout
    assert unknown["error"]["code"] == "unsupported"
    bridge.kill()  # leaves the socket behind; the next one replaces it
    assert os.path.exists(path)
    bridge.start()
    assert ask("control.sock", {"command": "ping"})[0]["ok"]
    bridge.stop()
    assert not os.path.exists(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_control_socket_is_ours_alone(stage):
    bridge = stage.bridge(account(stage))
    path = os.path.join(bridge.state, "control.sock")
    os.chmod(path, 0o777)
    for folder in [bridge.state, *(str(p) for p in stage.directory.parents), str(stage.directory), bridge.directory]:
        if folder.startswith("/tmp/"):
            os.chmod(folder, 0o755)
    script = ("import os, socket, sys\nos.chdir(sys.argv[1])\nos.setgid(65534); os.setuid(65534)\n"
              "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect('control.sock')\n"
              "try: s.sendall(b'{\"command\":\"ping\"}\\n'); data = s.recv(100)\n"
              "except (ConnectionResetError, BrokenPipeError): data = b''\n"
              "sys.exit(1 if data else 0)\n")
    assert subprocess.run(["/usr/bin/python3", "-c", script, bridge.state], timeout=60).returncode == 0
    assert bridge.log_lines("turned a client away: another user's")


@pytest.mark.parametrize("words", [["--help"], ["help", "status"], ["--version"], ["completion", "bash"]])
@pytest.mark.parametrize("output", [">/dev/full", ">&-"])
def test_what_cannot_be_printed(words, output):
    done = subprocess.run(["sh", "-c", f'exec "$0" "$@" {output}', rig.program(), *words], capture_output=True, timeout=60)
    assert done.returncode == 74


def test_started_with_closed_descriptors(stage):
    """No file of ours takes their numbers: what is printed, or a child reads and prints, would go there."""
    bridge = rig.Bridge(stage.directory / "bridge", [account(stage)], start=False)
    bridge.write_config()
    with subprocess.Popen(["sh", "-c", 'exec "$0" run -c "$1" <&- >&- 2>&-', rig.program(), bridge.config_path]) as process:
        try:
            poll(60, lambda: call("status", "-c", bridge.config_path).returncode != 69)
            assert {os.readlink(f"/proc/{process.pid}/fd/{n}") for n in range(3)} == {"/dev/null"}
        finally:
            process.terminate()
        assert process.wait(60) == 0
    done = subprocess.run(["sh", "-c", 'exec "$0" password work --new -c "$1" >&-', rig.program(), bridge.config_path], timeout=60)
    assert done.returncode == 74
