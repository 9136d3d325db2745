/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proving that the credentials work: GetFolder of the mailbox's root. ConvertId of its id then tells the primary
 * address (MS-OXWSCVTID: AlternateId/@Mailbox), which is more reliable than asking the directory; without that answer
 * it stays unknown.
 */
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "bridge/base/mem.h"

struct login_op {
    struct op op;
    struct ews *ews;
    struct ews_call *call;
    struct str secret;
    bool answered;
    struct ews_status status;
    struct str root_id, mailbox;
};

/* --- reading ------------------------------------------------------------------------------------- */

static enum xml_want on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct login_op *l = ud;
    (void)x;
    if (el == EL_FOLDER_ID)
        l->root_id = arena_str(&l->op.arena, str_sub(xml_attr_get(attrs, n, "Id"), 0, BACKEND_ID_MAX));
    else if (el == EL_ALTERNATE_ID)
        l->mailbox = arena_str(&l->op.arena, str_sub(xml_attr_get(attrs, n, "Mailbox"), 0, 320));
    return XML_COLLECT;
}

static void on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct login_op *l = ud;
    (void)x;
    if (index == 0) {
        l->answered = true;
        l->status = *status;
    }
}

static const struct ews_reader reader = {.on_start = on_start, .on_message = on_message, .max_bytes = 1 << 20};

/* --- the end ------------------------------------------------------------------------------------- */

static void answer(struct login_op *l)
{
    const struct ews_negotiation *n = &l->ews->negotiation;
    struct reply *r = l->op.reply;
    r->login.user = str_find_byte(l->mailbox, '@') != (size_t)-1 ? l->mailbox : STR_NULL;
    if (n->server.major)
        r->login.server = arena_printf(&l->op.arena, "Exchange %u.%u.%u (EWS %s)", n->server.major, n->server.minor,
                                       n->server.build, ews_version_name(n->now));
    else
        r->login.server = arena_printf(&l->op.arena, "EWS %s", ews_version_name(n->now));
    op_finish(&l->op);
}

static void on_converted(void *ud, const struct err *err)
{
    struct login_op *l = ud;
    l->call = NULL;
    if (err->code != ERR_NONE || !l->answered || l->status.code->err != ERR_NONE)
        l->mailbox = STR_NULL; /* not essential */
    answer(l);
}

static bool write_convert(void *ud, struct xml_writer *w, bool slow)
{
    struct login_op *l = ud;
    (void)slow;
    l->answered = false;
    xml_open(w, "m:ConvertId");
    xml_attr_lit(w, "DestinationFormat", "EwsId");
    xml_open(w, "m:SourceIds");
    xml_open(w, "t:AlternateId");
    xml_attr_lit(w, "Format", "EwsId");
    xml_attr(w, "Id", l->root_id);
    xml_attr_lit(w, "Mailbox", l->ews->config.mailbox ? l->ews->config.mailbox : l->ews->config.email);
    xml_close(w);
    xml_close(w);
    xml_close(w);
    return true;
}

static void forget_secret(struct login_op *l)
{
    mem_wipe((void *)l->secret.p, l->secret.n);
    l->secret = STR_NULL;
}

static void on_root(void *ud, const struct err *err)
{
    struct login_op *l = ud;
    struct err problem = *err;
    l->call = NULL;
    forget_secret(l);
    if (problem.code == ERR_NONE && !l->answered)
        err_set(&problem, ERR_PROTOCOL, "GetFolder: an answer without a response message");
    else if (problem.code == ERR_NONE && l->status.code->err != ERR_NONE)
        ews_status_err(&l->status, "GetFolder", &problem);
    if (problem.code != ERR_NONE) {
        op_finish_err(&l->op, &problem);
        return;
    }
    if (l->root_id.n == 0) {
        answer(l);
        return;
    }
    l->call = ews_call_start(l->ews, &(struct ews_call_opts){
                                         .operation = "ConvertId",
                                         .write = write_convert,
                                         .reader = &reader,
                                         .reader_ud = l,
                                         .on_done = on_converted,
                                         .ud = l,
                                     });
}

static bool write_root(void *ud, struct xml_writer *w, bool slow)
{
    struct login_op *l = ud;
    (void)slow;
    l->answered = false;
    l->root_id = STR_NULL;
    xml_open(w, "m:GetFolder");
    xml_open(w, "m:FolderShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_close(w);
    xml_open(w, "m:FolderIds");
    /* An archive need not have an inbox. */
    ews_write_known(w, l->ews->config.archive ? "msgfolderroot" : "inbox", ews_place(l->ews));
    xml_close(w);
    xml_close(w);
    return true;
}

static void start(struct op *op)
{
    struct login_op *l = (struct login_op *)op;
    l->call = ews_call_start(l->ews, &(struct ews_call_opts){
                                         .operation = "GetFolder",
                                         .write = write_root,
                                         .reader = &reader,
                                         .reader_ud = l,
                                         .on_done = on_root,
                                         .ud = l,
                                         .secret = l->secret,
                                     });
}

static void stop(struct op *op)
{
    struct login_op *l = (struct login_op *)op;
    ews_call_abort(&l->call);
    forget_secret(l);
}

static const struct op_class class = {"ews.login", sizeof(struct login_op), start, stop};

struct op *ews_login(struct backend *b, struct str secret, op_cb *cb, void *ud)
{
    struct login_op *l = (struct login_op *)op_new(b->loop, &class, cb, ud);
    l->ews = (struct ews *)b;
    l->secret = arena_str(&l->op.arena, secret);
    return &l->op;
}
