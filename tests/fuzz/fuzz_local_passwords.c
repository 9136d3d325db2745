/* SPDX-License-Identifier: Apache-2.0 */
/* The file of local passwords: read, and asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/local_passwords.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct local_passwords all;
    struct err err;
    if (!local_passwords_parse(str_of(data, size), &all, &err))
        return 0;
    for (size_t i = 0; i < all.count; i++)
        if (strlen(all.list[i].label) == 0)
            abort();
    if (local_passwords_match(&all, str_of(data, size)))
        abort();
    return 0;
}
