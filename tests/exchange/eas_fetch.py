# SPDX-License-Identifier: Apache-2.0
"""ItemOperations (MS-ASCMD 2.2.1.10) and, up to 12.1, GetAttachment."""
import base64
import re

import eas_items
from eas_items import BadOptions, BodyWish
from eas_sync import class_of, find_folder
from httpd import Response
from wbxml import E

FETCH_ECHOES = ("AirSync:CollectionId", "AirSync:ServerId", "Search:LongId", "AirSyncBase:FileReference")
FETCH_ORDER = FETCH_ECHOES[:3] + ("AirSync:Class", "AirSyncBase:FileReference", "ItemOperations:Properties")
DOES_NOT_EXIST, BAD_RANGE, BAD_STORE, CONVERSION, NO_ATTACHMENT = "6", "8", "9", "14", "15"


def item_operations(ctx, tree):
    fetches = tree.all("Fetch")
    if len(tree.elements) > ctx.options.eas_limits["fetch"]:
        return ctx.status("11")
    if not tree.elements:
        return ctx.status("2")
    multipart = ctx.request.headers.get("MS-ASAcceptMultiPart", "").strip().upper() == "T"
    answers = []
    for index, operation in enumerate(tree.elements):
        # Executed in this order; told as Move, EmptyFolderContents, Fetch.
        if operation.tag == "Fetch":
            code = ctx.scripted("item") if ctx.forced and ctx.forced.get("index", index) == index else None
            answers.append(Fetch(ctx, operation, multipart).run(code))
        elif operation.tag == "EmptyFolderContents":
            answers.append(empty_folder(ctx, operation))
        else:
            answers.append(E("ItemOperations:Move", E("Status", 3), operation.get("ConversationId")))
    ctx.detail(fetches=len(fetches), multipart=multipart)
    if ctx.options.eas_fetch_echo == "reversed":
        answers.reverse()
    answer = E("ItemOperations:ItemOperations", E("Status", 1), E("Response", *sorted(answers, key=answer_place)))
    ctx.multipart = multipart
    return answer


def answer_place(answer):
    return ("Move", "EmptyFolderContents", "Fetch").index(answer.tag)


class Fetch:
    def __init__(self, ctx, request, multipart):
        self.ctx, self.request = ctx, request
        self.part = self.take if multipart else None

    def take(self, data):
        """Part 0 is the document itself."""
        self.ctx.parts.append(data)
        return len(self.ctx.parts)

    def run(self, forced):
        code, fields = (forced, []) if forced else self.fetch()
        found = {e.name: e for e in fields}
        for name in FETCH_ECHOES:
            if self.request.has(name) and self.ctx.options.eas_fetch_echo != "none":
                found[name] = self.request.get(name)
        return E("ItemOperations:Fetch", E("Status", code), *[found[name] for name in FETCH_ORDER if name in found])

    def fetch(self):
        """(Status, [Class, Properties])"""
        if self.request.value("Store") != "Mailbox":
            return BAD_STORE, []
        reference = self.request.value("AirSyncBase:FileReference")
        if reference is not None:
            return self.attachment(reference)
        try:
            wish = BodyWish(self.request.get("Options"))
        except BadOptions as e:
            self.ctx.violation(f"Options: {e}")
            return "2", []
        with self.ctx.mailbox.lock:
            folder, item = self.find()
            if item is None or item.has("dead"):
                return DOES_NOT_EXIST, []
            if item.has("mime-error") and eas_items.chosen(wish, item)[0] == eas_items.MIME:
                return CONVERSION, []
            fields = eas_items.item_data(self.ctx, item, wish, self.part)
        return "1", [E("AirSync:Class", class_of(folder)), E("ItemOperations:Properties", *fields)]

    def find(self):
        long_id = self.request.value("Search:LongId")
        if long_id is not None:
            item = self.ctx.mailbox.items.get(int(long_id[1:])) if re.fullmatch(r"L\d+", long_id) else None
            return (self.ctx.mailbox.folders[item.folder], item) if item else (None, None)
        folder = find_folder(self.ctx, self.request.value("AirSync:CollectionId"))
        number = self.request.value("AirSync:ServerId")
        if folder in (None, "RI") or not number:
            return None, None
        state = self.ctx.device.collection(folder)
        return folder, folder.items.get(state.ids.num_of(number, state.mode))

    def attachment(self, reference):
        part = eas_items.attachment(self.ctx, reference)
        if part is None:
            return NO_ATTACHMENT, []
        data, wanted = part.data, self.request.value("Options/Range")
        fields = []
        if wanted is not None:
            found = re.fullmatch(r"(\d+)-(\d+)", wanted)
            first, last = (int(n) for n in found.groups()) if found else (1, 0)
            if first > last or first >= len(data):
                return BAD_RANGE, []
            data = data[first : last + 1]
            fields += [E("ItemOperations:Range", f"{first}-{first + len(data) - 1}")]
            fields += [E("ItemOperations:Total", len(part.data))]
        content = (
            E("ItemOperations:Part", self.part(data))
            if self.part
            else E("ItemOperations:Data", base64.b64encode(data).decode())
        )
        kind = E("AirSyncBase:ContentType", part.content_type)
        return "1", [E("ItemOperations:Properties", *fields, kind, content)]


def empty_folder(ctx, operation):
    folder = find_folder(ctx, operation.value("AirSync:CollectionId"))
    number = operation.get("AirSync:CollectionId")
    if folder in (None, "RI"):
        return E("ItemOperations:EmptyFolderContents", E("Status", DOES_NOT_EXIST), number)
    with ctx.mailbox.lock:
        for item in list(folder.items.values()):
            ctx.mailbox.delete_item(item, "hard")
        if operation.has("Options/DeleteSubFolders"):
            for child in ctx.mailbox.children(folder.num):
                ctx.mailbox.delete_folder(child, "hard")
    return E("ItemOperations:EmptyFolderContents", E("Status", 1), number)


def get_attachment(ctx, tree):
    if ctx.at_least("14.0"):
        return Response(501, b"", content_type="text/html")
    part = eas_items.attachment(ctx, ctx.request.query.get("AttachmentName", ""))
    if part is None:
        return Response(500, b"", content_type="text/html")
    return Response(200, part.data, content_type=part.content_type)


COMMANDS = {"ItemOperations": item_operations, "GetAttachment": get_attachment}
