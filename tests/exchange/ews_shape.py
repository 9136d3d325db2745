# SPDX-License-Identifier: Apache-2.0
"""Properties of items and folders as EWS shows them: paths, shapes, values."""
import base64
import struct

import mimeinfo
from clock import iso
from ews_schema import FOLDER_ORDER, ITEM_ORDER, MEETING_ORDER, MESSAGE_ORDER, local
from ews_xml import EwsError, boolean, esc, folder_element, folder_id, id_element, item_id, make_id

V2007, V2010, V2010SP2, V2013, V2013SP1 = 0, 2, 4, 5, 6
ORDERS = {"Item": ITEM_ORDER, "Message": MESSAGE_ORDER, "MeetingRequest": MEETING_ORDER}
FLAG_WORDS = ("NotFlagged", "Complete", "Flagged")


class View:
    """One item being looked at; parses no more than is asked for."""

    def __init__(self, mailbox, item, options, version, body_type="Best"):
        self.mailbox, self.item, self.options, self.version = mailbox, item, options, version
        self.body_type = body_type
        self._structure = None
        self.element = "MeetingRequest" if item.item_class.startswith(mimeinfo.MEETING_REQUEST) else "Message"

    @property
    def info(self):
        return self.mailbox.props(self.item)

    @property
    def structure(self):
        if self._structure is None:
            self._structure = mimeinfo.structure(self.item.mime())
        return self._structure

    def esc(self, text):
        return esc(text, self.options.raw_control_chars)

    def text(self, name, value):
        return f"<t:{name}>{self.esc(value)}</t:{name}>" if value is not None else None

    def subject(self):
        subject = self.info.subject
        if self.item.has("control-chars"):
            subject = "\x1a" + (subject or "") + "\x0b\x00"
        return subject

    def display(self, people):
        return "; ".join(p.name or p.email for p in people)

    def person(self, person):
        return (
            f"<t:Mailbox><t:Name>{self.esc(person.name or person.email)}</t:Name><t:EmailAddress>"
            f"{self.esc(person.email)}</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>"
            f"<t:MailboxType>OneOff</t:MailboxType></t:Mailbox>"
        )

    def people(self, name, people):
        return f"<t:{name}>{''.join(map(self.person, people))}</t:{name}>" if people else None

    def one(self, name, people):
        return f"<t:{name}>{self.person(people[0])}</t:{name}>" if people else None

    def body(self, name="Body", kind=None):
        kind = kind or self.body_type
        text, html, _ = self.structure
        override = (self.item.overrides or {}).get("body")
        if override is not None:
            text, html = (None, override[1]) if override[0] == "HTML" else (override[1], None)
        if kind == "HTML" or (kind == "Best" and html is not None):
            html = html if html is not None else f"<html><body><pre>{esc(text or '')}</pre></body></html>"
            return f'<t:{name} BodyType="HTML">{self.esc(html)}</t:{name}>'
        return f'<t:{name} BodyType="Text">{self.esc(text if text is not None else html or "")}</t:{name}>'

    def attachments(self):
        parts = self.structure[2]
        if not parts:
            return None
        out = []
        for n, part in enumerate(parts):
            kind = "ItemAttachment" if part.is_message else "FileAttachment"
            content_id = f"<t:ContentId>{self.esc(part.content_id)}</t:ContentId>" if part.content_id else ""
            more = ""
            if self.version >= V2010:
                more = (
                    f"<t:Size>{len(part.data) + 300}</t:Size><t:LastModifiedTime>{iso(self.item.created)}"
                    f"</t:LastModifiedTime><t:IsInline>{boolean(part.inline)}</t:IsInline>"
                )
            photo = (
                "<t:IsContactPhoto>false</t:IsContactPhoto>" if not part.is_message and self.version >= V2010SP2 else ""
            )
            out.append(
                f'<t:{kind}><t:AttachmentId Id="{attachment_id(self.mailbox, self.item, n)}"/>'
                f"<t:Name>{self.esc(part.name)}</t:Name><t:ContentType>{esc(part.content_type)}</t:ContentType>"
                f"{content_id}{more}{photo}</t:{kind}>"
            )
        return f"<t:Attachments>{''.join(out)}</t:Attachments>"

    def headers(self):
        shown = [(k, v) for k, v in self.info.headers if k.isascii() and v is not None]
        if not shown:
            return None
        return (
            "<t:InternetMessageHeaders>"
            + "".join(
                f'<t:InternetMessageHeader HeaderName="{esc(k)}">{self.esc(v)}</t:InternetMessageHeader>'
                for k, v in shown
            )
            + "</t:InternetMessageHeaders>"
        )

    def conversation(self):
        topic = self.info.conversation_topic
        return make_id(self.mailbox, 0x0C, sum(ord(c) * (i + 1) for i, c in enumerate(topic)))

    def flags(self):
        item = self.item
        return (
            (item.read and 1)
            | (8 if item.draft else 2 if item.has("modified") else 0)
            | (0x10 if self.info.has_attachments else 0)
        )

    def flag(self):
        word = FLAG_WORDS[self.item.flag]
        done = f"<t:CompleteDate>{iso(self.item.modified)}</t:CompleteDate>" if self.item.flag == 1 else ""
        return f"<t:Flag><t:FlagStatus>{word}</t:FlagStatus>{done}</t:Flag>"


def attachment_id(mailbox, item, index):
    raw = base64.b64decode(item_id(mailbox, item.num)) + b"ATT" + struct.pack(">H", index)
    return base64.b64encode(raw).decode()


RIGHTS = (
    "<t:EffectiveRights><t:CreateAssociated>{0}</t:CreateAssociated><t:CreateContents>{0}</t:CreateContents>"
    "<t:CreateHierarchy>{0}</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify><t:Read>true</t:Read>"
    "</t:EffectiveRights>"
)


def _parent(v):
    return folder_element(v.mailbox, v.mailbox.folders[v.item.folder], "ParentFolderId")


def _strings(v):
    words = "".join(f"<t:String>{v.esc(c)}</t:String>" for c in v.item.categories)
    return f"<t:Categories>{words}</t:Categories>" if words else None


def _bool(name, fn):
    return lambda v: f"<t:{name}>{boolean(fn(v))}</t:{name}>"


def _time(name, fn):
    return lambda v: f"<t:{name}>{iso(fn(v))}</t:{name}>"


def _text(name, fn):
    return lambda v: v.text(name, fn(v))


# element name -> (path, value, from request version)
ITEM_PROPS = {
    "ItemId": ("item:ItemId", lambda v: id_element(v.mailbox, v.item), V2007),
    "ParentFolderId": ("item:ParentFolderId", _parent, V2007),
    "ItemClass": ("item:ItemClass", _text("ItemClass", lambda v: v.item.item_class), V2007),
    "Subject": ("item:Subject", _text("Subject", lambda v: v.subject()), V2007),
    "Sensitivity": ("item:Sensitivity", lambda v: "<t:Sensitivity>Normal</t:Sensitivity>", V2007),
    "Body": ("item:Body", lambda v: v.body(), V2007),
    "Attachments": ("item:Attachments", lambda v: v.attachments(), V2007),
    "DateTimeReceived": ("item:DateTimeReceived", _time("DateTimeReceived", lambda v: v.item.received), V2007),
    "Size": ("item:Size", lambda v: f"<t:Size>{v.item.size}</t:Size>", V2007),
    "Categories": ("item:Categories", _strings, V2007),
    "Importance": ("item:Importance", lambda v: f"<t:Importance>{v.info.importance}</t:Importance>", V2007),
    "InReplyTo": ("item:InReplyTo", _text("InReplyTo", lambda v: v.info.in_reply_to), V2007),
    "IsSubmitted": ("item:IsSubmitted", _bool("IsSubmitted", lambda v: False), V2007),
    "IsDraft": ("item:IsDraft", _bool("IsDraft", lambda v: v.item.draft), V2007),
    "IsFromMe": ("item:IsFromMe", _bool("IsFromMe", lambda v: False), V2007),
    "IsResend": ("item:IsResend", _bool("IsResend", lambda v: False), V2007),
    "IsUnmodified": ("item:IsUnmodified", _bool("IsUnmodified", lambda v: not v.item.draft), V2007),
    "InternetMessageHeaders": ("item:InternetMessageHeaders", lambda v: v.headers(), V2007),
    "DateTimeSent": ("item:DateTimeSent", _time("DateTimeSent", lambda v: v.info.date or v.item.sent), V2007),
    "DateTimeCreated": ("item:DateTimeCreated", _time("DateTimeCreated", lambda v: v.item.created), V2007),
    "ReminderIsSet": ("item:ReminderIsSet", _bool("ReminderIsSet", lambda v: False), V2007),
    "ReminderMinutesBeforeStart": (
        "item:ReminderMinutesBeforeStart",
        lambda v: "<t:ReminderMinutesBeforeStart>0</t:ReminderMinutesBeforeStart>",
        V2007,
    ),
    "DisplayCc": ("item:DisplayCc", _text("DisplayCc", lambda v: v.display(v.info.cc)), V2007),
    "DisplayTo": ("item:DisplayTo", _text("DisplayTo", lambda v: v.display(v.info.to)), V2007),
    "DisplayBcc": ("item:DisplayBcc", _text("DisplayBcc", lambda v: v.display(v.info.bcc)), V2013),
    "HasAttachments": ("item:HasAttachments", _bool("HasAttachments", lambda v: v.info.has_attachments), V2007),
    "Culture": ("item:Culture", lambda v: "<t:Culture>en-US</t:Culture>", V2007),
    "EffectiveRights": ("item:EffectiveRights", lambda v: RIGHTS.format("false"), V2007),
    "LastModifiedName": ("item:LastModifiedName", _text("LastModifiedName", lambda v: v.mailbox.display_name), V2007),
    "LastModifiedTime": ("item:LastModifiedTime", _time("LastModifiedTime", lambda v: v.item.modified), V2007),
    "IsAssociated": ("item:IsAssociated", _bool("IsAssociated", lambda v: False), V2010),
    "ConversationId": ("item:ConversationId", lambda v: f'<t:ConversationId Id="{v.conversation()}"/>', V2010),
    "UniqueBody": ("item:UniqueBody", lambda v: v.body("UniqueBody"), V2010),
    "Flag": ("item:Flag", lambda v: v.flag(), V2013),
    "InstanceKey": (
        "item:InstanceKey",
        lambda v: "<t:InstanceKey>%s</t:InstanceKey>"
        % base64.b64encode(struct.pack(">QQ", v.item.folder, v.item.num)).decode(),
        V2013,
    ),
    "Preview": ("item:Preview", lambda v: v.text("Preview", " ".join((v.structure[0] or "").split())[:255]), V2013),
    "TextBody": ("item:TextBody", lambda v: v.body("TextBody", "Text"), V2013),
    "Sender": ("message:Sender", lambda v: v.one("Sender", v.info.sender or v.info.from_), V2007),
    "ToRecipients": ("message:ToRecipients", lambda v: v.people("ToRecipients", v.info.to), V2007),
    "CcRecipients": ("message:CcRecipients", lambda v: v.people("CcRecipients", v.info.cc), V2007),
    "BccRecipients": ("message:BccRecipients", lambda v: v.people("BccRecipients", v.info.bcc), V2007),
    "IsReadReceiptRequested": (
        "message:IsReadReceiptRequested",
        _bool("IsReadReceiptRequested", lambda v: False),
        V2007,
    ),
    "IsDeliveryReceiptRequested": (
        "message:IsDeliveryReceiptRequested",
        _bool("IsDeliveryReceiptRequested", lambda v: False),
        V2007,
    ),
    "ConversationTopic": (
        "message:ConversationTopic",
        _text("ConversationTopic", lambda v: v.info.conversation_topic),
        V2007,
    ),
    "From": ("message:From", lambda v: v.one("From", v.info.from_), V2007),
    "InternetMessageId": ("message:InternetMessageId", _text("InternetMessageId", lambda v: v.item.message_id), V2007),
    "IsRead": ("message:IsRead", _bool("IsRead", lambda v: v.item.read), V2007),
    "IsResponseRequested": ("message:IsResponseRequested", lambda v: None, V2007),
    "References": ("message:References", _text("References", lambda v: v.info.references), V2007),
    "ReplyTo": ("message:ReplyTo", lambda v: v.people("ReplyTo", v.info.reply_to), V2007),
    "ReceivedBy": ("message:ReceivedBy", lambda v: None, V2007),
}
# paths that exist and never have a value here
EMPTY = set(
    """item:ResponseObjects item:ReminderDueBy item:ReminderNextTime item:StoreEntryId item:NormalizedBody
item:EntityExtractionResult item:PolicyTag item:ArchiveTag item:RetentionDate item:IsClutter item:BlockStatus
item:HasBlockedImages item:IconIndex item:WebClientReadFormQueryString item:WebClientEditFormQueryString
item:RightsManagementLicenseData item:PredictedActionReasons message:ConversationIndex message:ReceivedRepresenting
message:ApprovalRequestData message:VotingInformation message:ReminderMessageData meeting:AssociatedCalendarItemId
meeting:IsDelegated meeting:IsOutOfDate meeting:HasBeenProcessed meeting:ResponseType calendar:UID
meetingRequest:MeetingRequestType meetingRequest:IntendedFreeBusyStatus""".split()
)
PATHS = {path: name for name, (path, _, _) in ITEM_PROPS.items()}
DEFAULT_SHAPE = """ItemId Subject Sensitivity Body Size DateTimeSent DateTimeCreated HasAttachments Attachments
ToRecipients CcRecipients BccRecipients IsReadReceiptRequested IsDeliveryReceiptRequested From IsRead""".split()
NOT_IN_LISTS = {
    "Body",
    "Attachments",
    "ToRecipients",
    "CcRecipients",
    "BccRecipients",
    "ReplyTo",
    "InternetMessageHeaders",
    "UniqueBody",
    "TextBody",
}
REFUSED_IN_LISTS = {"item:MimeContent", "item:Body", "item:Attachments", "item:UniqueBody", "item:TextBody"}


# ---- MAPI properties by tag: (type, value) ----

ITEM_TAGS = {
    0x0E23: ("Integer", lambda v: v.item.article),
    0x0E08: ("Integer", lambda v: v.item.size),
    0x0E07: ("Integer", lambda v: v.flags()),
    0x1090: ("Integer", lambda v: v.item.flag or None),
    0x1080: ("Integer", lambda v: v.item.icon if v.item.icon is not None else _icon(v.item)),
    0x1081: ("Integer", lambda v: v.item.last_verb),
    0x0017: ("Integer", lambda v: 1),
    0x0E06: ("SystemTime", lambda v: iso(v.item.received)),
    0x0039: ("SystemTime", lambda v: iso(v.info.date or v.item.sent)),
    0x3007: ("SystemTime", lambda v: iso(v.item.created)),
    0x3008: ("SystemTime", lambda v: iso(v.item.modified)),
    0x007D: (
        "String",
        lambda v: None if v.item.draft or v.item.has("no-transport") else v.info.raw_header.decode("utf-8", "replace"),
    ),
    0x0037: ("String", lambda v: v.subject()),
    0x0E1D: ("String", lambda v: v.info.conversation_topic),
    0x001A: ("String", lambda v: v.item.item_class),
    0x1035: ("String", lambda v: v.item.message_id),
    0x1039: ("String", lambda v: v.info.references),
    0x1042: ("String", lambda v: v.info.in_reply_to),
    0x0E04: ("String", lambda v: v.display(v.info.to)),
    0x0E03: ("String", lambda v: v.display(v.info.cc)),
    0x0C1A: ("String", lambda v: v.display(v.info.from_[:1]) or None),
    0x0E1B: ("Boolean", lambda v: boolean(v.info.has_attachments)),
    0x1000: ("String", lambda v: v.structure[0]),
    0x300B: (
        "Binary",
        lambda v: base64.b64encode(v.mailbox.guid.bytes + struct.pack(">Q", v.item.search_key)).decode(),
    ),
    0x0FF9: ("Binary", lambda v: item_id(v.mailbox, v.item.num)),
    0x65E0: ("Binary", lambda v: item_id(v.mailbox, v.item.num)),
    0x0FFF: ("Binary", lambda v: item_id(v.mailbox, v.item.num)),
}
FOLDER_TAGS = {
    0x3601: ("Integer", lambda m, f: 1),
    0x3602: ("Integer", lambda m, f: len(f.items)),
    0x3603: ("Integer", lambda m, f: f.unread),
    0x360A: ("Boolean", lambda m, f: boolean(bool(m.children(f.num)))),
    0x3613: ("String", lambda m, f: f.cls or None),
    0x3001: ("String", lambda m, f: f.name),
    0x10F4: ("Boolean", lambda m, f: boolean(f.hidden)),
    0x670A: ("SystemTime", lambda m, f: iso(f.commit_time)),
    0x670B: ("Integer", lambda m, f: f.deleted_total),
    0x6751: ("Integer", lambda m, f: f.next_article),
    0x3008: ("SystemTime", lambda m, f: iso(f.commit_time)),
    0x3007: ("SystemTime", lambda m, f: iso(f.commit_time)),
    0x0FFF: ("Binary", lambda m, f: folder_id(m, f.num)),
    0x65E0: ("Binary", lambda m, f: folder_id(m, f.num)),
    0x0E08: ("Long", lambda m, f: sum(i.size for i in f.items.values())),
}
SEND_QUOTA = 0x666E  # a property of the store that some servers show on its root folder (option send_quota_kb)


def _icon(item):
    return {102: 261, 103: 261, 104: 262}.get(item.last_verb)


def extended_key(element):
    """What an ExtendedFieldURI names: ("tag", n) or (property set, n or name); and its type."""
    get = element.get
    kind = get("PropertyType")
    if get("PropertyTag"):
        if get("PropertySetId") or get("DistinguishedPropertySetId") or get("PropertyName") or get("PropertyId"):
            raise EwsError("ErrorInvalidExtendedProperty", "PropertyTag excludes the other attributes.")
        text = get("PropertyTag")
        return ("tag", int(text, 16 if text.lower().startswith("0x") else 10)), kind
    space = get("DistinguishedPropertySetId") or get("PropertySetId")
    if not space or (get("PropertyName") is None) == (get("PropertyId") is None):
        raise EwsError("ErrorInvalidExtendedProperty", "The extended property attribute combination is invalid.")
    return (space.lower(), get("PropertyName") or int(get("PropertyId"))), kind


def extended_uri(element):
    """The ExtendedFieldURI as the server prints it back: tags in minimal lower-case hex."""
    key, kind = extended_key(element)
    if key[0] == "tag":
        return f'<t:ExtendedFieldURI PropertyTag="0x{key[1]:x}" PropertyType="{kind}"/>'
    attributes = "".join(
        f' {n}="{esc(element.get(n))}"'
        for n in ("DistinguishedPropertySetId", "PropertySetId", "PropertyName", "PropertyId")
        if element.get(n) is not None
    )
    return f'<t:ExtendedFieldURI{attributes} PropertyType="{kind}"/>'


def extended_value(view, key, kind):
    """The value as text or list of texts, or None."""
    stored = (view.item.ext or {}).get(key)
    if stored is not None:
        return stored[1] if stored[0] == kind else None
    if key[0] == "tag":
        wanted, value = ITEM_TAGS.get(key[1], (None, None))
        if wanted != kind:
            return None
        found = value(view)
        return None if found is None else str(found)
    if key == ("publicstrings", "Keywords"):
        return list(view.item.categories) or None
    if key[0] == "internetheaders":
        found = [v for k, v in view.info.headers if k.lower() == str(key[1]).lower()]
        return found[0] if found else None
    return None


def extended_xml(uri, value, escape):
    if isinstance(value, list):
        inner = "<t:Values>" + "".join(f"<t:Value>{escape(v)}</t:Value>" for v in value) + "</t:Values>"
    else:
        inner = f"<t:Value>{escape(value)}</t:Value>"
    return f"<t:ExtendedProperty>{uri}{inner}</t:ExtendedProperty>"


CHECKS = {}  # "path": (element, uri, version) raises for a path that no calendar item or task has: ews_calendar_shape


class ItemShape:
    """A parsed ItemShape: which elements to write, in schema order. FindItem and SyncFolderItems (`listing`) leave out
    what only GetItem can give; FindItem refuses (`refuse`) to be asked for the worst of it."""

    def __init__(self, element, version, listing=False, refuse=False):
        self.base = "IdOnly"
        self.version, self.listing = version, listing
        self.uris = []  # what was asked for by name
        self.mime = False
        self.body_type = "Best"
        self.extended = []
        paths = []
        for child in element:
            name = local(child)
            if name == "BaseShape":
                self.base = child.text.strip()
            elif name == "IncludeMimeContent":
                self.mime = child.text.strip() in ("true", "1")
            elif name == "BodyType":
                self.body_type = child.text.strip()
            elif name == "AdditionalProperties":
                paths = [c for c in child if isinstance(c.tag, str)]
        if refuse and self.mime:
            raise EwsError("ErrorInvalidPropertyRequest", "MimeContent cannot be requested here.")
        names = {"ItemId"}
        if self.base == "Default":
            names.update(DEFAULT_SHAPE)
        elif self.base == "AllProperties":
            names.update(n for n, (_, _, since) in ITEM_PROPS.items() if since <= version)
            names -= {"UniqueBody", "TextBody", "Preview"}
        for path in paths:
            names |= self.additional(path, version, listing, refuse)
        if listing:
            names -= NOT_IN_LISTS
        self.names = [n for n in MEETING_ORDER if n in names or n == "ExtendedProperty"]

    def additional(self, path, version, listing, refuse):
        if local(path) == "ExtendedFieldURI":
            key, kind = extended_key(path)
            self.extended.append((key, kind, extended_uri(path)))
            return set()
        if local(path) == "IndexedFieldURI":
            return set()
        uri = path.get("FieldURI")
        self.uris.append(uri)
        if uri.startswith(("calendar:", "task:", "meeting:", "meetingRequest:")):
            CHECKS["path"](path, uri, version)
        if uri == "item:MimeContent" and not refuse:
            self.mime = not listing
            return set()
        name = PATHS.get(uri)
        if (
            name is None
            and uri not in EMPTY
            and not uri.startswith(
                ("calendar:", "meeting", "task:", "contacts:", "postitem:", "distributionlist:", "conversation:")
            )
        ):
            if uri.startswith(("item:", "message:")) and uri != "item:MimeContent":
                raise EwsError(
                    "ErrorSchemaValidation", f"The 'FieldURI' attribute is invalid - The value '{uri}'.", fault=True
                )
            raise EwsError("ErrorInvalidPropertyRequest", f"The property {uri} is not valid for this object type.")
        if refuse and uri in REFUSED_IN_LISTS:
            raise EwsError("ErrorInvalidPropertyRequest", f"The property {uri} is not valid for this operation.")
        if name and ITEM_PROPS[name][2] > version:
            raise EwsError("ErrorInvalidPropertyRequest", f"The property {uri} needs a newer RequestServerVersion.")
        return {name} if name else set()

    def write(self, view, mime=None):
        if hasattr(view, "written"):
            return view.written(self, mime)
        view.body_type = self.body_type
        known = ORDERS[view.element]
        out = [f"<t:{view.element}>"]
        if mime is not None:
            out.append(f'<t:MimeContent CharacterSet="UTF-8">{base64.b64encode(mime).decode()}</t:MimeContent>')
        for name in self.names:
            if name == "ExtendedProperty":
                for key, kind, uri in self.extended:
                    value = extended_value(view, key, kind)
                    if value is not None:
                        out.append(extended_xml(uri, value, view.esc))
            elif name in known:
                text = ITEM_PROPS[name][1](view)
                if text is not None:
                    out.append(text)
        out.append(f"</t:{view.element}>")
        return "".join(out)


# ---- folders ----

FOLDER_ELEMENTS = {"IPF.Appointment": "CalendarFolder", "IPF.Contact": "ContactsFolder", "IPF.Task": "TasksFolder"}
FOLDER_PROPS = {
    "FolderId": ("folder:FolderId", lambda m, f: folder_element(m, f), V2007),
    "ParentFolderId": (
        "folder:ParentFolderId",
        lambda m, f: folder_element(m, m.folders[f.parent], "ParentFolderId") if f.parent else None,
        V2007,
    ),
    "FolderClass": (
        "folder:FolderClass",
        lambda m, f: f"<t:FolderClass>{esc(f.cls)}</t:FolderClass>" if f.cls else None,
        V2007,
    ),
    "DisplayName": ("folder:DisplayName", lambda m, f: f"<t:DisplayName>{esc(f.name)}</t:DisplayName>", V2007),
    "TotalCount": ("folder:TotalCount", lambda m, f: f"<t:TotalCount>{len(f.items)}</t:TotalCount>", V2007),
    "ChildFolderCount": (
        "folder:ChildFolderCount",
        lambda m, f: f"<t:ChildFolderCount>{len(m.children(f.num))}</t:ChildFolderCount>",
        V2007,
    ),
    "EffectiveRights": ("folder:EffectiveRights", lambda m, f: RIGHTS.format("true"), V2007),
    "DistinguishedFolderId": (
        "folder:DistinguishedFolderId",
        lambda m, f: f"<t:DistinguishedFolderId>{'archive' * m.is_archive}{f.kind}</t:DistinguishedFolderId>" if f.kind else None,
        V2013,
    ),
    "UnreadCount": ("folder:UnreadCount", lambda m, f: f"<t:UnreadCount>{f.unread}</t:UnreadCount>", V2007),
}
FOLDER_PATHS = {path: name for name, (path, _, _) in FOLDER_PROPS.items()}
FOLDER_EMPTY = {
    "folder:SearchParameters",
    "folder:ManagedFolderInformation",
    "folder:PermissionSet",
    "folder:PolicyTag",
    "folder:SharingEffectiveRights",
    "folder:ArchiveTag",
    "folder:ReplicaList",
}


class FolderShape:
    def __init__(self, element, version, options=None):
        self.quota = options.send_quota_kb if options else 0
        base = element[0].text.strip()
        self.extended = []
        names = {"FolderId"}
        if base == "Default":
            names |= {"DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount"}
        elif base == "AllProperties":
            names |= {n for n, (_, _, since) in FOLDER_PROPS.items() if since <= version}
        paths = element[1] if len(element) > 1 else ()
        for path in paths:
            if local(path) == "ExtendedFieldURI":
                key, kind = extended_key(path)
                self.extended.append((key, kind, extended_uri(path)))
                continue
            uri = path.get("FieldURI")
            name = FOLDER_PATHS.get(uri)
            if name is None and uri not in FOLDER_EMPTY:
                raise EwsError("ErrorInvalidPropertyRequest", f"The property {uri} is not valid for this object type.")
            if name and FOLDER_PROPS[name][2] > version:
                raise EwsError("ErrorInvalidPropertyRequest", f"The property {uri} needs a newer RequestServerVersion.")
            names |= {name} if name else set()
        self.names = [n for n in FOLDER_ORDER if n in names or n == "ExtendedProperty"]

    def write(self, mailbox, folder):
        element = FOLDER_ELEMENTS.get(folder.cls, "Folder")
        out = [f"<t:{element}>"]
        for name in self.names:
            if name == "ExtendedProperty":
                for key, kind, uri in self.extended:
                    wanted, value = FOLDER_TAGS.get(key[1], (None, None)) if key[0] == "tag" else (None, None)
                    found = value(mailbox, folder) if wanted == kind else None
                    if key == ("tag", SEND_QUOTA) and kind == "Integer" and folder.kind == "root":
                        found = self.quota or None
                    if found is not None:
                        out.append(extended_xml(uri, str(found), esc))
            elif name == "UnreadCount" and element in ("CalendarFolder", "ContactsFolder"):
                continue
            else:
                text = FOLDER_PROPS[name][1](mailbox, folder)
                if text is not None:
                    out.append(text)
        out.append(f"</t:{element}>")
        return "".join(out)
