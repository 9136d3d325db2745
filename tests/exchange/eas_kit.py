# SPDX-License-Identifier: Apache-2.0
"""Fixtures and shorthands of the test_eas_*.py files: one stand-in for each test module, clean for each test."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "servers")]

from eas_client import EasClient, EasError, options_mime
from standin import PASSWORD, USER, Standin
from wbxml import E, decode, encode

__all__ = [
    "E",
    "EasClient",
    "EasError",
    "PASSWORD",
    "USER",
    "collection_of",
    "connect",
    "decode",
    "encode",
    "exchange",
    "fresh",
    "inbox_of",
    "message",
    "options_mime",
    "raises_http",
    "raises_status",
    "running",
    "subjects",
    "sync_tree",
    "three",
]


@pytest.fixture(scope="module")
def running():
    with Standin("--user", f"{USER}:{PASSWORD}", "--user", "bob@example.com:secret") as exchange:
        yield exchange, exchange.call("GET", "options")


@pytest.fixture
def exchange(running):
    """The module's stand-in with the options, faults and log of a fresh one, and empty mail folders."""
    exchange, defaults = running
    exchange.reset()
    exchange.options(**defaults)
    for folder in ("inbox", "drafts", "sentitems", "deleteditems"):
        numbers = [i["num"] for i in exchange.items(folder)]
        if numbers:
            exchange.change("delete", nums=numbers)
    yield exchange
    assert not [v for v in exchange.violations() if "the stand-in" in v["what"]]


@pytest.fixture
def fresh(exchange):
    """Makes connected clients: fresh("14.1", **settings)."""
    made = []

    def make(version="16.1", **settings):
        made.append(connect(exchange, version, **settings))
        return made[-1]

    yield make
    for client in made:
        client.close()


def connect(exchange, version="16.1", user=USER, **settings):
    client = EasClient(exchange.eas_url, user, PASSWORD, version=version, **settings)
    client.connect()
    return client


def message(subject, body="Hello\r\n", size=0):
    text = f"From: Bob <bob@example.com>\r\nTo: {USER}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@test>\r\n"
    text += "Date: Mon, 05 Jan 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
    return (text + body + "x" * size).encode()


def raises_http(status):
    return _Raises("http", status)


def raises_status(status):
    return _Raises("status", status)


class _Raises:
    """with raises_status("9"): the block must end in an EasError with this value."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind is None:
            pytest.fail(f"no EasError with {self.name} {self.value}")
        if not isinstance(error, EasError):
            return False
        assert getattr(error, self.name) == self.value, str(error)
        return True


def inbox_of(client):
    return client.folder(type="inbox").id


def sync_tree(*fields, more=()):
    return E("AirSync:Sync", E("Collections", E("Collection", *fields)), *more)


def collection_of(client, tree):
    answer = client.command("Sync", tree)
    return answer.get("Collections/Collection") if answer else None


def subjects(elements):
    return [e.value("ApplicationData/Email:Subject") for e in elements]


@pytest.fixture
def three(exchange, fresh):
    """A client whose inbox of three messages is in sync: (exchange, client, inbox, {subject: id})."""
    for name in ("one", "two", "three"):
        exchange.deliver(message(name))
    client = fresh()
    inbox = inbox_of(client)
    items = client.sync_all(inbox)
    return exchange, client, inbox, {item.value("Email:Subject"): number for number, item in items.items()}
