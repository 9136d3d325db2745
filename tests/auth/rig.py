# SPDX-License-Identifier: Apache-2.0
"""The rig of tests/clients, for configurations with [login] sections and secrets of every source; and the command line.

    bridge = stage.bridge(oauth_account("work", exchange))
    with bridge.begin("login", "work", "--no-browser") as login: ...
"""
import json
import os
import re
import smtplib
import ssl
import subprocess

import bridge as clients
import browser
from bridge import LOCAL_PASSWORD, PASSWORD, USER, poll  # noqa: F401 (for the tests)
from standin import Standin

CLIENT = "5fd1ad20-0000-4000-8000-0000000c11e7"  # tests/exchange/oauth.py
TEXT = "canary-message-text-51ce"
BEARER = ["Bearer"]


class Account(clients.Account):
    """Nothing is put in but what is asked for: no password-file."""


def oauth_keys(exchange):
    return {"auth": "oauth", "oauth-client-id": CLIENT, "oauth-login-host": exchange.login_host}


def oauth_account(name, exchange, backend="ews", user=USER, **keys):
    account = Account(name, exchange, backend, user=user, **keys)
    account.keys.update(oauth_keys(exchange))
    return account


class Bridge(clients.Bridge):
    def __init__(self, directory, accounts, *, logins=None, server=None, **kwargs):
        self.logins, self.server = logins or {}, server or {}
        super().__init__(directory, accounts, content=[TEXT], **kwargs)

    def write_config(self):
        open(self.log_path, "ab").close()  # of a bridge that is never started
        lines = ["[server]", "listen = localhost", f"imap = {self.port}", f"smtp = {self.smtp_port}", "dav = 0"]
        lines += [f"tls = {'on' if self.tls else 'off'}", f"state-dir = {self.state}", f"cache-dir = {self.cache}"]
        lines += [f"log-level = {self.log_level}"] + [f"{k} = {v}" for k, v in self.server.items()]
        for name, keys in self.logins.items():
            lines += ["", f'[login "{name}"]'] + [f"{k} = {v}" for k, v in keys.items()]
        for account in self.accounts:
            keys = dict(account.keys)
            if "login" in keys:
                for key in ("user", "auth"):
                    keys.pop(key, None)
            lines += ["", f'[account "{account.name}"]'] + [f"{k} = {v}" for k, v in keys.items()]
            if not account.passthrough:
                lines.append(f"local-password-file = {self.secret('local-password', LOCAL_PASSWORD)}")
        with open(os.open(self.config_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")

    # ---- the command line ----

    def env(self):
        return {**os.environ, "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=1:exitcode=99", **self.environment}

    def cli(self, *args, text=None):
        """A command of the program, to its end; what it said is looked through."""
        result = subprocess.run(
            [clients.program(), *args, "-c", self.config_path], input=text, capture_output=True, text=True, timeout=120, env=self.env()
        )
        assert result.returncode != 99, result.stderr
        self.said(result.stdout + result.stderr, args)
        return result

    def begin(self, *args):
        return Command(self, args)

    def said(self, text, args):
        assert not [r for r in clients.REPORTS if r in text], text
        self.flock().check_text(text, f"the output of {args}")


class Command:
    """A command that talks with a person."""

    def __init__(self, bridge, args):
        self.bridge, self.args = bridge, args
        self.process = subprocess.Popen(
            [clients.program(), *args, "-c", bridge.config_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=bridge.env(),
        )
        self.output = ""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        if not self.process.stdin.closed:
            self.process.stdin.close()

    def read_until(self, pattern):
        """Output up to a match; the match."""
        while True:
            found = re.search(pattern, self.output)
            if found:
                return found
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"{pattern} did not come:\n{self.output}"
            self.output += data.decode("utf-8", "replace")

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def end(self, code=0):
        """Its last words, when it ends as expected."""
        self.process.stdin.close()
        self.output += self.process.stdout.read().decode("utf-8", "replace")
        got = self.process.wait(120)
        assert got == code, f"exit status {got}\n{self.output}"
        self.bridge.said(self.output, self.args)
        return self.output


def sign_in(bridge, name, user=USER, password=PASSWORD, code=0):
    """`exbridge login NAME` with the scripted browser; what it said."""
    with bridge.begin("login", name, "--no-browser") as login:
        url = login.read_until(r"(http\S+/authorize\?\S+)\s").group(1)
        page = browser.sign_in(url, user, password)
        assert browser.go_back(page).status == 200
        return login.end(code)


def token_taken(server):
    """A request with the newest token was answered: one that is refused after that is renewed, and not thought to be bad."""
    log = server.log()
    newest = max(e["n"] for e in log if e["op"] == "token")
    return any(e["n"] > newest and e["protocol"] in ("ews", "eas") and e["user"] and e["status"] == 200 for e in log)


def send(bridge, name, sender, to, message=None):
    context = ssl.create_default_context(cafile=bridge.ca_file)
    with smtplib.SMTP_SSL("localhost", bridge.smtp_port, context=context, timeout=60) as smtp:
        smtp.login(name, LOCAL_PASSWORD)
        smtp.sendmail(sender, [to], message or f"From: {sender}\r\nTo: {to}\r\nSubject: sent by {name}\r\n\r\nx\r\n")


def status(bridge, name="work"):
    return next(a for a in json.loads(bridge.cli("status", "--json").stdout)["accounts"] if a["name"] == name)


def wait_state(bridge, name, state):
    """What status says of an account in that state."""
    poll(60, lambda: status(bridge, name)["state"] == state, lambda: json.dumps(status(bridge, name)) + bridge.tail())
    return status(bridge, name)["text"]


class Stage:
    """Stand-ins and bridges of one test, ended in the right order; secrets are searched for then."""

    def __init__(self, directory):
        self.directory = directory
        self.exchanges, self.bridges = [], []
        self.expected = ()  # violations that a test provokes, by their text

    def exchange(self, *args, start=True, **options):
        """Options of the stand-in besides its arguments, as oauth_access_s=5."""
        server = Standin("--user", f"{USER}:{PASSWORD}", *args)
        self.exchanges.append(server)
        if options:
            server.options(**options)
        return server

    def bridge(self, *accounts, name="bridge", **kwargs):
        bridge = Bridge(os.path.join(str(self.directory), name), accounts, **kwargs)
        self.bridges.append(bridge)
        return bridge

    def end(self):
        problems = []
        tokens = [t for server in self.exchanges if server.process for t in server.oauth()["secrets"]]
        for bridge in self.bridges:
            bridge.canaries += tokens
            try:
                bridge.finish()
            except AssertionError as e:
                problems.append(e)
        for server in self.exchanges:
            try:
                found = [v for v in server.violations() if not any(e in v["what"] for e in self.expected)] if server.process else []
                if found:
                    problems.append(AssertionError(f"no strict server would accept: {found[:5]}"))
                for bridge in self.bridges:
                    bridge.flock().check_requests(server)
            except AssertionError as e:
                problems.append(e)
            finally:
                server.stop()
        if problems:
            raise problems[0]
