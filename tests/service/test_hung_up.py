# SPDX-License-Identifier: Apache-2.0
"""A client that offers a wrong password and hangs up before the server has answered, again and again: the refusal counts."""
import http.server
import socket
import struct
import threading

import pytest
from bridge import Account, poll


class Slow(http.server.ThreadingHTTPServer):
    """A server that refuses everybody, when it is told to."""

    def __init__(self):
        self.asked, self.answer = 0, threading.Event()
        super().__init__(("127.0.0.1", 0), Refuse)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/EWS/Exchange.asmx"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Refuse(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked += "Authorization" in self.headers
        self.server.answer.wait(60)
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_OPTIONS = do_POST

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_refusal_is_heard(stage, backend):
    with Slow() as server:
        bridge = stage.bridge(Account("work", backend=backend, url=server.url, local_auth="passthrough"))
        client = bridge.connect()
        client.send('a LOGIN work "canary-wrong"\r\n')
        poll(60, lambda: server.asked == 1)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # gone: it may not have ended its half only
        client.sock.close()
        bridge.clients.remove(client)
        poll(60, lambda: bridge.log_lines(r"debug imap.*: connection \d+ closed"), bridge.tail)
        server.answer.set()
        for _ in range(3):
            assert bridge.connect().run('LOGIN work "canary-wrong"')[0].startswith("NO [AUTHENTICATIONFAILED]")
        assert server.asked == 1
        bridge.canaries.append("canary-wrong")
        server.shutdown()
