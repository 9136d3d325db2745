# SPDX-License-Identifier: Apache-2.0
"""A small proxy on loopback: HTTP (CONNECT and whole URLs), the same over TLS, or SOCKS5. Whatever name is asked for, it connects to 127.0.0.1.

    with Proxy("http") as proxy: proxy.url, proxy.asked   # ["CONNECT mail.corp.test:4433", ...]
"""
import re
import socket
import socketserver
import ssl
import struct
import threading


def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def join(client, server):
    other = threading.Thread(target=pump, args=(server, client), daemon=True)
    other.start()
    pump(client, server)
    other.join()


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise OSError("ended")
        data += piece
    return data


class Http(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(65536)
            if not piece:
                return
            head += piece
        line = head.split(b"\r\n")[0].decode()
        method, target = line.split()[:2]
        self.server.owner.asked.append(f"{method} {target}")
        if self.server.owner.refuse:
            self.request.sendall(self.server.owner.refuse)
            return
        port = int(re.search(r":(\d+)", target.removeprefix("http:")).group(1))
        with socket.create_connection(("127.0.0.1", port)) as server:
            if method == "CONNECT":
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(head)
            join(self.request, server)


class Https(Http):
    def handle(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.server.owner.tls)
        try:
            self.request = context.wrap_socket(self.request, server_side=True)
        except OSError as problem:
            self.server.owner.asked.append(f"TLS: {problem}")
            return
        super().handle()


class Socks5(socketserver.BaseRequestHandler):
    """RFC 1928, without authentication."""

    def handle(self):
        _, n = read_exactly(self.request, 2)
        read_exactly(self.request, n)
        self.request.sendall(b"\x05\x00")
        _, command, _, kind = read_exactly(self.request, 4)
        if kind == 3:
            name = read_exactly(self.request, read_exactly(self.request, 1)[0]).decode()
        else:
            name = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6,
                                    read_exactly(self.request, 4 if kind == 1 else 16))
        port = struct.unpack(">H", read_exactly(self.request, 2))[0]
        self.server.owner.asked.append(f"{command} {name}:{port}")
        with socket.create_connection(("127.0.0.1", port)) as server:
            self.request.sendall(b"\x05\x00\x00\x01" + bytes(6))
            join(self.request, server)


class Proxy:
    def __init__(self, kind, refuse=None, tls=None):
        self.asked, self.refuse, self.tls = [], refuse, tls  # tls: certificate and key of an "https" one
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), {"http": Http, "https": Https, "socks": Socks5}[kind])
        self.server.daemon_threads, self.server.owner = True, self
        self.url = {"http": "http", "https": "https", "socks": "socks5h"}[kind] + "://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
