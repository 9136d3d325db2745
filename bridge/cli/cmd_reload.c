/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "bridge/cli/commands.h"
#include "bridge/control.h"

static void say(const json_t *answer, const char *what)
{
    const char *names = json_string_value(json_object_get(answer, what));
    if (names && *names)
        cli_say("%s: %s", what, names);
}

static void print_lines(const json_t *list)
{
    size_t i;
    json_t *line;
    json_array_foreach(list, i, line) fprintf(stderr, "%s\n", json_string_value(line));
}

static int reload(struct cli *c)
{
    struct err err;
    json_t *answer;
    if (!cli_config(c)) /* its mistakes are told; the daemon would only say the same */
        return EX_CONFIG;
    if (!cli_ask_daemon(c, "reload", NULL, &answer, &err)) {
        int code = cli_fail(&err);
        if (control_is_down(&err))
            cli_complain("one that runs with another state-dir cannot be found with this file: restart it");
        return code;
    }
    bool taken = json_is_true(json_object_get(answer, "taken"));
    print_lines(json_object_get(answer, "problems"));
    print_lines(json_object_get(answer, "notes"));
    if (taken) {
        cli_say("the configuration was read again");
        say(answer, "added");
        say(answer, "removed");
        say(answer, "changed");
    }
    json_decref(answer);
    return taken ? EX_OK : EX_CONFIG;
}

const struct cli_command cli_reload = {
    .name = "reload",
    .summary = "have the running daemon read the configuration again",
    .help = "Accounts that have changed are closed and opened again, new ones are opened, those\n"
            "that are gone are closed (what they have on disk stays); the others are not\n"
            "disturbed. Passwords and certificates are read anew. A file with a mistake changes\n"
            "nothing. state-dir, cache-dir, secret-store and [limits] need a restart.\n",
    .fn = reload,
};
