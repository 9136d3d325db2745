# SPDX-License-Identifier: Apache-2.0
"""The EWS backend when things go wrong: what is tried again, what is given up, what the error says."""
import random
import time

import pytest

from bridge import poll
from driver import Driver

standin = pytest.mark.standin
INVALID = pytest.mark.violates


def good(driver, folder):
    """Nothing of the fault is left."""
    page = driver.sync(folder)
    assert page["err"] == "none" and len(page["list"]) == 30
    items, end = driver.fetch("message", page["list"][0]["id"])
    assert end["err"] == "none" and items[page["list"][0]["id"]]["err"] == "none"


# --- what passes by itself ----------------------------------------------------------------------------------------------------

PASSING = [
    dict(do="status", status=500),
    dict(do="status", status=502),
    dict(do="status", status=503),
    dict(do="status", status=503, headers={"Retry-After": "1"}),
    dict(do="status", status=504),
    dict(do="status", status=429, headers={"Retry-After": "1"}),
    dict(do="html", status=503),
    dict(do="redirect"),
    dict(do="garbage"),
    dict(do="garbage", status=500),
    dict(do="empty"),
    dict(do="reset_before"),
    dict(do="close_before"),
    dict(do="hang", seconds=4),
    dict(do="throttle", backoff_ms=300),
    dict(do="soap_fault", code="ErrorInternalServerTransientError"),
    dict(do="soap_fault", code="ErrorInternalServerError"),
    dict(do="error", code="ErrorMailboxStoreUnavailable"),
    dict(do="error", code="ErrorServerBusy", backoff_ms=200),
    dict(do="error", code="ErrorInternalServerError", values={"InnerErrorResponseCode": "ErrorServerBusy"}),
    dict(do="error", code="ErrorTooManyObjectsOpened"),
    dict(do="error", code="ErrorExceededConnectionCount"),
    dict(do="lose"),
    dict(do="reset_after"),
    dict(do="truncate", bytes=700),
    dict(do="bad_length", delta=100, seconds=4),
    dict(do="deflate_garbage"),
    dict(do="doctype"),
    *[dict(do="cut", bytes=n) for n in (0, 1, 30, 200, 400, 600, 1000, 3000)],
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda f: "-".join(str(v) for v in f.values() if not isinstance(v, dict)))
def test_once(exchange, driver, fault):
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", **fault)
    mark = exchange.mark()
    page = driver.sync(inbox)
    assert page["err"] == "none" and len(page["list"]) == 30, page
    assert exchange.counts(mark)["ews:SyncFolderItems"] == 2
    good(driver, inbox)


@pytest.mark.parametrize("fault", [f for f in PASSING if f["do"] in ("cut", "truncate", "lose", "error", "soap_fault")],
                         ids=lambda f: "-".join(str(v) for v in f.values() if not isinstance(v, dict)))
def test_once_while_fetching(exchange, driver, fault):
    """Nothing twice, nothing missing: what had come complete is not asked for again."""
    inbox = driver.folder()
    driver.syncall(inbox)
    fault = dict(fault, bytes=fault["bytes"] * 20) if "bytes" in fault else fault
    exchange.fault(op="GetItem", **fault)
    items, batches = driver.fetchall("message", 10)
    assert batches[0]["err"] == "none"
    # an error that may pass is no reason to rebuild a message from its properties, for ever
    assert len(items) == 10 and all(i["err"] == "none" and not i["synthesised"] for i in items.values())
    assert not driver.has("item")


HARMLESS = [dict(do="gzip"), dict(do="bom"), dict(do="control_chars"), dict(do="bad_utf8"), dict(do="drip", rate=20000)]


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda f: f["do"])
def test_harmless(exchange, driver, fault):
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", **fault)
    mark = exchange.mark()
    page = driver.sync(inbox)
    assert page["err"] == "none" and len(page["list"]) == 30
    assert exchange.counts(mark)["ews:SyncFolderItems"] == 1


# --- what does not pass ------------------------------------------------------------------------------------------------------------

CLOSED = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode '
          'xmlns:a="http://schemas.microsoft.com/exchange/services/2006/types">a:ErrorAccessDenied</faultcode><faultstring>Access is '
          'denied. Check credentials and try again.</faultstring><detail><e:ResponseCode '
          'xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">ErrorAccessDenied</e:ResponseCode></detail></s:Fault>'
          '</s:Body></s:Envelope>')
LASTING = [
    # fault, error, words in the text, requests at most
    (dict(do="status", status=401), "auth", "credentials", 3),
    (dict(do="status", status=403), "denied", "backend = eas", 1),
    (dict(do="status", status=403, body=CLOSED, headers={"Content-Type": "text/xml; charset=utf-8"}), "denied",
     "EwsApplicationAccessPolicy): ask the administrator, or use backend = eas (ErrorAccessDenied)", 1),
    (dict(do="status", status=403, headers={"X-MS-Diagnostics": '2000008;reason="The token contains not enough scope"'}), "denied",
     "EWS.AccessAsUser.All", 1),
    (dict(do="html", status=403), "denied", "EwsEnabled", 1),
    (dict(do="status", status=404), "offline", "url", 1),
    (dict(do="status", status=407), "offline", "proxy", 1),
    (dict(do="status", status=500), "offline", "HTTP 500", 3),
    (dict(do="status", status=507), "quota", "full", 1),
    (dict(do="html"), "protocol", "web page", 1),
    (dict(do="redirect", to="https://elsewhere.example/owa/?secret=1"), "protocol", "https://elsewhere.example/owa/", 1),
    (dict(do="redirect"), "offline", "error page", 3),
    (dict(do="garbage"), "protocol", "", 3),
    (dict(do="empty"), "protocol", "empty", 3),
    (dict(do="reset_before"), "offline", "", 3),
    (dict(do="doctype"), "protocol", "", 3),
    (dict(do="nest", depth=50000), "too-big", "", 3),
    (dict(do="bomb", size=64 << 20), "protocol", "", 3),
    (dict(do="cut", bytes=500), "protocol", "", 3),
    (dict(do="truncate", bytes=500), "protocol", "", 3),
    (dict(do="soap_fault", code="ErrorSchemaValidation"), "invalid", "ErrorSchemaValidation", 1),
    (dict(do="soap_fault", code="ErrorImpersonationDenied"), "denied", "ErrorImpersonationDenied", 1),
    (dict(do="error", code="ErrorAccessDenied"), "denied", "ErrorAccessDenied", 1),
    (dict(do="error", code="ErrorNonExistentMailbox"), "denied", "ErrorNonExistentMailbox", 1),
    (dict(do="error", code="ErrorFolderNotFound"), "not-found", "ErrorFolderNotFound", 1),
    (dict(do="error", code="ErrorMailboxMoveInProgress"), "offline", "ErrorMailboxMoveInProgress", 3),
    (dict(do="error", code="ErrorNobodyKnows"), "protocol", "ErrorNobodyKnows", 1),
]


@pytest.mark.parametrize("fault,err,text,requests", LASTING, ids=lambda f: None if not isinstance(f, dict) else
                         "-".join(str(v) for v in f.values() if not isinstance(v, dict)))
def test_lasting(exchange, driver, fault, err, text, requests):
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", times=0, **fault)
    mark = exchange.mark()
    page = driver.sync(inbox)
    assert page["err"] == err and text in page["text"], page
    assert "secret" not in page["text"]
    assert exchange.counts(mark)["ews:SyncFolderItems"] <= requests
    exchange.clear_faults()
    if err != "auth":
        good(driver, inbox)


def test_locked_out(exchange, driver):
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", do="status", status=401, body="The referenced account is currently locked out", times=0)
    mark = exchange.mark()
    page = driver.sync(inbox)
    assert page["err"] == "auth" and "locked out" in page["text"]
    assert exchange.counts(mark)["ews:SyncFolderItems"] == 1


def test_401_as_a_symptom(exchange, driver):
    """To credentials that have worked, one 401 is not believed."""
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", do="status", status=401)
    assert driver.sync(inbox)["err"] == "none"


# --- throttling --------------------------------------------------------------------------------------------------------------------

def test_throttled_for_long(exchange, driver):
    """Longer than anybody would wait: said at once, and nothing is sent before the time is over."""
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", do="throttle", backoff_ms=60000)
    mark = exchange.mark()
    page = driver.sync(inbox)
    assert page["err"] == "throttled" and 50 <= page["retry_after"] <= 62
    assert exchange.counts(mark)["ews:SyncFolderItems"] == 1
    mark = exchange.mark()
    assert driver.folders()["err"] == "throttled"      # the whole account
    assert driver.login()["err"] == "throttled"
    assert exchange.counts(mark) == {}


def test_throttled_shortly_holds_everybody_back(exchange, driver):
    inbox = driver.folder()
    driver.syncall(inbox)
    exchange.fault(op="GetItem", do="throttle", backoff_ms=1500)
    mark = exchange.mark()
    started = time.monotonic()
    items, batches = driver.fetchall("message", 30)
    assert len(items) == 30 and all(b["err"] == "none" for b in batches)
    assert time.monotonic() - started >= 1.5
    # three batches were under way when the answer came; no hammering
    assert exchange.counts(mark)["ews:GetItem"] <= 6


def test_busy_without_end(exchange, driver):
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", do="status", status=503, times=0)
    mark = exchange.mark()
    page = driver.sync(inbox)
    assert page["err"] == "throttled" and page["retry_after"] >= 1
    assert exchange.counts(mark)["ews:SyncFolderItems"] <= 10


# --- versions ----------------------------------------------------------------------------------------------------------------------

@INVALID
def test_version_refused(exchange, driver):
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", do="soap_fault", code="ErrorInvalidServerVersion")
    assert driver.sync(inbox)["err"] == "none"
    exchange.fault(op="SyncFolderItems", do="status", status=500, body="... The specified server version is invalid. ...")
    assert driver.sync(inbox)["err"] == "none"
    answer = driver.login()
    assert "Exchange2010_SP2" in answer["server"]
    exchange.fault(op="SyncFolderItems", do="soap_fault", code="ErrorInvalidServerVersion", times=0)
    page = driver.sync(inbox)
    assert page["err"] == "unsupported" and "Exchange 2010" in page["text"]


# --- too much at once ------------------------------------------------------------------------------------------------------------------

@standin("--corpus", "1500")
def test_pages_shrink_after_a_timeout(exchange, driver):
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", do="status", status=504, times=2)
    mark = exchange.mark()
    page = driver.sync(inbox)
    assert page["err"] == "none" and len(page["list"]) == 128 and page["more"]
    page = driver.sync(inbox, page["cursor"])
    assert len(page["list"]) == 128        # remembered


# --- items ---------------------------------------------------------------------------------------------------------------------------------

@standin("--corpus", "20")
def test_an_error_for_one_item(exchange, driver):
    page = driver.sync(driver.folder())
    asked = [i["id"] for i in page["list"][:10]]
    for code, err in (("ErrorItemNotFound", "not-found"), ("ErrorAccessDenied", "denied"), ("ErrorNobodyKnows", "protocol")):
        exchange.fault(op="GetItem", do="error", code=code, index=3)
        items, end = driver.fetch("message", *asked)
        assert end["err"] == "none" and len(items) == 10
        assert [items[i]["err"] for i in asked] == [err if n == 3 else "none" for n in range(10)]
    # a passing one: asked for again, alone
    exchange.fault(op="GetItem", do="error", code="ErrorTimeoutExpired", index=3)
    mark = exchange.mark()
    items, end = driver.fetch("message", *asked)
    assert end["err"] == "none" and all(items[i]["err"] == "none" for i in asked)
    assert [e["detail"].get("ids") for e in exchange.log(mark)] == [10, 1]


@standin("--corpus", "20", "--set", "dead_items=true")
def test_dead_items(exchange, driver):
    """Announced by every sync, never found."""
    exchange.deliver(subject="ghost", traits=["dead"])
    page = driver.sync(driver.folder())
    items, end = driver.fetch("message", page["list"][0]["id"])
    assert end["err"] == "none" and items[page["list"][0]["id"]]["err"] == "not-found"


def test_answers_about_other_items(exchange, driver):
    """What is answered under a wrong id belongs to nobody."""
    page = driver.sync(driver.folder())
    one, other = page["list"][0]["id"], page["list"][1]["id"]
    soap = ('<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m:GetItemResponse '
            'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
            'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages>{}</m:ResponseMessages>'
            '</m:GetItemResponse></s:Body></s:Envelope>')
    message = ('<m:GetItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Items><t:Message>'
               '<t:MimeContent>QTogYg0K</t:MimeContent><t:ItemId Id="{}"/></t:Message></m:Items></m:GetItemResponseMessage>')
    gone = ('<m:GetItemResponseMessage ResponseClass="Error"><m:ResponseCode>ErrorItemNotFound</m:ResponseCode><m:Items/>'
            '</m:GetItemResponseMessage>')
    exchange.fault(op="GetItem", do="replace", body=soap.format(message.format("foreign")))
    items, end = driver.fetch("message", one)
    assert items == {} and end["err"] == "protocol"
    exchange.fault(op="GetItem", do="replace", body=soap.format(message.format(other) + message.format(one)))
    items, end = driver.fetch("message", one, other)          # the other way round
    assert end["err"] == "none" and {i["err"] for i in items.values()} == {"none"}
    # one error for two questions: nobody can say whose
    exchange.fault(op="GetItem", do="replace", body=soap.format(gone))
    items, end = driver.fetch("message", one, other)
    assert items == {} and end["err"] == "protocol"


@pytest.mark.parametrize("what", ["header", "message"])
def test_a_poisoned_batch(exchange, driver, what):
    """An item that spoils the answer about all of them is found by asking one by one."""
    page = driver.sync(driver.folder())
    asked = [i["id"] for i in page["list"][:6]]
    mark = exchange.mark()
    exchange.fault(op="GetItem", do="doctype", times=3)          # all tries of all six
    items, end = driver.fetch(what, *asked)
    assert end["err"] == "none" and [items[i]["err"] for i in asked] == ["none"] * 6
    assert [e["detail"].get("ids") for e in exchange.log(mark)] == [6] * 3 + [1] * 6
    exchange.fault(op="GetItem", do="soap_fault", code="ErrorInternalServerError", times=6)      # and all of the first one
    items, end = driver.fetch(what, *asked)
    assert end["err"] == "none"
    assert [items[i]["err"] for i in asked] == ["unsupported" if what == "header" else "none"] + ["none"] * 5
    assert [i for i in asked if items[i].get("synthesised")] == ([asked[0]] if what == "message" else [])


def test_an_internal_error_that_stays(exchange, driver):
    """About one item of many: asked for alone, and then rebuilt from its properties."""
    page = driver.sync(driver.folder())
    asked = [i["id"] for i in page["list"][:4]]
    mark = exchange.mark()
    exchange.fault(op="GetItem", do="error", code="ErrorInternalServerError", index=2)
    exchange.fault(op="GetItem", do="error", code="ErrorInternalServerError", index=0, times=3)
    items, end = driver.fetch("message", *asked)
    assert end["err"] == "none" and [items[i]["err"] for i in asked] == ["none"] * 4
    assert [bool(items[i]["synthesised"]) for i in asked] == [False, False, True, False]
    assert [e["detail"].get("ids") for e in exchange.log(mark) if e["op"] == "GetItem"] == [4, 1, 1, 1, 1]


@pytest.mark.parametrize("fault", [dict(do="status", status=500), dict(do="soap_fault", code="ErrorInternalServerError"),
                                   dict(do="doctype"), dict(do="reset_before")], ids=lambda f: f["do"])
def test_a_server_in_trouble_is_not_asked_item_by_item(exchange, driver, fault):
    page = driver.sync(driver.folder())
    exchange.fault(op="GetItem", times=0, **fault)
    for what in ("header", "message"):
        mark = exchange.mark()
        items, end = driver.fetch(what, *[i["id"] for i in page["list"][:10]])
        assert end["err"] in ("offline", "protocol") and all(i["err"] != "none" for i in items.values())
        assert exchange.counts(mark)["ews:GetItem"] <= 12


def test_an_answer_that_drips(exchange, driver):
    """A byte now and then keeps no request open for ever."""
    inbox = driver.folder()
    exchange.fault(op="SyncFolderItems", do="drip", rate=100)
    started = time.monotonic()
    page = driver.sync(inbox)
    assert page["err"] == "none" and 4 < time.monotonic() - started < 100


# --- push ------------------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault,lasting", [
    (dict(do="status", status=500), False), (dict(do="status", status=503), False), (dict(do="html"), True),
    (dict(do="throttle", backoff_ms=300), False), (dict(do="reset_before"), False), (dict(do="empty"), False),
    (dict(do="garbage"), False), (dict(do="soap_fault", code="ErrorExceededConnectionCount"), False)])
def test_stream_that_does_not_open(exchange, driver, fault, lasting):
    inbox = driver.folder()
    exchange.fault(op="GetStreamingEvents", **fault)
    mark = exchange.mark()
    driver.send("watch", inbox)

    def opened():
        if driver.has("watch"):
            driver.wait("watch")
            driver.send("watch", inbox)
        return [e for e in exchange.log(mark, op="GetStreamingEvents") if not e["done"] and not e["fault"]]

    poll(60, opened)
    exchange.deliver(subject="news")
    while inbox not in (answer := driver.wait("watch"))["folders"]:  # of what may have been missed before
        assert answer["everything"]
        driver.send("watch", inbox)


def test_streams_that_always_break_off(exchange, driver):
    """The watch goes on without push, and does not hammer the server."""
    inbox = driver.folder()
    exchange.fault(op="GetStreamingEvents", do="empty", times=0)
    mark = exchange.mark()
    started = time.monotonic()
    answers = []
    while time.monotonic() - started < 4:
        driver.send("watch", inbox)
        answers.append(driver.wait("watch"))
    assert any(a.get("everything") for a in answers)
    assert exchange.counts(mark)["ews:GetStreamingEvents"] <= 30
    assert len(answers) <= 30


def test_streams_that_are_held_back(exchange, driver):
    """A proxy that keeps answers until they are complete: noticed, because Exchange says something at once."""
    inbox = driver.folder()
    exchange.fault(op="GetStreamingEvents", do="hang", seconds=30, times=0)
    mark = exchange.mark()
    end = time.monotonic() + 60
    while True:
        driver.send("watch", inbox)
        answer = driver.wait("watch")
        assert answer["err"] == "none" and answer["everything"]
        if exchange.counts(mark)["ews:GetStreamingEvents"] >= 3:
            break
        assert time.monotonic() < end
    assert exchange.counts(mark)["ews:GetStreamingEvents"] <= 4
    assert "holds the answers back" in driver.stderr()


# --- stopping ----------------------------------------------------------------------------------------------------------------------------------

def test_ending_in_the_middle(exchange, tmp_path):
    with Driver(exchange.url, tmp_path) as d:
        inbox = d.folder()
        d.syncall(inbox)
        exchange.fault(op="GetItem", do="hang", seconds=5, times=0)
        d.send("watch", inbox)
        d.send("fetchall", "message")
        time.sleep(0.3)
        d.stop()
        exchange.clear_faults()


def test_ending_while_held_back(exchange, tmp_path):
    with Driver(exchange.url, tmp_path) as d:
        inbox = d.folder()
        d.syncall(inbox)
        exchange.fault(op="GetItem", do="throttle", backoff_ms=3000)
        d.send("fetchall", "message")
        d.send("watch", inbox)
        time.sleep(0.5)
        d.stop()


# --- everything at once ------------------------------------------------------------------------------------------------------------------------

@standin("--corpus", "150", "--kinds", "mixed")
@pytest.mark.parametrize("seed", range(3))
def test_in_rough_weather(exchange, driver, seed):
    """Whatever happens on the way: in the end each message is there, once, with its own bytes."""
    dice = random.Random(seed)
    wanted = {i["message_id"]: crlf(exchange.mime(i["num"], served=True)) for i in exchange.items("inbox")}
    inbox = driver.folder()
    faults = [f for f in PASSING + HARMLESS if f["do"] not in ("hang", "bad_length")]
    for _ in range(25):
        exchange.fault(op=dice.choice(["GetItem", "GetItem", "SyncFolderItems"]), nth=dice.randint(1, 12),
                       **dict(dice.choice(faults), **({"delay_s": 0.2} if dice.random() < 0.2 else {})))
    got = {}
    for _ in range(10):
        page = driver.sync(inbox)
        if page["err"] != "none":
            time.sleep(page["retry_after"])
            continue
        by_id = {i["id"]: i["message_id"] for i in page["list"]}
        assert len(by_id) == 150
        missing = [i for i, message_id in by_id.items() if message_id not in got]
        if not missing:
            break
        items, end = driver.fetch("message", *missing)
        for item in items.values():
            assert not item.get("synthesised")
            if item["err"] == "none":
                assert by_id[item["id"]] not in got
                got[by_id[item["id"]]] = driver.content(item)
        time.sleep(end.get("retry_after", 0))
    assert got == wanted


def crlf(data):
    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").lstrip(b"\r\n")
    return data if data.endswith(b"\r\n") else data + b"\r\n"
