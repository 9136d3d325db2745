# SPDX-License-Identifier: Apache-2.0
"""Scripted faults: rules that say which request goes wrong and how. The rule format is in README.md.

A rule is matched once the operation of a request is known. `protocol`, `op`, `user` and `where` filter; among the
requests that pass, `after` skips the first ones, `nth` picks a single one, `times` bounds how often (default once, 0
= for ever). `delay_s` waits first; `do` names what happens, from BEFORE (instead of the operation, or before it: pause, queue), OPERATION (the
protocol half answers it in its own words) or AFTER (the operation was done; its answer is spoilt).
"""
import functools
import gzip
import random
import re
import struct
import threading
import zlib

BEFORE = {"status", "html", "garbage", "redirect", "empty", "reset_before", "close_before", "hang", "pause", "queue"}
OPERATION = {"throttle", "soap_fault", "error", "expired", "same_state", "no_last_flag", "echo", "eas_status", "policy"}
AFTER = {
    "cut",
    "gzip",
    "bomb",
    "doctype",
    "nest",
    "control_chars",
    "bad_length",
    "lose",
    "hold",
    "reset_after",
    "replace",
    "gateway",
    "drip",
    "bom",
    "truncate",
    "bad_utf8",
    "deflate_garbage",
    "content_type",
    "wbxml_length",
    "multipart",
    "wbxml_unknown",
    "close",
}
FILTERS = {"protocol", "op", "user", "where", "after", "nth", "times", "delay_s", "do", "name"}
PARAMETERS = {
    "status",
    "headers",
    "body",
    "bytes",
    "to",
    "code",
    "backoff_ms",
    "delta",
    "depth",
    "text",
    "rate",
    "seconds",
    "eas",
    "size",
    "seed",
    "index",
    "values",
}

LOGIN_PAGE = (
    b"<!DOCTYPE html>\r\n<html><head><title>Outlook</title></head><body><form action=\"/owa/auth.owa\" "
    b"method=\"POST\"><input name=\"username\"><input name=\"password\" type=\"password\">"
    b"<br>Sign in & wait</form></body></html>\r\n"
)
GATEWAY_PAGE = b"<html><body><h1>503 Service Unavailable</h1>No server is available to handle this request.</body></html>"


class Rule:
    def __init__(self, spec, number):
        unknown = set(spec) - FILTERS - PARAMETERS
        if unknown:
            raise ValueError(f"unknown key in fault rule: {', '.join(sorted(unknown))}")
        self.do = spec.get("do")
        if self.do not in BEFORE | OPERATION | AFTER | {None}:
            raise ValueError(f"unknown fault: {self.do}")
        self.spec = dict(spec)
        self.number = number
        ops = spec.get("op", "*")
        self.ops = {ops} if isinstance(ops, str) else set(ops)
        self.seen = 0
        self.hits = 0

    def get(self, name, default=None):
        return self.spec.get(name, default)

    def passes(self, protocol, op, user, detail):
        if self.get("protocol", protocol) != protocol or not ("*" in self.ops or op in self.ops):
            return False
        if self.get("user", user) != user:
            return False
        return all(detail.get(k) == v for k, v in self.get("where", {}).items())

    def fires(self):
        """Counts a passing request; true when the fault is due."""
        self.seen += 1
        if self.get("nth") is not None:
            due = self.seen == self.get("nth")
        else:
            due = self.seen > self.get("after", 0)
        times = self.get("times", 1)
        due = due and (times == 0 or self.hits < times)
        self.hits += due
        return due

    def report(self):
        return dict(self.spec, id=self.number, seen=self.seen, hits=self.hits)


class FaultTable:
    def __init__(self):
        self._lock = threading.Lock()
        self._rules = []
        self._next = 1

    def add(self, specs):
        with self._lock:
            rules = [Rule(spec, self._next + i) for i, spec in enumerate(specs)]
            self._next += len(rules)
            self._rules += rules
            return [rule.number for rule in rules]

    def clear(self, numbers=None):
        with self._lock:
            self._rules = [r for r in self._rules if numbers is not None and r.number not in numbers]

    def holds(self, rule):
        """Whether a rule is still in force; what it paused goes on when it was cleared."""
        with self._lock:
            return rule in self._rules

    def report(self):
        with self._lock:
            return [rule.report() for rule in self._rules]

    def pick(self, protocol, op, user, detail):
        """The rule for this request, or None. One rule at most: the first that is due."""
        with self._lock:
            picked = None
            for rule in self._rules:
                if picked is None and rule.passes(protocol, op, user, detail) and rule.fires():
                    picked = rule
            return picked


def before(rule):
    """(status, headers, body) that replaces the operation; None if the rule is of another sort."""
    headers = dict(rule.get("headers", {}))
    if rule.do == "status":
        return rule.get("status", 503), headers, rule.get("body", "").encode()
    if rule.do == "html":
        return rule.get("status", 200), {"Content-Type": "text/html; charset=utf-8", **headers}, LOGIN_PAGE
    if rule.do == "garbage":
        return (
            rule.get("status", 200),
            {"Content-Type": "text/xml; charset=utf-8", **headers},
            random.Random(rule.get("seed", 1)).randbytes(rule.get("bytes", 4096)),
        )
    if rule.do == "redirect":
        to = rule.get("to", "/ews/genericerrorpage.htm?aspxerrorpath=/ews/exchange.asmx")
        return 302, {"Location": to, **headers}, b""
    if rule.do == "empty":
        return rule.get("status", 200), headers, b""
    return None


@functools.lru_cache(4)
def bomb(size):
    """A gzip stream (RFC 1952) of `size` bytes when unpacked. Its blocks stand alone, so that one is packed and repeated:
    a fault has to be there at once, not after half a minute of packing."""
    block, count = b" " * (1 << 20), max(1, size >> 20)
    crc, parts = 0, []
    for data, times in ((b'<?xml version="1.0"?><a>', 1), (block, count), (b"</a>", 1)):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        parts.append((packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)) * times)
        for _ in range(times):
            crc = zlib.crc32(data, crc)
    length = (len(block) * count + 28) & 0xFFFFFFFF
    return b"\x1f\x8b\x08\0\0\0\0\0\2\xff" + b"".join(parts) + b"\x03\0" + struct.pack("<II", crc, length)


WBXML_HEADER = b"\x03\x01\x6a\x00"


def spoilt_wbxml(rule, body):
    """The same faults in a WBXML document; None for those that do not depend on the format."""
    text = re.search(rb"\x03([^\0]+)\0", body[4:])
    place = text.end() + 3 if text else len(body)
    if rule.do == "nest":
        depth = rule.get("depth", 50000)
        return WBXML_HEADER + b"\x45" * depth + b"\x01" * depth
    if rule.do == "control_chars":
        return body[:place] + rule.get("text", "\x1a\x0b").encode() + body[place:]
    if rule.do == "bad_utf8":
        return body[:place] + b"\xff\xfe\xc0\x80" + body[place:]
    if rule.do == "wbxml_length":  # an opaque that claims to be longer than the document
        return body[:-1] + b"\xc3\x8f\xff\xff\xff\x7fabc"
    if rule.do == "wbxml_unknown":  # a tag and a page that nobody knows, as a later version may bring
        return body[:-1] + b"\x7f\x03x\x00\x01\x00\x1e\x45\x03y\x00\x01\x00\x00\x01"
    return None


def spoilt_multipart(rule, body):
    """A multipart answer (MS-ASCMD 2.2.1.1.1) whose table lies; `text` says how."""
    how = rule.get("text", "length")
    if how == "count":
        return b"\xff\xff\xff\x7f" + body[4:]
    place = {"offset": 12, "length": 16}[how]  # of the first part after the document
    return body[:place] + b"\xf0\xff\xff\x7f" + body[place + 4 :]


def after(rule, headers, body):
    """The spoilt (headers, body) of an answer whose operation was done."""
    if rule.do == "multipart":
        return headers, spoilt_multipart(rule, body)
    if body.startswith(WBXML_HEADER):
        spoilt = spoilt_wbxml(rule, body)
        if spoilt is not None:
            return headers, spoilt
    if rule.do == "gzip":
        return {**headers, "Content-Encoding": "gzip"}, gzip.compress(body, 6, mtime=0)
    if rule.do == "bomb":
        return {**headers, "Content-Encoding": "gzip"}, bomb(rule.get("size", 1 << 30))
    if rule.do == "deflate_garbage":
        return {**headers, "Content-Encoding": "gzip"}, b"\x1f\x8b\x08\x00" + random.Random(2).randbytes(2000)
    if rule.do == "doctype":
        lead = b'<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        return headers, re.sub(rb"^(<\?xml[^>]*\?>)?", lambda m: m.group(0) + lead, body, count=1)
    if rule.do == "nest":
        depth = rule.get("depth", 50000)
        tags = b"<x>" * depth + b"</x>" * depth
        return headers, re.sub(rb"</\w+:Body>", lambda m: tags + m.group(), body, count=1)
    if rule.do == "control_chars":
        text = rule.get("text", "&#x1A;&#x0;&#xB;").encode()
        for tag in (b"</t:Subject>", b"</t:DisplayName>", b"</m:ResponseCode>"):
            if tag in body:
                return headers, body.replace(tag, text + tag, 1)
        return headers, body
    if rule.do == "bad_utf8":
        return headers, body.replace(b"<t:Subject>", b"<t:Subject>\xff\xfe\xc0\x80", 1)
    if rule.do == "bom":
        return headers, b"\xef\xbb\xbf" + body
    if rule.do == "replace":
        return {**headers, **rule.get("headers", {})}, rule.get("body", "").encode()
    if rule.do == "gateway":
        body = rule.get("body", GATEWAY_PAGE.decode()).encode()
        return {"Content-Type": "text/html", **rule.get("headers", {})}, body
    if rule.do == "truncate":
        return headers, body[: rule.get("bytes", len(body) // 2)]
    if rule.do == "content_type":
        return {**headers, "Content-Type": rule.get("text", "text/html")}, body
    return headers, body
