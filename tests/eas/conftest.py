# SPDX-License-Identifier: Apache-2.0
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for path in (HERE, os.path.join(HERE, "..", "exchange"), os.path.join(HERE, "..", "servers")):
    if path not in sys.path:
        sys.path.insert(0, path)

import pytest

from easdriver import PROGRAM, Driver
from standin import Standin


@pytest.fixture(scope="session", autouse=True)
def program():
    if not os.path.exists(PROGRAM):
        pytest.fail(f"{PROGRAM} is not built")


@pytest.fixture
def standin():
    """Makes stand-ins: standin("--corpus", 30)."""
    made = []

    def make(*args):
        made.append(Standin(*args))
        return made[-1]

    yield make
    for exchange in made:
        exchange.stop()


@pytest.fixture
def exchange(standin):
    """A stand-in with 30 messages in the inbox."""
    return standin("--corpus", 30)


@pytest.fixture
def driver(tmp_path):
    """Makes drivers: driver(exchange, "--provision", "ask"). The same directory each time: a second one is a restart."""
    made = []

    def make(exchange, *args, url=None, **settings):
        made.append(Driver(url or exchange.eas_url, tmp_path, *args, **settings))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.stop()
