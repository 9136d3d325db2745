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
/* sd_notify(3) without libsystemd: "READY=1", "STOPPING=1", ... Nothing happens without $NOTIFY_SOCKET. */
void daemon_notify(const char *state);
/* WATCHDOG=1 in time, for as long as the loop turns; NULL when no watchdog is asked for. */
struct daemon_watchdog;
struct daemon_watchdog *daemon_watchdog_new(struct loop *loop);
void daemon_watchdog_free(struct daemon_watchdog **w);

#endif
