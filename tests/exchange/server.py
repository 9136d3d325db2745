#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The stand-in Exchange server. See README.md.

Prints one line when everything listens:  READY port=P control=C
"""
import argparse
import importlib
import importlib.util
import json
import os
import signal
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cal_meet
import control_http
import corpus
import httpd
from clock import DEFAULT_EPOCH, Clock
from model import Store
from options import Options


HALVES = ("ews", "eas", "oauth", "autodiscover")  # modules with register(app)


def arguments(argv=None):
    parser = argparse.ArgumentParser(description="A stand-in Exchange server: EWS and EAS on loopback")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument(
        "--user", action="append", metavar="NAME:PASSWORD[:EMAIL]", help="default: alice@example.com:secret"
    )
    parser.add_argument("--corpus", type=int, default=0, metavar="N", help="messages in the inbox of the first user")
    parser.add_argument(
        "--demo", type=int, default=0, metavar="N", help="N messages spread over a believable folder tree"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mean", type=int, default=0, metavar="BYTES", help="mean message size; 0: the natural mix")
    parser.add_argument("--kinds", default="mixed", choices=sorted(corpus.MIXES))
    parser.add_argument(
        "--big", type=int, default=0, metavar="BYTES", help="one message of this size in the inbox, too"
    )
    parser.add_argument("--faults", metavar="FILE", help="JSON list of fault rules")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--epoch", type=int, default=DEFAULT_EPOCH)
    parser.add_argument("--running-clock", action="store_true", help="the server's time goes on by itself")
    return parser.parse_args(argv)


def build(args):
    options = Options()
    store = Store(Clock(args.epoch, args.running_clock))
    for spec in args.user or ["alice@example.com:secret"]:
        name, password, *email = spec.split(":")
        store.add_user(name, password, *email)
    app = httpd.App(store, options)
    for half in HALVES:
        if importlib.util.find_spec(half):
            importlib.import_module(half).register(app)
    cal_meet.register(app)
    for assignment in args.set:
        options.parse(assignment)
    if args.faults:
        with open(args.faults, encoding="utf-8") as file:
            app.faults.add(json.load(file))
    mailbox = store.users[0].mailbox
    if args.corpus or args.big:
        corpus.fill(
            mailbox, mailbox.kinds["inbox"], args.corpus, seed=args.seed, mean=args.mean, kinds=args.kinds, big=args.big
        )
    if args.demo:
        corpus.fill_demo(mailbox, args.demo, seed=args.seed)
    return app


def serve(app, args):
    tls = None
    if args.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load_cert_chain(*args.tls)
    server = httpd.Server((args.host, args.port), httpd.Handler, app, tls)
    control = httpd.Server(("127.0.0.1", args.control_port), control_http.ControlHandler, app)
    for each in (server, control):
        threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    return server, control


def main():
    args = arguments()
    app = build(args)
    server, control = serve(app, args)
    print(f"READY port={server.server_address[1]} control={control.server_address[1]}", flush=True)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    done.wait()


if __name__ == "__main__":
    main()
