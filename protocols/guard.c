/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/guard.h"

#include "bridge/base/log.h"
#include "bridge/base/time.h"

#define LOG_PAUSE_MS 60000

bool guard_is_foreign(struct str line)
{
    size_t n = 0;
    while (n < line.n &&
           ((line.p[n] >= 'A' && line.p[n] <= 'Z') || (line.p[n] >= 'a' && line.p[n] <= 'z') || line.p[n] == '-'))
        n++;
    if (n > 0 && n + 1 < line.n && line.p[n] == ':' && line.p[n + 1] == ' ')
        return true;
    struct str rest = str_skip(line, n);
    if (n < 3 || n > 10 || rest.n < 2 || rest.p[0] != ' ' || rest.p[1] == ' ')
        return false;
    size_t space = str_find_byte(str_skip(rest, 1), ' ');
    return space != (size_t)-1 && str_starts(str_skip(rest, space + 1), STR(" HTTP/"));
}

void guard_log_foreign(struct guard_log *g, const char *area, const char *protocol, uint64_t conn_id)
{
    uint64_t now = time_mono_ms();
    g->count++;
    if (g->logged_ms && now - g->logged_ms < LOG_PAUSE_MS)
        return;
    g->logged_ms = now;
    log_warn(area, NULL,
             "conn %llu: this is not %s but HTTP or a mail header (perhaps a web page trying to reach the mailbox): "
             "closed; %u so far",
             (unsigned long long)conn_id, protocol, g->count);
}
