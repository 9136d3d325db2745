# SPDX-License-Identifier: Apache-2.0
"""Every scripted fault does what README.md says, when it says."""
import base64
import gzip
import http.client
import threading
import time
import zlib

import pytest

from ewsclient import BASIC, Client, envelope
from faults import AFTER, BEFORE, OPERATION
from standin import ControlError, Standin

ASK = (
    '<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds>'
    '<t:DistinguishedFolderId Id="inbox"/><t:DistinguishedFolderId Id="drafts"/></m:FolderIds></m:GetFolder>'
)
MAKE = (
    '<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderId><m:Folders><t:Folder>'
    "<t:DisplayName>{}</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>"
)


@pytest.fixture(scope="module")
def server():
    with Standin("--corpus", 10) as running:
        yield running


@pytest.fixture
def exchange(server):
    server.reset()
    yield server
    server.clear_faults()


@pytest.fixture
def client(exchange):
    return Client(exchange)


def names(exchange):
    return [f["name"] for f in exchange.folders()]


def test_nth_after_times(exchange, client):
    exchange.fault(op="GetFolder", do="status", status=503, nth=2, headers={"Retry-After": "7"})
    answers = [client.post(ASK) for _ in range(3)]
    assert [a.status for a in answers] == [200, 503, 200] and answers[1].headers["Retry-After"] == "7"
    exchange.fault(op=["GetFolder", "FindFolder"], do="status", status=429, after=1, times=2)
    assert [client.post(ASK).status for _ in range(5)] == [200, 429, 429, 200, 200]
    exchange.fault(op="*", do="status", status=500, times=0)
    assert [client.post(ASK).status for _ in range(4)] == [500] * 4
    assert exchange.faults()[-1]["hits"] == 4
    exchange.clear_faults()
    assert client.post(ASK).status == 200


def test_filters(exchange, client):
    exchange.fault(op="GetItem", do="status")
    exchange.fault(protocol="eas", do="status")
    exchange.fault(user="somebody", do="status")
    assert client.post(ASK).status == 200
    with pytest.raises(ControlError, match="unknown fault"):
        exchange.fault(do="explode")
    with pytest.raises(ControlError, match="unknown key"):
        exchange.fault(do="status", stauts=1)


def test_throttle_and_soap_faults(exchange, client):
    exchange.fault(op="GetFolder", do="throttle", backoff_ms=2500)
    answer = client.post(ASK)
    assert answer.status == 500 and answer.fault == "ErrorServerBusy"
    assert answer.find(".//t:Value").get("Name") == "BackOffMilliseconds" and answer.text(".//t:Value") == "2500"
    exchange.fault(op="GetFolder", do="soap_fault", code="ErrorInternalServerTransientError")
    assert client.post(ASK).fault == "ErrorInternalServerTransientError"


def test_response_codes(exchange, client):
    exchange.fault(op="GetFolder", do="error", code="ErrorTimeoutExpired")
    assert client.post(ASK).codes == ["ErrorTimeoutExpired"] * 2
    exchange.fault(op="GetFolder", do="error", code="ErrorAccessDenied", index=1)
    assert client.post(ASK).codes == ["NoError", "ErrorAccessDenied"]


def test_before(exchange, client):
    exchange.fault(do="html")
    answer = client.post(ASK)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/html") and b"<form" in answer.data
    exchange.fault(do="garbage", bytes=999)
    assert len(client.post(ASK).data) == 999
    exchange.fault(do="redirect")
    assert client.post(ASK).headers["Location"].startswith("/ews/genericerrorpage.htm")
    exchange.fault(do="empty")
    assert client.post(ASK).data == b""


def test_delay(exchange, client):
    exchange.fault(delay_s=0.3)
    started = time.monotonic()
    assert client.post(ASK).status == 200 and time.monotonic() - started >= 0.3
    exchange.options(delay_s=0.1)
    started = time.monotonic()
    client.post(ASK)
    client.post(ASK)
    exchange.options(delay_s=0.0)
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    "what,applied", [("reset_before", False), ("close_before", False), ("lose", True), ("reset_after", True)]
)
def test_no_answer(exchange, what, applied):
    exchange.fault(op="CreateFolder", do=what)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        Client(exchange).post(MAKE.format("By " + what))
    assert ("By " + what in names(exchange)) is applied
    assert Client(exchange).post(ASK).status == 200


def test_hang(exchange):
    exchange.fault(do="hang", seconds=0.3)
    started = time.monotonic()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        Client(exchange).post(ASK)
    assert time.monotonic() - started >= 0.3


def test_lengths(exchange):
    whole = Client(exchange).post(ASK).data
    exchange.fault(do="cut", bytes=100)
    with pytest.raises(http.client.IncompleteRead) as caught:
        Client(exchange).post(ASK)
    assert caught.value.partial == whole[:100]
    exchange.fault(do="truncate", bytes=100)
    assert len(Client(exchange).post(ASK).data) == 100
    exchange.fault(do="bad_length", delta=50)
    with pytest.raises(http.client.IncompleteRead):
        Client(exchange).post(ASK)
    exchange.fault(do="bad_length", delta=-50)
    assert len(Client(exchange).post(ASK).data) == len(whole) - 50
    exchange.fault(do="drip", rate=10000)
    started = time.monotonic()
    assert len(Client(exchange).post(ASK).data) == len(whole) and time.monotonic() - started > 0.1


def test_encodings(exchange, client):
    exchange.fault(do="gzip")
    answer = client.post(ASK)
    assert answer.headers["Content-Encoding"] == "gzip" and b"NoError" in gzip.decompress(answer.data)
    exchange.fault(do="bomb", size=50 << 20)
    answer = client.post(ASK)
    assert len(answer.data) < 1 << 20 and len(zlib.decompress(answer.data, 31)) > 50 << 20
    exchange.fault(do="deflate_garbage")
    with pytest.raises(Exception):
        gzip.decompress(client.post(ASK).data)
    exchange.options(gzip=True)
    answer = client.post(ASK, Accept_Encoding="gzip, deflate")
    exchange.options(gzip=False)
    assert answer.headers["Content-Encoding"] == "gzip" and b"NoError" in gzip.decompress(answer.data)


def test_contents(exchange, client):
    exchange.fault(do="doctype")
    assert b"<!DOCTYPE" in client.post(ASK).data
    exchange.fault(do="nest", depth=1000)
    assert client.post(ASK).data.count(b"<x>") == 1000
    exchange.fault(do="control_chars")
    assert b"&#x1A;" in client.post(ASK).data
    exchange.fault(do="bom")
    assert client.post(ASK).data.startswith(b"\xef\xbb\xbf")
    exchange.fault(do="replace", body="<nothing/>")
    assert client.post(ASK).data == b"<nothing/>"
    exchange.fault(do="content_type", text="text/plain")
    assert client.post(ASK).headers["Content-Type"] == "text/plain"
    exchange.fault(op="GetItem", do="bad_utf8")
    ids = client.sync(limit=1).ids()
    assert b"\xff\xfe\xc0\x80" in client.items(ids, "Default").data


def test_every_fault_is_known_once():
    assert not BEFORE & AFTER and not BEFORE & OPERATION and not AFTER & OPERATION


def test_log(exchange, client):
    mark = exchange.mark()
    client.post(ASK)
    client.sync(limit=4)
    assert exchange.counts(mark) == {"ews:GetFolder": 1, "ews:SyncFolderItems": 1}
    entry = exchange.log(mark)[1]
    assert entry["detail"]["max"] == 4 and entry["detail"]["changes"] == 4 and entry["detail"]["folder"] == "inbox"
    assert entry["bytes_in"] > 100 and entry["status"] == 200 and entry["user"] == "alice@example.com"


def test_drop_connections(exchange, client):
    client.post(ASK)
    exchange.drop_connections()
    with pytest.raises((http.client.HTTPException, OSError)):
        client.connection.request("POST", "/EWS/Exchange.asmx", envelope(ASK), {"Authorization": BASIC})
        client.connection.getresponse()


def test_close(exchange, client):
    exchange.fault(do="close")
    assert client.post(ASK).headers["Connection"] == "close"


def test_values(exchange, client):
    exchange.fault(do="error", code="ErrorInternalServerError", values={"InnerErrorResponseCode": "ErrorServerBusy"})
    answer = client.post(ASK)
    assert answer.find(".//m:MessageXml/t:Value").get("Name") == "InnerErrorResponseCode"


def test_sync_bugs(exchange, client):
    state, _ = client.sync_all()
    exchange.deliver(subject="Unseen")
    exchange.fault(do="same_state")
    answer = client.sync(state)
    assert answer.text(".//m:SyncState") == state and answer.text(".//m:IncludesLastItemInRange") == "false"
    exchange.fault(do="no_last_flag")
    answer = client.sync(state)
    assert answer.find(".//m:IncludesLastItemInRange") is None and len(answer.ids()) == 1


def test_lock_out(exchange):
    exchange.options(lockout_after=3)
    wrong = Client(exchange, "Basic " + base64.b64encode(b"alice@example.com:wrong").decode())
    assert [wrong.post(ASK).status for _ in range(3)] == [401] * 3
    answer = Client(exchange).post(ASK)
    assert answer.status == 401 and b"locked out" in answer.data
    exchange.options(lockout_after=0)
    assert Client(exchange).post(ASK).status == 200


def test_pause(exchange, client):
    """A paused request sees what was changed meanwhile, and is given up when nobody lets it go."""
    exchange.fault(op="GetFolder", do="pause")
    mark, answers = exchange.mark(), []
    asks = threading.Thread(target=lambda: answers.append(client.post(ASK)))
    asks.start()
    while not exchange.counts(mark):
        time.sleep(0.01)
    exchange.options(max_concurrent=0)
    assert not answers
    exchange.clear_faults()
    asks.join(30)
    exchange.options(max_concurrent=27)
    assert answers[0].fault == "ErrorExceededConnectionCount"
    exchange.fault(op="GetFolder", do="pause", seconds=0)
    with pytest.raises(OSError):
        Client(exchange).post(ASK)


def test_a_queue_outlives_its_client(exchange):
    """What a server has taken it does, whether or not anybody waits for it."""
    exchange.fault(op="CreateFolder", do="queue")
    mark, gone = exchange.mark(), Client(exchange)
    gone.connection.request("POST", "/EWS/Exchange.asmx", envelope(MAKE.format("queued")).encode(),
                            {"Content-Type": "text/xml; charset=utf-8", "Authorization": BASIC})
    exchange.held("CreateFolder", mark)
    gone.connection.close()
    assert Client(exchange).post(ASK).status == 200 and "queued" not in names(exchange)
    exchange.clear_faults()
    end = time.monotonic() + 30
    while "queued" not in names(exchange):
        assert time.monotonic() < end, "it was given up"
        time.sleep(0.01)


def test_a_challenge_uses_up_no_fault(exchange, client):
    exchange.fault(op="GetFolder", do="status", status=503)
    assert Client(exchange, None).post(ASK).status == 401
    assert client.post(ASK).status == 503


def test_requests_at_once_are_counted(exchange):
    exchange.fault(op="GetFolder", delay_s=0.3, times=3)
    mark = exchange.mark()
    threads = [threading.Thread(target=lambda: Client(exchange).post(ASK)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(e["at_once"] for e in exchange.log(mark)) == [1, 2, 3]
    Client(exchange).post(ASK)
    assert exchange.log(mark)[-1]["at_once"] == 1


def test_concurrency_limit(exchange):
    exchange.options(max_concurrent=0)
    answer = Client(exchange).post(ASK)
    exchange.options(max_concurrent=27)
    assert answer.status == 500 and answer.fault == "ErrorExceededConnectionCount"
