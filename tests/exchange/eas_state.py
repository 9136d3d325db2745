# SPDX-License-Identifier: Apache-2.0
"""What the EAS half remembers of each device: its policy, its folder list, and what it has of each folder.

A collection's sync state is `have` (item number -> what the client was told) and a queue of items that may differ from
it.  A sync key names the state after one answer.  The key before it stays good until the new one is used: presenting it
again means that the answer was lost, so the step is taken back and told anew (one step, no more).
"""
import collections
import hashlib
import threading

import cal_model

FILTER_DAYS = {"0": None, "1": 1, "2": 3, "3": 7, "4": 14, "5": 31}
# How far back a calendar reaches (MS-ASCMD 2.2.3.68.2); tasks know only 8, what is not done yet.
CALENDAR_DAYS = {"0": None, "4": 14, "5": 31, "6": 92, "7": 183}
DAY_S = 86400
CLASSES = {
    "IPF.Note": "Email",
    "IPF.Appointment": "Calendar",
    "IPF.Contact": "Contacts",
    "IPF.Task": "Tasks",
    "IPF.StickyNote": "Notes",
}

Seen = collections.namedtuple("Seen", "read flag categories verb source overrides received draft cal")


def seen_of(item):
    return Seen(
        item.read,
        item.flag,
        tuple(item.categories),
        item.last_verb,
        item.source,
        item.overrides,
        item.received,
        item.draft,
        item.cal,
    )


class IdMap:
    """Item numbers to ServerIds.  Modes (option eas_item_ids): `stable`; `remint`: new ids after key 0; `reuse`: after
    key 0 the counter starts again, so that an old id means another item, as device counters do."""

    def __init__(self, folder_id):
        self.folder_id = folder_id
        self.by_num, self.by_id = {}, {}
        self.serial = 0

    def reset(self, mode):
        if mode != "stable":
            self.by_num, self.by_id = {}, {}
        if mode == "reuse":
            self.serial = 0

    def id_of(self, num, mode):
        if num not in self.by_num:
            self.serial += 1
            text = f"{self.folder_id}:{num if mode == 'stable' else self.serial}"
            self.by_num[num], self.by_id[text] = text, num
        return self.by_num[num]

    def num_of(self, text, mode):
        if mode == "stable":
            folder, _, num = text.partition(":")
            return int(num) if folder == self.folder_id and num.isdigit() else None
        return self.by_id.get(text)


class Collection:
    """One folder of one device."""

    def __init__(self, device, folder):
        self.device, self.folder_num = device, folder.num
        self.ids = IdMap(str(folder.num))
        self.key = self.previous = None
        self.have, self.queue, self.position = {}, collections.OrderedDict(), 0
        self.undo, self.applied, self.replay = {}, {}, {}
        self.sticky, self.filter, self.cutoff = None, "0", None
        self.steps = 0
        self.empty_page = False
        self.mode = "stable"
        self.cls = next((c for prefix, c in CLASSES.items() if folder.cls.startswith(prefix)), "Email")
        self.supported = None  # names the client knows; None: all

    def new_key(self):
        self.steps += 1
        text = f"{self.device.id}/{self.folder_num}/{self.device.epoch}/{self.steps}"
        return str(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16))

    def start(self, folder, mode, supported=None):
        """Key 0: nothing is known any more."""
        self.supported = supported
        self.mode = mode
        self.ids.reset(mode)
        self.have, self.undo, self.applied, self.replay = {}, {}, {}, {}
        self.sticky, self.filter, self.cutoff = None, "0", None
        self.queue = collections.OrderedDict.fromkeys(i.num for i in folder.newest_first() if self.shows(i))
        self.position = folder_position(folder)
        self.previous, self.key = None, self.new_key()
        self.empty_page = False

    def accept(self, key):
        """True when the client may go on from this key; a step back is undone here."""
        if key == self.key:
            self.undo, self.applied, self.replay, self.previous = {}, {}, {}, None
            return True
        if key is not None and key == self.previous:
            for num, old in self.undo.items():
                if old is None:
                    self.have.pop(num, None)
                else:
                    self.have[num] = old
            for num in reversed(list(self.undo)):
                self.queue[num] = None
                self.queue.move_to_end(num, last=False)
            self.replay, self.applied, self.undo = self.applied or self.replay, {}, {}
            self.key, self.previous = key, None
            return True
        return False

    def step(self):
        """The answer brings something: from here on a new key."""
        self.previous, self.key = self.key, self.new_key()
        return self.key

    def note(self, num, seen):
        """The client knows this now (None: it is gone for it); remembered for a step back."""
        self.undo.setdefault(num, self.have.get(num))
        if seen is None:
            self.have.pop(num, None)
        else:
            self.have[num] = seen

    # What is pending

    def ingest(self, folder, now):
        """Queue what changed in the folder since the last look, and what has left or entered the time window."""
        for _, change in folder.changes_since(self.position):
            self.queue[change.num] = None
        self.position = folder_position(folder)
        cutoff = self.cutoff_of(now)
        if cutoff != self.cutoff:
            self.cutoff = cutoff
            for num in list(self.have):
                item = folder.items.get(num)
                if item is not None and not self.inside(item):
                    self.queue[num] = None

    def set_filter(self, folder, value, now):
        if value == self.filter:
            return
        self.filter = value
        self.cutoff = self.cutoff_of(now)
        for item in folder.newest_first():
            if self.shows(item) and (item.num in self.have) != self.inside(item):
                self.queue.setdefault(item.num)

    def cutoff_of(self, now):
        days = (CALENDAR_DAYS if self.cls == "Calendar" else FILTER_DAYS).get(self.filter)
        return now - days * DAY_S if days else None

    def shows(self, item):
        """Whether it is an item of the folder's class; others are not listed."""
        if self.cls == "Calendar":
            return cal_model.is_event(item)
        return cal_model.is_task(item) if self.cls == "Tasks" else self.cls == "Email" and item.cal is None

    def inside(self, item):
        """Whether the filter lets it through: of a series the last occurrence counts."""
        if self.cls == "Tasks":
            return self.filter != "8" or item.cal.status != "Completed"
        if self.cutoff is None:
            return True
        if self.cls == "Calendar":
            last = cal_model.last_end(item.cal)
            return last is None or last >= self.cutoff
        return item.received >= self.cutoff

    def resolve(self, folder, num):
        """(kind, item) for a queued item: Add, Change, Delete, SoftDelete; None when the client is up to date."""
        item, seen = folder.items.get(num), self.have.get(num)
        if item is None or not self.shows(item):
            return ("Delete", None) if seen else None
        if not self.inside(item):
            return ("SoftDelete", item) if seen else None
        if seen is None:
            return "Add", item
        return None if seen == seen_of(item) else ("Change", item)

    def pending(self, folder, now, kinds=None):
        """True when the next Sync would bring something (of these kinds)."""
        self.ingest(folder, now)
        while self.queue and self.resolve(folder, next(iter(self.queue))) is None:
            self.queue.popitem(last=False)
        if kinds is None or not self.queue:
            return bool(self.queue)
        found = (self.resolve(folder, num) for num in self.queue)
        return any(f is not None and f[0] in kinds for f in found)

    def count(self, folder, now):
        self.ingest(folder, now)
        return sum(self.resolve(folder, num) is not None for num in self.queue)


def folder_position(folder):
    return next(reversed(folder.latest.values()), 0) if folder.latest else 0


class Device:
    """A partnership: user and DeviceId."""

    def __init__(self, user, device_id):
        self.user, self.id = user, device_id
        self.lock = threading.RLock()
        self.generation = user.mailbox.generation
        self.epoch = 0
        self.collections = {}
        self.folder_key = self.folder_previous = None
        self.folder_list, self.folder_before = {}, {}
        self.folder_steps = 0
        self.policy_key = self.temporary_key = None
        self.policy_serial = None
        self.policy_status = None
        self.keys_made = 0
        self.info = None
        self.type = self.agent = self.version = None
        self.wipe_acks = []
        self.wipe_sent = 0
        self.ping = {}
        self.sent_ids = collections.OrderedDict()
        self.rp_seen = ""
        self.oof = {"OofState": "0"}
        self.searches = {}
        self.syncing = 0

    def check_generation(self):
        """`invalidate` on the control port: every key given out so far is void."""
        if self.generation != self.user.mailbox.generation:
            self.generation = self.user.mailbox.generation
            self.forget_keys()
            self.folder_key = self.folder_previous = None

    def forget_keys(self):
        self.epoch += 1
        for collection in self.collections.values():
            collection.key = collection.previous = None

    def collection(self, folder):
        if folder.num not in self.collections:
            self.collections[folder.num] = Collection(self, folder)
        return self.collections[folder.num]

    def new_policy_key(self):
        self.keys_made += 1
        return str(int(hashlib.sha256(f"policy/{self.id}/{self.keys_made}".encode()).hexdigest()[:8], 16) or 1)

    def new_folder_key(self):
        self.folder_steps += 1
        return f"{self.epoch + 1}.{self.folder_steps}"

    def report(self):
        return {
            "user": self.user.name,
            "id": self.id,
            "type": self.type,
            "agent": self.agent,
            "version": self.version,
            "policy_key": self.policy_key,
            "policy_status": self.policy_status,
            "info": self.info,
            "wipe_sent": self.wipe_sent,
            "wipe_acks": self.wipe_acks,
            "folder_key": self.folder_key,
            "folders": {str(n): {"key": c.key, "items": len(c.have)} for n, c in self.collections.items()},
        }
