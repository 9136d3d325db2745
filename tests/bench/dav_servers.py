# SPDX-License-Identifier: Apache-2.0
"""Whom the calendar server is measured beside: Debian's Radicale and Cyrus, each with a home of its own on loopback.

    with Cyrus() as server:
        connection = server.connect()      # http.client
        connection.request("PROPFIND", server.calendar, ...)
"""
import base64
import http.client
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import tempfile

from servers import bridge

START_S = 60
CYRUS_BIN = "/usr/lib/cyrus/bin"
IMAPD_CONF = """configdirectory: {home}/conf
partition-default: {home}/spool
admins: admin
httpmodules: caldav
httpallowcompress: off
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
allowplaintext: yes
autocreate_quota: 0
autocreate_post: yes
unixhierarchysep: yes
caldav_allowscheduling: off
"""
CYRUS_CONF = """START {{
  recover cmd="{bin}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  http cmd="{bin}/httpd -C {home}/imapd.conf" listen="127.0.0.1:{port}" prefork=1
  lmtp cmd="{bin}/lmtpd -C {home}/imapd.conf -a" listen="127.0.0.1:{lmtp}" prefork=0
}}
"""
RADICALE_CONF = """[server]
hosts = 127.0.0.1:{port}
[auth]
type = none
[rights]
type = owner_only
[storage]
filesystem_folder = {home}/collections
[logging]
level = error
"""


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Peer:
    """A server that was started here; its processes end with it."""

    user = "alice"

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="dav-bench-")
        os.chmod(self.home, 0o755)
        self.port = bridge.free_port()
        self.process = None
        try:
            self.start()
            bridge.poll(START_S, self.answers, lambda: f"{self.name} did not start: {self.output()}")
        except BaseException:
            self.close()
            raise

    def put(self, name, text, mode=0o644):
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)

    def run(self, *command):
        with open(os.path.join(self.home, "output"), "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    def output(self):
        with open(os.path.join(self.home, "output"), errors="replace") as file:
            return file.read()[-2000:]

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.connect()
        return connection

    @property
    def headers(self):
        return basic(self.user, "x")

    def answers(self):
        assert self.process.poll() is None, self.output()
        try:
            connection = self.connect()
            connection.request("OPTIONS", "/", headers=self.headers)
            status = connection.getresponse().status
            connection.close()
            return status < 500
        except OSError:
            return False

    def close(self):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            except ProcessLookupError:
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Radicale(Peer):
    name, calendar = "Radicale", "/alice/bench/"

    def start(self):
        self.put("config", RADICALE_CONF.format(home=self.home, port=self.port))
        self.run("/usr/bin/python3", "-m", "radicale", "--config", os.path.join(self.home, "config"))


class Cyrus(Peer):
    """Takes every password: it is on loopback, for as long as the bench runs. Mail to the user makes the account."""

    name, calendar = "Cyrus", "/dav/calendars/user/alice/bench/"

    def start(self):
        lmtp = bridge.free_port()
        self.put("imapd.conf", IMAPD_CONF.format(home=self.home))
        self.put("cyrus.conf", CYRUS_CONF.format(home=self.home, bin=CYRUS_BIN, port=self.port, lmtp=lmtp))
        for folder in ("conf/db", "conf/socket", "conf/proc", "spool"):
            os.makedirs(os.path.join(self.home, folder))
        if os.geteuid() == 0:
            owner = pwd.getpwnam("cyrus")
            for top, folders, names in os.walk(self.home):
                for path in (top, *(os.path.join(top, n) for n in folders + names)):
                    os.chown(path, owner.pw_uid, owner.pw_gid)
        self.run(f"{CYRUS_BIN}/master", "-C", f"{self.home}/imapd.conf", "-M", f"{self.home}/cyrus.conf",
                 "-p", f"{self.home}/master.pid", "-D")

        def mailed():
            assert self.process.poll() is None, self.output()
            try:
                with smtplib.LMTP("127.0.0.1", lmtp) as client:
                    client.sendmail("a@bench.test", ["alice"], "Subject: hello\r\n\r\nhello\r\n")
                return True
            except (OSError, smtplib.SMTPException):
                return False

        bridge.poll(START_S, mailed, lambda: f"Cyrus takes no mail: {self.output()}")
