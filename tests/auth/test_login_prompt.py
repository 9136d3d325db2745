# SPDX-License-Identifier: Apache-2.0
"""What a person can answer to `exbridge login`, or get wrong on its command line: what is wrong is said, and what to do."""
import pytest
import rig
from rig import PASSWORD


@pytest.fixture
def bridge(stage):
    server = stage.exchange("--corpus", "1")
    bridge = stage.bridge(rig.Account("work", server), rig.Account("home", server), start=False)
    bridge.write_config()
    return bridge


@pytest.mark.parametrize("typed, code, told", [
    ("", 78, "a question needs an answer, and stdin has ended"), ("\n", 65, "no password was given"),
    ("canary-wrong-44\n", 77, "nothing was stored: is that the password of alice@example.com?"), ("x" * 70000 + "\n", 65, "an answer of more than")], ids=["end", "empty", "wrong", "long"])  # fmt: skip
def test_the_password(stage, bridge, typed, code, told):
    bridge.canaries.append("canary-wrong-44")
    done = bridge.cli("login", "work", text=typed)
    assert done.returncode == code and told in done.stderr, (done.returncode, done.stderr[-500:])
    assert len([e for e in stage.exchanges[0].log() if e["authorization"]]) == (code == 77)
    assert bridge.cli("login", "work", text=PASSWORD + "\n").returncode == 0


@pytest.mark.parametrize("words, code, told", [
    (["nobody"], 66, "nobody"), ([], 66, "name one of them: work, home"), (["work", "--device"], 64, "its auth is not oauth"),
    (["work", "--trace"], 64, "its auth is not oauth"), (["work", "home"], 64, "exbridge help login")])  # fmt: skip
def test_the_command_line(bridge, words, code, told):
    done = bridge.cli("login", *words, text=PASSWORD + "\n")
    assert done.returncode == code and told in done.stderr, (done.returncode, done.stderr)
