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
#include "backends/ews/ews_single.h"

#define RECORD "ews.send-limit"

struct limit_op {
    struct ews_single single;
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

static const struct ews_reader reader = {.on_end = on_end, .on_message = ews_single_on_message, .max_bytes = 4 << 20};

/* --- asking ------------------------------------------------------------------------------------------------------- */

static bool write_ask(void *ud, struct xml_writer *w, bool slow)
{
    struct limit_op *l = ud;
    const struct backend_config *config = &l->single.ews->config;
    (void)slow;
    l->single.outcome = (struct ews_outcome){0};
    l->bytes = 0;
    xml_open(w, "m:GetServiceConfiguration");
    xml_open(w, "m:ActingAs");
    xml_leaf_lit(w, "t:EmailAddress", config->mailbox ? config->mailbox : config->email);
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
    struct err problem;
    /* What is wrong with the whole stands in the answer's outer element, which nobody reads: it is not told, then. */
    if (!ews_single_end(&l->single, err, &problem) && err->code == ERR_NONE && !l->single.outcome.answered)
        problem = (struct err){0};
    /* A server that was not reached, or did not let us in, has told nothing new. */
    bool asked = err->code != ERR_AUTH && err->code != ERR_DENIED && !err_is_transient(problem.code);
    if (asked) {
        take(l->single.ews, l->bytes);
        save(l->single.ews, l->bytes);
    }
    l->single.op.reply->message_max = l->bytes;
    op_finish_err(&l->single.op, &problem);
}

static void start(struct op *op)
{
    ews_single_ask((struct ews_single *)op, (struct ews_call_opts){.operation = "GetServiceConfiguration",
                                                                   .write = write_ask,
                                                                   .reader = &reader,
                                                                   .on_done = on_done,
                                                                   .aside = true});
}

static const struct op_class class = {"ews.send-limit", sizeof(struct limit_op), start, ews_single_stop};

struct op *ews_send_limit(struct backend *b, op_cb *cb, void *ud)
{
    return &ews_single_new(b, &class, cb, ud)->op;
}
