# SPDX-License-Identifier: Apache-2.0
"""The stage of tests/clients (stand-ins and bridges), for the tests of this folder."""
import importlib.util
import os

path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "clients", "conftest.py")
spec = importlib.util.spec_from_file_location("clients_conftest", path)
clients = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clients)
stage, module_stage, pytest_runtest_makereport = clients.stage, clients.module_stage, clients.pytest_runtest_makereport
