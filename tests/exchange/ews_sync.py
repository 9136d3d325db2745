# SPDX-License-Identifier: Apache-2.0
"""SyncFolderHierarchy and SyncFolderItems.

A SyncState is (window, position, cursor, phase). Phase 0: the first run, newest first, `cursor` being the last item
given and `position` the sequence number when it began. Phase 1: changes after `position`; `window` is where this run
of pages began.
"""
import ews_calendar
from ews import operation
from model import ModelError
from ews_shape import FolderShape, ItemShape, View
from ews_xml import EwsError, boolean, change_key, folder_id, id_element, item_id, make_state, read_state, success

FIRST, CHANGES = 0, 1


def expired(call):
    return call.request.rule is not None and call.request.rule.do == "expired"


@operation("SyncFolderHierarchy")
def sync_hierarchy(call):
    def one(_):
        shape = FolderShape(call.child("FolderShape"), call.version)
        target = call.child("SyncFolderId")
        root = call.folder(target[0]) if target is not None else call.mailbox.kinds["root"]
        mailbox, given = call.mailbox, call.text("SyncState")
        number = root.num if target is not None else 0  # without a folder it is another sync
        call.detail["first"] = not given
        if given and expired(call):
            raise EwsError("ErrorInvalidSyncStateData")
        position = read_state(mailbox, given, b"HIER", number)[1] if given else 0
        changes = []
        for _, kind, num, folder in mailbox.hierarchy_since(position, root.num):
            if kind == "delete":
                changes.append(f'<t:Delete><t:FolderId Id="{folder_id(mailbox, num)}"/></t:Delete>')
            else:
                tag = kind.capitalize()
                changes.append(f"<t:{tag}>{shape.write(mailbox, folder)}</t:{tag}>")
        call.detail["changes"] = len(changes)
        state = make_state(mailbox, b"HIER", number, mailbox.seq, mailbox.seq)
        return success(
            "SyncFolderHierarchy",
            f"<m:SyncState>{state}</m:SyncState><m:IncludesLastFolderInRange>true"
            f"</m:IncludesLastFolderInRange><m:Changes>{''.join(changes)}</m:Changes>",
        )

    return call.each("SyncFolderHierarchy", [None], one)


@operation("SyncFolderItems")
def sync_items(call):
    return call.each("SyncFolderItems", [call.child("SyncFolderId")[0]], lambda ref: one_folder(call, ref))


def one_folder(call, ref):
    shape = ItemShape(call.child("ItemShape"), call.version, listing=True)
    try:
        folder = call.folder(ref)
    except (EwsError, ModelError) as error:
        code = "ErrorSyncFolderNotFound" if error.code == "ErrorFolderNotFound" else error.code
        raise EwsError(code, error.text) from None
    mailbox = call.mailbox
    limit = min(int(call.text("MaxChangesReturned")), call.options.sync_page_max)
    given = call.text("SyncState")
    call.detail.update(folder=folder.kind or folder.name, first=not given, max=limit)
    if given and expired(call):
        raise EwsError("ErrorInvalidSyncStateData")
    if given:
        window, position, cursor, phase = read_state(mailbox, given, b"ITEM", folder.num)
    else:
        window, position, cursor, phase = mailbox.seq, mailbox.seq, None, FIRST
    if phase == FIRST:
        changes, last, state = first_page(call, folder, shape, limit, position, cursor)
    else:
        changes, last, state = next_page(call, folder, shape, limit, window, position)
    call.detail.update(changes=len(changes), last=last)
    bug = call.request.rule.do if call.request.rule else None
    pad = 200 + len(folder.items) // 8
    blob = make_state(mailbox, b"ITEM", folder.num, *state, pad=pad)
    if bug == "same_state" and given:  # seen on real servers: no progress, and never the last page
        blob, changes, last = given, [], False
    elif bug == "echo":
        changes += changes[:1]
    flag = "" if bug == "no_last_flag" else f"<m:IncludesLastItemInRange>{boolean(last)}</m:IncludesLastItemInRange>"
    return success(
        "SyncFolderItems", f"<m:SyncState>{blob}</m:SyncState>{flag}<m:Changes>{''.join(changes)}</m:Changes>"
    )


def first_page(call, folder, shape, limit, position, cursor):
    ignored = set(call.element.xpath("*[local-name()='Ignore']/*/@Id"))
    items = folder.newest_first(cursor, limit)
    last = len(items) < limit or not folder.newest_first((items[-1].received, items[-1].num), 1)
    mailbox = call.mailbox
    changes = [
        entry(call, "Create", shape, item)
        for item in items
        if item.arrived <= position and not (ignored and item_id(mailbox, item.num) in ignored)
    ]
    if last:
        return changes, True, (position, position, (0, 0), CHANGES)
    return changes, False, (position, position, (items[-1].received, items[-1].num), FIRST)


def next_page(call, folder, shape, limit, window, position):
    mailbox = call.mailbox
    found = folder.changes_since(position, window)
    page, last = found[:limit], len(found) <= limit
    changes = []
    for _, change in page:
        if change.kind == "delete":
            changes.append(
                f'<t:Delete><t:ItemId Id="{item_id(mailbox, change.num)}" '
                f'ChangeKey="{change_key(mailbox, folder.latest[change.num])}"/></t:Delete>'
            )
        elif change.kind == "read" and call.options.read_changes_announced and call.version >= 1:
            changes.append(
                f"<t:ReadFlagChange>{id_element(mailbox, change.item)}"
                f"<t:IsRead>{boolean(change.item.read)}</t:IsRead></t:ReadFlagChange>"
            )
        else:
            changes.append(entry(call, "Create" if change.kind == "create" else "Update", shape, change.item))
    if call.options.dead_items:
        changes += [entry(call, "Update", shape, i) for i in folder.items.values() if i.has("dead")]
    if last:
        return changes, True, (mailbox.seq, mailbox.seq, (0, 0), CHANGES)
    return changes, False, (window, page[-1][0], (0, 0), CHANGES)


def entry(call, tag, shape, item):
    for trait in item.traits or ():
        if trait.startswith("Sync:"):
            raise EwsError(trait.removeprefix("Sync:"))
    if item.has("unreadable") or (item.has("poison") and len(call.child("ItemShape")) > 1):
        raise EwsError("ErrorInternalServerError")
    view = ews_calendar.maker(call)(item)
    if tag == "Update" and call.options.generic_updates and type(view) is View:
        view.element = "Item"
    return f"<t:{tag}>{shape.write(view)}</t:{tag}>"
