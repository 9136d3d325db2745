# SPDX-License-Identifier: Apache-2.0
"""Drives imap_testserver: a server process with its scripted backend (Server), and a plain socket client (Client)."""
import base64
import os
import re
import socket
import subprocess
import time
import urllib.parse

import canary

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE = 60.0
PASSWORD = "secret"  # imap_testserver.c


def program():
    """imap_testserver of $EXBRIDGE_BUILD, else of a build directory with sanitizers, else of build/."""
    builds = [os.environ["EXBRIDGE_BUILD"]] if os.environ.get("EXBRIDGE_BUILD") else ["out/asan", "build-asan", "build"]
    for build in builds:
        path = os.path.join(ROOT, build, "tests", "imap_testserver")
        if os.path.exists(path):
            return path
    raise RuntimeError("imap_testserver is not built; set EXBRIDGE_BUILD")


def message(subject="Hello", body="Hello there.\r\n", sender="Bob <bob@example.com>", to="alice@example.com", date=None,
            message_id=None, extra="", content_type="text/plain; charset=utf-8"):
    """A message as bytes; body is str or bytes."""
    lines = ["From: " + sender, "To: " + to, "Subject: " + subject, "Date: " + (date or "Mon, 23 Nov 2026 10:00:00 +0000")]
    if message_id:
        lines.append("Message-ID: <%s>" % message_id)
    lines += ["MIME-Version: 1.0", "Content-Type: " + content_type]
    head = "\r\n".join(lines) + "\r\n" + extra + "\r\n"
    return head.encode("utf-8") + (body.encode("utf-8") if isinstance(body, str) else body)


def nameless_files(pid):
    """How many files a process has open that are in no directory: messages on their way."""
    folder = f"/proc/{pid}/fd"
    return sum("(deleted)" in os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder))


def quote(name):
    return urllib.parse.quote(name, safe="") or "-"


class Server:
    """One imap_testserver process. `folders`: the standard tree is made unless given as False."""

    def __init__(self, directory, *args, folders=True, open_now=True):
        self.directory = str(directory)
        self.args = args
        env = dict({"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}, **os.environ)
        self.log = open(os.path.join(self.directory, "stderr"), "ab")
        self.process = subprocess.Popen([program(), self.directory, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, env=env)
        self.port = int(self.process.stdout.readline().split()[1])
        if folders:
            self.do("folder inbox - Inbox mail inbox")
            self.do("folder sent - Sent%20Items mail sent")
            self.do("folder drafts - Drafts mail drafts")
            self.do("folder trash - Deleted%20Items mail trash")
            self.do("folder work - Work mail none")
            self.do("folder p1 work Projects mail none")
            self.do("folder cal - Calendar calendar none")
        if open_now:
            self.do("open")

    def do(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().strip()
        assert answer.startswith("ok"), "%s: %r\n%s" % (line[:100], answer, self.stderr()[-3000:])
        return answer[2:].strip()

    def item(self, folder, ident, data, flags="-", received=1700000000, categories=()):
        cats = ",".join(quote(c) for c in categories) or "-"
        self.do("item %s %s %s %d %s %s" % (folder, ident, flags, received, cats, base64.b64encode(data).decode()))

    def change(self, folder, ident, flags="-", categories=()):
        self.do("change %s %s %s %s" % (folder, ident, flags, ",".join(quote(c) for c in categories) or "-"))

    def counts(self):
        return {k: int(v) for k, v in (p.split("=") for p in self.do("counts").split())}

    def ops(self):
        return int(self.do("ops"))

    def stderr(self):
        self.log.flush()
        with open(os.path.join(self.directory, "stderr"), errors="replace") as f:
            return f.read()

    def connect(self, **kwargs):
        return Client(self.port, **kwargs)

    def login(self, **kwargs):
        c = self.connect(**kwargs)
        c.ok("LOGIN work " + PASSWORD)
        return c

    def wait(self, what, deadline=DEADLINE):
        end = time.monotonic() + deadline
        while not what():
            assert time.monotonic() < end, "waited in vain\n" + self.stderr()[-3000:]
            time.sleep(0.01)

    def stop(self):
        """End cleanly: no operation, no byte may be left (the process ends with LeakSanitizer's verdict)."""
        self.process.stdin.write(b"quit\n")
        self.process.stdin.flush()
        last = self.process.stdout.read().decode()
        code = self.process.wait(60)
        assert code == 0, "exit %d, %r\n%s" % (code, last, self.stderr()[-6000:])
        assert "left 0" in last, last
        text = self.stderr()
        assert "AddressSanitizer" not in text and "runtime error" not in text, text[-6000:]
        canary.Flock(PASSWORD).check_text(text, "the log")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Closed(Exception):
    pass


class Client:
    def __init__(self, port, greeting=True, timeout=DEADLINE):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.n = 0
        self.greeting = self.line() if greeting else None

    # --- bytes ---
    def send(self, data):
        self.sock.sendall(data.encode("utf-8") if isinstance(data, str) else data)

    def more(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise Closed()
        self.buffer += data

    def raw_line(self):
        while b"\r\n" not in self.buffer:
            self.more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def line(self):
        """One answer as bytes, its literals included ("{3}\\r\\nabc")."""
        out = self.raw_line()
        while True:
            m = re.search(rb"\{(\d+)\}$", out)
            if not m:
                return out
            n = int(m.group(1))
            while len(self.buffer) < n:
                self.more()
            out += b"\r\n" + self.buffer[:n]
            self.buffer = self.buffer[n:]
            out += self.raw_line()

    def closed(self):
        """Wait for the server's end of the connection; what came before it is returned."""
        out = b""
        try:
            while True:
                out += self.buffer
                self.buffer = b""
                self.more()
        except (Closed, ConnectionResetError):
            return out

    # --- commands ---
    def tag(self):
        self.n += 1
        return "a%d" % self.n

    def finish(self, tag):
        """Untagged answers and the tagged one."""
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag.encode() + b" "):
                return line[len(tag) + 1:].decode("utf-8", "replace"), untagged
            untagged.append(line)

    def run(self, command):
        tag = self.tag()
        self.send(tag + " " + command + "\r\n" if isinstance(command, str) else tag.encode() + b" " + command + b"\r\n")
        return self.finish(tag)

    def ok(self, command):
        status, untagged = self.run(command)
        assert status.startswith("OK"), "%r: %r %r" % (command, status, untagged)
        self.status = status
        return untagged

    def no(self, command, code=None):
        status, untagged = self.run(command)
        assert status.startswith("NO"), "%r: %r" % (command, status)
        if code:
            assert status.startswith("NO [" + code), status
        self.status = status
        return untagged

    def bad(self, command):
        status, untagged = self.run(command)
        assert status.startswith("BAD"), "%r: %r" % (command, status)
        self.status = status
        return untagged

    def select(self, name="INBOX", extra=""):
        return [x.decode("utf-8", "replace") for x in self.ok("SELECT %s%s" % (name, extra))]

    def close(self):
        self.sock.close()


def code(untagged, name):
    """Value of a response code among untagged lines, or None."""
    for line in untagged:
        if isinstance(line, bytes):
            line = line.decode("utf-8", "replace")
        m = re.match(r"\* OK \[%s ?([^\]]*)\]" % re.escape(name), line)
        if m:
            return m.group(1)
    return None
