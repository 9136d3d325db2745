/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_FOLDERS_READ_H
#define BACKENDS_EAS_FOLDERS_READ_H
/* The answer to a FolderSync (MS-ASCMD 2.2.1.5), and what the folder types mean. */
#include <stdbool.h>
#include <stddef.h>

#include "backends/eas/eas_answer.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"

#define EAS_FOLDER_CHANGES_MAX 20000
#define EAS_FOLDER_NAME_MAX    ((size_t)4096) /* bytes; 256 characters by the specification */

struct eas_folder_changes {
    struct arena *arena;
    /* set by the owner */
    const char *junk_name, *archive_name;
    unsigned version;
    /* read */
    struct str key;
    struct folder_info current, *list;
    int type;
    size_t count, size;
};
extern const struct eas_rules eas_folder_rules; /* ud is the changes */

void eas_folder_changes_begin(struct eas_folder_changes *c);
/* Kind, use and visibility of MS-ASCMD 2.2.3.186.3; junk and archive have no type and go by the configured names. */
/* The type of a folder that is made by a person; 0: there is none. */
unsigned eas_folder_type(enum folder_kind kind);
void eas_folder_classify(struct folder_info *info, int type, const struct eas_folder_changes *c);

#endif
