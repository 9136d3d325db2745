/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/cli/commands.h"
#include "bridge/cli/setup.h"
#include "bridge/ini.h"
#include "bridge/io/reach.h"

/* --- what is there already --------------------------------------------------------------------------------- */

/* A file with mistakes is not added to: nobody could say what it means then. */
static bool read_old(struct setup *s, struct err *err)
{
    struct buf problems = BUF_INIT(0);
    struct stat st;
    bool ok = true;
    if (stat(s->path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR || err_set_errno(err, ERR_DISK, errno, s->path);
    s->old = config_load(s->path, &problems);
    if (!s->old) {
        struct str rest = buf_view(&problems), line;
        while (str_cut(&rest, '\n', &line) && line.n)
            setup_say("%.*s", STR_ARG(line));
        ok =
            err_set(err, ERR_INVALID, "%.150s has mistakes; nothing is added to it before they are corrected", s->path);
    }
    buf_done(&problems);
    int fd = ok ? open(s->path, O_RDONLY | O_CLOEXEC) : -1;
    while (fd >= 0) {
        char *room = buf_room(&s->old_text, 16384);
        ssize_t n = room ? read(fd, room, 16384) : 0;
        if (n <= 0) {
            ok = n == 0 || err_set_errno(err, ERR_DISK, errno, s->path);
            close(fd);
            break;
        }
        s->old_text.n += (size_t)n;
    }
    return ok;
}

static bool is_taken(void *ud, const char *name)
{
    struct setup *s = ud;
    for (size_t i = 0; s->old && i < s->old->account_count; i++)
        if (str_case_is(str_from(name), s->old->accounts[i].name))
            return true;
    for (size_t i = 0; s->old && i < s->old->login_count; i++)
        if (str_case_is(str_from(name), s->old->logins[i].name))
            return true;
    return false;
}

/* --- the flags ---------------------------------------------------------------------------------------------- */

static const struct cli_flag flags[] = {
    {"--yes", NULL, "ask nothing that has a safe answer (foreign hosts need --host)"},
    {"--host", "HOST", "ask this host; it may get the credentials"},
    {"--url", "URL", "the address of EWS or ActiveSync itself; nothing is searched"},
    {"--backend", "ews|eas", "instead of the one that fits best"},
    {"--auth", "SCHEME", "basic, ntlm, kerberos, oauth, cert or token-command"},
    {"--user", "NAME", "who signs in, when that is not the address (DOMAIN\\name)"},
    {"--password-command", "COMMAND", "prints the Exchange password; else it is asked for, and kept sealed"},
    {"--password-file", "FILE", "has it"},
    {"--token-command", "COMMAND", "prints an access token"},
    {"--client-cert", "FILE", "certificate to sign in with (PEM)"},
    {"--client-key", "FILE", "its key"},
    {"--oauth-client-id", "ID", "of the application that your organisation has registered"},
    {"--oauth-tenant", "TENANT", "its directory: a domain or an id"},
    {"--oauth-login-host", "HOST", "the login server, when it is not the one of the mailbox's cloud"},
    {"--device", NULL, "OAuth: sign in with a code, in a browser on any machine"},
    {"--no-browser", NULL, "OAuth: print the address, open no browser"},
    {"--mailbox", "ADDRESS", "open this mailbox (shared, delegated) instead of one's own"},
    {"--access", "HOW", "delegation or impersonation, with --mailbox or --service-account"},
    {"--service-account", "NAME", "write a [login] that opens other mailboxes; ADDRESS is for testing it"},
    {"--login", "NAME", "a mailbox that a [login] of the file opens"},
    {"--name", "NAME", "of the account's section"},
    {"--passthrough", NULL, "mail programs give the Exchange password; nothing is kept here"},
    {"--provision", "accept|refuse", "the answer when the server demands rules for devices"},
    {"--ca-file", "FILE", "the server's certification authority, when the system does not know it"},
    {"--proxy", "URL", "to the server, or none; without: what the environment says"},
    {"--secret-store", "file|secret-service",
     "for a new file: where the key to secrets is; else the keyring, if one answers"},
    {"--state-dir", "DIR", "for a new file"},
    {"--cache-dir", "DIR", "for a new file"},
    {"--trust", NULL, "have Thunderbird and Firefox trust the local certificate (exbridge trust)"},
    {"--no-service", NULL, "do not enable the user service"},
    {0},
};

static const char *absolute(struct setup *s, const char *path)
{
    char *real = path ? realpath(path, NULL) : NULL;
    const char *copy = real ? arena_strdup(&s->arena, str_from(real)) : path;
    free(real);
    return copy;
}

/* One that may not be there yet. */
static const char *absolute_dir(struct setup *s, const char *path)
{
    char *here = path && *path && path[0] != '/' && path[0] != '~' ? getcwd(NULL, 0) : NULL;
    const char *whole = here ? arena_printf(&s->arena, "%s/%s", here, path).p : path;
    free(here);
    return whole;
}

static void take_flags(struct setup *s, struct cli *c)
{
    struct setup_values *v = &s->v;
    const struct {
        const char *flag;
        const char **to;
    } texts[] = {
        {"--host", &s->host},
        {"--backend", &v->backend},
        {"--auth", &v->auth},
        {"--user", &v->user},
        {"--password-command", &v->password_command},
        {"--password-file", &v->password_file},
        {"--token-command", &v->token_command},
        {"--client-cert", &v->client_cert},
        {"--client-key", &v->client_key},
        {"--oauth-client-id", &v->oauth_client_id},
        {"--oauth-tenant", &v->oauth_tenant},
        {"--oauth-login-host", &v->oauth_login_host},
        {"--mailbox", &v->mailbox},
        {"--access", &v->access},
        {"--service-account", &s->service_login},
        {"--login", &v->login},
        {"--name", &v->name},
        {"--provision", &v->provision},
        {"--ca-file", &v->ca_file},
        {"--proxy", &v->proxy},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i].to = cli_flag(c, texts[i].flag);
    v->password_file = absolute(s, v->password_file);
    v->client_cert = absolute(s, v->client_cert);
    v->client_key = absolute(s, v->client_key);
    v->ca_file = absolute(s, v->ca_file);
    s->state_dir = absolute_dir(s, cli_flag(c, "--state-dir"));
    s->cache_dir = absolute_dir(s, cli_flag(c, "--cache-dir"));
    s->yes = cli_flag(c, "--yes") != NULL;
    if (cli_flag(c, "--passthrough"))
        v->local_auth = "passthrough";
    s->net = (struct autodiscover_net){.loop = s->loop,
                                       .user_agent = "exbridge",
                                       .ca_file = v->ca_file,
                                       .proxy = v->proxy && strcmp(v->proxy, "none") == 0 ? "" : v->proxy,
                                       .client_cert = v->client_cert,
                                       .client_key = v->client_key,
                                       .tls_min = 0x0303};
}

static bool is_one_of(const char *value, const char *const *list)
{
    for (size_t i = 0; value && list[i]; i++)
        if (strcmp(value, list[i]) == 0)
            return true;
    return !value;
}

/* What the flags say must make sense together, before anybody is asked anything. */
static int check_flags(struct cli *c, const struct setup *s)
{
    static const char *const backends[] = {"ews", "eas", NULL};
    static const char *const auths[] = {"basic", "ntlm", "kerberos", "oauth", "cert", "token-command", NULL};
    static const char *const accesses[] = {"delegation", "impersonation", NULL};
    static const char *const answers[] = {"accept", "refuse", NULL};
    static const char *const stores[] = {"file", "secret-service", NULL};
    const struct setup_values *v = &s->v;
    if (!is_one_of(v->backend, backends))
        return cli_usage(c, "--backend is ews or eas");
    if (!is_one_of(v->auth, auths))
        return cli_usage(c, "--auth is basic, ntlm, kerberos, oauth, cert or token-command");
    if (!is_one_of(v->access, accesses))
        return cli_usage(c, "--access is delegation or impersonation");
    if (!is_one_of(v->provision, answers))
        return cli_usage(c, "--provision is accept or refuse");
    if (!is_one_of(cli_flag(c, "--secret-store"), stores))
        return cli_usage(c, "--secret-store is file or secret-service");
    if (v->proxy && strcmp(v->proxy, "none") != 0 && !config_is_proxy(v->proxy))
        return cli_usage(c, "--proxy is a URL like http://proxy.example.com:3128, or none");
    if (s->host && cli_flag(c, "--url"))
        return cli_usage(c, "--host or --url, not both");
    if (v->password_command && v->password_file)
        return cli_usage(c, "--password-command or --password-file, not both");
    if (v->client_cert && !v->client_key)
        return cli_usage(c, "--client-cert needs --client-key");
    if (v->access && !v->mailbox && !s->service_login && !v->login)
        return cli_usage(c, "--access goes with --mailbox, --login or --service-account");
    if (s->service_login && (v->login || v->mailbox || v->local_auth || v->name))
        return cli_usage(c,
                         "--service-account writes a [login]: --login, --mailbox, --name and --passthrough belong to "
                         "accounts");
    if (v->login &&
        (v->auth || v->user || v->password_command || v->password_file || v->token_command || v->local_auth))
        return cli_usage(c, "--login %s says who signs in: no --auth, --user, --password-... and --passthrough with it",
                         v->login);
    if (v->backend && strcmp(v->backend, "eas") == 0 && (v->mailbox || s->service_login || v->login))
        return cli_usage(c, "ActiveSync opens one's own mailbox only; another one needs --backend ews");
    return EX_OK;
}

/* One that cannot be read would look like a server that does not answer. */
static int check_files(const struct setup *s)
{
    const struct {
        const char *flag, *path;
    } files[] = {{"--password-file", s->v.password_file},
                 {"--client-cert", s->v.client_cert},
                 {"--client-key", s->v.client_key},
                 {"--ca-file", s->v.ca_file}};
    struct err err;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (!files[i].path || access(files[i].path, R_OK) == 0)
            continue;
        cli_complain("%s %s: %s", files[i].flag, files[i].path, strerror(errno));
        return EX_NOINPUT;
    }
    if (s->v.ca_file && !reach_check_ca(s->v.ca_file, &err)) {
        err_prefix(&err, "--ca-file: ");
        return cli_fail(&err);
    }
    return EX_OK;
}

/* --- the roles of addresses ----------------------------------------------------------------------------------- */

static bool find_login(struct setup *s, struct err *err)
{
    static const char *const auths[] = {[AUTH_UNSET] = NULL,
                                        [AUTH_BASIC] = "basic",
                                        [AUTH_NTLM] = "ntlm",
                                        [AUTH_KERBEROS] = "kerberos",
                                        [AUTH_OAUTH] = "oauth",
                                        [AUTH_CERT] = "cert",
                                        [AUTH_TOKEN_COMMAND] = "token-command"};
    for (size_t i = 0; s->old && i < s->old->login_count; i++)
        if (strcmp(s->old->logins[i].name, s->v.login) == 0) {
            s->v.auth = auths[s->old->logins[i].auth];
            return true;
        }
    return err_set(err, ERR_NOT_FOUND,
                   "there is no [login \"%.64s\"] in %s; exbridge setup --service-account %.64s makes one", s->v.login,
                   s->path, s->v.login);
}

/* Whose mailbox, in whose name: --mailbox M ADDRESS: ADDRESS signs in, the account is M's. --login L M: L signs in.
 * --service-account L M: L signs in, and M is opened to see that it works, and not kept. */
static bool assign(struct setup *s, struct err *err)
{
    struct buf name = BUF_INIT(0);
    const char *address = s->v.email;
    if (s->v.login && !find_login(s, err))
        return false;
    if (s->v.login || s->service_login) {
        if (!s->v.access)
            s->v.access = "impersonation";
        if (s->v.login)
            s->v.mailbox = address;
        else
            s->test_mailbox = address;
    }
    if (s->v.mailbox && !setup_check_address(s, &s->v.mailbox, err))
        return false;
    if (s->service_login) {
        if (is_taken(s, s->service_login))
            return err_set(err, ERR_INVALID, "%.64s is in %.100s already; take another name", s->service_login,
                           s->path);
        s->v.name = s->service_login;
        return true;
    }
    if (s->v.name && is_taken(s, s->v.name))
        return err_set(err, ERR_INVALID, "%.64s is in %.100s already; take another --name", s->v.name, s->path);
    const char *own = s->v.mailbox ? s->v.mailbox : address;
    for (size_t i = 0; s->old && i < s->old->account_count; i++)
        if (str_case_is(str_from(own), s->old->accounts[i].email) && !s->v.name)
            return err_set(err, ERR_INVALID,
                           "%.100s is set up already, as account \"%.64s\"; a second one needs a --name", own,
                           s->old->accounts[i].name);
    if (!s->v.name) {
        setup_account_name(&name, str_from(own), is_taken, s);
        s->v.name = arena_strdup(&s->arena, buf_view(&name));
        buf_done(&name);
    }
    return true;
}

/* Mail programs of the person who typed sudo would be turned away. */
static void warn_of_sudo(void)
{
    const char *person = getenv("SUDO_USER");
    if (geteuid() == 0 && person && *person && strcmp(person, "root") != 0)
        setup_say("You are root here: the account would be root's, and mail programs of %s could not use it. To set it "
                  "up for %s, end this with ^C and run it again without sudo.",
                  person, person);
}

/* --- in order ------------------------------------------------------------------------------------------------- */

static bool go(struct setup *s, struct err *err)
{
    warn_of_sudo();
    if (!read_old(s, err) || !setup_ask_address(s, err) || !assign(s, err) || !setup_find(s, err) ||
        !setup_sign(s, err) || !setup_try(s, err))
        return false;
    if (s->v.mailbox) /* the account is the mailbox's; who signs in has a name of his own */
        s->v.email = s->v.mailbox;
    if (!setup_save(s, err))
        return false;
    setup_start(s);
    return true;
}

static int setup(struct cli *c)
{
    struct setup s = {.cli = c, .loop = loop_new()};
    struct buf path = BUF_INIT(0);
    struct err err;
    buf_init(&s.old_text, INI_FILE_MAX);
    buf_init(&s.secret, LOGIN_SECRET_MAX);
    take_flags(&s, c);
    int code = check_flags(c, &s);
    if (code == EX_OK)
        code = check_files(&s);
    if (code == EX_OK && cli_config_path(c, &path, &err)) {
        s.path = buf_z(&path);
        code = go(&s, &err) ? EX_OK : cli_fail(&err);
    } else if (code == EX_OK) {
        code = cli_fail(&err);
    }
    login_free(&s.login);
    secrets_close(&s.secrets);
    config_free(&s.trial);
    config_free(&s.old);
    config_free(&s.saved);
    loop_free(s.loop);
    buf_wipe(&s.secret);
    buf_done(&s.eas_state);
    buf_done(&s.old_text);
    mem_wipe_free(s.local_password);
    arena_done(&s.arena);
    buf_done(&path);
    return code;
}

const struct cli_command cli_setup = {
    .name = "setup",
    .summary = "from an e-mail address to a working account",
    .args = "[ADDRESS]",
    .help = "Finds the server, shows which host would get your password before it does, signs in,\n"
            "and writes an account into the configuration file; what is in it stays as it is.\n"
            "Asks at most six questions; each can be answered by a flag beforehand, or by a line on\n"
            "stdin. A line that is no answer to the question about the host ends it.\n"
            "\n"
            "A password or sign-in is kept sealed (secret-store), unless a command or file gives it.\n"
            "Mail programs get a password of this machine's own, which is shown at the end. Where\n"
            "Thunderbird or Firefox is set up already, it offers to have them trust the certificate.\n",
    .flags = flags,
    .max_args = 1,
    .fn = setup,
};
