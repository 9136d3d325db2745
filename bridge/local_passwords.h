/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_LOCAL_PASSWORDS_H
#define BRIDGE_LOCAL_PASSWORDS_H
/*
 * The passwords that mail clients sign in to us with, made by `exbridge password` and `exbridge setup`: several an
 * account, each with a label ("phone"), so that one can be ended alone. The file `passwords` in the account's state
 * directory has a line for each, `LABEL SALT HASH TIME`, replaced as a whole (temporary file, fsync, rename): the
 * daemon reads it at every sign-in, so what the command line changes counts at once.
 *
 * A password is 25 letters of base32 (125 random bits) in groups of five. At that strength one salted SHA-256 is
 * enough, and a slow hash would only make a hundred connections of a client slow. Case, blanks and dashes of what is
 * offered do not matter: people type it from one screen into another.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/crypto.h"

#define LOCAL_PASSWORDS_MAX      64
#define LOCAL_PASSWORD_LABEL_MAX 64
#define LOCAL_PASSWORD_SALT      16

struct local_password {
    char label[LOCAL_PASSWORD_LABEL_MAX + 1]; /* letters, digits and . _ - @ + */
    unsigned char salt[LOCAL_PASSWORD_SALT];
    struct crypto_hash hash;
    int64_t made_s;
};

struct local_passwords {
    struct local_password list[LOCAL_PASSWORDS_MAX];
    size_t count;
};

/* No file is no passwords. False: it is damaged, or others can read it; the text says what to do. */
bool local_passwords_load(const char *state_dir, struct local_passwords *ret, struct err *err);
/* The file's content, for load and for tests; pure. */
bool local_passwords_parse(struct str text, struct local_passwords *ret, struct err *err);
/* In time that does not depend on which one matches. */
bool local_passwords_match(const struct local_passwords *all, struct str offered);

/* For the command line. The directory is there. Two calls at once wait for each other. */
/* ERR_EXISTS: the label is taken. ERR_INVALID: no good label. *ret_password: to be shown once; wipe it. */
bool local_passwords_new(const char *state_dir, const char *label, struct buf *ret_password, struct err *err);
bool local_passwords_revoke(const char *state_dir, const char *label, struct err *err); /* ERR_NOT_FOUND */

#endif
