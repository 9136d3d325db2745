# SPDX-License-Identifier: Apache-2.0
"""Meetings: what the server does by itself when an organizer or an attendee changes something."""


def organized(app, mailbox, item, before, send, day=None):
    """The organizer made or changed a meeting; `send` is how EWS words it."""


def cancelled(app, mailbox, cal, send):
    """The organizer deletes a meeting or one occurrence of it."""
