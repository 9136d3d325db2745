/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_version.h"

#include <string.h>

static const char *const names[EWS_VERSION_COUNT] = {"Exchange2010", "Exchange2010_SP1", "Exchange2010_SP2",
                                                     "Exchange2013", "Exchange2013_SP1"};

/* The best schema of a build; the last row that is not newer than the server counts. */
static const struct {
    struct ews_server since;
    enum ews_version version;
} builds[] = {
    {{14, 0, 0}, EWS_2010}, {{14, 1, 0}, EWS_2010_SP1},   {{14, 2, 0}, EWS_2010_SP2},
    {{15, 0, 0}, EWS_2013}, {{15, 0, 847}, EWS_2013_SP1}, {{15, 1, 0}, EWS_2013_SP1},
};

static int compare(struct ews_server a, struct ews_server b)
{
    if (a.major != b.major)
        return a.major < b.major ? -1 : 1;
    if (a.minor != b.minor)
        return a.minor < b.minor ? -1 : 1;
    return a.build < b.build ? -1 : a.build > b.build;
}

static enum ews_version best_of(struct ews_server server)
{
    enum ews_version best = EWS_2010;
    for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++)
        if (compare(server, builds[i].since) >= 0)
            best = builds[i].version;
    return best;
}

const char *ews_version_name(enum ews_version v)
{
    return names[v];
}

static bool find_version(struct str name, enum ews_version *ret_version)
{
    for (size_t i = 0; i < EWS_VERSION_COUNT; i++) {
        if (str_is(name, names[i])) {
            *ret_version = (enum ews_version)i;
            return true;
        }
    }
    return false;
}

/* "NOW CEILING MAJOR.MINOR.BUILD" */
void ews_negotiation_save(const struct ews_negotiation *n, struct buf *out)
{
    buf_printf(out, "%s %s %u.%u.%u", names[n->now], names[n->ceiling], n->server.major, n->server.minor,
               n->server.build);
}

void ews_negotiation_init(struct ews_negotiation *n, struct str saved)
{
    *n = (struct ews_negotiation){.now = EWS_2010_SP2, .ceiling = EWS_2013_SP1};
    struct str now, ceiling, part;
    struct ews_negotiation s = *n;
    uint32_t numbers[3] = {0, 0, 0};
    if (!str_cut(&saved, ' ', &now) || !str_cut(&saved, ' ', &ceiling))
        return;
    for (size_t i = 0; i < 3; i++)
        if (!str_cut(&saved, '.', &part) || !str_to_u32(part, &numbers[i]))
            return;
    if (!find_version(now, &s.now) || !find_version(ceiling, &s.ceiling) || s.now > s.ceiling)
        return;
    s.server = (struct ews_server){numbers[0], numbers[1], numbers[2]};
    *n = s;
}

bool ews_negotiation_seen(struct ews_negotiation *n, struct ews_server server)
{
    /* Behind one name there may be servers of different builds: the newest seen counts, and a refusal by an older one
     * stays until a build appears that was not there when it happened. */
    if (server.major < 14 || compare(server, n->server) <= 0)
        return false;
    n->server = server;
    n->ceiling = EWS_2013_SP1;
    enum ews_version best = best_of(server);
    if (best != n->now) {
        n->now = best;
        n->confirmed = false;
    }
    return true;
}

void ews_negotiation_accepted(struct ews_negotiation *n, enum ews_version used)
{
    if (used == n->now)
        n->confirmed = true;
}

bool ews_negotiation_refused(struct ews_negotiation *n, enum ews_version used)
{
    if (used > n->now)
        return true; /* another request found out before */
    if (used == EWS_2010)
        return false;
    n->now = n->ceiling = (enum ews_version)(used - 1);
    n->confirmed = false;
    return true;
}
