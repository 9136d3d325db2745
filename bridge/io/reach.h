/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_REACH_H
#define BRIDGE_IO_REACH_H
/*
 * How far one gets to a server, step by step: name, TCP, TLS with version, cipher and certificates. For `doctor`, which
 * wants to know more than libcurl tells. Blocking, within the times given; nothing is sent but a TLS handshake.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/err.h"

#define REACH_ADDRESSES_MAX 8
#define REACH_CHAIN_MAX     6

struct reach_addresses {
    char list[REACH_ADDRESSES_MAX][46]; /* numeric */
    size_t count;
};
/* By the system's resolver. ERR_NOT_FOUND: no such name; ERR_OFFLINE: nobody could say. */
bool reach_resolve(const char *host, struct reach_addresses *ret, struct err *err);

/* A connected socket to the first address that takes one; *ret_address (46 bytes) is that. -1: err. */
int reach_connect(const struct reach_addresses *to, unsigned port, unsigned timeout_ms, char *ret_address,
                  struct err *err);

struct reach_cert {
    char subject[160], issuer[160]; /* "CN=mail.example.com, O=Example" */
    int64_t from_s, until_s;
};
struct reach_tls {
    bool established;
    unsigned version; /* 0x0303 = TLS 1.2 */
    char version_name[16], cipher[64];
    bool trusted;                             /* chain and name are in order */
    bool wrong_name;                          /* ... but for the name */
    char problem[128];                        /* OpenSSL's words for what is wrong with the certificate */
    struct reach_cert chain[REACH_CHAIN_MAX]; /* as sent by the server, its own first */
    size_t chain_count;
};
struct reach_tls_opts {
    const char *host;    /* in SNI, and in the certificate */
    const char *ca_file; /* NULL = the system's */
    unsigned min;        /* the oldest version to be offered; below 0x0303 weak ciphers are offered as well */
    unsigned timeout_ms;
};
/* Can this file be the ca_file of a connection? ERR_INVALID: not read, or without any certificate. */
bool reach_check_ca(const char *ca_file, struct err *err);
/* A handshake over `fd`, which stays the caller's. False: there was none (err says why; ERR_OFFLINE). */
bool reach_handshake(int fd, const struct reach_tls_opts *opts, struct reach_tls *ret, struct err *err);

#endif
