/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_WRITE_H
#define PROTOCOLS_IMAP_WRITE_H
/*
 * Answers in IMAP's syntax. Everything appends to a buf and fails with it (test buf.failed once). Nothing here adds
 * CRLF unless it says so. Strings take the tightest safe form: atom where an astring may stand and the bytes allow it,
 * quoted, else literal; with utf8 (UTF8=ACCEPT is on) quoted strings may hold UTF-8 (RFC 6855).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"
#include "protocols/imap/imap_command.h"

void imap_write_astring(struct buf *out, struct str s, bool utf8); /* atom, "quoted" or {literal} */
void imap_write_string(struct buf *out, struct str s, bool utf8);  /* never an atom */
void imap_write_nstring(struct buf *out, struct str s, bool utf8); /* NULL p is NIL */
/* "{123}\r\n" or "~{123}\r\n": the announcement; the bytes follow. */
void imap_write_literal_head(struct buf *out, uint64_t size, bool literal8);
/* A literal whole; NUL bytes, which a plain literal cannot hold, are replaced by 0x80 as Dovecot does. */
void imap_write_literal(struct buf *out, struct str s);
void imap_write_mailbox(struct buf *out, struct str name, bool utf8); /* UTF-8 name to the wire, as astring */

/* "(\Seen $Forwarded foo)": enum item_flag bits and keywords. */
void imap_write_flags(struct buf *out, unsigned bits, bool recent, struct imap_strs keywords);
/* One flag by name to its bit; 0: not one of ours (a keyword, or an unknown \flag). */
unsigned imap_flag_bit(struct str name);

void imap_write_internaldate(struct buf *out, int64_t wall_s,
                             int zone_minutes); /* "23-Nov-2026 14:05:11 +0100", quoted */

/* Untagged `* STATUS name (MESSAGES 3 ...)\r\n`: the items asked, in the order of enum imap_status_item. */
struct imap_status_values {
    uint64_t messages, recent, uidnext, uidvalidity, unseen, deleted, size, highestmodseq, appendlimit, deleted_size;
    struct str mailbox_id;
};
void imap_write_status(struct buf *out, struct str name, bool utf8, unsigned items, const struct imap_status_values *v);

/* `* LIST (\HasNoChildren \Sent) "/" name\r\n`, or LSUB. attributes: without backslash ("HasChildren"). childinfo: what
 * is below, IMAP_LIST_SUBSCRIBED and IMAP_LIST_SPECIAL_USE: `("CHILDINFO" ("SUBSCRIBED"))` (RFC 5258 3.5); 0: nothing.
 */
void imap_write_list(struct buf *out, const char *response, const char *const *attributes, size_t attribute_n,
                     struct str name, bool utf8, unsigned childinfo);
/* `* LIST () "/" name ("OLDNAME" ("old"))\r\n`: what was asked for is called otherwise here (RFC 9051 7.3.1). */
void imap_write_oldname(struct buf *out, struct str name, struct str old, bool utf8);

/* `* ESEARCH (TAG "a1") UID MIN 2 MAX 9 ALL 2,4:9 COUNT 7 MODSEQ 12\r\n`. Nothing matched: MIN, MAX and ALL are left
 * out. */
struct imap_esearch {
    struct str tag;
    bool uid;
    unsigned returns;        /* enum imap_search_return */
    const uint32_t *numbers; /* what matched; ascending unless `sorted` */
    size_t n;
    bool sorted;     /* numbers are in SORT's order: MIN and MAX are the first and last of it (RFC 5267 3.2) */
    uint64_t modseq; /* 0: leave out */
};
void imap_write_esearch(struct buf *out, const struct imap_esearch *e);
/* `* SEARCH 2 4 5 (MODSEQ 12)\r\n`, `* SORT ...`. */
void imap_write_numbers(struct buf *out, const char *response, const uint32_t *numbers, size_t n, uint64_t modseq);

/* Tagged or untagged status line: `a1 NO [CODE] text\r\n`; an empty tag is `*`, code may be NULL. Control characters
 * and 8-bit bytes of the text become '?', and it is cut at 200. */
void imap_write_line(struct buf *out, struct str tag, const char *response, const char *code, const char *text);

#endif
