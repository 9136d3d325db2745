/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_OAUTH_PRIVATE_H
#define BACKENDS_COMMON_OAUTH_PRIVATE_H
/* Between oauth_answer.c and oauth_trace.c. */
#include <jansson.h>

#include "backends/common/oauth.h"

json_t *oauth_json(struct str text); /* an object; NULL: it is none */
/* Wipes the tokens in it, too. NULL is fine. */
void oauth_json_free(json_t *root);

#endif
