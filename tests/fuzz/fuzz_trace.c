/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `exbridge trace`: heads and bodies of any kind become lines. The first byte chooses the backend and what is seen, the
 * second the size of the pieces. No line is longer than the longest head allows.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/common/oauth_trace.h"
#include "backends/common/trace_private.h"
#include "backends/eas/eas_backend.h"
#include "backends/ews/ews_backend.h"

static void on_line(void *ud, struct str line)
{
    if (line.n > 40000)
        abort();
    ++*(size_t *)ud;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"text/xml", "application/vnd.ms-sync.wbxml",
                                        "application/vnd.ms-sync.multipart", "text/html"};
    static const char *const login_types[] = {"application/json", "application/x-www-form-urlencoded"};
    static const enum http_sight sights[] = {HTTP_ANSWERED_BODY, HTTP_ASKED_HEAD, HTTP_ANSWERED_HEAD, HTTP_ENDED};
    size_t lines = 0;
    char head[128];
    if (size < 2)
        return 0;
    bool login = data[0] & 0x40;
    struct trace *t = trace_new(NULL,
                                login         ? &oauth_trace_format
                                : data[0] & 1 ? &eas_trace_format
                                              : &ews_trace_format,
                                &(struct backend_trace){.line = on_line, .ud = &lines});
    enum http_sight sight = sights[data[0] >> 1 & 3];
    size_t step = data[1] ? data[1] : size;
    if (data[0] & 0x20) {
        int n = snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nContent-Type: %s\r\n\r\n",
                         login ? login_types[data[0] >> 3 & 1] : types[data[0] >> 3 & 3]);
        trace_see(t, 1, HTTP_ASKED_HEAD, str_of(head, (size_t)n));
        trace_see(t, 1, HTTP_ANSWERED_HEAD, str_of(head, (size_t)n));
    }
    for (size_t at = 2; at < size; at += step)
        trace_see(t, 1, sight, str_sub(str_of(data, size), at, step));
    trace_see(t, 1, HTTP_ENDED, STR_NULL);
    trace_free(&t);
    return 0;
}
