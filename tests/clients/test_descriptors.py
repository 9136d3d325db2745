# SPDX-License-Identifier: Apache-2.0
"""No file descriptor is left: what needs one is refused and told, nothing else suffers, and with the first free one all goes on."""
import os
import resource
import ssl

import imaptest
import kinds
import pytest
from bridge import poll
from smtptest import message


def limit(bridge, spare=None):
    """So many more than there are now; None: enough."""
    pid = bridge.process.pid
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    open_now = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard if spare is None else open_now + spare, hard))


def refused(bridge):
    try:
        bridge.connect()
    except (OSError, ssl.SSLError, imaptest.Closed):
        return True
    return False


@pytest.mark.parametrize("kind", [kinds.EWS, kinds.EAS_16], ids=str)
def test_descriptors(stage, kind):
    exchange = kind.exchange(stage, "--corpus", "30", "--kinds", "small", "--big", "3000000")
    bridge = stage.bridge(kind.account("work", exchange))
    imap = bridge.login("work")
    poll(60, lambda: imap.open("INBOX")["exists"] == 31)
    before = imap.uids()
    limit(bridge, spare=24)  # clients get none of the last ones
    for _ in range(20):
        assert refused(bridge)
    assert len(poll(60, lambda: bridge.log_lines("file descriptors run out"), "nobody is told")) == 1
    limit(bridge, spare=0)
    poll(60, lambda: refused(bridge))
    exchange.drop_connections()  # and what there was to the server is gone, too
    status = imap.run("UID FETCH 1:* (BODY.PEEK[])")[0]
    assert status.startswith(("OK", "NO")), status
    assert imap.run(r"UID STORE 1 +FLAGS (\Deleted)")[0].startswith("OK")  # kept here alone
    exchange.deliver(message("meanwhile"))
    imap.ok("NOOP")
    limit(bridge)
    again = poll(60, lambda: not refused(bridge) and bridge.login("work"))
    poll(90, lambda: again.open("INBOX")["exists"] == 32, lambda: bridge.tail())
    assert again.uids()[:31] == before and "\\Deleted" in again.flags()[1]
    assert len(poll(90, lambda: (s := again.run("UID FETCH 1:* (BODY.PEEK[])"))[0].startswith("OK") and s[1])) == 32
    bridge.kill()
    bridge.start()
    again = bridge.login("work")
    again.open("INBOX")
    assert again.uids()[:31] == before and not bridge.log_lines("damaged|begun anew")
