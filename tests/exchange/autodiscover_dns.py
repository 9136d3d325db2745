# SPDX-License-Identifier: Apache-2.0
"""A name server on loopback: answers from a table, or wrongly.

    with NameServer({("_autodiscover._tcp.corp.test", "SRV"): [(0, 5, 443, "mail.corp.test")],
                     ("corp.test", "MX"): [(10, "mx.corp.test")]}) as dns:
        dns.port, dns.asked      # [("corp.test", "MX"), ...]

`mode`: "answer"; "silent"; "servfail"; "stray" (first an answer with another id, and one to another question);
"garbage", "loop" (a pointer to itself), "cut" (half of the answer), "truncated" (the TC bit, and nothing else).
"""
import socket
import struct
import threading

TYPES = {"CNAME": 5, "MX": 15, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}


def pack_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def unpack_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def pack_data(kind, value):
    if kind == "SRV":
        return struct.pack(">HHH", *value[:3]) + pack_name(value[3])
    if kind == "MX":
        return struct.pack(">H", value[0]) + pack_name(value[1])
    return pack_name(value)


class NameServer:
    def __init__(self, table=None, mode="answer"):
        self.table = {(name.lower(), kind): values for (name, kind), values in (table or {}).items()}
        self.mode = mode
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """A datagram to ourselves: closing a socket wakes nobody up."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"stop", ("127.0.0.1", self.port))
        self.thread.join(10)
        self.socket.close()

    def _serve(self):
        while True:
            data, peer = self.socket.recvfrom(4096)
            if data == b"stop":
                return
            for packet in self.answers(data):
                self.socket.sendto(packet, peer)

    def answers(self, data):
        number, flags, questions = struct.unpack(">HHH", data[:6])
        name, at = unpack_name(data, 12)
        kind, rclass = struct.unpack(">HH", data[at : at + 4])
        assert questions == 1 and rclass == 1 and flags == 0x0100
        question, kind = data[12 : at + 4], NAMES.get(kind, str(kind))
        self.asked.append((name, kind))
        values = self.table.get((name.lower(), kind))
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", TYPES[kind], 1, 300, len(packed)) + packed
            for packed in (pack_data(kind, value) for value in values or [])
        )
        code = 0 if values is not None else 3

        def packet(number=number, flags=0x8180 | code, question=question, count=len(values or []), records=records):
            return struct.pack(">HHHHHH", number, flags, 1, count, 0, 0) + question + records

        if self.mode == "silent":
            return []
        if self.mode == "servfail":
            return [packet(flags=0x8182, count=0, records=b"")]
        if self.mode == "garbage":
            return [bytes(range(200))]
        if self.mode == "loop":
            at = 12 + len(question) + 2 + 10 + 6
            data = struct.pack(">HHHH", 0, 0, 443, 0xC000 | at)
            return [packet(flags=0x8180, count=1, records=b"\xc0\x0c" + struct.pack(">HHIH", 33, 1, 300, 8) + data)]
        if self.mode == "cut":
            return [packet()[: 12 + len(question) + len(records) // 2]]
        if self.mode == "truncated":
            return [packet(flags=0x8380, count=0, records=b"")]
        if self.mode == "stray":
            evil = pack_data("SRV", (0, 0, 443, "evil.test"))
            evil = b"\xc0\x0c" + struct.pack(">HHIH", 33, 1, 300, len(evil)) + evil
            other = pack_name("_autodiscover._tcp.evil.test") + struct.pack(">HH", 33, 1)
            return [packet(number=number ^ 1, count=1, records=evil), packet(question=other, count=1, records=evil), packet()]
        return [packet()]
