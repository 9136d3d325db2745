# SPDX-License-Identifier: Apache-2.0
"""A message of 35 MB on its way to the server, sent and stored: it lies in a file, and the program's memory stays flat."""
import base64
import os
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import servers  # noqa: E402, F401: finds the modules of the other tests

sys.path.insert(0, os.path.join(servers.ROOT, "tests", "smtp"))

import kinds  # noqa: E402
from bridge import Bridge, exchange  # noqa: E402
from smtptest import message, signed_in  # noqa: E402

SIZE = 35_000_000
GROWTH = 20e6
PAYLOAD = base64.encodebytes(os.urandom(57) * (SIZE // 78 + 1)).replace(b"\n", b"\r\n").decode()[:SIZE]
MIME = ('MIME-Version: 1.0\r\nContent-Type: application/octet-stream; name="large.bin"\r\n'
        "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=large.bin\r\n")


def large(subject):
    return message(subject, extra=MIME, body=PAYLOAD + "\r\n")


class Growth:
    """with Growth(bridge) as growth: ...; growth.most: of RssAnon in bytes, beyond what it was before."""

    def __init__(self, bridge):
        self.bridge, self.most, self.running = bridge, 0, True
        self.before = bridge.memory()
        self.watcher = threading.Thread(target=self.watch)

    def watch(self):
        while self.running:
            self.most = max(self.most, self.bridge.memory() - self.before)
            time.sleep(0.005)

    def __enter__(self):
        self.watcher.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.watcher.join()


@pytest.fixture(scope="module", params=[kinds.EWS, kinds.EAS_16], ids=str)
def ready(request, tmp_path_factory):
    """(kind, server, bridge)"""
    kind = request.param
    with exchange() as server:
        server.options(eas_max_send_bytes=2 * SIZE, **({"eas_versions": [kind.version]} if kind.version else {}))
        with Bridge(str(tmp_path_factory.mktemp("large")), [kind.account("work", server)], log_level="info") as bridge:
            bridge.login("work").open("INBOX")
            yield kind, server, bridge


def the_only(server, folder):
    [item] = server.items(folder)
    return server.mime(item["num"])


def test_sent(ready):
    _, server, bridge = ready
    smtp = signed_in(bridge, timeout=300)
    with Growth(bridge) as growth:
        assert smtp.send(["bob@example.com"], large("sent"))[0] == 250
    assert growth.most < GROWTH
    assert the_only(server, "sentitems").endswith(PAYLOAD.encode() + b"\r\n") and len(server.submissions()) == 1


def test_stored(ready):
    kind, server, bridge = ready
    imap = bridge.login("work", timeout=300)
    data = large("stored")
    with Growth(bridge) as growth:
        imap.send(b"a1 APPEND %s () {%d+}\r\n" % (b"INBOX" if kind.append else b"Drafts", len(data)))
        imap.send(data + b"\r\n")
        status = imap.finish("a1")[0]
    assert "APPENDUID" in status, status
    assert growth.most < GROWTH
    assert the_only(server, "inbox" if kind.append else "drafts") == data
