# SPDX-License-Identifier: Apache-2.0
"""Changing mail over EWS: what the client was told and what the server has must agree, in few requests."""
import re

import pytest

import counting
from bridge import Account, poll

MAIL = (b"From: a@example.com\r\nTo: b@example.com\r\nSubject: appended\r\nMessage-ID: <append-1@example.com>\r\n"
        b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nBody of it.\r\n")


@pytest.fixture
def exchange(stage):
    return stage.exchange("--corpus", "12")


@pytest.fixture
def imap(stage, exchange):
    imap = stage.bridge(Account("work", exchange)).login("work")
    imap.open("INBOX")
    return imap


def by_uid(exchange):
    """Items of the inbox in the order of their UIDs."""
    return sorted(exchange.items("inbox"), key=lambda i: (i["received"], i["num"]))


def ews(counts):
    """Requests that a command causes: start-up, push and what it brings apart."""
    others = counting.START_UP | counting.PUSH | counting.SYNCS
    return {k.split(":")[1]: n for k, n in counts.items() if k not in others}


def append(imap, folder, data, flags=""):
    imap.send(b"ap1 APPEND %s (%s) {%d+}\r\n" % (folder.encode(), flags.encode(), len(data)) + data + b"\r\n")
    return imap.finish("ap1")[0]


def test_store_flags_and_keywords(exchange, imap):
    mark = exchange.mark()
    answer = imap.ok(r"STORE 1:3 +FLAGS (\Seen \Flagged $label1 Own)")
    assert len([line for line in answer if b"FETCH" in line]) == 3
    assert ews(exchange.counts(mark)) == {"UpdateItem": 1}
    for item in by_uid(exchange)[:3]:
        assert item["read"] and item["flag"] == 2
        assert set(item["categories"]) >= {"Important", "Own"}
    mark = exchange.mark()
    imap.ok(r"STORE 1:3 +FLAGS (\Seen)")
    assert ews(exchange.counts(mark)) == {}
    imap.ok(r"STORE 1:3 -FLAGS.SILENT (\Seen \Flagged Own)")
    for item in by_uid(exchange)[:3]:
        assert not item["read"] and item["flag"] != 2 and "Own" not in item["categories"]


def test_categories_set_by_outlook_survive(exchange, imap):
    first = by_uid(exchange)[0]
    exchange.change("update", num=first["num"], categories=["Outlook's own"])
    poll(60, lambda: b"Outlook" in b"".join(imap.ok("FETCH 1 (FLAGS)")))
    imap.ok("STORE 1 +FLAGS ($label2)")
    assert set(by_uid(exchange)[0]["categories"]) == {"Outlook's own", "Work"}


@pytest.mark.parametrize("command, op", [("COPY", "CopyItem"), ("MOVE", "MoveItem")])
def test_busy_for_one_of_several(exchange, imap, command, op):
    """The server is busy for the second of three messages: only that one is asked for again, and nothing lies there twice."""
    imap.ok("CREATE Kept")
    exchange.fault(op=op, do="error", code="ErrorServerBusy", index=1, backoff_ms=100)
    mark = exchange.mark()
    told = b"".join(imap.ok(f"UID {command} 1:3 Kept")).decode() + imap.status
    there = re.search(r"COPYUID \d+ 1:3 ([\d:,]+)\]", told).group(1)  # a sync may have brought two of them before the third went over
    assert sorted(there.replace("1:3", "1,2,3").split(",")) == ["1", "2", "3"], told
    assert [e["detail"]["ids"] for e in exchange.log(mark) if e["op"] == op] == [3, 1]
    kept = exchange.items("Kept")
    assert len(kept) == 3 and len({i["message_id"] for i in kept}) == 3
    assert len(exchange.items("inbox")) == (12 if command == "COPY" else 9)


def test_copy_move_and_expunge(exchange, imap):
    imap.ok("CREATE Kept")
    items = by_uid(exchange)
    mark = exchange.mark()
    imap.ok("UID COPY 1:2 Kept")
    assert re.search(r"COPYUID \d+ 1:2 1:2", imap.status), imap.status
    assert ews(exchange.counts(mark)) == {"CopyItem": 1}
    mark = exchange.mark()
    answer = b"".join(imap.ok("UID MOVE 3:5 Kept"))
    assert re.search(rb"COPYUID \d+ 3:5 3:5", answer), answer
    assert answer.count(b"EXPUNGE") == 3
    assert ews(exchange.counts(mark)) == {"MoveItem": 1}
    kept = exchange.items(next(f["path"] for f in exchange.folders() if f["name"] == "Kept"))
    assert sorted(i["message_id"] for i in kept) == sorted(i["message_id"] for i in items[:5])
    mark = exchange.mark()
    imap.ok(r"UID STORE 6:7 +FLAGS.SILENT (\Deleted)")
    assert ews(exchange.counts(mark)) == {}
    answer = b"".join(imap.ok("UID EXPUNGE 6"))
    assert answer.count(b"EXPUNGE") == 1
    assert len(by_uid(exchange)) == 12 - 3 - 1
    imap.ok("EXPUNGE")
    assert len(by_uid(exchange)) == 12 - 3 - 2
    imap.open("Kept")
    assert len(imap.uids()) == 5


def test_append_keeps_bytes_date_and_uid(exchange, imap):
    answer = append(imap, "INBOX", MAIL, r"\Seen $label3")
    uid = int(re.search(r"APPENDUID \d+ (\d+)", answer).group(1))
    poll(60, lambda: uid in imap.uids())
    assert imap.bodies(str(uid)) == {uid: MAIL}
    item = next(i for i in exchange.items("inbox") if i["message_id"] and "append-1@" in i["message_id"])
    assert item["read"] and item["categories"] == ["Personal"] and not item.get("is_draft")


def test_append_with_lost_answer_is_stored_once(exchange, imap):
    exchange.fault(op="CreateItem", do="lose")
    answer = append(imap, "INBOX", MAIL)
    assert "APPENDUID" in answer, answer
    found = [i for i in exchange.items("inbox") if i["message_id"] and "append-1@" in i["message_id"]]
    assert len(found) == 1


@pytest.mark.parametrize("how", ["append", "copy", "move"])
def test_taken_away_before_a_sync_told_of_it(exchange, imap, how):
    """By somebody else, from where a command of ours has just put it: no sync will say so, because the server's sync state
    never counted it as known here."""
    imap.ok("CREATE Kept")
    imap.ok("STATUS Kept (MESSAGES)")
    exchange.fault(op="SyncFolderItems", delay_s=1.5, times=2)
    if how == "append":
        assert "APPENDUID" in append(imap, "Kept", MAIL)
    else:
        imap.ok(f"UID {how.upper()} 1 Kept")
    [item] = exchange.items("Kept")
    exchange.change("move", num=item["num"], to="deleteditems")
    assert imap.open("Kept")["exists"] <= 1
    poll(60, lambda: imap.ok("NOOP") is not None and b"* SEARCH" in imap.ok("UID SEARCH ALL"))  # FETCH may meet the moment
    assert imap.status_of("Deleted Items")["MESSAGES"] == 1


@pytest.mark.parametrize("fault, done", [(dict(do="lose"), True), (dict(do="reset_after"), True), (dict(do="status", status=500), False)],
                         ids=["lose", "reset_after", "500"])
def test_the_answer_to_a_copy_is_lost(exchange, imap, fault, done):
    """Whether it was done is seen in the target: a client that heard NO would copy again."""
    imap.ok("CREATE Copies")
    imap.open("INBOX")
    imap.ok("COPY 1 Copies")  # of the same message, and not what is looked for
    before, old = len(exchange.items("Copies")), imap.status_of("Copies")
    exchange.fault(protocol="ews", op="CopyItem", **fault)
    mark = exchange.mark()
    if done:
        imap.ok("COPY 1:3 Copies")
        assert b"COPYUID" in imap.status.encode() and f"{old['UIDNEXT']}:{old['UIDNEXT'] + 2}" in imap.status
    else:
        imap.no("COPY 1:3 Copies", "UNAVAILABLE")
    assert exchange.counts(mark)["ews:CopyItem"] == 1
    assert len(exchange.items("Copies")) == before + (3 if done else 0)
    imap.ok("COPY 1:3 Copies")
    assert len(exchange.items("Copies")) == before + (6 if done else 3)


def test_folders(exchange, imap):
    imap.ok("CREATE Projects/2026/Plans")
    assert {"Projects", "2026", "Plans"} <= {f["name"] for f in exchange.folders()}
    imap.no("CREATE Projects")
    imap.ok("RENAME Projects/2026/Plans Projects/Ideas")
    names = b"".join(imap.ok('LIST "" "Projects*"'))
    assert b"Projects/Ideas" in names and b"Plans" not in names
    imap.no("DELETE Projects")
    imap.ok("DELETE Projects/Ideas")
    assert b"Projects/Ideas" not in b"".join(imap.ok('LIST "" "Projects*"'))
    imap.no("DELETE INBOX")
    imap.no("RENAME INBOX Other")


def test_spaces_that_the_server_would_take_away(exchange, imap):
    before = exchange.folders()
    for name in ("tail ", " head", "Archive/tail "):
        imap.no(f'CREATE "{name}"', "CANNOT")
    assert [f["name"] for f in exchange.folders() if f not in before] in ([], ["Archive"])
    imap.ok("CREATE Plain")
    imap.no('RENAME Plain "Plain "', "CANNOT")
    imap.ok('RENAME Plain "with a space"')
    assert b"with a space" in b"".join(imap.ok('LIST "" "with*"'))


def test_marks_of_programs_are_no_categories(stage, exchange):
    """$MDNSent, NonJunk and the like stay in the state directory, through copies, moves and restarts; Outlook does not see them."""
    bridge = stage.bridge(Account("work", exchange))
    imap = bridge.login("work")
    imap.open("INBOX")
    categories = [i["categories"] for i in by_uid(exchange)]
    mark = exchange.mark()
    imap.ok("STORE 1:3 +FLAGS ($MDNSent NonJunk)")
    assert ews(exchange.counts(mark)) == {} and [i["categories"] for i in by_uid(exchange)] == categories
    imap.ok("COPY 1 Drafts")
    imap.ok("MOVE 2 Drafts")
    imap.ok(r"STORE 1 +FLAGS (Own \Flagged)")
    assert "Own" in by_uid(exchange)[0]["categories"] and "NonJunk" not in by_uid(exchange)[0]["categories"]
    bridge.kill()
    bridge.start()
    imap = bridge.login("work")
    for folder, count in (("INBOX", 2), ("Drafts", 2)):
        imap.open(folder)
        assert len(imap.ok("SEARCH KEYWORD $MDNSent KEYWORD NonJunk")[0].split()) == 2 + count


def test_another_session_sees_it(stage, exchange):
    bridge = stage.bridge(Account("work", exchange))
    one, two = bridge.login("work"), bridge.login("work")
    one.open("INBOX")
    two.open("INBOX")
    one.ok(r"STORE 2 +FLAGS (\Flagged)")
    assert b"2 FETCH" in b"".join(two.ok("NOOP"))
    one.ok(r"STORE 1 +FLAGS (\Deleted)")
    one.ok("EXPUNGE")
    assert b"* 1 EXPUNGE" in b"".join(two.ok("NOOP"))


def test_read_only_stays_read_only(exchange, imap):
    imap.open("INBOX", "EXAMINE")
    for command in (r"STORE 1 +FLAGS (\Seen)", "EXPUNGE", "MOVE 1 Trash"):
        imap.no(command)


@pytest.mark.parametrize("how, left", [("recoverable", 1), ("permanent", 0)])
def test_where_expunged_mail_goes(stage, exchange, how, left):
    imap = stage.bridge(Account("work", exchange, expunge=how)).login("work")
    imap.open("INBOX")
    imap.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    imap.ok("EXPUNGE")
    assert len(by_uid(exchange)) == 11
    assert len(exchange.items("recoverableitemsdeletions")) == left


def test_answered_and_forwarded(exchange, imap):
    """One place for both on the server, which shows the later one; the user did both and sees both, whoever did them, also
    after the folder was collected anew. What is taken away leaves the other."""
    def verb():
        return by_uid(exchange)[0]["last_verb"]

    def flags():
        return imap.flags("1")[uid] & {"\\Answered", "$Forwarded"}

    uid, both = imap.uids()[0], {"\\Answered", "$Forwarded"}
    imap.ok(r"STORE 1 +FLAGS (\Answered)")
    imap.ok(r"STORE 1 +FLAGS ($Forwarded)")
    assert (verb(), flags()) == (104, both)
    exchange.change("update", num=by_uid(exchange)[0]["num"], categories=["sign"])
    poll(60, lambda: imap.ok("NOOP") is not None and "sign" in imap.flags("1")[uid])
    assert flags() == both
    exchange.change("update", num=by_uid(exchange)[0]["num"], last_verb=102, categories=["another"])  # by Outlook
    poll(60, lambda: imap.ok("NOOP") is not None and "another" in imap.flags("1")[uid])
    assert flags() == both
    exchange.invalidate()
    mark = exchange.mark()
    exchange.deliver(subject="wakes")
    poll(60, lambda: imap.ok("NOOP") is not None and len(imap.uids()) == 13, lambda: f"{exchange.counts(mark)}")
    assert imap.uids()[0] == uid and flags() == both
    imap.ok(r"STORE 1 -FLAGS (\Answered)")
    assert (verb(), flags()) == (104, {"$Forwarded"})
    imap.ok(r"STORE 1 FLAGS (\Answered \Seen)")
    assert (verb(), flags()) == (102, {"\\Answered"})
    imap.ok(r"STORE 1 -FLAGS (\Answered)")
    assert verb() in (None, 0) and flags() == set()


def test_a_conflict_over_categories(exchange, imap):
    """Outlook sorts a message while our own change is on its way: the server refuses, and both changes are there after
    a second look."""
    exchange.fault(op="UpdateItem", do="pause")  # until Outlook is done: nobody can tell us of it in time
    mark, tag = exchange.mark(), imap.tag()
    imap.send(tag + " STORE 1 +FLAGS ($label2)\r\n")
    poll(60, lambda: "ews:UpdateItem" in exchange.counts(mark))
    exchange.change("update", num=by_uid(exchange)[0]["num"], categories=["Outlook's own"])
    exchange.clear_faults()
    status, untagged = imap.finish(tag)
    answer = b"".join(untagged)
    assert status.startswith("OK")
    assert set(by_uid(exchange)[0]["categories"]) == {"Outlook's own", "Work"} and b"$label2" in answer
    assert exchange.counts(mark)["ews:UpdateItem"] == 2
    assert imap.flags("1")[imap.uids()[0]] >= {"$label2"}


def test_a_conflict_without_end(exchange, imap):
    before = [i["categories"] for i in by_uid(exchange)]
    exchange.fault(op="UpdateItem", do="error", code="ErrorIrresolvableConflict", times=0)
    mark = exchange.mark()
    imap.no("STORE 1:3 +FLAGS ($label2)", "INUSE")
    assert exchange.counts(mark)["ews:UpdateItem"] <= 5 and [i["categories"] for i in by_uid(exchange)] == before
    exchange.clear_faults()
    imap.ok("STORE 1:3 +FLAGS ($label2)")
    assert all(set(i["categories"]) == {"Work", *old} for i, old in zip(by_uid(exchange)[:3], before))
