# SPDX-License-Identifier: Apache-2.0
"""RENAME to another parent and another name, which over EWS is two requests: whatever becomes of the second, the folder is as it was
or as it was wanted, the answer says which, and its messages keep their UIDs."""
import pytest
from bridge import Account, imaptest, poll


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange("--corpus", "2")


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    bridge = module_stage.bridge(Account("work", exchange))
    imap = bridge.login("work")
    imap.ok("CREATE Above")
    imap.ok("CREATE Below/Old")
    imap.open("INBOX")
    imap.ok("COPY 1:2 Below/Old")
    imap.close()
    return bridge


@pytest.fixture
def imap(bridge, exchange):
    """Every test begins with Below/Old and its two messages."""
    client = bridge.login("work")
    yield client
    exchange.clear_faults()
    client.close()


def names(imap):
    return {line.rsplit(b" ", 1)[1].decode() for line in imap.ok('LIST "" "*"') if b"Below/" in line or b"Above/" in line}


def mailbox(imap, name):
    imap.open(name)
    found = imap.uids(), imap.ok(f"STATUS {name} (UIDVALIDITY)")
    return found[0], found[1][0].split(b"UIDVALIDITY")[1]


def there(exchange):
    """Paths as the server has them."""
    by_num = {f["num"]: f for f in exchange.folders()}
    found = {f"{by_num[f['parent']]['name']}/{f['name']}" for f in by_num.values() if f["parent"] in by_num}
    return {path for path in found if path.startswith(("Above/", "Below/"))}


def asked(exchange, mark):
    return [e["op"] for e in exchange.log(mark, protocol="ews") if e["op"] in ("MoveFolder", "UpdateFolder")]


def back(imap, exchange):
    exchange.clear_faults()
    imap.ok("RENAME Above/New Below/Old")
    assert there(exchange) == {"Below/Old"}


def test_two_requests(imap, exchange):
    before, mark = mailbox(imap, "Below/Old"), exchange.mark()
    imap.ok("RENAME Below/Old Above/New")
    assert asked(exchange, mark) == ["MoveFolder", "UpdateFolder"]
    assert there(exchange) == names(imap) == {"Above/New"} and mailbox(imap, "Above/New") == before
    back(imap, exchange)


@pytest.mark.parametrize("fault", [dict(do="error", code="ErrorAccessDenied"), dict(do="status", status=500), dict(do="reset_before"),
                                   dict(do="soap_fault", code="ErrorFolderSave")], ids=lambda f: f["do"])
def test_the_second_fails(imap, exchange, fault):
    """The first is taken back."""
    before, mark = mailbox(imap, "Below/Old"), exchange.mark()
    exchange.fault(protocol="ews", op="UpdateFolder", times=0, **fault)
    imap.no("RENAME Below/Old Above/New")
    assert asked(exchange, mark) == ["MoveFolder", "UpdateFolder", "MoveFolder"]
    assert there(exchange) == {"Below/Old"}
    poll(60, lambda: names(imap) == {"Below/Old"})
    assert mailbox(imap, "Below/Old") == before


@pytest.mark.parametrize("op, lost", [("UpdateFolder", "lose"), ("MoveFolder", "lose"), ("UpdateFolder", "reset_after")])
def test_a_lost_answer(imap, exchange, op, lost):
    """That it was done is seen by a look at the folder."""
    exchange.fault(protocol="ews", op=op, do=lost)
    mark = exchange.mark()
    imap.ok("RENAME Below/Old Above/New")
    assert asked(exchange, mark) == ["MoveFolder", "UpdateFolder"] and there(exchange) == {"Above/New"}
    back(imap, exchange)


def test_the_old_name_is_taken_there(imap, exchange):
    """The new one is free: it is given first. Where both are taken the folder stays what it was."""
    imap.ok("CREATE Above/Old")
    mark = exchange.mark()
    imap.ok("RENAME Below/Old Above/New")
    assert asked(exchange, mark) == ["MoveFolder", "UpdateFolder", "MoveFolder"]
    assert there(exchange) == {"Above/New", "Above/Old"}
    imap.ok("DELETE Above/Old")
    back(imap, exchange)


def test_taking_back_fails(bridge, imap, exchange):
    """Then the folder list shows what is so, with the messages in it; a further RENAME goes from there."""
    before = mailbox(imap, "Below/Old")
    exchange.fault(protocol="ews", op="UpdateFolder", do="error", code="ErrorAccessDenied", times=0)
    exchange.fault(protocol="ews", op="MoveFolder", do="error", code="ErrorAccessDenied", after=1, times=0)
    imap.no("RENAME Below/Old Above/New")
    assert there(exchange) == {"Above/Old"}
    assert "a folder stays half renamed: MoveFolder: ErrorAccessDenied" in bridge.log()
    poll(60, lambda: names(imap) == {"Above/Old"})
    assert mailbox(imap, "Above/Old") == before
    exchange.clear_faults()
    imap.ok("RENAME Above/Old Below/Old")
    assert there(exchange) == {"Below/Old"} and mailbox(imap, "Below/Old") == before


def test_killed_between(bridge, exchange):
    """kill -9 after the first: nobody has heard OK, the messages keep their UIDs where the folder is now."""
    imap = bridge.login("work")
    before = mailbox(imap, "Below/Old")
    exchange.fault(protocol="ews", op="UpdateFolder", do="pause", times=0)
    imap.send(b"x RENAME Below/Old Above/New\r\n")
    poll(60, lambda: there(exchange) == {"Above/Old"})
    bridge.kill()
    exchange.clear_faults()  # the request was on its way: it may be done now, or not
    bridge.start()
    imap = bridge.login("work")
    poll(60, lambda: names(imap) == there(exchange))
    (now,) = names(imap)
    assert now in ("Above/Old", "Above/New") and mailbox(imap, now) == before
    imap.ok(f"RENAME {now} Below/Old")
    assert there(exchange) == {"Below/Old"} and mailbox(imap, "Below/Old") == before
