# SPDX-License-Identifier: Apache-2.0
"""What happens on the server reaches a client that waits in IDLE, or asks with NOOP; and quiet is quiet."""
import time

import pytest

import counting
from bridge import Account, literal, poll

KINDS = ("ews", "eas")
SOON_S = 60  # goal: 1; the machine of a test may be busy


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange("--demo", "60")


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    return module_stage.bridge(*[Account(kind, exchange, kind) for kind in KINDS])


class Idler:
    """A session in IDLE on INBOX, with the watch parked."""

    def __init__(self, bridge, exchange, kind, folder="INBOX"):
        self.exchange, self.kind = exchange, kind
        self.imap = bridge.login(kind)
        self.exists = self.imap.open(folder)["exists"]
        self.uids = self.imap.uids()
        counting.settle(exchange, kind)
        self.tag = self.imap.idle()

    def uid_of(self, item):
        """Of an item of the stand-in, by Message-ID."""
        self.imap.done(self.tag)
        found = [u for u, line in self.imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
                 if item["message_id"].encode() in literal(line)]
        self.tag = self.imap.idle()
        assert len(found) == 1
        return found[0]

    def wait(self, pattern, seconds=SOON_S):
        return self.imap.wait_line(pattern, seconds)

    def end(self):
        self.imap.done(self.tag)
        self.imap.ok("LOGOUT")


@pytest.mark.parametrize("kind", KINDS)
def test_new_mail_is_announced_at_once(bridge, exchange, kind):
    idler = Idler(bridge, exchange, kind)
    took = []
    for n in range(1, 4):
        started = time.monotonic()
        exchange.deliver(subject=f"Fresh {n} for {kind}")
        idler.wait(rb"\* %d EXISTS" % (idler.exists + n))
        took.append(time.monotonic() - started)
        counting.settle(exchange, kind)
    print(f"{kind}: new mail announced after {', '.join(f'{t * 1000:.0f} ms' for t in took)}")
    idler.imap.done(idler.tag)
    new = [u for u in idler.imap.uids() if u not in idler.uids]
    assert len(new) == 3 and min(new) > max(idler.uids)
    subjects = [literal(line) for _, line in idler.imap.fetch(f"{new[0]}:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")]
    assert [s.strip() for s in subjects] == [f"Subject: Fresh {n} for {kind}".encode() for n in (1, 2, 3)]
    assert f"Fresh 3 for {kind}".encode() in idler.imap.bodies(str(new[2]))[new[2]]


@pytest.mark.parametrize("kind", KINDS)
def test_flags_changed_on_the_server(bridge, exchange, kind):
    idler = Idler(bridge, exchange, kind)
    item = next(i for i in exchange.items() if i["read"] and i["message_id"])
    uid = idler.uid_of(item)
    told = rb"\* %d FETCH .*FLAGS \(" % (idler.uids.index(uid) + 1)
    exchange.change("update", num=item["num"], read=False)
    idler.wait(told + rb"(?![^)]*\\Seen)")
    exchange.change("update", num=item["num"], flag=2)
    idler.wait(told + rb"[^)]*\\Flagged")
    idler.imap.done(idler.tag)
    assert idler.imap.flags(str(uid))[uid] >= {"\\Flagged"}


@pytest.mark.parametrize("kind", KINDS)
def test_deleted_and_moved_away_on_the_server(bridge, exchange, kind):
    idler, other = Idler(bridge, exchange, kind), Idler(bridge, exchange, kind)
    items = [i for i in exchange.items() if i["message_id"]]
    gone, moved = items[2], items[5]
    uids = [idler.uid_of(gone), idler.uid_of(moved)]
    archive = idler.imap.bridge.login(kind)
    before = archive.status_of("Archive")["MESSAGES"]
    exchange.change("delete", num=gone["num"])
    for session in (idler, other):
        number = session.uids.index(uids[0]) + 1
        session.wait(rb"\* %d EXPUNGE" % number)
    exchange.change("move", num=moved["num"], to="Archive")
    idler.wait(rb"\* \d+ EXPUNGE")
    idler.imap.done(idler.tag)
    assert idler.imap.uids() == [u for u in idler.uids if u not in uids]
    poll(SOON_S, lambda: archive.status_of("Archive")["MESSAGES"] == before + 1, "the message does not arrive in Archive")


@pytest.mark.parametrize("kind", KINDS)
def test_mail_of_other_folders_and_new_folders(bridge, exchange, kind):
    imap = bridge.login(kind)
    imap.open("INBOX")
    there = len(exchange.items("Archive"))  # the other kind's tests put mail there, too
    poll(SOON_S, lambda: imap.status_of("Archive")["MESSAGES"] == there, "Archive is not up to date")
    before = imap.status_of("Archive")
    counting.settle(exchange, kind)
    exchange.deliver(subject="Filed by a rule", folder="Archive")
    poll(SOON_S, lambda: imap.status_of("Archive")["MESSAGES"] == there + 1, "nothing new in Archive")
    assert imap.status_of("Archive")["UIDNEXT"] > before["UIDNEXT"]
    name = f"Made elsewhere {kind}"
    exchange.folder("create", parent="msgfolderroot", name=name)
    poll(60, lambda: any(name.encode() in line for line in imap.ok('LIST "" "*"')), "the new folder is not listed")
    exchange.deliver(subject="In the new one", folder=name)
    poll(SOON_S, lambda: imap.status_of(name)["MESSAGES"] == 1, "no mail in the new folder")
    validity = imap.status_of(name)["UIDVALIDITY"]
    exchange.folder("rename", folder=name, name=name + " again")
    poll(60, lambda: any((name + " again").encode() in line for line in imap.ok('LIST "" "*"')), "renamed, and not seen")
    assert imap.status_of(name + " again")["UIDVALIDITY"] == validity


def test_ping_that_reports_additions_only(stage):
    """Exchange promises no more (MS-ASCMD 2.2.1.13): a change is found when the client asks, at most every 30 s."""
    exchange = stage.exchange("--corpus", 20, "--set", "eas_ping_reports=adds")
    bridge = stage.bridge(Account("eas", exchange, "eas"))
    idler = Idler(bridge, exchange, "eas")
    item = next(i for i in exchange.items() if i["read"])
    exchange.change("update", num=item["num"], read=False)
    idler.imap.done(idler.tag)
    seen = []
    poll(60, lambda: seen.extend(idler.imap.ok("NOOP")) or any(b"FETCH" in line for line in seen) or time.sleep(1),
         "NOOP does not find the change")
    idler.tag = idler.imap.idle()
    exchange.deliver(subject="An addition")
    idler.wait(rb"EXISTS")


def test_renewals_and_nothing_else(stage):
    """Time limits of parked requests that pass soon: 12 s for EWS, 8 s for EAS. They are renewed, nothing else is sent, and
    what happens afterwards is announced."""
    exchange = stage.exchange("--corpus", 20, "--set", "minute_s=0.4", "--set", "eas_heartbeat_max=8", "--set", "eas_heartbeat_min=1")
    bridge = stage.bridge(*[Account(kind, exchange, kind) for kind in KINDS])
    idlers = {kind: Idler(bridge, exchange, kind) for kind in KINDS}
    mark = exchange.mark()
    poll(60, lambda: all(counting.count(exchange, mark, kind, push=True) >= 2 for kind in KINDS),
         lambda: "not renewed: " + str([counting.table(exchange, mark, kind) for kind in KINDS]))
    for kind in KINDS:
        assert counting.count(exchange, mark, kind, start_up=True) == 0, counting.table(exchange, mark, kind)
        assert counting.count(exchange, mark, kind, push=True) <= 8, counting.table(exchange, mark, kind)
    exchange.deliver(subject="After the renewals")
    for idler in idlers.values():
        idler.wait(rb"\* 21 EXISTS")


@pytest.mark.parametrize("kind", KINDS)
def test_push_comes_back_after_lost_connections(stage, kind):
    """The connection breaks, and what the server sends into it is lost; then an outage."""
    exchange = stage.exchange("--corpus", 10)
    bridge = stage.bridge(Account("work", exchange, kind))
    imap = bridge.login("work")
    imap.open("INBOX")
    counting.settle(exchange, kind)
    tag = imap.idle()
    exchange.drop_connections()
    exchange.deliver(subject="While nobody watched")
    imap.wait_line(rb"\* 11 EXISTS")
    counting.settle(exchange, kind)
    mark = exchange.mark()
    exchange.fault(protocol=kind, do="reset_before", times=0)
    exchange.drop_connections()
    poll(60, lambda: exchange.log(mark), "it does not try again")
    exchange.deliver(subject="In the outage")
    exchange.clear_faults()
    imap.wait_line(rb"\* 12 EXISTS")
    counting.settle(exchange, kind)
    exchange.deliver(subject="After the outage")
    imap.wait_line(rb"\* 13 EXISTS")
    imap.done(tag)


def test_signing_in_to_a_new_server_is_no_error(stage):
    """The first requests of a new device are refused by design (MS-ASPROV 3.1.5.1): nobody has to be told."""
    exchange = stage.exchange("--corpus", 1)
    bridge = stage.bridge(Account("ews", exchange, "ews"), Account("eas", exchange, "eas"))
    for kind in KINDS:
        bridge.login(kind).open("INBOX")
        counting.settle(exchange, kind)
    assert not bridge.log_lines(r" (error|warn) ")


def test_what_comes_before_the_stream_is_not_missed(stage):
    """Between a folder's first sync and the moment when Exchange begins to tell of changes."""
    exchange = stage.exchange("--demo", "20")
    exchange.fault(op="Subscribe", do="pause", times=0)
    bridge = stage.bridge(Account("ews", exchange, "ews"))
    imap = bridge.login("ews")
    exists = imap.open("INBOX")["exists"]
    exchange.held("Subscribe")
    exchange.deliver(subject="Just now")
    exchange.clear_faults()
    tag = imap.idle()
    imap.wait_line(rb"\* %d EXISTS" % (exists + 1), SOON_S)
    imap.done(tag)
