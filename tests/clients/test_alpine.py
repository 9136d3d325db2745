# SPDX-License-Identifier: Apache-2.0
"""Alpine in a terminal, over EWS and over EAS: it lists, reads, flags, saves, deletes, sends, and the server has it so."""
import kinds
import pytest
from bridge import LOCAL_PASSWORD, poll
from screen import Screen
from test_two_way import on_server, over_imap, same

CONFIG = """inbox-path={{localhost:{bridge.port}/ssl/user=work}}INBOX
folder-collections=Exchange {{localhost:{bridge.port}/ssl/user=work}}[]
smtp-server=localhost:{bridge.smtp_port}/ssl/user=work
default-fcc={{localhost:{bridge.port}/ssl/user=work}}Sent Items
postponed-folder={{localhost:{bridge.port}/ssl/user=work}}Drafts
personal-name=Alice
user-domain=example.com
customized-hdrs=From: Alice <alice@example.com>
feature-list=allow-changing-from,enable-flag-cmd,quit-without-confirm,expunge-without-confirm
last-version-used=9.99
"""


class Alpine(Screen):
    def __init__(self, directory, bridge):
        path = directory / "pinerc"
        path.write_text(CONFIG.format(bridge=bridge))
        super().__init__(directory, ["alpine", "-p", str(path), "-i"], {"SSL_CERT_FILE": bridge.ca_file})
        self.password()

    def password(self):
        self.wait("ENTER PASSWORD")
        self.paste(LOCAL_PASSWORD)
        self.keys("Enter")
        self.wait("Preserve password")
        self.keys("n")


@pytest.mark.parametrize("kind", (kinds.EWS, kinds.EAS_16), ids=str)
def test_alpine(stage, tmp_path, kind):
    exchange = kind.exchange(stage)
    exchange.folder("create", name="Kept")
    words = ("one", "two", "three", "four")
    nums = [exchange.deliver(subject=f"number {word}", text=f"This is {word}.")[0]["num"] for word in words]
    bridge = stage.bridge(kind.account("work", exchange))
    with Alpine(tmp_path, bridge) as alpine:
        alpine.wait("(?s)number one.*number four")
        alpine.keys("Home")
        alpine.wait("Message 1 of 4")
        alpine.keys("Enter")
        alpine.wait("This is one")
        alpine.keys("s")
        alpine.wait("SAVE Msg #1 to folder")
        alpine.keys("C-u")
        alpine.type("Kept")
        alpine.keys("Enter")
        if kind.copy:
            poll(60, lambda: len(exchange.items("Kept")) == 1)
        else:
            alpine.wait("ActiveSync cannot copy messages")
        alpine.keys("n")
        alpine.wait("This is two")
        alpine.keys("d")
        alpine.wait("This is three")
        alpine.keys("*")
        alpine.wait("Flag New, Deleted")
        alpine.keys("*")
        alpine.keys("<")
        alpine.wait(r"\* +3 .*number three")
        alpine.keys("x")
        poll(60, lambda: {i["num"] for i in exchange.items("inbox")} == set(nums[2 if kind.copy else 0:]) - {nums[1]})
        assert [i["flag"] for i in exchange.items("inbox") if i["num"] == nums[2]] == [2]
        assert len(exchange.items("Kept")) == kind.copy

        alpine.keys("c")
        alpine.wait("^To +:")
        alpine.type("bob@example.com")
        for _ in range(3):
            alpine.keys("Down")
        alpine.type("from alpine")
        alpine.keys("Down")
        alpine.type("Gruesse.")
        alpine.wait("Gruesse")
        alpine.keys("C-x")
        alpine.wait("Send message")
        alpine.keys("y")
        alpine.password()
        alpine.wait(r'Writing Fcc +DONE|sent and copied to ".*Sent Items"')
        alpine.keys("q")
        assert alpine.status() == 0
    [sent] = exchange.submissions()
    assert sent["recipients"] == ["bob@example.com"]
    assert [i["message_id"] for i in exchange.items("sentitems")] == [sent["message_id"]]
    same(on_server(exchange, kind), over_imap(bridge.login("work")), "server and IMAP")
