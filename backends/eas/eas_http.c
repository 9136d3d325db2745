/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_http.h"

#include <stddef.h>

#include "backends/eas/eas_state.h"
#include "bridge/base/text.h"

/* clang-format off */
static const struct eas_http_status table[] = {
    {200, EAS_HTTP_READ, ERR_NONE, "OK"},
    {400, EAS_HTTP_FAIL, ERR_PROTOCOL, "the server did not understand the request"},
    {401, EAS_HTTP_AUTH, ERR_AUTH, "the server refused the credentials"},
    {403, EAS_HTTP_FORBIDDEN, ERR_DENIED, "ActiveSync is closed to this user or device (ActiveSyncEnabled, or a rule about devices)"},
    {404, EAS_HTTP_GONE, ERR_OFFLINE, "there is no ActiveSync at this address; is url right? Has the mailbox moved?"},
    {405, EAS_HTTP_GONE, ERR_OFFLINE, "there is no ActiveSync at this address; is url right? Has the mailbox moved?"},
    {407, EAS_HTTP_FAIL, ERR_OFFLINE, "the proxy wants credentials"},
    {410, EAS_HTTP_GONE, ERR_OFFLINE, "there is no ActiveSync at this address; is url right? Has the mailbox moved?"},
    {413, EAS_HTTP_FAIL, ERR_TOO_BIG, "the request is too large for the server"},
    {429, EAS_HTTP_BUSY, ERR_THROTTLED, "the server asks for fewer requests"},
    {449, EAS_HTTP_PROVISION, ERR_POLICY, "the server demands a device policy"},
    {451, EAS_HTTP_MOVED, ERR_OFFLINE, "the mailbox is on another server"},
    {456, EAS_HTTP_AUTH, ERR_AUTH, "the account is blocked"},
    {457, EAS_HTTP_AUTH, ERR_AUTH, "the password has expired"},
    {500, EAS_HTTP_RETRY, ERR_OFFLINE, "the server failed"},
    {501, EAS_HTTP_FAIL, ERR_UNSUPPORTED, "the server cannot do this"},
    {502, EAS_HTTP_BUSY, ERR_OFFLINE, "the gateway reached no server"},
    {503, EAS_HTTP_BUSY, ERR_THROTTLED, "the server is busy"},
    {504, EAS_HTTP_BUSY, ERR_OFFLINE, "the gateway got no answer from the server"},
    {505, EAS_HTTP_VERSION, ERR_UNSUPPORTED, "the server does not speak this protocol version"},
    {507, EAS_HTTP_FAIL, ERR_QUOTA, "the mailbox is full"},
};
/* clang-format on */

static const struct eas_http_status redirect = {300, EAS_HTTP_FAIL, ERR_PROTOCOL,
                                                "the server sends us elsewhere; is the url right?"};
static const struct eas_http_status client_error = {400, EAS_HTTP_FAIL, ERR_PROTOCOL, "the server refused the request"};
static const struct eas_http_status server_error = {500, EAS_HTTP_RETRY, ERR_OFFLINE, "the server failed"};
static const struct eas_http_status nonsense = {0, EAS_HTTP_FAIL, ERR_PROTOCOL, "an HTTP status that makes no sense"};

const struct eas_http_status *eas_http_status_find(int status)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status)
            return &table[i];
    if (status >= 300 && status < 400)
        return &redirect;
    if (status >= 400 && status < 500)
        return &client_error;
    return status >= 500 && status < 600 ? &server_error : &nonsense;
}

void eas_http_address(struct buf *out, const struct eas_address *a)
{
    buf_printf(out, "%s%cCmd=", a->url, strchr(a->url, '?') ? '&' : '?');
    text_percent_add(out, str_from(a->command), NULL);
    buf_lit(out, "&User=");
    text_percent_add(out, str_from(a->user), NULL);
    buf_lit(out, "&DeviceId=");
    text_percent_add(out, str_from(a->device_id), NULL);
    buf_lit(out, "&DeviceType=");
    text_percent_add(out, str_from(a->device_type), NULL);
}

struct str eas_http_host(struct str url)
{
    size_t start = str_find(url, STR("://"));
    size_t end = 0, at;

    if (start == (size_t)-1)
        return STR_NULL;
    url = str_skip(url, start + 3);
    while (end < url.n && url.p[end] != '/' && url.p[end] != '?' && url.p[end] != '#')
        end++;
    url.n = end;
    at = str_find_byte(url, '@');
    if (at < url.n)
        return STR_NULL; /* user information in an address from outside is a trap */
    if (url.n > 0 && url.p[0] == '[') {
        size_t close = str_find_byte(url, ']');

        return close < url.n ? str_sub(url, 1, close - 1) : STR_NULL;
    }
    at = str_find_byte(url, ':');
    return str_sub(url, 0, at < url.n ? at : url.n);
}

static bool is_loopback(struct str host)
{
    if (str_case_is(host, "localhost") || str_is(host, "::1"))
        return true;
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
            return false; /* 127.example.com is a name like any other */
    return str_starts(host, STR("127."));
}

bool eas_http_may_move(const char *from, struct str to)
{
    struct str host = eas_http_host(to);

    if (to.n > EAS_URL_MAX || host.n == 0)
        return false;
    for (size_t i = 0; i < to.n; i++)
        if ((unsigned char)to.p[i] <= ' ' || (unsigned char)to.p[i] > '~')
            return false;
    if (str_case_starts(to, STR("https://")))
        return true;
    return str_case_starts(to, STR("http://")) && is_loopback(host) && is_loopback(eas_http_host(str_from(from)));
}
