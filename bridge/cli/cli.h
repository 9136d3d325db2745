/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_CLI_H
#define BRIDGE_CLI_CLI_H
/*
 * The command line: a table of commands, what they have in common, and how they talk to a person.
 *
 *     main() -> cli_main(table) -> parse -> command->fn(cli) -> exit status
 *
 * To add a command: a file bridge/cli/cmd_NAME.c with a `const struct cli_command cli_NAME`, a line in commands.h and
 * one in the table of bridge/main.c. --help, `exbridge help NAME`, completion and the check of the man page are made
 * from the table.
 *
 * Exit statuses are those of sysexits.h: 0 fine, 64 wrong usage, 65 to 78 by the kind of error (cli_exit_code). Answers
 * go to stdout, everything else (questions, errors, progress) to stderr, so that output can be piped.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/config.h"

struct json_t; /* jansson.h */
struct cli;

struct cli_flag {
    const char *name;  /* "--json" */
    const char *value; /* what follows it, for the help: "FILE"; NULL: nothing does */
    const char *help;
};

/* What an argument is, for completion. */
enum cli_word { CLI_WORD_NONE, CLI_WORD_ACCOUNT, CLI_WORD_FILE, CLI_WORD_LIST };

struct cli_command {
    const char *name;
    const char *summary;          /* one line, small letter, no full stop */
    const char *args;             /* "ACCOUNT [FOLDER]", or NULL */
    const char *help;             /* paragraphs for `exbridge help NAME`, lines of up to 80 columns; may be NULL */
    const struct cli_flag *flags; /* ends with a NULL name; may be NULL. -c FILE and --help are everybody's */
    size_t min_args, max_args;
    enum cli_word words[2];  /* of the first two arguments */
    const char *const *list; /* CLI_WORD_LIST: ends with NULL */
    int (*fn)(struct cli *c);
};

#define CLI_ARGS_MAX  8
#define CLI_FLAGS_MAX 32

/* One call of the program. */
struct cli {
    const struct cli_command *command;
    const struct cli_command *const *commands; /* all; ends with NULL */
    const char *args[CLI_ARGS_MAX];
    size_t arg_count;
    const char *values[CLI_FLAGS_MAX]; /* by flag of the command; "" for one without value; NULL: not given */
    const char *config_file;           /* -c; NULL: the default */
    struct config *config;             /* cli_config() */
    bool config_broken;                /* ... which has told its mistakes */
};

/* `commands` ends with NULL. */
int cli_main(const struct cli_command *const *commands, int argc, char **argv);

/* The value of a flag ("" for one without), or NULL. `name` must be in the command's table. */
const char *cli_flag(const struct cli *c, const char *name);
/* The path that -c names, or the default one. */
bool cli_config_path(const struct cli *c, struct buf *out, struct err *err);
/* The configuration, read once; it lives as long as `c`. NULL: the problems were told; return EX_CONFIG. */
struct config *cli_config(struct cli *c);
/* An account by its section name or e-mail address; told when it is not there. `name` NULL: the only one there is, or
 * the error says that one must be named. */
struct config_account *cli_account(struct cli *c, const char *name);
/* Ask the running daemon, of a configuration that has mistakes by now as well; see control.h. `args` (may be NULL) is
 * taken. */
bool cli_ask_daemon(struct cli *c, const char *command, struct json_t *args, struct json_t **ret_answer,
                    struct err *err);

/* --- saying ----------------------------------------------------------------------------------- */

/* "exbridge: ..." on stderr; the second returns the exit status for the error. */
void cli_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_fail(const struct err *err);
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* EX_USAGE */
int cli_exit_code(enum err_code code);
/* A line on stdout; control characters (from servers, from names) become '?'. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_say_json(struct json_t *value); /* indented; takes the reference */
/* May we use colours and move the cursor on stdout? (a terminal, NO_COLOR unset) */
bool cli_is_fancy(void);
void cli_help(const struct cli *c, struct buf *out); /* of the whole program */
void cli_help_command(const struct cli_command *command, struct buf *out);

/* --- asking ----------------------------------------------------------------------------------- */
/*
 * Questions go to stderr, answers come from stdin: a terminal, or a file or pipe with one answer a line. False: stdin
 * ended (err says that a question needs an answer). Answers are bounded (CLI_ANSWER_MAX) and lose the blanks around
 * them, but for secrets. What is not UTF-8 is asked for again.
 */
#define CLI_ANSWER_MAX ((size_t)4096)
bool cli_is_interactive(void); /* is somebody there to answer? (stdin and stderr are a terminal) */
/* `initial` (may be NULL): shown in brackets, and the answer when nothing is entered. */
bool cli_ask(const char *question, const char *initial, struct buf *answer, struct err *err);
/* Without echo on a terminal, which is put right again whatever ends us. Wipe the answer: buf_wipe(). */
bool cli_ask_secret(const char *question, struct buf *answer, struct err *err);
/* Until the answer is yes or no. */
bool cli_ask_yes(const char *question, bool initial, bool *ret_yes, struct err *err);

#endif
