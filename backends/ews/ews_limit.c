/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large a message may be that is sent: GetServiceConfiguration with MailTips (MS-OXWCONFIG 3.1.4.1), from Exchange
 * 2010 on. Its MaxMessageSize is in bytes, the sender's own limit or else the organisation's; the MaxMessageSize that
 * GetMailTips has for an address is another one, what that address receives.
 *
 * The answer is kept over restarts. A server that does not tell leaves the limit at what fits into a request.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"

#define RECORD "ews.send-limit"

struct limit_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    bool answered;
    struct ews_status status;
    uint64_t bytes; /* 0: not told */
};

/* --- what is known ------------------------------------------------------------------------------------------------ */

static void take(struct ews *e, uint64_t bytes)
{
    e->base.limits.message_max = bytes ? bytes : EWS_SEND_LIMIT;
}

void ews_limit_load(struct ews *e)
{
    struct buf saved = BUF_INIT(32);
    uint64_t bytes = 0;
    if (e->config.host.persist_get && e->config.host.persist_get(e->config.host.ud, STR(RECORD), &saved))
        str_to_u64(buf_view(&saved), &bytes);
    take(e, bytes);
    buf_done(&saved);
}

static void save(struct ews *e, uint64_t bytes)
{
    char text[24] = "";
    struct err err;
    if (bytes)
        snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
    if (e->config.host.persist_put && !e->config.host.persist_put(e->config.host.ud, STR(RECORD), str_from(text), &err))
        log_warn("ews", e->config.name, "%s", err.text); /* it is asked for again */
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct limit_op *l = ud;
    uint64_t bytes;
    /* An int; its greatest value stands for "unlimited". */
    if (el == EL_MAX_MESSAGE_SIZE && xml_parent(x, 1) == EL_MAIL_TIPS && str_to_u64(str_trim(text), &bytes) &&
        bytes < INT_MAX)
        l->bytes = bytes;
}

static void on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct limit_op *l = ud;
    (void)x;
    if (index == 0) {
        l->answered = true;
        l->status = *status;
    }
}

static const struct ews_reader reader = {.on_end = on_end, .on_message = on_message, .max_bytes = 4 << 20};

/* --- asking ------------------------------------------------------------------------------------------------------- */

static bool write_ask(void *ud, struct xml_writer *w, bool slow)
{
    struct limit_op *l = ud;
    (void)slow;
    l->answered = false;
    l->bytes = 0;
    xml_open(w, "m:GetServiceConfiguration");
    xml_open(w, "m:ActingAs");
    xml_leaf_lit(w, "t:EmailAddress", l->ews->config.mailbox ? l->ews->config.mailbox : l->ews->config.email);
    xml_leaf_lit(w, "t:RoutingType", "SMTP");
    xml_close(w);
    xml_open(w, "m:RequestedConfiguration");
    xml_leaf_lit(w, "m:ConfigurationName", "MailTips");
    xml_close(w);
    xml_close(w);
    return true;
}

static void on_done(void *ud, const struct err *err)
{
    struct limit_op *l = ud;
    struct err problem = *err;
    l->call = NULL;
    /* What is wrong with the whole stands in the answer's outer element, which nobody reads: it is not told, then. */
    if (problem.code == ERR_NONE && l->answered && l->status.code->err != ERR_NONE)
        ews_status_err(&l->status, "GetServiceConfiguration", &problem);
    if (!err_is_transient(problem.code) || problem.code == ERR_NONE) {
        take(l->ews, l->bytes);
        save(l->ews, l->bytes);
    }
    l->op.reply->message_max = l->bytes;
    op_finish_err(&l->op, &problem);
}

static void start(struct op *op)
{
    struct limit_op *l = (struct limit_op *)op;
    l->call = ews_call_start(l->ews, &(struct ews_call_opts){
                                         .operation = "GetServiceConfiguration",
                                         .write = write_ask,
                                         .reader = &reader,
                                         .reader_ud = l,
                                         .on_done = on_done,
                                         .ud = l,
                                         .aside = true,
                                     });
}

static void stop(struct op *op)
{
    ews_call_abort(&((struct limit_op *)op)->call);
}

static const struct op_class class = {"ews.send-limit", sizeof(struct limit_op), start, stop};

struct op *ews_send_limit(struct backend *b, op_cb *cb, void *ud)
{
    struct limit_op *l = (struct limit_op *)op_new(b->loop, &class, cb, ud);
    l->ews = (struct ews *)b;
    return &l->op;
}
