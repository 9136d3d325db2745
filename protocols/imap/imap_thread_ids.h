/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_THREAD_IDS_H
#define PROTOCOLS_IMAP_THREAD_IDS_H
/*
 * A table from strings (message ids, subjects) to small numbers. Strings are borrowed. The hash is keyed with random
 * bytes (SipHash-1-3): whoever writes mail to the user must not be able to choose colliding ids.
 */
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/str.h"

struct imap_thread_ids {
    struct slot *slots;
    size_t size, n; /* size is a power of two */
    uint64_t key[2];
};
#define IMAP_THREAD_NONE UINT32_MAX

void imap_thread_ids_init(struct imap_thread_ids *t);
void imap_thread_ids_done(struct imap_thread_ids *t);
/* The place of a string's value; IMAP_THREAD_NONE in it when the string is new. Valid until the next call. */
uint32_t *imap_thread_ids_at(struct imap_thread_ids *t, struct str s);

#endif
