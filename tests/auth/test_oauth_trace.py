# SPDX-License-Identifier: Apache-2.0
"""What is asked of login servers can be looked at: how it was asked, and how it ended; no code, no verifier, no token."""
import re

import browser
import canary
import pytest
import rig
from rig import BEARER, CLIENT, PASSWORD, USER, oauth_account, oauth_keys, poll, sign_in
from tracing import Trace


@pytest.fixture
def server(stage):
    return stage.exchange("--corpus", "1", auth_schemes=BEARER)


def check(server, text, *more):
    canary.Flock(PASSWORD, *server.oauth()["secrets"], *more).check_text(text, "a trace")
    for line in lines(text):
        assert re.match(r"#(login-)?\d+ [<>=] ", line), line


def lines(text):
    return [line for line in text.splitlines() if line.startswith("#")]


def said(text, *patterns):
    """These lines, in this order."""
    rest = iter(lines(text))
    for pattern in patterns:
        assert any(re.search(pattern, line) for line in rest), f"{pattern}\n{text}"


def authorize_url(login):
    """The one for the person, not the one of the trace."""
    return login.read_until(r"(?m)^  (http\S+/authorize\?\S+)\s").group(1)


def test_signing_in_with_a_browser(stage, server):
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    with bridge.begin("login", "work", "--no-browser", "--trace") as login:
        page = browser.sign_in(authorize_url(login), USER, PASSWORD)
        assert browser.go_back(page).status == 200
        text = login.end()
    state = re.search(r"state=([0-9a-f]{32})", text).group(1)
    traced = "\n".join(lines(text))
    check(server, traced, state)
    said(text,
         rf"^#login-0 > GET http\S+/authorize\?client_id={CLIENT}&response_type=code&.*&state=\[32 bytes\]&code_challenge=\[43 bytes\]&code_challenge_method=S256&",
         r"^#login-0 < GET /\?code=\[\d+ bytes\]&state=\[32 bytes\] HTTP/1.1$", r"^#login-1 > POST /common/oauth2/v2.0/token HTTP/1.1$",
         rf"> <client_id>{CLIENT}</client_id>$", r"> <scope>https://\S+/EWS.AccessAsUser.All offline_access",
         r"> <grant_type>authorization_code</grant_type>$", r"> <code>\[\d+ bytes\]</code>$", r"> <redirect_uri>http://localhost:\d+</redirect_uri>$",
         r"> <code_verifier>\[43 bytes\]</code_verifier>$", r"< HTTP/1.1 200 OK$", r"< <expires_in>3600</expires_in>$",
         r"< <access_token>\[\d+ bytes\]</access_token>$", r"< <refresh_token>\[\d+ bytes\]</refresh_token>$", r"< <id_token>\[\d+ bytes\]</id_token>$",
         r"^#login-1 = \d+ ms")  # fmt: skip


def test_declined(stage, server):
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    with bridge.begin("login", "work", "--no-browser", "--trace") as login:
        browser.go_back(browser.sign_in(authorize_url(login), "", "", do="no"))
        said(login.end(77), r"^#login-0 < GET /\?error=access_denied&error_description=\[\d+ bytes\]&state=\[32 bytes\] HTTP/1.1$")


def test_signing_in_with_a_code(stage, server):
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    with bridge.begin("login", "work", "--device", "--trace") as login:
        found = login.read_until(r"Open (http\S+) in a browser, on any machine, and enter the code (\w+)\s")
        login.read_until("authorization_pending")
        browser.submit(browser.get(found.group(1)), user_code=found.group(2), user=USER, password=PASSWORD, do="yes")
        text = login.end()
    check(server, "\n".join(lines(text)), found.group(2))
    said(text, r"^#login-1 > POST /common/oauth2/v2.0/devicecode HTTP/1.1$", r"^#login-1 < <device_code>\[\d+ bytes\]</device_code>$",
         r"< <verification_uri>http\S+/devicelogin</verification_uri>$", r"> <grant_type>urn:ietf:params:oauth:grant-type:device_code</grant_type>$",
         r"> <device_code>\[\d+ bytes\]</device_code>$", r"< HTTP/1.1 400 Bad Request$", r"< <error>authorization_pending</error>$",
         r"< <error_codes>\[70016\]</error_codes>$", r"< <access_token>\[\d+ bytes\]</access_token>$")  # fmt: skip


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_renewal(stage, server, backend):
    """The daemon's part of it; both accounts of a login can be looked at."""
    accounts = [oauth_account(name, server, backend, login="corp") for name in ("one", "two")]
    for account in accounts:
        for key in oauth_keys(server):
            del account.keys[key]
    bridge = stage.bridge(*accounts, logins={"corp": {**oauth_keys(server), "user": USER}}, start=False)
    bridge.write_config()
    sign_in(bridge, "corp")
    bridge.start()
    for name in ("one", "two"):
        poll(60, lambda: rig.status(bridge, name)["state"] == "online", bridge.tail)
    traces = [Trace(bridge, "one"), Trace(bridge, "two")]
    server.oauth("expire")
    bridge.login("one").open("INBOX")
    server.drop_connections()
    for trace in traces:
        trace.wait(r"^#login-\d+ = \d+ ms")
    assert traces[1].end() == 0
    for trace in traces:
        text = trace.text()
        check(server, text)
        said(text, r"^#login-\d+ > POST /common/oauth2/v2.0/token HTTP/1.1$", r"> <grant_type>refresh_token</grant_type>$",
             r"> <refresh_token>\[\d+ bytes\]</refresh_token>$", r"< <refresh_token>\[\d+ bytes\]</refresh_token>$")  # fmt: skip
    poll(60, lambda: rig.token_taken(server))
    server.oauth("expire")  # one has gone, the other one still looks on
    server.drop_connections()
    poll(60, lambda: traces[0].text().count("<grant_type>refresh_token") > 1, lambda: traces[0].text())
    assert traces[0].end() == 0
    check(server, traces[0].text())
