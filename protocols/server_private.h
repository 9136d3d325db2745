/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_SERVER_PRIVATE_H
#define PROTOCOLS_SERVER_PRIVATE_H
/* Between server.c (who may come in) and client.c (one connection). */
#include "protocols/guard.h"
#include "protocols/server.h"

#define SERVER_LISTENERS_MAX 8

struct servers {
    struct servers_opts opts;
    struct list clients; /* of all protocols, oldest first */
    struct list servers;
    size_t client_n;
    bool closing;
    struct deferred empty;
};

struct server {
    struct list link;
    struct server_opts opts;
    struct conn_listener *listeners[SERVER_LISTENERS_MAX];
    size_t listener_n;
    struct guard_log foreign;
};

/* Takes over conn. */
void client_new(struct server *s, struct conn *conn);
/* At once: no callback comes after it. */
void client_drop(struct client *c);
void servers_client_gone(struct servers *all);

#endif
