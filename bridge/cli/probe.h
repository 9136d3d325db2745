/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_PROBE_H
#define BRIDGE_CLI_PROBE_H
/* One look at one address, without credentials, waited for: for setup and doctor. Strings are in the arena. */
#include "backends/common/autodiscover.h"
#include "bridge/base/arena.h"

struct autodiscover_probe_result cli_probe(const struct autodiscover_net *net, struct arena *arena,
                                           enum autodiscover_kind kind, const char *url, const char *email);
/* "autodiscover", "EWS", "SRV record", ... */
const char *cli_probe_name(enum autodiscover_kind kind);
/* Of a candidate's text about a certificate, the last of all its reasons: "unable to get local issuer certificate". */
const char *cli_probe_reason(const char *text);
/* Is it that the certificate is not valid at this time? NULL is fine. */
bool cli_probe_is_date(const char *text);

#endif
