# SPDX-License-Identifier: Apache-2.0
"""GetFolder, FindFolder, GetItem, FindItem, GetAttachment."""
import base64
import struct

import cal_model
import ews_attachments
import ews_calendar
from ews import operation
from ews_find import Search, sort_key
from ews_schema import local
from ews_shape import FolderShape, ItemShape, View, attachment_id
from ews_xml import ITEM, EwsError, esc, read_id, success


@operation("GetFolder")
def get_folder(call):
    shape = FolderShape(call.child("FolderShape"), call.version, call.options)
    refs = call.child("FolderIds")
    call.detail["ids"] = len(refs)
    return call.each(
        "GetFolder",
        refs,
        lambda ref: success("GetFolder", f"<m:Folders>{shape.write(call.mailbox, call.folder(ref))}</m:Folders>"),
        "<m:Folders/>",
    )


def page(call, names, found, cap=None):
    """(entries of the page, paging attributes) for an Indexed or Fractional view, or for none."""
    view = next((call.child(n) for n in names if call.child(n) is not None), None)
    limit, start, from_end = len(found), 0, False
    if view is not None:
        limit = int(view.get("MaxEntriesReturned") or len(found) or 1)
        if limit < 1:
            raise EwsError("ErrorInvalidPagingMaxRows", "The MaxEntriesReturned value is not valid.")
        start = int(view.get("Offset") or 0)
        from_end = view.get("BasePoint") == "End"
        if start < 0:
            raise EwsError("ErrorInvalidIndexedPagingParameters", "The Offset value is not valid.")
    elif cap is None and len(found) > 1000 and call.version <= 3:
        raise EwsError(
            "ErrorExceededFindCountLimit", "The query exceeds the throttling limit on the number of results."
        )
    limit = min(limit, 1000)
    if from_end:
        stop = max(0, len(found) - start)
        entries, offset, last = found[max(0, stop - limit) : stop], max(0, stop - limit), stop <= limit
    else:
        entries, offset = found[start : start + limit], min(start + limit, len(found))
        last = start + limit >= len(found)
    attributes = f'TotalItemsInView="{len(found)}" IncludesLastItemInRange="{"true" if last else "false"}"'
    if view is not None:
        attributes = f'IndexedPagingOffset="{offset}" ' + attributes
    return entries, attributes


@operation("FindFolder")
def find_folder(call):
    shape = FolderShape(call.child("FolderShape"), call.version, call.options)
    traversal = call.element.get("Traversal")
    if traversal == "SoftDeleted":
        raise EwsError("ErrorInvalidOperation", "SoftDeleted traversal is for public folders.")
    restriction = call.child("Restriction")
    call.detail["traversal"] = traversal

    def one(ref):
        folder = call.folder(ref)
        mailbox = call.mailbox
        found = mailbox.descendants(folder.num) if traversal == "Deep" else mailbox.children(folder.num)
        if restriction is not None:
            search = Search(restriction, call)
            found = [f for f in found if search.folder(mailbox, f)]
        entries, attributes = page(call, ("IndexedPageFolderView", "FractionalPageFolderView"), found)
        return success(
            "FindFolder",
            f"<m:RootFolder {attributes}><t:Folders>"
            + "".join(shape.write(mailbox, f) for f in entries)
            + "</t:Folders></m:RootFolder>",
        )

    return call.each("FindFolder", call.child("ParentFolderIds"), one)


@operation("GetItem")
def get_item(call):
    shape_element = call.child("ItemShape")
    refs = call.child("ItemIds")
    call.detail["ids"] = len(refs)
    if len(refs) > call.options.max_batch:
        raise EwsError("ErrorTooManyObjectsOpened", "Too many objects were asked for.", fault=True)
    shape = ItemShape(shape_element, call.version)
    call.detail["mime"] = shape.mime
    call.detail["shape"] = shape.base
    view = ews_calendar.maker(call)
    return call.each("GetItem", refs, lambda ref: one_item(call, shape, view, ref), "<m:Items/>")


def one_item(call, shape, view, ref):
    item, day = call.target(ref)
    if item.has("dead"):
        raise EwsError("ErrorItemNotFound")
    for code in item.traits or ():
        if code.startswith("Error"):
            raise EwsError(code)
    mime = None
    if shape.mime:
        if item.has("mime-error"):
            raise EwsError("ErrorMimeContentConversionFailed")
        if item.cal is not None:
            mime = cal_model.render(call.mailbox, item.cal if day is None else item.cal.occurrence(day))
        elif not item.has("no-mime"):
            mime = call.app.store.served_mime(call.options, item)
    return success("GetItem", f"<m:Items>{shape.write(view(item, day), mime)}</m:Items>")


@operation("FindItem")
def find_item(call):
    if call.child("CalendarView") is not None or call.child("ContactsView") is not None:
        call.detail["view"] = "calendar"
    refs = call.child("ParentFolderIds")
    return call.each("FindItem", refs, lambda ref: one_find(call, ref))


def one_find(call, ref):
    shape = ItemShape(call.child("ItemShape"), call.version, listing=True, refuse=True)
    mailbox, folder = call.mailbox, call.folder(ref)
    found = folder.newest_first()
    restriction, query = call.child("Restriction"), call.child("QueryString")
    if call.child("CalendarView") is not None:
        entries, attributes = ews_calendar.calendar_view(call, folder, shape)
        call.detail["returned"] = len(entries)
        inner = f"<m:RootFolder {attributes}><t:Items>{''.join(entries)}</t:Items></m:RootFolder>"
        return success("FindItem", inner)
    if call.element.get("Traversal") != "Shallow" or call.detail.get("view"):
        found = []
    if restriction is not None and query is not None:
        raise EwsError("ErrorRestrictionTooComplex", "QueryString excludes Restriction.")

    view = ews_calendar.maker(call)
    cap = None
    if restriction is not None:
        search = Search(restriction, call)
        found = [i for i in found if search.item(view(i))]
        cap = call.options.find_cap
    elif query is not None:
        words = (query.text or "").casefold().split()
        found = [i for i in found if _has_words(view(i), words)]
        cap = call.options.find_cap
    order = call.child("SortOrder")
    if order is not None:
        for field in reversed(order):
            found.sort(key=lambda i, f=field: sort_key(f[0], view(i)), reverse=field.get("Order") == "Descending")
    if cap is not None and call.version >= 5:
        found = found[:cap]
    entries, attributes = page(call, ("IndexedPageItemView", "FractionalPageItemView"), found, cap)
    call.detail["returned"] = len(entries)
    return success(
        "FindItem",
        f"<m:RootFolder {attributes}><t:Items>"
        + "".join(shape.write(view(i)) for i in entries)
        + "</t:Items></m:RootFolder>",
    )


def _has_words(view, words):
    """AQS as far as free words go: each is a prefix of a word of the subject, the sender or the text."""
    info = view.info
    text = " ".join([info.subject or "", view.display(info.from_), view.structure[0] or ""]).casefold().split()
    return all(any(t.startswith(w) for t in text) for w in words)


def find_attachment(call, ident):
    """(item, index, Part) of an AttachmentId."""
    try:
        raw = base64.b64decode(ident, validate=True)
        index = struct.unpack(">H", raw[115:117])[0]
    except (ValueError, struct.error):
        raise EwsError("ErrorInvalidAttachmentId", "The attachment Id is malformed.") from None
    if len(raw) != 117 or raw[112:115] != b"ATT":
        raise EwsError("ErrorInvalidAttachmentId", "The attachment Id is malformed.")
    num = read_id(call.mailbox, base64.b64encode(raw[:112]).decode(), ITEM)[1]
    item = call.mailbox.item(num)
    view = View(call.mailbox, item, call.options, call.version)
    parts = view.structure[2]
    if index >= len(parts):
        raise EwsError("ErrorItemNotFound")
    return item, index, parts[index]


@operation("GetAttachment")
def get_attachment(call):
    shape = call.child("AttachmentShape")
    want_mime = shape is not None and any(
        local(c) == "IncludeMimeContent" and c.text.strip() in ("true", "1") for c in shape
    )
    refs = call.child("AttachmentIds")
    call.detail["ids"] = len(refs)

    def one(ref):
        if ews_attachments.is_ours(ref.get("Id")):
            inner = ews_attachments.shown(call, *ews_attachments.find(call, ref.get("Id")))
            return success("GetAttachment", f"<m:Attachments>{inner}</m:Attachments>")
        item, index, part = find_attachment(call, ref.get("Id"))
        kind = "ItemAttachment" if part.is_message else "FileAttachment"
        head = (
            f'<t:AttachmentId Id="{attachment_id(call.mailbox, item, index)}"/><t:Name>{esc(part.name)}</t:Name>'
            f"<t:ContentType>{esc(part.content_type)}</t:ContentType>"
            + (f"<t:ContentId>{esc(part.content_id)}</t:ContentId>" if part.content_id else "")
        )
        data = base64.b64encode(part.data).decode()
        if part.is_message:
            content = f'<t:MimeContent CharacterSet="UTF-8">{data}</t:MimeContent>' if want_mime else ""
            body = (
                f"<t:Message>{content}<t:ItemClass>IPM.Note</t:ItemClass><t:Subject>{esc(part.name)}</t:Subject>"
                f"</t:Message>"
            )
        else:
            body = f"<t:Content>{data}</t:Content>"
        return success("GetAttachment", f"<m:Attachments><t:{kind}>{head}{body}</t:{kind}></m:Attachments>")

    return call.each("GetAttachment", refs, one, "<m:Attachments/>")
