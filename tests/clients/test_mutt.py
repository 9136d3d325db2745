# SPDX-License-Identifier: Apache-2.0
"""mutt and neomutt over TLS, in a terminal: the index, a message, new mail, and changes that reach the server."""
import email
import email.policy
import os
import re

import pytest

from bridge import LOCAL_PASSWORD, Account, poll
from screen import Screen

KINDS = ("ews", "eas")
CAN_WRITE = ("ews",)
PROGRAMS = ("neomutt", "mutt")
ROWS = 44  # of the index, on a screen of 50
CONFIG = """
set imap_user = "{user}"
set imap_pass = "{password}"
set folder = "imaps://localhost:{port}/"
set spoolfile = "imaps://localhost:{port}/INBOX"
set ssl_force_tls = yes
set ssl_ca_certificates_file = "{ca}"
set certificate_file = "{directory}/accepted"
set header_cache = "{directory}/headers"
set message_cachedir = "{directory}/bodies"
set imap_idle = yes
set imap_check_subscribed = no
set timeout = 2
set mail_check = 2
set sort = reverse-date-received
set index_format = "%4C %Z|%s"
set status_format = "INDEX %m messages %r"
set pager_format = "PAGER %s"
set arrow_cursor = yes
set help = no
set quit = yes
set delete = yes
set mark_old = no
set wait_key = no
set beep = no
"""


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange("--demo", "120")


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    return module_stage.bridge(*[Account(kind, exchange, kind) for kind in KINDS])


class Mutt(Screen):
    def __init__(self, program, directory, bridge, kind):
        path = os.path.join(directory, "muttrc")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(CONFIG.format(user=kind, password=LOCAL_PASSWORD, port=bridge.port, ca=bridge.ca_file,
                                     directory=directory))
        super().__init__(directory, [program, "-n", "-F", path])

    def index(self, count):
        """The subjects, as far as they are shown, when there are this many messages."""
        return re.findall(r"^(?:->|  ) *\d+ [^|]*\|(.*)$", self.wait(rf"^INDEX {count} messages"), re.M)

    def go_to(self, subject):
        self.keys("/")
        self.wait("^Search for:")
        self.type(subject)
        self.keys("Enter")
        self.wait(rf"^-> *\d+ .*\|{re.escape(subject)}")


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
        mutt.wait(rf"^INDEX {count + 1} messages")

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
    mutt.wait(rf"^INDEX {count} messages")
    assert not re.search(rf"\|Badge for {name}", mutt.text())
    flagged = poll(20, lambda: state(exchange, first)["flag"] == 2 and state(exchange, first))
    assert flagged["read"]  # it was opened
    assert state(exchange, other) is None
