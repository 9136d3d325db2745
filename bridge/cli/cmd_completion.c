/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for shells, made from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "bridge/cli/commands.h"

/* --- what the shells have in common --------------------------------------------------------------------- */

static void add_names(struct buf *out, const struct cli *c)
{
    for (size_t i = 0; c->commands[i]; i++)
        buf_printf(out, "%s%s", i ? " " : "", c->commands[i]->name);
}

static void add_list(struct buf *out, const char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        buf_printf(out, "%s%s", i ? " " : "", list[i]);
}

/* In single quotes. */
static void add_quoted(struct buf *out, const char *text, const char *escape)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_lit(out, "'\\'");
        else if (strchr(escape, *text))
            buf_byte(out, '\\');
        buf_byte(out, *text);
    }
}

/* --- bash ----------------------------------------------------------------------------------------------- */

static void bash_word(struct buf *out, const struct cli_command *k, size_t at)
{
    buf_printf(out, "        %s:%zu) ", k->name, at + 1);
    switch (k->words[at]) {
    case CLI_WORD_NONE:
        break;
    case CLI_WORD_ACCOUNT:
        buf_lit(out, "words=$(\"${COMP_WORDS[0]}\" completion accounts \"${config[@]}\" 2>/dev/null)");
        break;
    case CLI_WORD_FILE:
        buf_lit(out, "COMPREPLY=($(compgen -f -- \"$cur\"))");
        break;
    case CLI_WORD_LIST:
        buf_lit(out, "words='");
        add_list(out, k->list);
        buf_lit(out, "'");
        break;
    }
    buf_lit(out, " ;;\n");
}

static void bash_flags(struct buf *out, const struct cli_command *k)
{
    buf_printf(out, "        %s) words='", k->name);
    for (size_t i = 0; k->flags && k->flags[i].name; i++)
        buf_printf(out, "%s ", k->flags[i].name);
    buf_lit(out, "--config --help' ;;\n");
}

static void add_bash(struct buf *out, const struct cli *c)
{
    buf_lit(out, "# Completion of exbridge(1) for bash, made by `exbridge completion bash`.\n"
                 "_exbridge() {\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= words= i n=0\n"
                 "    local config=()\n"
                 "    COMPREPLY=()\n"
                 "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                 "        case ${COMP_WORDS[i]} in\n"
                 "        -c | --config) config=(-c \"${COMP_WORDS[i+1]/#\\~/$HOME}\"); i=$((i + 1)) ;;\n"
                 "        -*) ;;\n"
                 "        *) if [[ $command ]]; then n=$((n + 1)); else command=${COMP_WORDS[i]}; fi ;;\n"
                 "        esac\n"
                 "    done\n"
                 "    if [[ $prev == -c || $prev == --config ]]; then\n"
                 "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                 "        return\n"
                 "    elif [[ ! $command ]]; then\n"
                 "        words='");
    add_names(out, c);
    buf_lit(out, " --help --version'\n"
                 "    elif [[ $cur == -* ]]; then\n"
                 "        case $command in\n");
    for (size_t i = 0; c->commands[i]; i++)
        bash_flags(out, c->commands[i]);
    buf_lit(out, "        esac\n"
                 "    else\n"
                 "        case $command:$((n + 1)) in\n");
    for (size_t i = 0; c->commands[i]; i++)
        for (size_t at = 0; at < 2; at++)
            if (c->commands[i]->words[at] != CLI_WORD_NONE)
                bash_word(out, c->commands[i], at);
    buf_lit(out, "        help:1) words='");
    add_names(out, c);
    buf_lit(out, "' ;;\n"
                 "        esac\n"
                 "    fi\n"
                 "    [[ ! $words ]] || COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                 "}\n"
                 "complete -F _exbridge exbridge\n");
}

/* --- zsh ------------------------------------------------------------------------------------------------- */

static void zsh_word(struct buf *out, const struct cli_command *k, size_t at)
{
    bool needed = at < k->min_args;
    buf_printf(out, " '%s", needed ? ":" : "::");
    switch (k->words[at]) {
    case CLI_WORD_NONE:
        buf_lit(out, " : '");
        break;
    case CLI_WORD_ACCOUNT:
        buf_lit(out, "account:_exbridge_accounts'");
        break;
    case CLI_WORD_FILE:
        buf_lit(out, "file:_files'");
        break;
    case CLI_WORD_LIST:
        buf_lit(out, "word:(");
        add_list(out, k->list);
        buf_lit(out, ")'");
        break;
    }
}

static void zsh_command(struct buf *out, const struct cli_command *k)
{
    buf_printf(
        out, "    %s) _arguments -s '(-c --config)'{-c,--config}'[configuration]:file:_files' '--help[more about it]'",
        k->name);
    for (size_t i = 0; k->flags && k->flags[i].name; i++) {
        buf_printf(out, " '%s[", k->flags[i].name);
        add_quoted(out, k->flags[i].help, "[]:\\");
        buf_printf(out, "]%s%s%s'", k->flags[i].value ? ":" : "", k->flags[i].value ? k->flags[i].value : "",
                   k->flags[i].value ? ": " : "");
    }
    for (size_t at = 0; at < k->max_args && at < 2; at++)
        zsh_word(out, k, at);
    buf_lit(out, " ;;\n");
}

static void add_zsh(struct buf *out, const struct cli *c)
{
    buf_lit(out, "#compdef exbridge\n"
                 "# Completion of exbridge(1) for zsh, made by `exbridge completion zsh`.\n"
                 "_exbridge_accounts() {\n"
                 "    local -a names\n"
                 "    names=(${(f)\"$(_call_program accounts exbridge completion accounts)\"})\n"
                 "    _describe account names\n"
                 "}\n"
                 "_exbridge() {\n"
                 "    local -a commands\n"
                 "    commands=(\n");
    for (size_t i = 0; c->commands[i]; i++) {
        buf_printf(out, "        '%s:", c->commands[i]->name);
        add_quoted(out, c->commands[i]->summary, ":\\");
        buf_lit(out, "'\n");
    }
    buf_lit(out, "    )\n"
                 "    if ((CURRENT == 2)); then\n"
                 "        _describe command commands\n"
                 "        return\n"
                 "    fi\n"
                 "    local command=$words[2]\n"
                 "    shift words\n"
                 "    ((CURRENT--))\n"
                 "    case $command in\n"
                 "    help) _describe command commands ;;\n");
    for (size_t i = 0; c->commands[i]; i++)
        if (strcmp(c->commands[i]->name, "help") != 0)
            zsh_command(out, c->commands[i]);
    buf_lit(out, "    esac\n"
                 "}\n"
                 "if [ \"$funcstack[1]\" = _exbridge ]; then _exbridge \"$@\"; else compdef _exbridge exbridge; fi\n");
}

/* --- fish ------------------------------------------------------------------------------------------------- */

static void fish_command(struct buf *out, const struct cli_command *k)
{
    buf_printf(out, "complete -c exbridge -n __fish_use_subcommand -f -a %s -d '", k->name);
    add_quoted(out, k->summary, "\\");
    buf_lit(out, "'\n");
    for (size_t i = 0; k->flags && k->flags[i].name; i++) {
        buf_printf(out, "complete -c exbridge -n '__fish_seen_subcommand_from %s' -l %s%s -d '", k->name,
                   k->flags[i].name + 2, k->flags[i].value ? " -x" : "");
        add_quoted(out, k->flags[i].help, "\\");
        buf_lit(out, "'\n");
    }
    for (size_t at = 0; at < 2; at++) {
        if (k->words[at] == CLI_WORD_NONE)
            continue;
        buf_printf(out, "complete -c exbridge -n '__fish_seen_subcommand_from %s' ", k->name);
        if (k->words[at] == CLI_WORD_FILE) {
            buf_lit(out, "-F\n");
        } else if (k->words[at] == CLI_WORD_ACCOUNT) {
            buf_lit(out, "-f -a '(exbridge completion accounts)'\n");
        } else {
            buf_lit(out, "-f -a '");
            add_list(out, k->list);
            buf_lit(out, "'\n");
        }
    }
}

static void add_fish(struct buf *out, const struct cli *c)
{
    buf_lit(out, "# Completion of exbridge(1) for fish, made by `exbridge completion fish`.\n"
                 "complete -c exbridge -f\n"
                 "complete -c exbridge -s c -l config -r -F -d 'the configuration'\n"
                 "complete -c exbridge -l help -d 'more about it'\n"
                 "complete -c exbridge -n __fish_use_subcommand -l version -d 'the version'\n"
                 "complete -c exbridge -n '__fish_seen_subcommand_from help' -f -a '");
    add_names(out, c);
    buf_lit(out, "'\n");
    for (size_t i = 0; c->commands[i]; i++)
        fish_command(out, c->commands[i]);
}

/* --- the command ------------------------------------------------------------------------------------------ */

/* For the scripts above; a file with mistakes has no names to offer. */
static void add_accounts(struct buf *out, const struct cli *c)
{
    struct buf path = BUF_INIT(0), problems = BUF_INIT(0);
    struct err err;
    struct config *config = cli_config_path(c, &path, &err) ? config_load(buf_z(&path), &problems) : NULL;
    for (size_t i = 0; config && i < config->account_count; i++)
        buf_printf(out, "%s\n", config->accounts[i].name);
    config_free(&config);
    buf_done(&path);
    buf_done(&problems);
}

static int completion(struct cli *c)
{
    static const struct {
        const char *name;
        void (*add)(struct buf *out, const struct cli *c);
    } shells[] = {{"bash", add_bash}, {"zsh", add_zsh}, {"fish", add_fish}, {"accounts", add_accounts}};
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, c->args[0]) != 0)
            continue;
        struct buf text = BUF_INIT(0);
        shells[i].add(&text, c);
        fwrite(text.p ? text.p : "", 1, text.n, stdout);
        buf_done(&text);
        return EX_OK;
    }
    return cli_usage(c, "there is completion for bash, zsh and fish");
}

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

const struct cli_command cli_completion = {
    .name = "completion",
    .summary = "completion for bash, zsh or fish",
    .args = "SHELL",
    .help = "Prints a script for the shell. The package installs it; without a package:\n"
            "\n"
            "  bash   exbridge completion bash > ~/.local/share/bash-completion/completions/exbridge\n"
            "  zsh    exbridge completion zsh > DIRECTORY/_exbridge    (one of $fpath)\n"
            "  fish   exbridge completion fish > ~/.config/fish/completions/exbridge.fish\n",
    .min_args = 1,
    .max_args = 1,
    .words = {CLI_WORD_LIST},
    .list = shells,
    .fn = completion,
};
