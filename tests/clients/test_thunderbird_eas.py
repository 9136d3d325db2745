# SPDX-License-Identifier: Apache-2.0
"""Thunderbird changes and sends mail over EAS 14.1, on the stand-in and on SOGo; one start for both."""
import base64

import kinds
import pytest
from bridge import LOCAL_PASSWORD, USER, poll
from smtptest import parse
from sogo import Sogo
from test_thunderbird import DELETE, FIND, FOLDERS, MARK, MOVE, OPEN, SEND, UNMARK, WINDOWS, Bird
from test_two_way import mail, on_server, over_imap, same
from test_writing_sogo import User
from thunderbird import imap_accounts, smtp_servers, trust

SUBJECTS = ("To mark", "To delete", "To move")
TAGS = FIND + 'return find(arguments[1]).getStringProperty("keywords");'


class OnStandin:
    name, sent, trash = "old", "Sent Items", "Deleted Items"

    def __init__(self, stage):
        self.exchange = kinds.EAS_14.exchange(stage)
        self.exchange.folder("create", name="Kept")
        for subject in SUBJECTS:
            self.exchange.deliver(mail(subject).replace(b"\n", b"\r\n"))
        self.account = kinds.EAS_14.account(self.name, self.exchange)

    def on_server(self):
        return on_server(self.exchange, kinds.EAS_14)

    def submitted(self):
        return [parse(base64.b64decode(s["mime_b64"])) for s in self.exchange.submissions()]


class OnSogo(User):
    name, sent, trash = "sogo", "Sent", "Trash"

    def __init__(self, sogo):
        super().__init__(sogo, SUBJECTS, self.name)

    def submitted(self):
        return [parse(data) for data in self.sogo.sent_outside()]


@pytest.fixture(scope="module")
def servers(module_stage):
    with Sogo() as sogo:
        yield {server.name: server for server in (OnStandin(module_stage), OnSogo(sogo))}


@pytest.fixture(scope="module")
def bird(module_stage, servers, tmp_path_factory):
    bridge = module_stage.bridge(*[server.account for server in servers.values()])
    folder = str(tmp_path_factory.mktemp("thunderbird"))
    trust(folder, bridge.ca_file)
    passwords = [(f"{protocol}://localhost", name, LOCAL_PASSWORD) for name in servers for protocol in ("imap", "smtp")]
    prefs = imap_accounts(bridge.port, list(servers)) | smtp_servers(bridge.smtp_port, list(servers), USER)
    with Bird(folder, prefs, passwords, any_certificate=False) as running:
        running.bridge = bridge
        yield running
    bridge.finish()  # before SOGo goes


@pytest.mark.parametrize("name", ["old", "sogo"])
def test_changes_and_sends(bird, servers, name):
    server = servers[name]
    marked, deleted, moved = (f"{subject.replace(' ', '-')}@near.test" for subject in SUBJECTS)

    def folder(which):
        return {s: m for m in server.on_server()[which] for s in SUBJECTS if f"Subject: {s}\n".encode() in m.data}

    bird.js(FOLDERS, name, len(server.on_server()))
    assert len(bird.js(OPEN, name, len(SUBJECTS))) == len(SUBJECTS)
    bird.js(MARK, name, marked)
    poll(60, lambda: (m := folder("INBOX")["To mark"]).seen and m.flagged)
    poll(60, lambda: "$label1" in bird.js(TAGS, name, marked))
    bird.js(UNMARK, name, marked)
    bird.js(DELETE, name, deleted)
    poll(60, lambda: "To delete" in folder(server.trash) and "To delete" not in folder("INBOX"))
    assert bird.js(MOVE, name, moved, "Kept") == 0
    assert "To move" in folder("Kept") and "To move" not in folder("INBOX")
    assert bird.js(SEND, name, f"Sent over {name}", "Grüße vom Hafen.", "cmd_sendNow")
    [out] = [m for m in server.submitted() if m["Subject"] == f"Sent over {name}"]
    assert out["To"] == "bob@example.com" and out.get_content().strip() == "Grüße vom Hafen."
    assert len(server.on_server()[server.sent]) == 1
    assert bird.js(WINDOWS) == ["mail:3pane"]
    same(server.on_server(), over_imap(bird.bridge.login(name)), "server and IMAP")
    [shown] = bird.js(OPEN, name, 1)
    assert (shown["id"], shown["read"], shown["flagged"]) == (marked, True, True)
