# SPDX-License-Identifier: Apache-2.0
"""What survives: UIDs, UIDVALIDITY and EMAILID over a restart, a deleted cache, an invalid sync state, kill -9 in the first sync."""
import os
import re

import pytest

import counting
from bridge import Account, poll

KINDS = ("ews", "eas")
# When a server has forgotten all sync keys, nobody knows of the other folders' yet.
FORGOTTEN = "Ping of a folder that was never synced"


def snapshot(bridge, bodies=True):
    imap = bridge.login("work")
    opened = imap.open("INBOX")
    found = {"uidvalidity": opened["uidvalidity"], "uids": imap.uids(), "ids": imap.field("1:*", "EMAILID"), "flags": imap.flags()}
    for flags in found["flags"].values():
        flags.discard("\\Recent")
    if bodies:
        found["bodies"] = imap.bodies("1:*")
    imap.ok("LOGOUT")
    return found


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def exchange(stage):
    return stage.exchange("--corpus", 60, "--kinds", "mixed")


@pytest.fixture
def bridge(stage, exchange, kind):
    return stage.bridge(Account("work", exchange, kind))


def test_restart_and_deleted_cache(bridge, exchange, kind):
    before = snapshot(bridge)
    mark = exchange.mark()
    bridge.restart()
    assert snapshot(bridge) == before
    assert not [e for e in counting.entries(exchange, mark, kind) if counting.name(e) in counting.BODIES]
    bridge.stop()
    bridge.delete_cache()
    bridge.start()
    assert snapshot(bridge) == before
    bridge.kill()
    bridge.start()
    assert snapshot(bridge) == before


def test_invalid_sync_state(stage, bridge, exchange, kind):
    stage.expected = (FORGOTTEN,)
    before = snapshot(bridge)
    items = exchange.items()
    exchange.invalidate()
    gone = items[10]
    exchange.change("delete", num=gone["num"])
    exchange.deliver(subject="Came with the new sync state")
    imap = bridge.login("work")
    imap.open("INBOX")
    poll(60, lambda: imap.ok("NOOP") is not None and max(imap.uids()) > max(before["uids"]), "the new message does not come")
    after = snapshot(bridge, bodies=False)
    assert after["uidvalidity"] == before["uidvalidity"]
    assert len(after["uids"]) == 60 and len(set(before["uids"]) - set(after["uids"])) == 1
    kept = set(before["uids"]) & set(after["uids"])
    assert {u: after["ids"][u] for u in kept} == {u: before["ids"][u] for u in kept}
    assert min(set(after["uids"]) - kept) > max(before["uids"])


def test_new_ids_for_everything(stage, bridge, exchange, kind):
    """A mailbox was moved: messages are recognised by Message-ID, date and size."""
    stage.expected = (FORGOTTEN,)
    before = snapshot(bridge)
    counting.settle(exchange, kind)
    bridge.stop()
    exchange.invalidate(new_ids=True)
    bridge.start()
    exchange.deliver(subject="After the move")
    imap = bridge.login("work")
    imap.open("INBOX")
    poll(60, lambda: imap.ok("NOOP") is not None and len(imap.uids()) == 61 and max(imap.uids()) > max(before["uids"]),
         lambda: f"{len(imap.uids())} messages\n" + bridge.tail())
    after = snapshot(bridge)
    assert after["uidvalidity"] == before["uidvalidity"]
    kept = set(before["uids"]) & set(after["uids"])
    assert len(kept) >= 58, sorted(set(before["uids"]) - kept)
    assert {u: after["bodies"][u] for u in kept} == {u: before["bodies"][u] for u in kept}
    assert all(u > max(before["uids"]) for u in set(after["uids"]) - kept)


def test_lost_state_raises_uidvalidity(bridge, exchange, kind):
    before = snapshot(bridge)
    bridge.stop()
    for name in os.listdir(bridge.account_dir("work")):
        if name.startswith("state.db"):
            os.unlink(os.path.join(bridge.account_dir("work"), name))
    bridge.start()
    after = snapshot(bridge)
    assert after["uidvalidity"] > before["uidvalidity"]
    assert sorted(after["bodies"].values()) == sorted(before["bodies"].values())


def test_kill_in_the_first_sync_goes_on_where_it_was(stage, kind):
    """Pages that were committed are not asked for again."""
    op, pages, n = {"ews": ("SyncFolderItems", 5, 2400), "eas": ("Sync", 6, 600)}[kind]
    exchange = stage.exchange("--corpus", n, "--kinds", "small")
    exchange.fault(op=op, delay_s=0.5, times=0)
    bridge = stage.bridge(Account("work", exchange, kind))
    asked = lambda: [e for e in exchange.log(protocol=kind, op=op) if e["detail"].get("folder") == "inbox"]
    poll(60, lambda: len([e for e in asked() if e["done"]]) >= 3, "no pages come")
    bridge.kill()
    exchange.clear_faults()
    bridge.start()
    imap = bridge.login("work", timeout=120)
    assert imap.open("INBOX")["exists"] == n
    assert len(set(imap.uids())) == n
    firsts = [e for e in asked() if e["detail"].get("first") or e["detail"].get("key0")]
    assert len(firsts) == 1, "it began anew"
    assert len(asked()) <= pages + 6, len(asked())


def test_select_during_a_slow_first_sync_tells_how_far_it_is(stage, kind):
    """After 10 s without an answer clients begin to doubt: untagged OK lines keep them."""
    op, n = {"ews": ("SyncFolderItems", 1500), "eas": ("Sync", 300)}[kind]
    exchange = stage.exchange("--corpus", n, "--kinds", "small")
    exchange.fault(op=op, delay_s=6, times=4)
    bridge = stage.bridge(Account("work", exchange, kind))
    imap = bridge.login("work", timeout=120)
    opened = imap.open("INBOX")
    assert opened["exists"] == n
    assert [line for line in opened["lines"] if re.match(r"\* OK (?!\[(UIDV|UIDN|HIGH|PERM|MAILBOX|UNSEEN))", line)], opened["lines"]


def test_offline_start_serves_what_is_there(bridge, exchange, kind):
    before = snapshot(bridge)
    bridge.stop()
    exchange.fault(do="reset_before", times=0)
    bridge.start()
    assert snapshot(bridge) == before
    imap = bridge.login("work")
    assert any(b"INBOX" in line for line in imap.ok('LIST "" "*"'))
    exchange.clear_faults()
    exchange.deliver(subject="Online again")
    imap.open("INBOX")
    poll(60, lambda: imap.ok("NOOP") is not None and len(imap.uids()) == 61, "it does not recover\n" + bridge.tail())
