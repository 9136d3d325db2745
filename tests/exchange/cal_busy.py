# SPDX-License-Identifier: Apache-2.0
"""Free and busy times of a mailbox, as GetUserAvailability and ResolveRecipients show them."""
import cal_model

RANK = {"Free": 0, "WorkingElsewhere": 0, "Tentative": 1, "Busy": 2, "OOF": 3, "NoData": 0}
MAX_WINDOW_S = 42 * 86400


def events(mailbox, begin, end):
    """[(start, end, Appointment)] of what overlaps [begin, end) in the default calendar, in order."""
    found = []
    with mailbox.lock:
        for item in mailbox.kinds["calendar"].items.values():
            if not cal_model.is_event(item):
                continue
            cal = item.cal
            days = [None] if cal.recurrence is None else cal.between(begin, end)
            for one in (cal if day is None else cal.occurrence(day) for day in days):
                if cal_model.overlaps((one.start, one.end), begin, end):
                    found.append((one.start, one.end, one))
    return sorted(found, key=lambda f: (f[0], f[1], f[2].uid))


def merged(mailbox, begin, end, step_s):
    """One digit for each slot from `begin` on: what weighs most there (0 free, 1 tentative, 2 busy, 3 out of office)."""
    count = -(-(end - begin) // step_s)
    slots = [0] * count
    for start, stop, cal in events(mailbox, begin, begin + count * step_s):
        first = max(0, (start - begin) // step_s)
        last = min(count, max(first + 1, -(-(stop - begin) // step_s)))
        for n in range(first, last):
            slots[n] = max(slots[n], RANK[cal.busy])
    return "".join(map(str, slots))
