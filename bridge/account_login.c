/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/account_private.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/local_passwords.h"
#include "bridge/sync.h"

#define FAIL_DELAY_MS      1000
#define FAIL_SLOW_DELAY_MS 5000 /* once more than FAIL_FAST_MAX failed within a minute */
#define FAIL_FAST_MAX      10
#define FAIL_WINDOW_MS     (60 * 1000)
#define PASSWORD_MAX       1024        /* bytes */
#define COMMAND_MS         (60 * 1000) /* local-password-command may ask somebody */

struct account_login {
    struct list link; /* of account->logins while the local password is looked up */
    struct accounts *all;
    struct account *account; /* NULL: nobody of that name */
    account_login_cb *cb;
    void *ud;
    struct crypto_hash offered;
    struct op *op;
    struct timer *delay;
    struct deferred answer;
    struct err err;
};

/* High-entropy or not, the hash lives in memory only and is salted for this process; it spares us keeping the password.
 */
static struct crypto_hash hash_of(const struct accounts *all, struct str password)
{
    return crypto_hmac_sha256(str_of(all->salt, sizeof(all->salt)), password);
}

static bool same(const struct crypto_hash *a, const struct crypto_hash *b)
{
    return crypto_equal(str_of(a->b, sizeof(a->b)), str_of(b->b, sizeof(b->b)));
}

static void login_free(struct account_login *l)
{
    list_remove(&l->link);
    if (l->account)
        l->account->login_count--;
    loop_defer_cancel(&l->answer);
    timer_free(&l->delay);
    op_cancel(&l->op);
    mem_free(l);
}

static void on_answer(void *ud)
{
    struct account_login *l = ud;
    account_login_cb *cb = l->cb;
    void *who = l->ud;
    struct err err = l->err;
    struct account *a = err.code == ERR_NONE ? l->account : NULL;
    login_free(l);
    cb(who, a, &err);
}

static void refuse(struct account_login *l, const struct err *err)
{
    struct accounts *all = l->all;
    uint64_t now = time_mono_ms();
    if (now - all->failures_from_ms > FAIL_WINDOW_MS) {
        all->failures_from_ms = now;
        all->failures = 0;
    }
    all->failures++;
    l->err = *err;
    timer_start(l->delay, all->failures > FAIL_FAST_MAX ? FAIL_SLOW_DELAY_MS : FAIL_DELAY_MS);
}

static void refuse_password(struct account_login *l)
{
    struct err err = {0};
    err_set(&err, ERR_AUTH, "wrong name or password");
    refuse(l, &err);
}

static void accept(struct account_login *l)
{
    l->err = (struct err){0};
    loop_defer(l->all->loop, &l->answer);
}

static void fail_now(struct account_login *l, const struct err *err)
{
    l->err = *err;
    loop_defer(l->all->loop, &l->answer);
}

/* --- a local password ------------------------------------------------------------------------- */

static void compare_local(struct account_login *l)
{
    if (same(&l->offered, &l->account->local_hash))
        accept(l);
    else
        refuse_password(l);
}

static void local_known(struct account *a, struct str password)
{
    struct str line = password;
    struct str first;
    if (str_cut(&line, '\n', &first))
        password = first;
    if (password.n && password.p[password.n - 1] == '\r')
        password.n--;
    if (password.n == 0)
        return;
    a->local_hash = hash_of(a->all, password);
    a->local_known = true;
}

static void answer_all(struct account *a, const struct err *err)
{
    while (!list_empty(&a->logins)) {
        struct account_login *l = LIST_ITEM(a->logins.next, struct account_login, link);
        list_remove(&l->link);
        if (a->local_known)
            compare_local(l);
        else
            fail_now(l, err);
    }
}

static void on_local_command(void *ud, const struct err *err, struct str output)
{
    struct account *a = ud;
    struct err why = *err;
    a->local_command = NULL;
    if (why.code == ERR_NONE) {
        local_known(a, output);
        if (!a->local_known)
            err_set(&why, ERR_INVALID, "local-password-command printed nothing");
    }
    if (!a->local_known) {
        err_prefix(&why, "local-password-command: ");
        why.code = ERR_OFFLINE; /* our trouble, not a wrong password */
        log_error("account", account_name(a), "%s", why.text);
    }
    answer_all(a, &why);
}

static bool read_local_file(struct account *a, struct err *err)
{
    const char *path = a->opts.local_password_file;
    a->local_known = false;
    char text[PASSWORD_MAX + 2] = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_OFFLINE, "local-password-file %s cannot be read", path);
    bool private = fstat(fd, &st) == 0 && (st.st_mode & 077) == 0;
    ssize_t n = private ? read(fd, text, sizeof(text) - 1) : -1;
    close(fd);
    if (!private)
        return err_set(err, ERR_OFFLINE, "local-password-file %s can be read by others: chmod 600 it", path);
    if (n > 0)
        local_known(a, str_of(text, (size_t)n));
    mem_wipe(text, sizeof(text));
    return a->local_known || err_set(err, ERR_OFFLINE, "local-password-file %s is empty", path);
}

/* One of those that `exbridge password` has made? *ret_any: there are some. A damaged file does not shut out the
 * password of a file or command beside it, so it is only told. */
static bool is_made_password(struct account *a, struct str password, bool *ret_any, struct err *err)
{
    struct local_passwords *all = MEM_NEW(struct local_passwords);
    bool ok = local_passwords_load(a->opts.state_dir, all, err), match = ok && local_passwords_match(all, password);
    *ret_any = all->count > 0;
    mem_free(all);
    if (!ok)
        log_error("account", account_name(a), "%s", err->text);
    return match;
}

static void check_local(struct account_login *l, struct str password)
{
    struct account *a = l->account;
    struct err err = {0};
    bool any;
    if (is_made_password(a, password, &any, &err)) {
        accept(l);
        return;
    }
    bool other = a->opts.local_password_file || a->opts.local_password_command;
    if (!other && any) {
        refuse_password(l);
        return;
    }
    if (!other) {
        if (err.code == ERR_NONE) {
            err_set(&err, ERR_OFFLINE, "there is no password for mail clients yet; run: exbridge password %s --new",
                    account_name(a));
            log_error("account", account_name(a), "%s", err.text);
        }
        err.code = ERR_OFFLINE; /* our trouble, not a wrong password */
        fail_now(l, &err);
        return;
    }
    /* The file is read each time: a new password counts at once. The command may ask somebody, so its answer is kept.
     */
    if (a->opts.local_password_file && !read_local_file(a, &err)) {
        log_error("account", account_name(a), "%s", err.text);
        fail_now(l, &err);
        return;
    }
    if (a->local_known) {
        compare_local(l);
        return;
    }
    list_append(&a->logins, &l->link);
    if (!a->local_command)
        a->local_command =
            child_run(a->loop, a->opts.local_password_command, STR_NULL, PASSWORD_MAX, COMMAND_MS, on_local_command, a);
}

/* --- passthrough ------------------------------------------------------------------------------ */

static void on_upstream(void *ud, const struct reply *reply)
{
    struct account_login *l = ud;
    struct account *a = l->account;
    l->op = NULL;
    if (reply->err.code == ERR_NONE) {
        bool news = !a->accepted_known || !same(&l->offered, &a->accepted_hash);
        a->accepted_hash = l->offered;
        a->accepted_known = true;
        if (news)
            sync_kick(a->sync);
        accept(l);
    } else if (reply->err.code == ERR_AUTH) {
        refuse_password(l);
    } else if (a->accepted_known && same(&l->offered, &a->accepted_hash)) {
        accept(l); /* the server cannot be asked, or must not after other people's guesses */
    } else {
        fail_now(l, &reply->err);
    }
}

static void check_upstream(struct account_login *l, struct str password)
{
    struct account *a = l->account;
    /* The server has accepted this very password: it need not be asked again for each of a client's connections. */
    if (a->accepted_known && same(&l->offered, &a->accepted_hash) && a->health.code != ERR_AUTH) {
        accept(l);
        return;
    }
    l->op = backend_login(a->backend, password, on_upstream, l);
}

/* --- the call --------------------------------------------------------------------------------- */

static struct account *find_account(const struct accounts *all, struct str name)
{
    for (size_t i = 0; i < all->count; i++)
        if (str_is(name, all->list[i]->opts.name))
            return all->list[i];
    struct account *found = NULL;
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i]->opts.email && str_case_is(name, all->list[i]->opts.email)) {
            if (found)
                return NULL; /* two accounts share the address: the section name decides */
            found = all->list[i];
        }
    return found;
}

static void fail_shut(struct account_login *l)
{
    struct err err = {0};
    err_set(&err, ERR_OFFLINE, "the configuration of the account is being changed; try again");
    fail_now(l, &err);
}

struct account_login *account_login(struct accounts *all, struct str name, struct str password, account_login_cb *cb,
                                    void *ud)
{
    struct account_login *l = MEM_NEW(struct account_login);
    struct err err = {0};
    l->all = all;
    l->cb = cb;
    l->ud = ud;
    list_init(&l->link);
    deferred_init(&l->answer, on_answer, l);
    l->delay = timer_new(all->loop, on_answer, l);
    l->offered = hash_of(all, password);
    l->account = name.n && password.n && password.n <= PASSWORD_MAX ? find_account(all, name) : NULL;
    if (l->account)
        l->account->login_count++;
    if (!l->account && all->closed && all->closed(all->closed_ud, name, &err))
        fail_now(l, &err);
    else if (!l->account)
        refuse_password(l);
    else if (l->account->shut)
        fail_shut(l);
    else if (l->account->wiped)
        fail_now(l, &l->account->health);
    else if (l->account->opts.local_auth == LOCAL_AUTH_PASSTHROUGH)
        check_upstream(l, password);
    else
        check_local(l, password);
    return l;
}

void account_login_cancel(struct account_login **l)
{
    if (!*l)
        return;
    login_free(*l);
    *l = NULL;
}

void account_login_done(struct account *a)
{
    child_free(&a->local_command);
    while (!list_empty(&a->logins))
        login_free(LIST_ITEM(a->logins.next, struct account_login, link));
}

/* --- for `exbridge login` --------------------------------------------------------------------- */

struct op *account_prove(struct account *a, struct str secret, op_cb *cb, void *ud)
{
    return a->backend && !a->wiped ? backend_login(a->backend, secret, cb, ud) : NULL;
}

void account_retry(struct account *a)
{
    if (a->sync && !a->wiped)
        sync_kick(a->sync);
}
