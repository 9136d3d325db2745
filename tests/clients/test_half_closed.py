# SPDX-License-Identifier: Apache-2.0
"""A client that says all it has to say and ends its direction, as `printf ... | nc` does: it is answered, nothing is done twice,
and the connection ends when the last answer is out."""
import base64
import re
import socket
import ssl

import pytest
from bridge import Account, LOCAL_PASSWORD, poll
from smtptest import message, plain, stuffed

ACCOUNT = "work"
MAIL = message("half-closed")
EVENT = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:half-closed\r\nDTSTAMP:20261101T000000Z\r\n"
         "DTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\nSUMMARY:Half\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n").encode()


@pytest.fixture(scope="module", params=["tls", "plain"])
def rig(request, module_stage):
    exchange = module_stage.exchange()
    bridge = module_stage.bridge(Account(ACCOUNT, exchange), name=request.param, tls=request.param == "tls", dav=True)
    imap = bridge.login(ACCOUNT)
    imap.ok("CREATE Kept")
    return exchange, bridge


class Peer:
    """Bytes there, the end of ours, and all that comes back."""

    def __init__(self, bridge, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.tls = None
        if bridge.tls:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context(cafile=bridge.ca_file)
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
            self.until(self.tls.do_handshake)

    def until(self, step):
        """step() of the TLS engine, fed until it is content."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                self.incoming.write(data) if data else self.incoming.write_eof()
            else:
                self.flush()
                return result

    def flush(self):
        self.sock.sendall(self.outgoing.read())

    def say(self, data):
        if not self.tls:
            self.sock.sendall(data)
            return
        self.tls.write(data)
        self.flush()

    def receive(self):
        if not self.tls:
            return self.sock.recv(65536)
        try:
            return self.until(lambda: self.tls.read(65536))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def read_until(self, pattern):
        got = b""
        while not re.search(pattern, got):
            data = self.receive()
            assert data, got
            got += data
        return got

    def end(self):
        if not self.tls:
            self.sock.shutdown(socket.SHUT_WR)
            return
        with pytest.raises(ssl.SSLError):  # our close_notify is out; theirs comes after the answers
            self.tls.unwrap()
        self.flush()

    def rest(self):
        got = b""
        while data := self.receive():
            got += data
        self.sock.close()
        return got


def imap_script(*commands):
    lines = [b"s1 LOGIN work " + LOCAL_PASSWORD.encode(), b"s2 SELECT INBOX", *commands]
    return b"".join(line + b"\r\n" for line in lines)


def test_imap(rig):
    exchange, bridge = rig
    exchange.fault(op="CreateItem", delay_s=0.5)
    peer = Peer(bridge, bridge.port)
    peer.say(imap_script(b"s3 APPEND INBOX (\\Seen) {%d+}\r\n%s" % (len(MAIL), MAIL), b"s4 UID MOVE 1:* Kept", b"s5 STATUS Kept (MESSAGES)"))
    peer.end()
    answer = peer.rest()
    assert re.search(rb"^s3 OK \[APPENDUID \d+ \d+\]", answer, re.M), answer
    assert re.search(rb"^s4 OK", answer, re.M) and answer.rstrip().split(b"\r\n")[-1].startswith(b"s5 OK")
    assert [i["message_id"] for i in exchange.items("Kept")] == ["<half-closed@test.example>"] and not exchange.items("inbox")


def test_imap_idle(rig):
    """Nothing is left to be answered: the end is the end."""
    _, bridge = rig
    peer = Peer(bridge, bridge.port)
    peer.say(imap_script(b"s3 IDLE"))
    peer.read_until(rb"\+ ")
    peer.end()
    peer.rest()


def test_imap_half_a_command(rig):
    exchange, bridge = rig
    before = len(exchange.items("inbox"))
    peer = Peer(bridge, bridge.port)
    peer.say(imap_script(b"s3 NOOP", b"s4 APPEND INBOX {%d+}\r\n%s" % (len(MAIL) + 1, MAIL))[:-2])
    peer.end()
    answer = peer.rest()
    assert b"\r\ns3 OK" in answer and b"\r\ns4 " not in answer
    assert len(exchange.items("inbox")) == before


def test_smtp(rig):
    exchange, bridge = rig
    before = len(exchange.submissions())
    exchange.fault(op="CreateItem", delay_s=0.5)
    peer = Peer(bridge, bridge.smtp_port)
    peer.read_until(rb"220 .*\r\n")
    peer.say(b"EHLO client.test\r\n")
    peer.read_until(rb"250 .*\r\n")
    peer.say(f"AUTH PLAIN {plain()}\r\n".encode())
    peer.read_until(rb"235 .*\r\n")
    peer.say(b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n")
    peer.read_until(rb"354 .*\r\n")
    peer.say(stuffed(message("half-closed-sent")))
    peer.end()
    assert re.fullmatch(rb"250 .*\r\n", peer.rest())
    assert [s["message_id"] for s in exchange.submissions()[before:]] == ["<half-closed-sent@test.example>"]


def test_caldav(rig):
    exchange, bridge = rig
    authorization = base64.b64encode(f"work@bridge.test:{LOCAL_PASSWORD}".encode()).decode()
    head = f"Host: localhost:{bridge.dav_port}\r\nAuthorization: Basic {authorization}\r\n"

    def home():
        peer = Peer(bridge, bridge.dav_port)
        peer.say(f"PROPFIND /dav/{ACCOUNT}/calendars/ HTTP/1.1\r\n{head}Depth: 1\r\nContent-Length: 0\r\n\r\n".encode())
        peer.end()
        return re.search(rb"<[^>]*href>(/dav/%s/calendars/[^<]+/)<" % ACCOUNT.encode(), peer.rest())

    calendar = poll(60, home)[1].decode()
    name = f"half-{'tls' if bridge.tls else 'plain'}"
    event = EVENT.replace(b"half-closed", name.encode())
    exchange.fault(op="CreateItem", delay_s=0.5)
    peer = Peer(bridge, bridge.dav_port)
    peer.say(f"PUT {calendar}{name}.ics HTTP/1.1\r\n{head}Content-Type: text/calendar\r\nContent-Length: {len(event)}\r\n\r\n".encode() + event)
    peer.end()
    answer = peer.rest()
    assert answer.startswith(b"HTTP/1.1 201 "), answer
    assert len(exchange.items("calendar")) == 1
