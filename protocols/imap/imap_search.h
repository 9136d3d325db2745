/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_SEARCH_H
#define PROTOCOLS_IMAP_SEARCH_H
/*
 * Does a message match a search program? Three-valued: keys over what is not here yet are unknown, and the message is
 * asked for only when the outcome depends on it.
 *
 *     struct imap_searcher *s = imap_searcher_new(&env, program);
 *     for each message: switch (imap_searcher_match(s, &message)) ... IMAP_MATCH_NEEDS_*: fetch, then ask again
 *     imap_searcher_free(s);
 *
 * Keys are tried cheapest first; cheap keys are flags, numbers, dates; then digest, header, and at last the message.
 * Nothing is allocated per message but scratch space that is used again.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/str.h"
#include "bridge/formats/charset.h"
#include "bridge/formats/mime.h"
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_digest.h"
#include "protocols/imap/imap_render.h" /* struct imap_reader */

struct imap_search_env {
    struct charset_cache *charsets;
    uint32_t last_seq, last_uid;          /* for `*` */
    const struct imap_seqset *saved_uids; /* "$" (RFC 5182), resolved, as UIDs; NULL or empty matches nothing */
    int64_t now_s;                        /* OLDER, YOUNGER */
    int zone_minutes;                     /* the zone in which INTERNALDATE and SAVEDATE are days */
};

struct imap_search_message {
    uint32_t seq, uid;
    unsigned flags; /* enum item_flag */
    bool recent;
    struct imap_strs keywords;
    uint64_t size, modseq;
    int64_t internal_s;
    int64_t saved_s; /* 0 = unknown: SAVED* keys then compare INTERNALDATE (RFC 8514 4.3) */
    struct str email_id, thread_id;
    /* What is here already; all may be absent. With any of digest, header or message the envelope keys can be decided.
     */
    const struct imap_digest *digest;
    struct str header;                 /* NULL p: not here */
    const struct mime_part *structure; /* of the complete message; with reader */
    const struct imap_reader *reader;
    /* Ask lazily instead: called at most once a message and kind, only when a key wants it, and only when the field
     * above is absent; fills it in and returns true, or false: not here. May be NULL. */
    void *ud;
    bool (*get_digest)(void *ud, struct imap_search_message *m);
    bool (*get_header)(void *ud, struct imap_search_message *m);
    bool (*get_message)(void *ud, struct imap_search_message *m);
};

enum imap_match {
    IMAP_MATCH_NO,
    IMAP_MATCH_YES,
    IMAP_MATCH_NEEDS_HEADER, /* digest or header block */
    IMAP_MATCH_NEEDS_MESSAGE,
    IMAP_MATCH_FAILED /* what was there could not be read: the reader said no */
};

struct imap_searcher;
/* program: of imap_command; must outlive the searcher, as must env's pointers. */
struct imap_searcher *imap_searcher_new(const struct imap_search_env *env, const struct imap_search_key *program);
void imap_searcher_free(struct imap_searcher *s);
enum imap_match imap_searcher_match(struct imap_searcher *s, struct imap_search_message *m);
/* May the program match at all outside these UIDs / numbers? False and a resolved set: only messages in the set need to
 * be looked at (UID or sequence sets at the top level). The set lives as long as the searcher. */
bool imap_searcher_bounds(struct imap_searcher *s, bool *ret_uid, const struct imap_seqset **ret_set);
/* The most that any message could need: IMAP_NEEDS_HEADER, IMAP_NEEDS_MESSAGE, or 0. */
unsigned imap_search_needs(const struct imap_search_key *program);

#endif
