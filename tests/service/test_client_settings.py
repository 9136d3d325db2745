# SPDX-License-Identifier: Apache-2.0
"""What client-settings prints, fed to the real programs; and trust, seen by Thunderbird."""
import base64
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading

import bridge as rig
import pytest
from bridge import Account, poll
from test_program import call

sys.path.insert(0, os.path.join(rig.ROOT, "tests/clients"))
from screen import Screen  # noqa: E402
from thunderbird import Thunderbird  # noqa: E402


class Made(rig.Bridge):
    """A bridge whose accounts have no local-password-file: the settings say how to make a password."""

    def secret(self, name, text):
        return None if name == "local-password" else super().secret(name, text)

    def write_config(self):
        super().write_config()
        with open(self.config_path) as file:
            text = file.read().replace("local-password-file = None\n", "")
        with open(self.config_path, "w") as file:
            file.write(text)


@pytest.fixture
def bridge(stage):
    server = stage.exchange("--corpus", "5")
    bridge = Made(stage.directory / "bridge", [Account("work", server), Account("phone", server, "eas")], dav=True)
    stage.bridges.append(bridge)
    return bridge


def settings(bridge, client, account="work"):
    """The text; what it says about the password is done."""
    result = call("client-settings", client, account, "-c", bridge.config_path)
    assert result.returncode == 0, result.stderr
    command = re.search(r"\(umask 077; (exbridge password .* > .*)\)$", result.stdout, re.M)
    if command:
        script = command.group(1).replace("exbridge", rig.program(), 1)
        subprocess.run(["sh", "-c", "umask 077; " + script], check=True, capture_output=True)
        path = shlex.split(script)[-1]
        with open(path) as file:
            bridge.canaries.append(file.read().strip())
    return result.stdout


def write(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(text)
    return str(path)


@pytest.mark.parametrize("account", ["work", "phone"])
def test_mbsync(bridge, tmp_path, account):
    text = settings(bridge, "mbsync", account).replace("~/Mail", str(tmp_path / "Mail"))
    (tmp_path / "Mail" / account).mkdir(parents=True)
    result = subprocess.run(["mbsync", "-c", write(tmp_path / "rc", text), account], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    inbox = tmp_path / "Mail" / account / "INBOX"
    assert len(os.listdir(inbox / "cur") + os.listdir(inbox / "new")) == 5


def test_msmtp(stage, tmp_path):
    server = stage.exchange("--corpus", "1")
    bridge = Made(stage.directory / "bridge", [Account("work", server, email=rig.USER)])
    stage.bridges.append(bridge)
    path = write(tmp_path / "rc", settings(bridge, "msmtp"))
    message = f"From: {rig.USER}\r\nTo: bob@example.com\r\nSubject: from msmtp\r\n\r\nHello\r\n".encode()
    result = subprocess.run(["msmtp", "-C", path, "bob@example.com"], input=message, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert len(server.submissions()) == 1


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt(bridge, tmp_path, program):
    text = settings(bridge, program) + 'set status_format = "INDEX %f %m messages"\n'
    with Screen(tmp_path, [program, "-n", "-F", write(tmp_path / "rc", text)]) as screen:
        screen.wait(r"^INDEX \S*INBOX 5 messages")


@pytest.mark.parametrize("account", ["work", "phone"])
def test_vdirsyncer_and_khal(stage, bridge, tmp_path, account):
    """As printed, nothing changed: what is here comes there, and the other way round; khal reads what came."""
    text = settings(bridge, "vdirsyncer", account)
    home = tmp_path / "home"
    (home / ".config" / "vdirsyncer").mkdir(parents=True)
    write(home / ".config" / "vdirsyncer" / "config", text)
    env = dict(os.environ, HOME=str(home), LC_ALL="C.UTF-8")
    for name in [n for n in env if n.startswith(("XDG_", "VDIRSYNCER"))]:
        del env[name]

    def run(*command, **kwargs):
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, **kwargs)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    run("vdirsyncer", "discover", input="y\n" * 20)
    run("vdirsyncer", "metasync")
    run("vdirsyncer", "sync")
    top = home / ".local" / "share" / "vdirsyncer" / account
    calendar = next(str(top / n) for n in sorted(os.listdir(top)) if (top / n / "displayname").read_text() == "Calendar")
    khal = tmp_path / "khal"
    khal.write_text(f"[calendars]\n[[work]]\npath = {calendar}\n[locale]\ntimeformat = %H:%M\ndateformat = %Y-%m-%d\n"
                    "longdateformat = %Y-%m-%d\ndatetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n"
                    "local_timezone = Europe/Berlin\ndefault_timezone = Europe/Berlin\n")
    run("khal", "-c", str(khal), "new", "-a", "work", "2026-12-01 10:00", "2026-12-01 11:00", "Made by khal")
    run("vdirsyncer", "sync")
    server = stage.exchanges[0]
    assert [e["subject"] for e in server.events()] == ["Made by khal"]
    server.event("create", event={"subject": "Made there", "uid": "v-1", "start": "2026-12-02T10:00:00Z", "end": "2026-12-02T11:00:00Z"})
    poll(60, lambda: "Made there" in (run("vdirsyncer", "sync"), run("khal", "-c", str(khal), "list", "2026-12-02", "1d"))[1])


def evolution(directory, wanted):
    """GIO's own idea of the network is left out: there is none in a sandbox."""
    env = dict(os.environ, GIO_USE_NETWORK_MONITOR="base", HOME=str(directory))
    done = subprocess.run(["/usr/bin/python3", os.path.join(rig.ROOT, "tests/service/evolution_mail.py"), str(directory)], env=env,
                          input=json.dumps(wanted), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_evolution(stage, tmp_path):
    """Evolution's mail engine with an account as the text has it typed in: reads, marks as read, sends; asks about the certificate
    once, and what is shown to be compared is what the text says."""
    server = stage.exchange("--corpus", "3")
    bridge = Made(stage.directory / "bridge", [Account("work", server, email=rig.USER)])
    stage.bridges.append(bridge)
    text = settings(bridge, "evolution")
    host, port, user = re.search(r"Receiving: IMAP, server (\S+), port (\d+), user name (\S+), TLS on a dedicated port, Password$", text, re.M).groups()
    sending = r"Sending: SMTP, server (\S+), port (\d+), TLS on a dedicated port, server requires authentication \((\w+)\),\n +user name (\S+)$"
    smtp_host, smtp_port, mechanism, smtp_user = re.search(sending, text, re.M).groups()
    command = re.search(r"Password: what this prints: exbridge (password .*)$", text, re.M).group(1)
    password = subprocess.run(f"{rig.program()} {command}", shell=True, check=True, capture_output=True, text=True).stdout.strip()
    bridge.canaries.append(password)
    wanted = {"password": password, "from": rig.USER, "to": "bob@example.com", "subject": "from Evolution",
              "imap": {"host": host, "port": int(port), "user": user, "security": "SSL_ON_ALTERNATE_PORT", "mechanism": None},
              "smtp": {"host": smtp_host, "port": int(smtp_port), "user": smtp_user, "security": "SSL_ON_ALTERNATE_PORT",
                       "mechanism": mechanism}}
    seen = evolution(tmp_path, wanted)
    items = server.items("inbox")
    assert {x for _, x in seen["messages"].values()} == {i["message_id"].strip("<>") for i in items}
    poll(60, lambda: all(i["read"] for i in server.items("inbox")))
    (sent,) = server.submissions()
    assert sent["recipients"] == ["bob@example.com"] and b"Subject: from Evolution" in base64.b64decode(sent["mime_b64"])
    assert [chain[0].upper() for chain in seen["asked"]] == [re.search(r"^ +((?:[0-9A-F]{2}:){31}..)$", text, re.M).group(1).replace(":", "")]
    del wanted["smtp"]
    assert evolution(tmp_path, wanted) == {"messages": seen["messages"], "asked": []}


def test_texts(bridge):
    plain = call("client-settings", "-c", bridge.config_path)
    assert plain.returncode == 0 and f"port {bridge.port}, SSL/TLS" in plain.stdout and "phone@bridge.test" in plain.stdout
    for client in ("evolution", "thunderbird", "plain"):
        text = settings(bridge, client)
        assert str(bridge.port) in text and "$(" not in text and "{" not in text
    for words, code, what in [(["pine", "work"], 64, "there is no client pine"), (["mutt"], 66, "several accounts"),
                              (["mutt", "x"], 66, "no account x")]:
        result = call("client-settings", *words, "-c", bridge.config_path)
        assert result.returncode == code and what in result.stderr, (words, result)


OPEN = """const server = MailServices.accounts.allServers.find(s => s.type == "imap");
const until = async (seconds, look) => { const end = Date.now() + seconds * 1000;
    while (!look() && Date.now() < end) await sleep(50); return look(); };
const inbox = () => server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
server.performExpand(window.msgWindow);
await until(30, inbox);
inbox().updateFolder(window.msgWindow);
await until(60, () => [...inbox().messages].length == 5);
return [...inbox().messages].length;"""
WINDOWS = "return [...Services.wm.getEnumerator(null)].map(w => w.document.documentElement.getAttribute('windowtype'));"


def test_thunderbird_with_settings_and_trust(bridge, tmp_path):
    """No dialog about a certificate, and mail."""
    text = settings(bridge, "thunderbird")
    prefs = {name: int(value) if value.isdigit() else value == "true" if value in ("true", "false") else value.strip('"')
             for name, value in re.findall(r'^user_pref\("([^"]+)", (.*)\);$', text, re.M)}
    password = call("password", "work", "--new", "-c", bridge.config_path).stdout.strip()
    bridge.canaries.append(password)
    home = tmp_path / "home"
    profile = home / ".thunderbird" / "x.default"
    profile.mkdir(parents=True)
    (home / ".thunderbird" / "profiles.ini").write_text("[Profile0]\nName=default\nIsRelative=1\nPath=x.default\n")
    env = dict(os.environ, HOME=str(home))
    trust = lambda *words: call("trust", *words, "-c", bridge.config_path, env=env)  # noqa: E731
    assert "trusts it now" in trust().stdout and "trusts it already" in trust("thunderbird").stdout
    user = "work@bridge.test"
    passwords = [(f"{protocol}://localhost", user, password) for protocol in ("imap", "smtp")]
    with Thunderbird(str(profile), prefs, passwords, any_certificate=False) as bird:
        assert bird.js(OPEN) == 5
        assert bird.js(WINDOWS) == ["mail:3pane"]
    assert "does not trust it any more" in trust("--undo").stdout and "did not trust it" in trust("--undo").stdout
    assert trust("firefox").returncode == 66 and "localhost" in trust("--print").stdout


@pytest.mark.parametrize("config", [None, "settings"])
def test_where_profiles_lie(bridge, tmp_path, config):
    """As the programs have made them over the years, by package, snap and flatpak; also those that profiles.ini has elsewhere."""
    home = tmp_path / "home of mine"
    flatpak, xdg = home / ".var/app", home / (config or ".config")
    places = {
        "Thunderbird": [home / ".thunderbird", xdg / "thunderbird", home / "snap/thunderbird/common/.thunderbird",
                        flatpak / "org.mozilla.Thunderbird/.thunderbird", flatpak / "net.thunderbird.Thunderbird/.thunderbird",
                        flatpak / "org.mozilla.thunderbird/.thunderbird", flatpak / "org.mozilla.thunderbird/config/thunderbird"],
        "Firefox": [home / ".mozilla/firefox", xdg / "mozilla/firefox", home / "snap/firefox/common/.mozilla/firefox",
                    flatpak / "org.mozilla.firefox/.mozilla/firefox", flatpak / "org.mozilla.firefox/config/mozilla/firefox"],
    }
    profiles = {program: [top / "x y.default" for top in tops] for program, tops in places.items()}
    for profile in sum(profiles.values(), []):
        profile.mkdir(parents=True)
        (profile / "prefs.js").touch()
    profiles["Firefox"].append(tmp_path / "elsewhere = here")
    profiles["Firefox"][-1].mkdir()
    listed = f"[Profile1]\r\nName=old\r\nIsRelative=0\r\nPath=/nonexistent\r\n[Profile0]\r\nName=x\r\nIsRelative=0\r\nPath={profiles['Firefox'][-1]}\r\n"
    (places["Firefox"][1] / "profiles.ini").write_text(listed)
    env = {k: v for k, v in os.environ.items() if k != "XDG_CONFIG_HOME"} | {"HOME": str(home)} | ({"XDG_CONFIG_HOME": str(xdg)} if config else {})
    for program in ("Thunderbird", "Firefox"):
        done = call("trust", program.lower(), "-c", bridge.config_path, env=env)
        assert done.returncode == 0, done
        assert sorted(done.stdout.splitlines()) == sorted(f"{program} in {p} trusts it now" for p in profiles[program])
    for profile in sum(profiles.values(), []):
        listing = subprocess.run(["certutil", "-L", "-d", f"sql:{profile}"], capture_output=True, text=True)
        assert re.search(r"^exbridge .*C,,", listing.stdout, re.M), listing


ODD = "o'neil+$HOME`id`#{1}%40|&!@bridge.test"  # RFC 5322, 3.2.3: all of it may stand there


@pytest.fixture
def odd(stage):
    """An address and paths with characters that mean something to shells and in the programs' files."""
    server = stage.exchange("--corpus", "5")
    server.call("POST", "users", {"name": "odd", "password": rig.PASSWORD, "email": ODD})
    server.call("POST", "corpus", {"user": "odd", "folder": "inbox", "count": 5})
    bridge = Made(stage.directory / "o b;c", [Account("work", server, email=ODD, user="odd")], dav=True)
    stage.bridges.append(bridge)
    return bridge


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_odd_names_in_mutt(odd, tmp_path, program):
    path = write(tmp_path / "rc", settings(odd, program) + 'set status_format = "INDEX %f %m messages"\n')
    told = subprocess.run([program, "-n", "-F", path, "-Q", "from", "-Q", "imap_user"], capture_output=True, text=True)
    assert told.stdout.count(ODD) == 2, told
    with Screen(tmp_path, [program, "-n", "-F", path]) as screen:
        screen.wait(r"^INDEX \S*INBOX 5 messages")


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_folders_that_a_server_has_named(stage, tmp_path, program):
    """Whatever the drafts are called there: no command of this machine is run when mutt reads its file."""
    bridge = Made(stage.directory / "bridge", [Account("work", stage.exchange("--corpus", "1"))], start=False)
    bridge.write_config()
    os.makedirs(bridge.state)
    with socket.socket(socket.AF_UNIX) as daemon:
        os.chdir(bridge.state)  # sun_path is short
        daemon.bind("control.sock")
        daemon.listen()

        def answer():
            client = daemon.accept()[0]
            client.makefile("rb").readline()
            accounts = [{"special": {"drafts": f'Dr"`touch {tmp_path}/ran`$HOME'}}]
            client.sendall(json.dumps({"ok": True, "answer": {"accounts": accounts}}).encode() + b"\n")
            client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        text = call("client-settings", program, "-c", bridge.config_path).stdout
        thread.join(60)
    text = text.replace("set imap_pass", "# ").replace("set smtp_pass", "# ")
    told = subprocess.run([program, "-n", "-F", write(tmp_path / "rc", text), "-Q", "postponed"], capture_output=True, text=True)
    assert f"`touch {tmp_path}/ran`$HOME" in told.stdout and not (tmp_path / "ran").exists(), told


def test_odd_names_in_mbsync_and_msmtp(odd, tmp_path):
    text = settings(odd, "mbsync").replace("~/Mail", str(tmp_path / "Mail"))
    (tmp_path / "Mail" / "work").mkdir(parents=True)
    result = subprocess.run(["mbsync", "-c", write(tmp_path / "rc", text), "work"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    message = f"From: {ODD}\r\nTo: bob@example.com\r\nSubject: from msmtp\r\n\r\nHello\r\n".encode()
    path = write(tmp_path / "msmtprc", settings(odd, "msmtp"))
    result = subprocess.run(["msmtp", "-C", path, "bob@example.com"], input=message, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_odd_names_in_vdirsyncer(odd, tmp_path):
    home = tmp_path / "home"
    (home / ".config" / "vdirsyncer").mkdir(parents=True)
    write(home / ".config" / "vdirsyncer" / "config", settings(odd, "vdirsyncer"))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "VDIRSYNCER"))} | {"HOME": str(home), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["vdirsyncer", "discover"], env=env, input="y\n" * 20, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "Calendar" in done.stdout + done.stderr, done


def test_odd_names_in_thunderbird(odd):
    values = dict(re.findall(r'^user_pref\("([^"]+)", (.*)\);$', settings(odd, "thunderbird"), re.M))
    assert json.loads(values["mail.server.work.userName"]) == json.loads(values["mail.identity.work.useremail"]) == ODD


def test_a_backslash_in_an_address(odd):
    """Nobody has one, and the file may have it all the same: it does not end the quotes."""
    odd.accounts[0].keys["email"] = r"a\b$@bridge.test"
    odd.write_config()
    for client, line in (("thunderbird", r'.userName", "a\\b$@bridge.test")'), ("mutt", r'from = "a\\b\$@bridge.test"'),
                         ("mbsync", r'User "a\\b$@bridge.test"'), ("vdirsyncer", r'username = "a\\b$@bridge.test"'),
                         ("msmtp", r"user a\b$@bridge.test")):
        assert line in call("client-settings", client, "-c", odd.config_path).stdout


def test_a_path_that_does_not_fit(stage):
    """A quote in it needs a backslash, for which the files have another meaning: said, not printed wrongly."""
    server = stage.exchange("--corpus", "1")
    bridge = Made(stage.directory / "o'neil", [Account("work", server)])
    stage.bridges.append(bridge)
    done = call("client-settings", "mutt", "work", "-c", bridge.config_path)
    assert done.returncode == 78 and "cannot hold this in quotes" in done.stderr and not done.stdout
    command = re.search(r"this prints: exbridge (password work.*) CLIENT$", call("client-settings", "-c", bridge.config_path).stdout, re.M).group(1)
    made = subprocess.run(f"{rig.program()} {command} x", shell=True, capture_output=True, text=True)
    assert made.returncode == 0, made
    bridge.canaries.append(made.stdout.strip())
