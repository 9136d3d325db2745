/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DRIVER_EVENTS_H
#define TESTS_DRIVER_EVENTS_H
/*
 * Calendars and tasks, the same for every backend. Events are iCalendar, in files:
 *
 *   epage FOLDER KIND [CURSOR]     one page; KIND calendar or tasks; the cursor is handed to `commit`
 *   efetch FOLDER KIND ID...
 *   eput FOLDER KIND ID FILE BASE EVIDENCE [retry] [quiet]     ID and BASE "-": a new one; quiet: no invitations
 *   eremove FOLDER KIND ID
 *   erespond FOLDER ID accept|tentative|decline [ORIGINAL FILE]     seconds since 1970, and the series
 *   ebusy FROM TO ADDRESS...
 *   eattachment ID
 *
 * Each answers with an event of its own name.
 */
#include "tests/driver/driver_writes.h"

#define DRIVER_ZONE "Europe/Berlin" /* the user's */

/* False: another command. */
bool driver_event(struct driver_writes *w, struct str line);

#endif
