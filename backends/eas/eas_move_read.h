/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_MOVE_READ_H
#define BACKENDS_EAS_MOVE_READ_H
/* The answer to a MoveItems (MS-ASCMD 2.2.1.12). */
#include <stddef.h>

#include "backends/eas/eas_answer.h"
#include "bridge/base/arena.h"

/* MoveItems' own statuses (MS-ASCMD 2.2.3.177.10). Yes, 3. */
enum eas_move_status {
    EAS_MOVE_NO_SOURCE = 1,
    EAS_MOVE_NO_TARGET = 2,
    EAS_MOVE_OK = 3,
    EAS_MOVE_SAME = 4,
    EAS_MOVE_FAILED = 5,
    EAS_MOVE_LOCKED = 7
};

struct eas_moved {
    int status; /* 0: not answered */
    struct str new_id;
};
struct eas_move_answer {
    /* set by the owner */
    struct arena *arena;
    const struct str *ids; /* as asked */
    struct eas_moved *list;
    size_t count;
    /* read */
    struct str source_id;
    struct eas_moved current;
};
extern const struct eas_rules eas_move_rules; /* ud is the answer */

void eas_move_answer_begin(struct eas_move_answer *a, const struct str *ids, size_t count);

#endif
