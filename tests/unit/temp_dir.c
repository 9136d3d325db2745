/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/temp_dir.h"

#include <stdlib.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/cache_file.h"

static char *make(char *template)
{
    if (!mkdtemp(template))
        abort();
    return mem_strdup(template);
}

char *temp_dir_new(void)
{
    char template[] = "/tmp/exbridge-test-XXXXXX";
    return make(template);
}

char *temp_dir_in_memory(void)
{
    char template[] = "/dev/shm/exbridge-test-XXXXXX";
    return access("/dev/shm", W_OK) == 0 ? make(template) : temp_dir_new();
}

void temp_dir_done(char **dir)
{
    cache_file_remove_tree(*dir);
    mem_free(*dir);
    *dir = NULL;
}
