# SPDX-License-Identifier: Apache-2.0
"""The server below the requests: time limits, long answers, hostile bytes, two clients at once."""
import socket
import ssl
import threading
import time
import xml.etree.ElementTree as ET

import counting
import kinds
import pytest

from bridge import poll
from davtest import C, CS, D, Dav, NS, event, prop


@pytest.fixture(scope="module")
def module_dav(module_stage, kind, exchange):
    client = Dav(module_stage.bridge(kind.account("work", exchange), dav=True, limits={"http-header-timeout": "3s"},
                                     name=f"bridge-{kind}"))
    yield client
    client.close()


@pytest.fixture
def dav(module_dav):
    yield module_dav
    calendar = module_dav.calendar()
    for path in module_dav.etags(calendar):
        assert module_dav.ask("DELETE", path).status == 204


def raw(dav, send=b""):
    context = ssl.create_default_context(cafile=dav.bridge.ca_file)
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", dav.bridge.dav_port), timeout=60), server_hostname="localhost")
    sock.sendall(send)
    return sock


def head(dav, line, *more):
    lines = [f"{line} HTTP/1.1", f"Host: localhost:{dav.bridge.dav_port}", f"Authorization: {dav.authorization}", *more, "", ""]
    return "\r\n".join(lines).encode()


def until_closed(sock):
    got = []
    while piece := sock.recv(1 << 16):
        got.append(piece)
    sock.close()
    return b"".join(got)


def unchunked(answer):
    """The body of an answer in chunks, the last one included."""
    pieces, at = [], answer.index(b"\r\n\r\n") + 4
    while True:
        start = answer.index(b"\r\n", at) + 2
        size = int(answer[at:start], 16)
        pieces.append(answer[start : start + size])
        at = start + size + 2
        if size == 0:
            assert at == len(answer)
            return b"".join(pieces)


def test_a_head_in_drops_is_cut_off(dav):
    """Whether signed in or not, and also behind a whole request on the same connection."""
    for before in (b"", head(dav, "OPTIONS /dav/")):
        sock = raw(dav, before + b"PROPFIND /dav/ HTTP/1.1\r\nHost:")
        got = until_closed(sock)
        assert b"HTTP/1.1 408 Request Timeout" in got, got
        assert got.count(b"HTTP/1.1") == (2 if before else 1)


def test_a_body_may_take_its_time(dav):
    body = f"<D:propfind {NS}><D:prop><D:resourcetype/></D:prop></D:propfind>".encode()
    sock = raw(dav, head(dav, "PROPFIND /dav/", "Depth: 0", f"Content-Length: {len(body)}", "Connection: close"))
    time.sleep(3.5)  # longer than the head may take
    sock.sendall(body)
    assert until_closed(sock).startswith(b"HTTP/1.1 207 ")


def fill(dav, count, size):
    calendar, text = dav.calendar(), "\r\n ".join("text " * 14 for _ in range(size // 70))
    for n in range(count):
        assert dav.put(f"{calendar}{n}.ics", event(str(n), f"DESCRIPTION:{text}")).status == 201
    return calendar


def test_a_long_answer_comes_in_slices(dav):
    """It is the same as the short ones together, and is made as fast as the client reads it."""
    calendar = fill(dav, 40, 100_000)
    paths = sorted(dav.etags(calendar))
    singles = {p: dav.get(p).text() for p in paths}
    body = f"<C:calendar-multiget {NS}><D:prop><D:getetag/><C:calendar-data/></D:prop>" + "".join(
        f"<D:href>{p}</D:href>" for p in paths * 5) + "</C:calendar-multiget>"
    request = head(dav, f"REPORT {calendar}", f"Content-Length: {len(body)}", "Content-Type: application/xml", "Connection: close") + body.encode()
    stuck = raw(dav, request)
    begin = stuck.recv(4096)
    assert b"Transfer-Encoding: chunked" in begin
    answer = dav.multiget(calendar, paths)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert {h: props[C, "calendar-data"].text for h, (_, props) in answer.responses().items()} == singles
    # other reports over the same road
    assert len(dav.query(calendar).responses()) == len(dav.sync(calendar, props="<C:calendar-data/>")[0]) == 40
    # 20 MB fit into no buffer: what happens now shows in what the first client reads
    assert dav.put(paths[-1], singles[paths[-1]].replace("Meeting", "Changed")).status == 204
    responses = ET.fromstring(unchunked(begin + until_closed(stuck))).findall(f"{{{D}}}response")
    assert [r.findtext(f"{{{D}}}href") for r in responses] == paths * 5
    assert "SUMMARY:Changed" in "".join(responses[-1].itertext())


def test_stopping_while_clients_are_half_way(module_stage, kind, exchange):
    """In the TLS handshake, in a head, in a body, before an answer is read: it ends cleanly, and nothing is left behind."""
    dav = Dav(module_stage.bridge(kind.account("work", exchange), dav=True, name=f"stopped-{kind}"))
    calendar = dav.calendar()
    body = f"<D:propfind {NS}><D:prop><D:getetag/></D:prop></D:propfind>"
    socks = [socket.create_connection(("127.0.0.1", dav.bridge.dav_port)), raw(dav, b"PROPFIND /dav/ HTTP/1.1\r\nHos"),
             raw(dav, head(dav, f"PROPFIND {calendar}", "Depth: 1", f"Content-Length: {len(body)}") + body[:20].encode()),
             raw(dav, head(dav, f"PROPFIND {calendar}", "Depth: 1", f"Content-Length: {len(body)}") + body.encode())]
    poll(60, lambda: len(dav.bridge.log_lines("signed in")) == 3, "they did not sign in")
    dav.bridge.stop()
    for sock in socks:
        sock.close()
    dav.close()


def test_hostile_bodies(dav):
    calendar = dav.calendar()
    bomb = ('<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)) + ']><D:propfind xmlns:D="DAV:">&j;</D:propfind>')
    outside = '<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]><D:propfind xmlns:D="DAV:"><D:prop>&a;</D:prop></D:propfind>'
    for body in (bomb, outside, "<D:propfind", "\0", "<a>" * 100_000, "<D:propfind xmlns:D='DAV:'>" + "<x/>" * 300_000 + "</D:propfind>"):
        answer = dav.ask("PROPFIND", calendar, body, {"Depth": "0"})
        assert answer.status in (400, 413) and b"root:" not in answer.body, (body[:40], answer.status)
    for text in ("", "BEGIN:VCALENDAR", "x" * 1000, "BEGIN:VCALENDAR\r\n" * 5000, event("a").replace("DTSTART", "XSTART"), "\0" * 100):
        answer = dav.put(calendar + "bad.ics", text)
        assert (answer.status, answer.precondition()) in ((403, "valid-calendar-data"), (403, "valid-calendar-object-resource")), text[:40]
    assert dav.etags(calendar) == {}
    # as large as it may be, and larger; told before, and in chunks
    big = event("big", "DESCRIPTION:" + "\r\n ".join("x" * 70 for _ in range(10 << 20 >> 6)))
    assert len(big) > 10 << 20
    sock = raw(dav, head(dav, f"PUT {calendar}big.ics", f"Content-Length: {len(big)}", "Expect: 100-continue", "Content-Type: text/calendar"))
    assert until_closed(sock).startswith(b"HTTP/1.1 413 ")
    sock = raw(dav, head(dav, f"PUT {calendar}big.ics", "Transfer-Encoding: chunked", "Content-Type: text/calendar"))
    for _ in range(200):
        sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    assert until_closed(sock).startswith(b"HTTP/1.1 413 ")
    assert dav.etags(calendar) == {}


def test_paths_that_lead_elsewhere(dav):
    """Nothing outside of the account's tree is reached, by any method."""
    mine = f"/dav/{dav.account}"
    tries = (f"{mine}/calendars/../../other/", f"{mine}/calendars/%2e%2e/x", f"{mine}/calendars/..%2f..%2fetc%2fpasswd", "/etc/passwd",
             f"{mine}/calendars/a%00b/", f"{mine}/calendars/%ff%fe/", f"/{mine}/../../../etc", "/dav/other/calendars/x/", f"{mine}/nothing/x",
             dav.calendar() + "a/b/c.ics", dav.calendar() + "%2e%2e%2fx.ics", dav.calendar() + "x" * 2000)
    for path in tries:
        for method in ("GET", "PUT", "DELETE", "PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR", "COPY", "MOVE", "POST"):
            body = event("x") if method == "PUT" else None
            answer = dav.ask(method, path, body, {"Depth": "0", "Destination": dav.calendar() + "y.ics"},
                             type="text/calendar; charset=utf-8")
            assert answer.status in (400, 403, 404, 405, 409, 414), (method, path, answer.status)
    dav.put(dav.calendar() + "a.ics", event("a"))
    other_port = f"https://localhost:{dav.bridge.dav_port + 1}{dav.calendar()}y.ics"
    for to in tries[:-3] + (f"http://evil.example{mine}/calendars/x/y.ics", other_port, "", "y.ics", "https:///x", "://"):
        answer = dav.ask("MOVE", dav.calendar() + "a.ics", headers={"Destination": to})
        assert answer.status in ((502,) if "evil" in to or to == other_port else (400, 403, 409)), (to, answer.status)
    assert list(dav.etags(dav.calendar())) == [dav.calendar() + "a.ics"]


def test_etags_that_are_none(dav):
    path = dav.calendar() + "a.ics"
    etag = dav.put(path, event("a")).headers["ETag"]
    other = event("a", summary="Other")
    for wrong in ('"1-1"', "x", '""', "*x", etag.strip('"'), etag[:-1], f'W/{etag}x', '"' + "9" * 40 + '-1"', etag.replace("-", "-9")):
        assert dav.put(path, other, If_Match=wrong).status == 412, wrong
        assert dav.ask("DELETE", path, headers={"If-Match": wrong}).status == 412, wrong
    assert dav.put(path, other, If_None_Match=etag).status == 412
    assert dav.put(dav.calendar() + "b.ics", event("b"), If_Match="*").status == 412
    assert prop(dav.get(path).text(), "SUMMARY") == "Meeting"
    assert dav.put(path, other, If_Match=f'"1-1", {etag}').status == 204


def test_if_headers(dav):
    """RFC 4918 10.4: lists, negations, other resources; sync-tokens are the state of collections (RFC 6578 5)."""
    calendar, text = dav.calendar(), event("a")
    path, other = calendar + "a.ics", calendar + "b.ics"
    tags = [dav.put(p, event(p[-5])).headers["ETag"] for p in (path, other)]
    token = dav.sync(calendar)[2]
    origin = f"https://localhost:{dav.bridge.dav_port}"
    holds = (f"([{tags[0]}])", f'(["1-1"]) ([{tags[0]}])', f"(Not <DAV:no-lock> [{tags[0]}])", f"<{other}> ([{tags[1]}])",
             f'<{other}> (["1-1"])([{tags[1]}])', f"<{origin}{calendar}> (<{token}>)", "(Not <DAV:no-lock>)", f'<{path}> (Not ["1-1"]) <{other}> (<x:y>)')
    fails = (f"([{tags[1]}])", f"(<DAV:no-lock> [{tags[0]}])", f"(Not [{tags[0]}])", f"<{other}> ([{tags[0]}])", f"(<{token}>)",
             f"<https://elsewhere.example{path}> ([{tags[0]}])", f"<{calendar}> (<{token}0>)", "(<opaquelocktoken:x>)")
    for header in holds:  # a change that is none: nothing gets another tag
        assert dav.ask("PUT", path, dav.get(path).body, {"If": header}, type="text/calendar").status == 204, header
        assert dav.get(path, If=header).status == 200 and dav.get(path).headers["ETag"] == tags[0]
    for header in fails:
        for method, headers in (("PUT", {}), ("DELETE", {}), ("GET", {}), ("MOVE", {"Destination": calendar + "c.ics"})):
            answer = dav.ask(method, path, text if method == "PUT" else None, {"If": header, **headers}, type="text/calendar")
            assert answer.status == 412, (method, header, answer.status)
    for header in ("", "x", "()", "(", "(<>)", "([])", "([x])", '(["x)', "(<x:y>", "<x> ", "<x>", f"([{tags[0]}]) <{path}> ([{tags[0]}])", "(Not)", "([\"x\"]) y"):
        assert dav.ask("DELETE", path, headers={"If": header}).status == 400, header
    patch = ('<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><note xmlns="urn:tests">1</note></D:prop></D:set></D:propertyupdate>')
    assert dav.ask("PROPPATCH", calendar, patch, {"If": "(<urn:x>)"}).status == 412
    assert dav.ask("PROPPATCH", calendar, patch, {"If": f"(<{token}>)"}).status == 207
    assert dav.ask("DELETE", calendar, headers={"If": "(<urn:x>)"}).status == 412
    find = f"<D:propfind {NS}><D:prop><D:resourcetype/></D:prop></D:propfind>"
    multiget = f"<C:calendar-multiget {NS}><D:prop><D:getetag/></D:prop><D:href>{path}</D:href></C:calendar-multiget>"
    search = '<D:principal-search-property-set xmlns:D="DAV:"/>'
    others = [("PROPFIND", p, find) for p in ("/", "/dav/", f"/dav/{dav.account}/", dav.home, calendar, path, f"/dav/{dav.account}/outbox/")]
    others += [("REPORT", calendar, multiget), ("REPORT", path, multiget), ("REPORT", "/dav/", search), ("GET", "/", None),
               ("MKCALENDAR", dav.home + "never/", None), ("PROPPATCH", dav.home, patch)]
    for method, where, body in others:
        wrong, right = f"<{calendar}> (<urn:x>)", f"<{calendar}> (<{dav.sync(calendar)[2]}>)"
        assert dav.ask(method, where, body, {"If": wrong, "Depth": "0"}).status == 412, (method, where)
        if method != "MKCALENDAR":
            assert dav.ask(method, where, body, {"If": right, "Depth": "0"}).status in (200, 207), (method, where)
    assert dav.ask("OPTIONS", calendar, headers={"If": "(<urn:x>)"}).status == 200  # RFC 9110 13.2.1
    assert dav.ask("PUT", calendar + "new.ics", event("new"), {"If": '(["1-1"])'}, type="text/calendar").status == 412
    assert dav.ask("PUT", calendar + "new.ics", event("new"), {"If": '(Not ["1-1"])'}, type="text/calendar").status == 201
    assert sorted(dav.etags(calendar)) == [path, other, calendar + "new.ics"]


def test_two_clients_change_one_event(dav, exchange):
    """One of them wins, the other one hears of it; what the server has is the winner's."""
    path = dav.calendar() + "a.ics"
    etag = dav.put(path, event("a")).headers["ETag"]
    clients = [Dav(dav.bridge) for _ in range(4)]
    for round_ in range(3):
        answers, barrier = {}, threading.Barrier(len(clients))

        def change(number):
            text = event("a", f"LOCATION:Room {number}", summary=f"Round {round_} by {number}")
            clients[number].propfind(path, "<D:getetag/>")
            barrier.wait(60)
            answers[number] = clients[number].put(path, text, If_Match=etag)

        threads = [threading.Thread(target=change, args=(n,)) for n in range(len(clients))]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        assert sorted(a.status for a in answers.values()) == [204, 412, 412, 412]
        winner = next(n for n, a in answers.items() if a.status == 204)
        etag = answers[winner].headers["ETag"]
        got = dav.get(path)
        assert (prop(got.text(), "SUMMARY"), got.headers["ETag"]) == (f"Round {round_} by {winner}", etag)
        assert (exchange.events()[0]["subject"], exchange.events()[0]["location"]) == (f"Round {round_} by {winner}", f"Room {winner}")
    for client in clients:
        client.close()


def test_the_server_was_faster(dav, exchange):
    """A change on the server that is not here yet is not overwritten by a client that does not know of it."""
    path = dav.calendar() + "a.ics"
    etag = dav.put(path, event("a")).headers["ETag"]
    exchange.event("update", num=exchange.events()[0]["num"], event={"subject": "Changed there"})
    answer = dav.put(path, event("a", summary="Changed here"), If_Match=etag)
    assert answer.status == 412, answer.body
    assert exchange.events()[0]["subject"] == "Changed there"
    poll(60, lambda: prop(dav.get(path).text(), "SUMMARY") == "Changed there", "the server's change did not come")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_the_servers_change_comes_meanwhile(stage, method):
    """Over ActiveSync an upload waits for the Sync under way, which may bring a change of the very item: what the client wrote was
    made from the one before."""
    exchange = kinds.EAS_16.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EAS_16.account("work", exchange), dav=True))
    path = dav.calendar() + "a.ics"
    etag = dav.put(path, event("a")).headers["ETag"]
    num = exchange.events()[0]["num"]
    poll(60, lambda: dav.get(path).headers["ETag"] == etag, "no rest")
    counting.settle(exchange, "eas")  # no other Sync gets the fault
    exchange.fault(op="Sync", where={"folder": "calendar"}, delay_s=2)
    exchange.event("update", num=num, event={"subject": "Changed there"})
    exchange.event("create", event={"subject": "New", "start": "2026-12-03T08:00:00Z", "end": "2026-12-03T09:00:00Z"})  # this one is pushed
    poll(60, lambda: exchange.faults()[0]["hits"], "nobody looked")  # the Sync is under way
    body = event("a", summary="Changed here") if method == "PUT" else None
    answer = dav.ask(method, path, body, {"If-Match": etag}, type="text/calendar; charset=utf-8")
    assert answer.status == 412, answer.body
    assert sorted(e["subject"] for e in exchange.events()) == ["Changed there", "New"]
    assert prop(dav.get(path).text(), "SUMMARY") == "Changed there"
    dav.close()


def test_deleting_what_has_changed_meanwhile(stage):
    """EWS: DeleteItem compares no ChangeKey. A change that has not come here yet is not deleted with the item by a client that
    cannot know of it; it is here then, and may be deleted."""
    exchange = kinds.EWS.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    etags = {dav.calendar() + name + ".ics": dav.put(dav.calendar() + name + ".ics", event(name, summary=name)).headers["ETag"] for name in "ab"}
    counting.deaf(exchange)
    for path, etag in etags.items():
        headers = {"If-Match": etag} if path.endswith("a.ics") else {}
        num, = [e["num"] for e in exchange.events() if e["subject"] == path[-5]]
        exchange.event("update", num=num, event={"subject": "Changed there"})
        assert dav.ask("DELETE", path, headers=headers).status == 412
        assert "Changed there" in [e["subject"] for e in exchange.events()]
        got = dav.get(path)
        assert prop(got.text(), "SUMMARY") == "Changed there" and got.headers["ETag"] != etag
        assert dav.ask("DELETE", path, headers={"If-Match": got.headers["ETag"]} if headers else {}).status == 204
        assert "Changed there" not in [e["subject"] for e in exchange.events()] and path not in dav.etags(dav.calendar())
    dav.close()


def test_writing_what_the_server_has_already(stage):
    """EWS: a client's own change whose confirmation it did not hear is no conflict for it. Somebody else's is, without If-Match, too,
    as long as no client can know of it."""
    exchange = kinds.EWS.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    path = dav.calendar() + "a.ics"
    etag = dav.put(path, event("a")).headers["ETag"]
    counting.deaf(exchange)
    num = exchange.events()[0]["num"]
    exchange.event("update", num=num, event={"subject": "Third"})
    assert dav.put(path, event("a", summary="Third")).status == 204
    exchange.event("update", num=num, event={"subject": "Fourth"})
    assert dav.put(path, event("a", summary="Fifth")).status == 412
    assert exchange.events()[0]["subject"] == prop(dav.get(path).text(), "SUMMARY") == "Fourth"
    assert dav.put(path, event("a", summary="Fifth"), If_Match=etag).status == 412
    assert dav.put(path, event("a", summary="Fifth")).status == 204
    assert exchange.events()[0]["subject"] == "Fifth"
    dav.close()


def test_an_occurrence_is_not_overwritten_unseen(stage):
    """EWS: occurrences are written without a ChangeKey; that of their series is looked at first."""
    exchange = kinds.EWS.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    path = dav.calendar() + "s.ics"
    series = event("s", "RRULE:FREQ=WEEKLY;COUNT=4")
    etag = dav.put(path, series).headers["ETag"]
    counting.deaf(exchange)
    num = exchange.events()[0]["num"]
    exchange.event("occurrence", num=num, day="2026-12-08", event={"subject": "Changed there"})
    override = ("BEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20261101T000000Z\r\nRECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\r\n"
                "DTSTART;TZID=Europe/Berlin:20261208T140000\r\nDTEND;TZID=Europe/Berlin:20261208T150000\r\nSUMMARY:Here\r\nEND:VEVENT\r\n")
    answer = dav.put(path, series.replace("END:VCAL", override + "END:VCAL"), If_Match=etag)
    assert answer.status == 412, answer.body
    assert exchange.events()[0]["exceptions"]["2026-12-08"]["subject"] == "Changed there"
    assert "SUMMARY:Changed there" in dav.get(path).text()
    dav.close()


def test_a_changed_object_is_there_at_every_moment(stage):
    """Whatever a client asks while a change arrives, from the server or from another client: no answer says that it is gone."""
    exchange = kinds.EWS.exchange(stage, "--demo", "1")
    dav = Dav(stage.bridge(kinds.EWS.account("work", exchange), dav=True))
    calendar = dav.calendar()
    path = calendar + "a.ics"
    assert dav.put(path, event("a")).status == 201
    token = dav.sync(calendar)[2]
    num = exchange.events()[0]["num"]
    ctags = []

    def look():
        assert dav.sync(calendar, token)[1] == [] and list(dav.etags(calendar)) == [path]
        (status, props), = dav.multiget(calendar, [path]).responses().values()
        answer = dav.get(path)
        assert (status, answer.status) == (None, 200) and (C, "calendar-data") in props
        ctags.append(int(dav.propfind(calendar, "<CS:getctag/>").responses()[calendar][1][CS, "getctag"].text.strip('"').split("-")[-1]))
        return prop(answer.text(), "SUMMARY")

    for n in range(6):
        text, other = f"Change {n}", Dav(dav.bridge)
        if n % 2:
            changing = threading.Thread(target=other.put, args=(path, event("a", summary=text)))
            changing.start()
        else:
            exchange.event("update", num=num, event={"subject": text})
        poll(60, lambda: look() == text, "the change did not come")
        if n % 2:
            changing.join()
        other.close()
    assert ctags == sorted(ctags)
    dav.close()
