# SPDX-License-Identifier: Apache-2.0
"""Memory of a release build (scripts/check --large): 100,000 messages in five sessions, idle, and one message of 50 MB.

RssAnon of the process, in MB; the limits are those of the project's goals."""
import time

import counting
from bridge import Account, literal, poll

MB = 1_000_000


def megabytes(bridge):
    return bridge.memory() / MB


def settled(bridge, seconds=20):
    """Least memory seen within some seconds: what is needed, not what is passing through."""
    least, end = megabytes(bridge), time.monotonic() + seconds
    while time.monotonic() < end:
        least = min(least, megabytes(bridge))
        time.sleep(0.5)
    return least


def test_idle_with_two_accounts(stage):
    exchange = stage.exchange("--demo", 400)
    bridge = stage.bridge(*[Account(kind, exchange, kind) for kind in ("ews", "eas")], log_level="info")
    for kind in ("ews", "eas"):
        imap = bridge.login(kind)
        imap.open("INBOX")
        imap.bodies("1:20")
        counting.settle(exchange, kind)
        imap.idle()
    used = settled(bridge, 5)
    print(f"idle, two accounts: {used:.1f} MB")
    assert used < 15


def test_100000_messages_in_five_sessions(stage):
    exchange = stage.exchange("--corpus", 100_000, "--kinds", "small")
    bridge = stage.bridge(Account("work", exchange, "ews"), log_level="info")
    sessions = [bridge.login("work", timeout=1200) for _ in range(5)]
    started = time.monotonic()
    for imap in sessions:
        assert imap.open("INBOX")["exists"] >= 1
    poll(1200, lambda: sessions[0].ok("NOOP") is not None and (time.sleep(1) or sessions[0].status_of("INBOX")["MESSAGES"] == 100_000),
         "the first sync does not end")
    took = time.monotonic() - started
    for imap in sessions:
        imap.ok("NOOP")
        assert len(imap.fetch("1:*", "(FLAGS)", uid=False)) == 100_000
    used = settled(bridge, 5)
    print(f"100,000 messages, five sessions: {used:.1f} MB after {took:.0f} s")
    assert used < 80


def test_50_megabytes_flow_through(stage):
    for kind in ("ews", "eas"):
        exchange = stage.exchange("--corpus", 5, "--big", 50_000_000)
        bridge = stage.bridge(Account("work", exchange, kind), log_level="info", name="big-" + kind)
        imap = bridge.login("work", timeout=300)
        imap.open("INBOX")
        counting.settle(exchange, kind)
        before = most = megabytes(bridge)
        uid = max((int(line.split(b"RFC822.SIZE ")[1].split(b")")[0].split()[0]), u) for u, line in imap.fetch("1:*", "(RFC822.SIZE)"))[1]
        tag = imap.tag()
        imap.send(f"{tag} UID FETCH {uid} (BODY.PEEK[])\r\n")
        while len(imap.buffer) - imap.at < 49_000_000:
            most = max(most, megabytes(bridge))
            imap.more()
        status, lines = imap.finish(tag)
        assert status.startswith("OK") and len(literal(lines[-1])) > 49_000_000
        print(f"50 MB over {kind}: {before:.1f} MB before, at most {most:.1f} MB")
        assert most - before < 12
