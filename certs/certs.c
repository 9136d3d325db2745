/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/file.h"
#include "bridge/base/mem.h"
#include "bridge/base/str.h"
#include "bridge/base/time.h"
#include "certs/make.h"

#define FILE_MAX ((size_t)64 * 1024)

/* --- files ------------------------------------------------------------------------------- */

static char *join(const char *dir, const char *name)
{
    struct buf b = BUF_INIT(0);
    buf_printf(&b, "%s/%s", dir, name);
    char *path = mem_strdup(buf_z(&b));
    buf_done(&b);
    return path;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* A file of ours that others cannot write, and, where `secret`, not read. ERR_NOT_FOUND: there is none. */
static bool read_file(const char *path, bool secret, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_DISK, errno, path);
    struct stat st;
    bool ok = fstat(fd, &st) == 0 || err_set_errno(err, ERR_DISK, errno, path);
    if (ok && (st.st_uid != geteuid() || st.st_mode & (secret ? 077 : 022)))
        ok = err_set(err, ERR_INVALID, "%s: must be ours and closed to others; run: chmod 600", path);
    while (ok) {
        char *room = buf_room(out, 4096);
        ssize_t n = room ? read(fd, room, 4096) : -1;
        if (n < 0)
            ok = err_set(err, ERR_INVALID, "%s: cannot be read, or too large", path);
        if (n <= 0)
            break;
        out->n += (size_t)n;
    }
    close(fd);
    return ok;
}

static bool bio_to_file(BIO *bio, const char *path, mode_t mode, struct err *err)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    return file_replace(path, str_of(p, n > 0 ? (size_t)n : 0), mode, err);
}

static bool save_key(const char *path, EVP_PKEY *key, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    ok = ok ? bio_to_file(bio, path, 0600, err) : make_error(err, path);
    BIO_free(bio);
    return ok;
}

/* `also` is appended: the CA after the leaf. May be NULL. */
static bool save_cert(const char *path, X509 *cert, X509 *also, mode_t mode, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && PEM_write_bio_X509(bio, cert) == 1 && (!also || PEM_write_bio_X509(bio, also) == 1);
    ok = ok ? bio_to_file(bio, path, mode, err) : make_error(err, path);
    BIO_free(bio);
    return ok;
}

static bool load_cert(const char *path, X509 **ret_cert, struct err *err)
{
    struct buf text = BUF_INIT(FILE_MAX);
    bool ok = read_file(path, false, &text, err);
    if (ok) {
        BIO *bio = BIO_new_mem_buf(text.p ? text.p : "", (int)text.n);
        *ret_cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
        ERR_clear_error();
        ok = *ret_cert || err_set(err, ERR_INVALID, "%s: not a certificate", path);
    }
    buf_done(&text);
    return ok;
}

/* Without it OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *to, int size, int rwflag, void *ud)
{
    (void)to;
    (void)size;
    (void)rwflag;
    (void)ud;
    return 0;
}

static bool load_key(const char *path, EVP_PKEY **ret_key, struct err *err)
{
    struct buf text = BUF_INIT(FILE_MAX);
    bool ok = read_file(path, true, &text, err);
    if (ok) {
        BIO *bio = BIO_new_mem_buf(text.p ? text.p : "", (int)text.n);
        *ret_key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
        ERR_clear_error();
        ok = *ret_key || err_set(err, ERR_INVALID, "%s: not a private key", path);
    }
    buf_wipe(&text);
    return ok;
}

/* --- the CA -------------------------------------------------------------------------------- */

struct files {
    char *ca, *ca_key, *leaf, *leaf_key;
};

static bool new_ca(const struct files *f, int64_t now_s, struct pair *ret_ca, struct err *err)
{
    struct pair ca;
    if (!make_ca(now_s, &ca, err))
        return false;
    /* The key first: a certificate without its key could never sign a leaf. */
    if (!save_key(f->ca_key, ca.key, err) || !save_cert(f->ca, ca.cert, NULL, 0600, err)) {
        pair_done(&ca);
        return false;
    }
    *ret_ca = ca;
    return true;
}

/* The certificate must be there; the key only when a leaf is to be signed. */
static bool get_ca(const struct files *f, int64_t now_s, struct pair *ret_ca, bool *ret_made, struct err *err)
{
    struct pair ca = {NULL, NULL};
    *ret_made = false;
    if (!exists(f->ca) && !exists(f->leaf)) { /* the first run, or one that was interrupted before anything was used */
        *ret_made = true;
        return new_ca(f, now_s, ret_ca, err);
    }
    if (!load_cert(f->ca, &ca.cert, err)) {
        if (err && err->code == ERR_NOT_FOUND)
            err_set(
                err, ERR_INVALID,
                "%s is missing, but clients may trust it: put it back, or remove %s to begin anew (every client must "
                "then be told to trust the new one)",
                f->ca, f->leaf);
        return false;
    }
    *ret_ca = ca;
    return true;
}

/* --- the leaf -------------------------------------------------------------------------------- */

static bool is_fresh(const X509 *cert, int64_t now_s)
{
    int64_t from = cert_not_before_s(cert), to = cert_not_after_s(cert);
    return from <= now_s && now_s < to - (to - from) / 3;
}

/* A leaf that can be used as it is. */
static bool load_leaf(const struct files *f, const X509 *ca, int64_t now_s, struct pair *ret_leaf)
{
    struct pair leaf = {NULL, NULL};
    if (load_cert(f->leaf, &leaf.cert, NULL) && load_key(f->leaf_key, &leaf.key, NULL) && pair_is_leaf_of(&leaf, ca) &&
        is_fresh(leaf.cert, now_s)) {
        *ret_leaf = leaf;
        return true;
    }
    pair_done(&leaf);
    return false;
}

/* The old leaf serves as long as it is valid, if a new one cannot be made. */
static bool fall_back(const struct files *f, const X509 *ca, int64_t now_s, struct pair *ret_leaf)
{
    struct pair leaf = {NULL, NULL};
    if (load_cert(f->leaf, &leaf.cert, NULL) && load_key(f->leaf_key, &leaf.key, NULL) && pair_is_leaf_of(&leaf, ca) &&
        cert_not_after_s(leaf.cert) > now_s) {
        *ret_leaf = leaf;
        return true;
    }
    pair_done(&leaf);
    return false;
}

static bool new_leaf(const struct files *f, struct pair *ca, int64_t now_s, struct pair *ret_leaf, struct err *err)
{
    struct pair leaf;
    if (!ca->key && !load_key(f->ca_key, &ca->key, err))
        return false;
    if (X509_check_private_key(ca->cert, ca->key) != 1) {
        ERR_clear_error();
        return err_set(err, ERR_INVALID, "%s does not belong to %s", f->ca_key, f->ca);
    }
    if (cert_not_after_s(ca->cert) <= now_s)
        return err_set(
            err, ERR_INVALID,
            "the local CA %s has expired; remove it and %s, and every client must be told to trust the new one", f->ca,
            f->leaf);
    if (!make_leaf(ca, now_s, &leaf, err))
        return false;
    /* A crash between the two leaves a pair that does not match; the next run sees that and makes both anew. */
    if (!save_key(f->leaf_key, leaf.key, err) || !save_cert(f->leaf, leaf.cert, ca->cert, 0600, err)) {
        pair_done(&leaf);
        return false;
    }
    *ret_leaf = leaf;
    return true;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool ensure(const struct files *f, int64_t now_s, struct certs *c, struct err *err)
{
    struct pair ca = {NULL, NULL}, leaf = {NULL, NULL};
    bool ok = get_ca(f, now_s, &ca, &c->made_ca, err);
    if (ok && !load_leaf(f, ca.cert, now_s, &leaf)) {
        c->made_leaf = new_leaf(f, &ca, now_s, &leaf, err);
        ok = c->made_leaf || fall_back(f, ca.cert, now_s, &leaf);
    }
    if (ok) {
        c->leaf_expires_s = cert_not_after_s(leaf.cert);
        c->ca_expires_s = cert_not_after_s(ca.cert);
    }
    pair_done(&ca);
    pair_done(&leaf);
    return ok;
}

bool certs_ensure_at(const char *dir, int64_t now_s, struct certs *ret_certs, struct err *err)
{
    struct stat st;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set_errno(err, ERR_DISK, errno, dir);
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
        return err_set(err, ERR_INVALID, "%s: must be a directory of ours that others cannot write to", dir);
    struct files f = {join(dir, "ca.pem"), join(dir, "ca.key"), join(dir, "localhost.pem"), join(dir, "localhost.key")};
    struct certs c = {.made_ca = false};
    bool ok = ensure(&f, now_s, &c, err);
    if (ok) {
        c.ca_file = mem_strdup(f.ca);
        c.chain_file = mem_strdup(f.leaf);
        c.key_file = mem_strdup(f.leaf_key);
        *ret_certs = c;
    }
    mem_free(f.ca);
    mem_free(f.ca_key);
    mem_free(f.leaf);
    mem_free(f.leaf_key);
    return ok;
}

bool certs_ensure(const char *dir, struct certs *ret_certs, struct err *err)
{
    return certs_ensure_at(dir, time_wall_s(), ret_certs, err);
}

void certs_done(struct certs *c)
{
    mem_free(c->ca_file);
    mem_free(c->chain_file);
    mem_free(c->key_file);
    *c = (struct certs){.made_ca = false};
}

bool certs_publish(const struct certs *c, const char *path, struct err *err)
{
    struct buf ours = BUF_INIT(FILE_MAX), theirs = BUF_INIT(FILE_MAX);
    bool ok = read_file(c->ca_file, false, &ours, err);
    if (ok && (!read_file(path, false, &theirs, NULL) || !str_eq(buf_view(&ours), buf_view(&theirs))))
        ok = file_replace(path, buf_view(&ours), 0644, err);
    buf_done(&ours);
    buf_done(&theirs);
    return ok;
}

bool certs_until(const char *file, int64_t *ret_until_s, struct err *err)
{
    X509 *cert = NULL;
    if (!load_cert(file, &cert, err))
        return false;
    *ret_until_s = cert_not_after_s(cert);
    X509_free(cert);
    return true;
}

bool certs_fingerprint(const char *file, struct buf *out, struct err *err)
{
    X509 *cert = NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!load_cert(file, &cert, err))
        return false;
    bool ok = X509_digest(cert, EVP_sha256(), digest, &n) == 1 || make_error(err, file);
    for (unsigned i = 0; ok && i < n; i++)
        buf_printf(out, i ? ":%02X" : "%02X", digest[i]);
    X509_free(cert);
    return ok;
}
