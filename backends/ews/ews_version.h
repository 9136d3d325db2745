/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_VERSION_H
#define EWS_VERSION_H
/*
 * Which schema version to ask for (t:RequestServerVersion, MS-OXWSCDATA 2.2.3.9). Starts low, goes up to what the
 * server's build has, one down whenever a version is refused, and never above a refused one until the server is
 * updated. What the server calls its version in words is never sent back: it may be a name that requests must not use.
 * Pure.
 */
#include <stdbool.h>

#include "backends/ews/ews_answer.h"
#include "bridge/base/buf.h"

enum ews_version { EWS_2010, EWS_2010_SP1, EWS_2010_SP2, EWS_2013, EWS_2013_SP1, EWS_VERSION_COUNT };

struct ews_negotiation {
    enum ews_version now;     /* for the next request */
    enum ews_version ceiling; /* refused above */
    bool confirmed;           /* `now` was accepted */
    struct ews_server server; /* newest build seen; major 0: none yet */
};

/* saved: what ews_negotiation_save() wrote, or empty. */
void ews_negotiation_init(struct ews_negotiation *n, struct str saved);
void ews_negotiation_save(const struct ews_negotiation *n, struct buf *out);
const char *ews_version_name(enum ews_version v);
/* True when something worth saving changed. */
bool ews_negotiation_seen(struct ews_negotiation *n, struct ews_server server);
/* `used` was accepted. */
void ews_negotiation_accepted(struct ews_negotiation *n, enum ews_version used);
/* `used` was refused: false when there is nothing lower to try. */
bool ews_negotiation_refused(struct ews_negotiation *n, enum ews_version used);

#endif
