/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/login.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/list.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/io/crypto.h"

#define READ_RETRY_MS 5000
#define REFUSED_KEPT  16 /* passwords known to be wrong; more than the guard lets through in days of trying */

struct login {
    struct loop *loop;
    char *name, *user, *command_or_file;
    enum http_auth auth;
    enum login_source source;

    char *secret;    /* NULL: to be read */
    unsigned serial; /* of `secret`: a late answer may speak of an older one */
    bool proven;
    bool doubted; /* was proven, was refused: the next refusal is believed */
    struct child *child;
    uint64_t read_ms;    /* when read_err was set */
    struct err read_err; /* why the secret could not be had; believed for READ_RETRY_MS */
    uint64_t refused_ms; /* when the secret was found wrong; 0 = it was not */

    struct crypto_hash key; /* of the HMACs */
    struct crypto_hash refused[REFUSED_KEPT];
    size_t refused_count; /* ever; the ring holds the last ones */
    uint64_t refusals_ms[LOGIN_REFUSALS_MAX];
    unsigned refusals;

    struct list waiting, granted;
    struct login_pass *trial; /* holds the one request with an unproven secret */
    unsigned running, max_requests;
    uint64_t backoff_until_ms;
    struct timer *timer;
    struct deferred deferred;
};

struct login_pass {
    struct list link;
    struct login *login;
    login_cb *cb;
    void *ud;
    char *offered;
    bool parked, granted, told, resolved;
    unsigned patience_s, serial;
    char *value; /* what was handed out */
};

static void wake(struct login *l)
{
    loop_defer(l->loop, &l->deferred);
}

/* --- the guard ----------------------------------------------------------------------------------- */

static bool is_guarded(const struct login *l)
{
    return l->auth == HTTP_AUTH_BASIC || l->auth == HTTP_AUTH_NTLM;
}

static struct crypto_hash fingerprint(const struct login *l, const char *secret)
{
    return crypto_hmac_sha256(str_of(l->key.b, sizeof(l->key.b)), str_from(secret));
}

static void remember_refused(struct login *l, const char *secret)
{
    l->refused[l->refused_count++ % REFUSED_KEPT] = fingerprint(l, secret);
    if (l->refusals == LOGIN_REFUSALS_MAX) {
        memmove(l->refusals_ms, l->refusals_ms + 1, sizeof(l->refusals_ms) - sizeof(l->refusals_ms[0]));
        l->refusals--;
    }
    l->refusals_ms[l->refusals++] = time_mono_ms();
}

static bool was_refused(const struct login *l, const char *secret)
{
    struct crypto_hash hash = fingerprint(l, secret);
    size_t n = l->refused_count < REFUSED_KEPT ? l->refused_count : REFUSED_KEPT;
    for (size_t i = 0; i < n; i++)
        if (memcmp(l->refused[i].b, hash.b, sizeof(hash.b)) == 0)
            return true;
    return false;
}

/* May this unproven secret go to the server? */
static bool guard_allows(const struct login *l, const char *secret, struct err *err)
{
    if (was_refused(l, secret))
        return err_set(err, ERR_AUTH, "%s: the server has refused this %s; it is not sent again", l->name,
                       is_guarded(l) ? "password" : "token");
    if (!is_guarded(l) || l->refusals < LOGIN_REFUSALS_MAX)
        return true;
    uint64_t age_ms = time_mono_ms() - l->refusals_ms[0], span_ms = (uint64_t)LOGIN_REFUSALS_S * 1000;
    if (age_ms >= span_ms)
        return true;
    unsigned left_s = (unsigned)((span_ms - age_ms + 999) / 1000);
    err_set(err, ERR_THROTTLED,
            "%s: %d wrong passwords within %d minutes; waiting %u s, so that the account is not locked", l->name,
            LOGIN_REFUSALS_MAX, LOGIN_REFUSALS_S / 60, left_s);
    err->retry_after_s = left_s;
    return false;
}

/* --- where the secret comes from ----------------------------------------------------------------- */

static void drop_secret(struct login *l)
{
    mem_wipe_free(l->secret);
    l->secret = NULL;
    l->proven = false;
}

static void set_secret(struct login *l, char *secret, bool proven)
{
    drop_secret(l);
    l->secret = secret;
    l->serial++;
    l->proven = proven;
}

/* The first line, as mbsync and msmtp take it. */
static char *first_line(struct str text)
{
    struct str line = str_sub(text, 0, str_find_byte(text, '\n'));
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line.n && str_find_byte(line, '\0') == (size_t)-1 ? str_dup(line) : NULL;
}

static void take_text(struct login *l, struct str text, const char *where)
{
    char *secret = first_line(text);
    if (secret)
        set_secret(l, secret, false);
    else
        err_set(&l->read_err, ERR_AUTH, "%s: %s gave no password", l->name, where);
}

static void on_command_done(void *ud, const struct err *err, struct str output)
{
    struct login *l = ud;
    l->child = NULL;
    if (err->code == ERR_NONE)
        take_text(l, output, "password-command");
    else
        err_set(&l->read_err, ERR_OFFLINE, "%s: password-command: %s", l->name, err->text);
    l->read_ms = time_mono_ms();
    wake(l);
}

static bool check_file(int fd, const char *name, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(err, ERR_OFFLINE, errno, "password-file");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s: password-file is not a file", name);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return err_set(err, ERR_INVALID, "%s: password-file belongs to somebody else", name);
    if (st.st_mode & 077)
        return err_set(err, ERR_INVALID, "%s: password-file can be read by others; run: chmod 600", name);
    return true;
}

static void read_file(struct login *l)
{
    struct err err = {.code = ERR_NONE};
    char *room = mem_alloc(LOGIN_SECRET_MAX);
    ssize_t n = -1;
    int fd = open(l->command_or_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        err_set_errno(&err, ERR_OFFLINE, errno, "password-file");
    else if (check_file(fd, l->name, &err) && (n = read(fd, room, LOGIN_SECRET_MAX)) < 0)
        err_set_errno(&err, ERR_OFFLINE, errno, "password-file");
    if (fd >= 0)
        close(fd);
    if (n >= 0)
        take_text(l, str_of(room, (size_t)n), "password-file");
    else
        l->read_err = err;
    l->read_ms = time_mono_ms();
    mem_wipe(room, LOGIN_SECRET_MAX);
    mem_free(room);
    wake(l);
}

/* Begin to read the secret, unless that is under way or was done just now. False: it cannot be had, `err` says why. */
static bool fetch_secret(struct login *l, struct err *err)
{
    if (l->child)
        return true;
    if (l->source == LOGIN_PASSTHROUGH)
        return err_set(err, ERR_AUTH, "%s: waiting for a mail client to sign in with the server's password", l->name);
    uint64_t now = time_mono_ms();
    if (l->read_err.code != ERR_NONE && now - l->read_ms < READ_RETRY_MS) {
        *err = l->read_err;
        return false;
    }
    if (l->refused_ms && now - l->refused_ms < (uint64_t)LOGIN_REREAD_S * 1000)
        return err_set(err, ERR_AUTH, "%s: the server refused the password", l->name);
    l->read_err = (struct err){.code = ERR_NONE};
    if (l->source == LOGIN_FILE)
        read_file(l);
    else
        l->child = child_run(l->loop, l->command_or_file, STR_NULL, LOGIN_SECRET_MAX, (uint64_t)LOGIN_COMMAND_S * 1000,
                             on_command_done, l);
    return true;
}

/* --- giving passes out --------------------------------------------------------------------------- */

static void tell(struct login_pass *p, const struct err *err)
{
    list_remove(&p->link);
    list_append(&p->login->granted, &p->link);
    p->told = true;
    p->cb(p->ud, err, p->value);
}

static void grant(struct login_pass *p, const char *secret, bool trial)
{
    struct login *l = p->login;
    struct err none = {.code = ERR_NONE};
    p->granted = true;
    p->serial = l->serial;
    p->value = mem_strdup(secret);
    if (trial)
        l->trial = p;
    if (!p->parked)
        l->running++;
    tell(p, &none);
}

/* True: something was said to the pass's owner, who may have changed everything. */
static bool serve(struct login_pass *p)
{
    struct login *l = p->login;
    struct err err;
    if (!p->parked && l->max_requests && l->running >= l->max_requests)
        return false;
    const char *secret = p->offered ? p->offered : l->secret;
    if (l->source == LOGIN_NO_SECRET && !p->offered) {
        grant(p, NULL, false);
        return true;
    }
    if (!p->offered && l->proven) {
        grant(p, secret, false);
        return true;
    }
    if (!secret) {
        if (!fetch_secret(l, &err)) {
            tell(p, &err);
            return true;
        }
        secret = l->secret; /* a file is read at once */
        if (!secret)
            return false;
    }
    if (l->trial)
        return false;
    if (!guard_allows(l, secret, &err)) {
        if (!p->offered && err.code == ERR_AUTH) {
            drop_secret(l);
            l->refused_ms = time_mono_ms();
        }
        tell(p, &err);
        return true;
    }
    grant(p, secret, true);
    return true;
}

static bool serve_somebody(struct login *l, uint64_t wait_ms)
{
    LIST_EACH (&l->waiting, link) {
        struct login_pass *p = LIST_ITEM(link, struct login_pass, link);
        if (wait_ms == 0) {
            if (serve(p))
                return true;
        } else if (wait_ms > (uint64_t)p->patience_s * 1000) {
            struct err err;
            err_set(&err, ERR_THROTTLED, "%s: the server asked for a pause", l->name);
            err.retry_after_s = (unsigned)((wait_ms + 999) / 1000);
            tell(p, &err);
            return true;
        }
    }
    return false;
}

static void advance(void *ud)
{
    struct login *l = ud;
    while (serve_somebody(l, login_wait_ms(l)))
        ;
    uint64_t wait_ms = login_wait_ms(l);
    if (wait_ms && !list_empty(&l->waiting))
        timer_start(l->timer, wait_ms);
}

struct login_pass *login_ask(struct login *l, const struct login_ask *opts, login_cb *cb, void *ud)
{
    struct login_pass *p = MEM_NEW(struct login_pass);
    p->login = l;
    p->cb = cb;
    p->ud = ud;
    p->parked = opts->parked;
    p->patience_s = opts->patience_s;
    p->offered = opts->offered.n ? str_dup(opts->offered) : NULL;
    list_append(&l->waiting, &p->link);
    wake(l);
    return p;
}

/* --- what the server said ------------------------------------------------------------------------ */

static void accepted(struct login_pass *p)
{
    struct login *l = p->login;
    l->refusals = 0; /* the directory forgets failures too when a sign-in succeeds */
    if (p->offered && l->source == LOGIN_PASSTHROUGH) {
        set_secret(l, mem_strdup(p->offered), true);
    } else if (!p->offered && p->serial == l->serial && l->secret) {
        l->proven = true;
    }
    l->doubted = false;
}

static bool refused(struct login_pass *p, bool trial)
{
    struct login *l = p->login;
    if (!p->value)
        return false; /* Kerberos and certificates: nothing to read anew */
    if (p->offered) {
        remember_refused(l, p->offered);
        return false;
    }
    if (p->serial != l->serial || !l->secret)
        return l->secret || l->doubted; /* there is a newer one, or will be */
    if (l->proven) {
        l->proven = false;
        l->doubted = true;
        if (l->source != LOGIN_PASSTHROUGH) { /* to be read again, now */
            drop_secret(l);
            l->refused_ms = 0;
            l->read_err = (struct err){.code = ERR_NONE};
        }
        return true;
    }
    if (!trial)
        return true; /* went out while it was proven: the trial will tell */
    remember_refused(l, l->secret);
    drop_secret(l);
    l->refused_ms = time_mono_ms();
    l->doubted = false;
    return false;
}

bool login_result(struct login_pass *p, enum login_result result)
{
    struct login *l = p->login;
    if (!p->granted || p->resolved)
        return false;
    p->resolved = true;
    bool trial = l->trial == p, again = false;
    if (trial)
        l->trial = NULL;
    switch (result) {
    case LOGIN_ACCEPTED:
        accepted(p);
        break;
    case LOGIN_REFUSED:
        again = refused(p, trial);
        break;
    }
    wake(l);
    return again;
}

void login_end(struct login_pass **pass)
{
    struct login_pass *p = *pass;
    *pass = NULL;
    if (!p)
        return;
    struct login *l = p->login;
    if (l->trial == p)
        l->trial = NULL;
    if (p->granted && !p->parked)
        l->running--;
    list_remove(&p->link);
    mem_wipe_free(p->offered);
    mem_wipe_free(p->value);
    mem_free(p);
    wake(l);
}

/* --- the rest
 * --------------------------------------------------------------------------------------------------------------------------
 */

struct login *login_new(struct loop *loop, const struct login_opts *opts)
{
    struct login *l = MEM_NEW(struct login);
    l->loop = loop;
    l->name = mem_strdup(opts->name);
    l->user = mem_strdup(opts->user);
    l->auth = opts->auth;
    l->source = opts->source;
    l->command_or_file = mem_strdup(opts->command_or_file);
    l->max_requests = opts->max_requests;
    rand_bytes(l->key.b, sizeof(l->key.b));
    list_init(&l->waiting);
    list_init(&l->granted);
    deferred_init(&l->deferred, advance, l);
    l->timer = timer_new(loop, advance, l);
    return l;
}

void login_free(struct login **login)
{
    struct login *l = *login;
    *login = NULL;
    if (!l)
        return;
    assert(list_empty(&l->waiting) && list_empty(&l->granted));
    child_free(&l->child);
    loop_defer_cancel(&l->deferred);
    timer_free(&l->timer);
    mem_wipe_free(l->secret);
    mem_free(l->name);
    mem_free(l->user);
    mem_free(l->command_or_file);
    mem_wipe(l, sizeof(*l));
    mem_free(l);
}

const char *login_user(const struct login *l)
{
    return l->user;
}

enum http_auth login_auth(const struct login *l)
{
    return l->auth;
}

enum login_source login_source(const struct login *l)
{
    return l->source;
}

void login_throttled(struct login *l, unsigned seconds)
{
    if (seconds > LOGIN_BACKOFF_MAX_S)
        seconds = LOGIN_BACKOFF_MAX_S;
    uint64_t until_ms = time_mono_ms() + (uint64_t)seconds * 1000;
    if (until_ms > l->backoff_until_ms)
        l->backoff_until_ms = until_ms;
    wake(l);
}

uint64_t login_wait_ms(const struct login *l)
{
    uint64_t now = time_mono_ms();
    return l->backoff_until_ms > now ? l->backoff_until_ms - now : 0;
}

void login_reset(struct login *l)
{
    l->refused_count = 0;
    l->refusals = 0;
    l->backoff_until_ms = 0;
    l->refused_ms = 0;
    l->read_err = (struct err){.code = ERR_NONE};
    l->doubted = false;
    drop_secret(l);
    wake(l);
}
