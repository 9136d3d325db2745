/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/make.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "certs/certs.h"

#define DAY_S       86400
#define BACK_DATE_S 3600 /* clocks of virtual machines and containers differ a little */

void pair_done(struct pair *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    *p = (struct pair){NULL, NULL};
}

bool make_error(struct err *err, const char *what)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, ERR_INTERNAL, "%s: %s", what, reason ? reason : "failed");
}

struct extension {
    int nid;
    const char *value;
};

static const struct extension ca_extensions[] = {
    {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    {NID_key_usage, "critical,keyCertSign"},
    {NID_subject_key_identifier, "hash"},
    {NID_name_constraints, "critical,permitted;DNS:localhost,permitted;IP:127.0.0.1/255.255.255.255,"
                           "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};
/* DNS first: some clients (mbsync) look at names only. */
static const struct extension leaf_extensions[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},
    {NID_key_usage, "critical,digitalSignature"},
    {NID_ext_key_usage, "serverAuth"},
    {NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid"},
};

static bool add_extensions(X509 *cert, X509 *issuer, const struct extension *list, size_t count)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, list[i].nid, list[i].value);
        bool ok = e && X509_add_ext(cert, e, -1) == 1;
        X509_EXTENSION_free(e);
        if (!ok)
            return false;
    }
    return true;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[16];
    rand_bytes(bytes, sizeof(bytes));
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and always 16 bytes (RFC 5280 4.1.2.2) */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return ok;
}

static bool set_name(X509_NAME *name, const char *common_name)
{
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1;
}

static bool set_basics(X509 *cert, EVP_PKEY *key, int64_t now_s, int64_t days, const char *common_name)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) && X509_set_pubkey(cert, key) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now_s - BACK_DATE_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now_s + days * DAY_S)) &&
           set_name(X509_get_subject_name(cert), common_name);
}

/* People see this name in their trust stores and have to know it again. X.509 allows 64 characters. */
static void ca_name(int64_t now_s, char *to, size_t size)
{
    char host[65] = "";
    gethostname(host, sizeof(host) - 1);
    const struct passwd *pw = getpwuid(geteuid());
    struct time_parts t;
    time_to_parts(now_s, 0, &t);
    snprintf(to, size, "exbridge local CA (%.14s@%.14s %04d-%02d-%02d)", pw ? pw->pw_name : "user", host, t.year,
             t.month, t.day);
}

bool make_ca(int64_t now_s, struct pair *ret_ca, struct err *err)
{
    char name[65];
    ca_name(now_s, name, sizeof(name));
    struct pair p = {X509_new(), EVP_EC_gen("P-256")};
    bool ok = p.cert && p.key && set_basics(p.cert, p.key, now_s, CERTS_CA_DAYS, name) &&
              X509_set_issuer_name(p.cert, X509_get_subject_name(p.cert)) == 1 &&
              add_extensions(p.cert, p.cert, ca_extensions, sizeof(ca_extensions) / sizeof(ca_extensions[0])) &&
              X509_sign(p.cert, p.key, EVP_sha256()) > 0;
    if (!ok) {
        pair_done(&p);
        return make_error(err, "cannot make the local CA");
    }
    *ret_ca = p;
    return true;
}

bool make_leaf(const struct pair *ca, int64_t now_s, struct pair *ret_leaf, struct err *err)
{
    struct pair p = {X509_new(), EVP_EC_gen("P-256")};
    bool ok = p.cert && p.key && set_basics(p.cert, p.key, now_s, CERTS_LEAF_DAYS, "localhost") &&
              X509_set_issuer_name(p.cert, X509_get_subject_name(ca->cert)) == 1 &&
              add_extensions(p.cert, ca->cert, leaf_extensions, sizeof(leaf_extensions) / sizeof(leaf_extensions[0])) &&
              X509_sign(p.cert, ca->key, EVP_sha256()) > 0;
    if (!ok) {
        pair_done(&p);
        return make_error(err, "cannot make the certificate for localhost");
    }
    *ret_leaf = p;
    return true;
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return 0;
    struct time_parts p = {.year = tm.tm_year + 1900,
                           .month = tm.tm_mon + 1,
                           .day = tm.tm_mday,
                           .hour = tm.tm_hour,
                           .minute = tm.tm_min,
                           .second = tm.tm_sec};
    return time_from_parts(&p);
}

int64_t cert_not_before_s(const X509 *cert)
{
    return time_of(X509_get0_notBefore(cert));
}

int64_t cert_not_after_s(const X509 *cert)
{
    return time_of(X509_get0_notAfter(cert));
}

bool pair_is_leaf_of(const struct pair *leaf, const X509 *ca)
{
    X509 *cert = leaf->cert;
    bool ok = X509_check_private_key(cert, leaf->key) == 1 && X509_verify(cert, X509_get0_pubkey(ca)) == 1 &&
              X509_check_host(cert, "localhost", 0, 0, NULL) == 1 && X509_check_ip_asc(cert, "127.0.0.1", 0) == 1 &&
              X509_check_ip_asc(cert, "::1", 0) == 1;
    ERR_clear_error();
    return ok;
}
