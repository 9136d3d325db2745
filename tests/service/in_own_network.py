# SPDX-License-Identifier: Apache-2.0
"""Run by test_network.py in a network namespace of its own: a bridge whose machine moves to another network.

    unshare -n python3 in_own_network.py DIRECTORY ews|eas
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "clients"))
import bridge as rig  # noqa: E402

PARKED = {"ews": "GetStreamingEvents", "eas": "Ping"}


def ip(words):
    subprocess.run(["ip", *words.split()], check=True)


def main(directory, kind):
    ip("link set lo up")
    ip("link add out type veth peer name in")
    with rig.exchange("--corpus", "3") as server, rig.Bridge(directory, [rig.Account("work", server, kind)]) as bridge:
        parked = lambda mark: len([e for e in server.log(mark) if e.get("op") == PARKED[kind]])  # noqa: E731
        client = bridge.login("work")
        client.open()
        rig.poll(60, lambda: parked(0) >= 1)
        tag = client.idle()
        mark = server.mark()

        ip("addr add 10.9.8.7/24 dev out")
        ip("link set out up")
        rig.poll(60, lambda: bridge.log_lines("this machine has other addresses now; connecting anew"))
        rig.poll(60, lambda: parked(mark) >= 1, lambda: f"nobody listens again: {server.log(mark)}")
        server.deliver(subject="on the other side")
        client.wait_line(rb"\* 4 EXISTS", 60)
        client.done(tag)

        before = len(bridge.log_lines("connecting anew"))
        ip("addr add 10.9.8.7/24 dev lo")  # nothing that counts
        ip("addr del 10.9.8.7/24 dev out")
        rig.poll(60, lambda: bridge.log_lines("the network is gone"))
        assert len(bridge.log_lines("connecting anew")) == before
        client.ok("NOOP")  # the server is still there, on this machine


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
