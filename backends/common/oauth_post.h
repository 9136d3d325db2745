/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_OAUTH_POST_H
#define BACKENDS_COMMON_OAUTH_POST_H
/* A form to the login server: the one request that signing in and renewing have in common. */
#include "backends/common/oauth.h"
#include "bridge/io/http.h"

#define OAUTH_ANSWER_S 60 /* a login server has so long to answer */

/* what: as for oauth_add_url(). The body is copied, and wiped with the request. Sent once: a second time, a token that
 * is rotated looks like a stolen one. At most OAUTH_ANSWER_MAX bytes of answer. */
struct http_request *oauth_post(struct http_client *http, const struct oauth_config *c, const char *what,
                                struct str body, const struct http_events *events, void *ud);

#endif
