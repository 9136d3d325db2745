#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""SOGo with ActiveSync as a real EAS 14.1 server on loopback, from Debian packages, without touching the system.

Runs PostgreSQL, memcached, Dovecot, sogod and one helper process (sogo_side.py), all as an unprivileged user, with all
files in one private directory.  From a test:

    with Sogo(users={"alice": "secret"}) as sogo:
        sogo.deliver("alice", b"From: ...")
        client = EasClient(sogo.eas_url, "alice", "secret")

By hand: `sogo.py start --dir /tmp/sogo`, `sogo.py stop --dir /tmp/sogo`.
"""

import argparse
import base64
import glob
import grp
import http.client
import imaplib
import json
import mailbox
import os
import pwd
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import sogo_conf
import sogo_proc
from sogo_proc import poll_until

HERE = os.path.dirname(os.path.abspath(__file__))
EAS_PATH = "/SOGo/Microsoft-Server-ActiveSync"
PORT_NAMES = ("http", "imap", "shim", "lmtp", "smtp", "pg", "tls")
START_S = 60
PACKAGES = "sogo sogo-activesync postgresql-15 memcached dovecot-imapd dovecot-lmtpd python3-aiosmtpd openssl"


def missing():
    """Names of programs the rig needs and does not find; empty when it can run."""
    found = {
        "sogod": os.path.exists("/usr/sbin/sogod"),
        "sogo-activesync": bool(glob.glob("/usr/lib/GNUstep/SOGo/ActiveSync.SOGo")),
        "postgres": bool(postgres_bin()),
        "memcached": bool(shutil.which("memcached")),
        "dovecot": os.path.exists("/usr/sbin/dovecot"),
        "dovecot-lmtpd": os.path.exists("/usr/lib/dovecot/lmtp"),
        "openssl": bool(shutil.which("openssl")),
    }
    return [name for name, there in found.items() if not there]


def postgres_bin():
    dirs = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda d: int(d.split("/")[4]))
    return dirs[-1] if dirs else None


def free_port_base(count):
    """A block of ports that can all be bound now, away from the ephemeral range."""
    start = 21000 + os.getpid() * 16 % 9000
    for base in list(range(start, 31000, 16)) + list(range(21000, start, 16)):
        sockets = []
        try:
            for port in range(base, base + count):
                s = socket.socket()
                sockets.append(s)
                s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise RuntimeError("no free ports")


class Sogo:
    """One rig.  `users` maps names to passwords; addresses are NAME@DOMAIN.

    directory  private directory, made when missing; a temporary one (removed by stop) by default
    port_base  first of seven ports; a free block by default
    workers    sogod processes: each parked Ping occupies one
    run_as     user the servers run as when started by root
    debug      sogod writes every EAS document to log/sogod.log
    tied       stop everything when the calling process ends
    zone       the users' time zone: SOGo puts into it what ActiveSync brings, whatever zone that names
    """

    domain = "example.test"

    def __init__(self, users=None, directory=None, port_base=None, workers=8, run_as="sogo", debug=False, tied=True,
                 zone="UTC"):
        self.users = dict(users or {"alice": "alice-pw", "bob": "bob-pw"})
        self.temporary = directory is None
        self.dir = os.path.abspath(directory) if directory else tempfile.mkdtemp(prefix="exb-sogo-")
        self.port_base = port_base or free_port_base(len(PORT_NAMES))
        self.ports = {name: self.port_base + i for i, name in enumerate(PORT_NAMES)}
        self.workers, self.debug, self.tied, self.zone = workers, debug, tied, zone
        account = pwd.getpwnam(run_as) if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.uid, self.gid, self.user = account.pw_uid, account.pw_gid, account.pw_name
        self.group = grp.getgrgid(self.gid).gr_name
        self.run, self.etc, self.log, self.data = (os.path.join(self.dir, d) for d in ("run", "etc", "log", "data"))
        self.eas_url = f"http://127.0.0.1:{self.ports['http']}{EAS_PATH}"
        self.eas_tls_url = f"https://127.0.0.1:{self.ports['tls']}/Microsoft-Server-ActiveSync"
        self.ca_file = os.path.join(self.etc, "tls.crt")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    # Start and stop

    def start(self):
        try:
            self._start()
        except BaseException as e:
            logs = self.log_tails()
            self.stop()
            if isinstance(e, Exception):
                raise RuntimeError(f"SOGo rig did not start: {e}\n{logs}") from e
            raise

    def _start(self):
        sogo_proc.stop_all(self.run)
        self.make_files()
        fresh = not os.path.exists(f"{self.data}/pg/PG_VERSION")
        if fresh:
            flags = ["-U", "sogo", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            self.run_once([f"{postgres_bin()}/initdb", "-D", f"{self.data}/pg", *flags])
        self.start_servers()
        bins = postgres_bin()
        ready = [f"{bins}/pg_isready", "-q", "-h", self.run, "-p", str(self.ports["pg"])]
        self.wait_for(lambda: subprocess.run(ready).returncode == 0, "PostgreSQL does not answer")
        if fresh:
            self.psql("postgres", sogo_conf.SCHEMA)
        for name, password in self.users.items():
            self.add_user(name, password)
        env = {"GNUSTEP_CONFIG_FILE": f"{self.etc}/GNUstep.conf"}
        self.spawn("sogod", ["/usr/sbin/sogod", "-WONoDetach", "YES", "-WOLogFile", "-"], env)
        for port in ("imap", "lmtp", "shim", "smtp", "tls"):
            self.wait_for(lambda: self.answers(port), f"nothing listens on the {port} port {self.ports[port]}")
        self.wait_for(self.eas_ready, "sogod does not answer OPTIONS")
        with open(f"{self.dir}/rig.json", "w") as f:
            json.dump({"port_base": self.port_base, "users": self.users, "eas_url": self.eas_url}, f)

    def start_servers(self):
        pg = ["-h", "127.0.0.1", "-p", str(self.ports["pg"]), "-k", self.run, "-c", "fsync=off"]
        pg += ["-c", "full_page_writes=off", "-c", "max_connections=80", "-c", "shared_buffers=16MB"]
        self.spawn("postgres", [f"{postgres_bin()}/postgres", "-D", f"{self.data}/pg", *pg])
        self.spawn("memcached", [shutil.which("memcached"), "-s", f"{self.run}/memcached.sock", "-m", "16", "-U", "0"])
        self.spawn("dovecot", ["/usr/sbin/dovecot", "-F", "-c", f"{self.etc}/dovecot.conf"])
        side = ["/usr/bin/python3", f"{HERE}/sogo_side.py", "--domain", self.domain, "--run", self.run]
        side += ["--users", f"{self.etc}/users", "--outdir", f"{self.data}/out"]
        side += ["--cert", self.ca_file, "--key", f"{self.etc}/tls.key"]
        side += ["--parent", str(os.getpid() if self.tied else 0)]
        for name in ("imap", "shim", "lmtp", "smtp", "http", "tls"):
            side += [f"--{name}-port", str(self.ports[name])]
        self.spawn("side", side)

    def stop(self):
        sogo_proc.stop_all(self.run)
        if self.temporary:
            shutil.rmtree(self.dir, ignore_errors=True)

    def make_files(self):
        for d in (self.run, self.etc, self.log, self.data, f"{self.data}/mail", f"{self.run}/defaults"):
            os.makedirs(d, exist_ok=True)
        for d in (f"{self.run}/spool", f"{self.run}/home", f"{self.etc}/users"):
            os.makedirs(d, exist_ok=True)
        for stale in glob.glob(f"{self.run}/memcached.sock"):
            os.unlink(stale)
        packaged = ""
        if os.path.exists("/etc/GNUstep/GNUstep.conf"):
            with open("/etc/GNUstep/GNUstep.conf") as f:
                packaged = "".join(line for line in f if not line.startswith("GNUSTEP_USER_"))
        values = {name + "_port": port for name, port in self.ports.items()}
        values.update(run=self.run, etc=self.etc, log=self.log, data=self.data, domain=self.domain, user=self.user)
        values.update(group=self.group, uid=self.uid, gid=self.gid, workers=self.workers, packaged=packaged)
        values.update(db=f"postgresql://sogo:sogo@127.0.0.1:{self.ports['pg']}/sogo")
        values.update(debug="YES" if self.debug else "NO", zone=self.zone)
        for path, text in (
            (f"{self.etc}/dovecot.conf", sogo_conf.DOVECOT),
            (f"{self.etc}/GNUstep.conf", sogo_conf.GNUSTEP),
            (f"{self.run}/defaults/sogod.plist", sogo_conf.SOGO),
        ):
            with open(path, "w") as f:
                f.write(text.format(**values))
        if not os.path.exists(f"{self.data}/out"):
            mailbox.Maildir(f"{self.data}/out", create=True)
        if not os.path.exists(self.ca_file):
            self.make_certificate()
        if os.getuid() == 0:
            for path, _, files in os.walk(self.dir):
                os.chown(path, self.uid, self.gid)
                for name in files:
                    os.chown(os.path.join(path, name), self.uid, self.gid)

    def make_certificate(self):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run(
            command + ["-keyout", f"{self.etc}/tls.key", "-out", self.ca_file], check=True, capture_output=True
        )

    def spawn(self, name, command, env=None):
        base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": f"{self.run}/home", "LANG": "C.UTF-8"}
        base.update(LOGNAME=self.user, USER=self.user, PYTHONDONTWRITEBYTECODE="1", **(env or {}))
        log = f"{self.log}/{name}.log"
        return sogo_proc.spawn(self.run, name, command, log, self.uid, self.gid, base)

    def run_once(self, command, text=None):
        extra = {"user": self.uid, "group": self.gid, "extra_groups": []} if os.getuid() == 0 else {}
        env = {"PATH": os.environ["PATH"], "HOME": f"{self.run}/home", "LANG": "C.UTF-8"}
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd="/", env=env, **extra)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr or done.stdout}")
        return done.stdout

    def psql(self, database, script, **variables):
        command = [f"{postgres_bin()}/psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-h", self.run]
        command += ["-p", str(self.ports["pg"]), "-U", "sogo", database]
        for name, value in variables.items():
            command += ["-v", f"{name}={value}"]
        return self.run_once(command, script)

    def wait_for(self, condition, what):
        def look():
            gone = sogo_proc.ended(self.run)
            if gone:
                raise RuntimeError(f"{gone} ended")
            return condition()

        poll_until(look, START_S, what)

    def answers(self, name):
        try:
            socket.create_connection(("127.0.0.1", self.ports[name]), 2).close()
            return True
        except OSError:
            return False

    def eas_ready(self):
        name, password = next(iter(self.users.items()))
        token = base64.b64encode(f"{name}:{password}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=10)
        try:
            connection.request("OPTIONS", EAS_PATH, headers={"Authorization": "Basic " + token})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def log_tails(self):
        out = []
        for path in sorted(glob.glob(f"{self.log}/*.log")):
            with open(path, errors="replace") as f:
                out.append(f"--- {os.path.basename(path)}\n" + "".join(f.readlines()[-15:]))
        return "\n".join(out)

    # Users and mail

    def add_user(self, name, password):
        """Known to SOGo, Dovecot and the SMTP sink from now on; asking again changes nothing."""
        if not re.fullmatch(r"[a-z][a-z0-9._-]*", name) or re.search(r"[:\r\n]", password):
            raise ValueError("a user name is lower case, a password has no colon")
        path = f"{self.etc}/users/{name}"
        if not os.path.exists(path):
            mail, full = self.address(name), name.title() + " Tester"
            self.psql("sogo", sogo_conf.ADD_USER, name=name, password=password, full=full, mail=mail)
            with open(path, "w") as f:
                f.write(f"{name}:{{PLAIN}}{password}::::::\n")
        self.users[name] = password

    def address(self, name):
        return f"{name}@{self.domain}"

    def deliver(self, name, message, sender="sender@elsewhere.test"):
        """New mail as it arrives from outside (LMTP): Dovecot puts its own header lines on top."""
        with smtplib.LMTP("127.0.0.1", self.ports["lmtp"]) as lmtp:
            lmtp.sendmail(sender, [self.address(name)], message)

    def imap(self, name):
        """A logged-in imaplib connection to Dovecot itself."""
        connection = imaplib.IMAP4("127.0.0.1", self.ports["imap"])
        check(connection.authenticate("PLAIN", lambda _: f"\0{name}\0{self.users[name]}".encode()))
        return connection

    def append(self, name, messages, folder="INBOX", flags="", date=None):
        """Store messages byte for byte; a list, or one.  Returns the UIDs."""
        uids = []
        connection = self.imap(name)
        try:
            for message in [messages] if isinstance(messages, bytes) else messages:
                when = imaplib.Time2Internaldate(date if date is not None else time.time())
                data = check(connection.append(quote(folder), f"({flags})", when, message))
                uids.append(int(re.search(rb"APPENDUID \d+ (\d+)", data[0]).group(1)))
        finally:
            connection.logout()
        return uids

    def uids(self, name, folder="INBOX", criteria="ALL"):
        with Selected(self, name, folder, readonly=True) as connection:
            return [int(u) for u in check(connection.uid("SEARCH", criteria))[0].split()]

    def set_flags(self, name, uid, flags, folder="INBOX", add=True):
        with Selected(self, name, folder) as connection:
            check(connection.uid("STORE", str(uid), "+FLAGS" if add else "-FLAGS", f"({flags})"))

    def delete(self, name, uid, folder="INBOX"):
        """Gone at once (flag and expunge): a mere \\Deleted is not reported by SOGo."""
        with Selected(self, name, folder) as connection:
            check(connection.uid("STORE", str(uid), "+FLAGS", "(\\Deleted)"))
            check(connection.uid("EXPUNGE", str(uid)))

    def move(self, name, uid, folder, target):
        with Selected(self, name, folder) as connection:
            check(connection.uid("MOVE", str(uid), quote(target)))

    def raw(self, name, uid, folder="INBOX"):
        """The message as Dovecot holds it."""
        with Selected(self, name, folder, readonly=True) as connection:
            return check(connection.uid("FETCH", str(uid), "(BODY.PEEK[])"))[0][1]

    def create_folder(self, name, folder):
        connection = self.imap(name)
        check(connection.create(quote(folder)))
        check(connection.subscribe(quote(folder)))
        connection.logout()

    def rename_folder(self, name, folder, target):
        connection = self.imap(name)
        check(connection.rename(quote(folder), quote(target)))
        check(connection.subscribe(quote(target)))
        connection.logout()

    def delete_folder(self, name, folder):
        connection = self.imap(name)
        check(connection.delete(quote(folder)))
        connection.logout()

    def sent_outside(self):
        """Messages sent to other domains, oldest first, with X-Envelope-To on top."""
        box = mailbox.Maildir(f"{self.data}/out", factory=None)
        return [box.get_bytes(key) for key in sorted(box.keys())]


class Selected:
    """A connection with a folder open, closed at the end without expunging."""

    def __init__(self, rig, name, folder, readonly=False):
        self.connection = rig.imap(name)
        check(self.connection.select(quote(folder), readonly))

    def __enter__(self):
        return self.connection

    def __exit__(self, *exc):
        self.connection.logout()


def quote(folder):
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'


def check(answer):
    if answer[0] != "OK":
        raise RuntimeError(f"IMAP: {answer}")
    return answer[1]


def main():
    parser = argparse.ArgumentParser(description="SOGo as an EAS server on loopback")
    parser.add_argument("command", choices=("start", "stop", "packages"))
    parser.add_argument("--dir", help="the rig's directory", default="/tmp/exbridge-sogo")
    parser.add_argument("--port-base", type=int)
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD")
    parser.add_argument("--debug", action="store_true", help="log every EAS document")
    args = parser.parse_args()
    if args.command == "packages":
        print(PACKAGES)
    elif args.command == "stop":
        sogo_proc.stop_all(os.path.join(args.dir, "run"))
    else:
        lacking = missing()
        if lacking:
            sys.exit(f"missing: {', '.join(lacking)}; apt-get install {PACKAGES}")
        users = dict(pair.split(":", 1) for pair in args.user) or None
        rig = Sogo(users, args.dir, args.port_base, debug=args.debug, tied=False)
        rig.start()
        print(f"EAS   {rig.eas_url}\nTLS   {rig.eas_tls_url} (CA {rig.ca_file})")
        print(f"ports {rig.ports}\nusers {rig.users}")


if __name__ == "__main__":
    main()
