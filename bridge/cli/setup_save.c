/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setup writes: certificates, what the ActiveSync trial has to be remembered for, the secret, a password for mail
 * programs, and last of all the configuration file, whose rename is the moment when the account exists. Whatever ends
 * it before leaves the old file as it was, and nothing that is in the way of another try.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/file.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/cli/cli_login.h"
#include "bridge/cli/ports.h"
#include "bridge/cli/setup.h"
#include "bridge/daemon.h"
#include "bridge/local_passwords.h"
#include "bridge/store.h"
#include "certs/certs.h"

/* --- the file ------------------------------------------------------------------------------------------------ */

/* The new content, complete and on the disk, beside the file: `*ret_name` is renamed or unlinked later. */
static bool write_beside(struct setup *s, const char *path, struct str text, const char **ret_name, struct err *err)
{
    struct stat st;
    const char *name = arena_printf(&s->arena, "%s.new-%ld", path, (long)getpid()).p;
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_DISK, errno, name);
    bool ok = stat(path, &st) != 0 || fchmod(fd, st.st_mode & 0700) == 0; /* nobody else has any business here */
    ok = ok && file_write(fd, text) && fsync(fd) == 0;
    if (!ok)
        err_set_errno(err, ERR_DISK, errno, name);
    close(fd);
    if (!ok)
        unlink(name);
    *ret_name = name;
    return ok;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? mem_strdup("/") : slash ? str_dup(str_of(path, (size_t)(slash - path))) : mem_strdup(".");
}

/* --- the text ---------------------------------------------------------------------------------------------------- */

static void on_keyring(void *ud, const struct err *err, struct str output)
{
    int *found = ud;
    (void)output;
    *found = err->code == ERR_NONE;
}

static bool has_keyring(struct setup *s)
{
    int found = -1;
    secrets_probe_service(s->loop, on_keyring, &found);
    while (found < 0)
        loop_turn(s->loop);
    return found == 1;
}

static bool write_server(struct setup *s, struct buf *out, struct err *err)
{
    struct buf date = BUF_INIT(0);
    struct setup_server_values v = {
        .imap = port_find_free(1993), .smtp = port_find_free(1465), .dav = port_find_free(1443)};
    time_add_iso(&date, time_wall_s());
    v.date = arena_strdup(&s->arena, str_sub(buf_view(&date), 0, 10));
    v.state_dir = s->state_dir;
    v.cache_dir = s->cache_dir;
    v.secret_store = cli_flag(s->cli, "--secret-store");
    if (!v.secret_store && (setup_is_typed(s) || strcmp(s->v.auth, "oauth") == 0)) {
        v.secret_store = has_keyring(s) ? "secret-service" : "file";
        setup_say("Secrets are kept %s.", strcmp(v.secret_store, "file") == 0
                                              ? "sealed in the state directory (no keyring answers)"
                                              : "sealed, with the key in your keyring");
    }
    bool ok = setup_write_server(out, &v, err);
    buf_done(&date);
    return ok;
}

/* The whole new file, and what it means. NULL: it would not be right. */
static struct config *compose(struct setup *s, struct buf *text, struct err *err)
{
    struct buf section = BUF_INIT(0), problems = BUF_INIT(0);
    bool fresh = s->old_text.n == 0;
    struct config *config = NULL;
    bool ok = !fresh || write_server(s, &section, err);
    if (ok && fresh)
        buf_byte(&section, '\n');
    ok = ok && (s->service_login ? setup_write_login(&section, &s->v, err) : setup_write_account(&section, &s->v, err));
    if (ok) {
        setup_append(text, buf_view(&s->old_text), buf_view(&section));
        config = config_parse(buf_view(text), s->path, &problems);
        /* A login alone is no complete configuration, but a right beginning. */
        if (!config &&
            !(s->service_login && str_find(buf_view(&problems), STR("there is no [account")) != (size_t)-1)) {
            struct str rest = buf_view(&problems), line;
            str_cut(&rest, '\n', &line);
            err_set(err, ERR_INVALID, "nothing was written, because the file would be wrong: %.*s", STR_ARG(line));
        }
    }
    buf_done(&section);
    buf_done(&problems);
    return config;
}

/* --- what lies in the state directory ------------------------------------------------------------------------------
 */

static bool make_certs(struct config *config, const char *config_dir, struct err *err)
{
    struct buf dir = BUF_INIT(0), ca = BUF_INIT(0);
    struct certs certs;
    struct err unimportant;
    int lock = -1;
    if (!config->server.tls || config->server.cert)
        return true;
    if (!daemon_make_dir(config->server.state_dir, err) || !daemon_make_dir(config->server.cache_dir, err))
        return false;
    if (!daemon_lock(config->server.state_dir, &lock, err))
        return err->code == ERR_EXISTS; /* a daemon is running: it has made them */
    buf_printf(&dir, "%s/certs", config->server.state_dir);
    buf_printf(&ca, "%s/ca.pem", config_dir);
    bool ok = certs_ensure(buf_z(&dir), &certs, err);
    if (ok) {
        if (!certs_publish(&certs, buf_z(&ca), &unimportant))
            setup_say("%s; mail programs find the certification authority in %s", unimportant.text, certs.ca_file);
        certs_done(&certs);
    }
    close(lock);
    buf_done(&dir);
    buf_done(&ca);
    return ok;
}

/* The device that the server has come to know in the trial is the account's. */
static bool keep_device(struct setup *s, const char *dir, struct err *err)
{
    bool rebuilt;
    if (s->eas_state.n == 0)
        return true;
    struct store *store = store_open(dir, &rebuilt, err);
    if (!store)
        return false;
    bool ok = store_persist_put(store, STR(BACKEND_ALONE_EAS_STATE), buf_view(&s->eas_state), err);
    store_close(&store);
    return ok;
}

static bool make_local_password(struct setup *s, const char *dir, struct err *err)
{
    struct buf password;
    if (s->v.local_auth && strcmp(s->v.local_auth, "passthrough") == 0)
        return true;
    if (!local_passwords_new(dir, "setup", &password, err)) {
        /* an earlier setup that was cut short, or an account of that name that was taken out of the file */
        struct err unimportant;
        if (err->code != ERR_EXISTS || !local_passwords_revoke(dir, "setup", &unimportant) ||
            !local_passwords_new(dir, "setup", &password, err))
            return false;
    }
    s->local_password = str_dup(buf_view(&password));
    buf_wipe(&password);
    return true;
}

static bool save_account(struct setup *s, struct config *config, struct err *err)
{
    const struct config_account *a = &config->accounts[config->account_count - 1];
    const char *dir = arena_printf(&s->arena, "%s/accounts/%s", config->server.state_dir, a->name).p;
    return daemon_make_dir(dir, err) && keep_device(s, dir, err) && make_local_password(s, dir, err);
}

/* --- a secret that we keep ------------------------------------------------------------------------------------------
 */

static bool has_secret(const struct setup *s)
{
    return s->secret.n > 0 && (setup_is_typed(s) || strcmp(s->v.auth, "oauth") == 0) &&
           !(s->v.local_auth && strcmp(s->v.local_auth, "passthrough") == 0) && !s->v.login;
}

static const struct config_login *own_login(struct setup *s, struct config *config)
{
    for (size_t i = 0; s->service_login && i < config->login_count; i++)
        if (strcmp(config->logins[i].name, s->service_login) == 0)
            return &config->logins[i];
    return config->accounts[config->account_count - 1].login;
}

/* A running daemon writes to its store alone: it gets the secret when it knows the account (setup_start). */
static bool store_secret(struct setup *s, struct config *config, struct err *err)
{
    if (!has_secret(s))
        return true;
    s->hand_over = !cli_store_secret(config, own_login(s, config), buf_view(&s->secret), err);
    if (!s->hand_over || err->code == ERR_EXISTS)
        return true;
    if (err->code == ERR_OFFLINE && !s->old_text.n) {
        struct err why = *err;
        err_set(err, why.code, "%s; nothing was written: run setup again, with --secret-store file if there is no way",
                why.text);
    }
    return false;
}

/* --- in order --------------------------------------------------------------------------------- */

static bool commit(struct setup *s, struct config *config, const char *path, struct str text, struct err *err)
{
    const char *name = NULL;
    char *dir = directory_of(path);
    bool ok = daemon_make_dir(dir, err) && write_beside(s, path, text, &name, err);
    if (ok) {
        ok = make_certs(config, dir, err) && (s->service_login || save_account(s, config, err)) &&
             store_secret(s, config, err);
        if (ok && rename(name, path) != 0)
            ok = err_set_errno(err, ERR_DISK, errno, path);
        if (!ok)
            unlink(name);
        (void)file_sync_dir(dir); /* what was renamed cannot be taken back */
    }
    mem_free(dir);
    return ok;
}

/* ^C in the midst of it would leave some of it undone. It takes effect afterwards, before the service is started. */
static void block_signals(sigset_t *ret_before)
{
    sigset_t all;
    sigemptyset(&all);
    sigaddset(&all, SIGINT);
    sigaddset(&all, SIGTERM);
    sigaddset(&all, SIGHUP);
    sigprocmask(SIG_BLOCK, &all, ret_before);
}

bool setup_save(struct setup *s, struct err *err)
{
    struct buf text = BUF_INIT(0);
    sigset_t before;
    block_signals(&before);
    char *real = realpath(s->path, NULL); /* a link stays one */
    if (s->service_login)
        s->v.name = s->service_login;
    struct config *config = compose(s, &text, err);
    bool ok = config && commit(s, config, real ? real : s->path, buf_view(&text), err);
    if (ok)
        setup_say("%s %s.", s->old_text.n ? "Added to" : "Wrote", s->path);
    config_free(&s->saved);
    s->saved = config;
    free(real);
    buf_done(&text);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ok;
}
