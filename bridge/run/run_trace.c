/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "trace": what an account says to its server, a part a line, until the client goes.
 *
 *   -> {"command":"trace","account":"work"}
 *   <- {"part":{"line":"#3 > POST /EWS/Exchange.asmx HTTP/1.1"}} ...
 *
 * One looker an account. A client that reads too slowly loses lines, and is told how many; the account never waits.
 */
#include <jansson.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/run/run.h"

struct trace_job {
    struct list link; /* of program.trace_jobs */
    struct account *account;
    struct control_request *request;
    uint64_t lost;
};

static bool say(struct trace_job *j, struct buf *line)
{
    return control_part(j->request, json_pack("{s:o}", "line", control_text(buf_z(line))));
}

static void on_line(void *ud, struct str text)
{
    struct trace_job *j = ud;
    struct buf line = BUF_INIT(0);
    if (j->lost) {
        buf_printf(&line, "[%llu lines are missing: they were read too slowly]", (unsigned long long)j->lost);
        if (say(j, &line))
            j->lost = 0;
    }
    buf_reset(&line);
    text_add_printable(&line, text);
    if (!say(j, &line))
        j->lost++;
    buf_done(&line);
}

static void job_free(struct trace_job *j)
{
    struct err err;
    (void)account_trace(j->account, NULL, &err); /* it began: it can end */
    log_info("control", account_name(j->account), "the trace has ended");
    list_remove(&j->link);
    mem_free(j);
}

static void on_gone(void *ud)
{
    job_free(ud);
}

void run_trace_drop(struct program *p, const struct run_account *slot)
{
    struct err err;
    err_set(&err, ERR_CONFLICT, "the account's configuration has changed; the trace ends");
    LIST_EACH (&p->trace_jobs, link) {
        struct trace_job *j = LIST_ITEM(link, struct trace_job, link);
        struct control_request *r = j->request;
        if (j->account != slot->account)
            continue;
        job_free(j);
        control_fail(r, &err);
    }
}

void run_trace_begin(struct program *p, struct account *a, struct control_request *r)
{
    struct err err;
    LIST_EACH (&p->trace_jobs, link) {
        if (LIST_ITEM(link, struct trace_job, link)->account != a)
            continue;
        err_set(&err, ERR_EXISTS, "somebody traces %s already", account_name(a));
        control_fail(r, &err);
        return;
    }
    struct trace_job *j = MEM_NEW(struct trace_job);
    j->account = a;
    j->request = r;
    if (!account_trace(a, &(struct backend_trace){.line = on_line, .ud = j}, &err)) {
        mem_free(j);
        control_fail(r, &err);
        return;
    }
    list_append(&p->trace_jobs, &j->link);
    control_on_gone(r, on_gone, j);
    log_info("control", account_name(a), "a trace has begun");
    control_part(r, json_pack("{s:b}", "begun", 1));
}
