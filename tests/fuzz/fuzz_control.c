/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on the control socket. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *args = NULL;
    const char *name = NULL;
    struct err err;
    if (!control_parse(str_of(data, size), &args, &name, &err)) {
        if (args || err.code != ERR_INVALID)
            abort();
        return 0;
    }
    if (!json_is_object(args) || strlen(name) > size)
        abort();
    json_decref(args);
    return 0;
}
