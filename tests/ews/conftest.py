# SPDX-License-Identifier: Apache-2.0
import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(os.path.dirname(HERE), "clients")
for path in (os.path.join(os.path.dirname(HERE), "caldav"), CLIENTS, HERE, os.path.join(os.path.dirname(HERE), "exchange")):
    if path not in sys.path:
        sys.path.insert(0, path)

# The stage of tests/clients, for what is tried through the whole bridge.
_spec = importlib.util.spec_from_file_location("clients_conftest", os.path.join(CLIENTS, "conftest.py"))
_stage = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_stage)
stage, pytest_runtest_makereport = _stage.stage, _stage.pytest_runtest_makereport

from driver import Driver      # noqa: E402
from standin import Standin    # noqa: E402


@pytest.fixture
def exchange(request):
    """A stand-in of its own; @pytest.mark.standin(args) gives its arguments."""
    mark = request.node.get_closest_marker("standin")
    with Standin(*(mark.args if mark else ("--corpus", "30"))) as server:
        yield server
        if not request.node.get_closest_marker("violates"):
            assert server.violations() == []


@pytest.fixture
def driver(exchange, tmp_path):
    with Driver(exchange.url, tmp_path) as d:
        yield d


@pytest.fixture
def patient(exchange, tmp_path):
    """With the times of real life: for what a busy machine must not change."""
    with Driver(exchange.url, tmp_path, fast=False) as d:
        yield d


def pytest_configure(config):
    config.addinivalue_line("markers", "standin(*args): arguments of the stand-in")
    config.addinivalue_line("markers", "violates: the test is about requests a strict server refuses")
