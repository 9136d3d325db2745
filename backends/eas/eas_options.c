/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol version (MS-ASHTTP 2.2.4), and the login operation that proves the credentials by asking for it. */
#include "backends/eas/eas_backend.h"

#define HEADER_LINES_MAX 16

bool eas_options_take(struct eas_backend *b, const struct http_request *http, struct err *err)
{
    unsigned best, before = b->state.version;
    struct buf list = BUF_INIT(4096);
    const char *line;
    size_t n;

    /* Several lines are one list, with repetitions: Exchange Online sends the header twice. */
    for (n = 0; n < HEADER_LINES_MAX && (line = http_header_nth(http, "MS-ASProtocolVersions", n)); n++) {
        buf_lit(&list, line);
        buf_byte(&list, ',');
    }
    best = eas_version_choose(buf_view(&list), before);
    buf_done(&list);
    if (n == 0)
        return err_set(err, ERR_PROTOCOL,
                       "the server answered OPTIONS without naming any ActiveSync version (is it busy, or "
                       "is the url that of something else?)");
    if (best == 0)
        return err_set(err, ERR_UNSUPPORTED, "the server speaks no ActiveSync version from 12.1 to 16.1");
    if (best == before)
        return true;
    if (before != 0)
        log_warn("eas", b->config.name, "protocol version %s instead of %s: everything is synchronised anew",
                 eas_version_name(best), eas_version_name(before));
    eas_forget_synced(b);
    b->state.version = best;
    b->state.device_told = false;
    eas_apply_version(b);
    return eas_state_save(&b->state, &b->config, err);
}

struct login_op {
    struct op op;
    struct eas_call call;
};

static void on_options(void *ud, const struct err *err)
{
    struct login_op *l = ud;
    struct eas_backend *b = l->call.b;
    struct reply *reply = l->op.reply;
    const char *server;

    reply->err = *err;
    if (err->code == ERR_NONE && eas_options_take(b, l->call.http, &reply->err)) {
        server = http_header(l->call.http, "MS-Server-ActiveSync");
        reply->login.server = arena_printf(&l->op.arena, "ActiveSync %s%s%.40s", eas_version_name(b->state.version),
                                           server ? ", server " : "", server ? server : "");
    }
    /* What a client offered and the server refused is not the account's trouble. */
    if (reply->err.code == ERR_NONE ? b->health == ERR_AUTH : l->call.secret.n == 0)
        eas_health(b, &reply->err);
    eas_call_close(&l->call);
    op_finish(&l->op);
}

static const struct eas_request login_request = {.command = EAS_OPTIONS, .setup = true, .done = on_options};

static void start(struct op *op)
{
    eas_call_start(&((struct login_op *)op)->call);
}

static void stop(struct op *op)
{
    eas_call_close(&((struct login_op *)op)->call);
}

struct op *eas_login(struct backend *b, struct str secret, op_cb *cb, void *ud)
{
    static const struct op_class class = {"eas.login", sizeof(struct login_op), start, stop};
    struct op *op = op_new(b->loop, &class, cb, ud);
    struct login_op *l = (struct login_op *)op;

    eas_call_init(&l->call, (struct eas_backend *)b, &login_request, l);
    l->call.secret = arena_str(&op->arena, secret);
    return op;
}
