# SPDX-License-Identifier: Apache-2.0
"""Programs that collect and sort mail by themselves, over EWS and over EAS: fetchmail, offlineimap, imapfilter. What they took is
what the server has, and what they changed is so there."""
import os
import re
import subprocess

import counting
import kinds
import pytest
from bridge import LOCAL_PASSWORD, as_mail
from maildir import Maildir
from mbsync import on_disk
from test_two_way import in_maildirs, mail, on_server, over_imap, same

N = 12


class Place:
    """A server with a dozen messages, and a bridge."""

    def __init__(self, stage, kind):
        self.kind = kind
        self.exchange = kind.exchange(stage, "--corpus", N, "--kinds", "mixed")
        self.exchange.folder("create", name="Kept")
        self.bridge = stage.bridge(kind.account("work", self.exchange))

    def items(self, folder="inbox"):
        """In the order of their UIDs."""
        return sorted(self.exchange.items(folder), key=lambda i: (i["received"], i["num"]))

    def served(self):
        return sorted(on_disk(as_mail(self.exchange.mime(i["num"], served=True), self.kind.backend)) for i in self.items())

    def expunged(self):
        return self.items("recoverableitemsdeletions" if self.kind.backend == "ews" else "deleteditems")

    def same_over_imap(self):
        same(on_server(self.exchange, self.kind), over_imap(self.bridge.login("work")), "server and IMAP")


@pytest.fixture(params=(kinds.EWS, kinds.EAS_16), ids=str)
def place(request, stage):
    return Place(stage, request.param)


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    return path


def run(*command, code=0, **env):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=90, env=dict(os.environ, LC_ALL="C.UTF-8", **env))
    assert done.returncode == code, (done.returncode, done.stdout.decode("utf-8", "replace")[-3000:])
    return done.stdout.decode("utf-8", "replace")


def test_fetchmail(place, tmp_path):
    """It asks for the header of a message, then for its text, and deletes what it has got: the two must fit together also where
    the server makes MIME anew, with other boundaries than the message arrived with."""
    place.exchange.options(regenerate_mime=True)
    before = place.served()
    assert sum(b"multipart/" in m for m in before) > 3
    os.mkdir(tmp_path / "got")
    mda = write(tmp_path / "mda", f"#!/bin/sh\nexec cat >\"$(mktemp {tmp_path}/got/XXXXXX)\"\n", 0o700)
    config = write(tmp_path / "fetchmailrc", f"""poll localhost protocol imap port {place.bridge.port} auth password
    user work password {LOCAL_PASSWORD} ssl sslcertck sslcertfile {place.bridge.ca_file}
    fetchall no rewrite pass8bits mda {mda}
""")
    run("fetchmail", "-f", config, FETCHMAILHOME=str(tmp_path))
    got = [(tmp_path / "got" / name).read_bytes() for name in os.listdir(tmp_path / "got")]
    assert sorted(re.sub(rb"\AReceived:.*\n(?:[ \t].*\n)*", b"", m) for m in got) == before
    assert place.items() == [] and len(place.expunged()) == N
    place.same_over_imap()


def test_offlineimap(place, tmp_path):
    config = write(tmp_path / "offlineimaprc", f"""[general]
accounts = one
metadata = {tmp_path}/metadata
[Account one]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {tmp_path}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {place.bridge.port}
remoteuser = work
remotepass = {LOCAL_PASSWORD}
ssl = yes
sslcacertfile = {place.bridge.ca_file}
""")
    near = Maildir(tmp_path / "mail")
    run("offlineimap", "-c", config, "-o", "-u", "quiet", HOME=str(tmp_path))
    same(on_server(place.exchange, place.kind), in_maildirs(near), "server and Maildirs")

    unread, flagged, deleted, moved = near.files("INBOX")[:4]
    near.mark(unread, less="S")
    near.mark(flagged, more="FS")
    os.unlink(deleted)
    near.add("Drafts", mail("a draft"), "DS")
    if place.kind.append:
        near.move(moved, "Kept")
        near.add("INBOX", mail("new near"))
    place.exchange.change("update", num=place.items()[-1]["num"], flag=2)
    place.exchange.deliver(subject="new far")
    for _ in ("what was changed", "what it has put into folders that it had been to"):
        counting.settle(place.exchange, place.kind.backend)
        run("offlineimap", "-c", config, "-o", "-u", "quiet", HOME=str(tmp_path))
    same(on_server(place.exchange, place.kind), in_maildirs(near), "server and Maildirs")
    place.same_over_imap()
    assert len(place.items()) == N and len(place.items("drafts")) == 1 and len(place.items("Kept")) == place.kind.append
    assert len(place.expunged()) == 1 + place.kind.append


SORTING = """options.certificates = true
options.timeout = 60
work = IMAP {{ server = 'localhost', port = {port}, username = 'work', password = '{password}', ssl = 'auto' }}
all = work.INBOX:select_all()
function only(n)
    return Set {{ all[n] }}
end
print('many', #all, #work.INBOX:contain_from('a'), #work.INBOX:match_subject('.'))
print('flagged', only(1):mark_flagged())
print('keyword', only(2):add_flags({{ 'Own' }}))
print('moved', only(3):move_messages(work.Kept))
print('deleted', only(4):delete_messages())
print('made', work:create_mailbox('Made'), work:rename_mailbox('Made', 'Named'))
"""


def test_imapfilter(place, tmp_path):
    """It moves by copying and deleting, which goes over EWS; over EAS the message stays where it is, and its user is told."""
    first, second, third, fourth = [i["num"] for i in place.items()[:4]]
    script = write(tmp_path / "sort.lua", SORTING.format(port=place.bridge.port, password=LOCAL_PASSWORD))
    out = run("imapfilter", "-c", script, "-t", place.bridge.ca_file, HOME=str(tmp_path))
    told = {line.split("\t")[0]: line.split("\t")[1:] for line in out.splitlines() if "\t" in line}
    assert told["many"] == [str(N)] * 3 and told["flagged"] == told["keyword"] == told["deleted"] == ["true"], out
    now = {i["num"]: i for i in place.items()}
    assert now[first]["flag"] == 2 and now[second]["categories"][-1:] == ["Own"] and fourth not in now
    assert (third in now) != place.kind.copy and len(place.items("Kept")) == place.kind.copy
    assert place.kind.copy or "[CANNOT] Exchange ActiveSync cannot copy messages; they can be moved." in out
    assert "Named" in [f["path"] for f in place.exchange.folders()]
    place.same_over_imap()
