# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rig  # noqa: E402


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """The authority and the library: what every world has alike."""
    return rig.Kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture
def world(tmp_path, made_once):
    world = rig.World(tmp_path / "world", made_once)
    yield world
    world.finish()


@pytest.fixture
def home(world):
    home = rig.Home(world)
    yield home
    home.stop()
