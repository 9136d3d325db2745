# SPDX-License-Identifier: Apache-2.0
"""What the RFCs let any client ask, whether one of those that are tried elsewhere does or not."""
import pytest

from davtest import C, D, Dav, NS, event, prop
from test_http import head, raw, until_closed


@pytest.fixture(scope="module")
def client(module_stage, kind, exchange):
    client = Dav(module_stage.bridge(kind.account("work", exchange), dav=True, name=f"bridge-{kind}"))
    yield client
    client.close()


@pytest.fixture
def dav(client):
    yield client
    for path in client.etags(client.calendar()):
        assert client.ask("DELETE", path).status == 204


def names(element):
    return {e.tag for e in element}


def reports(dav, path):
    (_, props), = dav.propfind(path, "<D:supported-report-set/>").responses().values()
    return {e[0].tag.split("}")[1] for e in props[D, "supported-report-set"].iter(f"{{{D}}}report")}


def test_all_of_what_is_finite(dav):
    """RFC 4918 9.1: no Depth is Depth: infinity; of a calendar that is no more than what is in it."""
    calendar = dav.calendar()
    path = calendar + "a.ics"
    dav.put(path, event("a"))
    for headers in ({}, {"Depth": "infinity"}, {"Depth": "Infinity"}):
        assert set(dav.ask("PROPFIND", path, headers=headers).responses()) == {path}
        assert set(dav.ask("PROPFIND", calendar, headers=headers).responses()) == {calendar, path}
        for where in ("/", "/dav/", dav.home):
            answer = dav.ask("PROPFIND", where, headers=headers)
            assert (answer.status, answer.precondition()) == (403, "propfind-finite-depth")


def test_what_is_there_is_told(dav):
    """RFC 4918 9.1.4 and 9.1.5: propname and allprop, with include; each property asked for by its name is there then."""
    calendar = dav.calendar()
    path = calendar + "a.ics"
    dav.put(path, event("a"))
    for where in ("/", "/dav/", f"/dav/{dav.account}/", dav.home, calendar, path, f"/dav/{dav.account}/inbox/", f"/dav/{dav.account}/outbox/"):
        told = dav.ask("PROPFIND", where, f"<D:propfind {NS}><D:propname/></D:propfind>", {"Depth": "0"}).responses()
        (href, (_, props)), = told.items()
        assert (D, "resourcetype") in props and all(not e.text and not len(e) for e in props.values()), where
        asked = "".join(f'<x:{name} xmlns:x="{ns}"/>' for ns, name in props)
        (_, found), = dav.propfind(where, asked).responses().values()
        assert set(found) == set(props), where
        every = dav.ask("PROPFIND", where, f"<D:propfind {NS}><D:allprop/><D:include><D:supported-report-set/></D:include></D:propfind>",
                        {"Depth": "0"}).responses()[href][1]
        assert (D, "resourcetype") in every and (D, "supported-report-set") in every and set(every) <= set(props), where
    # a name that is none of ours, in no namespace at all, and one whose prefix is ours for something else
    odd = '<D:propfind xmlns:D="urn:d" xmlns="DAV:"><prop><getetag/><D:getetag/><nothing xmlns=""/></prop></D:propfind>'
    assert dav.ask("PROPFIND", path, odd, {"Depth": "0"}).status == 422
    odd = '<propfind xmlns="DAV:" xmlns:D="urn:d" xmlns:C="DAV:"><C:prop><C:getetag/><D:getetag/><nothing xmlns=""/></C:prop></propfind>'
    answer = dav.ask("PROPFIND", path, odd, {"Depth": "0"})
    (_, props), = answer.responses().values()
    assert set(props) == {(D, "getetag")}
    missing = answer.xml().findall(f"{{{D}}}response/{{{D}}}propstat")[1].find(f"{{{D}}}prop")
    assert names(missing) == {"{urn:d}getetag", "nothing"}


def test_bodies_in_other_encodings(dav):
    text = f"<D:propfind {NS}><D:prop><D:displayname/></D:prop></D:propfind>"
    for body in (b"\xef\xbb\xbf" + text.encode(), ('<?xml version="1.0" encoding="utf-16"?>' + text).encode("utf-16")):
        answer = dav.ask("PROPFIND", dav.home, body, {"Depth": "0"})
        assert answer.status == 207 and (D, "displayname") in answer.responses()[dav.home][1], (body[:40], answer.body)
    for method, body in (("PROPFIND", text), ("PUT", event("a"))):
        answer = dav.ask(method, dav.calendar() + "a.ics", body, {"Content-Encoding": "gzip", "Depth": "0"}, type="text/calendar")
        assert answer.status == 415, (method, answer.status)
    assert dav.ask("PUT", dav.calendar() + "a.ics", event("a"), {"Content-Encoding": "identity"}, type="text/calendar").status == 201


def test_methods_that_are_not_there(dav):
    """RFC 9110 15.5.6: the answer says which are."""
    path = dav.calendar() + "a.ics"
    for method, where in (("LOCK", path), ("PATCH", path), ("POST", dav.calendar()), ("PUT", dav.home), ("TRACE", "/"),
                          ("ACL", dav.home), ("DELETE", f"/dav/{dav.account}/inbox/")):
        answer = dav.ask(method, where, "<x/>" if method != "TRACE" else None)
        allowed = answer.headers.get("Allow", "").split(", ")
        assert (answer.status, "OPTIONS" in allowed, method in allowed) == (405, True, False), (method, where, answer.status, allowed)
    for line in ("FROB /dav/", "get /dav/", "PROPFINDS /dav/"):  # 15.6.2: a method that nobody here has heard of
        assert until_closed(raw(dav, head(dav, line))).startswith(b"HTTP/1.1 501 Not Implemented\r\n"), line


def test_what_has_no_parent(dav):
    """RFC 4918 9.7.1"""
    for name in ("PUT", "GET", "DELETE"):
        answer = dav.ask(name, dav.home + "nowhere/a.ics", event("a") if name == "PUT" else None, type="text/calendar")
        assert answer.status == (409 if name == "PUT" else 404), name


def test_reports_that_are_announced(dav):
    """RFC 3253 3.1.5, RFC 4791 7, RFC 6638 2.2: at each place those that work there, and no others."""
    calendar = dav.calendar()
    path, other = calendar + "a.ics", calendar + "b.ics"
    for p in (path, other):
        dav.put(p, event(p[-5]))
    bodies = {"calendar-query": f'<C:calendar-query {NS}><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>',
              "calendar-multiget": f"<C:calendar-multiget {NS}><D:prop><D:getetag/></D:prop><D:href>{path}</D:href></C:calendar-multiget>",
              "free-busy-query": f'<C:free-busy-query {NS}><C:time-range start="20261201T000000Z" end="20261202T000000Z"/></C:free-busy-query>',
              "sync-collection": f"<D:sync-collection {NS}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>",
              "principal-property-search": f"<D:principal-property-search {NS}/>",
              "principal-search-property-set": f"<D:principal-search-property-set {NS}/>",
              "expand-property": f"<D:expand-property {NS}/>"}
    inbox = f"/dav/{dav.account}/inbox/"
    places = ("/dav/", f"/dav/{dav.account}/", dav.home, calendar, path, inbox)
    for where in places:
        told = reports(dav, where)
        for name, body in bodies.items():
            answer = dav.ask("REPORT", where, body, {"Depth": "0"})
            if name in told:
                assert answer.status in (200, 207), (where, name, answer.status)
            else:
                assert answer.status == 405 or (answer.status, answer.precondition()) == (403, "supported-report"), (where, name)
    assert reports(dav, path) == reports(dav, inbox) == {"calendar-query", "calendar-multiget"}
    # the object that was asked, and no other
    assert set(dav.ask("REPORT", path, bodies["calendar-query"]).responses()) == {path}
    assert set(dav.query(path, "20261201T000000Z", "20261202T000000Z").responses()) == {path}
    assert dav.query(path, "20261203T000000Z", "20261204T000000Z").responses() == {}
    assert dav.query(calendar + "none.ics").status == 404
    assert dav.ask("REPORT", inbox, bodies["calendar-query"]).responses() == {}
    assert dav.ask("REPORT", inbox, bodies["calendar-multiget"]).responses() == {path: (404, {})}


def test_hrefs_in_other_words(dav):
    """RFC 4918 8.3: an absolute URL, or a path; encoded more or less than we would."""
    calendar = dav.calendar()
    path = calendar + "a%20b%40c%2B%C3%A9.ics"
    assert dav.put(path, event("a")).status == 201
    told, = dav.etags(calendar)
    origin = f"https://localhost:{dav.bridge.dav_port}"
    for href in (told, path, origin + path, path.replace("%40", "@"), path.replace("%2B", "+"), path.replace("a.ics", "%61.ics"), f"\n  {path}\n",
                 path.replace("%C3%A9", "%c3%a9"), path.replace("/calendars/", "/c%61lendars/")):
        assert [s for s, p in dav.multiget(calendar, [href]).responses().values() if (C, "calendar-data") in p] == [None], href
        assert dav.get(href.strip().removeprefix(origin)).status == 200, href
    for href in ("", "a%20b.ics", f"http://elsewhere.example{path}", calendar, "/dav/other/calendars/x/a.ics", path + "%00", "mailto:a@b"):
        assert list(dav.multiget(calendar, [href]).responses().values()) == [(404, {})], href


def test_data_of_another_type(dav):
    """RFC 4791 9.6: content-type and version of calendar-data."""
    path = dav.calendar() + "a.ics"
    dav.put(path, event("a"))
    for attributes, fits in (('content-type="text/calendar" version="2.0"', True), ('content-type="TEXT/Calendar"', True), ('version="3.0"', False),
                             ('content-type="application/calendar+json"', False)):
        answer = dav.multiget(dav.calendar(), [path], f"<C:calendar-data {attributes}/>")
        assert answer.status == (207 if fits else 403), attributes
        assert fits or answer.precondition() == "supported-calendar-data"


def test_line_ends_and_chunks(dav):
    """Objects with LF alone, CR LF mixed, a byte order mark; in chunks, and after 100 Continue."""
    calendar = dav.calendar()
    texts = [event("a").replace("\r\n", "\n"), event("b").replace("\r\n", "\n", 5), "\ufeff" + event("c"), event("d") + "\r\n\r\n"]
    for text, name in zip(texts, "abcd"):
        assert dav.put(f"{calendar}{name}.ics", text).status == 201, name
        assert prop(dav.get(f"{calendar}{name}.ics").text(), "SUMMARY") == "Meeting"
    text = event("e").encode()
    sock = raw(dav, head(dav, f"PUT {calendar}e.ics", "Transfer-Encoding: chunked", "Expect: 100-continue", "Content-Type: text/calendar",
                         "Connection: close"))
    assert sock.recv(4096).startswith(b"HTTP/1.1 100 ")
    for at in range(0, len(text), 100):
        piece = text[at : at + 100]
        sock.sendall(b"%X;name=value\r\n%s\r\n" % (len(piece), piece))
    sock.sendall(b"0\r\nTrailer: x\r\n\r\n")
    assert until_closed(sock).startswith(b"HTTP/1.1 201 ")
    got = dav.ask("HEAD", calendar + "e.ics")
    assert (got.status, got.body, got.headers["Content-Length"]) == (200, b"", str(len(dav.get(calendar + "e.ics").body)))


def test_a_client_that_would_like_another_protocol(dav):
    """RFC 9110 7.8: an Upgrade that is not taken is not there."""
    body = f"<D:propfind {NS}><D:prop><D:resourcetype/></D:prop></D:propfind>".encode()
    sock = raw(dav, head(dav, "PROPFIND /dav/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
                         "Depth: 0", f"Content-Length: {len(body)}") + body + head(dav, "OPTIONS /dav/", "Connection: close"))
    got = until_closed(sock)
    assert got.startswith(b"HTTP/1.1 207 ") and b"HTTP/1.1 200 OK" in got, got


def found(dav, **when):
    start, end = when.get("start"), when.get("end")
    attributes = (f'start="{start}" ' if start else "") + (f'end="{end}"' if end else "")
    answer = dav.ask("REPORT", dav.calendar(), f'''<C:calendar-query {NS}><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR">
        <C:comp-filter name="VEVENT"><C:time-range {attributes}/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>''')
    assert answer.status == 207, (when, answer.body)
    return "".join(sorted(href[-5] for href in answer.responses()))


def test_edges_of_a_time_range(dav):
    """RFC 4791 9.9: ends are outside, beginnings inside; events without length, days, series, and ranges open to one side."""
    calendar = dav.calendar()
    objects = {
        "a": event("a", start="DTSTART:20261201T100000Z", end="DTEND:20261201T110000Z"),
        "p": event("p", start="DTSTART:20261201T100000Z", end=None),
        "z": event("z", start="DTSTART:20261201T100000Z", end="DURATION:PT0S"),
        "d": event("d", start="DTSTART;VALUE=DATE:20261203", end=None),
        "s": event("s", "RRULE:FREQ=WEEKLY", start="DTSTART:20270104T100000Z", end="DTEND:20270104T110000Z"),
    }
    for name, text in objects.items():
        assert dav.put(f"{calendar}{name}.ics", text).status == 201, name
    assert found(dav, start="20261201T100000Z", end="20261201T100001Z") == "apz"
    assert found(dav, start="20261201T095959Z", end="20261201T100000Z") == ""
    assert found(dav, start="20261201T105959Z", end="20261201T110000Z") == "a"
    assert found(dav, start="20261201T110000Z", end="20261201T120000Z") == ""
    assert found(dav, start="20261201T100001Z", end="20261201T100002Z") == "a"
    assert found(dav, end="20261201T100000Z") == "" and found(dav, end="20261201T100001Z") == "apz"
    assert found(dav, start="20270104T110000Z", end="20270111T100000Z") == "" and found(dav, start="20270111T105959Z") == "s"
    assert found(dav, start="20261201T110000Z") == "ds" and found(dav, start="40000101T000000Z") == "s"
    assert found(dav, start="00010101T000000Z", end="99991231T235959Z") == "adpsz"
    assert found(dav, start="19000101T000000Z", end="20261202T000000Z") == "apz"
    for start, end in (("20261201", "20261202"), ("20261201T000000", "20261202T000000"), ("20261202T000000Z", "20261201T000000Z"), ("x", "y"), ("", "")):
        answer = dav.query(calendar, start or " ", end or " ")
        assert (answer.status, answer.precondition()) == (403, "valid-filter"), (start, end)


def test_tags_in_lists(dav):
    """RFC 9110 13.1.1, 13.1.2: lists, weak tags, several lines; at what is there and what is not."""
    path = dav.calendar() + "a.ics"
    etag = dav.put(path, event("a")).headers["ETag"]
    assert dav.get(path, If_None_Match=f'"1-1" , W/{etag},"x"').status == 304
    assert dav.get(path, If_None_Match='"1-1","x"').status == 200 and dav.get(path, If_None_Match="*").status == 304
    assert dav.get(path, If_Match="*").status == 200 and dav.get(path, If_Match=f'"x",{etag}').status == 200
    assert dav.put(path, event("a"), If_None_Match=f'"x", {etag}').status == 412
    assert dav.put(path, event("a"), If_None_Match="*").status == 412
    assert dav.put(dav.calendar() + "b.ics", event("b"), If_None_Match='"x"').status == 201
    assert dav.put(dav.calendar() + "c.ics", event("c"), If_Match='"x"').status == 412
    assert dav.ask("HEAD", path, headers={"If-None-Match": etag}).status == 304
    for name, status in (("If-None-Match", b"304"), ("If-Match", b"200")):
        sock = raw(dav, head(dav, f"GET {path}", f'{name}: "x"', f"{name}: {etag}", "Connection: close"))
        assert until_closed(sock).split()[1] == status, name


def test_properties_of_a_new_calendar(dav):
    """RFC 4791 5.3.1: what MKCALENDAR says of it is there afterwards, the time zone as well (Apple's programs send it)."""
    path, zone = dav.home + "new/", "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\nBEGIN:VTIMEZONE\nTZID:X &amp; Y\nEND:VTIMEZONE\nEND:VCALENDAR\n"
    body = f'''<x:mkcalendar xmlns:x="{C}" xmlns="DAV:"><set><prop><displayname>N &amp; M</displayname><x:calendar-timezone>{zone}</x:calendar-timezone>
        <x:calendar-description xml:lang="en">Words</x:calendar-description><a:calendar-color xmlns:a="http://apple.com/ns/ical/">#FF0000</a:calendar-color>
        <x:supported-calendar-component-set><x:comp name="VEVENT"/></x:supported-calendar-component-set></prop></set></x:mkcalendar>'''
    assert dav.ask("MKCALENDAR", path, body).status == 201
    (_, props), = dav.propfind(path, '<D:displayname/><C:calendar-timezone/><C:calendar-description/><A:calendar-color xmlns:A="http://apple.com/ns/ical/"/>').responses().values()
    assert {name: e.text for (_, name), e in props.items()} == {
        "displayname": "N & M", "calendar-timezone": zone.replace("&amp;", "&"), "calendar-description": "Words", "calendar-color": "#FF0000"}
    assert dav.ask("MKCALENDAR", path, body).status == 405
    assert dav.ask("DELETE", path).status == 204


def test_requests_without_a_body(dav):
    """Where one is needed, each says so, and the server stays."""
    calendar, outbox = dav.calendar(), f"/dav/{dav.account}/outbox/"
    for method, where, status in (("PUT", calendar + "a.ics", 403), ("REPORT", calendar, 400), ("PROPPATCH", calendar, 400),
                                  ("POST", outbox, 403), ("PROPFIND", calendar, 207), ("MKCOL", dav.home + "x/", 403)):
        for body in (None, "", "\r\n"):
            dav.close()  # the first request of a connection: nothing was read into anything yet
            answer = dav.ask(method, where, body, {"Depth": "0"}, type="text/calendar" if method in ("PUT", "POST") else "text/xml")
            assert answer.status == status, (method, body, answer.status)


def test_a_calendar_is_where_it_was_made(dav):
    """RFC 4791 5.3.1: at the address that the client chose, also when another one was there before, and whatever it has in it."""
    for name in ("again", "again", "again", "My%20caf%C3%A9%20%40%20home%21", "x" * 200):
        path = f"{dav.home}{name}/"
        answer = dav.ask("MKCALENDAR", path)
        assert answer.status == 201, (name, answer.body)
        told = dav.propfind(path, "<D:resourcetype/>")
        assert told.status == 207, (name, told.status)
        (href, _), = told.responses().items()
        assert href in dav.propfind(dav.home, "<D:resourcetype/>", 1).responses()
        assert dav.put(path + "a.ics", event("a")).status == 201
        answer = dav.ask("MKCALENDAR", path)
        assert (answer.status, "PROPFIND" in answer.headers["Allow"]) == (405, True)
        assert dav.ask("DELETE", path).status == 204
    assert dav.ask("MKCALENDAR", f"{dav.home}{'x' * 300}/").status == 400


def test_a_property_without_a_value(dav):
    """RFC 4918 4: it is there, and empty; Apple's programs say so that there are no default alarms."""
    calendar = dav.calendar()
    for action, value, there in (("set", "<C:note></C:note>", True), ("set", "<C:note/>", True), ("remove", "<C:note/>", False)):
        patch = f"<D:propertyupdate {NS}><D:{action}><D:prop>{value}</D:prop></D:{action}></D:propertyupdate>"
        assert b" 200 " in dav.ask("PROPPATCH", calendar, patch).body
        assert ((C, "note") in dav.propfind(calendar, "<C:note/>").responses()[calendar][1]) == there, (action, value)
    for action, value, name in (("set", "Mine", "Mine"), ("set", "", "Calendar"), ("set", "Mine", "Mine"), ("remove", "", "Calendar")):
        patch = f"<D:propertyupdate {NS}><D:{action}><D:prop><D:displayname>{value}</D:displayname></D:prop></D:{action}></D:propertyupdate>"
        assert dav.ask("PROPPATCH", calendar, patch).status == 207
        assert name in dav.calendars(), (action, value)


def test_what_is_no_place_for_a_calendar(dav):
    """RFC 4791 5.3.1.1, RFC 4918 9.3: none in a calendar, none over an object, none from a body that says something else."""
    calendar = dav.calendar()
    assert dav.put(calendar + "a.ics", event("a")).status == 201
    for method in ("MKCOL", "MKCALENDAR"):
        for where in (calendar + "inside/", calendar + "in/side/"):
            answer = dav.ask(method, where)
            assert (answer.status, answer.precondition()) == (403, "calendar-collection-location-ok"), (method, where)
        assert dav.ask(method, calendar + "a.ics").status == 405
        assert dav.ask(method, dav.home + "never/", "x", type="text/plain").status == 415
    # all or nothing: RFC 5689 3, RFC 4791 5.3.1.1
    props = ("<D:set><D:prop><D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>N</D:displayname><D:getetag>1</D:getetag>"
             "</D:prop></D:set>")
    for method, root, status in (("MKCOL", "D:mkcol", 424), ("MKCALENDAR", "C:mkcalendar", 207)):
        answer = dav.ask(method, dav.home + "never/", f"<{root} {NS}>{props}</{root}>")
        stats = {stat[0][0].tag.split("}")[1]: stat.findtext(f"{{{D}}}status").split()[1] for stat in answer.xml().iter(f"{{{D}}}propstat")}
        assert (answer.status, stats) == (status, {"resourcetype": "424", "displayname": "424", "getetag": "403"}), method
        assert dav.propfind(dav.home + "never/", "<D:resourcetype/>").status == 404


def test_properties_of_objects_cannot_be_set(dav):
    """RFC 4918 9.2: PROPPATCH is there for every resource, and says of each property what became of it."""
    path = dav.calendar() + "a.ics"
    patch = f'<D:propertyupdate {NS}><D:set><D:prop><note xmlns="urn:tests">1</note><D:getetag>1</D:getetag></D:prop></D:set></D:propertyupdate>'
    assert dav.ask("PROPPATCH", path, patch).status == 404
    etag = dav.put(path, event("a")).headers["ETag"]
    for where in (path, f"/dav/{dav.account}/", f"/dav/{dav.account}/inbox/"):
        answer = dav.ask("PROPPATCH", where, patch)
        assert answer.status == 207 and answer.body.count(b" 403 ") == 2, where
        assert dav.ask("PROPPATCH", where, patch, {"If": "(<urn:x>)"}).status == 412, where
    assert dav.get(path).headers["ETag"] == etag


def test_a_client_that_wants_little(dav):
    """RFC 8144 2: Prefer: return=minimal."""
    calendar = dav.calendar()
    path = calendar + "a.ics"
    dav.put(path, event("a"))
    ask = f'<D:propfind {NS}><D:prop><D:getetag/><D:getctag/><x xmlns="urn:x"/></D:prop></D:propfind>'
    for prefer, little in (("return=minimal", True), ("depth-noroot, Return=Minimal;x=y", True), ("return=representation", False), ("", False)):
        answer = dav.ask("PROPFIND", calendar, ask, {"Depth": "1", "Prefer": prefer})
        assert (b" 404 " not in answer.body) == little and set(answer.responses()) == {calendar, path}, prefer
        assert (D, "getetag") in answer.responses()[path][1]
        assert all(r.find(f"{{{D}}}propstat") is not None for r in answer.xml()), prefer
        answer = dav.ask("PROPPATCH", calendar, f'<D:propertyupdate {NS}><D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>',
                         {"Prefer": prefer})
        assert (answer.status, answer.body == b"") == ((200, True) if little else (207, False)), prefer
        answer = dav.ask("PROPPATCH", calendar, f"<D:propertyupdate {NS}><D:set><D:prop><D:getetag/></D:prop></D:set></D:propertyupdate>", {"Prefer": prefer})
        assert answer.status == 207 and b" 403 " in answer.body
        assert dav.ask("PROPPATCH", calendar, f'<D:propertyupdate {NS}><D:remove><D:prop><x xmlns="urn:x"/></D:prop></D:remove></D:propertyupdate>').status == 207


def test_a_first_sync_in_pages(stage, kind):
    """RFC 6578 3.6: no page is longer than its limit, though all that the first look has found has one revision; what goes meanwhile is told."""
    exchange = kind.exchange(stage, "--demo", "1")
    one = Dav(stage.bridge(kind.account("work", exchange), dav=True, name="one"))
    for i in range(7):
        assert one.put(f"{one.calendar()}{i}.ics", event(f"uid-{i}")).status == 201
    two = Dav(stage.bridge(kind.account("work", exchange), dav=True, name="two"))
    calendar = two.calendar()
    every = set(two.etags(calendar))
    assert len(every) == 7
    known, token, truncated, pages = set(), "", True, 0
    while truncated:
        changed, gone, token, truncated = two.sync(calendar, token, limit=2)
        assert len(changed) <= 2 and pages < 10
        assert not known & set(changed)
        known = (known | set(changed)) - set(gone)
        if pages == 0:  # one that was told, and one that was not
            for path in (min(known), min(every - known)):
                assert two.ask("DELETE", path).status == 204
                every.remove(path)
        pages += 1
    assert known == every == set(two.etags(calendar))
    changed, gone, last, truncated = two.sync(calendar, token)
    assert (changed, gone, truncated) == ({}, [], False)
    for wrong in (token + "-", token + "-1", token + "-1-2-3", token + "-x-y", token + "--1-1", token + "-1-999999999"):
        answer = two.sync(calendar, wrong)
        assert (answer.status, answer.precondition()) == (403, "valid-sync-token"), wrong
    # without a limit the server's own counts, which is no reason to tell nothing
    for i in range(100):
        assert one.put(f"{one.calendar()}more-{i}.ics", event(f"more-{i}")).status == 201
    three = Dav(stage.bridge(kind.account("work", exchange), dav=True, name="three", limits={"dav-results": 100}))
    first, _, token, truncated = three.sync(three.calendar())
    rest, _, token, more = three.sync(three.calendar(), token)
    assert (len(first), truncated, len(rest), more) == (100, True, 5, False) and not set(first) & set(rest)
    for client in (one, two, three):
        client.close()
