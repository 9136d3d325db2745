/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_IO_TLS_H
#define BRIDGE_IO_TLS_H
/*
 * TLS for the listeners (OpenSSL 3, memory BIOs). TLS 1.2 with ECDHE-ECDSA/RSA AEAD suites or 1.3; no renegotiation, no
 * compression, no early data. The client side is libcurl's business (http.h).
 * ALPN (RFC 7301, ALPACA): a client that offers ALPN must offer our protocol or gets alert no_application_protocol, so
 * that a browser never talks to the IMAP or SMTP port; mail clients offer none (seen: curl, mbsync, mutt, Thunderbird
 * 153).
 */
#include <stdbool.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

struct tls_server; /* a context: certificate chain, key, ALPN name; shared by connections, reloadable */

/* alpn: "imap", "http/1.1", or NULL where no name is registered (SMTP): then any offer is refused. */
struct tls_server *tls_server_new(const char *alpn);
/* May be called again at any time: new handshakes use the new pair, old connections keep theirs. */
bool tls_server_load(struct tls_server *s, const char *chain_file, const char *key_file, struct err *err);
void tls_server_free(struct tls_server **s);

struct tls; /* one connection's engine: bytes in, bytes out, no sockets */

enum tls_status { TLS_OK, TLS_WANT_INPUT, TLS_CLOSED, TLS_FAILED };

struct tls *tls_new(struct tls_server *s);
void tls_free(struct tls **t);
bool tls_established(const struct tls *t);
/* Feed ciphertext from the peer. */
bool tls_feed(struct tls *t, struct str cipher, struct err *err);
/* Decrypt what is there into `plain` (up to its limit); drives the handshake. */
enum tls_status tls_read(struct tls *t, struct buf *plain, struct err *err);
/* Encrypt; the ciphertext waits in tls_output(). Only after the handshake. */
bool tls_write(struct tls *t, struct str plain, struct err *err);
void tls_shutdown(struct tls *t); /* queue close_notify */
/* Ciphertext to be sent; the caller empties the buf. */
struct buf *tls_output(struct tls *t);

#endif
