# SPDX-License-Identifier: Apache-2.0
"""SendMail, SmartReply, SmartForward (MS-ASCMD 2.2.1.17, .19, .20)."""
import re

import mimeinfo
from eas_sync import find_folder

REMEMBERED = 100
NO_RECIPIENT, INVALID_MIME, DUPLICATE, TOO_LARGE, NOT_FOUND = "119", "107", "118", "122", "150"


def send(ctx, tree):
    if isinstance(tree, bytes):
        saves = ctx.request.query.get("SaveInSent", "F").upper() == "T"
        source = (ctx.request.query.get("CollectionId"), ctx.request.query.get("ItemId"), None)
        return deliver(ctx, tree, saves, source, False)
    client_id, mime = tree.value("ClientId"), tree.get("Mime")
    if not client_id or len(client_id) > 40:
        return ctx.common("103")
    if not mime.opaque:
        ctx.violation("Mime is not opaque")
        return ctx.common("103")
    with ctx.device.lock:
        if client_id in ctx.device.sent_ids and ctx.options.eas_remembers_sends:
            return ctx.common(DUPLICATE)
        source = (tree.value("Source/FolderId"), tree.value("Source/ItemId"), tree.value("Source/LongId"))
        answer = deliver(ctx, mime.bytes, tree.has("SaveInSentItems"), source, tree.has("ReplaceMime"))
        if answer is None:
            ctx.device.sent_ids[client_id] = True
            while len(ctx.device.sent_ids) > REMEMBERED:
                ctx.device.sent_ids.popitem(last=False)
        return answer


def deliver(ctx, raw, saves, source, replaces):
    """None when it was sent, else the answer with the status."""
    if len(raw) > ctx.options.eas_max_send_bytes:
        return ctx.common(TOO_LARGE)
    if not re.match(rb"[!-9;-~]+[ \t]*:", raw):
        return ctx.common(INVALID_MIME)
    info = mimeinfo.Info(raw)
    recipients = list(dict.fromkeys(a.email for a in info.to + info.cc + info.bcc))
    if not recipients or not all("@" in r for r in recipients):
        return ctx.common(NO_RECIPIENT)
    with ctx.mailbox.lock:
        original = None
        if ctx.cmd != "SendMail":
            original = find_source(ctx, *source)
            if original is None:
                return ctx.common(NOT_FOUND)
            if not replaces:
                raw = with_original(raw, original)
        raw = own_sender(ctx, raw)
        ctx.app.store.submit(ctx.mailbox.email, recipients, raw)
        if saves:
            folder = ctx.mailbox.kinds["sentitems"]
            ctx.mailbox.file_copy(ctx.app.options, lambda: ctx.mailbox.add_item(folder, raw, read=True))
        if original is not None:
            ctx.mailbox.update_item(original, last_verb=104 if ctx.cmd == "SmartForward" else 102)
    return None


def find_source(ctx, folder_id, item_id, long_id):
    if long_id is not None:
        return ctx.mailbox.items.get(int(long_id[1:])) if re.fullmatch(r"L\d+", long_id) else None
    folder = find_folder(ctx, folder_id)
    if folder in (None, "RI") or not item_id:
        return None
    state = ctx.device.collection(folder)
    return folder.items.get(state.ids.num_of(item_id, state.mode))


def own_sender(ctx, raw):
    """From is the primary address of the mailbox, whatever was sent (MS-ASCMD 2.2.1.17)."""
    header, body = mimeinfo.split_header(mimeinfo.to_crlf(raw))
    if ctx.mailbox.email.lower().encode() in (re.search(rb"(?im)^from:.*(?:\r\n[ \t].*)*", header) or [b""])[0].lower():
        return raw
    header = re.sub(rb"(?im)^from:.*\r\n(?:[ \t].*\r\n)*", b"", header)
    return f"From: {ctx.mailbox.display_name} <{ctx.mailbox.email}>\r\n".encode() + header + b"\r\n" + body


def with_original(raw, original):
    """Without ReplaceMime the server adds the original message; here always as an attachment."""
    header, body = mimeinfo.split_header(mimeinfo.to_crlf(raw))
    inner = re.findall(rb"(?im)^(content-[a-z-]+:.*\r\n(?:[ \t].*\r\n)*)", header)
    outer = re.sub(rb"(?im)^(content-[a-z-]+|mime-version):.*\r\n(?:[ \t].*\r\n)*", b"", header)
    mark = b"_000_standin_original_"
    return (
        outer
        + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="'
        + mark
        + b'"\r\n\r\n--'
        + mark
        + b"\r\n"
        + b"".join(inner)
        + b"\r\n"
        + body
        + b"\r\n--"
        + mark
        + b"\r\nContent-Type: message/rfc822\r\n\r\n"
        + original.mime()
        + b"\r\n--"
        + mark
        + b"--\r\n"
    )


COMMANDS = {"SendMail": send, "SmartReply": send, "SmartForward": send}
