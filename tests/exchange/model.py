# SPDX-License-Identifier: Apache-2.0
"""The mailbox model behind the stand-in Exchange: one state, served by the EWS half and the EAS half alike.

  Store     the users, their passwords and mailboxes, the transport (`submit`)
  Mailbox   folders and items of one user; every change goes through its methods, under `mailbox.lock`
  Folder    `num` never changes (not on rename, not on move); kind is the EWS distinguished name ("inbox") or None
  Item      `num` is new after a move or copy, as ids are on Exchange; everything else goes along

Sequence numbers. Each change takes the next `mailbox.seq`. An item remembers three: `arrived` (it came into this
folder), `content` (anything but the read flag changed) and `readseq` (the read flag changed); `item.seq` is the
latest. A deleted or moved item leaves a Tombstone in its folder. So "what changed in this folder since S" is
Folder.changes_since(S), and a client's sync state is a number or two: EWS and EAS both store nothing else. The folder
hierarchy works the same way: Mailbox.hierarchy_since(S).

Waiting: `mailbox.cond` (a Condition on the lock) is notified after each change and when the clock is advanced; use
Mailbox.wait(predicate, seconds). Mailbox.listeners get each Event as it happens (under the lock: be quick).

Errors: ModelError(code), code being the EWS response code; the EAS half maps it to a Status.
"""
import bisect
import collections
import threading
import uuid

from clock import Clock
import mimeinfo

# distinguished name, display name, folder class, parent's distinguished name, hidden
DEFAULT_FOLDERS = (
    ("root", "", "", None, True),
    ("msgfolderroot", "Top of Information Store", "IPF.Note", "root", False),
    ("recoverableitemsroot", "Recoverable Items", "", "root", True),
    ("recoverableitemsdeletions", "Deletions", "", "recoverableitemsroot", True),
    ("recoverableitemspurges", "Purges", "", "recoverableitemsroot", True),
    ("inbox", "Inbox", "IPF.Note", "msgfolderroot", False),
    ("drafts", "Drafts", "IPF.Note", "msgfolderroot", False),
    ("sentitems", "Sent Items", "IPF.Note", "msgfolderroot", False),
    ("deleteditems", "Deleted Items", "IPF.Note", "msgfolderroot", False),
    ("outbox", "Outbox", "IPF.Note", "msgfolderroot", False),
    ("junkemail", "Junk Email", "IPF.Note", "msgfolderroot", False),
    ("calendar", "Calendar", "IPF.Appointment", "msgfolderroot", False),
    ("contacts", "Contacts", "IPF.Contact", "msgfolderroot", False),
    ("tasks", "Tasks", "IPF.Task", "msgfolderroot", False),
    ("notes", "Notes", "IPF.StickyNote", "msgfolderroot", False),
    ("journal", "Journal", "IPF.Journal", "msgfolderroot", False),
    ("syncissues", "Sync Issues", "IPF.Note", "msgfolderroot", True),
)
NOT_FLAGGED, COMPLETE, FLAGGED = 0, 1, 2  # PidTagFlagStatus


class ModelError(Exception):
    """A refusal of the model; `code` is the EWS response code."""

    def __init__(self, code, text=""):
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text or code


Event = collections.namedtuple("Event", "seq kind time folder item old_folder old_item")
"""kind: NewMail Created Deleted Modified Moved Copied; `folder` and `old_folder` are folder numbers. For an event
about a folder `item` is None; for one about an item it is the item's number."""

Change = collections.namedtuple("Change", "kind num item")
"""kind: create update read delete; `item` is None for delete."""

Tombstone = collections.namedtuple("Tombstone", "num arrived seq")


class Item:
    __slots__ = (
        "num",
        "folder",
        "arrived",
        "content",
        "readseq",
        "received",
        "sent",
        "created",
        "modified",
        "size",
        "read",
        "flag",
        "categories",
        "message_id",
        "last_verb",
        "icon",
        "draft",
        "item_class",
        "source",
        "article",
        "search_key",
        "importance",
        "overrides",
        "ext",
        "traits",
        "cal",
        "meeting",
    )
    generated = (None, b"")  # the message made last: headers, structure and MIME of one are asked for in a row

    def __init__(self, num, folder, source):
        self.num = num
        self.folder = folder  # folder number
        self.source = source  # bytes, or a callable without arguments that returns the same bytes each time
        self.arrived = self.content = self.readseq = 0
        self.received = self.sent = self.created = self.modified = 0
        self.size = 0  # what the server says: not the length of the MIME
        self.read = False
        self.flag = NOT_FLAGGED
        self.categories = ()
        self.message_id = None
        self.last_verb = None  # 102 reply, 103 reply all, 104 forward
        self.icon = None
        self.draft = False
        self.item_class = "IPM.Note"
        self.article = 0  # PidTagInternetArticleNumber
        self.search_key = num  # survives moves and copies
        self.importance = "Normal"
        self.overrides = None  # properties set later: {"subject": ..., "to": [...], ...}
        self.ext = None  # extended properties set by clients: {key: value}
        self.traits = None  # set of oddities: README.md, "traits"
        self.cal = None  # cal_model: the Appointment or Task that this is
        self.meeting = None  # cal_meet: what this message says about a meeting

    @property
    def seq(self):
        return max(self.arrived, self.content, self.readseq)

    def has(self, trait):
        return bool(self.traits) and trait in self.traits

    def mime(self):
        """The message as it was delivered (CRLF or not, broken or not)."""
        if not callable(self.source):
            return self.source
        source, data = Item.generated
        if source is not self.source:
            data = self.source()
            Item.generated = self.source, data
        return data


class Folder:
    def __init__(self, num, parent, name, cls, kind, hidden=False):
        self.num, self.parent, self.name, self.cls, self.kind, self.hidden = num, parent, name, cls, kind, hidden
        self.created = self.changed = 0  # sequence numbers for the hierarchy
        self.items = {}  # num -> Item
        self.order = []  # sorted (received, num)
        self.latest = {}  # num -> seq of its last change, oldest first; tombstones included
        self.tombstones = {}  # num -> Tombstone
        self.unread = 0
        self.deleted_total = 0
        self.next_article = 1
        self.commit_time = 0

    def newest_first(self, before=None, limit=None):
        """Items by (received, num) descending, only those before the key `before`."""
        end = len(self.order) if before is None else bisect.bisect_left(self.order, before)
        start = 0 if limit is None else max(0, end - limit)
        return [self.items[num] for _, num in reversed(self.order[start:end])]

    def changes_since(self, position, window=None):
        """What changed after sequence number `position`, oldest first, one Change per item.

        `window` is where the client's run of pages began (default: position): what arrived after it is a create even
        if a later page reports it. An item that came and went unseen is left out."""
        window = position if window is None else window
        found = []
        for num in reversed(self.latest):
            seq = self.latest[num]
            if seq <= position:
                break
            item = self.items.get(num)
            if item is None:
                tomb = self.tombstones[num]
                if tomb.arrived <= position:
                    found.append((seq, Change("delete", num, None)))
            elif item.arrived > window:
                found.append((seq, Change("create", num, item)))
            elif item.content > position:
                found.append((seq, Change("update", num, item)))
            else:
                found.append((seq, Change("read", num, item)))
        found.reverse()
        return found

    def touch(self, num, seq):
        self.latest.pop(num, None)
        self.latest[num] = seq

    def put(self, item):
        self.items[item.num] = item
        bisect.insort(self.order, (item.received, item.num))
        if not item.read:
            self.unread += 1

    def take(self, item):
        del self.items[item.num]
        del self.order[bisect.bisect_left(self.order, (item.received, item.num))]
        if not item.read:
            self.unread -= 1


ARCHIVE_KINDS = ("root", "msgfolderroot", "deleteditems")  # what an archive is born with


class Mailbox:
    def __init__(self, store, email, display_name, is_archive=False):
        self.store, self.is_archive = store, is_archive
        self.clock = store.clock
        self.email = email
        self.display_name = display_name
        self.guid = uuid.uuid5(uuid.NAMESPACE_URL, "mailto:" + email)
        self.lock = store.mailboxes_lock  # one for all: mail between two of them never waits for itself
        self.cond = threading.Condition(self.lock)
        self.clock.on_advance(self.wake)
        self.listeners = []
        self.folders = {}
        self.folder_tombstones = {}  # num -> seq
        self.items = {}
        self.held_copies = []  # of sent mail (file_copy)
        self.seq = 0
        self.generation = 1  # sync states of an older generation are invalid
        self.next_num = 1
        self.kinds = {}
        for kind, name, cls, parent, hidden in DEFAULT_FOLDERS:
            if is_archive and kind not in ARCHIVE_KINDS and not kind.startswith("recoverableitems"):
                continue
            self._add_folder(self.kinds[parent].num if parent else 0, name, cls, kind, hidden)

    # ---- reading ----

    def folder(self, num):
        try:
            return self.folders[num]
        except KeyError:
            raise ModelError("ErrorFolderNotFound", "The specified folder could not be found in the store.") from None

    def by_kind(self, kind):
        try:
            return self.kinds[kind]
        except KeyError:
            raise ModelError("ErrorFolderNotFound", "The specified folder could not be found in the store.") from None

    def item(self, num):
        try:
            return self.items[num]
        except KeyError:
            raise ModelError("ErrorItemNotFound", "The specified object was not found in the store.") from None

    def children(self, num):
        """The folders directly below, by name."""
        return sorted((f for f in self.folders.values() if f.parent == num), key=lambda f: (f.name.casefold(), f.num))

    def descendants(self, num):
        """All folders below, parents before their children."""
        found = []
        for child in self.children(num):
            found.append(child)
            found += self.descendants(child.num)
        return found

    def is_below(self, num, root):
        while num:
            if num == root:
                return True
            num = self.folders[num].parent
        return False

    def folder_path(self, folder):
        """Names from below msgfolderroot down, for people: 'Inbox/Projects'."""
        names = []
        while folder.kind not in ("msgfolderroot", "root"):
            names.append(folder.name)
            folder = self.folders[folder.parent]
        return "/".join(reversed(names))

    def find_folder(self, path):
        """By kind ('inbox'), by number, or by path of names as a list."""
        if isinstance(path, int) or (isinstance(path, str) and path.isdigit()):
            return self.folder(int(path))
        if isinstance(path, str):
            if path in self.kinds:
                return self.kinds[path]
            path = path.split("/")
        folder = self.by_kind("msgfolderroot")
        for name in path:
            folder = next((f for f in self.children(folder.num) if f.name.casefold() == name.casefold()), None)
            if folder is None:
                raise ModelError("ErrorFolderNotFound", "no folder " + "/".join(path))
        return folder

    def props(self, item):
        """The message's parsed headers (mimeinfo.Info), with what was set later laid over."""
        return self.store.infos.get(self, item)

    def hierarchy_since(self, position, root=None):
        """[(seq, kind, num, folder)] of folders below `root`: creates (parents first), then updates, then deletes."""
        root = self.kinds["msgfolderroot"].num if root is None else root
        created, updated, deleted = [], [], []
        for folder in self.descendants(root):
            if folder.created > position:
                created.append((folder.changed, "create", folder.num, folder))
            elif folder.changed > position:
                updated.append((folder.changed, "update", folder.num, folder))
        if position:
            deleted = [(seq, "delete", num, None) for num, seq in self.folder_tombstones.items() if seq > position]
        return created + updated + deleted

    # ---- waiting ----

    def wake(self):
        with self.cond:
            self.cond.notify_all()

    def wait(self, predicate, seconds, poll=0.5):
        """Parks until predicate() (called under the lock) is true or `seconds` of clock.mono() have passed; returns the
        last predicate() value. `poll` bounds a single wait so that the predicate can look at the outside too."""
        deadline = self.clock.mono() + seconds
        with self.cond:
            while True:
                value = predicate()
                left = deadline - self.clock.mono()
                if value or left <= 0:
                    return value
                self.cond.wait(min(left, poll))

    # ---- changing items ----

    def _next_seq(self):
        self.seq += 1
        return self.seq

    def _new_num(self):
        num = self.next_num
        self.next_num += 1
        return num

    def _emit(self, kind, folder, item=None, old_folder=None, old_item=None):
        event = Event(self.seq, kind, self.clock.now(), folder, item, old_folder, old_item)
        for listener in list(self.listeners):
            listener(event)
        self.cond.notify_all()

    def _arrive(self, item, folder):
        item.folder = folder.num
        item.article = folder.next_article
        folder.next_article += 1
        item.arrived = item.content = item.readseq = self._next_seq()
        folder.put(item)
        folder.touch(item.num, item.arrived)
        folder.commit_time = self.clock.now()
        self.items[item.num] = item

    def _leave(self, item):
        folder = self.folders[item.folder]
        folder.take(item)
        del self.items[item.num]
        seq = self._next_seq()
        folder.tombstones[item.num] = Tombstone(item.num, item.arrived, seq)
        folder.touch(item.num, seq)
        folder.deleted_total += 1
        folder.commit_time = self.clock.now()

    def file_copy(self, options, file):
        """A copy of sent mail goes to its folder: now, or when somebody says so."""
        if options.hold_sent_copies:
            self.held_copies.append(file)
        else:
            file()

    def add_item(self, folder, source, *, event="Created", received=None, size=None, **fields):
        """Puts a message into a folder. `source`: bytes or a callable; with a callable give `size` and `message_id`, so
        that nothing has to be generated now. Further keyword arguments are Item fields. Returns the Item."""
        with self.lock:
            item = Item(self._new_num(), folder.num, source)
            item.received = self.clock.tick() if received is None else received
            item.created = item.modified = self.clock.now()
            item.sent = item.received
            if size is None or "message_id" not in fields:
                raw = item.mime()
                size = mimeinfo.store_size(len(raw)) if size is None else size
                fields.setdefault("message_id", mimeinfo.message_id(raw))
                fields.setdefault("item_class", mimeinfo.item_class(raw))
            item.size = size
            for name, value in fields.items():
                setattr(item, name, value)
            self._arrive(item, folder)
            self._emit("Created", folder.num, item.num)
            if event == "NewMail":
                self._emit("NewMail", folder.num, item.num)
            return item

    def deliver(self, source, folder=None, **fields):
        """New mail arrives (in the inbox unless told otherwise)."""
        item = self.add_item(folder or self.kinds["inbox"], source, event="NewMail", **fields)
        for hook in self.store.on_delivery:
            hook(self, item)
        return item

    def update_item(self, item, **changes):
        """Sets Item fields. `read` alone is a read-flag change; anything else changes the content, too. `mime=bytes`
        replaces the message, `set_ext`/`del_ext` touch extended properties, `override` the parsed ones."""
        with self.lock:
            folder = self.folders[item.folder]
            read = changes.pop("read", item.read)
            changed_read = read != item.read
            if changed_read:
                folder.unread += -1 if read else 1
                item.read = read
                item.readseq = self._next_seq()
            changed_content = bool(changes)
            if changed_content:
                self._apply(item, changes)
                item.content = self._next_seq()
            if changed_read or changed_content:
                item.modified = self.clock.now()
                folder.touch(item.num, item.seq)
                folder.commit_time = self.clock.now()
                self._emit("Modified", folder.num, item.num)
            return item

    def _apply(self, item, changes):
        if "mime" in changes:
            item.source = changes.pop("mime")
            item.size = changes.pop("size", mimeinfo.store_size(len(item.mime())))
            item.overrides = None
        for key, value in (changes.pop("set_ext", None) or {}).items():
            item.ext = {**(item.ext or {}), key: value}
        for key in changes.pop("del_ext", None) or ():
            if item.ext:
                item.ext = {k: v for k, v in item.ext.items() if k != key}
        override = changes.pop("override", None)
        if override:
            item.overrides = {**(item.overrides or {}), **override}
        if "received" in changes:
            folder = self.folders[item.folder]
            folder.take(item)
            item.received = changes.pop("received")
            folder.put(item)
        for name, value in changes.items():
            setattr(item, name, value)
        self.store.infos.forget(self, item)

    def _clone(self, item):
        new = Item(self._new_num(), item.folder, item.source)
        for name in Item.__slots__:
            if name not in ("num", "folder", "source"):
                setattr(new, name, getattr(item, name))
        return new

    def move_item(self, item, folder):
        """Returns the Item at its new place: a new num. The old one is a tombstone."""
        with self.lock:
            old_folder, old_num = item.folder, item.num
            new = self._clone(item)
            self._leave(item)
            self._arrive(new, folder)
            self._emit("Moved", folder.num, new.num, old_folder, old_num)
            return new

    def copy_item(self, item, folder):
        with self.lock:
            new = self._clone(item)
            new.created = self.clock.now()
            self._arrive(new, folder)
            self._emit("Copied", folder.num, new.num, item.folder, item.num)
            return new

    def delete_item(self, item, how="hard"):
        """how: hard (gone), soft (to Recoverable Items), trash (to Deleted Items). Returns the moved Item or None."""
        with self.lock:
            if how == "trash" and item.folder != self.kinds["deleteditems"].num:
                return self.move_item(item, self.kinds["deleteditems"])
            if how == "soft":
                return self.move_item(item, self.kinds["recoverableitemsdeletions"])
            folder = item.folder
            self._leave(item)
            self._emit("Deleted", folder, item.num)
            return None

    # ---- changing folders ----

    def _add_folder(self, parent, name, cls, kind=None, hidden=False):
        folder = Folder(self._new_num(), parent, name, cls, kind, hidden)
        folder.created = folder.changed = self._next_seq()
        folder.commit_time = self.clock.now()
        self.folders[folder.num] = folder
        if kind:
            self.kinds[kind] = folder
        return folder

    def _check_name(self, parent, name, but=None):
        if not name or not name.strip():
            raise ModelError("ErrorFolderSave", "The folder name is empty.")
        if any(f.name.casefold() == name.casefold() and f is not but for f in self.children(parent)):
            raise ModelError("ErrorFolderExists", "A folder with the specified name already exists.")

    def create_folder(self, parent, name, cls="IPF.Note"):
        with self.lock:
            self._check_name(parent.num, name)
            folder = self._add_folder(parent.num, name, cls)
            parent.changed = self._next_seq()
            self._emit("Created", folder.num)
            return folder

    def update_folder(self, folder, name=None, cls=None):
        with self.lock:
            if name is not None:
                if folder.kind:
                    raise ModelError("ErrorAccessDenied", "A default folder cannot be renamed.")
                self._check_name(folder.parent, name, folder)
                folder.name = name
            if cls is not None:
                folder.cls = cls
            folder.changed = self._next_seq()
            self._emit("Modified", folder.num)
            return folder

    def move_folder(self, folder, parent):
        with self.lock:
            if folder.kind:
                raise ModelError("ErrorMoveDistinguishedFolder", "Distinguished folders cannot be moved.")
            if self.is_below(parent.num, folder.num):
                raise ModelError("ErrorMoveCopyFailed", "A folder cannot be moved into itself.")
            self._check_name(parent.num, folder.name, folder)
            old = folder.parent
            folder.parent = parent.num
            folder.changed = self._next_seq()
            self._emit("Moved", folder.num, None, old)
            return folder

    def delete_folder(self, folder, how="hard"):
        with self.lock:
            if folder.kind:
                raise ModelError("ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
            trash = self.kinds["deleteditems"]
            if how == "trash" and not self.is_below(folder.num, trash.num):
                names = {f.name.casefold() for f in self.children(trash.num)}
                base, n = folder.name, 1
                while folder.name.casefold() in names:
                    folder.name = f"{base}{n}"
                    n += 1
                return self.move_folder(folder, trash)
            for gone in [folder] + self.descendants(folder.num):
                for item in list(gone.items.values()):
                    del self.items[item.num]
                del self.folders[gone.num]
                self.folder_tombstones[gone.num] = self._next_seq()
                self._emit("Deleted", gone.num, None, gone.parent)
            return None


class User:
    def __init__(self, name, password, mailbox):
        self.name, self.password, self.mailbox = name, password, mailbox
        self.archive = None  # another Mailbox: the in-place archive
        self.names = {name.casefold(), mailbox.email.casefold(), ("EXAMPLE\\" + mailbox.email.split("@")[0]).casefold()}


class Store:
    """All mailboxes, and the transport: `submissions` is what was handed to it, in order."""

    def __init__(self, clock=None):
        self.clock = clock or Clock()
        self.users = []
        self.infos = mimeinfo.InfoCache()
        self.submissions = []
        self.fetches = 0
        self.lock = threading.Lock()
        self.mailboxes_lock = threading.RLock()
        self.on_delivery = []  # called with (mailbox, item) for each message that arrives

    def add_user(self, name, password, email=None, display_name=None):
        email = email or (name if "@" in name else name.split("\\")[-1] + "@example.com")
        user = User(name, password, Mailbox(self, email, display_name or email.split("@")[0].replace(".", " ").title()))
        self.users.append(user)
        return user

    def login(self, name, password):
        """The User, or None. A login name is the given one, the mail address, or EXAMPLE\\localpart."""
        for user in self.users:
            if name.casefold() in user.names and password == user.password:
                return user
        return None

    def mailbox_of(self, address):
        address = address.casefold()
        return next((u.mailbox for u in self.users if u.mailbox.email.casefold() == address), None)

    def served_mime(self, options, item):
        """The MIME a client gets: the delivered bytes, or Exchange's own rewriting of them."""
        raw = item.mime()
        if not options.regenerate_mime:
            return raw
        with self.lock:
            self.fetches += 1
        return mimeinfo.regenerate(raw, f"{item.search_key}", self.fetches if options.volatile_mime else 0)

    def submit(self, sender, recipients, raw, by="client"):
        """The transport: hands a message to every recipient that lives here and remembers the submission; `by` says
        whether a client wrote it or the server itself."""
        with self.lock:
            self.submissions.append(
                {
                    "sender": sender,
                    "recipients": list(recipients),
                    "size": len(raw),
                    "message_id": mimeinfo.message_id(raw),
                    "by": by,
                    "mime": raw,
                }
            )
        delivered = mimeinfo.without_bcc(raw)
        for address in recipients:
            mailbox = self.mailbox_of(address)
            if mailbox:
                mailbox.deliver(delivered)
