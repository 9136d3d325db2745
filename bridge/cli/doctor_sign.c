/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only a signed-in user sees. One sign-in, with what the account has; none when the running exbridge was refused
 * with it, or when the server cannot be reached anyway. What an ActiveSync server keeps of a device (folder state,
 * policy, push) is the daemon's: it is not disturbed, but asked.
 */
#include <jansson.h>
#include <string.h>

#include "bridge/cli/config_accounts.h"
#include "bridge/cli/doctor.h"
#include "bridge/store_look.h"

#define FOLDER_PAGES_MAX 1000

struct signing {
    struct doctor *doctor;
    const struct config_account *account;
    struct backend_alone alone;
    struct arena arena;
    bool done;
    struct err err;
    const char *user, *server;
    struct str cursor;
    bool more, calendar;
    size_t folders;
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

static const char *advice(struct doctor *d, const struct config_account *a, const struct err *err)
{
    switch (err->code) {
    case ERR_AUTH:
        if (a->login->auth == AUTH_KERBEROS)
            return "get a ticket: kinit";
        return doctor_text(d, "exbridge login %s", a->name);
    case ERR_DENIED:
        return a->backend == BACKEND_EWS
                   ? "an administrator has to allow EWS for you; or set it up over ActiveSync: exbridge "
                     "setup --backend eas"
                   : "an administrator has to allow this device";
    case ERR_POLICY:
        return "provision = accept, if you agree to the rules";
    case ERR_THROTTLED:
        return "wait: the server asks for a pause";
    case ERR_OFFLINE:
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
        doctor_say(d, DOCTOR_FAIL, "sign-in", advice(d, s->account, &s->err), "%s", s->err.text);
        return false;
    }
    doctor_say(d, DOCTOR_OK, "sign-in", NULL, "%s%s%s", s->user, *s->user ? ", " : "", s->server);
    if (*s->user && !s->account->mailbox && !str_case_is(str_from(s->user), s->account->email))
        doctor_say(d, DOCTOR_WARN, "address", "set email to it, if mail is to come from there",
                   "the server knows the mailbox as %s, the account as %s", s->user, s->account->email);
    return true;
}

static void say_limits(struct signing *s)
{
    uint64_t most = s->alone.backend->limits.message_max;
    if (most)
        doctor_say(s->doctor, DOCTOR_OK, "size limit", NULL, "messages up to %llu MB can be sent",
                   (unsigned long long)(most >> 20));
    else
        doctor_say(s->doctor, DOCTOR_OK, "size limit", NULL,
                   "the server does not tell it; what is too large is refused when sent");
}

/* --- over EWS --------------------------------------------------------------------------------------------------------
 */

static void list_folders(struct signing *s)
{
    struct doctor *d = s->doctor;
    s->more = true;
    for (int i = 0; s->more && i < FOLDER_PAGES_MAX; i++) {
        backend_folders(s->alone.backend, s->cursor, on_folders, s);
        if (!wait(s)) {
            doctor_say(d, DOCTOR_FAIL, "folders", advice(d, s->account, &s->err), "%s", s->err.text);
            return;
        }
    }
    doctor_say(d, DOCTOR_OK, "folders", NULL, "%zu", s->folders);
    if (s->calendar)
        doctor_say(d, DOCTOR_OK, "calendar", NULL, "there");
    else
        doctor_say(d, DOCTOR_WARN, "calendar", "ask the administrator whether this mailbox has one",
                   "no folder for appointments");
}

/* --- what the daemon knows -------------------------------------------------------------------------------------------
 */

static const char *text_of(const json_t *o, const char *name)
{
    const char *z = json_string_value(json_object_get(o, name));
    return z ? z : "";
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
        {"closed", DOCTOR_FAIL, true},       {"trouble", DOCTOR_WARN, true},     {"disk", DOCTOR_FAIL, true}};
    if (!status)
        return true;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].state, state) != 0)
            continue;
        const char *push = text_of(status, "push");
        doctor_say(d, table[i].verdict, "running account",
                   table[i].verdict == DOCTOR_OK ? NULL
                   : *next                       ? doctor_text(d, "%s", next)
                                                 : "exbridge status says more",
                   "%s%s%s%s%s", state, *text_of(status, "text") ? ": " : "", text_of(status, "text"),
                   *push ? ", changes come by " : "", push);
        return table[i].go_on;
    }
    return true;
}

/* --- in order --------------------------------------------------------------------------------------------------------
 */

static bool has_secret(struct doctor *d, const struct config_account *a)
{
    if (a->local_auth != CONFIG_LOCAL_PASSTHROUGH)
        return true;
    doctor_say(d, DOCTOR_OK, "sign-in", NULL, "not tried: the password comes from the mail program");
    return false;
}

void doctor_sign(struct doctor *d, const struct config_account *a)
{
    struct signing s = {.doctor = d, .account = a};
    struct buf state = BUF_INIT(0);
    struct err err;
    bool go_on = look_at_status(d, a);
    if (!d->reachable || !go_on) {
        if (d->reachable)
            doctor_say(d, DOCTOR_WARN, "sign-in", "see the line above",
                       "not tried: the running exbridge knows that it would be refused");
        return;
    }
    if (!has_secret(d, a))
        return;
    if (!backend_alone_open(d->config, a, &s.alone, &err)) {
        doctor_say(d, DOCTOR_FAIL, "sign-in", "correct the configuration", "%s", err.text);
        return;
    }
    if (a->backend == BACKEND_EAS && store_look(doctor_state_dir(d, a), STR(BACKEND_ALONE_EAS_STATE), &state, &err) &&
        state.n)
        backend_alone_put(&s.alone, STR(BACKEND_ALONE_EAS_STATE), buf_view(&state));
    if (sign_in(&s)) {
        if (a->backend == BACKEND_EWS)
            list_folders(&s);
        say_limits(&s);
    }
    backend_alone_close(&s.alone);
    arena_done(&s.arena);
    buf_done(&state);
}
