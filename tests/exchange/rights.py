# SPDX-License-Identifier: Apache-2.0
"""Who may open whose mailbox over EWS, and which mailbox a request is about.

Rights of a user on another one's mailbox:
  impersonate   the role ApplicationImpersonation, for this mailbox: the header t:ExchangeImpersonation is believed
  full          Full Access: all folders, reading and writing
  read          all folders, reading
  inbox         the inbox alone, reading (a folder permission; the mailbox's root is not visible)
  send-as       From: may be this mailbox's address
A delegate names the mailbox in t:DistinguishedFolderId/t:Mailbox; afterwards the ids are enough. The own archive is named by ids that begin with `archive`, and has its own.
"""
import base64

from ews_schema import local
from ews_xml import PREFIX_SIZE, T, EwsError, _prefix

LEVELS = ("full", "read", "inbox")
WRITING = {
    "CreateItem", "UpdateItem", "DeleteItem", "MoveItem", "CopyItem", "SendItem", "CreateFolder", "UpdateFolder", "MoveFolder",
    "DeleteFolder", "EmptyFolder", "CreateAttachment", "DeleteAttachment", "MarkAllItemsAsRead",
}  # fmt: skip


class Rights:
    def __init__(self, store):
        self.store = store
        self.given = {}  # (user name, address) -> set

    def set(self, user, mailbox, rights):
        unknown = set(rights) - {*LEVELS, "impersonate", "send-as"}
        if unknown:
            raise ValueError(f"unknown rights: {unknown}")
        self.given[user.casefold(), mailbox.casefold()] = set(rights)

    def of(self, user, mailbox):
        return self.given.get((user.name.casefold(), mailbox.email.casefold()), set())

    # ---- whose mailbox ----

    def choose(self, call):
        """The mailbox of a request, and what may be done in it: (mailbox, level)."""
        user = call.request.user
        header = call.headers.get("ExchangeImpersonation")
        if header is not None:
            return self.impersonated(call, user, "".join(header.itertext()).strip()), "full"
        found = self.first_named(call)
        if found is None or found is user.mailbox:
            return user.mailbox, "full"
        if found is user.archive:
            call.detail["archive"] = True
            return found, "full"
        level = next((l for l in LEVELS if l in self.of(user, found)), None)
        if level is None:
            return user.mailbox, "full"  # where what it names is not to be found
        call.detail["mailbox"] = found.email
        return found, level

    def impersonated(self, call, user, address):
        mailbox = self.store.mailbox_of(address)
        if mailbox is None:
            raise EwsError("ErrorNonExistentMailbox", "No mailbox with such guid or address.", fault=True)
        if mailbox is not user.mailbox and "impersonate" not in self.of(user, mailbox):
            raise EwsError(
                "ErrorImpersonateUserDenied", "The account does not have permission to impersonate the requested user.", fault=True
            )
        if call.request.headers.get("X-AnchorMailbox", "").casefold() != mailbox.email.casefold():
            call.app.log.violation("impersonation without X-AnchorMailbox of the same mailbox", call.request.entry)
        call.detail["mailbox"] = call.detail["impersonated"] = mailbox.email
        return mailbox

    def first_named(self, call):
        """The mailbox of the first thing that the request names: an address, an id, a subscription."""
        for element in call.element.iter():
            if not isinstance(element.tag, str):
                continue
            address = element.findtext(f"{{{T}}}Mailbox/{{{T}}}EmailAddress") if local(element) == "DistinguishedFolderId" else None
            if address:
                return self.store.mailbox_of(address)
            if local(element) == "DistinguishedFolderId":
                return call.request.user.archive if element.get("Id").startswith("archive") else None
            text = element.get("Id") or (element.text if local(element) == "SubscriptionId" else None)
            found = self.by_id(text) if text else None
            if found is not None:
                return found
        return None

    def by_id(self, text):
        try:
            body = base64.b64decode(text, validate=True)
        except ValueError:
            return None
        for mailbox in (m for user in self.store.users for m in (user.mailbox, user.archive) if m):
            if body[:PREFIX_SIZE] == _prefix(mailbox)[:PREFIX_SIZE]:
                return mailbox
            if body.startswith(b"\x0b\x00standin.01" + mailbox.guid.bytes):  # ews_notify.Subscription
                return mailbox
        return None

    # ---- what may be done there ----

    def check(self, call):
        if call.level != "full" and call.name in WRITING:
            raise EwsError("ErrorAccessDenied", "Access is denied. Check credentials and try again.")

    def check_folder(self, call, folder):
        if call.level == "inbox" and folder is not call.mailbox.kinds["inbox"]:
            raise EwsError("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        return folder

    def check_sender(self, call):
        if call.mailbox is not call.request.user.mailbox and "impersonated" not in call.detail:
            if "send-as" not in self.of(call.request.user, call.mailbox):
                raise EwsError("ErrorSendAsDenied", "The user account does not have the right to send mail on behalf of the account.")
