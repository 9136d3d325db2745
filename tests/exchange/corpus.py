# SPDX-License-Identifier: Apache-2.0
"""A believable mailbox, the same on every run.

Message i of a Corpus is a function of (seed, i) alone, so that 100,000 messages cost nothing until someone reads them:
the model gets a callable, a size and a Message-ID. `python3 corpus.py N DIR [seed [mean]]` writes them out as files.
"""
import base64
import binascii
import bisect
import email.utils
import functools
import os
import quopri
import random
import re
import sys
import time
import urllib.parse

import mimeinfo

WORDS = (
    "agenda quarter supplier rollout figures draft contract branch ledger handover cooling sensor harbour audit "
    "invoice travel badge printer timetable canteen backup firmware release outage ticket customer survey forecast "
    "pallet warehouse tender budget quota lease tariff visitor workshop minutes proposal roadmap deadline delay "
    "approval signature attachment revision reminder kickoff estimate payroll holiday training evaluation the a of "
    "for with from to and about before after between until without please thanks regards review update status plan "
    "next last first new old open closed final pending next week Monday Tuesday Thursday morning afternoon"
).split()
FOREIGN = (
    "Übersicht Größe Änderung Prüfbericht Straßenbau façade déjà été crème coûts año mañana señal łódź żółty "
    "čtvrtek příloha ødelagt smørbrød håndbok отчёт договор встреча бюджет σχέδιο προσφορά 会議 資料 見積書 予算案 "
    "회의록 견적서 计划 预算 הצעה تقرير 😀 📎"
).split()
PEOPLE = (
    "Ada Winter|Bruno Falk|Céline Moreau|Dmitri Orlov|Дарья Лебедева|Erik Åström|Fatima Zahra|Gül Şahin|Håkon Lie|"
    "Inês Gonçalves|Jörg Weiß|Keiko 田中|佐藤 健|Lena O'Brien|Miloš Dvořák|Nina van Dijk|Óscar Núñez|Paweł Wójcik|"
    "Quentin Le Goff|Ruth Adler|김민준|Tomáš Čech|Uwe Schäfer|Vera Conti|Willem de Boer|Ximena Ríos|Yusuf Demir|"
    "Zoë Keller"
).split("|")
DOMAINS = ("example.com", "contoso.example", "fabrikam.example", "northwind.example", "lists.example.org")
LEGACY = (
    ("iso-8859-1", "Größe und Änderung, façade, año, coûts "),
    ("koi8-r", "отчёт договор встреча бюджет "),
    ("iso-2022-jp", "会議 資料 見積書 予算案 "),
    ("windows-1252", "“quoted” – dash € 5,00 … "),
    ("euc-kr", "회의록 견적서 "),
    ("gb2312", "计划 预算 会议 "),
    ("shift_jis", "会議資料 "),
    ("utf-16", "wide text "),
)
HEADER_CHARSETS = ("utf-8", "utf-8", "utf-8", "iso-8859-1", "koi8-r", "iso-2022-jp", "windows-1252", "gb2312")
TYPES = (
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("zip", "application/zip"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("bin", "application/octet-stream"),
)

# kind -> weight; the kinds are the methods Corpus.kind_*
MIXES = {
    "mixed": {
        "text": 37,
        "alternative": 30,
        "attachments": 12,
        "inline": 5,
        "invitation": 4,
        "forwarded": 4,
        "legacy": 4,
        "eightbit": 2,
        "headers": 1,
        "broken": 1,
    },
    "small": {"text": 80, "legacy": 20},
    "text": {"text": 1},
    "odd": {"legacy": 2, "eightbit": 1, "headers": 2, "broken": 6, "forwarded": 1, "invitation": 1},
}
BROKEN_FORMS = 9
# mean length in bytes, measured over 6,000 messages
NATURAL = {
    "text": 3800,
    "alternative": 15600,
    "attachments": 118000,
    "inline": 25200,
    "invitation": 4100,
    "forwarded": 5500,
    "legacy": 2300,
    "eightbit": 2500,
    "headers": 55400,
    "broken": 3300,
}


def encode_words(text, rnd):
    """RFC 2047, in a charset of any kind that can say it, folded; ASCII stays as it is."""
    if text.isascii():
        return text
    charset = next((c for c in rnd.sample(HEADER_CHARSETS, 4) if _fits(text, c)), "utf-8")
    use_q = charset not in ("iso-2022-jp", "gb2312") and rnd.random() < 0.4

    def word(piece):
        data = piece.encode(charset)
        if use_q:
            body = "".join(chr(b) if chr(b).isalnum() and b < 128 else "_" if b == 32 else f"={b:02X}" for b in data)
            return f"=?{charset}?Q?{body}?="
        return f"=?{charset}?B?{base64.b64encode(data).decode()}?="

    words, piece = [], ""
    for char in text:
        if len(word(piece + char)) > 72:
            words.append(word(piece))
            piece = ""
        piece += char
    return "\r\n ".join(words + [word(piece)])


def _fits(text, charset):
    try:
        text.encode(charset)
        return True
    except UnicodeEncodeError:
        return False


def simple_message(subject, text, sender, to, date, number):
    """A plain message for deliveries by the control port."""
    rnd = random.Random(number)
    name, address = email.utils.parseaddr(sender)
    head = [
        f"Received: from mx.example.com (192.0.2.1) by standin.example.com; {email.utils.formatdate(date)}",
        f"From: {encode_words(name, rnd)} <{address}>" if name else f"From: {address}",
        f"To: {to}",
        f"Subject: {encode_words(subject, rnd)}",
        f"Date: {email.utils.formatdate(date)}",
        f"Message-ID: <delivered.{number}@standin.example.com>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + re.sub(r"\r?\n", "\r\n", text)).encode()


class Corpus:
    def __init__(self, seed=1, mean=0, kinds="mixed"):
        self.seed = seed
        self.weights = MIXES[kinds]
        self.names = list(self.weights)
        self.bounds = []
        for name in self.names:
            self.bounds.append((self.bounds[-1] if self.bounds else 0) + self.weights[name])
        self.scale = mean / self._natural_mean() if mean else 1.0
        pool = random.Random(seed)
        self.lines = [self._sentence(pool, 0.03) for _ in range(1200)]
        self.ascii_lines = [self._sentence(pool, 0) for _ in range(600)]
        self.noise = base64.encodebytes(pool.randbytes(1 << 21)).replace(b"\n", b"\r\n")  # 78 bytes a line

    def _natural_mean(self):
        return sum(NATURAL[n] * w for n, w in self.weights.items()) / sum(self.weights.values())

    @staticmethod
    def _sentence(rnd, foreign):
        words = [
            rnd.choice(FOREIGN) if rnd.random() < foreign else rnd.choice(WORDS) for _ in range(rnd.randint(6, 11))
        ]
        return " ".join(words).capitalize()[:76] + "\r\n"

    def rnd(self, i, salt=0):
        return random.Random((self.seed << 40) + (salt << 36) + i)

    # ---- what is known without generating ----

    def kind(self, i):
        return self.names[bisect.bisect_right(self.bounds, self.rnd(i, 1).random() * self.bounds[-1])]

    def message_id(self, i):
        """None for the few that have none; a few share one."""
        if i % 487 == 486:
            return None
        if i % 613 == 612:
            i -= 1
        rnd = self.rnd(i, 2)
        return f"<{rnd.getrandbits(64):016X}.{i}@{rnd.choice(DOMAINS)}>"

    def parent(self, i):
        rnd = self.rnd(i, 3)
        return max(0, i - rnd.randint(1, 40)) if i and rnd.random() < 0.55 else None

    def thread(self, i):
        """The numbers of the ancestors, nearest first."""
        found = []
        i = self.parent(i)
        while i is not None and len(found) < 30:
            found.append(i)
            i = self.parent(i)
        return found

    def length(self, i):
        """Roughly the MIME's length, without generating it."""
        rnd = self.rnd(i, 5)
        return int(NATURAL[self.kind(i)] * self.scale * rnd.uniform(0.5, 1.5))

    def subject(self, i):
        root = (self.thread(i) or [i])[-1]
        rnd = self.rnd(root, 4)
        words = [
            rnd.choice(FOREIGN) if rnd.random() < (0.3 if root % 4 == 0 else 0) else rnd.choice(WORDS)
            for _ in range(rnd.randint(2, 8))
        ]
        base = rnd.choice(["", "", "", "", "FW: ", "[dev-list] "]) + " ".join(words).capitalize()
        return base if root == i else "Re: " + base

    # ---- the message ----

    def mime(self, i, received):
        rnd = self.rnd(i, 6)
        head = self.header(i, received, rnd)
        return getattr(self, "kind_" + self.kind(i))(i, rnd, head, received)

    def person(self, rnd):
        name = rnd.choice(PEOPLE)
        local = "".join(c for c in name.lower().replace(" ", ".") if c.isascii() and (c.isalpha() or c == ".")).strip(
            "."
        )
        shown = encode_words(name, rnd)
        if shown == name and rnd.random() < 0.3:
            shown = '"' + ", ".join(reversed(name.split(" ", 1))) + '"'
        return f"{shown} <{local or 'user'}{rnd.randrange(90)}@{rnd.choice(DOMAINS)}>"

    def header(self, i, received, rnd):
        zone = rnd.choice(("+0000", "+0100", "-0500", "+0530"))
        hours = int(zone[:3]) * 3600 + (1800 if zone.endswith("30") else 0)
        date = time.strftime("%a, %d %b %Y %H:%M:%S ", time.gmtime(received - 5 + hours)) + zone
        lines = []
        for hop in range(rnd.randint(2, 7)):
            lines.append(
                f"Received: from mx{hop}.{rnd.choice(DOMAINS)} (192.0.2.{rnd.randrange(1, 250)})\r\n"
                f"\tby relay{hop}.example.com with ESMTPS id {rnd.getrandbits(40):010X}; {date}"
            )
        if rnd.random() < 0.6:
            token = base64.b64encode(rnd.randbytes(96)).decode()
            lines.append(
                f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={rnd.choice(DOMAINS)}; s=k1;\r\n"
                f"\th=from:to:subject:date;\r\n\tbh={token[:44]};\r\n\tb={token[44:]}"
            )
        lines.append("From: " + self.person(rnd))
        lines.append(
            "To: Alice Example <alice@example.com>"
            + "".join(",\r\n\t" + self.person(rnd) for _ in range(rnd.choice((0, 0, 0, 1, 2, 6))))
        )
        if rnd.random() < 0.25:
            lines.append("Cc: " + ",\r\n\t".join(self.person(rnd) for _ in range(rnd.choice((1, 2, 4, 15)))))
        lines.append("Subject: " + encode_words(self.subject(i), rnd))
        lines.append("Date: " + date)
        own = self.message_id(i)
        if own:
            lines.append("Message-ID: " + own)
        chain = [m for m in map(self.message_id, self.thread(i)) if m]
        if chain:
            lines += ["In-Reply-To: " + chain[0], "References: " + "\r\n ".join(reversed(chain))]
        if rnd.random() < 0.05:
            lines.append("Importance: high\r\nX-Priority: 1")
        if "[dev-list]" in self.subject(i):
            lines.append("List-Id: Developers <dev.lists.example.org>\r\nPrecedence: list")
        return lines + ["MIME-Version: 1.0"]

    def size(self, rnd, median, spread, low, high):
        return int(min(high, max(low, rnd.lognormvariate(0, spread) * median)) * self.scale)

    def text(self, rnd, size, lines=None):
        lines = lines or self.lines
        start, out, total = rnd.randrange(len(lines)), [], 0
        while total < size:
            line = lines[(start + len(out)) % len(lines)]
            out.append(line)
            total += len(line)
        return "".join(out)

    def slice(self, rnd, size):
        """Base64 lines of about `size` bytes."""
        lines = max(1, min(size, len(self.noise) - 156) // 78)
        start = rnd.randrange(0, len(self.noise) // 78 - lines) * 78
        return self.noise[start : start + lines * 78]

    def part_text(self, rnd, size):
        data = self.text(rnd, size).encode()
        if rnd.random() < 0.5:
            return (
                b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                + quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
            )
        return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + data

    def part_html(self, rnd, size):
        rows = "".join(
            f'<tr><td style="color:#{rnd.getrandbits(24):06x}">{line.strip()}</td></tr>\r\n'
            for line in self.text(rnd, size // 2).splitlines()
        )
        data = f"<html><head><meta charset=utf-8></head><body><table>\r\n{rows}</table></body></html>\r\n".encode()
        if rnd.random() < 0.4:
            return (
                b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                + base64.encodebytes(data).replace(b"\n", b"\r\n")
            )
        return b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + data

    @staticmethod
    def multipart(rnd, sub, parts, close=True, extra=""):
        mark = b"----=_NextPart_%03d_%s" % (rnd.randrange(1000), binascii.hexlify(rnd.randbytes(8)).upper())
        out = b"Content-Type: multipart/%s;%s\r\n\tboundary=\"%s\"\r\n\r\nThis is a multi-part message.\r\n" % (
            sub.encode(),
            extra.encode(),
            mark,
        )
        for part in parts:
            out += b"\r\n--" + mark + b"\r\n" + part
        return out + (b"\r\n--" + mark + b"--\r\n" if close else b"\r\n")

    def attachment(self, rnd, size):
        suffix, kind = rnd.choice(TYPES)
        name = "_".join(rnd.choice(FOREIGN[:20] if rnd.random() < 0.3 else WORDS) for _ in range(2)) + "." + suffix
        if name.isascii():
            head = (
                f'Content-Type: {kind};\r\n\tname="{name}"\r\nContent-Disposition: attachment;\r\n\tfilename="{name}"'
            )
        else:
            head = (
                f"Content-Type: {kind}\r\nContent-Disposition: attachment;\r\n"
                f"\tfilename*=utf-8''{urllib.parse.quote(name)}"
            )
        return head.encode() + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + self.slice(rnd, size)

    @staticmethod
    def join(head, body):
        return ("\r\n".join(head) + "\r\n").encode() + body

    def kind_text(self, i, rnd, head, received):
        return self.join(head, self.part_text(rnd, self.size(rnd, 1500, 0.9, 60, 60000)))

    def kind_alternative(self, i, rnd, head, received):
        parts = [
            self.part_text(rnd, self.size(rnd, 1500, 0.8, 80, 30000)),
            self.part_html(rnd, self.size(rnd, 8000, 0.9, 400, 150000)),
        ]
        return self.join(head, self.multipart(rnd, "alternative", parts))

    def kind_attachments(self, i, rnd, head, received):
        first = self.part_text(rnd, self.size(rnd, 900, 0.5, 80, 9000))
        if rnd.random() < 0.5:
            first = self.multipart(
                rnd, "alternative", [first, self.part_html(rnd, self.size(rnd, 4000, 0.5, 400, 30000))]
            )
        files = [
            self.attachment(rnd, self.size(rnd, 36000, 1.2, 500, 1500000)) for _ in range(rnd.choice((1, 1, 1, 2, 3)))
        ]
        return self.join(head, self.multipart(rnd, "mixed", [first] + files))

    def kind_inline(self, i, rnd, head, received):
        picture = (
            b'Content-Type: image/png; name="image001.png"\r\nContent-ID: <image001.png@01DC7D1A>\r\n'
            b'Content-Disposition: inline; filename="image001.png"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            + self.slice(rnd, self.size(rnd, 13000, 0.8, 600, 400000))
        )
        parts = [self.part_html(rnd, self.size(rnd, 5000, 0.5, 500, 40000)), picture]
        return self.join(head, self.multipart(rnd, "related", parts, extra=' type="text/html";'))

    def kind_invitation(self, i, rnd, head, received):
        stamp = time.strftime("%Y%m%dT%H0000Z", time.gmtime(received + 86400 * rnd.randint(1, 30)))
        event = (
            "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nPRODID:Microsoft Exchange Server 2010\r\nVERSION:2.0\r\n"
            "BEGIN:VEVENT\r\n"
            f"UID:040000008200E00074C5B7101A82E008{rnd.getrandbits(64):016X}\r\nDTSTAMP:{stamp}\r\nDTSTART:{stamp}\r\n"
            f"DURATION:PT1H\r\nSUMMARY:{self.subject(i)}\r\nORGANIZER:MAILTO:boss@example.com\r\n"
            f"ATTENDEE;RSVP=TRUE:MAILTO:alice@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        calendar = (
            b"Content-Type: text/calendar; charset=\"utf-8\"; method=REQUEST\r\nContent-Transfer-Encoding: base64"
            b"\r\n\r\n" + base64.encodebytes(event.encode()).replace(b"\n", b"\r\n")
        )
        return self.join(
            head, self.multipart(rnd, "alternative", [self.part_text(rnd, 400), self.part_html(rnd, 1200), calendar])
        )

    def kind_forwarded(self, i, rnd, head, received):
        inner = self.join(
            self.header(i + 50_000_000, received - 9000, rnd), self.part_text(rnd, self.size(rnd, 1500, 0.7, 80, 20000))
        )
        part = b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + inner
        return self.join(head, self.multipart(rnd, "mixed", [self.part_text(rnd, 300), part]))

    def kind_legacy(self, i, rnd, head, received):
        charset, phrase = LEGACY[rnd.randrange(len(LEGACY))]
        data = "".join(phrase * rnd.randint(1, 3) + "\r\n" for _ in range(rnd.randint(3, 30))).encode(
            charset, "replace"
        )
        if charset == "utf-16":
            return self.join(
                head,
                b"Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                + base64.encodebytes(data).replace(b"\n", b"\r\n"),
            )
        how = b"7bit" if charset == "iso-2022-jp" else b"8bit"
        return self.join(
            head,
            b"Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n" % (charset.encode(), how)
            + data,
        )

    def kind_eightbit(self, i, rnd, head, received):
        """Raw 8-bit header and body without a word about the charset."""
        head = [h if not h.startswith("Subject:") else "Subject: Änderung " + str(i) for h in head]
        return self.join(head, b"Content-Type: text/plain\r\n\r\n" + self.text(rnd, 1200).encode("utf-8"))

    def kind_headers(self, i, rnd, head, received):
        """A header block of 20 to 60 kB: many fields, long folded ones, one endless line."""
        head = head[:-1] + [
            f"X-Trace-{n}: " + base64.b64encode(rnd.randbytes(300)).decode() for n in range(rnd.randint(40, 120))
        ]
        head.append("X-Endless: " + "x" * 12000)
        head.append("X-Folded: " + "\r\n\t".join(w * 5 for w in rnd.choices(WORDS, k=200)))
        return self.join(head + ["MIME-Version: 1.0"], self.part_text(rnd, 900))

    def kind_broken(self, i, rnd, head, received):
        form = rnd.randrange(BROKEN_FORMS)
        plain = b"\r\n" + self.text(rnd, 400, self.ascii_lines).encode()
        if form == 0:
            return self.join(
                head, self.multipart(rnd, "mixed", [self.part_text(rnd, 500), self.attachment(rnd, 3000)], close=False)
            )
        if form == 1:
            return self.join([h for h in head if not h.startswith(("Date:", "MIME-Version:"))], plain)
        if form == 2:
            return self.join(head, b"Content-Type: text/plain\r\n\r\n")
        if form == 3:
            return self.join(head, b"Content-Type: text/plain; charset=x-nobody-knows\r\n" + plain)
        if form == 4:
            return self.join(head, b"Content-Type: multipart/mixed\r\n\r\nno boundary was given\r\n")
        if form == 5:
            return self.join(
                head,
                b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                b"this is *not* base64 at all!!\r\n",
            )
        if form == 6:
            return self.join(["this line is no header field"] + head, b"Content-Type: ;;;\r\n" + plain)
        if form == 7:
            return self.join(head, b"Content-Type: text/plain\r\n\r\n" + b"y" * 5000 + b"\r\nlast line without an end")
        inner = self.part_text(rnd, 100)
        for _ in range(40):
            inner = self.multipart(rnd, "mixed", [inner])
        return self.join(head, inner)

    def big(self, size, received):
        rnd = self.rnd(0, 7)
        head = [
            h
            if not h.startswith(("Subject:", "Message-ID:"))
            else "Subject: The big one"
            if h.startswith("Subject:")
            else "Message-ID: <big@example.com>"
            for h in self.header(0, received, rnd)
        ]
        block = self.slice(rnd, 780000)
        return self.join(
            head,
            self.multipart(
                rnd,
                "mixed",
                [
                    self.part_text(rnd, 500),
                    b'Content-Type: application/octet-stream; name="big.bin"\r\nContent-Disposition: '
                    b'attachment; filename="big.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
                    + block * max(1, size // len(block)),
                ],
            ),
        )


@functools.lru_cache(maxsize=8)
def corpus(seed, mean, kinds):
    return Corpus(seed, mean, kinds)


def fill(mailbox, folder, count, *, seed=1, mean=0, kinds="mixed", start=0, step=600, big=0, traits=None):
    """Puts messages start .. start+count-1 of a corpus into a folder, oldest first, `step` seconds apart, the newest
    one just now; `big` bytes: one more message of that size in the middle."""
    source = corpus(seed, mean, kinds)
    now = mailbox.clock.now()
    for n in range(count):
        i = start + n
        received = now - (count - n) * step
        rnd = source.rnd(i, 8)
        read, flagged, answered, labelled = (rnd.random() for _ in range(4))
        mailbox.add_item(
            folder,
            functools.partial(source.mime, i, received),
            received=received,
            size=mimeinfo.store_size(source.length(i)),
            message_id=source.message_id(i),
            read=read < 0.9,
            flag=2 if flagged < 0.03 else 0,
            item_class=mimeinfo.MEETING_REQUEST if source.kind(i) == "invitation" else "IPM.Note",
            last_verb=(102, 103, 104)[int(answered * 1000) % 3] if answered < 0.15 else None,
            categories=("Project", "Später")[: 1 + (labelled < 0.01)] if labelled < 0.04 else (),
            traits=traits,
        )
        if big and n == count // 2:
            fill_big(mailbox, folder, source, big, received + step // 2)
    if big and not count:
        fill_big(mailbox, folder, source, big, now)


def fill_big(mailbox, folder, source, size, received):
    mailbox.add_item(
        folder,
        functools.partial(source.big, size, received),
        received=received,
        size=mimeinfo.store_size(size),
        message_id="<big@example.com>",
        read=False,
    )


# path, share of the messages in per cent
DEMO_FOLDERS = (
    (("inbox",), 45),
    (("sentitems",), 12),
    (("deleteditems",), 3),
    (("junkemail",), 2),
    (("drafts",), 1),
    (("inbox", "Projects"), 6),
    (("inbox", "Projects", "Harbour 2026"), 6),
    (("inbox", "Größe & Änderung"), 4),
    (("Archive",), 8),
    (("Clients/Suppliers",), 3),
    (("Clients/Suppliers", "Contoso"), 3),
    (("会議メモ",), 3),
    (("Отчёты",), 2),
    (("Empty",), 0),
    (("a \"quoted\" name\\with*odd%signs",), 2),
)


def fill_demo(mailbox, count, seed=1):
    """A mailbox that looks lived in: folders, names in several scripts, mail in each."""
    start = 0
    for path, share in DEMO_FOLDERS:
        folder = mailbox.kinds["msgfolderroot"]
        for name in path:
            if name in mailbox.kinds:
                folder = mailbox.kinds[name]
                continue
            known = next((f for f in mailbox.children(folder.num) if f.name == name), None)
            folder = known or mailbox.create_folder(folder, name)
        share = count * share // 100
        own = frozenset(("no-transport",)) if path[0] in ("drafts", "sentitems") else None
        fill(mailbox, folder, share, seed=seed, start=start, step=3600, traits=own)
        if path == ("drafts",):
            for item in folder.items.values():
                item.draft = True
        start += share


def main():
    count, target = int(sys.argv[1]), sys.argv[2]
    source = Corpus(*map(int, sys.argv[3:5]))
    os.makedirs(target, exist_ok=True)
    for i in range(count):
        with open(os.path.join(target, f"{i:06d}.eml"), "wb") as file:
            file.write(source.mime(i, 1_767_600_000 - (count - i) * 600))


if __name__ == "__main__":
    main()
