/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_STORE_LOOK_H
#define BRIDGE_STORE_LOOK_H
/* A look into an account's state.db from beside it, for `doctor`: read only, also while the daemon has it open. */
#include <stdbool.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

/* Is it sound (PRAGMA quick_check)? ERR_NOT_FOUND: there is none yet. ERR_INTERNAL: damaged. ERR_DISK: not readable.
 * `out` (may be NULL) gets what the backend has stored under `key`, if anything. */
bool store_look(const char *dir, struct str key, struct buf *out, struct err *err);

#endif
