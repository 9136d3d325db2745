# SPDX-License-Identifier: Apache-2.0
"""A screen that nobody sees (Xvfb)."""
import os
import subprocess


def start(size, log=subprocess.DEVNULL):
    """The process, and its display's name. -noreset: without it the server begins anew whenever its last client goes,
    and who comes in that moment is sent away."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(command, pass_fds=[write], stdout=log, stderr=log)
    os.close(write)
    with os.fdopen(read) as pipe:
        return process, ":" + pipe.readline().strip()
