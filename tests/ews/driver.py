# SPDX-License-Identifier: Apache-2.0
"""Runs the ews_driver program of the build tree: commands in, JSON events out."""
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
PROGRAM = os.path.join(BUILD, "tests", "ews_driver")
SEEN, FLAGGED, ANSWERED, FORWARDED, DRAFT = 1, 2, 4, 8, 16


class Driver:
    def __init__(self, url, directory, *args, user="alice@example.com", password="secret", email="alice@example.com", fast=True):
        self.directory = str(directory)
        self.out = os.path.join(self.directory, "out")
        self.persist = os.path.join(self.directory, "persist")
        os.makedirs(self.out, exist_ok=True)
        os.makedirs(self.persist, exist_ok=True)
        self.password_file = os.path.join(self.directory, "password")
        self.flock = canary.Flock(password, f"{user}:{password}")
        self.set_password(password)
        command = [PROGRAM, "--url", url, "--user", user, "--email", email, "--out", self.out, "--persist", self.persist,
                   "--password-file", self.password_file, *(["--fast"] if fast else []), *args]
        self.errors = open(os.path.join(self.directory, "stderr"), "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.events = queue.Queue()
        self.kept = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

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
                raise AssertionError(f"no {event} within {timeout} s; kept {self.kept}; stderr:\n{self.stderr()[-3000:]}")
            if got is None:
                raise AssertionError(f"the driver ended; stderr:\n{self.stderr()[-5000:]}")
            if got["event"] == event:
                return got
            self.kept.append(got)

    def has(self, event):
        """Is such an event there already?"""
        while not self.events.empty():
            got = self.events.get()
            if got is not None:
                self.kept.append(got)
        return any(e["event"] == event for e in self.kept)

    def stderr(self):
        self.errors.flush()
        with open(self.errors.name) as file:
            return file.read()

    def login(self, *args, **kw):
        self.send("login", *args)
        return self.wait("login", **kw)

    def folders(self, cursor=None, **kw):
        self.send("folders", *([cursor] if cursor else []))
        return self.wait("folders", **kw)

    def folder(self, use="inbox"):
        answer = self.folders()
        assert answer["err"] == "none", answer
        return next(f["id"] for f in answer["list"] if f["use"] == use)

    def sync(self, folder, cursor=None, **kw):
        self.send("sync", folder, *([cursor] if cursor else []))
        return self.wait("sync", **kw)

    def syncall(self, folder, **kw):
        self.send("syncall", folder)
        return self.wait("syncall", **kw)

    def fetch(self, what, *ids, timeout=60):
        """(list of item events by id, end event of the batch)"""
        self.send("fetch", what, *ids)
        return self._fetched(timeout)[0:2]

    def fetchall(self, what, count=None, timeout=120):
        self.send("fetchall", what, *([str(count)] if count is not None else []))
        items, _, batches = self._fetched(timeout)
        return items, batches

    def _fetched(self, timeout):
        self.wait("fetched", timeout)
        items = {e["id"]: e for e in self.kept if e["event"] == "item"}
        batches = [e for e in self.kept if e["event"] == "batch"]
        self.kept = [e for e in self.kept if e["event"] not in ("item", "batch")]
        return items, batches[-1], batches

    def content(self, item):
        with open(item["path"], "rb") as file:
            return file.read()

    def stop(self):
        """Ends it in good order: nothing may be alive, and the sanitizers must be content."""
        if self.errors.closed:
            return
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
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()
