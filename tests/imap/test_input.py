# SPDX-License-Identifier: Apache-2.0
"""What clients, and those who are none, may send: pieces, pipelines, nonsense, and leaving at any moment."""
import random
import socket

import pytest

from imaptest import Client, Closed, message

SESSION = [b"a LOGIN {4}\r\nwork {6}\r\nsecret\r\n", b'b ID ("name" "x" "y" NIL)\r\n', b"c ENABLE CONDSTORE\r\n",
           b'd LIST (SUBSCRIBED) "" (INBOX "%") RETURN (STATUS (MESSAGES))\r\n', b"e SELECT INBOX (CONDSTORE)\r\n",
           b"f UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT {4}\r\nFROM)]<0.20>)\r\n",
           b"g SEARCH CHARSET UTF-8 OR SUBJECT {2}\r\n\xc3\xa4 (UNSEEN NOT TEXT \"x\")\r\n", b"h IDLE\r\nDONE\r\n",
           b"i STATUS Work (MESSAGES UIDNEXT)\r\n", b"j CLOSE\r\n", b"k LOGOUT\r\n"]


def test_byte_by_byte(inbox):
    c = inbox.connect()
    for command in SESSION:
        for i in range(len(command)):
            c.send(command[i:i + 1])
        status, _ = c.finish(command[:1].decode())
        assert status.startswith("OK"), (command, status)


def test_everything_at_once(inbox):
    c = inbox.connect()
    c.send(b"".join(SESSION).replace(b"{4}", b"{4+}").replace(b"{6}", b"{6+}").replace(b"{2}", b"{2+}"))
    for command in SESSION:
        status, _ = c.finish(command[:1].decode())
        assert status.startswith("OK"), (command, status)


def test_every_cut(inbox):
    """The client goes away after every byte of a whole session."""
    everything = b"".join(SESSION).replace(b"{4}", b"{4+}").replace(b"{6}", b"{6+}").replace(b"{2}", b"{2+}")
    for n in range(0, len(everything), 2):
        c = Client(inbox.port)
        c.send(everything[:n])
        if n % 4 == 0:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # RST
        c.close()
    inbox.wait(lambda: inbox.do("sessions") == "0")
    inbox.login().select()


def test_leaving_while_the_server_is_slow(inbox):
    inbox.do("delay fetch 300")
    inbox.do("delay sync 100")
    for command in ("UID FETCH 1:* BODY.PEEK[]", "FETCH 1:3 ENVELOPE", "UID SEARCH TEXT Hello", "SORT (SUBJECT) UTF-8 ALL",
                    "FETCH 2 BODYSTRUCTURE", "IDLE", 'LIST "" * RETURN (STATUS (MESSAGES))', "SELECT Work", "STATUS Sent (MESSAGES)"):
        c = inbox.login()
        c.select()
        c.send("x " + command + "\r\n")
        c.close()
    inbox.wait(lambda: inbox.do("sessions") == "0")
    inbox.do("delay fetch 0")
    inbox.do("delay sync 0")
    c = inbox.login()
    c.select()
    assert len(c.ok("FETCH 1:* BODY.PEEK[]")) == 5


def test_http_and_mail_headers_close_without_answer(server):
    for text in ("GET / HTTP/1.1\r\nHost: localhost:1993\r\n\r\n", "POST /x HTTP/1.0\r\n\r\n", "Host: localhost\r\n",
                 "Content-Type: text/plain\r\n"):
        c = Client(server.port)
        c.send(text)
        assert c.closed() == b"", text
    c = Client(server.port)
    c.send("a NOOP\r\nContent-Length: 10\r\n\r\nb LOGIN work secret\r\n")
    assert b"b OK" not in c.closed()
    assert server.stderr().count("this is not IMAP") == 1


def test_starttls_injection(server):
    c = server.connect()
    c.send("a STARTTLS\r\nb LOGIN work secret\r\n")
    assert c.finish("a")[0].startswith("BAD")
    assert c.finish("b")[0].startswith("OK")  # there is no STARTTLS: what follows is an ordinary command


def test_bad_commands_before_sign_in(server):
    c = server.connect()
    for _ in range(3):
        c.send("a NONSENSE\r\n")
    data = c.closed()
    assert data.count(b"a BAD") == 3 and b"* BYE" in data


def test_bad_commands_after_sign_in(server):
    c = server.login()
    for _ in range(19):
        c.bad("NONSENSE")
    c.ok("NOOP")  # a good one: the count begins anew
    c.send("".join("b%d NONSENSE\r\n" % i for i in range(25)))
    assert b"* BYE" in c.closed()


@pytest.mark.parametrize("line", [
    b"", b"\r", b"a", b"a ", b" a NOOP", b"a NOOP ", b"a  NOOP", b"a\tNOOP", b"a NOOP\rb", b"a NO\0OP", b"a \xff\xfe", b"* NOOP",
    b"+ NOOP", b"{3}", b"a FETCH", b"a FETCH 1", b"a FETCH 0 FLAGS", b"a FETCH 1:99999999999 FLAGS", b"a FETCH 1 (FLAGS",
    b"a FETCH 1 FLAGS)", b"a FETCH 1 BODY[", b"a FETCH 1 BODY[1.0]", b"a FETCH 1 BODY[]<0.0>", b"a FETCH 1 BODY[]<-1.2>",
    b"a FETCH 1 BODY[HEADER.FIELDS ()]", b"a FETCH 1 BODY[1.2.3.4.5.MIMES]", b"a SEARCH", b"a SEARCH NOT", b"a SEARCH OR ALL",
    b"a SEARCH (ALL", b"a SEARCH SINCE 99-Foo-2020", b"a SEARCH 0", b"a STATUS INBOX", b"a STATUS INBOX ()", b"a LIST",
    b"a LIST (FOO) \"\" *", b"a LIST (RECURSIVEMATCH) \"\" *", b"a SORT (SUBJECT) UTF-8", b"a THREAD FOO UTF-8 ALL",
    b"a UID NOOP", b"a UID", b"a IDLE now", b"a ENABLE", b"a ID (", b"a LOGIN", b"a SELECT", b"a SELECT \"INBOX", b"a SELECT INBOX (FOO)",
    b"a SELECT INBOX (QRESYNC (1))", b"a FETCH 1 (BODY[] FLAGS) (CHANGEDSINCE)", b"a FETCH 1 {1}x", b"a SELECT {-1}",
    b"a SELECT {99999999999999999999}", b"a SELECT {5", b"a SELECT {5+}x", b"a SELECT ~{5}",
])
def test_nonsense_lines(shared_inbox, line):
    """A clear answer, and the session goes on."""
    c = shared_inbox.login()
    c.select()
    c.send(line + b"\r\n")
    c.send(b"\r\nz1 NOOP\r\n")
    for _ in range(10):
        got = c.line()
        if got.startswith(b"z1 "):
            break
        assert b" BAD" in got or b" NO" in got or got.startswith(b"+ "), got
    # "a FETCH 1 {1}x" and the like may have eaten z1
    c.send(b"z2 NOOP\r\n")
    assert c.finish("z2")[0].startswith("OK")
    c.close()


def test_oversized(inbox):
    c = Client(inbox.port)
    c.send(b"a LOGIN " + b"x" * 20000 + b" y\r\nb NOOP\r\n")
    assert b"BAD" in c.line()
    assert c.finish("b")[0].startswith("OK")
    c = inbox.login()
    c.send(b"a SELECT " + b"x" * 100000 + b"\r\nb NOOP\r\n")
    status, _ = c.finish("a")
    assert status.startswith(("BAD", "NO"))
    assert c.finish("b")[0].startswith("OK")
    c.send(b"a SELECT {200000}\r\n")  # synchronising: refused before it is sent
    assert c.finish("a")[0].startswith(("BAD [TOOBIG]", "NO [TOOBIG]"))
    c.send(b"a SELECT {200000+}\r\n" + b"y" * 200000 + b"\r\nb NOOP\r\n")
    assert c.finish("a")[0].startswith(("BAD", "NO"))
    assert c.finish("b")[0].startswith("OK")
    c.send(b"a SEARCH " + b"(" * 5000 + b"ALL" + b")" * 5000 + b"\r\nb NOOP\r\n")
    assert c.finish("a")[0].startswith("BAD")
    assert c.finish("b")[0].startswith("OK")
    c.select()
    c.send(b"a SEARCH " + b"NOT " * 5000 + b"ALL\r\nb NOOP\r\n")
    assert c.finish("a")[0].startswith("BAD")
    assert c.finish("b")[0].startswith("OK")


def test_literal_of_4_gigabytes(inbox):
    c = inbox.login()
    c.send(b"a SELECT {4294967295+}\r\n")
    data = c.closed()
    assert b"BYE" in data


def test_many_literals(inbox):
    c = inbox.login()
    c.select()
    c.send(b"a SEARCH " + b" ".join(b"SUBJECT {3+}\r\nabc" for _ in range(1500)) + b"\r\nb NOOP\r\n")
    status, _ = c.finish("a")
    assert status.startswith(("BAD", "NO"))
    assert c.finish("b")[0].startswith("OK")


def test_unauthenticated_memory(start):
    s = start("unauthenticated=400")
    before = int(s.do("memory"))
    clients = [Client(s.port) for _ in range(200)]
    for i, c in enumerate(clients):
        c.send([b"a LOGIN " + b"(" * 7000, b"a LOGIN {8000+}\r\n" + b"x" * 7999, b"a" * 8000][i % 3])
    s.wait(lambda: s.do("sessions") == "200")
    assert int(s.do("memory")) - before < 64 * 1024
    for c in clients:
        c.close()
    s.wait(lambda: s.do("sessions") == "0")


def test_random_garbage(inbox):
    rng = random.Random(1)
    words = [b"a", b"NOOP", b"UID", b"FETCH", b"1:*", b"(", b")", b"BODY[", b"]", b"{3}", b"{3+}", b"\r\n", b"\"", b"\\", b"*", b" ",
             b" ", b" ", b"SEARCH", b"OR", b"NOT", b"LIST", b"\xc3\xa4", b"\0", b"DONE", b"IDLE", b"<0.1>", b"~{2}", b"$", b"%"]
    for _ in range(60):
        c = Client(inbox.port)
        try:
            if rng.random() < 0.7:
                c.ok("LOGIN work secret")
                if rng.random() < 0.7:
                    c.select()
            c.send(b"".join(rng.choice(words) for _ in range(rng.randrange(400))))
        except (BrokenPipeError, ConnectionResetError, Closed):
            pass
        c.close()
    inbox.wait(lambda: inbox.do("sessions") == "0")
    inbox.login().ok("NOOP")


def test_a_client_that_does_not_read(server):
    """Back-pressure: 30 MB asked for by somebody who reads nothing cost little memory, and nobody else is kept waiting."""
    server.item("inbox", "big", message(body=b"x" * 70 + b"\r\n") + b"y" * (5 << 20))
    lazy = server.login()
    lazy.select()
    lazy.ok("FETCH 1 RFC822.SIZE")
    before = int(server.do("memory"))
    lazy.send("".join("f%d FETCH 1 BODY.PEEK[]\r\n" % i for i in range(6)))
    other = server.login()
    other.select()
    assert len(other.ok("FETCH 1 FLAGS")) == 1
    assert int(server.do("memory")) - before < 20 * 1024
    for i in range(6):
        status, untagged = lazy.finish("f%d" % i)
        assert status.startswith("OK") and len(untagged[0]) > 5 << 20


def test_shutdown_with_clients_of_all_kinds(start):
    s = start()
    s.item("inbox", "big", message(body=b"y" * (5 << 20)))
    s.do("bulk inbox b 50 300")
    idle, lazy, waiting, half, stranger = s.login(), s.login(), s.login(), s.login(), s.connect()
    for c in (idle, lazy, waiting):
        c.select()
    lazy.ok("FETCH 1 RFC822.SIZE")
    idle.send("i IDLE\r\n")
    idle.line()
    lazy.send("".join("f%d FETCH 1 BODY.PEEK[]\r\n" % i for i in range(6)))
    s.do("delay fetch 60000")
    waiting.send("w FETCH 5:20 BODY.PEEK[]\r\n")
    half.send("h SELECT {50")
    s.stop()
    for c in (idle, waiting, half, stranger):
        assert b"* BYE" in c.closed()
