# SPDX-License-Identifier: Apache-2.0
"""What Exchange knows about a message without being asked for its MIME: subject, people, dates, bodies, attachments.

`Info` holds the parsed headers, `structure()` the bodies and attachments; `regenerate()` plays Exchange's way of
writing MIME anew.
"""
import collections
import email
import email.header
import email.parser
import email.policy
import email.utils
import hashlib
import re
import threading

HEADER_END = re.compile(rb"\r?\n\r?\n")
MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>\r\n]*>)", re.I | re.M)

MEETING = re.compile(rb"^content-type:\s*text/calendar;(?:[^\r\n]|\r?\n[ \t])*method=\"?(request|cancel)", re.I | re.M)
MEETING_REQUEST = "IPM.Schedule.Meeting.Request"
MEETING_CLASSES = {b"request": MEETING_REQUEST, b"cancel": "IPM.Schedule.Meeting.Canceled"}

Address = collections.namedtuple("Address", "name email")


def store_size(mime_len):
    """item:Size: the size in the store, near the MIME's length and never equal to it."""
    return mime_len * 4 // 5 + 1283


def split_header(raw):
    """(header block with its last line end, body)"""
    found = HEADER_END.search(raw)
    if not found:
        return raw, b""
    cut = found.start() + (2 if raw[found.start() : found.start() + 1] == b"\r" else 1)
    return raw[:cut], raw[found.end() :]


def message_id(raw):
    found = MESSAGE_ID.search(split_header(raw)[0])
    return found.group(1).decode("ascii", "replace") if found else None


def item_class(raw):
    found = MEETING.search(raw)
    return MEETING_CLASSES[found.group(1).lower()] if found else "IPM.Note"


def without_bcc(raw):
    header, body = split_header(raw)
    kept = re.sub(rb"(?im)^bcc:[^\n]*\n(?:[ \t][^\n]*\n)*", b"", header)
    return kept + (b"\r\n" if b"\r\n" in header else b"\n") + body


def decode_header(value):
    """A header value as text, encoded words decoded, never failing."""
    if value is None:
        return None
    value = str(value) if not isinstance(value, email.header.Header) else _raw_text(value)
    value = re.sub(r"\r?\n(?=[ \t])", "", value)
    try:
        parts = email.header.decode_header(value)
    except (ValueError, email.errors.HeaderParseError):
        return value
    return "".join(_decode_part(part, charset) for part, charset in parts).strip()


def _raw_text(value):
    """Text of a header with raw 8-bit bytes, which compat32 wraps into a Header of unknown-8bit."""
    return "".join(_decode_part(p, None if c == "unknown-8bit" else c) for p, c in email.header.decode_header(value))


def _decode_part(part, charset):
    if isinstance(part, str):
        return part.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    for name in (charset, "utf-8", "windows-1252", "latin-1"):
        try:
            if name:
                return part.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    return part.decode("latin-1")


def addresses(values):
    found = []
    for name, addr in email.utils.getaddresses([v if isinstance(v, str) else _raw_text(v) for v in values]):
        if addr:
            found.append(Address(decode_header(name) or "", addr))
    return found


class Info:
    """Parsed headers. All text is str; lists of Address; dates are seconds since 1970 or None."""

    def __init__(self, raw):
        head = email.parser.BytesHeaderParser().parsebytes(split_header(raw)[0] + b"\r\n")
        get = head.get
        self.subject = decode_header(get("Subject"))
        self.sender = addresses([get("Sender")]) if get("Sender") else None
        self.from_ = addresses(head.get_all("From", []))
        self.to = addresses(head.get_all("To", []))
        self.cc = addresses(head.get_all("Cc", []))
        self.bcc = addresses(head.get_all("Bcc", []))
        self.reply_to = addresses(head.get_all("Reply-To", []))
        self.message_id = decode_header(get("Message-ID"))
        self.in_reply_to = decode_header(get("In-Reply-To"))
        self.references = decode_header(get("References"))
        self.date = _date(get("Date"))
        self.importance = {"high": "High", "low": "Low"}.get((decode_header(get("Importance")) or "").lower(), "Normal")
        self.content_type = (decode_header(get("Content-Type")) or "text/plain").split(";")[0].strip().lower()
        self.headers = [(k, decode_header(v)) for k, v in head.items()]
        self.raw_header = split_header(raw)[0]

    @property
    def has_attachments(self):
        return self.content_type == "multipart/mixed"

    @property
    def conversation_topic(self):
        return re.sub(r"^((re|fwd?|aw|wg):\s*)+", "", self.subject or "", flags=re.I)


def _date(value):
    try:
        return int(email.utils.parsedate_to_datetime(decode_header(value)).timestamp())
    except (TypeError, ValueError, IndexError, OverflowError, AttributeError):
        return None


Part = collections.namedtuple("Part", "name content_type content_id inline data is_message")


def structure(raw):
    """(text or None, html or None, [Part]): what Exchange makes bodies and attachments of."""
    message = email.message_from_bytes(raw)
    text, html, parts = None, None, []
    stack = [message]
    while stack:
        part = stack.pop(0)
        kind = part.get_content_type()
        disposition = part.get_content_disposition() or ""
        if part.is_multipart() and kind != "message/rfc822":
            stack = list(part.get_payload()) + stack
        elif kind == "message/rfc822":
            inner = part.get_payload(0) if part.is_multipart() else None
            parts.append(
                Part(
                    decode_header(inner.get("Subject")) if inner else "message",
                    kind,
                    None,
                    False,
                    inner.as_bytes() if inner else b"",
                    True,
                )
            )
        elif kind == "text/plain" and text is None and disposition != "attachment":
            text = _part_text(part)
        elif kind == "text/html" and html is None and disposition != "attachment":
            html = _part_text(part)
        elif not kind.startswith("multipart/"):
            parts.append(
                Part(
                    decode_header(part.get_filename()) or "attachment",
                    kind,
                    (part.get("Content-ID") or "").strip("<>") or None,
                    disposition == "inline",
                    part.get_payload(decode=True) or b"",
                    False,
                )
            )
    return text, html, parts


def _part_text(part):
    data = part.get_payload(decode=True) or b""
    return _decode_part(data, part.get_content_charset())


class InfoCache:
    """Infos of the last messages asked for; parsing 100,000 headers at start is what it avoids."""

    def __init__(self, size=4096):
        self.size = size
        self.lock = threading.Lock()
        self.found = collections.OrderedDict()

    def get(self, mailbox, item):
        key = mailbox.guid, item.num
        with self.lock:
            info = self.found.get(key)
            if info is not None:
                self.found.move_to_end(key)
                return info
        info = Info(item.mime())
        for name, value in (item.overrides or {}).items():
            setattr(info, name, value)
        with self.lock:
            self.found[key] = info
            if len(self.found) > self.size:
                self.found.popitem(last=False)
        return info

    def forget(self, mailbox, item):
        with self.lock:
            self.found.pop((mailbox.guid, item.num), None)


BOUNDARY = re.compile(rb'boundary="?([^";\r\n]+)"?', re.I)


def to_crlf(raw):
    return re.sub(rb"\r?\n", b"\r\n", raw)


def regenerate(raw, key, nonce=0):
    """Exchange stores properties and writes MIME anew when asked: other boundaries, added headers, CRLF throughout.

    Deterministic in (raw, key, nonce); a different nonce gives different bytes of the same message."""
    header, body = split_header(to_crlf(raw))
    tag = hashlib.sha256(b"%s/%d" % (key.encode(), nonce)).hexdigest().upper()
    found = BOUNDARY.search(header)
    if found:
        old = found.group(1).strip()
        new = b"_000_%s_" % tag[:32].encode()
        header = header.replace(old, new)
        body = body.replace(b"--" + old, b"--" + new)
    received = header.lower().startswith(b"received:")
    stamp = (
        b"Received: from standin.example.com (192.0.2.10) by standin.example.com\r\n (192.0.2.10) with Microsoft SMTP"
        b" Server id 15.1.2507.6; %s\r\n" % tag[:8].encode()
    )
    extra = (
        b"X-MS-Exchange-Organization-AuthSource: standin.example.com\r\nX-MS-Has-Attach: %s\r\n"
        b"X-MS-Exchange-Organization-Network-Message-Id: %s\r\nX-MS-TNEF-Correlator:\r\n"
        % (b"yes" if b"multipart/mixed" in header.lower() else b"", tag[32:64].lower().encode())
    )
    return (stamp if received else b"") + header + extra + b"\r\n" + body
