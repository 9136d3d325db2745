# SPDX-License-Identifier: Apache-2.0
"""Drafts that a client stores, 16.0 and later: by their properties (MS-ASEMAIL 2.2.2, MS-ASAIRS 2.2.2.2), or on 16.1 as MIME."""
from email.message import EmailMessage
from email.policy import SMTP

from wbxml import E

FIELDS = {
    *("Email:" + name for name in ("To", "Cc", "Subject", "ReplyTo", "Importance", "Read", "Flag", "Categories")),
    "Email2:Bcc",
    "AirSyncBase:Body",
    "AirSyncBase:Attachments",
}
HEADERS = {"To": "Email:To", "Cc": "Email:Cc", "Bcc": "Email2:Bcc", "Reply-To": "Email:ReplyTo", "Subject": "Email:Subject"}
IMPORTANCE = {"0": "low", "1": "normal", "2": "high"}
REQUIRED = {"AirSyncBase:" + name for name in ("ClientId", "Content", "DisplayName", "Method")}
OPTIONAL = {"AirSyncBase:" + name for name in ("ContentId", "ContentLocation", "ContentType", "IsInline")}


def mime(version, data):
    """The message of a draft, or None when what is said of it is invalid."""
    if any(e.name in FIELDS and e.name.split(":")[1] not in ("Flag", "Categories") and not e.children for e in data.elements):
        return None  # an empty element
    body = data.get("AirSyncBase:Body")
    if body is not None and body.value("Type") == "4":
        return body.get("Data").bytes if version == "16.1" and body.has("Data") else None
    if body is not None and body.value("Type") not in ("1", "2"):
        return None
    if data.value("Email:Importance", "1") not in IMPORTANCE or not all(is_attachment(e) for e in added(data, all_of_it=True)):
        return None
    return made(data, body)


def added(data, all_of_it=False):
    """The attachments, those that belong to the text first, as mime() orders them."""
    block = data.get("AirSyncBase:Attachments")
    found = [] if block is None else list(block.elements)
    return found if all_of_it else sorted(found, key=lambda e: not is_inline(e))


def is_attachment(e):
    names = [child.name for child in e.elements]
    right = e.name == "AirSyncBase:Add" and len(names) == len(set(names)) and REQUIRED <= set(names) <= REQUIRED | OPTIONAL
    return right and e.value("Method") == "1" and all(child.children for child in e.elements if child.tag != "Content")


def is_inline(e):
    return e.value("IsInline") == "1" and bool(e.value("ContentId"))


def made(data, body):
    message = EmailMessage(policy=SMTP.clone(max_line_length=998))
    for header, name in HEADERS.items():
        if data.value(name):
            message[header] = data.value(name)
    if data.value("Email:Importance", "1") != "1":
        message["Importance"] = IMPORTANCE[data.value("Email:Importance")]
    kind = "html" if body is not None and body.value("Type") == "2" else "plain"
    message.set_content(body.value("Data", "") if body is not None else "", subtype=kind, cte="quoted-printable")
    for e in added(data):
        main, _, sub = e.value("ContentType", "application/octet-stream").partition("/")
        more = {"filename": e.value("DisplayName"), "cid": f"<{e.value('ContentId')}>" if e.has("ContentId") else None}
        if is_inline(e):
            message.add_related(content_of(e), main, sub, disposition="inline", **more)
        else:
            message.add_attachment(content_of(e), main, sub, **more)
    return message.as_bytes()


def content_of(e):
    content = e.get("Content")
    return content.bytes if content.children else b""


def answer(data, item, reference):
    """What the response to the Add says of its attachments: which ClientId has become which FileReference."""
    found = [
        E("Attachment", E("ClientId", e.value("ClientId")), E("FileReference", reference(item, index)))
        for index, e in enumerate(added(data))
    ]
    return [E("AirSync:ApplicationData", E("AirSyncBase:Attachments", *found))] if found else []
