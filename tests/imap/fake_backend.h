/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_IMAP_FAKE_BACKEND_H
#define TESTS_IMAP_FAKE_BACKEND_H
/*
 * A server in memory behind bridge/backend.h: folders and items that a test changes line by line, with delays and
 * errors on order. Made before the account is opened; backend_config.login carries the pointer.
 *
 * Commands (words separated by blanks; names and categories percent-encoded, "-" = empty; bytes in base64):
 *   folder ID PARENT NAME KIND USE    mail|calendar|contacts, none|inbox|drafts|sent|trash|junk|archive|outbox
 *   rmfolder ID
 *   item FOLDER ID FLAGS RECEIVED_S CATEGORIES BASE64      FLAGS: letters of "SFAWDTJM" (enum item_flag) or "-"
 *                                     in a calendar or task folder (CAP_CALENDAR, CAP_TASKS): an iCalendar object
 *   load FOLDER ID FLAGS RECEIVED_S PATH                   the message is a file
 *   bulk FOLDER PREFIX COUNT SIZE     plain generated messages
 *   change FOLDER ID FLAGS CATEGORIES
 *   rm FOLDER ID
 *   wake FOLDER | quiet on|off        quiet: changes do not end a watch by themselves
 *   delay OP MS                       login|folders|sync|fetch|watch|write
 *   fail OP CODE COUNT [AFTER]        the next COUNT of them, but for AFTER before them, end in that error
 *   lose COUNT [AFTER]                so many writes, but for AFTER before them, are done, and their answers lost
 *   hold OP [AFTER] | release OP      they wait, but for AFTER before them, until they are released
 *   fail-item ID CODE COUNT           the same for one item's content
 *   page N                            items in one sync page
 *   stale FOLDER                      the next cursor of it is refused once
 *   ids FOLDER                        ids of the items there, separated by blanks
 *   counts | reset                    "counts login=1 folders=2 sync=3 fetch=4 watch=1 write=0 headers=5 messages=6"
 * Each is answered by one line: "ok ..." or "error ...".
 */
#include "bridge/backend.h"
#include "bridge/base/buf.h"

struct fake;
extern const struct backend_ops fake_backend_ops;

struct fake *fake_new(void);
void fake_allow_writes(struct fake *f);            /* before the account is opened; otherwise it only reads */
void fake_set_caps(struct fake *f, unsigned caps); /* enum backend_cap; the same */
void fake_free(struct fake *f);
void fake_command(struct fake *f, struct str line, struct buf *answer);

#endif
