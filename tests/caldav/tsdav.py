# SPDX-License-Identifier: Apache-2.0
"""tsdav, the npm client (package.json beside this file); tsdav_drive.mjs has what it can be told."""
import json
import os
import subprocess

import children
from bridge import LOCAL_PASSWORD
from davtest import prop
from programs import Program

HERE = os.path.dirname(os.path.abspath(__file__))


class Tsdav(Program):
    def __init__(self, dav, directory=None):
        super().__init__(dav, directory)
        env = dict(os.environ, NODE_EXTRA_CA_CERTS=self.bridge.ca_file)
        self.process = subprocess.Popen(["node", os.path.join(HERE, "tsdav_drive.mjs")], env=env, text=True, cwd=HERE,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.calendars = self("login", url=self.base + "/", user=dav.user, password=LOCAL_PASSWORD)

    def __call__(self, do, **fields):
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "node has ended"}')
        assert "error" not in answer, answer["error"]
        return answer["ok"]

    def close(self):
        children.end(self.process)

    def texts(self, kind):
        self("sync", calendar=self.paths[kind])
        return [found["data"] for found in self("list", calendar=self.paths[kind])]

    def name(self, kind, uid):
        found = self("list", calendar=self.paths[kind])
        return next(f["url"].rsplit("/", 1)[1] for f in found if prop(f["data"], "UID") == uid)

    def create(self, kind, text):
        assert self("create", calendar=self.paths[kind], name=f"{prop(text, 'UID')}.ics", ics=text) == 201

    def replace(self, kind, uid, text):
        assert self("update", calendar=self.paths[kind], name=self.name(kind, uid), ics=text) == 204

    def remove(self, kind, uid):
        assert self("remove", calendar=self.paths[kind], name=self.name(kind, uid)) == 204
