/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/blob.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/file.h"
#include "bridge/base/mem.h"

#define PIECE ((size_t)64 * 1024) /* of blob_each(), and the write buffer in front of a file */

/* In memory: fd < 0 and `memory` is the content. In a file: the content is [offset, offset + size) of fd; while it is
 * written `memory` holds what has not gone out yet. */
struct blob {
    unsigned refs;
    int fd;
    bool finished, failed;
    uint64_t offset, size, limit;
    struct buf memory;
    char *tmp_dir;
};

struct blob *blob_new(const char *tmp_dir, uint64_t limit)
{
    struct blob *b = MEM_NEW(struct blob);
    b->refs = 1;
    b->fd = -1;
    b->limit = limit;
    b->tmp_dir = mem_strdup(tmp_dir);
    buf_init(&b->memory, BLOB_MEMORY_LIMIT);
    return b;
}

struct blob *blob_from_str(struct str bytes)
{
    struct blob *b = MEM_NEW(struct blob);
    b->refs = 1;
    b->fd = -1;
    b->limit = b->size = bytes.n;
    buf_init(&b->memory, bytes.n ? bytes.n : 1);
    buf_str(&b->memory, bytes);
    b->finished = true;
    return b;
}

struct blob *blob_from_fd(int fd, uint64_t offset, uint64_t size)
{
    struct blob *b = MEM_NEW(struct blob);
    b->refs = 1;
    b->fd = fd;
    b->offset = offset;
    b->limit = b->size = size;
    b->finished = true;
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    if (b)
        b->refs++;
    return b;
}

void blob_unref(struct blob **blob)
{
    struct blob *b = *blob;
    *blob = NULL;
    if (!b || --b->refs)
        return;
    if (b->fd >= 0)
        close(b->fd);
    buf_done(&b->memory);
    mem_free(b->tmp_dir);
    mem_free(b);
}

static int open_temporary(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOENT && file_make_dirs(dir, NULL)) /* somebody deleted the cache */
        fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    /* A file system without O_TMPFILE. */
    struct buf path = BUF_INIT(0);
    buf_printf(&path, "%s/blob-XXXXXX", dir);
    buf_z(&path);
    fd = mkostemp(path.p, O_CLOEXEC);
    int saved = errno;
    if (fd >= 0)
        unlink(path.p);
    buf_done(&path);
    errno = saved;
    return fd;
}

static bool disk_failed(struct blob *b, struct err *err)
{
    b->failed = true;
    return err_set_errno(err, ERR_DISK, errno, "temporary file");
}

static bool flush(struct blob *b, struct err *err)
{
    if (b->fd < 0 && (b->fd = open_temporary(b->tmp_dir ? b->tmp_dir : "/tmp")) < 0)
        return disk_failed(b, err);
    if (!file_write(b->fd, buf_view(&b->memory)))
        return disk_failed(b, err);
    b->memory.n = 0;
    return true;
}

bool blob_add(struct blob *b, struct str bytes, struct err *err)
{
    assert(!b->finished);
    if (b->failed)
        return err_set(err, ERR_DISK, "temporary file: an earlier write failed");
    if (bytes.n > b->limit - b->size)
        return err_set(err, ERR_TOO_BIG, "more than %llu bytes", (unsigned long long)b->limit);
    size_t keep = b->fd < 0 ? (size_t)BLOB_MEMORY_LIMIT : PIECE;
    if (bytes.n > keep - b->memory.n) {
        if (!flush(b, err))
            return false;
        if (bytes.n >= PIECE) {
            if (!file_write(b->fd, bytes))
                return disk_failed(b, err);
            b->size += bytes.n;
            return true;
        }
    }
    buf_str(&b->memory, bytes);
    b->size += bytes.n;
    return true;
}

bool blob_finish(struct blob *b, struct err *err)
{
    if (b->finished)
        return true;
    if (b->failed)
        return err_set(err, ERR_DISK, "temporary file: an earlier write failed");
    if (b->fd >= 0) {
        if (!flush(b, err))
            return false;
        buf_done(&b->memory);
    } else if (b->memory.size > b->memory.n * 2) { /* blobs are kept: do not carry the slack of growing */
        struct buf fit = BUF_INIT(b->memory.n + 1);
        buf_str(&fit, buf_view(&b->memory));
        buf_done(&b->memory);
        b->memory = fit;
    }
    mem_free(b->tmp_dir);
    b->tmp_dir = NULL;
    b->finished = true;
    return true;
}

uint64_t blob_size(const struct blob *b)
{
    return b->size;
}

bool blob_read(const struct blob *b, uint64_t offset, void *to, size_t n, struct err *err)
{
    if (!b->finished || offset > b->size || n > b->size - offset)
        return err_set(err, ERR_INTERNAL, "blob: bad range");
    if (b->fd < 0) {
        if (n)
            memcpy(to, b->memory.p + offset, n);
        return true;
    }
    char *at = to;
    off_t from = (off_t)(b->offset + offset);
    while (n) {
        ssize_t got = pread(b->fd, at, n, from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, ERR_DISK, errno, "cannot read a stored message");
        if (got == 0)
            return err_set(err, ERR_DISK, "a stored message is shorter than it was");
        at += got;
        from += got;
        n -= (size_t)got;
    }
    return true;
}

bool blob_view(const struct blob *b, struct str *ret_view)
{
    if (!b->finished || b->fd >= 0)
        return false;
    *ret_view = (struct str){b->memory.p ? b->memory.p : "", (size_t)b->size};
    return true;
}

bool blob_each(const struct blob *b, bool (*fn)(void *ud, struct str piece), void *ud, struct err *err)
{
    struct str all;
    char *room = NULL;
    if (!blob_view(b, &all))
        room = mem_realloc(NULL, PIECE);
    bool ok = true;
    for (uint64_t at = 0; ok && at < b->size;) {
        size_t n = b->size - at < PIECE ? (size_t)(b->size - at) : PIECE;
        ok = !room || blob_read(b, at, room, n, err);
        if (ok && !fn(ud, room ? str_of(room, n) : str_sub(all, (size_t)at, n)))
            break;
        at += n;
    }
    mem_free(room);
    return ok;
}

struct saving {
    int fd;
    bool failed;
};

static bool save_piece(void *ud, struct str piece)
{
    struct saving *s = ud;
    s->failed = !file_write(s->fd, piece);
    return !s->failed;
}

bool blob_save(const struct blob *b, const char *path, struct err *err)
{
    struct buf tmp = BUF_INIT(0);
    buf_printf(&tmp, "%s.tmp", path);
    const char *tmp_path = buf_z(&tmp);
    struct saving s = {.fd = open(tmp_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)};
    bool ok = s.fd >= 0 || err_set_errno(err, ERR_DISK, errno, "cannot create a cache file");
    if (ok) {
        ok = blob_each(b, save_piece, &s, err);
        if (s.failed)
            ok = err_set_errno(err, ERR_DISK, errno, "cannot write a cache file");
        if (close(s.fd) != 0 && ok)
            ok = err_set_errno(err, ERR_DISK, errno, "cannot write a cache file");
        if (ok && rename(tmp_path, path) != 0)
            ok = err_set_errno(err, ERR_DISK, errno, "cannot name a cache file");
        if (!ok)
            unlink(tmp_path);
    }
    buf_done(&tmp);
    return ok;
}
