# SPDX-License-Identifier: Apache-2.0
"""The EAS backend against SOGo, a real EAS 14.1 server that somebody else wrote."""
import itertools
import os
import threading
import time

import pytest

from eas_client import EasClient
from easdriver import ANSWERED, FLAGGED, SEEN, Driver, content
from sogo import Sogo, missing

NAMES = itertools.count(1)


@pytest.fixture(scope="module")
def sogo():
    lacking = missing()
    if lacking:
        pytest.fail("SOGo rig: missing " + ", ".join(lacking))
    with Sogo() as rig:
        yield rig


@pytest.fixture
def user(sogo):
    name = f"easb{next(NAMES)}"
    sogo.add_user(name, "pässword")
    return name


@pytest.fixture
def driver(sogo, user, tmp_path):
    made = []

    def make(*args, url=None, password="pässword"):
        made.append(Driver(url or sogo.eas_url, tmp_path, *args, user=user, password=password, email=sogo.address(user)))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.stop()


def message(subject, body=b"Hello\r\n", extra=b""):
    head = f"From: Sender <sender@elsewhere.test>\r\nTo: user@example.test\r\nSubject: {subject}\r\n"
    head += f"Date: Mon, 05 Jan 2026 08:00:00 +0000\r\nMessage-ID: <{subject.replace(' ', '.')}@elsewhere.test>\r\n"
    return head.encode() + extra + b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body


def test_login_and_folders(sogo, user, driver):
    d = driver()
    assert "14.1" in d.login()["server"]
    sogo.create_folder(user, "Projects")
    first = d.folders()
    assert first["full"] and {"inbox", "sent", "trash", "drafts"} <= {f["use"] for f in first["list"]}
    assert next(f for f in first["list"] if f["use"] == "drafts")["hidden"]
    assert {"calendar", "tasks", "contacts"} <= {f["kind"] for f in first["list"]}
    assert d.folders(first["cursor"])["err"] == "none"
    sogo.rename_folder(user, "Projects", "Work")
    assert "Work" in {f["name"] for f in d.folders(first["cursor"])["list"]}


def test_wrong_password(driver):
    d = driver(password="wrong")
    assert d.login()["err"] == "auth"


def test_bytes_are_what_an_independent_client_gets(sogo, user, driver):
    mails = [message(f"Number {i}", "Grüße €\r\n".encode() * (1 + i * i)) for i in range(60)]
    mails.append(message("attached", b"x" * 76 + b"\r\n" * 3000))
    mails.append(message("long header", extra=b"X-Long: " + b"y" * 900 + b"\r\n" + b"".join(b"X-%d: z\r\n" % i for i in range(3000))))
    mails.append(message("trailing", b"blanks  \r\n.\r\n\r\n]]>\r\n\r\n"))
    mails.append(message("nothing", b""))
    uids = sogo.append(user, mails)
    d = driver()
    inbox = d.folder()
    items, last, _ = d.sync_all(inbox)
    assert sorted(int(i) for i in items) == uids
    assert not last["more"]
    client = EasClient(sogo.eas_url, user, "pässword")
    client.connect()
    theirs_inbox = client.folder(type="inbox").id
    client.sync_all(theirs_inbox)
    theirs = client.fetch(theirs_inbox, [str(u) for u in uids], True)
    client.close()
    got, end = d.fetch_all("message")
    assert end["err"] == "none" and len(got) == len(uids)
    for uid in uids:
        assert content(got[str(uid)]["content"]) == theirs[str(uid)]
        item = items[str(uid)]
        if "message" in item:
            assert content(item["message"]) == theirs[str(uid)]
        elif "header" in item:
            assert theirs[str(uid)].startswith(content(item["header"]))
            assert content(item["header"]).endswith(b"\r\n\r\n")
    assert sum("header" in i or "message" in i for i in items.values()) >= len(uids) - 1
    assert d.sync(inbox, last["cursor"])["list"] == []


def test_changes(sogo, user, driver):
    uids = sogo.append(user, [message(f"C{i}") for i in range(6)])
    d = driver()
    inbox = d.folder()
    items, last, _ = d.sync_all(inbox)
    assert all(i["flags"] == 0 and i["known"] & (SEEN | FLAGGED) == SEEN | FLAGGED for i in items.values())
    # SOGo says everything again with the next Sync after the first: an empty page is right, too
    cursor = d.sync(inbox, last["cursor"])["cursor"]

    def changed(expected):
        nonlocal cursor
        seen = {}
        for _ in range(4):
            page = d.sync(inbox, cursor)
            assert page["err"] == "none"
            cursor = page["cursor"]
            seen.update({int(i["id"]): i for i in page["list"]})
            if expected <= set(seen):
                return seen
        raise AssertionError(f"{expected} not in {seen}")

    sogo.set_flags(user, uids[0], "\\Seen")
    sogo.set_flags(user, uids[1], "\\Flagged")
    seen = changed({uids[0], uids[1]})
    assert seen[uids[0]]["flags"] & SEEN and seen[uids[1]]["flags"] & FLAGGED
    assert not any(i["content_changed"] for i in seen.values())
    sogo.set_flags(user, uids[0], "\\Seen", add=False)
    sogo.set_flags(user, uids[1], "\\Flagged", add=False)
    seen = changed({uids[0], uids[1]})
    assert seen[uids[0]]["known"] & SEEN and not seen[uids[0]]["flags"] & SEEN
    assert seen[uids[1]]["known"] & FLAGGED and not seen[uids[1]]["flags"] & FLAGGED
    sogo.delete(user, uids[2])
    sogo.move(user, uids[3], "INBOX", "Trash")
    seen = changed({uids[2], uids[3]})
    assert seen[uids[2]]["gone"] and seen[uids[3]]["gone"]


def test_push(sogo, user, driver):
    sogo.append(user, message("Old"))
    d = driver()
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    cursor = d.sync(inbox, last["cursor"])["cursor"]
    d.watch(inbox)
    timer = threading.Timer(0.5, sogo.deliver, (user, message("New")))
    timer.start()
    answer = d.wait("watch")
    assert answer["folders"] == [inbox]
    timer.join()
    assert [i["subject"] for i in d.sync(inbox, cursor)["list"]] == ["New"]


def test_missing_items_in_a_batch(sogo, user, driver):
    uids = sogo.append(user, [message(f"G{i}") for i in range(5)])
    d = driver()
    inbox = d.folder()
    d.sync_all(inbox)
    sogo.delete(user, uids[2])
    got, end = d.fetch(inbox, "message", *map(str, uids), timeout=90)
    assert end["err"] == "none"
    assert [got[str(u)]["err"] for u in uids] == ["none", "none", "not-found", "none", "none"]


def test_unknown_folder(driver):
    d = driver()
    d.folder()
    assert d.sync("mail%2Fnonsense")["err"] in ("not-found", "offline", "protocol")


def test_restart(sogo, user, driver):
    sogo.append(user, [message(f"R{i}") for i in range(5)])
    d = driver()
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    d.stop()
    uid = sogo.append(user, message("later"))[0]
    d = driver()
    page = d.sync(inbox, last["cursor"])
    assert [int(i["id"]) for i in page["list"]] == [uid]


def test_large_message_through_tls(sogo, user, driver):
    big = message("Large", (b"y" * 76 + b"\r\n") * 260_000)
    uid = sogo.append(user, big)[0]
    d = driver("--ca-file", sogo.ca_file, url=sogo.eas_tls_url)
    inbox = d.folder()
    items, _, _ = d.sync_all(inbox)
    assert "message" not in items[str(uid)] and "header" in items[str(uid)]
    got, _ = d.fetch(inbox, "message", str(uid))
    assert content(got[str(uid)]["content"]) == big


def test_empty_mailbox_and_a_watch_that_waits(sogo, user, driver):
    d = driver()
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    assert last["list"] == []
    d.watch(inbox)
    d.send("unwatch")
    sogo.append(user, message("first"))
    for _ in range(3):
        last = d.sync(inbox, last["cursor"])
        if last["list"]:
            break
    assert [i["subject"] for i in last["list"]] == ["first"]


# --- changing mail ------------------------------------------------------------------------------------------------------


def independent(sogo, user):
    """Another client's view of the inbox: {uid: (read, flagged)}, and the folder names."""
    client = EasClient(sogo.eas_url, user, "pässword")
    client.connect()
    items = client.sync_all(client.folder(type="inbox").id)
    names = {f.name for f in client.folders.values()}
    client.close()
    return {int(i): (e.value("Email:Read") == "1", e.value("Email:Flag/Status") == "2") for i, e in items.items()}, names


@pytest.fixture
def ready(sogo, user, driver):
    """(driver, inbox, uids of six messages)"""
    uids = sogo.append(user, [message(f"W{i}") for i in range(6)])
    d = driver()
    inbox = d.folder()
    _, last, _ = d.sync_all(inbox)
    assert d.sync(inbox, last["cursor"])["err"] == "none"
    return d, inbox, uids


def committed(d, folder):
    with open(f"{d.persist}/cursor.{folder}") as file:
        return file.read()


def pages(d, folder):
    """What the next pages tell, until there is nothing more."""
    told = {}
    for _ in range(4):
        page = d.sync(folder, committed(d, folder))
        assert page["err"] == "none" and not page["restarted"]
        told.update({i["id"]: i for i in page["list"]})
    return told


def test_flags_are_changed(sogo, user, ready):
    d, inbox, uids = ready
    a, b, c, *_ = map(str, uids)
    done = d.flag(inbox, {a: (SEEN, 0), b: (FLAGGED, 0), c: (SEEN | FLAGGED, 0)})
    assert [e["err"] for e in done["each"]] == ["none"] * 3, done
    assert sogo.uids(user, criteria="SEEN") == [uids[0], uids[2]]
    assert sogo.uids(user, criteria="FLAGGED") == [uids[1], uids[2]]
    assert independent(sogo, user)[0] == {u: (u in (uids[0], uids[2]), u in (uids[1], uids[2])) for u in uids}
    assert d.flag(inbox, {a: (0, SEEN), b: (0, FLAGGED)})["err"] == "none"
    assert sogo.uids(user, criteria="SEEN") == [uids[2]] and sogo.uids(user, criteria="FLAGGED") == [uids[2]]
    told = pages(d, inbox)
    assert not any(i["gone"] or i["content_changed"] for i in told.values())
    for number, item in told.items():
        assert item["flags"] & item["known"] & (SEEN | FLAGGED) in ((SEEN | FLAGGED,) if number == c else (0,))


def test_mail_is_deleted(sogo, user, ready):
    d, inbox, uids = ready
    done = d.remove(inbox, str(uids[0]), str(uids[1]))
    assert [e["err"] for e in done["each"]] == ["none", "none"], done
    assert d.remove(inbox, str(uids[2]), permanent=True)["err"] == "none"
    # SOGo copies to the trash either way, and marks the original \Deleted
    assert sogo.uids(user, criteria="UNDELETED") == uids[3:]
    assert len(sogo.uids(user, "Trash")) == 3
    assert set(independent(sogo, user)[0]) == set(uids[3:])
    # SOGo tells nothing of it; what the last request did is told by the backend itself
    assert {int(i) for i, item in pages(d, inbox).items() if item["gone"]} == {uids[2]}


def test_mail_is_moved(sogo, user, ready):
    d, inbox, uids = ready
    sogo.create_folder(user, "Kept")
    # from the list we have: SOGo forgets all sync states when the list is asked for from the start
    kept = next(f["id"] for f in d.folders(committed(d, ""))["list"] if f["name"] == "Kept")
    d.sync_all(kept)
    done = d.move(inbox, kept, str(uids[0]), str(uids[1]), "987654")
    assert [e["err"] for e in done["each"]] == ["none", "none", "not-found"], done
    assert [int(e["new_id"]) for e in done["each"][:2]] == sogo.uids(user, "Kept")
    assert [sogo.raw(user, u, "Kept").split(b"Subject: ")[1][:2] for u in sogo.uids(user, "Kept")] == [b"W0", b"W1"]
    assert set(independent(sogo, user)[0]) == set(uids[2:])
    assert {int(i) for i, item in pages(d, inbox).items() if item["gone"]} == set(uids[:2])
    assert {int(i) for i, item in pages(d, kept).items() if not item["gone"]} == set(sogo.uids(user, "Kept"))


def test_folders_are_changed(sogo, user, driver):
    d = driver()
    cursor = d.folders()["cursor"]
    made = d.create("Made here")
    assert made["err"] == "none", made
    below = d.create("Below", made["id"])
    assert below["err"] == "none", below
    assert {"Made here", "Below"} <= independent(sogo, user)[1]
    answer = d.folders(cursor)
    listed = {f["id"]: (f["name"], f["parent"]) for f in answer["list"]}
    assert listed[made["id"]] == ("Made here", "") and listed[below["id"]] == ("Below", made["id"])
    assert d.change_folder(below["id"], "Renamed", made["id"])["err"] == "none"
    answer = d.folders(answer["cursor"])
    assert answer["err"] == "none"
    assert {"Made here", "Renamed"} <= independent(sogo, user)[1]
    renamed = next(f for f in answer["list"] if f["name"] == "Renamed")
    assert renamed["parent"] == made["id"]
    assert d.delete_folder(renamed["id"])["err"] == "none"
    assert "Renamed" not in independent(sogo, user)[1]


def test_mail_is_sent(sogo, user, driver):
    d = driver()
    body = "Grüße\r\n.\r\n  ]]>\r\n".encode()
    out = message("Out", body).replace(b"sender@elsewhere.test", sogo.address(user).encode())
    out = out.replace(b"To: user@example.test", b"To: somebody@elsewhere.test")
    before = len(sogo.sent_outside())
    assert d.mail(out)["err"] == "none"
    sent = sogo.sent_outside()[before:]
    assert len(sent) == 1 and sent[0].replace(b"\r\n", b"\n").rstrip(b"\n").endswith(body.replace(b"\r\n", b"\n").rstrip())
    assert len(sogo.uids(user, "Sent")) == 1
    refused = out.replace(b"somebody@", b"reject@")
    assert d.mail(refused, "evidence-2")["err"] == "denied"
    assert len(sogo.sent_outside()) == before + 1


def test_the_original_is_marked(sogo, user, ready):
    d, inbox, uids = ready
    out = message("Re: W0").replace(b"To: user@example.test", b"To: somebody@elsewhere.test")
    assert d.mail(out, source=("reply", inbox, str(uids[0])))["err"] == "none"
    assert sogo.uids(user, criteria="ANSWERED") == [uids[0]]
    assert pages(d, inbox)[str(uids[0])]["flags"] & ANSWERED


def test_killed_before_the_answer(sogo, user, driver, tmp_path):
    """SOGo's keys do not count requests; what is repeated is the same change once more."""
    uids = sogo.append(user, [message(f"K{i}") for i in range(4)])
    d = driver()
    inbox = d.folder()
    d.sync_all(inbox)
    d.send("flag", inbox, *[f"{u},{FLAGGED},0" for u in uids])
    deadline = time.monotonic() + 60
    path = f"{d.persist}/eas.batch.{inbox}"
    while not os.path.exists(path):
        assert time.monotonic() < deadline
    d.kill()
    with open(path, "rb") as file:
        assert b"\nwire 1\n" in file.read()
    d = driver()
    told = pages(d, inbox)
    assert all(told[str(u)]["flags"] & FLAGGED for u in uids)
    assert sogo.uids(user, criteria="FLAGGED") == uids
