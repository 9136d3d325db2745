# SPDX-License-Identifier: Apache-2.0
"""The SOGo rig works: an independent EAS client reads what the server holds, byte for byte, and sees changes."""

import itertools
import os
import re
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import sogo as sogo_rig
import sogo_proc
from eas_client import E, EasClient, EasError, options_mime

NAMES = itertools.count(1)


def message(subject, body="Hello\r\n", extra=""):
    head = f"From: Sender <sender@elsewhere.test>\r\nTo: user@example.test\r\nSubject: {subject}\r\n"
    head += f"Date: Mon, 05 Jan 2026 08:00:00 +0000\r\nMessage-ID: <{subject.replace(' ', '.')}@elsewhere.test>\r\n"
    return (head + extra + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body).encode()


@pytest.fixture
def user(sogo):
    name = f"user{next(NAMES)}"
    sogo.add_user(name, "pässword")
    return name


@pytest.fixture
def client(sogo, user):
    client = EasClient(sogo.eas_url, user, sogo.users[user])
    client.connect()
    yield client
    client.close()


def test_options(sogo, user):
    versions, commands = EasClient(sogo.eas_url, user, sogo.users[user]).options()
    assert {"12.1", "14.0", "14.1"} <= versions
    assert {"Sync", "FolderSync", "Ping", "ItemOperations", "MoveItems"} <= commands


def test_wrong_password_is_401(sogo, user):
    with pytest.raises(EasError) as e:
        EasClient(sogo.eas_url, user, "wrong").options()
    assert e.value.http == 401


def test_provision_has_no_policy(sogo, user):
    assert EasClient(sogo.eas_url, user, sogo.users[user]).provision() == "2"


def test_folders(sogo, user, client):
    types = {f.type for f in client.folders.values()}
    assert {2, 3, 4, 5, 7, 8, 9} <= types
    assert client.folder(type="inbox").parent == "0"
    sogo.create_folder(user, "Projects")
    client.folder_sync()
    assert client.folder("Projects").type == 12
    sogo.rename_folder(user, "Projects", "Work")
    client.folder_sync()
    assert client.folder("Work")
    sogo.delete_folder(user, "Work")
    client.folder_sync()
    assert "Work" not in {f.name for f in client.folders.values()}


def test_mime_is_what_the_server_holds(sogo, user, client):
    originals = [message(f"Number {i}", "Grüße €\r\n" * i) for i in range(12)]
    uids = sogo.append(user, originals)
    inbox = client.folder(type="inbox").id
    items = client.sync_all(inbox, window=5)
    assert sorted(int(i) for i in items) == uids
    for multipart in (False, True):
        fetched = client.fetch(inbox, list(items), multipart)
        assert [fetched[str(u)] for u in uids] == originals
    assert sogo.raw(user, uids[3]) == originals[3]


def test_header_fetch_is_truncated(sogo, user, client):
    sogo.append(user, message("Long", "0123456789abcdef\r\n" * 4000))
    inbox = client.folder(type="inbox").id
    (item,) = client.sync_all(inbox, options_mime(truncation=4096)).values()
    body = item.get("AirSyncBase:Body")
    assert body.value("Truncated") == "1"
    assert b"\r\n\r\n" in body.get("Data").bytes and len(body.get("Data").bytes) <= 4096


def test_large_message(sogo, user, client):
    big = message("Large", "x" * 76 + "\r\n")
    big += (b"y" * 76 + b"\r\n") * 130000
    uid = sogo.append(user, big)[0]
    inbox = client.folder(type="inbox").id
    client.sync_all(inbox)
    assert client.fetch(inbox, [str(uid)])[str(uid)] == big


def test_changes_on_the_server(sogo, user, client):
    uids = sogo.append(user, [message(f"M{i}") for i in range(3)])
    inbox = client.folder(type="inbox").id
    items = client.sync_all(inbox)
    assert items[str(uids[0])].value("Email:Read") == "0"
    sogo.set_flags(user, uids[0], "\\Seen")
    sogo.set_flags(user, uids[1], "\\Flagged")
    sogo.delete(user, uids[2])
    items = client.sync_all(inbox, items=items)
    assert sorted(items) == sorted(str(u) for u in uids[:2])
    assert items[str(uids[0])].value("Email:Read") == "1"
    assert items[str(uids[1])].value("Email:Flag/Status") == "2"


def test_changes_by_the_client(sogo, user, client):
    uid = sogo.append(user, message("Mine"))[0]
    inbox = client.folder(type="inbox").id
    client.sync_all(inbox)
    assert client.change(inbox, str(uid), E("Email:Read", 1)) in (None, "1")
    assert sogo.uids(user, criteria="SEEN") == [uid]
    sogo.create_folder(user, "Target")
    client.folder_sync()
    new = client.move(str(uid), inbox, client.folder("Target").id)
    assert sogo.uids(user, "Target") == [int(new)]


def test_ping_tells_of_delivered_mail(sogo, user, client):
    sogo.append(user, message("Old"))
    inbox = client.folder(type="inbox").id
    client.sync_all(inbox)
    timer = threading.Timer(0.5, sogo.deliver, (user, message("New")))
    timer.start()
    before = time.monotonic()
    assert client.ping(60, [inbox]) == ("2", [inbox])
    assert time.monotonic() - before < 50
    timer.join()
    subjects = {item.value("Email:Subject") for item in client.sync_all(inbox, items={}).values()}
    assert subjects == {"New"}


def test_sent_mail_reaches_others_and_the_outside(sogo, user, client):
    sogo.add_user("recipient", "x")
    text = message("Out").replace(b"To: user@", b"To: someone@outside.test, recipient@")
    client.send_mail(text)
    assert sogo.uids(user, "Sent") and sogo.uids("recipient")
    (copy,) = [m for m in sogo.sent_outside() if b"Subject: Out" in m]
    assert b"X-Envelope-To: someone@outside.test" in copy
    with pytest.raises(EasError) as e:
        client.send_mail(message("Refused").replace(b"To: user@", b"To: nobody@"))
    assert e.value.status == "120"


def test_tls_front(sogo, user):
    client = EasClient(sogo.eas_tls_url, user, sogo.users[user], ca_file=sogo.ca_file)
    client.connect()
    assert client.folder(type="inbox")


def test_restart_keeps_everything_and_stop_leaves_nothing(tmp_path_factory):
    lacking = sogo_rig.missing()
    if lacking:
        pytest.fail("missing " + ", ".join(lacking))
    rig = sogo_rig.Sogo({"carol": "pw"}, workers=2)
    rig.temporary = False
    try:
        with rig:
            rig.append("carol", message("Kept"))
        with rig:
            client = EasClient(rig.eas_url, "carol", "pw")
            client.connect()
            items = client.sync_all(client.folder(type="inbox").id)
            assert [i.value("Email:Subject") for i in items.values()] == ["Kept"]
    finally:
        rig.temporary = True
        rig.stop()
    assert not os.path.exists(rig.dir)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert rig.dir not in listed


def test_the_rig_ends_with_the_process_that_started_it(tmp_path):
    if sogo_rig.missing():
        pytest.fail("SOGo rig incomplete")
    script = "import sys; sys.path.insert(0, sys.argv[1]); from sogo import Sogo; r = Sogo({'c': 'p'}, workers=2)"
    script += "; r.start(); print(r.dir, flush=True); import os; os.kill(os.getpid(), 9)"
    done = subprocess.run(
        ["/usr/bin/python3", "-c", script, os.path.dirname(os.path.abspath(__file__))], capture_output=True, text=True
    )
    directory = done.stdout.strip()
    assert re.fullmatch(r"/\S+", directory), done.stderr

    def gone():
        return directory not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout

    sogo_proc.poll_until(gone, 20, "processes of the rig are left")
    subprocess.run(["rm", "-r", directory], check=True)
