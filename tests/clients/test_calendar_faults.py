# SPDX-License-Identifier: Apache-2.0
"""A calendar whose server cannot give one of its events just now: none is left out for ever."""
import pytest
from bridge import Account, poll
from davtest import Dav

FAULTS = {
    "busy": dict(code="ErrorServerBusy", backoff_ms=600_000),
    "store away": dict(code="ErrorMailboxStoreUnavailable"),
    "trouble": dict(code="ErrorMailboxConfiguration"),
}


def seen(bridge):
    dav = Dav(bridge)
    try:
        return sorted(dav.etags(dav.calendar()).values()) if "Calendar" in dav.calendars() else []
    finally:
        dav.close()


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("when", ["first", "resync"])
def test_one_event_of_a_page(stage, name, when):
    """In the first synchronisation, and when a folder is collected anew: then what is not told is gone."""
    exchange = stage.exchange()
    for n in range(5):
        exchange.event("create", event={"subject": f"event {n}"})
    bridge = stage.bridge(Account("work", exchange), dav=True, start=False)
    if when == "resync":
        bridge.start()
        before = poll(60, lambda: len(s := seen(bridge)) == 5 and s)
        bridge.stop()
        exchange.invalidate()
    exchange.fault(op="GetItem", do="error", index=2, times=0, **FAULTS[name])
    bridge.start()
    poll(60, lambda: exchange.faults()[0]["hits"], "the fault is not met")
    said = "pause" if name == "busy" else FAULTS[name]["code"]
    poll(60, lambda: bridge.log_lines(r" (warn|error|info) .*" + said), lambda: bridge.tail())
    if when == "resync":
        assert seen(bridge) == before  # the old list stands until the new one is complete
    exchange.clear_faults()
    bridge.restart()
    poll(60, lambda: len(seen(bridge)) == 5, lambda: f"{seen(bridge)}\n{bridge.tail()}")
    if when == "resync":
        assert seen(bridge) == before


def test_one_that_could_not_be_read_comes_later(stage):
    """Left out of its page, which no other page will repeat: it is asked for again."""
    exchange = stage.exchange()
    for n in range(3):
        exchange.event("create", event={"subject": f"event {n}"})
    exchange.fault(op="GetItem", do="error", index=1, times=0, code="ErrorItemCorrupt")
    bridge = stage.bridge(Account("work", exchange), dav=True)
    poll(60, lambda: len(seen(bridge)) == 2, bridge.tail)
    assert bridge.sql("work", "SELECT count(*) FROM unread") == [(1,)]
    bridge.stop()
    exchange.clear_faults()
    bridge.start()
    poll(60, lambda: len(seen(bridge)) == 3, bridge.tail)
    assert bridge.sql("work", "SELECT count(*) FROM unread") == [(0,)]


def test_one_that_cannot_be_read_any_more_stays(stage):
    """Its folder is collected anew, and its page cannot tell what it says: it is still there, so no client hears that it is gone."""
    exchange = stage.exchange()
    for n in range(3):
        exchange.event("create", event={"subject": f"event {n}"})
    bridge = stage.bridge(Account("work", exchange), dav=True)
    before = poll(60, lambda: len(s := seen(bridge)) == 3 and s, bridge.tail)
    bridge.stop()
    exchange.invalidate()
    exchange.fault(op="GetItem", do="error", index=0, times=0, code="ErrorItemCorrupt")
    bridge.start()
    poll(60, lambda: bridge.sql("work", "SELECT (SELECT count(*) FROM unread), resync FROM folder WHERE kind = 1") == [(1, 0)], bridge.tail)
    assert seen(bridge) == before
    bridge.stop()
    exchange.clear_faults()
    bridge.start()
    poll(60, lambda: bridge.sql("work", "SELECT count(*) FROM unread") == [(0,)], bridge.tail)
    assert seen(bridge) == before
