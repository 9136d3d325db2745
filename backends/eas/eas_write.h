/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_WRITE_H
#define BACKENDS_EAS_WRITE_H
/*
 * What the operations that change something share. They belong to the account, not to who asked: nobody cancels them
 * (op.h), so the backend knows them all and ends them itself when it closes.
 */
#include "backends/eas/eas_backend.h"
#include "bridge/op.h"

struct eas_write { /* embedded as the first member */
    struct op op;
    struct list link; /* b->writes */
    struct eas_backend *b;
    struct eas_turn turn;
};

/* The class's abort() frees what the op holds; eas_write_leave() is part of it. */
struct eas_write *eas_write_new(struct backend *b, const struct op_class *class, op_cb *cb, void *ud);
/* Out of queue and list: first thing in abort(), and before op_finish(). */
void eas_write_leave(struct eas_write *w);
/* The core's sync state of a folder (empty id: of the folder list), in the op's arena. ERR_STALE: there is none that
 * item ids of the core belong to. */
bool eas_write_cursor(struct eas_write *w, struct str folder_id, struct str *ret_cursor, struct err *err);
/* An event's change is made only while its base is what the core has (backend.h): the server sees a conflict with what
 * our sync state does not know of, but a page that came while this op waited for its turn has moved that on. `ask`:
 * NULL = always. ERR_CONFLICT */
bool eas_write_is_current(struct eas_write *w, event_current_cb *ask, struct err *err);
/* The backend closes: the ops end without callbacks. */
void eas_writes_done(struct eas_backend *b);

#endif
