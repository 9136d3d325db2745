# SPDX-License-Identifier: Apache-2.0
"""exbridge setup for Exchange Online: the mailbox is found without telling anybody a password, and a person signs in with a
browser, or with a code."""
import codecs
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
# Mail exchanger, host of the mailbox, login server.
CLOUDS = [
    ("mail.protection.outlook.com", "outlook.office365.com", "login.microsoftonline.com"),
    ("mail.protection.office365.us", "outlook.office365.us", "login.microsoftonline.us"),
    ("mail.protection.office365.us", "outlook-dod.office365.us", "login.microsoftonline.us"),
    ("mail.protection.partner.outlook.cn", "partner.outlook.cn", "login.partner.microsoftonline.cn"),
]


@pytest.fixture
def cloud(world, monkeypatch):
    return make_cloud(world, monkeypatch, CLOUDS[0][0], HOSTS)


def make_cloud(world, monkeypatch, mx, hosts, **options):
    server = world.exchange("--corpus", "5", hosts=hosts, user=EMAIL, auth_schemes=["Bearer"], **options)
    world.dns({("corp.test", "MX"): [(0, "corp-test." + mx)]})
    plain = browser.get

    def get(url, method="GET", body=None, headers=None, host=None):
        """The browser sees the same Internet; its certificates are not what is tested here."""
        parts = browser.urllib.parse.urlsplit(url)
        if parts.hostname not in hosts:
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

    def __init__(self, home, *args, command="setup"):
        args = [*args, "--ca-file", home.world.authority.ca] if command == "setup" else ["--no-browser", *args]
        self.process = subprocess.Popen([rig.program(), command, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=home.environment())
        self.stderr = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while data := os.read(self.process.stderr.fileno(), 65536):  # a question does not end its line
            self.stderr += decoder.decode(data)

    def wait_for(self, pattern):
        rig.poll(60, lambda: re.search(pattern, self.stderr) or not self.reader.is_alive(), lambda: self.stderr)  # to the last word
        found = re.search(pattern, self.stderr)
        assert found, self.stderr
        return found

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self, code=0):
        out = self.process.stdout.read()
        got = self.process.wait(60)
        self.reader.join(60)
        assert got == code, self.stderr
        rig.FLOCK.check_text(out + self.stderr, "what setup said")
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
    page = browser.sign_in(setup.wait_for(r"(https://login\.microsoftonline\.com/\S+)\s").group(1), EMAIL, PASSWORD)
    browser.go_back(page)
    check(home, cloud, setup.end())


def test_with_a_code(world, home, cloud):
    setup = Running(home, EMAIL, "--device", "--oauth-client-id", CLIENT)
    found = setup.wait_for(r"Open (http\S+) in a browser, on any machine, and enter the code (\w+)\s")
    url = found.group(1).replace("http://", "https://")
    browser.submit(browser.get(url), user_code=found.group(2), user=EMAIL, password=PASSWORD, do="yes")
    check(home, cloud, setup.end())


@pytest.mark.parametrize("mx, mailbox, login", CLOUDS)
@pytest.mark.parametrize("backend", ["eas", "ews"])
def test_national_clouds(world, home, monkeypatch, mx, mailbox, login, backend):
    """Each cloud's people sign in at its own login server, for its own mailboxes. (That the Department of Defense's are
    elsewhere is known to the JSON service alone; here the address is named.)"""
    path = {"eas": "/Microsoft-Server-ActiveSync", "ews": "/EWS/Exchange.asmx"}[backend]
    server = make_cloud(world, monkeypatch, mx, [mailbox, login], oauth_resource=f"https://{mailbox}")
    named = ["--url", f"https://{mailbox}{path}"] if "dod" in mailbox else ["--backend", backend]
    setup = Running(home, EMAIL, "--no-browser", "--oauth-client-id", CLIENT, *named)
    page = browser.sign_in(setup.wait_for(r"(https://\S+/authorize\?\S+)\s").group(1), EMAIL, PASSWORD)
    browser.go_back(page)
    setup.end()
    assert f"url     = https://{mailbox}{path}" in home.text() and "oauth-login-host" not in home.text()
    seen = {(e["path"].split("?")[0], e["host"]) for e in server.log() if not e["path"].startswith("/autodiscover/")}
    assert seen == {("/common/oauth2/v2.0/authorize", login), ("/common/login", login), ("/common/oauth2/v2.0/token", login), (path, mailbox)}
    # The same by the file that was written, as the daemon reads it.
    again = Running(home, command="login")
    url = again.wait_for(r"(https://\S+/authorize\?\S+)\s").group(1)
    assert url.startswith(f"https://{login}/common/oauth2/v2.0/authorize?") and f"https%3A%2F%2F{mailbox}%2F{backend.upper()}.AccessAsUser.All" in url
    again.process.kill()
    again.process.wait()


def test_declined(world, home, cloud):
    setup = Running(home, EMAIL, "--no-browser", "--oauth-client-id", CLIENT)
    page = browser.sign_in(setup.wait_for(r"(https://login\.microsoftonline\.com/\S+)\s").group(1), EMAIL, PASSWORD, do="no")
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
    page = browser.sign_in(setup.wait_for(r"(https://login\.microsoftonline\.com/\S+)\s").group(1), EMAIL, PASSWORD)
    browser.go_back(page)
    setup.end()
    assert "url     = https://outlook.office365.com/EWS/Exchange.asmx" in home.text()
