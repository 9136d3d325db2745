# SPDX-License-Identifier: Apache-2.0
"""Runs the eas_driver program of the build tree: commands in, JSON events out."""
import json
import os
import queue
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "tests", "clients"))
import canary  # noqa: E402

BUILD = os.environ.get("EXBRIDGE_BUILD") or os.path.join(ROOT, "build")
PROGRAM = os.path.join(BUILD, "tests", "eas_driver")
SEEN, FLAGGED, ANSWERED, FORWARDED, DRAFT = 1, 2, 4, 8, 16


class Driver:
    def __init__(self, url, directory, *args, user="alice@example.com", password="secret", email="alice@example.com", fast=True):
        self.directory = str(directory)
        self.out, self.persist = os.path.join(self.directory, "out"), os.path.join(self.directory, "persist")
        os.makedirs(self.out, exist_ok=True)
        os.makedirs(self.persist, exist_ok=True)
        self.password_file = os.path.join(self.directory, "password")
        self.flock = canary.Flock(password, f"{user}:{password}")
        self.set_password(password)
        command = [PROGRAM, "--url", url, "--user", user, "--email", email, "--out", self.out, "--persist", self.persist,
                   "--password-file", self.password_file, *(["--fast"] if fast else []), *map(str, args)]
        self.errors = open(os.path.join(self.directory, "stderr"), "a+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        errors="surrogateescape")
        self.events = queue.Queue()
        self.kept = []
        threading.Thread(target=self._read, daemon=True).start()

    def set_password(self, password):
        with open(os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(password + "\n")

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))
        self.events.put(None)

    def send(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def wait(self, event, timeout=60):
        """The next event of that name; others are kept for later."""
        for i, seen in enumerate(self.kept):
            if seen["event"] == event:
                return self.kept.pop(i)
        end = time.monotonic() + timeout
        while True:
            try:
                got = self.events.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {event} within {timeout} s; stderr:\n{self.stderr()[-3000:]}")
            if got is None:
                raise AssertionError(f"the driver ended; stderr:\n{self.stderr()[-5000:]}")
            if got["event"] == event:
                return got
            self.kept.append(got)

    def seen(self, event):
        """The events of that name that have come by now, without waiting."""
        while not self.events.empty():
            got = self.events.get()
            if got is not None:
                self.kept.append(got)
        found = [e for e in self.kept if e["event"] == event]
        self.kept = [e for e in self.kept if e["event"] != event]
        return found

    def stderr(self):
        self.errors.flush()
        with open(self.errors.name) as file:
            return file.read()

    def login(self, *args, **kw):
        self.send("login", *args)
        return self.wait("login", **kw)

    def folders(self, cursor="", **kw):
        self.send("folders", *([cursor] if cursor else []))
        return self.wait("folders", **kw)

    def folder(self, use="inbox", kind="mail"):
        answer = self.folders()
        assert answer["err"] == "none", answer
        return next(f["id"] for f in answer["list"] if f["kind"] == kind and (kind != "mail" or f["use"] == use))

    def sync(self, folder, cursor="", **kw):
        self.send("sync", folder, *([cursor] if cursor else []))
        return self.wait("sync", **kw)

    def sync_all(self, folder, cursor="", timeout=120):
        """(items by id, the last page's answer, number of pages); changes are merged as a store would."""
        self.send("syncall", folder, *([cursor] if cursor else []))
        end = self.wait("synced", timeout)
        pages = [e for e in self.kept if e["event"] == "sync"]
        self.kept = [e for e in self.kept if e["event"] != "sync"]
        items = {}
        for page in pages:
            for item in page.get("list", []):
                if item["gone"] or item["left_window"]:
                    items.pop(item["id"], None)
                elif item["id"] in items and item["known"] & SEEN == 0:
                    items[item["id"]].update(item)
                else:
                    items[item["id"]] = item
        assert end["err"] == "none", end
        return items, pages[-1], len(pages)

    def kind(self, name):
        """Of the folders named from here on: mail, calendar, tasks."""
        self.send("kind", name)

    def event_fetch(self, folder, *ids, **kw):
        """event_fetch: {id: answer}"""
        self.send("events", folder, *ids)
        answer = self.wait("events", **kw)
        assert answer["err"] == "none", answer
        return {one["id"]: one for one in answer["list"]}

    def fetch(self, folder, what, *ids, timeout=60):
        """(item events by id, the end)"""
        self.send("fetch", folder, what, *ids)
        return self._fetched(timeout)

    def fetch_all(self, what, count=None, timeout=120):
        """The ids of the last sync."""
        self.send("fetchall", what, *([str(count)] if count is not None else []))
        return self._fetched(timeout)

    def _fetched(self, timeout):
        end = self.wait("fetched", timeout)
        items = {e["id"]: e for e in self.kept if e["event"] == "item"}
        self.kept = [e for e in self.kept if e["event"] != "item"]
        return items, end

    # What changes something: the answer, which has "each" where it is about items.

    def write(self, command, *words, **kw):
        self.send(command, *words)
        return self.wait(command, **kw)

    def flag(self, folder, changes, **kw):
        """changes: {id: (set, clear)} or {id: (set, clear, [category, ...])}."""
        specs = [",".join([number, str(set_), str(clear), *("|".join(c) or "-" for c in categories)])
                 for number, (set_, clear, *categories) in changes.items()]
        return self.write("flag", folder, *specs, **kw)

    def move(self, source, target, *ids, **kw):
        return self.write("move", source, target, *ids, **kw)

    def remove(self, folder, *ids, permanent=False, **kw):
        return self.write("remove", folder, "permanent" if permanent else "recoverable", *ids, **kw)

    def file(self, data):
        self.files = getattr(self, "files", 0) + 1
        path = os.path.join(self.directory, f"mail-{os.getpid()}-{self.files}")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def mail(self, data, evidence="evidence-1", retry=False, source=(), **kw):
        """send; source: ("reply" or "forward", folder, id)"""
        return self.write("send", self.file(data), evidence, *(["retry"] if retry else []), *source, **kw)

    def append(self, folder, data, flags=0, evidence="evidence-1", retry=False, **kw):
        return self.write("append", folder, self.file(data), str(flags), evidence, *(["retry"] if retry else []), **kw)

    def create(self, name, parent="-", kind="mail", **kw):
        return self.write("create", parent, kind, name, **kw)

    def change_folder(self, number, name, parent="-", **kw):
        return self.write("change", number, parent, name, **kw)

    def delete_folder(self, number, **kw):
        return self.write("delete", number, **kw)

    def watch(self, *folders):
        self.send("watch", *folders)

    def stop(self):
        """Ends it in good order: nothing may be alive, and the sanitizers must be content."""
        if self.process.poll() is None:
            self.send("quit")
            end = self.wait("end")
            assert self.process.wait(60) == 0, self.stderr()[-5000:]
            assert end["ops"] == 0
        self.process.stdin.close()
        self.process.stdout.close()
        text = self.stderr()
        self.errors.close()
        assert "ERROR: " not in text and "runtime error" not in text, text[-5000:]
        self.flock.check_text(text, "the log")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()


def content(blob):
    """The bytes of {"size": n, "path": "..."}."""
    with open(blob["path"], "rb") as file:
        data = file.read()
    assert len(data) == blob["size"]
    return data
