# SPDX-License-Identifier: Apache-2.0
"""FolderSync, FolderCreate, FolderUpdate, FolderDelete, MoveItems, GetItemEstimate (MS-ASCMD 2.2.1)."""
from eas_items import BadOptions
from eas_state import seen_of
from eas_sync import class_of, find_folder
from model import ModelError
from wbxml import E

TYPES = {
    "inbox": 2,
    "drafts": 3,
    "deleteditems": 4,
    "sentitems": 5,
    "outbox": 6,
    "tasks": 7,
    "calendar": 8,
    "contacts": 9,
    "notes": 10,
    "journal": 11,
}
USER_TYPES = (
    ("IPF.Note", 12),
    ("IPF.Appointment", 13),
    ("IPF.Contact", 14),
    ("IPF.Task", 15),
    ("IPF.Journal", 16),
    ("IPF.StickyNote", 17),
)
CREATED = {
    "1": "IPF.Note",
    "12": "IPF.Note",
    "13": "IPF.Appointment",
    "14": "IPF.Contact",
    "15": "IPF.Task",
    "16": "IPF.Journal",
    "17": "IPF.StickyNote",
}
RI_FOLDER = ("0", "Recipient Information Cache", 19)


def hierarchy(ctx):
    """{ServerId: (parent, name, type)} as it is now, parents first."""
    root = ctx.mailbox.kinds["msgfolderroot"]
    found = {}
    for folder in ctx.mailbox.descendants(root.num):
        if folder.hidden or any(f.hidden for f in ancestors(ctx, folder, root)):
            continue
        parent = "0" if folder.parent == root.num else str(folder.parent)
        found[str(folder.num)] = (parent, folder.name, type_of(folder))
    if ctx.options.eas_ri_folder and ctx.at_least("14.0"):
        found["RI"] = RI_FOLDER
    return found


def ancestors(ctx, folder, root):
    while folder.num != root.num:
        yield folder
        folder = ctx.mailbox.folders[folder.parent]


def type_of(folder):
    if folder.kind in TYPES:
        return TYPES[folder.kind]
    return next((number for prefix, number in USER_TYPES if folder.cls.startswith(prefix)), 18)


def folder_sync(ctx, tree):
    device, key = ctx.device, tree.value("SyncKey")
    with device.lock, ctx.mailbox.lock:
        now = hierarchy(ctx)
        if key == "0":
            device.folder_list, before = {}, {}
            device.folder_key, device.folder_before = None, {}
            device.epoch += 1
        elif device.folder_key is not None and key == device.folder_key:
            before = device.folder_list
        elif device.folder_previous is not None and key == device.folder_previous:
            before = device.folder_before
        else:
            return ctx.status("9")
        changes = folder_changes(before, now)
        if changes or key == "0":
            device.folder_previous, device.folder_before = key if key != "0" else None, dict(before)
            device.folder_key, device.folder_list = device.new_folder_key(), now
        else:
            device.folder_key, device.folder_list = key, dict(before)
        for number in set(before) - set(now):
            if number.isdigit():
                device.collections.pop(int(number), None)
        ctx.detail(changes=len(changes))
        return E(
            "FolderHierarchy:FolderSync",
            E("Status", 1),
            E("SyncKey", device.folder_key),
            E("Changes", E("Count", len(changes)), *changes),
        )


def folder_changes(before, now):
    """Update, Delete, Add, as the schema orders them."""
    updates = [described("Update", n, now[n]) for n in now if n in before and before[n] != now[n]]
    deletes = [E("FolderHierarchy:Delete", E("ServerId", n)) for n in before if n not in now]
    adds = [described("Add", n, now[n]) for n in now if n not in before]
    return updates + deletes + adds


def described(kind, number, folder):
    parent, name, type_number = folder
    return E(
        f"FolderHierarchy:{kind}",
        E("ServerId", number),
        E("ParentId", parent),
        E("DisplayName", name),
        E("Type", type_number),
    )


def changing(ctx, tree, work):
    """Runs work() when the key is right; afterwards the client knows the change, under a new key."""
    device = ctx.device
    with device.lock, ctx.mailbox.lock:
        if device.folder_key is None or tree.value("SyncKey") != device.folder_key:
            return ctx.status("9")
        pending = folder_changes(device.folder_list, hierarchy(ctx))
        made, code = work()
        if code != "1":
            return ctx.status(code)
        now = hierarchy(ctx)
        touched = {made} if made else set()
        # What others changed meanwhile is told by the next FolderSync, not swallowed by this key.
        keep = {e.value("ServerId") for e in pending} - touched
        device.folder_previous, device.folder_before = device.folder_key, dict(device.folder_list)
        device.folder_list = {n: f for n, f in now.items() if n not in keep or n in device.folder_list}
        device.folder_list.update({n: device.folder_before[n] for n in keep if n in device.folder_before})
        device.folder_key = device.new_folder_key()
        extra = [E("ServerId", made)] if ctx.cmd == "FolderCreate" else []
        return E(f"FolderHierarchy:{ctx.cmd}", E("Status", 1), E("SyncKey", device.folder_key), *extra)


def parent_of(ctx, text):
    return ctx.mailbox.kinds["msgfolderroot"] if text == "0" else find_folder(ctx, text)


def bad_name(name):
    return not name or len(name) > 256


def folder_create(ctx, tree):
    def work():
        parent, cls = parent_of(ctx, tree.value("ParentId")), CREATED.get(tree.value("Type"))
        if cls is None or bad_name(tree.value("DisplayName")):
            return None, "10"
        if parent in (None, "RI"):
            return None, "5"
        try:
            return str(ctx.mailbox.create_folder(parent, tree.value("DisplayName"), cls).num), "1"
        except ModelError as e:
            return None, "2" if e.code == "ErrorFolderExists" else "6"

    return changing(ctx, tree, work)


def folder_update(ctx, tree):
    def work():
        folder, parent = find_folder(ctx, tree.value("ServerId")), parent_of(ctx, tree.value("ParentId"))
        if bad_name(tree.value("DisplayName")):
            return None, "10"
        if folder is None:
            return None, "4"
        if folder == "RI" or folder.kind:
            return None, "2"
        if parent in (None, "RI"):
            return None, "5"
        try:
            if parent.num != folder.parent:
                ctx.mailbox.move_folder(folder, parent)
            if folder.name != tree.value("DisplayName"):
                ctx.mailbox.update_folder(folder, name=tree.value("DisplayName"))
        except ModelError as e:
            return None, "2" if e.code == "ErrorFolderExists" else "6"
        return str(folder.num), "1"

    return changing(ctx, tree, work)


def folder_delete(ctx, tree):
    def work():
        folder = find_folder(ctx, tree.value("ServerId"))
        if folder is None:
            return None, "4"
        if folder == "RI" or folder.kind:
            return None, "3"
        ctx.mailbox.delete_folder(folder, "hard")
        ctx.device.collections.pop(folder.num, None)
        return str(folder.num), "1"

    return changing(ctx, tree, work)


# Moving


def move_items(ctx, tree):
    moves = tree.all("Move")
    if len(moves) > ctx.options.eas_limits["move"]:
        return ctx.common(103)
    answers = []
    with ctx.device.lock, ctx.mailbox.lock:
        for index, move in enumerate(moves):
            code = ctx.scripted("item") if ctx.forced and ctx.forced.get("index", index) == index else None
            code, new = (code, None) if code else move_one(ctx, move)
            fields = [E("SrcMsgId", move.value("SrcMsgId")), E("Status", code)]
            fields += [E("DstMsgId", new)] if new else []
            answers.append(E("Move:Response", *fields))
    return E("Move:MoveItems", *answers)


def move_one(ctx, move):
    """(Status, DstMsgId): 3 is success."""
    source, target = find_folder(ctx, move.value("SrcFldId")), find_folder(ctx, move.value("DstFldId"))
    if source in (None, "RI"):
        return "1", None
    state = ctx.device.collection(source)
    num = state.ids.num_of(move.value("SrcMsgId"), state.mode)
    item = source.items.get(num)
    if item is None:
        return "1", None
    if target in (None, "RI") or class_of(target) != class_of(source):
        return "2", None
    if target is source:
        return "4", None
    new = ctx.mailbox.move_item(item, target)
    there = ctx.device.collection(target)
    if not ctx.options.eas_move_echo:
        if num in state.have:
            state.note(num, None)
        if there.key is not None:
            there.note(new.num, seen_of(new))
    return "3", there.ids.id_of(new.num, there.mode)


def estimate(ctx, tree):
    answers = []
    with ctx.device.lock, ctx.mailbox.lock:
        for collection in tree.all("Collections/Collection"):
            number, key = collection.value("CollectionId"), collection.value("AirSync:SyncKey")
            folder = find_folder(ctx, number)
            code, count = "1", 0
            if folder is None:
                code = "2"
            elif folder != "RI":
                state = ctx.device.collection(folder)
                if state.key is None:
                    code = "3"
                elif not state.accept(key):
                    code = "4"
                else:
                    count = counted(ctx, collection, folder, state)
            fields = [E("Collection", E("CollectionId", number), E("Estimate", count))] if code == "1" else []
            answers.append(E("GetItemEstimate:Response", E("Status", code), *fields))
    return E("GetItemEstimate:GetItemEstimate", *answers)


def counted(ctx, collection, folder, state):
    value = collection.value("AirSync:FilterType") or collection.value("AirSync:Options/FilterType")
    if value is not None and class_of(folder) in ("Email", "Calendar", "Tasks"):
        try:
            state.set_filter(folder, value, ctx.now())
        except (KeyError, BadOptions):
            pass
    return state.count(folder, ctx.now())


COMMANDS = {
    "FolderSync": folder_sync,
    "FolderCreate": folder_create,
    "FolderUpdate": folder_update,
    "FolderDelete": folder_delete,
    "MoveItems": move_items,
    "GetItemEstimate": estimate,
}
