# SPDX-License-Identifier: Apache-2.0
"""The two that are compared: Debian's Dovecot and the bridge, both over plain TCP on loopback, both with the same mail."""
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("tests/clients", "tests/imap", "tests/exchange", "tests/exchange/judges"):
    sys.path.insert(0, os.path.join(ROOT, folder))

import bridge  # noqa: E402
import corpus  # noqa: E402
import davmail  # noqa: E402, F401
import dovecot  # noqa: E402
from wire import Wire  # noqa: E402


HEADERS = (  # what Thunderbird asks for
    "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To Received"
).split()
# Old mail is cached, too (Dovecot keeps of it what clients asked for within a week, which a bench cannot wait for).
CACHE_ALL = "flags date.sent date.received size.virtual size.physical imap.body imap.bodystructure imap.envelope mime.parts " + " ".join(
    "hdr." + name.lower() for name in (*HEADERS, "Sender")
)


class DovecotServer:
    """Its imap process behind a socket, as inetd would start it; a process a connection, as Dovecot does it."""

    name = "Dovecot"

    def __init__(self, count, mean, like):
        """like: [(flags, INTERNALDATE)] as the bridge tells them."""
        letters = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S"}
        source = corpus.corpus(1, mean, "mixed")
        newest = like[-1][1]
        messages = (source.mime(i, newest - (count - 1 - i) * 600) for i in range(count))
        self.rig = dovecot.Dovecot(
            messages,
            arrived=lambda number: like[number - 1][1],
            flags=lambda number: "".join(sorted(letters[f] for f in like[number - 1][0] if f in letters)),
        )
        with open(f"{self.rig.home}/dovecot.conf", "a", encoding="ascii") as file:
            file.write(f"mail_always_cache_fields = {CACHE_ALL}\n")
        self.processes = []
        for _ in range(4):  # the index is trusted only some time after the last change of the Maildir
            self.connect().close()
            time.sleep(1)

    def connect(self, select=True):
        for process in self.processes:  # it writes its index files when it ends
            process.wait()
        self.processes.clear()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            served, _ = listener.accept()
        served.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = self.rig.spawn(served, served, subprocess.DEVNULL)  # it tells of each connection's end
        served.close()
        self.processes.append(process)
        wire = Wire(client)
        wire.pid = process.pid
        if select:
            wire.timed("SELECT INBOX")
        return wire

    def deliver(self, number):
        """New mail, the way Maildir wants it. The moment it became visible."""
        path = f"{self.rig.home}/mail/tmp/{number}"
        with open(path, "wb") as file:
            file.write(b"Subject: news\r\n\r\nhello\r\n")
        os.chmod(path, 0o644)
        if os.geteuid() == 0:
            os.chown(path, os.stat(self.rig.home).st_uid, -1)
        moment = time.perf_counter()
        os.rename(path, f"{self.rig.home}/mail/new/{1_900_000_000 + number}.M{number}P1.test")
        return moment

    def close(self):
        for process in self.processes:
            process.terminate()
            process.wait()
        self.rig.close()


class BridgeServer:
    name = "exbridge"

    def __init__(self, rig, exchange, account):
        self.rig, self.exchange, self.account = rig, exchange, account

    def connect(self, select=True):
        wire = Wire(socket.create_connection(("127.0.0.1", self.rig.port)))
        wire.pid = self.rig.process.pid
        wire.timed(f'LOGIN "{self.account}" "{bridge.LOCAL_PASSWORD}"')
        if select:
            wire.timed("SELECT INBOX")
        return wire

    def deliver(self, number):
        moment = time.perf_counter()
        self.exchange.deliver(subject=f"news {number}")
        return moment

    def cached(self, table="message"):
        path = os.path.join(self.rig.account_dir(self.account, cache=True), "cache.db")
        if not os.path.exists(path):
            return 0
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
        finally:
            connection.close()

    def wait_cached(self, count, seconds, say=lambda text: None):
        """Prefetch is complete. The clock begins anew with every message."""
        last, end = -1, time.monotonic() + seconds
        while True:
            have = self.cached()
            if have >= count:
                return
            if have > last:
                last, end = have, time.monotonic() + seconds
                say(f"cached {have} of {count}")
            assert time.monotonic() < end, f"prefetch stands still at {have} of {count}\n{self.rig.tail()}"
            time.sleep(1)

    def flags_and_dates(self):
        """[(flags, INTERNALDATE as a number)] in the order of the mailbox."""
        wire = self.connect()
        answer = wire.answer("FETCH 1:* (FLAGS INTERNALDATE)").decode()
        wire.close()
        found = []
        for flags, date in re.findall(r"FETCH \(FLAGS \(([^)]*)\) INTERNALDATE \"([^\"]*)\"\)", answer):
            moment = time.strptime(date.strip(), "%d-%b-%Y %H:%M:%S +0000")
            found.append((flags.split(), int(time.mktime(moment) - time.timezone)))
        return found


def program_text():
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return commit.stdout.strip() or "no git"
