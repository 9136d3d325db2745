# SPDX-License-Identifier: Apache-2.0
"""CreateItem, UpdateItem, MoveItem, CopyItem, DeleteItem, SendItem, MarkAllItemsAsRead."""
import base64
import email.message
import email.utils

import mimeinfo
from clock import from_iso
from ews import operation
from ews_schema import local, violation
from ews_shape import FLAG_WORDS, PATHS, extended_key
from ews_xml import T, EwsError, id_element, success

NO_CONFLICTS = "<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>"
HOW = {"HardDelete": "hard", "SoftDelete": "soft", "MoveToDeletedItems": "trash"}
READ_ONLY = {
    "item:ItemId",
    "item:ParentFolderId",
    "item:DateTimeReceived",
    "item:Size",
    "item:DateTimeSent",
    "item:IsDraft",
    "item:DateTimeCreated",
    "item:HasAttachments",
    "item:LastModifiedName",
    "item:LastModifiedTime",
    "item:ConversationId",
    "item:DisplayTo",
    "item:DisplayCc",
    "item:Attachments",
    "item:InternetMessageHeaders",
    "item:EffectiveRights",
    "item:Preview",
    "item:InstanceKey",
    "item:IsAssociated",
    "item:TextBody",
}


def children(element):
    return [c for c in element if isinstance(c.tag, str)]


def words(element):
    return (element.text or "").strip()


def truth(element):
    return words(element) in ("true", "1")


def people(element):
    found = []
    for box in element.iter(f"{{{T}}}Mailbox"):
        address = box.findtext(f"{{{T}}}EmailAddress") or ""
        if "@" not in address:
            raise EwsError("ErrorInvalidRecipients", "At least one recipient is not valid.")
        found.append(mimeinfo.Address(box.findtext(f"{{{T}}}Name") or "", address))
    return found


def extended(element):
    """(key, type, value) of an ExtendedProperty element."""
    uri, holder = children(element)
    key, kind = extended_key(uri)
    value = [v.text or "" for v in children(holder)] if local(holder) == "Values" else holder.text or ""
    if kind.endswith("Array") != isinstance(value, list):
        raise EwsError("ErrorInvalidExtendedPropertyValue", "The value does not fit the property type.")
    if kind in ("Integer", "Short", "Long"):
        try:
            int(value)
        except ValueError:
            raise EwsError("ErrorInvalidExtendedPropertyValue", "The value is no number.") from None
    return key, kind, value


def extended_change(key, kind, value, changes):
    """What setting (or, with None, deleting) an extended property does to an item."""
    tag = key[1] if key[0] == "tag" else None
    number = int(value) if value is not None and kind in ("Integer", "Short", "Long") else None
    if tag == 0x1090:
        changes["flag"] = number or 0
    elif tag == 0x1080:
        changes["icon"] = number
    elif tag == 0x1081:
        changes["last_verb"] = number
    elif tag == 0x0E07:
        changes["flags"] = number or 0
    elif tag == 0x0E06:
        changes["received"] = from_iso(value)
    elif tag == 0x0039:
        changes["sent"] = from_iso(value)
    elif tag in (0x0E08, 0x0E23, 0x300B, 0x0FFF):
        raise EwsError("ErrorInvalidPropertySet", "The property cannot be set.")
    elif key == ("publicstrings", "Keywords"):
        changes["categories"] = tuple(value or ())
    elif value is None:
        changes.setdefault("del_ext", []).append(key)
    else:
        changes.setdefault("set_ext", {})[key] = (kind, value)


def flag_of(element):
    return FLAG_WORDS.index(element.findtext(f"{{{T}}}FlagStatus"))


SETTERS = {
    "ItemClass": lambda e, c: c.update(item_class=words(e)),
    "IsRead": lambda e, c: c.update(read=truth(e)),
    "Categories": lambda e, c: c.update(categories=tuple(s.text or "" for s in children(e))),
    "Importance": lambda e, c: c.setdefault("override", {}).update(importance=words(e)),
    "Sensitivity": lambda e, c: None,
    "Subject": lambda e, c: c.setdefault("override", {}).update(subject=e.text or ""),
    "Body": lambda e, c: c.setdefault("override", {}).update(body=(e.get("BodyType"), e.text or "")),
    "Flag": lambda e, c: c.update(flag=flag_of(e)),
    "ToRecipients": lambda e, c: c.setdefault("override", {}).update(to=people(e)),
    "CcRecipients": lambda e, c: c.setdefault("override", {}).update(cc=people(e)),
    "BccRecipients": lambda e, c: c.setdefault("override", {}).update(bcc=people(e)),
    "ReplyTo": lambda e, c: c.setdefault("override", {}).update(reply_to=people(e)),
    "From": lambda e, c: c.setdefault("override", {}).update(from_=people(e)),
    "Sender": lambda e, c: c.setdefault("override", {}).update(sender=people(e)),
    "InReplyTo": lambda e, c: c.setdefault("override", {}).update(in_reply_to=e.text or ""),
    "References": lambda e, c: c.setdefault("override", {}).update(references=e.text or ""),
    "InternetMessageId": lambda e, c: c.update(message_id=words(e)),
    "IsReadReceiptRequested": lambda e, c: None,
    "IsDeliveryReceiptRequested": lambda e, c: None,
    "IsResponseRequested": lambda e, c: None,
    "Culture": lambda e, c: None,
    "ReminderIsSet": lambda e, c: None,
    "ReminderMinutesBeforeStart": lambda e, c: None,
    "DateTimeSent": lambda e, c: None,
}


def property_changes(element):
    """(MIME or None, Item changes) of a t:Message as given to CreateItem."""
    mime, changes = None, {}
    for part in children(element):
        name = local(part)
        if name == "MimeContent":
            try:
                mime = base64.b64decode(words(part), validate=True)
            except ValueError:
                raise EwsError("ErrorMimeContentInvalidBase64String", "The MIME content is no base64.") from None
        elif name == "ExtendedProperty":
            extended_change(*extended(part), changes)
        elif name in SETTERS:
            SETTERS[name](part, changes)
        else:
            raise EwsError("ErrorInvalidPropertySet", f"The property {name} cannot be set.")
    return mime, changes


def build_mime(call, changes):
    """The message that Exchange would make of the properties."""
    given = changes.get("override", {})
    made = email.message.EmailMessage()
    sender = (given.get("from_") or [mimeinfo.Address(call.mailbox.display_name, call.mailbox.email)])[0]
    made["From"] = email.utils.formataddr(sender)
    for name, key in (("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"), ("Reply-To", "reply_to")):
        if given.get(key):
            made[name] = ", ".join(email.utils.formataddr(p) for p in given[key])
    made["Subject"] = " ".join(given.get("subject", "").split())
    made["Date"] = email.utils.formatdate(call.app.clock.now())
    made["Message-ID"] = changes.get("message_id") or f"<created.{call.mailbox.next_num}@standin.example.com>"
    kind, text = given.get("body", ("Text", ""))
    made.set_content(text, subtype="html" if kind == "HTML" else "plain")
    return mimeinfo.to_crlf(made.as_bytes())


def recipients(mime, changes):
    """Who gets it: the elements where given, else the MIME's own headers."""
    info, given = mimeinfo.Info(mime), changes.get("override", {})
    found = []
    for key in ("to", "cc", "bcc"):
        found += given[key] if key in given else getattr(info, key)
    return [p.email for p in found]


def check_sender(call, mime, changes):
    given = changes.get("override", {}).get("from_") or mimeinfo.Info(mime).from_
    if given and given[0].email.casefold() != call.mailbox.email.casefold():
        raise EwsError(
            "ErrorSendAsDenied",
            "The user account which was used to submit this request does not have the right "
            "to send mail on behalf of the specified sending account.",
        )
    call.app.rights.check_sender(call)


# What is no message: ews_calendar fills these.
CREATORS = {}  # element name -> (call, element, SavedItemFolderId) -> response message
HANDLERS = {}  # "update": (call, item, day, updates) -> m:Items; "delete": (call, item, day)


@operation("CreateItem")
def create_item(call):
    disposition = call.element.get("MessageDisposition")
    target = call.child("SavedItemFolderId")
    call.detail.update(disposition=disposition, ids=len(call.child("Items")))

    def one(element):
        if local(element) in CREATORS:
            return CREATORS[local(element)](call, element, target)
        if local(element) != "Message":
            raise EwsError(
                "ErrorUnsupportedTypeForConversion" if local(element) == "Item" else "ErrorInvalidOperation",
                f"The stand-in creates no {local(element)}.",
            )
        if disposition is None:
            raise EwsError("ErrorMessageDispositionRequired", "Message disposition is required.")
        mime, changes = property_changes(element)
        mime = mimeinfo.to_crlf(mime) if mime is not None else build_mime(call, changes)
        if disposition == "SaveOnly":
            folder = call.folder(target[0]) if target is not None else call.mailbox.kinds["drafts"]
            item = save(call, folder, mime, changes)
            return success("CreateItem", f"<m:Items><t:Message>{id_element(call.mailbox, item)}</t:Message></m:Items>")
        send(
            call, mime, changes, target if disposition == "SendAndSaveCopy" else None, disposition == "SendAndSaveCopy"
        )
        return success("CreateItem", "<m:Items/>")

    return call.each("CreateItem", children(call.child("Items")), one, "<m:Items/>")


def save(call, folder, mime, changes, draft=True):
    flags = changes.pop("flags", None)
    if flags is not None:
        draft = bool(flags & 8)
        changes.setdefault("read", bool(flags & 1))
    changes.setdefault("read", True)
    changes.pop("del_ext", None)
    fields = {{"set_ext": "ext", "override": "overrides"}.get(k, k): v for k, v in changes.items()}
    return call.mailbox.add_item(folder, mime, draft=draft, traits=frozenset(("no-transport",)), **fields)


def send(call, mime, changes, target, keep):
    rcpts = recipients(mime, changes)
    if not rcpts:
        raise EwsError("ErrorInvalidRecipients", "At least one recipient is needed.")
    check_sender(call, mime, changes)
    if call.options.max_send_kb and len(mime) > call.options.max_send_kb * 1024:
        raise EwsError("ErrorMessageSizeExceeded", "The message exceeds the maximum supported size.")
    if keep:
        folder = call.folder(target[0]) if target is not None else call.mailbox.kinds["sentitems"]
        changes.pop("flags", None)
        call.mailbox.file_copy(call.app.options, lambda: save(call, folder, mime, dict(changes), draft=False))
    call.app.store.submit(call.mailbox.email, rcpts, mime)


@operation("SendItem")
def send_item(call):
    keep = call.element.get("SaveItemToFolder") in ("true", "1")
    target = call.child("SavedItemFolderId")
    if target is not None and not keep:
        raise EwsError("ErrorInvalidSendItemSaveSettings", "SavedItemFolderId needs SaveItemToFolder.")

    def one(ref):
        item = call.item(ref, write=True)
        check_current(call, ref, item)
        mime = item.mime()
        send(call, mime, {}, None, False)
        call.mailbox.delete_item(item)
        if keep:
            folder = call.folder(target[0]) if target is not None else call.mailbox.kinds["sentitems"]
            call.mailbox.file_copy(call.app.options, lambda: call.mailbox.add_item(folder, mime, read=True))
        return success("SendItem")

    return call.each("SendItem", call.child("ItemIds"), one)


def check_current(call, ref, item):
    if ref.get("ChangeKey") and ref.get("ChangeKey") not in id_element(call.mailbox, item):
        raise EwsError("ErrorIrresolvableConflict")


def one_update(update, changes, version):
    """One SetItemField, AppendToItemField or DeleteItemField."""
    parts = children(update)
    path, kind = parts[0], local(update)
    if local(path) == "ExtendedFieldURI":
        key, property_type = extended_key(path)
        if kind == "DeleteItemField":
            return extended_change(key, property_type, None, changes)
        inner = children(parts[1])
        if len(inner) != 1 or local(inner[0]) != "ExtendedProperty":
            raise EwsError("ErrorIncorrectUpdatePropertyCount", "One property per SetItemField.")
        found = extended(inner[0])
        if found[:2] != (key, property_type):
            raise EwsError("ErrorUpdatePropertyMismatch", "The path and the value name different properties.")
        return extended_change(*found, changes)
    uri = path.get("FieldURI")
    name = "MimeContent" if uri == "item:MimeContent" else PATHS.get(uri)
    if uri in READ_ONLY or name is None:
        raise EwsError("ErrorInvalidPropertySet", f"The property {uri} cannot be set.")
    if name == "Flag" and version < 5:
        raise EwsError("ErrorInvalidPropertyRequest", "item:Flag needs Exchange2013.")
    if kind == "DeleteItemField":
        empty = {
            "Categories": {"categories": ()},
            "Flag": {"flag": 0},
            "Subject": {"override": {"subject": ""}},
            "CcRecipients": {"override": {"cc": []}},
            "BccRecipients": {"override": {"bcc": []}},
            "ToRecipients": {"override": {"to": []}},
        }.get(name)
        if empty is None:
            raise EwsError("ErrorInvalidPropertyDelete", f"The property {uri} cannot be deleted.")
        return changes.update(empty)
    inner = children(parts[1])
    if len(inner) != 1:
        raise EwsError("ErrorIncorrectUpdatePropertyCount", "One property per SetItemField.")
    if local(inner[0]) != name:
        raise EwsError("ErrorUpdatePropertyMismatch", "The path and the value name different properties.")
    if name == "Categories" and not children(inner[0]):
        raise EwsError("ErrorInvalidPropertySet", "An empty value is no value: use DeleteItemField.")
    if name == "MimeContent":
        return changes.update(mime=mimeinfo.to_crlf(base64.b64decode(words(inner[0]))))
    return SETTERS[name](inner[0], changes)


@operation("UpdateItem")
def update_item(call):
    conflict = call.element.get("ConflictResolution")
    if call.element.get("SuppressReadReceipts") is not None and call.version < 6:
        raise violation(call.element, "The 'SuppressReadReceipts' attribute is not declared.")
    changes_list = children(call.child("ItemChanges"))
    call.detail["ids"] = len(changes_list)

    def one(change):
        ref, updates = children(change)[:2]
        item, day = call.target(ref)
        if item.cal is None and call.element.get("MessageDisposition") is None:
            raise EwsError("ErrorMessageDispositionRequired", "Message disposition is required.")
        if conflict != "AlwaysOverwrite":
            if not ref.get("ChangeKey"):
                raise EwsError("ErrorChangeKeyRequired", "The change key is required for this operation.")
            check_current(call, ref, item)
        if item.cal is not None:
            shown = HANDLERS["update"](call, item, day, children(updates))
            return success("UpdateItem", shown + NO_CONFLICTS)
        changes = {}
        for update in children(updates):
            one_update(update, changes, call.version)
        flags = changes.pop("flags", None)
        if flags is not None and bool(flags & 1) != item.read:
            changes["read"] = bool(flags & 1)
        call.mailbox.update_item(item, **changes)
        return success(
            "UpdateItem",
            f"<m:Items><t:Message>{id_element(call.mailbox, item)}</t:Message></m:Items>" + NO_CONFLICTS,
        )

    return call.each("UpdateItem", changes_list, one, "<m:Items/>")


def kind_of(item):
    return "Message" if item.cal is None else "Task" if item.item_class.startswith("IPM.Task") else "CalendarItem"


def move_or_copy(call, name, act):
    refs = call.child("ItemIds")
    wish = call.child("ReturnNewItemIds")
    if wish is not None and call.version < 3:
        raise violation(wish, "The element 'ReturnNewItemIds' is not declared.")
    call.detail["ids"] = len(refs)

    def one(ref):
        folder = call.folder(call.child("ToFolderId")[0])
        new = act(call.item(ref), folder)
        if wish is not None and not truth(wish):
            return success(name, "<m:Items/>")
        element = kind_of(new)
        return success(name, f"<m:Items><t:{element}>{id_element(call.mailbox, new)}</t:{element}></m:Items>")

    return call.each(name, refs, one, "<m:Items/>")


@operation("MoveItem")
def move_item(call):
    return move_or_copy(call, "MoveItem", call.mailbox.move_item)


@operation("CopyItem")
def copy_item(call):
    return move_or_copy(call, "CopyItem", call.mailbox.copy_item)


@operation("DeleteItem")
def delete_item(call):
    how = HOW[call.element.get("DeleteType")]
    if call.element.get("SuppressReadReceipts") is not None and call.version < 6:
        raise violation(call.element, "The 'SuppressReadReceipts' attribute is not declared.")
    refs = call.child("ItemIds")
    call.detail["ids"] = len(refs)

    def one(ref):
        item, day = call.target(ref)
        if item.cal is not None:
            HANDLERS["delete"](call, item, day)
        else:
            call.mailbox.delete_item(item, how)
        return success("DeleteItem")

    return call.each("DeleteItem", refs, one)


@operation("MarkAllItemsAsRead")
def mark_all_items_as_read(call):
    if call.version < 5:
        raise EwsError("ErrorInvalidServerVersion", "MarkAllItemsAsRead needs Exchange2013.", fault=True)
    read = truth(call.child("ReadFlag"))

    def one(ref):
        for item in list(call.folder(ref).items.values()):
            call.mailbox.update_item(item, read=read)
        return success("MarkAllItemsAsRead")

    return call.each("MarkAllItemsAsRead", call.child("FolderIds"), one)
