# SPDX-License-Identifier: Apache-2.0
"""Debian's Dovecot as a witness: its imap process alone, on pipes, signed in, over a private Maildir; no daemon, no port.
Started as root it runs as nobody."""
import os
import pwd
import shutil
import subprocess
import tempfile

IMAP = "/usr/lib/dovecot/imap"
CONF = """\
log_path = {home}/log
base_dir = {home}/run
state_dir = {home}/state
mail_location = maildir:{home}/mail
mail_privileged_group =
first_valid_uid = 1
last_valid_uid = 0
first_valid_gid = 1
ssl = no
stats_writer_socket_path =
imap_max_line_length = 1M
mailbox_list_index = no
"""


def available():
    return os.access(IMAP, os.X_OK) and shutil.which("doveconf") is not None


class Dovecot:
    """messages: bytes objects; message i has sequence number i + 1. arrived(number): its INTERNALDATE; flags(number): Maildir letters."""

    def __init__(self, messages, arrived=lambda number: 1_704_067_200 + number * 3600, flags=lambda number: ""):
        self.home = tempfile.mkdtemp(prefix="exbridge-dovecot-")  # not below pytest's, which only its owner may enter
        os.makedirs(f"{self.home}/mail/cur")
        for name in ("mail/new", "mail/tmp", "run", "state"):
            os.makedirs(f"{self.home}/{name}", exist_ok=True)
        for i, message in enumerate(messages):
            wide = len(message) + message.count(b"\n") - message.count(b"\r\n")
            path = f"{self.home}/mail/cur/{1_600_000_000 + i}.M{i}P1.test,S={len(message)},W={wide}:2,{flags(i + 1)}"
            with open(path, "wb") as file:
                file.write(message)
            os.utime(path, (arrived(i + 1), arrived(i + 1)))
        with open(f"{self.home}/dovecot.conf", "w", encoding="ascii") as file:
            file.write(CONF.format(home=self.home))
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", self.home], check=True)
        self.process = self.spawn(subprocess.PIPE, subprocess.PIPE)
        greeting = self.process.stdout.readline()
        assert greeting.startswith(b"* PREAUTH"), greeting
        self.count = 0

    def spawn(self, stdin, stdout, stderr=None):
        """One more imap process, signed in; stdin and stdout may be a socket."""
        user, options = pwd.getpwuid(os.geteuid()), {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        env = {"USER": user.pw_name, "HOME": self.home, "TZ": "UTC", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        return subprocess.Popen([IMAP, "-c", f"{self.home}/dovecot.conf"], stdin=stdin, stdout=stdout, stderr=stderr,
                                env=env, cwd=self.home, **options)

    def command(self, text):
        """Its untagged answers, each with its literals. A command that is not answered OK is an AssertionError."""
        self.count += 1
        tag = b"t%d" % self.count
        self.process.stdin.write(tag + b" " + text + b"\r\n")
        self.process.stdin.flush()
        answers = []
        while True:
            answer = self.read_answer()
            if answer.startswith(tag + b" "):
                assert answer.startswith(tag + b" OK"), (text, answer)
                return answers
            answers.append(answer)

    def read_answer(self):
        out = b""
        while True:
            line = self.process.stdout.readline()
            assert line.endswith(b"\r\n"), (line, "Dovecot went away; see its log")
            out += line
            if not line.endswith(b"}\r\n") or b"{" not in line:
                return out[:-2]
            size = line[line.rindex(b"{") + 1:-3]
            if not size.isdigit():
                return out[:-2]
            out += self.process.stdout.read(int(size))

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)
        shutil.rmtree(self.home)
