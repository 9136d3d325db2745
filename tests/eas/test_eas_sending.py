# SPDX-License-Identifier: Apache-2.0
"""Sending over EAS: exactly once where the server gives evidence, and never pretended where it does not."""
import base64
import re

import pytest

from bridge import poll
from easdriver import ANSWERED, FORWARDED
from test_eas_writing import ALL, SINCE_14, committed, item, posts, quiet, start  # noqa: F401: a fixture

BOB = "bob@fabrikam.example"


def mail(subject="Hello", body=b"Text of it.\r\n", to=BOB, extra=b""):
    head = f"From: alice@example.com\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{subject.replace(' ', '.')}@example.com>\r\n"
    return head.encode() + b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n" + extra + b"MIME-Version: 1.0\r\n\r\n" + body


def sent(exchange):
    return [base64.b64decode(s["mime_b64"]) for s in exchange.submissions()]


def tries(exchange, mark, op="SendMail"):
    return [e for e in exchange.log(mark, protocol="eas", op=op)]


@pytest.mark.parametrize("version", ALL)
def test_send(start, version):
    exchange, d, _, _ = start(version)
    message = mail(body="Grüße\r\n.\r\n\r\n ]]> \r\n".encode() + bytes(range(1, 256)) + b"\0\r\n")
    mark = exchange.mark()
    assert d.mail(message)["err"] == "none"
    assert posts(exchange, mark) == ["SendMail"] and sent(exchange) == [message]
    assert exchange.submissions()[0]["recipients"] == [BOB]
    copies = exchange.items("sentitems", props=1)
    assert [(i["subject"], i["read"]) for i in copies] == [("Hello", True)]
    quiet(exchange)


def test_sizes_around_the_steps_of_a_length(start):
    """A length takes seven bits a byte."""
    exchange, d, _, _ = start()
    wanted = []
    for n, size in enumerate((127, 128, 129, 16383, 16384, 16385, 65535, 65537, 131071, 131073, 2097151, 2097152, 2097153)):
        empty = mail(f"n{n}", b"")
        wanted.append(empty + b"x" * max(0, size - len(empty)))
        assert d.mail(wanted[-1], f"evidence-{n}")["err"] == "none"
    assert sent(exchange) == wanted
    quiet(exchange)


# --- a lost answer ------------------------------------------------------------------------------------------------------

DONE = [dict(do="lose"), dict(do="reset_after")]
NOT_DONE = [dict(do="reset_before"), dict(do="close_before"), dict(do="status", status=500), dict(do="status", status=502),
            dict(do="status", status=504)]


def name_of(fault):
    return fault["do"] + str(fault.get("status", ""))


@pytest.mark.parametrize("fault", DONE + NOT_DONE, ids=name_of)
def test_exchange_remembers_what_it_sent(start, fault):
    """The same message with the same ClientId: 118, or sent now."""
    exchange, d, _, _ = start()
    mark = exchange.mark()
    exchange.fault(op="SendMail", **fault)
    assert d.mail(mail())["err"] == "none"
    requests = tries(exchange, mark)
    assert len(requests) == 2 and len({e["detail"]["digest"] for e in requests}) == 1
    assert sent(exchange) == [mail()] and len(exchange.items("sentitems")) == 1
    assert requests[1]["detail"].get("status") == ("118" if fault in DONE else None)


@pytest.mark.parametrize("fault", [dict(do="lose"), dict(do="reset_before")], ids=name_of)
def test_all_answers_are_lost(start, driver, fault):
    """The client's retry comes with the same evidence, after a restart, too."""
    exchange, d, _, _ = start()
    mark = exchange.mark()
    exchange.fault(op="SendMail", times=0, **fault)
    assert d.mail(mail())["err"] == "offline"
    assert len(tries(exchange, mark)) == 3
    exchange.clear_faults()
    d.kill()
    d = driver(exchange)
    assert d.mail(mail(), retry=True)["err"] == "none"
    assert sent(exchange) == [mail()] and len(exchange.items("sentitems")) == 1


def test_killed_before_the_answer(start, driver):
    exchange, d, _, _ = start()
    exchange.fault(op="SendMail", do="hold")
    d.send("send", d.file(mail()), "evidence-1")
    poll(60, lambda: sent(exchange))
    d.kill()
    d = driver(exchange)
    assert d.mail(mail(), retry=True)["err"] == "none"
    assert sent(exchange) == [mail()]


@pytest.mark.parametrize("version, server", [("12.1", "15.1"), ("14.1", "14.1"), ("14.0", "14.1")])
@pytest.mark.parametrize("fault", DONE + NOT_DONE, ids=name_of)
def test_a_server_that_gives_no_evidence(start, version, server, fault):
    """Never again by itself; what the client's retry does is the client's decision."""
    exchange, d, _, _ = start(version, "--set", f"eas_server_version={server}", "--set", "eas_remembers_sends=false")
    if server == "14.1":
        exchange.options(eas_server_name="SOGo")
        d.folders()
    mark = exchange.mark()
    exchange.fault(op="SendMail", **fault)
    answer = d.mail(mail())
    assert answer["err"] == "offline" and "may send it twice" in answer["text"]
    assert len(tries(exchange, mark)) == 1
    assert sent(exchange) == ([mail()] if fault in DONE else [])
    assert d.mail(mail(), retry=True)["err"] == "none"


def test_not_sent_at_all_is_no_question(start):
    """A connection that was never made leaves no doubt: again, with every server."""
    exchange, d, _, _ = start("12.1")
    exchange.fault(op="SendMail", do="status", status=503, headers={"Retry-After": "1"})
    assert d.mail(mail())["err"] == "none"
    assert sent(exchange) == [mail()]


# --- refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code, err", [(107, "invalid"), (113, "quota"), (115, "quota"), (116, "invalid"), (119, "invalid"),
                                       (120, "denied"), (122, "too-big"), (167, "denied"), (131, "denied")])
def test_statuses(start, code, err):
    exchange, d, _, _ = start()
    mark = exchange.mark()
    exchange.fault(op="SendMail", do="eas_status", code=code)
    answer = d.mail(mail())
    assert answer["err"] == err and answer["status"] == code
    assert len(tries(exchange, mark)) == 1 and sent(exchange) == []


@pytest.mark.parametrize("version", ALL)
def test_what_a_server_objects_to(start, version):
    exchange, d, _, _ = start(version, "--set", "eas_max_send_bytes=1000")
    exchange.options(eas_max_send_bytes=1000)
    nobody = re.sub(rb"To: [^\r]*\r\n", b"", mail())
    assert d.mail(nobody)["err"] == "invalid"
    assert d.mail(mail(body=b"x" * 2000))["err"] in ("too-big", "invalid")
    assert sent(exchange) == []
    assert d.mail(mail())["err"] == "none"


@pytest.mark.parametrize("status, size, err", [(413, 10, "too-big"), (404, 5 << 20, "too-big"), (404, 10, "offline"),
                                               (507, 10, "quota"), (500, 5 << 20, "too-big"), (403, 10, "denied")])
def test_http_statuses(start, status, size, err):
    exchange, d, _, _ = start()
    exchange.fault(op="SendMail", do="status", status=status, times=0)
    assert d.mail(mail(body=b"x" * size))["err"] == err
    assert sent(exchange) == []


# --- answering and forwarding -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", SINCE_14)
@pytest.mark.parametrize("how, verb, flag", [("reply", 102, ANSWERED), ("forward", 104, FORWARDED)])
def test_the_original_is_marked(start, version, how, verb, flag):
    exchange, d, inbox, ids = start(version)
    mark = exchange.mark()
    assert d.mail(mail(), source=(how, inbox, ids[2]))["err"] == "none"
    assert posts(exchange, mark) == ["SmartReply" if how == "reply" else "SmartForward"]
    assert sent(exchange) == [mail()] and len(exchange.items("sentitems")) == 1  # ours, as it was
    assert item(exchange, ids[2])["last_verb"] == verb
    page = d.sync(inbox, committed(d, inbox))
    assert [(i["id"], i["flags"] & i["known"] & (ANSWERED | FORWARDED)) for i in page["list"]] == [(ids[2], flag)]
    quiet(exchange)


def test_up_to_12_1_the_original_is_left_alone(start):
    """There the server would add it to our message."""
    exchange, d, inbox, ids = start("12.1")
    mark = exchange.mark()
    assert d.mail(mail(), source=("reply", inbox, ids[2]))["err"] == "none"
    assert posts(exchange, mark) == ["SendMail"] and sent(exchange) == [mail()]


@pytest.mark.parametrize("fault", [None, dict(do="eas_status", code=117), dict(do="eas_status", code=121),
                                   dict(do="status", status=500), dict(do="lose")],
                         ids=["150", "117", "121", "500", "lost"])
def test_the_message_goes_out_all_the_same(start, fault):
    exchange, d, inbox, ids = start()
    source = ids[2]
    if fault:
        exchange.fault(op="SmartReply", **fault)
    else:
        source = f"{inbox}:987654"
    assert d.mail(mail(), source=("reply", inbox, source))["err"] == "none"
    assert sent(exchange) == [mail()] and len(exchange.items("sentitems")) == 1


# --- size -------------------------------------------------------------------------------------------------------------------


def memory(process):
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) * 1024


@pytest.mark.parametrize("version", ["12.1", "16.1"])
def test_a_large_message_takes_no_memory(start, version):
    exchange, d, _, _ = start(version, "--set", "eas_max_send_bytes=100000000")
    message = mail(body=(b"z" * 76 + b"\r\n") * 470_000)  # 36 MB
    assert d.mail(mail("small"), "evidence-0")["err"] == "none"
    before = memory(d.process)
    assert d.mail(message, timeout=120)["err"] == "none"
    grown = memory(d.process) - before
    assert grown < 20 << 20, grown
    assert exchange.submissions()[1]["size"] == len(message) and sent(exchange)[1] == message
