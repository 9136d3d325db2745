# SPDX-License-Identifier: Apache-2.0
"""Calendar items and tasks as MIME, the way Exchange gives them out."""


def stored(mailbox, cal):
    return f"Subject: {cal.subject}\r\n\r\n".encode()
