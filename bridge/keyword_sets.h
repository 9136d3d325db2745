/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_KEYWORD_SETS_H
#define BRIDGE_KEYWORD_SETS_H
/*
 * The keyword combinations that occur in a mailbox, each stored once: a message holds a number. Set 0 is the empty one.
 * Nothing is ever removed while the mailbox is loaded.
 */
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/str.h"

struct keyword_sets;
struct keyword_sets *keyword_sets_new(void);
void keyword_sets_free(struct keyword_sets **k);
/* categories: the server's names, each followed by LF. */
uint32_t keyword_sets_add(struct keyword_sets *k, struct str categories);
/* Without those that are marks (names.h). */
const struct str *keyword_sets_get(const struct keyword_sets *k, uint32_t set, size_t *ret_count);
unsigned keyword_sets_marks(const struct keyword_sets *k, uint32_t set);
const struct str *keyword_sets_all(const struct keyword_sets *k, size_t *ret_count);

#endif
