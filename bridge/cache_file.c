/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/file.h"
#include "bridge/base/mem.h"

#define FRAME (64 * 1024)

/* A checksum against rot and torn writes, not against people (that is what sealing is for): eight bytes a step. */
struct sum {
    uint64_t h;
    uint64_t part;
    unsigned have;
};

static void sum_step(struct sum *s, uint64_t word)
{
    s->h = (s->h ^ word) * 0x9fb21c651e98df25ULL;
    s->h ^= s->h >> 32;
}

static void sum_add(struct sum *s, struct str bytes)
{
    size_t i = 0;
    while (i < bytes.n && s->have) {
        s->part |= (uint64_t)(unsigned char)bytes.p[i++] << (8 * s->have++);
        if (s->have == 8) {
            sum_step(s, s->part);
            s->part = 0;
            s->have = 0;
        }
    }
    for (; i + 8 <= bytes.n; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.p + i, 8);
        sum_step(s, word);
    }
    for (; i < bytes.n; i++)
        s->part |= (uint64_t)(unsigned char)bytes.p[i] << (8 * s->have++);
}

static uint64_t sum_done(struct sum *s, uint64_t size)
{
    sum_step(s, s->part);
    sum_step(s, size);
    return s->h >> 1; /* SQLite integers are signed */
}

struct writer {
    int fd;
    struct sum sum;
    const unsigned char *key;
    int64_t pk;
    uint64_t frame;
    int error; /* errno */
};

static struct str frame_label(char *to, size_t size, int64_t pk, uint64_t frame)
{
    int n = snprintf(to, size, "message/%lld/%llu", (long long)pk, (unsigned long long)frame);
    return str_of(to, (size_t)n);
}

static bool write_all(struct writer *w, const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        ssize_t done = write(w->fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            w->error = done < 0 ? errno : ENOSPC;
            return false;
        }
        at += done;
        n -= (size_t)done;
    }
    return true;
}

static bool on_piece(void *ud, struct str piece)
{
    struct writer *w = ud;
    sum_add(&w->sum, piece);
    if (!w->key)
        return write_all(w, piece.p, piece.n);
    while (piece.n) {
        struct str part = str_sub(piece, 0, FRAME);
        char label[64];
        struct buf sealed = {0};
        crypto_seal(&sealed, w->key, frame_label(label, sizeof(label), w->pk, w->frame++), part);
        uint32_t n = (uint32_t)sealed.n;
        bool ok = write_all(w, &n, sizeof(n)) && write_all(w, sealed.p, sealed.n);
        buf_done(&sealed);
        if (!ok)
            return false;
        piece = str_skip(piece, part.n);
    }
    return true;
}

static int open_tmp(const char *path, struct buf *tmp)
{
    buf_printf(tmp, "%s.tmp", path);
    int fd = open(buf_z(tmp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    /* The cache may have been deleted while we run. */
    const char *slash = strrchr(path, '/');
    char *dir = str_dup(str_of(path, slash ? (size_t)(slash - path) : 0));
    bool made = file_make_dirs(dir, NULL);
    mem_free(dir);
    if (!made)
        return -1;
    return open(buf_z(tmp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

bool cache_file_write(const char *path, const unsigned char *key, int64_t pk, const struct blob *b, uint64_t *ret_sum,
                      struct err *err)
{
    struct buf tmp = {0};
    struct writer w = {.fd = open_tmp(path, &tmp), .key = key, .pk = pk};
    bool ok = w.fd >= 0;
    if (!ok)
        w.error = errno;
    struct err read_err = {0};
    ok = ok && blob_each(b, on_piece, &w, &read_err) && !w.error;
    if (w.fd >= 0 && close(w.fd) != 0 && ok) {
        ok = false;
        w.error = errno;
    }
    if (ok && rename(buf_z(&tmp), path) != 0) {
        ok = false;
        w.error = errno;
    }
    if (ok)
        *ret_sum = sum_done(&w.sum, blob_size(b));
    else {
        unlink(buf_z(&tmp));
        if (w.error)
            err_set_errno(err, ERR_DISK, w.error, path);
        else if (err)
            *err = read_err;
    }
    buf_done(&tmp);
    return ok;
}

static bool read_all(int fd, void *to, size_t n, uint64_t offset)
{
    char *at = to;
    while (n) {
        ssize_t got = pread(fd, at, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

static bool read_frames(int fd, uint64_t file_size, const unsigned char *key, int64_t pk, struct blob *to,
                        struct sum *sum)
{
    struct buf sealed = {0}, plain = {0};
    uint64_t at = 0, frame = 0;
    bool ok = true;
    while (ok && at < file_size) {
        uint32_t n;
        char label[64];
        ok = file_size - at > sizeof(n) && read_all(fd, &n, sizeof(n), at) && n <= FRAME + CRYPTO_SEAL_EXTRA &&
             n <= file_size - at - sizeof(n);
        if (!ok)
            break;
        buf_reset(&sealed);
        buf_reset(&plain);
        char *room = buf_room(&sealed, n);
        ok = room && read_all(fd, room, n, at + sizeof(n));
        sealed.n = ok ? n : 0;
        ok = ok && crypto_open(&plain, key, frame_label(label, sizeof(label), pk, frame++), buf_view(&sealed)) &&
             blob_add(to, buf_view(&plain), NULL);
        sum_add(sum, buf_view(&plain));
        at += sizeof(n) + n;
    }
    buf_done(&sealed);
    buf_wipe(&plain);
    return ok;
}

static struct blob *open_sealed(int fd, uint64_t file_size, const unsigned char *key, int64_t pk, uint64_t size,
                                uint64_t sum, const char *tmp_dir)
{
    struct blob *b = blob_new(tmp_dir, size);
    struct sum s = {0};
    bool ok = read_frames(fd, file_size, key, pk, b, &s) && blob_finish(b, NULL) && blob_size(b) == size &&
              sum_done(&s, size) == sum;
    close(fd);
    if (!ok)
        blob_unref(&b);
    return b;
}

static struct blob *open_small(int fd, uint64_t size, uint64_t sum)
{
    char stack[16 * 1024];
    char *bytes = size <= sizeof(stack) ? stack : mem_alloc(size);
    struct blob *b = NULL;
    struct sum s = {0};
    if (read_all(fd, bytes, size, 0)) {
        sum_add(&s, str_of(bytes, size));
        if (sum_done(&s, size) == sum)
            b = blob_from_str(str_of(bytes, size));
    }
    close(fd);
    if (bytes != stack)
        mem_free(bytes);
    return b;
}

struct blob *cache_file_read(const char *path, const unsigned char *key, int64_t pk, uint64_t size, uint64_t sum,
                             const char *tmp_dir)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (!key && (uint64_t)st.st_size != size)) {
        close(fd);
        return NULL;
    }
    if (key)
        return open_sealed(fd, (uint64_t)st.st_size, key, pk, size, sum, tmp_dir);
    return size <= BLOB_MEMORY_LIMIT ? open_small(fd, size, sum) : blob_from_fd(fd, 0, size);
}

static int on_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    remove(path);
    return 0;
}

void cache_file_remove_tree(const char *dir)
{
    nftw(dir, on_remove, 16, FTW_DEPTH | FTW_PHYS);
}
