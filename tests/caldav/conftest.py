# SPDX-License-Identifier: Apache-2.0
"""The same stage as tests/clients has: stand-ins and bridges, ended in order."""
import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(os.path.dirname(HERE), "clients")
sys.path[:0] = [HERE, CLIENTS]
_spec = importlib.util.spec_from_file_location("clients_conftest", os.path.join(CLIENTS, "conftest.py"))
_stage = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_stage)
stage, module_stage = _stage.stage, _stage.module_stage
pytest_runtest_makereport = _stage.pytest_runtest_makereport

import kinds  # noqa: E402
from davtest import Dav  # noqa: E402


@pytest.fixture(scope="session", params=kinds.CALENDARS, ids=str)
def kind(request):
    """The server that the calendars are on; every test here runs once for each."""
    return request.param


@pytest.fixture(scope="module")
def exchange(module_stage, kind):
    """An Exchange for all tests of a file; those that need one of their own make it."""
    return kind.exchange(module_stage, "--demo", "1")


@pytest.fixture(scope="module")
def dav(module_stage, kind, exchange):
    client = Dav(module_stage.bridge(kind.account("work", exchange), dav=True, name=f"bridge-{kind}"))
    yield client
    client.close()
