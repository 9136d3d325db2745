/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_RUN_RUN_H
#define BRIDGE_RUN_RUN_H
/*
 * What `exbridge run` is made of, between the files of this folder: run.c (its life), run_certs.c, run_accounts.c,
 * run_servers.c, run_control.c. The one folder, besides main.c, that knows protocols and backends.
 */
#include <stdbool.h>
#include <stddef.h>

#include "backends/common/login.h"
#include "bridge/account.h"
#include "bridge/base/err.h"
#include "bridge/config.h"
#include "bridge/control.h"
#include "bridge/daemon.h"
#include "bridge/io/loop.h"
#include "bridge/io/tls.h"
#include "protocols/imap/imap_server.h"
#include "protocols/smtp/smtp_server.h"

#define CERTS_CHECK_MS (24 * 3600 * 1000) /* is a new leaf due? */

/* A login of the configuration, and who uses it. */
struct run_login {
    struct list link; /* of program->logins */
    struct config *config;
    const struct config_login *from; /* in `config` */
    bool passthrough;
    unsigned users;
    struct login *login;
};

/* An account of the configuration, open or not. */
struct run_account {
    struct list link; /* of program->slots, in the order of the file */
    struct config *config;
    const struct config_account *from; /* in `config` */
    struct run_login *login;
    struct account *account; /* NULL: it could not be opened, `err` says why */
    struct err err;
};

struct program {
    struct config *config;
    struct loop *loop;
    int lock;
    char *certs_dir;
    struct tls_server *imap_tls, *smtp_tls; /* one certificate; they differ in the name they agree on */
    struct timer *certs_timer, *drain_timer;
    struct loop_signal *on_term, *on_int, *on_hup;
    struct daemon_watchdog *watchdog;
    struct control *control; /* NULL: no socket could be made */
    struct accounts *accounts;
    struct list slots, logins; /* struct run_account, struct run_login */
    int64_t started_s;
    struct servers *servers;
    struct server *imap, *smtp;
    bool stopping;
    bool clients_gone; /* what is left to be waited for is on its way to a server */
};

/* run_certs.c: false when there is no certificate to serve with. */
bool run_load_certs(struct program *p, struct err *err);
/* Once a day, and on SIGHUP. What is loaded already goes on being used when something is wrong. */
void run_check_certs(void *program);

/* run_accounts.c: one bad account does not keep the others from being served. */
void run_open_accounts(struct program *p);
size_t run_accounts_open(const struct program *p);
struct run_account *run_find_account(struct program *p, const char *name); /* NULL */
/* Passwords are read anew, refusals and pauses forgotten. */
void run_reset_logins(struct program *p);
void run_close_accounts(struct program *p);

/* run_servers.c */
bool run_start_servers(struct program *p, struct err *err);
void run_shut_servers(struct program *p); /* in good order: run_clients_gone() when the last client is gone */
void run_close_servers(struct program *p);

/* run.c */
void run_clients_gone(void *program);

/* run_control.c */
void run_start_control(struct program *p);

#endif
