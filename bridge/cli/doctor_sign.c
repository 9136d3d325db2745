/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only a signed-in user sees. One sign-in, with what the account has; none when the running exbridge was refused
 * with it, or when the server cannot be reached anyway. What an ActiveSync server keeps of a device (folder state,
 * policy, push) is the daemon's: it is not disturbed, but asked.
 */
#include <jansson.h>
#include <string.h>

#include "backends/common/autodiscover_rules.h"
#include "bridge/base/time.h"
#include "bridge/cli/config_accounts.h"
#include "bridge/cli/doctor.h"
#include "bridge/store_look.h"

#define FOLDER_PAGES_MAX 1000
#define PUSH_TRY_MS      15000 /* for a stream of events that we open ourselves */
#define PUSH_LOOK_MS     50
#define PUSH_SHORT_S     300 /* connections that are cut sooner cost a request every few minutes */
#define QUOTA_WARN       95  /* per cent */

struct signing {
    struct doctor *doctor;
    const struct config_account *account;
    struct backend_alone alone;
    struct arena arena;
    bool done;
    struct err err;
    const char *user, *server;
    struct str cursor, inbox;
    bool more, calendar;
    bool knows_device; /* ActiveSync: the account's state says as what it is known to the server */
    size_t folders;
    struct op *watch;
    uint64_t used, limit;
};

static void on_login(void *ud, const struct reply *reply)
{
    struct signing *s = ud;
    s->done = true;
    s->err = reply->err;
    if (s->err.code != ERR_NONE)
        return;
    s->user = arena_strdup(&s->arena, reply->login.user);
    s->server = arena_strdup(&s->arena, reply->login.server);
}

static void on_folders(void *ud, const struct reply *reply)
{
    struct signing *s = ud;
    s->done = true;
    s->err = reply->err;
    for (size_t i = 0; s->err.code == ERR_NONE && i < reply->folders.count; i++) {
        const struct folder_info *f = &reply->folders.list[i];
        s->folders += !f->gone;
        s->calendar |= !f->gone && f->kind == FOLDER_CALENDAR;
        if (f->use == USE_INBOX)
            s->inbox = arena_str(&s->arena, f->id);
    }
    s->more = s->err.code == ERR_NONE && reply->folders.more;
    if (s->err.code == ERR_NONE)
        s->cursor = arena_str(&s->arena, reply->folders.cursor);
}

static bool wait(struct signing *s)
{
    backend_alone_wait(&s->alone, &s->done);
    s->done = false;
    return s->err.code == ERR_NONE;
}

/* --- the sign-in ------------------------------------------------------------------------------------------------ */

/* Signed in and kept out: what the administrator has to do, in his words. */
static const char *advice_ews(struct doctor *d, const struct config_account *a)
{
    struct autodiscover_url url;
    bool online = autodiscover_url_read(str_from(a->url), &url) && autodiscover_cloud_by_host(url.host);
    const char *address = a->mailbox && !config_is_archive(a) ? a->mailbox : a->email;
    if (online)
        return doctor_text(d,
                           "set it up over ActiveSync: exbridge setup --backend eas %s; until 2027-04-01 an "
                           "administrator can still do Set-CASMailbox %s -EwsEnabled $true and Set-OrganizationConfig "
                           "-EwsEnabled $true with your oauth-client-id in -EwsAllowedAppIDs",
                           a->email, address);
    return doctor_text(d,
                       "an administrator has to allow EWS: Set-CASMailbox %s -EwsEnabled $true (and exbridge* in "
                       "EwsAllowList, where EwsApplicationAccessPolicy is set); or set it up over ActiveSync: exbridge "
                       "setup --backend eas %s",
                       address, a->email);
}

static const char *advice_eas(struct signing *s)
{
    struct doctor *d = s->doctor;
    const char *address = s->account->email;
    struct backend_facts facts = {0};
    s->alone.backend->ops->facts(s->alone.backend, &facts);
    switch (s->err.status) {
    case 126:
    case 403:
        return doctor_text(d,
                           "an administrator has to switch ActiveSync on: Set-CASMailbox %s -ActiveSyncEnabled $true; "
                           "or to let this device in: Set-CASMailbox %s -ActiveSyncAllowedDeviceIDs @{add='%s'}",
                           address, address, facts.device);
    case 177:
        return "take away a device that is no longer used, in Outlook on the web (Settings, Mobile devices); or an "
               "administrator: Get-MobileDeviceStatistics, Remove-MobileDevice";
    default:
        return doctor_text(d,
                           "an administrator has to let this device in: Set-CASMailbox %s -ActiveSyncAllowedDeviceIDs "
                           "@{add='%s'}",
                           address, facts.device);
    }
}

static const char *advice(struct signing *s)
{
    struct doctor *d = s->doctor;
    const struct config_account *a = s->account;
    switch (s->err.code) {
    case ERR_AUTH:
        if (a->login->auth == AUTH_KERBEROS)
            return "get a ticket: kinit";
        return doctor_text(d, "exbridge login %s", a->name);
    case ERR_DENIED:
        return a->backend == BACKEND_EWS ? advice_ews(d, a) : advice_eas(s);
    case ERR_POLICY:
        return "provision = accept, if you agree to the rules";
    case ERR_THROTTLED:
        return "wait: the server asks for a pause";
    case ERR_OFFLINE:
        if (s->err.status == 0 && strstr(s->err.text, "-command: ")) /* the secret's source, not the server */
            return doctor_text(d, "try the command by hand: %s",
                               a->login->password_command ? a->login->password_command : a->login->token_command);
        return "see the lines above; try again later";
    default:
        return "is url right? exbridge setup finds it";
    }
}

static bool sign_in(struct signing *s)
{
    struct doctor *d = s->doctor;
    backend_login(s->alone.backend, STR_NULL, on_login, s);
    if (!wait(s)) {
        doctor_say(d, DOCTOR_FAIL, "sign-in", advice(s), "%s", s->err.text);
        return false;
    }
    doctor_say(d, DOCTOR_OK, "sign-in", NULL, "%s%s%s", s->user, *s->user ? ", " : "", s->server);
    if (*s->user && !s->account->mailbox && !str_case_is(str_from(s->user), s->account->email))
        doctor_say(d, DOCTOR_WARN, "address", "set email to it, if mail is to come from there",
                   "the server knows the mailbox as %s, the account as %s", s->user, s->account->email);
    return true;
}

static void on_send_limit(void *ud, const struct reply *reply)
{
    struct signing *s = ud;
    s->done = true;
    s->err = reply->err;
    s->limit = s->err.code == ERR_NONE ? reply->message_max : 0;
}

static void say_limits(struct signing *s)
{
    struct backend *b = s->alone.backend;
    uint64_t most = b->limits.message_max;
    if (b->ops->send_limit) {
        backend_send_limit(b, on_send_limit, s);
        (void)wait(s); /* that it does not tell is no fault */
        most = b->limits.message_max;
    }
    if (most)
        doctor_say(s->doctor, DOCTOR_OK, "size limit", NULL, "messages up to %.1f MB can be sent, %s",
                   (double)most / (1 << 20),
                   s->limit ? "says the server" : "which fits into one request: the server tells no limit of its own");
    else
        doctor_say(s->doctor, DOCTOR_OK, "size limit", NULL,
                   "the server does not tell it; what is too large is refused when sent");
}

/* --- what only the mailbox's owner sees over EWS -------------------------------------------------------------------
 */

static void list_folders(struct signing *s)
{
    struct doctor *d = s->doctor;
    bool served = d->config->server.dav != 0;
    s->more = true;
    for (int i = 0; s->more && i < FOLDER_PAGES_MAX; i++) {
        backend_folders(s->alone.backend, s->cursor, on_folders, s);
        if (!wait(s)) {
            doctor_say(d, DOCTOR_FAIL, "folders", advice(s), "%s", s->err.text);
            return;
        }
    }
    doctor_say(d, DOCTOR_OK, "folders", NULL, "%zu", s->folders);
    if (s->calendar)
        doctor_say(d, DOCTOR_OK, "calendar", NULL, "there, %s", served ? "served by CalDAV" : "not served: dav = 0");
    else
        doctor_say(d, DOCTOR_WARN, "calendar", "ask the administrator whether this mailbox has one",
                   "no folder for appointments");
}

static void on_quota(void *ud, const struct reply *reply)
{
    struct signing *s = ud;
    s->done = true;
    s->err = reply->err;
    s->used = s->err.code == ERR_NONE ? reply->quota.used : 0;
    s->limit = s->err.code == ERR_NONE ? reply->quota.limit : 0;
}

/* A full mailbox is the usual reason why nothing can be sent. */
static void look_at_quota(struct signing *s)
{
    struct doctor *d = s->doctor;
    backend_quota(s->alone.backend, on_quota, s);
    if (!wait(s))
        doctor_say(d, DOCTOR_WARN, "mailbox size", "see what exbridge status says of it", "%s", s->err.text);
    else if (!s->limit)
        doctor_say(d, DOCTOR_OK, "mailbox size", NULL, "the server tells no limit");
    else if (s->used / QUOTA_WARN >= s->limit / 100)
        doctor_say(d, DOCTOR_WARN, "mailbox size",
                   "delete or archive mail: a full mailbox cannot send, then not receive", "%llu MB of %llu MB",
                   (unsigned long long)(s->used >> 20), (unsigned long long)(s->limit >> 20));
    else
        doctor_say(d, DOCTOR_OK, "mailbox size", NULL, "%llu MB of %llu MB", (unsigned long long)(s->used >> 20),
                   (unsigned long long)(s->limit >> 20));
}

/* --- push --------------------------------------------------------------------------------------------------------- */

/* `how`: what it was seen by. */
static void say_push(struct doctor *d, const struct backend_facts *f, const char *how)
{
    bool cut = f->asked_s < PUSH_SHORT_S && f->push_err.code != ERR_NONE;
    if (!f->push_open && f->push_err.code != ERR_NONE)
        doctor_say(d, DOCTOR_WARN, "push",
                   doctor_text(d,
                               "have proxies and firewalls on the way leave a quiet connection open for %u minutes; "
                               "until then new mail is looked for from time to time",
                               (f->asked_s + 59) / 60),
                   "%s: %s (%s)", f->push, f->push_err.text, how);
    else if (!f->push_open)
        doctor_say(d, DOCTOR_OK, "push", NULL, "%s: none is open at this moment, the longest so far %u s (%s)", f->push,
                   f->longest_s, how);
    else
        doctor_say(d, cut ? DOCTOR_WARN : DOCTOR_OK, "push",
                   cut ? "something on the way cuts quiet connections: a firewall, NAT or proxy with a short memory"
                       : NULL,
                   "%s: open for %u s of %u s, the longest so far %u s (%s)", f->push, f->push_s, f->asked_s,
                   f->longest_s > f->push_s ? f->longest_s : f->push_s, how);
}

static void on_watch(void *ud, const struct reply *reply)
{
    struct signing *s = ud;
    s->watch = NULL;
    s->done = true; /* there is news, or it failed */
    s->err = reply->err;
}

static void on_look(void *ud)
{
    (void)ud; /* loop_turn() returns, which is enough */
}

/* Nobody else has a stream open: one of our own, until the server has accepted it. A subscription ends by itself. */
static void try_push(struct signing *s)
{
    struct doctor *d = s->doctor;
    struct backend *b = s->alone.backend;
    struct backend_facts f = {0};
    struct folder_ref inbox = {.id = s->inbox, .kind = FOLDER_MAIL};
    struct timer *look = timer_new(s->alone.loop, on_look, NULL);
    uint64_t from = time_mono_ms();
    s->watch = backend_watch(b, &inbox, s->inbox.n ? 1 : 0, on_watch, s);
    do {
        timer_start(look, PUSH_LOOK_MS);
        loop_turn(s->alone.loop);
        b->ops->facts(b, &f);
        if (s->done && s->err.code == ERR_NONE && !f.push_open && f.push_err.code == ERR_NONE) {
            s->done = false; /* "everything may have changed": that is always the first news */
            s->watch = backend_watch(b, &inbox, s->inbox.n ? 1 : 0, on_watch, s);
        }
    } while (!f.push_open && f.push_err.code == ERR_NONE && !s->done && time_mono_ms() - from < PUSH_TRY_MS);
    op_cancel(&s->watch);
    timer_free(&look);
    if (s->done && s->err.code != ERR_NONE)
        f.push_err = s->err;
    else if (!f.push_open && f.push_err.code == ERR_NONE)
        err_set(&f.push_err, ERR_OFFLINE, "nothing came within %d s", PUSH_TRY_MS / 1000);
    s->done = false;
    if (f.push_open)
        doctor_say(d, DOCTOR_OK, "push", NULL, "%s: accepted after %u ms, for up to %u s", f.push,
                   (unsigned)(time_mono_ms() - from), f.asked_s);
    else
        say_push(d, &f, "tried now");
}

/* --- what the daemon knows -------------------------------------------------------------------------------------------
 */

static const char *text_of(const json_t *o, const char *name)
{
    const char *z = json_string_value(json_object_get(o, name));
    return z ? z : "";
}

static json_int_t number_of(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

/* The evidence is the running exbridge's. False: it has none. */
static bool look_at_running_push(struct doctor *d, const json_t *status)
{
    const json_t *facts = json_object_get(status, "facts");
    struct backend_facts f = {.push = text_of(facts, "push"),
                              .push_open = json_is_true(json_object_get(facts, "open")),
                              .push_s = (unsigned)number_of(facts, "open_s"),
                              .longest_s = (unsigned)number_of(facts, "longest_s"),
                              .asked_s = (unsigned)number_of(facts, "asked_s")};
    if (!*f.push)
        return false;
    if (*text_of(facts, "problem"))
        err_set(&f.push_err, ERR_OFFLINE, "%s", text_of(facts, "problem"));
    say_push(d, &f, "seen by the running exbridge");
    return true;
}

/* False: credentials that were refused are not sent again. */
static bool look_at_status(struct doctor *d, const struct config_account *a)
{
    const json_t *status = doctor_status_of(d, a);
    const char *state = text_of(status, "state"), *next = text_of(status, "next");
    static const struct {
        const char *state;
        enum doctor_verdict verdict;
        bool go_on;
    } table[] = {
        {"online", DOCTOR_OK, true},         {"syncing", DOCTOR_OK, true},       {"starting", DOCTOR_OK, true},
        {"unknown", DOCTOR_OK, true},        {"offline", DOCTOR_WARN, true},     {"throttled", DOCTOR_WARN, false},
        {"needs-login", DOCTOR_FAIL, false}, {"needs-admin", DOCTOR_FAIL, true}, {"wiped", DOCTOR_FAIL, false},
        {"closed", DOCTOR_FAIL, true},       {"trouble", DOCTOR_WARN, true},     {"disk", DOCTOR_FAIL, true},
        {"waiting", DOCTOR_WARN, true}};
    if (!status)
        return true;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].state, state) != 0)
            continue;
        const char *push = text_of(status, "push");
        bool is_open = *push != '\0';
        doctor_say(d, table[i].verdict, "running account",
                   table[i].verdict == DOCTOR_OK ? NULL
                   : *next                       ? doctor_text(d, "%s", next)
                                                 : "exbridge status says more",
                   "%s%s%s%s%s", state, *text_of(status, "text") ? ": " : "", text_of(status, "text"),
                   *push ? ", changes come by " : "", push);
        if (is_open && table[i].verdict == DOCTOR_OK)
            d->push_told = look_at_running_push(d, status);
        return table[i].go_on;
    }
    return true;
}

/* --- in order --------------------------------------------------------------------------------------------------------
 */

static bool has_secret(struct doctor *d, const struct config_account *a)
{
    bool passthrough = a->local_auth == CONFIG_LOCAL_PASSTHROUGH;
    if (passthrough)
        doctor_say(d, DOCTOR_OK, "sign-in", NULL, "not tried: the password comes from the mail program");
    else if (d->no_secret)
        doctor_say(d, DOCTOR_WARN, "sign-in", "see the line about the stored secret",
                   "not tried: there is nothing to sign in with");
    return !passthrough && !d->no_secret;
}

/* A server tells its rules to a device that asks for mail, which our sign-in does not: what counts is what the running
 * exbridge was told, or the one that ran last. */
static void look_at_policy(struct signing *s)
{
    struct doctor *d = s->doctor;
    const char *told = text_of(json_object_get(doctor_status_of(d, s->account), "facts"), "policy");
    struct backend_facts facts = {0};
    s->alone.backend->ops->facts(s->alone.backend, &facts);
    if (*told)
        doctor_say(d, DOCTOR_OK, "policy", NULL, "%s (seen by the running exbridge)", told);
    else if (s->knows_device)
        doctor_say(d, DOCTOR_OK, "policy", NULL, "%s", facts.policy);
    else
        doctor_say(d, DOCTOR_OK, "policy", NULL, "not known yet: the server tells its rules when exbridge runs");
}

static void look_at_mailbox(struct signing *s)
{
    struct doctor *d = s->doctor;
    struct backend *b = s->alone.backend;
    if (s->account->backend == BACKEND_EWS) {
        list_folders(s);
    } else {
        look_at_policy(s);
        doctor_say(d, DOCTOR_OK, "calendar", NULL, "%s",
                   d->config->server.dav ? "served by CalDAV" : "not served: dav = 0");
    }
    if (!d->push_told && s->account->backend == BACKEND_EWS)
        try_push(s);
    else if (!d->push_told)
        doctor_say(d, DOCTOR_OK, "push", NULL, "Ping: not tried, it needs what the running exbridge knows");
    if (b->caps & CAP_QUOTA)
        look_at_quota(s);
    say_limits(s);
}

void doctor_sign(struct doctor *d, const struct config_account *a)
{
    struct signing s = {.doctor = d, .account = a};
    struct buf state = BUF_INIT(0);
    struct err err;
    d->push_told = false;
    bool go_on = look_at_status(d, a);
    if (!d->reachable || !go_on) {
        if (d->reachable)
            doctor_say(d, DOCTOR_WARN, "sign-in", "see the line above",
                       "not tried: the running exbridge knows that it would be refused");
        return;
    }
    if (!has_secret(d, a))
        return;
    d->login = config_login_open(d->config, a->login, d->loop, d->secrets);
    if (a->backend == BACKEND_EAS && store_look(doctor_state_dir(d, a), STR(BACKEND_ALONE_EAS_STATE), &state, &err) &&
        state.n) {
        backend_alone_put(&s.alone, STR(BACKEND_ALONE_EAS_STATE), buf_view(&state));
        s.knows_device = true;
    }
    buf_done(&state);
    if (!backend_alone_open_with(d->config, a, d->loop, d->login, &s.alone, &err))
        doctor_say(d, DOCTOR_FAIL, "sign-in", "correct the configuration", "%s", err.text);
    else if (sign_in(&s))
        look_at_mailbox(&s);
    if (s.alone.backend)
        backend_alone_close(&s.alone);
    login_free(&d->login);
    arena_done(&s.arena);
}
