# SPDX-License-Identifier: Apache-2.0
"""The log of requests. Tests count with it: an entry is made when a request is understood, not when it is answered."""
import collections
import threading
import time


class RequestLog:
    """Entries are dicts: n, t (seconds since start), protocol, op, user, path, host, status, bytes_in, bytes_out, ms, done,
    fault, and `detail`, which the protocol half fills: ids, page, folder, ..."""

    def __init__(self, limit=500_000):
        self._lock = threading.Lock()
        self._entries = collections.deque(maxlen=limit)
        self._next = 1
        self._start = time.monotonic()
        self.violations = []

    def add(self, **fields):
        with self._lock:
            entry = {
                "n": self._next,
                "t": round(time.monotonic() - self._start, 4),
                "done": False,
                "status": None,
                "fault": None,
                "detail": {},
                **fields,
            }
            self._next += 1
            self._entries.append(entry)
            return entry

    def violation(self, what, entry=None, **more):
        """Something no strict Exchange would accept, or that we answered wrongly: tests ask for an empty list."""
        with self._lock:
            self.violations.append(
                {"n": entry["n"] if entry else None, "op": entry["op"] if entry else None, "what": what, **more}
            )

    def entries(self, since=0, protocol=None, op=None, user=None):
        with self._lock:
            return [
                dict(e)
                for e in self._entries
                if e["n"] > since
                and protocol in (None, e["protocol"])
                and op in (None, e["op"])
                and user in (None, e["user"])
            ]

    def counts(self, since=0, protocol=None):
        """{"ews:GetItem": 3, ...}"""
        return dict(collections.Counter(f"{e['protocol']}:{e['op']}" for e in self.entries(since, protocol)))

    def last(self):
        with self._lock:
            return self._next - 1

    def clear(self):
        with self._lock:
            self._entries.clear()
            self.violations.clear()
