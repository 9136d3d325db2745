# SPDX-License-Identifier: Apache-2.0
"""What exbridge setup finds on the machine and leaves there: a configuration with accounts, other programs' ports, the user service."""
import json
import os
import socket

import canary
import pytest
import rig
from rig import EMAIL, PASSWORD, USER, credentials
from test_setup import corp, sane


# ---- the file ----


OLD = """# my file
[server]
imap = 21993
smtp = 21465
dav = 0

[account "old"]
  email = old@example.com
backend=ews
url = https://old.example.com/EWS/Exchange.asmx
auth = basic
local-auth = passthrough"""


def old_file(home, text=OLD, mode=0o600):
    os.makedirs(os.path.dirname(home.config), exist_ok=True)
    with open(os.open(home.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)


def test_an_account_is_added_and_nothing_else_touched(world, home):
    corp(world)
    old_file(home)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert home.text().startswith(OLD + '\n\n[account "corp"]\n') and home.text().count("[server]") == 1
    assert "port 21993" in done.stdout
    sane(home)


def test_a_link_stays_one(world, home):
    corp(world)
    real = os.path.join(home.directory, "dotfiles.conf")
    old_file(home)
    os.rename(home.config, real)
    os.symlink(real, home.config)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert os.path.islink(home.config) and '[account "corp"]' in open(real).read()


def test_names(world, home):
    server = corp(world, "--user", f"bob:{PASSWORD}:bob@corp.test")
    flags = ["--yes", "--password-file", world.secret()]
    assert home.setup(EMAIL, *flags, "--user", USER).returncode == 0
    again = home.setup(EMAIL, *flags, "--user", USER)
    assert again.returncode == 78 and 'set up already, as account "corp"' in again.stderr
    assert home.setup("bob@corp.test", *flags, "--user", "bob").returncode == 0
    assert '[account "corp-2"]' in home.text()
    taken = home.setup("bob@corp.test", *flags, "--name", "CORP")
    assert taken.returncode == 78 and "another --name" in taken.stderr
    bad = home.setup("bob@corp.test", *flags, "--user", "bob", "--name", "a/b")
    assert bad.returncode == 78 and "a name is needed" in bad.stderr, bad.stderr
    assert home.text().count("[account ") == 2
    assert not [e for e in credentials(server) if not e["user"]]


@pytest.mark.parametrize("text", ["[server]\nimap = x\n", "not a file", OLD.replace("backend=ews", "backend=pop")])
def test_a_file_with_mistakes_is_left_alone(world, home, text):
    server = corp(world)
    old_file(home, text)
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 78 and "corrected" in done.stderr and home.config in done.stderr
    assert home.text() == text and server.log() == []


def test_a_directory_that_cannot_be_written(world, home):
    corp(world)
    with open(os.path.join(home.directory, ".config"), "w"):
        pass  # a file where the directory should be
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 74 and ".config" in done.stderr
    assert not os.path.exists(os.path.join(home.state, "secrets"))


def test_ports_in_use_are_passed_over(world, home):
    corp(world)
    busy = []
    for port in (1993, 1994):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen()
            busy.append(sock)
        except OSError:
            sock.close()  # somebody else has it: as good
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert home.port("imap") > 1994
    for sock in busy:
        sock.close()


def fake_tool(home, name, script):
    """A program of that name, first in $PATH."""
    tools = os.path.join(home.directory, "bin")
    os.makedirs(tools, exist_ok=True)
    path = os.path.join(tools, name)
    with open(path, "w") as file:
        file.write(canary.remember(os.path.join(home.tools, "calls")) + script)
    os.chmod(path, 0o755)
    return f"{tools}:{os.environ['PATH']}"


def test_interrupted_while_it_writes(world, home):
    """^C when the first part of the file has just been made: it is written whole, with what belongs to it, and then setup is gone."""
    corp(world)
    path = fake_tool(home, "secret-tool", "kill -INT $PPID\nexit 1\n")  # is there a keyring?
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD], PATH=path)
    assert done.returncode == -2 and "Settings for mail programs" not in done.stdout
    assert "secret-store = file" in home.text() and sorted(os.listdir(os.path.join(home.state, "secrets"))) == ["account-corp.secret", "key"]
    sane(home)


# ---- the program that is running, and the service ----


def test_a_running_program_serves_it_at_once(world, home):
    corp(world, "--user", f"bob:{PASSWORD}:bob@corp.test")
    assert home.setup(EMAIL, "--yes", "--user", USER, "--password-file", world.secret()).returncode == 0
    home.start()
    done = home.setup("bob@corp.test", answers=["yes", "bob", PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "running exbridge serves it now" in done.stderr
    assert home.imap("bob@corp.test", rig.password_of(done.stdout)) == 0
    sane(home)


def test_the_user_service(world, home):
    corp(world)
    imap, smtp = rig.free_ports(2)  # which nobody takes before the service is there
    old_file(home, OLD.replace("21993", str(imap)).replace("21465", str(smtp)))
    log = os.path.join(home.directory, "systemctl.log")  # as systemd would: enable --now starts it
    path = fake_tool(home, "systemctl", f'echo "$@" >>{log}\n[ "$2" != enable ] || {rig.program()} run >{home.directory}/log 2>&1 &\nexit 0\n')
    done = home.setup(EMAIL, answers=["yes", USER, PASSWORD], PATH=path)
    try:
        assert done.returncode == 0, done.stderr
        assert "exbridge is running" in done.stderr
        with open(log) as file:
            assert file.read().splitlines() == ["--user cat exbridge.service", "--user enable --now exbridge.service"]
        assert home.imap(EMAIL, rig.password_of(done.stdout)) == 5
    finally:
        pid = json.loads(home.run("status", "--json").stdout)["pid"]
        os.kill(pid, 15)
        rig.poll(60, lambda: not os.path.exists(f"/proc/{pid}"))


# ---- other people's mailboxes ----


def test_a_shared_mailbox(world, home):
    corp(world)
    done = home.setup(EMAIL, "--mailbox", EMAIL, "--name", "team", answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert f"mailbox = {EMAIL}" in home.text() and '[account "team"]' in home.text()


def test_a_service_account(world, home):
    server = corp(world, "--user", f"bob:{PASSWORD}:bob@corp.test")
    done = home.setup(EMAIL, "--service-account", "svc", answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert EMAIL not in home.text() and '[login "svc"]' in home.text()  # the address was for the test alone
    assert "setup --login svc" in done.stderr
    sane(home)
    mark = server.mark()
    done = home.setup(EMAIL, "--login", "svc", "--yes")
    assert done.returncode == 0, done.stderr
    assert "login   = svc" in home.text() and "access  = impersonation" in home.text()
    assert {e["user"] for e in credentials(server, mark)} == {USER}
    done = home.setup("bob@corp.test", "--login", "svc", "--yes")
    assert done.returncode == 77 and "ErrorImpersonateUserDenied" in done.stderr, done.stderr
    assert "bob@" not in home.text()
    home.start()
    password = home.run("password", "corp", "--new").stdout.strip()
    assert home.imap(EMAIL, password) == 5


def test_a_login_that_is_not_there(world, home):
    world.dns()
    done = home.setup(EMAIL, "--login", "svc", "--yes")
    assert done.returncode == 66 and "--service-account svc" in done.stderr


def test_directories_named_from_here(world, home):
    """As the shell has them; it was found wrong only when the password had been sent."""
    corp(world)
    os.chdir(home.directory)
    done = home.setup(EMAIL, "--state-dir", "my state", "--cache-dir", "cache", answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert f"state-dir = {home.directory}/my state\n" in home.text() and f"cache-dir = {home.directory}/cache\n" in home.text()
    assert os.path.isdir(os.path.join(home.directory, "my state", "accounts"))
