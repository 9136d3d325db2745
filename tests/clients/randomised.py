# SPDX-License-Identifier: Apache-2.0
"""Clients, a server and trouble, all at once, from a seed: the script of operations is the same for the same seed.

    play(stage, kind, seed, count)

Every message that is changed by a client belongs to it: another one looks, copies nothing and moves nothing of it, so that
the order in which things were promised is known. What the clients were told is written into a Ledger (invariants.py); when
the script has ended and the trouble is over, they repeat what was never answered, and everything is compared.
"""
import random
import re
import ssl
import threading
import time

import invariants
from actor import Actor
from bridge import LOCAL_PASSWORD, literal, poll
from following import Session
from imaptest import Closed
from invariants import DOMAIN, Message
from smtptest import Smtp, stuffed

CLIENTS = 3
STABLE = ("INBOX", "Kept", "Kept/Below")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "$label1", "$label3", "Own")
GONE = (Closed, ConnectionError, TimeoutError, ssl.SSLError, OSError)
QUIET_S = 90
CLIENT_OPERATIONS = {"select": 3, "look": 4, "search": 1, "store": 12, "move": 8, "copy": 3, "append": 8, "several": 2, "replace": 5,
                     "expunge": 5, "send": 5, "noop": 2, "hang_up": 3, "mailbox": 2, "expunge_all": 1}
WORLD_OPERATIONS = {"deliver": 8, "flag": 5, "move": 3, "delete": 2, "folder": 1, "fault": 12, "drop": 1, "kill": 2, "invalidate": 0.3}
WRITES = ["UpdateItem", "MoveItem", "CopyItem", "DeleteItem", "CreateItem", "CreateFolder", "UpdateFolder", "DeleteFolder",
          "Sync", "MoveItems", "SendMail", "FolderCreate", "FolderUpdate", "FolderDelete"]
READS = ["GetItem", "SyncFolderItems", "SyncFolderHierarchy", "FindItem", "ItemOperations", "FolderSync", "Sync"]
FAULTS = [{"do": "reset_before"}, {"do": "lose"}, {"do": "reset_after"}, {"do": "cut", "bytes": 200}, {"delay_s": 0.7},
          {"do": "status", "status": 500}, {"do": "status", "status": 503, "headers": {"Retry-After": "1"}},
          {"do": "status", "status": 429, "headers": {"Retry-After": "1"}}, {"do": "throttle", "backoff_ms": 300},
          {"do": "truncate", "bytes": 150}, {"do": "close_before"}, {"do": "html"}, {"do": "status", "status": 502}]
OWN_FAULTS = {  # (operations, rule)
    "ews": [(READS[1:3], {"do": "expired"}), (WRITES[:8] + READS[:4], {"do": "error", "code": "ErrorInternalServerTransientError"}),
            (WRITES[:8], {"do": "error", "code": "ErrorServerBusy"}), (["SyncFolderItems"], {"do": "no_last_flag"}),
            (["SyncFolderItems"], {"do": "echo"})],
    "eas": [(["Sync", "FolderSync"], {"do": "expired"}), (["Sync"], {"do": "eas_status", "code": 5, "eas": "collection"}),
            (["Sync"], {"do": "eas_status", "code": 16, "eas": "collection"}), (WRITES[8:], {"do": "eas_status", "code": 111}),
            (["Ping"], {"do": "eas_status", "code": 8})],
}


def script(seed, count):
    """[(number, actor, operation)]; actors are numbers of clients, and "world"."""
    rnd = random.Random(f"script {seed}")
    found = []
    for number in range(count):
        if rnd.random() < 0.22:
            found.append((number, "world", pick(rnd, WORLD_OPERATIONS)))
        else:
            found.append((number, rnd.randrange(CLIENTS), pick(rnd, CLIENT_OPERATIONS)))
    return found


def pick(rnd, weights):
    return rnd.choices(list(weights), list(weights.values()))[0]


def mail(token, rnd):
    lines = [f"Line {n} of {token}: " + "x" * rnd.randrange(90) for n in range(rnd.choice((1, 5, 40, 400)))]
    return (f"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: {token}\r\nMessage-ID: <{token}@{DOMAIN}>\r\n"
            "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
            + "\r\n".join(lines) + "\r\n").encode()


def uid_set(text):
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def beside(mailbox, other):
    """In the parent of one, by the last name of the other."""
    return "/".join([*mailbox.split("/")[:-1], other.split("/")[-1]])


class Client(Actor):
    def __init__(self, play, number):
        super().__init__(f"client {number}")
        self.play, self.number = play, number
        self.ledger, self.bridge = play.ledger, play.bridge
        self.session, self.marks = None, invariants.Marks(play.ledger)
        self.pending = []  # (what, token, ...) whose answer was not heard: to be tried again
        self.mailboxes = []  # of its own

    # ---- life ----

    def one(self, number, operation):
        rnd = random.Random(f"{self.play.seed} {number}")
        try:
            if self.pending and rnd.random() < 0.5:
                self.again(self.pending.pop(rnd.randrange(len(self.pending))))
            self.connected(rnd)
            self.ledger.note(self.name, f"{number} {operation}")
            getattr(self, operation)(rnd, f"c{self.number}-{number}")
        except GONE as e:
            self.ledger.note(self.name, f"{operation}: connection lost ({type(e).__name__})")
            self.drop()

    def drop(self):
        if self.session:
            self.session.close()
            self.session = None

    def connected(self, rnd):
        if self.session is None:
            self.session = self.play.session(self.name)
        if self.session.mailbox is None and not self.session.select(rnd.choice(STABLE), self.marks):
            self.session.select("INBOX", self.marks)
        self.session.catch_up()

    def told(self, command, status):
        self.ledger.note(self.name, f"{command} -> {status[:160]}")
        return status.startswith("OK")

    # ---- choosing ----

    def own(self, rnd, most=6):
        """{UID: token} of some of its messages in the open mailbox; none of which it does not know yet whether it is there."""
        found, open_ = {}, {token for what in self.pending if what[0] != "send" for token in what[-1]}
        for row in self.session.rows:
            token = row[0] and self.ledger.token(self.session.mailbox, self.session.validity, row[0])
            if token and token.startswith(f"c{self.number}-") and token in self.ledger.messages and token not in open_:
                found[row[0]] = token
        chosen = dict(rnd.sample(sorted(found.items()), min(len(found), rnd.randint(1, most))))
        self.ledger.note(self.name, f"in {self.session.mailbox}: {chosen}")
        return chosen

    def somewhere(self, rnd):
        return rnd.choice([*STABLE, *self.mailboxes])

    # ---- operations ----

    def noop(self, rnd, token):
        self.session.run("NOOP")

    def select(self, rnd, token):
        self.session.select(self.somewhere(rnd), self.marks)

    def look(self, rnd, token):
        uids = [row[0] for row in self.session.rows if row[0]]
        if not uids:
            return
        some = rnd.sample(uids, min(len(uids), 4))
        for line in self.session.run(f"UID FETCH {','.join(map(str, some))} (BODY.PEEK[])")[1]:
            uid = re.search(rb"[( ]UID (\d+)", line)
            if uid and b"BODY[] {" in line:
                found = self.ledger.token(self.session.mailbox, self.session.validity, int(uid[1]))
                self.ledger.check_body(found, literal(line), self.play.kind.backend)

    def search(self, rnd, token):
        self.session.run(rnd.choice(["SEARCH UNSEEN", "UID SEARCH FLAGGED", "SEARCH KEYWORD $label1", "UID SEARCH LARGER 4000",
                                     "SORT (SUBJECT) UTF-8 ALL"]))

    def store(self, rnd, token):
        chosen = self.own(rnd)
        if not chosen:
            return
        flags = rnd.sample(self.play.flags, rnd.randint(1, 2))
        there, silent = rnd.random() < 0.6, rnd.random() < 0.3
        command = f"UID STORE {','.join(map(str, chosen))} {'+' if there else '-'}FLAGS{'.SILENT' if silent else ''} ({' '.join(flags)})"
        self.ledger.marking(chosen.values(), flags)
        for row in self.session.rows:
            if silent and row[0] in chosen:
                row[1] = None
        if self.told(command, self.session.run(command)[0]):
            self.ledger.marked(chosen.values(), flags, there, self.session.mailbox)

    def move(self, rnd, token, hang_up=False):
        chosen, target = self.own(rnd), self.somewhere(rnd)
        if not chosen or target == self.session.mailbox:
            return
        command = f'UID MOVE {",".join(map(str, chosen))} "{target}"'
        self.ledger.moving(chosen.values(), target)
        if hang_up:
            self.leave(command.encode() + b"\r\n", rnd)
        status, untagged = self.session.run(command)
        if self.told(command, status):
            self.ledger.moved(self.copied_to(b"\n".join(untagged).decode("utf-8", "replace"), chosen, target), target)

    def copy(self, rnd, token):
        chosen, target = self.own(rnd, 2), self.somewhere(rnd)
        if not chosen:
            return
        command = f'UID COPY {",".join(map(str, chosen))} "{target}"'
        if self.play.kind.copy:
            self.ledger.copying(chosen.values())
        status, _ = self.session.run(command)
        if self.told(command, status):
            self.ledger.copied(self.copied_to(status, chosen, target))
        self.ledger.expect(self.play.kind.copy or status.startswith("NO [CANNOT]"), f"{command}: {status}")

    def copied_to(self, text, chosen, target):
        """Tokens that COPYUID names, whose new UIDs are noted."""
        m = re.search(r"\[COPYUID (\d+) ([\d:,]+) ([\d:,]+)\]", text)
        if not m:
            return []
        old, new = uid_set(m[2]), uid_set(m[3])
        self.ledger.expect(len(old) == len(new) and set(old) <= set(chosen), f"{self.name}: {m[0]}")
        for a, b in zip(old, new):
            self.ledger.saw(target, int(m[1]), b, chosen.get(a))
        return [chosen[uid] for uid in old if uid in chosen]

    def expunge(self, rnd, token):
        chosen = self.own(rnd, 3)
        if not chosen:
            return
        uids = ",".join(map(str, chosen))
        if not self.session.run(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")[0].startswith("OK"):
            return
        self.ledger.moving(chosen.values(), self.play.kind.expunged)
        before = {row[0] for row in self.session.rows}
        status, _ = self.session.run(f"UID EXPUNGE {uids}")
        if self.told(f"UID EXPUNGE {uids}", status):
            gone = before - {row[0] for row in self.session.rows}
            self.ledger.expect(not set(chosen) & {row[0] for row in self.session.rows}, f"{self.name}: {uids} are still there")
            self.ledger.moved([t for uid, t in chosen.items() if uid in gone and self.there(t)],
                              self.play.kind.expunged)

    def there(self, token):
        """It was in this mailbox for sure before it may have been expunged."""
        return self.ledger.messages[token].where == {self.session.mailbox, self.play.kind.expunged}

    def expunge_all(self, rnd, token):
        """What anybody marked as deleted here."""
        self.ledger.leaving(self.session.mailbox, self.play.kind.expunged)
        self.told("EXPUNGE", self.session.run("EXPUNGE")[0])

    def append(self, rnd, token, hang_up=False, count=1):
        self.try_append(("append", token, *self.written(rnd, token, rnd.choice(STABLE), count)), rnd if hang_up else None)

    def written(self, rnd, token, mailbox, count=1):
        """(mailbox, flags, {token: message}) to be stored; another mailbox where only drafts can be."""
        if self.play.kind.draft and not self.play.kind.append and rnd.random() < 0.7:
            mailbox = "Drafts"
        flags = rnd.sample(self.play.flags, rnd.randint(0, 2)) + ["\\Draft"] * (mailbox == "Drafts")
        mails = {each: mail(each, rnd) for each in [token, *(f"{token}-{n}" for n in range(2, count + 1))]}
        for each, data in mails.items():
            self.ledger.add(Message(each, data, mailbox, flags, most=int(self.play.kind.append or mailbox == "Drafts")))
            if mailbox == "Drafts":  # over ActiveSync keywords come after it, and may be lost: the message is what was asked for
                self.ledger.marking([each], [flag for flag in flags if flag[0] != "\\"])
        return mailbox, flags, mails

    def several(self, rnd, token):
        """MULTIAPPEND: all or none."""
        self.append(rnd, token, count=rnd.randint(2, 4))

    def try_append(self, what, hang_up=None):
        _, token, mailbox, flags, mails = what
        self.pending.append(what)
        self.store_mails(what, b"APPEND", mailbox, flags, mails, hang_up)

    def store_mails(self, what, command, mailbox, flags, mails, hang_up):
        """APPEND or REPLACE; was it done?"""
        text = b'%s "%s"' % (command, mailbox.encode())
        for data in mails.values():
            text += b" (%s) {%d+}\r\n%s" % (" ".join(flags).encode(), len(data), data)
        if hang_up:
            self.leave(text + b"\r\n", hang_up)
        status, untagged = self.session.run(text)
        name = f"{command.decode()} {' '.join(mails)}"
        if self.told(name, status):
            self.pending.remove(what)
            for each in mails:
                self.ledger.promised(each)
            uid = re.search(rb"\[APPENDUID (\d+) ([\d:,]+)\]", b"\n".join([status.encode(), *untagged]))
            uids = uid_set(uid[2].decode()) if uid else []
            self.ledger.expect(len(uids) in (0, len(mails)), f"{name}: {status}")
            for each, number in zip(mails, uids):
                self.ledger.saw(mailbox, int(uid[1]), number, each)
            return True
        if status.startswith("NO [CANNOT]"):
            self.pending.remove(what)
            self.ledger.expect(not self.play.kind.append and mailbox != "Drafts", f"{name}: {status}")
        return False

    def replace(self, rnd, token, hang_up=False):
        """REPLACE (RFC 8508): the old one goes, and not before the new one is there."""
        source, sure = self.session.mailbox, self.own(rnd)
        sure = [uid for uid, old in sure.items() if source in STABLE and self.is_sure(uid, old)]
        if not sure:
            return
        uid = rnd.choice(sure)
        old = self.ledger.token(source, self.session.validity, uid)
        mailbox, flags, mails = self.written(rnd, token, source if rnd.random() < 0.6 else rnd.choice(STABLE))
        self.ledger.moving([old], self.play.kind.expunged)
        self.try_replace(("replace", token, mailbox, flags, source, uid, {**mails, old: None}), rnd if hang_up else None)

    def is_sure(self, uid, token):
        """Nobody but this client can have it go from here."""
        message = self.ledger.messages[token]
        flags = next(row[1] for row in self.session.rows if row[0] == uid)
        return message.where == {self.session.mailbox} and message.most == 1 and flags is not None and "\\Deleted" not in flags

    def try_replace(self, what, hang_up=None):
        _, token, mailbox, flags, source, uid, mails = what
        self.pending.append(what)
        new, old = {token: mails[token]}, [each for each in mails if each != token]
        if self.session.mailbox != source and not self.session.select(source, self.marks):
            return
        if not self.session.catch_up() or any(row[0] is None for row in self.session.rows):
            return
        if uid not in [row[0] for row in self.session.rows]:  # so it was done, although nobody heard of it
            self.pending.remove(what)
            self.ledger.promised(token)
            self.ledger.moved(old, self.play.kind.expunged)
        elif self.store_mails(what, b"UID REPLACE %d" % uid, mailbox, flags, new, hang_up):
            self.ledger.moved(old, self.play.kind.expunged)

    def send(self, rnd, token, hang_up=False):
        data = mail(token, rnd)
        self.play.sent[token] = 0
        self.try_send(("send", token, data), rnd if hang_up else None)

    def try_send(self, what, hang_up=None):
        _, token, data = what
        self.pending.append(what)
        smtp = Smtp(self.bridge, timeout=120)
        try:
            smtp.sign_in()
            smtp.envelope(["bob@example.com"])
            smtp.check("DATA", 354)
            if hang_up:
                text = stuffed(data)
                smtp.write(text[: hang_up.choice((len(text), len(text) - 1, hang_up.randrange(len(text))))])
                self.ledger.note(self.name, f"DATA {token}: hung up")
                return
            smtp.write(stuffed(data))
            code, text = smtp.answer()
            self.ledger.note(self.name, f"DATA {token} -> {code} {text[:100]}")
            self.ledger.expect(code == 250 or 400 <= code < 500, f"{token} was answered {code} {text}")
            if code == 250:
                self.pending.remove(what)
                self.play.sent[token] = 1
        finally:
            smtp.close()

    def again(self, what):
        self.ledger.note(self.name, f"again: {what[0]} {what[1]}")
        self.pending.append(what)
        if what[0] != "send" and self.session is None:
            self.session = self.play.session(self.name)
        self.pending.remove(what)
        {"append": self.try_append, "replace": self.try_replace, "send": self.try_send}[what[0]](what)

    def hang_up(self, rnd, token):
        """Says what it wants and does not wait for the answer."""
        getattr(self, rnd.choice(("move", "append", "replace", "send")))(rnd, token, hang_up=True)

    def leave(self, data, rnd):
        whole = self.session.tag().encode() + b" " + data
        self.session.send(whole[: rnd.choice((len(whole), len(whole), rnd.randrange(len(whole))))])
        raise Closed()

    def mailbox(self, rnd, token):
        """Made, renamed, deleted; names are never used again, because nobody can tell then what was meant."""
        what = rnd.choice(("CREATE", "CREATE", "RENAME", "DELETE"))
        name = f"{rnd.choice(('', 'Kept/'))}Of {token}"
        if what == "CREATE" or not self.mailboxes:
            if self.told(f"CREATE {name}", self.session.run(f'CREATE "{name}"')[0]):
                self.mailboxes.append(name)
            return
        old = self.mailboxes.pop(rnd.randrange(len(self.mailboxes)))
        if what == "DELETE" and not self.play.kind.keeps_deleted:
            self.session.select(old, self.marks)
            what = "RENAME" if self.session.mailbox != old or self.session.rows else what  # its mail would be gone for good
        if self.session.mailbox == old:
            self.session.select("INBOX", self.marks)
        if what == "RENAME":
            for between in (name, beside(name, old), beside(old, name)):  # moved, or named, when the other step fails
                self.ledger.leaving(old, between)
            if self.told(f"RENAME {old} {name}", self.session.run(f'RENAME "{old}" "{name}"')[0]):
                self.ledger.renamed(old, name)
                self.mailboxes.append(name)
            return
        if self.play.kind.keeps_deleted:
            self.ledger.leaving_mailboxes(lambda where: where == old)
        else:
            self.ledger.may_be_gone(old)
        self.told(f"DELETE {old}", self.session.run(f'DELETE "{old}"')[0])


class World:
    """What happens on the server, and to it."""

    def __init__(self, play):
        self.play, self.ledger, self.exchange = play, play.ledger, play.exchange
        self.items = {}  # token -> number of its item
        self.kills = self.hits = 0
        self.name = "world"

    def one(self, number, operation):
        rnd = random.Random(f"{self.play.seed} {number}")
        getattr(self, operation)(rnd, f"w-{number}")

    def deliver(self, rnd, token, folder=None):
        folder = folder or rnd.choice(STABLE)
        self.ledger.note(self.name, f"delivers {token} to {folder}")
        data = mail(token, rnd)
        self.ledger.add(Message(token, data, folder, least=1))
        self.items[token] = self.exchange.deliver(mime=data, folder=folder.replace("INBOX", "Inbox"))[0]["num"]

    def flag(self, rnd, token):
        if not self.items:
            return
        token = rnd.choice(sorted(self.items))
        flag = rnd.choice(("\\Seen", "\\Flagged", "$label1"))
        there = rnd.random() < 0.6
        self.ledger.note(self.name, f"{flag} of {token} is {there}")
        self.ledger.marking([token], [flag])
        change = {"\\Seen": {"read": there}, "\\Flagged": {"flag": 2 * there}, "$label1": {"categories": ["Important"] * there}}[flag]
        self.exchange.change("update", num=self.items[token], **change)
        with self.ledger.lock:
            self.ledger.messages[token].flags[flag] = there

    def move(self, rnd, token):
        if not self.items:
            return
        token, folder = rnd.choice(sorted(self.items)), rnd.choice(STABLE)
        self.ledger.note(self.name, f"moves {token} to {folder}")
        self.ledger.moving([token], folder)
        self.items[token] = self.exchange.change("move", num=self.items[token], to=folder.replace("INBOX", "Inbox"))[0]["num"]
        self.ledger.moved([token], folder)

    def delete(self, rnd, token):
        if not self.items:
            return
        token = rnd.choice(sorted(self.items))
        self.ledger.note(self.name, f"deletes {token}")
        self.exchange.change("delete", num=self.items.pop(token), how="hard")
        self.ledger.removed([token])

    def folder(self, rnd, token):
        name = f"Made {token}"
        self.ledger.note(self.name, f"makes {name}")
        self.exchange.folder("create", name=name)
        self.deliver(rnd, token, name)

    def fault(self, rnd, token):
        rule, operations = rnd.choice(FAULTS), WRITES + READS
        if rnd.random() < 0.3:
            operations, rule = rnd.choice(OWN_FAULTS[self.play.kind.backend])
        operation = rnd.choice(operations)
        self.ledger.note(self.name, f"fault {rule} for {operation}")
        self.exchange.fault(protocol=self.play.kind.backend, op=operation, **rule)

    def drop(self, rnd, token):
        self.ledger.note(self.name, "drops connections")
        self.exchange.drop_connections()

    def invalidate(self, rnd, token):
        self.ledger.note(self.name, "forgets sync states")
        self.exchange.invalidate()

    def kill(self, rnd, token):
        self.kills += 1
        self.ledger.note(self.name, "kill -9")
        with self.play.starting:
            self.play.bridge.kill(close=False)
            if rnd.random() < 0.2:
                self.play.bridge.delete_cache()
            self.play.bridge.start()


class Play:
    def __init__(self, stage, kind, seed):
        self.kind, self.seed = kind, seed
        self.flags = [flag for flag in FLAGS if kind.answered or flag != "\\Answered"]
        stage.expected = ("Ping of a folder that was never synced",)  # when the server has forgotten all it knew
        self.ledger, self.sent = invariants.Ledger(), {}
        self.starting = threading.Lock()
        self.exchange = kind.exchange(stage)
        self.exchange.folder("create", name="Kept")
        self.exchange.folder("create", parent="Kept", name="Below")
        self.bridge = stage.bridge(kind.account("work", self.exchange))
        self.world = World(self)
        self.clients = [Client(self, n) for n in range(CLIENTS)]

    def session(self, name):
        """Signed in, as soon as the bridge is there."""
        def connect():
            with self.starting:
                try:
                    session = Session(self.bridge, self.ledger, name)
                except GONE:
                    return None
            self.bridge.clients.append(session)
            status, _ = session.run(f'LOGIN work "{LOCAL_PASSWORD}"')
            return session if status.startswith("OK") else None

        return poll(60, connect, lambda: "nobody can sign in\n" + self.bridge.tail())

    def stock(self):
        """Something to begin with."""
        rnd = random.Random(f"stock {self.seed}")
        for n in range(12):
            self.world.deliver(rnd, f"w-s{n}")
        for client in self.clients:
            for n in range(12):
                self.world.deliver(rnd, f"c{client.number}-s{n}")
        self.world.items = {t: n for t, n in self.world.items.items() if t.startswith("w-")}

    def account(self):
        """What was done, in a line."""
        promised = sum(m.least for m in self.ledger.messages.values())
        return (f"{len(self.ledger.messages)} messages, {promised} of them promised; {len(self.sent)} sends, {sum(self.sent.values())} of them "
                f"answered with 250; {len(self.ledger.uids)} UIDs; {self.world.kills} kills, {self.world.hits} faults met")

    def run(self, count):
        self.stock()
        for client in self.clients:
            client.start()
        for number, actor, operation in script(self.seed, count):
            if actor == "world":
                self.world.one(number, operation)
            else:
                self.clients[actor].todo.put((number, operation))
            if self.ledger.problems or any(c.error for c in self.clients):
                break
        for client in self.clients:
            client.todo.put(None)
        for client in self.clients:
            client.join(300)
            if client.error:
                raise client.error
            self.ledger.expect(not client.is_alive(), f"{client.name} does not end")

    def settle(self):
        """The trouble is over: what was not answered is asked again until it is, and then all is quiet."""
        self.world.hits = sum(rule["hits"] for rule in self.exchange.faults())
        self.exchange.clear_faults()
        self.ledger.note("play", "trouble is over")
        for client in self.clients:
            client.drop()
            poll(QUIET_S, lambda: self.again(client), lambda: f"{client.name}: {[p[:3] for p in client.pending]}\n{self.bridge.tail()}")

    def again(self, client):
        for what in list(client.pending):
            client.pending.remove(what)
            try:
                client.again(what)
            except GONE as e:
                self.ledger.note(client.name, f"{what[1]}: {type(e).__name__} although there is no trouble any more")
                client.drop()
        if client.pending:
            time.sleep(0.5)
        return not client.pending

    def compare(self):
        imap = self.session("judge")
        server, seen = {}, {"all": {}}

        def agree():
            folders = invariants.Server(self.exchange).folders
            server.update(all={name: what for name, what in folders.items() if name not in self.kind.hidden})
            try:
                seen.update(all=invariants.over_imap(imap))
                waits_for = invariants.differences(server["all"], seen["all"])
            except AssertionError as e:  # what was cut off is still being looked for, and this is how one hears of it
                if "[EXPUNGEISSUED]" not in str(e) and "[NONEXISTENT]" not in str(e):
                    raise
                waits_for = [str(e)]
            if waits_for != seen.get("waits_for"):
                self.ledger.note("play", f"server and IMAP differ: {waits_for}")
            seen.update(waits_for=waits_for)
            return not waits_for

        poll(QUIET_S, agree, lambda: "server and IMAP differ: " + "\n".join(invariants.differences(server["all"], seen["all"]))
             + f"\n{self.bridge.log_path}")
        invariants.check_server(self.ledger, self.exchange)
        invariants.check_sent(self.ledger, self.exchange, self.sent)
        self.sessions_agree()

    def sessions_agree(self):
        """Each old session, told what it was not yet told, shows what a new one shows."""
        judge = self.session("judge")
        for client in self.clients:
            client.one("last", "noop")
            session = client.session
            judge.select(session.mailbox, invariants.Marks(self.ledger))
            session.catch_up()
            known = [row for row in session.rows]
            fresh = [[uid, flags] for uid, flags in judge.rows]
            self.ledger.expect([r[0] for r in known] == [r[0] for r in fresh], f"{client.name} in {session.mailbox}: {known} against {fresh}")
            for (uid, old), (_, new) in zip(known, fresh):
                self.ledger.expect(old is None or old == new, f"{client.name} in {session.mailbox}: flags of {uid} are {old} against {new}")


def play(stage, kind, seed, count):
    """Raises an AssertionError that tells how to see it again."""
    it = Play(stage, kind, seed)
    path = f"{it.bridge.directory}/operations"
    try:
        it.run(count)
        if not it.ledger.problems:
            it.settle()
            it.compare()
        if it.ledger.problems:
            raise invariants.Violation("\n".join(it.ledger.problems[:20]))
    except BaseException as e:
        raise AssertionError(f"seed {seed}, {count} operations, {kind}; all of them are in {path}\n{e}") from e
    finally:
        with open(path, "w") as file:
            file.write("\n".join(it.ledger.lines) + "\n")
    return it
