/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_DAEMON_H
#define BRIDGE_DAEMON_H
/* What a long-running process owes its system: limits, directories, a lock, and telling the service manager how it is.
 */
#include <stdbool.h>

#include "bridge/base/err.h"
#include "bridge/io/loop.h"

/* umask 077, no core dumps and no ptrace by others (secrets are in memory), as many descriptors as we may have. */
void daemon_harden(void);
/* Like mkdir -p, with mode 0700 for what is made. The last one must be ours and closed to writing by others. */
bool daemon_make_dir(const char *path, struct err *err);
/* Keep others of our kind away from a state directory, until the process ends. ERR_EXISTS: there is one; the text has
 * its pid. */
bool daemon_lock(const char *state_dir, int *ret_fd, struct err *err);
/* Listening sockets that the service manager hands over (sd_listen_fds(3), without libsystemd); asked once, before
 * children are started. Up to `max` descriptors, which are the caller's; -1: more than that were handed over, or
 * nonsense. */
int daemon_sockets(int *fds, int max);
/* sd_notify(3) without libsystemd: "READY=1", "STOPPING=1", ... Nothing happens without $NOTIFY_SOCKET. */
void daemon_notify(const char *state);
/* RELOADING=1 with the time that Type=notify-reload asks for; READY=1 ends it. */
void daemon_notify_reloading(void);
/* WATCHDOG=1 in time, for as long as the loop turns; NULL when no watchdog is asked for. */
struct daemon_watchdog;
struct daemon_watchdog *daemon_watchdog_new(struct loop *loop);
void daemon_watchdog_free(struct daemon_watchdog **w);

#endif
