# SPDX-License-Identifier: Apache-2.0
"""What has to hold whatever happens, and the book that is kept of what was promised.

  1  A message whose delivery, 250, APPENDUID or COPYUID was heard is on the server as often as was promised: a retry makes no
     second one, and what was never promised is there once at most. (Expunged mail counts: it lies in Recoverable Items.)
  2  When all is quiet, every message of the server is seen over IMAP, and no other.
  3  A UID of a mailbox means one message for ever: its bytes never change, and no other gets that UID.
  4  UIDs grow; UIDNEXT never goes down under one UIDVALIDITY, and UIDVALIDITY never goes down.
  5  What was answered with OK is so on the server: flags, keywords, the folder.
  6  All sessions agree when all is quiet.
  (No secret in the log, no sanitizer report, no leak: Bridge.finish() looks at that after every test.)

A Ledger is told before a command what it may do, and afterwards what was answered; it knows then what is certain. Every
message has a token in its Message-ID. It is shared by threads.
"""
import collections
import re
import threading
import time

from bridge import as_mail, literal

RECOVERABLE = "(Recoverable Items)"
LABELS = dict(zip(("Important", "Work", "Personal", "To Do", "Later"), ("$label1", "$label2", "$label3", "$label4", "$label5")))
DOMAIN = "random.test"


class Violation(AssertionError):
    pass


def mailbox_name(folder):
    """Of a folder of the stand-in."""
    return re.sub(r"^Inbox(?=/|$)", "INBOX", folder["path"])


def token_of(text):
    found = re.search(r"<([\w-]+)@" + re.escape(DOMAIN), text or "")
    return found and found[1]


def flags_of(item):
    """IMAP's flags of an item of the stand-in."""
    found = {LABELS.get(c, c) for c in item["categories"]}
    for flag, there in (("\\Seen", item["read"]), ("\\Flagged", item["flag"] == 2), ("\\Draft", item["draft"]),
                        ("\\Answered", item["last_verb"] in (102, 103)), ("$Forwarded", item["last_verb"] == 104)):
        found |= {flag} if there else set()
    return frozenset(found)


class Message:
    def __init__(self, token, data, where, flags=(), least=0, most=1):
        self.token, self.data = token, data
        self.least, self.most = least, most  # how many of it the server has
        self.where = {where}  # the mailboxes one of which it is in; None: anywhere
        self.flags = dict.fromkeys(flags, True)  # as far as they are certain
        self.all_flags = True  # those not named are not set

    def __str__(self):
        return f"{self.token}: {self.least} to {self.most}, in {self.where}, flags {self.flags}"


class Ledger:
    def __init__(self):
        self.lock = threading.RLock()
        self.messages = {}
        self.uids = {}  # (mailbox, UIDVALIDITY, UID) -> token
        self.lines = []
        self.problems = []

    # ---- what happens ----

    def note(self, who, text):
        with self.lock:
            self.lines.append(f"{time.strftime('%H:%M:%S')} {who}: {text}")

    def problem(self, text):
        with self.lock:
            self.note("PROBLEM", text)
            self.problems.append(text)

    def expect(self, truth, text):
        if not truth:
            self.problem(text)

    def history(self, text):
        with self.lock:
            return "\n".join(line for line in self.lines if re.search(rf"\b{re.escape(text)}\b", line))

    # ---- messages ----

    def add(self, message):
        with self.lock:
            self.messages[message.token] = message
            return message

    def promised(self, token):
        """Its APPEND or sending was answered with yes."""
        with self.lock:
            self.messages[token].least = 1

    def moving(self, tokens, mailbox):
        """They may go there from now on."""
        with self.lock:
            for message in self.of(tokens):
                if message.where is not None:
                    message.where = message.where | {mailbox}

    def moved(self, tokens, mailbox):
        with self.lock:
            for message in self.of(tokens):
                if message.where is not None and message.most == 1:
                    message.where = {mailbox}

    def lost_sight(self, tokens):
        """Others may have put them anywhere."""
        with self.lock:
            for message in self.of(tokens):
                message.where = None

    def leaving_mailboxes(self, test):
        """Mailboxes are renamed or deleted."""
        with self.lock:
            self.lost_sight([m.token for m in self.messages.values() if m.where is not None and any(map(test, m.where))])

    def leaving(self, mailbox, target):
        """What is in one may be in the other from now on."""
        with self.lock:
            self.moving([m.token for m in self.messages.values() if m.where is not None and mailbox in m.where], target)

    def renamed(self, mailbox, name):
        """For certain; leaving() was called before."""
        with self.lock:
            for message in self.messages.values():
                if message.where is not None and mailbox in message.where:
                    message.where = message.where - {mailbox} | {name}

    def may_be_gone(self, mailbox):
        """With the mailbox that they may be in."""
        with self.lock:
            for message in self.messages.values():
                if message.where is None or mailbox in message.where:
                    message.least = 0

    def copying(self, tokens):
        with self.lock:
            for message in self.of(tokens):
                message.most += 1
                message.where, message.flags, message.all_flags = None, {}, False

    def copied(self, tokens):
        with self.lock:
            for message in self.of(tokens):
                message.least += 1

    def marking(self, tokens, flags):
        with self.lock:
            for message in self.of(tokens):
                for flag in flags:
                    message.flags[flag] = None

    def marked(self, tokens, flags, there, mailbox):
        """Where it is certain that it was met."""
        with self.lock:
            for message in self.of(tokens):
                if message.where == {mailbox} and message.most == 1:
                    message.flags.update(dict.fromkeys(flags, there))

    def removed(self, tokens):
        with self.lock:
            for message in self.of(tokens):
                message.least = message.most = 0

    def of(self, tokens):
        return [self.messages[t] for t in tokens if t in self.messages]

    # ---- UIDs ----

    def saw(self, mailbox, validity, uid, token):
        with self.lock:
            known = self.uids.setdefault((mailbox, validity, uid), token)
            self.expect(known == token, f"UID {uid} of {mailbox} ({validity}) was {known} and is {token}")

    def token(self, mailbox, validity, uid):
        with self.lock:
            return self.uids.get((mailbox, validity, uid))

    def check_body(self, token, data, kind):
        with self.lock:
            message = self.messages.get(token)
        if message:
            self.expect(data == as_mail(message.data, kind), f"the bytes of {token} are {data[:300]!r}")


class Marks:
    """What one session has been told of UIDVALIDITY and UIDNEXT, which may only grow."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.seen = {}

    def opened(self, mailbox, validity, uidnext):
        before = self.seen.get(mailbox, (0, 0))
        self.ledger.expect((validity, uidnext) >= before, f"{mailbox}: UIDVALIDITY and UIDNEXT went from {before} to {(validity, uidnext)}")
        self.seen[mailbox] = validity, uidnext

    def forget(self, mailbox):
        self.seen.pop(mailbox, None)


# ---- the end ----


class Server:
    """All mail of the stand-in: {mailbox: [(token, flags)]}, Recoverable Items with it."""

    def __init__(self, exchange):
        self.folders = {}
        for folder in exchange.folders():
            if folder["class"] == "IPF.Note" and not folder["hidden"]:
                self.folders[mailbox_name(folder)] = self.content(exchange, folder["num"])
        self.recoverable = self.content(exchange, "recoverableitemsdeletions")

    @staticmethod
    def content(exchange, folder):
        return sorted((token_of(i["message_id"]) or i["message_id"], sorted(flags_of(i))) for i in exchange.items(folder))

    def places(self):
        """{token: [(mailbox, flags)]}"""
        found = collections.defaultdict(list)
        for mailbox, content in [*self.folders.items(), (RECOVERABLE, self.recoverable)]:
            for token, flags in content:
                found[token].append((mailbox, set(flags)))
        return found


def over_imap(imap):
    """The same through a session."""
    found = {}
    names = [re.match(rb'\* LIST .* "/" (.*)$', line) for line in imap.ok('LIST "" "*"')]
    for name in [m[1].decode().strip('"') for m in names if m]:
        imap.open(name, "EXAMINE")
        found[name] = sorted((token, sorted(flags - {"\\Recent", "\\Deleted"})) for _, token, flags in rows(imap))
    return found


def rows(imap):
    """[(UID, token, flags)] of the open mailbox."""
    found = []
    for uid, line in imap.fetch("1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
        flags = set(re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split())
        found.append((uid, token_of(literal(line).decode("utf-8", "replace")), flags))
    return found


def check_server(ledger, exchange):
    """1 and 5."""
    places = Server(exchange).places()
    for message in ledger.messages.values():
        found = places.get(message.token, [])
        ledger.expect(message.least <= len(found) <= message.most, f"{message} but is at {found}")
        if len(found) != 1 or message.most != 1:
            continue
        mailbox, flags = found[0]
        ledger.expect(message.where is None or mailbox in message.where, f"{message} but is in {mailbox}")
        if mailbox == RECOVERABLE:
            continue
        for flag, there in message.flags.items():
            ledger.expect(there is None or (flag in flags) == there, f"{message} but has {flags}")
        if message.all_flags:
            ledger.expect(not flags - set(message.flags) - {"\\Draft"}, f"{message} but has {flags}")


def check_sent(ledger, exchange, sent):
    """1 for what was sent: once if it was promised, never twice; and its copy. sent: {token: promised}"""
    out = collections.Counter(token_of(s["message_id"]) for s in exchange.submissions())
    copies = collections.Counter(token for token, _ in Server(exchange).folders["Sent Items"])
    for token, promised in sent.items():
        ledger.expect(promised <= out[token] <= 1, f"{token} was sent {out[token]} times, promised {promised}")
        ledger.expect(copies[token] == out[token], f"{token} was sent {out[token]} times and has {copies[token]} copies")


def differences(one, other):
    found = []
    for mailbox in sorted(set(one) | set(other)):
        a, b = one.get(mailbox), other.get(mailbox)
        if a is None or b is None:
            found.append(f"{mailbox} is missing in {'the first' if a is None else 'the second'}")
        elif a != b:
            found.append(f"{mailbox}: {[x for x in a if x not in b]} against {[x for x in b if x not in a]} ({len(a)} and {len(b)})")
    return found
