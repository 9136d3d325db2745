# SPDX-License-Identifier: Apache-2.0
"""What tests use: starts the stand-in Exchange as a process of its own and talks to its control port.

    with Standin("--corpus", "200") as exchange:
        exchange.url                     # http://127.0.0.1:PORT/EWS/Exchange.asmx
        mark = exchange.mark()
        exchange.deliver(subject="Hello")
        exchange.counts(mark)            # {"ews:GetItem": 1, ...}
        exchange.fault(op="GetItem", do="throttle", backoff_ms=500)
        assert exchange.violations() == []
"""
import base64
import http.client
import json
import os
import subprocess
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
USER, PASSWORD = "alice@example.com", "secret"


class ControlError(Exception):
    pass


class Standin:
    def __init__(self, *args, port=0, control_port=0, start=True, stderr=None):
        self.args = [str(a) for a in args]
        self.want = (port, control_port)
        self.process = None
        self.stderr = stderr
        self.port = self.control_port = None
        self.tls = "--tls" in self.args
        if start:
            self.start()

    def start(self, timeout=120):
        """On a restart the same ports are taken again."""
        port, control = self.port or self.want[0], self.control_port or self.want[1]
        command = [
            "/usr/bin/python3",
            os.path.join(HERE, "server.py"),
            "--port",
            str(port),
            "--control-port",
            str(control),
            *self.args,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.stderr, text=True)
        started = time.monotonic()
        line = self.process.stdout.readline()
        if not line.startswith("READY "):
            self.process.kill()
            self.process.wait()
            raise ControlError(
                f"the stand-in did not start ({time.monotonic() - started:.1f} s of {timeout}): {line!r}"
            )
        ports = dict(word.split("=") for word in line.split()[1:])
        self.port, self.control_port = int(ports["port"]), int(ports["control"])
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def base(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def url(self):
        return self.base + "/EWS/Exchange.asmx"

    @property
    def eas_url(self):
        return self.base + "/Microsoft-Server-ActiveSync"

    # ---- control ----

    def call(self, method, name, body=None, raw=False, **query):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=120)
        try:
            target = f"/control/{name}" + ("?" + urllib.parse.urlencode(query) if query else "")
            connection.request(method, target, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ControlError(data.decode("utf-8", "replace"))
        return data if raw else json.loads(data)

    def deliver(self, mime=None, **fields):
        """New mail; see Control.post_deliver. Returns a list of item descriptions."""
        if mime is not None:
            fields["mime_b64"] = base64.b64encode(mime).decode()
        return self.call("POST", "deliver", fields)

    def change(self, do, **fields):
        """do: update, move, copy, delete; by num, nums or message_id."""
        if "mime" in fields:
            fields["mime_b64"] = base64.b64encode(fields.pop("mime")).decode()
        return self.call("POST", "items", {"do": do, **fields})

    def folder(self, do, **fields):
        return self.call("POST", "folders", {"do": do, **fields})

    def fault(self, **rule):
        return self.call("POST", "faults", [rule])["ids"][0]

    def faults(self):
        return self.call("GET", "faults")

    def clear_faults(self, number=None):
        """All of them, or the one that fault() gave."""
        self.call("DELETE", "faults", **({"id": number} if number else {}))

    def mark(self):
        """A position in the log, for counts() and log()."""
        return self.call("GET", "log/last")["last"]

    def log(self, since=0, **filters):
        return self.call("GET", "log", since=since, **filters)

    def held(self, op, since=0, **detail):
        """Waits for a request with these details that has come and was not answered to its end; its log entry."""
        end = time.monotonic() + 60
        while True:
            for entry in self.log(since, op=op):
                if not entry["done"] and all(entry["detail"].get(key) == value for key, value in detail.items()):
                    return entry
            assert time.monotonic() < end, f"no {op} {detail} is held: {self.log(since)}"
            time.sleep(0.02)

    def counts(self, since=0, **filters):
        return self.call("GET", "log/counts", since=since, **filters)

    def violations(self):
        return self.call("GET", "violations")

    def items(self, folder="inbox", **query):
        return self.call("GET", "items", folder=folder, **query)

    def folders(self, **query):
        return self.call("GET", "mailbox", **query)

    def mime(self, num, served=False, **query):
        return self.call("GET", "mime", raw=True, num=num, **({"served": 1} if served else {}), **query)

    def events(self, folder="calendar", **query):
        """The calendar items and tasks of a folder as the model has them."""
        return self.call("GET", "calendar", folder=folder, **query)

    def occurrences(self, begin, end, **query):
        """What takes place in [begin, end), expanded by dateutil (by="server": by the stand-in itself)."""
        return self.call("GET", "occurrences", **{"from": begin, "to": end, **query})

    def contents(self, folder="inbox"):
        """[(item, its bytes as served)] of one moment: looked at again, when a client takes one away in between."""
        end = time.monotonic() + 60
        while True:
            try:
                return [(item, self.mime(item["num"], served=True)) for item in self.items(folder)]
            except ControlError as e:
                if "ErrorItemNotFound" not in str(e) or time.monotonic() > end:
                    raise

    def event(self, do, **fields):
        """do: create, fill, update, delete, occurrence, cancel_occurrence, attendee; see control_calendar."""
        return self.call("POST", "calendar", {"do": do, **fields})

    def options(self, **values):
        return self.call("POST", "options", values)

    def advance(self, seconds):
        return self.call("POST", "clock", {"advance": seconds})

    def invalidate(self, **fields):
        return self.call("POST", "invalidate", fields)

    def corpus(self, count, **fields):
        return self.call("POST", "corpus", {"count": count, **fields})

    def file_sent_copies(self, **args):
        """Those that hold_sent_copies kept back; how many."""
        return self.call("POST", "sent_copies", args)["filed"]

    def submissions(self):
        return self.call("GET", "submissions")

    def devices(self):
        """The EAS partnerships."""
        return self.call("GET", "eas")

    def rights(self, user, mailbox, *rights):
        """Over EWS; see rights.py."""
        self.call("POST", "rights", {"user": user, "mailbox": mailbox, "rights": list(rights)})

    def oauth(self, do=None):
        """The login server's state; or do: revoke, expire."""
        return self.call("POST", "oauth", {"do": do}) if do else self.call("GET", "oauth")

    @property
    def login_host(self):
        return f"http://127.0.0.1:{self.port}"

    def drop_connections(self):
        self.call("POST", "drop_connections", {})

    def reset(self):
        self.call("POST", "reset", {})
