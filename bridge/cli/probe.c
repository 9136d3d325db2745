/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/probe.h"

#include <string.h>

struct probing {
    struct arena *arena;
    bool done;
    struct autodiscover_probe_result result;
};

static const char *copy(struct probing *p, const char *z)
{
    return z ? arena_strdup(p->arena, str_from(z)) : NULL;
}

static void on_probed(void *ud, const struct autodiscover_probe_result *r)
{
    struct probing *p = ud;
    struct err *err = ARENA_NEW(p->arena, struct err);
    *err = *r->err;
    p->done = true;
    p->result = *r;
    p->result.lead = copy(p, r->lead);
    p->result.versions = copy(p, r->versions);
    p->result.date = copy(p, r->date);
    p->result.err = err;
}

struct autodiscover_probe_result cli_probe(const struct autodiscover_net *net, struct arena *arena,
                                           enum autodiscover_kind kind, const char *url, const char *email)
{
    struct probing p = {.arena = arena};
    struct http_client *client = autodiscover_client(net, 1);
    autodiscover_probe_start(client, kind, url, email, on_probed, &p);
    while (!p.done)
        loop_turn(net->loop);
    http_client_free(&client);
    return p.result;
}

const char *cli_probe_reason(const char *text)
{
    for (const char *colon; (colon = strstr(text, ": "));)
        text = colon + 2;
    return text;
}

bool cli_probe_is_date(const char *text)
{
    return text && (strstr(text, "has expired") || strstr(text, "not yet valid")); /* OpenSSL's words */
}

const char *cli_probe_name(enum autodiscover_kind kind)
{
    static const char *const names[] = {
        [PROBE_POX] = "autodiscover", [PROBE_PLAIN] = "redirect over http", [PROBE_JSON] = "Microsoft's directory",
        [PROBE_EWS] = "EWS",          [PROBE_EAS] = "ActiveSync",           [PROBE_SRV] = "SRV record",
        [PROBE_MX] = "mail exchanger"};
    return names[kind];
}
