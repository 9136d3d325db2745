/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTS_MAKE_H
#define CERTS_MAKE_H
/* Making and reading certificates, without any idea of where they lie. Between certs.c and make.c. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/err.h"

/* One certificate and its key. Either may be NULL. */
struct pair {
    X509 *cert;
    EVP_PKEY *key;
};
void pair_done(struct pair *p);

bool make_ca(int64_t now_s, struct pair *ret_ca, struct err *err);
bool make_leaf(const struct pair *ca, int64_t now_s, struct pair *ret_leaf, struct err *err);

int64_t cert_not_before_s(const X509 *cert);
int64_t cert_not_after_s(const X509 *cert);
/* Signed by this CA, with this key, and good for localhost? */
bool pair_is_leaf_of(const struct pair *leaf, const X509 *ca);

/* Take the text of OpenSSL's error queue. */
bool make_error(struct err *err, const char *what);

#endif
