/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_DNS_H
#define BRIDGE_FORMATS_DNS_H
/*
 * Questions to a name server, and its answers (RFC 1035 4): what the C library's resolver has no call for, SRV (RFC
 * 2782) and MX, and the list of servers to ask. Pure. Nothing an answer says is believed beyond what was asked: its
 * id, its question and the owner of each record must be ours, names are host names, and their length, the pointers in
 * them and the number of records are bounded.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

#define DNS_NAME_MAX    253  /* characters, written with dots (RFC 1035 2.3.4) */
#define DNS_ANSWER_MAX  1232 /* bytes of UDP payload that we ask for (EDNS0, RFC 6891); fits every path */
#define DNS_RECORDS_MAX 32   /* of the type asked for; more are left out */
#define DNS_SERVERS_MAX 3    /* as resolv.conf(5) */

enum dns_type { DNS_CNAME = 5, DNS_MX = 15, DNS_SRV = 33 };

struct dns_record {
    unsigned priority; /* lower comes first; MX: the preference */
    unsigned weight;   /* SRV */
    unsigned port;     /* SRV */
    const char *name;  /* the target, without a dot at its end; "" where it is the root: there is no such service */
};
struct dns_answer {
    struct dns_record records[DNS_RECORDS_MAX]; /* sorted: best first */
    size_t count;
};

/* Labels of letters, digits, '-' and '_', 63 characters at most each, DNS_NAME_MAX in all. */
bool dns_name_is_good(struct str name);
/* Append one query. False when the name is not one. */
bool dns_write_query(struct buf *out, uint16_t id, struct str name, enum dns_type type);
/* ERR_NOT_FOUND: the name, or a record of this type, does not exist. ERR_OFFLINE: the server could not say.
 * ERR_PROTOCOL: not an answer to this question: go on waiting for one. Names live in the arena. A CNAME on the way
 * (RFC 1034 3.6.2) is followed within the packet. */
bool dns_read_answer(struct str packet, uint16_t id, struct str name, enum dns_type type, struct arena *arena,
                     struct dns_answer *ret_answer, struct err *err);

/* The addresses of /etc/resolv.conf's text; without any, this machine itself. */
struct dns_servers {
    char addresses[DNS_SERVERS_MAX][46]; /* numeric, IPv4 or IPv6 */
    size_t count;
};
void dns_read_servers(struct str resolv_conf, struct dns_servers *ret_servers);

#endif
