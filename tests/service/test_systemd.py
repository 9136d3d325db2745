# SPDX-License-Identifier: Apache-2.0
"""The installed units under a real systemd, the user manager, in namespaces of its own."""
import os
import subprocess
import sys

import bridge as rig
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(rig.ROOT, "out", "gcc")  # sanitizers do not like the units' limits


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    assert os.path.exists(os.path.join(BUILD, "exbridge")), "scripts/check gcc comes first"
    folder = str(tmp_path_factory.mktemp("prefix"))
    subprocess.run(["cmake", "--install", BUILD, "--prefix", folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("case", ["life", "bad_configuration", "sockets", "sandbox", "instances"])
def test_units(prefix, tmp_path, case):
    command = ["unshare", "-m", "-C", "-p", "-f", "--mount-proc", "--kill-child", sys.executable,
               os.path.join(HERE, "under_systemd.py"), str(tmp_path), prefix, case]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
