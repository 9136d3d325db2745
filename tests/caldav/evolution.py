# SPDX-License-Identifier: Apache-2.0
"""Evolution's data server as a calendar program (programs.py)."""
import ssl

from bridge import LOCAL_PASSWORD
from davtest import prop
from eds import Eds, EdsError
from programs import Program, component, moved

KINDS = {"VEVENT": "events", "VTODO": "tasks"}


class Evolution(Program):
    def __init__(self, dav, directory):
        super().__init__(dav, directory)
        self.eds = Eds(str(directory), {KINDS[kind]: self.base + path for kind, path in self.paths.items()}, dav.user, LOCAL_PASSWORD)
        if self.bridge.tls:
            self.eds("trust", host="localhost", pem=ssl.get_server_certificate(("localhost", self.bridge.dav_port)))

    def close(self):
        self.eds.stop()

    def open(self, kind):
        name = self.eds("open", kind=KINDS[kind])
        assert name == f"judge {KINDS[kind]}"

    def texts(self, kind):
        """What it has; it is told to look for news, which comes when it comes."""
        self.open(kind)
        try:
            self.eds("refresh")
        except EdsError as error:
            assert "usy" in str(error), error
        return self.eds("list")

    def shown(self, kind):
        """An exception is an object of its own in its list."""
        found = {}
        for text in sorted(self.texts(kind), key=lambda text: prop(text, "RECURRENCE-ID") or ""):
            uid = prop(text, "UID")
            found[uid] = found.get(uid, "") + text.strip() + "\r\n"
        return found

    def create(self, kind, text):
        self.open(kind)
        self.eds("create", ics=component(text))

    def replace(self, kind, uid, text):
        self.open(kind)
        self.eds("modify", ics=component(text))

    def make_exceptions(self, uid, title):
        self.eds("modify", ics=moved(self.shown("VEVENT")[uid], title), mod="this")
        self.eds("remove", uid=uid, rid="20261215T100000", mod="this")

    def remove(self, kind, uid):
        self.open(kind)
        self.eds("remove", uid=uid)
