/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proving that the credentials work: GetFolder of the mailbox's root. ConvertId of its id then tells the primary
 * address (MS-OXWSCVTID: AlternateId/@Mailbox), which is more reliable than asking the directory; without that answer
 * it stays unknown.
 */
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_single.h"
#include "bridge/base/mem.h"

struct login_op {
    struct ews_single single;
    struct str secret;
    struct str root_id, mailbox;
};

/* --- reading ------------------------------------------------------------------------------------- */

static enum xml_want on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct login_op *l = ud;
    (void)x;
    if (el == EL_FOLDER_ID)
        l->root_id = arena_str(&l->single.op.arena, str_sub(xml_attr_get(attrs, n, "Id"), 0, BACKEND_ID_MAX));
    else if (el == EL_ALTERNATE_ID)
        l->mailbox = arena_str(&l->single.op.arena, str_sub(xml_attr_get(attrs, n, "Mailbox"), 0, 320));
    return XML_COLLECT;
}

static const struct ews_reader reader = {
    .on_start = on_start, .on_message = ews_single_on_message, .max_bytes = 1 << 20};

/* --- the end ------------------------------------------------------------------------------------- */

static void answer(struct login_op *l)
{
    const struct ews_negotiation *n = &l->single.ews->negotiation;
    struct reply *r = l->single.op.reply;
    r->login.user = str_find_byte(l->mailbox, '@') != (size_t)-1 ? l->mailbox : STR_NULL;
    if (n->server.major)
        r->login.server = arena_printf(&l->single.op.arena, "Exchange %u.%u.%u (EWS %s)", n->server.major,
                                       n->server.minor, n->server.build, ews_version_name(n->now));
    else
        r->login.server = arena_printf(&l->single.op.arena, "EWS %s", ews_version_name(n->now));
    op_finish(&l->single.op);
}

static void on_converted(void *ud, const struct err *err)
{
    struct login_op *l = ud;
    struct err unimportant;
    if (!ews_single_end(&l->single, err, &unimportant))
        l->mailbox = STR_NULL;
    answer(l);
}

static bool write_convert(void *ud, struct xml_writer *w, bool slow)
{
    struct login_op *l = ud;
    (void)slow;
    l->single.outcome = (struct ews_outcome){0};
    xml_open(w, "m:ConvertId");
    xml_attr_lit(w, "DestinationFormat", "EwsId");
    xml_open(w, "m:SourceIds");
    xml_open(w, "t:AlternateId");
    xml_attr_lit(w, "Format", "EwsId");
    xml_attr(w, "Id", l->root_id);
    xml_attr_lit(w, "Mailbox",
                 l->single.ews->config.mailbox ? l->single.ews->config.mailbox : l->single.ews->config.email);
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
    struct err problem;
    bool ok = ews_single_end(&l->single, err, &problem);
    forget_secret(l);
    if (!ok) {
        op_finish_err(&l->single.op, &problem);
        return;
    }
    if (l->root_id.n == 0) {
        answer(l);
        return;
    }
    ews_single_ask(&l->single,
                   (struct ews_call_opts){
                       .operation = "ConvertId", .write = write_convert, .reader = &reader, .on_done = on_converted});
}

static bool write_root(void *ud, struct xml_writer *w, bool slow)
{
    struct login_op *l = ud;
    (void)slow;
    l->single.outcome = (struct ews_outcome){0};
    l->root_id = STR_NULL;
    xml_open(w, "m:GetFolder");
    xml_open(w, "m:FolderShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_close(w);
    xml_open(w, "m:FolderIds");
    /* An archive need not have an inbox. */
    ews_write_known(w, l->single.ews->config.archive ? "msgfolderroot" : "inbox", ews_place(l->single.ews));
    xml_close(w);
    xml_close(w);
    return true;
}

static void start(struct op *op)
{
    struct login_op *l = (struct login_op *)op;
    ews_single_ask(
        &l->single,
        (struct ews_call_opts){
            .operation = "GetFolder", .write = write_root, .reader = &reader, .on_done = on_root, .secret = l->secret});
}

static void stop(struct op *op)
{
    struct login_op *l = (struct login_op *)op;
    ews_single_stop(op);
    forget_secret(l);
}

static const struct op_class class = {"ews.login", sizeof(struct login_op), start, stop};

struct op *ews_login(struct backend *b, struct str secret, op_cb *cb, void *ud)
{
    struct login_op *l = (struct login_op *)ews_single_new(b, &class, cb, ud);
    l->secret = arena_str(&l->single.op.arena, secret);
    return &l->single.op;
}
