/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_SORT_H
#define PROTOCOLS_IMAP_SORT_H
/* SORT (RFC 5256 3, RFC 5957): pure over an array of keys. n log n, stable by message number. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_digest.h"

struct imap_sort_entry {
    uint32_t seq;              /* ties are broken by it (never reversed) */
    uint32_t id;               /* what the caller wants back: UID or message number */
    int64_t arrival_s, date_s; /* date_s: the Date field, else arrival (RFC 5256 2.2) */
    uint64_t size;
    struct str cc, from, to, subject, display_from, display_to; /* folded; compared bytewise */
};

/* Fill the keys that `by` wants from a digest; copies strings into the arena, so the digest may go. seq, id, arrival_s
 * and size are the caller's. digest NULL: the message could not be had: empty strings, date = arrival. */
void imap_sort_fill(struct arena *a, const struct imap_sort_by *by, size_t n, const struct imap_digest *digest,
                    struct imap_sort_entry *entry);
/* Does the program want a digest at all? (ARRIVAL and SIZE do not) */
bool imap_sort_needs_digest(const struct imap_sort_by *by, size_t n);
void imap_sort_run(struct imap_sort_entry *entries, size_t count, const struct imap_sort_by *by, size_t n);

#endif
