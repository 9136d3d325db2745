/* SPDX-License-Identifier: Apache-2.0 */
/* Where the secret of a login comes from. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/common/login_private.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define READ_RETRY_MS 5000

void login_drop_secret(struct login *l)
{
    mem_wipe_free(l->secret);
    l->secret = NULL;
    l->proven = false;
}

void login_set_secret(struct login *l, char *secret, bool proven)
{
    login_drop_secret(l);
    l->secret = secret;
    l->serial++;
    l->proven = proven;
}

static const char *what_it_gives(const struct login *l)
{
    return l->auth == HTTP_AUTH_BEARER ? "token" : "password";
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
        login_set_secret(l, secret, false);
    else
        err_set(&l->read_err, ERR_AUTH, "%s: %s gave no %s", l->name, where, what_it_gives(l));
}

/* --- a command ----------------------------------------------------------------------------------- */

static void on_command_done(void *ud, const struct err *err, struct str output)
{
    struct login *l = ud;
    const char *key = l->auth == HTTP_AUTH_BEARER ? "token-command" : "password-command";
    l->child = NULL;
    if (err->code == ERR_NONE)
        take_text(l, output, key);
    else
        err_set(&l->read_err, ERR_OFFLINE, "%s: %s: %s", l->name, key, err->text);
    l->read_ms = time_mono_ms();
    login_wake(l);
}

/* --- a file -------------------------------------------------------------------------------------- */

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
    mem_wipe(room, LOGIN_SECRET_MAX);
    mem_free(room);
}

/* --- the vault ----------------------------------------------------------------------------------- */

static enum login_fetched read_vault(struct login *l)
{
    struct buf text = BUF_INIT(LOGIN_SECRET_MAX);
    enum login_fetched result = LOGIN_MISSING;
    switch (l->vault.get(l->vault.ud, l->record, &text, &l->read_err)) {
    case LOGIN_STORED_OK:
        take_text(l, buf_view(&text), "the secret store");
        result = l->secret ? LOGIN_HERE : LOGIN_MISSING;
        break;
    case LOGIN_STORED_NONE:
        err_set(&l->read_err, ERR_AUTH, "%s: no password is stored; run: exbridge login %s", l->name, l->name);
        break;
    case LOGIN_STORED_WAIT:
        result = LOGIN_COMING;
        break;
    case LOGIN_STORED_FAILED:
        err_prefix(&l->read_err, "%s: ", l->name);
        break;
    }
    buf_wipe(&text);
    return result;
}

/* --- which it is --------------------------------------------------------------------------------- */

static bool recently(uint64_t then_ms, uint64_t span_ms)
{
    return then_ms && time_mono_ms() - then_ms < span_ms;
}

static enum login_fetched begin(struct login *l)
{
    switch (l->source) {
    case LOGIN_FILE:
        read_file(l);
        return l->secret ? LOGIN_HERE : LOGIN_MISSING;
    case LOGIN_COMMAND:
        l->child =
            child_run(l->loop, l->command_or_file, STR_NULL, LOGIN_SECRET_MAX, l->command_ms, on_command_done, l);
        return LOGIN_COMING;
    case LOGIN_STORED:
        return read_vault(l);
    case LOGIN_OAUTH:
        return login_oauth_fetch(l, &l->read_err);
    case LOGIN_PASSTHROUGH:
        err_set(&l->read_err, ERR_AUTH, "%s: waiting for a mail client to sign in with the server's password", l->name);
        return LOGIN_MISSING;
    case LOGIN_NO_SECRET:
        break;
    }
    return LOGIN_MISSING;
}

enum login_fetched login_fetch(struct login *l, struct err *err)
{
    if (l->child)
        return LOGIN_COMING;
    if (l->source != LOGIN_PASSTHROUGH && l->read_err.code != ERR_NONE && recently(l->read_ms, READ_RETRY_MS)) {
        *err = l->read_err;
        return LOGIN_MISSING;
    }
    if (recently(l->refused_ms, (uint64_t)LOGIN_REREAD_S * 1000)) {
        err_set(err, ERR_AUTH, "%s: the server refused the %s; run: exbridge login %s", l->name, what_it_gives(l),
                l->name);
        return LOGIN_MISSING;
    }
    l->read_err = (struct err){.code = ERR_NONE};
    enum login_fetched result = begin(l);
    if (result == LOGIN_MISSING) {
        l->read_ms = time_mono_ms();
        *err = l->read_err;
    }
    return result;
}
