/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/io/http_private.h"

#define CONNECT_TIMEOUT_S 15L
#define CONNECTION_LIFE_S 3600L
#define KEEPALIVE_S       60L

static bool has_line_break(const char *z)
{
    return z && strpbrk(z, "\r\n") != NULL;
}

static bool add_header(struct http_request *r, const char *name, const char *value)
{
    if (has_line_break(name) || has_line_break(value))
        return err_set(&r->err, ERR_INVALID, "line break in an HTTP header");
    struct buf line = BUF_INIT(0);
    buf_printf(&line, *value ? "%s: %s" : "%s;", name, value); /* "name;": libcurl's way to send an empty one */
    r->headers = curl_slist_append(r->headers, buf_z(&line));
    buf_wipe(&line);
    return true;
}

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0');
}

/* https; or http to this machine, or where nothing is at stake. */
static bool check_url(struct http_request *r, const struct http_request_opts *opts, bool *ret_loopback)
{
    const char *url = opts->url;
    bool plain = opts->plain && opts->auth == HTTP_AUTH_NONE && strcmp(opts->method, "GET") == 0 && opts->body.n == 0 &&
                 !opts->body_blob;
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    bool ok = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    if (!ok)
        err_set(&r->err, ERR_INVALID, "not a URL");
    *ret_loopback = ok && is_loopback(host);
    if (ok && strcmp(scheme, "https") != 0 && !(strcmp(scheme, "http") == 0 && (*ret_loopback || plain)))
        ok = err_set(&r->err, ERR_INVALID, "%s: only https is allowed", host);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return ok;
}

static void set_tls(struct http_request *r)
{
    struct http_client *c = r->client;
    static const struct {
        unsigned wire;
        long option;
    } versions[] = {
        {0x0301, CURL_SSLVERSION_TLSv1_0},
        {0x0302, CURL_SSLVERSION_TLSv1_1},
        {0x0303, CURL_SSLVERSION_TLSv1_2},
        {0x0304, CURL_SSLVERSION_TLSv1_3},
    };
    long version = CURL_SSLVERSION_TLSv1_2;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (versions[i].wire == c->tls_min)
            version = versions[i].option;
    curl_easy_setopt(r->easy, CURLOPT_SSLVERSION, version);
    if (version == CURL_SSLVERSION_TLSv1_0 || version == CURL_SSLVERSION_TLSv1_1)
        curl_easy_setopt(r->easy, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0"); /* OpenSSL 3 refuses them otherwise */
    curl_easy_setopt(r->easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(r->easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (c->ca_file)
        curl_easy_setopt(r->easy, CURLOPT_CAINFO, c->ca_file);
    if (c->ca_file && !c->system_ca_too)
        curl_easy_setopt(r->easy, CURLOPT_CAPATH, NULL); /* libcurl's is the system's, and would count besides */
    if (c->ca_file) /* an https proxy is of the same house as the server, or a provider's: the system's count besides */
        curl_easy_setopt(r->easy, CURLOPT_PROXY_CAINFO, c->ca_file);
    if (c->client_cert)
        curl_easy_setopt(r->easy, CURLOPT_SSLCERT, c->client_cert);
    if (c->client_key)
        curl_easy_setopt(r->easy, CURLOPT_SSLKEY, c->client_key);
}

/* Exactly one scheme: libcurl must never choose a weaker one because a server asks for it. */
static void set_auth(struct http_request *r, const struct http_request_opts *opts)
{
    static const unsigned long schemes[] = {
        [HTTP_AUTH_NONE] = CURLAUTH_NONE,     [HTTP_AUTH_BASIC] = CURLAUTH_BASIC,
        [HTTP_AUTH_NTLM] = CURLAUTH_NTLM,     [HTTP_AUTH_NEGOTIATE] = CURLAUTH_NEGOTIATE,
        [HTTP_AUTH_BEARER] = CURLAUTH_BEARER,
    };
    r->auth = opts->auth;
    if (opts->auth == HTTP_AUTH_NONE)
        return;
    curl_easy_setopt(r->easy, CURLOPT_HTTPAUTH, (long)schemes[opts->auth]);
    if (opts->auth == HTTP_AUTH_BEARER) {
        curl_easy_setopt(r->easy, CURLOPT_XOAUTH2_BEARER, opts->secret ? opts->secret : "");
        return;
    }
    bool ticket = opts->auth == HTTP_AUTH_NEGOTIATE; /* Kerberos: who we are is in the credential cache */
    curl_easy_setopt(r->easy, CURLOPT_USERNAME, opts->user && !ticket ? opts->user : "");
    curl_easy_setopt(r->easy, CURLOPT_PASSWORD, opts->secret && !ticket ? opts->secret : "");
}

static void set_method(struct http_request *r, const struct http_request_opts *opts)
{
    r->read = opts->body_blob || opts->body.n ? NULL : opts->read;
    r->rewind = opts->rewind;
    r->body_ud = opts->body_ud ? opts->body_ud : r->ud;
    r->once = opts->once;
    if (opts->once)
        curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, 1L);
    if (opts->body_blob) {
        r->blob = blob_ref(opts->body_blob);
        r->body_size = blob_size(opts->body_blob);
    } else if (opts->body.n) {
        buf_init(&r->body, opts->body.n);
        buf_str(&r->body, opts->body);
        r->body_size = opts->body.n;
    } else if (opts->read) {
        r->body_size = opts->body_size;
    }
    bool post = strcmp(opts->method, "POST") == 0;
    if (post || r->body_size) {
        curl_easy_setopt(r->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
    } else {
        curl_easy_setopt(r->easy, CURLOPT_HTTPGET, 1L);
    }
    if (!post && strcmp(opts->method, "GET") != 0)
        curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, opts->method);
}

static void set_transport(struct http_request *r, const struct http_request_opts *opts, bool loopback)
{
    struct http_client *c = r->client;
    curl_easy_setopt(r->easy, CURLOPT_URL, opts->url);
    curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, loopback || opts->plain ? "https,http" : "https");
    curl_easy_setopt(r->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(r->easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(r->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(r->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(r->easy, CURLOPT_SHARE, c->share);
    curl_easy_setopt(r->easy, CURLOPT_COOKIEFILE, "");
    if (c->user_agent)
        curl_easy_setopt(r->easy, CURLOPT_USERAGENT, c->user_agent);
    if (c->proxy || loopback)
        curl_easy_setopt(r->easy, CURLOPT_PROXY, c->proxy ? c->proxy : "");
    if (c->proxy)
        curl_easy_setopt(r->easy, CURLOPT_NOPROXY, ""); /* the configuration is stronger than the environment */
    curl_easy_setopt(r->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT, (long)opts->timeout_s);
    curl_easy_setopt(r->easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S);
    curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
    if (!opts->no_compression)
        curl_easy_setopt(r->easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
}

bool http_request_set_up(struct http_request *r, const struct http_request_opts *opts)
{
    bool loopback;
    if (!check_url(r, opts, &loopback))
        return false;
    set_transport(r, opts, loopback);
    /* Better words than libcurl's, which also leaks memory there (7.88). */
    const char *ca_file = r->client->ca_file;
    if (ca_file && access(ca_file, R_OK) != 0)
        return err_set(&r->err, ERR_INVALID, "ca-file %s cannot be read", ca_file);
    set_tls(r);
    set_auth(r, opts);
    set_method(r, opts);
    bool typed = false;
    for (size_t i = 0; i < opts->header_count; i++) {
        if (!add_header(r, opts->headers[i].name, opts->headers[i].value))
            return false;
        typed |= strcasecmp(opts->headers[i].name, "Content-Type") == 0;
    }
    if (!typed) /* libcurl would call it a form */
        r->headers = curl_slist_append(r->headers, "Content-Type:");
    /* Exchange answers "Expect: 100-continue" late or not at all; asking costs a second. */
    r->headers = curl_slist_append(r->headers, "Expect:");
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
    return true;
}
