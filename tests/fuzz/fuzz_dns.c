/* SPDX-License-Identifier: Apache-2.0 */
/* DNS answers, of both kinds and of none; and the rest of the input as a resolv.conf. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/formats/dns.h"

static void read_packet(struct str packet, struct str name, enum dns_type type)
{
    struct arena arena = {0};
    struct dns_answer a;
    struct err err = {0};
    /* The fuzzer shall not have to guess the id. */
    uint16_t id = packet.n >= 2 ? (uint16_t)((unsigned char)packet.p[0] << 8 | (unsigned char)packet.p[1]) : 0;
    bool ok = dns_read_answer(packet, id, name, type, &arena, &a, &err);
    if (ok != (a.count > 0) || a.count > DNS_RECORDS_MAX || (!ok && err.code == ERR_NONE))
        abort();
    for (size_t i = 0; i < a.count; i++) {
        const struct dns_record *r = &a.records[i];
        if (*r->name && !dns_name_is_good(str_from(r->name)))
            abort();
        if (i && type != DNS_CNAME && r[-1].priority > r->priority)
            abort();
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_SRV, DNS_MX, DNS_CNAME};
    struct dns_servers servers;
    if (size == 0)
        return 0;
    struct str rest = str_of(data + 1, size - 1);
    if (data[0] % 4 < 3) {
        read_packet(rest, STR("example.com"), types[data[0] % 4]);
        return 0;
    }
    dns_read_servers(rest, &servers);
    if (servers.count == 0 || servers.count > DNS_SERVERS_MAX)
        abort();
    return 0;
}
