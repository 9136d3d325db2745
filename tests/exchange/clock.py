# SPDX-License-Identifier: Apache-2.0
"""The stand-in's time.

Two clocks, because tests want two things:
  now()   wall time for stamps (DateTimeReceived, ...). It stands still unless told otherwise, so that every run of a
          test sees the same stamps. `tick()` moves it by one second: each delivered message gets its own.
  mono()  seconds for deadlines (a parked GetStreamingEvents, a Ping, a subscription). It follows real time, and
          `advance(s)` makes s seconds pass at once and wakes everything parked.
"""
import datetime
import threading
import time

DEFAULT_EPOCH = 1_767_600_000  # 2026-01-05T08:00:00Z


class Clock:
    def __init__(self, epoch=DEFAULT_EPOCH, running=False):
        self._lock = threading.Lock()
        self._epoch = epoch
        self._running = running
        self._start = time.monotonic()
        self._skipped = 0.0
        self._wakers = []

    def now(self):
        """Seconds since 1970, an int."""
        with self._lock:
            return self._now_locked()

    def _now_locked(self):
        return int(self._epoch + (time.monotonic() - self._start if self._running else 0))

    def tick(self, seconds=1):
        """The time now; afterwards `seconds` have passed for now()."""
        with self._lock:
            value = self._now_locked()
            self._epoch += seconds
            return value

    def mono(self):
        return time.monotonic() + self._skipped

    def advance(self, seconds):
        """Lets `seconds` pass on both clocks and wakes everything that waits."""
        with self._lock:
            self._epoch += seconds
            self._skipped += seconds
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    def set(self, epoch):
        with self._lock:
            self._epoch = epoch
            self._start = time.monotonic()

    def on_advance(self, wake):
        """wake() is called after each advance(), from the thread that asked for it."""
        with self._lock:
            self._wakers.append(wake)


def iso(epoch):
    """2026-01-05T08:00:00Z"""
    return datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_iso(text):
    """Seconds since 1970 of an xs:dateTime; without a zone it is UTC. ValueError when it is none."""
    stamp = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=datetime.timezone.utc)
    return int(stamp.timestamp())
