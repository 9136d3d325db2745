# SPDX-License-Identifier: Apache-2.0
"""Restrictions and sort orders of FindItem and FindFolder."""
import re

import ews_calendar_shape
from clock import from_iso
from ews_schema import local
from ews_shape import FOLDER_PATHS, FOLDER_PROPS, FOLDER_TAGS, ITEM_PROPS, PATHS, extended_key, extended_value
from ews_xml import EwsError

TAGS = re.compile(r"<[^>]*>")
NUMERIC = ("Integer", "Short", "Long")
NUMERIC_PATHS = {"item:Size", "folder:TotalCount", "folder:UnreadCount", "folder:ChildFolderCount"}
TIME_PATHS = {"item:DateTimeReceived", "item:DateTimeSent", "item:DateTimeCreated", "item:LastModifiedTime"} | {
    "calendar:Start",
    "calendar:End",
    "calendar:DateTimeStamp",
    "task:DueDate",
    "task:StartDate",
    "task:CompleteDate",
}
NOT_SEARCHABLE = {
    "message:ToRecipients",
    "message:CcRecipients",
    "message:BccRecipients",
    "item:Attachments",
    "item:MimeContent",
    "item:InternetMessageHeaders",
    "item:ConversationId",
}
LIMIT = 255


def unescape(text):
    for name, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#xD;", "\r"), ("&amp;", "&")):
        text = text.replace(name, char)
    return text


def plain(xml):
    """The text of a written property."""
    return None if xml is None else unescape(TAGS.sub(" ", xml)).strip()


def item_value(path, view):
    """What a path names in an item: int, str, list of str, or None."""
    if local(path) == "ExtendedFieldURI":
        key, kind = extended_key(path)
        read = ews_calendar_shape.cal_extended if hasattr(view, "written") else extended_value
        value = read(view, key, kind)
        return typed(value, kind in NUMERIC, kind == "SystemTime")
    if local(path) == "IndexedFieldURI":
        return None
    uri = path.get("FieldURI")
    if uri in NOT_SEARCHABLE:
        raise EwsError("ErrorUnsupportedPathForQuery", f"The property {uri} cannot be used in a restriction.")
    if uri == "item:Categories":
        return list(view.item.categories) or None
    props, paths = ITEM_PROPS, PATHS
    if hasattr(view, "written"):
        props, paths = ews_calendar_shape.KINDS[view.element][1], ews_calendar_shape.PATHS[view.element]
    name = paths.get(uri)
    if name is None and uri in ews_calendar_shape.KNOWN:
        return None
    if name is None or uri in ews_calendar_shape.NOT_SEARCHABLE:
        raise EwsError("ErrorUnsupportedPathForQuery", f"The property {uri} cannot be used in a restriction.")
    return typed(plain(props[name][1](view)), uri in NUMERIC_PATHS, uri in TIME_PATHS)


def typed(value, number, time):
    if value is None or isinstance(value, list):
        return value
    try:
        if number:
            return int(value)
        return from_iso(value) if time else value
    except ValueError:
        return None


def folder_value(path, mailbox, folder):
    if local(path) == "ExtendedFieldURI":
        key, kind = extended_key(path)
        wanted, value = FOLDER_TAGS.get(key[1], (None, None)) if key[0] == "tag" else (None, None)
        return typed(str(value(mailbox, folder)), kind in NUMERIC, kind == "SystemTime") if wanted == kind else None
    uri = path.get("FieldURI")
    if uri not in FOLDER_PATHS:
        raise EwsError("ErrorUnsupportedPathForQuery", f"The property {uri} cannot be used in a restriction.")
    return typed(plain(FOLDER_PROPS[FOLDER_PATHS[uri]][1](mailbox, folder)), uri in NUMERIC_PATHS, uri in TIME_PATHS)


def sort_key(path, view):
    value = item_value(path, view)
    if isinstance(value, list):
        value = value[0] if value else None
    return (value is not None, value.casefold() if isinstance(value, str) else value if value is not None else 0)


class Search:
    """A restriction; its clauses are counted, as Exchange does."""

    def __init__(self, element, call):
        self.element = element
        self.call = call
        if sum(1 for _ in element.iter()) > LIMIT * 3:
            raise EwsError("ErrorRestrictionTooComplex", "The restriction is too complex.")

    def item(self, view):
        return self.holds(self.element[0], lambda path: item_value(path, view))

    def folder(self, mailbox, folder):
        return self.holds(self.element[0], lambda path: folder_value(path, mailbox, folder))

    def holds(self, clause, value):
        kind = local(clause)
        parts = [c for c in clause if isinstance(c.tag, str)]
        if kind == "And":
            return all(self.holds(p, value) for p in parts)
        if kind == "Or":
            return any(self.holds(p, value) for p in parts)
        if kind == "Not":
            return not self.holds(parts[0], value)
        if kind == "Exists":
            return value(parts[0]) is not None
        if kind == "Contains":
            return self.contains(clause, value(parts[0]), parts[1].get("Value"))
        if kind == "Excludes":
            found = value(parts[0])
            return found is not None and not int(found) & int(parts[1].get("Value"), 0)
        return self.compare(kind, value(parts[0]), self.constant(parts[1], value))

    @staticmethod
    def constant(holder, value):
        operand = holder[0]
        return operand.get("Value") if local(operand) == "Constant" else value(operand)

    @staticmethod
    def contains(clause, found, wanted):
        mode, how = clause.get("ContainmentMode", "FullString"), clause.get("ContainmentComparison", "Exact")
        for text in found if isinstance(found, list) else [] if found is None else [str(found)]:
            if "IgnoreCase" in how or "Loose" in how:
                text, wanted = text.casefold(), wanted.casefold()
            if (
                mode == "Substring"
                and wanted in text
                or mode == "Prefixed"
                and text.startswith(wanted)
                or mode == "FullString"
                and text == wanted
                or mode in ("PrefixOnWords", "ExactPhrase")
                and any(w.startswith(wanted) for w in text.split())
            ):
                return True
        return False

    @staticmethod
    def compare(kind, found, wanted):
        if found is None or wanted is None:
            return kind == "IsNotEqualTo" and found is not wanted
        if isinstance(found, list):
            return any(Search.compare(kind, one, wanted) for one in found)
        if isinstance(found, int):
            wanted = _number(wanted)
        else:
            if found in ("true", "false"):
                wanted = {"1": "true", "0": "false"}.get(wanted, wanted)
            found, wanted = str(found).casefold(), str(wanted).casefold()
        return {
            "IsEqualTo": found == wanted,
            "IsNotEqualTo": found != wanted,
            "IsGreaterThan": found > wanted,
            "IsGreaterThanOrEqualTo": found >= wanted,
            "IsLessThan": found < wanted,
            "IsLessThanOrEqualTo": found <= wanted,
        }[kind]


def _number(value):
    if isinstance(value, int):
        return value
    try:
        return int(value)
    except ValueError:
        try:
            return from_iso(value)
        except ValueError:
            raise EwsError("ErrorInvalidValueForProperty", f"The constant {value} has the wrong type.") from None
