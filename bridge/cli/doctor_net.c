/* SPDX-License-Identifier: Apache-2.0 */
/* The way to the server, step by step, without credentials. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/time.h"
#include "bridge/cli/config_accounts.h"
#include "bridge/cli/doctor.h"
#include "bridge/cli/probe.h"
#include "bridge/formats/date.h"
#include "bridge/io/reach.h"

#define STEP_MS     10000
#define DAY_S       86400
#define CERT_WARN_S (14 * DAY_S)
#define CLOCK_OFF_S 300

/* --- TLS ---------------------------------------------------------------------------------------------------- */

/* The server speaks nothing that is good enough. What does it speak? */
static void look_for_old_tls(struct doctor *d, const struct reach_addresses *to, const char *host, unsigned port,
                             const struct err *why)
{
    struct reach_tls tls;
    struct err err;
    char address[46];
    int fd = reach_connect(to, port, STEP_MS, address, &err);
    struct reach_tls_opts o = {.host = host, .min = 0x0301, .timeout_ms = STEP_MS};
    if (fd >= 0 && reach_handshake(fd, &o, &tls, &err) && tls.version < 0x0303)
        doctor_say(d, DOCTOR_FAIL, "TLS",
                   "the server has to be updated; until then tls-min in the account lets it pass, weak as it is",
                   "%s, port %u: nothing newer than %s", host, port, tls.version_name);
    else
        doctor_say(d, DOCTOR_FAIL, "TLS", "is it the right port? does something on the way interfere?",
                   "%s, port %u: %s", host, port, why->text);
    if (fd >= 0)
        close(fd);
}

static const char clock_or_certificate[] =
    "is the clock of this machine right? if it is, the server's administrator has to renew the certificate";

static void look_at_cert(struct doctor *d, const struct config_account *a, const struct reach_tls *tls)
{
    if (tls->chain_count == 0)
        return;
    const struct reach_cert *own = &tls->chain[0], *last = &tls->chain[tls->chain_count - 1];
    long long days = (long long)((own->until_s - time_wall_s()) / DAY_S);
    if (tls->wrong_name)
        doctor_say(d, DOCTOR_FAIL, "server certificate", "use the name that is in it (url), or have it corrected",
                   "it is for another name: %s", own->subject);
    else if (!tls->trusted)
        doctor_say(d, DOCTOR_FAIL, "server certificate",
                   own->until_s < time_wall_s() || own->from_s > time_wall_s()
                       ? clock_or_certificate
                       : "if your organisation has an authority of its own, name its certificate with ca-file",
                   "%s; %s, issued by %s", tls->problem, own->subject, last->issuer);
    else if (own->until_s - time_wall_s() < CERT_WARN_S)
        doctor_say(d, DOCTOR_WARN, "server certificate", "tell the server's administrator", "ends in %lld days: %s",
                   days, own->subject);
    else
        doctor_say(d, DOCTOR_OK, "server certificate", NULL, "%s, issued by %s, good for %lld days%s", own->subject,
                   last->issuer, days, a->ca_file ? ", by ca-file" : "");
}

static bool look_at_tls(struct doctor *d, const struct config_account *a, const struct reach_addresses *to,
                        const char *host, unsigned port)
{
    struct reach_tls tls;
    struct err err;
    char address[46];
    int fd = reach_connect(to, port, STEP_MS, address, &err);
    if (fd < 0) {
        doctor_say(d, DOCTOR_FAIL, "connection", "is the network there? a firewall, a VPN that is needed?",
                   "%s, port %u: %s", host, port, err.text);
        return false;
    }
    doctor_say(d, DOCTOR_OK, "connection", NULL, "%s, port %u, %s", host, port, address);
    struct reach_tls_opts o = {.host = host, .ca_file = a->ca_file, .min = config_tls_min(a), .timeout_ms = STEP_MS};
    bool ok = reach_handshake(fd, &o, &tls, &err);
    if (!ok && err.code == ERR_INVALID)
        doctor_say(d, DOCTOR_FAIL, "TLS", "correct ca-file", "%s", err.text);
    else if (!ok)
        look_for_old_tls(d, to, host, port, &err);
    else if (tls.version < 0x0303)
        doctor_say(d, DOCTOR_WARN, "TLS", "the server should be updated, and tls-min taken out",
                   "%s, %s: tls-min lets it pass", tls.version_name, tls.cipher);
    else
        doctor_say(d, DOCTOR_OK, "TLS", NULL, "%s, %s", tls.version_name, tls.cipher);
    close(fd);
    if (ok)
        look_at_cert(d, a, &tls);
    return ok && tls.trusted;
}

/* --- name and connection ---------------------------------------------------------------------------------------- */

/* As libcurl reads no_proxy: names of hosts, which stand for those below them, or a star. */
static bool is_excepted(const char *host)
{
    const char *list = getenv("no_proxy") ? getenv("no_proxy") : getenv("NO_PROXY");
    struct str rest = str_from(list), name, h = str_from(host);
    while (list && str_cut(&rest, ',', &name)) {
        name = str_trim(name);
        if (str_starts(name, STR(".")))
            name = str_skip(name, 1);
        size_t before = h.n - name.n;
        if (str_is(name, "*") || (name.n && name.n <= h.n && str_case_eq(str_skip(h, before), name) &&
                                  (before == 0 || h.p[before - 1] == '.')))
            return true;
    }
    return false;
}

static const char *proxy_of(const struct config_account *a, const char *host)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    if (a->proxy)
        return *a->proxy ? "proxy in the account" : NULL;
    if (is_excepted(host))
        return NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return names[i];
    }
    return NULL;
}

/* True: a request may be tried. */
static bool look_at_way(struct doctor *d, const struct config_account *a, const struct autodiscover_url *u)
{
    const char *host = arena_strdup(&d->arena, u->host), *proxy = proxy_of(a, host);
    struct reach_addresses to;
    struct err err;
    struct buf list = BUF_INIT(0);
    if (proxy) { /* its name may hold a password */
        doctor_say(d, DOCTOR_OK, "way", NULL, "through a proxy (%s): name, connection and TLS are its business", proxy);
        return true;
    }
    if (!reach_resolve(host, &to, &err)) {
        doctor_say(d, DOCTOR_FAIL, "name",
                   err.code == ERR_NOT_FOUND ? "is the host in url right? is a VPN needed?" : "is the network there?",
                   "%s", err.text);
        return false;
    }
    for (size_t i = 0; i < to.count; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", to.list[i]);
    doctor_say(d, DOCTOR_OK, "name", NULL, "%s is %s", host, buf_z(&list));
    buf_done(&list);
    if (u->https)
        return look_at_tls(d, a, &to, host, u->port);
    doctor_say(d, DOCTOR_WARN, "TLS", "use https", "none: %s", a->url);
    return true;
}

/* --- endpoints ------------------------------------------------------------------------------------------------------
 */

static void look_at_clock(struct doctor *d, const char *date)
{
    int64_t theirs;
    int zone;
    if (!date || !date_parse(str_from(date), &theirs, &zone))
        return;
    long long off = (long long)(time_wall_s() - theirs);
    bool bad = off > CLOCK_OFF_S || off < -CLOCK_OFF_S;
    doctor_say(d, bad ? DOCTOR_WARN : DOCTOR_OK, "clock",
               bad ? "set the clock of this machine (timedatectl set-ntp true): certificates and sign-ins depend on it"
                   : NULL,
               "%lld seconds off the server's", off);
}

static unsigned scheme_of(enum config_auth auth)
{
    static const unsigned schemes[] = {[AUTH_BASIC] = SCHEME_BASIC,          [AUTH_NTLM] = SCHEME_NTLM,
                                       [AUTH_KERBEROS] = SCHEME_NEGOTIATE,   [AUTH_OAUTH] = SCHEME_BEARER,
                                       [AUTH_TOKEN_COMMAND] = SCHEME_BEARER, [AUTH_CERT] = 0};
    return schemes[auth];
}

static void look_at_schemes(struct doctor *d, const struct config_account *a, unsigned offered)
{
    struct buf list = BUF_INIT(0);
    unsigned ours = scheme_of(a->login->auth);
    autodiscover_schemes_text(offered, &list);
    d->schemes = offered;
    d->schemes_known = true;
    if (a->login->auth == AUTH_NTLM && !http_can(HTTP_AUTH_NTLM))
        doctor_say(d, DOCTOR_FAIL, "sign-in scheme", "another scheme (auth), or a libcurl that has NTLM",
                   "this libcurl has no NTLM; the server offers %s", buf_z(&list));
    else if (a->login->auth == AUTH_KERBEROS && !http_can(HTTP_AUTH_NEGOTIATE))
        doctor_say(d, DOCTOR_FAIL, "sign-in scheme", "another scheme (auth), or a libcurl that has GSS-API",
                   "this libcurl has no Negotiate; the server offers %s", buf_z(&list));
    else if (ours && !(offered & ours))
        doctor_say(d, DOCTOR_FAIL, "sign-in scheme", "set auth to one that the server offers (exbridge setup chooses)",
                   "the server offers %s, and the account's is not among them", buf_z(&list));
    else
        doctor_say(d, DOCTOR_OK, "sign-in scheme", NULL, "the server offers %s", buf_z(&list));
    buf_done(&list);
}

static bool is_there(const struct autodiscover_probe_result *r)
{
    return r->verdict == VERDICT_ASKS || r->verdict == VERDICT_ANSWERS || r->verdict == VERDICT_FORBIDDEN;
}

static void look_at_endpoint(struct doctor *d, const struct config_account *a, const struct autodiscover_net *net)
{
    enum autodiscover_kind kind = a->backend == BACKEND_EWS ? PROBE_EWS : PROBE_EAS;
    struct autodiscover_probe_result r = cli_probe(net, &d->arena, kind, a->url, a->email);
    const char *what = cli_probe_name(kind);
    d->reachable = is_there(&r);
    if (r.verdict == VERDICT_FORBIDDEN)
        doctor_say(d, DOCTOR_WARN, what,
                   "may be closed from outside, or want a client certificate: ask the administrator",
                   "%s: HTTP status 403", a->url);
    else if (d->reachable)
        doctor_say(d, DOCTOR_OK, what, NULL, "%s: %s", a->url, autodiscover_verdict_text(r.verdict));
    else if (r.err->code != ERR_NONE)
        doctor_say(d, DOCTOR_FAIL, what, "see the lines above", "%s", r.err->text);
    else
        doctor_say(d, DOCTOR_FAIL, what, "is url right? exbridge setup finds it", "%s: %s, HTTP status %d%s%s", a->url,
                   autodiscover_verdict_text(r.verdict), r.status, r.lead ? ", to " : "", r.lead ? r.lead : "");
    if (r.verdict == VERDICT_ASKS)
        look_at_schemes(d, a, r.schemes);
    if (r.err->code == ERR_NONE)
        look_at_clock(d, r.date);
}

/* The one that the account does not use, on the same host: for who thinks of a change. */
static void look_at_other(struct doctor *d, const struct config_account *a, const struct autodiscover_net *net,
                          const struct autodiscover_url *u)
{
    bool ews = a->backend == BACKEND_EAS;
    struct buf name = BUF_INIT(0);
    autodiscover_authority(u, &name);
    const char *url =
        doctor_text(d, "https://%s%s", buf_z(&name), ews ? "/EWS/Exchange.asmx" : "/Microsoft-Server-ActiveSync");
    buf_done(&name);
    struct autodiscover_probe_result r = cli_probe(net, &d->arena, ews ? PROBE_EWS : PROBE_EAS, url, a->email);
    doctor_say(d, DOCTOR_OK, ews ? "EWS (not used)" : "ActiveSync (not used)", NULL, "%s: %s%s%s", url,
               autodiscover_verdict_text(r.verdict), r.versions ? ", versions " : "", r.versions ? r.versions : "");
}

/* --- autodiscover ----------------------------------------------------------------------------- */

struct looking {
    bool done;
    const struct autodiscover_look_result *result;
};

static void on_looked(void *ud, const struct autodiscover_look_result *result)
{
    struct looking *l = ud;
    l->done = true;
    l->result = result;
}

/* A candidate that is not there is no trouble; one that is there and wrong will trouble other programs, too. */
static void say_candidate(struct doctor *d, const struct autodiscover_candidate *c)
{
    static const struct {
        enum autodiscover_verdict verdict;
        const char *fix;
    } bad[] = {
        {VERDICT_BAD_CERTIFICATE, "the certificate of this host has to be corrected, or the name taken out of the DNS"},
        {VERDICT_NO_TLS, "the host has to speak TLS 1.2 or newer, or the name to be taken out of the DNS"},
        {VERDICT_BAD_LEAD, "it leads where no program may follow: tell the administrator"},
        {VERDICT_BUSY, "the server is in trouble: tell the administrator"},
    };
    const char *fix = NULL;
    const char *trust = c->trust == AUTODISCOVER_ASK_FIRST
                            ? "; not of the mail domain: nobody gets a password there unasked"
                        : c->trust == AUTODISCOVER_MICROSOFT ? "; Microsoft's: it gets no password"
                                                             : "";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (bad[i].verdict == c->verdict)
            fix = bad[i].fix;
    if (c->verdict == VERDICT_BAD_CERTIFICATE && cli_probe_is_date(c->text))
        fix = clock_or_certificate;
    doctor_say(d, fix ? DOCTOR_WARN : DOCTOR_OK, cli_probe_name(c->kind), fix, "%s: %s%s%s%s%s%s", c->name,
               autodiscover_verdict_text(c->verdict), c->lead ? ": " : "", c->lead ? c->lead : "",
               c->text && fix ? ": " : "", c->text && fix ? cli_probe_reason(c->text) : "",
               c->verdict == VERDICT_ASKS ? trust : "");
}

static void look_at_autodiscover(struct doctor *d, const struct config_account *a, const struct autodiscover_net *net)
{
    struct looking l = {.done = false};
    struct autodiscover_look *look = autodiscover_look(
        &(struct autodiscover_look_opts){.net = *net, .email = a->email, .everything = true}, on_looked, &l);
    while (!l.done)
        loop_turn(d->loop);
    const struct autodiscover_look_result *r = l.result;
    for (size_t i = 0; i < r->count; i++)
        say_candidate(d, &r->candidates[i]);
    if (r->cloud && a->backend == BACKEND_EWS)
        doctor_say(d, DOCTOR_WARN, "Exchange Online", "set it up again over ActiveSync: exbridge setup --name NAME",
                   "the mailbox is in %s, where EWS ends on 2027-04-01", r->cloud->name);
    else if (r->cloud)
        doctor_say(d, DOCTOR_OK, "Exchange Online", NULL, "the mailbox is in %s", r->cloud->name);
    autodiscover_look_free(&look);
}

/* --- in order --------------------------------------------------------------------------------- */

void doctor_net(struct doctor *d, const struct config_account *a)
{
    struct autodiscover_url u;
    struct autodiscover_net net = {.loop = d->loop,
                                   .user_agent = "exbridge",
                                   .ca_file = a->ca_file,
                                   .proxy = a->proxy,
                                   .client_cert = a->login->client_cert,
                                   .client_key = a->login->client_key,
                                   .tls_min = config_tls_min(a)};
    if (!autodiscover_url_read(str_from(a->url), &u)) {
        doctor_say(d, DOCTOR_FAIL, "url", "correct url", "%s is no address", a->url);
        return;
    }
    if (look_at_way(d, a, &u)) {
        look_at_endpoint(d, a, &net);
        if (u.https)
            look_at_other(d, a, &net, &u);
    }
    if (!a->mailbox)
        look_at_autodiscover(d, a, &net);
}
