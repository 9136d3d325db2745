# SPDX-License-Identifier: Apache-2.0
"""TCP ports of loopback for programs that are still to be started."""
import secrets
import socket


def is_free(family, address, port):
    try:
        with socket.socket(family) as probe:
            probe.bind((address, port))
    except OSError:
        return False
    return True


def free_ports(count):
    """Different ones, and none of those that the kernel gives to outgoing connections (32768 and up): whatever else runs,
    nobody gets them by chance before the program is there."""
    found = set()
    while len(found) < count:
        port = 10000 + secrets.randbelow(22000)
        if is_free(socket.AF_INET, "127.0.0.1", port) and (not V6 or is_free(socket.AF_INET6, "::1", port)):
            found.add(port)
    return list(found)


def free_port():
    return free_ports(1)[0]


V6 = socket.has_ipv6 and is_free(socket.AF_INET6, "::1", 0)
