/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_INVITATIONS_H
#define BACKENDS_EAS_INVITATIONS_H
/*
 * Which mail invites to which meeting. Up to 14.0 a meeting is answered by its invitation in the Inbox, not by its item
 * in the calendar (MS-ASCMD 2.2.1.11, 2.2.3.30.4), and the calendar item does not name it: so the mails that Syncs
 * bring are remembered by the UID of the meeting, in the account's persistent storage.
 */
#include "backends/eas/eas_backend.h"

#define EAS_INVITATIONS_MAX 200 /* remembered; then the oldest goes */
#define EAS_ANSWER_BY_ITEM  141 /* from here on the item of the calendar can be answered, and one occurrence of it */
#define EAS_ONE_OCCURRENCE  2   /* InstanceType (MS-ASEMAIL 2.2.2.41) from here on: of one occurrence */

/* The iCalendar UID in a GlobalObjId (MS-ASEMAIL 2.2.2.37), base64; empty: there is none. In the arena. Pure. */
struct str eas_uid_of_global_id(struct str base64, struct arena *arena);

/* A page of a mail folder: invitations that came with it, and mails that are gone (`items`: what the core is told). */
void eas_invitations_note(struct eas_backend *b, struct str folder_id, const struct item_info *items, size_t count,
                          const struct eas_sync_page *page);
/* The newest invitation of this folder to the meeting; empty: none is known. In the arena. */
struct str eas_invitation_find(struct eas_backend *b, struct str folder_id, struct str uid, struct arena *arena);

#endif
