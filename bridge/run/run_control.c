/* SPDX-License-Identifier: Apache-2.0 */
/* What the running daemon can be asked (bridge/control.h). */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/run/run.h"
#include "bridge/secrets.h"

/* --- status ------------------------------------------------------------------------------------------- */

static json_t *when(int64_t wall_s)
{
    struct buf text = BUF_INIT(0);
    time_add_iso(&text, wall_s);
    json_t *value = json_string(buf_z(&text));
    buf_done(&text);
    return value;
}

/* The next step for a person; NULL: there is none, or the text has it. */
static json_t *next_step(const struct run_account *slot, const struct account_status *s)
{
    static const struct {
        const char *state, *text;
    } table[] = {
        {"needs-login", "exbridge login %s"},
        {"needs-admin", "ask the administrator of the server; exbridge doctor %s says more"},
        {"offline", "exbridge doctor %s"},
        {"disk", "make room on this disk; account %s goes on by itself then"},
        {"trouble", "exbridge doctor %s"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(s->state, table[i].state) == 0)
            return json_sprintf(table[i].text, slot->from->name);
    return json_null();
}

static json_t *trouble_of(const struct account_status *s)
{
    if (!s->trouble_s)
        return json_null();
    return json_pack("{s:s, s:o, s:o}", "code", err_name(s->trouble.code), "text", control_text(s->trouble.text), "at",
                     when(s->trouble_s));
}

static json_t *current_of(const struct account_status *s)
{
    if (!s->current.n)
        return json_null();
    return json_pack("{s:s%, s:i}", "folder", s->current.p, s->current.n, "messages", (int)s->progress);
}

/* Names of the special folders, in the language of the mailbox: for client-settings. */
static json_t *special_of(const struct account *a)
{
    static const struct {
        enum folder_use use;
        const char *name;
    } uses[] = {
        {USE_DRAFTS, "drafts"}, {USE_SENT, "sent"}, {USE_TRASH, "trash"}, {USE_JUNK, "junk"}, {USE_ARCHIVE, "archive"}};
    json_t *o = json_object();
    size_t n;
    const struct folder *const *folders = account_folders(a, &n);
    for (size_t i = 0; i < n; i++)
        for (size_t u = 0; u < sizeof(uses) / sizeof(uses[0]); u++)
            if (folders[i]->use == uses[u].use)
                json_object_set_new(o, uses[u].name, json_stringn(folders[i]->name.p, folders[i]->name.n));
    return o;
}

static json_t *ms_as_s(uint64_t ms)
{
    return ms == UINT64_MAX ? json_null() : json_integer((json_int_t)((ms + 500) / 1000));
}

/* What `doctor` bases its line about push on. */
static json_t *facts_of(const struct backend_facts *f)
{
    return json_pack("{s:s?, s:b, s:i, s:i, s:i, s:o?, s:s?}", "push", f->push, "open", f->push_open, "open_s",
                     (int)f->push_s, "longest_s", (int)f->longest_s, "asked_s", (int)f->asked_s, "problem",
                     f->push_err.code ? control_text(f->push_err.text) : json_null(), "policy", f->policy);
}

/* Its secret, or its key, comes as soon as a person has answered. */
static bool waits_for_keyring(const struct program *p, const struct run_account *slot)
{
    enum login_source source = login_source(slot->login->login);
    return secrets_asks_somebody(p->secrets) &&
           (!slot->account ? slot->err.code == ERR_OFFLINE : source == LOGIN_STORED || source == LOGIN_OAUTH);
}

static void set_waiting(json_t *o)
{
    json_object_set_new(o, "state", json_string("waiting"));
    json_object_set_new(
        o, "text", json_string("the keyring has the key to the stored secrets, and asks somebody for its password"));
    json_object_set_new(o, "next", json_string("answer the question on the desktop"));
}

static void add_running(struct program *p, struct run_account *slot, json_t *o)
{
    struct account_status s;
    account_status(slot->account, &s);
    if (strcmp(s.state, "starting") == 0 && waits_for_keyring(p, slot)) {
        set_waiting(o);
    } else {
        json_object_set_new(o, "state", json_string(s.state));
        json_object_set_new(o, "text", s.health.code ? control_text(s.health.text) : json_null());
        json_object_set_new(o, "next", next_step(slot, &s));
    }
    json_object_set_new(o, "retry_in_s", s.retry_in_ms ? ms_as_s(s.retry_in_ms) : json_null());
    json_object_set_new(o, "answered_s_ago", ms_as_s(s.looked_ago_ms));
    json_object_set_new(o, "last_error", trouble_of(&s));
    json_object_set_new(
        o, "folders",
        json_pack("{s:i, s:i, s:i}", "all", (int)s.folders, "complete", (int)s.complete, "behind", (int)s.behind));
    json_object_set_new(o, "syncing", current_of(&s));
    json_object_set_new(o, "push", json_string(s.push));
    json_object_set_new(o, "facts", facts_of(&s.facts));
    json_object_set_new(o, "special", special_of(slot->account));
    json_object_set_new(o, "cache",
                        json_pack("{s:I, s:I, s:o}", "bytes", (json_int_t)s.cache_bytes, "limit",
                                  (json_int_t)s.cache_limit, "trouble",
                                  s.cache_trouble.code == ERR_NONE ? json_null() : control_text(s.cache_trouble.text)));
    json_object_set_new(o, "changes", json_integer((json_int_t)s.changes));
    json_object_set_new(o, "sending", json_integer((json_int_t)s.submits));
    json_object_set_new(o, "unreadable", json_integer((json_int_t)s.unread));
    json_object_set_new(o, "held", json_integer((json_int_t)s.held));
    json_object_set_new(o, "clients", json_integer((json_int_t)servers_account_clients(p->servers, slot->account)));
}

static json_t *account_as_json(struct program *p, struct run_account *slot)
{
    const struct config_account *a = slot->from;
    json_t *o = json_pack("{s:s, s:o, s:s, s:o}", "name", a->name, "email", control_text(a->email), "backend",
                          a->backend == BACKEND_EWS ? "ews" : "eas", "url", control_text(a->url));
    if (slot->account) {
        add_running(p, slot, o);
    } else if (waits_for_keyring(p, slot)) {
        set_waiting(o);
    } else {
        uint64_t again_ms = run_account_again_in_ms(p, slot);
        json_object_set_new(o, "state", json_string("closed"));
        json_object_set_new(o, "text", control_text(slot->err.text));
        json_object_set_new(o, "retry_in_s", again_ms ? ms_as_s(again_ms) : json_null());
        json_object_set_new(o, "next",
                            json_string(again_ms
                                            ? "put that right; it is opened by itself then, or at once by: exbridge"
                                              " reload"
                                            : "put that right, then: exbridge reload"));
    }
    return o;
}

static void add_listener(json_t *list, const char *protocol, uint64_t port, bool tls)
{
    if (port)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:b}", "protocol", protocol, "port", (json_int_t)port, "tls", tls));
}

static void on_status(void *ud, struct control_request *r, const json_t *args)
{
    struct program *p = ud;
    const struct config_server *v = &p->config->server;
    const char *name = json_string_value(json_object_get(args, "account"));
    json_t *list = json_array(), *accounts = json_array();
    add_listener(list, "imap", v->imap, v->tls);
    add_listener(list, "smtp", v->smtp, v->tls);
    add_listener(list, "dav", v->dav, v->tls);
    LIST_EACH (&p->slots, l) {
        struct run_account *slot = LIST_ITEM(l, struct run_account, link);
        if (!name || strcmp(name, slot->from->name) == 0)
            json_array_append_new(accounts, account_as_json(p, slot));
    }
    control_ok(r, json_pack("{s:b, s:s, s:i, s:o, s:i, s:o, s:o}", "running", 1, "version", EXBRIDGE_VERSION, "pid",
                            (int)getpid(), "since", when(p->started_s), "clients", (int)servers_clients(p->servers),
                            "listening", list, "accounts", accounts));
}

/* --- resync ------------------------------------------------------------------------------------------- */

/* The open account that a request names; NULL: it was answered. */
static struct account *account_of(struct program *p, struct control_request *r, const json_t *args)
{
    const char *name = json_string_value(json_object_get(args, "account"));
    struct run_account *slot = name ? run_find_account(p, name) : NULL;
    struct err err;
    if (slot && slot->account)
        return slot->account;
    if (slot)
        err = slot->err;
    else
        err_set(&err, ERR_NOT_FOUND, "the daemon has no account \"%.64s\"; was the file changed? exbridge reload",
                name ? name : "");
    control_fail(r, &err);
    return NULL;
}

static void on_resync(void *ud, struct control_request *r, const json_t *args)
{
    struct account *a = account_of(ud, r, args);
    const char *name = json_string_value(json_object_get(args, "folder"));
    const struct folder *folder = a && name ? account_folder_by_name(a, str_from(name)) : NULL;
    struct err err;
    if (!a)
        return;
    if (name && (!folder || !folder->selectable))
        err_set(&err, ERR_NOT_FOUND, "%s has no mail folder \"%.200s\"", account_name(a), name);
    else if (account_resync(a, folder ? folder->pk : 0, &err)) {
        log_info("control", account_name(a), "collecting %s anew, as asked", folder ? "a folder" : "everything");
        control_ok(r, NULL);
        return;
    }
    control_fail(r, &err);
}

static void on_trace(void *ud, struct control_request *r, const json_t *args)
{
    struct account *a = account_of(ud, r, args);
    if (a)
        run_trace_begin(ud, a, r);
}

/* --- reload ------------------------------------------------------------------------------------------- */

static json_t *lines_of(const struct buf *text)
{
    json_t *list = json_array();
    struct str rest = buf_view(text), line;
    while (rest.n && str_cut(&rest, '\n', &line)) {
        char *z = str_dup(line);
        json_array_append_new(list, control_text(z));
        mem_free(z);
    }
    return list;
}

static void on_reload(void *ud, struct control_request *r, const json_t *args)
{
    struct run_changes c;
    (void)args;
    bool ok = run_reload(ud, &c);
    control_ok(r, json_pack("{s:b, s:s, s:s, s:s, s:o, s:o}", "taken", ok, "added", buf_z(&c.added), "removed",
                            buf_z(&c.removed), "changed", buf_z(&c.changed), "notes", lines_of(&c.notes), "problems",
                            lines_of(&c.problems)));
    run_changes_done(&c);
}

/* --- the table ---------------------------------------------------------------------------------------- */

static void on_ping(void *ud, struct control_request *r, const json_t *args)
{
    (void)ud;
    (void)args;
    control_ok(r, json_pack("{s:s}", "version", EXBRIDGE_VERSION));
}

/* Mail is served without it, too. */
void run_start_control(struct program *p)
{
    static const struct {
        const char *name;
        control_fn *fn;
    } commands[] = {{"ping", on_ping},     {"status", on_status},   {"resync", on_resync},
                    {"reload", on_reload}, {"login", run_on_login}, {"trace", on_trace}};
    struct buf path = BUF_INIT(0);
    struct err err;
    control_path(&path, p->config->server.state_dir);
    p->control = control_new(p->loop, buf_z(&path), &err);
    buf_done(&path);
    if (!p->control) {
        log_warn("control", NULL, "%s; status, login and the like cannot reach this process", err.text);
        return;
    }
    control_serves(p->control, p->config->path);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        control_command(p->control, commands[i].name, commands[i].fn, p);
}
