# SPDX-License-Identifier: Apache-2.0
"""The wizard in a terminal: from the address to a mail program that reads mail; no echo of passwords; ^C at every question."""
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest
import rig
from rig import EMAIL, PASSWORD, USER, credentials
from screen import Screen
from test_setup import corp, nothing_written


def test_from_the_address_to_mbsync_and_curl(world, home):
    corp(world)
    env = home.environment(XDG_CONFIG_HOME=os.path.join(home.directory, ".config"))
    env = {k: v for k, v in env.items() if os.environ.get(k) != v and k not in ("LC_ALL", "HOME", "SHELL")}
    shell = f"{rig.program()} setup --ca-file {world.authority.ca}; echo status $?; read end"  # what it said stays there to be read
    with Screen(home.directory, ["/bin/sh", "-c", shell], env) as screen:
        screen.wait("E-mail address: *$")
        screen.type(EMAIL)
        screen.keys("Enter")
        screen.wait(r"May autodiscover.corp.test get your password\?.*\[yes\]: *$")
        screen.keys("Enter")
        screen.wait("User name for the server")
        screen.type(USER)
        screen.keys("Enter")
        screen.wait("Password of alice: *$")
        screen.type(PASSWORD)
        screen.keys("Enter")
        shown = screen.wait(r"^status \d+$")
        assert re.search("^status 0$", shown, re.M), shown
    rig.FLOCK.check_text(shown, "the screen")
    password = rig.password_of(shown)
    home.start()
    ca = os.path.join(os.path.dirname(home.config), "ca.pem")
    mail = os.path.join(home.directory, "Mail")
    os.makedirs(mail)
    rc = os.path.join(home.directory, "mbsyncrc")
    with open(rc, "w") as file:
        file.write(f"IMAPStore corp\nHost localhost\nPort {home.port('imap')}\nUser {EMAIL}\nPass {password}\nSSLType IMAPS\n"
                   f"SystemCertificates no\nCertificateFile {ca}\n\nMaildirStore here\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n"
                   "Channel all\nFar :corp:\nNear :here:\nPatterns INBOX\nCreate Near\nSync Pull\nSyncState *\n")
    rig.run("mbsync", "-c", rc, "all")
    assert len(os.listdir(os.path.join(mail, "INBOX", "new"))) + len(os.listdir(os.path.join(mail, "INBOX", "cur"))) == 5
    out = rig.run("curl", "-sS", "--cacert", ca, "-u", f"{EMAIL}:{password}",
                  f"imaps://localhost:{home.port('imap')}/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)")
    assert re.match(r"(?i)subject: ", out)


class Terminal:
    """A pseudo terminal, whose settings we can look at."""

    def __init__(self, command, env):
        self.master, slave = pty.openpty()

        def take():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which it would ignore under nohup(1)

        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True, preexec_fn=take)
        self.slave, self.text = slave, ""

    def read(self, seconds):
        """All that is there, or comes within a time; has anything come?"""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.text += os.read(self.master, 65536).decode("utf-8", "replace")
        return True

    def wait(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            ended = self.process.poll() is not None  # asked first: what it said last is there then
            more = self.read(0 if ended else 0.1)
            assert (more or not ended) and time.monotonic() < end, self.text

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        code = self.process.wait(60)
        while self.read(0):
            pass
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(world, home):
    made = []

    def make(*args):
        made.append(Terminal([rig.program(), "setup", *args, "--ca-file", world.authority.ca], home.environment(TERM="xterm")))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_password_is_not_echoed(world, home, terminal):
    corp(world)
    t = terminal(EMAIL)
    t.wait(r"\[yes\]: $")
    assert t.echoes()
    t.type("\n")
    t.wait("User name")
    t.type(USER + "\n")
    t.wait("Password of alice: $")
    rig.poll(60, lambda: not t.echoes())
    t.type(PASSWORD + "\n")
    t.wait("mail programs:")
    assert t.end() == 0 and t.echoes()
    rig.FLOCK.check_text(t.text, "the terminal")


def test_hosts_that_are_none(world, home, terminal):
    """Whoever sits there is told what is wrong, and asked again: at a server that was found, and where none was."""
    world.exchange("--corpus", "5", hosts=["owa.elsewhere.test"], auth_schemes=["Basic realm=\"x\""],
                   autodiscover_hosts={"*": {"do": "status", "status": 404}})
    corp(world)
    for address, answers in ((EMAIL, [("http://mail.corp.test", "only https"), ("not.a host!", "is no host"), (PASSWORD, "no full name")]),
                             ("bob@nobody.test", [("", "A name is needed"), ("yes", "A name is needed"), ("bob", "no full name of a host")])):
        t = terminal(address)
        for answer, said in answers:
            t.wait(r"(\[yes\]|web mail\)): $")
            t.text = ""
            t.type(answer + "\n")
            t.wait(said)
        assert t.end() == 78, t.text
    assert f"{PASSWORD}" not in str(world.dns_server.asked)
    nothing_written(home)


STEPS = [(None, "E-mail address: $"), (EMAIL, r"\[yes\]: $"), ("", r"\[alice@corp.test\]: $"), (USER, "Password of alice: $")]


@pytest.mark.parametrize("steps", range(1, 5))
@pytest.mark.parametrize("how", ["^D", signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_at_every_question(world, home, terminal, steps, how):
    server = corp(world)
    t = terminal()
    for answer, question in STEPS[:steps]:
        if answer is not None:
            t.type(answer + "\n")
        t.wait(question)
    rig.poll(60, lambda: steps < 4 or not t.echoes())
    if how in ("^D", signal.SIGINT):
        t.type({"^D": "\x04", signal.SIGINT: "\x03"}[how])
    else:
        t.process.send_signal(how)
    assert t.end() == (78 if how == "^D" else -how)
    assert t.echoes() and (how != "^D" or "a question needs an answer" in t.text)
    assert credentials(server) == []
    nothing_written(home)
