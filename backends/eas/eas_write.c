/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_write.h"

struct eas_write *eas_write_new(struct backend *base, const struct op_class *class, op_cb *cb, void *ud)
{
    struct eas_write *w = (struct eas_write *)op_new(base->loop, class, cb, ud);
    op_mark_write(&w->op);

    w->b = (struct eas_backend *)base;
    list_init(&w->link);
    list_append(&w->b->writes, &w->link);
    return w;
}

void eas_write_leave(struct eas_write *w)
{
    list_remove(&w->link);
    eas_turn_end(&w->turn);
}

bool eas_write_cursor(struct eas_write *w, struct str folder_id, struct str *ret_cursor, struct err *err)
{
    const struct backend_host *host = &w->b->config.host;
    struct buf cursor = BUF_INIT(BACKEND_CURSOR_MAX);
    bool found = host->cursor && host->cursor(host->ud, folder_id, &cursor) && cursor.n > 0;

    if (found)
        *ret_cursor = arena_str(&w->op.arena, buf_view(&cursor));
    buf_done(&cursor);
    return found || err_set(err, ERR_STALE, "the folder is not synchronised at the moment");
}

bool eas_write_is_current(struct eas_write *w, event_current_cb *ask, struct err *err)
{
    return !ask || ask(w->op.ud) || err_set(err, ERR_CONFLICT, "the server's item was changed meanwhile");
}

void eas_writes_done(struct eas_backend *b)
{
    while (!list_empty(&b->writes)) {
        struct op *op = &LIST_ITEM(b->writes.next, struct eas_write, link)->op;

        list_remove(b->writes.next);
        op_cancel(&op);
    }
}
