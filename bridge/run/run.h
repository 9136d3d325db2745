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
    struct login **logins;   /* of [login] sections, by index; then one for each account that has its own */
    size_t login_count;
    struct accounts *accounts;
    size_t opened;
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
