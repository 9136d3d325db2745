/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_SEQSET_H
#define PROTOCOLS_IMAP_SEQSET_H
/*
 * Sequence sets (RFC 3501 9, sequence-set; "$" is RFC 5182): sets of message numbers or UIDs.
 *
 * The parser delivers a set as the client wrote it, with `*` still in it (IMAP_STAR). Before use it is resolved against
 * the largest number of the mailbox; a resolved set is sorted, its ranges neither touch nor overlap, and it has no `*`.
 * What is stored and iterated is always a resolved set, so every question is a binary search at most.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define IMAP_STAR       0u    /* the value of `*` in an unresolved range */
#define IMAP_SEQSET_MAX 20000 /* ranges in one set; a 64 KiB line has no room for many more */

struct imap_range {
    uint32_t from, to; /* both ends belong to it */
};
struct imap_seqset {
    const struct imap_range *ranges;
    size_t n;
    bool saved; /* it was "$": the result the session keeps (SEARCHRES); n is 0 */
};

/* "1:4,7,9:*", "*:5", or "$". Numbers are 1 to 4294967295, without leading zeros only by custom: "007" is taken. False:
 * syntax error or too many ranges; nothing is written then. */
bool imap_seqset_parse(struct arena *a, struct str s, struct imap_seqset *ret_set);

/* Replace `*` by `max` (the number of messages, or the largest UID), put ends in order, sort, merge. With max 0 (an
 * empty mailbox) `*` stands for nothing: a range that has it vanishes. UIDs above max stay in the set: nothing will
 * match them. */
void imap_seqset_resolve(struct arena *a, const struct imap_seqset *set, uint32_t max, struct imap_seqset *ret_set);
/* A resolved set from numbers in ascending order without repetition. */
void imap_seqset_from_sorted(struct arena *a, const uint32_t *numbers, size_t n, struct imap_seqset *ret_set);

/* The rest wants resolved sets. */
bool imap_seqset_has(const struct imap_seqset *set, uint32_t n);
uint64_t imap_seqset_count(const struct imap_seqset *set);
/* The largest number in the set; 0 when empty. */
uint32_t imap_seqset_last(const struct imap_seqset *set);

/* Every number, in ascending order. A set may have four thousand million of them (1:*): callers that look for UIDs skip
 * ahead with imap_seqset_iter_seek(). */
struct imap_seqset_iter {
    const struct imap_seqset *set;
    size_t i;
    uint64_t next; /* 0 = take the beginning of range i */
};
void imap_seqset_iter_init(struct imap_seqset_iter *it, const struct imap_seqset *set);
bool imap_seqset_iter_next(struct imap_seqset_iter *it, uint32_t *ret_n);
/* Go on with the first number that is at least n (never back). */
void imap_seqset_iter_seek(struct imap_seqset_iter *it, uint32_t n);

/* "1:4,7" ; nothing for an empty set, which the grammar has no form for. */
void imap_seqset_add(struct buf *out, const struct imap_seqset *set);
/* The same straight from ascending numbers (repetitions are dropped). */
void imap_seqset_add_sorted(struct buf *out, const uint32_t *numbers, size_t n);

#endif
