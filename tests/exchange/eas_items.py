# SPDX-License-Identifier: Apache-2.0
"""Mail as EAS shows it: the properties of MS-ASEMAIL and the bodies of MS-ASAIRS."""
import email.utils
import hashlib
import html
import re

import mimeinfo
from clock import iso
from wbxml import E

# MIMETruncation (MS-ASCMD 2.2.3.110.1): how many bytes of the MIME are sent
MIME_LEVELS = {"0": 0, "1": 4096, "2": 5120, "3": 7168, "4": 10240, "5": 20480, "6": 51200, "7": 102400, "8": None}
LISTED_ITEMS = 20000
ADDRESSES_MAX = 32768  # characters of To and From (MS-ASEMAIL)
VERBS = {102: "1", 103: "2", 104: "3"}
IMPORTANCE = {"Low": "0", "Normal": "1", "High": "2"}
TEXT, HTML, RTF, MIME = "1", "2", "3", "4"


class BadOptions(Exception):
    """An Options block with a value outside its range."""


class BodyWish:
    """What the client asks for: body types with their limits, and whether MIME may be sent at all."""

    def __init__(self, options=None):
        """`options`: an AirSync:Options or ItemOperations:Options element, or None."""
        self.preferences = []
        self.mime_support, self.mime_level = "0", None
        if options is None:
            return
        self.mime_support = number(options, "AirSync:MIMESupport", "0", 2)
        self.mime_level = options.value("AirSync:MIMETruncation")
        if self.mime_level is not None and self.mime_level not in MIME_LEVELS:
            raise BadOptions("MIMETruncation")
        for preference in options.all("AirSyncBase:BodyPreference"):
            kind = preference.value("Type")
            if kind not in (TEXT, HTML, RTF, MIME) or kind in [p[0] for p in self.preferences]:
                raise BadOptions("BodyPreference/Type")
            size = number(preference, "TruncationSize", None, 0xFFFFFFFF)
            number(preference, "Preview", "0", 255)
            whole = number(preference, "AllOrNone", "0", 1) == "1"
            self.preferences.append((kind, None if size is None else int(size), whole))

    def mime_limit(self, size, honours):
        """The limit for MIME in bytes or None.  `honours` (option eas_truncate): both, size, level, never."""
        limits = []
        if honours in ("both", "size") and size is not None:
            limits.append(size)
        if honours in ("both", "level") and MIME_LEVELS.get(self.mime_level) is not None:
            limits.append(MIME_LEVELS[self.mime_level])
        return min(limits) if limits else None


def number(element, name, default, most):
    text = element.value(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) > most:
        raise BadOptions(name)
    return text


def stamp(epoch):
    return iso(epoch).replace("Z", ".000Z")


def clean(text):
    """No NUL can be in a string, and Exchange takes it out of text."""
    return text.replace("\0", "")


def shown(addresses):
    """Names are always quoted."""
    return ", ".join(f'"{email.utils.quote(a.name)}" <{a.email}>' if a.name else a.email for a in addresses)


def mail_data(ctx, item, wish, part=None):
    """All properties of a message with the body asked for: the children of ApplicationData; `part` as in body()."""
    info = ctx.mailbox.props(item)
    at14 = ctx.at_least("14.0")
    fields = []

    def put(name, value):
        if value not in (None, ""):
            fields.append(E(name, clean(str(value))))

    put("Email:To", shown(info.to)[:ADDRESSES_MAX])
    put("Email:Cc", shown(info.cc))
    put("Email:From", shown(info.from_[:1])[:ADDRESSES_MAX])
    put("Email:ReplyTo", "; ".join(shown([a]) for a in info.reply_to))
    put("Email:Subject", subject(item, info))
    put("Email:DateReceived", stamp(item.received))
    put("Email:DisplayTo", "; ".join(a.name or a.email for a in info.to))
    put("Email:ThreadTopic", info.conversation_topic)
    put("Email:Importance", IMPORTANCE.get(info.importance, "1"))
    put("Email:Read", int(item.read))
    attachments = attachment_list(ctx, item, info)
    if attachments:
        fields.append(E("AirSyncBase:Attachments", *attachments))
    fields.append(body(ctx, item, wish, part))
    put("Email:MessageClass", item.item_class)
    if item.meeting is not None and item.meeting.method in ("REQUEST", "CANCEL"):
        fields.append(DATA["meeting"](ctx, item))
    put("Email:InternetCPID", 65001)
    fields.append(flag(item))
    put("Email:ContentClass", f"urn:content-classes:{'calendarmessage' if item.meeting is not None else 'message'}")
    put("AirSyncBase:NativeBodyType", native_type(item, info))
    if at14:
        conversation = hashlib.md5((info.conversation_topic or str(item.num)).encode()).digest()
        fields.append(E("Email2:ConversationId", conversation))
        fields.append(E("Email2:ConversationIndex", conversation_index(item)))
        if info.sender and info.from_[:1] != info.sender:
            put("Email2:Sender", shown(info.sender))
        fields.append(categories(item))
        if item.last_verb:
            put("Email2:LastVerbExecuted", VERBS.get(item.last_verb, "0"))
            put("Email2:LastVerbExecutionTime", stamp(item.modified))
    if ctx.at_least("16.0"):
        put("Email2:IsDraft", int(item.draft))
        if item.draft:
            put("Email2:Bcc", shown(info.bcc))
    return fields


DATA = {}  # type of Item.cal -> as mail_data, "meeting" -> (ctx, item): eas_pim and eas_meeting fill it


def item_data(ctx, item, wish, part=None):
    """All properties of an item of whatever class."""
    return DATA.get(type(item.cal), mail_data)(ctx, item, wish, part)


def subject(item, info):
    text = info.subject or ""
    return text + "\x1a\x0b" if item.has("control-chars") else text


def conversation_index(item):
    """Header of a conversation index: 5 bytes of FILETIME (MS-ASEMAIL 2.2.2.22)."""
    ticks = (item.received + 11644473600) * 10_000_000
    return (ticks >> 24).to_bytes(5, "big")


def flag(item):
    if not item.flag:
        return E("Email:Flag")
    return E("Email:Flag", E("Status", item.flag), E("FlagType", "Flag for follow up" if item.flag == 2 else None))


def categories(item):
    return E("Email:Categories", *[E("Category", clean(c)) for c in item.categories])


def native_type(item, info):
    return HTML if info.content_type in ("text/html", "multipart/alternative", "multipart/related") else TEXT


def changed_data(ctx, item, seen, wish):
    """What a Change carries: only the read flag, the flag and the categories where nothing else is different."""
    same = (seen.source, seen.overrides, seen.received, seen.draft) == (
        item.source,
        item.overrides,
        item.received,
        item.draft,
    )
    if not same or ctx.options.eas_full_changes:
        return mail_data(ctx, item, wish)
    fields = []
    if seen.read != item.read:
        fields.append(E("Email:Read", int(item.read)))
    if seen.flag != item.flag:
        fields.append(flag(item))
    if seen.categories != tuple(item.categories) and ctx.at_least("14.0"):
        fields.append(categories(item))
    if seen.verb != item.last_verb and ctx.at_least("14.0"):
        fields.append(E("Email2:LastVerbExecuted", VERBS.get(item.last_verb, "0")))
        fields.append(E("Email2:LastVerbExecutionTime", stamp(item.modified)))
    return fields


# Bodies


def served(ctx, item):
    return ctx.app.store.served_mime(ctx.options, item)


def chosen(wish, item):
    """(type, size limit, all or none) by what is asked for first and can be had."""
    for kind, size, whole in wish.preferences:
        if kind == MIME and (wish.mime_support != "2" or item.has("no-mime")):
            continue
        if kind != RTF:
            return kind, size, whole
    return TEXT, None, False


def body(ctx, item, wish, part=None):
    """The AirSyncBase:Body.  `part(bytes)` takes the data into a part of a multipart answer and returns its number."""
    kind, size, whole = chosen(wish, item)
    if kind == MIME:
        raw = served(ctx, item)
        limit = wish.mime_limit(size, ctx.options.eas_truncate)
    else:
        raw = text_body(item, kind).encode()
        limit = size
    cut = limit is not None and len(raw) > limit
    data = (b"" if whole else text_cut(raw, limit, kind)) if cut else raw
    fields = [E("Type", kind), E("EstimatedDataSize", estimate(ctx, len(raw)))]
    fields += [E("Truncated", 1)] if cut else []
    if part is not None:
        fields.append(E("ItemOperations:Part", part(data)))
    elif data and ctx.options.eas_data_opaque:
        fields.append(E("Data", data))
    elif data:
        fields.append(E("Data", data.replace(b"\0", b"").decode("utf-8", "surrogateescape")))
    return E("AirSyncBase:Body", *fields)


def estimate(ctx, size):
    """An estimate it is (MS-ASAIRS 2.2.2.23)."""
    return size + (size // 7 if ctx.options.eas_rough_sizes else 0)


def text_cut(raw, limit, kind):
    if kind == MIME:
        return raw[:limit]
    return raw[:limit].decode("utf-8", "ignore").encode()


def text_body(item, kind):
    text, marked, _ = mimeinfo.structure(item.mime())
    if kind == HTML:
        return marked if marked is not None else f"<html><body><pre>{html.escape(text or '')}</pre></body></html>"
    if text is not None:
        return text
    return html.unescape(re.sub(r"<[^>]*>", "", marked or ""))


# Attachments


def attachment_list(ctx, item, info):
    if info.content_type not in ("multipart/mixed", "multipart/related") or not ctx.options.eas_attachments:
        return []
    found = []
    for index, part in enumerate(listed_parts(ctx, item)):
        fields = [
            E("DisplayName", clean(part.name or "attachment")),
            E("FileReference", file_reference(item, index)),
            E("Method", 5 if part.is_message else 1),
            E("EstimatedDataSize", part.data),
        ]
        fields += [E("ContentId", clean(part.content_id))] if part.content_id else []
        fields += [E("IsInline", 1)] if part.inline else []
        found.append(E("AirSyncBase:Attachment", *fields))
    return found


def listed_parts(ctx, item):
    """The parts with their size in place of the data; remembered, for taking a large message apart is slow."""
    known = ctx.half.attachments
    key = ctx.mailbox.guid, item.num
    source, parts = known.get(key, (None, None))
    if parts is None or source is not item.source:
        parts = [part._replace(data=len(part.data)) for part in mimeinfo.structure(item.mime())[2]]
        known[key] = item.source, parts
        while len(known) > LISTED_ITEMS:
            known.popitem(last=False)
    return parts


def file_reference(item, index):
    return f"{item.folder}:{item.num}:{index}"


def attachment(ctx, reference):
    """mimeinfo.Part, or None."""
    if reference.startswith("C"):
        return DATA["attachment"](ctx, reference)
    found = re.fullmatch(r"(\d+):(\d+):(\d+)", reference)
    item = ctx.mailbox.items.get(int(found.group(2))) if found else None
    if item is None or item.folder != int(found.group(1)):
        return None
    parts = mimeinfo.structure(item.mime())[2]
    index = int(found.group(3))
    return parts[index] if index < len(parts) else None
