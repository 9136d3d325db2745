/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/base/text.h"
#include "bridge/cli/client_texts.h"
#include "bridge/cli/commands.h"
#include "certs/certs.h"

#define VALUES_MAX 32
#define TRUTHS_MAX 16

/* What a template can ask for. */
struct facts {
    struct arena arena;
    const char *escaped; /* struct client_text */
    struct {
        const char *name, *value;
    } values[VALUES_MAX];
    struct {
        const char *name;
        bool is;
    } truths[TRUTHS_MAX];
    size_t value_count, truth_count;
};

static void set(struct facts *f, const char *name, const char *value)
{
    f->values[f->value_count].name = name;
    f->values[f->value_count++].value = value;
}

static void set_number(struct facts *f, const char *name, uint64_t n)
{
    set(f, name, arena_printf(&f->arena, "%llu", (unsigned long long)n).p);
}

static void set_truth(struct facts *f, const char *name, bool is)
{
    f->truths[f->truth_count].name = name;
    f->truths[f->truth_count++].is = is;
}

static const char *value_of(const struct facts *f, struct str name)
{
    for (size_t i = 0; i < f->value_count; i++)
        if (str_is(name, f->values[i].name))
            return f->values[i].value;
    return NULL;
}

static bool is_true(const struct facts *f, struct str name)
{
    for (size_t i = 0; i < f->truth_count; i++)
        if (str_is(name, f->truths[i].name))
            return f->truths[i].is;
    return false;
}

/* --- templates ----------------------------------------------------------------------------------------------- */

/* Takes the {words} off the beginning of a line; are all of them true? */
static bool take_conditions(const struct facts *f, struct str *line)
{
    bool all = true;
    while (line->n && line->p[0] == '{') {
        size_t end = str_find_byte(*line, '}');
        all &= is_true(f, str_sub(*line, 1, end - 1));
        *line = str_skip(*line, end + 1);
    }
    return all;
}

/* What people and servers have named stands in quotes there. */
static void add_value(const struct facts *f, struct str name, struct buf *out)
{
    static const char *const named[] = {"user", "email", "drafts", "trash"};
    const char *value = value_of(f, name), *escaped = NULL;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        if (str_is(name, named[i]))
            escaped = f->escaped;
    for (; value && *value; value++) {
        if (escaped && strchr(escaped, *value))
            buf_byte(out, '\\');
        buf_byte(out, *value);
    }
}

static void add_line(const struct facts *f, struct str line, struct buf *out)
{
    size_t at;
    while ((at = str_find(line, STR("$("))) != (size_t)-1) {
        size_t end = str_find_byte(str_skip(line, at), ')');
        buf_str(out, str_sub(line, 0, at));
        add_value(f, str_sub(line, at + 2, end - 2), out);
        line = str_skip(line, at + end + 1);
    }
    buf_str(out, line);
    buf_byte(out, '\n');
}

static void add_template(const struct facts *f, const char *text, struct buf *out)
{
    struct str rest = str_from(text), line;
    while (rest.n && str_cut(&rest, '\n', &line))
        if (take_conditions(f, &line))
            add_line(f, line, out);
}

/* --- facts ----------------------------------------------------------------------------------------------------- */

/* A relative -c is made absolute: the client runs elsewhere. */
static const char *absolute(struct facts *f, const char *path)
{
    char *whole = realpath(path, NULL);
    const char *found = arena_strdup(&f->arena, str_from(whole ? whole : path));
    free(whole);
    return found;
}

/* A word of a shell's command. */
static const char *sh_word(struct facts *f, const char *text)
{
    struct buf b = BUF_INIT(0);
    bool plain =
        *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@%:,=")] == '\0';
    if (plain)
        return text;
    buf_byte(&b, '\'');
    for (; *text; text++)
        buf_printf(&b, *text == '\'' ? "'\\''" : "%c", *text);
    buf_byte(&b, '\'');
    const char *word = arena_strdup(&f->arena, buf_view(&b));
    buf_done(&b);
    return word;
}

/* Beside the configuration. */
static const char *beside_config(struct facts *f, const char *config_path, const char *name)
{
    const char *path = absolute(f, config_path), *slash = strrchr(path, '/');
    return arena_printf(&f->arena, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name).p;
}

/* Mail clients sign in with the address, unless two accounts share it. */
static const char *user_of(const struct config *c, const struct config_account *a)
{
    for (size_t i = 0; i < c->account_count; i++)
        if (&c->accounts[i] != a && str_case_is(str_from(a->email), c->accounts[i].email))
            return a->name;
    return a->email;
}

static const char *word_of(struct facts *f, const char *name)
{
    char *word = arena_strdup(&f->arena, str_from(name));
    for (char *at = word; *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9')))
            *at = '_';
    return word;
}

static void set_password(struct facts *f, const struct config *c, const struct config_account *a, const char *client)
{
    bool through = a->local_auth == CONFIG_LOCAL_PASSTHROUGH;
    bool given = !through && (a->local_password_command || a->local_password_file);
    const char *file = beside_config(f, c->path, arena_printf(&f->arena, "%s-%s.password", a->name, client).p);
    set_truth(f, "made", !through && !given);
    set_truth(f, "given", given);
    set_truth(f, "passthrough", through);
    if (given && a->local_password_file)
        file = a->local_password_file;
    set(f, "passfile", file);
    set(f, "passfile-sh", sh_word(f, file));
    set(f, "passcommand",
        given && a->local_password_command ? a->local_password_command
                                           : arena_printf(&f->arena, "cat %s", sh_word(f, file)).p);
}

/* Names in the language of the mailbox, as the running daemon knows them; else the English ones. */
static void set_folders(struct cli *cli, struct facts *f, const struct config_account *a)
{
    static const struct {
        const char *name, *initial;
    } uses[] = {{"drafts", "Drafts"}, {"trash", "Deleted Items"}};
    struct err err;
    json_t *answer = NULL;
    bool asked = cli_ask_daemon(cli, "status", json_pack("{s:s}", "account", a->name), &answer, &err);
    const json_t *account = asked ? json_array_get(json_object_get(answer, "accounts"), 0) : NULL;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        const char *name = json_string_value(json_object_get(json_object_get(account, "special"), uses[i].name));
        set(f, uses[i].name, arena_strdup(&f->arena, str_from(name ? name : uses[i].initial)));
    }
    json_decref(answer);
}

static void set_security(struct facts *f, const struct config_server *v)
{
    set_truth(f, "tls", v->tls);
    set_truth(f, "plain", !v->tls);
    set(f, "security", v->tls ? "SSL/TLS from the first byte" : "no TLS");
    set(f, "security-tb", v->tls ? "SSL/TLS" : "no connection security");
    set(f, "security-evo", v->tls ? "TLS on a dedicated port" : "no encryption");
    set(f, "dav-scheme", v->tls ? "https" : "http");
}

static void set_certificate(struct facts *f, const struct config *c)
{
    const char *ca = beside_config(f, c->path, "ca.pem");
    struct buf leaf = BUF_INIT(0), fingerprint = BUF_INIT(0);
    struct err err;
    set_truth(f, "own", c->server.tls && !c->server.cert);
    set(f, "ca", ca);
    set(f, "ca-sh", sh_word(f, ca));
    buf_printf(&leaf, "%s/certs/localhost.pem", c->server.state_dir);
    if (certs_fingerprint(buf_z(&leaf), &fingerprint, &err))
        set(f, "leaf-fingerprint", arena_strdup(&f->arena, buf_view(&fingerprint)));
    else
        set(f, "leaf-fingerprint", "(there is none yet: exbridge makes it when it runs for the first time)");
    buf_done(&fingerprint);
    buf_done(&leaf);
}

static void gather(struct cli *cli, const struct config_account *a, const char *client, struct facts *f)
{
    const struct config *c = cli->config;
    const struct config_server *v = &c->server;
    struct buf encoded = BUF_INIT(0);
    text_percent_add(&encoded, str_from(user_of(c, a)), NULL);
    set_number(f, "imap", v->imap);
    set_number(f, "smtp", v->smtp);
    set_number(f, "dav", v->dav);
    set_truth(f, "imap", v->imap);
    set_truth(f, "smtp", v->smtp);
    set_truth(f, "dav", v->dav);
    set_truth(f, "ews", a->backend == BACKEND_EWS);
    set_truth(f, "eas", a->backend == BACKEND_EAS);
    set(f, "user", user_of(c, a));
    set(f, "user-url", arena_strdup(&f->arena, buf_view(&encoded)));
    set(f, "email", a->email);
    set(f, "name", a->name);
    set(f, "word", word_of(f, a->name));
    set(f, "client", client);
    set(f, "config", cli->config_file ? arena_printf(&f->arena, " -c %s", sh_word(f, absolute(f, c->path))).p : "");
    set_security(f, v);
    set_certificate(f, c);
    set_password(f, c, a, client);
    set_folders(cli, f, a);
    buf_done(&encoded);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static const struct client_text *find_client(const char *name)
{
    for (const struct client_text *t = client_texts; t->name; t++)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

static void say_clients(void)
{
    struct buf list = BUF_INIT(0);
    for (const struct client_text *t = client_texts; t->name; t++)
        buf_printf(&list, "%s%s", list.n ? ", " : "", t->name);
    fprintf(stderr, "For one client: exbridge client-settings CLIENT; there are %s\n", buf_z(&list));
    buf_done(&list);
}

/* What stands in the file of a client must not end the quotes around it. */
static bool fits(const struct client_text *client, const struct facts *f)
{
    static const char *const names[] = {"passcommand", "ca", "passfile"};
    for (size_t i = 0; client->forbidden && i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = value_of(f, str_from(names[i]));
        if (!strpbrk(value, client->forbidden))
            continue;
        cli_complain("%s's file cannot hold this in quotes: %s; %s", client->title, value,
                     i ? "use another path" : "put the command into a script and name that");
        return false;
    }
    return true;
}

static int print(struct cli *c, const struct client_text *client, const struct config_account *a)
{
    struct facts f = {.escaped = client->escaped};
    struct buf text = BUF_INIT(0);
    int code = EX_OK;
    gather(c, a, client->name, &f);
    if (client->needs && !is_true(&f, str_from(client->needs))) {
        cli_complain("%s needs the port %s, which [server] turns off (%s = 0)", client->title, client->needs,
                     client->needs);
        code = EX_CONFIG;
    } else if (!fits(client, &f)) {
        code = EX_CONFIG;
    } else {
        add_template(&f, client->text, &text);
        fwrite(text.p, 1, text.n, stdout);
    }
    buf_done(&text);
    arena_done(&f.arena);
    return code;
}

static int client_settings(struct cli *c)
{
    const struct client_text *client = c->arg_count ? find_client(c->args[0]) : NULL;
    const char *name = client ? c->args[1] : c->args[0];
    if (!client && c->arg_count == 2) {
        say_clients();
        return cli_usage(c, "there is no client %s", c->args[0]);
    }
    if (!cli_config(c))
        return EX_CONFIG;
    const struct config_account *only = c->arg_count > (client != NULL) || c->config->account_count == 1 || client
                                            ? cli_account(c, c->arg_count > (client != NULL) ? name : NULL)
                                            : NULL;
    if (client)
        return only ? print(c, client, only) : EX_NOINPUT;
    if (c->arg_count && !only) {
        say_clients(); /* perhaps one was meant */
        return EX_NOINPUT;
    }
    client = find_client("plain");
    for (size_t i = 0; i < c->config->account_count; i++)
        if (!only || only == &c->config->accounts[i])
            print(c, client, &c->config->accounts[i]);
    say_clients();
    return EX_OK;
}

static const char *const names[] = {"thunderbird", "mutt",  "neomutt",   "mbsync", "msmtp",
                                    "vdirsyncer",  "davx5", "evolution", "plain",  NULL};

const struct cli_command cli_client_settings = {
    .name = "client-settings",
    .summary = "settings for mail and calendar programs",
    .args = "[CLIENT] [ACCOUNT]",
    .help = "Prints what to enter, or for mutt, neomutt, mbsync, msmtp and vdirsyncer a working\n"
            "part of the configuration file, with the ports, names and paths of yours. The\n"
            "password itself is not in it; a comment says how it gets to where the file reads\n"
            "it. Clients: thunderbird, mutt, neomutt, mbsync, msmtp, vdirsyncer, davx5,\n"
            "evolution, plain. exbridge-clients(7) has the background.\n",
    .max_args = 2,
    .words = {CLI_WORD_LIST, CLI_WORD_ACCOUNT},
    .list = names,
    .fn = client_settings,
};
