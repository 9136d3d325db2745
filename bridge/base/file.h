/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_FILE_H
#define BRIDGE_BASE_FILE_H
/* Files that have to be there after a power failure, and directories that have to be there at all. */
#include <stdbool.h>
#include <sys/types.h>

#include "bridge/base/err.h"
#include "bridge/base/str.h"

/* All of it. False: errno says why. */
bool file_write(int fd, struct str bytes);
/* What was renamed or made in it stays so. False: errno. */
bool file_sync_dir(const char *dir);
/* The file holds the old bytes or the new ones after a crash at any moment, and the new ones on the disk when this says
 * yes. They are written beside it, as PATH.tmp; what an earlier crash left under that name goes. ERR_DISK. */
bool file_replace(const char *path, struct str bytes, mode_t mode, struct err *err);
/* A directory and those above it, as far as they are not there: for nobody but us. ERR_DISK. */
bool file_make_dirs(const char *path, struct err *err);

#endif
