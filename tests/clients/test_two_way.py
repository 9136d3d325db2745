# SPDX-License-Identifier: Apache-2.0
"""mbsync both ways: changed in the Maildirs, changed on the server, and in the end the same on both sides and in between."""
import collections
import os
import re

import counting
import kinds
import pytest
from bridge import as_mail, literal
from maildir import Maildir
from mbsync import BOTH_WAYS, Mbsync, on_disk, without_tuid

N = 24
BEFORE = ("flags near", "flags far", "leaves near", "leaves far", "moved near", "moved far")
AFTER = {"flags near": "INBOX", "flags far": "INBOX", "moved near": "Near made/Below it", "moved far": "INBOX/Far made",
         "new near": "INBOX", "new far": "INBOX"}
READING = {"GetItem", "ItemOperations"}
WRITING = {"CreateItem", "UpdateItem", "MoveItem", "CopyItem", "DeleteItem", "CreateFolder", "UpdateFolder", "DeleteFolder",
           "MoveItems", "FolderCreate", "FolderUpdate", "FolderDelete", "SendMail"}


def mail(subject):
    return (f"From: alice@example.com\nTo: bob@example.com\nSubject: {subject}\nMessage-ID: <{subject.replace(' ', '-')}@near.test>\n"
            f"Date: Mon, 23 Nov 2026 10:00:00 +0000\n\nWritten near: {subject}.\n").encode()


def name_of(folder):
    """Of a folder of the server, as the bridge calls it."""
    return re.sub(r"^Inbox(?=/|$)", "INBOX", folder["path"])


def mail_folders(exchange):
    return [f for f in exchange.folders() if f["class"] == "IPF.Note" and not f["hidden"]]


Message = collections.namedtuple("Message", "data seen flagged answered")


def on_server(exchange, kind):
    """{folder: what is in it}, lines as in a Maildir."""
    found = {}
    for folder in mail_folders(exchange):
        if name_of(folder) in kind.hidden:
            continue
        found[name_of(folder)] = sorted(
            Message(without_tuid(on_disk(as_mail(data, kind.backend))), i["read"], i["flag"] == 2, i["last_verb"] in (102, 103))
            for i, data in exchange.contents(folder["num"]))
    return found


def in_maildirs(maildir):
    found = {}
    for folder in maildir.folders():
        paths = maildir.files(folder)
        found[folder] = sorted(Message(without_tuid(maildir.read(p)), "S" in maildir.flags(p), "F" in maildir.flags(p),
                                       "R" in maildir.flags(p)) for p in paths)
    return found


def over_imap(imap):
    found = {}
    for line in imap.ok('LIST "" "*"'):
        name = re.search(rb'"/" (.*)$', line).group(1).decode().strip('"')
        imap.open(name, "EXAMINE")
        messages = []
        for _, answer in imap.fetch("1:*", "(FLAGS BODY.PEEK[])"):
            flags = re.search(rb"FLAGS \(([^)]*)\)", answer).group(1)
            messages.append(Message(without_tuid(on_disk(literal(answer))), b"\\Seen" in flags, b"\\Flagged" in flags,
                                    b"\\Answered" in flags))
        found[name] = sorted(messages)
    return found


def same(one, other, what):
    assert sorted(one) == sorted(other), what
    for folder in one:
        a, b = collections.Counter(one[folder]), collections.Counter(other[folder])
        assert a == b, (what, folder, [m.data[:200] for m in (a - b)], [(m.data[:200], m[1:]) for m in (b - a)])


class Both:
    """A server, a bridge, and mbsync between them."""

    def __init__(self, stage, directory, kind):
        self.kind = kind
        self.exchange = kind.exchange(stage, "--corpus", N, "--kinds", "mixed")
        for name in ("Kept", "Empty near", "Empty far"):
            self.exchange.folder("create", name=name)
        self.exchange.folder("create", parent="inbox", name="Below")
        for subject in BEFORE:
            self.exchange.deliver(subject=subject)
        self.bridge = stage.bridge(kind.account("work", self.exchange))
        self.mbsync = Mbsync(directory, self.bridge, "work", "*", BOTH_WAYS)
        self.near = Maildir(self.mbsync.mail)

    def item(self, subject, folder="inbox"):
        [found] = [i for i in self.exchange.items(folder, props=1) if i["subject"] == subject]
        return found

    def near_path(self, subject, folder="INBOX"):
        return self.near.find(folder, f"Subject: {subject}\n")

    def sync(self):
        """Once the bridge has heard of what was changed on the server."""
        counting.settle(self.exchange, self.kind.backend)
        return self.mbsync.run()

    def agree(self, near_alone=()):
        """What the server has, which is what everybody has, but for what is in a Maildir alone: (folder, subject)."""
        server, near = on_server(self.exchange, self.kind), in_maildirs(self.near)
        for folder, subject in near_alone:
            near[folder] = [m for m in near[folder] if f"Subject: {subject}\n".encode() not in m.data]
        same(server, near, "server and Maildirs")
        same(server, over_imap(self.bridge.login("work")), "server and IMAP")
        return server


def where(server):
    """{subject: [folders]} of those that this test has made."""
    found = collections.defaultdict(list)
    for folder, messages in server.items():
        for message in messages:
            subject = re.search(rb"^Subject: (.*)$", message.data, re.M)
            if subject and subject[1].decode() in AFTER | dict.fromkeys(BEFORE):
                found[subject[1].decode()].append(folder)
    return dict(found)


def change_near(both):
    near = both.near
    near.add("INBOX", mail("new near"), "S")
    near.mark(both.near_path("flags near"), "FRS" if both.kind.answered else "FS")
    near.mark(both.near_path("leaves near"), "T")
    near.create("Near made")
    near.create("Near made/Below it")
    near.move(both.near_path("moved near"), "Near made/Below it")
    os.rmdir(os.path.join(near.top, "Empty near", "cur"))  # the sign that a folder was deleted


def change_far(both):
    exchange = both.exchange
    exchange.deliver(subject="new far")
    exchange.change("update", num=both.item("flags far")["num"], read=True, flag=2)
    exchange.change("delete", num=both.item("leaves far")["num"])
    exchange.folder("create", parent="inbox", name="Far made")
    exchange.change("move", num=both.item("moved far")["num"], to="Inbox/Far made")
    exchange.folder("delete", folder="Empty far")


@pytest.mark.parametrize("kind", [k for k in kinds.WRITING if k.append], ids=str)
def test_both_ways(stage, tmp_path, kind):
    both = Both(stage, tmp_path / "mbsync", kind)
    both.sync()
    assert len(both.near.files("INBOX")) == N + len(BEFORE)
    assert {"Kept", "INBOX/Below", "Empty near", "Empty far"} <= set(both.agree())

    change_near(both)
    change_far(both)
    both.sync()
    both.sync()  # a folder deleted near appeared below Deleted Items only then
    server = both.agree()
    assert {subject: [folder] for subject, folder in AFTER.items()} == where(server)
    assert not {"Empty near", "Empty far"} & set(server) and "Deleted Items/Empty near" in server
    changed = both.item("flags near")
    assert changed["read"] and changed["flag"] == 2 and changed["last_verb"] in (102, 103)
    assert len(both.exchange.items("recoverableitemsdeletions")) == 2  # left near, moved near

    quiet(both)


def quiet(both):
    """There is nothing left to be done."""
    mark, files = counting.settle(both.exchange, both.kind.backend), both.near.everything()
    both.mbsync.run()
    done = {e["op"] for e in both.exchange.log(mark) if e["op"] != "Sync" or e["detail"].get("commands")}
    assert not done & (READING | WRITING | {"Sync"}), done
    assert both.near.everything() == files


@pytest.mark.parametrize("kind", [k for k in kinds.WRITING if not k.append], ids=str)
def test_both_ways_but_for_new_messages(stage, tmp_path, kind):
    """Exchange ActiveSync takes no messages: mbsync is told so, and they stay where they are. All else goes both ways."""
    both = Both(stage, tmp_path / "mbsync", kind)
    both.sync()
    assert {"Kept", "INBOX/Below", "Empty near", "Empty far"} <= set(both.agree())
    change_near(both)
    change_far(both)
    assert both.sync().count("NO [CANNOT] Exchange ActiveSync ") == 2  # in words
    both.sync()  # what was expunged appeared in Deleted Items only then
    server = both.agree(near_alone=[("INBOX", "new near"), ("Near made/Below it", "moved near")])
    found = where(server)
    assert found.pop("leaves near") == ["Deleted Items"] and found.pop("moved near") == ["Deleted Items"]
    assert found == {s: [AFTER[s]] for s in ("flags near", "flags far", "moved far", "new far")}
    assert not {"Empty near", "Empty far"} & set(server) and {"Near made", "Near made/Below it"} <= set(server)
    changed = both.item("flags near")
    assert changed["read"] and changed["flag"] == 2
    quiet(both)
