/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_WATCH_READ_H
#define BACKENDS_EAS_WATCH_READ_H
/* The answer to a Ping (MS-ASCMD 2.2.1.13). */
#include <stddef.h>

#include "backends/eas/eas_answer.h"
#include "bridge/base/arena.h"

#define EAS_PING_FOLDERS_MAX 1000

struct eas_ping_answer {
    struct arena *arena;
    struct str *ids; /* folders with changes */
    size_t count;
    int heartbeat_s; /* with status 5: the nearest that the server takes; 0 = not told */
    int max_folders; /* with status 6 */
};
extern const struct eas_rules eas_ping_rules; /* ud is the answer */

#endif
