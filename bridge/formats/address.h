/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_ADDRESS_H
#define BRIDGE_FORMATS_ADDRESS_H
/*
 * Address lists (RFC 5322 3.4 and 4.4, RFC 6532), read the way Dovecot reads them: whatever is there, something comes
 * out, in linear time and at most ADDRESS_MAX entries.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define ADDRESS_MAX 10000

enum address_kind { ADDRESS_MAILBOX, ADDRESS_GROUP_START, ADDRESS_GROUP_END };

/*
 * In ENVELOPE form (RFC 3501 7.4.2): NULL p is NIL. Quotes and comments are gone, encoded words are not decoded. A
 * group start has its name in `mailbox` and all else NULL; a group end is all NULL. A broken mailbox gets
 * "MISSING_MAILBOX" or "MISSING_DOMAIN" in the place of what is missing, and `broken`.
 */
struct address {
    enum address_kind kind;
    bool broken;
    struct str name, route, mailbox, host;
};
struct address_list {
    struct address *items;
    size_t n;
    bool truncated; /* there were more than ADDRESS_MAX */
};

/* value: a field value, folded or not, or several joined with ",\n". Strings are in the arena (or in `value`, which
 * must live as long). */
void address_parse(struct arena *a, struct str value, struct address_list *ret_list);

struct charset_cache;
/* `Name <mailbox@host>` in UTF-8 with encoded words decoded, for display and SEARCH; group marks give nothing, nor do
 * the words that stand for a missing half. */
void address_add_display(struct buf *out, struct charset_cache *cs, const struct address *a);
/* The whole list for display, separated by ", ". */
void address_list_add_display(struct buf *out, struct charset_cache *cs, const struct address_list *list);
/* `mailbox@host`, quoting the mailbox where RFC 5322 wants it. */
void address_add_spec(struct buf *out, const struct address *a);
/* As a header field wants it: name quoted or encoded (RFC 2047) as needed. name is UTF-8, spec is "local@domain". */
void address_add_header(struct buf *out, struct str name, struct str spec);

#endif
