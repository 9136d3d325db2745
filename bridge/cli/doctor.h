/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_DOCTOR_H
#define BRIDGE_CLI_DOCTOR_H
/*
 * The parts of `exbridge doctor`. Each says lines: ok, warn or FAIL, what was looked at, the evidence, and for the
 * latter two what to do about it. Nothing is changed anywhere, and credentials go out for one sign-in at most: none
 * when the running exbridge was refused with them.
 *
 *   cmd_doctor.c      lines, order, exit status
 *   doctor_local.c    this machine: files, disk, certificates, ports, service
 *   doctor_net.c      the way to the server: name, connection, TLS, autodiscover, endpoints
 *   doctor_sign.c     what only a signed-in user sees: version, folders, limits
 */
#include "backends/common/autodiscover.h"
#include "bridge/base/arena.h"
#include "bridge/cli/cli.h"
#include "bridge/io/loop.h"

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
    struct cli *cli;
    struct config *config;
    struct arena arena;
    struct loop *loop;
    bool json;
    struct json_t *lines; /* --json: all of them */
    unsigned counts[DOCTOR_FAIL + 1];
    const struct config_account *account; /* whose lines they are; NULL = of the whole */
    bool running;                         /* there is a daemon, and this is what it says of its accounts */
    struct json_t *status;
    struct secrets *secrets; /* one for all accounts: a locked keyring asks its owner once */
    /* Of the account under examination. */
    unsigned schemes; /* that its endpoint offers */
    bool reachable;   /* its endpoint answers: a sign-in is worth trying */
    bool schemes_known;
    bool push_told;      /* there is a line about push */
    bool no_secret;      /* nothing to sign in with is stored, or it cannot be had: there is a line about it */
    struct login *login; /* that is signed in with */
};

/* `fix`: the next step; NULL with DOCTOR_OK. */
void doctor_say(struct doctor *d, enum doctor_verdict verdict, const char *what, const char *fix, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The account's entry in the daemon's status, or NULL. */
const struct json_t *doctor_status_of(const struct doctor *d, const struct config_account *a);
const char *doctor_state_dir(struct doctor *d, const struct config_account *a);
/* In the arena: for `fix` and the like. */
const char *doctor_text(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void doctor_local(struct doctor *d);
void doctor_local_account(struct doctor *d, const struct config_account *a);
void doctor_net(struct doctor *d, const struct config_account *a);
void doctor_sign(struct doctor *d, const struct config_account *a);

#endif
