# SPDX-License-Identifier: Apache-2.0
"""The cache is deleted while the program runs, with the directories above it: whoever cleans up ~/.cache does no harm."""
import os

import kinds
from bridge import poll
from davtest import Dav, event
from smtptest import message, signed_in

BOB = "bob@example.com"
LARGE = ("0123456789" * 7 + "\r\n") * 20_000


def test_deleted_cache(stage):
    exchange = kinds.EWS.exchange(stage, "--corpus", "12", "--kinds", "small", "--big", "3000000")
    bridge = stage.bridge(kinds.EWS.account("work", exchange), dav=True)
    imap, smtp, dav = bridge.login("work"), signed_in(bridge), Dav(bridge)
    poll(60, lambda: imap.open()["exists"] == 13)
    calendar = dav.calendar()
    before = imap.bodies("1:*")
    assert len(before) == 13
    dav.put(f"{calendar}e0.ics", event("e0"))
    for _ in range(2):
        bridge.delete_cache()
        assert imap.bodies("1:*") == before and imap.uids() == sorted(before)
        bridge.delete_cache()
        mail = message("large", body=LARGE)
        imap.send(b"d1 APPEND Drafts {%d+}\r\n%s\r\n" % (len(mail), mail))
        status = imap.finish("d1")[0]
        assert status.startswith("OK"), status
        bridge.delete_cache()
        assert smtp.send([BOB], message("sent", body=LARGE))[0] == 250
        bridge.delete_cache()
        assert b"e0" in dav.get(f"{calendar}e0.ics").body
        assert dav.put(f"{calendar}e1.ics", event("e1")).status in (201, 204)
    assert poll(60, lambda: os.path.exists(os.path.join(bridge.account_dir("work", cache=True), "cache.db")))
    bridge.restart()
    mark = exchange.mark()
    again = bridge.login("work")
    again.open()
    assert again.bodies("1:*") == before and again.bodies("1:*") == before
    fetched = [e for e in exchange.log(since=mark) if e["op"] == "GetItem"]
    assert len(fetched) <= 14, len(fetched)  # kept again: the second time nobody asks the server
    dav.close()
