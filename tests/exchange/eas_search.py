# SPDX-License-Identifier: Apache-2.0
"""Search in the mailbox (MS-ASCMD 2.2.1.16) and Find (2.2.1.2)."""
import re

import eas_items
import mimeinfo
from clock import from_iso
from eas_items import BadOptions, BodyWish
from eas_sync import class_of, find_folder
from wbxml import E

NO_STORE, ACCESS, TOO_COMPLEX, END_OF_RANGE = "3", "5", "8", "12"
MAX_HITS = 100


def search(ctx, tree):
    store = tree.get("Store")
    if store.value("Name") != "Mailbox":
        return searched(store_answer(NO_STORE if store.value("Name") not in ("GAL", "DocumentLibrary") else "1"))
    if not store.has("Query/And"):
        return searched(store_answer(TOO_COMPLEX))
    query = store.get("Query/And")
    text = query.value("FreeText")
    if not text or query.value("AirSync:Class", "Email") != "Email":
        return searched(store_answer("2"))
    numbers = [c.text for c in query.all("AirSync:CollectionId")]
    folders = wanted_folders(ctx, numbers, store.has("Options/DeepTraversal"))
    if folders is None:
        return searched(store_answer(ACCESS))
    try:
        wish = BodyWish(store.get("Options"))
        bounds = [bound(query, name) for name in ("GreaterThan", "LessThan")]
    except (BadOptions, ValueError):
        return searched(store_answer("2"))
    with ctx.mailbox.lock:
        hits = find_text(ctx, folders, text, *bounds)
        first, last = page(store.value("Options/Range"), len(hits))
        if hits and first >= len(hits):
            return searched(store_answer(END_OF_RANGE))
        results = [result(ctx, item, wish) for item in hits[first : last + 1]]
    if not results:
        return searched(store_answer("1", E("Search:Result")))
    reach = E("Search:Range", f"{first}-{first + len(results) - 1}")
    return searched(store_answer("1", *results, reach, E("Search:Total", len(hits))))


def searched(store):
    return E("Search:Search", E("Status", 1), E("Response", store))


def store_answer(code, *parts):
    return E("Search:Store", E("Status", code), *parts)


def bound(query, name):
    element = query.get(name)
    if element is None:
        return None
    if not element.has("Email:DateReceived"):
        raise ValueError(name)
    return from_iso(re.sub(r"\.\d+", "", element.value("Value", "")))


def page(text, total):
    found = re.fullmatch(r"(\d+)-(\d+)", text or "0-99")
    first, last = (int(n) for n in found.groups()) if found else (0, MAX_HITS - 1)
    return first, min(last, first + MAX_HITS - 1, max(total - 1, 0))


def wanted_folders(ctx, numbers, deep):
    if not numbers:
        return None if not deep else [f for f in ctx.mailbox.folders.values() if f.cls.startswith("IPF.Note")]
    found = []
    for number in numbers:
        folder = find_folder(ctx, number)
        if folder in (None, "RI"):
            return None
        found += [folder] + (ctx.mailbox.descendants(folder.num) if deep else [])
    return found


def find_text(ctx, folders, text, after=None, before=None):
    """Newest first: every word in subject, people or the text body."""
    words = text.casefold().split()
    hits = []
    for folder in {f.num: f for f in folders}.values():
        for item in folder.newest_first():
            if (after is None or item.received > after) and (before is None or item.received < before):
                info = ctx.mailbox.props(item)
                people = " ".join(f"{a.name} {a.email}" for a in info.from_ + info.to + info.cc)
                hay = f"{info.subject} {people} {mimeinfo.structure(item.mime())[0]}".casefold()
                if all(word in hay for word in words):
                    hits.append(item)
    return sorted(hits, key=lambda i: (-i.received, i.num))


def result(ctx, item, wish):
    folder = ctx.mailbox.folders[item.folder]
    fields = eas_items.mail_data(ctx, item, wish)
    return E(
        "Search:Result",
        E("AirSync:Class", class_of(folder)),
        E("LongId", f"L{item.num}"),
        E("AirSync:CollectionId", folder.num),
        E("Properties", *fields),
    )


def find(ctx, tree):
    criterion = tree.get("ExecuteSearch/MailBoxSearchCriterion")
    if criterion is None:
        return E("Find:Find", E("Status", 1), E("Response", E("ItemOperations:Store", "GAL"), E("Status", 1)))
    text = criterion.value("Query/FreeText")
    number = criterion.value("Query/AirSync:CollectionId")
    folders = wanted_folders(ctx, [number] if number else [], criterion.has("Options/DeepTraversal"))
    if not text or folders is None:
        return E("Find:Find", E("Status", 2))
    with ctx.mailbox.lock:
        hits = find_text(ctx, folders, text)
        first, last = page(criterion.value("Options/Range"), len(hits))
        results = [found_item(ctx, item) for item in hits[first : last + 1]]
    reach = [E("Range", f"{first}-{first + len(results) - 1}")] if results else []
    return E(
        "Find:Find",
        E("Status", 1),
        E("Response", E("ItemOperations:Store", "Mailbox"), E("Status", 1), *results, *reach, E("Total", len(hits))),
    )


def found_item(ctx, item):
    info, folder = ctx.mailbox.props(item), ctx.mailbox.folders[item.folder]
    state = ctx.device.collection(folder)
    fields = [
        E("Email:Subject", eas_items.clean(info.subject or "")),
        E("Email:From", eas_items.shown(info.from_[:1])),
        E("Email:DateReceived", eas_items.stamp(item.received)),
        E("Email:Read", int(item.read)),
    ]
    return E(
        "Find:Result",
        E("AirSync:Class", "Email"),
        E("AirSync:ServerId", state.ids.id_of(item.num, state.mode)),
        E("AirSync:CollectionId", folder.num),
        E("Properties", *fields),
    )


COMMANDS = {"Search": search, "Find": find}
