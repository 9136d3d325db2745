/* SPDX-License-Identifier: Apache-2.0 */
/* XML bodies of DAV requests: no crash, no leak, and what is refused has a status and a reason. */
#include <stdint.h>
#include <stdlib.h>

#include "protocols/caldav/dav_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct dav_body body;
    struct dav_body_problem problem;
    bool ok = dav_body_read(str_of(data, size), 100, &arena, &body, &problem);
    if (!ok && (problem.status < 400 || problem.status > 507 || !problem.text[0]))
        abort();
    if (ok && (body.prop_count > DAV_PROPS_MAX || body.update_count > DAV_PROPS_MAX || body.href_count > 100))
        abort();
    arena_done(&arena);
    return 0;
}
