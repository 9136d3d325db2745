# SPDX-License-Identifier: Apache-2.0
"""The servers that mail is changed on: EWS, and EAS in the versions that differ in what they can do.

    @pytest.mark.parametrize("kind", kinds.WRITING, ids=str)
    def test_it(stage, kind):
        exchange = kind.exchange(stage, "--corpus", 10)
        bridge = stage.bridge(kind.account("work", exchange))
"""
from dataclasses import dataclass

from bridge import Account


@dataclass(frozen=True)
class Kind:
    name: str
    backend: str
    version: str = ""
    copy: bool = False  # COPY
    append: bool = False  # APPEND to any folder
    draft: bool = False  # APPEND to the drafts folder
    answered: bool = False  # \\Answered
    hidden: tuple = ()  # mailboxes that a client is not shown
    expunged: str = "Deleted Items"  # where expunged mail goes; and mail of deleted mailboxes, or nowhere
    keeps_deleted: bool = False  # a deleted mailbox goes to Deleted Items with what is in it
    makes_uids: bool = False  # an event's UID is the server's own

    def __str__(self):
        return self.name

    def exchange(self, stage, *args):
        exchange = stage.exchange(*args)
        if self.version:
            exchange.options(eas_versions=[self.version])
        return exchange

    def progress(self, status, percent):
        """What the server has of a task that is half done: over ActiveSync it is done or not, and the rest stays with us."""
        return (status, percent) if self.backend == "ews" else ("NotStarted", 0)

    def account(self, name, exchange, **keys):
        if self.backend == "eas":
            keys.setdefault("provision", "accept")
        return Account(name, exchange, self.backend, **keys)


EWS = Kind("ews", "ews", copy=True, append=True, draft=True, answered=True, expunged="(Recoverable Items)",
           keeps_deleted=True)
EAS_16 = Kind("eas-16.1", "eas", "16.1", draft=True, makes_uids=True)
EAS_16_0 = Kind("eas-16.0", "eas", "16.0", draft=True)  # drafts by their properties, not as MIME
EAS_14 = Kind("eas-14.1", "eas", "14.1", hidden=("Drafts",))
EAS_12 = Kind("eas-12.1", "eas", "12.1", hidden=("Drafts",))
WRITING = (EWS, EAS_16, EAS_14)
CALENDARS = (EWS, EAS_16, EAS_14)
