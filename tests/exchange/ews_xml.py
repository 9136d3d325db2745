# SPDX-License-Identifier: Apache-2.0
"""Names, escaping and ids of the EWS half."""
import base64
import datetime
import re
import struct
import zlib

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
M = "http://schemas.microsoft.com/exchange/services/2006/messages"
T = "http://schemas.microsoft.com/exchange/services/2006/types"
E = "http://schemas.microsoft.com/exchange/services/2006/errors"
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
SPECIAL = re.compile("[&<>\r]")
NAMES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;", '"': "&quot;"}


class EwsError(Exception):
    """An error of one response message; `fault` makes it a SOAP fault (HTTP 500) for the whole request."""

    def __init__(self, code, text="", fault=False, values=None):
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.fault = code, text or TEXTS.get(code, code), fault
        self.values = values or {}


TEXTS = {
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorFolderNotFound": "The specified folder could not be found in the store.",
    "ErrorInvalidIdMalformed": "Id is malformed.",
    "ErrorInvalidIdEmpty": "Id must be non-empty.",
    "ErrorInvalidSyncStateData": "Synchronization state data is corrupt or otherwise invalid.",
    "ErrorInvalidChangeKey": "The change key is invalid.",
    "ErrorInvalidPropertyRequest": "Property is not valid for this object type.",
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorSubscriptionNotFound": "The subscription could not be found.",
    "ErrorServerBusy": "The server cannot service this request right now. Try again later.",
    "ErrorInvalidServerVersion": "The specified server version is invalid.",
    "ErrorInvalidRequest": "The request is invalid.",
    "ErrorMimeContentConversionFailed": "Conversion of the message to MIME failed.",
    "ErrorChangeKeyRequiredForWriteOperations": "An ID passed in the request must contain a change key.",
    "ErrorIrresolvableConflict": "The send or update operation could not be performed because the change key "
    "passed in the "
    "request does not match the current change key for the item.",
}


def esc(text, raw_controls=True):
    """Text content. What XML 1.0 cannot hold leaves as a character reference all the same, as it does on Exchange."""
    if SPECIAL.search(text):
        text = SPECIAL.sub(lambda m: NAMES[m.group()], text)
    if ILLEGAL.search(text):
        text = ILLEGAL.sub(lambda m: f"&#x{ord(m.group()):X};" if raw_controls and m.group() < " " else "", text)
    return text


def attr(text):
    return esc(text, False).replace('"', "&quot;")


def boolean(value):
    return "true" if value else "false"


# ---- ids ----

ITEM, FOLDER, OCCURRENCE = 0x07, 0x01, 0x0D
_PREFIX = {}
PREFIX_SIZE = 86


def _prefix(mailbox):
    """Store guid as text and a replica guid, as in real ids: 152 characters of base64 in all."""
    found = _PREFIX.get(mailbox.guid)
    if found is None:
        found = (
            b"\x00\x03\x24\x00"
            + str(mailbox.guid).encode()
            + b"\x00\x46\x00\x00\x00\x00\x00"
            + mailbox.guid.bytes
            + b"\x07\x00"
            + mailbox.guid.bytes[::-1]
            + b"\x00\x00\x00\x00\x01"
        )
        _PREFIX[mailbox.guid] = found
    return found


def make_id(mailbox, kind, num):
    body = _prefix(mailbox) + struct.pack(">BQ", kind, num)
    body += b"\x00" * (108 - len(body))
    return base64.b64encode(body + struct.pack(">I", zlib.crc32(body))).decode()


def occurrence_id(mailbox, num, day, edited):
    """The id of one occurrence of a series: an edited one has another than the one it had before."""
    body = _prefix(mailbox) + struct.pack(">BQIB", OCCURRENCE, num, day.toordinal(), edited)
    body += b"\x00" * (108 - len(body))
    return base64.b64encode(body + struct.pack(">I", zlib.crc32(body))).decode()


def read_occurrence(text):
    """(date, whether it was edited) of an id that read_id() called an OCCURRENCE."""
    ordinal, edited = struct.unpack_from(">IB", base64.b64decode(text), PREFIX_SIZE + 9)
    return datetime.date.fromordinal(ordinal), bool(edited)


def item_id(mailbox, num):
    return make_id(mailbox, ITEM, num)


def folder_id(mailbox, num):
    return make_id(mailbox, FOLDER, num)


def read_id(mailbox, text, kind=None):
    """(kind, num); EwsError for what is none. Ids are case-sensitive: any changed letter makes them malformed."""
    if not text:
        raise EwsError("ErrorInvalidIdEmpty")
    try:
        body = base64.b64decode(text, validate=True)
    except ValueError:
        raise EwsError("ErrorInvalidIdMalformed") from None
    prefix = _prefix(mailbox)
    if len(body) != 112 or struct.unpack(">I", body[108:])[0] != zlib.crc32(body[:108]):
        raise EwsError("ErrorInvalidIdMalformed")
    found, num = struct.unpack_from(">BQ", body, len(prefix))
    if not body.startswith(prefix):
        raise EwsError("ErrorFolderNotFound" if found == FOLDER else "ErrorItemNotFound")
    if kind is not None and found != kind:
        raise EwsError("ErrorCannotUseFolderIdForItemId" if found == FOLDER else "ErrorCannotUseItemIdForFolderId")
    return found, num


def change_key(mailbox, seq):
    return base64.b64encode(b"\x09\x00\x00\x00\x16\x00\x00\x00" + mailbox.guid.bytes + struct.pack(">Q", seq)).decode()


def item_key(mailbox, item):
    return change_key(mailbox, item.seq)


def check_change_key(mailbox, text):
    """Raises for a change key that this server cannot have made."""
    try:
        body = base64.b64decode(text, validate=True)
    except ValueError:
        body = b""
    if len(body) != 32 or body[8:24] != mailbox.guid.bytes:
        raise EwsError("ErrorInvalidChangeKey")


def id_element(mailbox, item, name="ItemId"):
    return f'<t:{name} Id="{item_id(mailbox, item.num)}" ChangeKey="{item_key(mailbox, item)}"/>'


def folder_element(mailbox, folder, name="FolderId"):
    return f'<t:{name} Id="{folder_id(mailbox, folder.num)}" ChangeKey="{change_key(mailbox, folder.changed)}"/>'


# ---- sync states ----

STATE = struct.Struct(">4sIQQQqQB")  # magic, generation, folder, window, position, cursor received, cursor num, phase


def make_state(mailbox, magic, folder, window, position, cursor=(0, 0), phase=1, pad=64):
    body = mailbox.guid.bytes + STATE.pack(
        magic, mailbox.generation, folder, window, position, cursor[0], cursor[1], phase
    )
    body += bytes((i * 37 + position) & 255 for i in range(pad))
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big") + body).decode()


def read_state(mailbox, text, magic, folder):
    """(window, position, cursor, phase) of a state made by make_state for this folder."""
    bad = EwsError("ErrorInvalidSyncStateData")
    try:
        body = base64.b64decode(text, validate=True)
    except ValueError:
        raise bad from None
    if len(body) < 20 + STATE.size or int.from_bytes(body[:4], "big") != zlib.crc32(body[4:]):
        raise bad
    found, generation, num, window, position, received, cursor, phase = STATE.unpack_from(body, 20)
    if (
        body[4:20] != mailbox.guid.bytes
        or found != magic
        or generation != mailbox.generation
        or num != folder
        or position > mailbox.seq
    ):
        raise bad
    return window, position, (received, cursor), phase


# ---- frames ----


def envelope(version, body):
    """A whole answer the way Exchange writes it."""
    major, minor, build, revision, name = version
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Header>'
        f'<h:ServerVersionInfo MajorVersion="{major}" MinorVersion="{minor}" MajorBuildNumber="{build}" '
        f'MinorBuildNumber="{revision}" Version="{name}" xmlns:h="{T}" xmlns="{T}" '
        f'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>'
        f'</s:Header><s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xmlns:xsd="http://www.w3.org/2001/XMLSchema">{body}</s:Body></s:Envelope>'
    )


def stream_envelope(version, body):
    """An answer inside GetStreamingEvents: here Exchange makes SOAP the default namespace."""
    major, minor, build, revision, name = version
    return (
        f'<Envelope xmlns="{SOAP}"><soap11:Header xmlns:soap11="{SOAP}"><ServerVersionInfo xmlns:xsi='
        f'"http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        f'MajorVersion="{major}" MinorVersion="{minor}" MajorBuildNumber="{build}" MinorBuildNumber="{revision}" '
        f'Version="{name}" xmlns="{T}"/></soap11:Header><soap11:Body xmlns:soap11="{SOAP}">{body}</soap11:Body>'
        "</Envelope>"
    )


def fault(error, version):
    values = "".join(
        f"<t:{k}>{esc(str(v))}</t:{k}>" if not k.startswith("@") else f'<t:Value Name="{k[1:]}">{esc(str(v))}</t:Value>'
        for k, v in error.values.items()
    )
    xml = f'<t:MessageXml xmlns:t="{T}">{values}</t:MessageXml>' if values else ""
    text = esc(error.text)
    return envelope(
        version,
        f'<s:Fault><faultcode xmlns:a="{T}">a:{error.code}</faultcode>'
        f'<faultstring xml:lang="en-US">{text}</faultstring><detail>'
        f'<e:ResponseCode xmlns:e="{E}">{error.code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{E}">{text}</e:Message>{xml}</detail></s:Fault>',
    )


def response(operation, messages):
    return (
        f'<m:{operation}Response xmlns:m="{M}" xmlns:t="{T}"><m:ResponseMessages>{"".join(messages)}'
        f'</m:ResponseMessages></m:{operation}Response>'
    )


def success(operation, inner="", warning=None):
    code, kind = (warning, "Warning") if warning else ("NoError", "Success")
    return (
        f'<m:{operation}ResponseMessage ResponseClass="{kind}">'
        f'{"<m:MessageText>" + TEXTS.get(code, code) + "</m:MessageText>" if warning else ""}'
        f'<m:ResponseCode>{code}</m:ResponseCode>{inner}</m:{operation}ResponseMessage>'
    )


def failure(operation, error, inner=""):
    values = "".join(f'<t:Value Name="{attr(k.lstrip("@"))}">{esc(str(v))}</t:Value>' for k, v in error.values.items())
    xml = f"<m:MessageXml>{values}</m:MessageXml>" if values else ""
    return (
        f'<m:{operation}ResponseMessage ResponseClass="Error"><m:MessageText>{esc(error.text)}</m:MessageText>'
        f'<m:ResponseCode>{error.code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{xml}{inner}'
        f'</m:{operation}ResponseMessage>'
    )
