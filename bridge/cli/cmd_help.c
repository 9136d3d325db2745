/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "bridge/cli/commands.h"

/* --- for the manual page: man(7) ------------------------------------------------------------------------- */

static void add_roff(struct buf *out, struct str text)
{
    if (text.n && (text.p[0] == '.' || text.p[0] == '\''))
        buf_lit(out, "\\&");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '-')
            buf_lit(out, "\\-");
        else if (text.p[i] == '\\')
            buf_lit(out, "\\e");
        else if (text.p[i] == '"')
            buf_lit(out, "\\(dq"); /* in the argument of a macro a quote would end it */
        else
            buf_byte(out, text.p[i]);
    }
    buf_byte(out, '\n');
}

/* An empty line begins a paragraph; lines that begin with blanks stay as they are. */
static void add_paragraphs(struct buf *out, const char *help)
{
    struct str rest = str_from(help), line;
    bool plain = false;
    while (rest.n && str_cut(&rest, '\n', &line)) {
        bool blank = line.n > 0 && line.p[0] == ' ';
        if (blank != plain && line.n)
            buf_lit(out, blank ? ".nf\n" : ".fi\n");
        if (line.n)
            plain = blank;
        if (line.n)
            add_roff(out, line);
        else if (rest.n)
            buf_lit(out, plain ? ".fi\n.PP\n" : ".PP\n");
        if (!line.n)
            plain = false;
    }
    if (plain)
        buf_lit(out, ".fi\n");
}

static void add_manual(struct buf *out, const struct cli_command *k)
{
    struct buf line = BUF_INIT(0);
    buf_printf(&line, "exbridge %s%s%s%s", k->name, k->args ? " " : "", k->args ? k->args : "",
               k->flags ? " [FLAGS]" : "");
    buf_lit(out, ".SS \"");
    add_roff(out, buf_view(&line));
    out->n--; /* the quote belongs before the end of the line */
    buf_lit(out, "\"\n");
    buf_reset(&line);
    buf_printf(&line, "%c%s.", k->summary[0] >= 'a' && k->summary[0] <= 'z' ? k->summary[0] - 32 : k->summary[0],
               k->summary + 1);
    add_roff(out, buf_view(&line));
    if (k->help) {
        buf_lit(out, ".PP\n");
        add_paragraphs(out, k->help);
    }
    for (size_t i = 0; k->flags && k->flags[i].name; i++) {
        buf_reset(&line);
        buf_printf(&line, "%s%s%s", k->flags[i].name, k->flags[i].value ? " " : "",
                   k->flags[i].value ? k->flags[i].value : "");
        buf_lit(out, ".TP\n.B ");
        add_roff(out, buf_view(&line));
        add_roff(out, str_from(k->flags[i].help));
    }
    buf_done(&line);
}

/* --- the command -------------------------------------------------------------------------------------------- */

static int help(struct cli *c)
{
    struct buf text = BUF_INIT(0);
    const struct cli_command *about = NULL;
    for (size_t i = 0; c->arg_count && c->commands[i]; i++)
        if (strcmp(c->commands[i]->name, c->args[0]) == 0)
            about = c->commands[i];
    if (c->arg_count && !about)
        return cli_usage(c, "there is no command %s", c->args[0]);
    if (cli_flag(c, "--man"))
        for (size_t i = 0; c->commands[i]; i++)
            add_manual(&text, c->commands[i]);
    else if (about)
        cli_help_command(about, &text);
    else
        cli_help(c, &text);
    fwrite(text.p, 1, text.n, stdout);
    buf_done(&text);
    return EX_OK;
}

static const struct cli_flag flags[] = {{"--man", NULL, "the commands as a part of a manual page"}, {0}};

const struct cli_command cli_help_ = {
    .name = "help",
    .summary = "more about a command",
    .args = "[COMMAND]",
    .flags = flags,
    .max_args = 1,
    .fn = help,
};
