# SPDX-License-Identifier: Apache-2.0
"""ResolveRecipients (MS-ASCMD 2.2.1.15): who a name is, and when they are free."""
import datetime
import re

import cal_busy
import cal_zones
from wbxml import E

PROTOCOL_ERROR, AMBIGUOUS, NOT_FOUND = "5", "2", "4"
MAX_TO = 100
SLOT_S = 1800
STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{3}Z")


def resolve_recipients(ctx, tree):
    wanted = [e.text for e in tree.all("To")]
    options = tree.get("Options")
    availability = options.get("Availability") if options is not None else None
    if not wanted or len(wanted) > MAX_TO:
        return ctx.status(PROTOCOL_ERROR)
    window = None
    if availability is not None:
        window = window_of(availability)
        if window is None:
            return ctx.status(PROTOCOL_ERROR)
    responses = [response(ctx, text, window) for text in wanted]
    return E("ResolveRecipients:ResolveRecipients", E("Status", 1), *responses)


def window_of(element):
    """(begin, end), or None for what is no window of 30 minutes to 42 days in whole half hours."""
    begin, end = instant(element.value("StartTime")), instant(element.value("EndTime"))
    if begin is None:
        return None
    if not element.has("EndTime"):
        end = begin + 7 * 86400
    if end is None or not SLOT_S <= end - begin <= cal_busy.MAX_WINDOW_S or (end - begin) % SLOT_S or begin % SLOT_S:
        return None
    return begin, end


def instant(text):
    found = STAMP.fullmatch(text or "")
    try:
        naive = datetime.datetime.fromisoformat(found.group(1))
    except (AttributeError, ValueError):
        return None
    return cal_zones.seconds(naive) if cal_zones.possible(naive) else None


def response(ctx, text, window):
    word = text.casefold().strip()
    boxes = [u.mailbox for u in ctx.app.store.users]
    exact = [b for b in boxes if b.email.casefold() == word]
    found = exact or [
        b for b in boxes if any(w.startswith(word) for w in [b.email.casefold(), *b.display_name.casefold().split()])
    ]
    if not found:
        return E("Response", E("To", text), E("Status", NOT_FOUND), E("RecipientCount", 0))
    people = [recipient(b, window) for b in found]
    code = "1" if len(found) == 1 else AMBIGUOUS
    return E("Response", E("To", text), E("Status", code), E("RecipientCount", len(found)), *people)


def recipient(mailbox, window):
    fields = [E("Type", 1), E("DisplayName", mailbox.display_name), E("EmailAddress", mailbox.email)]
    if window is not None:
        digits = cal_busy.merged(mailbox, *window, SLOT_S)
        fields.append(E("Availability", E("Status", 1), E("MergedFreeBusy", digits)))
    return E("Recipient", *fields)


COMMANDS = {"ResolveRecipients": resolve_recipients}
