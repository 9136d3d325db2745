/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTS_CERTS_H
#define CERTS_CERTS_H
/*
 * The certificates of our listeners: a certification authority of this user's own, made on the first run, and the leaf
 * it signs for localhost. See README.md beside this file for what is in them and why.
 *
 *   <dir>/ca.pem  ca.key          ECDSA P-256, 10 years, may sign for localhost, 127.0.0.1 and ::1 only (RFC
 * 5280 4.2.1.10) <dir>/localhost.pem  .key     leaf and CA; 397 days; made anew when a third of its life is left, or
 * when it is unusable
 *
 * Clients trust the CA. So the leaf is replaced without asking, the CA never: if its files are damaged or half missing
 * while a leaf shows that it was in use, that is an error for a person to decide about.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"

#define CERTS_CA_DAYS   3652
#define CERTS_LEAF_DAYS 397

struct certs {
    char *ca_file, *chain_file, *key_file;
    bool made_ca, made_leaf; /* by this call */
    int64_t leaf_expires_s, ca_expires_s;
};

/* Look at `dir` (made if missing, mode 0700) and make what is missing or due. Blocking, some milliseconds. The caller
 * makes sure that no other process does the same. certs_done() after success. */
bool certs_ensure(const char *dir, struct certs *ret_certs, struct err *err);
void certs_done(struct certs *certs);
/* Copy the CA certificate to where people and clients look for it, if it is not there yet. */
bool certs_publish(const struct certs *certs, const char *path, struct err *err);
/* SHA-256 of the first certificate of a file, as "AB:CD:...". */
bool certs_fingerprint(const char *file, struct buf *out, struct err *err);

/* When the first certificate of a file ends. ERR_NOT_FOUND: there is no such file. */
bool certs_until(const char *file, int64_t *ret_until_s, struct err *err);

/* For tests: as certs_ensure() at another time. */
bool certs_ensure_at(const char *dir, int64_t now_s, struct certs *ret_certs, struct err *err);

#endif
