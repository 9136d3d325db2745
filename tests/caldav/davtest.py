# SPDX-License-Identifier: Apache-2.0
"""A careful CalDAV client for tests: one connection, what was sent and what came, nothing hidden."""
import base64
import http.client
import re
import ssl
import xml.etree.ElementTree as ET

from bridge import LOCAL_PASSWORD, poll

D, C, CS = "DAV:", "urn:ietf:params:xml:ns:caldav", "http://calendarserver.org/ns/"
NS = f'xmlns:D="{D}" xmlns:C="{C}" xmlns:CS="{CS}"'


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def text(self):
        return self.body.decode()

    def xml(self):
        return ET.fromstring(self.body)

    def responses(self):
        """{href: (status or None, {(ns, name): element})} of a multistatus; properties that are there."""
        found = {}
        for r in self.xml().findall(f"{{{D}}}response"):
            status, props = r.findtext(f"{{{D}}}status"), {}
            for stat in r.findall(f"{{{D}}}propstat"):
                if " 200 " in stat.findtext(f"{{{D}}}status"):
                    for prop in stat.find(f"{{{D}}}prop"):
                        ns, name = prop.tag[1:].split("}")
                        props[ns, name] = prop
            found[r.findtext(f"{{{D}}}href")] = (int(status.split()[1]) if status else None, props)
        return found

    def precondition(self):
        """Name of the first precondition in an error document."""
        return self.xml()[0].tag.split("}")[1] if self.body.startswith(b"<?xml") else None


class Dav:
    def __init__(self, bridge, account="work", password=LOCAL_PASSWORD, tls=None, attempts=2):
        self.bridge, self.account, self.attempts = bridge, account, attempts
        self.sign_in(f"{account}@bridge.test", password)
        self.home = f"/dav/{account}/calendars/"
        self.connection = None

    def sign_in(self, user, password=LOCAL_PASSWORD):
        self.user = user
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def connect(self):
        if not self.bridge.tls:
            return http.client.HTTPConnection("localhost", self.bridge.dav_port, timeout=120)
        context = ssl.create_default_context(cafile=self.bridge.ca_file)
        return http.client.HTTPSConnection("localhost", self.bridge.dav_port, timeout=120, context=context)

    def ask(self, method, path, body=None, headers=None, auth=True, type="application/xml; charset=utf-8"):
        headers = {**({"Authorization": self.authorization} if auth else {}), **(headers or {})}
        if body is not None:
            headers.setdefault("Content-Type", type)
            body = body.encode() if isinstance(body, str) else body
        for attempt in range(1, self.attempts + 1):
            self.connection = self.connection or self.connect()
            try:
                self.connection.request(method, path, body, headers)
                response = self.connection.getresponse()
                answer = Answer(response, response.read())
                self.bridge.heard(str(response.headers))
                self.bridge.heard(answer.body)
                if response.will_close:
                    self.close()
                return answer
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):  # it was idle too long
                self.close()
                if attempt == self.attempts or method in ("POST",):
                    raise

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    # ---- usual requests ----

    def propfind(self, path, props, depth=0):
        return self.ask("PROPFIND", path, f"<D:propfind {NS}><D:prop>{props}</D:prop></D:propfind>", {"Depth": str(depth)})

    def calendars(self):
        """{display name: path} of ordinary calendars and of task lists."""
        answer = self.propfind(self.home, "<D:resourcetype/><D:displayname/>", 1)
        assert answer.status == 207, answer.body
        return {props[D, "displayname"].text: href for href, (_, props) in answer.responses().items()
                if props[D, "resourcetype"].find(f"{{{C}}}calendar") is not None}

    def collections(self, component):
        """Paths of those that take such objects; SOGo gives a calendar and its task list one display name."""
        answer = self.propfind(self.home, "<C:supported-calendar-component-set/>", 1)
        assert answer.status == 207, answer.body
        return [path for path, (_, props) in answer.responses().items() for found in props.values()
                if any(c.get("name") == component for c in found)]

    def calendar(self):
        """As soon as the folders are known."""
        return poll(60, lambda: self.calendars().get("Calendar"), "no calendar is shown")

    def etags(self, path):
        answer = self.propfind(path, "<D:getetag/>", 1)
        assert answer.status == 207, answer.body
        return {href: props[D, "getetag"].text for href, (_, props) in answer.responses().items() if (D, "getetag") in props}

    def put(self, path, text, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("PUT", path, text, headers, type="text/calendar; charset=utf-8")

    def get(self, path, **headers):
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def sync(self, path, token="", props="<D:getetag/>", limit=None):
        """(changed {href: props}, gone [href], token, truncated)"""
        limit = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
        answer = self.ask("REPORT", path, f"<D:sync-collection {NS}><D:sync-token>{token}</D:sync-token><D:sync-level>1"
                          f"</D:sync-level>{limit}<D:prop>{props}</D:prop></D:sync-collection>")
        if answer.status != 207:
            return answer
        found = answer.responses()
        changed = {href: props for href, (status, props) in found.items() if status is None}
        gone = [href for href, (status, _) in found.items() if status == 404]
        return changed, gone, answer.xml().findtext(f"{{{D}}}sync-token"), any(s == 507 for s, _ in found.values())

    def multiget(self, path, hrefs, props="<D:getetag/><C:calendar-data/>"):
        return self.ask("REPORT", path, f"<C:calendar-multiget {NS}><D:prop>{props}</D:prop>"
                        + "".join(f"<D:href>{h}</D:href>" for h in hrefs) + "</C:calendar-multiget>")

    def query(self, path, start=None, end=None, component="VEVENT", props="<D:getetag/><C:calendar-data/>", inner=""):
        when = f'<C:time-range start="{start}" end="{end}"/>' if start else ""
        return self.ask("REPORT", path, f'<C:calendar-query {NS}><D:prop>{props}</D:prop><C:filter><C:comp-filter '
                        f'name="VCALENDAR"><C:comp-filter name="{component}">{when}{inner}</C:comp-filter></C:comp-filter>'
                        "</C:filter></C:calendar-query>", {"Depth": "1"})


def event(uid, *lines, start="DTSTART;TZID=Europe/Berlin:20261201T100000", end="DTEND;TZID=Europe/Berlin:20261201T110000",
          summary="Meeting", zone=True):
    """An object as a client would store it."""
    berlin = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE"""
    text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//EN", *([berlin] if zone and "Berlin" in start else []),
            "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20261101T000000Z", start, *([end] if end else []), f"SUMMARY:{summary}",
            *lines, "END:VEVENT", "END:VCALENDAR", ""]
    return re.sub(r"\r?\n", "\r\n", "\n".join(text))


def todo(uid, *lines, summary="Task"):
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//EN", "BEGIN:VTODO", f"UID:{uid}",
                        "DTSTAMP:20261101T000000Z", f"SUMMARY:{summary}", *lines, "END:VTODO", "END:VCALENDAR", ""])


def prop(text, name):
    """Value of the first property of that name, unfolded; None."""
    found = re.search(rf"^{name}[;:](.*)$", text.replace("\r\n ", "").replace("\r\n", "\n"), re.M)
    return found.group(1) if found else None
