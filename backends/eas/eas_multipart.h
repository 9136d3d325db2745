/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_MULTIPART_H
#define BACKENDS_EAS_MULTIPART_H
/*
 * application/vnd.ms-sync.multipart (MS-ASCMD 2.2.1.10.1): the WBXML of an ItemOperations answer as part 0, message
 * bodies as the parts after it, raw, so that any byte survives and nothing has to be held in memory. A table of
 * little-endian numbers comes first: count, then offset and length of each part, from the start of the answer.
 *
 * Fed in pieces of any size. Parts must come in the order of the table and not overlap, which lets them be streamed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/err.h"
#include "bridge/base/str.h"

#define EAS_PARTS_MAX 256

/* `last` comes once for each part, with its last bytes (none for an empty part). */
typedef bool eas_part_fn(void *ud, unsigned part, struct str piece, bool last, struct err *err);

struct eas_multipart {
    eas_part_fn *fn;
    void *ud;
    uint64_t at; /* bytes taken so far */
    uint32_t number;
    unsigned count, part; /* parts in the table; the one that is being read */
    struct {
        uint32_t offset, size;
    } parts[EAS_PARTS_MAX];
};

void eas_multipart_init(struct eas_multipart *m, eas_part_fn *fn, void *ud);
bool eas_multipart_feed(struct eas_multipart *m, struct str bytes, struct err *err);
bool eas_multipart_end(const struct eas_multipart *m, struct err *err);

#endif
