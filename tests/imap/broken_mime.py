# SPDX-License-Identifier: Apache-2.0
"""Messages as they should not be: a seeded generator of odd headers, addresses, parameters and multiparts, then mutated
line by line. Every message has CRLF line ends, as the bridge stores them."""
import random
import re

ADDRESSES = [
    b"alice@example.com", b"Alice <alice@example.com>", b'"Alice, B." <alice@example.com>', b"<alice@example.com>",
    b"alice@example.com (Alice)", b"Alice (comment) Example <alice@example.com>", b"(c)alice@example.com", b"", b" ", b",",
    b"a@b, c@d", b"a@b,,c@d,", b"a@b; c@d", b"undisclosed-recipients:;", b"group: a@b, C <c@d>;", b"group:a@b", b"g1:a@b;, g2:c@d;",
    b"Group Name: a@b;", b'"Quoted Group": a@b;', b"g:;,x@y", b"=?utf-8?q?J=C3=BCrgen?= <j@example.com>",
    b"=?utf-8?b?SsO8cmdlbg==?=  <j@example.com>", b"J\xc3\xbcrgen <j@example.com>", b"J\xfcrgen <j@example.com>",
    b"<@route.example,@two.example:a@b>", b"Name <@route:a@b>", b"<>", b"Name <>", b"a", b"a b", b"a b c@d", b"Name <a>", b"<a@>", b"<@b>",
    b"a@", b"@b", b"a@b@c", b"<a@b@c>", b"a@b c", b"Name <a@b", b"Name <a@b> junk", b"Name a@b>", b'"unterminated <a@b>', b"(unterminated a@b",
    b"a@[127.0.0.1]", b"Name <a@[IPv6:::1]>", b'"a b"@c', b'"a\\"b"@c', b"a.b.c@d.e", b"a . b@c . d", b"a..b@c", b".a@b", b"a.@b", b"a@b.",
    b'"Alice" "Bob" <a@b>', b"Alice.B. <a@b>", b"Alice B. Smith <a@b>", b'Alice "The B" Smith <a@b>', b"Alice\r\n <a@b>", b"Alice\r\n\tB\r\n <a@b>",
    b"(only a comment)", b"(nested (comment)) a@b", b"a@b (x) (y)", b"a(c1)@(c2)b(c3)", b'"" <a@b>', b'"\\\\" <a@b>', b"'a@b'", b"<<a@b>>",
    b"mailto:a@b", b"a@b <c@d>", b"[a@b]", b"Name <a b@c>", b"Name<a@b>", b"Name <a@b>,", b"a@b\r\n ,c@d", b'"x\ty" <a@b>', b"a\x01b@c", b"Name \\ <a@b>",
    b"A" * 300 + b" <a@b>", b", ".join(b"u%d@example.com" % i for i in range(40)), b"a:b:c@d;", b";", b":", b"<", b">", b"@", b'"', b"(", b")",
    b"Name <a@b>; Other <c@d>", b"Name <a@b> Other <c@d>", b"a@b/c", b"a@b(c", b"a%b@c", b"!a@b", b"X-400 </C=US/@d>", b"Name <a@b>(c)",
]
SUBJECTS = [b"hello", b"", b" ", b"=?utf-8?q?gr=C3=BC=C3=9Fe?=", b"Re: [list] x (fwd)", b"gr\xc3\xbc\xc3\x9fe", b"caf\xe9", b'with "quotes"',
            b'with """""" many', b"back\\slash", b"tab\there", b"folded\r\n here", b"folded\r\n\there\r\n  again", b"\x01control\x7f", b"trailing  ",
            b"NIL", b"{5}", b"x" * 1200, b"(paren", b"  leading", b"line\r\n \r\n end", b"=?x?y", b"%s%n"]
DATES = [b"Mon, 23 Nov 2026 14:05:11 +0100", b"garbage", b"", b"23 Nov 26 14:05 EST", b"Mon, 23 Nov 2026\r\n 14:05:11 +0100 (CET)"]
IDS = [b"<a@b>", b"<a@b> <c@d>", b"a@b", b"", b"<unterminated", b"<a b@c>", b"<a@b>\r\n <c@d>", b"<\"x\"@b>", b"<\xc3\xa4@b>"]
TYPES = [b"text/plain", b"text/html; charset=utf-8", b"TEXT/PLAIN; CHARSET=US-ASCII", b"text/plain; charset=\"iso-8859-1\"; format=flowed", b"text",
         b"text/", b"/plain", b"", b" ", b"garbage here", b"text/plain;", b"text/plain; charset", b"text/plain; charset=",
         b"text/plain; charset=utf-8; charset=latin1", b"text / plain ; charset = utf-8", b"text/plain (comment); charset=(x)utf-8(y)",
         b"application/octet-stream; name=\"a;b.txt\"", b"application/pdf; name=a b.pdf", b"application/x; name=\"a\\\"b\"",
         b"application/x; name*=utf-8''%C3%BC.txt", b"application/x; name*0=\"a\"; name*1=\"b\"; name*2=c", b"application/x; name*0*=utf-8''%C3; name*1*=%BC; name*2=x",
         b"application/x; name*1=b; name*0=a", b"application/x; name*0=a; name*2=c", b"image/png; name=\"=?utf-8?q?=C3=BC.png?=\"", b"image/png; name=\xfc.png",
         b"text/plain; charset=\"unterminated", b"text/plain charset=utf-8", b"text/plain; a=b; c=d; e=f", b"text/plain;\r\n charset=utf-8",
         b"message/rfc822", b"message/delivery-status", b"message/partial; id=x; number=1", b"message/external-body; access-type=x", b"multipart/mixed",
         b"multipart/report; report-type=x", b"text/x-foo-bar; x=\"\"", b"text/plain; charset='utf-8'", b"application/ms-tnef; name=winmail.dat", b"x/y/z",
         b"text/plain; charset=utf-8 ; x", b"text/plain;;; charset=utf-8", b"text/plain, text/html", b"text/plain; charset=a/b", b"text/plain; url=http://a/b?c=d",
         b"text/plain; a=\"b\r\n c\"", b"TeXt/HtMl", b"text/pl\xc3\xa4in", b"text/plain; p=" + b"v" * 2000]
DISPOSITIONS = [b"attachment", b"inline", b"attachment; filename=a.txt", b'attachment; filename="a b.txt"; size=5', b"attachment; filename=a b.txt", b"",
                b"ATTACHMENT; FILENAME=X", b"attachment; filename*=utf-8''%e2%82%ac.txt", b'attachment; filename*0="long"; filename*1="er.txt"', b"; filename=x",
                b"attachment filename=x", b"form-data; name=\"x\"", b"attachment;", b"attachment;\r\n\tfilename=\"x.txt\"", b"attachment (c); filename=x"]
ENCODINGS = [b"7bit", b"8bit", b"base64", b"BASE64", b"quoted-printable", b"binary", b"x-uuencode", b"", b"7bit (comment)", b'"base64"', b"base64; x", b"base 64", b"QUOTED-PRINTABLE "]
LANGUAGES = [b"en", b"en, de", b"en,de, fr ", b"", b"en (English)", b"x y", b",", b"de-DE;q=1", b'"en"']
OTHERS = [(b"Content-ID", [b"<x@y>", b"x", b"", b"(c)<x@y>"]), (b"Content-Description", [b"words here", b"", b"=?utf-8?q?x?=", b"a\r\n b"]),
          (b"Content-MD5", [b"Q2hlY2sgSW50ZWdyaXR5IQ==", b"", b"a b"]), (b"Content-Location", [b"http://a/b", b"", b"a b", b"a\r\n b"]),
          (b"Content-Language", LANGUAGES)]


# Which of several such fields counts is nobody's rule.
REPEATED = re.compile(rb"(?i)content-|from|to|cc|bcc|sender|reply-to|[ \t]")
# A multipart that ends right before the boundary of the one around it: the line end between the two belongs to the outer boundary (RFC 2046
# 5.1.1), but to Dovecot to the inner part, which is two bytes longer then.
ADJACENT = re.compile(rb"--[ \t]*\r\n--")


class Generator:
    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.boundaries = 0

    def maybe(self, chance):
        return self.rnd.random() < chance

    def address(self):
        return b", ".join(self.rnd.choice(ADDRESSES) for _ in range(1 + self.maybe(0.2)))

    def field(self, name, value):
        rnd = self.rnd
        if self.maybe(0.05):
            name = rnd.choice([name.upper(), name.lower(), name + b" ", name + b"\t"])
        return name + rnd.choice([b": ", b": ", b": ", b":", b":  ", b":\t", b":\r\n "] if value.strip() else [b": ", b":"]) + value.strip(b" ") + b"\r\n"

    def top_header(self):
        rnd, out = self.rnd, []
        for name in (b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc"):
            many = rnd.choice([0, 1, 1, 1, 2]) if name in (b"From", b"To") else rnd.choice([0, 0, 1])
            for _ in range(many):  # several fields are one list, to be sure only where each of them is sound
                out.append(self.field(name, self.address() if many == 1 else rnd.choice(ADDRESSES[:7])))
        for name, values in ((b"Subject", SUBJECTS), (b"Date", DATES), (b"Message-ID", IDS), (b"In-Reply-To", IDS), (b"References", IDS)):
            for _ in range(rnd.choice([0, 1, 1, 1, 1, 2])):
                out.append(self.field(name, rnd.choice(values)))
        if self.maybe(0.2):
            out.append(rnd.choice([b"no colon here\r\n", b": empty name\r\n", b" continues nothing\r\n", b"X-Long: " + b"y" * 3000 + b"\r\n", b">From x\r\n",
                                   b"X-Eight: \xe4\xf6\r\n", b"Mime-Version: 1.0\r\n", b"A:\r\n", b"\tX: y\r\n"]))
        rnd.shuffle(out)
        if self.maybe(0.7):
            out.append(b"MIME-Version: 1.0\r\n")
        return b"".join(out)

    def content_fields(self, content_type):
        rnd, out = self.rnd, []
        if content_type is not None:
            out.append(self.field(b"Content-Type", content_type))
            if self.maybe(0.03):
                out.append(self.field(b"Content-Type", rnd.choice(TYPES)))
        if self.maybe(0.4):
            out.append(self.field(b"Content-Transfer-Encoding", rnd.choice(ENCODINGS)))
        if self.maybe(0.3):
            out.append(self.field(b"Content-Disposition", rnd.choice(DISPOSITIONS)))
        for name, values in OTHERS:
            if self.maybe(0.12):
                out.append(self.field(name, rnd.choice(values)))
        rnd.shuffle(out)
        return b"".join(out)

    def text(self):
        lines = [self.rnd.choice([b"some words", b"", b"-- ", b"--", b"--x", b"Subject: not a header", b"gr\xc3\xbc\xc3\x9fe", b"=C3=BC", b"aGVsbG8=",
                                  b" indented", b"From here", b"." * 90]) for _ in range(self.rnd.randrange(6))]
        return b"\r\n".join(lines) + (b"\r\n" if self.maybe(0.6) else b"")

    def boundary(self):
        self.boundaries += 1
        base = self.rnd.choice([b"b%d", b"=_b%d", b"----=_Next_%d", b"b%d.x", b"%d", b"b %d", b"b'%d"]) % self.boundaries
        return base * 4 if self.maybe(0.05) else base

    def multipart(self, depth):
        rnd = self.rnd
        boundary = self.boundary()
        quoted = b'"' + boundary + b'"' if self.maybe(0.7) or b" " in boundary else boundary
        kind = rnd.choice([b"mixed", b"alternative", b"related", b"digest", b"signed", b"MIXED", b"report", b"x-foo"])
        param = rnd.choice([b"; boundary=", b"; boundary=", b"; boundary=", b";boundary=", b"; BOUNDARY=", b'; charset=utf-8; boundary=', b"; boundary ="])
        head = self.content_fields(b"multipart/" + kind + param + quoted)
        out = [rnd.choice([b"", b"preamble\r\n", b"two\r\nlines\r\n", b"--not it\r\n"])]
        for _ in range(rnd.choice([0, 1, 1, 2, 2, 3, 4])):
            line = b"--" + boundary + rnd.choice([b"", b"", b"", b"", b"", b" ", b"\t ", b"x"])
            out.append(line + b"\r\n" + self.part(depth + 1) + rnd.choice([b"\r\n", b"\r\n", b"\r\n", b""]))
        if self.maybe(0.8):
            out.append(b"--" + boundary + rnd.choice([b"--\r\n", b"--\r\n", b"--", b"-- \r\n", b"--x\r\n", b"-\r\n"]))
        if self.maybe(0.3):
            out.append(rnd.choice([b"epilogue\r\n", b"\r\n", b"--" + boundary + b"\r\n\r\nafter the end\r\n"]))
        return head, b"".join(out)

    def content(self, depth):
        if depth < 5 and self.maybe(0.45 if depth else 0.7):
            return self.multipart(depth)
        if depth < 5 and self.maybe(0.15):
            return self.content_fields(b"message/rfc822"), self.message(depth + 1)
        return self.content_fields(self.rnd.choice(TYPES) if self.maybe(0.85) else None), self.text()

    def part(self, depth):
        head, body = self.content(depth)
        return head + self.rnd.choice([b"\r\n"] * 12 + [b""]) + body

    def message(self, depth=0):
        head, body = self.content(depth)
        return self.top_header() + head + self.rnd.choice([b"\r\n"] * 20 + [b""]) + body

    def mutate(self, message):
        rnd = self.rnd
        lines = message.split(b"\r\n")
        for _ in range(rnd.choice([0, 0, 0, 1, 1, 2, 5])):
            i = rnd.randrange(len(lines))
            what = rnd.randrange(5)
            if what == 0:
                del lines[i:i + 1 + rnd.randrange(2)]
                lines = lines or [b""]
            elif what == 1:
                copied = lines[rnd.randrange(len(lines))]
                if not REPEATED.match(copied):
                    lines.insert(i, copied)
            elif what == 2:
                j = rnd.randrange(len(lines))
                lines[i], lines[j] = lines[j], lines[i]
            elif what == 3:
                lines.insert(i, b"")
            else:
                cut = rnd.randrange(len(lines[i]) + 1)
                lines[i:i + 1] = [lines[i][:cut], lines[i][cut:]]
        out = b"\r\n".join(lines)
        if self.maybe(0.1):
            out = out[:rnd.randrange(len(out) + 1)]
        return out


def crlf(message):
    """Every line end CRLF, no CR or NUL elsewhere: what the bridge stores."""
    return re.sub(rb"\r\n|\n|\r", b"\r\n", message).replace(b"\0", b"")


def messages(count, seed=1):
    i = 0
    while count:
        generator = Generator(seed * 1_000_003 + i)
        message = crlf(generator.mutate(generator.message()))
        i += 1
        if not ADJACENT.search(message):
            count -= 1
            yield message
