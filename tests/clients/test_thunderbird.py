# SPDX-License-Identifier: Apache-2.0
"""Thunderbird in a real window, with an IMAP account over TLS for each kind of backend; one start for all tests.

It trusts the bridge's certification authority and nothing else; a certificate it doubts, or any dialog, fails a test.
A picture of each account's INBOX is left in the test's directory, and in $EXBRIDGE_SCREENSHOTS when that is set.
"""
import email
import email.policy
import re

import pytest

import screenshot
from bridge import LOCAL_PASSWORD, Account, as_mail, poll
from thunderbird import Thunderbird, imap_accounts, trust

KINDS = ("ews", "eas")
CAN_WRITE = ("ews",)
TEXT = "The harbour ledger closes on Friday."
FIND = """const server = MailServices.accounts.allServers.find(s => s.type == "imap" && s.username == arguments[0]);
const inbox = () => server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const until = async (seconds, look) => { const end = Date.now() + seconds * 1000;
    while (!look() && Date.now() < end) await sleep(50); return look(); };
const find = id => [...inbox().messages].find(m => m.messageId == id);
"""
FOLDERS = (
    FIND
    + """server.performExpand(window.msgWindow);
await until(30, inbox);
window.document.getElementById("tabmail").currentAbout3Pane.displayFolder(inbox().URI);
await until(30, () => server.rootFolder.descendants.length >= arguments[1]);
return server.rootFolder.descendants.map(f => [f.QueryInterface(Ci.nsIMsgImapMailFolder).onlineName, f.flags]);
"""
)
OPEN = (
    FIND
    + """const about = window.document.getElementById("tabmail").currentAbout3Pane;
about.displayFolder(inbox().URI);
inbox().updateFolder(window.msgWindow);
await until(60, () => [...inbox().messages].length == arguments[1] && about.gDBView
    && about.gDBView.viewFolder == inbox());
return [...inbox().messages].map(m => ({subject: m.mime2DecodedSubject, author: m.mime2DecodedAuthor, read: m.isRead,
    flagged: m.isFlagged, id: m.messageId, size: m.messageSize}));
"""
)
READ = (
    FIND
    + """const about = window.document.getElementById("tabmail").currentAbout3Pane;
await until(60, () => find(arguments[1]));
about.selectMessage(find(arguments[1]));
const shown = () => { const pane = about.messageBrowser.contentWindow.document.getElementById("messagepane");
    const body = pane && pane.contentDocument && pane.contentDocument.body; return body ? body.textContent : ""; };
await until(60, () => shown().includes(arguments[2]));
return shown();
"""
)
SOURCE = (
    FIND
    + """const uri = inbox().getUriForMsg(find(arguments[1]));
return await new Promise((done, fail) => {
    let text = "";
    const Stream = Components.Constructor("@mozilla.org/binaryinputstream;1", "nsIBinaryInputStream", "setInputStream");
    MailServices.messageServiceFromURI(uri).streamMessage(uri, {
        QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
        onStartRequest() {}, onStopRequest(_, status) { status ? fail("status " + status) : done(text); },
        onDataAvailable(_, stream, __, count) { text += new Stream(stream).readBytes(count); } },
        window.msgWindow, null, false, "", false);
});
"""
)
ARRIVES = FIND + "return await until(60, () => [...inbox().messages].some(m => m.mime2DecodedSubject == arguments[1]));"
MARK = (
    FIND
    + """inbox().markMessagesRead([find(arguments[1])], true);
inbox().markMessagesFlagged([find(arguments[1])], true);
inbox().addKeywordsToMessages([find(arguments[1])], "$label1");"""
)
DELETE = FIND + "inbox().deleteMessages([find(arguments[1])], window.msgWindow, false, true, null, false);"
WINDOWS = "return [...Services.wm.getEnumerator(null)].map(w => w.document.documentElement.getAttribute('windowtype'));"
EXCEPTIONS = """const store = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
return store.getOverrides().length;"""


class Bird(Thunderbird):
    bridge = None

    def waits(self, kind, before):
        """In IDLE, after all it asked since there were `before` commands. While it works off what it asked, it may hear
        of new mail and do nothing about it until it asks again."""
        return poll(30, lambda: re.search("NOOP|SELECT", (found := "\n".join(self.commands(kind)[before:])))
                    and found.endswith(": IDLE"), "it does not wait")

    def commands(self, kind):
        return self.bridge.log_lines(rf"imap\[{kind}\]: conn \d+: [A-Z ]+$")


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange("--demo", "120")


@pytest.fixture(scope="module")
def bird(module_stage, exchange, tmp_path_factory):
    bridge = module_stage.bridge(*[Account(kind, exchange, kind) for kind in KINDS])
    folder = str(tmp_path_factory.mktemp("thunderbird"))
    trust(folder, bridge.ca_file)
    passwords = [("imap://localhost", kind, LOCAL_PASSWORD) for kind in KINDS]
    with Bird(folder, imap_accounts(bridge.port, KINDS), passwords, any_certificate=False) as running:
        running.bridge = bridge
        yield running
        assert running.js(EXCEPTIONS) == 0


@pytest.fixture(autouse=True)
def no_dialog(bird):
    yield
    assert bird.js(WINDOWS) == ["mail:3pane"]


def inbox(exchange):
    return exchange.items("inbox")


def open_inbox(bird, exchange, kind):
    """The INBOX in the window; what it has."""
    bird.js(FOLDERS, kind, 1)
    return bird.js(OPEN, kind, len(inbox(exchange)))


def utf7(name):
    """Of IMAP's modified UTF-7 (RFC 3501 5.1.3)."""
    return re.sub("&([^-]*)-", lambda m: f"+{m[1].replace(',', '/')}-".encode().decode("utf-7") if m[1] else "&", name)


def own_id(item):
    return item["message_id"].strip("<>")


@pytest.mark.parametrize("kind", KINDS)
def test_folders(bird, exchange, kind):
    wanted = [f for f in exchange.folders() if f["class"] == "IPF.Note" and not f["hidden"]]
    shown = dict(bird.js(FOLDERS, kind, len(wanted)))
    assert len(shown) == len(wanted), shown
    names = {"INBOX", "INBOX/Projects/Harbour 2026", "INBOX/Größe & Änderung", 'a "quoted" name\\with*odd%signs'}
    assert names <= {utf7(name) for name in shown}, shown
    for name, use in (("INBOX", 0x1000), ("Drafts", 0x400), ("Sent Items", 0x200), ("Deleted Items", 0x100)):
        assert shown[name] & use, (name, hex(shown[name]))


@pytest.mark.parametrize("kind", KINDS)
def test_inbox_headers(bird, exchange, kind):
    shown = {m["id"]: m for m in open_inbox(bird, exchange, kind)}
    items = inbox(exchange)
    assert len(shown) == len(items)
    assert sum(m["read"] for m in shown.values()) == sum(i["read"] for i in items)
    assert sum(m["flagged"] for m in shown.values()) == sum(i["flag"] == 2 for i in items)
    known = [i for i in items if i["message_id"]]
    for item in known:
        raw = exchange.mime(item["num"], served=True)
        subject = email.message_from_bytes(raw, policy=email.policy.default)["Subject"] or ""
        mine = shown[own_id(item)]
        assert mine["size"] > 0 and mine["read"] == item["read"]
        if subject.isascii():
            assert mine["subject"].removeprefix("Re: ").strip() in str(subject)
    assert len(known) > len(items) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_new_mail_arrives_and_is_read(bird, exchange, kind, tmp_path):
    before = len(bird.commands(kind))
    open_inbox(bird, exchange, kind)
    bird.waits(kind, before)
    subject = f"Harbour ledger over {kind}"
    item = exchange.deliver(subject=subject, text=TEXT + "\n")[0]
    assert bird.js(ARRIVES, kind, subject), "by IDLE, without asking"
    assert TEXT in bird.js(READ, kind, own_id(item), TEXT)
    raw = bird.js(SOURCE, kind, own_id(item)).encode("latin-1")
    assert raw == as_mail(exchange.mime(item["num"], served=True), kind)
    picture = screenshot.take(bird.display, tmp_path / f"thunderbird-{kind}.png")
    assert screenshot.colours(picture) > 100


@pytest.mark.parametrize("kind", KINDS)
def test_large_message_is_whole(bird, exchange, kind):
    """The size that was told before is an estimate."""
    open_inbox(bird, exchange, kind)
    raws = [(own_id(i), exchange.mime(i["num"], served=True)) for i in inbox(exchange) if i["message_id"]]
    for own, raw in sorted(raws, key=lambda pair: -len(pair[1]))[:3]:
        assert bird.js(SOURCE, kind, own).encode("latin-1") == as_mail(raw, kind)


@pytest.mark.parametrize("kind", CAN_WRITE)
def test_changes_reach_the_server(bird, exchange, kind):
    first, other = exchange.deliver(subject="To change %d", count=2)
    open_inbox(bird, exchange, kind)

    def state(item):
        return next((i for i in inbox(exchange) if i["num"] == item["num"]), None)

    def changed():
        now = state(first)
        return now["read"] and now["flag"] == 2 and now["categories"]

    bird.js(MARK, kind, own_id(first))
    assert poll(30, changed) == ["Important"]
    bird.js(DELETE, kind, own_id(other))
    poll(30, lambda: state(other) is None)
    assert other["message_id"] in [i["message_id"] for i in exchange.items("deleteditems")]
