/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_NAMES_H
#define BRIDGE_NAMES_H
/*
 * Server names to names a client can use, and back.
 *
 * Folder labels: one component of an IMAP path (separator '/'). NFC; '/' becomes _x002F_, a control character its own
 * _xHHHH_, and a literal "_x" that could be taken for such an escape becomes "_x005F_x". Empty names become "_x0000_"
 * so that a path never has an empty component. Siblings with equal labels get " (2)", " (3)", ...
 *
 * Keywords: Exchange categories are free text, IMAP keywords are atoms (RFC 9051 flag-keyword). The five categories
 * that Thunderbird's tags stand for are $label1..$label5; every other category is its own text with bytes that an atom
 * cannot have written _xHHHH_ (UTF-16 code units as in the folder names).
 *
 * Marks: keywords that programs set by themselves, some of them on every message ($MDNSent: a receipt was sent;
 * NonJunk: the junk filter has looked). As categories they would show beside each message in Outlook, and an ActiveSync
 * server without categories could not hold them at all; so they are bits of the item's flags, known here alone. A
 * category of such a name, which another program has made, counts as the mark, and goes when the mark is taken away.
 */
#include <stdbool.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define NAMES_LABEL_MAX 1024 /* bytes; longer names are cut at a character */

void names_label(struct buf *out, struct str display_name);
/* The display name a label stands for (CREATE, RENAME). */
void names_display(struct buf *out, struct str label);
/* Is the folder `path` below the folder `parent`? */
bool names_is_below(struct str path, struct str parent);
void names_keyword(struct buf *out, struct str category);
void names_category(struct buf *out, struct str keyword);

#define NAMES_MARKS 8
extern const char *const names_marks[NAMES_MARKS]; /* bit i is ITEM_MARK_FIRST << i */
/* The mark's bit; 0: an ordinary keyword. */
unsigned names_mark(struct str keyword);

#endif
