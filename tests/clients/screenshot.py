# SPDX-License-Identifier: Apache-2.0
"""Pictures of what a client shows: ImageMagick's `import` on a display, as a module of the tests or by hand.

    screenshot.py DISPLAY FILE.png
"""
import os
import shutil
import subprocess
import sys


def take(display, path):
    """The whole display; when $EXBRIDGE_SCREENSHOTS names a directory, a copy goes there, too."""
    subprocess.run(["import", "-window", "root", "-display", display, str(path)], check=True, timeout=30)
    folder = os.environ.get("EXBRIDGE_SCREENSHOTS")
    if folder:
        os.makedirs(folder, exist_ok=True)
        shutil.copy(path, folder)
    return str(path)


def colours(path):
    """How many colours a picture has: an empty screen has one."""
    command = ["identify", "-format", "%k", str(path)]
    told = subprocess.run(command, check=True, timeout=30, capture_output=True, text=True)
    return int(told.stdout)


if __name__ == "__main__":
    take(*sys.argv[1:])
