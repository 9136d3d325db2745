# SPDX-License-Identifier: Apache-2.0
"""The bench runs, in small; no figure of it is a condition."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import servers  # noqa: E402
import wire  # noqa: E402

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench.py")


def run(tmp_path, *arguments):
    report = tmp_path / "bench.txt"
    command = ["/usr/bin/python3", BENCH, "--work", str(tmp_path / "work"), "--report", str(report), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "EXBRIDGE": servers.bridge.program()}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return report.read_text()


def test_beside_dovecot(tmp_path):
    table = run(tmp_path, "dovecot", "--messages", "60", "--runs", "1", "--line", "FLAGS")
    assert "UID FETCH FLAGS" in table and "SEARCH" not in table
    again = run(tmp_path, "dovecot", "--messages", "60", "--runs", "1", "--line", "S")  # with the caches of the first run
    for line in ("SELECT", "BODYSTRUCTURE", "SEARCH SUBJECT", "SORT DATE"):
        assert line in again


def test_beside_davmail(tmp_path):
    table = run(tmp_path, "davmail", "--messages", "260")
    for line in ("SELECT", "100 headers", "100 bodies"):
        assert line in table


def test_beside_radicale_and_cyrus(tmp_path):
    table = run(tmp_path, "caldav", "--events", "20", "--runs", "1")
    for line in ("PROPFIND of etags", "first sync-collection", "30 days with data", "multiget of all"):
        assert line in table


def test_memory(tmp_path):
    table = run(tmp_path, "memory", "--large", "1200")
    for line in ("two accounts", "50 MB message from the cache", "five sessions", "after a restart"):
        assert line in table


def test_messages_are_counted_over_literals():
    inner = b"* 9 FETCH (x) {2}\r\n"
    answer = b"* 1 FETCH (BODY[] {%d}\r\n%s)\r\n* 2 FETCH (FLAGS ())\r\n* 3 EXISTS\r\nbench1x OK done\r\n" % (len(inner), inner)
    assert wire.messages_in(answer) == 2
