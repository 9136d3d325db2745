/* SPDX-License-Identifier: Apache-2.0 */
/* What a refusing server says besides its status, and what the administrator needs to know to let us in. */
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_call.h"

static void append(struct err *err, const char *name, const char *value)
{
    struct err before = *err;
    err_set(err, before.code, "%s (%s: %.60s)", before.text, name, value);
    err->status = before.status;
    err->retry_after_s = before.retry_after_s;
}

void eas_call_explain(const struct eas_call *call, struct err *err)
{
    /* MS-ASHTTP 2.2.2.1.2.13: why the server slows us down or keeps us out ("CommandFrequency", "DeviceRule"); the
     * other one is about tokens. */
    static const char *const headers[] = {"X-MS-ASThrottle", "X-MS-Diagnostics"};
    for (size_t i = 0; call->http && i < sizeof(headers) / sizeof(headers[0]); i++) {
        const char *value = http_header(call->http, headers[i]);
        if (value && *value)
            append(err, headers[i], value);
    }
    if (err->code == ERR_DENIED)
        append(err, "DeviceId", call->b->state.device_id);
}
