# SPDX-License-Identifier: Apache-2.0
"""Versions, policies, remote wipe, moves: what happens before and around the commands."""
import os
import time

import pytest

PASSWORD = {"DevicePasswordEnabled": "1", "MinDevicePasswordLength": "6", "RequireDeviceEncryption": "1"}


def commands(exchange, since=0):
    return [e.get("op") for e in exchange.log(since)]


def test_version_is_sticky(exchange, driver):
    exchange.options(eas_versions=["14.1"])
    d = driver(exchange)
    cursor = d.sync(d.folder())["cursor"]
    d.stop()
    exchange.options(eas_versions=["14.1", "16.1"])
    d = driver(exchange)
    assert "14.1" in d.login()["server"]
    inbox = d.folder()
    assert d.sync(inbox, cursor)["err"] == "none"
    exchange.options(eas_versions=["16.1"])
    assert "16.1" in d.login()["server"]
    answer = d.sync(inbox, cursor)
    assert answer["err"] == "stale"
    assert d.sync(inbox)["restarted"]
    assert len(exchange.devices()) == 1


@pytest.mark.parametrize("versions, err", [(["2.5"], "unsupported"), (["2.5", "12.0"], "unsupported")])
def test_no_common_version(exchange, driver, versions, err):
    exchange.options(eas_versions=versions)
    d = driver(exchange)
    assert d.login()["err"] == err
    assert d.folders()["err"] == err


def test_options_without_headers_is_no_success(exchange, driver):
    exchange.options(eas_options="bare")
    assert driver(exchange).login()["err"] == "protocol"


def version_used(d, exchange):
    """That of the first folder list that is had; each refused version costs one that is not."""
    for _ in range(3):
        mark = exchange.mark()
        answer = d.folders()
        if answer["err"] == "none":
            return exchange.log(mark, op="FolderSync")[-1]["detail"]["version"]
        assert answer["err"] == "offline"
    raise AssertionError(answer)


@pytest.mark.parametrize("status", [405, 501])
@pytest.mark.parametrize("versions, used", [(["2.5", "12.1", "14.0", "14.1", "16.1"], "14.1"), (["2.5", "12.1"], "12.1"), (["16.1"], "16.1")])
def test_a_proxy_that_refuses_options(exchange, driver, status, versions, used):
    """A version is assumed, and corrected by what the server says to commands."""
    exchange.options(eas_versions=versions)
    exchange.fault(protocol="eas", op="OPTIONS", do="status", status=status, times=0)
    d = driver(exchange)
    assert version_used(d, exchange) == used
    assert len(d.sync_all(d.folder())[0]) == 30
    d.stop()
    mark = exchange.mark()
    d = driver(exchange)
    assert d.folders()["err"] == "none"
    assert commands(exchange, mark) == ["FolderSync"]
    exchange.options(eas_versions=["12.1", "14.0"])  # and it may change
    assert version_used(d, exchange) == "12.1"


def test_a_version_that_is_refused_as_no_request_at_all(exchange, driver):
    exchange.fault(protocol="eas", op="OPTIONS", do="status", status=405, times=0)
    exchange.fault(protocol="eas", where={"version": "14.1"}, do="status", status=400, times=0)
    d = driver(exchange)
    assert version_used(d, exchange) == "12.1"
    exchange.clear_faults()
    exchange.fault(protocol="eas", op="FolderSync", do="status", status=400)
    assert d.folders()["err"] == "protocol"  # a request, and not the version, once that is known
    assert version_used(d, exchange) == "12.1"


@pytest.mark.parametrize("version", ["12.1", "14.1"])
def test_a_password_is_proven_without_options(exchange, driver, version):
    exchange.options(eas_versions=[version])
    exchange.fault(protocol="eas", op="OPTIONS", do="status", status=405, times=0)
    d = driver(exchange)
    assert [d.login("wrong")["err"], d.login("secret")["err"]] == ["auth", "none"]
    assert version_used(d, exchange) == version
    assert [d.login("wrong")["err"], d.login("secret")["err"]] == ["auth", "none"]


def test_device_information(exchange, driver):
    d = driver(exchange)
    d.folders()
    device = exchange.devices()[0]
    assert device["id"].isalnum() and len(device["id"]) == 32
    assert device["info"]["Model"] == "exbridge" and device["info"]["UserAgent"]
    assert exchange.violations() == []


@pytest.mark.parametrize("version, asked", [("14.0", ["Provision", "Provision", "Settings"]), ("14.1", ["Provision", "Provision"])])
def test_device_information_is_wanted_again(exchange, driver, version, asked):
    """The server has forgotten the device, or an administrator has removed it."""
    exchange.options(eas_versions=[version])
    d = driver(exchange)
    assert d.folders()["err"] == "none"
    exchange.fault(protocol="eas", op="FolderSync", do="eas_status", code=165)
    mark = exchange.mark()
    assert d.folders()["err"] == "none"
    assert commands(exchange, mark) == ["FolderSync", *asked, "FolderSync"]


@pytest.mark.parametrize("version", ["12.1", "14.0", "14.1", "16.1"])
@pytest.mark.parametrize("options", [{"eas_provision": "none"}, {}, {"eas_provision_status": False}])
def test_harmless_policy(exchange, driver, version, options):
    exchange.options(eas_versions=[version], **options)
    d = driver(exchange, "--provision", "ask")
    assert d.folders()["err"] == "none"
    if not options:
        assert exchange.devices()[0]["policy_key"] not in (None, "", "0")
    d.stop()
    mark = exchange.mark()
    d = driver(exchange)
    assert d.folders()["err"] == "none"
    assert commands(exchange, mark) == ["FolderSync"]
    assert exchange.violations() == []


@pytest.mark.parametrize("answer, allowed, err, status", [
    ("ask", True, "policy", None), ("accept", True, "none", "2"), ("refuse", True, "none", "3"),
    ("ask", False, "policy", None), ("accept", False, "policy", "2"), ("refuse", False, "policy", "3")])
def test_unmet_policy(exchange, driver, answer, allowed, err, status):
    exchange.options(eas_policy=PASSWORD, eas_allow_nonprovisionable=allowed)
    d = driver(exchange, "--provision", answer)
    got = d.folders()
    assert got["err"] == err, got
    told = [e["detail"].get("policy_status") for e in exchange.log() if e.get("op") == "Provision" and e.get("detail")]
    if status is not None and any(told):
        assert status in [str(t) for t in told]
    if err == "policy":
        assert d.wait("health")["err"] == "policy"
    if answer == "ask":
        assert "password" in got["text"] and "encryption" in got["text"]
        for _ in range(5):
            assert d.folders()["err"] == "policy"
        assert commands(exchange).count("Provision") <= 4


@pytest.mark.parametrize("version, code", [("14.1", 143), ("16.1", 143), ("16.1", 142), ("16.1", 144), ("12.1", 143)])
@pytest.mark.parametrize("op", ["Sync", "FolderSync", "ItemOperations"])
def test_policy_refresh(exchange, driver, version, code, op):
    exchange.options(eas_versions=[version])
    d = driver(exchange)
    folders = d.folders()
    inbox = next(f["id"] for f in folders["list"] if f["use"] == "inbox")
    items, last, _ = d.sync_all(inbox)
    exchange.fault(protocol="eas", op=op, do="policy", code=code)
    if op == "Sync":
        assert d.sync(inbox, last["cursor"])["err"] == "none"
    elif op == "FolderSync":
        assert d.folders(folders["cursor"])["err"] == "none"
    else:
        got, end = d.fetch(inbox, "message", *list(items)[:3])
        assert end["err"] == "none" and all(e["err"] == "none" for e in got.values())
    assert exchange.violations() == []


def test_endless_policy_refresh_ends(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    exchange.fault(protocol="eas", op="Sync", do="policy", times=0)
    mark = exchange.mark()
    for _ in range(4):
        assert d.sync(inbox)["err"] == "policy"
    assert commands(exchange, mark).count("Provision") <= 4
    assert commands(exchange, mark).count("Sync") <= 8


def test_one_provisioning_for_all(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    exchange.options(eas_policy_serial=2, delay_s=0.05)
    mark = exchange.mark()
    d.send("begin-sync", inbox, last["cursor"])
    d.send("watch", inbox)
    assert d.folders()["err"] == "none"
    assert d.wait("sync")["err"] == "none"
    assert commands(exchange, mark).count("Provision") == 2
    d.send("unwatch")


def test_age_filter_is_obeyed(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    before, last, _ = d.sync_all(inbox)
    exchange.options(eas_policy={"MaxEmailAgeFilter": "2"}, eas_policy_serial=2)
    answer = d.sync(inbox, last["cursor"])
    assert answer["err"] == "stale"
    items, _, _ = d.sync_all(inbox)
    assert len(items) <= len(before)
    log = [e for e in exchange.log() if e.get("op") == "Sync"]
    assert log and exchange.violations() == []


@pytest.mark.parametrize("version, kind", [("12.1", "device"), ("14.1", "device"), ("16.1", "device"), ("16.1", "account")])
@pytest.mark.parametrize("repeat", [False, True])
def test_wipe(exchange, driver, version, kind, repeat):
    exchange.options(eas_versions=[version])
    d = driver(exchange)
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    exchange.options(eas_wipe=kind, eas_wipe_repeat=repeat)
    d.watch(inbox)
    assert d.sync(inbox, last["cursor"])["err"] == "policy"
    assert len(d.seen("wipe")) == 1
    assert d.wait("watch")["err"] == "policy"
    assert d.folders()["err"] == "policy"
    assert d.sync(inbox, last["cursor"])["err"] == "policy"
    end = time.monotonic() + 60
    while not exchange.devices()[0]["wipe_acks"] and time.monotonic() < end:
        time.sleep(0.02)
    acks = exchange.devices()[0]["wipe_acks"]
    assert len(acks) == 1 and acks[0][1] == "1"
    assert acks[0][0] == ("AccountOnlyRemoteWipe" if kind == "account" else "RemoteWipe")
    assert d.seen("wipe") == []


def test_server_upgrade(exchange, driver):
    exchange.options(eas_versions=["14.1"])
    d = driver(exchange)
    folders = d.folders()
    inbox = next(f["id"] for f in folders["list"] if f["use"] == "inbox")
    _, last, _ = d.sync_all(inbox)
    exchange.options(eas_versions=["14.1", "16.1"], eas_rp="14.1,16.1")
    assert d.sync(inbox, last["cursor"])["err"] == "stale"
    assert d.sync(inbox, last["cursor"])["err"] == "stale"
    d.watch(inbox)
    assert d.wait("watch")["hierarchy"]
    again = d.folders(folders["cursor"])
    assert again["full"] and again["err"] == "none"
    assert d.sync(inbox)["restarted"]


def test_moved_to_another_server(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    to = exchange.eas_url.replace("127.0.0.1", "localhost")
    exchange.fault(protocol="eas", op="Sync", do="status", status=451, headers={"X-MS-Location": to})
    items, _, _ = d.sync_all(inbox)
    assert len(items) == 30
    d.stop()
    with open(os.path.join(d.persist, "eas.state")) as file:
        assert f"url {to}" in file.read()
    d = driver(exchange)
    assert d.folders()["err"] == "none"


@pytest.mark.parametrize("to", ["http://evil.example.com/", "ftp://127.0.0.1/", "https://user@host/", "", "//x"])
def test_moves_that_are_not_followed(exchange, driver, to):
    d = driver(exchange)
    inbox = d.folder()
    exchange.fault(protocol="eas", op="Sync", do="status", status=451, headers={"X-MS-Location": to} if to else {})
    assert d.sync(inbox)["err"] in ("protocol", "offline")
    assert d.sync(inbox)["err"] == "none"


def test_moves_in_a_circle_end(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    exchange.fault(protocol="eas", op="Sync", do="status", status=451, headers={"X-MS-Location": exchange.eas_url}, times=0)
    assert d.sync(inbox)["err"] == "protocol"
    assert len(exchange.log()) < 20


@pytest.fixture
def sent_on(standin, driver):
    """A driver, the server of its configuration, which sends it on to another one, and that."""
    home, other = standin("--corpus", 30), standin("--corpus", 30)
    home.fault(protocol="eas", do="status", status=451, headers={"X-MS-Location": other.eas_url}, times=0)
    d = driver(home)
    assert d.folders()["err"] == "none"
    assert [e.get("op") for e in home.log()] == ["OPTIONS"] and len(other.log()) > 1
    return d, home, other


def until_well(d):
    """How often it had to be tried."""
    tries, end = 1, time.monotonic() + 60
    while d.folders()["err"] != "none":
        assert time.monotonic() < end
        tries += 1
    return tries


@pytest.mark.parametrize("how", ["off", "404", "405", "410"])
def test_the_server_we_were_sent_to_is_switched_off(sent_on, driver, how):
    """The mailbox is back where it was."""
    d, home, other = sent_on
    home.clear_faults()
    if how == "off":
        other.stop()
    else:
        other.fault(do="status", status=int(how), times=0)
    assert d.folders()["err"] == "offline"  # not at the first trouble
    until_well(d)
    d.stop()
    d = driver(home)  # for good
    assert d.folders()["err"] == "none"


def test_the_server_we_were_sent_to_is_away_for_a_while(sent_on, driver):
    """The configured one knows of no other: each is asked in its turn, and the mailbox is found when it is there again."""
    d, home, other = sent_on
    other.fault(do="status", status=404, times=0)
    mark, away = home.mark(), other.mark()
    while len(home.log(mark)) < 6:
        assert d.folders()["err"] == "offline"
    # It is a minute from one question to the next, which this driver takes for 1.2 s.
    at = [e["t"] for e in home.log(mark)]
    assert min(b - a for a, b in zip(at, at[1:])) > 1.1
    assert len(other.log(away)) > 6
    other.clear_faults()
    assert until_well(d) <= 3
    d.stop()
    mark = home.mark()
    assert driver(home).folders()["err"] == "none"
    assert home.log(mark) == []


def test_both_servers_are_away(sent_on):
    """As without a network."""
    d, home, other = sent_on
    home.clear_faults()
    for server in home, other:
        server.fault(do="status", status=404, times=0)
    mark = home.mark()
    while len(home.log(mark)) < 3:
        assert d.folders()["err"] == "offline"
    other.clear_faults()
    assert until_well(d) <= 3


def test_password_changes(exchange, driver):
    d = driver(exchange)
    inbox = d.folder()
    exchange.call("POST", "password", {"user": "alice@example.com", "password": "new"})
    assert d.sync(inbox)["err"] == "auth"
    assert [h["err"] for h in d.seen("health")][-1] == "auth"
    requests = len(exchange.log())
    assert d.sync(inbox)["err"] == "auth"
    assert len(exchange.log()) <= requests + 1
    d.set_password("new")
    d.stop()
    d = driver(exchange, password="new")
    assert d.sync(inbox)["err"] == "none"
