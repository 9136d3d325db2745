# SPDX-License-Identifier: Apache-2.0
"""Push by Ping: what wakes it, how it adapts, what it survives."""
import time

import pytest
from bridge import poll


def ready(driver, exchange, *args):
    d = driver(exchange, *args)
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    return d, inbox, last["cursor"]


@pytest.mark.parametrize("nested", ["text", "nested"])
@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
def test_new_mail(exchange, driver, version, nested):
    exchange.options(eas_versions=[version], eas_ping_folder=nested)
    d, inbox, cursor = ready(driver, exchange)
    sent = d.folder("sent")
    d.watch(inbox, sent)
    exchange.held("Ping")
    assert d.seen("watch") == []
    exchange.deliver(subject="new")
    answer = d.wait("watch")
    assert answer["folders"] == [inbox] and not answer["hierarchy"] and not answer["everything"]
    assert len(d.sync(inbox, cursor)["list"]) == 1
    assert exchange.violations() == []


def test_what_came_between_is_found(exchange, driver):
    d, inbox, cursor = ready(driver, exchange)
    exchange.deliver(subject="before")
    d.watch(inbox)
    assert d.wait("watch")["folders"] == [inbox]


def test_heartbeat_bounds(exchange, driver):
    exchange.options(eas_heartbeat_min=100, eas_heartbeat_max=300)
    d, inbox, _ = ready(driver, exchange)
    d.watch(inbox)
    exchange.held("Ping", heartbeat="300")
    exchange.deliver(subject="new")
    assert d.wait("watch")["heartbeat"] == 300
    assert exchange.counts()["eas:Ping"] == 2


def test_heartbeat_grows(exchange, driver):
    exchange.options(eas_heartbeat_min=1)
    d, inbox, _ = ready(driver, exchange, "--heartbeat", 1)
    d.watch(inbox)
    exchange.held("Ping", heartbeat="301")
    exchange.deliver(subject="new")
    assert d.wait("watch")["heartbeat"] == 301


def test_too_many_folders(exchange, driver):
    exchange.options(eas_ping_max_folders=1)
    d, inbox, _ = ready(driver, exchange)
    d.watch(inbox, d.folder("sent"), d.folder("trash"))
    exchange.held("Ping", folders=["inbox"])
    exchange.deliver(subject="new")
    assert d.wait("watch")["folders"] == [inbox]


def test_folder_list_changes(exchange, driver):
    d, inbox, _ = ready(driver, exchange)
    d.watch(inbox)
    exchange.held("Ping")
    exchange.folder("create", name="Fresh")
    exchange.fault(protocol="eas", op="Ping", do="eas_status", code=7)
    d.send("unwatch")
    d.watch(inbox)
    assert d.wait("watch")["hierarchy"]


def test_folder_list_changes_again_and_again(exchange, driver):
    """Each time there was something to be seen, so each time it is looked at once."""
    for n in range(3):
        exchange.folder("create", name=f"Fresh {n}")
    d = driver(exchange, fast=False)
    answer = d.folders()
    fresh = {f["name"]: f["id"] for f in answer["list"] if f["name"].startswith("Fresh")}
    for folder in fresh.values():
        d.sync_all(folder)
    for name, folder in sorted(fresh.items()):
        d.watch(*fresh.values())
        exchange.folder("delete", folder=name)
        assert d.wait("watch")["hierarchy"]
        answer = d.folders(answer["cursor"])
        assert [f["id"] for f in answer["list"] if f["gone"]] == [folder]
        del fresh[name]


def test_folder_list_changes_for_nothing(exchange, driver):
    """As after deleting a folder ourselves, which two requests may still name: push is not away for a minute."""
    d = driver(exchange, fast=False)
    inbox = d.folder()
    cursor = d.folders()["cursor"]
    d.sync_all(inbox)
    exchange.fault(protocol="eas", op="Ping", do="eas_status", code=7, times=2)
    for _ in range(2):
        d.watch(inbox)
        assert d.wait("watch")["hierarchy"]
        assert d.folders(cursor)["list"] == []
    d.watch(inbox)
    exchange.deliver(subject="new")
    assert d.wait("watch")["folders"] == [inbox]


def test_folders_are_named_once_they_are_synchronised(exchange, driver):
    exchange.options(eas_ping_needs_sync=True)
    d, inbox, _ = ready(driver, exchange)
    sent = d.folder("sent")
    d.watch(inbox, sent)
    exchange.held("Ping", folders=["inbox"])
    d.sync_all(sent)
    exchange.held("Ping", folders=["inbox", "sentitems"])
    exchange.deliver(subject="new", folder="sentitems")
    assert d.wait("watch")["folders"] == [sent]
    d.stop()
    d = driver(exchange)
    d.watch(inbox, sent)
    assert d.wait("watch")["folders"] == [sent]
    assert exchange.violations() == []


@pytest.mark.parametrize("key_alone, alarms", [(False, 3), (True, 30)])
def test_false_alarms_are_muted(exchange, driver, key_alone, alarms):
    """A new SyncKey is something, all that SOGo has to tell of our own changes; but not for ever."""
    exchange.options(eas_ping_false=True, eas_key_alone=key_alone)
    d, inbox, cursor = ready(driver, exchange)
    for _ in range(alarms):
        d.watch(inbox)
        assert d.wait("watch")["folders"] == [inbox]
        cursor = d.sync(inbox, cursor)["cursor"]
    mark = exchange.mark()
    d.watch(inbox)
    time.sleep(0.5)
    assert d.seen("watch") == [] and exchange.counts(mark).get("eas:Ping", 0) == 0
    d.send("unwatch")


@pytest.mark.parametrize("code", [3, 8])
def test_statuses_that_pass(exchange, driver, code):
    d, inbox, _ = ready(driver, exchange)
    exchange.fault(protocol="eas", op="Ping", do="eas_status", code=code, times=2)
    d.watch(inbox)
    poll(60, lambda: exchange.counts().get("eas:Ping", 0) == 3)
    assert d.seen("watch") == []
    exchange.deliver(subject="new")
    assert d.wait("watch")["folders"] == [inbox]


@pytest.mark.parametrize("fault", [
    {"do": "reset_before"}, {"do": "close_before"}, {"do": "cut", "bytes": 3}, {"do": "lose"}, {"do": "status", "status": 500},
    {"do": "status", "status": 502}])
def test_lost_connections(exchange, driver, fault):
    d, inbox, _ = ready(driver, exchange)
    exchange.fault(protocol="eas", op="Ping", times=1, **fault)
    exchange.deliver(subject="new")
    d.watch(inbox)
    answer = d.wait("watch")
    assert answer["err"] == "none" and answer["folders"] == [inbox] or answer["err"] in ("offline", "throttled")


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_that_does_not_wait(exchange, driver, status):
    """504, as nginx says after a minute (IIS: 502): what is asked for is made shorter, and not as long again."""
    exchange.options(eas_heartbeat_min=1, eas_heartbeat_max=4)
    d, inbox, cursor = ready(driver, exchange, "--heartbeat", 1)
    exchange.fault(protocol="eas", op="Ping", where={"heartbeat": "4"}, do="status", status=status, delay_s=1.2,
                   times=0)
    mark = exchange.mark()
    d.watch(inbox)
    poll(60, lambda: len(exchange.log(mark, op="Ping")) >= 6)
    assert [e["detail"]["heartbeat"] for e in exchange.log(mark, op="Ping")][:6] == ["1", "301", "4", "2", "2", "2"]
    exchange.deliver(subject="new")
    assert d.wait("watch")["folders"] == [inbox]
    assert len(d.sync(inbox, cursor)["list"]) == 1


def test_a_gateway_of_a_minute(exchange, driver):
    """The shortest Ping fits in."""
    exchange.options(eas_heartbeat_min=30)
    d, inbox, _ = ready(driver, exchange)
    for heartbeat in "480", "240", "120", "60":
        exchange.fault(protocol="eas", op="Ping", where={"heartbeat": heartbeat}, do="status", status=504, delay_s=1.2, times=0)
    d.watch(inbox)
    assert d.wait("watch")["err"] == "offline"
    d.watch(inbox)
    exchange.held("Ping", heartbeat="30")
    exchange.deliver(subject="new")
    assert d.wait("watch")["folders"] == [inbox]


@pytest.mark.parametrize("fault, err", [
    ({"do": "status", "status": 503, "headers": {"Retry-After": "77"}}, "throttled"),
    ({"do": "eas_status", "code": 4}, "protocol"), ({"do": "eas_status", "code": 8}, "offline"),
    ({"do": "eas_status", "code": 129}, "denied"), ({"do": "html"}, "protocol"), ({"do": "garbage"}, "protocol"),
    ({"do": "reset_before"}, "offline"), ({"do": "nest"}, "protocol"), ({"do": "wbxml_length"}, "protocol")])
def test_what_ends_a_watch(exchange, driver, fault, err):
    d, inbox, _ = ready(driver, exchange)
    exchange.deliver(subject="new")
    exchange.fault(protocol="eas", op="Ping", times=0, **fault)
    d.watch(inbox)
    answer = d.wait("watch")
    assert answer["err"] == err
    if fault.get("status") == 503:
        assert answer["retry_after"] == 77


def test_nothing_is_sent_while_nothing_happens(exchange, driver):
    d, inbox, _ = ready(driver, exchange)
    d.watch(inbox)
    exchange.held("Ping")
    mark = exchange.mark()
    time.sleep(1.5)
    assert exchange.counts(mark) == {}
    d.send("unwatch")


def test_early_expiry_is_paced(exchange, driver):
    """A server that ends every Ping at once (SOGo's default is 10 s) is not asked in a loop."""
    d, inbox, _ = ready(driver, exchange)
    mark = exchange.mark()
    exchange.fault(protocol="eas", op="Ping", do="eas_status", code=1, times=0)
    d.watch(inbox)
    poll(60, lambda: exchange.counts(mark).get("eas:Ping", 0) >= 3)
    first, _, third = [e["t"] for e in exchange.log(mark, op="Ping")][:3]
    assert third - first > 1.2  # 20 ms a second: a minute is 1.2 s
    d.send("unwatch")
