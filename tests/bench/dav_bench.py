# SPDX-License-Identifier: Apache-2.0
"""The calendar server beside Debian's Radicale and Cyrus: the same events in all three, everything cached, plain TCP."""
import os
import re
import shutil
import socket
import time

from dav_servers import Cyrus, Radicale, basic
from servers import bridge
from wire import cpu_s

NS = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
ETAGS, DATA = "<D:prop><D:getetag/></D:prop>", "<D:prop><D:getetag/><C:calendar-data/></D:prop>"
MONTH = '<C:time-range start="20260301T000000Z" end="20260331T000000Z"/>'
LINES = (  # name, method, body
    ("PROPFIND of etags", "PROPFIND", f"<D:propfind {NS}>{ETAGS}</D:propfind>"),
    ("first sync-collection", "REPORT", f"<D:sync-collection {NS}><D:sync-token/><D:sync-level>1</D:sync-level>{ETAGS}</D:sync-collection>"),
    ("30 days with data", "REPORT", f'<C:calendar-query {NS}>{DATA}<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter '
     f'name="VEVENT">{MONTH}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>'),
    ("multiget of all", "REPORT", f"<C:calendar-multiget {NS}>{DATA}%s</C:calendar-multiget>"),
)
DAY_S, BEGIN_S = 86400, 1767225600  # 2026-01-01


def event(number):
    """Eight hours apart; every tenth is a series."""
    start = time.strftime("%Y%m%dT%H0000Z", time.gmtime(BEGIN_S + number * DAY_S // 3))
    rule = "RRULE:FREQ=WEEKLY;COUNT=20\r\n" if number % 10 == 0 else ""
    text = "\r\n ".join("text " * 12 for _ in range(4))
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:ev{number}@bench\r\nDTSTAMP:20260101T000000Z\r\n"
            f"DTSTART:{start}\r\nDURATION:PT1H\r\n{rule}SUMMARY:Event {number} üöä\r\nDESCRIPTION:{text}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")


class Wire:
    """HTTP that costs the client next to nothing, so that the server is measured."""

    def __init__(self, server):
        self.server, self.sock = server, None

    def open(self):
        if not self.sock:
            self.sock = socket.create_connection(("127.0.0.1", self.server.port), timeout=300)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ask("OPTIONS", "", path="/", timed=False)  # signed in, and awake
        if not self.sock:  # one that closes after each answer
            self.sock = socket.create_connection(("127.0.0.1", self.server.port), timeout=300)

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def ask(self, method, body, path=None, timed=True, type="application/xml; charset=utf-8"):
        """(seconds, bytes of the answer, head, body)"""
        if timed:
            self.open()
        data = body.encode()
        head = [f"{method} {path or self.server.calendar} HTTP/1.1", "Host: localhost:%d" % self.server.port, "Depth: 1",
                f"Content-Length: {len(data)}", *(f"{k}: {v}" for k, v in self.server.headers.items())]
        if data:
            head.append(f"Content-Type: {type}")
        began = time.perf_counter()
        self.sock.sendall("\r\n".join([*head, "", ""]).encode() + data)
        pieces, size, tail, want = [], 0, b"", None
        while want is None or (size < want if want >= 0 else not tail.endswith(b"0\r\n\r\n")):
            piece = self.sock.recv(1 << 20)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
            tail = (tail + piece)[-8:]
            if want is None and b"\r\n\r\n" in (whole := b"".join(pieces)):
                before = whole[: whole.index(b"\r\n\r\n")].lower()
                length = re.search(rb"content-length: *(\d+)", before)
                want = len(before) + 4 + int(length[1]) if length else -1
                if not length and b"chunked" not in before:
                    want = 1 << 62 if b"connection: close" in before or b"http/1.0" in before else len(before) + 4
        seconds = time.perf_counter() - began
        head, _, answer = b"".join(pieces).partition(b"\r\n\r\n")
        if b"connection: close" in head.lower() or head.startswith(b"HTTP/1.0"):
            self.close()
        return seconds, size, head, answer


class Ours:
    """The bridge in front of a stand-in, with a calendar of its own."""

    name, account = "exbridge", "work"
    calendar = f"/dav/{account}/calendars/bench/"

    def __init__(self, work):
        shutil.rmtree(work, ignore_errors=True)
        self.exchange = bridge.exchange("--demo", "1")
        self.rig = bridge.Bridge(work, [bridge.Account(self.account, self.exchange)], tls=False, log_level="info", dav=True)
        self.port = self.rig.dav_port

    @property
    def headers(self):
        return basic(f"{self.account}@bridge.test", bridge.LOCAL_PASSWORD)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.rig.stop()
        self.exchange.stop()


def fill(server, count):
    wire = Wire(server)
    for method, path, body, type in (
        ("MKCALENDAR", server.calendar, "", ""),
        *(("PUT", f"{server.calendar}ev{n}.ics", event(n), "text/calendar; charset=utf-8") for n in range(count)),
    ):
        head = wire.ask(method, body, path, type=type)[2]
        assert b" 20" in head.split(b"\r\n")[0], (server.name, method, path, head)
    return wire


def beside_calendars(report, options, ms):
    count = options.events
    with Radicale() as radicale, Cyrus() as cyrus, Ours(os.path.join(options.work, "calendars")) as ours:
        servers = (radicale, cyrus, ours)
        wires = {server.name: fill(server, count) for server in servers}
        report.say(f"Beside Radicale 3.1 and Cyrus 3.6: {count} events, everything cached; plain TCP; best of {options.runs} runs")
        report.say()
        report.say(f"{'':24}{'Radicale':>10}{'Cyrus':>10}{'exbridge':>10}{'of the best':>13}   {'bytes':>9}{'processor time':>17}")
        report.say(f"{'':24}{'ms':>10}{'ms':>10}{'ms':>10}{'':>13}   {'':>9}{'ms':>17}")
        for name, method, body in LINES:
            best, found, size, cpu = {}, {}, 0, 0
            for turn in range(options.runs + 1):  # the first one warms up
                for server in servers:
                    wire = wires[server.name]
                    asked = body
                    if "%s" in body:
                        asked = body % "".join(f"<D:href>{server.calendar}ev{n}.ics</D:href>" for n in range(count))
                    wire.open()
                    used = cpu_s(server.rig.process.pid) if server is ours else 0
                    seconds, bytes_, head, answer = wire.ask(method, asked)
                    assert b" 207 " in head.split(b"\r\n")[0], (server.name, name, head, answer[:500])
                    found[server.name] = len(re.findall(rb"<(?:\w+:)?getetag", answer))
                    if server is ours:
                        size, cpu = bytes_, cpu_s(server.rig.process.pid) - used
                    if turn:
                        best[server.name] = min(best.get(server.name, 1e9), seconds)
            # Some tell the collection's own etag, too.
            assert max(found.values()) - min(found.values()) <= 1, found
            peer = min(best["Radicale"], best["Cyrus"])
            slower = "   slower" if best["exbridge"] > peer else ""
            report.say(f"{name:24}{ms(best['Radicale']):>10}{ms(best['Cyrus']):>10}{ms(best['exbridge']):>10}"
                       f"{best['exbridge'] / peer:>13.2f}   {size:>9}{ms(cpu):>17}{slower}")
        report.say(f"memory afterwards (RssAnon): {ours.rig.memory() / 1e6:.1f} MB")
        report.say()
        for wire in wires.values():
            wire.close()
