# SPDX-License-Identifier: Apache-2.0
"""Secrets that a test knows must be nowhere: in no log, no state, no answer of the program. Any test can use it:

    flock = canary.Flock("the password", *exchange.oauth()["secrets"])
    flock.check_text(result.stderr, "what login said")
    flock.check_files(bridge.log_path, bridge.state)
"""
import base64
import os
import urllib.parse


def disguises(secret):
    """How it may look when somebody wrapped it: as it is, in an address, in base64 at any of the three positions."""
    raw = secret.encode() if isinstance(secret, str) else secret
    found = {raw, urllib.parse.quote(raw, safe="").encode(), raw.hex().encode()}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        first = (shift * 8 + 5) // 6  # sextets that depend on what stands before
        last = len(coded.rstrip(b"=")) - (1 if (shift + len(raw)) % 3 else 0)
        found.add(coded[first:last])
        found.add(coded[first:last].replace(b"+", b"-").replace(b"/", b"_"))
    return {form for form in found if len(form) >= 6}


class Flock:
    def __init__(self, *secrets):
        self.forms = {form: secret for secret in secrets if secret for form in disguises(secret)}

    def check_text(self, data, where):
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        for form, secret in self.forms.items():
            assert form not in data, f"{secret!r} stands in {where}"

    def check_files(self, *paths):
        """Files, and all files of folders; their names, too."""
        for path in paths:
            for top, _, names in os.walk(path) if os.path.isdir(path) else [(os.path.dirname(path), [], [os.path.basename(path)])]:
                for name in names:
                    self.check_text(name, f"the name of {top}/{name}")
                    full = os.path.join(top, name)
                    if os.path.isfile(full):
                        with open(full, "rb") as file:
                            self.check_text(file.read(), full)
