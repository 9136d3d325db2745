/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_PEOPLE_READ_H
#define BACKENDS_EAS_PEOPLE_READ_H
/* The answers to MeetingResponse (MS-ASCMD 2.2.1.11) and ResolveRecipients (MS-ASCMD 2.2.1.15). Pure. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/eas/eas_answer.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"

/* --- MeetingResponse with one Request --- */
struct eas_meeting_answer {
    struct arena *arena; /* set by the owner */
    bool answered;
    int status; /* 1 ok, 2 invalid, 3 mailbox, 4 server */
    struct str calendar_id;
};
extern const struct eas_rules eas_meeting_rules; /* ud is the answer */
/* False with *err unless the status says that it was done. */
bool eas_meeting_status(const struct eas_meeting_answer *a, struct err *err);

/* --- ResolveRecipients with Availability --- */
struct eas_resolved {
    bool answered;
    int status, availability; /* of the name, of its free/busy times; 0 = not told */
    unsigned recipients;
    struct str digits; /* MergedFreeBusy of the one it is */
};
struct eas_resolve_answer {
    struct arena *arena; /* set by the owner, as are the next three */
    const struct str *addresses;
    struct eas_resolved *list; /* one for each address */
    size_t count;
    /* the Response and the Recipient that are open */
    size_t position;
    struct str to, email, digits;
    int status, availability;
    struct eas_resolved current;
};
extern const struct eas_rules eas_resolve_rules; /* ud is the answer */
void eas_resolve_begin(struct eas_resolve_answer *a, const struct str *addresses, size_t count);
/* False with *err: that address has no free/busy times that we may see. */
bool eas_resolve_status(const struct eas_resolved *r, struct err *err);

#define EAS_BUSY_SLOT_S 1800 /* of one digit */
/* Spans of equal digits in [from, to), the first digit beginning at `begin`; appended to what there is, joined with the
 * last one where it goes on. In the arena. False: it is as if the server had no data at all. */
bool eas_busy_add(struct busy_list *list, struct str digits, int64_t begin, int64_t from, int64_t to,
                  struct arena *arena);

#endif
