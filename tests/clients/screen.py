# SPDX-License-Identifier: Apache-2.0
"""A program in a terminal of its own: tmux with a private socket, keys in, text out.

    with Screen(directory, ["mutt", "-F", path], env) as screen:
        screen.wait("Inbox")
        screen.keys("q")
        assert screen.status() == 0
"""
import os
import re
import shlex
import shutil
import subprocess
import tempfile

from bridge import poll

WAIT_S = 60


class Screen:
    def __init__(self, directory, command, env=None, size=(150, 50)):
        self.directory = str(directory)
        self.status_path = os.path.join(self.directory, "exit-status")
        self.private = tempfile.mkdtemp(prefix="screen")  # the path of a socket has to be short
        self.socket = os.path.join(self.private, "tmux")
        env = dict(os.environ, LC_ALL="C.UTF-8", HOME=self.directory, SHELL="/bin/sh", **(env or {}))
        env.pop("TMUX", None)
        script = f"{shlex.join(command)}; echo $? >{shlex.quote(self.status_path)}"
        try:
            self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), script, env=env)
        except BaseException:
            shutil.rmtree(self.private)
            raise

    def tmux(self, *args, env=None, check=True, input=None):
        return subprocess.run(["tmux", "-S", self.socket, *args], env=env, check=check, capture_output=True, text=True, input=input,
                              timeout=WAIT_S).stdout

    def text(self):
        """What stands on it; nothing when its program has ended."""
        return self.tmux("capture-pane", "-p", check=False)

    def keys(self, *keys):
        """Names of keys, as tmux knows them."""
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def paste(self, text):
        """The same for what shall stand on no command line."""
        self.tmux("load-buffer", "-", input=text)
        self.tmux("paste-buffer", "-d")

    def wait(self, pattern, seconds=WAIT_S):
        """The first screen on which the pattern is found."""
        shown = []

        def look():
            shown[:] = [self.text()]
            return re.search(pattern, shown[0], re.M)

        poll(seconds, look, lambda: f"{pattern} did not appear on\n{shown[0]}")
        return shown[0]

    def status(self, seconds=WAIT_S):
        """The exit status of the program, which is to end by itself."""
        def ended():
            try:
                with open(self.status_path) as file:
                    return file.read().strip()
            except FileNotFoundError:
                return None

        return int(poll(seconds, ended, lambda: "it goes on:\n" + self.text()))

    def close(self):
        self.tmux("kill-server", check=False)
        shutil.rmtree(self.private, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
