# SPDX-License-Identifier: Apache-2.0
"""The real program under test: configuration, start, kill -9, and a careful IMAP client.

    with Bridge(directory, [Account("work", exchange, "ews")]) as bridge:
        imap = bridge.login("work")
        imap.select("INBOX")
        bridge.kill(); bridge.start()

$EXBRIDGE names the binary; else out/asan/exbridge or build/exbridge. When a Bridge ends, it must have ended by itself with
status 0 (so no leak), without a sanitizer report, and no canary may stand where canary.py looks: log, state, cache, status,
command lines and environments; and never in what mail programs are told.
"""
import base64
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("tests/exchange", "tests/exchange/judges", "tests/servers", "tests/imap", "tests/smtp", "tests/caldav"):
    if os.path.join(ROOT, folder) not in sys.path:
        sys.path.insert(0, os.path.join(ROOT, folder))

import canary  # noqa: E402
import imaptest  # noqa: E402
from loopback_ports import free_port, free_ports  # noqa: E402,F401
from standin import Standin  # noqa: E402

START_S = 60
DEADLINE_S = 60
USER = "alice@example.com"
PASSWORD = "canary-Exchange-9f31"  # what must never be seen again
LOCAL_PASSWORD = "canary-local-77d2"
REPORTS = ("AddressSanitizer", "LeakSanitizer", "UndefinedBehavior", "runtime error:", "Assertion", "stack smashing")


def program():
    path = os.environ.get("EXBRIDGE")
    for path in [path] if path else [os.path.join(ROOT, d, "exbridge") for d in ("out/asan", "build-asan", "build")]:
        if os.path.exists(path):
            return path
    raise RuntimeError("exbridge is not built; set EXBRIDGE")


def poll(seconds, look, what="it did not happen"):
    """look() until it is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.02)


def as_mail(data, kind):
    """A message as the bridge gives it, when a server gives `data`: lines end in CRLF, and from EWS, whose items lose it
    now and then, the last one does, too. A bare CR is content."""
    if kind == "ews" or re.match(rb"[^\n]*(?<!\r)\n", data):
        data = re.sub(rb"(?<!\r)\n", b"\r\n", data)
    return data + b"\r\n" if kind == "ews" and not data.endswith(b"\r\n") else data


def exchange(*args, **kwargs):
    """A stand-in Exchange whose user has the canary for a password."""
    return Standin("--user", f"{USER}:{PASSWORD}", *args, **kwargs)


class Account:
    """A section of the configuration. `url` for servers other than the stand-in; keys: any of the file's, `-` as `_`."""

    def __init__(self, name, server=None, backend="ews", *, url=None, user=USER, password=PASSWORD, **keys):
        self.name, self.backend, self.password = name, backend, password
        self.passthrough = keys.get("local_auth") == "passthrough"
        self.keys = {"email": f"{name}@bridge.test", "backend": backend, "auth": "basic", "user": user}
        self.keys["url"] = url or (server.url if backend == "ews" else server.eas_url)
        self.keys["prefetch"] = "none"
        self.keys.update({key.replace("_", "-"): value for key, value in keys.items()})


class Bridge:
    def __init__(self, directory, accounts, *, tls=True, limits=None, start=True, log_level="debug", canaries=(), content=(),
                 command=(), dav=False):
        self.directory = str(directory)
        self.accounts = list(accounts)
        self.command = list(command)
        self.state, self.cache = (os.path.join(self.directory, name) for name in ("state", "cache"))
        self.log_path = os.path.join(self.directory, "log")
        self.config_path = os.path.join(self.directory, "exbridge.conf")
        self.ca_file = os.path.join(self.directory, "ca.pem")  # published beside the configuration
        self.tls, self.limits, self.log_level = tls, dict(limits or {}), log_level
        self.control_path = os.path.join(self.state, "control.sock")
        self.content, self.listening, self.ear = list(content), None, None  # content: texts of messages
        self.canaries = [*canaries, LOCAL_PASSWORD, PASSWORD]
        for account in self.accounts:
            pair = f"{account.keys['user']}:{account.password}".encode()
            self.canaries += [account.password, base64.b64encode(pair).decode()]
        self.process = None
        self.dav_port = int(dav)
        self.choose_ports()
        self.environment = {}
        self.clients = []
        os.makedirs(self.directory, exist_ok=True)
        if start:
            self.start()

    def choose_ports(self):
        self.port, self.smtp_port, dav_port = free_ports(3)
        self.dav_port = dav_port if self.dav_port else 0

    # ---- configuration ----

    def secret(self, name, text):
        path = os.path.join(self.directory, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
        return path

    def write_config(self):
        lines = ["[server]", "listen = localhost", f"imap = {self.port}", f"smtp = {self.smtp_port}"]
        lines += [f"dav = {self.dav_port}"]
        lines += [f"tls = {'on' if self.tls else 'off'}", f"state-dir = {self.state}", f"cache-dir = {self.cache}"]
        lines += [f"log-level = {self.log_level}"]
        if self.limits:
            lines += ["", "[limits]"] + [f"{name} = {value}" for name, value in self.limits.items()]
        for account in self.accounts:
            lines += ["", f'[account "{account.name}"]'] + [f"{k} = {v}" for k, v in account.keys.items()]
            if not account.passthrough:
                if "password-command" not in account.keys:
                    lines.append(f"password-file = {self.secret('password-' + account.name, account.password)}")
                lines.append(f"local-password-file = {self.secret('local-password', LOCAL_PASSWORD)}")
        with open(os.open(self.config_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")

    def account_dir(self, name, cache=False):
        return os.path.join(self.cache if cache else self.state, "accounts", name)

    # ---- life ----

    def start(self, ready=True):
        assert self.process is None
        for _ in range(5):
            self.write_config()
            env = dict(os.environ, LC_ALL="C.UTF-8")
            env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:exitcode=99:strict_string_checks=1"
            env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
            env.update(self.environment)
            for name in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "PYTEST_CURRENT_TEST"):  # the last one may name secrets
                env.pop(name, None)
            with open(self.log_path, "ab") as log:
                self.log_from = log.tell()
                self.process = subprocess.Popen([*self.command, program(), "run", "-c", self.config_path], stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, env=env)
            if not ready:
                return self
            poll(START_S, lambda: "ready: " in self.log(now=True) or self.process.poll() is not None,
                 lambda: "not ready in time:\n" + self.tail())
            if self.process.poll() is None:
                return self
            code, self.process = self.process.returncode, None
            assert code == 75 and "ort" in self.log(now=True), f"exit status {code}:\n{self.tail()}"
            self.choose_ports()  # somebody was faster
        raise AssertionError("no free port: " + self.tail())

    def stop(self):
        """A clean end, and nothing may have gone wrong on the way."""
        self.close_clients()
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "none: it did not end on SIGTERM"
        self.process = None
        assert code == 0, f"exit status {code}\n{self.tail(200)}"

    def kill(self, close=True):
        """kill -9. Without close the clients are left to their threads, which hear of it: whoever reads while another closes may
        wait for long, because the number of the file is soon that of another."""
        self.process.kill()
        self.process.wait()
        self.process = None
        if close:
            self.close_clients()

    def restart(self):
        self.stop()
        return self.start()

    def close_clients(self):
        for client in self.clients:
            client.close()
        self.clients.clear()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.finish()
        elif self.process:
            self.kill()
            sys.stderr.write("--- the bridge's log\n" + self.tail(60))

    def finish(self):
        alive = self.process is None or self.process.poll() is None
        if not alive:
            code, self.process = self.process.returncode, None
            raise AssertionError(f"the bridge had ended, status {code}\n{self.tail(200)}")
        try:
            if self.process:
                self.flock().check_running(self.process.pid, self.control_path)
        finally:
            try:
                self.stop()
            finally:
                self.check_reports()
        self.check_canaries()

    def check_reports(self):
        text = self.log()
        for report in REPORTS:
            assert report not in text, text[max(0, text.index(report) - 500):][:8000]

    def flock(self):
        return canary.Flock(*self.canaries, content=self.content)

    def check_canaries(self):
        self.flock().check_places(logs=[self.log_path], state=[self.state], cache=[self.cache])

    def heard(self, line, where="an answer"):
        """What a mail program was told, messages aside."""
        if self.listening != self.canaries:
            self.listening, self.ear = list(self.canaries), self.flock()
        self.ear.check_text(line, where, content=False)

    # ---- looking at it ----

    def log(self, now=False):
        """All of stderr; now: since the last start."""
        with open(self.log_path, errors="replace") as file:
            if now:
                file.seek(self.log_from)
            return file.read()

    def tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def log_lines(self, pattern, now=True):
        return [line for line in self.log(now).splitlines() if re.search(pattern, line)]

    def memory(self, field="RssAnon"):
        """In bytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(field + r":\s+(\d+) kB", file.read()).group(1)) * 1024

    def sql(self, account, query, *args):
        """A look into state.db, beside the program."""
        path = os.path.join(self.account_dir(account), "state.db")
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(query, args).fetchall()
        finally:
            connection.close()

    def delete_cache(self):
        shutil.rmtree(self.cache)

    # ---- clients ----

    def connect(self, **kwargs):
        client = Imap(self, **kwargs)
        self.clients.append(client)
        return client

    def login(self, account, password=LOCAL_PASSWORD, **kwargs):
        client = self.connect(**kwargs)
        client.ok(f'LOGIN "{account}" "{password}"')
        return client


class Imap(imaptest.Client):
    """imaptest's client over TLS, fast with large answers; remembers nothing but what was not read yet."""

    def __init__(self, bridge, greeting=True, timeout=DEADLINE_S):
        self.bridge = bridge
        self.sock = socket.create_connection(("127.0.0.1", bridge.port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if bridge.tls:
            context = ssl.create_default_context(cafile=bridge.ca_file)
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.buffer, self.at, self.n = bytearray(), 0, 0
        self.greeting = self.line() if greeting else None

    def more(self):
        if self.at > 1 << 20:
            del self.buffer[: self.at]
            self.at = 0
        data = self.sock.recv(1 << 18)
        if not data:
            raise imaptest.Closed()
        self.buffer += data

    def raw_line(self):
        start = self.at
        while True:
            end = self.buffer.find(b"\r\n", start)
            if end >= 0:
                break
            start = max(self.at, len(self.buffer) - 1)
            kept = self.at
            self.more()
            start -= kept - self.at
        line = bytes(self.buffer[self.at : end])
        self.at = end + 2
        return line

    def line(self):
        pieces = [self.raw_line()]
        while True:
            m = re.search(rb"\{(\d+)\}$", pieces[-1])
            if not m:
                return b"".join(pieces)
            n = int(m.group(1))
            while len(self.buffer) - self.at < n:
                self.more()
            pieces += [b"\r\n", bytes(self.buffer[self.at : self.at + n])]
            self.at += n
            pieces.append(self.raw_line())

    def finish(self, tag):
        status, untagged = super().finish(tag)
        self.bridge.heard("\n".join([status, *(str(x[:500]) for x in untagged if not re.match(rb"\* \d+ FETCH", x))]))
        return status, untagged

    def closed(self):
        out = b""
        try:
            while True:
                out += bytes(self.buffer[self.at :])
                self.buffer, self.at = bytearray(), 0
                self.more()
        except (imaptest.Closed, ConnectionResetError, ssl.SSLError):
            return out

    def wait_line(self, pattern, seconds=DEADLINE_S):
        """Lines up to the first one that matches; for IDLE."""
        seen, before = [], self.sock.gettimeout()
        end = time.monotonic() + seconds
        try:
            while True:
                self.sock.settimeout(max(0.01, end - time.monotonic()))
                try:
                    seen.append(self.line())
                except (TimeoutError, socket.timeout):
                    raise AssertionError(f"{pattern} did not come; seen: {seen}\n{self.bridge.tail()}") from None
                if re.search(pattern, seen[-1]):
                    return seen
        finally:
            self.sock.settimeout(before)

    def drain(self, seconds):
        """Lines that come within a time."""
        seen, before = [], self.sock.gettimeout()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.sock.settimeout(max(0.01, end - time.monotonic()))
                try:
                    seen.append(self.line())
                except (TimeoutError, socket.timeout):
                    break
        finally:
            self.sock.settimeout(before)
        return seen

    def idle(self):
        tag = self.tag()
        self.send(tag + " IDLE\r\n")
        assert self.line().startswith(b"+")
        return tag

    def done(self, tag):
        self.send("DONE\r\n")
        status, untagged = self.finish(tag)
        assert status.startswith("OK"), status
        return untagged

    # ---- reading answers ----

    def status_of(self, name, items="MESSAGES UIDNEXT UIDVALIDITY UNSEEN"):
        for line in self.ok(f'STATUS "{name}" ({items})'):
            m = re.match(rb"\* STATUS .* \((.*)\)$", line)
            if m:
                words = m.group(1).decode().split()
                return {k: int(v) for k, v in zip(words[::2], words[1::2])}
        raise AssertionError("no STATUS")

    def open(self, name="INBOX", command="SELECT", extra=""):
        """SELECT; {"exists": n, "uidvalidity": n, "uidnext": n, ...}."""
        lines = [x.decode("utf-8", "replace") for x in self.ok(f'{command} "{name}"{extra}')]
        found = {"lines": lines, "status": self.status}
        for line in lines:
            m = re.match(r"\* (\d+) EXISTS", line)
            if m:
                found["exists"] = int(m.group(1))
            m = re.match(r"\* OK \[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]", line)
            if m:
                found[m.group(1).lower()] = int(m.group(2))
        return found

    def fetch(self, numbers, items, uid=True):
        """[(uid or None, line)] of FETCH answers, in their order."""
        return fetched(self.ok(f"{'UID ' if uid else ''}FETCH {numbers} {items}"))

    def uids(self):
        """By SEARCH: a FETCH may meet a message that goes at this moment, and is then no OK (RFC 2180 4.1)."""
        [line] = [line for line in self.ok("UID SEARCH ALL") if line.startswith(b"* SEARCH")]
        return [int(uid) for uid in line.split()[2:]]

    def flags(self, numbers="1:*"):
        """{uid: set of flags}"""
        return {uid: set(re.search(rb"FLAGS \(([^)]*)\)", line).group(1).decode().split())
                for uid, line in self.fetch(numbers, "(FLAGS)")}

    def field(self, numbers, item):
        """{uid: value} of an item in parentheses, as EMAILID."""
        return {uid: re.search(item.encode() + rb" \(([^)]*)\)", line).group(1).decode()
                for uid, line in self.fetch(numbers, f"({item})")}

    def bodies(self, numbers, section="BODY.PEEK[]"):
        """{uid: bytes}"""
        return {uid: literal(line) for uid, line in self.fetch(numbers, f"({section})")}


def fetched(lines):
    """[(uid or None, line)] of the FETCH answers among them: a server may tell other things at any time (RFC 3501 7)."""
    found = []
    for line in lines:
        if re.match(rb"\* \d+ FETCH ", line):
            m = re.search(rb"[( ]UID (\d+)", line)
            found.append((int(m.group(1)) if m else None, line))
    return found


def literal(line):
    """The first literal (or quoted string) of a FETCH answer."""
    m = re.search(rb"\{(\d+)\}\r\n", line)
    if m:
        return line[m.end() : m.end() + int(m.group(1))]
    return re.search(rb'"((?:[^"\\]|\\.)*)"', line).group(1)
