/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/mem.h"

bool file_write(int fd, struct str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n < 0 ? errno : EIO;
            return false;
        }
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

bool file_sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return ok;
}

static bool sync_dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    char *dir = n ? str_dup(str_of(path, n)) : mem_strdup(".");
    bool ok = file_sync_dir(dir);
    int saved = errno;
    mem_free(dir);
    errno = saved;
    return ok;
}

bool file_replace(const char *path, struct str bytes, mode_t mode, struct err *err)
{
    struct buf name = BUF_INIT(0);
    buf_printf(&name, "%s.tmp", path);
    const char *tmp = buf_z(&name);
    unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    bool ok = fd >= 0 && file_write(fd, bytes) && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        why = errno;
    }
    if (ok && !(rename(tmp, path) == 0 && sync_dir_of(path))) {
        ok = false;
        why = errno;
    }
    if (!ok) {
        err_set_errno(err, ERR_DISK, why, path);
        unlink(tmp);
    }
    buf_done(&name);
    return ok;
}

bool file_make_dirs(const char *path, struct err *err)
{
    struct buf part = BUF_INIT(0);
    bool ok = true;
    size_t n = strlen(path);
    for (size_t i = 1; ok && i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        buf_reset(&part);
        buf_add(&part, path, i);
        if (mkdir(buf_z(&part), 0700) != 0 && errno != EEXIST)
            ok = err_set_errno(err, ERR_DISK, errno, path);
    }
    buf_done(&part);
    return ok;
}
