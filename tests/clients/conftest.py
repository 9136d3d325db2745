# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bridge as rig  # noqa: E402


class Stage:
    """Starts stand-ins and bridges, and ends them, the bridges first; what went wrong unseen is told then."""

    def __init__(self, directory):
        self.directory = directory
        self.exchanges, self.bridges = [], []
        self.expected = ()  # violations that a test provokes, by their text

    def exchange(self, *args, **kwargs):
        server = rig.exchange(*args, **kwargs)
        self.exchanges.append(server)
        return server

    def bridge(self, *accounts, name="bridge", **kwargs):
        bridge = rig.Bridge(os.path.join(str(self.directory), name), accounts, **kwargs)
        self.bridges.append(bridge)
        return bridge

    def end(self, failed=False):
        problems = []
        for bridge in self.bridges:
            try:
                bridge.finish()
            except AssertionError as e:
                problems.append(e)
        for server in self.exchanges:
            try:
                found = [v for v in server.violations() if v["what"] not in self.expected] if server.process else []
                if found:
                    problems.append(AssertionError(f"no strict server would accept: {found[:5]}"))
                for bridge in self.bridges:
                    bridge.flock().check_requests(server)
            except AssertionError as e:
                problems.append(e)
            finally:
                server.stop()
        if problems:
            raise problems[0]


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    stage.end()


@pytest.fixture(scope="module")
def module_stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("stage"))
    yield stage
    stage.end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of the bridge's log."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for name in ("stage", "module_stage"):
            for bridge in getattr(item.funcargs.get(name), "bridges", []):
                report.sections.append((f"log of {bridge.directory}", bridge.tail(60)))
