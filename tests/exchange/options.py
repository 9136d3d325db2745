# SPDX-License-Identifier: Apache-2.0
"""Behaviour that can be chosen at the start (--set name=value) and changed while running (POST /control/options)."""
import json

DEFAULTS = {
    "version": "2016",  # 2010_SP2, 2013, 2013_SP1, 2016, 2019, online
    "delay_s": 0.0,  # added to every request (benches: the network)
    "realm": "standin.example.com",
    "auth_schemes": ["Negotiate", "NTLM", 'Basic realm="{realm}"'],
    "lockout_after": 0,  # bad passwords in a row after which even the good one is refused; 0: never
    "max_request_bytes": 67108864,
    "absent": [],  # halves this server does not have: "ews", "eas", "autodiscover"
    "gzip": False,  # compress answers when the client accepts it
    "regenerate_mime": False,  # MimeContent is a regenerated form, not the delivered bytes
    "volatile_mime": False,  # ... and differs from fetch to fetch
    "dead_items": False,  # SyncFolderItems keeps announcing items with the trait `dead`, GetItem says not found
    "minute_s": 60.0,  # how long a minute of ConnectionTimeout and Timeout lasts
    "heartbeat_s": 45.0,  # StatusEvent on streaming connections; 0 = none, as Exchange Online was seen to do
    "affinity": True,  # subscription requests must carry the cookie of Subscribe
    "find_cap": 250,  # FindItem with a restriction returns at most this many
    "sync_page_max": 512,
    "generic_updates": False,  # Update entries of SyncFolderItems are t:Item, whatever the item is
    "max_concurrent": 27,  # EWS requests of one user under way; more are refused
    "raw_control_chars": True,  # characters XML cannot hold leave as &#x1A; as on Exchange; false: dropped
    "mailbox_zone": "W. Europe Standard Time",  # the users' own zone: days without one are meant in it
    "max_send_kb": 0,  # MaxSendSize of the user or the organisation; 0: unlimited
    "send_quota_kb": 0,  # PidTagProhibitSendQuota as the root folder shows it; 0: it does not
    "hold_sent_copies": False,  # what a client sends is not filed before POST /control/sent_copies says so
    "read_changes_announced": True,  # SyncFolderItems reports ReadFlagChange; false: Update
}


class Options:
    def __init__(self, **given):
        self.__dict__["_values"] = dict(DEFAULTS)
        self.update(given)

    def declare(self, **defaults):
        """A half adds options of its own."""
        for name, value in defaults.items():
            self._values.setdefault(name, value)

    def __getattr__(self, name):
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self.update({name: value})

    def update(self, given):
        for name, value in given.items():
            if name not in self._values:
                raise ValueError(f"unknown option: {name}")
            kind = type(self._values[name])
            if kind is float and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if not isinstance(value, kind):
                raise ValueError(f"option {name} wants {kind.__name__}, not {value!r}")
            self._values[name] = value

    def parse(self, assignment):
        """name=value with a JSON value (or a bare word)."""
        name, _, text = assignment.partition("=")
        try:
            value = text if isinstance(self._values.get(name), str) else json.loads(text)
        except ValueError:
            value = text
        self.update({name: value})

    def all(self):
        return dict(self._values)
