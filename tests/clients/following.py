# SPDX-License-Identifier: Apache-2.0
"""An IMAP connection that knows its mailbox by what it was told, and writes into a Ledger (invariants.py) what cannot be."""
import re

import invariants
from bridge import Imap, literal


class Session(Imap):
    """An IMAP connection that follows what it is told of the open mailbox: rows are [UID, flags], None where not told."""

    def __init__(self, bridge, ledger, name):
        self.rows, self.mailbox, self.validity = [], None, 0
        self.ledger, self.name = ledger, name
        super().__init__(bridge, timeout=120)

    def finish(self, tag):
        status, untagged = super().finish(tag)
        for line in untagged:
            self.told(line)
        return status, untagged

    def told(self, line):
        m = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)", line)
        if not m or not self.mailbox:
            return
        number = int(m[1])
        if m[2] == b"EXISTS":
            self.ledger.expect(number >= len(self.rows), f"{self.name}: EXISTS went from {len(self.rows)} to {number}")
            self.rows += [[None, None] for _ in range(number - len(self.rows))]
        elif not 1 <= number <= len(self.rows):
            self.ledger.problem(f"{self.name}: {line[:80]} of {len(self.rows)}")
        elif m[2] == b"EXPUNGE":
            del self.rows[number - 1]
        else:
            row = self.rows[number - 1]
            uid, flags = re.search(rb"[( ]UID (\d+)", line), re.search(rb"FLAGS \(([^)]*)\)", line)
            if uid:
                self.ledger.expect(row[0] in (None, int(uid[1])), f"{self.name}: number {number} had UID {row[0]} and has {int(uid[1])}")
                row[0] = int(uid[1])
            if flags:
                row[1] = set(flags[1].decode().split()) - {"\\Recent"}

    def run(self, command):
        """(status, untagged); BAD is never right."""
        status, untagged = super().run(command)
        self.ledger.expect(status.startswith(("OK ", "NO ")), f"{self.name}: {command[:100]} was answered {status}")
        return status, untagged

    def select(self, mailbox, marks):
        self.mailbox, self.rows = None, []
        status, lines = self.run(f'SELECT "{mailbox}"')
        if not status.startswith("OK"):
            return False
        text = b"\n".join(lines)
        self.mailbox = mailbox
        self.validity, uidnext = (int(re.search(rb"\[" + word + rb" (\d+)\]", text)[1]) for word in (b"UIDVALIDITY", b"UIDNEXT"))
        marks.opened(mailbox, self.validity, uidnext)
        self.rows = [[None, None] for _ in range(int(re.search(rb"^\* (\d+) EXISTS", text, re.M)[1]))]
        return self.learn("1:*") if self.rows else True

    def learn(self, numbers):
        """Which messages they are; what was never told is asked for."""
        status, lines = self.run(f"FETCH {numbers} (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        for line in lines:
            uid = re.search(rb"[( ]UID (\d+)", line)
            if uid and b"BODY[" in line:
                token = invariants.token_of(literal(line).decode("utf-8", "replace"))
                self.ledger.saw(self.mailbox, self.validity, int(uid[1]), token)
        return status.startswith("OK")

    def catch_up(self):
        status, _ = self.run("NOOP")
        unknown = [n for n, row in enumerate(self.rows, 1) if row[0] is None]
        if unknown:
            self.learn(f"{unknown[0]}:{len(self.rows)}")
        uids = [row[0] for row in self.rows if row[0] is not None]
        self.ledger.expect(uids == sorted(set(uids)), f"{self.name}: UIDs are {uids}")
        return status.startswith("OK")
