# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for path in (HERE, os.path.join(HERE, "judges")):
    if path not in sys.path:
        sys.path.insert(0, path)


@pytest.fixture
def oracle():
    """libwbxml2's tools, an independent reader of WBXML."""
    assert shutil.which("wbxml2xml"), "libwbxml2-utils is not installed"
