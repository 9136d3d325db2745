# SPDX-License-Identifier: Apache-2.0
"""Maildirs as another program changes them, folder below folder (mbsync's SubFolders Verbatim)."""
import itertools
import os
import re

counter = itertools.count(1)


class Maildir:
    """A message is the path of its file; flags are the letters of the Maildir's names (S seen, F flagged, R replied ...)."""

    def __init__(self, top):
        self.top = str(top)

    def folders(self):
        found = []
        for folder, names, _ in os.walk(self.top):
            if "cur" in names:
                found.append(os.path.relpath(folder, self.top))
            names[:] = [n for n in names if n not in ("cur", "new", "tmp")]
        return sorted(found)

    def files(self, folder):
        return sorted(os.path.join(self.top, folder, part, name) for part in ("cur", "new")
                      for name in os.listdir(os.path.join(self.top, folder, part)))

    def everything(self):
        return {folder: self.files(folder) for folder in self.folders()}

    def find(self, folder, text):
        """The one message of a folder in which a text stands."""
        found = [path for path in self.files(folder) if text.encode() in self.read(path)]
        assert len(found) == 1, (text, found)
        return found[0]

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    @staticmethod
    def flags(path):
        return set((re.search(r":2,([A-Z]*)$", path) or [0, ""])[1])

    def create(self, folder):
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.top, folder, part), exist_ok=True)

    def add(self, folder, data, flags=""):
        """Lines end in LF, as in every Maildir."""
        name = f"1767600000.{next(counter)}.near:2,{''.join(sorted(flags))}"
        path = os.path.join(self.top, folder, "cur", name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def mark(self, path, more="", less=""):
        flags = "".join(sorted((self.flags(path) | set(more)) - set(less)))
        folder = os.path.dirname(os.path.dirname(path))
        new = os.path.join(folder, "cur", os.path.basename(path).split(":2,")[0] + ":2," + flags)
        os.rename(path, new)
        return new

    def move(self, path, folder):
        """To another folder, where it is a new message: mbsync keeps its own number in a name, which must not go along."""
        new = self.add(folder, self.read(path), self.flags(path))
        os.unlink(path)
        return new
