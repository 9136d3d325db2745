/* SPDX-License-Identifier: Apache-2.0 */
/* The search without credentials: who is asked, in which order, and when it is enough. */
#include <string.h>

#include "backends/common/autodiscover.h"
#include "backends/common/autodiscover_dns.h"
#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"

#define CONNECTIONS_MAX 4
#define POX_PATH        "/autodiscover/autodiscover.xml"
#define EWS_PATH        "/EWS/Exchange.asmx"
#define EAS_PATH        "/Microsoft-Server-ActiveSync"

enum phase { PHASE_CANDIDATES, PHASE_CLOUD, PHASE_ENDPOINTS, PHASE_DONE };

struct visit { /* of the candidate with the same index */
    struct autodiscover_look *look;
    struct autodiscover_probe *probe;
    struct dns_query *query;
};

struct autodiscover_look {
    struct autodiscover_look_opts opts;
    autodiscover_look_cb *cb;
    void *ud;
    struct arena arena;
    char *email;
    struct str domain;
    struct http_client *client;
    struct timer *grace;
    struct deferred settle;
    enum phase phase;
    bool impatient; /* the grace is over */
    const struct autodiscover_cloud *mx_cloud;
    int mx_from;
    struct visit visits[AUTODISCOVER_CANDIDATES_MAX];
    struct autodiscover_look_result result;
};

static void on_probe(void *ud, const struct autodiscover_probe_result *r);
static void on_dns(void *ud, const struct err *err, const struct dns_answer *answer);

/* --- the list ------------------------------------------------------------------------------------------ */

static bool is_dns(enum autodiscover_kind kind)
{
    return kind == PROBE_SRV || kind == PROBE_MX;
}

static struct autodiscover_candidate *candidate_of(struct visit *v)
{
    return &v->look->result.candidates[v - v->look->visits];
}

static void start(struct autodiscover_look *l, size_t i)
{
    struct autodiscover_candidate *c = &l->result.candidates[i];
    struct visit *v = &l->visits[i];
    v->look = l;
    if (is_dns(c->kind))
        v->query = dns_query_start(l->opts.net.loop, c->name, c->kind == PROBE_SRV ? DNS_SRV : DNS_MX, on_dns, v);
    else
        v->probe = autodiscover_probe_start(l->client, c->kind, c->name, l->email, on_probe, v);
}

/* Nobody is asked twice, which also ends every circle. */
static void add(struct autodiscover_look *l, enum autodiscover_kind kind, struct str name, int from)
{
    struct autodiscover_look_result *r = &l->result;
    unsigned hops = from >= 0 ? r->candidates[from].hops + 1 : 0;
    if (r->count == AUTODISCOVER_CANDIDATES_MAX || hops > AUTODISCOVER_HOPS_MAX)
        return;
    for (size_t i = 0; i < r->count; i++)
        if (r->candidates[i].kind == kind && str_case_is(name, r->candidates[i].name))
            return;
    struct autodiscover_candidate *c = &r->candidates[r->count++];
    *c = (struct autodiscover_candidate){
        .kind = kind, .name = arena_strdup(&l->arena, name), .from = from, .hops = hops, .trust = AUTODISCOVER_NEVER};
    if (!is_dns(kind) && kind != PROBE_PLAIN)
        c->trust = autodiscover_trust(name, l->domain, l->opts.confirmed, l->opts.confirmed_count);
    start(l, r->count - 1);
}

static void add_at(struct autodiscover_look *l, enum autodiscover_kind kind, const char *before, struct str host,
                   const char *path, int from)
{
    struct buf url = BUF_INIT(AUTODISCOVER_URL_MAX);
    buf_printf(&url, "%s%.*s%s", before, STR_ARG(host), path);
    if (!url.failed)
        add(l, kind, buf_view(&url), from);
    buf_done(&url);
}

static void add_cloud(struct autodiscover_look *l, const struct autodiscover_cloud *cloud, int from)
{
    static const char *const protocols[] = {"ActiveSync", "EWS"};
    for (size_t i = 0; i < 2; i++) {
        struct buf url = BUF_INIT(AUTODISCOVER_URL_MAX);
        buf_printf(&url, "https://%s/autodiscover/autodiscover.json/v1.0/", cloud->host);
        text_percent_add(&url, str_from(l->email), "@");
        buf_printf(&url, "?Protocol=%s", protocols[i]);
        if (!url.failed && !(i == 1 && cloud->consumer))
            add(l, PROBE_JSON, buf_view(&url), from);
        buf_done(&url);
    }
}

static void add_first(struct autodiscover_look *l)
{
    if (l->opts.host) {
        struct str host = str_from(l->opts.host);
        add_at(l, PROBE_POX, "https://", host, POX_PATH, -1);
        add_at(l, PROBE_EWS, "https://", host, EWS_PATH, -1);
        add_at(l, PROBE_EAS, "https://", host, EAS_PATH, -1);
        return;
    }
    add_at(l, PROBE_POX, "https://", l->domain, POX_PATH, -1);
    add_at(l, PROBE_POX, "https://autodiscover.", l->domain, POX_PATH, -1);
    add_at(l, PROBE_PLAIN, "http://autodiscover.", l->domain, POX_PATH, -1);
    add_at(l, PROBE_SRV, "_autodiscover._tcp.", l->domain, "", -1);
    add_at(l, PROBE_MX, "", l->domain, "", -1);
}

static void add_endpoints(struct autodiscover_look *l)
{
    static const char *const befores[] = {"https://", "https://autodiscover.", "https://mail."};
    for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++) {
        add_at(l, PROBE_EAS, befores[i], l->domain, EAS_PATH, -1);
        add_at(l, PROBE_EWS, befores[i], l->domain, EWS_PATH, -1);
    }
}

/* --- what is best so far ----------------------------------------------------------------------------------- */

static bool is_there(const struct autodiscover_candidate *c)
{
    return c->verdict == VERDICT_ASKS || c->verdict == VERDICT_ANSWERS;
}

/* The place in the order: that of the first candidate of its chain. */
static int rank(const struct autodiscover_look *l, int i)
{
    while (l->result.candidates[i].from >= 0)
        i = l->result.candidates[i].from;
    return i;
}

/* A host of the domain's own before one that has to be confirmed first; then the order of the list. */
static int find_best(const struct autodiscover_look *l, enum autodiscover_kind kind)
{
    int best = -1;
    for (size_t i = 0; i < l->result.count; i++) {
        const struct autodiscover_candidate *c = &l->result.candidates[i];
        const struct autodiscover_candidate *b = best < 0 ? NULL : &l->result.candidates[best];
        if (c->kind != kind || !is_there(c) || c->trust == AUTODISCOVER_NEVER || c->trust == AUTODISCOVER_MICROSOFT)
            continue;
        bool own = c->trust >= AUTODISCOVER_OWN, best_own = b && b->trust >= AUTODISCOVER_OWN;
        if (!b || own > best_own || (own == best_own && rank(l, (int)i) < rank(l, best)))
            best = (int)i;
    }
    return best;
}

/* Whoever could still be better than `best` is waited for, for a while. */
static bool is_settled(const struct autodiscover_look *l, int best)
{
    bool own = best >= 0 && l->result.candidates[best].trust >= AUTODISCOVER_OWN;
    for (size_t i = 0; i < l->result.count; i++) {
        if (l->result.candidates[i].verdict != VERDICT_PENDING)
            continue;
        if (best < 0 || l->opts.everything || l->opts.host)
            return false;
        if (!l->impatient && (!own || rank(l, (int)i) < rank(l, best)))
            return false;
    }
    return true;
}

/* --- the phases --------------------------------------------------------------------------------------------- */

static void drop_pending(struct autodiscover_look *l)
{
    for (size_t i = 0; i < l->result.count; i++) {
        autodiscover_probe_free(&l->visits[i].probe);
        dns_query_free(&l->visits[i].query);
        if (l->result.candidates[i].verdict == VERDICT_PENDING)
            l->result.candidates[i].verdict = VERDICT_LEFT;
    }
}

static void take_cloud(struct autodiscover_look *l)
{
    struct autodiscover_look_result *r = &l->result;
    for (size_t i = 0; i < r->count; i++) {
        const struct autodiscover_candidate *c = &r->candidates[i];
        struct autodiscover_url u;
        if (c->kind != PROBE_JSON || c->verdict != VERDICT_ANSWERS || !autodiscover_url_read(str_from(c->lead), &u) ||
            !u.https)
            continue;
        if (str_ends(str_from(c->name), STR("=EWS")))
            r->cloud_ews = c->lead;
        else
            r->cloud_eas = c->lead;
    }
}

static void settle(void *ud)
{
    struct autodiscover_look *l = ud;
    struct autodiscover_look_result *r = &l->result;
    int best = find_best(l, PROBE_POX);
    if (best >= 0 && !l->impatient && !timer_active(l->grace))
        timer_start(l->grace, AUTODISCOVER_GRACE_MS);
    if (!is_settled(l, l->phase == PHASE_CANDIDATES ? best : -1))
        return;
    if (l->phase == PHASE_CANDIDATES) {
        drop_pending(l);
        l->phase = PHASE_CLOUD;
        /* Mail that goes through Microsoft's filters may well lie at home: the domain's own server knows better. */
        if (!r->cloud && best < 0) {
            r->cloud = l->mx_cloud;
            r->cloud_from = l->mx_from;
        }
        if (r->cloud)
            add_cloud(l, r->cloud, r->cloud_from);
    }
    if (l->phase == PHASE_CLOUD && is_settled(l, -1)) {
        take_cloud(l);
        l->phase = PHASE_ENDPOINTS;
        if (best < 0 && !r->cloud && !l->opts.host && l->domain.n)
            add_endpoints(l);
    }
    if (l->phase != PHASE_ENDPOINTS || !is_settled(l, -1))
        return;
    l->phase = PHASE_DONE;
    r->best = best;
    r->best_ews = find_best(l, PROBE_EWS);
    r->best_eas = find_best(l, PROBE_EAS);
    l->cb(l->ud, r);
}

static void on_grace(void *ud)
{
    struct autodiscover_look *l = ud;
    l->impatient = true;
    settle(l);
}

/* --- answers -------------------------------------------------------------------------------------------------- */

static void note(struct autodiscover_look *l, struct autodiscover_candidate *c, const struct err *err)
{
    if (err->code != ERR_NONE)
        c->text = arena_strdup(&l->arena, str_from(err->text));
}

/* `from` leads to a URL: that of an autodiscover service, or it is no use. */
static void follow(struct autodiscover_look *l, int from, const char *to)
{
    struct autodiscover_candidate *c = &l->result.candidates[from];
    struct autodiscover_url u;
    if (!autodiscover_url_read(str_from(to), &u) || !u.https || c->hops >= AUTODISCOVER_HOPS_MAX) {
        c->verdict = VERDICT_BAD_LEAD;
        return;
    }
    const struct autodiscover_cloud *cloud = autodiscover_cloud_by_host(u.host);
    if (c->kind == PROBE_JSON && !cloud) {
        c->verdict = VERDICT_BAD_LEAD;
    } else if (c->kind == PROBE_JSON || !cloud) {
        add(l, c->kind == PROBE_JSON ? PROBE_JSON : PROBE_POX, str_from(to), from);
    } else if (!l->result.cloud || rank(l, from) < rank(l, l->result.cloud_from)) {
        l->result.cloud = cloud;
        l->result.cloud_from = from;
    }
}

static void on_probe(void *ud, const struct autodiscover_probe_result *r)
{
    struct visit *v = ud;
    struct autodiscover_look *l = v->look;
    struct autodiscover_candidate *c = candidate_of(v);
    v->probe = NULL;
    c->verdict = r->verdict;
    c->status = r->status;
    c->schemes = r->schemes;
    c->frontend = r->frontend;
    c->lead = r->lead ? arena_strdup(&l->arena, str_sub(str_from(r->lead), 0, AUTODISCOVER_URL_MAX)) : NULL;
    c->versions = r->versions ? arena_strdup(&l->arena, str_sub(str_from(r->versions), 0, 200)) : NULL;
    note(l, c, r->err);
    if (c->verdict == VERDICT_LEADS && c->kind != PROBE_EWS && c->kind != PROBE_EAS)
        follow(l, (int)(c - l->result.candidates), c->lead);
    loop_defer(l->opts.net.loop, &l->settle);
}

static void take_srv(struct autodiscover_look *l, struct autodiscover_candidate *c, const struct dns_answer *answer)
{
    c->verdict = VERDICT_BAD_LEAD;
    for (size_t i = 0; i < answer->count && c->verdict != VERDICT_LEADS; i++) {
        const struct dns_record *d = &answer->records[i];
        if (!*d->name)
            continue;
        if (d->port != 443) { /* nobody offers autodiscover on another port over https */
            c->lead = arena_printf(&l->arena, "%s, port %u", d->name, d->port).p;
            continue;
        }
        c->lead = arena_printf(&l->arena, "https://%s%s", d->name, POX_PATH).p;
        c->verdict = VERDICT_LEADS;
        follow(l, (int)(c - l->result.candidates), c->lead);
    }
}

static void take_mx(struct autodiscover_look *l, struct autodiscover_candidate *c, const struct dns_answer *answer)
{
    c->verdict = VERDICT_NOTHING;
    for (size_t i = 0; i < answer->count && !l->mx_cloud; i++) {
        if (*answer->records[i].name)
            c->lead = arena_strdup(&l->arena, str_from(answer->records[i].name));
        l->mx_cloud = autodiscover_cloud_by_mx(str_from(answer->records[i].name));
    }
    if (l->mx_cloud) {
        c->verdict = VERDICT_LEADS;
        l->mx_from = (int)(c - l->result.candidates);
    }
}

static void on_dns(void *ud, const struct err *err, const struct dns_answer *answer)
{
    struct visit *v = ud;
    struct autodiscover_look *l = v->look;
    struct autodiscover_candidate *c = candidate_of(v);
    v->query = NULL;
    if (err->code != ERR_NONE)
        c->verdict = err->code == ERR_NOT_FOUND ? VERDICT_NOTHING : VERDICT_TIMEOUT;
    else if (c->kind == PROBE_SRV)
        take_srv(l, c, answer);
    else
        take_mx(l, c, answer);
    note(l, c, err);
    loop_defer(l->opts.net.loop, &l->settle);
}

struct http_client *autodiscover_client(const struct autodiscover_net *net, unsigned max_connections)
{
    return http_client_new(net->loop, &(struct http_client_opts){.account = "autodiscover",
                                                                 .user_agent = net->user_agent,
                                                                 .ca_file = net->ca_file,
                                                                 .proxy = net->proxy,
                                                                 .client_cert = net->client_cert,
                                                                 .client_key = net->client_key,
                                                                 .tls_min = net->tls_min,
                                                                 .max_connections = max_connections});
}

/* --- life ------------------------------------------------------------------------------------------------------- */

struct autodiscover_look *autodiscover_look(const struct autodiscover_look_opts *opts, autodiscover_look_cb *cb,
                                            void *ud)
{
    struct autodiscover_look *l = MEM_NEW(struct autodiscover_look);
    l->opts = *opts;
    l->cb = cb;
    l->ud = ud;
    l->email = mem_strdup(opts->email);
    l->domain = autodiscover_domain(str_from(l->email));
    l->result.best = l->result.best_ews = l->result.best_eas = -1;
    l->result.cloud_from = l->mx_from = -1;
    l->client = autodiscover_client(&opts->net, CONNECTIONS_MAX);
    l->grace = timer_new(opts->net.loop, on_grace, l);
    deferred_init(&l->settle, settle, l);
    if (l->domain.n || opts->host)
        add_first(l);
    loop_defer(opts->net.loop, &l->settle); /* with nothing to wait for, too */
    return l;
}

void autodiscover_look_free(struct autodiscover_look **look)
{
    struct autodiscover_look *l = *look;
    *look = NULL;
    if (!l)
        return;
    drop_pending(l);
    loop_defer_cancel(&l->settle);
    timer_free(&l->grace);
    http_client_free(&l->client);
    arena_done(&l->arena);
    mem_free(l->email);
    mem_free(l);
}
