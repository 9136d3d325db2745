/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf problems = BUF_INIT(0);
    struct config *c = config_parse(str_of(data, size), "x", &problems);
    if ((c == NULL) != (problems.n > 0))
        abort(); /* a file is used, or it is said why not */
    config_free(&c);
    buf_done(&problems);
    return 0;
}
