/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_AUTODISCOVER_H
#define BACKENDS_COMMON_AUTODISCOVER_H
/*
 * Finding the server of an e-mail address (MS-OXDISCO, MS-ASCMD 2.2.2.3), for `setup` and `doctor`; never at run time.
 *
 *   autodiscover_look()  asks everybody who may know, without credentials, and reports who wants to see some
 *        -> the user is shown the host, and confirms it
 *   autodiscover_ask()   asks that one address, with credentials; follows where it sends us only to hosts that
 *                        autodiscover_rules.h lets us trust, and stops with AUTODISCOVER_CONFIRM at any other
 *
 * The candidates: https://DOMAIN/autodiscover/autodiscover.xml, https://autodiscover.DOMAIN/..., where
 * http://autodiscover.DOMAIN/... redirects to, the DNS record _autodiscover._tcp.DOMAIN (port 443 alone), the MX
 * records (is the mailbox in Microsoft's cloud?), where each of them leads; then the JSON service of Microsoft's cloud.
 * Where nobody answers autodiscover (SOGo, Z-Push), DOMAIN, autodiscover.DOMAIN and mail.DOMAIN are asked for the
 * endpoints themselves. A host named by the user is asked instead of all that.
 */
#include <stdbool.h>
#include <stddef.h>

#include "backends/common/autodiscover_probe.h"
#include "backends/common/autodiscover_read.h"
#include "backends/common/autodiscover_rules.h"
#include "backends/common/login.h"
#include "bridge/base/err.h"
#include "bridge/io/loop.h"

#define AUTODISCOVER_CANDIDATES_MAX 24
#define AUTODISCOVER_HOPS_MAX       10   /* redirects one after the other */
#define AUTODISCOVER_GRACE_MS       3000 /* for better candidates, once one was found */

/* How all requests of a search connect. Strings must outlive it. */
struct autodiscover_net {
    struct loop *loop;
    const char *user_agent, *ca_file, *proxy, *client_cert, *client_key; /* as http.h */
    unsigned tls_min;
};

struct http_client *autodiscover_client(const struct autodiscover_net *net, unsigned max_connections);

/* --- looking, without credentials ---------------------------------------------------------------- */

struct autodiscover_candidate {
    enum autodiscover_kind kind;
    const char *name;              /* the URL, or the DNS name that was asked */
    int from;                      /* the candidate that led here, or -1 */
    unsigned hops;                 /* redirects up to here */
    enum autodiscover_trust trust; /* may credentials go there? PROBE_PLAIN, DNS: AUTODISCOVER_NEVER */
    enum autodiscover_verdict verdict;
    int status; /* HTTP; 0 = none */
    unsigned schemes;
    bool frontend;        /* Exchange's own headers were in the answer */
    const char *lead;     /* what it leads to, or found; or NULL */
    const char *text;     /* why nothing came of it, in the words of the network library; or NULL */
    const char *versions; /* PROBE_EAS, where told without credentials; or NULL */
};

struct autodiscover_look_opts {
    struct autodiscover_net net;
    const char *email;
    const char *host;             /* named by the user ("mail.example.com", with a port if need be); or NULL */
    const char *const *confirmed; /* hosts the user has said yes to */
    size_t confirmed_count;
    bool everything; /* wait for every candidate: doctor */
};

struct autodiscover_look_result {
    struct autodiscover_candidate candidates[AUTODISCOVER_CANDIDATES_MAX];
    size_t count;
    int best;     /* whom to ask with credentials: VERDICT_ASKS or _ANSWERS of PROBE_POX; -1 */
    int best_ews; /* endpoints that were found directly; -1 */
    int best_eas;
    const struct autodiscover_cloud *cloud; /* the mailbox is there; NULL = no sign of it */
    int cloud_from;                         /* the candidate that said so */
    const char *cloud_ews, *cloud_eas;      /* what its JSON service said, or NULL */
};

struct autodiscover_look;
/* `result` is valid until autodiscover_look_free(). One callback, never from inside, none after _free(). */
typedef void autodiscover_look_cb(void *ud, const struct autodiscover_look_result *result);
struct autodiscover_look *autodiscover_look(const struct autodiscover_look_opts *opts, autodiscover_look_cb *cb,
                                            void *ud);
void autodiscover_look_free(struct autodiscover_look **l); /* NULL inside is fine */

/* --- asking, with credentials ----------------------------------------------------------------------- */

struct autodiscover_ask_opts {
    struct autodiscover_net net;
    const char *url; /* of a candidate */
    const char *email;
    const char *const *confirmed;
    size_t confirmed_count;
    struct login *login; /* never asked twice with a refused secret: its guard sees to that */
    struct str offered;  /* the password to try, or empty: the login's own; copied */
};

enum autodiscover_outcome {
    AUTODISCOVER_FOUND,       /* ews_url or eas_url, or both */
    AUTODISCOVER_CONFIRM,     /* it goes on at `next`, a host that was not confirmed yet */
    AUTODISCOVER_NEW_ADDRESS, /* it goes on with the e-mail address `next` */
    AUTODISCOVER_FAILED       /* err */
};
struct autodiscover_ask_result {
    enum autodiscover_outcome outcome;
    const char *next;
    const char *ews_url, *eas_url;      /* NULL = not told */
    struct autodiscover_answer outlook; /* what else the Outlook schema's answer said */
    bool accepted;                      /* credentials were accepted at least once */
    struct err err;                     /* AUTODISCOVER_FAILED: ERR_AUTH, ERR_NOT_FOUND (no such mailbox), ... */
};

struct autodiscover_ask;
typedef void autodiscover_ask_cb(void *ud, const struct autodiscover_ask_result *result);
/* Both schemas one after the other. ERR_INVALID when the first URL itself may not be trusted. One callback, never from
 * inside, none after _free(); `result` is valid until then. */
struct autodiscover_ask *autodiscover_ask(const struct autodiscover_ask_opts *opts, autodiscover_ask_cb *cb, void *ud);
void autodiscover_ask_free(struct autodiscover_ask **a);

#endif
