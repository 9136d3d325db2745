/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_single.h"

struct ews_single *ews_single_new(struct backend *b, const struct op_class *class, op_cb *cb, void *ud)
{
    struct ews_single *s = (struct ews_single *)op_new(b->loop, class, cb, ud);
    s->ews = (struct ews *)b;
    return s;
}

void ews_single_ask(struct ews_single *s, struct ews_call_opts opts)
{
    opts.ud = opts.reader_ud = s;
    s->operation = opts.operation;
    s->outcome = (struct ews_outcome){0};
    s->call = ews_call_start(s->ews, &opts);
}

void ews_single_on_message(void *single, struct xml *x, size_t index, const struct ews_status *status)
{
    (void)x;
    ews_outcome_take(&((struct ews_single *)single)->outcome, index, status);
}

bool ews_single_end(struct ews_single *s, const struct err *call_err, struct err *err)
{
    *err = *call_err;
    s->call = NULL;
    return err->code == ERR_NONE && ews_outcome_check(&s->outcome, s->operation, err);
}

void ews_single_stop(struct op *op)
{
    ews_call_abort(&((struct ews_single *)op)->call);
}
