/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_CRASH_H
#define BRIDGE_BASE_CRASH_H
/*
 * Named places where a test can have the process killed, as by kill -9 or a power cut: between two steps of which the
 * outside world, or the disk, has seen one. Builds with sanitizers have them; in all others crash_point() is nothing.
 *
 *     EXBRIDGE_CRASH_AT=submit.wire      at the first arrival there
 *     EXBRIDGE_CRASH_AT=sync.page:3      at the third
 *
 * Names are AREA.STEP, where STEP is what has just happened: "submit.journaled" lies behind the commit of the journal's
 * row. tests/clients/test_crash.py goes through all of them: it finds them in the sources, so a new one needs its line
 * there (those of signing in have theirs in tests/auth/test_oauth_renewal.py).
 */
#ifdef EXBRIDGE_SANITIZED
void crash_point(const char *name);
#else
static inline void crash_point(const char *name)
{
    (void)name;
}
#endif

#endif
