# SPDX-License-Identifier: Apache-2.0
"""Runs inside a private D-Bus session: Evolution's data server does what the lines on stdin say, answers are JSON lines.

    {"do": "trust", "host": ..., "pem": ...}   this certificate is the right one for the CalDAV collections
    {"do": "open", "kind": "events"|"tasks"}   waits for the folder of the account and opens it
    {"do": "list"}                             every object as iCalendar
    {"do": "create", "ics": ...}               the new UID
    {"do": "modify", "ics": ..., "mod": "all"|"this"}
    {"do": "remove", "uid": ..., "rid": ..., "mod": ...}
    {"do": "refresh"}                          asks the server for news
"""
import json
import sys
import time

import gi

for name, version in (("EDataServer", "1.2"), ("ECal", "2.0"), ("ICalGLib", "3.0")):
    gi.require_version(name, version)
from gi.repository import ECal, EDataServer, Gio, GLib, ICalGLib

KINDS = {
    "events": ("Calendar", ECal.ClientSourceType.EVENTS),
    "tasks": ("Task List", ECal.ClientSourceType.TASKS),
}
MODS = {"all": ECal.ObjModType.ALL, "this": ECal.ObjModType.THIS}


def pump(seconds):
    context, end = GLib.MainContext.default(), time.monotonic() + seconds
    while time.monotonic() < end:
        context.iteration(False)
        time.sleep(0.01)


class Session:
    def __init__(self, user, password):
        self.user, self.password = user, password
        self.registry = EDataServer.SourceRegistry.new_sync(None)
        self.registry.connect("credentials-required", self.asked)
        self.client = self.kind = None

    def credentials(self):
        found = EDataServer.NamedParameters.new()
        found.set("username", self.user)
        found.set("password", self.password)
        return found

    def asked(self, registry, source, *_):
        """Somebody in the session needs the password."""
        source.invoke_authenticate(self.credentials(), None, None)

    def trust(self, host, pem):
        certificate = Gio.TlsCertificate.new_from_pem(pem, -1)
        for kind in KINDS:
            source = self.registry.ref_source(f"judge-{kind}")
            if source:
                webdav = source.get_extension("WebDAV Backend")
                webdav.update_ssl_trust(host, certificate, EDataServer.TrustPromptResponse.ACCEPT)
                source.write_sync(None)

    def source_of(self, kind, deadline):
        extension = KINDS[kind][0]
        source = self.registry.ref_source(f"judge-{kind}")
        if source:
            return source
        collection = self.registry.ref_source("judge")
        collection.invoke_authenticate_sync(self.credentials(), None)
        while time.monotonic() < deadline:
            pump(0.1)
            kids = [s for s in self.registry.list_sources(extension) if s.get_parent() == "judge"]
            if kids:
                return kids[0]
        raise RuntimeError(f"no {extension} of the account appeared")

    def open(self, kind):
        source_type = KINDS[kind][1]
        deadline = time.monotonic() + 120
        source = self.source_of(kind, deadline)
        if kind == self.kind:
            return source.get_display_name()
        found = []
        ECal.Client.connect(source, source_type, 10, None, lambda _, result: found.append(result))
        while not found and time.monotonic() < deadline:
            pump(0.05)
        self.client = ECal.Client.connect_finish(found[0])
        source.invoke_authenticate(self.credentials(), None, None)
        while self.client.is_readonly() and time.monotonic() < deadline:
            pump(0.05)
        self.settle(deadline)
        self.kind = kind
        return source.get_display_name()

    def settle(self, deadline):
        """Signing in anew cancels what was going on: until a question is answered."""
        while True:
            try:
                pump(0.2)
                self.client.refresh_sync(None)
                return self.list()
            except GLib.Error as error:
                cancelled = error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)
                if not cancelled or time.monotonic() > deadline:
                    raise

    def list(self):
        return [c.as_ical_string() for c in self.client.get_object_list_sync("#t", None)[1]]

    def create(self, ics):
        component = ICalGLib.Component.new_from_string(ics)
        return self.client.create_object_sync(component, ECal.OperationFlags.NONE, None)[1]

    def modify(self, ics, mod="all"):
        component = ICalGLib.Component.new_from_string(ics)
        return self.client.modify_object_sync(component, MODS[mod], ECal.OperationFlags.NONE, None)

    def remove(self, uid, rid=None, mod="all"):
        return self.client.remove_object_sync(uid, rid, MODS[mod], ECal.OperationFlags.NONE, None)

    def refresh(self):
        return self.client.refresh_sync(None)


def main():
    session = Session(*sys.argv[1:3])
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        try:
            answer = {"ok": getattr(session, do)(**request)}
        except (GLib.Error, RuntimeError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


main()
