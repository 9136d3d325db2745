# SPDX-License-Identifier: Apache-2.0
"""Answers of ActiveSync servers that no client should have to see, through the whole program."""
import re

import pytest

import kinds
import wbxml
from bridge import poll
from wbxml import E


@pytest.fixture
def exchange(stage):
    return kinds.EAS_14.exchange(stage, "--corpus", "3")


def login(stage, exchange):
    return stage.bridge(kinds.EAS_14.account("work", exchange)).login("work")


@pytest.mark.parametrize("op", ["FolderSync", "Sync"])
def test_a_mailbox_that_is_too_full_to_be_read_for_the_moment(stage, exchange, op):
    """For what reads it is as if the server were busy."""
    exchange.fault(protocol="eas", op=op, do="status", status=507)
    imap = login(stage, exchange)
    poll(60, lambda: b"* 3 EXISTS" in imap.run("SELECT INBOX")[1])


def test_folders_that_no_way_leads_to(stage, exchange):
    """They are shown all the same, and hide no others."""
    inbox = next(f["num"] for f in exchange.folders() if f["kind"] == "inbox")
    loop, around, below, lost, top, other, own = [exchange.folder("create", name=f"F{n}")["num"] for n in range(7)]
    tree = [("Inbox", inbox, 0, 2), ("Loop", loop, around, 12), ("Around", around, loop, 12), ("Below", below, around, 12),
            ("Inbox", lost, "gone", 12), ("Twice", top, 0, 12), ("Twice", other, "away", 12), ("Own", own, own, 12)]
    adds = [E("Add", E("ServerId", str(i)), E("ParentId", str(above)), E("DisplayName", name), E("Type", str(kind)))
            for name, i, above, kind in tree]
    body = wbxml.encode(E("FolderHierarchy:FolderSync", E("Status", "1"), E("SyncKey", "9"), E("Changes", E("Count", "8"), *adds)))
    exchange.fault(protocol="eas", op="FolderSync", do="status", status=200, body=body.decode("ascii"), times=0,
                   headers={"Content-Type": "application/vnd.ms-sync.wbxml"})
    bridge = stage.bridge(kinds.EAS_14.account("work", exchange))
    imap = bridge.login("work")

    def names():
        return sorted(re.sub(rb" \(\d+\)", b" (PK)", line.rpartition(b' "/" ')[2].strip(b'"')).decode() for line in imap.ok('LIST "" *'))

    poll(60, lambda: len(names()) == 8)
    assert names() == ["INBOX", "Inbox (PK)", "Loop", "Loop/Around", "Loop/Around/Below", "Own", "Twice", "Twice (PK)"]
    before = imap.ok('LIST "" *')
    bridge.restart()
    imap = bridge.login("work")
    assert imap.ok('LIST "" *') == before
    assert len(bridge.log_lines("no way to the top")) == 1
