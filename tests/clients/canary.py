# SPDX-License-Identifier: Apache-2.0
"""Secrets that a test knows must be nowhere: in no log, no state, no answer of the program. What the rigs start is looked
through here, in every test of the suite:

    flock = canary.Flock("the password", *exchange.oauth()["secrets"], content=["what a message says"])
    flock.check_text(result.stderr, "what login said")
    flock.check_running(bridge.process.pid, bridge.control_path)
    flock.check_places(logs=[bridge.log_path], state=[bridge.state], cache=[bridge.cache])
    flock.check_requests(exchange)

Content is no secret to the cache of messages, and to mail programs; to everything else it is. test_canary.py plants one
in each place and sees it found.
"""
import base64
import json
import os
import shutil
import socket
import urllib.parse


def disguises(secret):
    """How it may look when somebody wrapped it: as it is, in an address, in base64 at any of the three positions."""
    raw = secret.encode() if isinstance(secret, str) else secret
    found = {raw, urllib.parse.quote(raw, safe="").encode(), raw.hex().encode(), raw.hex().upper().encode()}
    found |= {json.dumps(raw.decode("latin-1"))[1:-1].encode(), raw.decode("latin-1").encode("utf-16-le")}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        first = (shift * 8 + 5) // 6  # sextets that depend on what stands before
        last = len(coded.rstrip(b"=")) - (1 if (shift + len(raw)) % 3 else 0)
        found.add(coded[first:last])
        found.add(coded[first:last].replace(b"+", b"-").replace(b"/", b"_"))
    return {form for form in found if len(form) >= 6}


def family(pid):
    """A process and all that it has started, as far as they are still there."""
    parents = {}
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found, news = {pid}, {pid}
    while news:
        news = {child for child, parent in parents.items() if parent in news} - found
        found |= news
    return found


def ask_status(path):
    """What `exbridge status --json` and `exbridge doctor` are told by the daemon; None: nobody is there."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(30)
        try:
            control.connect(path)
            control.sendall(b'{"command":"status"}\n')
            answer = b""
            while not answer.endswith(b"\n"):
                piece = control.recv(65536)
                if not piece:
                    return None
                answer += piece
        except OSError:
            return None
    return answer


def remember(path):
    """For the beginning of a shell script: writes down how it was called, and in what environment."""
    return f"#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ >>'{path}'\n"


def watched_tools(directory, names=("secret-tool", "klist", "systemctl", "xdg-open", "certutil")):
    """A folder for the beginning of PATH: programs that exbridge starts, as far as this machine has them, and each call of
    one is written into `calls` there."""
    os.makedirs(directory, exist_ok=True)
    for name in names:
        real, path = shutil.which(name), os.path.join(directory, name)
        if real and not os.path.exists(path):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
                file.write(remember(os.path.join(directory, "calls")) + f'exec {real} "$@"\n')
    return directory


class Flock:
    def __init__(self, *secrets, content=()):
        self.secrets = {form: secret for secret in secrets if secret for form in disguises(secret)}
        self.all = {**self.secrets, **{form: text for text in content if text for form in disguises(text)}}

    def check_text(self, data, where, content=True):
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        for form, secret in (self.all if content else self.secrets).items():
            assert form not in data, f"{secret!r} stands in {where}"

    def check_files(self, *paths, content=True):
        """Files, and all files of folders; their names, too."""
        for path in paths:
            for top, folders, names in os.walk(path) if os.path.isdir(path) else [(os.path.dirname(path), [], [os.path.basename(path)])]:
                for name in folders + names:
                    self.check_text(name, f"the name of {top}/{name}", content)
                for name in names:
                    full = os.path.join(top, name)
                    if os.path.islink(full):
                        self.check_text(os.readlink(full), f"the link {full}", content)
                    elif os.path.isfile(full):
                        with open(full, "rb") as file:
                            self.check_text(file.read(), full, content)

    def check_places(self, logs=(), state=(), cache=(), config=()):
        self.check_files(*logs, *state, *config)
        self.check_files(*cache, content=False)

    def check_processes(self, pid):
        """What everybody on the machine can see of a process and its children, and what they hand down."""
        for one in family(pid):
            for name in ("cmdline", "environ", "comm"):
                try:
                    with open(f"/proc/{one}/{name}", "rb") as file:
                        data = file.read()
                except OSError:
                    continue  # has just ended
                self.check_text(data, f"{name} of process {one}")

    def check_running(self, pid, control_path):
        """A daemon: before it is ended."""
        self.check_processes(pid)
        self.check_text(ask_status(control_path) or b"", "status")

    def check_requests(self, *servers):
        """Addresses are written down by servers and by what stands before them."""
        for server in servers:
            for entry in server.log() if server.process else []:
                self.check_text(entry["path"], f"the address of a request: {entry['path']}")
