# SPDX-License-Identifier: Apache-2.0
"""SOGo's own CalDAV: another program's view of what the bridge keeps there over ActiveSync."""
import base64
import http.client
import re
import time

from fields import fields
from sogo_proc import poll_until


class SogoDav:
    def __init__(self, sogo, user):
        self.sogo, self.user = sogo, user
        pair = base64.b64encode(f"{user}:{sogo.users[user]}".encode()).decode()
        self.headers = {"Authorization": "Basic " + pair, "Content-Type": "text/calendar; charset=utf-8"}

    def ask(self, method, name, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.sogo.ports["http"], timeout=60)
        connection.request(method, f"/SOGo/dav/{self.user}/Calendar/personal/{name}", body and body.encode(), self.headers)
        answer = connection.getresponse()
        data = answer.read().decode()
        connection.close()
        assert answer.status < 300, (method, name, answer.status, data[:500])
        return data

    def put(self, name, text):
        """What SOGo makes of it."""
        self.ask("PUT", name, text)
        return fields(self.ask("GET", name))

    def objects(self, kind="V"):
        """{name: text} of what it holds; VEVENT or VTODO: of these alone. They lie in one collection."""
        names = re.findall(r"/Calendar/personal/([^<]+\.ics)</", self.ask("PROPFIND", ""))
        texts = {name: self.ask("GET", name) for name in sorted(set(names))}
        return {name: text for name, text in texts.items() if f"BEGIN:{kind}" in text}

    def change(self, name, text=None):
        """Store it, or delete it, in a second of its own."""
        self.next_second()
        self.ask("PUT" if text else "DELETE", name, text)

    @staticmethod
    def next_second():
        """SOGo's sync states are seconds: a change within the one of the change before, which a client has read meanwhile,
        is never told to it."""
        now = int(time.time())
        poll_until(lambda: int(time.time()) > now, 5, "the clock stands still")
