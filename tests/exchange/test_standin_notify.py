# SPDX-License-Identifier: Apache-2.0
"""Subscriptions of the EWS half: affinity, many envelopes in one answer, heartbeats, limits."""
import http.client
import threading
import time

import pytest

from ewsclient import USER, Client, envelope, streaming
from standin import Standin

AFFINITY = {"X_AnchorMailbox": USER, "X_PreferServerAffinity": "true"}


@pytest.fixture
def exchange():
    with Standin("--corpus", 5, "--set", "heartbeat_s=0") as server:
        yield server
        assert server.violations() == []


def subscribe(client):
    answer = client.subscribe()
    assert answer.codes == ["NoError"]
    return answer.text(".//m:SubscriptionId"), answer.headers["Set-Cookie"].split(";")[0]


def listen(client, subscription, cookie, **headers):
    """Sends GetStreamingEvents; returns the response object, to be read piece by piece."""
    client.connection.request(
        "POST",
        "/EWS/Exchange.asmx",
        envelope(streaming(subscription)).encode(),
        {
            "Content-Type": "text/xml",
            "Authorization": client.auth,
            "X-AnchorMailbox": USER,
            "X-PreferServerAffinity": "true",
            "Cookie": cookie,
            **headers,
        },
    )
    return client.connection.getresponse()


def read_until(response, wanted, seconds=60):
    data, end = b"", time.monotonic() + seconds
    while wanted not in data and time.monotonic() < end:
        piece = response.read1(65536)
        if not piece:
            break
        data += piece
    return data


def test_events_arrive_as_envelopes(exchange):
    client = Client(exchange)
    response = listen(client, *subscribe(client))
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert b"<m:ConnectionStatus>OK</m:ConnectionStatus>" in read_until(response, b"</Envelope>")
    item = exchange.deliver(subject="Wake up")[0]
    data = read_until(response, b"NewMailEvent></m:Notification>")
    assert b"<t:CreatedEvent>" in data and b"<t:NewMailEvent>" in data
    exchange.change("move", num=item["num"], to="junkemail")
    assert b"<t:MovedEvent>" in read_until(response, b"</Envelope>")
    exchange.advance(61)
    rest = response.read()
    assert rest.endswith(b"</Envelope>") and b"<m:ConnectionStatus>Closed</m:ConnectionStatus>" in rest
    entry = exchange.log(op="GetStreamingEvents")[0]
    assert entry["done"] and entry["bytes_out"] > 0


def test_events_between_two_connections_are_kept(exchange):
    client = Client(exchange)
    subscription, cookie = subscribe(client)
    exchange.deliver(subject="Nobody listens")
    response = listen(client, subscription, cookie)
    assert b"NewMailEvent" in read_until(response, b"NewMailEvent")
    exchange.advance(61)
    response.read()


def test_affinity_is_needed(exchange):
    client = Client(exchange)
    subscription, cookie = subscribe(client)
    answer = client.post(streaming(subscription))
    assert answer.codes == ["ErrorInvalidSubscription"]
    assert [e.text for e in answer.all(".//m:ErrorSubscriptionIds/m:SubscriptionId")] == [subscription]
    body = f"<m:Unsubscribe><m:SubscriptionId>{subscription}</m:SubscriptionId></m:Unsubscribe>"
    assert client.post(body).codes == ["ErrorSubscriptionNotFound"]
    assert client.post(body, Cookie=cookie).codes == ["NoError"]
    assert client.post(body, Cookie=cookie).codes == ["ErrorSubscriptionNotFound"]
    assert "Set-Cookie" not in client.subscribe(X_PreferServerAffinity=None).headers


def test_unsubscribe_ends_the_connection(exchange):
    client, other = Client(exchange), Client(exchange)
    subscription, cookie = subscribe(client)
    response = listen(client, subscription, cookie)
    read_until(response, b"</Envelope>")
    other.post(f"<m:Unsubscribe><m:SubscriptionId>{subscription}</m:SubscriptionId></m:Unsubscribe>", Cookie=cookie)
    assert b"Closed" in response.read()


def test_heartbeats(exchange):
    exchange.options(heartbeat_s=0.3)
    client = Client(exchange)
    response = listen(client, *subscribe(client))
    for _ in range(3):
        assert b"<t:StatusEvent/>" in read_until(response, b"<t:StatusEvent/>")


def test_idle_subscriptions_expire(exchange):
    client = Client(exchange)
    subscription, cookie = subscribe(client)
    exchange.advance(1801)
    assert client.post(streaming(subscription), Cookie=cookie).codes == ["ErrorInvalidSubscription"]


def test_connection_limit(exchange):
    exchange.options(max_streaming_connections=2)
    clients = [Client(exchange) for _ in range(3)]
    known = [subscribe(c) for c in clients]
    parked = [listen(c, *k) for c, k in zip(clients[:2], known)]
    for response in parked:
        read_until(response, b"</Envelope>")
    answer = clients[2].post(streaming(known[2][0]), Cookie=known[2][1])
    assert answer.status == 500 and answer.fault == "ErrorExceededConnectionCount"
    exchange.advance(61)
    for response in parked:
        response.read()
    end, found = time.monotonic() + 60, b""
    while b"OK" not in found and time.monotonic() < end:  # the places become free a moment after the last byte
        found = read_until(listen(clients[2], *known[2]), b"</Envelope>")
        clients[2] = Client(exchange)
    assert b"OK" in found


def test_a_client_that_goes_away_frees_its_place(exchange):
    exchange.options(max_streaming_connections=1)
    first, second = Client(exchange), Client(exchange)
    subscription, cookie = subscribe(first)
    read_until(listen(first, subscription, cookie), b"</Envelope>")
    first.connection.sock.close() if first.connection.sock else None
    first.connection.close()
    exchange.drop_connections()
    end = time.monotonic() + 60
    status = None
    while time.monotonic() < end and status != 200:
        second = Client(exchange)
        response = listen(second, subscription, cookie)
        status = response.status
        if status != 200:
            response.read()
    assert status == 200


def test_many_parked_requests(exchange):
    exchange.options(max_streaming_connections=200)
    clients = [Client(exchange) for _ in range(60)]
    parked = [listen(c, *subscribe(c)) for c in clients]
    for response in parked:
        read_until(response, b"</Envelope>")
    threading.Timer(0.1, lambda: exchange.deliver(subject="To all")).start()
    for response in parked:
        assert b"NewMailEvent" in read_until(response, b"NewMailEvent")


def test_old_versions_have_no_streaming(exchange):
    answer = Client(exchange).post(
        '<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes>'
        "<t:EventType>NewMailEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest>"
        "</m:Subscribe>",
        version="Exchange2010",
    )
    assert answer.status == 500 and answer.fault == "ErrorInvalidServerVersion"


def test_spoilt_streams(exchange):
    client = Client(exchange)
    known = subscribe(client)
    exchange.fault(op="GetStreamingEvents", do="truncate", bytes=200)
    assert len(listen(client, *known).read()) == 200
    exchange.fault(op="GetStreamingEvents", do="cut", bytes=200)
    with pytest.raises(http.client.IncompleteRead):
        listen(client, *known).read()
    for fault, mark in (("doctype", b"<!DOCTYPE"), ("nest", b"<x><x>"), ("control_chars", b"&#x1A;")):
        client = Client(exchange)
        exchange.fault(op="GetStreamingEvents", do=fault)
        assert mark in read_until(listen(client, *known), b"</Envelope>")


def test_an_unclean_end(exchange):
    client = Client(exchange)
    response = listen(client, *subscribe(client))
    read_until(response, b"</Envelope>")
    exchange.drop_connections()
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()


def test_a_newer_connection_takes_over(exchange):
    """The older one ends and gets none of the events that follow."""
    client, other = Client(exchange), Client(exchange)
    subscription = subscribe(client)
    old = listen(client, *subscription)
    read_until(old, b"</Envelope>")
    new = listen(other, *subscription)
    read_until(new, b"</Envelope>")
    exchange.deliver(subject="For the newer one")
    assert b"NewMailEvent" in read_until(new, b"NewMailEvent>")
    rest = old.read()
    assert b"NewMailEvent" not in rest and b"<m:ConnectionStatus>Closed</m:ConnectionStatus>" in rest
