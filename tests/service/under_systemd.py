# SPDX-License-Identifier: Apache-2.0
"""Run by test_systemd.py in mount, pid and cgroup namespaces of its own: a real user manager runs the installed units.

    unshare -m -C -p -f --mount-proc python3 under_systemd.py DIRECTORY PREFIX CASE
"""
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "clients"))
import bridge as rig  # noqa: E402
from bridge import poll  # noqa: E402


class Manager:
    def __init__(self, directory, prefix):
        self.home, self.prefix = os.path.join(directory, "home"), prefix
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        subprocess.run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"], check=True)
        os.makedirs("/run/systemd/system")  # "booted with systemd"
        os.makedirs("/run/user/x", mode=0o700)
        self.units = os.path.join(self.home, ".config/systemd/user")
        os.makedirs(self.units)
        os.makedirs(os.path.join(self.home, ".config/exbridge"), mode=0o700)
        for name in os.listdir(os.path.join(prefix, "lib/systemd/user")):
            shutil.copy(os.path.join(prefix, "lib/systemd/user", name), self.units)
        self.env = {"HOME": self.home, "XDG_RUNTIME_DIR": "/run/user/x", "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                    "SYSTEMD_LOG_TARGET": "console"}
        self.log = os.path.join(directory, "manager.log")
        self.process = subprocess.Popen(["/lib/systemd/systemd", "--user"], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=open(self.log, "wb"), stderr=subprocess.STDOUT)
        poll(60, lambda: os.path.exists("/run/user/x/systemd/private"), "the user manager does not come up")

    def ctl(self, *words, fails=False):
        result = subprocess.run(["systemctl", "--user", *words], env=self.env, capture_output=True, text=True, timeout=120)
        assert fails == (result.returncode != 0), f"{words}: {result.stdout}{result.stderr}\n{self.tail()}"
        return result.stdout

    def show(self, unit, what):
        return self.ctl("show", unit, "-P", what).strip()

    def drop_in(self, unit, text):
        folder = os.path.join(self.units, unit + ".d")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{len(os.listdir(folder))}.conf"), "w") as file:
            file.write(text)
        self.ctl("daemon-reload")

    def tail(self):
        texts = [subprocess.run(["systemctl", "--user", "status", "--all", "exbridge*"], env=self.env, capture_output=True, text=True).stdout]
        for path in (self.log, os.path.join(self.home, "log")):
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    texts.append(file.read()[-3000:])
        return "\n".join(texts)

    def exbridge(self, *words):
        return subprocess.run([os.path.join(self.prefix, "bin/exbridge"), *words], env=self.env, capture_output=True, text=True, timeout=60)


class Service(rig.Bridge):
    """The bridge as the manager runs it, at the default places; its log goes to a file."""

    def __init__(self, manager, accounts, name="exbridge"):
        super().__init__(os.path.join(manager.home, ".config/exbridge"), accounts, start=False)
        self.manager, self.unit = manager, name + ".service"
        if name == "exbridge":
            self.state = os.path.join(manager.home, ".local/state/exbridge")
            self.cache = os.path.join(manager.home, ".cache/exbridge")
        self.log_path = os.path.join(manager.home, "log")
        manager.drop_in(self.unit, f"[Service]\nStandardError=append:{self.log_path}\n")
        manager.drop_in(self.unit.replace(".", "@."), f"[Service]\nStandardError=append:{self.log_path}\n")
        self.write_config()

    def write_config(self):
        super().write_config()
        with open(self.config_path) as file:
            text = re.sub(r"(state|cache)-dir = .*\n", "", file.read())
        with open(self.config_path, "w") as file:
            file.write(text)

    def pid(self):
        return int(self.manager.show(self.unit, "MainPID"))


def life(manager, bridge):
    """Start, reload, a bad file, a crash, a hang, the end."""
    manager.ctl("start", "exbridge")  # comes back when it is READY
    assert manager.show("exbridge", "ActiveState") == "active"
    bridge.login("work").open()
    assert manager.exbridge("status").stdout.startswith(f"exbridge 0.1.0, process {bridge.pid()} since ")
    assert oct(os.stat(os.path.join(bridge.state, "control.sock")).st_mode)[-3:] == "600"

    bridge.accounts[0].keys["expunge"] = "permanent"
    bridge.write_config()
    manager.ctl("reload", "exbridge")
    poll(60, lambda: bridge.log_lines("opened again with its new configuration", now=False))
    with open(bridge.config_path, "a") as file:
        file.write("colour = blue\n")
    manager.ctl("reload", "exbridge", fails=True)
    assert manager.show("exbridge", "ActiveState") == "active"
    bridge.write_config()
    manager.ctl("reload", "exbridge")

    first = bridge.pid()
    os.kill(first, signal.SIGKILL)
    second = poll(60, lambda: (pid := bridge.pid()) not in (0, first) and pid)
    poll(60, lambda: manager.show("exbridge", "ActiveState") == "active")
    bridge.clients.clear()
    bridge.login("work").open()

    manager.ctl("stop", "exbridge")
    assert manager.show("exbridge", "Result") == "success"
    manager.drop_in("exbridge.service", "[Service]\nWatchdogSec=10\n")
    manager.ctl("start", "exbridge")
    hung = bridge.pid()
    assert hung != second
    os.kill(hung, signal.SIGSTOP)
    poll(60, lambda: bridge.pid() not in (0, hung))  # the watchdog has found it
    poll(60, lambda: manager.show("exbridge", "ActiveState") == "active")
    bridge.clients.clear()
    bridge.login("work").open()
    bridge.close_clients()
    manager.ctl("stop", "exbridge")
    assert manager.show("exbridge", "Result") == "success" and bridge.pid() == 0


def bad_configuration(manager, bridge):
    """It is not started again and again."""
    with open(bridge.config_path, "a") as file:
        file.write("colour = blue\n")
    manager.ctl("start", "exbridge", fails=True)
    assert manager.show("exbridge", "ExecMainStatus") == "78"
    assert manager.show("exbridge", "ActiveState") == "failed" and manager.show("exbridge", "NRestarts") == "0"
    assert "unknown key 'colour'" in bridge.log()


def sockets(manager, bridge):
    """The ports are there before the service is, which the first client starts."""
    lines = "".join(f"ListenStream={a}:{p}\n" for a in ("127.0.0.1", "[::1]") for p in (bridge.port, bridge.smtp_port))
    manager.drop_in("exbridge.socket", "[Socket]\nListenStream=\n" + lines)
    manager.ctl("start", "exbridge.socket")
    assert manager.show("exbridge", "ActiveState") == "inactive"
    client = socket.create_connection(("127.0.0.1", bridge.port), timeout=60)
    poll(60, lambda: manager.show("exbridge", "ActiveState") == "active")
    context = ssl.create_default_context(cafile=bridge.ca_file)
    client = context.wrap_socket(client, server_hostname="localhost")
    assert client.recv(100).startswith(b"* OK")
    bridge.login("work").open()
    manager.ctl("restart", "exbridge")  # nobody is refused meanwhile
    bridge.clients.clear()
    bridge.login("work").open()
    assert not bridge.log_lines("in no line of the configuration", now=False)


def sandbox(manager, bridge):
    """With the drop-in that needs user namespaces."""
    with open(os.path.join(manager.prefix, "share/doc/exbridge/examples/sandbox.conf")) as file:
        manager.drop_in("exbridge.service", file.read())
    for path in (bridge.state, bridge.cache):
        os.makedirs(path, mode=0o700)
    manager.ctl("start", "exbridge")
    bridge.login("work").open()
    assert manager.show("exbridge", "PrivateUsers") == "yes"


def instances(manager, bridge):
    """Two of them, each with a configuration of its own."""
    for name in ("one", "two"):
        bridge.port, bridge.smtp_port = rig.free_port(), rig.free_port()
        bridge.write_config()
        with open(bridge.config_path) as file:
            text = file.read()
        places = "".join(f"{kind}-dir = {manager.home}/{kind}-{name}\n" for kind in ("state", "cache"))
        path = os.path.join(bridge.directory, name + ".conf")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text.replace("[server]\n", "[server]\n" + places))
        manager.ctl("start", f"exbridge@{name}")
        bridge.login("work").open()
        assert f"imap on port {bridge.port} " in manager.exbridge("status", "-c", path).stdout
        manager.ctl("reload", f"exbridge@{name}")
    assert manager.show("exbridge@one", "MainPID") != manager.show("exbridge@two", "MainPID")


def main(directory, prefix, case):
    os.umask(0o022)
    with rig.exchange("--corpus", "3") as server:
        manager = Manager(directory, prefix)
        bridge = Service(manager, [rig.Account("work", server)])
        bridge.log_from = 0
        try:
            globals()[case](manager, bridge)
        except BaseException:
            sys.stderr.write(manager.tail())
            raise
        bridge.check_canaries()


if __name__ == "__main__":
    main(*sys.argv[1:])
