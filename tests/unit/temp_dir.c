/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/temp_dir.h"

#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/cache_file.h"

char *temp_dir_new(void)
{
    char template[] = "/tmp/exbridge-test-XXXXXX";
    if (!mkdtemp(template))
        abort();
    return mem_strdup(template);
}

void temp_dir_done(char **dir)
{
    cache_file_remove_tree(*dir);
    mem_free(*dir);
    *dir = NULL;
}
