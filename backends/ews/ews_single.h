/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_SINGLE_H
#define EWS_SINGLE_H
/*
 * An op that has one request under way at a time, each about one thing: of an answer the first response message counts.
 * The first member of an op's struct:
 *
 *     ews_single_new() -> start() -> ews_single_ask() -> [write() -> reader...]* -> on_done(): ews_single_end()
 *                                         ^-------------------------------------------------' the next request
 */
#include "backends/ews/ews_call.h"

struct ews_single {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    const char *operation; /* of `call` */
    struct ews_outcome outcome;
};

/* class->size is that of the whole struct; class->stop is ews_single_stop. */
struct ews_single *ews_single_new(struct backend *b, const struct op_class *class, op_cb *cb, void *ud);
/* ud, reader_ud are the op; the reader's on_message is ews_single_on_message, or calls it. */
void ews_single_ask(struct ews_single *s, struct ews_call_opts opts);
void ews_single_on_message(void *single, struct xml *x, size_t index, const struct ews_status *status);
/* For on_done(). False: the request failed, or the server refused what was asked; err says which. */
bool ews_single_end(struct ews_single *s, const struct err *call_err, struct err *err);
void ews_single_stop(struct op *op);

#endif
