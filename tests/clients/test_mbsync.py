# SPDX-License-Identifier: Apache-2.0
"""mbsync pulls a mixed mailbox through the bridge, whose process is killed on the way: nothing lost, nothing twice."""
import collections

import pytest

import counting
from bridge import Account, as_mail, poll
from eas_client import EasClient, options_mime
from mbsync import Mbsync, on_disk
from sogo import Sogo

N = 2000
BIG = 30_000_000
KINDS = ("ews", "eas")


def compare(found, wanted):
    found, wanted = collections.Counter(found), collections.Counter(wanted)
    extra, missing = list((found - wanted).elements()), list((wanted - found).elements())
    assert not extra and not missing, (
        f"{len(extra)} too many, {len(missing)} missing; first: {[m[:300] for m in extra[:1]]} {[m[:300] for m in missing[:1]]}")


def pull_with_a_kill(bridge, mbsync, account, after):
    """mbsync until `after` messages are there, kill -9 of the bridge, restart, mbsync to the end. (UIDVALIDITY, {uid: id}) is
    looked at before and after; returns the UIDs."""
    process = mbsync.start()
    try:
        poll(300, lambda: len(mbsync.files()) >= after or process.poll() is not None, "mbsync gets nothing\n" + bridge.tail())
        assert process.poll() is None, process.communicate()[0]
        imap = bridge.login(account)
        before = imap.open("INBOX")
        uids = imap.uids()
        ids = imap.field("1:*", "EMAILID")
        bridge.kill()
        out, _ = process.communicate(timeout=60)
        assert process.returncode != 0, out
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert len(mbsync.files()) < len(uids)
    bridge.start()
    mbsync.run()
    imap = bridge.login(account)
    opened = imap.open("INBOX")
    assert (opened["uidvalidity"], opened["uidnext"]) == (before["uidvalidity"], before["uidnext"])
    assert imap.uids() == uids and imap.field("1:*", "EMAILID") == ids
    validity, far = mbsync.state()
    assert validity == opened["uidvalidity"] and sorted(far) == uids
    return uids


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_corpus_and_kill(stage, tmp_path, kind):
    exchange = stage.exchange("--corpus", N, "--kinds", "mixed", "--big", BIG)
    exchange.corpus(200, kinds="odd", seed=7, start=50_000)
    bridge = stage.bridge(Account("work", exchange, kind))
    mbsync = Mbsync(tmp_path / "mbsync", bridge, "work")
    total = N + 1 + 200
    uids = pull_with_a_kill(bridge, mbsync, "work", 700)
    assert len(uids) == total

    compare(mbsync.messages(), [on_disk(as_mail(exchange.mime(i["num"], served=True), kind)) for i in exchange.items()])
    bodies = [e for e in counting.entries(exchange, 0, kind) if counting.name(e) in counting.BODIES]
    assert len(bodies) <= total / 8, f"{len(bodies)} requests for {total} bodies"

    mark, before = counting.settle(exchange, kind), set(mbsync.files())
    mbsync.run()
    assert set(mbsync.files()) == before
    assert not [e for e in counting.entries(exchange, mark, kind) if counting.name(e) in counting.BODIES]


def test_sogo_and_kill(stage, tmp_path):
    from corpus import corpus

    source = corpus(5, 0, "mixed")
    odd = corpus(6, 0, "odd")
    mails = [source.mime(i, 1_767_600_000 + i) for i in range(240)] + [odd.mime(i, 1_767_700_000 + i) for i in range(60)]
    mails.insert(150, source.big(20_000_000, 1_767_650_000))
    with Sogo() as sogo:
        sogo.add_user("mona", "mona-canary-pw")
        sogo.append("mona", mails)
        bridge = stage.bridge(
            Account("work", None, "eas", url=sogo.eas_tls_url, user="mona", password="mona-canary-pw", ca_file=sogo.ca_file))
        mbsync = Mbsync(tmp_path / "mbsync", bridge, "work")
        uids = pull_with_a_kill(bridge, mbsync, "work", 60)
        assert len(uids) == len(mails)
        client = EasClient(sogo.eas_url, "mona", "mona-canary-pw", timeout=300)
        client.connect()
        inbox = client.folder(type="inbox").id
        ids = list(client.sync_all(inbox, options_mime(truncation=0)))
        served = client.fetch(inbox, ids)
        compare(mbsync.messages(), [on_disk(as_mail(data, "eas")) for data in served.values()])
        before = set(mbsync.files())
        mbsync.run()
        assert set(mbsync.files()) == before
        bridge.finish()
