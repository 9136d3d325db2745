/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/cli.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/control.h"

#define ASK_TIMEOUT_S 30
#define NAMES_SHOWN   8

/* --- saying --------------------------------------------------------------------------------------- */

static void say_to(FILE *to, const char *prefix, const char *fmt, va_list ap)
{
    struct buf text = BUF_INIT(0), clean = BUF_INIT(0);
    buf_lit(&text, prefix);
    buf_vprintf(&text, fmt, ap);
    text_add_printable(&clean, buf_view(&text));
    buf_byte(&clean, '\n');
    fwrite(clean.p, 1, clean.n, to);
    buf_done(&text);
    buf_done(&clean);
}

void cli_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_to(stdout, "", fmt, ap);
    va_end(ap);
}

void cli_complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_to(stderr, "exbridge: ", fmt, ap);
    va_end(ap);
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
    struct err what;
    va_list ap;
    va_start(ap, fmt);
    err_vset(&what, ERR_INVALID, fmt, ap);
    va_end(ap);
    cli_complain("%s; see exbridge %s%s", what.text, c->command ? "help " : "--help",
                 c->command ? c->command->name : "");
    return EX_USAGE;
}

int cli_exit_code(enum err_code code)
{
    static const int codes[] = {
        [ERR_NONE] = EX_OK,
        [ERR_AUTH] = EX_NOPERM,
        [ERR_DENIED] = EX_NOPERM,
        [ERR_NOT_FOUND] = EX_NOINPUT,
        [ERR_EXISTS] = EX_TEMPFAIL,
        [ERR_CONFLICT] = EX_TEMPFAIL,
        [ERR_INVALID] = EX_CONFIG,
        [ERR_UNSUPPORTED] = EX_UNAVAILABLE,
        [ERR_TOO_BIG] = EX_DATAERR,
        [ERR_QUOTA] = EX_CANTCREAT,
        [ERR_THROTTLED] = EX_TEMPFAIL,
        [ERR_OFFLINE] = EX_UNAVAILABLE,
        [ERR_PROTOCOL] = EX_PROTOCOL,
        [ERR_STALE] = EX_TEMPFAIL,
        [ERR_POLICY] = EX_NOPERM,
        [ERR_DISK] = EX_IOERR,
        [ERR_INTERNAL] = EX_SOFTWARE,
    };
    _Static_assert(sizeof(codes) / sizeof(codes[0]) == ERR_MAX, "every error has an exit status");
    return codes[code];
}

int cli_fail(const struct err *err)
{
    cli_complain("%s", err->text);
    return cli_exit_code(err->code);
}

void cli_say_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(value);
}

bool cli_is_fancy(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

/* --- help ------------------------------------------------------------------------------------------ */

/* What does not fit into its column has a line of its own. */
static void add_entry(struct buf *out, const char *left, int width, const char *right)
{
    bool fits = strlen(left) <= (size_t)width;
    if (!fits)
        buf_printf(out, "  %s\n", left);
    buf_printf(out, "  %-*s %s\n", width, fits ? left : "", right);
}

void cli_help(const struct cli *c, struct buf *out)
{
    buf_lit(out, "usage: exbridge COMMAND [ARGUMENTS] [-c FILE]\n"
                 "\n"
                 "A local bridge from IMAP, SMTP and CalDAV to Microsoft Exchange (EWS and ActiveSync).\n"
                 "\n");
    for (size_t i = 0; c->commands[i]; i++) {
        const struct cli_command *k = c->commands[i];
        struct buf left = BUF_INIT(0);
        buf_printf(&left, "%s%s%s", k->name, k->args ? " " : "", k->args ? k->args : "");
        add_entry(out, buf_z(&left), 32, k->summary);
        buf_done(&left);
    }
    buf_lit(out,
            "\n"
            "  -c FILE, --config FILE           the configuration; default $XDG_CONFIG_HOME/exbridge/exbridge.conf\n"
            "  --version, --help                exbridge help COMMAND says more about one of them\n"
            "\n"
            "exit status: 0 fine, 64 wrong usage, 66 no such thing, 69 not reachable or not running, 70 a bug,\n"
            "             74 disk trouble, 75 try later (running already, port taken), 77 not allowed, 78 wrong\n"
            "             configuration\n");
}

void cli_help_command(const struct cli_command *command, struct buf *out)
{
    const struct cli_flag *flags = command->flags;
    buf_printf(out, "usage: exbridge %s%s%s%s [-c FILE]\n\n%s\n", command->name, command->args ? " " : "",
               command->args ? command->args : "", flags ? " [FLAGS]" : "", command->summary);
    if (command->help)
        buf_printf(out, "\n%s", command->help);
    if (flags)
        buf_byte(out, '\n');
    for (size_t i = 0; flags && flags[i].name; i++) {
        struct buf left = BUF_INIT(0);
        buf_printf(&left, "%s%s%s", flags[i].name, flags[i].value ? " " : "", flags[i].value ? flags[i].value : "");
        add_entry(out, buf_z(&left), 22, flags[i].help);
        buf_done(&left);
    }
}

/* --- the words of a call ---------------------------------------------------------------------------- */

const char *cli_flag(const struct cli *c, const char *name)
{
    const struct cli_flag *flags = c->command->flags;
    for (size_t i = 0; flags && flags[i].name; i++)
        if (strcmp(flags[i].name, name) == 0)
            return c->values[i];
    return NULL;
}

struct words {
    int argc, at;
    char **argv;
    bool flags_over; /* after -- */
};

/* "--flag=value" or "--flag value". */
static bool take_value(struct words *w, const char *word, size_t name_length, const char **ret_value)
{
    if (word[name_length] == '=') {
        *ret_value = word + name_length + 1;
        return true;
    }
    if (w->at == w->argc)
        return false;
    *ret_value = w->argv[w->at++];
    return true;
}

static bool is_flag(const char *word, const char *name)
{
    size_t n = strlen(name);
    return strncmp(word, name, n) == 0 && (word[n] == '\0' || word[n] == '=');
}

static int take_own_flag(struct cli *c, struct words *w, const char *word)
{
    const struct cli_flag *flags = c->command->flags;
    for (size_t i = 0; flags && flags[i].name; i++) {
        if (!is_flag(word, flags[i].name))
            continue;
        if (c->values[i])
            return cli_usage(c, "%s is there twice", flags[i].name);
        if (!flags[i].value && word[strlen(flags[i].name)] == '=')
            return cli_usage(c, "%s has no value", flags[i].name);
        c->values[i] = "";
        if (flags[i].value && !take_value(w, word, strlen(flags[i].name), &c->values[i]))
            return cli_usage(c, "%s %s: the value is missing", flags[i].name, flags[i].value);
        return EX_OK;
    }
    return cli_usage(c, "unexpected: %s", word);
}

static int take_flag(struct cli *c, struct words *w, const char *word)
{
    const char *name = is_flag(word, "--config") ? "--config" : "-c";
    if (!is_flag(word, name))
        return take_own_flag(c, w, word);
    if (c->config_file)
        return cli_usage(c, "-c is there twice");
    if (!take_value(w, word, strlen(name), &c->config_file))
        return cli_usage(c, "-c FILE: the file is missing");
    return EX_OK;
}

static int take_words(struct cli *c, struct words *w)
{
    int code = EX_OK;
    while (code == EX_OK && w->at < w->argc) {
        const char *word = w->argv[w->at++];
        if (!w->flags_over && strcmp(word, "--") == 0)
            w->flags_over = true;
        else if (!w->flags_over && word[0] == '-' && word[1])
            code = take_flag(c, w, word);
        else if (c->arg_count == c->command->max_args || c->arg_count == CLI_ARGS_MAX)
            code = cli_usage(c, "unexpected: %s", word);
        else
            c->args[c->arg_count++] = word;
    }
    if (code == EX_OK && c->arg_count < c->command->min_args)
        code = cli_usage(c, "something is missing: exbridge %s %s", c->command->name, c->command->args);
    return code;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static void print_and_drop(struct buf *text)
{
    fwrite(text->p, 1, text->n, stdout);
    buf_done(text);
}

static int no_command(const struct cli *c, const char *name)
{
    const char *best = NULL;
    size_t least = 3;
    for (size_t i = 0; c->commands[i]; i++) {
        size_t distance = str_distance(str_from(name), str_from(c->commands[i]->name));
        if (distance < least) {
            best = c->commands[i]->name;
            least = distance;
        }
    }
    if (name[0] == '-')
        return cli_usage(c, "%s: the command comes first, as in exbridge status -c FILE", name);
    return cli_usage(c, "there is no command %s%s%s%s", name, best ? " (did you mean " : "", best ? best : "",
                     best ? "?)" : "");
}

/* Who starts us with one of them closed: else the next file that is opened, a lock or a database, would be what is
 * printed to. What is printed there fails, as it should. */
static bool keep_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            return false;
    return true;
}

static int call(const struct cli_command *const *commands, int argc, char **argv)
{
    struct cli c = {.commands = commands};
    struct words w = {.argc = argc, .argv = argv, .at = 2};
    struct buf text = BUF_INIT(0);
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name)
        return cli_usage(&c, "a command is missing");
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        cli_help(&c, &text);
        print_and_drop(&text);
        return EX_OK;
    }
    if (strcmp(name, "--version") == 0) {
        puts("exbridge " EXBRIDGE_VERSION);
        return EX_OK;
    }
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(name, commands[i]->name) == 0)
            c.command = commands[i];
    if (!c.command)
        return no_command(&c, name);
    if (asks_help(argc - 2, argv + 2)) {
        cli_help_command(c.command, &text);
        print_and_drop(&text);
        return EX_OK;
    }
    int code = take_words(&c, &w);
    if (code == EX_OK)
        code = c.command->fn(&c);
    config_free(&c.config);
    return code;
}

int cli_main(const struct cli_command *const *commands, int argc, char **argv)
{
    int code = keep_standard_descriptors() ? call(commands, argc, argv) : EX_OSERR;
    return fflush(stdout) != 0 && code == EX_OK ? EX_IOERR : code;
}

/* --- the configuration and the daemon ----------------------------------------------------------------- */

bool cli_config_path(const struct cli *c, struct buf *out, struct err *err)
{
    if (!c->config_file)
        return config_default_path(out, err);
    return buf_lit(out, c->config_file);
}

struct config *cli_config(struct cli *c)
{
    struct buf path = BUF_INIT(0), problems = BUF_INIT(0);
    struct err err;
    if (c->config || c->config_broken)
        return c->config;
    if (cli_config_path(c, &path, &err))
        c->config = config_load(buf_z(&path), &problems);
    else
        cli_complain("%s", err.text);
    fwrite(problems.p ? problems.p : "", 1, problems.n, stderr);
    c->config_broken = !c->config;
    buf_done(&path);
    buf_done(&problems);
    return c->config;
}

/* `address`: of those with that one; NULL: of all. */
static void add_names(const struct config *config, const char *address, struct buf *names)
{
    size_t n = 0;
    for (size_t i = 0; i < config->account_count; i++)
        if ((!address || str_case_is(str_from(config->accounts[i].email), address)) && ++n <= NAMES_SHOWN)
            buf_printf(names, "%s%s", n > 1 ? ", " : "", config->accounts[i].name);
    if (n > NAMES_SHOWN)
        buf_lit(names, ", ...");
}

/* `address`: that of them all; NULL: any account would do. */
static void complain_of_several(const struct config *config, const char *address)
{
    struct buf names = BUF_INIT(0);
    add_names(config, address, &names);
    if (address)
        cli_complain("%s is the address of several accounts; give the name of the section: %s", address, buf_z(&names));
    else
        cli_complain("there are several accounts; name one of them: %s", buf_z(&names));
    buf_done(&names);
}

static void complain_of_none(const struct config *config, const char *name)
{
    struct buf names = BUF_INIT(0);
    add_names(config, NULL, &names);
    cli_complain("there is no account %s in %s%s%s", name ? name : "", config->path, names.n ? "; there is: " : "",
                 buf_z(&names));
    buf_done(&names);
}

struct config_account *cli_account(struct cli *c, const char *name)
{
    struct config *config = cli_config(c);
    struct config_account *found = NULL;
    if (!config)
        return NULL;
    for (size_t i = 0; name && i < config->account_count; i++)
        if (strcmp(config->accounts[i].name, name) == 0)
            return &config->accounts[i];
    for (size_t i = 0; i < config->account_count; i++) {
        if (name && !str_case_is(str_from(config->accounts[i].email), name))
            continue;
        if (found) {
            complain_of_several(config, name);
            return NULL;
        }
        found = &config->accounts[i];
    }
    if (!found)
        complain_of_none(config, name);
    return found;
}

bool cli_ask_daemon(struct cli *c, const char *command, json_t *args, json_t **ret_answer, struct err *err)
{
    const struct config *config = cli_config(c);
    struct buf file = BUF_INIT(0), dir = BUF_INIT(0), path = BUF_INIT(0);
    bool ok = cli_config_path(c, &file, err);
    if (ok && config)
        buf_str(&dir, str_from(config->server.state_dir));
    else if (ok && !config_state_dir(buf_z(&file), &dir))
        ok = err_set(err, ERR_INVALID, "no usable configuration");
    if (ok) {
        control_path(&path, buf_z(&dir));
        struct control_call call = {.path = buf_z(&path),
                                    .config_path = buf_z(&file),
                                    .command = command,
                                    .args = args,
                                    .timeout_s = ASK_TIMEOUT_S};
        ok = control_call(&call, ret_answer, err);
    } else {
        json_decref(args);
    }
    buf_done(&file);
    buf_done(&dir);
    buf_done(&path);
    return ok;
}
