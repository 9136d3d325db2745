/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/local_passwords.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/file.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"

#define LETTERS     25
#define GROUP       5
#define FILE_MAX    ((size_t)LOCAL_PASSWORDS_MAX * 256)
#define OFFERED_MAX 64 /* letters that matter of what a client offers */

/* --- what a password is ----------------------------------------------------------------------------- */

static void make_password(struct buf *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 6 */
    for (int i = 0; i < LETTERS; i++) {
        if (i && i % GROUP == 0)
            buf_byte(out, '-');
        buf_byte(out, letters[rand_below(32)]);
    }
}

/* Without dashes and blanks, in small letters. */
static struct crypto_hash hash_of(const unsigned char *salt, struct str password)
{
    struct buf text = BUF_INIT(LOCAL_PASSWORD_SALT + OFFERED_MAX);
    buf_add(&text, salt, LOCAL_PASSWORD_SALT);
    for (size_t i = 0; i < password.n && !text.failed; i++) {
        char c = password.p[i];
        if (c != '-' && c != ' ')
            buf_byte(&text, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    /* What is too long was not made here; it gets a hash that no password has. */
    struct crypto_hash hash = crypto_sha256(text.failed ? STR("too long") : buf_view(&text));
    buf_wipe(&text);
    return hash;
}

bool local_passwords_match(const struct local_passwords *all, struct str offered)
{
    bool match = false;
    for (size_t i = 0; i < all->count; i++) {
        struct crypto_hash hash = hash_of(all->list[i].salt, offered);
        match |= crypto_equal(str_of(hash.b, sizeof(hash.b)), str_of(all->list[i].hash.b, sizeof(all->list[i].hash.b)));
    }
    return match;
}

/* --- the file ---------------------------------------------------------------------------------------- */

static bool label_is_good(struct str label)
{
    if (label.n == 0 || label.n > LOCAL_PASSWORD_LABEL_MAX)
        return false;
    for (size_t i = 0; i < label.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@+", label.p[i]) || !label.p[i])
            return false;
    return true;
}

static bool take_hex(struct str hex, void *to, size_t n)
{
    struct buf bytes = BUF_INIT(64);
    bool ok = text_hex_decode(&bytes, hex) && bytes.n == n;
    if (ok)
        memcpy(to, bytes.p, n);
    buf_done(&bytes);
    return ok;
}

static bool take_line(struct str line, struct local_password *p)
{
    struct str label, salt, hash;
    int64_t made_ms;
    if (!str_cut(&line, ' ', &label) || !str_cut(&line, ' ', &salt) || !str_cut(&line, ' ', &hash))
        return false;
    if (!label_is_good(label) || !take_hex(salt, p->salt, sizeof(p->salt)) ||
        !take_hex(hash, p->hash.b, sizeof(p->hash.b)) || !time_parse_iso(line, &made_ms))
        return false;
    memcpy(p->label, label.p, label.n);
    p->label[label.n] = '\0';
    p->made_s = made_ms / 1000;
    return true;
}

bool local_passwords_parse(struct str text, struct local_passwords *ret, struct err *err)
{
    struct str line;
    ret->count = 0;
    if (text.n && text.p[text.n - 1] != '\n')
        return err_set(err, ERR_DISK, "cut short; delete the file and make new passwords with `exbridge password`");
    while (text.n && str_cut(&text, '\n', &line))
        if (ret->count == LOCAL_PASSWORDS_MAX || !take_line(line, &ret->list[ret->count++]))
            return err_set(err, ERR_DISK,
                           "line %zu makes no sense; delete the file and make new passwords with "
                           "`exbridge password`",
                           ret->count);
    return true;
}

static bool read_file(int fd, struct buf *out)
{
    for (;;) {
        char *room = buf_room(out, 4096);
        ssize_t n = room ? read(fd, room, 4096) : -1;
        if (n <= 0)
            return n == 0;
        out->n += (size_t)n;
    }
}

static void path_of(const char *state_dir, struct buf *out)
{
    buf_printf(out, "%s/passwords", state_dir);
}

bool local_passwords_load(const char *state_dir, struct local_passwords *ret, struct err *err)
{
    struct buf path = BUF_INIT(0), text = BUF_INIT(FILE_MAX + 4096);
    struct stat st;
    bool ok = true;
    ret->count = 0;
    path_of(state_dir, &path);
    int fd = open(buf_z(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
        ok = err_set_errno(err, ERR_DISK, errno, buf_z(&path));
    else if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_uid != geteuid() || st.st_mode & 077))
        ok = err_set(err, ERR_DISK, "%s can be read by others: chmod 600 it", buf_z(&path));
    else if (fd >= 0 && !read_file(fd, &text))
        ok = err_set_errno(err, ERR_DISK, errno, buf_z(&path));
    else if (fd >= 0 && !local_passwords_parse(buf_view(&text), ret, err))
        ok = (err_prefix(err, "%s: ", buf_z(&path)), false);
    if (fd >= 0)
        close(fd);
    buf_done(&path);
    buf_done(&text);
    return ok;
}

static void write_lines(const struct local_passwords *all, struct buf *out)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct local_password *p = &all->list[i];
        buf_printf(out, "%s ", p->label);
        text_hex_add(out, str_of(p->salt, sizeof(p->salt)));
        buf_byte(out, ' ');
        text_hex_add(out, str_of(p->hash.b, sizeof(p->hash.b)));
        buf_byte(out, ' ');
        time_add_iso(out, p->made_s);
        buf_byte(out, '\n');
    }
}

static bool save(const char *state_dir, const struct local_passwords *all, struct err *err)
{
    struct buf path = BUF_INIT(0), text = BUF_INIT(FILE_MAX);
    path_of(state_dir, &path);
    write_lines(all, &text);
    bool ok = file_replace(buf_z(&path), buf_view(&text), 0600, err);
    buf_done(&path);
    buf_done(&text);
    return ok;
}

/* --- changes ----------------------------------------------------------------------------------------- */

/* The directory, locked, and what is in the file. */
static int begin(const char *state_dir, struct local_passwords *all, struct err *err)
{
    int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        err_set_errno(err, ERR_DISK, errno, state_dir);
        return -1;
    }
    if (flock(dir, LOCK_EX) == 0 && local_passwords_load(state_dir, all, err))
        return dir;
    close(dir);
    return -1;
}

static size_t find(const struct local_passwords *all, const char *label)
{
    size_t i = 0;
    while (i < all->count && strcmp(all->list[i].label, label) != 0)
        i++;
    return i;
}

static bool add(struct local_passwords *all, const char *label, struct str password, struct err *err)
{
    if (find(all, label) < all->count)
        return err_set(
            err, ERR_EXISTS,
            "there is a password \"%s\" already; end it with --revoke %s, or give the new one another --label", label,
            label);
    if (all->count == LOCAL_PASSWORDS_MAX)
        return err_set(err, ERR_TOO_BIG, "there are %d passwords already; end one with --revoke", LOCAL_PASSWORDS_MAX);
    struct local_password *p = &all->list[all->count++];
    *p = (struct local_password){.made_s = time_wall_s()};
    memcpy(p->label, label, strlen(label));
    rand_bytes(p->salt, sizeof(p->salt));
    p->hash = hash_of(p->salt, password);
    return true;
}

bool local_passwords_new(const char *state_dir, const char *label, struct buf *ret_password, struct err *err)
{
    struct local_passwords *all = MEM_NEW(struct local_passwords);
    buf_init(ret_password, 64);
    make_password(ret_password);
    bool ok = label_is_good(str_from(label)) ||
              err_set(err, ERR_INVALID, "a label has up to %d letters, digits and . _ - @ +", LOCAL_PASSWORD_LABEL_MAX);
    int dir = ok ? begin(state_dir, all, err) : -1;
    ok = dir >= 0 && add(all, label, buf_view(ret_password), err) && save(state_dir, all, err);
    if (dir >= 0)
        close(dir);
    if (!ok)
        buf_wipe(ret_password);
    mem_free(all);
    return ok;
}

bool local_passwords_revoke(const char *state_dir, const char *label, struct err *err)
{
    struct local_passwords *all = MEM_NEW(struct local_passwords);
    int dir = begin(state_dir, all, err);
    size_t at = dir >= 0 ? find(all, label) : 0;
    bool ok = dir >= 0;
    if (ok && at == all->count)
        ok = err_set(err, ERR_NOT_FOUND, "there is no password \"%.64s\"", label);
    if (ok) {
        memmove(&all->list[at], &all->list[at + 1], (all->count - at - 1) * sizeof(all->list[0]));
        all->count--;
        ok = save(state_dir, all, err);
    }
    if (dir >= 0)
        close(dir);
    mem_free(all);
    return ok;
}
