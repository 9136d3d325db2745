# SPDX-License-Identifier: Apache-2.0
"""Judge: Thunderbird's own Exchange (EWS) account reads the stand-in's mailbox in a real window."""
import email

import pytest

import judge_mailbox
from standin import PASSWORD, USER
from thunderbird import Thunderbird, ews_account

FIND = """const server = MailServices.accounts.allServers.find(s => s.type == "ews");
const find = path => path.split("\\u0000").reduce((at, name) => at && at.subFolders.find(f => f.name == name),
                                                  server.rootFolder);
"""
EXPAND = (
    FIND
    + """server.performExpand(window.msgWindow);
const end = Date.now() + 60000;
while (Date.now() < end && server.rootFolder.descendants.length < arguments[0]) await sleep(100);
return server.rootFolder.descendants.map(f => {
    const names = []; for (let at = f; at && !at.isServer; at = at.parent)
        names.unshift(at.name); return names.join("/"); });
"""
)
UPDATE = (
    FIND
    + """const folder = find(arguments[0]), wanted = arguments[1];
const end = Date.now() + 60000;
folder.updateFolder(window.msgWindow);
while (Date.now() < end && [...folder.messages].length != wanted) await sleep(100);
await sleep(300);
return [...folder.messages].map(m => ({subject: m.mime2DecodedSubject, author: m.mime2DecodedAuthor, read: m.isRead,
    flagged: m.isFlagged, id: m.messageId, date: m.dateInSeconds}));
"""
)
SOURCE = (
    FIND
    + """const folder = find(arguments[0]);
const message = [...folder.messages].find(m => m.messageId == arguments[1]);
const uri = folder.getUriForMsg(message);
return await new Promise((done, fail) => {
    let text = "";
    const scriptable = Components.Constructor("@mozilla.org/binaryinputstream;1",
        "nsIBinaryInputStream", "setInputStream");
    MailServices.messageServiceFromURI(uri).streamMessage(uri, {
        QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
        onStartRequest() {}, onStopRequest(_, status) { status ? fail("status " + status) : done(text); },
        onDataAvailable(_, stream, __, count) { text += new scriptable(stream).readBytes(count); } },
        window.msgWindow, null, false, "", false);
});
"""
)


@pytest.fixture(scope="module")
def exchange():
    with judge_mailbox.start() as server:
        yield server
        assert server.violations() == []


@pytest.fixture(scope="module")
def bird(exchange, tmp_path_factory):
    with Thunderbird(
        str(tmp_path_factory.mktemp("thunderbird")),
        ews_account(exchange.url, USER),
        [("ews://127.0.0.1", USER, PASSWORD)],
    ) as running:
        yield running


def visible(exchange):
    """Mail folders as Thunderbird lists them."""
    return sorted(f["path"] for f in exchange.folders() if f["class"] == "IPF.Note")


def test_folders(bird, exchange):
    wanted = visible(exchange)
    assert sorted(bird.js(EXPAND, len(wanted))) == wanted


def test_messages_of_every_folder(bird, exchange):
    names = {f["num"]: f for f in exchange.folders()}
    for folder in exchange.folders():
        if folder["class"] != "IPF.Note" or folder["hidden"]:
            continue
        chain, at = [], folder
        while at:
            chain.insert(0, at["name"])
            at = names.get(at["parent"])
        shown = bird.js(UPDATE, "\0".join(chain), folder["total"])
        assert len(shown) == folder["total"], folder["path"]
        items = exchange.items(folder["num"])
        assert sum(m["read"] for m in shown) == sum(i["read"] for i in items)
        assert sum(m["flagged"] for m in shown) == sum(i["flag"] == 2 for i in items)


def test_subjects(bird, exchange):
    shown = bird.js(UPDATE, "Inbox", len(exchange.items()))
    newest = max(shown, key=lambda m: m["date"])
    assert newest["subject"] == judge_mailbox.SUBJECT
    assert newest["author"].replace('"', "") == "Jörg Weiß <joerg@contoso.example>" and not newest["read"]
    stripped = sorted(s.removeprefix("Re: ") for s in judge_mailbox.subjects(exchange))
    assert sorted(m["subject"].removeprefix("Re: ") for m in shown) == stripped


def test_body_as_delivered(bird, exchange):
    newest = exchange.items()[-1]
    raw = bird.js(SOURCE, "Inbox", newest["message_id"].strip("<>")).encode("latin-1")
    assert raw == exchange.mime(newest["num"])
    assert "Zażółć gęślą jaźń" in email.message_from_bytes(raw).get_payload(decode=True).decode("utf-8")


def test_new_mail(bird, exchange):
    exchange.deliver(subject=judge_mailbox.NEW_SUBJECT)
    shown = bird.js(UPDATE, "Inbox", len(exchange.items()))
    assert judge_mailbox.NEW_SUBJECT in [m["subject"] for m in shown]


def test_change_on_the_server(bird, exchange):
    item = exchange.items()[0]
    exchange.change("update", num=item["num"], read=not item["read"])
    gone = exchange.items()[1]
    exchange.change("delete", num=gone["num"])
    shown = {m["id"]: m for m in bird.js(UPDATE, "Inbox", len(exchange.items()))}
    assert shown[item["message_id"].strip("<>")]["read"] is not item["read"]
    assert gone["message_id"].strip("<>") not in shown


def test_mark_read_from_thunderbird(bird, exchange):
    item = next(i for i in exchange.items() if not i["read"])
    bird.js(
        FIND
        + """const folder = find("Inbox");
        folder.markMessagesRead([[...folder.messages].find(m => m.messageId == arguments[0])], true);""",
        item["message_id"].strip("<>"),
    )
    assert judge_mailbox.poll(60, lambda: next(i for i in exchange.items() if i["num"] == item["num"])["read"])
