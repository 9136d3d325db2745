/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_AUTODISCOVER_PROBE_H
#define BACKENDS_COMMON_AUTODISCOVER_PROBE_H
/*
 * One look at one address, without credentials: is it what it should be, whom does it want to know, where does it send
 * us? For autodiscover's own candidates, and for the endpoints of EWS and ActiveSync. Nothing is followed here.
 */
#include <stdbool.h>

#include "backends/common/autodiscover_read.h"
#include "bridge/base/err.h"
#include "bridge/io/http.h"

#define AUTODISCOVER_PROBE_S 20 /* for the whole request */

enum autodiscover_kind {
    PROBE_POX,   /* POST of the Outlook schema's question to https://HOST/autodiscover/autodiscover.xml */
    PROBE_PLAIN, /* GET http://HOST/autodiscover/autodiscover.xml: only where it redirects to counts */
    PROBE_JSON,  /* GET of version 2 */
    PROBE_EWS,   /* POST to /EWS/Exchange.asmx (servers redirect a GET to their web mail) */
    PROBE_EAS,   /* OPTIONS of /Microsoft-Server-ActiveSync */
    PROBE_SRV,   /* not HTTP: DNS records, in lists of candidates */
    PROBE_MX
};

enum autodiscover_verdict {
    VERDICT_PENDING,
    VERDICT_ASKS,          /* it is there and wants credentials: `schemes` */
    VERDICT_ANSWERS,       /* it is there, and answers without */
    VERDICT_LEADS,         /* to another address: `lead` */
    VERDICT_BAD_LEAD,      /* to one that must not be followed */
    VERDICT_OTHER_ADDRESS, /* the mailbox has another e-mail address: `lead` */
    VERDICT_NOTHING,       /* no such thing there */
    VERDICT_FORBIDDEN,     /* 403: a client certificate is wanted, or access from outside is closed */
    VERDICT_NOT_EXCHANGE,  /* something else answers */
    VERDICT_BUSY,          /* 5xx */
    VERDICT_NO_NAME,
    VERDICT_NO_CONNECTION,
    VERDICT_TIMEOUT,
    VERDICT_NO_TLS,
    VERDICT_BAD_CERTIFICATE,
    VERDICT_LEFT, /* not waited for: another candidate was found */
    VERDICT_MAX
};
const char *autodiscover_verdict_text(enum autodiscover_verdict v); /* for people: "asks for credentials" */

enum autodiscover_scheme { SCHEME_BASIC = 1, SCHEME_NTLM = 2, SCHEME_NEGOTIATE = 4, SCHEME_BEARER = 8 };
/* "Negotiate, NTLM, Basic" */
void autodiscover_schemes_text(unsigned schemes, struct buf *out);
/* Of all WWW-Authenticate headers of an answer. */
unsigned autodiscover_schemes(const struct http_request *req);

struct autodiscover_probe_result { /* strings are valid during the callback */
    enum autodiscover_verdict verdict;
    int status;
    unsigned schemes;
    const char *lead;     /* VERDICT_LEADS, _BAD_LEAD, _OTHER_ADDRESS; PROBE_JSON with VERDICT_ANSWERS: the URL found */
    const char *versions; /* PROBE_EAS: MS-ASProtocolVersions, when told */
    const char *date;     /* the server's clock, as it wrote it; or NULL */
    bool frontend;        /* an Exchange signed the answer (X-FEServer, X-OWA-Version, MS-Server-ActiveSync) */
    const struct err *err; /* code and text of what went wrong; ERR_NONE with an answer of any status */
};

struct autodiscover_probe;
typedef void autodiscover_probe_cb(void *ud, const struct autodiscover_probe_result *r);
/* `email` goes into the question of PROBE_POX. The probe is gone after the callback, which never comes from inside. */
struct autodiscover_probe *autodiscover_probe_start(struct http_client *client, enum autodiscover_kind kind,
                                                    const char *url, const char *email, autodiscover_probe_cb *cb,
                                                    void *ud);
void autodiscover_probe_free(struct autodiscover_probe **p); /* NULL inside is fine; no callback any more */

/* A Location header, made absolute. False: not an http(s) URL. */
bool autodiscover_location(const char *base_url, const char *location, struct buf *out);

#endif
