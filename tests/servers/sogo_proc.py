# SPDX-License-Identifier: Apache-2.0
"""Processes of a rig, kept by pid files.

Each is started in a session of its own; its pid file holds the pid and the start time, so that a number which was given
to another process meanwhile is never signalled.
"""

import os
import signal
import subprocess
import time

# The order to stop in, with the gentle signal and how long it may take.  sogod needs up to 30 s for its TERM and holds
# nothing that could be lost; it is killed.
STOP = (
    ("sogod", signal.SIGKILL, 5),
    ("dovecot", signal.SIGTERM, 5),
    ("memcached", signal.SIGTERM, 3),
    ("postgres", signal.SIGINT, 10),
    ("side", signal.SIGTERM, 3),
)


def start_time(pid):
    """Field 22 of /proc/PID/stat, or None when there is no such process (or only its zombie)."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def is_alive(pid, started):
    return started is not None and start_time(pid) == started


def poll_until(condition, seconds, what):
    """Poll until the condition holds; the last word when it does not is `what` (text, or a function giving it)."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(what() if callable(what) else what)
        time.sleep(0.02)


def spawn(run_dir, name, command, log, user=None, group=None, env=None):
    """Start in its own session, write the pid file, return the Popen."""
    extra = {"user": user, "group": group, "extra_groups": []} if os.getuid() == 0 and user is not None else {}
    with open(log, "ab") as out:
        if extra:
            os.fchown(out.fileno(), user, group)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd="/", env=env, **extra
        )
    with open(os.path.join(run_dir, name + ".pid"), "w") as f:
        f.write(f"{process.pid} {start_time(process.pid)}\n")
    return process


def read_pid(run_dir, name):
    try:
        with open(os.path.join(run_dir, name + ".pid")) as f:
            pid, started = f.read().split()
    except (OSError, ValueError):
        return None
    return (int(pid), started) if is_alive(int(pid), started) else None


def session_alive(session):
    """Is any process of this session left (workers of a leader that ended)?"""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z" and int(fields[3]) == session:
                return True
    return False


def stop(run_dir, name, number, seconds):
    found = read_pid(run_dir, name)
    if found:
        pid = found[0]
        if number == signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
        try:
            poll_until(lambda: not session_alive(pid), seconds, "")
        except TimeoutError:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            poll_until(lambda: not session_alive(pid), 5, f"{name} (process {pid}) does not end")
    try:
        os.unlink(os.path.join(run_dir, name + ".pid"))
    except OSError:
        pass


def ended(run_dir):
    """The first of the started processes that is not running any more, or None."""
    for name, _, _ in STOP:
        if os.path.exists(os.path.join(run_dir, name + ".pid")) and not read_pid(run_dir, name):
            return name
    return None


def stop_all(run_dir, leave=()):
    for name, number, seconds in STOP:
        if name not in leave:
            stop(run_dir, name, number, seconds)
