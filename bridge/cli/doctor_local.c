/* SPDX-License-Identifier: Apache-2.0 */
/* This machine: directories, disk, certificates, ports, the service; of an account: state, secret, password. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bridge/base/time.h"
#include "bridge/cli/cli_login.h"
#include "bridge/cli/config_accounts.h"
#include "bridge/cli/doctor.h"
#include "bridge/cli/ports.h"
#include "bridge/io/reach.h"
#include "bridge/local_passwords.h"
#include "bridge/store_look.h"
#include "certs/certs.h"

#define DISK_LOW_MB  500
#define DISK_FULL_MB 50
#define DAY_S        86400
#define LEAF_WARN_S  (30 * DAY_S)
#define CA_WARN_S    (365 * DAY_S)
#define OWN_PORT_MS  5000
#define SYSTEMD_MS   10000

/* Told only when something is wrong: what it is good for has a line of its own. */
static void look_at_file(struct doctor *d, const char *key, const char *path)
{
    if (path && access(path, R_OK) != 0)
        doctor_say(d, DOCTOR_FAIL, key, doctor_text(d, "make the file, or correct %s", key), "%s: %s", path,
                   strerror(errno));
}

/* --- directories and disk ---------------------------------------------------------------------------------- */

/* What is above it must be there, or be made as well. */
static void look_above(struct doctor *d, const char *what, const char *path)
{
    struct str above = str_from(path);
    const char *top = "/";
    do {
        while (above.n && above.p[above.n - 1] != '/')
            above.n--;
        while (above.n && above.p[above.n - 1] == '/')
            above.n--;
        top = above.n ? arena_strdup(&d->arena, above) : "/";
    } while (above.n && access(top, F_OK) != 0 && errno == ENOENT);
    if (access(top, W_OK | X_OK) == 0)
        doctor_say(d, DOCTOR_OK, what, NULL, "%s, made when exbridge runs", path);
    else
        doctor_say(d, DOCTOR_FAIL, what, "make it, or have the configuration name another one",
                   "%s is not there and cannot be made: %s: %s", path, top, strerror(errno));
}

static void look_at_dir(struct doctor *d, const char *what, const char *path)
{
    struct stat st;
    struct statvfs fs;
    if (stat(path, &st) != 0 && errno == ENOENT) {
        look_above(d, what, path);
        return;
    }
    if (stat(path, &st) != 0 || statvfs(path, &fs) != 0) {
        doctor_say(d, DOCTOR_FAIL, what, "make it readable for you", "%s: %s", path, strerror(errno));
        return;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077) {
        doctor_say(d, DOCTOR_FAIL, what,
                   doctor_text(d, "it must be a directory of yours that nobody else can enter: chmod 700 %s", path),
                   "%s: uid %u, mode %03o", path, (unsigned)st.st_uid, (unsigned)(st.st_mode & 0777));
        return;
    }
    if (access(path, W_OK | X_OK) != 0) {
        doctor_say(d, DOCTOR_FAIL, what, "exbridge has to write there", "%s: %s", path, strerror(errno));
        return;
    }
    unsigned long long mb = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    enum doctor_verdict v = mb < DISK_FULL_MB ? DOCTOR_FAIL : mb < DISK_LOW_MB ? DOCTOR_WARN : DOCTOR_OK;
    doctor_say(d, v, what, v == DOCTOR_OK ? NULL : "make room: nothing new can be stored on a full disk",
               "%s, %llu MB free", path, mb);
}

/* --- certificates -------------------------------------------------------------------------------------------- */

static void look_at_cert(struct doctor *d, const char *what, const char *path, int64_t warn_s, const char *fix)
{
    int64_t until;
    struct err err;
    if (!certs_until(path, &until, &err)) {
        bool missing = err.code == ERR_NOT_FOUND;
        doctor_say(d, missing && !d->running ? DOCTOR_OK : DOCTOR_FAIL, what, missing && !d->running ? NULL : fix,
                   "%s%s", missing ? "not made yet: " : "", err.text);
        return;
    }
    long long days = (long long)((until - time_wall_s()) / DAY_S);
    if (until <= time_wall_s())
        doctor_say(d, DOCTOR_FAIL, what, fix, "%s ended %lld days ago", path, -days);
    else
        doctor_say(d, until - time_wall_s() < warn_s ? DOCTOR_WARN : DOCTOR_OK, what,
                   until - time_wall_s() < warn_s ? fix : NULL, "%s, good for %lld days", path, days);
}

static void look_at_certs(struct doctor *d)
{
    const struct config_server *v = &d->config->server;
    if (!v->tls) {
        doctor_say(d, DOCTOR_WARN, "TLS on this machine", "set tls = on",
                   "tls = off: whoever takes a port first gets the passwords");
        return;
    }
    if (v->cert) {
        look_at_cert(d, "certificate for mail programs", v->cert, LEAF_WARN_S, "renew it (cert, key)");
        look_at_file(d, "key", v->key);
        return;
    }
    look_at_cert(d, "certificate for mail programs", doctor_text(d, "%s/certs/localhost.pem", v->state_dir), 0,
                 "exbridge makes a new one when it starts");
    look_at_cert(
        d, "local certification authority", doctor_text(d, "%s/certs/ca.pem", v->state_dir), CA_WARN_S,
        doctor_text(d,
                    "remove %s/certs, start exbridge again, and have mail programs trust the new one: exbridge trust",
                    v->state_dir));
}

/* --- ports ------------------------------------------------------------------------------------------------------ */

/* As a mail program does: TLS, and the name checked against the authority that was published. */
static void look_at_own_port(struct doctor *d, const char *what, unsigned port)
{
    const struct config_server *v = &d->config->server;
    struct reach_addresses to = {.list = {"127.0.0.1"}, .count = 1};
    struct reach_tls tls;
    struct err err;
    char address[46];
    int fd = reach_connect(&to, port, OWN_PORT_MS, address, &err);
    if (fd < 0) {
        doctor_say(d, DOCTOR_FAIL, what, "exbridge reload, or start it again", "port %u: %s", port, err.text);
        return;
    }
    struct reach_tls_opts o = {.host = "localhost",
                               .ca_file = v->cert ? NULL : doctor_text(d, "%s/certs/ca.pem", v->state_dir),
                               .min = 0x0303,
                               .timeout_ms = OWN_PORT_MS};
    if (!v->tls)
        doctor_say(d, DOCTOR_OK, what, NULL, "port %u, served without TLS", port);
    else if (!reach_handshake(fd, &o, &tls, &err))
        doctor_say(d, DOCTOR_FAIL, what, "is it exbridge that answers there?", "port %u: %s", port, err.text);
    else if (!tls.trusted)
        doctor_say(d, v->cert ? DOCTOR_WARN : DOCTOR_FAIL, what,
                   "mail programs will not accept that certificate for localhost", "port %u: %s", port, tls.problem);
    else
        doctor_say(d, DOCTOR_OK, what, NULL, "port %u, %s", port, tls.version_name);
    close(fd);
}

static void look_at_port(struct doctor *d, const char *what, uint64_t port)
{
    if (port == 0)
        doctor_say(d, DOCTOR_OK, what, NULL, "turned off");
    else if (d->running)
        look_at_own_port(d, what, (unsigned)port);
    else if (!port_is_free((unsigned)port))
        doctor_say(d, DOCTOR_FAIL, what, "find out who (ss -ltnp), or choose another port in [server]",
                   "port %u is taken by another program", (unsigned)port);
    else
        doctor_say(d, DOCTOR_OK, what, NULL, "port %u is free", (unsigned)port);
}

/* --- the service ---------------------------------------------------------------------------------------------------
 */

static void look_at_service(struct doctor *d)
{
    if (!child_succeeds(d->loop, "exec systemctl --user cat exbridge.service >/dev/null 2>&1", SYSTEMD_MS))
        doctor_say(d, DOCTOR_OK, "user service", NULL, "none here; exbridge run serves as well");
    else if (child_succeeds(d->loop, "exec systemctl --user is-enabled exbridge.service >/dev/null 2>&1", SYSTEMD_MS))
        doctor_say(d, DOCTOR_OK, "user service", NULL, "enabled");
    else
        doctor_say(d, DOCTOR_WARN, "user service", "systemctl --user enable --now exbridge",
                   "installed, but it does not start by itself");
}

void doctor_local(struct doctor *d)
{
    const struct config_server *v = &d->config->server;
    look_at_service(d);
    look_at_dir(d, "state directory", v->state_dir);
    look_at_dir(d, "cache directory", v->cache_dir);
    look_at_certs(d);
    look_at_port(d, "IMAP port", v->imap);
    look_at_port(d, "SMTP port", v->smtp);
    look_at_port(d, "CalDAV port", v->dav);
}

/* --- of an account --------------------------------------------------------------------------------------------------
 */

static void look_at_state(struct doctor *d, const char *dir)
{
    struct err err;
    if (store_look(dir, STR_NULL, NULL, &err))
        doctor_say(d, DOCTOR_OK, "state", NULL, "%s/state.db is sound", dir);
    else if (err.code == ERR_NOT_FOUND)
        doctor_say(d, DOCTOR_OK, "state", NULL, "none yet: made when exbridge runs");
    else if (err.code == ERR_INTERNAL)
        doctor_say(d, DOCTOR_FAIL, "state",
                   "restart exbridge: it puts the damaged file aside and collects everything anew",
                   "%s/state.db is damaged: %s", dir, err.text);
    else
        doctor_say(d, DOCTOR_FAIL, "state", "make it readable for you", "%s/state.db: %s", dir, err.text);
}

static void look_at_local_password(struct doctor *d, const struct config_account *a, const char *dir)
{
    struct local_passwords *all = ARENA_NEW(&d->arena, struct local_passwords);
    struct err err;
    if (a->local_auth == CONFIG_LOCAL_PASSTHROUGH)
        doctor_say(d, DOCTOR_OK, "password for mail programs", NULL, "the one for Exchange");
    else if (a->local_password_file && access(a->local_password_file, R_OK) != 0)
        doctor_say(d, DOCTOR_FAIL, "password for mail programs", "make the file, or remove local-password-file",
                   "%s: %s", a->local_password_file, strerror(errno));
    else if (a->local_password_file || a->local_password_command)
        doctor_say(d, DOCTOR_OK, "password for mail programs", NULL, "from the configuration");
    else if (!local_passwords_load(dir, all, &err))
        doctor_say(d, DOCTOR_FAIL, "password for mail programs", doctor_text(d, "exbridge password %s --new", a->name),
                   "%s", err.text);
    else if (all->count == 0)
        doctor_say(d, DOCTOR_FAIL, "password for mail programs", doctor_text(d, "exbridge password %s --new", a->name),
                   "none: no mail program can sign in");
    else
        doctor_say(d, DOCTOR_OK, "password for mail programs", NULL, "%zu of them", all->count);
}

struct wanted {
    struct doctor *doctor;
    const char *record;
    struct buf value;
};

static enum secrets_result get(void *ud, struct err *err)
{
    struct wanted *w = ud;
    return secrets_get(w->doctor->secrets, w->record, &w->value, err);
}

static void look_at_secret(struct doctor *d, const struct config_account *a)
{
    const struct config_login *l = a->login;
    bool typed = (l->auth == AUTH_BASIC || l->auth == AUTH_NTLM) && !l->password_command && !l->password_file &&
                 a->local_auth != CONFIG_LOCAL_PASSTHROUGH;
    struct wanted wanted = {.doctor = d, .record = config_login_record(d->config, l)};
    struct err err;
    if (l->password_file && access(l->password_file, R_OK) != 0)
        doctor_say(d, DOCTOR_FAIL, "Exchange password", "make the file, or correct password-file", "%s: %s",
                   l->password_file, strerror(errno));
    if (!typed && l->auth != AUTH_OAUTH)
        return;
    enum secrets_result result = cli_wait_for_secrets(d->loop, get, &wanted, &err);
    d->no_secret = result != SECRETS_OK;
    if (result == SECRETS_OK)
        doctor_say(d, DOCTOR_OK, "stored secret", NULL, "%s", typed ? "a password" : "a sign-in");
    else if (result == SECRETS_NONE)
        doctor_say(d, DOCTOR_FAIL, "stored secret", doctor_text(d, "exbridge login %s", a->name), "none");
    else
        doctor_say(d, DOCTOR_FAIL, "stored secret", "unlock the keyring, or sign in again: exbridge login", "%s",
                   err.text);
    buf_wipe(&wanted.value);
}

const char *doctor_state_dir(struct doctor *d, const struct config_account *a)
{
    return doctor_text(d, "%s/accounts/%s", d->config->server.state_dir, a->name);
}

void doctor_local_account(struct doctor *d, const struct config_account *a)
{
    const char *dir = doctor_state_dir(d, a);
    look_at_state(d, dir);
    look_at_local_password(d, a, dir);
    look_at_secret(d, a);
    look_at_file(d, "ca-file", a->ca_file);
    look_at_file(d, "client-cert", a->login->client_cert);
    look_at_file(d, "client-key", a->login->client_key);
}
