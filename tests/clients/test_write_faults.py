# SPDX-License-Identifier: Apache-2.0
"""Every way of changing mail, and sending, meets every way a server can fail. All are tried at once, by a client each: the
client is told what happened, nothing is done that was refused, nothing is done twice, and when the trouble is over the same
command works."""
import re
from dataclasses import dataclass

import kinds
import pytest
from bridge import poll
from smtptest import message, signed_in, stuffed

BOB = "bob@example.com"
SENT = message("sent")

KINDS = {"ews": kinds.EWS, "eas": kinds.EAS_16}
LATER = {"Retry-After": "3600"}  # longer than a client is kept waiting


@dataclass(frozen=True)
class Fault:
    rule: dict
    code: str  # the response code of every refusal over IMAP
    text: str
    smtp: int
    enhanced: str
    done: bool = False  # the server did it although it did not answer
    restart: bool = False  # the bridge has been told to leave the server alone
    doubt: bool = False  # a gateway may say so of what the server has done: as if it could not be reached (EWS)


FAULTS = {
    "400": Fault(dict(do="status", status=400), "UNAVAILABLE", "makes no sense", 451, "4.3.0"),
    "401": Fault(dict(do="status", status=401), "UNAVAILABLE", "run: exbridge login work", 454, "4.7.0", restart=True),
    "403": Fault(dict(do="status", status=403), "CONTACTADMIN", "administrator", 550, "5.7.1"),
    "404": Fault(dict(do="status", status=404), "UNAVAILABLE", "cannot be reached", 451, "4.4.1"),
    "413": Fault(dict(do="status", status=413), "LIMIT", "size limit", 552, "5.3.4"),
    "429": Fault(dict(do="status", status=429, headers=LATER), "UNAVAILABLE", "slow down", 451, "4.3.2", restart=True),
    "500": Fault(dict(do="status", status=500), "UNAVAILABLE", "cannot be reached", 451, "4.4.1"),
    "503": Fault(dict(do="status", status=503, headers=LATER), "UNAVAILABLE", "slow down", 451, "4.3.2", restart=True, doubt=True),
    "507": Fault(dict(do="status", status=507), "OVERQUOTA", "full", 452, "4.2.2"),
    "reset before": Fault(dict(do="reset_before"), "UNAVAILABLE", "cannot be reached", 451, "4.4.1"),
    "reset after": Fault(dict(do="reset_after"), "UNAVAILABLE", "cannot be reached", 451, "4.4.1", done=True),
}
REQUESTS = {
    "ews": ["UpdateItem", "CopyItem", "MoveItem", "DeleteItem", "CreateItem", "CreateFolder", "UpdateFolder", "MoveFolder",
            "DeleteFolder", "SendItem"],
    "eas": ["Sync", "MoveItems", "FolderCreate", "FolderUpdate", "FolderDelete", "SendMail", "SmartReply", "SmartForward"],
}


class Case:
    """A mailbox with a message for each command that takes one, and folders for those that take folders."""

    def __init__(self, stage, kind):
        self.kind = kind
        self.exchange = kind.exchange(stage)
        for folder in ("Target", "Old", "Gone"):
            self.exchange.folder("create", name=folder)
        for what in ("store", "copy", "move", "expunge", "other"):
            self.exchange.deliver(message(what))
        self.bridge = stage.bridge(kind.account("work", self.exchange))
        self.uids = {}
        imap = self.opened()
        for folder in ("Target", "Old", "Gone", "Drafts", "Sent Items"):
            poll(60, lambda: imap.status_of(folder))

    def opened(self):
        imap = self.bridge.login("work", timeout=90)
        poll(60, lambda: imap.open("INBOX")["exists"] >= 1)
        if not self.uids:
            for uid, line in imap.fetch("1:*", "(ENVELOPE)"):
                self.uids[re.search(rb'ENVELOPE \("[^"]*" "(\w+)"', line)[1].decode()] = uid
        return imap

    def where(self, what):
        """The folders in which the message lies, one entry for each copy."""
        return [f for f in ("inbox", "Target") for i in self.exchange.items(f) if i["message_id"] == f"<{what}@test.example>"]

    def drafts(self, folder):
        return [i for i in self.exchange.items(folder) if i["message_id"] == "<appended@test.example>"]

    def sent(self):
        """How often, and how many copies were filed."""
        return (sum(s["message_id"] == "<sent@test.example>" for s in self.exchange.submissions()),
                sum(i["message_id"] == "<sent@test.example>" for i in self.exchange.items("sentitems")))

    def folder_names(self):
        return {f["name"] for f in self.exchange.folders()}


class Store:
    def command(self, case):
        return rf"UID STORE {case.uids['store']} +FLAGS (\Flagged)"

    def times(self, case):
        [item] = [i for i in case.exchange.items("inbox") if i["message_id"] == "<store@test.example>"]
        return int(item["flag"] == 2)


class Copy:
    def command(self, case):
        return f"UID COPY {case.uids['copy']} Target"

    def times(self, case):
        found = case.where("copy")
        assert found.count("inbox") == 1, found
        return found.count("Target")


class Move:
    def command(self, case):
        return f"UID MOVE {case.uids['move']} Target"

    def times(self, case):
        found = case.where("move")
        assert len(found) == 1, found
        return found.count("Target")


class Expunge:
    def command(self, case):
        return f"UID EXPUNGE {case.uids['expunge']}"

    def times(self, case):
        return 1 - len(case.where("expunge"))


class Append:
    def command(self, case):
        mail = message("appended").decode()
        return f"APPEND {self.folder(case)} {{{len(mail)}+}}\r\n{mail}"

    def folder(self, case):
        return "Target" if case.kind.append else "Drafts"

    def times(self, case):
        return len(case.drafts("Target" if case.kind.append else "drafts"))


class Create:
    def command(self, case):
        return "CREATE Made"

    def times(self, case):
        return sum(f["name"] == "Made" for f in case.exchange.folders())


class Rename:
    def command(self, case):
        return "RENAME Old New"

    def times(self, case):
        names = case.folder_names()
        assert ("Old" in names) != ("New" in names), names
        return int("New" in names)


class Delete:
    def command(self, case):
        return "DELETE Gone"

    def times(self, case):
        return int(not any(f["path"] == "Gone" for f in case.exchange.folders()))


WRITES = {"STORE": Store(), "COPY": Copy(), "MOVE": Move(), "EXPUNGE": Expunge(), "APPEND": Append(), "CREATE": Create(),
          "RENAME": Rename(), "DELETE": Delete()}


def commands_of(kind):
    return [name for name in WRITES if name != "COPY" or kind.copy]


def ready(case, names):
    """A session for each."""
    sessions = {name: case.opened() for name in names}
    if "EXPUNGE" in sessions:
        sessions["EXPUNGE"].ok(rf"UID STORE {case.uids['expunge']} +FLAGS.SILENT (\Deleted)")
    return sessions


def all_at_once(case, sessions):
    """{name: the tagged answer}"""
    for name, imap in sessions.items():
        imap.send(f"w1 {WRITES[name].command(case)}\r\n")
    answers = {name: imap.finish("w1")[0] for name, imap in sessions.items()}
    for imap in sessions.values():
        imap.ok("NOOP")
    return answers


@pytest.mark.parametrize("backend", KINDS)
@pytest.mark.parametrize("name", FAULTS)
def test_writing(stage, backend, name):
    fault, kind = FAULTS[name], KINDS[backend]
    case = Case(stage, kind)
    # A failing Sync is tried again for 15 s, one after the other: STORE stands for all that go by it.
    names = [n for n in commands_of(kind) if (backend, name) != ("eas", "500") or n not in ("EXPUNGE", "APPEND")]
    sessions, smtp = ready(case, names), signed_in(case.bridge, timeout=90)
    smtp.envelope([BOB])
    smtp.check("DATA", 354)
    case.exchange.fault(protocol=backend, op=REQUESTS[backend], times=0, **fault.rule)
    smtp.write(stuffed(SENT))
    answers, sent = all_at_once(case, sessions), smtp.answer()
    times = {name: WRITES[name].times(case) for name in names}
    wrong = []
    doubt = FAULTS["reset before"] if fault.doubt and backend == "ews" else fault
    for name, answer in answers.items():
        code = "TOOBIG" if (name, fault.code) == ("APPEND", "LIMIT") else fault.code
        refused = answer.startswith(f"NO [{code}] ") and (fault.text in answer or doubt.text in answer) and "account work" in answer
        unheard = fault.done and answer.startswith("OK") and times[name] == 1  # it has looked
        if not (unheard or refused and times[name] <= int(fault.done)):
            wrong.append((name, times[name], answer))
    if sent[0] != 250 and (sent[0], sent[1][:6]) != (doubt.smtp, doubt.enhanced + " "):
        wrong.append(("send", case.sent(), sent))
    assert not wrong and case.sent() in ([(1, 1)] if sent[0] == 250 else [(0, 0), (1, 1)] if fault.done else [(0, 0)])
    case.exchange.clear_faults()
    if fault.restart:
        case.bridge.restart()
    again(case, names)


def again(case, names):
    """What was refused works now; what was done unheard is not done once more, however often it is asked for."""
    def all_done():
        return all(a.startswith("OK") for a in all_at_once(case, ready(case, [n for n in names if not WRITES[n].times(case)])).values())

    poll(60, all_done)
    poll(60, lambda: signed_in(case.bridge, timeout=90).send([BOB], SENT)[0] == 250)
    assert case.sent() == (1, 1)
    assert {n: WRITES[n].times(case) for n in names} == {n: 1 for n in names}
    imap = case.opened()
    seen = imap.status_of("INBOX")["MESSAGES"], imap.status_of("Target")["MESSAGES"]
    poll(60, lambda: (imap.status_of("INBOX")["MESSAGES"], imap.status_of("Target")["MESSAGES"])
         == (len(case.exchange.items("inbox")), len(case.exchange.items("Target"))), lambda: f"{seen}")
