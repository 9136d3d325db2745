/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/cli/cli_trust.h"
#include "bridge/cli/commands.h"
#include "certs/certs.h"
#include "certs/trust.h"

/* The copy beside the configuration, which the daemon has put there; else the original. */
const char *cli_trust_ca(struct config *c)
{
    const char *slash = strrchr(c->path, '/');
    const char *beside = arena_printf(&c->arena, "%.*sca.pem", slash ? (int)(slash - c->path) + 1 : 0, c->path).p;
    return access(beside, R_OK) == 0 ? beside : arena_printf(&c->arena, "%s/certs/ca.pem", c->server.state_dir).p;
}

static int print(const char *ca)
{
    struct buf fingerprint = BUF_INIT(0);
    struct err err;
    if (!certs_fingerprint(ca, &fingerprint, &err))
        return cli_fail(&err);
    cli_say("certificate authority  %s", ca);
    cli_say("SHA-256 fingerprint    %s", buf_z(&fingerprint));
    buf_done(&fingerprint);
    cli_say(
        "It can sign for localhost, 127.0.0.1 and ::1 only: whoever trusts it trusts this machine's own services, no "
        "other host.");
    cli_say("For the whole machine: sudo cp %s /usr/local/share/ca-certificates/exbridge.crt && sudo "
            "update-ca-certificates",
            ca);
    return EX_OK;
}

bool cli_trust_profile(const struct profile *p, const char *ca, bool undo)
{
    struct err err;
    bool news;
    if (!(undo ? trust_remove : trust_add)(p->dir, ca, &news, &err)) {
        cli_complain("%s: %s", p->program, err.text);
        return false;
    }
    const char *what = undo   ? news ? "does not trust it any more" : "did not trust it"
                       : news ? "trusts it now"
                              : "trusts it already";
    cli_say("%s in %s %s%s", p->program, p->dir, what, news && p->in_use ? "; it is running: restart it" : "");
    return true;
}

static int change_all(struct cli *c, const char *ca)
{
    struct profiles found = {0};
    struct err err;
    const char *home = getenv("HOME"), *dir = cli_flag(c, "--profile");
    if (!trust_is_possible(&err))
        return cli_fail(&err);
    if (dir)
        profiles_add(&found, "the profile", dir);
    else if (home)
        profiles_find(home, c->arg_count ? c->args[0] : NULL, &found);
    bool ok = true;
    for (size_t i = 0; i < found.count; i++)
        ok &= cli_trust_profile(&found.list[i], ca, cli_flag(c, "--undo") != NULL);
    int code = !found.count ? EX_NOINPUT : ok ? EX_OK : EX_IOERR;
    if (!found.count)
        cli_complain("no profile of Thunderbird or Firefox was found%s%s; start it once, or name one with --profile",
                     dir ? " at " : "", dir ? dir : "");
    profiles_done(&found);
    return code;
}

static int trust(struct cli *c)
{
    if (c->arg_count && strcmp(c->args[0], "thunderbird") != 0 && strcmp(c->args[0], "firefox") != 0)
        return cli_usage(c, "thunderbird or firefox, or nothing for both");
    if (!cli_config(c))
        return EX_CONFIG;
    if (c->config->server.cert) {
        cli_complain("the certificate is one of your own (cert = %s): clients have to trust who signed that",
                     c->config->server.cert);
        return EX_CONFIG;
    }
    const char *ca = cli_trust_ca(c->config);
    if (access(ca, R_OK) != 0) {
        cli_complain("there is no certificate authority yet; exbridge makes it at its first start");
        return EX_NOINPUT;
    }
    return cli_flag(c, "--print") ? print(ca) : change_all(c, ca);
}

static const char *const programs[] = {"thunderbird", "firefox", NULL};

static const struct cli_flag flags[] = {
    {"--undo", NULL, "take it back"},
    {"--profile", "DIR", "this profile, instead of those that are found"},
    {"--print", NULL, "say what would be trusted, and change nothing"},
    {0},
};

const struct cli_command cli_trust = {
    .name = "trust",
    .summary = "have Thunderbird and Firefox trust the certificate of this machine",
    .args = "[PROGRAM]",
    .help = "exbridge has made a certificate authority for localhost. This imports it into the\n"
            "profiles of Thunderbird and Firefox (of this user, the snap and the flatpak too), so\n"
            "that they ask nothing. It needs certutil, from the package libnss3-tools, which asks\n"
            "for the profile's primary password where there is one. Programs that run have to be\n"
            "restarted.\n",
    .flags = flags,
    .max_args = 1,
    .words = {CLI_WORD_LIST},
    .list = programs,
    .fn = trust,
};
