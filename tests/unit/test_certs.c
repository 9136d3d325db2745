/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/certs.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "certs/make.h"
#include "tests/unit/test_loop.h"

#define DAY_S 86400

struct fixture {
    char dir[64], path[128];
};

static int set_up(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    strcpy(f->dir, "/tmp/exbridge-test-certs-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[200];
    snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
    assert_int_equal(system(command), 0);
    mem_free(f);
    return 0;
}

static const char *path(struct fixture *f, const char *name)
{
    snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
    return f->path;
}

static void print_of(struct fixture *f, const char *name, char *to, size_t size)
{
    struct buf b = BUF_INIT(0);
    struct err err;
    assert_true(certs_fingerprint(path(f, name), &b, &err));
    assert_int_equal(b.n, 95);
    snprintf(to, size, "%s", buf_z(&b));
    buf_done(&b);
}

static X509 *load(struct fixture *f, const char *name)
{
    FILE *file = fopen(path(f, name), "r");
    assert_non_null(file);
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(cert);
    return cert;
}

/* What a client does. */
static int verify(X509 *ca, X509 *leaf, const char *host)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set1_host(param, host, 0);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
    X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return error;
}

static void first_run_and_second(void **state)
{
    struct fixture *f = *state;
    struct certs c;
    struct err err;
    char ca[100], leaf[100], again[100];
    assert_true(certs_ensure(f->dir, &c, &err));
    assert_true(c.made_ca && c.made_leaf);
    assert_in_range(c.leaf_expires_s, time_wall_s() + 396 * DAY_S, time_wall_s() + 398 * DAY_S);
    certs_done(&c);
    static const char *const names[] = {"ca.pem", "ca.key", "localhost.pem", "localhost.key"};
    for (size_t i = 0; i < 4; i++) {
        struct stat st;
        assert_int_equal(stat(path(f, names[i]), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    print_of(f, "ca.pem", ca, sizeof(ca));
    print_of(f, "localhost.pem", leaf, sizeof(leaf));
    assert_true(certs_ensure(f->dir, &c, &err));
    assert_false(c.made_ca || c.made_leaf);
    certs_done(&c);
    print_of(f, "ca.pem", again, sizeof(again));
    assert_string_equal(ca, again);
    print_of(f, "localhost.pem", again, sizeof(again));
    assert_string_equal(leaf, again);
}

static void clients_accept_it(void **state)
{
    struct fixture *f = *state;
    struct certs c;
    struct err err;
    assert_true(certs_ensure(f->dir, &c, &err));
    X509 *ca = load(f, "ca.pem"), *leaf = load(f, "localhost.pem");
    assert_int_equal(verify(ca, leaf, "localhost"), X509_V_OK);
    assert_int_equal(verify(ca, leaf, "example.com"), X509_V_ERR_HOSTNAME_MISMATCH);
    uint32_t flags = X509_get_extension_flags(ca);
    assert_true(flags & EXFLAG_CA);
    assert_int_equal(X509_get_pathlen(ca), 0);
    int critical = 0;
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(ca, NID_name_constraints, &critical, NULL);
    assert_non_null(nc);
    assert_int_equal(critical, 1);
    assert_int_equal(sk_GENERAL_SUBTREE_num(nc->permittedSubtrees), 3);
    NAME_CONSTRAINTS_free(nc);
    /* The same key cannot speak for anybody else. */
    FILE *file = fopen(path(f, "ca.key"), "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    X509 *evil = X509_dup(leaf);
    int at = X509_get_ext_by_NID(evil, NID_subject_alt_name, -1);
    X509_EXTENSION_free(X509_delete_ext(evil, at));
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:bank.example.com");
    X509_add_ext(evil, san, -1);
    X509_EXTENSION_free(san);
    assert_true(X509_sign(evil, key, EVP_sha256()) > 0);
    assert_int_equal(verify(ca, evil, "bank.example.com"), X509_V_ERR_PERMITTED_VIOLATION);
    X509_free(evil);
    EVP_PKEY_free(key);
    X509_free(ca);
    X509_free(leaf);
    certs_done(&c);
}

/* The leaf's life: kept, renewed after two thirds, always by the same CA. */
static void renewal(void **state)
{
    struct fixture *f = *state;
    struct certs c;
    struct err err;
    int64_t now = time_wall_s();
    static const struct {
        int day;
        bool renewed;
    } table[] = {{0, true}, {1, false}, {260, false}, {270, true}, {271, false}, {700, true}, {10, true}};
    char ca[100], again[100];
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_true(certs_ensure_at(f->dir, now + (int64_t)table[i].day * DAY_S, &c, &err));
        if (c.made_leaf != table[i].renewed)
            fail_msg("day %d", table[i].day);
        assert_int_equal(c.made_ca, i == 0);
        certs_done(&c);
        if (i == 0)
            print_of(f, "ca.pem", ca, sizeof(ca));
    }
    print_of(f, "ca.pem", again, sizeof(again));
    assert_string_equal(ca, again);
    assert_false(certs_ensure_at(f->dir, now + (int64_t)4000 * DAY_S, &c, &err));
    assert_non_null(strstr(err.text, "expired"));
}

static void damage(struct fixture *f, const char *name, const char *content)
{
    unlink(path(f, name));
    if (!content)
        return;
    FILE *file = fopen(path(f, name), "w");
    fputs(content, file);
    fclose(file);
    chmod(path(f, name), 0600);
}

static void damaged_files(void **state)
{
    static const struct {
        const char *name, *content;
        bool ok, new_ca, new_leaf;
    } table[] = {
        {"localhost.pem", NULL, true, false, true},   {"localhost.key", NULL, true, false, true},
        {"localhost.pem", "junk", true, false, true}, {"localhost.key", "", true, false, true},
        {"ca.key", NULL, true, false, false},         {"ca.key", "junk", true, false, false},
        {"ca.pem", NULL, false, false, false},        {"ca.pem", "junk", false, false, false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        set_up(state);
        struct fixture *f = *state;
        struct certs c;
        struct err err;
        assert_true(certs_ensure(f->dir, &c, &err));
        certs_done(&c);
        damage(f, table[i].name, table[i].content);
        bool ok = certs_ensure(f->dir, &c, &err);
        if (ok != table[i].ok)
            fail_msg("%s \"%s\"", table[i].name, table[i].content ? table[i].content : "(gone)");
        if (ok) {
            assert_int_equal(c.made_ca, table[i].new_ca);
            assert_int_equal(c.made_leaf, table[i].new_leaf);
            certs_done(&c);
        } else {
            assert_int_equal(err.code, ERR_INVALID);
        }
        tear_down(state);
    }
}

static void without_ca_key(void **state)
{
    struct fixture *f = *state;
    struct certs c;
    struct err err;
    assert_true(certs_ensure(f->dir, &c, &err));
    certs_done(&c);
    unlink(path(f, "ca.key"));
    /* The leaf goes on as long as it is valid, renewed or not; then it is an error. */
    assert_true(certs_ensure_at(f->dir, time_wall_s() + 300 * DAY_S, &c, &err));
    assert_false(c.made_leaf);
    certs_done(&c);
    assert_false(certs_ensure_at(f->dir, time_wall_s() + 400 * DAY_S, &c, &err));
    /* A first run that was cut after the key was written is a first run. */
    damage(f, "ca.pem", NULL);
    damage(f, "localhost.pem", NULL);
    damage(f, "ca.key", "half a key");
    assert_true(certs_ensure(f->dir, &c, &err));
    assert_true(c.made_ca);
    certs_done(&c);
    /* A key that others can read is no key. */
    chmod(path(f, "ca.key"), 0644);
    damage(f, "localhost.pem", NULL);
    assert_false(certs_ensure(f->dir, &c, &err));
    assert_non_null(strstr(err.text, "chmod"));
}

static void published(void **state)
{
    struct fixture *f = *state;
    struct certs c;
    struct err err;
    char a[100], b[100], target[128];
    assert_true(certs_ensure(f->dir, &c, &err));
    snprintf(target, sizeof(target), "%s/public.pem", f->dir);
    assert_true(certs_publish(&c, target, &err));
    assert_true(certs_publish(&c, target, &err));
    print_of(f, "ca.pem", a, sizeof(a));
    print_of(f, "public.pem", b, sizeof(b));
    assert_string_equal(a, b);
    assert_false(certs_publish(&c, "/nonexistent/dir/ca.pem", &err));
    certs_done(&c);
    assert_false(certs_ensure("/nonexistent/dir", &c, &err));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(first_run_and_second),         T(clients_accept_it), T(renewal),
        cmocka_unit_test(damaged_files), T(without_ca_key),    T(published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
