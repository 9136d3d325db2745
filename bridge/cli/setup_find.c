/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setup finds the server. Without credentials first: who is there, and whom may they be given? The person is shown the
 * host before anything is sent to it.
 */
#include <string.h>

#include "bridge/base/time.h"
#include "bridge/cli/probe.h"
#include "bridge/cli/setup.h"

/* --- looking ---------------------------------------------------------------------------------------------- */

const char *setup_host_of(struct setup *s, const char *url)
{
    struct autodiscover_url u;
    struct buf name = BUF_INIT(0);
    if (autodiscover_url_read(str_from(url), &u))
        autodiscover_authority(&u, &name);
    else
        buf_lit(&name, url);
    const char *host = arena_strdup(&s->arena, buf_view(&name));
    buf_done(&name);
    return host;
}

struct looking {
    bool done;
    const struct autodiscover_look_result *result;
};

static void on_looked(void *ud, const struct autodiscover_look_result *result)
{
    struct looking *l = ud;
    l->result = result;
    l->done = true;
}

static void show(struct setup *s, const struct autodiscover_candidate *c)
{
    struct buf line = BUF_INIT(0);
    bool url = strstr(c->name, "://") != NULL;
    buf_printf(&line, "  %-22s %-32s %s", cli_probe_name(c->kind), url ? setup_host_of(s, c->name) : c->name,
               autodiscover_verdict_text(c->verdict));
    if (c->verdict == VERDICT_ASKS) {
        buf_lit(&line, " (");
        autodiscover_schemes_text(c->schemes, &line);
        buf_byte(&line, ')');
    } else if (c->lead && c->kind != PROBE_JSON) {
        buf_printf(&line, ": %s", strstr(c->lead, "://") ? setup_host_of(s, c->lead) : c->lead);
    } else if (c->verdict == VERDICT_BAD_CERTIFICATE && c->text) {
        buf_printf(&line, " (%s)", cli_probe_reason(c->text));
    }
    setup_say("%s", buf_z(&line));
    buf_done(&line);
}

/* Where something was found, those that have nothing at all are of no interest. */
static void show_all(struct setup *s, const struct autodiscover_look_result *r)
{
    bool found = r->best >= 0 || r->best_ews >= 0 || r->best_eas >= 0 || r->cloud;
    for (size_t i = 0; i < r->count; i++)
        if (r->candidates[i].verdict != VERDICT_LEFT && !(found && r->candidates[i].verdict == VERDICT_NOTHING))
            show(s, &r->candidates[i]);
}

static void say_clock(void)
{
    struct buf now = BUF_INIT(0);
    time_add_iso(&now, time_wall_s());
    setup_say(
        "Nothing is sent to a server whose certificate is not valid now. The clock of this machine says %.10s: is "
        "that right? If it is, the server's administrator has to renew the certificate.",
        buf_z(&now));
    buf_done(&now);
}

/* Nothing was found: what it may be that a person can do something about. */
static void explain(const struct autodiscover_look_result *r)
{
    size_t looked = 0, unknown = 0, silent = 0, untrusted = 0, dated = 0;
    for (size_t i = 0; i < r->count; i++) {
        enum autodiscover_verdict v = r->candidates[i].verdict;
        looked += v != VERDICT_LEFT && strstr(r->candidates[i].name, "://"); /* the others are the DNS's records */
        unknown += v == VERDICT_NO_NAME;
        silent += v == VERDICT_NO_CONNECTION || v == VERDICT_TIMEOUT;
        untrusted += v == VERDICT_BAD_CERTIFICATE;
        dated += v == VERDICT_BAD_CERTIFICATE && cli_probe_is_date(r->candidates[i].text);
    }
    if (dated && dated == untrusted)
        say_clock();
    else if (untrusted)
        setup_say(
            "Nothing is sent to a server whose certificate is not to be trusted. Where your company has an authority "
            "of its own, name its certificate with --ca-file; else the server's administrator has to correct it.");
    else if (looked && unknown == looked)
        setup_say("No such names: is the address right, and is this machine connected to the network?");
    else if (looked && silent && unknown + silent == looked)
        setup_say(
            "No server answers: is this machine connected to the network? Is a VPN needed, or a proxy (--proxy)?");
}

struct autodiscover_probe_result setup_probe(struct setup *s, enum autodiscover_kind kind, const char *url)
{
    return cli_probe(&s->net, &s->arena, kind, url, s->v.email);
}

/* --- whom may we send it to? ---------------------------------------------------------------------------------- */

static const char *what_goes(const struct setup *s)
{
    static const struct {
        const char *auth, *what;
    } table[] = {{"kerberos", "your Kerberos ticket"},
                 {"cert", "your client certificate"},
                 {"oauth", "your sign-in"},
                 {"token-command", "your token"}};
    for (size_t i = 0; s->v.auth && i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(s->v.auth, table[i].auth) == 0)
            return table[i].what;
    return "your password";
}

bool setup_may_send(struct setup *s, const char *url, const char *named_by, struct err *err)
{
    struct buf question = BUF_INIT(0);
    const char *host = setup_host_of(s, url);
    bool yes = false;
    if (setup_is_confirmed(s, url))
        return true;
    switch (autodiscover_trust(str_from(url), autodiscover_domain(str_from(s->v.email)), s->confirmed,
                               s->confirmed_count)) {
    case AUTODISCOVER_NEVER:
        return err_set(err, ERR_DENIED, "%.100s is not https: nothing is sent there", url);
    case AUTODISCOVER_MICROSOFT:
        if (!s->v.auth || strcmp(s->v.auth, "oauth") == 0 || strcmp(s->v.auth, "token-command") == 0)
            return true;
        return err_set(err, ERR_DENIED,
                       "%s belongs to Microsoft, which takes no passwords any more; set it up with --auth oauth", host);
    case AUTODISCOVER_OWN:
    case AUTODISCOVER_CONFIRMED:
        setup_confirm(s, url);
        return true; /* below a domain whose server was shown and confirmed */
    case AUTODISCOVER_ASK_FIRST:
        break;
    }
    if (s->asked[SETUP_ASK_FOREIGN])
        return err_set(err, ERR_DENIED,
                       "and now on to %.100s: that is one redirect too many; name the server with --host", host);
    buf_printf(&question, "%s leads to %s, which does not belong to %.*s. May it get %s, too?", named_by, host,
               STR_ARG(autodiscover_domain(str_from(s->v.email))), what_goes(s));
    bool ok = setup_ask_yes(s, SETUP_ASK_FOREIGN, buf_z(&question), false, false, "--host", &yes, err);
    buf_done(&question);
    if (ok && !yes)
        return err_set(err, ERR_DENIED, "nothing was sent to %.100s; with --host you can name the right server", host);
    if (ok)
        setup_confirm(s, url);
    return ok;
}

/* "mail.example.com", "https://mail.example.com/owa/", "mail.example.com:8443": the host in what people enter. */
static const char *read_host(struct setup *s, const char *entered, struct err *err)
{
    struct autodiscover_url u;
    if (!setup_read_url(s, &entered, err))
        return NULL;
    const char *url = strstr(entered, "://") ? entered : arena_printf(&s->arena, "https://%s/", entered).p;
    if (str_case_starts(str_from(entered), STR("http://"))) {
        err_set(err, ERR_INVALID, "only https: without it, everybody on the way would see what is sent");
        return NULL;
    }
    if (!autodiscover_url_read(str_from(url), &u)) {
        err_set(err, ERR_INVALID, "\"%.100s\" is no host; one looks like mail.example.com", entered);
        return NULL;
    }
    return setup_host_of(s, url);
}

/* A word alone is more likely the answer to another question, a name or a password, than a host of this network; and
 * what is asked for in the DNS is seen by many. */
static const char *read_answer(struct setup *s, const char *entered, struct err *err)
{
    if (!strstr(entered, "://") && entered[0] != '[' && !strchr(entered, '.') && strcmp(entered, "localhost") != 0) {
        err_set(err, ERR_INVALID, "That is no full name of a host; one looks like mail.example.com (or https://NAME/)");
        return NULL;
    }
    return read_host(s, entered, err);
}

enum host_answer { HOST_YES, HOST_OTHER, HOST_FAILED };

/* Who has written the answers beforehand does not see that he is asked again: the next line would be meant for another
 * question. The line itself may be a password. */
static bool out_of_step(const char *question, struct err *err)
{
    if (cli_is_interactive())
        return false;
    err_set(err, ERR_INVALID,
            "the line on stdin is no answer to the question \"%.120s\", so the next ones are not taken for answers "
            "either; name the server with --host",
            question);
    return true;
}

/* One question for both: is it right, and if not, which one is. `url` NULL: nothing was found. */
static enum host_answer ask_host(struct setup *s, const char *url, const char *named_by, struct err *err)
{
    struct buf question = BUF_INIT(0);
    bool own = url && autodiscover_trust(str_from(url), autodiscover_domain(str_from(s->v.email)), s->confirmed,
                                         s->confirmed_count) >= AUTODISCOVER_OWN;
    const char *host = url ? setup_host_of(s, url) : NULL, *answer = NULL;
    enum host_answer result = HOST_FAILED;
    if (url && setup_is_confirmed(s, url))
        return HOST_YES;
    if (s->yes && own) {
        setup_say("%s will get %s (--yes).", host, what_goes(s));
        setup_confirm(s, url);
        return HOST_YES;
    }
    if (s->yes) {
        err_set(err, url ? ERR_DENIED : ERR_NOT_FOUND,
                url ? "%.100s does not belong to the domain of the address; if it may get %s, name it with --host"
                    : "no server was found for %.100s; name it with --host, or its address with --url",
                url ? host : s->v.email, what_goes(s));
        return HOST_FAILED;
    }
    if (url && !own)
        setup_say("%s does not belong to %.*s; it was named by %s.", host,
                  STR_ARG(autodiscover_domain(str_from(s->v.email))), named_by);
    if (url)
        buf_printf(&question, "May %s get %s? (yes, no, or the name of the right server)", host, what_goes(s));
    else
        buf_lit(&question, "Name of the server (as in the address of its web mail)");
    for (int i = 0; i < SETUP_TRIES_MAX && result == HOST_FAILED; i++) {
        if (!setup_ask(s, SETUP_ASK_HOST, buf_z(&question), own ? "yes" : url ? "no" : NULL, &answer, err))
            break;
        struct str a = str_from(answer);
        if (url && (str_case_is(a, "yes") || str_case_is(a, "y"))) {
            setup_confirm(s, url);
            result = HOST_YES;
        } else if (str_case_is(a, "no") || str_case_is(a, "n") || str_case_is(a, "yes") || a.n == 0) {
            err_set(err, ERR_DENIED, "nothing was sent; setup ends here. With --host you can name the right server");
            if (url || out_of_step(buf_z(&question), err))
                break;
            setup_say("A name is needed, like mail.example.com. ^C ends setup.");
        } else if ((s->host = read_answer(s, answer, err))) {
            result = HOST_OTHER;
        } else if (out_of_step(buf_z(&question), err)) {
            break;
        } else {
            setup_say("%s", err->text);
        }
    }
    buf_done(&question);
    return result;
}

/* --- what was found ----------------------------------------------------------------------------------------------- */

static void take_cloud(struct setup *s, const struct autodiscover_look_result *r)
{
    const struct autodiscover_candidate *from = r->cloud_from >= 0 ? &r->candidates[r->cloud_from] : NULL;
    s->cloud = r->cloud;
    s->eas_url = arena_strdup(&s->arena, str_from(r->cloud_eas ? r->cloud_eas : r->cloud->eas_url));
    s->ews_url = r->cloud_ews ? arena_strdup(&s->arena, str_from(r->cloud_ews))
                              : arena_printf(&s->arena, "https://%s/EWS/Exchange.asmx", r->cloud->host).p;
    if (r->cloud->consumer)
        s->ews_url = NULL;
    s->schemes = SCHEME_BEARER;
    setup_say("The mailbox is in %s%s%s.", r->cloud->name, from ? ", says " : "",
              from ? (strstr(from->name, "://") ? setup_host_of(s, from->name) : "the mail exchanger") : "");
}

static const char *named_by(struct setup *s, const struct autodiscover_look_result *r, int i)
{
    const struct autodiscover_candidate *c = &r->candidates[i];
    if (c->from < 0)
        return "you";
    const struct autodiscover_candidate *f = &r->candidates[c->from];
    if (f->kind == PROBE_PLAIN)
        return arena_printf(&s->arena, "%s over http, where anybody on the way can have written it",
                            setup_host_of(s, f->name))
            .p;
    if (f->kind == PROBE_SRV)
        return "the DNS, where anybody on the way can have written it";
    return setup_host_of(s, f->name);
}

/* True with s->host set anew: look again. */
static bool take_found(struct setup *s, const struct autodiscover_look_result *r, bool *ret_again, struct err *err)
{
    int best = r->best >= 0 ? r->best : r->best_ews >= 0 ? r->best_ews : r->best_eas;
    bool other = best >= 0 && !r->candidates[best].frontend && r->cloud;
    *ret_again = false;
    if (r->cloud && (best < 0 || other)) {
        take_cloud(s, r);
        return true;
    }
    const char *url = best >= 0 ? r->candidates[best].name : NULL;
    if (!url && s->host)
        setup_say("%s does not answer as an Exchange server.", s->host);
    if (!url)
        explain(r);
    switch (ask_host(s, url, url ? named_by(s, r, best) : NULL, err)) {
    case HOST_FAILED:
        return false;
    case HOST_OTHER:
        *ret_again = true;
        return true;
    case HOST_YES:
        break;
    }
    s->schemes = r->candidates[best].schemes;
    s->pox_url = r->best >= 0 ? arena_strdup(&s->arena, str_from(r->candidates[r->best].name)) : NULL;
    if (r->best_ews >= 0)
        s->ews_url = arena_strdup(&s->arena, str_from(r->candidates[r->best_ews].name));
    if (r->best_eas >= 0)
        s->eas_url = arena_strdup(&s->arena, str_from(r->candidates[r->best_eas].name));
    return true;
}

/* The user has named the endpoint: nothing is searched. */
static bool take_url(struct setup *s, const char *url, struct err *err)
{
    struct autodiscover_url u;
    if (!setup_read_url(s, &url, err))
        return false;
    if (!autodiscover_url_read(str_from(url), &u))
        return err_set(err, ERR_INVALID, "--url %.100s: not a URL like https://mail.example.com/EWS/Exchange.asmx",
                       url);
    if (!u.https)
        return err_set(err, ERR_DENIED, "--url %.100s: not https: everybody on the way would see what is sent", url);
    bool eas = str_case_find(u.path, STR("ActiveSync")) != (size_t)-1;
    if (s->v.backend)
        eas = strcmp(s->v.backend, "eas") == 0;
    else if (!eas && str_case_find(u.path, STR("/EWS")) == (size_t)-1)
        return err_set(err, ERR_INVALID, "--url %.100s: is that EWS or ActiveSync? Say it with --backend", url);
    *(eas ? &s->eas_url : &s->ews_url) = url;
    setup_confirm(s, url);
    s->cloud = autodiscover_cloud_by_host(u.host);
    struct autodiscover_probe_result r = setup_probe(s, eas ? PROBE_EAS : PROBE_EWS, url);
    setup_say("  %-22s %-32s %s", eas ? "ActiveSync" : "EWS", setup_host_of(s, url),
              autodiscover_verdict_text(r.verdict));
    s->schemes = r.schemes;
    if (r.verdict == VERDICT_ASKS || r.verdict == VERDICT_ANSWERS || r.verdict == VERDICT_FORBIDDEN)
        return true;
    if (r.err->code != ERR_NONE)
        *err = *r.err;
    else
        err_set(err, ERR_NOT_FOUND, "%.100s: %s, HTTP status %d", url, autodiscover_verdict_text(r.verdict), r.status);
    return false;
}

bool setup_find(struct setup *s, struct err *err)
{
    const char *url = cli_flag(s->cli, "--url");
    if (s->host && !(s->host = read_host(s, s->host, err)))
        return false;
    if (url)
        return take_url(s, url, err);
    for (int i = 0; i <= SETUP_TRIES_MAX; i++) {
        struct looking l = {.done = false};
        bool again;
        if (s->host)
            setup_confirm(s, arena_printf(&s->arena, "https://%s/", s->host).p); /* named by the user himself */
        setup_say("Looking for the server of %s ...", s->host ? s->host : s->v.email);
        struct autodiscover_look *look =
            autodiscover_look(&(struct autodiscover_look_opts){.net = s->net,
                                                               .email = s->v.email,
                                                               .host = s->host,
                                                               .confirmed = s->confirmed,
                                                               .confirmed_count = s->confirmed_count},
                              on_looked, &l);
        while (!l.done)
            loop_turn(s->loop);
        show_all(s, l.result);
        bool ok = take_found(s, l.result, &again, err);
        autodiscover_look_free(&look);
        if (!ok || !again)
            return ok;
    }
    return err_set(err, ERR_NOT_FOUND, "no Exchange server was found for %.100s; its address can be given with --url",
                   s->v.email);
}
