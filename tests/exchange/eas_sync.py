# SPDX-License-Identifier: Apache-2.0
"""Sync (MS-ASCMD 2.2.1.21)."""
import time

import eas_drafts
import eas_items
import wbxml
from eas_items import BadOptions, BodyWish
from eas_state import CLASSES, FILTER_DAYS, seen_of
from model import ModelError
from wbxml import E

MAX_WINDOW = 512
DEFAULT_WINDOW = 100
STRAY = 987654321  # the number of an item that never was
FILTERS = {"Email": set(FILTER_DAYS), "Calendar": {"0", "4", "5", "6", "7"}, "Tasks": {"0", "8"}}
TASK_DATES = ("StartDate", "UtcStartDate", "DueDate", "UtcDueDate")


class GlobalStatus(Exception):
    """A Status of the whole Sync."""

    def __init__(self, code, *more):
        super().__init__(code)
        self.code, self.more = code, more


def class_of(folder):
    if folder == "RI":
        return "Contacts"
    return next((cls for prefix, cls in CLASSES.items() if folder.cls.startswith(prefix)), "Email")


def find_folder(ctx, text):
    """The Folder of a CollectionId, "RI" for the recipient cache, or None."""
    if text == "RI" and ctx.options.eas_ri_folder:
        return "RI"
    folder = ctx.mailbox.folders.get(int(text)) if text and text.isdigit() else None
    root = ctx.mailbox.kinds["msgfolderroot"].num
    shown = folder is not None and folder.num != root and not folder.hidden and ctx.mailbox.is_below(folder.num, root)
    return folder if shown else None


def sync(ctx, tree):
    if ctx.device.syncing:
        ctx.detail(concurrent=True)
    ctx.device.syncing += 1
    try:
        with ctx.device.lock:
            return Sync(ctx, tree).run()
    except GlobalStatus as e:
        ctx.detail(status=e.code)
        return E("AirSync:Sync", E("Status", e.code), *e.more)
    finally:
        ctx.device.syncing -= 1


class Sync:
    def __init__(self, ctx, tree):
        self.ctx, self.tree = ctx, tree
        self.budget = MAX_WINDOW
        self.size_left = ctx.options.eas_max_response_bytes or None
        self.brought_changes = False

    def run(self):
        ctx = self.ctx
        if self.tree is None or self.tree.has("Partial"):
            raise GlobalStatus("13")
        collections = self.tree.all("Collections/Collection")
        if not collections:
            raise GlobalStatus("4")
        if len(collections) > ctx.options.eas_limits["collections"]:
            raise GlobalStatus("15", E("Limit", ctx.options.eas_limits["collections"]))
        wait_s = self.wait_seconds()
        self.budget = window_of(self.tree) if self.tree.has("WindowSize") else MAX_WINDOW * len(collections)
        commands = [e for c in collections for block in c.all("Commands") for e in block.elements]
        if len(commands) > ctx.options.eas_limits["sync"]:
            raise GlobalStatus("4")
        for collection in collections:
            self.check(collection)
        answers = self.all(collections)
        if wait_s and not answers:
            answers = self.park(collections, wait_s)
        if not answers and ctx.options.eas_empty_sync:
            return None
        top = E("Status", 1) if ctx.options.eas_top_status else None
        return E("AirSync:Sync", top, E("Collections", *answers))

    def wait_seconds(self):
        minutes, seconds = self.tree.value("Wait"), self.tree.value("HeartbeatInterval")
        if minutes is None and seconds is None:
            return 0
        if minutes is not None and seconds is not None:
            raise GlobalStatus("4")
        least, most = (1, 59) if minutes is not None else (60, 3540)
        text = minutes if minutes is not None else seconds
        if not text.isdigit():
            raise GlobalStatus("4")
        if not least <= int(text) <= most:
            raise GlobalStatus("14", E("Limit", least if int(text) < least else most))
        return int(text) * (60 if minutes is not None else 1)

    def check(self, collection):
        """Rules that make the whole request malformed."""
        if collection.value("SyncKey") == "0":
            if collection.has("Commands") or collection.value("GetChanges", "0") != "0":
                raise GlobalStatus("4")
        elif collection.has("Supported"):
            raise GlobalStatus("4")
        for name in ("GetChanges", "DeletesAsMoves", "ConversationMode"):
            if collection.value(name) not in (None, "", "0", "1"):
                raise GlobalStatus("4")
        if not collection.value("WindowSize", "1").isdigit():
            raise GlobalStatus("4")

    def all(self, collections):
        with self.ctx.mailbox.lock:
            answers = [self.one(collection) for collection in collections]
        return [answer for answer in answers if answer is not None]

    def park(self, collections, seconds):
        """A hanging Sync: until something was added, or the time is up."""
        ctx = self.ctx
        watched = [
            ctx.device.collection(f)
            for f in (find_folder(ctx, c.value("CollectionId")) for c in collections)
            if f not in (None, "RI")
        ]

        def changed():
            if ctx.request.client_gone():
                return True
            folders = ctx.mailbox.folders
            return any(c.folder_num in folders and c.pending(folders[c.folder_num], ctx.now()) for c in watched)

        ctx.device.lock.release()
        try:
            ctx.mailbox.wait(changed, seconds)
        finally:
            ctx.device.lock.acquire()
        return self.all(collections)

    # One collection

    def one(self, request):
        """The answer's Collection, or None when there is nothing to say."""
        ctx = self.ctx
        number, key = request.value("CollectionId"), request.value("SyncKey")
        folder = find_folder(ctx, number)
        if folder is None:
            raise GlobalStatus("12")
        code = ctx.scripted("collection")
        if code is not None:
            return failed(number, code, "0" if code == "3" else key)
        if folder == "RI":
            return answer_of(number, "1", key if key != "0" else "1") if key == "0" else None
        if folder.kind == "drafts" and not ctx.at_least("16.0"):
            ctx.violation("Drafts synced below 16.0")
        state = ctx.device.collection(folder)
        if key == "0":
            state.start(folder, ctx.options.eas_item_ids, supported_of(request))
            ctx.detail(key0=True)
            return answer_of(number, "1", state.key, cls=self.old_class(folder))
        if not state.accept(key):
            state.key = state.previous = None
            return failed(number, "3", "0")
        return self.step(request, folder, state)

    def old_class(self, folder):
        return None if self.ctx.at_least("14.0") else class_of(folder)

    def step(self, request, folder, state):
        ctx = self.ctx
        wish = self.wish(request, folder, state)
        responses = COMMANDS_OF.get(class_of(folder), Commands)(ctx, folder, state, wish).run(request)
        changes, more = [], False
        if request.value("GetChanges", "1") != "0" or ctx.options.eas_always_changes:
            changes, more = self.page(request, folder, state, wish)
        if not changes and not more and not request.has("Commands"):
            if ctx.options.eas_key_alone:
                state.step()
            elif ctx.options.eas_empty_sync:
                return None
            return answer_of(request.value("CollectionId"), "1", state.key, cls=self.old_class(folder))
        state.step()
        ctx.detail(sent=ctx.request.detail.get("sent", 0) + len(changes), more=more)
        return answer_of(
            request.value("CollectionId"),
            "1",
            state.key,
            changes,
            responses,
            more,
            self.old_class(folder),
            ctx.options.eas_more_last,
        )

    def wish(self, request, folder, state):
        """Options are sticky, and a block replaces the one before."""
        blocks = [o for o in request.all("Options") if o.value("Class") != "SMS"]
        if blocks:
            state.sticky = blocks[0]
        options = state.sticky
        value = options.value("FilterType", "0") if options else "0"
        allowed = FILTERS.get(class_of(folder))
        if allowed is not None and value not in allowed:
            raise GlobalStatus("4")
        if class_of(folder) in FILTERS:
            state.set_filter(folder, value, self.ctx.now())
        try:
            return BodyWish(options)
        except BadOptions as e:
            self.ctx.violation(f"Options: {e}")
            raise GlobalStatus("4") from None

    def page(self, request, folder, state, wish):
        """([Add, Change, Delete, SoftDelete elements], MoreAvailable)"""
        ctx, options = self.ctx, self.ctx.options
        now = ctx.now()
        window = min(window_of(request), max(self.budget, 0))
        state.ingest(folder, now)
        if not state.pending(folder, now):
            return [], False
        if options.eas_more_empty and not state.empty_page:
            state.empty_page = True
            return [], True
        state.empty_page = False
        elements = []
        while state.queue and len(elements) < window and (self.size_left is None or self.size_left > 0):
            num, _ = state.queue.popitem(last=False)
            found = state.resolve(folder, num)
            if found is not None:
                elements.append(self.element(state, num, *found, wish))
        self.budget -= len(elements)
        if elements and options.eas_stray_change:
            stray = E("ServerId", f"{folder.num}:{STRAY}")
            elements.append(E("AirSync:Change", stray, E("ApplicationData", E("Email:Read", 1))))
        return elements, state.pending(folder, now)

    def element(self, state, num, kind, item, wish):
        number = state.ids.id_of(num, state.mode)
        seen = state.have.get(num)
        if kind in ("Delete", "SoftDelete"):
            state.note(num, None)
            return E(f"AirSync:{kind}", E("ServerId", number))
        if self.ctx.options.eas_change_as_add:
            kind = "Add"
        fields = (
            eas_items.item_data(self.ctx, item, wish)
            if kind == "Add" or item.cal is not None
            else eas_items.changed_data(self.ctx, item, seen, wish)
        )
        state.note(num, seen_of(item))
        element = E(f"AirSync:{kind}", E("ServerId", number), E("ApplicationData", *fields))
        if self.size_left is not None:
            self.size_left -= len(wbxml.encode(element))
        if kind == "Add" and self.ctx.options.eas_delay_add_s:
            time.sleep(self.ctx.options.eas_delay_add_s)
        return element


def supported_of(request):
    """The names in Supported; None without it (MS-ASCMD 2.2.3.179)."""
    element = request.get("Supported")
    return None if element is None else {e.tag for e in element.elements}


def window_of(element):
    size = int(element.value("WindowSize", DEFAULT_WINDOW))
    return size if 1 <= size <= MAX_WINDOW else MAX_WINDOW


def answer_of(number, status, key, changes=(), responses=(), more=False, cls=None, more_last=False):
    parts = [E("Class", cls)] if cls else []
    parts += [E("SyncKey", key), E("CollectionId", number), E("Status", status)]
    available = [E("MoreAvailable")] if more else []
    parts += [] if more_last else available
    parts += [E("Responses", *responses)] if responses and more_last else []
    parts += [E("Commands", *changes)] if changes else []
    parts += [E("Responses", *responses)] if responses and not more_last else []
    parts += available if more_last else []
    return E("AirSync:Collection", *parts)


def failed(number, status, key):
    return E("AirSync:Collection", E("SyncKey", key), E("CollectionId", number), E("Status", status))


class Commands:
    """The client's own commands on one collection."""

    def __init__(self, ctx, folder, state, wish):
        self.ctx, self.folder, self.state, self.wish = ctx, folder, state, wish
        self.index = 0

    def run(self, request):
        """The Responses: failures, Adds and Fetches; silence is success (MS-ASCMD 2.2.3.148)."""
        found = []
        commands = request.get("Commands")
        as_moves = request.value("DeletesAsMoves", "1") != "0"
        for command in commands.elements if commands else ():
            answer = self.one(command, as_moves)
            if answer is not None:
                found.append(answer)
            self.index += 1
        return found

    def forced(self):
        code = self.ctx.scripted("item")
        return code if code is not None and self.ctx.forced.get("index", self.index) == self.index else None

    def one(self, command, as_moves):
        if command.tag == "Add":
            return self.add(command)
        number = command.value("ServerId")
        num = self.state.ids.num_of(number, self.state.mode)
        item = self.folder.items.get(num)
        done = (command.tag, number)
        code = self.forced()
        if code is None and item is None:
            code = "8"
            if done in self.state.replay:
                self.state.note(num, None)
                code = "1"
        if code is None and command.tag == "Fetch":
            fields = eas_items.item_data(self.ctx, item, self.wish)
            return E("AirSync:Fetch", E("ServerId", number), E("Status", 1), E("ApplicationData", *fields))
        if code is None and command.tag == "Change":
            code = self.change(item, command.get("ApplicationData"))
        elif code is None:
            code = self.delete(item, as_moves)
        if code == "1":
            self.state.applied[done] = True
            if not self.ctx.options.eas_echo_success:
                return None
        return E(f"AirSync:{command.tag}", E("ServerId", number), E("Status", code))

    def change(self, item, data):
        """Read, Flag and Categories may change; of a draft on 16.x everything."""
        changes = {}
        names = {e.name for e in data.elements}
        if item.draft and self.ctx.at_least("16.0") and names - {"Email:Read", "Email:Flag", "Email:Categories"}:
            return self.change_draft(item, data)
        for e in data.elements:
            code = self.field(e, changes)
            if code != "1":
                return code
        if changes:
            self.ctx.mailbox.update_item(item, **changes)
        if not self.ctx.options.eas_echo_own:
            self.state.note(item.num, seen_of(item))
        return "1"

    def field(self, e, changes):
        if e.name == "Email:Read":
            if e.text not in ("0", "1"):
                return "6"
            changes["read"] = e.text == "1"
        elif e.name == "Email:Flag":
            code, changes["flag"] = self.flag(e)
            return code
        elif e.name == "Email:Categories" and self.ctx.at_least("14.0"):
            changes["categories"] = tuple(c.text for c in e.all("Category"))
        else:
            return "6"
        return "1"

    def flag(self, e):
        if not e.elements:
            return "1", 0
        status = e.value("Status")
        if status not in ("0", "1", "2"):
            return "6", 0
        if status == "2" and not e.value("FlagType"):
            return "6", 0
        if status == "2" and self.ctx.options.eas_flag_needs_dates and not all(e.has("Tasks:" + d) for d in TASK_DATES):
            return "6", 0
        if status == "1" and not (e.has("CompleteTime") and e.has("Tasks:DateCompleted")):
            return "6", 0
        return "1", int(status)

    def change_draft(self, item, data):
        mime = eas_drafts.mime(self.ctx.version, data)
        if mime is None:
            return "6"
        self.ctx.mailbox.update_item(item, mime=mime)
        self.state.note(item.num, seen_of(item))
        return "1"

    def delete(self, item, as_moves):
        trash = self.ctx.mailbox.kinds["deleteditems"]
        how = "trash" if as_moves and self.folder is not trash else "hard"
        self.ctx.mailbox.delete_item(item, how)
        self.state.note(item.num, None)
        return "1"

    def add(self, command):
        """Drafts on 16.x; below, and elsewhere, mail cannot be added: Status 6 (MS-ASCMD 2.2.3.7)."""
        ctx, client_id = self.ctx, command.value("ClientId")
        code = self.forced()
        if not client_id or len(client_id) > 64:
            code = code or "4"
        if code is None and not (self.folder.kind == "drafts" and ctx.at_least("16.0")):
            code = "6"
        before = self.state.replay.get(("Add", client_id))
        item = self.folder.items.get(before) if before else None
        if code is None and item is None:
            item, code = self.new_draft(command.get("ApplicationData"))
        if code is not None:
            return E("AirSync:Add", E("ClientId", client_id), E("Status", code))
        self.state.applied["Add", client_id] = item.num
        self.state.note(item.num, seen_of(item))
        number = self.state.ids.id_of(item.num, self.state.mode)
        more = eas_drafts.answer(command.get("ApplicationData"), item, eas_items.file_reference)
        return E("AirSync:Add", E("ClientId", client_id), E("ServerId", number), E("Status", 1), *more)

    def new_draft(self, data):
        """(Item, None), or (None, Status): what a client may say of a draft (MS-ASEMAIL 2.2.2, 16.0 and later)."""
        mime = eas_drafts.mime(self.ctx.version, data)
        if mime is None or {e.name for e in data.elements} - eas_drafts.FIELDS:
            return None, "6"
        fields = {"read": data.value("Email:Read", "1") == "1", "draft": True}
        if data.value("Email:Read", "1") not in ("0", "1"):
            return None, "6"
        if data.has("Email:Flag"):
            code, fields["flag"] = self.flag(data.get("Email:Flag"))
            if code != "1":
                return None, code
        if data.has("Email:Categories"):
            fields["categories"] = tuple(c.text for c in data.get("Email:Categories").all("Category"))
        try:
            return self.ctx.mailbox.add_item(self.folder, mime, **fields), None
        except ModelError:
            return None, "5"


COMMANDS_OF = {}  # class -> what runs the client's commands: eas_pim fills it; Commands for the others


COMMANDS = {"Sync": sync}
