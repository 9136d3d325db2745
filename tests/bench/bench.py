# SPDX-License-Identifier: Apache-2.0
"""The bench: exbridge beside Dovecot, Radicale and Cyrus (everything cached) and beside DavMail (nothing cached, 50 ms a request), and
its memory.

scripts/bench builds the program and calls this. No figure is a condition of anything: it prints a table and writes it down.
"""
import argparse
import os
import platform
import re
import shutil
import socket
import statistics
import sys
import threading
import time

import dav_bench
import servers
from servers import BridgeServer, DovecotServer, bridge, davmail
from wire import Wire, cpu_s, messages_in

HEADERS = " ".join(servers.HEADERS)
LINES = (  # name, command (None: SELECT itself)
    ("SELECT", None),
    ("UID FETCH FLAGS", "UID FETCH 1:* (FLAGS)"),
    ("ENVELOPE", "UID FETCH 1:* (UID FLAGS ENVELOPE RFC822.SIZE)"),
    ("Thunderbird's headers", f"UID FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({HEADERS})])"),
    ("BODYSTRUCTURE", "UID FETCH 1:* (BODYSTRUCTURE)"),
    ("BODY.PEEK[HEADER]", "UID FETCH 1:* (BODY.PEEK[HEADER])"),
    ("BODY.PEEK[]", "UID FETCH 1:* (UID BODY.PEEK[])"),
    ("SEARCH SUBJECT", 'UID SEARCH SUBJECT "invoice"'),
    ("SEARCH FROM", 'UID SEARCH FROM "winter"'),
    ("SEARCH BODY", 'UID SEARCH BODY "quarter customer zebra"'),
    ("SORT DATE", "UID SORT (REVERSE DATE) UTF-8 ALL"),
    ("THREAD", "UID THREAD REFERENCES UTF-8 ALL"),
)
GOAL = {name for name, _ in LINES} - {"BODY.PEEK[HEADER]", "SEARCH BODY"}
DELAY_S = 0.05


class Report:
    def __init__(self, path):
        self.path, self.lines = path, []

    def say(self, text=""):
        print(text, flush=True)
        self.lines.append(text)
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "w") as file:
            file.write("\n".join(self.lines) + "\n")


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")


def ms(seconds):
    return f"{seconds * 1000:.{1 if seconds < 0.1 else 0}f}"


# --- beside Dovecot ---------------------------------------------------------------------------------------------------------


def measure(server, command):
    """(seconds, bytes, processor seconds of the server) of one command on a new connection."""
    wire = server.connect(select=command is not None)
    cpu = cpu_s(wire.pid)
    seconds, size = wire.timed(command or "SELECT INBOX")
    cpu = cpu_s(wire.pid) - cpu
    wire.close()
    return seconds, size, cpu


def compare(report, dovecot, mine, runs, only):
    report.say(f"{'':24}{'Dovecot':>10}{'exbridge':>10}{'ratio':>7}   {'processor time':>19}{'ratio':>7}   {'bytes':>21}")
    report.say(f"{'':24}{'ms':>10}{'ms':>10}{'':>7}   {'ms':>9} {'ms':>9}{'':>7}   {'Dovecot':>10} {'exbridge':>10}")
    for name, command in LINES:
        if only and only not in name:
            continue
        best = {}
        for server in (dovecot, mine):
            measure(server, command)  # indexes and renderings are there, memory is warm
            measure(server, command)
        for _ in range(runs if "BODY" not in name else max(2, runs // 2)):
            for server in (dovecot, mine):
                got = measure(server, command)
                old = best.get(server.name, got)
                best[server.name] = (min(old[0], got[0]), got[1], min(old[2], got[2]))
        d, m = best[dovecot.name], best[mine.name]
        miss = "   over 2" if name in GOAL and m[0] > 2 * d[0] else ""
        report.say(
            f"{name:24}{ms(d[0]):>10}{ms(m[0]):>10}{m[0] / d[0]:>7.2f}   {ms(d[2]):>9} {ms(m[2]):>9}{m[2] / d[2]:>7.2f}"
            f"   {d[1]:>10} {m[1]:>10}{miss}"
        )


def latencies(report, dovecot, mine):
    quick = {}
    for server in (dovecot, mine):
        wire = server.connect()
        times = sorted(wire.timed("NOOP")[0] for _ in range(1000))
        quick[server.name] = times[len(times) // 2], times[int(len(times) * 0.99)]
        wire.close()
    d, m = quick[dovecot.name], quick[mine.name]
    report.say(f"{'NOOP, median':24}{d[0] * 1e3:>10.3f}{m[0] * 1e3:>10.3f}{m[0] / d[0]:>7.2f}")
    report.say(f"{'NOOP, 99 of 100':24}{d[1] * 1e3:>10.3f}{m[1] * 1e3:>10.3f}{m[1] / d[1]:>7.2f}")
    for server in (dovecot, mine):
        wire = server.connect()
        wire.idle()
        times = []
        for number in range(10):
            time.sleep(1.5)  # each is the first one after a pause
            began = server.deliver(number)
            times.append(wire.wait_exists(60) - began)
        wire.done()
        wire.close()
        quick[server.name] = statistics.median(times), max(times)
    d, m = quick[dovecot.name], quick[mine.name]
    report.say(f"{'IDLE, event to EXISTS':24}{ms(d[0]):>10}{ms(m[0]):>10}{m[0] / d[0]:>7.2f}   (the longest: {ms(d[1])}, {ms(m[1])})")


def check_same(dovecot, mine, count):
    """Both must serve the same messages, or nothing else means anything."""
    for server in (dovecot, mine):
        wire = server.connect()
        assert messages_in(wire.answer("UID FETCH 1:* (FLAGS)")) == count, server.name
        wire.close()
    for number in (1, count // 3, count):
        both = []
        for server in (dovecot, mine):
            wire = server.connect()
            answer = wire.answer(f"FETCH {number} (BODY.PEEK[])")
            both.append(answer[answer.index(b"{") : answer.rindex(b"bench")])
            wire.close()
        assert both[0] == both[1], f"message {number} differs: {both[0][:300]} / {both[1][:300]}"


def filled(exchange, options):
    """The bridge with everything cached. What was filled once stays in a directory of its own, of which each run takes a copy."""
    once, work = (os.path.join(options.work, name) for name in ("filled", "cached"))
    accounts = [bridge.Account("work", exchange, prefetch="all")]
    if not os.path.exists(once):
        shutil.rmtree(once + ".part", ignore_errors=True)
        rig = bridge.Bridge(once + ".part", accounts, tls=False, log_level="info")
        server = BridgeServer(rig, exchange, "work")
        server.connect().close()
        server.wait_cached(options.messages, 60, progress)
        rig.stop()
        os.rename(once + ".part", once)
    shutil.rmtree(work, ignore_errors=True)
    # Messages are written anew under another name, never in place.
    shutil.copytree(once, work, copy_function=lambda a, b: (os.link if "/messages/" in a else shutil.copy2)(a, b))
    return bridge.Bridge(work, accounts, tls=False, log_level="info")


def beside_dovecot(report, options):
    exchange = bridge.exchange("--corpus", options.messages, "--mean", options.mean)
    rig = filled(exchange, options)
    mine = BridgeServer(rig, exchange, "work")
    dovecot = None
    try:
        dovecot = DovecotServer(options.messages, options.mean, mine.flags_and_dates())
        check_same(dovecot, mine, options.messages)
        report.say(f"Beside Dovecot 2.3: {options.messages} messages, everything cached; plain TCP for both; best of {options.runs} runs")
        report.say()
        compare(report, dovecot, mine, options.runs, options.line)
        if not options.line:
            latencies(report, dovecot, mine)
        report.say(f"memory afterwards (RssAnon): {rig.memory() / 1e6:.1f} MB")
        report.say()
    finally:
        if dovecot:
            dovecot.close()
        rig.stop()
        exchange.stop()


# --- beside DavMail ---------------------------------------------------------------------------------------------------------


def in_background(entry):
    """Push, and the first look at folders that nobody has opened."""
    other = entry["op"] == "SyncFolderItems" and entry["detail"].get("folder", "inbox") != "inbox"
    return other or entry["op"] in ("Subscribe", "GetStreamingEvents")


def session(exchange, wire):
    """[(name, seconds, requests)]"""

    def take(name, command):
        mark = exchange.mark()
        seconds, _ = wire.timed(command)
        return name, seconds, sum(not in_background(entry) for entry in exchange.log(mark))

    found = [take("SELECT", "SELECT INBOX")]
    uids = re.findall(r"FETCH \([^)]*UID (\d+)", wire.answer("FETCH 1:* (UID)").decode())
    some, others = (",".join(uids[at : at + 100]) for at in (len(uids) // 10, len(uids) // 2))
    found.append(take("100 headers", f"UID FETCH {some} (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({HEADERS})])"))
    found.append(take("100 bodies", f"UID FETCH {others} (UID BODY.PEEK[])"))
    return found


def beside_davmail(report, options):
    count = options.messages
    with bridge.exchange("--corpus", count, "--mean", options.mean, "--set", f"delay_s={DELAY_S}") as exchange:
        with davmail.Davmail(os.path.join(options.work, "davmail"), exchange.url, heap="512m") as peer:
            wire = Wire(socket.create_connection(("127.0.0.1", peer.imap_port)))
            wire.timed(f'LOGIN "{bridge.USER}" "{bridge.PASSWORD}"')
            theirs = session(exchange, wire)
            wire.close()
        ours = None
        for turn in range(3):  # a new bridge that knows nothing each time
            work = os.path.join(options.work, "uncached")
            shutil.rmtree(work, ignore_errors=True)
            rig = bridge.Bridge(work, [bridge.Account("work", exchange)], tls=False, log_level="info")
            wire = BridgeServer(rig, exchange, "work").connect(select=False)
            got = session(exchange, wire)
            ours = got if not ours else [min(pair, key=lambda x: x[1]) for pair in zip(ours, got)]
            wire.close()
            rig.stop()
    report.say(f"Beside DavMail 6.0: {count} messages, nothing cached (prefetch = none), {DELAY_S * 1000:.0f} ms added to each request")
    report.say()
    report.say(f"{'':24}{'DavMail':>10}{'requests':>10}{'exbridge':>10}{'requests':>10}{'times faster':>14}")
    for (name, t, n), (_, t2, n2) in zip(theirs, ours):
        miss = "   under 20" if name != "SELECT" and t < 20 * t2 else ""
        report.say(f"{name:24}{ms(t):>10}{n:>10}{ms(t2):>10}{n2:>10}{t / t2:>14.1f}{miss}")
    report.say()


# --- memory -----------------------------------------------------------------------------------------------------------------


def settled(rig, seconds=3):
    """RssAnon when it has come to rest, and the most seen, in MB."""
    most = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = rig.memory()
        most = max(most, now)
        time.sleep(0.1)
    return now / 1e6, most / 1e6


def row(report, name, value, limit):
    report.say(f"{name:60}{value:>8.1f} MB   {f'goal {limit}' if limit else ''}{'   over' if limit and value > limit else ''}")


def memory_idle(report, options):
    with bridge.exchange("--corpus", 500) as exchange:
        work = os.path.join(options.work, "idle")
        shutil.rmtree(work, ignore_errors=True)
        accounts = [bridge.Account("one", exchange, "ews"), bridge.Account("two", exchange, "eas")]
        rig = bridge.Bridge(work, accounts, log_level="info")
        row(report, "after the start, two accounts (EWS, EAS)", settled(rig, 5)[0], 15)
        for account in ("one", "two"):
            client = rig.login(account)
            client.open("INBOX")
            client.fetch("1:*", "(FLAGS)")
        rig.close_clients()
        row(report, "idle after a session each, 500 messages each", settled(rig, 5)[0], 15)
        rig.stop()


def memory_large(report, options):
    with bridge.exchange("--corpus", options.large, "--kinds", "small") as exchange:
        rig = bridge.Bridge(os.path.join(options.work, "large"), [bridge.Account("work", exchange)], tls=False, log_level="info")
        server = BridgeServer(rig, exchange, "work")
        first = server.connect(select=False)
        first.timed("SELECT INBOX")
        while b"MESSAGES %d " % options.large not in first.answer("STATUS INBOX (MESSAGES UNSEEN)"):
            time.sleep(1)
        first.close()
        row(report, f"{options.large} messages, after the first sync", settled(rig)[0], 0)
        wires = [server.connect() for _ in range(5)]
        row(report, f"{options.large} messages, selected in five sessions", settled(rig)[0], 80)
        assert all(messages_in(wire.answer("UID FETCH 1:* (FLAGS)")) == options.large for wire in wires)
        row(report, "... and UID FETCH 1:* (FLAGS) in each", settled(rig)[0], 80)
        for wire in wires:
            wire.close()
        rig.restart()
        wires = [server.connect() for _ in range(5)]
        for wire in wires:
            wire.timed("UID FETCH 1:* (FLAGS)")
        row(report, "... the same after a restart", settled(rig)[0], 80)
        for wire in wires:
            wire.close()
        rig.stop()


def memory_big(report, options):
    with bridge.exchange("--corpus", 0, "--big", 51_000_000) as exchange:
        for backend in ("ews", "eas"):
            work = os.path.join(options.work, "big")
            shutil.rmtree(work, ignore_errors=True)
            rig = bridge.Bridge(work, [bridge.Account("work", exchange, backend)], tls=False, log_level="info")
            wire = BridgeServer(rig, exchange, "work").connect()
            before = settled(rig, 1)[0]
            for state in ("from the server", "from the cache"):
                most, running = [0], [True]

                def watch():
                    while running[0]:
                        most[0] = max(most[0], rig.memory() / 1e6)
                        time.sleep(0.005)

                watcher = threading.Thread(target=watch)
                watcher.start()
                size = wire.timed("UID FETCH 1:* (BODY.PEEK[])")[1]
                running[0] = False
                watcher.join()
                assert size > 50_000_000
                row(report, f"{backend}: 50 MB message {state}: the most beyond {before:.1f} MB before", most[0] - before, 4)
            wire.close()
            rig.stop()


def memory(report, options):
    report.say("Memory (RssAnon)")
    report.say()
    memory_idle(report, options)
    memory_big(report, options)
    memory_large(report, options)
    report.say()


# --- all of it --------------------------------------------------------------------------------------------------------------


def beside_calendars(report, options):
    dav_bench.beside_calendars(report, options, ms)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help="dovecot, davmail, caldav, memory (default: all)")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=100_000, help="messages of the large mailbox")
    parser.add_argument("--events", type=int, default=1000, help="of the calendar")
    parser.add_argument("--mean", type=int, default=27_000, help="mean size of a message")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--line", help="only lines with this in their name")
    parser.add_argument("--fresh", action="store_true", help="fill the caches anew")
    parser.add_argument("--work", default=os.path.join(servers.ROOT, "out", "bench"))
    parser.add_argument("--report", default=os.path.join(servers.ROOT, "out", "bench.txt"))
    options = parser.parse_args()
    parts = {"dovecot": beside_dovecot, "davmail": beside_davmail, "caldav": beside_calendars, "memory": memory}
    for part in options.parts:
        if part not in parts:
            parser.error(f"no part {part!r}; there are: {', '.join(parts)}")
    if options.fresh:
        shutil.rmtree(options.work, ignore_errors=True)
    options.work = os.path.join(options.work, f"{options.messages}-{options.large}-{options.mean}")
    os.makedirs(options.work, exist_ok=True)
    report = Report(options.report)
    load = os.getloadavg()[0]
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    report.say(f"exbridge {servers.program_text()}, {when}, {platform.machine()}, {os.cpu_count()} cores, load {load:.1f} before")
    report.say()
    for name, part in parts.items():
        if not options.parts or name in options.parts:
            part(report, options)
    print(f"written to {os.path.relpath(options.report)}")


if __name__ == "__main__":
    main()
