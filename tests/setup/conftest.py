# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rig  # noqa: E402


@pytest.fixture
def world(tmp_path):
    world = rig.World(tmp_path / "world")
    yield world
    world.finish()
