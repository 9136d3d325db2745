/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_UNICODE_H
#define BRIDGE_FORMATS_UNICODE_H
/*
 * Comparing text without regard to case and composition, as IMAP SEARCH, SORT and THREAD want it (i;unicode-casemap,
 * RFC 5051: title case, then full compatibility decomposition). Tables are compiled in (unicode_data.h, made from the
 * Unicode database by scripts/unicode-data); no locale, no state. Invalid UTF-8 is taken as U+FFFD.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

/* Append the comparison form of s: compare two of them with memcmp, search in them bytewise. */
bool unicode_fold_add(struct buf *out, struct str utf8);
/* Normalisation form C, for names (folders). */
bool unicode_nfc_add(struct buf *out, struct str utf8);
/* Is `needle` (already folded) in `hay` (UTF-8, any case)? scratch is working memory, reset each time. An empty needle
 * is in all. */
bool unicode_contains(struct str hay, struct str folded_needle, struct buf *scratch);

#endif
