/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_PEER_H
#define BRIDGE_IO_PEER_H
/*
 * Whose process is at the other end of a loopback TCP connection? The kernel knows the owner of every socket of this
 * machine, so we look up the socket whose local address is our peer's: NETLINK_SOCK_DIAG (sock_diag(7), about 30
 * microseconds), or /proc/net/tcp where netlink is not allowed. In a user namespace foreign users appear as 65534.
 */
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

enum peer_answer {
    PEER_FOUND,
    PEER_GONE,   /* no such socket: the peer has closed it, or is not on this machine */
    PEER_UNKNOWN /* the kernel does not tell */
};

/* *netlink is a descriptor kept by the caller between calls, -1 at first; he closes it. `peer` and `local` as from
 * getpeername() and getsockname() on the accepted socket. */
enum peer_answer peer_uid(int *netlink, const struct sockaddr *peer, const struct sockaddr *local, uid_t *ret_uid);
/* Who listens on this local address? For "the port is taken by ...". */
bool peer_listener_uid(const struct sockaddr *local, uid_t *ret_uid);
/* The fallback alone, for tests. */
enum peer_answer peer_uid_from_proc(const struct sockaddr *peer, const struct sockaddr *local, uid_t *ret_uid);

#endif
