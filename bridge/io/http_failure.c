/* SPDX-License-Identifier: Apache-2.0 */
/* Why there is no answer, or none that helps: in words for people. */
#include <stdio.h>
#include <string.h>

#include "bridge/io/http_private.h"

/* --- Kerberos ------------------------------------------------------------------------------------ */

/* What GSSAPI says is in libcurl's verbose text alone. Nothing else of it is kept. */
void http_request_note(struct http_request *r, curl_infotype type, struct str text)
{
    struct str begin = STR("gss_init_sec_context() failed: ");
    if (r->auth != HTTP_AUTH_NEGOTIATE)
        return;
    if (type == CURLINFO_HEADER_OUT && str_find(text, STR("\nAuthorization: ")) != (size_t)-1)
        r->ticket_shown = true; /* what goes wrong now is an answer that the server gave to it */
    if (type == CURLINFO_TEXT && !r->ticket_shown && str_starts(text, begin)) {
        text = str_trim(str_skip(text, begin.n));
        snprintf(r->no_ticket, sizeof(r->no_ticket), "%.*s", STR_ARG(text));
    }
}

bool http_request_has_ticket(struct http_request *r)
{
    if (!r->no_ticket[0])
        return true;
    err_set(&r->err, ERR_AUTH, "no Kerberos ticket for this server: %s; run: kinit", r->no_ticket);
    r->err.retry_after_s = HTTP_TICKET_RETRY_S;
    return false;
}

/* --- what libcurl says --------------------------------------------------------------------------- */

static enum err_code code_of(CURLcode result)
{
    static const struct {
        CURLcode result;
        enum err_code code;
    } table[] = {
        {CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID},
        {CURLE_URL_MALFORMAT, ERR_INVALID},
        {CURLE_SSL_CERTPROBLEM, ERR_INVALID},
        {CURLE_SSL_CACERT_BADFILE, ERR_INVALID},
        {CURLE_BAD_FUNCTION_ARGUMENT, ERR_INTERNAL},
        {CURLE_FAILED_INIT, ERR_INTERNAL},
        {CURLE_AUTH_ERROR, ERR_AUTH},
        {CURLE_LOGIN_DENIED, ERR_AUTH},
        {CURLE_PARTIAL_FILE, ERR_PROTOCOL},
        {CURLE_BAD_CONTENT_ENCODING, ERR_PROTOCOL},
        {CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL},
        {CURLE_WRITE_ERROR, ERR_PROTOCOL},
        {CURLE_FILESIZE_EXCEEDED, ERR_TOO_BIG},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].result == result)
            return table[i].code;
    return ERR_OFFLINE;
}

static enum http_failure failure_of(CURLcode result)
{
    static const struct {
        CURLcode result;
        enum http_failure failure;
    } table[] = {
        {CURLE_OK, HTTP_FAILED_NOT},
        {CURLE_COULDNT_RESOLVE_HOST, HTTP_FAILED_NAME},
        {CURLE_COULDNT_RESOLVE_PROXY, HTTP_FAILED_NAME},
        {CURLE_COULDNT_CONNECT, HTTP_FAILED_CONNECT},
        {CURLE_OPERATION_TIMEDOUT, HTTP_FAILED_TIMEOUT},
        {CURLE_SSL_CONNECT_ERROR, HTTP_FAILED_TLS},
        {CURLE_SSL_CIPHER, HTTP_FAILED_TLS},
        {CURLE_PEER_FAILED_VERIFICATION, HTTP_FAILED_CERTIFICATE},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].result == result)
            return table[i].failure;
    return HTTP_FAILED_OTHER;
}

/* What libcurl calls a failed tunnel: the words of the proxy, not of the server. */
static bool proxy_refused(struct http_request *r, struct err *ret_err)
{
    long status = 0;
    curl_easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (status < 300)
        return false;
    err_set(ret_err, ERR_OFFLINE, "the proxy refused the connection (HTTP status %ld%s)", status,
            status == 407 ? ": it wants credentials, as in proxy = http://user:password@host:port" : "");
    return true;
}

/* Of the two certificates that are looked at, an https proxy's comes first: before it, nobody has answered CONNECT. One
 * of the environment is known by its chain only, not by a name that does not match. */
static bool is_proxys_certificate(const struct http_request *r)
{
    long status = 0, chain = 0;
    curl_easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    curl_easy_getinfo(r->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &chain);
    bool https = r->client->proxy && str_case_starts(str_from(r->client->proxy), STR("https://"));
    return status == 0 && (https || chain != 0);
}

/* The server's part of a handshake that our certificate, or its absence, ended: RFC 8446 6.2. OpenSSL tells it by the
 * words "alert certificate expired". It may come with the first answer only (TLS 1.3), so libcurl has no code for it.
 */
static bool certificate_refused(struct http_request *r, CURLcode result, struct err *ret_err)
{
    static const char *const alerts[] = {"certificate required",    "bad certificate",     "certificate expired",
                                         "certificate revoked",     "certificate unknown", "unknown ca",
                                         "unsupported certificate", "access denied",       "handshake failure"};
    struct str text = str_from(r->message);
    text = str_skip(text, str_find(text, STR(" alert ")));
    size_t count = sizeof(alerts) / sizeof(alerts[0]);
    if (result == CURLE_SSL_CONNECT_ERROR)
        count--; /* the last may be about ciphers there; afterwards it ends a renegotiation (RFC 5246 7.4.6) */
    for (size_t i = 0; i < count; i++) {
        if (str_find(text, str_from(alerts[i])) == (size_t)-1)
            continue;
        if (r->client->client_cert)
            err_set(ret_err, ERR_AUTH, "the server refused the client certificate (%s); see client-cert", alerts[i]);
        else
            err_set(ret_err, ERR_AUTH, "the server demands a client certificate; see client-cert");
        return true;
    }
    return false;
}

void http_name_host(const struct http_request *req, struct err *err)
{
    char *url = NULL, *host = NULL;
    CURLU *parts = curl_url();
    curl_easy_getinfo(req->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (url && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        err_prefix(err, "%.100s: ", host);
    curl_free(host);
    curl_url_cleanup(parts);
}

void http_request_describe(struct http_request *r, CURLcode result, struct err *ret_err)
{
    *ret_err = (struct err){.code = ERR_NONE};
    r->failure = failure_of(result);
    if (r->err.code == ERR_NONE && (r->status == 401 || result != CURLE_OK))
        http_request_has_ticket(r);
    if (r->err.code != ERR_NONE) {
        *ret_err = r->err;
    } else if (result != CURLE_OK && !proxy_refused(r, ret_err) && !certificate_refused(r, result, ret_err)) {
        err_set(ret_err, code_of(result), "%s", r->message[0] ? r->message : curl_easy_strerror(result));
        if (result == CURLE_PEER_FAILED_VERIFICATION)
            err_prefix(ret_err, "the %s's certificate is not trusted (see ca-file): ",
                       is_proxys_certificate(r) ? "proxy" : "server");
        else if (result == CURLE_SSL_CERTPROBLEM)
            err_prefix(ret_err, "client-cert and client-key: ");
    }
    if (ret_err->code != ERR_NONE)
        http_name_host(r, ret_err);
    ret_err->status = r->status;
}
