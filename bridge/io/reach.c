/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/base/time.h"

/* --- names ------------------------------------------------------------------------------------------ */

bool reach_resolve(const char *host, struct reach_addresses *ret, struct err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    *ret = (struct reach_addresses){.count = 0};
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc == EAI_NONAME || rc == EAI_NODATA)
        return err_set(err, ERR_NOT_FOUND, "%.200s has no address", host);
    if (rc != 0)
        return err_set(err, ERR_OFFLINE, "%.200s: %s", host, gai_strerror(rc));
    for (const struct addrinfo *a = list; a && ret->count < REACH_ADDRESSES_MAX; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, ret->list[ret->count], sizeof(ret->list[0]), NULL, 0,
                        NI_NUMERICHOST) == 0)
            ret->count++;
    freeaddrinfo(list);
    return ret->count > 0 || err_set(err, ERR_NOT_FOUND, "%.200s has no address", host);
}

/* --- TCP -------------------------------------------------------------------------------------------- */

static bool wait_for(int fd, short events, uint64_t until_ms)
{
    uint64_t now = time_mono_ms();
    struct pollfd p = {.fd = fd, .events = events};
    return now < until_ms && poll(&p, 1, (int)(until_ms - now)) == 1;
}

static int connect_one(const char *address, unsigned port, unsigned timeout_ms, struct err *err)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
    const struct sockaddr *to = is_six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four;
    int problem = 0;
    socklen_t size = sizeof(problem);
    if (!is_six && inet_pton(AF_INET, address, &four.sin_addr) != 1) {
        err_set(err, ERR_INVALID, "%s is not an address", address); /* a scoped one, perhaps */
        return -1;
    }
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        err_set_errno(err, ERR_OFFLINE, errno, address);
        return -1;
    }
    if (connect(fd, to, is_six ? sizeof(six) : sizeof(four)) == 0)
        return fd;
    if (errno != EINPROGRESS)
        problem = errno;
    else if (!wait_for(fd, POLLOUT, time_mono_ms() + timeout_ms))
        problem = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem == 0)
        return fd;
    err_set_errno(err, ERR_OFFLINE, problem, address);
    close(fd);
    return -1;
}

int reach_connect(const struct reach_addresses *to, unsigned port, unsigned timeout_ms, char *ret_address,
                  struct err *err)
{
    err_set(err, ERR_OFFLINE, "no address to connect to");
    for (size_t i = 0; i < to->count; i++) {
        int fd = connect_one(to->list[i], port, timeout_ms, err);
        if (fd >= 0) {
            memcpy(ret_address, to->list[i], sizeof(to->list[i]));
            return fd;
        }
    }
    return -1;
}

/* --- TLS -------------------------------------------------------------------------------------------- */

static void name_text(X509_NAME *name, char *to, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    long n = BIO_get_mem_data(bio, &text);
    snprintf(to, size, "%.*s", (int)n, text ? text : "");
    BIO_free(bio);
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return TIME_NONE;
    struct time_parts parts = {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, 0, 0};
    return time_from_parts(&parts);
}

static void take_chain(SSL *ssl, struct reach_tls *to)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    for (int i = 0; i < sk_X509_num(chain) && to->chain_count < REACH_CHAIN_MAX; i++) {
        X509 *x = sk_X509_value(chain, i);
        struct reach_cert *c = &to->chain[to->chain_count++];
        name_text(X509_get_subject_name(x), c->subject, sizeof(c->subject));
        name_text(X509_get_issuer_name(x), c->issuer, sizeof(c->issuer));
        c->from_s = time_of(X509_get0_notBefore(x));
        c->until_s = time_of(X509_get0_notAfter(x));
    }
}

static void take_result(SSL *ssl, struct reach_tls *to)
{
    long result = SSL_get_verify_result(ssl);
    to->established = true;
    to->version = (unsigned)SSL_version(ssl);
    snprintf(to->version_name, sizeof(to->version_name), "%s", SSL_get_version(ssl));
    snprintf(to->cipher, sizeof(to->cipher), "%s", SSL_get_cipher_name(ssl));
    to->trusted = result == X509_V_OK;
    to->wrong_name = result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH;
    if (!to->trusted)
        snprintf(to->problem, sizeof(to->problem), "%s", X509_verify_cert_error_string(result));
    take_chain(ssl, to);
}

static bool load_ca(SSL_CTX *ctx, const char *ca_file, struct err *err)
{
    bool ok = ca_file ? SSL_CTX_load_verify_file(ctx, ca_file) == 1 : SSL_CTX_set_default_verify_paths(ctx) == 1;
    ERR_clear_error();
    return ok || err_set(err, ERR_INVALID, "%s cannot be read as a list of authorities",
                         ca_file ? ca_file : "the system's CA store");
}

bool reach_check_ca(const char *ca_file, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool ok = ctx ? load_ca(ctx, ca_file, err) : err_set(err, ERR_INTERNAL, "TLS cannot be set up");
    SSL_CTX_free(ctx);
    return ok;
}

static bool set_up(SSL_CTX *ctx, SSL *ssl, const struct reach_tls_opts *o, struct err *err)
{
    unsigned char parsed[16];
    bool numeric = inet_pton(AF_INET, o->host, parsed) == 1 || inet_pton(AF_INET6, o->host, parsed) == 1;
    if (!load_ca(ctx, o->ca_file, err))
        return false;
    SSL_set_min_proto_version(ssl, (int)o->min);
    if (o->min < TLS1_2_VERSION)
        SSL_set_cipher_list(ssl, "ALL:@SECLEVEL=0");
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL); /* it is checked all the same, and we go on to see what there is */
    if (numeric)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), o->host);
    else if (SSL_set_tlsext_host_name(ssl, o->host) != 1 || SSL_set1_host(ssl, o->host) != 1)
        return err_set(err, ERR_INVALID, "%.200s is no name for a host", o->host);
    return true;
}

static bool shake(SSL *ssl, int fd, unsigned timeout_ms, struct err *err)
{
    uint64_t until_ms = time_mono_ms() + timeout_ms;
    for (;;) {
        ERR_clear_error();
        int rc = SSL_connect(ssl);
        if (rc == 1)
            return true;
        int why = SSL_get_error(ssl, rc);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
            const char *reason = ERR_reason_error_string(ERR_peek_last_error());
            return err_set(err, ERR_OFFLINE, "no TLS: %s", reason ? reason : "the server ended the connection");
        }
        if (!wait_for(fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until_ms))
            return err_set(err, ERR_OFFLINE, "no TLS: no answer in time");
    }
}

bool reach_handshake(int fd, const struct reach_tls_opts *opts, struct reach_tls *ret, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    *ret = (struct reach_tls){.established = false};
    SSL_set_fd(ssl, fd);
    bool ok = set_up(ctx, ssl, opts, err) && shake(ssl, fd, opts->timeout_ms, err);
    if (ok) {
        take_result(ssl, ret);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}
