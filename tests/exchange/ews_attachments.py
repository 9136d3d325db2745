# SPDX-License-Identifier: Apache-2.0
"""CreateAttachment and DeleteAttachment (MS-OXWSATT), and files of calendar items and tasks in GetAttachment."""
import base64
import dataclasses
import datetime
import struct

import cal_model
from ews import operation
from ews_calendar_shape import cal_attachment_id
from ews_calendar_write import attachment_of, next_serial
from ews_write import children
from ews_xml import ITEM, EwsError, esc, item_id, item_key, read_id, success


def is_ours(ident):
    """Whether an AttachmentId is one of a calendar item or a task."""
    try:
        return base64.b64decode(ident or "", validate=True)[112:115] == b"CAT"
    except ValueError:
        return False


def find(call, ident):
    """(Item, date or None, Attachment)"""
    raw = base64.b64decode(ident)
    if len(raw) != 121:
        raise EwsError("ErrorInvalidAttachmentId", "The attachment Id is malformed.")
    ordinal, serial = struct.unpack(">IH", raw[115:121])
    item = call.mailbox.item(read_id(call.mailbox, base64.b64encode(raw[:112]).decode(), ITEM)[1])
    day = datetime.date.fromordinal(ordinal) if ordinal else None
    found = next((a for a in seen(item, day) if a.serial == serial), None)
    if found is None:
        raise EwsError("ErrorItemNotFound")
    return item, day, found


def seen(item, day):
    if day is None:
        return item.cal.attachments
    if item.cal.recurrence is None or day in item.cal.deleted:
        raise EwsError("ErrorItemNotFound")
    return item.cal.occurrence(day).attachments


def shown(call, item, day, found):
    """The FileAttachment of GetAttachment."""
    ident = cal_attachment_id(call.mailbox, item, day, found.serial)
    content_id = f"<t:ContentId>{esc(found.content_id)}</t:ContentId>" if found.content_id else ""
    return (
        f'<t:FileAttachment><t:AttachmentId Id="{ident}"/><t:Name>{esc(found.name)}</t:Name><t:ContentType>'
        f"{esc(found.content_type)}</t:ContentType>{content_id}<t:Content>{base64.b64encode(found.data).decode()}"
        "</t:Content></t:FileAttachment>"
    )


def store(call, item, day, attachments):
    if day is None:
        cal_model.save(call.mailbox, item, dataclasses.replace(item.cal, attachments=attachments))
    else:
        cal_model.save(call.mailbox, item, cal_model.changed_occurrence(item.cal, day, {"attachments": attachments}))


@operation("CreateAttachment")
def create_attachment(call):
    elements = children(call.child("Attachments"))
    call.detail["ids"] = len(elements)

    def one(element):
        item, day = call.target(call.child("ParentItemId"))
        if item.cal is None:
            raise EwsError("ErrorInvalidOperation", "The stand-in attaches files to calendar items and tasks only.")
        before = seen(item, day)
        made = attachment_of(element, next_serial(before))
        store(call, item, day, before + (made,))
        ident = cal_attachment_id(call.mailbox, item, day, made.serial)
        root = f'RootItemId="{item_id(call.mailbox, item.num)}" RootItemChangeKey="{item_key(call.mailbox, item)}"'
        return success(
            "CreateAttachment",
            f'<m:Attachments><t:FileAttachment><t:AttachmentId Id="{ident}" {root}/></t:FileAttachment></m:Attachments>',
        )

    return call.each("CreateAttachment", elements, one, "<m:Attachments/>")


@operation("DeleteAttachment")
def delete_attachment(call):
    refs = children(call.child("AttachmentIds"))
    call.detail["ids"] = len(refs)

    def one(ref):
        if not is_ours(ref.get("Id")):
            raise EwsError("ErrorInvalidAttachmentId", "The attachment Id is malformed.")
        item, day, found = find(call, ref.get("Id"))
        store(call, item, day, tuple(a for a in seen(item, day) if a.serial != found.serial))
        root = f'RootItemId="{item_id(call.mailbox, item.num)}" RootItemChangeKey="{item_key(call.mailbox, item)}"'
        return success("DeleteAttachment", f"<m:RootItemId {root}/>")

    return call.each("DeleteAttachment", refs, one)
