# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pytest

from sogo import Sogo, missing


@pytest.fixture(scope="session")
def sogo():
    """The SOGo rig, one for the whole run; take a user of your own with sogo.add_user()."""
    lacking = missing()
    if lacking:
        pytest.fail("SOGo rig: missing " + ", ".join(lacking))
    with Sogo() as rig:
        yield rig
