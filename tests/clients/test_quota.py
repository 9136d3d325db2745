# SPDX-License-Identifier: Apache-2.0
"""QUOTA (RFC 9208) over EWS: told where the server tells it, and asked for once in a while only."""
import re

import pytest

from bridge import Account, poll


@pytest.fixture
def exchange(stage):
    return stage.exchange("--corpus", "20")


def asked(exchange, mark):
    return {k.split(":")[1]: n for k, n in exchange.counts(mark).items() if "Folder" in k and "Sync" not in k}


def test_told(stage, exchange):
    exchange.options(send_quota_kb=4096)
    for number in range(700):  # more than a page of folders
        exchange.folder("create", name=f"F{number}")
    imap = stage.bridge(Account("work", exchange)).login("work")
    words = imap.ok("CAPABILITY")[0].decode().split()
    assert "QUOTA" in words and "QUOTA=RES-STORAGE" in words
    poll(60, lambda: b"F699" in b"".join(imap.ok('LIST "" F699')))
    used = -(-sum(i["size"] for i in exchange.items("inbox")) // 1024)
    imap.open("INBOX")
    mark = exchange.mark()
    lines = imap.ok("GETQUOTAROOT INBOX")
    assert lines[0] == b'* QUOTAROOT INBOX ""'
    assert lines[1] == b'* QUOTA "" (STORAGE %d 4096)' % used
    assert asked(exchange, mark) == {"GetFolder": 1, "FindFolder": 2}
    assert imap.ok('GETQUOTA ""') == [b'* QUOTA "" (STORAGE %d 4096)' % used]
    imap.open("INBOX")
    imap.ok("GETQUOTAROOT INBOX")
    assert asked(exchange, mark) == {"GetFolder": 1, "FindFolder": 2}
    imap.no("GETQUOTA other", "NONEXISTENT")
    imap.no("GETQUOTAROOT Nowhere", "NONEXISTENT")
    imap.no('SETQUOTA "" (STORAGE 512)', "NOPERM")


def test_what_is_deleted_for_good_does_not_count(stage, exchange):
    exchange.options(send_quota_kb=100000)
    bridge = stage.bridge(Account("work", exchange))
    imap = bridge.login("work")
    imap.open("INBOX")
    imap.ok(r"STORE 1:10 +FLAGS.SILENT (\Deleted)")
    size = int(re.search(rb"DELETED-STORAGE (\d+)", imap.ok("STATUS INBOX (DELETED-STORAGE)")[0]).group(1))
    assert size > 0
    imap.ok("EXPUNGE")
    assert b"DELETED-STORAGE 0" in imap.ok("STATUS INBOX (DELETED-STORAGE)")[0]
    poll(60, lambda: len(exchange.items("recoverableitemsdeletions")) == 10)
    used = -(-sum(i["size"] for i in exchange.items("inbox")) // 1024)
    assert imap.ok("GETQUOTAROOT INBOX")[1] == b'* QUOTA "" (STORAGE %d 100000)' % used


def test_not_told(stage, exchange):
    imap = stage.bridge(Account("work", exchange)).login("work")
    imap.open("INBOX")  # the folder list is there
    mark = exchange.mark()
    assert imap.ok("GETQUOTAROOT INBOX") == [b"* QUOTAROOT INBOX"]
    imap.no('GETQUOTA ""', "NONEXISTENT")
    assert asked(exchange, mark) == {"GetFolder": 1}


def test_server_trouble(stage, exchange):
    exchange.options(send_quota_kb=4096)
    imap = stage.bridge(Account("work", exchange)).login("work")
    exchange.fault(op="FindFolder", do="error", code="ErrorAccessDenied", times=0)
    imap.no("GETQUOTAROOT INBOX", "CONTACTADMIN")
    exchange.clear_faults()
    assert imap.ok("GETQUOTAROOT INBOX")[0] == b'* QUOTAROOT INBOX ""'
