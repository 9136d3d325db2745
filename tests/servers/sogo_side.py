#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What SOGo needs beside its packages, in one process:

- an IMAP shim between sogod and Dovecot.  SOGo's mail SyncKey is UIDNEXT-HIGHESTMODSEQ of a plain SELECT, and Dovecot
  leaves HIGHESTMODSEQ out until some client used CONDSTORE on the mailbox; every Sync would then be empty for ever.
  The shim sends ENABLE CONDSTORE right after the login.
- an SMTP sink: local users get the message by LMTP, everything else lands in a maildir; `reject*` and unknown users of
  the own domain are refused.
- a TLS front for the bridge: https://127.0.0.1:PORT/Microsoft-Server-ActiveSync.
- with --parent, a watch over the process that started the rig: when it is gone, the rig is stopped.
"""

import argparse
import asyncio
import mailbox
import os
import signal
import smtplib
import socket
import ssl
import sys

from aiosmtpd.smtp import SMTP

import sogo_proc

CHUNK = 65536
MAX_MESSAGE = 100 << 20


def quick_ack(writer):
    """sogod writes a command in pieces; a delayed ACK would cost 40 ms each."""
    sock = writer.get_extra_info("socket")
    if sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def pump(reader, writer, each=None):
    try:
        while True:
            data = await reader.read(CHUNK)
            if not data:
                break
            if each:
                each(data)
            writer.write(data)
            await writer.drain()
    except (ConnectionError, OSError, ssl.SSLError):
        pass
    finally:
        writer.close()


class ImapShim:
    def __init__(self, imap_port):
        self.imap_port = imap_port

    async def serve(self, client_reader, client_writer):
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.imap_port, limit=1 << 20)
        except OSError:
            client_writer.close()
            return
        login = {"tag": None}

        def watch(data):
            quick_ack(client_writer)
            for line in data.split(b"\r\n"):
                words = line.split(b" ", 2)
                if len(words) > 1 and words[1].upper() in (b"LOGIN", b"AUTHENTICATE"):
                    login["tag"] = words[0]

        quick_ack(client_writer)
        quick_ack(server_writer)
        upward = asyncio.ensure_future(pump(client_reader, server_writer, watch))
        try:
            await self.until_login(server_reader, server_writer, client_writer, login)
            await pump(server_reader, client_writer)
        except (ConnectionError, OSError, ValueError):
            pass
        finally:
            upward.cancel()
            client_writer.close()
            server_writer.close()

    async def until_login(self, server_reader, server_writer, client_writer, login):
        while True:
            line = await server_reader.readline()
            if not line:
                return
            done = login["tag"] and line.startswith(login["tag"] + b" OK")
            if done:
                server_writer.write(b"shim1 ENABLE CONDSTORE\r\n")
                answer = b"x"
                while answer and not answer.startswith(b"shim1 "):
                    answer = await server_reader.readline()
            client_writer.write(line)
            await client_writer.drain()
            if done:
                return


class Sink:
    """SMTP handler: local recipients by LMTP, the rest into a maildir."""

    def __init__(self, lmtp_port, users, outdir, domain):
        self.lmtp_port, self.users, self.outdir, self.domain = lmtp_port, users, outdir, domain

    def is_local(self, address):
        return address.lower().endswith("@" + self.domain)

    async def handle_RCPT(self, server, session, envelope, address, options):
        known = not self.is_local(address) or os.path.exists(f"{self.users}/{address.split('@')[0].lower()}")
        if address.startswith("reject") or not known:
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.deliver, envelope)
        except Exception as e:
            print("sink:", e, file=sys.stderr, flush=True)
            return "451 4.3.0 delivery failed"
        return "250 2.0.0 OK"

    def deliver(self, envelope):
        local = [r for r in envelope.rcpt_tos if self.is_local(r)]
        if local:
            with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
                for recipient in local:  # smtplib reads one reply to DATA, LMTP gives one for each recipient
                    lmtp.sendmail(envelope.mail_from or "", [recipient], envelope.original_content)
        for recipient in envelope.rcpt_tos:
            if recipient not in local:
                body = envelope.original_content.replace(b"\r\n", b"\n")
                mailbox.Maildir(self.outdir).add(b"X-Envelope-To: " + recipient.encode() + b"\n" + body)


class TlsFront:
    """One request for each connection, as sogod itself does; only the path is rewritten."""

    def __init__(self, http_port):
        self.http_port = http_port

    async def serve(self, client_reader, client_writer):
        server_writer = None
        try:
            line = await client_reader.readline()
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.http_port)
            server_writer.write(line.replace(b" /Microsoft-", b" /SOGo/Microsoft-", 1))
            upward = asyncio.ensure_future(pump(client_reader, server_writer))
            await pump(server_reader, client_writer)
            upward.cancel()
        except (ConnectionError, OSError, ValueError, ssl.SSLError):
            pass
        finally:
            client_writer.close()
            if server_writer:
                server_writer.close()


async def watch_parent(parent, run_dir):
    while sogo_proc.is_alive(*parent):
        await asyncio.sleep(1)
    # This process is one of those that the rig lists: it is left for last and ends itself.
    await asyncio.get_running_loop().run_in_executor(None, sogo_proc.stop_all, run_dir, ("side",))
    os._exit(0)


async def main(args):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await asyncio.start_server(ImapShim(args.imap_port).serve, "127.0.0.1", args.shim_port)
    sink = Sink(args.lmtp_port, args.users, args.outdir, args.domain)
    await loop.create_server(
        lambda: SMTP(sink, hostname="localhost", data_size_limit=MAX_MESSAGE, enable_SMTPUTF8=True),
        "127.0.0.1",
        args.smtp_port,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(args.cert, args.key)
    await asyncio.start_server(TlsFront(args.http_port).serve, "127.0.0.1", args.tls_port, ssl=context)
    if args.parent:
        asyncio.ensure_future(watch_parent((args.parent, sogo_proc.start_time(args.parent)), args.run))
    print("ready", flush=True)
    await stop.wait()


def parse_args():
    parser = argparse.ArgumentParser()
    for name in ("imap", "shim", "lmtp", "smtp", "http", "tls"):
        parser.add_argument(f"--{name}-port", type=int, required=True)
    for name in ("users", "outdir", "domain", "cert", "key", "run"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--parent", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(parse_args()))
