# SPDX-License-Identifier: Apache-2.0
"""Setup on a desktop with a real keyring: unlocked; locked, where it asks its owner, who answers, declines or is not there."""
import os
import re
import select
import signal
import subprocess
import threading

import canary
import pytest
import rig
from desktop_keyring import Keyring
from rig import EMAIL, PASSWORD, USER
from screen import Screen
from test_setup import corp, sane


def secrets(home):
    folder = os.path.join(home.state, "secrets")
    return set(os.listdir(folder)) if os.path.exists(folder) else set()


@pytest.fixture
def keyring(tmp_path, home):
    with Keyring(tmp_path / "keyring", screen=True) as keyring:
        home.desktop = dict(keyring.environment)
        yield keyring
        home.stop()


class SetupUnderWay:
    """setup, which will wait for the keyring; end() gives returncode, stdout and stderr."""

    def __init__(self, home, *answers):
        self.process = subprocess.Popen([rig.program(), "setup", EMAIL, "--ca-file", home.world.authority.ca], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home.environment())
        self.said = []
        text = "".join(answer + "\n" for answer in answers)
        self.reader = threading.Thread(target=lambda: self.said.append(self.process.communicate(text)))
        self.reader.start()

    def state(self):
        return f"setup ended with {self.process.returncode}, said {self.said[0]}" if self.said else "setup is still running"

    def end(self):
        self.reader.join(120)
        rig.FLOCK.check_text("".join(self.said[0]), "what setup said")
        return self.process.returncode, *self.said[0]


def test_in_a_terminal(world, home, keyring):
    """From the address to mail; again after a restart of the program, and of the keyring."""
    corp(world)
    env = home.environment(XDG_CONFIG_HOME=os.path.join(home.directory, ".config"))
    env = {k: v for k, v in env.items() if os.environ.get(k) != v and k not in ("LC_ALL", "HOME", "SHELL")}
    shell = f"{rig.program()} setup --ca-file {world.authority.ca}; echo status $?; read end"
    with Screen(home.directory, ["/bin/sh", "-c", shell], env) as screen:
        for question, answer in (("E-mail address: *$", EMAIL), (r"May autodiscover.corp.test get your password\?.*: *$", "yes"),
                                 ("User name for the server", USER), ("Password of alice: *$", PASSWORD)):  # fmt: skip
            screen.wait(question)
            screen.type(answer)
            screen.keys("Enter")
        shown = screen.wait(r"^status \d+$")
    rig.FLOCK.check_text(shown, "the screen")
    assert re.search("^status 0$", shown, re.M), shown
    assert "sealed, with the key in your keyring" in shown
    assert "secret-store = secret-service" in home.text() and secrets(home) == {"account-corp.secret", "keyring-id"}
    canary.Flock(PASSWORD).check_files(keyring.directory)  # the keyring has the key alone
    sane(home)
    password = rig.password_of(shown)
    for _ in range(2):
        home.start()
        assert home.imap(EMAIL, password) == 5
        home.stop()
        keyring.unlock()


def test_the_keyring_asks(world, home, keyring):
    corp(world)
    keyring.lock()
    setup = SetupUnderWay(home, "yes", USER, PASSWORD)
    keyring.wait_for_question(setup.state)
    keyring.dismiss()
    code, _, err = setup.end()
    assert code == 69 and "is the keyring unlocked?" in err and "run setup again, with --secret-store file" in err, (code, err)
    assert not os.path.exists(home.config) and secrets(home) == set()
    setup = SetupUnderWay(home, "yes", USER, PASSWORD)
    keyring.wait_for_question(setup.state)
    keyring.answer()
    code, out, err = setup.end()
    assert code == 0 and "secret-store = secret-service" in home.text(), err
    sane(home)
    home.start()
    assert home.imap(EMAIL, rig.password_of(out)) == 5


def test_interrupted_while_the_keyring_asks(world, home, keyring):
    """^C ends it at once, and leaves nothing behind."""
    corp(world)
    keyring.lock()
    process = subprocess.Popen([rig.program(), "setup", EMAIL, "--ca-file", world.authority.ca], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=home.environment())
    process.stdin.write(f"yes\n{USER}\n{PASSWORD}\n".encode())
    process.stdin.flush()
    keyring.wait_for_question()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == -signal.SIGINT  # the keyring is asked for a minute
    process.stdin.close()
    assert os.listdir(os.path.dirname(home.config)) in ([], ["ca.pem"]) and secrets(home) == set()


def test_without_the_keyring(world, home, keyring):
    corp(world)
    keyring.lock()
    done = home.setup(EMAIL, "--secret-store", "file", answers=["yes", USER, PASSWORD])
    assert done.returncode == 0, done.stderr
    assert "secret-store = file" in home.text() and "key" in secrets(home) and not keyring.asks()
    home.start()
    assert home.imap(EMAIL, rig.password_of(done.stdout)) == 5


def test_doctor_asks_the_keyring_once(world, home, keyring):
    """However many accounts there are; who declines is told so, and nobody is asked again for the sign-in."""
    corp(world)
    assert home.setup(EMAIL, answers=["yes", USER, PASSWORD]).returncode == 0
    assert home.setup(EMAIL, "--name", "second", answers=["yes", USER, PASSWORD]).returncode == 0
    keyring.lock()
    process = subprocess.Popen([rig.program(), "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home.environment())
    assert select.select([process.stderr], [], [], 60)[0] and "waiting for the keyring" in process.stderr.readline()
    keyring.wait_for_question()
    keyring.dismiss()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2 and err == "" and not keyring.asks(), (out, err)
    for name in ("corp", "second"):
        assert re.search(f"^FAIL  {name}: stored secret .*is the keyring unlocked", out, re.M), out
        assert re.search(f"^warn  {name}: sign-in .not tried: there is nothing to sign in with", out, re.M), out
