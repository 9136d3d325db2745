# SPDX-License-Identifier: Apache-2.0
"""Passwords for mail clients: made, listed, ended, while the bridge runs."""
import json
import re

import bridge as rig
import pytest
from test_program import account, call

GOOD = re.compile(r"^[a-z2-7]{5}(-[a-z2-7]{5}){4}\n$")


class Made(rig.Bridge):
    """A bridge whose accounts have no local-password-file."""

    def secret(self, name, text):
        return None if name == "local-password" else super().secret(name, text)

    def write_config(self):
        super().write_config()
        with open(self.config_path) as file:
            text = file.read().replace("local-password-file = None\n", "")
        with open(self.config_path, "w") as file:
            file.write(text)


def start(stage, *names, **keys):
    bridge = Made(stage.directory / "bridge", [account(stage, name, **keys) for name in names])
    stage.bridges.append(bridge)
    return bridge


def password(bridge, *words):
    return call("password", *words, "-c", bridge.config_path)


def make(bridge, *words):
    result = password(bridge, *words)
    assert result.returncode == 0 and GOOD.match(result.stdout), result
    bridge.canaries.append(result.stdout.strip())
    return result.stdout.strip()


def test_made_listed_ended(stage):
    bridge = start(stage, "work", "other")
    bridge.connect().no(f'LOGIN work "{rig.LOCAL_PASSWORD}"')
    assert bridge.log_lines(r"account\[work\]: there is no password for mail clients yet; run: exbridge password work --new")
    first, phone = make(bridge, "work", "--new"), make(bridge, "work@bridge.test", "--new", "--label", "phone")
    for word in (first, phone, phone.upper().replace("-", ""), phone.replace("-", " ")):
        bridge.login("work", word).ok("SELECT INBOX")
    bridge.connect().no(f'LOGIN other "{first}"')
    bridge.connect().no(f'LOGIN work "{first}x"')

    listed = json.loads(password(bridge, "work", "--json").stdout)
    assert [entry["label"] for entry in listed] == ["default", "phone"]
    assert "phone" in password(bridge, "work").stdout
    assert password(bridge, "work", "--revoke", "phone").returncode == 0
    bridge.connect().no(f'LOGIN work "{phone}"')
    bridge.login("work", first)


def test_what_can_go_wrong(stage):
    bridge = start(stage, "work", "other")
    make(bridge, "work", "--new")
    for words, code, text in [
        (["work", "--new"], 75, 'there is a password "default" already; end it with --revoke default'),
        (["work", "--revoke", "phone"], 66, 'there is no password "phone"'),
        (["work", "--new", "--label", "a b"], 78, "a label has up to 64 letters"),
        (["nobody", "--new"], 66, "there is no account nobody in "),
        (["--new"], 66, "there are several accounts; name one of them"),
        (["work", "--label", "x"], 64, "--label goes with --new"),
        (["work", "--new", "--revoke", "x"], 64, "--new or --revoke"),
    ]:
        result = password(bridge, *words)
        assert result.returncode == code and text in result.stderr and not result.stdout, result
    assert "no password for mail clients yet" in password(bridge, "other").stdout


def test_beside_a_configured_one(stage):
    bridge = stage.bridge(account(stage))
    made = make(bridge, "--new")
    bridge.login("work", made)
    bridge.login("work", rig.LOCAL_PASSWORD)
    assert "local-password" in password(bridge).stdout
    with open(bridge.account_dir("work") + "/passwords", "w") as file:
        file.write("nonsense\n")
    bridge.login("work", rig.LOCAL_PASSWORD)  # a damaged file does not shut out the other one
    assert bridge.log_lines("line 1 makes no sense; delete the file")
    bridge.connect().no(f'LOGIN work "{made}"')


def test_passthrough_has_none(stage):
    bridge = stage.bridge(account(stage, local_auth="passthrough"))
    result = password(bridge, "--new")
    assert result.returncode == 78 and "sign in with the Exchange password" in result.stderr


@pytest.mark.parametrize("label", ["x" * 64, "a.b_c-d@e+f"])
def test_labels(stage, label):
    bridge = start(stage, "work")
    bridge.login("work", make(bridge, "--new", "--label=" + label))
