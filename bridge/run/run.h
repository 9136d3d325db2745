/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_RUN_RUN_H
#define BRIDGE_RUN_RUN_H
/*
 * What `exbridge run` is made of, between the files of this folder: run.c (its life), run_certs.c, run_accounts.c,
 * run_servers.c, run_reload.c, run_control.c, run_login.c, run_trace.c. The one folder, besides main.c, that knows
 * protocols and backends.
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
#include "bridge/io/netwatch.h"
#include "bridge/io/tls.h"
#include "protocols/caldav/caldav_server.h"
#include "protocols/imap/imap_server.h"
#include "protocols/smtp/smtp_server.h"

#define CERTS_CHECK_MS (24 * 3600 * 1000) /* is a new leaf due? */

/* A login of the configuration, and who uses it. */
struct run_login {
    struct list link; /* of program->logins */
    struct config *config;
    const struct config_login *from; /* in `config` */
    unsigned users;
    struct login *login;
};

/* An account of the configuration, open or not. */
struct run_account {
    struct list link; /* of program->slots, in the order of the file */
    struct config *config;
    const struct config_account *from; /* in `config` */
    struct run_login *login;
    struct account_opts opts; /* from these three */
    /* NULL: it could not be opened, `err` says why. ERR_OFFLINE (its key is in the keyring) and ERR_DISK may be over by
     * themselves: it is tried again. */
    struct account *account;
    struct err err;
    /* The configuration has changed: it is closed as soon as nobody uses it, and opened again as `next` says (NULL: it
     * is not in the file any more). */
    bool closing;
    uint64_t closing_ms; /* since when */
    struct config *next_config;
    const struct config_account *next;
};

#define RUN_SOCKETS_MAX 32

struct program {
    struct config *config; /* the latest; earlier ones live as long as an account or login points into them */
    struct config **configs;
    size_t config_count;
    struct loop *loop;
    int lock;
    char *certs_dir, *tmp_dir;
    int sockets[RUN_SOCKETS_MAX]; /* from the service manager; kept, so that listeners can be made again */
    int socket_count;
    struct tls_server *imap_tls, *smtp_tls, *dav_tls; /* one certificate; they differ in the name they agree on */
    struct timer *certs_timer, *drain_timer, *closing_timer;
    struct loop_signal *on_term, *on_int, *on_hup;
    struct daemon_watchdog *watchdog;
    struct netwatch *netwatch;
    struct control *control; /* NULL: no socket could be made */
    struct secrets *secrets;
    struct timer *again_timer; /* some accounts could not be opened, and are tried again */
    uint64_t again_ms;         /* when */
    struct list login_jobs;    /* run_login.c */
    struct list trace_jobs;    /* run_trace.c */
    struct accounts *accounts;
    struct list slots, logins; /* struct run_account, struct run_login */
    int64_t started_s;
    struct servers *servers;
    struct server *imap, *smtp, *dav;
    bool stopping;
    bool clients_gone; /* what is left to be waited for is on its way to a server */
};

/* run_certs.c: what TLS needs, when the configuration wants TLS; false when there is no certificate to serve with. */
bool run_load_certs(struct program *p, struct err *err);
/* Once a day, and on SIGHUP. What is loaded already goes on being used when something is wrong. */
void run_check_certs(void *program);

/* run_accounts.c: one bad account does not keep the others from being served. */
void run_open_accounts(struct program *p);
size_t run_accounts_open(const struct program *p);
bool run_accounts_wait(const struct program *p); /* some are tried again */
/* For status: until it is tried again; 0: it is not. */
uint64_t run_account_again_in_ms(const struct program *p, const struct run_account *slot);
struct run_account *run_find_account(struct program *p, const char *name); /* NULL */
/* Passwords are read anew, refusals and pauses forgotten. */
void run_reset_logins(struct program *p);
void run_open_account(struct program *p, struct config *config, const struct config_account *from);
/* Let go of what the configuration does not have any more, or has differently: `next` NULL or the new form. Ends later.
 */
void run_change_account(struct program *p, struct run_account *slot, struct config *next_config,
                        const struct config_account *next);
/* Another network, or a long sleep. */
void run_reconnect_accounts(struct program *p);
void run_look_at_closing(void *program);
void run_close_accounts(struct program *p);

/* run_servers.c */
bool run_start_servers(struct program *p, struct err *err);
/* Listen as p->config says, where that differs from `before`. False: it cannot be; it listens as before. */
bool run_change_servers(struct program *p, const struct config_server *before, struct err *err);
void run_shut_servers(struct program *p); /* in good order: run_clients_gone() when the last client is gone */
void run_close_servers(struct program *p);

/* run.c */
void run_clients_gone(void *program);

/* run_reload.c */
struct run_changes { /* names of accounts, and remarks: for the log and for `exbridge reload` */
    struct buf added, removed, changed, notes, problems;
};
/* Read the file again and apply what differs. False: it was kept out; changes->problems says why. */
bool run_reload(struct program *p, struct run_changes *ret);
void run_changes_done(struct run_changes *changes);
void run_drop_configs(struct program *p); /* those that nothing points into any more */

/* run_control.c */
void run_start_control(struct program *p);

/* run_login.c: the command "login" */
void run_on_login(void *program, struct control_request *r, const struct json_t *args);
void run_login_secrets_changed(struct program *p);
void run_login_drop(struct program *p, const struct run_account *slot); /* it goes, or changes */

/* run_trace.c: the command "trace" */
void run_trace_begin(struct program *p, struct account *a, struct control_request *r);
void run_trace_drop(struct program *p, const struct run_account *slot); /* it goes, or changes */

#endif
