/* SPDX-License-Identifier: Apache-2.0 */
/* What the running daemon can be asked (bridge/control.h). */
#include <jansson.h>

#include "bridge/base/log.h"
#include "bridge/run/run.h"

static void on_ping(void *ud, struct control_request *r, const json_t *args)
{
    (void)ud;
    (void)args;
    control_ok(r, json_pack("{s:s}", "version", EXBRIDGE_VERSION));
}

/* Mail is served without it, too. */
void run_start_control(struct program *p)
{
    struct buf path = BUF_INIT(0);
    struct err err;
    control_path(&path, &p->config->server);
    p->control = control_new(p->loop, buf_z(&path), &err);
    buf_done(&path);
    if (!p->control) {
        log_warn("control", NULL, "%s; status, login and the like cannot reach this process", err.text);
        return;
    }
    control_command(p->control, "ping", on_ping, p);
}
