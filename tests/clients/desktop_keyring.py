# SPDX-License-Identifier: Apache-2.0
"""A desktop's keyring (gnome-keyring, org.freedesktop.secrets) on a message bus of the test's own.

    with Keyring(directory) as keyring:       # unlocked
        keyring.environment                   # for programs
        keyring.lock(); keyring.unlock(); keyring.end_service()

Locked, it asks for its password, which is known to nobody: there is no screen. With a screen there is a dialogue:

    with Keyring(directory, screen=True) as keyring:
        keyring.lock()
        keyring.wait_for_question(); keyring.answer()      # or keyring.dismiss()
"""
import os
import subprocess
import time

import bridge  # noqa: F401 (sys.path)
import xdisplay
from bridge import poll

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen>{services}<auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""  # no service can be started by asking for it (another keyring, say), but the dialogue, where there is a screen
PROMPTER = "[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/usr/libexec/gcr-prompter\n"
OWN_PASSWORD = "of the keyring"


class Keyring:
    def __init__(self, directory, screen=False):
        self.directory = str(directory)
        self.screen = self.bus = self.daemon = None
        run, data = (os.path.join(self.directory, name) for name in ("run", "data"))
        for path in (run, data):
            os.makedirs(path, mode=0o700, exist_ok=True)
        self.log = open(os.path.join(self.directory, "log"), "ab")  # of the bus, of what it starts, and of the others
        self.bus_path = os.path.join(run, "bus")
        config = os.path.join(self.directory, "bus.conf")
        services = os.path.join(self.directory, "services")
        with open(config, "w") as file:
            file.write(CONFIG.format(path=self.bus_path, services=f"<servicedir>{services}</servicedir>" if screen else ""))
        self.environment = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + self.bus_path}
        self.own = {**os.environ, **self.environment, "HOME": self.directory, "XDG_RUNTIME_DIR": run, "XDG_DATA_HOME": data}
        if screen:
            os.makedirs(services, exist_ok=True)
            with open(os.path.join(services, "prompter.service"), "w") as file:
                file.write(PROMPTER)
            self._begin_screen()
        command = ["dbus-daemon", "--config-file=" + config, "--nofork", "--nopidfile"]
        self.bus = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=self.own)
        poll(60, lambda: os.path.exists(self.bus_path), lambda: "no message bus: " + self.said())
        self.unlock()

    def _begin_screen(self):
        self.screen, name = xdisplay.start("800x600x24", self.log)
        self.own.update(DISPLAY=name, NO_AT_BRIDGE="1")
        self.own.pop("WAYLAND_DISPLAY", None)

    def _start(self, *args, password=None):
        self.end_service()
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets", *args]
        self.daemon = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log, env=self.own)
        self.daemon.stdin.write(password or b"")
        self.daemon.stdin.close()
        ask = ["dbus-send", "--session", "--print-reply", "--reply-timeout=2000", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner",
               "string:org.freedesktop.secrets"]  # fmt: skip
        poll(60, lambda: b"boolean true" in subprocess.run(ask, env=self.own, capture_output=True).stdout, lambda: "no keyring: " + self.said())

    def unlock(self):
        self._start("--unlock", password=OWN_PASSWORD.encode())

    def lock(self):
        self._start()

    def _xdotool(self, *words):
        return subprocess.run(["xdotool", *words], env=self.own, capture_output=True, text=True).stdout.split()

    def _windows(self):
        return self._xdotool("search", "--onlyvisible", "--class", "gcr-prompter")

    def asks(self):
        """Is there a dialogue?"""
        return bool(self._windows())

    def wait_for_question(self, who=lambda: ""):
        """who: what the program says, for which the keyring is to ask."""
        poll(60, self.asks, lambda: f"the keyring asks nothing: {self.said()}\n{who()}")

    def said(self):
        """What is known of its programs."""
        ended = [p.args[0] for p in (self.screen, self.bus, self.daemon) if p and p.poll() is not None]
        with open(self.log.name, errors="replace") as file:
            return f"ended: {ended}; they said:\n{file.read()}"

    def _type(self, *keys):
        """Until the dialogue has gone. It takes no keys before it is quite there and has the focus (there is no window manager that
        would give it), nor while it looks at what was typed: who goes on typing then answers with half a password. How long it looks
        is the machine's affair, so it is given twice the time before each further attempt."""
        patience = 5

        def tried():
            nonlocal patience
            windows = self._windows()
            if windows:
                self._xdotool("windowfocus", windows[0])
            if not set(self._xdotool("getwindowfocus")) & set(windows):
                return not self.asks()
            for words in keys:
                subprocess.run(["xdotool", *words], env=self.own, check=True)
            end = time.monotonic() + patience
            patience *= 2
            while self.asks() and time.monotonic() < end:
                time.sleep(0.05)
            return not self.asks()

        poll(240, tried, lambda: f"the dialogue stays; {self.said()}")

    def answer(self):
        self._type(["key", "ctrl+a"], ["type", OWN_PASSWORD], ["key", "Return"])

    def dismiss(self):
        self._type(["key", "Escape"])

    def end_service(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait(60)
            self.daemon = None

    def stop(self):
        self.end_service()
        for process in (self.bus, self.screen):
            if process:
                process.terminate()
                process.wait(30)
        self.bus = self.screen = None
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
