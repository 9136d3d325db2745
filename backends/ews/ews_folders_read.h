/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_FOLDERS_READ_H
#define EWS_FOLDERS_READ_H
/*
 * SyncFolderHierarchy (MS-OXWSSYNC 3.1.4.1) and GetFolder for the folders Exchange knows by role (MS-OXWSFOLD 3.1.4.6;
 * DistinguishedFolderIdNameType, MS-OXWSCDATA). Pure.
 */
#include "backends/ews/ews_answer.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"

#define EWS_FOLDERS_MAX 20000 /* folders of one mailbox */

/* --- the roles ----------------------------------------------------------------------------------- */

struct ews_role {
    const char *name; /* DistinguishedFolderId */
    enum folder_use use;
    bool hidden;   /* of no use to people */
    bool since_15; /* Exchange 2013 schema: older servers refuse the whole request over it */
};
extern const struct ews_role ews_roles[]; /* index 0 is msgfolderroot, the top of what is shown */
#define EWS_ROLE_COUNT   12
#define EWS_ROLE_ARCHIVE 2 /* so many of the first an archive has; with the schema of 2013 one more, the inbox */

struct ews_roles_found {
    struct str ids[EWS_ROLE_COUNT]; /* empty: the mailbox has none */
    struct str names[EWS_ROLE_COUNT];
    size_t count; /* roles asked for */
    size_t answered;
    struct ews_status first_error; /* of the root: code NULL when all is well */
    struct arena *arena;
    struct str id, name; /* private */
};
void ews_roles_init(struct ews_roles_found *r, struct arena *arena);
extern const struct ews_reader ews_roles_reader; /* ud: struct ews_roles_found */
/* Writes GetFolder for all roles the schema and the place have. */
void ews_roles_write(struct xml_writer *w, struct ews_roles_found *r, bool is_15, struct ews_place place);

/* --- the tree ------------------------------------------------------------------------------------ */

struct ews_tree {
    /* the result; pages add up */
    struct folder_info *list;
    size_t count;
    struct str cursor;
    bool more;
    struct ews_outcome outcome;
    /* private */
    struct arena *arena;
    size_t room, page_start;
    struct folder_info folder;
    struct str class, distinguished;
    enum ews_el element;
    uint32_t tag;
};
void ews_tree_init(struct ews_tree *t, struct arena *arena);
/* Before each answer: forgets what a broken attempt at this page brought. */
void ews_tree_page_begin(struct ews_tree *t);
void ews_tree_page_done(struct ews_tree *t);
extern const struct ews_reader ews_tree_reader; /* ud: struct ews_tree */
void ews_tree_write(struct xml_writer *w, struct str cursor, bool is_15, struct ews_place place);

#endif
