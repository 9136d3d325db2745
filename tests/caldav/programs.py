# SPDX-License-Identifier: Apache-2.0
"""Calendar programs that people use, each behind the same few methods, so that one test can ask all of them.

`kind` is VEVENT or VTODO; an object is known by its UID, and what a program shows is {UID: its own text}. evolution.py and
bird.py have the two with a window; tsdav.py has the one from npm.
"""
import os
import re
import subprocess
import urllib.parse

import caldav

from bridge import LOCAL_PASSWORD
from davtest import prop


def component(text):
    """The event or the task alone, and its exceptions."""
    return re.search(r"BEGIN:V(EVENT|TODO)\r?\n.*END:V\1(\r?\n)?", text, re.S)[0]


def edited(text, properties):
    """The text with other values of these properties in its first event or task."""
    text = re.sub(r"\r?\n[ \t]", "", text)
    found = re.search(r"(BEGIN:V(?:EVENT|TODO)\r?\n)(.*?)(?=BEGIN:VALARM|END:V(?:EVENT|TODO))", text, re.S)
    kept = [line for line in found[2].splitlines(True) if re.split("[;:]", line)[0] not in properties]
    new = [f"{name}:{value}\r\n" for name, value in properties.items()]
    return text[:found.start()] + found[1] + "".join(kept + new) + text[found.end():]


def moved(text, title):
    """The second week's occurrence of an event() that repeats weekly, four hours later and under another name."""
    master = re.sub(r"RRULE[^\n]*\n|EXDATE[^\n]*\n", "", component(text))
    one = master.replace("20261201T10", "20261208T14").replace("20261201T11", "20261208T15")
    return re.sub(r"SUMMARY[^\n]*\n", f"RECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\r\nSUMMARY:{title}\r\n", one)


def with_exceptions(text, title):
    """The series with that occurrence moved and the third week's gone."""
    master = component(text)
    excepted = master.replace("RRULE", "EXDATE;TZID=Europe/Berlin:20261215T100000\r\nRRULE", 1)
    return text.replace(master, excepted + moved(text, title))


class Program:
    """One that stores texts as they are. `dav` is signed in to the account that it is to use; `directory` is the program's."""

    def __init__(self, dav, directory):
        self.dav, self.bridge, self.directory = dav, dav.bridge, directory
        self.paths = {kind: dav.collections(kind)[0] for kind in ("VEVENT", "VTODO")}
        self.base = f"http{'s' if self.bridge.tls else ''}://localhost:{self.bridge.dav_port}"

    def shown(self, kind):
        """What it has after it has looked for news."""
        return {prop(text, "UID"): text for text in self.texts(kind)}

    def change(self, kind, uid, properties):
        self.replace(kind, uid, edited(self.shown(kind)[uid], properties))

    def make_exceptions(self, uid, title):
        """moved() and with_exceptions() say which."""
        self.replace("VEVENT", uid, with_exceptions(self.shown("VEVENT")[uid], title))

    def close(self):
        pass


class PythonCaldav(Program):
    def __init__(self, dav, directory=None):
        super().__init__(dav, directory)
        self.client = caldav.DAVClient(self.base + "/", username=dav.user, password=LOCAL_PASSWORD,
                                       ssl_verify_cert=self.bridge.ca_file)
        self.known = {}

    def calendar(self, kind):
        return next(c for c in self.client.principal().calendars() if urllib.parse.urlsplit(str(c.url)).path == self.paths[kind])

    def objects(self, kind):
        if kind in self.known:
            self.known[kind].sync()
        else:
            self.known[kind] = self.calendar(kind).objects_by_sync_token(load_objects=True)
        return self.known[kind].objects

    def texts(self, kind):
        return [re.sub(r"\r?\n", "\r\n", o.data) for o in self.objects(kind)]

    def find(self, kind, uid):
        return next(o for o in self.objects(kind) if prop(o.data, "UID") == uid)

    def create(self, kind, text):
        calendar = self.calendar(kind)
        (calendar.save_event if kind == "VEVENT" else calendar.save_todo)(text)

    def replace(self, kind, uid, text):
        found = self.find(kind, uid)
        found.data = text
        found.save()

    def remove(self, kind, uid):
        self.find(kind, uid).delete()


VDIRSYNCER = """
[general]
status_path = "{dir}/status"
[pair cal]
a = "local"
b = "remote"
collections = ["from b"]
conflict_resolution = "b wins"
metadata = ["displayname", "color"]
[storage local]
type = "filesystem"
path = "{dir}/calendars"
fileext = ".ics"
[storage remote]
type = "caldav"
url = "{base}/"
username = "{user}"
password = "{password}"
{trust}
"""
KHAL = """[calendars]
[[one]]
path = {folder}
[locale]
default_timezone = Europe/Berlin
local_timezone = Europe/Berlin
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
[sqlite]
path = {dir}/khal.db
"""


class Vdirsyncer(Program):
    """vdirsyncer between the server and a directory, and khal on that."""

    def __init__(self, dav, directory):
        super().__init__(dav, directory)
        self.config, self.khal_config = directory / "config", directory / "khal.conf"
        self.folders = {kind: directory / "calendars" / path.rstrip("/").split("/")[-1] for kind, path in self.paths.items()}
        self.config.write_text(VDIRSYNCER.format(dir=directory, base=self.base, user=dav.user, password=LOCAL_PASSWORD,
                                                 trust=f'verify = "{self.bridge.ca_file}"' if self.bridge.tls else ""))
        self.khal_config.write_text(KHAL.format(dir=directory, folder=self.folders["VEVENT"]))
        self.env = dict(os.environ, HOME=str(directory), LC_ALL="C.UTF-8")
        self.run("vdirsyncer", "-c", self.config, "discover", "cal")
        self.sync()

    def run(self, *command):
        done = subprocess.run([str(c) for c in command], env=self.env, capture_output=True, text=True, input="y\n" * 20, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sync(self):
        """--force-delete: also when the last object goes, which it takes for an accident else."""
        self.run("vdirsyncer", "-c", self.config, "sync", "--force-delete")

    def khal(self, command, *arguments):
        return self.run("khal", "-c", self.khal_config, command, *arguments)

    def files(self, kind):
        return {prop(path.read_bytes().decode(), "UID"): path for path in self.folders[kind].glob("*.ics")}

    def texts(self, kind):
        self.sync()
        return [path.read_bytes().decode() for path in self.files(kind).values()]

    def create(self, kind, text):
        (self.folders[kind] / f"{prop(text, 'UID')}.ics").write_bytes(text.encode())
        self.sync()

    def replace(self, kind, uid, text):
        self.files(kind)[uid].write_bytes(text.encode())
        self.sync()

    def remove(self, kind, uid):
        self.files(kind)[uid].unlink()
        self.sync()


class Cadaver(Program):
    """A WebDAV client that knows nothing of calendars. Over plain TCP: it trusts no certificate without a terminal."""

    def __init__(self, dav, directory):
        super().__init__(dav, directory)
        netrc = directory / ".netrc"
        netrc.write_text(f"machine localhost\nlogin {dav.user}\npassword {LOCAL_PASSWORD}\n")
        netrc.chmod(0o600)

    def __call__(self, *commands, kind="VEVENT"):
        done = subprocess.run(["cadaver", self.base + self.paths[kind]], text=True, capture_output=True,
                              input="\n".join([f"lcd {self.directory}", *commands, "quit", ""]), timeout=60,
                              env=dict(os.environ, HOME=str(self.directory), LC_ALL="C.UTF-8"))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def names(self, kind):
        """{UID: name}; the texts lie in the directory."""
        names = re.findall(r"^ +(\S+) +\d+  \S+ ", self("ls", kind=kind), re.M)
        self(*(f"get {name} {name}" for name in names), kind=kind)
        return {prop((self.directory / name).read_bytes().decode(), "UID"): name for name in names}

    def texts(self, kind):
        return [(self.directory / name).read_bytes().decode() for name in self.names(kind).values()]

    def create(self, kind, text):
        self.put(kind, f"{prop(text, 'UID')}.ics", text)

    def put(self, kind, name, text):
        (self.directory / "sent").write_bytes(text.encode())
        said = self(f"put sent {name}", kind=kind)
        assert "succeeded" in said, said

    def replace(self, kind, uid, text):
        self.put(kind, self.names(kind)[uid], text)

    def remove(self, kind, uid):
        said = self(f"delete {self.names(kind)[uid]}", kind=kind)
        assert "succeeded" in said, said
