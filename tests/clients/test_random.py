# SPDX-License-Identifier: Apache-2.0
"""A random run of each kind of server (randomised.py), with fixed seeds; `scripts/check --random` has the long ones, by
$EXBRIDGE_RANDOM: "OPERATIONS" or "OPERATIONS SEED"."""
import os
import secrets
import time

import kinds
import pytest
import randomised

COUNT, SEED = ((os.environ.get("EXBRIDGE_RANDOM") or "220 4711").split() + [None])[:2]


@pytest.mark.parametrize("kind", kinds.WRITING, ids=str)
def test_random(stage, kind, capsys):
    seed, begun = SEED or secrets.token_hex(4), time.monotonic()
    it = randomised.play(stage, kind, seed, int(COUNT))
    with capsys.disabled():
        print(f"\n{kind}: seed {seed}, {COUNT} operations, {time.monotonic() - begun:.0f} s: {it.account()}")
