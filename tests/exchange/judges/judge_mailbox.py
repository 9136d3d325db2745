# SPDX-License-Identifier: Apache-2.0
"""The mailbox that every judge reads, and what each must have found in it."""
import time

from standin import Standin

SUBJECT = "Grüße: 会議の資料 \N{PAPERCLIP}"
BODY = "A line that a judge looks for: Zażółć gęślą jaźń.\r\nAnd a second one.\r\n"
NEW_SUBJECT = "Arrived while the judge was looking"
MESSAGES = 40


def start(*args):
    """A stand-in with a small believable mailbox; the newest message of the inbox is the one with SUBJECT and BODY."""
    exchange = Standin("--demo", MESSAGES, *args)
    exchange.deliver(subject=SUBJECT, text=BODY, **{"from": "Jörg Weiß <joerg@contoso.example>"})
    return exchange


def subjects(exchange, folder="inbox"):
    return sorted(i["subject"] or "" for i in exchange.items(folder, props=1))


def poll(seconds, check, every=0.25):
    """The first true value of check(), or its last one when time is up."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value or time.monotonic() > end:
            return value
        time.sleep(every)
