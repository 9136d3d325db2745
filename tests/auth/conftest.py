# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(os.path.dirname(HERE), "clients")):
    if folder not in sys.path:
        sys.path.insert(0, folder)
import rig  # noqa: E402


@pytest.fixture
def stage(tmp_path):
    stage = rig.Stage(tmp_path)
    yield stage
    stage.end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of the bridge's log."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for bridge in getattr(item.funcargs.get("stage"), "bridges", []):
            report.sections.append((f"log of {bridge.directory}", bridge.tail(60)))
