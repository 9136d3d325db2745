/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol version (MS-ASHTTP 2.2.4), and the login operation that proves the credentials by asking for it, or by a
 * harmless command where a proxy lets POST alone through. */
#include "backends/eas/eas_backend.h"

#define HEADER_LINES_MAX 16

static void set_version(struct eas_backend *b, unsigned version)
{
    eas_forget_synced(b);
    b->state.version = version;
    b->state.device_told = false;
    eas_apply_version(b);
}

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
    set_version(b, best);
    b->assumed = false;
    return eas_state_save(&b->state, &b->config, err);
}

/* The one that most servers speak, then that of old ones, then the only one of Exchange Online. It is written down with
 * the first thing that a command has brought. */
bool eas_options_assume(struct eas_backend *b, const struct err *err)
{
    static const unsigned versions[] = {141, 121, 161};
    size_t next = 0;

    if (err->status != 405 && err->status != 501)
        return false;
    if (b->state.version != 0)
        return true;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (versions[i] == b->refused_version)
            next = i + 1;
    b->refused_version = 0; /* when all are refused: from the first one on, the next time */
    if (next == sizeof(versions) / sizeof(versions[0]))
        return false;
    set_version(b, versions[next]);
    b->assumed = true;
    b->setup.device_refused = false;
    log_warn("eas", b->config.name, "OPTIONS is refused (HTTP status %d): trying protocol version %s", err->status,
             eas_version_name(b->state.version));
    return true;
}

struct login_op {
    struct op op;
    struct eas_call call;
    struct err refusal; /* of OPTIONS */
};

static void end(struct login_op *l)
{
    struct eas_backend *b = l->call.b;
    struct reply *reply = l->op.reply;
    const char *server;

    if (reply->err.code == ERR_NONE) {
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

static void prove(struct login_op *l);

/* Who is told of a policy is signed in. */
static void on_proven(void *ud, const struct err *err)
{
    static const struct err none;
    struct login_op *l = ud;

    if (l->call.b->state.version == 0 && eas_options_assume(l->call.b, &l->refusal)) {
        prove(l);
        return;
    }
    l->op.reply->err = err->code == ERR_POLICY ? none : *err;
    end(l);
}

static bool write_proof(void *ud, struct eas_writer *w, struct err *err)
{
    (void)ud;
    (void)err;
    eas_write_open(w, Settings_Settings);
    eas_write_open(w, Settings_UserInformation);
    eas_write_empty(w, Settings_Get);
    eas_write_close(w);
    eas_write_close(w);
    return true;
}

static void prove(struct login_op *l)
{
    static const struct eas_rule list[] = {{.tag = Settings_Settings}};
    static const struct eas_rules rules = {list, 1};
    static const struct eas_request request = {
        .command = EAS_SETTINGS, .setup = true, .rules = &rules, .write = write_proof, .done = on_proven};
    struct eas_backend *b = l->call.b;
    struct str secret = l->call.secret;

    eas_call_close(&l->call);
    eas_call_init(&l->call, b, &request, l);
    l->call.secret = secret;
    eas_call_start(&l->call);
}

static void on_options(void *ud, const struct err *err)
{
    struct login_op *l = ud;

    if (eas_options_assume(l->call.b, err)) {
        l->refusal = *err;
        prove(l);
        return;
    }
    l->op.reply->err = *err;
    if (err->code == ERR_NONE)
        eas_options_take(l->call.b, l->call.http, &l->op.reply->err);
    end(l);
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
