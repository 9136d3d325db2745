/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/autodiscover_rules.h"

#include <arpa/inet.h>

#include "bridge/formats/dns.h"

#define HTTPS_PORT 443
#define HTTP_PORT  80

/* --- URLs ------------------------------------------------------------------------------------------ */

static bool is_address(struct str host, int family)
{
    char z[INET6_ADDRSTRLEN];
    unsigned char parsed[16];
    if (host.n == 0 || host.n >= sizeof(z))
        return false;
    memcpy(z, host.p, host.n);
    z[host.n] = '\0';
    return inet_pton(family, z, parsed) == 1;
}

/* A name whose last label is a number is an IPv4 address in one of the forms that C libraries still read. */
static bool is_host(struct str host)
{
    struct str rest = host, label = STR_NULL;
    uint64_t number;
    if (is_address(host, AF_INET))
        return true;
    if (!dns_name_is_good(host))
        return false;
    while (str_cut(&rest, '.', &label))
        ;
    return !str_to_u64(label, &number) && !str_case_starts(label, STR("0x"));
}

static bool read_port(struct str *rest, bool https, unsigned *ret_port)
{
    uint32_t port;
    *ret_port = https ? HTTPS_PORT : HTTP_PORT;
    if (rest->n == 0 || rest->p[0] != ':')
        return true;
    *rest = str_skip(*rest, 1);
    if (!str_to_u32(*rest, &port) || port == 0 || port > 65535)
        return false;
    *ret_port = port;
    *rest = STR_NULL;
    return true;
}

bool autodiscover_url_read(struct str url, struct autodiscover_url *ret_url)
{
    struct autodiscover_url u = {.https = str_case_starts(url, STR("https://"))};
    if (url.n > AUTODISCOVER_URL_MAX || (!u.https && !str_case_starts(url, STR("http://"))))
        return false;
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] > '~' || url.p[i] == '\\')
            return false;
    url = str_skip(url, u.https ? 8 : 7);
    size_t end = 0;
    while (end < url.n && url.p[end] != '/' && url.p[end] != '?' && url.p[end] != '#')
        end++;
    struct str rest = str_sub(url, 0, end);
    u.path = end < url.n && url.p[end] == '/' ? str_skip(url, end) : STR("/");
    bool numeric = rest.n && rest.p[0] == '[';
    size_t cut = numeric ? str_find_byte(rest, ']') : str_find_byte(rest, ':');
    if (numeric && cut == (size_t)-1)
        return false;
    u.host = numeric ? str_sub(rest, 1, cut - 1) : str_sub(rest, 0, cut);
    rest = str_skip(rest, numeric ? cut + 1 : u.host.n);
    if (numeric ? !is_address(u.host, AF_INET6) : !is_host(u.host)) /* "user@" is no host either */
        return false;
    if (!read_port(&rest, u.https, &u.port) || rest.n)
        return false;
    *ret_url = u;
    return true;
}

void autodiscover_authority(const struct autodiscover_url *url, struct buf *out)
{
    bool numeric = str_find_byte(url->host, ':') != (size_t)-1;
    buf_printf(out, numeric ? "[%.*s]" : "%.*s", STR_ARG(url->host));
    if (url->port != (url->https ? HTTPS_PORT : HTTP_PORT))
        buf_printf(out, ":%u", url->port);
}

struct str autodiscover_domain(struct str email)
{
    size_t at = email.n;
    while (at > 0 && email.p[at - 1] != '@')
        at--;
    struct str domain = str_skip(email, at);
    bool good = at > 1 && dns_name_is_good(domain) && is_host(domain) && !is_address(domain, AF_INET) &&
                str_find_byte(domain, '.') != (size_t)-1;
    return good ? domain : STR_NULL;
}

/* --- whom to believe ------------------------------------------------------------------------------------ */

/* `host` is `domain` or below it. */
static bool is_below(struct str host, struct str domain)
{
    if (domain.n == 0 || host.n < domain.n)
        return false;
    if (!str_case_eq(str_skip(host, host.n - domain.n), domain))
        return false;
    return host.n == domain.n || host.p[host.n - domain.n - 1] == '.';
}

enum cloud { CLOUD_WORLD, CLOUD_US, CLOUD_US_DEFENSE, CLOUD_CHINA, CLOUD_CONSUMER };
static const struct {
    const char *below; /* the host's ending */
    enum cloud cloud;
} microsoft_hosts[] = {
    {"outlook.com", CLOUD_WORLD},
    {"office365.com", CLOUD_WORLD},
    {"office.com", CLOUD_WORLD},
    {"outlook-dod.office365.us", CLOUD_US_DEFENSE}, /* before what it is below */
    {"autodiscover-s-dod.office365.us", CLOUD_US_DEFENSE},
    {"office365.us", CLOUD_US},
    {"outlook.cn", CLOUD_CHINA},
};
static const struct {
    const char *below;
    enum cloud cloud;
} microsoft_mx[] = {
    {"olc.protection.outlook.com", CLOUD_CONSUMER},
    {"mail.protection.outlook.com", CLOUD_WORLD},
    {"mx.microsoft", CLOUD_WORLD},
    {"mail.protection.office365.us", CLOUD_US}, /* the Department of Defense's, too: its JSON service tells */
    {"mail.protection.partner.outlook.cn", CLOUD_CHINA},
};
/* Microsoft's lists of endpoints: "Office 365 U.S. Government GCC High", "... DoD", "operated by 21Vianet"; of login
 * servers: "National clouds" of the identity platform. */
static const struct autodiscover_cloud clouds[] = {
    [CLOUD_WORLD] = {.name = "Exchange Online",
                     .host = "outlook.office365.com",
                     .eas_url = "https://outlook.office365.com/Microsoft-Server-ActiveSync",
                     .login_host = "login.microsoftonline.com",
                     .resource = "https://outlook.office365.com"},
    [CLOUD_US] = {.name = "Exchange Online (US Government)",
                  .host = "outlook.office365.us",
                  .eas_url = "https://outlook.office365.us/Microsoft-Server-ActiveSync",
                  .login_host = "login.microsoftonline.us",
                  .resource = "https://outlook.office365.us"},
    [CLOUD_US_DEFENSE] = {.name = "Exchange Online (US Department of Defense)",
                          .host = "outlook-dod.office365.us",
                          .eas_url = "https://outlook-dod.office365.us/Microsoft-Server-ActiveSync",
                          .login_host = "login.microsoftonline.us",
                          .resource = "https://outlook-dod.office365.us"},
    [CLOUD_CHINA] = {.name = "Exchange Online (China)",
                     .host = "partner.outlook.cn",
                     .eas_url = "https://partner.outlook.cn/Microsoft-Server-ActiveSync",
                     .login_host = "login.partner.microsoftonline.cn",
                     .resource = "https://partner.outlook.cn"},
    [CLOUD_CONSUMER] = {.name = "Outlook.com",
                        .host = "outlook.office365.com",
                        .eas_url = "https://eas.outlook.com/Microsoft-Server-ActiveSync",
                        .consumer = true,
                        .login_host = "login.microsoftonline.com",
                        .resource = "https://outlook.office.com"},
};

const struct autodiscover_cloud *autodiscover_cloud_by_mx(struct str mx)
{
    for (size_t i = 0; i < sizeof(microsoft_mx) / sizeof(microsoft_mx[0]); i++)
        if (is_below(mx, str_from(microsoft_mx[i].below)))
            return &clouds[microsoft_mx[i].cloud];
    return NULL;
}

const struct autodiscover_cloud *autodiscover_cloud_by_url(struct str url)
{
    struct autodiscover_url u;
    const struct autodiscover_cloud *cloud = autodiscover_url_read(url, &u) ? autodiscover_cloud_by_host(u.host) : NULL;
    return cloud ? cloud : &clouds[CLOUD_WORLD];
}

const struct autodiscover_cloud *autodiscover_cloud_by_host(struct str host)
{
    if (str_case_is(host, "eas.outlook.com"))
        return &clouds[CLOUD_CONSUMER];
    for (size_t i = 0; i < sizeof(microsoft_hosts) / sizeof(microsoft_hosts[0]); i++)
        if (is_below(host, str_from(microsoft_hosts[i].below)))
            return &clouds[microsoft_hosts[i].cloud];
    return NULL;
}

enum autodiscover_trust autodiscover_trust(struct str url, struct str domain, const char *const *confirmed,
                                           size_t confirmed_count)
{
    struct autodiscover_url u;
    if (!autodiscover_url_read(url, &u) || !u.https)
        return AUTODISCOVER_NEVER;
    if (autodiscover_cloud_by_host(u.host))
        return AUTODISCOVER_MICROSOFT;
    struct buf name = BUF_INIT(0);
    enum autodiscover_trust trust =
        is_below(u.host, domain) && u.port == HTTPS_PORT ? AUTODISCOVER_OWN : AUTODISCOVER_ASK_FIRST;
    autodiscover_authority(&u, &name);
    for (size_t i = 0; i < confirmed_count; i++)
        if (str_case_is(buf_view(&name), confirmed[i]))
            trust = AUTODISCOVER_CONFIRMED;
    buf_done(&name);
    return trust;
}

/* --- which backend ------------------------------------------------------------------------------------------ */

enum autodiscover_choice autodiscover_recommend(const struct autodiscover_facts *f, const char **ret_why)
{
    if (f->cloud) {
        *ret_why = "Microsoft ends EWS in Exchange Online on 2027-04-01 and has blocked it for many since 2026-10-01; "
                   "ActiveSync 16.1 stays";
        return AUTODISCOVER_EAS;
    }
    if (f->ews) {
        *ret_why =
            f->eas ? "EWS tells more than ActiveSync: every change at once, shared mailboxes, a copy of every message "
                     "as it came"
                   : "the server offers EWS and no ActiveSync";
        return AUTODISCOVER_EWS;
    }
    *ret_why = f->eas ? "the server offers ActiveSync and no EWS" : "neither EWS nor ActiveSync was found";
    return f->eas ? AUTODISCOVER_EAS : AUTODISCOVER_NONE;
}
