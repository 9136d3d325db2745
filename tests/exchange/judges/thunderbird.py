# SPDX-License-Identifier: Apache-2.0
"""A real Thunderbird under Xvfb, driven through Marionette: TCP, frames of `length:json`, [0, id, command, parameters].

The profile is made of preferences alone, so no wizard appears; scripts run with chrome privileges.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import xdisplay
from loopback_ports import free_port

BINARY = "/usr/lib/thunderbird/thunderbird-bin"
START_LIMIT_S = 90

QUIET = {
    "app.update.enabled": False,
    "app.donation.eoy.version.viewed": 999,
    "app.normandy.enabled": False,
    "browser.dom.window.dump.enabled": True,
    "browser.safebrowsing.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "mail.biff.play_sound": False,
    "mail.biff.show_alert": False,
    "mail.cloud_files.enabled": False,
    "mail.inappnotifications.enabled": False,
    "mail.provider.enabled": False,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mail.ui.show.migration.on.upgrade": False,
    "mail.winsearch.firstRunDone": True,
    "mailnews.auto_config_url": "",
    "mailnews.database.global.indexer.enabled": False,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.enabled": False,
    "mail.server.local.type": "none",
    "mail.server.local.name": "Local Folders",
    "mail.server.local.hostname": "Local Folders",
    "mail.server.local.userName": "nobody",
    "mail.server.local.directory-rel": "[ProfD]Mail/Local Folders",
    "mail.account.accountl.server": "local",
    "mail.accountmanager.localfoldersserver": "local",
}
PRELUDE = """const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const {setTimeout} = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const sleep = ms => new Promise(done => setTimeout(done, ms));
const window = Services.wm.getMostRecentWindow("mail:3pane");
"""
WRAP = """const done = arguments[arguments.length - 1], given = Array.prototype.slice.call(arguments, 0, -1);
(async function() { %s %s }).apply(null, given).then(v => done({value: v}),
    e => done({error: String(e) + "\\n" + (e.stack || "")}));
"""


def ews_account(url, user, name="ews"):
    """Preferences of an Exchange account; its password is given to Thunderbird.add_password."""
    host = url.split("/")[2].split(":")[0]
    server, identity = f"mail.server.{name}.", f"mail.identity.{name}."
    outgoing = f"mail.outgoingserver.{name}."
    return {
        "mail.accountmanager.accounts": f"{name},accountl",
        "mail.accountmanager.defaultaccount": name,
        f"mail.account.{name}.server": name,
        f"mail.account.{name}.identities": name,
        server + "type": "ews",
        server + "hostname": host,
        server + "userName": user,
        server + "name": name,
        server + "ews_url": url,
        server + "authMethod": 3,
        server + "socketType": 3 if url.startswith("https") else 0,
        server + "port": 443,
        server + "login_at_startup": False,
        server + "check_new_mail": False,
        identity + "fullName": "Alice",
        identity + "useremail": user,
        identity + "valid": True,
        identity + "smtpServer": name,
        "mail.smtpservers": name,
        f"mail.smtpserver.{name}.type": "ews",
        outgoing + "key": name,
        outgoing + "ews_url": url,
        outgoing + "username": user,
        outgoing + "auth_method": 3,
    }


def imap_accounts(port, users, host="localhost"):
    """Preferences of IMAP accounts over TLS with passwords; the passwords are given to Thunderbird.add_password."""
    prefs = {
        "mail.accountmanager.accounts": ",".join([*users, "accountl"]),
        "mail.accountmanager.defaultaccount": users[0],
    }
    for name in users:
        server, identity = f"mail.server.{name}.", f"mail.identity.{name}."
        prefs.update(
            {
                f"mail.account.{name}.server": name,
                f"mail.account.{name}.identities": name,
                server + "type": "imap",
                server + "hostname": host,
                server + "port": port,
                server + "userName": name,
                server + "name": name,
                server + "authMethod": 3,
                server + "socketType": 3,
                server + "login_at_startup": False,
                server + "check_new_mail": False,
                server + "offline_download": False,
                identity + "fullName": "Alice",
                identity + "useremail": f"{name}@bridge.test",
                identity + "valid": True,
            }
        )
    return prefs


def smtp_servers(port, users, email, host="localhost"):
    """Preferences that let the accounts of imap_accounts send, over TLS; the passwords are given to add_password."""
    prefs = {"mail.smtpservers": ",".join(users), "mail.smtp.defaultserver": users[0]}
    for name in users:
        server, identity = f"mail.smtpserver.{name}.", f"mail.identity.{name}."
        prefs.update(
            {
                server + "type": "smtp",
                server + "hostname": host,
                server + "port": port,
                server + "authMethod": 3,
                server + "try_ssl": 3,
                server + "username": name,
                identity + "smtpServer": name,
                identity + "useremail": email,
            }
        )
    return prefs


def caldav_calendars(urls, user):
    """Preferences of calendars, {name: URL}, and of no mail account; the password belongs to the URL's origin."""
    prefs = {"mail.accountmanager.accounts": "accountl", "calendar.timezone.local": "Europe/Berlin", "calendar.timezone.useSystemTimezone": False}
    for name, url in urls.items():
        registry = f"calendar.registry.{name.lower()}."
        prefs.update(
            {
                registry + "type": "caldav",
                registry + "uri": url,
                registry + "name": name,
                registry + "username": user,
                registry + "cache.enabled": True,
                registry + "calendar-main-in-composite": True,
            }
        )
    return prefs


def trust(folder, ca_file):
    """Makes the profile that is to be in a folder trust a certification authority for servers."""
    os.makedirs(folder, exist_ok=True)
    database = ["certutil", "-d", "sql:" + folder]
    subprocess.run([*database, "-N", "--empty-password"], check=True)
    subprocess.run([*database, "-A", "-n", "trusted by the test", "-t", "C,,", "-i", ca_file], check=True)


class Marionette:
    def __init__(self, port, seconds):
        end = time.monotonic() + seconds
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), 5)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.socket.settimeout(300)
        self.buffer, self.last = b"", 0
        self.receive()

    def fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("Marionette closed the connection")
        self.buffer += data

    def receive(self):
        while b":" not in self.buffer:
            self.fill()
        length, _, self.buffer = self.buffer.partition(b":")
        while len(self.buffer) < int(length):
            self.fill()
        frame, self.buffer = self.buffer[: int(length)], self.buffer[int(length) :]
        return json.loads(frame)

    def call(self, command, **parameters):
        self.last += 1
        frame = json.dumps([0, self.last, command, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(frame), frame))
        while True:
            answer = self.receive()
            if answer[0] == 1 and answer[1] == self.last:
                break
        if answer[2]:
            raise RuntimeError(f"{command}: {answer[2].get('message')}")
        return answer[3]


class Thunderbird:
    """with Thunderbird(folder, prefs) as bird: bird.js("return 1")"""

    def __init__(self, folder, prefs, passwords=(), size="1280x900x24", any_certificate=True):
        if not os.path.exists(BINARY):
            raise FileNotFoundError(f"{BINARY}: the package thunderbird is missing")
        if not shutil.which("Xvfb"):
            raise FileNotFoundError("the package xvfb is missing")
        self.folder, self.any_certificate = folder, any_certificate
        self.process = self.screen = None
        os.makedirs(folder, exist_ok=True)
        try:
            self.start(prefs, size)
            for entry in passwords:
                self.add_password(*entry)
        except BaseException:
            self.stop()
            raise

    def start(self, prefs, size):
        port = free_port()
        with open(os.path.join(self.folder, "user.js"), "w", encoding="utf-8") as file:
            for name, value in {**QUIET, **prefs, "marionette.port": port}.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        self.screen, self.display = xdisplay.start(size)
        environment = dict(
            os.environ, DISPLAY=self.display, HOME=self.folder, LC_ALL="C.UTF-8", MOZ_DISABLE_CONTENT_SANDBOX="1"
        )
        for name in ("WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
            environment.pop(name, None)
        with open(os.path.join(self.folder, "stdout.txt"), "wb") as out:
            self.process = subprocess.Popen(
                [BINARY, "--profile", self.folder, "--no-remote", "--marionette", "--remote-allow-system-access"],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.marionette = Marionette(port, START_LIMIT_S)
        wanted = {"acceptInsecureCerts": self.any_certificate}
        self.marionette.call("WebDriver:NewSession", capabilities={"alwaysMatch": wanted})
        self.marionette.call("Marionette:SetContext", value="chrome")
        self.marionette.call("WebDriver:SetTimeouts", script=240000)

    def js(self, body, *arguments):
        """Runs an async function body with chrome rights and returns its value."""
        answer = self.marionette.call(
            "WebDriver:ExecuteAsyncScript", script=WRAP % (PRELUDE, body), args=list(arguments), sandbox="system"
        )["value"]
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")

    def add_password(self, origin, user, password, realm=None):
        self.js(
            """const [origin, user, password, realm] = arguments;
            const Info = Components.Constructor("@mozilla.org/login-manager/loginInfo;1", Ci.nsILoginInfo, "init");
            await Services.logins.addLoginAsync(new Info(origin, null, realm, user, password, "", ""));""",
            origin,
            user,
            password,
            realm or origin,
        )

    def screenshot(self, path):
        subprocess.run(["import", "-window", "root", "-display", self.display, path], check=True)

    def stop(self):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            except ProcessLookupError:
                self.process.wait()
            self.process = None
        if self.screen:
            self.screen.terminate()
            self.screen.wait()
            self.screen = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
