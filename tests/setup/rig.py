# SPDX-License-Identifier: Apache-2.0
"""A small Internet on loopback: hosts with certificates, a name server, and programs that see nothing else.

    world = World(directory, Kit(another_directory))
    corp = world.exchange("corp", hosts=["autodiscover.corp.test", "mail.corp.test"])     # TLS on their port 443
    world.plain("autodiscover.corp.test", {"do": "location", "to": "https://..."})        # port 80
    world.dns({("_autodiscover._tcp.corp.test", "SRV"): [(0, 0, 443, "mail.corp.test")]})
    world.environment()                # for a program: LD_PRELOAD of names.c, and the list of names
    world.finish()
"""
import imaplib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for path in (os.path.join(ROOT, "tests", "exchange"), os.path.join(ROOT, "tests", "clients"), HERE):
    if path not in sys.path:
        sys.path.insert(0, path)

import canary  # noqa: E402
from authority import Authority, run  # noqa: E402
from autodiscover_dns import NameServer  # noqa: E402
from bridge import free_port, free_ports, poll, program  # noqa: E402,F401
from standin import Standin  # noqa: E402

USER, PASSWORD, EMAIL = "alice", "canary-Exchange-9f31", "alice@corp.test"
FLOCK = canary.Flock(PASSWORD, "canary-wrong", "canary-local")  # and what begins so
BUILD = os.environ.get("EXBRIDGE_BUILD") or os.path.join(ROOT, "out", "asan")


class Stopping:
    """A TCP port where something is wrong before HTTP begins."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Kit:
    def __init__(self, directory):
        self.authority = Authority(os.path.join(str(directory), "ca"))
        self.library = os.path.join(str(directory), "names.so")
        run("cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", self.library, os.path.join(HERE, "names.c"))


class World:
    def __init__(self, directory, kit):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.authority, self.library = kit.authority, kit.library
        self.names_file = os.path.join(self.directory, "names")
        self.names, self.servers, self.dns_server = {}, [], None
        self.expected = ()  # violations that a test provokes

    # ---- who is there ----

    def name(self, host, port, target):
        self.names[(host, port)] = target

    def exchange(self, *args, hosts, user=USER, email=EMAIL, certificate=None, **options):
        """A stand-in Exchange over TLS that is all these hosts; options are its own (options.py)."""
        tls = certificate or self.authority.certificate(hosts)
        values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
        sets = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
        server = Standin("--user", f"{user}:{PASSWORD}:{email}", "--tls", *tls, *args, *sets)
        self.servers.append(server)
        for host in hosts:
            self.name(host, 443, server.port)
        return server

    def plain(self, host, rule):
        """http:// on port 80."""
        server = Standin("--set", "autodiscover_hosts=" + json.dumps({"*": rule}))
        self.servers.append(server)
        self.name(host, 80, server.port)
        return server

    def port(self, host, serve, port=443):
        """A port where serve(socket) is all there is."""
        server = Stopping(serve)
        self.servers.append(server)
        self.name(host, port, server.port)
        return server

    def refused(self, host, port=443):
        self.name(host, port, 0)

    def old_tls(self, host, version):
        """A host that speaks no newer TLS than this."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
        context.load_cert_chain(*self.authority.certificate([host]))

        def serve(connection):
            connection.settimeout(60)
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(4096)
                tls.sendall(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")

        return self.port(host, serve)

    def dns(self, table=None, mode="answer"):
        self.dns_server = NameServer(table, mode)
        self.name("dns", 53, self.dns_server.port)
        return self.dns_server

    # ---- for programs ----

    def environment(self, **more):
        with open(self.names_file, "w") as file:
            for (host, port), target in self.names.items():
                file.write(f"{host} {port} {target}\n")
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and k != "PYTEST_CURRENT_TEST"}
        env.update(LD_PRELOAD=self.library, TEST_NAMES=self.names_file, LC_ALL="C.UTF-8")
        env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:exitcode=99:strict_string_checks=1"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
        env.update(more)
        return env

    def secret(self, text=PASSWORD, name="password"):
        path = os.path.join(self.directory, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
        return path

    def finish(self):
        problems = []
        for server in self.servers:
            try:
                if isinstance(server, Standin) and server.process:
                    problems += [v for v in server.violations() if v["what"] not in self.expected]
                    FLOCK.check_requests(server)
            except AssertionError as e:
                problems.append(e)
            finally:
                server.stop()
        if self.dns_server:
            self.dns_server.stop()
        assert not problems, f"no strict server would accept, or nobody may see: {problems[:5]}"


def credentials(server, since=0):
    """Requests that carried any."""
    return [entry for entry in server.log(since) if entry["authorization"]]


class Home:
    """A user's home directory, and exbridge in it."""

    def __init__(self, world, name="home"):
        self.world = world
        self.directory = os.path.join(world.directory, name)
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        self.config = os.path.join(self.directory, ".config", "exbridge", "exbridge.conf")
        self.state = os.path.join(self.directory, ".local", "state", "exbridge")
        self.cache = os.path.join(self.directory, ".cache", "exbridge")
        self.tools = os.path.join(world.directory, f"tools-{name}")
        self.log_path = os.path.join(self.directory, "log")
        self.daemon = None
        self.desktop = {}  # environment of a desktop's programs

    def environment(self, **more):
        more = {**self.desktop, **more}
        env = self.world.environment(HOME=self.directory, **more)
        for name in list(env):
            if name.startswith("XDG_") or name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "NOTIFY_SOCKET"):
                del env[name]
        env["XDG_RUNTIME_DIR"] = os.path.join(self.directory, "run")
        os.makedirs(env["XDG_RUNTIME_DIR"], mode=0o700, exist_ok=True)
        env["KRB5CCNAME"] = "FILE:/nonexistent"
        env["PATH"] = canary.watched_tools(self.tools) + ":" + os.environ["PATH"]
        env.update(more)
        return env

    def run(self, *args, answers=(), timeout=120, **more):
        """exbridge ARGS with these lines on stdin: returncode, stdout, stderr. No secret may be seen anywhere."""
        done = subprocess.run([program(), *map(str, args)], input="".join(a + "\n" for a in answers), capture_output=True, text=True,
                              env=self.environment(**more), timeout=timeout)
        assert done.returncode != 99 and "Sanitizer" not in done.stderr, done.stderr[-4000:]
        FLOCK.check_text(done.stdout + done.stderr, f"the output of {args}")
        return done

    def setup(self, *args, answers=(), **more):
        return self.run("setup", *args, "--ca-file", self.world.authority.ca, answers=answers, **more)

    def text(self):
        with open(self.config) as file:
            return file.read()

    def start(self):
        """exbridge run, until it is ready; with other ports, where somebody has taken one since setup found it free."""
        for _ in range(5):
            with open(self.log_path, "ab") as log:
                self.log_from = log.tell()
                self.daemon = subprocess.Popen([program(), "run"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment())
            poll(60, lambda: "ready: " in self.log() or self.daemon.poll() is not None, self.log)
            if self.daemon.poll() is None:
                return
            code, self.daemon = self.daemon.returncode, None
            assert code == 75 and "ort" in self.log(), self.log()
            self.other_ports()
        raise AssertionError("no free port: " + self.log())

    def other_ports(self):
        """In place of those that setup found free, which the next setup finds, too, until a program has them."""
        text = re.sub(r"(?m)^(imap|smtp|dav)(\s*= *)[1-9]\d*", lambda m: f"{m[1]}{m[2]}{free_port()}", self.text())
        with open(self.config, "w") as file:
            file.write(text)

    def log(self):
        """Since the last start."""
        with open(self.log_path, errors="replace") as file:
            file.seek(self.log_from)
            return file.read()

    def stop(self):
        if self.daemon:
            try:
                FLOCK.check_running(self.daemon.pid, os.path.join(self.state, "control.sock"))
            finally:
                self.daemon.terminate()
                code = self.daemon.wait(60)
                self.daemon = None
            assert code == 0, self.log()[-4000:]
        FLOCK.check_places(logs=[self.log_path, self.tools], state=[self.state], cache=[self.cache], config=[os.path.dirname(self.config)])

    def port(self, name):
        return int(re.search(rf"^{name}\s*=\s*(\d+)", self.text(), re.M).group(1))

    def imap(self, user, password):
        """Subjects of the inbox, read as a mail program would: TLS with the published authority."""
        context = ssl.create_default_context(cafile=os.path.join(os.path.dirname(self.config), "ca.pem"))
        client = imaplib.IMAP4_SSL("localhost", self.port("imap"), ssl_context=context, timeout=60)
        try:
            client.login(user, password)
            count = int(client.select("INBOX", readonly=True)[1][0])
            return count
        finally:
            client.logout()


def password_of(output):
    """The local password that setup printed."""
    return re.search(r"^\s+password\s+(\S+)$", output, re.M).group(1)
