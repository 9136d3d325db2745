# SPDX-License-Identifier: Apache-2.0
"""Thunderbird in a real window, with an IMAP account over TLS for each kind of backend; one start for all tests.

It trusts the bridge's certification authority and nothing else; a certificate it doubts, or any dialog, fails a test.
A picture of each account's INBOX is left in the test's directory, and in $EXBRIDGE_SCREENSHOTS when that is set.
"""
import base64
import email
import email.policy
import re

import pytest

import screenshot
from bridge import LOCAL_PASSWORD, USER, Account, as_mail, poll
from smtptest import parse
from thunderbird import Thunderbird, imap_accounts, smtp_servers, trust

KINDS = ("ews", "eas")
CAN_WRITE = ("ews", "eas")
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
UNMARK = FIND + 'inbox().removeKeywordsFromMessages([find(arguments[1])], "$label1");'
MOVE = (
    FIND
    + """const to = server.rootFolder.descendants.find(f => f.name == arguments[2]);
return await new Promise(done => MailServices.copy.copyMessages(inbox(), [find(arguments[1])], to, true, {
    QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]), onStartCopy() {}, onProgress() {},
    setMessageKey() {}, getMessageId() {}, onStopCopy: status => done(status) }, window.msgWindow, false));"""
)
COPY = (
    FIND
    + """const to = server.rootFolder.descendants.find(f => f.name == arguments[2]);
MailServices.copy.copyMessages(inbox(), [find(arguments[1])], to, false, null, window.msgWindow, false);"""
)
COMPOSE = (
    FIND
    + """const identity = MailServices.accounts.getFirstIdentityForServer(server);
const drafts = () => server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Drafts);
const editor = async () => {
    let found;
    await until(30, () => (found = Services.wm.getMostRecentWindow("msgcompose")) && found.gLoadingComplete
        && found.gMsgCompose && found.gMsgCompose.editor && !found.gWindowLocked);
    return found;
};
const type = (composer, text) => {
    const typed = composer.gMsgCompose.editor;
    typed.endOfDocument();
    typed.insertText(text);
};
const closed = composer => until(60, () => composer.closed);
"""
)
WRITE = (
    COMPOSE
    + """const [, subject, text, command] = arguments;
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
Object.assign(fields, { from: identity.email, to: "bob@example.com", subject });
const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
Object.assign(params, { composeFields: fields, identity, format: Ci.nsIMsgCompFormat.PlainText, type: Ci.nsIMsgCompType.New });
MailServices.compose.OpenComposeWindowWithParams(null, params);
const composer = await editor();
type(composer, text);
composer.goDoCommand(command);
"""
)
SEND = WRITE + "return await closed(composer);"
SAVED = """await until(60, () => !composer.gWindowLocked && !composer.gSaveOperationInProgress
    && !composer.gMsgCompose.bodyModified && !composer.gContentChanged);
composer.close();
return await closed(composer);"""
SAVE = WRITE + SAVED
OPEN_DRAFT = (
    COMPOSE
    + """const draft = () => [...drafts().messages].filter(m => m.mime2DecodedSubject == arguments[1]);
drafts().updateFolder(window.msgWindow);
await until(60, () => draft().length == 1);
const [message] = draft();
MailServices.compose.OpenComposeWindow(null, message, drafts().getUriForMsg(message), Ci.nsIMsgCompType.Draft,
    Ci.nsIMsgCompFormat.Default, identity, identity.email, window.msgWindow);
const composer = await editor();
type(composer, arguments[2]);
composer.goDoCommand(arguments[3]);
"""
)
SAVE_AGAIN, SEND_DRAFT = OPEN_DRAFT + SAVED, OPEN_DRAFT + "return await closed(composer);"
DELETE = FIND + "inbox().deleteMessages([find(arguments[1])], window.msgWindow, false, true, null, false);"
WINDOWS = "return [...Services.wm.getEnumerator(null)].map(w => w.document.documentElement.getAttribute('windowtype'));"
EXCEPTIONS = """const store = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
return store.getOverrides().length;"""


class Bird(Thunderbird):
    bridge = None

    def waits(self, kind, before):
        """In IDLE, after all it asked since there were `before` commands. While it works off what it asked, it may hear
        of new mail and do nothing about it until it asks again."""
        return poll(60, lambda: re.search("NOOP|SELECT", (found := "\n".join(self.commands(kind)[before:])))
                    and found.endswith(": IDLE"), "it does not wait")

    def alert(self):
        """What a dialog says; None while there is none."""
        try:
            return self.marionette.call("WebDriver:GetAlertText")["value"]
        except RuntimeError:
            return None

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
    passwords = [(f"{protocol}://localhost", kind, LOCAL_PASSWORD) for kind in KINDS for protocol in ("imap", "smtp")]
    prefs = imap_accounts(bridge.port, KINDS) | smtp_servers(bridge.smtp_port, KINDS, USER)
    with Bird(folder, prefs, passwords, any_certificate=False) as running:
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
    first, other, third = exchange.deliver(subject="To change %d", count=3)
    open_inbox(bird, exchange, kind)

    def state(item):
        return next((i for i in inbox(exchange) if i["num"] == item["num"]), None)

    def changed():
        now = state(first)
        return now["read"] and now["flag"] == 2 and now["categories"]

    bird.js(MARK, kind, own_id(first))
    assert poll(60, changed) == ["Important"]
    bird.js(UNMARK, kind, own_id(first))
    poll(60, lambda: state(first)["categories"] == [])
    assert state(first)["read"] and state(first)["flag"] == 2
    bird.js(DELETE, kind, own_id(other))
    poll(60, lambda: state(other) is None)
    assert other["message_id"] in [i["message_id"] for i in exchange.items("deleteditems")]
    assert bird.js(MOVE, kind, own_id(third), "Harbour 2026") == 0
    assert state(third) is None
    assert [i["message_id"] for i in exchange.items("Inbox/Projects/Harbour 2026")].count(third["message_id"]) == 1


def test_a_refusal_is_shown(bird, exchange):
    """Exchange ActiveSync cannot copy: its user is told why, and the message is where it was."""
    [item] = exchange.deliver(subject="To copy")
    open_inbox(bird, exchange, "eas")
    there = exchange.items("Inbox/Projects/Harbour 2026")
    bird.js(COPY, "eas", own_id(item), "Harbour 2026")
    assert "Exchange ActiveSync cannot copy messages; they can be moved." in poll(60, bird.alert)
    bird.marionette.call("WebDriver:AcceptAlert")
    assert exchange.items("Inbox/Projects/Harbour 2026") == there
    assert [i["num"] for i in inbox(exchange)].count(item["num"]) == 1


def by_subject(exchange, folder, subject):
    return [i for i in exchange.items(folder, props=1) if i["subject"] == subject]


def submitted(exchange, subject):
    found = [parse(base64.b64decode(s["mime_b64"])) for s in exchange.submissions()]
    return [mail for mail in found if mail["Subject"] == subject]


@pytest.mark.parametrize("kind", CAN_WRITE)
def test_writes_and_sends(bird, exchange, kind):
    subject = f"Written over {kind}"
    open_inbox(bird, exchange, kind)
    assert bird.js(SEND, kind, subject, "Grüße vom Hafen.", "cmd_sendNow")
    [mail] = submitted(exchange, subject)
    assert mail["To"] == "bob@example.com" and mail.get_content().strip() == "Grüße vom Hafen."
    assert len(by_subject(exchange, "sentitems", subject)) == 1


@pytest.mark.parametrize("kind", CAN_WRITE)
def test_drafts(bird, exchange, kind):
    subject = f"Draft over {kind}"
    open_inbox(bird, exchange, kind)
    assert bird.js(SAVE, kind, subject, "One.", "cmd_saveAsDraft")
    [draft] = poll(60, lambda: by_subject(exchange, "drafts", subject))
    assert draft["draft"]
    assert bird.js(SAVE_AGAIN, kind, subject, " Two.", "cmd_saveAsDraft")
    poll(60, lambda: [d["num"] for d in by_subject(exchange, "drafts", subject)] not in ([], [draft["num"]]))
    poll(60, lambda: len(by_subject(exchange, "drafts", subject)) == 1)
    assert not submitted(exchange, subject)
    assert bird.js(SEND_DRAFT, kind, subject, " Three.", "cmd_sendNow")
    [mail] = submitted(exchange, subject)
    assert mail.get_content().split() == ["One.", "Two.", "Three."]
    assert len(by_subject(exchange, "sentitems", subject)) == 1
    poll(60, lambda: not by_subject(exchange, "drafts", subject))


@pytest.mark.parametrize("kind", CAN_WRITE)
def test_in_the_end_all_have_the_same(bird, exchange, kind):
    """The server, the bridge, and what Thunderbird shows."""
    shown = {m["id"]: m for m in open_inbox(bird, exchange, kind)}
    items = {own_id(i): i for i in inbox(exchange) if i["message_id"]}
    assert len(shown) == len(inbox(exchange)) and set(items) <= set(shown)
    assert {k: (m["read"], m["flagged"]) for k, m in shown.items() if k in items} == {
        k: (i["read"], i["flag"] == 2) for k, i in items.items()}
    imap = bird.bridge.login(kind)
    for name, folder in (("INBOX", "inbox"), ("Drafts", "drafts"), ("Sent Items", "sentitems"), ("Deleted Items", "deleteditems")):
        served = sorted(as_mail(exchange.mime(i["num"], served=True), kind) for i in exchange.items(folder))

        def seen():
            imap.open(name, "EXAMINE")
            return sorted(imap.bodies("1:*").values())

        poll(60, lambda: seen() == served, lambda: f"{name}: {seen()} is not {served}")  # the other account may have filed one just now
