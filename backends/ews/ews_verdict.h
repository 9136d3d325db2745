/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_VERDICT_H
#define EWS_VERDICT_H
/*
 * What to do about an answer that is not the one hoped for: an HTTP status, a page of HTML, a SOAP fault, an error in a
 * response message. Pure tables; ews_call carries it out.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backends/ews/ews_answer.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

enum ews_action {
    EWS_FAIL,  /* another try changes nothing */
    EWS_RETRY, /* once more, after a short while; idempotent requests only */
    EWS_BUSY,  /* the server asks for a pause, for the whole account */
    EWS_AUTH,  /* 401 */
    EWS_LOWER  /* again with a lower schema version */
};

struct ews_verdict {
    enum ews_action action;
    unsigned pause_ms; /* EWS_BUSY: asked for by the server; 0 = it did not say */
    /* Nothing of the request was carried out: Exchange calls itself busy before it begins, and so does who answers 429
     * (RFC 6585 4). A gateway's 503 does not say so: it comes, too, when the server had the request already and the
     * connection to it broke. Nor does a fault that asks for another try: the server in front may have handed the
     * request on, and speaks of what it saw of that. */
    bool not_begun;
    bool moved;     /* forget routing cookies */
    bool slow;      /* ask for less next time */
    struct err err; /* if it stays so */
};

struct ews_http_answer {
    int status;
    unsigned retry_after_s;
    const char *location, *diagnostics, *cas_error; /* Location, X-MS-Diagnostics, X-CasErrorCode; NULL = absent */
    const char *fault;                              /* the code of the SOAP fault in it; NULL = there is none */
    bool online;                                    /* the host is Exchange Online's */
    bool large;        /* small requests are answered here, and this one is larger than some web servers take */
    struct str sample; /* the first bytes of the body */
};
#define EWS_SAMPLE_MAX 4096

/* For an answer that held no SOAP fault: any status, also 200 with something that is no SOAP. And for 403 with a fault,
 * which speaks of the mailbox as a whole and not of the operation. */
void ews_verdict_http(const struct ews_http_answer *a, struct ews_verdict *ret_verdict);
/* For a fault, or a response message with an error. alone: it speaks for the whole request; confirmed: the schema
 * version is known to be accepted. */
void ews_verdict_status(const struct ews_status *s, const char *operation, bool alone, bool confirmed,
                        struct ews_verdict *ret_verdict);

enum ews_kind { EWS_KIND_UNDECIDED, EWS_KIND_XML, EWS_KIND_OTHER };
/* What a body is that begins with these bytes. final: no more will come. */
enum ews_kind ews_body_kind(struct str begin, bool final);
bool ews_body_is_html(struct str sample);

/* --- trying again -------------------------------------------------------------------------------- */

struct ews_patience {
    unsigned tries;       /* attempts of a request in all, the first included */
    unsigned first_ms;    /* pause before the second; each further one is four times as long */
    unsigned busy_ms;     /* pause when the server is busy and does not say for how long; doubles */
    unsigned wait_max_ms; /* all pauses of one call together */
};
#define EWS_PATIENCE ((struct ews_patience){.tries = 3, .first_ms = 500, .busy_ms = 2000, .wait_max_ms = 20000})

struct ews_retries {
    unsigned failed; /* attempts that failed for a passing reason */
    unsigned busy;   /* attempts answered "busy" */
    uint64_t waited_ms;
};
/* After a verdict of EWS_RETRY or EWS_BUSY: how long to wait before the next try, with up to a quarter more by `dice`
 * (a random number); false: give up. *ret_pause_ms is set in either case: it is how long the server wants to be left
 * alone. */
bool ews_retries_next(struct ews_retries *r, const struct ews_patience *p, const struct ews_verdict *v, uint32_t dice,
                      unsigned *ret_pause_ms);

#endif
