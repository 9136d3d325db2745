# SPDX-License-Identifier: Apache-2.0
"""exbridge trace under way.

    trace = Trace(bridge, "work")
    trace.wait(r"> +<CreateFolder")
    assert trace.end() == 0
    trace.text()
"""
import re
import signal
import subprocess

from bridge import poll, program


class Trace:
    """A trace that runs; its output goes to a file, so that nobody has to read along."""

    def __init__(self, bridge, *words):
        self.bridge, self.path = bridge, f"{bridge.directory}/trace-{'-'.join(words)}"
        self.out, self.err = open(self.path, "wb"), open(self.path + ".err", "wb")
        self.process = subprocess.Popen([program(), "trace", *words, "-c", bridge.config_path],
                                        stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err)
        poll(60, lambda: b"^C ends it" in self.complaint(), lambda: self.complaint())

    def complaint(self):
        with open(self.path + ".err", "rb") as file:
            return file.read()

    def text(self):
        with open(self.path, "rb") as file:
            return file.read().decode()

    def wait(self, pattern):
        return poll(60, lambda: re.search(pattern, self.text(), re.M), lambda: f"{pattern} did not come:\n{self.text()[-6000:]}")

    def end(self, number=signal.SIGINT):
        if number:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self.out.close()
        self.err.close()
        self.bridge.flock().check_files(self.path, self.path + ".err")
        return code
