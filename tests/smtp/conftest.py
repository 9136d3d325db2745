# SPDX-License-Identifier: Apache-2.0
"""The stage of tests/clients: stand-ins and bridges that are looked at when they end."""
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(os.path.dirname(HERE), "clients")
sys.path[:0] = [HERE, CLIENTS]

_spec = importlib.util.spec_from_file_location("clients_conftest", os.path.join(CLIENTS, "conftest.py"))
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
stage, module_stage = _module.stage, _module.module_stage
pytest_runtest_makereport = _module.pytest_runtest_makereport
