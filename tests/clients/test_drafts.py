# SPDX-License-Identifier: Apache-2.0
"""A draft that somebody else sorts keeps its UID; one that somebody edits is a new message (RFC 9051 2.3.1.1)."""
import re

import kinds
import pytest
from bridge import poll
from smtptest import message

KINDS = {"ews": (kinds.EWS, {}), "eas": (kinds.EAS_16, {}), "eas-whole": (kinds.EAS_16, {"eas_full_changes": True})}


@pytest.fixture(params=KINDS)
def world(request, stage):
    kind, options = KINDS[request.param]
    exchange = kind.exchange(stage)
    if options:
        exchange.options(**options)
    imap = stage.bridge(kind.account("work", exchange)).login("work")
    imap.open("Drafts")
    data = message("draft")
    imap.send(b"d1 APPEND Drafts (\\Draft \\Seen) {%d+}\r\n%s\r\n" % (len(data), data))
    uid = int(re.search(r"APPENDUID \d+ (\d+)", imap.finish("d1")[0]).group(1))
    exchange.deliver(subject="another", folder="drafts", draft=True)
    poll(60, lambda: imap.ok("NOOP") is not None and len(imap.uids()) == 2)  # and the server has told of ours, too
    assert imap.uids()[0] == uid
    return exchange, imap, uid


def draft(exchange):
    [item] = [i for i in exchange.items("drafts") if i["message_id"] == "<draft@test.example>"]
    return item["num"]


def test_categories_of_others(world):
    exchange, imap, uid = world
    for category in ("Red", "Green"):
        exchange.change("update", num=draft(exchange), categories=[category])
        poll(60, lambda: imap.ok("NOOP") is not None and category in imap.flags().get(uid, ()), lambda: f"{imap.flags()}")
        assert imap.uids()[0] == uid


def test_categories_of_ours(world):
    exchange, imap, uid = world
    imap.ok("STORE 1 +FLAGS (Blue)")
    exchange.deliver(subject="a third", folder="drafts", draft=True)
    poll(60, lambda: imap.ok("NOOP") is not None and len(imap.uids()) == 3)
    assert imap.uids()[0] == uid and "Blue" in imap.flags()[uid]


def test_another_text(world):
    exchange, imap, uid = world
    exchange.change("update", num=draft(exchange), categories=["Red"], mime=message("draft", body="Hello again.\r\n"))
    poll(60, lambda: imap.ok("NOOP") is not None and uid not in (u := imap.uids()) and len(u) == 2, lambda: f"{imap.uids()}")
    assert b"Hello again." in imap.bodies(str(imap.uids()[-1])).popitem()[1]
