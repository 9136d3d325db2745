/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address that requests go to: the configured one, or where the server sent us from there (MS-ASHTTP 3.1.5.2.2).
 *
 * A server that sent us on may be switched off years later, and the mailbox be back, or be somewhere that only the
 * configured address tells. So when there is no ActiveSync at the learned address for a while, the configured one is
 * asked once. Where that knows us, the other one is forgotten; else it is the turn of the learned one again.
 */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_call.h"
#include "backends/eas/eas_http.h"
#include "bridge/base/time.h"

#define LOST_S 60 /* without ActiveSync at the learned address before the configured one is asked */

const char *eas_address(const struct eas_backend *b)
{
    return b->asks_home ? b->config.url : b->state.url;
}

static void turn_to(struct eas_backend *b, bool home)
{
    b->asks_home = home;
    b->addresses++;
    b->lost_ms = 0;
    eas_add_anchor_cookie(b);
}

bool eas_address_move(struct eas_backend *b, struct str to, struct err *err)
{
    struct str host = eas_http_host(to);
    bool known = b->asks_home && str_is(to, b->state.url); /* the one that does not answer: nothing new */

    if (!eas_http_may_move(eas_address(b), to))
        return err_set(err, ERR_PROTOCOL, "the server sends us to an address that is not https");
    if (!known && ++b->hops > EAS_HOPS_MAX)
        return err_set(err, ERR_PROTOCOL, "the servers send us round in a circle");
    if (!known)
        log_warn("eas", b->config.name, "the mailbox has moved to %.*s", STR_ARG(host));
    eas_state_set_url(&b->state, to);
    turn_to(b, false);
    return known || eas_state_save(&b->state, &b->config, err);
}

void eas_address_good(struct eas_call *call)
{
    struct eas_backend *b = call->b;
    struct err err = {0};

    if (call->address != b->addresses)
        return;
    b->lost_ms = 0;
    if (!b->asks_home)
        return;
    log_warn("eas", b->config.name, "the mailbox is at the configured address again");
    eas_state_set_url(&b->state, str_from(b->config.url));
    b->asks_home = false;
    if (!eas_state_save(&b->state, &b->config, &err))
        log_error("eas", b->config.name, "%s", err.text);
}

bool eas_address_lost(struct eas_call *call)
{
    struct eas_backend *b = call->b;
    uint64_t now = time_mono_ms();
    struct str learned = eas_http_host(str_from(b->state.url));

    if (str_is(str_from(b->config.url), b->state.url))
        return false;
    if (call->address == b->addresses && b->asks_home) {
        turn_to(b, false);
        return false;
    }
    if (call->address == b->addresses) {
        b->lost_ms = b->lost_ms ? b->lost_ms : now;
        if (now - b->lost_ms < LOST_S * b->second_ms)
            return false;
        log_info("eas", b->config.name, "no ActiveSync at %.*s: asking the configured address", STR_ARG(learned));
        turn_to(b, true);
    }
    if (call->turned)
        return false;
    call->turned = true;
    return true;
}
