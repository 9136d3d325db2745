/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_RAND_H
#define BRIDGE_BASE_RAND_H
/* Random bytes from the kernel (getrandom(2)); aborts if there are none. */
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/buf.h"

void rand_bytes(void *p, size_t n);
uint64_t rand_below(uint64_t bound); /* uniform in [0, bound); bound > 0 */
void rand_add_hex(struct buf *out, size_t bytes);
void rand_add_guid(struct buf *out); /* 8-4-4-4-12, version 4 */

#endif
