# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "clients")]
import imaptest  # noqa: E402


def starter(base):
    servers = []

    def begin(*args, name="s", **kwargs):
        directory = base / name
        directory.mkdir(exist_ok=True)
        server = imaptest.Server(directory, *args, **kwargs)
        servers.append(server)
        return server

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def start(tmp_path):
    """start(*args, **kwargs) -> Server; all are stopped, and checked for leaks, at the end."""
    yield from starter(tmp_path)


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory):
    """The same for servers that all tests of a file use, without changing them."""
    yield from starter(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def server(start):
    return start()


@pytest.fixture
def inbox(server):
    """A server with five plain messages in INBOX, ids m1..m5, UIDs 1..5."""
    return fill(server)


@pytest.fixture(scope="module")
def shared_inbox(start_shared):
    return fill(start_shared(name="inbox"))


def fill(server):
    for i in range(1, 6):
        server.item("inbox", "m%d" % i, imaptest.message(subject="Number %d" % i, message_id="m%d@example.com" % i),
                    received=1700000000 + i, flags="S" if i < 3 else "-")
    return server
