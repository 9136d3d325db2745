# SPDX-License-Identifier: Apache-2.0
"""An SMTP client that does exactly what it is told, and looks at what came of it.

    smtp = Smtp(bridge); smtp.sign_in(); smtp.send(["bob@example.com"], message("hello"))
"""
import base64
import email
import email.policy
import re
import socket
import ssl

import bridge as rig

ALICE = "alice@example.com"


def plain(name="work", password=rig.LOCAL_PASSWORD, authzid=""):
    return base64.b64encode(f"{authzid}\0{name}\0{password}".encode()).decode()


def message(subject, to="bob@example.com", body="Hello.\r\n", extra="", sender=ALICE):
    return (f"From: Alice <{sender}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@test.example>\r\n"
            f"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n{extra}\r\n{body}").encode()


def stuffed(data):
    """As DATA wants it, end included."""
    assert data.endswith(b"\r\n")
    return re.sub(rb"(?m)^\.", b"..", data) + b".\r\n"


class Smtp:
    def __init__(self, bridge, greeting=True, hello=True, timeout=60):
        self.bridge = bridge
        self.sock = socket.create_connection(("127.0.0.1", bridge.smtp_port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if bridge.tls:
            context = ssl.create_default_context(cafile=bridge.ca_file)
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.buffer = b""
        bridge.clients.append(self)
        if greeting:
            assert self.answer()[0] == 220
            if hello:
                self.extensions = self.ok("EHLO client.test", 250)

    def close(self):
        self.sock.close()

    def write(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        while b"\r\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError(f"closed; {self.buffer!r}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        self.bridge.heard(line)
        return line.decode()

    def answer(self):
        """(code, text), the lines of the text joined with newlines."""
        lines = []
        while True:
            line = self.line()
            m = re.fullmatch(r"(\d{3})([ -])(.*)", line)
            assert m, line
            lines.append(m.group(3))
            if m.group(2) == " ":
                return int(m.group(1)), "\n".join(lines)

    def do(self, command):
        self.write(command + "\r\n")
        return self.answer()

    def ok(self, command, code):
        got = self.do(command)
        assert got[0] == code, (command, got)
        return got[1]

    def expect(self, code, enhanced=None):
        got = self.answer()
        assert got[0] == code and (enhanced is None or got[1].startswith(enhanced + " ")), got
        return got[1]

    def check(self, command, code, enhanced=None):
        self.write(command + "\r\n")
        return self.expect(code, enhanced)

    def closed(self):
        """What still comes before the end."""
        out = self.buffer
        try:
            while True:
                data = self.sock.recv(65536)
                if not data:
                    return out
                out += data
        except (ConnectionResetError, ssl.SSLError):
            return out

    def sign_in(self, name="work", password=rig.LOCAL_PASSWORD):
        self.check(f"AUTH PLAIN {plain(name, password)}", 235, "2.7.0")
        return self

    def envelope(self, recipients, sender=ALICE, parameters=""):
        self.check(f"MAIL FROM:<{sender}>{parameters}", 250, "2.1.0")
        for recipient in recipients:
            self.check(f"RCPT TO:<{recipient}>", 250, "2.1.5")

    def data(self, data):
        self.check("DATA", 354)
        self.write(stuffed(data))
        return self.answer()

    def send(self, recipients, data, **kwargs):
        self.envelope(recipients, **kwargs)
        return self.data(data)


def signed_in(bridge, **kwargs):
    return Smtp(bridge, **kwargs).sign_in()


def parse(data):
    return email.message_from_bytes(data, policy=email.policy.SMTP)
