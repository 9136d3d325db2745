# SPDX-License-Identifier: Apache-2.0
"""CreateFolder, UpdateFolder, MoveFolder, DeleteFolder, EmptyFolder."""
from ews import operation
from ews_schema import local
from ews_shape import FOLDER_ELEMENTS
from ews_write import HOW, children, words
from ews_xml import EwsError, folder_element, success

CLASSES = {
    "Folder": "IPF.Note",
    "CalendarFolder": "IPF.Appointment",
    "ContactsFolder": "IPF.Contact",
    "TasksFolder": "IPF.Task",
}


def shown(call, folder):
    element = FOLDER_ELEMENTS.get(folder.cls, "Folder")
    return f"<m:Folders><t:{element}>{folder_element(call.mailbox, folder)}</t:{element}></m:Folders>"


@operation("CreateFolder")
def create_folder(call):
    def one(wish):
        parent = call.folder(call.child("ParentFolderId")[0])
        given = {local(c): words(c) for c in children(wish)}
        if local(wish) not in CLASSES:
            raise EwsError("ErrorInvalidOperation", "The stand-in makes no search folders.")
        if not given.get("DisplayName"):
            raise EwsError("ErrorFolderSave", "A folder needs a DisplayName.")
        folder = call.mailbox.create_folder(
            parent, given["DisplayName"], given.get("FolderClass") or CLASSES[local(wish)]
        )
        return success("CreateFolder", shown(call, folder))

    return call.each("CreateFolder", children(call.child("Folders")), one, "<m:Folders/>")


@operation("UpdateFolder")
def update_folder(call):
    def one(change):
        ref, updates = children(change)
        folder = call.folder(ref)
        wishes = {}
        for update in children(updates):
            parts = children(update)
            uri = parts[0].get("FieldURI")
            if local(update) != "SetFolderField" or uri not in ("folder:DisplayName", "folder:FolderClass"):
                raise EwsError("ErrorInvalidPropertySet", f"The property {uri} cannot be set.")
            value = children(parts[1])
            if len(value) != 1 or "folder:" + local(value[0]) != uri:
                raise EwsError("ErrorUpdatePropertyMismatch", "The path and the value name different properties.")
            wishes["name" if uri == "folder:DisplayName" else "cls"] = words(value[0])
        call.mailbox.update_folder(folder, **wishes)
        return success("UpdateFolder", shown(call, folder))

    return call.each("UpdateFolder", children(call.child("FolderChanges")), one, "<m:Folders/>")


@operation("MoveFolder")
def move_folder(call):
    def one(ref):
        folder = call.mailbox.move_folder(call.folder(ref), call.folder(call.child("ToFolderId")[0]))
        return success("MoveFolder", shown(call, folder))

    return call.each("MoveFolder", call.child("FolderIds"), one, "<m:Folders/>")


@operation("DeleteFolder")
def delete_folder(call):
    how = HOW[call.element.get("DeleteType")]
    if how == "soft":
        raise EwsError("ErrorInvalidOperation", "Folders cannot be soft-deleted.")

    def one(ref):
        call.mailbox.delete_folder(call.folder(ref), how)
        return success("DeleteFolder")

    return call.each("DeleteFolder", call.child("FolderIds"), one)


@operation("EmptyFolder")
def empty_folder(call):
    if call.version < 3:
        raise EwsError("ErrorInvalidServerVersion", "EmptyFolder needs Exchange2010_SP1.", fault=True)
    how = HOW[call.element.get("DeleteType")]
    subfolders = call.element.get("DeleteSubFolders") in ("true", "1")

    def one(ref):
        folder = call.folder(ref)
        for item in list(folder.items.values()):
            call.mailbox.delete_item(item, how)
        for child in call.mailbox.children(folder.num) if subfolders else ():
            call.mailbox.delete_folder(child, "hard" if how == "soft" else how)
        return success("EmptyFolder")

    return call.each("EmptyFolder", call.child("FolderIds"), one)
