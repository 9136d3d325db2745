# SPDX-License-Identifier: Apache-2.0
"""Another network: noticed, and nothing waits for connections that are dead. (Sleep is the same road; tests/unit/test_netwatch.c
has its arithmetic.)"""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def own_network():
    """unshare(1) with what this user needs for a network namespace."""
    for flags in (["-n"], ["-Urn"]):
        if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode == 0:
            return ["unshare", *flags]
    raise RuntimeError("no network namespace can be made here")


@pytest.mark.parametrize("kind", ["ews", "eas"])
def test_other_addresses(tmp_path, kind):
    script = os.path.join(HERE, "in_own_network.py")
    result = subprocess.run([*own_network(), sys.executable, script, str(tmp_path / "bridge"), kind], capture_output=True,
                            text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
