/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setup finds out who signs in and how, asks autodiscover with that, and decides on the backend. Credentials go out one
 * time for each answer of the user, and SETUP_TRIES_MAX times at most: Active Directory locks accounts after a few.
 */
#include <string.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/cli/setup.h"

/* --- which scheme --------------------------------------------------------------------------------------------- */

/* Negotiate before NTLM before Basic: what tells the server least comes first, and a weaker one is never tried because
 * a stronger one failed. ActiveSync takes Basic everywhere, and the others almost nowhere. */
const char *setup_choose_auth(unsigned schemes, bool ticket, bool cloud, bool eas)
{
    if (cloud || (schemes & ~(unsigned)SCHEME_NEGOTIATE) == SCHEME_BEARER)
        return "oauth";
    if (eas && (schemes & SCHEME_BASIC))
        return "basic";
    if ((schemes & SCHEME_NEGOTIATE) && ticket)
        return "kerberos";
    if (schemes & SCHEME_NTLM)
        return "ntlm";
    if (schemes & SCHEME_BASIC)
        return "basic";
    return schemes & SCHEME_NEGOTIATE ? "kerberos" : "basic";
}

static void on_klist(void *ud, const struct err *err, struct str output)
{
    int *found = ud;
    (void)output;
    *found = err->code == ERR_NONE;
}

static bool has_ticket(struct setup *s)
{
    int found = -1;
    child_run(s->loop, "exec klist -s 2>/dev/null", STR_NULL, 64, 5000, on_klist, &found);
    while (found < 0)
        loop_turn(s->loop);
    return found == 1;
}

bool setup_is_typed(const struct setup *s)
{
    const struct setup_values *v = &s->v;
    return !v->login && (strcmp(v->auth, "basic") == 0 || strcmp(v->auth, "ntlm") == 0) && !v->password_command &&
           !v->password_file;
}

static void choose_auth(struct setup *s)
{
    bool eas = s->v.backend ? strcmp(s->v.backend, "eas") == 0 : !s->pox_url && !s->ews_url;
    bool negotiate = (s->schemes & SCHEME_NEGOTIATE) && !s->cloud;
    if (s->v.auth)
        return;
    if (s->v.token_command)
        s->v.auth = "token-command";
    else if (s->v.client_cert)
        s->v.auth = "cert";
    else
        s->v.auth = setup_choose_auth(s->schemes, negotiate && has_ticket(s), s->cloud != NULL, eas);
}

/* --- the backend ------------------------------------------------------------------------------------------------ */

/* One endpoint is known, the other one may lie beside it. */
static const char *guess(struct setup *s, const char *known, enum autodiscover_kind kind, const char *path)
{
    const char *url = arena_printf(&s->arena, "https://%s%s", setup_host_of(s, known), path).p;
    struct autodiscover_probe_result r = setup_probe(s, kind, url);
    return r.verdict == VERDICT_ASKS || r.verdict == VERDICT_ANSWERS ? url : NULL;
}

static bool decide(struct setup *s, struct err *err)
{
    const char *why;
    const char *known = s->ews_url ? s->ews_url : s->eas_url ? s->eas_url : s->pox_url;
    bool named = cli_flag(s->cli, "--url") != NULL;
    if (known && !named && !s->cloud && !s->ews_url)
        s->ews_url = guess(s, known, PROBE_EWS, "/EWS/Exchange.asmx");
    if (known && !named && !s->cloud && !s->eas_url)
        s->eas_url = guess(s, known, PROBE_EAS, "/Microsoft-Server-ActiveSync");
    enum autodiscover_choice choice = autodiscover_recommend(
        &(struct autodiscover_facts){.cloud = s->cloud != NULL, .ews = s->ews_url != NULL, .eas = s->eas_url != NULL},
        &why);
    bool best = named ? !s->ews_url : choice == AUTODISCOVER_EAS; /* who names an address means what is there */
    bool eas = s->v.backend ? strcmp(s->v.backend, "eas") == 0 : best;
    s->v.url = eas ? s->eas_url : s->ews_url;
    if (!s->v.url)
        return err_set(err, ERR_NOT_FOUND, "no %s was found%s%s; its address can be given with --url",
                       eas ? "ActiveSync" : "EWS", s->pox_url ? " at " : "",
                       s->pox_url ? setup_host_of(s, s->pox_url) : "");
    if ((s->v.mailbox || s->service_login) && eas)
        return err_set(
            err, ERR_UNSUPPORTED,
            "another mailbox can be opened over EWS alone, and this server offers ActiveSync (or --backend eas "
            "was given)");
    if (!s->v.backend) {
        s->v.why = named ? NULL : why;
        s->v.backend = eas ? "eas" : "ews";
    }
    if (s->v.why)
        setup_say("%s at %s: %s.", eas ? "ActiveSync" : "EWS", setup_host_of(s, s->v.url), why);
    return true;
}

/* --- OAuth ---------------------------------------------------------------------------------------------------------
 */

/* Without credentials, the JSON service says where things are; on premises from Exchange 2016 on. */
static void ask_json(struct setup *s)
{
    const struct {
        const char *name;
        const char **to;
    } protocols[] = {{"EWS", &s->ews_url}, {"ActiveSync", &s->eas_url}};
    for (size_t i = 0; i < 2 && s->pox_url; i++) {
        if (*protocols[i].to)
            continue;
        struct buf url = BUF_INIT(AUTODISCOVER_URL_MAX);
        buf_printf(&url, "https://%s/autodiscover/autodiscover.json/v1.0/", setup_host_of(s, s->pox_url));
        text_percent_add(&url, str_from(s->v.email), "@");
        buf_printf(&url, "?Protocol=%s", protocols[i].name);
        struct autodiscover_probe_result r = setup_probe(s, PROBE_JSON, buf_z(&url));
        if (r.verdict == VERDICT_ANSWERS)
            *protocols[i].to = r.lead;
        buf_done(&url);
    }
}

static bool sign_oauth(struct setup *s, struct err *err)
{
    if (!s->cloud)
        ask_json(s);
    if (!decide(s, err) || !setup_may_send(s, s->v.url, "autodiscover", err))
        return false;
    if (s->v.login)
        return setup_trial_login(s, err);
    if (!s->v.oauth_client_id && !EXBRIDGE_OAUTH_CLIENT_ID[0] &&
        !setup_ask(s, SETUP_ASK_USER, "Application (client) id that your organisation has registered", NULL,
                   &s->v.oauth_client_id, err))
        return false;
    return setup_trial_sign_in(s, err);
}

/* --- with a name and a secret ----------------------------------------------------------------- */

struct asking {
    bool done;
    const struct autodiscover_ask_result *result;
};

static void on_answer(void *ud, const struct autodiscover_ask_result *result)
{
    struct asking *a = ud;
    a->result = result;
    a->done = true;
}

static bool ask_user(struct setup *s, bool again, struct err *err)
{
    const char *flag = cli_flag(s->cli, "--user");
    if (s->v.login)
        return true;
    if (strcmp(s->v.auth, "cert") == 0 || strcmp(s->v.auth, "kerberos") == 0 || (flag && !again)) {
        s->v.user = flag;
        return true;
    }
    if (s->yes) {
        s->v.user = s->v.user ? s->v.user : s->v.email;
        return true;
    }
    for (int i = 0; i < SETUP_TRIES_MAX; i++) {
        if (!setup_ask(s, SETUP_ASK_USER, "User name for the server (or DOMAIN\\name)",
                       s->v.user ? s->v.user : s->v.email, &s->v.user, err))
            return false;
        if (*s->v.user)
            return true;
    }
    return err_set(err, ERR_INVALID, "no user name was entered");
}

static bool ask_who(struct setup *s, bool again, struct err *err)
{
    char *refused = again && s->secret.n ? str_dup(buf_view(&s->secret)) : NULL;
    const char *refused_user = s->v.user;
    struct buf question = BUF_INIT(0);
    bool ok = ask_user(s, again, err);
    for (int i = 0; ok && setup_is_typed(s); i++) {
        buf_reset(&question);
        buf_printf(&question, "Password of %s", s->v.user);
        ok = setup_ask_password(s, buf_z(&question), err);
        if (!ok || !refused || strcmp(refused_user, s->v.user) != 0 || !str_is(buf_view(&s->secret), refused))
            break;
        setup_say("That is the password which the server has just refused. It is not sent again.");
        if (i == SETUP_TRIES_MAX)
            ok = err_set(err, ERR_AUTH, "the server refused this password");
    }
    mem_wipe_free(refused);
    buf_done(&question);
    return ok && setup_trial_login(s, err);
}

/* One round with autodiscover; *ret_outcome says how it ended. Strings of the result are copied. */
static enum autodiscover_outcome ask_once(struct setup *s, const char **ret_next, struct err *err)
{
    struct asking a = {.done = false};
    bool typed = setup_is_typed(s) && !s->accepted;
    struct autodiscover_ask *ask =
        autodiscover_ask(&(struct autodiscover_ask_opts){.net = s->net,
                                                         .url = s->pox_url,
                                                         .email = s->v.email,
                                                         .confirmed = s->confirmed,
                                                         .confirmed_count = s->confirmed_count,
                                                         .login = s->login,
                                                         .offered = typed ? buf_view(&s->secret) : STR_NULL},
                         on_answer, &a);
    while (!a.done)
        loop_turn(s->loop);
    const struct autodiscover_ask_result *r = a.result;
    enum autodiscover_outcome outcome = r->outcome;
    s->accepted |= r->accepted;
    *ret_next = r->next ? arena_strdup(&s->arena, str_from(r->next)) : NULL;
    if (r->ews_url)
        s->ews_url = arena_strdup(&s->arena, str_from(r->ews_url));
    if (r->eas_url)
        s->eas_url = arena_strdup(&s->arena, str_from(r->eas_url));
    for (size_t i = 0; i < r->outlook.mailbox_count; i++)
        setup_say("You can open %.*s as well (%.*s): exbridge setup --mailbox %.*s %s",
                  STR_ARG(r->outlook.mailboxes[i].address), STR_ARG(r->outlook.mailboxes[i].type),
                  STR_ARG(r->outlook.mailboxes[i].address), s->v.email);
    *err = r->err;
    autodiscover_ask_free(&ask);
    return outcome;
}

bool setup_ask_again(struct setup *s, int *tries, struct err *err)
{
    bool hashed = strcmp(s->v.auth, "ntlm") == 0 || strcmp(s->v.auth, "kerberos") == 0;
    if (err->code != ERR_AUTH)
        return false;
    if (hashed && s->schemes & SCHEME_BASIC)
        setup_say("The server takes Basic as well: --auth basic.");
    if (!setup_is_typed(s) || s->yes || ++*tries >= SETUP_TRIES_MAX)
        return false;
    setup_say("%s", err->text);
    return ask_who(s, true, err);
}

/* The answer names another e-mail address: its domain is looked at like the first one. */
static bool go_to_address(struct setup *s, const char *address, struct err *err)
{
    if (!setup_check_address(s, &address, err))
        return false;
    setup_say("The server knows this mailbox as %s.", address);
    s->v.email = address;
    s->pox_url = s->ews_url = s->eas_url = NULL;
    return setup_find(s, err);
}

static bool ask_autodiscover(struct setup *s, struct err *err)
{
    int tries = 0;
    for (int rounds = 0; s->pox_url && rounds < 2 * AUTODISCOVER_HOPS_MAX; rounds++) {
        const char *next, *from = setup_host_of(s, s->pox_url);
        switch (ask_once(s, &next, err)) {
        case AUTODISCOVER_FOUND:
            return true;
        case AUTODISCOVER_CONFIRM:
            if (!setup_may_send(s, next, from, err))
                return false;
            s->pox_url = next;
            break;
        case AUTODISCOVER_NEW_ADDRESS:
            if (!go_to_address(s, next, err))
                return false;
            break;
        case AUTODISCOVER_FAILED:
            if (err->code != ERR_AUTH && err->code != ERR_NOT_FOUND)
                setup_say("%s; looking for EWS and ActiveSync on the same host.", err->text);
            if (err->code != ERR_AUTH && (err->code != ERR_NOT_FOUND || err->status))
                return true; /* decide() looks beside it */
            if (!setup_ask_again(s, &tries, err))
                return false;
            break;
        }
    }
    return !s->pox_url ||
           err_set(err, ERR_PROTOCOL, "autodiscover goes in circles; name the server with --host or --url");
}

bool setup_sign(struct setup *s, struct err *err)
{
    choose_auth(s);
    if (strcmp(s->v.auth, "oauth") == 0)
        return sign_oauth(s, err);
    if (s->cloud && strcmp(s->v.auth, "token-command") != 0)
        return err_set(err, ERR_AUTH,
                       "%s takes no passwords any more: --auth oauth, or a program that prints a token "
                       "(--token-command)",
                       s->cloud->name);
    if (!ask_who(s, false, err) || !ask_autodiscover(s, err) || !decide(s, err))
        return false;
    return setup_may_send(s, s->v.url, s->pox_url ? setup_host_of(s, s->pox_url) : "autodiscover", err);
}
