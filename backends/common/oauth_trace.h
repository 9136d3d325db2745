/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_OAUTH_TRACE_H
#define BACKENDS_COMMON_OAUTH_TRACE_H
/*
 * What is asked of a login server, and what it answers, for people who look for a fault (trace.h): forms (RFC 6749
 * appendix B) and JSON, a parameter a line. Shown are those that say what is asked for and how it ended; tokens, codes,
 * verifiers and whoever signs in are only as long as they are.
 */
#include "backends/common/oauth.h"
#include "backends/common/trace.h"

extern const struct trace_format oauth_trace_format;

/* The two steps that a browser takes, which no client of ours sees: to the login server, and back to us. */
void oauth_trace_authorize(struct trace *t, const char *url);
void oauth_trace_redirect(struct trace *t, const struct oauth_redirect *r);

#endif
