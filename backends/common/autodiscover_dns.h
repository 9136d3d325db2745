/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_AUTODISCOVER_DNS_H
#define BACKENDS_COMMON_AUTODISCOVER_DNS_H
/*
 * One question to the name servers of /etc/resolv.conf over UDP, on the loop: each of them in turn, twice. The socket
 * is connected, its port and the question's id are random; an answer that is not to this question is ignored. The
 * answer is a hint all the same: anybody on the way can have written it (formats/dns.h bounds what it can do).
 */
#include "bridge/base/err.h"
#include "bridge/formats/dns.h"
#include "bridge/io/loop.h"

#define AUTODISCOVER_DNS_WAIT_MS 2000 /* for one server's answer */

struct dns_query;
/* err->code ERR_NONE, ERR_NOT_FOUND (there is no such record) or ERR_OFFLINE. The answer is valid during the call;
 * *query is gone after it. Exactly one callback, never from inside; none after dns_query_free(). */
typedef void dns_query_cb(void *ud, const struct err *err, const struct dns_answer *answer);
struct dns_query *dns_query_start(struct loop *loop, const char *name, enum dns_type type, dns_query_cb *cb, void *ud);
void dns_query_free(struct dns_query **q); /* NULL inside is fine */

#endif
