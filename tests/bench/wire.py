# SPDX-License-Identifier: Apache-2.0
"""An IMAP client that costs next to nothing: it reads until the tagged answer and looks at nothing else, so that the server is measured."""
import re
import socket
import time

CHUNK = 1 << 20
TAIL = 4096  # longer than any tagged line: LOGIN's carries the capabilities
HANG_S = 300  # no figure: a server that says nothing for so long is broken


class Wire:
    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(HANG_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.room = bytearray(CHUNK)
        self.view = memoryview(self.room)
        self.count = 0
        self.read_until(re.compile(rb"\r\n\Z"))  # the greeting

    def read_until(self, end):
        """Reads until what has come ends with a match; (bytes read, the tail)."""
        total, tail = 0, b""
        while True:
            n = self.sock.recv_into(self.view)
            if n == 0:
                raise EOFError("the server closed the connection: %r" % tail[-200:])
            total += n
            tail = bytes(self.view[max(0, n - TAIL) : n]) if n >= TAIL else (tail + bytes(self.view[:n]))[-TAIL:]
            if end.search(tail):
                return total, tail

    def timed(self, command):
        """(seconds, bytes). An answer other than OK is an AssertionError."""
        self.count += 1
        tag = b"bench%dx" % self.count
        end = re.compile(rb"(?:^|\r\n)" + tag + rb" (OK|NO|BAD)[^\n]*\r\n\Z")
        began = time.perf_counter()
        self.sock.sendall(tag + b" " + command.encode() + b"\r\n")
        total, tail = self.read_until(end)
        seconds = time.perf_counter() - began
        assert end.search(tail).group(1) == b"OK", (command, tail)
        return seconds, total

    def answer(self, command):
        """All bytes of the answer, for looking at it."""
        self.count += 1
        tag = b"bench%dx" % self.count
        end = re.compile(rb"(?:^|\r\n)" + tag + rb" (OK|NO|BAD)[^\n]*\r\n\Z")
        self.sock.sendall(tag + b" " + command.encode() + b"\r\n")
        whole = bytearray()
        while not end.search(whole[-TAIL:]):
            piece = self.sock.recv(CHUNK)
            if not piece:
                raise EOFError("the server closed the connection")
            whole += piece
        return bytes(whole)

    def idle(self):
        self.sock.sendall(b"idle IDLE\r\n")
        self.read_until(re.compile(rb"^\+[^\n]*\r\n\Z", re.M))

    def wait_exists(self, seconds):
        """The moment when a new EXISTS is here."""
        self.sock.settimeout(seconds)
        try:
            self.read_until(re.compile(rb"\d+ EXISTS\r\n(\* [^\n]*\r\n)*\Z"))
        finally:
            self.sock.settimeout(HANG_S)
        return time.perf_counter()

    def done(self):
        self.sock.sendall(b"DONE\r\n")
        self.read_until(re.compile(rb"(?:^|\r\n)idle OK[^\n]*\r\n\Z"))

    def close(self):
        self.sock.close()


def messages_in(answer):
    """How many FETCH answers: walks over literals."""
    count = at = 0
    while True:
        end = answer.find(b"\n", at)
        if end < 0:
            return count
        if answer.startswith(b"* ", at) and b" FETCH (" in answer[at : at + 24]:
            count += 1
        while answer[end - 2 : end - 1] == b"}":
            digits = answer[answer.rfind(b"{", at, end) + 1 : end - 2]
            if not digits.isdigit():
                break
            at = end + 1 + int(digits)
            end = answer.find(b"\n", at)
        at = end + 1


def cpu_s(pid):
    """Processor time of a process, from the scheduler, to the nanosecond; unlike the clock, it does not mind what else runs here."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9
