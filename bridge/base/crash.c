/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/crash.h"

#ifdef EXBRIDGE_SANITIZED
#include <signal.h>
#include <stdlib.h>
#include <string.h>

void crash_point(const char *name)
{
    static unsigned arrivals;
    const char *at = getenv("EXBRIDGE_CRASH_AT");
    size_t n = strlen(name);
    if (!at || strncmp(at, name, n) != 0 || (at[n] != '\0' && at[n] != ':'))
        return;
    unsigned long wanted = at[n] ? strtoul(at + n + 1, NULL, 10) : 1;
    if (++arrivals == wanted)
        raise(SIGKILL);
}
#endif
