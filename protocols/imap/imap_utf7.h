/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_UTF7_H
#define PROTOCOLS_IMAP_UTF7_H
/*
 * Mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3), or UTF-8 once the client has enabled UTF8=ACCEPT
 * (RFC 6855). Inside the program names are UTF-8 (NFC), with `/` between the levels and "INBOX" in capitals.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

/* Modified UTF-7 to UTF-8, strictly: one name has one form, so shifts that encode printable ASCII, useless shifts
 * ("&AGE-", "&-&-" is fine, "&...-&...-" is not), wrong padding bits, lone surrogates and 8-bit bytes are errors. */
bool imap_utf7_decode(struct buf *out, struct str in);
/* UTF-8 to modified UTF-7. False on invalid UTF-8. */
bool imap_utf7_encode(struct buf *out, struct str utf8);

#define IMAP_NAME_MAX   1000 /* bytes of UTF-8 in a mailbox name */
#define IMAP_NAME_DEPTH 32   /* levels */

/*
 * A name as the client sent it, to ours. utf8 = UTF8=ACCEPT is on: UTF-8 is taken as it is. Off: modified UTF-7.
 * "inbox" becomes "INBOX", alone or as the first level. NULL p: not decodable, has control characters, or over the
 * limits above; such a mailbox cannot exist. Wildcards are ordinary characters here, so LIST patterns take this road
 * too.
 */
struct str imap_name_decode(struct arena *a, struct str wire, bool utf8);
/* Ours to the wire, without quoting (imap_write_mailbox does both). */
bool imap_name_encode(struct buf *out, struct str name, bool utf8);

/* May a mailbox of this name be made (CREATE, RENAME)? NULL = yes, else why not, for the client's eyes. Refused: empty,
 * empty level, leading or trailing "/", "." or ".." as a level, control characters and U+2028/2029, invalid UTF-8, over
 * the limits. % and * are allowed: folders that have them exist, and must be renamed like others. */
const char *imap_name_check(struct str name);

#endif
