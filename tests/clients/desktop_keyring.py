# SPDX-License-Identifier: Apache-2.0
"""A desktop's keyring (gnome-keyring, org.freedesktop.secrets) on a message bus of the test's own.

    with Keyring(directory) as keyring:       # unlocked
        keyring.environment                   # for programs
        keyring.lock(); keyring.unlock(); keyring.end_service()
"""
import os
import subprocess

from bridge import poll

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""  # no service can be started by asking for it: neither another keyring nor a dialogue


class Keyring:
    def __init__(self, directory):
        self.directory = str(directory)
        run, data = (os.path.join(self.directory, name) for name in ("run", "data"))
        for path in (run, data):
            os.makedirs(path, mode=0o700, exist_ok=True)
        self.bus_path = os.path.join(run, "bus")
        config = os.path.join(self.directory, "bus.conf")
        with open(config, "w") as file:
            file.write(CONFIG.format(path=self.bus_path))
        self.environment = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + self.bus_path}
        self.own = {**os.environ, **self.environment, "HOME": self.directory, "XDG_RUNTIME_DIR": run, "XDG_DATA_HOME": data}
        self.bus = subprocess.Popen(["dbus-daemon", "--config-file=" + config, "--nofork", "--nopidfile"], stderr=subprocess.DEVNULL)
        poll(30, lambda: os.path.exists(self.bus_path), "no message bus")
        self.daemon = None
        self.unlock()

    def _start(self, *args, password=None):
        self.end_service()
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets", *args]
        self.daemon = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.own)
        self.daemon.stdin.write(password or b"")
        self.daemon.stdin.close()
        ask = ["dbus-send", "--session", "--print-reply", "--reply-timeout=2000", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner",
               "string:org.freedesktop.secrets"]  # fmt: skip
        poll(30, lambda: b"boolean true" in subprocess.run(ask, env=self.own, capture_output=True).stdout, "no keyring")

    def unlock(self):
        self._start("--unlock", password=b"of the keyring")

    def lock(self):
        self._start()

    def end_service(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait(30)
            self.daemon = None

    def stop(self):
        self.end_service()
        if self.bus:
            self.bus.terminate()
            self.bus.wait(30)
            self.bus = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
