/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_OAUTH_PORT_H
#define BACKENDS_COMMON_OAUTH_PORT_H
/*
 * The port of this machine that a browser comes back to (RFC 8252 7.3): 127.0.0.1, and ::1 where there is IPv6, since
 * nobody knows what a browser takes "localhost" for. Whatever connects gets one fixed page without any script, and is
 * cut off.
 */
#include "backends/common/oauth.h"
#include "bridge/io/loop.h"

struct oauth_port;
/* True: it was the answer that is waited for. `r` may be emptied. Called from the loop; it may free nothing. */
typedef bool oauth_redirect_cb(void *ud, struct oauth_redirect *r);
struct oauth_port *oauth_port_new(struct loop *loop, oauth_redirect_cb *cb, void *ud, struct err *err);
unsigned oauth_port_number(const struct oauth_port *p);
/* Pages that are on their way still arrive, as long as the loop turns. */
void oauth_port_free(struct oauth_port **p);

#endif
