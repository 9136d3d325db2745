/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "certs/certs.h"

#define OUTPUT_MAX ((size_t)64 * 1024)

extern char **environ;

/* Run certutil, without a shell; what it says on stdout and stderr goes to `out`. -1: it could not be run. */
static int certutil(const char *const *arguments, struct buf *out)
{
    int pipe_fd[2];
    const char *argv[16] = {"certutil"};
    posix_spawn_file_actions_t actions;
    pid_t child;
    for (size_t i = 0; arguments[i]; i++)
        argv[i + 1] = arguments[i];
    buf_init(out, OUTPUT_MAX);
    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], STDERR_FILENO);
    int failed = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fd[1]);
    char bytes[4096];
    ssize_t n;
    while (!failed && ((n = read(pipe_fd[0], bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            buf_add(out, bytes, (size_t)n);
    close(pipe_fd[0]);
    int status = -1;
    while (!failed && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return !failed && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool trust_is_possible(struct err *err)
{
    static const char *const help[] = {"-H", NULL};
    struct buf out;
    int status = certutil(help, &out);
    buf_done(&out);
    return (status != -1 && status != 127) ||
           err_set(err, ERR_UNSUPPORTED, "certutil is missing; install libnss3-tools");
}

/* The last line of what certutil said. */
static bool fail(struct err *err, const char *profile_dir, struct buf *out)
{
    struct str text = str_trim(buf_view(out)), line = text;
    for (size_t i = text.n; i-- > 0;) {
        if (text.p[i] != '\n')
            continue;
        line = str_skip(text, i + 1);
        break;
    }
    if (str_find(line, STR("could not authenticate")) != (size_t)-1)
        err_set(
            err, ERR_AUTH,
            "%s has a primary password, and that was not entered rightly; run it again in a terminal: exbridge trust",
            profile_dir);
    else
        err_set(err, ERR_DISK, "%s: %.*s", profile_dir, STR_ARG(line));
    buf_done(out);
    return false;
}

struct names {
    struct buf store, nickname;
};

/* "exbridge AB-CD-EF-..." names one authority, whatever others there are. (A colon would end the name of a token.) */
static bool names_of(const char *profile_dir, const char *ca_file, struct names *ret, struct err *err)
{
    struct buf fingerprint = BUF_INIT(0);
    *ret = (struct names){BUF_INIT(0), BUF_INIT(0)};
    bool ok = certs_fingerprint(ca_file, &fingerprint, err);
    buf_printf(&ret->store, "sql:%s", profile_dir);
    buf_printf(&ret->nickname, "exbridge %.23s", buf_z(&fingerprint));
    for (size_t i = 0; i < ret->nickname.n; i++)
        if (ret->nickname.p[i] == ':')
            ret->nickname.p[i] = '-';
    buf_done(&fingerprint);
    return ok;
}

static void names_done(struct names *n)
{
    buf_done(&n->store);
    buf_done(&n->nickname);
}

/* There, and not only as what somebody may look at: who did not know the primary password leaves it so. */
static bool is_trusted(struct names *n)
{
    const char *const list[] = {"-L", "-d", buf_z(&n->store), NULL};
    struct buf out;
    bool trusted = false;
    int status = certutil(list, &out);
    struct str rest = buf_view(&out), line;
    while (status == 0 && !trusted && str_cut(&rest, '\n', &line))
        trusted =
            str_starts(line, buf_view(&n->nickname)) && str_starts(str_trim(str_skip(line, n->nickname.n)), STR("C"));
    buf_done(&out);
    return trusted;
}

static bool is_there(struct names *n)
{
    const char *const list[] = {"-L", "-d", buf_z(&n->store), "-n", buf_z(&n->nickname), NULL};
    struct buf out;
    int status = certutil(list, &out);
    buf_done(&out);
    return status == 0;
}

static bool ensure_store(const char *profile_dir, struct names *n, struct err *err)
{
    const char *const make[] = {"-N", "-d", buf_z(&n->store), "--empty-password", NULL};
    struct buf path = BUF_INIT(0), out;
    struct stat st;
    buf_printf(&path, "%s/cert9.db", profile_dir);
    bool there = stat(buf_z(&path), &st) == 0;
    buf_done(&path);
    if (there)
        return true;
    if (certutil(make, &out) != 0)
        return fail(err, profile_dir, &out);
    buf_done(&out);
    return true;
}

static bool add(const char *profile_dir, const char *ca_file, struct names *n, struct err *err)
{
    const char *const command[] = {"-A",  "-d", buf_z(&n->store), "-n", buf_z(&n->nickname), "-t",
                                   "C,,", "-i", ca_file,          NULL};
    struct buf out;
    if (certutil(command, &out) != 0)
        return fail(err, profile_dir, &out);
    buf_done(&out);
    return true;
}

bool trust_add(const char *profile_dir, const char *ca_file, bool *ret_news, struct err *err)
{
    struct names n;
    bool ok = names_of(profile_dir, ca_file, &n, err) && ensure_store(profile_dir, &n, err);
    *ret_news = ok && !is_trusted(&n);
    if (*ret_news)
        ok = add(profile_dir, ca_file, &n, err);
    names_done(&n);
    return ok;
}

bool trust_remove(const char *profile_dir, const char *ca_file, bool *ret_news, struct err *err)
{
    struct names n;
    struct buf out;
    bool ok = names_of(profile_dir, ca_file, &n, err);
    *ret_news = ok && is_there(&n);
    const char *const command[] = {"-D", "-d", buf_z(&n.store), "-n", buf_z(&n.nickname), NULL};
    if (*ret_news) {
        ok = certutil(command, &out) == 0 || fail(err, profile_dir, &out);
        if (ok)
            buf_done(&out);
    }
    names_done(&n);
    return ok;
}
