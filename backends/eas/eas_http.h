/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_HTTP_H
#define BACKENDS_EAS_HTTP_H
/* The HTTP side of a command: its address, and what each HTTP status means to ActiveSync (MS-ASHTTP 2.2.2, 3.1.5.2).
 * Pure. */
#include <stdbool.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

enum eas_http_action {
    EAS_HTTP_READ, /* 200: read the answer */
    EAS_HTTP_FAIL,
    EAS_HTTP_GONE,      /* 404, 405, 410: a web server, and no ActiveSync */
    EAS_HTTP_AUTH,      /* 401 */
    EAS_HTTP_FORBIDDEN, /* 403: up to 12.1 also "provision first" */
    EAS_HTTP_PROVISION, /* 449 */
    EAS_HTTP_MOVED,     /* 451 */
    EAS_HTTP_RETRY,     /* 500 */
    EAS_HTTP_BUSY,      /* 429, 502, 503, 504 */
    EAS_HTTP_VERSION    /* 505 */
};
struct eas_http_status {
    int status;
    enum eas_http_action action;
    enum err_code code;
    const char *text;
};
const struct eas_http_status *eas_http_status_find(int status); /* never NULL */

struct eas_address {
    const char *url; /* endpoint */
    const char *command;
    const char *user, *device_id, *device_type;
};
/* "URL?Cmd=...&User=...&DeviceId=...&DeviceType=..." (MS-ASHTTP 2.2.1.1.1.2). A query the endpoint has already is kept.
 */
void eas_http_address(struct buf *out, const struct eas_address *a);
/* May we send requests and credentials where the server says (451)? https only; http on loopback only from there. */
bool eas_http_may_move(const char *from, struct str to);
/* Name of the host in a URL, or nothing. */
struct str eas_http_host(struct str url);

#endif
