/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bridge/base/mem.h"

#define RECORD_SIZE ((size_t)16 * 1024) /* plaintext bytes of a TLS record, at most */

static const char ciphers_tls12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

struct tls_server {
    unsigned refs; /* a handshake may outlive its listener */
    char *alpn;    /* in wire form: length byte, name; NULL = none */
    SSL_CTX *ctx;  /* NULL until loaded */
};

struct tls {
    SSL *ssl;
    struct tls_server *server;
    struct buf output;
    bool failed;
};

/* The newest entry of OpenSSL's queue, which is emptied. */
static bool ssl_error(struct err *err, enum err_code code, const char *what)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, code, "%s: %s", what, reason ? reason : "TLS error");
}

/* --- contexts ------------------------------------------------------------------------------------ */

struct tls_server *tls_server_new(const char *alpn)
{
    struct tls_server *s = MEM_NEW(struct tls_server);
    s->refs = 1;
    if (alpn) {
        size_t n = strlen(alpn);
        s->alpn = mem_alloc(n + 2);
        s->alpn[0] = (char)n;
        memcpy(s->alpn + 1, alpn, n);
    }
    return s;
}

static int on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_length, const unsigned char *offered,
                   unsigned offered_length, void *ud)
{
    (void)ssl;
    struct tls_server *s = ud;
    unsigned char *name;
    if (s->alpn && SSL_select_next_proto(&name, ret_length, (const unsigned char *)s->alpn, (unsigned)strlen(s->alpn),
                                         offered, offered_length) == OPENSSL_NPN_NEGOTIATED) {
        *ret_name = name;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol */
}

static SSL_CTX *context_new(struct tls_server *s)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, ciphers_tls12);
    SSL_CTX_set1_groups_list(ctx, "X25519:P-256");
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only: their key dies with the process */
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, s);
    return ctx;
}

bool tls_server_load(struct tls_server *s, const char *chain_file, const char *key_file, struct err *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = context_new(s);
    bool ok = ctx || ssl_error(err, ERR_INTERNAL, "TLS context");
    if (ok && SSL_CTX_use_certificate_chain_file(ctx, chain_file) != 1)
        ok = ssl_error(err, ERR_INVALID, chain_file);
    if (ok && SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        ok = ssl_error(err, ERR_INVALID, key_file);
    if (ok && SSL_CTX_check_private_key(ctx) != 1)
        ok = ssl_error(err, ERR_INVALID, "certificate and key do not belong together");
    if (!ok) {
        SSL_CTX_free(ctx);
        return false;
    }
    SSL_CTX_free(s->ctx); /* connections hold their own reference */
    s->ctx = ctx;
    return true;
}

void tls_server_free(struct tls_server **server)
{
    struct tls_server *s = *server;
    *server = NULL;
    if (!s || --s->refs)
        return;
    SSL_CTX_free(s->ctx);
    mem_free(s->alpn);
    mem_free(s);
}

/* --- connections --------------------------------------------------------------------------------- */

struct tls *tls_new(struct tls_server *s)
{
    SSL *ssl = s->ctx ? SSL_new(s->ctx) : NULL;
    BIO *from_peer = BIO_new(BIO_s_mem()), *to_peer = BIO_new(BIO_s_mem());
    if (!ssl || !from_peer || !to_peer) {
        SSL_free(ssl);
        BIO_free(from_peer);
        BIO_free(to_peer);
        return NULL;
    }
    BIO_set_mem_eof_return(from_peer, -1); /* empty means "later", not the end */
    BIO_set_mem_eof_return(to_peer, -1);
    SSL_set_bio(ssl, from_peer, to_peer); /* takes both */
    SSL_set_accept_state(ssl);
    struct tls *t = MEM_NEW(struct tls);
    t->ssl = ssl;
    t->server = s;
    s->refs++;
    return t;
}

void tls_free(struct tls **tls)
{
    struct tls *t = *tls;
    *tls = NULL;
    if (!t)
        return;
    SSL_free(t->ssl);
    tls_server_free(&t->server);
    buf_done(&t->output);
    mem_free(t);
}

bool tls_established(const struct tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

static void collect_output(struct tls *t)
{
    BIO *bio = SSL_get_wbio(t->ssl);
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    if (n > 0) {
        buf_add(&t->output, p, (size_t)n);
        (void)BIO_reset(bio);
    }
}

bool tls_feed(struct tls *t, struct str cipher, struct err *err)
{
    while (cipher.n) {
        int n = BIO_write(SSL_get_rbio(t->ssl), cipher.p, cipher.n > INT_MAX ? INT_MAX : (int)cipher.n);
        if (n <= 0)
            return ssl_error(err, ERR_INTERNAL, "TLS input");
        cipher = str_skip(cipher, (size_t)n);
    }
    return true;
}

static enum tls_status status_of(struct tls *t, int rc, struct err *err)
{
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: /* a memory BIO never refuses */
        return TLS_WANT_INPUT;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        t->failed = true;
        ssl_error(err, ERR_PROTOCOL, SSL_is_init_finished(t->ssl) ? "TLS" : "TLS handshake");
        return TLS_FAILED;
    }
}

enum tls_status tls_read(struct tls *t, struct buf *plain, struct err *err)
{
    size_t limit = plain->limit ? plain->limit : BUF_DEFAULT_LIMIT;
    enum tls_status status = TLS_OK;
    if (t->failed) {
        err_set(err, ERR_PROTOCOL, "TLS: failed before");
        return TLS_FAILED;
    }
    ERR_clear_error();
    if (!SSL_is_init_finished(t->ssl)) {
        int rc = SSL_do_handshake(t->ssl);
        if (rc != 1)
            status = status_of(t, rc, err);
    }
    while (status == TLS_OK && plain->n < limit) {
        size_t room = limit - plain->n < RECORD_SIZE ? limit - plain->n : RECORD_SIZE;
        char *to = buf_room(plain, room);
        int n = to ? SSL_read(t->ssl, to, (int)room) : 0;
        if (!to)
            break;
        if (n > 0)
            plain->n += (size_t)n;
        else
            status = status_of(t, n, err);
    }
    collect_output(t);
    return status;
}

bool tls_write(struct tls *t, struct str plain, struct err *err)
{
    if (t->failed || !SSL_is_init_finished(t->ssl))
        return err_set(err, ERR_INTERNAL, "TLS: not established");
    ERR_clear_error();
    while (plain.n) {
        int n = SSL_write(t->ssl, plain.p, plain.n > RECORD_SIZE ? (int)RECORD_SIZE : (int)plain.n);
        if (n <= 0) {
            t->failed = true;
            return ssl_error(err, ERR_PROTOCOL, "TLS");
        }
        plain = str_skip(plain, (size_t)n);
    }
    collect_output(t);
    return true;
}

void tls_shutdown(struct tls *t)
{
    if (t->failed || !SSL_is_init_finished(t->ssl))
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
    collect_output(t);
}

struct buf *tls_output(struct tls *t)
{
    return &t->output;
}
