# SPDX-License-Identifier: Apache-2.0
"""Programs that a test talks to over their stdin and stdout, a line of JSON each way."""
import subprocess


def end(process, seconds=20):
    """By the end of its input; a program that does not obey is killed."""
    process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
