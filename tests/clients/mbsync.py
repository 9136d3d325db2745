# SPDX-License-Identifier: Apache-2.0
"""mbsync (isync) between the bridge and Maildirs, and what lies there afterwards."""
import os
import re
import subprocess

from bridge import LOCAL_PASSWORD


PULL = "Create Near\nSync Pull\n"
BOTH_WAYS = "Create Both\nRemove Both\nExpunge Both\nSync All\n"


class Mbsync:
    def __init__(self, directory, bridge, account, patterns="INBOX", how=PULL):
        self.directory, self.bridge, self.account = str(directory), bridge, account
        self.mail = os.path.join(self.directory, "mail")
        os.makedirs(self.mail, exist_ok=True)
        self.config = os.path.join(self.directory, "mbsyncrc")
        with open(self.config, "w") as file:
            file.write(f"""IMAPAccount {account}
Host localhost
Port {bridge.port}
User {account}
Pass {LOCAL_PASSWORD}
SSLType IMAPS
CertificateFile {bridge.ca_file}
Timeout 120

IMAPStore far
Account {account}

MaildirStore near
Path {self.mail}/
Inbox {self.mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns {patterns}
{how}SyncState *
""")

    def start(self):
        return subprocess.Popen(["mbsync", "-c", self.config, "all"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def run(self, timeout=400):
        process = self.start()
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            raise AssertionError(f"mbsync does not end: {out[-2000:]}\n{self.bridge.tail()}") from None
        assert process.returncode == 0, f"mbsync: {process.returncode}\n{out[-3000:]}\n{self.bridge.tail()}"
        return out

    def files(self, folder="INBOX"):
        found = []
        for part in ("cur", "new"):
            path = os.path.join(self.mail, folder, part)
            found += [os.path.join(path, name) for name in (os.listdir(path) if os.path.isdir(path) else ())]
        return found

    def messages(self, folder="INBOX"):
        """Their bytes, as they were on the wire as far as a Maildir keeps them."""
        found = []
        for path in self.files(folder):
            with open(path, "rb") as file:
                found.append(without_tuid(file.read()))
        return found

    def state(self, folder="INBOX"):
        """(UIDVALIDITY, far UIDs) as mbsync remembers them."""
        with open(os.path.join(self.mail, folder, ".mbsyncstate")) as file:
            text = file.read()
        return int(re.search(r"FarUidValidity (\d+)", text).group(1)), [int(n) for n in re.findall(r"^(\d+) \d+ ", text, re.M)]


def without_tuid(data):
    """mbsync marks what it stores with a header field of its own."""
    return re.sub(rb"^X-TUID: \S+\r?\n", b"", data, count=1, flags=re.M)


def on_disk(data):
    """What mbsync makes of a message in a Maildir: CRLF becomes LF."""
    return data.replace(b"\r\n", b"\n")
