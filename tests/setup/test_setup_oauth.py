# SPDX-License-Identifier: Apache-2.0
"""exbridge setup for Exchange Online: the mailbox is found without telling anybody a password, and a person signs in with a
browser, or with a code."""
import http.client
import os
import re
import ssl
import subprocess
import sys
import threading

import pytest
import rig
from rig import EMAIL, PASSWORD, credentials

sys.path.append(os.path.join(rig.ROOT, "tests", "auth"))
import browser  # noqa: E402

CLIENT = "5fd1ad20-0000-4000-8000-0000000c11e7"
HOSTS = ["outlook.office365.com", "login.microsoftonline.com"]


@pytest.fixture
def cloud(world, monkeypatch):
    server = world.exchange("--corpus", "5", hosts=HOSTS, user=EMAIL, auth_schemes=["Bearer"])
    world.dns({("corp.test", "MX"): [(0, "corp-test.mail.protection.outlook.com")]})
    plain = browser.get

    def get(url, method="GET", body=None, headers=None, host=None):
        """The browser sees the same Internet; its certificates are not what is tested here."""
        parts = browser.urllib.parse.urlsplit(url)
        if parts.hostname not in HOSTS:
            return plain(url, method, body, headers, host)
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=ssl._create_unverified_context())
        connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, {"Host": parts.netloc, **(headers or {})})
        answer = connection.getresponse()
        page = browser.Page(url, answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
        connection.close()
        return page

    monkeypatch.setattr(browser, "get", get)
    return server


class Running:
    """setup under way: what it said so far."""

    def __init__(self, home, *args):
        self.process = subprocess.Popen([rig.program(), "setup", *args, "--ca-file", home.world.authority.ca], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home.environment())
        self.stderr = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while char := self.process.stderr.read(1):  # a question does not end its line
            self.stderr += char

    def wait_for(self, pattern):
        rig.poll(60, lambda: re.search(pattern, self.stderr) or self.process.poll() is not None, lambda: self.stderr)
        found = re.search(pattern, self.stderr)
        assert found, self.stderr
        return found

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self, code=0):
        out = self.process.stdout.read()
        assert self.process.wait(60) == code, self.stderr
        assert PASSWORD not in out + self.stderr
        self.process.stdin.close()
        return out


def check(home, server, out):
    text = home.text()
    assert "backend = eas" in text and "auth    = oauth" in text and f"oauth-client-id = {CLIENT}" in text
    assert "url     = https://outlook.office365.com/Microsoft-Server-ActiveSync" in text
    assert {e["authorization"] for e in credentials(server)} == {"Bearer"}  # never a password, except in the browser's form
    home.start()
    assert home.imap(EMAIL, rig.password_of(out)) == 5
    assert len(server.devices()) == 1


def test_with_a_browser(world, home, cloud):
    setup = Running(home, EMAIL, "--no-browser")
    setup.wait_for("client. id that your organisation")
    assert "The mailbox is in Exchange Online, says the mail exchanger" in setup.stderr
    assert "2027-04-01" in setup.stderr
    setup.say(CLIENT)
    page = browser.sign_in(setup.wait_for(r"(https://login\.microsoftonline\.com/\S+)").group(1), EMAIL, PASSWORD)
    browser.go_back(page)
    check(home, cloud, setup.end())


def test_with_a_code(world, home, cloud):
    setup = Running(home, EMAIL, "--device", "--oauth-client-id", CLIENT)
    found = setup.wait_for(r"Open (http\S+) in a browser, on any machine, and enter the code (\w+)")
    url = found.group(1).replace("http://", "https://")
    browser.submit(browser.get(url), user_code=found.group(2), user=EMAIL, password=PASSWORD, do="yes")
    check(home, cloud, setup.end())


def test_declined(world, home, cloud):
    setup = Running(home, EMAIL, "--no-browser", "--oauth-client-id", CLIENT)
    page = browser.sign_in(setup.wait_for(r"(https://login\.microsoftonline\.com/\S+)").group(1), EMAIL, PASSWORD, do="no")
    browser.go_back(page)
    setup.end(77)
    assert "declined" in setup.stderr and not os.path.exists(home.config)


def test_basic_is_not_even_tried(world, home, cloud):
    done = home.setup(EMAIL, "--auth", "basic", "--yes", "--password-file", world.secret())
    assert done.returncode == 77 and "takes no passwords any more" in done.stderr
    assert credentials(cloud) == []


def test_a_token_command(world, home, cloud):
    done = home.setup(EMAIL, "--token-command", "echo canary-token", "--yes")
    assert done.returncode == 77  # a wrong one; what matters is where it went
    assert {(e["authorization"], e["path"].split("?")[0]) for e in credentials(cloud)} == {("Bearer", "/Microsoft-Server-ActiveSync")}


def test_ews_by_flag(world, home, cloud):
    setup = Running(home, EMAIL, "--no-browser", "--oauth-client-id", CLIENT, "--backend", "ews")
    page = browser.sign_in(setup.wait_for(r"(https://login\.microsoftonline\.com/\S+)").group(1), EMAIL, PASSWORD)
    browser.go_back(page)
    setup.end()
    assert "url     = https://outlook.office365.com/EWS/Exchange.asmx" in home.text()
