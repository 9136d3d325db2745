# SPDX-License-Identifier: Apache-2.0
"""A random run on the calendar of each kind of server (random_calendar.py), with a fixed seed; `scripts/check --random` has
the long ones."""
import os
import secrets
import time

import random_calendar

COUNT, SEED = ((os.environ.get("EXBRIDGE_RANDOM") or "200 4711").split() + [None])[:2]


def test_random_calendar(stage, kind, capsys):
    seed, begun = SEED or secrets.token_hex(4), time.monotonic()
    it = random_calendar.play(stage, kind, seed, int(COUNT))
    with capsys.disabled():
        print(f"\n{kind}: seed {seed}, {COUNT} operations, {time.monotonic() - begun:.0f} s: {it.account()}")
