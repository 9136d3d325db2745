/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "login": `exbridge login` brings a new secret, or says that there is one where the configuration looks.
 *
 *   -> {"command":"login","login":"account-work","kind":"tokens"|"password"|"again","secret":"..."}
 *   <- {"ok":true,"answer":{"tested":"work","user":"alice@example.com","server":"Exchange 15.1 ..."}}
 *   <- {"ok":true,"answer":{"problem":"..."}}            it is stored, and something else stands in the way
 *   <- {"ok":false,...}                                  it is not stored
 *
 * A password is shown to the server first, and stored when it is accepted, or when the server cannot be asked. Tokens
 * are stored first: they are worth something even if the mailbox refuses them today. Afterwards everybody who uses the
 * login tries again, at once.
 */
#include <jansson.h>
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/run/run.h"
#include "bridge/secrets.h"

enum kind { KIND_TOKENS, KIND_PASSWORD, KIND_AGAIN };

struct login_job {    /* one command under way */
    struct list link; /* program.login_jobs */
    struct program *program;
    struct control_request *request;
    struct login *login;
    struct account *account; /* to test it with; NULL: none is open */
    enum kind kind;
    struct buf secret;
    struct op *op;
    struct deferred step;
    bool tested, stored;
    struct err problem; /* of the test */
    char user[321], server[128];
};

static void job_free(struct login_job *j)
{
    list_remove(&j->link);
    loop_defer_cancel(&j->step);
    op_cancel(&j->op);
    buf_wipe(&j->secret);
    mem_free(j);
}

static void on_gone(void *ud)
{
    job_free(ud);
}

/* --- whose login --------------------------------------------------------------------------------- */

static bool is_called(const struct run_login *l, struct str record)
{
    bool shared = l->from >= l->config->logins && l->from < l->config->logins + l->config->login_count;
    struct str prefix = shared ? STR("login-") : STR("account-");
    return str_starts(record, prefix) && str_is(str_skip(record, prefix.n), l->from->name);
}

static struct run_login *find_login(struct program *p, const char *record)
{
    LIST_EACH (&p->logins, link) {
        struct run_login *l = LIST_ITEM(link, struct run_login, link);
        if (record && is_called(l, str_from(record)))
            return l;
    }
    return NULL;
}

/* The first open account that uses it; NULL: none is open. */
static struct account *first_open(struct program *p, const struct login *l)
{
    LIST_EACH (&p->slots, link) {
        struct run_account *slot = LIST_ITEM(link, struct run_account, link);
        if (slot->login->login == l && slot->account)
            return slot->account;
    }
    return NULL;
}

static void retry_all(struct program *p, const struct login *l)
{
    LIST_EACH (&p->slots, link) {
        struct run_account *slot = LIST_ITEM(link, struct run_account, link);
        if (slot->login->login == l && slot->account)
            account_retry(slot->account);
    }
}

/* --- steps --------------------------------------------------------------------------------------- */

static void fail(struct login_job *j, const struct err *err)
{
    struct control_request *r = j->request;
    struct err copy = *err;
    job_free(j);
    control_fail(r, &copy);
}

static void succeed(struct login_job *j)
{
    struct control_request *r = j->request;
    json_t *answer = json_object();
    retry_all(j->program, j->login);
    if (j->account && j->problem.code == ERR_NONE) {
        json_object_set_new(answer, "tested", control_text(account_name(j->account)));
        json_object_set_new(answer, "user", control_text(j->user));
        json_object_set_new(answer, "server", control_text(j->server));
    } else if (j->problem.code != ERR_NONE) {
        json_object_set_new(answer, "problem", control_text(j->problem.text));
    }
    log_info("login", NULL, "%s", j->kind == KIND_AGAIN ? "asked to try again" : "a new secret was stored");
    job_free(j);
    control_ok(r, answer);
}

static void on_tested(void *ud, const struct reply *reply)
{
    struct login_job *j = ud;
    j->op = NULL;
    j->tested = true;
    j->problem = reply->err;
    if (reply->err.code == ERR_NONE) {
        struct buf text = BUF_INIT(sizeof(j->server));
        buf_str(&text, str_sub(reply->login.server, 0, sizeof(j->server) - 1));
        memcpy(j->server, buf_z(&text), text.n + 1);
        buf_reset(&text);
        text.limit = sizeof(j->user);
        buf_str(&text, str_sub(reply->login.user, 0, sizeof(j->user) - 1));
        memcpy(j->user, buf_z(&text), text.n + 1);
        buf_done(&text);
    }
    loop_defer(j->program->loop, &j->step);
}

static void test(struct login_job *j)
{
    struct str offered = j->kind == KIND_PASSWORD ? buf_view(&j->secret) : STR_NULL;
    j->op = j->account ? account_prove(j->account, offered, on_tested, j) : NULL;
    if (!j->op) {
        j->tested = true;
        loop_defer(j->program->loop, &j->step);
    }
}

/* False: wait for the keyring, or the job is over. */
static bool store(struct login_job *j)
{
    struct err err;
    switch (login_store(j->login, buf_view(&j->secret), &err)) {
    case LOGIN_STORED_OK:
        j->stored = true;
        return true;
    case LOGIN_STORED_WAIT:
        return false;
    case LOGIN_STORED_NONE:
    case LOGIN_STORED_FAILED:
        break;
    }
    fail(j, &err);
    return false;
}

static void step(void *ud)
{
    struct login_job *j = ud;
    bool test_first = j->kind == KIND_PASSWORD;
    if (j->op)
        return;
    if (test_first && !j->tested) {
        test(j);
        return;
    }
    /* Refused for good: it would only be refused again. */
    if (test_first && !j->stored && (j->problem.code == ERR_AUTH || j->problem.code == ERR_THROTTLED)) {
        fail(j, &j->problem);
        return;
    }
    if (j->kind != KIND_AGAIN && !j->stored && !store(j))
        return;
    if (!j->tested) {
        test(j);
        return;
    }
    succeed(j);
}

void run_login_secrets_changed(struct program *p)
{
    LIST_EACH (&p->login_jobs, link)
        loop_defer(p->loop, &LIST_ITEM(link, struct login_job, link)->step);
}

void run_login_drop(struct program *p, const struct run_account *slot)
{
    struct err err;
    err_set(&err, ERR_CONFLICT, "the configuration has changed meanwhile; try again");
    LIST_EACH (&p->login_jobs, link) {
        struct login_job *j = LIST_ITEM(link, struct login_job, link);
        if (j->account == slot->account || j->login == slot->login->login)
            fail(j, &err);
    }
}

/* --- the command --------------------------------------------------------------------------------- */

static bool read_kind(const json_t *args, enum kind *ret_kind)
{
    static const char *const names[] = {[KIND_TOKENS] = "tokens", [KIND_PASSWORD] = "password", [KIND_AGAIN] = "again"};
    const char *name = json_string_value(json_object_get(args, "kind"));
    for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
        *ret_kind = (enum kind)i;
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static bool fits(const struct run_login *l, enum kind kind, struct err *err)
{
    enum login_source source = login_source(l->login);
    if (kind == KIND_AGAIN || (kind == KIND_TOKENS && source == LOGIN_OAUTH) ||
        (kind == KIND_PASSWORD && source == LOGIN_STORED))
        return true;
    return err_set(
        err, ERR_CONFLICT,
        "the running exbridge knows \"%s\" with another kind of sign-in; make it read its configuration again: "
        "exbridge reload",
        l->from->name);
}

static void begin(struct program *p, struct control_request *r, struct login *l, enum kind kind, const json_t *secret)
{
    struct login_job *j = MEM_NEW(struct login_job);
    j->program = p;
    j->request = r;
    j->login = l;
    j->kind = kind;
    buf_add(&j->secret, json_string_value(secret), json_string_length(secret));
    deferred_init(&j->step, step, j);
    list_append(&p->login_jobs, &j->link);
    control_on_gone(r, on_gone, j);
    j->account = first_open(p, l);
    secrets_retry(p->secrets);
    if (kind == KIND_PASSWORD)
        login_forgive(l, buf_view(&j->secret));
    if (kind == KIND_AGAIN)
        login_reset(l);
    loop_defer(p->loop, &j->step);
}

void run_on_login(void *program, struct control_request *r, const json_t *args)
{
    struct program *p = program;
    const json_t *secret = json_object_get(args, "secret");
    struct run_login *l = find_login(p, json_string_value(json_object_get(args, "login")));
    struct err err = {0};
    enum kind kind = KIND_AGAIN;
    if (!read_kind(args, &kind) || (kind != KIND_AGAIN && !json_string_length(secret)))
        err_set(&err, ERR_INVALID, "login: login, kind and secret are needed");
    else if (!l)
        err_set(&err, ERR_NOT_FOUND,
                "the running exbridge has no such login; make it read its configuration again: exbridge reload");
    else
        fits(l, kind, &err);
    if (err.code == ERR_NONE)
        begin(p, r, l->login, kind, secret);
    else
        control_fail(r, &err);
}
