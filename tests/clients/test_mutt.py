# SPDX-License-Identifier: Apache-2.0
"""mutt and neomutt over TLS, in a terminal: the index, a message, new mail, and changes that reach the server."""
import base64
import email
import email.policy
import re

import kinds
import pytest
from bridge import Account, poll
from mutt import Mutt
from smtptest import parse

KINDS = ("ews", "eas")
CAN_WRITE = ("ews", "eas")
PROGRAMS = ("neomutt", "mutt")
ROWS = 44  # of the index, on a screen of 50


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange("--demo", "120")


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    return module_stage.bridge(*[Account(kind, exchange, kind) for kind in KINDS])


def subject_of(exchange, item):
    raw = exchange.mime(item["num"], served=True)
    return str(email.message_from_bytes(raw, policy=email.policy.default)["Subject"] or "")


def newest_subjects(exchange, count):
    items = sorted(exchange.items("inbox"), key=lambda i: -i["received"])[:count]
    return [subject_of(exchange, item) for item in items]


def state(exchange, item):
    return next((i for i in exchange.items("inbox") if i["num"] == item["num"]), None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_reads_and_changes(bridge, exchange, tmp_path, program, kind):
    name = f"{program} over {kind}"
    first, other = (exchange.deliver(subject=f"{word} for {name}", text=f"The {word.lower()} ledger of {name}.\n")[0]
                    for word in ("Harbour", "Badge"))
    count = len(exchange.items("inbox"))
    with Mutt(program, str(tmp_path), bridge, kind) as mutt:
        shown = mutt.index(count)
        assert len(shown) >= ROWS - 1
        wanted = [s for s in newest_subjects(exchange, ROWS - 4) if s.isascii() and s and len(s) < 100]
        assert len(wanted) > 10
        assert not [s for s in wanted if s not in shown], shown
        old = [s for s in wanted if " for " not in s]  # of the corpus, an hour apart: in their order
        assert [s for s in shown if s in old][: len(old)] == old

        mutt.go_to(f"Harbour for {name}")
        mutt.keys("Enter")
        text = mutt.wait(rf"^The harbour ledger of {name}\.")
        assert re.search(rf"^Subject: Harbour for {name}", text, re.M)
        assert re.search("^From: Bob Sender <bob@fabrikam.example>", text, re.M)
        mutt.keys("q")
        mutt.wait("^INDEX")

        exchange.deliver(subject=f"Arrived for {name}")
        mutt.wait(rf"\|Arrived for {name}")
        mutt.wait(rf"^INDEX \S+ {count + 1} messages")

        mutt.go_to(f"Harbour for {name}")
        mutt.keys("F")
        if kind in CAN_WRITE:
            changes_reach_the_server(exchange, mutt, name, first, other, count)
        else:
            mutt.wait("read-only")
        mutt.keys("q")
        assert mutt.status() == 0
    assert state(exchange, first)["flag"] == (2 if kind in CAN_WRITE else 0)


def changes_reach_the_server(exchange, mutt, name, first, other, count):
    mutt.go_to(f"Badge for {name}")
    mutt.keys("d")
    mutt.wait(rf"^.. *\d+ .*D.*\|Badge for {name}")
    mutt.keys("$")
    mutt.wait(rf"^INDEX \S+ {count} messages")
    assert not re.search(rf"\|Badge for {name}", mutt.text())
    flagged = poll(60, lambda: state(exchange, first)["flag"] == 2 and state(exchange, first))
    assert flagged["read"]  # it was opened
    assert state(exchange, other) is None


# ---- answering, forwarding, filing, drafts ----


def submitted(exchange, subject):
    """What the server has sent under a subject."""
    found = [parse(base64.b64decode(s["mime_b64"])) for s in exchange.submissions()]
    return [mail for mail in found if mail["Subject"] == subject]


def in_folder(exchange, folder, subject):
    return [i for i in exchange.items(folder, props=1) if i["subject"] == subject]


@pytest.mark.parametrize("kind", kinds.WRITING, ids=str)
def test_writes(stage, tmp_path, kind):
    exchange = kind.exchange(stage)
    exchange.folder("create", name="Kept")
    for subject in ("To answer", "To forward", "To file", "To delete"):
        exchange.deliver(subject=subject, text=f"The text of {subject}.\n")
    bridge = stage.bridge(kind.account("work", exchange))
    with Mutt("mutt", str(tmp_path), bridge, "work") as mutt:
        mutt.index(4)
        mutt.types("answer")
        answers(exchange, mutt)
        mutt.types("Forwarded by mutt")
        forwards(exchange, mutt)
        (files if kind.copy else is_told_of_copying)(exchange, mutt)
        mutt.types("A draft")
        (drafts if kind.draft else is_told_of_drafts)(exchange, mutt)
        left = len(exchange.items("inbox")) - 1
        mutt.go_to("To delete")
        mutt.keys("d")
        mutt.keys("$")
        mutt.index(left)
        mutt.keys("q")
        assert mutt.status() == 0
    assert not in_folder(exchange, "inbox", "To delete")


def answers(exchange, mutt):
    mutt.go_to("To answer")
    mutt.keys("r")
    mutt.wait("^COMPOSE")
    mutt.keys("y")
    mutt.wait(r"^-> *\d+ .*r.*\|To answer")
    [mail] = submitted(exchange, "Re: To answer")
    text = mail.get_content()
    assert mail["To"] == "Bob Sender <bob@fabrikam.example>" and "Typed by hand, answer." in text and "> The text of To answer." in text
    assert mail["In-Reply-To"] in [i["message_id"] for i in in_folder(exchange, "inbox", "To answer")]
    assert len(in_folder(exchange, "sentitems", "Re: To answer")) == 1  # the server's copy; mutt's was merged into it


def forwards(exchange, mutt):
    mutt.go_to("To forward")
    mutt.keys("f")
    mutt.wait("^COMPOSE")
    mutt.keys("y")
    mutt.wait("Mail sent|^INDEX")
    [mail] = poll(60, lambda: submitted(exchange, "[bob@fabrikam.example: To forward]"))
    assert mail["To"] == "bob@example.com" and "The text of To forward." in mail.get_content()
    assert len(in_folder(exchange, "sentitems", mail["Subject"])) == 1


def files(exchange, mutt):
    mutt.go_to("To file")
    mutt.prompted("s", "^Save to mailbox", "=Kept")
    mutt.wait(r"^.. *\d+ .*D.*\|To file")
    mutt.keys("$")
    mutt.index(3)
    assert len(in_folder(exchange, "Kept", "To file")) == 1 and not in_folder(exchange, "inbox", "To file")


def is_told_of_copying(exchange, mutt):
    """Exchange ActiveSync has no COPY, and mutt no MOVE."""
    mutt.go_to("To file")
    mutt.prompted("s", "^Save to mailbox", "=Kept")
    mutt.wait("Exchange ActiveSync cannot copy messages; they can be moved.")
    shown = mutt.wait("Error saving message")
    assert not re.search(r"^.. *\d+ .*D.*\|To file", shown, re.M)
    assert len(in_folder(exchange, "inbox", "To file")) == 1 and not exchange.items("Kept")


def is_told_of_drafts(exchange, mutt):
    """ActiveSync before 16.0 shows no drafts. The text stays where it was typed, and can be sent."""
    mutt.keys("m")
    mutt.wait("^COMPOSE")
    mutt.keys("P")
    mutt.wait("^Create Drafts")
    mutt.keys("y")
    mutt.wait(r"CREATE failed: .* the name is taken, choose another name")
    mutt.wait("^ *Subject: A draft")
    mutt.keys("y")
    [mail] = poll(60, lambda: submitted(exchange, "A draft"))
    assert "Typed by hand, A draft." in mail.get_content() and not exchange.items("drafts")
    mutt.wait("^INDEX")


def drafts(exchange, mutt):
    mutt.keys("m")
    mutt.wait("^COMPOSE")
    mutt.keys("P")
    [draft] = poll(60, lambda: in_folder(exchange, "drafts", "A draft"))
    assert draft["draft"] and not submitted(exchange, "A draft")
    mutt.wait("^INDEX")
    mutt.types("A draft again")
    mutt.keys("R")  # the editor opens by itself
    mutt.wait("^COMPOSE")
    mutt.keys("P")
    poll(60, lambda: [i["num"] for i in in_folder(exchange, "drafts", "A draft")] not in ([], [draft["num"]]))
    assert len(in_folder(exchange, "drafts", "A draft")) == 1
    mutt.wait("^INDEX")
    mutt.keys("R")
    mutt.wait("^COMPOSE")
    mutt.keys("y")
    [mail] = poll(60, lambda: submitted(exchange, "A draft"))
    assert mail.get_content().split("\r\n") == ["Typed by hand, A draft.", *["Typed by hand, A draft again."] * 2, ""]
    assert len(in_folder(exchange, "sentitems", "A draft")) == 1
    poll(60, lambda: not in_folder(exchange, "drafts", "A draft"))
