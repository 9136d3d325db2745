# SPDX-License-Identifier: Apache-2.0
"""The main job, over EWS and EAS: sign in, list folders, read mail. Everything else builds on it."""
import email
import re

import pytest

from bridge import LOCAL_PASSWORD, Account, as_mail, literal

KINDS = ("ews", "eas")


@pytest.fixture(scope="module")
def exchange(module_stage):
    return module_stage.exchange("--demo", "120")


@pytest.fixture(scope="module")
def bridge(module_stage, exchange):
    return module_stage.bridge(*[Account(kind, exchange, kind) for kind in KINDS])


@pytest.mark.parametrize("kind", KINDS)
def test_folders_have_names_and_uses(bridge, exchange, kind):
    imap = bridge.login(kind)
    lines = b"\n".join(imap.ok('LIST "" "*" RETURN (SPECIAL-USE)')).decode()
    assert '"/" INBOX' in lines or '"/" "INBOX"' in lines
    for use in ("Sent", "Trash", "Drafts"):
        assert re.search(rf"\\{use}\b", lines), lines
    names = imap.ok('LIST "" "*"')
    wanted = [f for f in exchange.folders() if f["class"] == "IPF.Note" and not f["hidden"]]
    assert len([n for n in names if n.startswith(b"* LIST")]) >= len(wanted) - 1
    assert "Clients_x002F_Suppliers/Contoso" in lines


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_once_with_its_bytes(bridge, exchange, kind):
    imap = bridge.login(kind)
    opened = imap.open("INBOX")
    items = exchange.items("inbox")
    assert opened["exists"] == len(items)
    bodies = imap.bodies("1:*")
    assert sorted(bodies) == sorted(imap.uids())
    served = sorted(as_mail(exchange.mime(i["num"], served=True), kind) for i in items)
    assert sorted(bodies.values()) == served
    sizes = {uid: int(re.search(rb"RFC822.SIZE (\d+)", line).group(1))
             for uid, line in imap.fetch("1:*", "(RFC822.SIZE)")}
    assert all(sizes[uid] >= len(body) for uid, body in bodies.items())


@pytest.mark.parametrize("kind", KINDS)
def test_uids_in_received_order_with_flags(bridge, exchange, kind):
    imap = bridge.login(kind)
    imap.open("INBOX", "EXAMINE")
    items = sorted(exchange.items("inbox"), key=lambda i: i["received"])
    ids = []
    for _, line in imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
        ids.append(email.message_from_bytes(literal(line)).get("Message-ID"))
    assert [i for i in ids if i] == [i["message_id"] for i in items if i["message_id"]]
    flags = imap.flags()
    assert sum("\\Seen" in f for f in flags.values()) == sum(i["read"] for i in items)
    assert sum("\\Flagged" in f for f in flags.values()) == sum(i["flag"] == 2 for i in items)


@pytest.mark.parametrize("kind", KINDS)
def test_looking_changes_nothing(bridge, exchange, kind):
    """EXAMINE, BODY.PEEK; and where a mailbox cannot be changed, it is said at once (RFC 9051 6.3.2) and kept."""
    imap = bridge.login(kind)
    assert "READ-ONLY" in imap.open("INBOX", "EXAMINE")["status"]
    uid = next(u for u, f in imap.flags().items() if "\\Seen" not in f)
    imap.ok(f"UID FETCH {uid} (BODY[])")
    opened = imap.open("INBOX")
    imap.ok(f"UID FETCH {uid} (BODY.PEEK[])")
    assert "\\Seen" not in imap.flags(str(uid))[uid]
    if "READ-ONLY" in opened["status"]:
        assert any("PERMANENTFLAGS ()" in line for line in opened["lines"])
        imap.no(f"UID STORE {uid} +FLAGS (\\Seen)", "CANNOT")


def test_wrong_password_is_refused_and_told_so(bridge):
    imap = bridge.connect()
    imap.no('LOGIN ews "wrong"', "AUTHENTICATIONFAILED")
    imap.no('LOGIN nobody "wrong"', "AUTHENTICATIONFAILED")
    imap.ok(f'LOGIN ews@bridge.test "{LOCAL_PASSWORD}"')


def test_other_accounts_are_not_seen(bridge):
    one, two = bridge.login("ews"), bridge.login("eas")
    one.open("INBOX")
    two.open("INBOX")
    assert one.field("1", "EMAILID") != two.field("1", "EMAILID")


@pytest.fixture(scope="module")
def rewriting(module_stage):
    """Servers that make MIME anew, with other boundaries than the message arrived with; {kind: (server, session)}."""
    found = {}
    for kind in KINDS:
        exchange = module_stage.exchange("--corpus", "24", "--kinds", "mixed", "--seed", "5")
        exchange.options(regenerate_mime=True, volatile_mime=True)
        found[kind] = exchange, Account(kind, exchange, kind)
    bridge = module_stage.bridge(*[account for _, account in found.values()], name="rewriting")
    return {kind: (exchange, bridge.login(kind)) for kind, (exchange, _) in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_header_and_text_fit_together(rewriting, kind):
    """fetchmail, mailutils and c-client take the header block of one message, then its text, and put the two together."""
    _, imap = rewriting[kind]
    imap.open("INBOX", "EXAMINE")
    multiparts = [uid for uid, head in imap.bodies("1:*", "BODY.PEEK[HEADER]").items() if b"multipart/" in head]
    assert len(multiparts) > 5
    for uid in multiparts[1:]:
        head, text, both = (literal(imap.fetch(uid, f"({item})")[0][1]) for item in ("RFC822.HEADER", "BODY.PEEK[TEXT]", "BODY.PEEK[]"))
        assert head + text == both
