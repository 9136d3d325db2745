# SPDX-License-Identifier: Apache-2.0
"""Counting requests in the stand-in's log: what a command causes, with start-up, sign-in and push apart."""
import collections
import time

START_UP = {"ews:SyncFolderHierarchy", "ews:GetFolder", "ews:GetServerTimeZones", "ews:GetServiceConfiguration", "eas:OPTIONS", "eas:Provision",
            "eas:Settings", "eas:FolderSync"}
PUSH = {"ews:Subscribe", "ews:Unsubscribe", "ews:GetStreamingEvents", "eas:Ping"}
BODIES = {"ews:GetItem", "eas:ItemOperations"}
SYNCS = {"ews:SyncFolderItems", "eas:Sync"}
QUIET_S = 2.0  # push is passed on once a second at most, so what is to follow from it may take that long to be asked
LOOKS = 20  # on a busy machine, where the bridge comes to its turn later, these take longer, too


def name(entry):
    return f"{entry['protocol']}:{entry['op']}"


def entries(exchange, since, kind, *, start_up=False, push=False, folder=None):
    """Log entries of one protocol. folder: leave out syncs of other folders, which go on in the background at start."""
    found = []
    for entry in exchange.log(since, protocol=kind):
        if (name(entry) in START_UP and not start_up) or (name(entry) in PUSH and not push):
            continue
        other = entry["detail"].get("folder")
        if folder and other and other != folder:
            continue
        found.append(entry)
    return found


def count(exchange, since, kind, **how):
    return len(entries(exchange, since, kind, **how))


def changes(exchange, since, kind):
    """What a command that changes something asks. Syncs follow push, which tells of our own changes, too, whenever it
    likes; one with commands of ours in it is a change."""
    return [name(e) for e in entries(exchange, since, kind) if name(e) not in SYNCS or e["detail"].get("commands")]


def table(exchange, since, kind):
    """For messages of failing tests."""
    return dict(collections.Counter((name(e), str(e["detail"].get("folder"))) for e in exchange.log(since, protocol=kind)))


def settle(exchange, kind, seconds=60):
    """Wait until start-up is over: the push request is parked and nothing else was asked for a while. A mark in the log."""
    end = time.monotonic() + seconds
    last, since, looks = None, time.monotonic(), 0
    while time.monotonic() < end:
        log = exchange.log(protocol=kind)
        now = (len(log), sum(1 for e in log if e["done"]))
        looks += 1
        if now != last:
            last, since, looks = now, time.monotonic(), 0
        parked = any(name(e) in PUSH and not e["done"] for e in log)
        under_way = any(name(e) not in PUSH and e["status"] is None and not e["fault"] for e in log)
        if parked and not under_way and time.monotonic() - since > QUIET_S and looks >= LOOKS:
            return exchange.mark()
        time.sleep(0.05)
    raise AssertionError(f"it does not become quiet: {[(name(e), e['detail'], e['done']) for e in log[-8:]]}")


def deaf(exchange):
    """From now on the bridge hears of no change over EWS, and looks for none: its stream says nothing, a sync would hang."""
    counted = exchange.mark()
    exchange.fault(op="GetStreamingEvents", do="pause", times=0)
    exchange.drop_connections()
    exchange.held("GetStreamingEvents", counted)
    settle(exchange, "ews")
    exchange.fault(op="SyncFolderItems", do="pause", times=0)
