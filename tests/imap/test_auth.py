# SPDX-License-Identifier: Apache-2.0
"""LOGIN, AUTHENTICATE, and who is kept out."""
import base64
import time

import pytest

from imaptest import Client


def plain(user, password, authzid=""):
    return base64.b64encode(("%s\0%s\0%s" % (authzid, user, password)).encode()).decode()


@pytest.mark.parametrize("user", ["work", "alice@example.com", "ALICE@Example.COM"])
@pytest.mark.parametrize("form", ["%s %s", '"%s" "%s"', "{%d+}"])
def test_login_forms(shared_inbox, user, form):
    c = shared_inbox.connect()
    if form.startswith("{"):
        c.ok("LOGIN {%d+}\r\n%s {6+}\r\nsecret" % (len(user), user))
    else:
        c.ok("LOGIN " + form % (user, "secret"))


def test_login_synchronising_literals(server):
    c = server.connect()
    c.send("x LOGIN {4}\r\n")
    assert c.line().startswith(b"+ ")
    c.send("work {6}\r\n")
    assert c.line().startswith(b"+ ")
    c.send("secret\r\n")
    assert c.finish("x")[0].startswith("OK [CAPABILITY")


def test_sasl_plain(server):
    c = server.connect()
    c.ok("AUTHENTICATE PLAIN " + plain("work", "secret"))
    c.close()
    c = server.connect()
    c.send("x authenticate plain\r\n")
    assert c.line() == b"+ "
    c.send(plain("work", "secret") + "\r\n")
    assert c.finish("x")[0].startswith("OK")
    c = server.connect()
    c.ok("AUTHENTICATE PLAIN " + plain("work", "secret", "work"))


def test_sasl_login(server):
    c = server.connect()
    c.send("x AUTHENTICATE LOGIN\r\n")
    assert base64.b64decode(c.line()[2:]) == b"Username:"
    c.send("d29yaw==\r\n")
    assert base64.b64decode(c.line()[2:]) == b"Password:"
    c.send("c2VjcmV0\r\n")
    assert c.finish("x")[0].startswith("OK")
    c = server.connect()
    c.send("x AUTHENTICATE LOGIN d29yaw==\r\n")
    assert base64.b64decode(c.line()[2:]) == b"Password:"
    c.send("c2VjcmV0\r\n")
    assert c.finish("x")[0].startswith("OK")


def test_sasl_pipelined_after_success(server):
    c = server.connect()
    c.send("x AUTHENTICATE PLAIN %s\r\ny NOOP\r\nz LIST \"\" INBOX\r\n" % plain("work", "secret"))
    assert c.finish("x")[0].startswith("OK")
    assert c.finish("y")[0].startswith("OK")
    assert len(c.finish("z")[1]) == 1


def test_wrong_password_is_slow_and_counted(server):
    c = server.connect()
    for i in range(3):
        begin = time.monotonic()
        c.no("LOGIN work wrong", "AUTHENTICATIONFAILED")
        assert time.monotonic() - begin > 0.9
        assert len(c.status) < 220
    assert b"* BYE" in c.closed()


def test_wrong_name_looks_the_same(server):
    a, b = server.connect(), server.connect()
    a.no("LOGIN nobody secret")
    b.no("LOGIN work wrong")
    assert a.status == b.status


def test_login_while_a_failure_is_delayed_then_gone(server):
    c = server.connect()
    c.send("x LOGIN work wrong\r\n")
    c.close()
    server.wait(lambda: server.do("sessions") == "0")


@pytest.mark.parametrize("line", ["*", "", "=", "AA", "!!!!", "AAAA", "d29yaw==", "x" * 9000, "\x00", "AAAA\r"])
def test_sasl_garbage(shared_inbox, line):
    c = shared_inbox.connect()
    c.send("x AUTHENTICATE PLAIN\r\n")
    assert c.line().startswith(b"+ ")
    c.send(line + "\r\n")
    status, _ = c.finish("x")
    assert status.startswith("BAD"), status
    c.ok("NOOP")
    c.ok("LOGIN work secret")


def test_sasl_initial_garbage(server):
    c = server.connect()
    assert c.run("AUTHENTICATE PLAIN =")[0].startswith("BAD")
    assert c.run("AUTHENTICATE PLAIN ====")[0].startswith("BAD")
    c.ok("LOGIN work secret")


def test_sasl_authzid_and_unknown_mechanism(server):
    c = server.connect()
    c.no("AUTHENTICATE PLAIN " + plain("work", "secret", "bob"), "AUTHORIZATIONFAILED")
    c.no("AUTHENTICATE XOAUTH2 AAAA", "CANNOT")
    c.ok("LOGIN work secret")


def test_disconnect_inside_sasl(server):
    for text in ("x AUTHENTICATE PLAIN\r\n", "x AUTHENTICATE PLAIN\r\nAAA", "x AUTHENTICATE LOGIN d29yaw==\r\n"):
        c = server.connect()
        c.send(text)
        c.close()
    server.wait(lambda: server.do("sessions") == "0")
    assert server.ops() >= 0


def test_states(server):
    c = server.connect()
    for command in ("SELECT INBOX", 'LIST "" "*"', "FETCH 1 FLAGS", "IDLE"):
        c = server.connect()
        c.bad(command)
    c.ok("LOGIN work secret")
    for command in ("FETCH 1 FLAGS", "SEARCH ALL", "CLOSE", "LOGIN work secret", "AUTHENTICATE PLAIN", "STARTTLS"):
        c.bad(command)
    c.ok("SELECT INBOX")
    c.ok("UNSELECT")
    c.bad("FETCH 1 FLAGS")


def test_passthrough(start):
    s = start("passthrough")
    c = s.connect()
    c.ok("LOGIN work right")
    c = s.connect()
    c.no("LOGIN work wrong", "AUTHENTICATIONFAILED")


def test_upstream_trouble_is_no_wrong_password(start):
    s = start("passthrough")
    s.do("fail login offline 1")
    c = s.connect()
    c.no("LOGIN work right", "UNAVAILABLE")
    s.do("fail login denied 1")
    c.no("LOGIN work right", "CONTACTADMIN")
    c.ok("LOGIN work right")


def test_local_login_does_not_care_for_upstream(start):
    s = start()
    s.do("fail sync offline 100")
    s.do("fail folders auth 100")
    s.login().ok("NOOP")


def test_too_many_strangers(start):
    s = start("unauthenticated=4")
    clients = [s.connect() for _ in range(4)]
    signed_in = clients[0]
    signed_in.ok("LOGIN work secret")
    more = [s.connect() for _ in range(4)]
    assert b"BYE" in clients[1].closed()
    signed_in.ok("NOOP")
    for c in more[-2:]:
        c.ok("NOOP")


def test_everybody_at_once(start):
    """When the bridge comes up, all programs connect in the same moment, each with all its connections."""
    s = start()
    clients = [s.connect() for _ in range(40)]
    for c in clients:
        c.ok("LOGIN work secret")
    for c in clients:
        c.ok("SELECT INBOX")


def test_too_many_of_one_account(start):
    s = start("per_account=2")
    a, b = s.login(), s.login()
    c = s.connect()
    c.no("LOGIN work secret", "LIMIT")
    a.ok("LOGOUT")
    s.wait(lambda: s.do("sessions") == "2")
    c.ok("LOGIN work secret")
    b.ok("NOOP")


def test_too_many_at_all(start):
    s = start("connections=3")
    a = [s.login() for _ in range(3)]
    assert b"OK" not in s.connect(greeting=False).closed()
    a[0].ok("LOGOUT")
    s.wait(lambda: s.do("sessions") == "2")
    s.login().ok("NOOP")


def test_timeouts(start):
    s = start("preauth_timeout_s=1", "idle_timeout_s=2")
    stranger, user = s.connect(), s.login()
    assert b"* BYE" in stranger.closed()
    user.ok("NOOP")
    user.send("i IDLE\r\n")
    assert b"* BYE" in user.closed()


def test_secrets_are_not_logged(start):
    s = start("debug")
    c = s.connect()
    c.ok("LOGIN work secret")
    c = s.connect()
    c.send("x AUTHENTICATE PLAIN %s\r\n" % plain("work", "canary-pass"))
    c.finish("x")
    c = Client(s.port)
    c.send("secret canary-pass\r\n")
    c.line()
    s.stop()
    log = s.stderr()
    assert "canary" not in log and "secret" not in log
    assert base64.b64encode(b"canary-pass").decode()[:12] not in log
