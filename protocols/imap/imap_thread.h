/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_THREAD_H
#define PROTOCOLS_IMAP_THREAD_H
/*
 * THREAD (RFC 5256 4; REFS is REFERENCES without subject gathering, threads ordered by their latest message): pure over
 * an array of keys, iterative, n log n, so 100,000 messages in one chain are no danger.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_digest.h"

struct imap_thread_entry {
    uint32_t seq;   /* orders equal dates */
    uint32_t id;    /* what is written: UID or message number */
    int64_t date_s; /* the Date field, else arrival */
    bool is_reply;
    struct str base_subject;           /* folded */
    struct str message_id, references; /* as in imap_digest */
};
/* From a digest, strings copied into the arena; digest NULL as in imap_sort_fill. seq and id are the caller's. */
void imap_thread_fill(struct arena *a, enum imap_thread_by by, const struct imap_digest *digest, int64_t arrival_s,
                      struct imap_thread_entry *entry);
/* The threads, without "* THREAD " and line end: "(2)(3 6 (4 23)(44 7 96))". Entries may be reordered. */
void imap_thread_run(struct buf *out, enum imap_thread_by by, struct imap_thread_entry *entries, size_t count);

#endif
