# SPDX-License-Identifier: Apache-2.0
"""The server refuses, is away, or its answer is lost; the bridge dies, the client goes. Nothing is lost, nothing twice."""
import signal
import time

import bridge as rig
import pytest
from smtptest import Smtp, message, plain, signed_in, stuffed

BOB = "bob@example.com"


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange()


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    return module_stage.bridge(rig.Account("work", exchange))


@pytest.fixture(autouse=True)
def healed(exchange):
    yield
    exchange.clear_faults()


def arrived(exchange, subject):
    """How often the server has sent it, and how many copies lie in its Sent Items."""
    message_id = f"<{subject}@test.example>"
    return (sum(s["message_id"] == message_id for s in exchange.submissions()),
            sum(i["message_id"] == message_id for i in exchange.items("sentitems")))


REFUSALS = [
    ("quota", {"do": "error", "code": "ErrorQuotaExceeded"}, 452, "4.2.2"),
    ("toobig", {"do": "error", "code": "ErrorMessageSizeExceeded"}, 552, "5.3.4"),
    ("http413", {"do": "status", "status": 413}, 552, "5.3.4"),
    ("denied", {"do": "error", "code": "ErrorSendAsDenied"}, 550, "5.7.1"),
    ("recipients", {"do": "error", "code": "ErrorInvalidRecipients"}, 554, "5.6.0"),
    ("http403", {"do": "status", "status": 403}, 550, "5.7.1"),
]


@pytest.mark.parametrize("name, fault, code, enhanced", REFUSALS, ids=[r[0] for r in REFUSALS])
def test_refused(bridge, exchange, name, fault, code, enhanced):
    """The right answer, the connection goes on, and the same message may be tried again when the reason is gone."""
    smtp = signed_in(bridge)
    exchange.fault(op="CreateItem", times=0, **fault)
    got = smtp.send([BOB], message(name))
    assert (got[0], got[1].split()[0]) == (code, enhanced), got
    assert "account work" in got[1] and arrived(exchange, name) == (0, 0)
    exchange.clear_faults()
    assert smtp.send([BOB], message(name))[0] == 250
    assert arrived(exchange, name) == (1, 1)
    smtp.close()


TROUBLE = [
    ("http503", {"do": "status", "status": 503}),
    ("http500", {"do": "status", "status": 500}),
    ("http507", {"do": "status", "status": 507}),
    ("http400", {"do": "status", "status": 400}),
    ("http404", {"do": "status", "status": 404}),
    ("http429", {"do": "status", "status": 429, "headers": {"Retry-After": "2"}}),
    ("reset", {"do": "reset_before"}),
    ("html", {"do": "html"}),
    ("garbage", {"do": "garbage", "bytes": 300}),
]


@pytest.mark.parametrize("name, fault", TROUBLE, ids=[t[0] for t in TROUBLE])
def test_trouble(stage, name, fault):
    """A 4xx; the client's retry brings it through, once."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    exchange.fault(op="CreateItem", times=0, **fault)
    smtp = signed_in(bridge, timeout=150)
    code, text = smtp.send([BOB], message(name))
    assert 400 <= code < 500 and text.startswith("4."), (code, text)
    assert arrived(exchange, name) == (0, 0)
    exchange.clear_faults()

    def again():
        got = signed_in(bridge, timeout=150).send([BOB], message(name))[0]
        assert got in (250, 451)
        return got == 250

    rig.poll(60, again)
    assert arrived(exchange, name) == (1, 1)


def test_throttled(stage):
    """A short pause is waited for, a longer one is the client's."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    exchange.fault(op="CreateItem", do="throttle", backoff_ms=500)
    smtp = signed_in(bridge, timeout=150)
    got = smtp.send([BOB], message("throttled"))
    if got[0] != 250:
        assert got[0] == 451 and got[1].startswith("4.3.2"), got
        rig.poll(60, lambda: smtp.send([BOB], message("throttled"))[0] == 250)
    assert arrived(exchange, "throttled") == (1, 1)


@pytest.mark.parametrize("how", ["lose", "reset_after"])
def test_lost_answer(bridge, exchange, how):
    """Found by its evidence: 250, or 451 and the retry gives 250; one copy in any case."""
    smtp = signed_in(bridge, timeout=150)
    exchange.fault(op="CreateItem", do=how)
    mark = exchange.mark()
    code = smtp.send([BOB], message("lost" + how))[0]
    assert code in (250, 451)
    if code == 451:
        assert smtp.send([BOB], message("lost" + how))[0] == 250
    assert arrived(exchange, "lost" + how) == (1, 1)
    assert exchange.counts(mark)["ews:CreateItem"] == 1
    assert smtp.send([BOB], message("lost" + how))[0] == 250
    assert arrived(exchange, "lost" + how) == (1, 1)
    smtp.close()


def test_lost_answer_and_no_evidence_yet(stage):
    """The server answers nothing for a while: 451 at the latest when it gives up, one copy in the end."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    exchange.fault(op="CreateItem", do="lose")
    exchange.fault(op="FindItem", do="status", status=503, times=0)
    smtp = signed_in(bridge, timeout=150)
    code, text = smtp.send([BOB], message("blind"))
    assert code == 451 and text.startswith("4."), (code, text)
    exchange.clear_faults()
    rig.poll(60, lambda: signed_in(bridge, timeout=150).send([BOB], message("blind"))[0] == 250)
    assert arrived(exchange, "blind") == (1, 1)


FAULT = ("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><s:Fault><faultcode>s:Server</faultcode>"
         "<faultstring>The request could not be proxied.</faultstring><detail><e:ResponseCode "
         "xmlns:e='http://schemas.microsoft.com/exchange/services/2006/errors'>ErrorProxyRequestProcessingFailed</e:ResponseCode>"
         "</detail></s:Fault></s:Body></s:Envelope>")
GATEWAYS = {
    "503": {},
    "503 with a pause": {"headers": {"Retry-After": "1"}},
    "a fault": {"status": 500, "body": FAULT, "headers": {"Content-Type": "text/xml; charset=utf-8"}},
}


@pytest.mark.parametrize("status", [400, 404])
def test_a_request_above_the_limit_of_the_web_server(bridge, exchange, status):
    """IIS calls it not found, and WCF malformed: what is wrong with it is its size, and no retry helps. A small one that is
    answered so may go through later."""
    exchange.fault(op="CreateItem", do="status", status=status, times=0)
    smtp = signed_in(bridge, timeout=150)
    got = smtp.send([BOB], message(f"large{status}", body="0123456789abcde\r\n" * (8 << 16)))
    assert (got[0], got[1].split()[0]) == (552, "5.3.4"), got
    assert smtp.send([BOB], message(f"small{status}"))[0] == 451
    smtp.close()


@pytest.mark.parametrize("how", GATEWAYS)
def test_what_a_gateway_says_is_no_refusal(bridge, exchange, how):
    """It has handed the request on, and the server has sent the message: looked for, and not sent again."""
    subject = "gateway" + how.replace(" ", "")
    mark = exchange.mark()
    exchange.fault(op="CreateItem", do="gateway", **GATEWAYS[how])
    assert signed_in(bridge, timeout=150).send([BOB], message(subject))[0] == 250
    assert arrived(exchange, subject) == (1, 1)
    assert exchange.counts(mark)["ews:CreateItem"] == 1


def test_a_server_that_is_away_for_a_moment(bridge, exchange):
    """It has not had the message: it is asked again."""
    mark = exchange.mark()
    exchange.fault(op="CreateItem", do="status", status=503)
    assert signed_in(bridge, timeout=150).send([BOB], message("moment"))[0] == 250
    assert arrived(exchange, "moment") == (1, 1)
    assert exchange.counts(mark)["ews:FindItem"] >= 1


@pytest.mark.parametrize("blind", [{"do": "status", "status": 429, "headers": {"Retry-After": "3600"}},
                                   {"do": "error", "code": "ErrorAccessDenied"}, {"do": "status", "status": 403}],
                         ids=["throttled", "no access", "closed"])
def test_nobody_can_look(stage, blind):
    """Whatever keeps us from looking what became of the first attempt, the third one looks before it sends."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    exchange.fault(op="CreateItem", do="lose")
    exchange.fault(op="FindItem", times=0, **blind)
    for _ in range(2):
        code, text = signed_in(bridge, timeout=150).send([BOB], message("blind"))
        assert (code, text[:5]) == (451, "4.4.1"), (code, text)
    exchange.clear_faults()
    bridge.restart()
    rig.poll(60, lambda: signed_in(bridge, timeout=150).send([BOB], message("blind"))[0] == 250)
    assert arrived(exchange, "blind") == (1, 1)


def test_killed_while_sending(stage):
    """kill -9 between request and answer: the retry finds what was sent."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    smtp = signed_in(bridge)
    exchange.fault(op="CreateItem", do="drip", rate=1)  # done, and the answer takes for ever
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    smtp.write(stuffed(message("killed")))
    rig.poll(60, lambda: arrived(exchange, "killed") == (1, 1))
    bridge.kill()
    exchange.clear_faults()
    bridge.start()
    rig.poll(60, lambda: signed_in(bridge, timeout=150).send([BOB], message("killed"))[0] == 250)
    assert arrived(exchange, "killed") == (1, 1)


def test_killed_while_the_server_is_busy(stage):
    """The request waits in the server's queue, and the retry finds nothing yet."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    smtp, mark = signed_in(bridge), exchange.mark()
    queued = exchange.fault(op="CreateItem", do="queue")
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    smtp.write(stuffed(message("queued")))
    exchange.held("CreateItem", mark)
    bridge.kill()
    bridge.start()
    smtp = signed_in(bridge, timeout=150)
    mark = exchange.mark()
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    smtp.write(stuffed(message("queued")))
    rig.poll(60, lambda: exchange.counts(mark).get("ews:FindItem"))
    exchange.clear_faults(queued)
    assert smtp.answer()[0] == 250
    assert arrived(exchange, "queued") == (1, 1)


def test_client_goes_while_sending(bridge, exchange):
    """The attempt goes on without it; its retry gets the outcome."""
    smtp = signed_in(bridge)
    exchange.fault(op="CreateItem", delay_s=1)
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    smtp.write(stuffed(message("gone")))
    rig.poll(60, lambda: bridge.log_lines(r"smtp\[work\].*DATA"))
    time.sleep(0.2)  # it may be on its way, or not yet; both must end well
    smtp.close()
    rig.poll(60, lambda: signed_in(bridge).send([BOB], message("gone"))[0] == 250)
    assert arrived(exchange, "gone") == (1, 1)


def test_retry_while_the_first_is_on_its_way(bridge, exchange):
    exchange.fault(op="CreateItem", delay_s=2)
    first, second = signed_in(bridge), signed_in(bridge)
    for smtp in (first, second):
        smtp.envelope([BOB])
        smtp.check("DATA", 354)
        smtp.write(stuffed(message("both")))
    assert first.answer()[0] == 250
    assert second.answer()[0] in (250, 451)
    assert second.send([BOB], message("both"))[0] == 250
    assert arrived(exchange, "both") == (1, 1)
    first.close()
    second.close()


def test_restart_forgets_nothing(stage):
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    assert signed_in(bridge).send([BOB], message("kept"))[0] == 250
    bridge.kill()
    bridge.delete_cache()
    bridge.start()
    assert signed_in(bridge).send([BOB], message("kept"))[0] == 250
    assert arrived(exchange, "kept") == (1, 1)


def test_server_away(stage):
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    smtp = signed_in(bridge, timeout=150)
    exchange.stop()
    code, text = smtp.send([BOB], message("away"))
    assert code == 451 and text.startswith("4.4.1"), (code, text)
    exchange.start()
    rig.poll(60, lambda: signed_in(bridge, timeout=150).send([BOB], message("away"))[0] == 250)
    assert arrived(exchange, "away") == (1, 1)


def test_wrong_password_at_the_server(stage):
    """The client has signed in here with the right one: it must not ask its user for another."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange, password="canary-old-5521"))
    code, text = signed_in(bridge, timeout=150).send([BOB], message("nologin"))
    assert code == 454 and text.startswith("4.7.0 ") and "exbridge login work" in text, (code, text)


def test_passthrough(stage):
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange, local_auth="passthrough"))
    Smtp(bridge).check(f"AUTH PLAIN {plain(password='canary-wrong-18')}", 535, "5.7.8")
    smtp = Smtp(bridge).sign_in(password=rig.PASSWORD)
    assert smtp.send([BOB], message("through"))[0] == 250
    assert arrived(exchange, "through") == (1, 1)


def test_account_over_activesync(stage):
    """Sent where its backend can, refused for good where it cannot; never pretended."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange, backend="eas", provision="accept"))
    code, text = signed_in(bridge, timeout=150).send([BOB], message("eas"))
    sent = sum(s["message_id"] == "<eas@test.example>" for s in exchange.submissions())
    assert (code, sent) in ((250, 1), (554, 0)), (code, text, sent)


def test_disk_full(stage):
    """No room for a message on its way: the client keeps it, and what fits goes on being sent."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange),
                          command=["env", "--ignore-signal=SIGXFSZ", "prlimit", f"--fsize={2 << 20}"])
    smtp = signed_in(bridge)
    code, text = smtp.send([BOB], message("nospace", body=("x" * 70 + "\r\n") * 60_000))
    assert code == 452 and text.startswith("4.3.1 "), (code, text)
    assert smtp.send([BOB], message("fits"))[0] == 250
    smtp.envelope([BOB])
    chunk = ("y" * 70 + "\r\n") * 40_000
    smtp.write(f"BDAT {len(chunk)}\r\n{chunk}BDAT 2 LAST\r\n\r\n")
    smtp.expect(452, "4.3.1")
    smtp.expect(452, "4.3.1")
    assert arrived(exchange, "nospace") == (0, 0) and arrived(exchange, "fits") == (1, 1)


def test_end_while_sending(stage):
    """SIGTERM: the message that is on its way is answered before the good-bye."""
    exchange = stage.exchange()
    bridge = stage.bridge(rig.Account("work", exchange))
    smtp, idle = signed_in(bridge), signed_in(bridge)
    exchange.fault(op="CreateItem", delay_s=1)
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    mark = exchange.mark()
    smtp.write(stuffed(message("last")))
    rig.poll(60, lambda: bridge.sql("work", "select 1 from journal"))
    bridge.process.send_signal(signal.SIGTERM)
    idle.expect(421, "4.3.2")
    smtp.expect(250, "2.0.0")
    smtp.expect(421, "4.3.2")
    assert bridge.process.wait(60) == 0 and arrived(exchange, "last") == (1, 1)
    assert exchange.counts(mark)["ews:CreateItem"] == 1
    bridge.process = None
    bridge.start()


@pytest.mark.parametrize("data", [b"", b"\r\n", b"no header at all\r\n", b"Subject: no body\r\n", b": \r\n", b"\0\r\n"])
def test_strange_messages(bridge, data):
    """Whatever it is, it gets an answer, and the connection goes on."""
    smtp = signed_in(bridge, timeout=150)
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    smtp.write(data + b".\r\n")
    assert smtp.answer()[0] in (250, 451, 554)
    smtp.check("NOOP", 250)
    smtp.close()
