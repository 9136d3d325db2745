# SPDX-License-Identifier: Apache-2.0
"""Commands in and out of order, wrong input, and clients that are none. Nothing here reaches the server."""
import base64
import os
import signal
import socket
import ssl
import time

import bridge as rig
import pytest
from smtptest import ALICE, Smtp, message, plain, signed_in

BOB = "bob@example.com"


@pytest.fixture(scope="module")
def exchange(module_stage):
    server = module_stage.exchange()
    yield server
    assert server.submissions() == []


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    return module_stage.bridge(rig.Account("work", exchange), name="tls")


@pytest.fixture(scope="module")
def clear(module_stage, exchange):
    """Without TLS, and with limits that a test can reach."""
    limits = {"preauth-timeout": "5s", "connections-unauthenticated": 8}
    return module_stage.bridge(rig.Account("work", exchange), name="clear", tls=False, limits=limits)


@pytest.fixture(scope="module")
def quick(module_stage, exchange):
    """Silence ends a connection after two seconds, which only a build for tests takes from its configuration."""
    return module_stage.bridge(rig.Account("work", exchange), name="quick", limits={"smtp-idle-timeout": "5s"})


@pytest.fixture
def smtp(bridge):
    client = signed_in(bridge)
    yield client
    client.close()


def b64(text):
    return base64.b64encode(text.encode()).decode()


# ---- greeting and sign-in ----


def test_extensions(bridge):
    smtp = Smtp(bridge)
    assert smtp.extensions.split("\n")[1:] == ["AUTH PLAIN LOGIN", f"SIZE {48 << 20}", "8BITMIME", "SMTPUTF8", "PIPELINING",
                                               "CHUNKING", "ENHANCEDSTATUSCODES"]
    assert smtp.ok("HELO x", 250) == "localhost"
    smtp.sign_in()
    assert f"SIZE {48 << 20}" in smtp.ok("EHLO x", 250).split("\n")


def test_login_mechanism(bridge):
    smtp = Smtp(bridge)
    assert smtp.ok("AUTH LOGIN", 334) == b64("Username:")
    assert smtp.ok(b64("work"), 334) == b64("Password:")
    smtp.check(b64(rig.LOCAL_PASSWORD), 235, "2.7.0")
    smtp.check("AUTH LOGIN", 503, "5.5.1")
    smtp = Smtp(bridge)
    assert smtp.ok(f"AUTH login {b64('work@bridge.test')}", 334) == b64("Password:")
    smtp.check(b64(rig.LOCAL_PASSWORD), 235, "2.7.0")


def test_plain_without_initial_response(bridge):
    smtp = Smtp(bridge)
    assert smtp.do("AUTH PLAIN") == (334, "")
    smtp.check(plain(), 235, "2.7.0")


def test_auth_aborted_and_broken(bridge):
    smtp = Smtp(bridge)
    smtp.ok("AUTH PLAIN", 334)
    smtp.check("*", 501, "5.7.0")
    smtp.check("AUTH PLAIN ====", 501, "5.5.2")
    smtp.check("NOOP", 250)
    smtp.ok("AUTH LOGIN", 334)
    smtp.write("not base64!\r\n")
    smtp.expect(501, "5.5.2")
    smtp.expect(421, "4.7.0")  # three are enough
    assert smtp.closed() == b""


def test_auth_refused(bridge):
    smtp = Smtp(bridge)
    smtp.check(f"AUTH PLAIN {plain(authzid='carol')}", 535, "5.7.8")
    smtp.check("AUTH CRAM-MD5", 504, "5.5.4")
    started = time.monotonic()
    smtp.check(f"AUTH PLAIN {plain(password='wrong')}", 535, "5.7.8")
    assert time.monotonic() - started > 0.9
    smtp.write(f"AUTH PLAIN {plain(name='nobody')}\r\n")
    smtp.expect(535, "5.7.8")
    smtp.expect(421, "4.7.0")
    assert smtp.closed() == b""


def test_auth_before_hello(bridge):
    smtp = Smtp(bridge, hello=False)
    smtp.check(f"AUTH PLAIN {plain()}", 503, "5.5.1")
    smtp.ok("HELO x", 250)
    smtp.sign_in()


def test_answer_too_long(bridge):
    smtp = Smtp(bridge)
    smtp.ok("AUTH PLAIN", 334)
    smtp.check("A" * 10000, 500, "5.5.6")
    smtp.sign_in()


def test_more_behind_auth(bridge):
    for lines in (f"AUTH PLAIN {plain()}\r\nNOOP\r\n", f"AUTH LOGIN\r\n{b64('work')}\r\n"):
        smtp = Smtp(bridge)
        smtp.write(lines)
        smtp.expect(554, "5.5.0")
        assert smtp.closed() == b""


def test_gone_while_signing_in(bridge):
    """The delay of a wrong password outlives its connection."""
    smtp = Smtp(bridge)
    smtp.write(f"AUTH PLAIN {plain(password='wrong')}\r\n")
    smtp.close()
    Smtp(bridge).sign_in().close()


# ---- order ----


def test_nothing_without_sign_in(bridge):
    for command in (f"MAIL FROM:<{ALICE}>", f"RCPT TO:<{BOB}>", "DATA"):
        smtp = Smtp(bridge)
        smtp.check(command, 530, "5.7.0")
        smtp.close()
    smtp = Smtp(bridge)
    smtp.write("BDAT 20\r\nMAIL FROM:<a@b>\r\n")
    smtp.expect(530, "5.7.0")
    assert smtp.closed() == b""


def test_wrong_order(smtp):
    smtp.check(f"RCPT TO:<{BOB}>", 503, "5.5.1")
    smtp.check("DATA", 503, "5.5.1")
    smtp.write("BDAT 10 LAST\r\nQUIT\r\nQUIT")
    smtp.expect(503, "5.5.1")
    smtp.check(f"MAIL FROM:<{ALICE}>", 250)
    smtp.check(f"MAIL FROM:<{ALICE}>", 503, "5.5.1")
    smtp.check("DATA", 554, "5.5.1")
    smtp.check("RCPT TO:<nobody>", 553, "5.1.3")
    smtp.check("RSET", 250, "2.0.0")
    smtp.check(f"RCPT TO:<{BOB}>", 503, "5.5.1")
    smtp.envelope([BOB])
    smtp.ok("EHLO again", 250)
    smtp.check("DATA", 503, "5.5.1")


def test_chunks_out_of_order(smtp):
    smtp.envelope([BOB])
    smtp.write("BDAT 3\r\nabc")
    smtp.expect(250)
    smtp.check("DATA", 503, "5.5.1")
    smtp.check(f"RCPT TO:<{BOB}>", 503, "5.5.1")
    smtp.check("RSET", 250)
    smtp.check("NOOP", 250)
    smtp.write("BDAT ten\r\n")
    smtp.expect(501, "5.5.4")
    assert smtp.closed() == b""


def test_other_commands(smtp):
    smtp.check("NOOP with words", 250, "2.0.0")
    smtp.check("VRFY bob", 252)
    smtp.check("EXPN list", 502, "5.5.1")
    smtp.check("STARTTLS", 502, "5.5.1")
    smtp.check("HELP", 214)
    smtp.check("TURN", 500, "5.5.1")
    smtp.check("RSET x", 501, "5.5.4")
    smtp.check(f"MAIL FROM:<{ALICE}> RET=FULL", 555, "5.5.4")
    smtp.check(f"MAIL FROM:<{ALICE}> BODY=BINARYMIME", 555, "5.5.4")
    smtp.check("QUIT", 221, "2.0.0")
    assert smtp.closed() == b""


def test_answers_never_echo(smtp):
    for command in ("<script>alert(1)</script>", "MAIL FROM:<script>", "RCPT TO:<x y@z>", "AUTH <b>", "VRFY <b>"):
        code, text = smtp.do(command)
        assert "<" not in text and "script" not in text, (code, text)


# ---- limits ----


def test_long_lines(smtp):
    smtp.check("NOOP " + "x" * 4091, 250)
    smtp.check("NOOP " + "x" * 4092, 500, "5.5.2")
    smtp.check("NOOP " + "x" * 300000, 500, "5.5.2")
    smtp.check("NOOP", 250)


def test_endless_line(smtp):
    smtp.write("x" * (17 << 16))
    smtp.expect(500, "5.5.2")
    assert smtp.closed() == b""


def test_bad_commands(bridge, smtp):
    for _ in range(19):
        smtp.check("WHAT", 500)
    smtp.write("WHAT\r\n")
    smtp.expect(500)
    smtp.expect(421, "4.7.0")
    assert smtp.closed() == b""
    stranger = Smtp(bridge)
    stranger.check("WHAT", 500)
    stranger.check("WHAT", 500)
    stranger.write("WHAT\r\nMAIL FROM:<a@b.example>\r\n")
    stranger.expect(500)
    stranger.expect(421, "4.7.0")
    assert stranger.closed() == b""


def test_line_feed_alone_ends_no_command(smtp):
    smtp.write("NOOP\nMAIL FROM:<a@b.example>\r\n")
    smtp.expect(500, "5.5.2")
    assert smtp.closed() == b""


def test_more_behind_data(smtp):
    smtp.write(f"MAIL FROM:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\nDATA\r\n".encode() + message("early") + b".\r\n")
    smtp.expect(250)
    smtp.expect(250)
    smtp.expect(554, "5.5.0")
    assert smtp.closed() == b""


def test_message_over_the_limit(smtp):
    """It is read to its end, and the connection goes on."""
    limit = int([x for x in smtp.ok("EHLO x", 250).split("\n") if x.startswith("SIZE ")][0][5:])
    line = b"x" * 998 + b"\r\n"
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    for _ in range(limit // (1000 * len(line)) + 1):
        smtp.write(line * 1000)
    smtp.write(".\r\n")
    smtp.expect(552, "5.3.4")
    smtp.check("NOOP", 250)
    smtp.envelope([BOB])
    smtp.write(f"BDAT {limit * 3}\r\n")
    smtp.expect(552, "5.3.4")
    assert smtp.closed() == b""


def test_stranger_is_not_waited_for(clear):
    smtp = Smtp(clear)
    started = time.monotonic()
    smtp.expect(421, "4.4.2")
    assert smtp.closed() == b"" and time.monotonic() - started < 50


def test_many_strangers(clear):
    """The oldest makes room; the owner gets in."""
    strangers = [Smtp(clear, hello=False) for _ in range(9)]
    strangers[0].expect(421, "4.3.2")
    signed_in(clear).check("NOOP", 250)
    for stranger in strangers:
        stranger.close()


def test_limits_over_both_protocols(clear, module_stage, exchange):
    """A stranger who speaks IMAP makes room for one who speaks SMTP, and an account's connections count together."""
    waiting = clear.connect()
    strangers = [Smtp(clear, hello=False) for _ in range(8)]
    assert waiting.line().startswith(b"* BYE ")
    for client in [*strangers, waiting]:
        client.close()
    narrow = module_stage.bridge(rig.Account("work", exchange), name="narrow", tls=False,
                                 limits={"connections-per-account": 2})
    imap, first = narrow.login("work"), signed_in(narrow)
    Smtp(narrow).check(f"AUTH PLAIN {plain()}", 454, "4.7.0")
    narrow.connect().no(f'LOGIN work "{rig.LOCAL_PASSWORD}"', "LIMIT")
    first.close()
    rig.poll(60, lambda: Smtp(narrow).do(f"AUTH PLAIN {plain()}")[0] == 235)
    imap.close()


# ---- no mail clients ----


@pytest.mark.parametrize("request_", ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST / HTTP/1.1\r\n\r\nMAIL FROM:<a@b>\r\n",
                                      "Host: localhost\r\n", "X-Mail: 1\r\n", "GET / HTTP/1.1\n"])
def test_http(bridge, request_):
    """Closed without a word, and without a command obeyed."""
    smtp = Smtp(bridge, hello=False)
    smtp.write(request_)
    assert smtp.closed() == b""


def test_talks_first(clear):
    """Stopped while the client's bytes arrive, so that they are there before the greeting whatever the load."""
    os.kill(clear.process.pid, signal.SIGSTOP)
    try:
        early = socket.create_connection(("127.0.0.1", clear.smtp_port), timeout=30)
        early.sendall(b"EHLO x\r\n")
    finally:
        os.kill(clear.process.pid, signal.SIGCONT)
    with early:
        try:
            assert early.recv(100) == b""
        except ConnectionResetError:
            pass


def test_browser_over_tls(bridge):
    """A browser offers ALPN; no name is registered for SMTP."""
    context = ssl.create_default_context(cafile=bridge.ca_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", bridge.smtp_port), timeout=30) as sock:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(sock, server_hostname="localhost").recv(1)


# ---- silence ----


@pytest.mark.parametrize("how", ["DATA", "BDAT"])
def test_silent_in_the_middle(exchange, quick, how):
    """A message whose rest does not come is dropped with its file when the client has been silent for too long."""
    smtp = signed_in(quick)
    smtp.envelope([BOB])
    data = message("silent", body="x" * 70 + "\r\n" + "y" * (1 << 20))
    if how == "DATA":
        smtp.check("DATA", 354)
        smtp.write(data)
    else:
        smtp.write(f"BDAT {len(data) + 1}\r\n".encode() + data)
    rig.poll(60, lambda: rig.imaptest.nameless_files(quick.process.pid) == 1, "the message is nowhere")
    smtp.expect(421, "4.4.2")
    assert smtp.closed() == b""
    rig.poll(60, lambda: rig.imaptest.nameless_files(quick.process.pid) == 0, "a file is left behind")
    assert exchange.submissions() == []


# ---- disconnects ----


@pytest.mark.parametrize("how", ["DATA", "BDAT"])
def test_gone_at_every_byte(clear, exchange, how):
    """Whatever a dialogue was cut at: nothing is sent, nothing is left behind."""
    data = message("cut", body="x\r\n").decode()
    envelope = f"MAIL FROM:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\n"
    sign_in = f"EHLO x\r\nAUTH PLAIN {plain()}\r\n"
    if how == "DATA":
        script = (sign_in, envelope + "DATA\r\n", data + ".\r\n")
    else:
        script = ("", sign_in + envelope, f"BDAT 20\r\n{data[:20]}BDAT {len(data) - 20} LAST\r\n{data[20:]}")
    before = len(os.listdir(f"/proc/{clear.process.pid}/fd"))
    points = [(i, n) for i, part in enumerate(script) for n in range(len(part))]
    for last, n in points:
        smtp = Smtp(clear, hello=False)
        for i, part in enumerate(script[: last + 1]):
            lines = (part[:n] if i == last else part).split("\r\n")
            for line in lines[:-1] if i < 2 else []:
                smtp.write(line + "\r\n")
                smtp.answer()
            smtp.write(lines[-1] if i < 2 else "\r\n".join(lines))
        smtp.close()
    rig.poll(60, lambda: len(os.listdir(f"/proc/{clear.process.pid}/fd")) <= before + 2, "descriptors are left over")
    assert exchange.submissions() == []


def test_unfinished_message_ends_with_the_program(module_stage, exchange):
    bridge = module_stage.bridge(rig.Account("work", exchange), name="ending")
    smtp = signed_in(bridge)
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    smtp.write(message("unfinished"))
    bridge.process.send_signal(signal.SIGTERM)
    smtp.expect(421, "4.3.2")
    assert bridge.process.wait(60) == 0
    bridge.process = None
    bridge.start()
