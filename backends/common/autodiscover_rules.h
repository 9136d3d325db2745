/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_AUTODISCOVER_RULES_H
#define BACKENDS_COMMON_AUTODISCOVER_RULES_H
/*
 * Whom to ask, and whom to believe. Pure.
 *
 * Autodiscover is a chain of hints, and everybody who can forge one (a web page under the domain, a DNS answer, a
 * redirect over http) would like the password. So:
 *   1. Names are made from the whole mail domain only: DOMAIN and autodiscover.DOMAIN. Labels are never taken off
 *      (alice@sales.example.com never asks example.com, and nobody ever asks autodiscover.com).
 *   2. Credentials go over https with a verified certificate, to a host that is the mail domain or below it, on the
 *      standard port, or that the user has confirmed. Every other host, whoever named it, must be shown to him first.
 *   3. Microsoft's own hosts never get a password: Exchange Online has not taken one since 2022. They get tokens, and
 * are asked without credentials where a mailbox is.
 *   4. What http:// answers is a hint to be confirmed, whatever it says.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define AUTODISCOVER_URL_MAX 1024

struct autodiscover_url {
    bool https;
    struct str host; /* a DNS name or a numeric address (IPv6 without brackets) */
    unsigned port;
    struct str path; /* with the query; "/" at least */
};
/* http or https; printable ASCII, no user information, a host that can exist. Points into `url`. */
bool autodiscover_url_read(struct str url, struct autodiscover_url *ret_url);
/* "mail.example.com", "mail.example.com:8443", "[2001:db8::1]": what people confirm. */
void autodiscover_authority(const struct autodiscover_url *url, struct buf *out);

/* The domain of an address: what follows the last '@', a DNS name with a dot in it. NULL p otherwise. */
struct str autodiscover_domain(struct str email);

enum autodiscover_trust {
    AUTODISCOVER_NEVER,     /* not https, or no URL at all */
    AUTODISCOVER_ASK_FIRST, /* somebody else's host: the user decides */
    AUTODISCOVER_MICROSOFT, /* no password ever goes there */
    AUTODISCOVER_OWN,       /* the mail domain, or a host below it */
    AUTODISCOVER_CONFIRMED  /* the user has said yes to this host and port */
};
enum autodiscover_trust autodiscover_trust(struct str url, struct str domain, const char *const *confirmed,
                                           size_t confirmed_count);

/* Where Microsoft keeps mailboxes, told by a mail exchanger's name or by a host of theirs in an answer. */
struct autodiscover_cloud {
    const char *name;    /* "Exchange Online", ... */
    const char *host;    /* of the JSON service and of EWS */
    const char *eas_url; /* known without asking */
    bool consumer;       /* outlook.com: no EWS, the address's owner signs in himself */
    /* Each cloud has a login server of its own, and its tokens are good for its mailboxes alone. */
    const char *login_host;
    const char *resource; /* what the scopes of EWS and ActiveSync begin with */
};
/* By the target of an MX record; NULL: not Microsoft's. A company may filter its mail there and keep its mailboxes. */
const struct autodiscover_cloud *autodiscover_cloud_by_mx(struct str mx);
/* By the host of a redirect or URL; NULL: not one of theirs. */
const struct autodiscover_cloud *autodiscover_cloud_by_host(struct str host);
/* By the URL of a mailbox: where people sign in for it. Not Microsoft's: its public cloud, which signs in for
 * companies' own servers, too (hybrid modern authentication). */
const struct autodiscover_cloud *autodiscover_cloud_by_url(struct str url);

/* Which backend, and why: one sentence for people. */
enum autodiscover_choice { AUTODISCOVER_NONE, AUTODISCOVER_EWS, AUTODISCOVER_EAS };
struct autodiscover_facts {
    bool cloud; /* the mailbox is in Exchange Online or outlook.com */
    bool ews;   /* there is an EWS endpoint */
    bool eas;
};
enum autodiscover_choice autodiscover_recommend(const struct autodiscover_facts *f, const char **ret_why);

#endif
