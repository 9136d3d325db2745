# SPDX-License-Identifier: Apache-2.0
"""Signing in with a browser and with a device code, and what a running bridge makes of it."""
import os
import socket
import urllib.parse

import browser
import pytest
import rig
from rig import BEARER, PASSWORD, USER, oauth_account, poll, sign_in


def exchange(stage, **options):
    server = stage.exchange("--corpus", "3", auth_schemes=BEARER, **options)
    server.deliver(subject="hello", text=rig.TEXT)
    return server


def reads_mail(bridge, name="work", count=4):
    imap = bridge.login(name)
    assert imap.open("INBOX")["exists"] == count
    assert rig.TEXT.encode() in imap.bodies("*")[imap.uids()[-1]]
    return imap


def authorize_url(login):
    return login.read_until(r"(http\S+/authorize\?\S+)\s").group(1)


@pytest.mark.parametrize("backend", ["ews", "eas"])
def test_browser(stage, backend):
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server, backend))
    poll(60, lambda: bridge.log_lines("nobody has signed in yet; run: exbridge login work"))
    said = sign_in(bridge, "work")
    assert "work: signed in" in said
    reads_mail(bridge)
    assert server.oauth()["signed_in"] == 1
    bridge.restart()  # the tokens outlive it, and none is fetched for that
    reads_mail(bridge)
    assert server.oauth()["refreshed"] == 0
    page = bridge.cli("login", "work", "--password")
    assert page.returncode == 64 and "auth is oauth" in page.stderr


def test_without_a_daemon(stage):
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    assert "work: stored; exbridge is not running" in sign_in(bridge, "work")
    bridge.start()
    reads_mail(bridge)


def test_device(stage):
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server))
    with bridge.begin("login", "--device") as login:
        found = login.read_until(r"Open (http\S+) in a browser, on any machine, and enter the code (\w+)\s")
        page = browser.submit(browser.get(found.group(1)), user_code=found.group(2), user=USER, password=PASSWORD, do="yes")
        assert "You have signed in" in page.body
        assert "work: signed in" in login.end()
    reads_mail(bridge)


def test_device_trouble(stage):
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    for fault in ({"do": "status", "status": 503}, {"do": "reset_before"}):
        server.fault(op="token", where={"grant": "device_code"}, **fault)
    with bridge.begin("login", "--device") as login:  # a login server that is away for a while ends nothing
        found = login.read_until(r"Open (http\S+) in a browser, on any machine, and enter the code (\w+)\s")
        browser.submit(browser.get(found.group(1)), user_code=found.group(2), user=USER, password=PASSWORD, do="yes")
        login.end()
    with bridge.begin("login", "--device") as login:
        found = login.read_until(r"Open (http\S+) in a browser, on any machine, and enter the code (\w+)\s")
        browser.submit(browser.get(found.group(1)), user_code=found.group(2), do="no")
        assert "the sign-in was declined (AADSTS70022" in login.end(77)
    with bridge.begin("login", "--device") as login:
        login.read_until("enter the code")
        server.advance(901)
        assert "nobody signed in in time" in login.end(77)
    bridge.accounts[0].keys["oauth-client-id"] = "5fd1ad20-0000-4000-8000-00000000de71"
    bridge.write_config()
    result = bridge.cli("login", "--device")
    assert result.returncode == 78 and "allow public client flows in its registration (AADSTS7000218)" in result.stderr


def test_slow_down(stage):
    """Who is told to ask less often does so (RFC 8628 3.5); waiting is no error."""
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    server.fault(op="token", where={"grant": "device_code"}, do="status", status=400, body='{"error":"slow_down"}')
    held = server.fault(op="token", where={"grant": "device_code"}, do="pause")  # the next one, until somebody has signed in
    with bridge.begin("login", "--device") as login:
        found = login.read_until(r"Open (http\S+) in a browser, on any machine, and enter the code (\w+)\s")
        poll(60, lambda: server.log(op="token"))
        browser.submit(browser.get(found.group(1)), user_code=found.group(2), user=USER, password=PASSWORD, do="yes")
        server.clear_faults(held)
        login.end()
    polls = [e["t"] for e in server.log(op="token")]
    assert len(polls) == 2 and polls[1] - polls[0] > 5.5  # a second, and five more


def test_client_tenant_and_scope(stage):
    """Each of them is the file's."""
    server = exchange(stage)
    ours = {"oauth-client-id": "5fd1ad20-0000-4000-8000-00000000de71", "oauth-tenant": "standin.example.com",
            "oauth-scope": "offline_access https://outlook.office365.com/EWS.AccessAsUser.All"}  # fmt: skip
    account = oauth_account("work", server)
    account.keys.update(ours)
    bridge = stage.bridge(account, start=False)
    bridge.write_config()
    with bridge.begin("login", "work", "--no-browser") as login:
        url = authorize_url(login)
        browser.go_back(browser.sign_in(url, USER, PASSWORD))
        login.end()
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    assert (asked["client_id"], asked["scope"]) == (ours["oauth-client-id"], ours["oauth-scope"])
    assert [e["path"] for e in server.log(op="token")] == ["/standin.example.com/oauth2/v2.0/token"]
    bridge.start()
    reads_mail(bridge)
    server.oauth("expire")
    server.deliver(subject="later")
    poll(60, lambda: bridge.login("work").open("INBOX")["exists"] == 5, bridge.tail)
    assert {e["path"] for e in server.log(op="token")} == {"/standin.example.com/oauth2/v2.0/token"}
    account.keys["oauth-client-id"] = "5fd1ad20-0000-4000-8000-00000000dead"  # and a wrong one is named
    bridge.write_config()
    done = bridge.cli("login", "work", "--device")
    assert done.returncode == 78 and "oauth-client-id is not known in this organisation" in done.stderr


@pytest.mark.parametrize("code, told", [("AADSTS65001", "sign in and agree, or ask an administrator"),
                                        ("AADSTS50105", "an administrator must assign this user"),
                                        ("AADSTS53003", "conditional access")])
def test_what_only_an_administrator_can_do(stage, code, told):
    """At the sign-in, and when it is withdrawn later."""
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    refusal = '{"error":"invalid_grant","error_description":"%s: x.","suberror":"consent_required"}' % code
    server.fault(op="token", do="status", status=400, body=refusal)
    said = sign_in(bridge, "work", code=77)
    assert told in said and f"({code})" in said
    sign_in(bridge, "work")
    bridge.start()
    reads_mail(bridge)
    server.fault(op="token", do="status", status=400, body=refusal)
    server.oauth("expire")
    server.drop_connections()
    text = rig.wait_state(bridge, "work", "needs-login")
    assert told in text and f"({code})" in text and "run: exbridge login work" in text


def test_pasted_address(stage):
    """The browser runs on another machine."""
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server))
    with bridge.begin("login", "work", "--no-browser") as login:
        page = browser.sign_in(authorize_url(login), USER, PASSWORD)
        login.say("http://localhost:1/")
        login.read_until("that is not the address")
        login.say(page.location.replace("state=", "state=0"))
        login.read_until("of another sign-in")
        login.say(page.location)
        assert "work: signed in" in login.end()
    reads_mail(bridge)


def test_declined_and_wrong_user(stage):
    server = exchange(stage)
    server.call("POST", "users", {"name": "bob@example.com", "password": PASSWORD + "b", "email": "bob@example.com"})
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    with bridge.begin("login", "work", "--no-browser") as login:
        page = browser.sign_in(authorize_url(login), "", "", do="no")
        assert "exbridge has got your answer" in browser.go_back(page).body
        assert "the sign-in was declined (AADSTS65004" in login.end(77)
    said = sign_in(bridge, "work", "bob@example.com", PASSWORD + "b", code=77)
    assert f"it was bob@example.com who signed in, and not {USER}" in said
    assert "user = bob@example.com" in said


def test_the_port(stage):
    """What else may knock at the port that a browser comes back to: it gets nothing, and disturbs nothing."""
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    with bridge.begin("login", "work", "--no-browser") as login:
        page = browser.sign_in(authorize_url(login), USER, PASSWORD)
        back = page.location
        parts = urllib.parse.urlsplit(back)
        base = f"http://localhost:{parts.port}"
        wrong = [
            (base + "/", {}, 404),
            (base + "/favicon.ico", {}, 404),
            (base + "/other?" + parts.query, {}, 404),
            (base + "/?code=stolen&state=" + "0" * 32, {}, 400),
            (base + "/?error=access_denied&state=" + "0" * 32, {}, 400),
            (back, {"method": "POST"}, 400),
            (back.replace("localhost", "evil.example.com"), {}, 400),
            (back, {"headers": {"Host": f"localhost:{parts.port ^ 1}"}}, 400),  # meant for another port
            (back, {"headers": {"Host": "localhost"}}, 400),
            (back + "&code=two", {}, 400),
            (base + "/?" + "a" * 70000, {}, None),
        ]
        for url, kwargs, status in wrong:
            try:
                answer = browser.get(url, **kwargs)
            except (OSError, browser.http.client.HTTPException):
                assert status is None, url
                continue
            assert answer.status == status, url
            assert "script" not in answer.body and answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        silent = [socket.create_connection(("127.0.0.1", parts.port)) for _ in range(8)]  # and say nothing
        assert browser.go_back(page, host="::1" if socket.has_ipv6 and v6() else "127.0.0.1").status == 200
        login.end()
        with pytest.raises(OSError):  # used once, and closed
            browser.go_back(page)
        for each in silent:
            each.close()
    assert server.oauth()["signed_in"] == 1


def v6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_login_server_trouble(stage):
    server = exchange(stage)
    bridge = stage.bridge(oauth_account("work", server), start=False)
    bridge.write_config()
    cases = [
        ({"do": "status", "status": 503}, 69, "HTTP 503 from the login server"),
        ({"do": "html", "status": 200}, 76, "is no JSON"),
        ({"do": "redirect", "to": "/elsewhere"}, 76, "redirected, not followed"),
        ({"do": "cut", "bytes": 20}, 76, ""),
        ({"do": "status", "status": 400, "body": '{"error":"invalid_client"}'}, 78, "does not take oauth-client-id"),
    ]
    for fault, code, text in cases:
        server.fault(op="token", **fault)
        assert text in sign_in(bridge, "work", code=code)
    bridge.accounts[0].keys["oauth-login-host"] = "http://127.0.0.1:1"
    bridge.write_config()
    with bridge.begin("login", "--device") as login:
        assert "127.0.0.1" in login.end(69)
    # Nothing of all that was stored.
    assert not os.path.exists(os.path.join(bridge.state, "secrets"))
