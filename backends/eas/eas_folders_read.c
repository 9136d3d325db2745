/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_folders_read.h"

#include "bridge/base/text.h"

#define TYPE_DRAFTS 3

static const struct {
    enum folder_kind kind;
    enum folder_use use;
    bool hidden;
} types[] = {
    [0] = {FOLDER_OTHER, USE_NONE, true},      [1] = {FOLDER_MAIL, USE_NONE, false}, /* user-created, generic */
    [2] = {FOLDER_MAIL, USE_INBOX, false},     [3] = {FOLDER_MAIL, USE_DRAFTS, false},
    [4] = {FOLDER_MAIL, USE_TRASH, false},     [5] = {FOLDER_MAIL, USE_SENT, false},
    [6] = {FOLDER_MAIL, USE_OUTBOX, false},    [7] = {FOLDER_TASKS, USE_NONE, false},
    [8] = {FOLDER_CALENDAR, USE_NONE, false},  [9] = {FOLDER_CONTACTS, USE_NONE, false},
    [10] = {FOLDER_OTHER, USE_NONE, true}, /* notes */
    [11] = {FOLDER_OTHER, USE_NONE, true}, /* journal */
    [12] = {FOLDER_MAIL, USE_NONE, false},     [13] = {FOLDER_CALENDAR, USE_NONE, false},
    [14] = {FOLDER_CONTACTS, USE_NONE, false}, [15] = {FOLDER_TASKS, USE_NONE, false},
    [16] = {FOLDER_OTHER, USE_NONE, true}, /* journal */
    [17] = {FOLDER_OTHER, USE_NONE, true}, /* notes */
    [18] = {FOLDER_OTHER, USE_NONE, true}, /* unknown */
    [19] = {FOLDER_OTHER, USE_NONE, true}, /* recipient information cache */
};

#define TYPES (sizeof(types) / sizeof(types[0]))

unsigned eas_folder_type(enum folder_kind kind)
{
    static const unsigned made[] = {
        [FOLDER_MAIL] = 12, [FOLDER_CALENDAR] = 13, [FOLDER_TASKS] = 15, [FOLDER_CONTACTS] = 14, [FOLDER_OTHER] = 0};

    return made[kind];
}

void eas_folder_classify(struct folder_info *info, int type, const struct eas_folder_changes *c)
{
    size_t i = type > 0 && (size_t)type < TYPES ? (size_t)type : 0;

    info->kind = types[i].kind;
    info->use = types[i].use;
    info->hidden = types[i].hidden;
    if (type == TYPE_DRAFTS && c->version < 160)
        info->hidden = true; /* drafts must not be synchronised before 16.0 (MS-ASCMD 2.2.3.30.5) */
    if (info->kind != FOLDER_MAIL || info->use != USE_NONE)
        return;
    if (c->junk_name && str_case_is(info->name, c->junk_name))
        info->use = USE_JUNK;
    else if (c->archive_name && str_case_is(info->name, c->archive_name))
        info->use = USE_ARCHIVE;
}

void eas_folder_changes_begin(struct eas_folder_changes *c)
{
    c->key = STR_NULL;
    c->list = NULL;
    c->count = c->size = 0;
}

static bool on_key(void *ud, struct str text, struct err *err)
{
    struct eas_folder_changes *c = ud;

    if (!eas_key_valid(text, EAS_SYNC_KEY_MAX))
        return err_set(err, ERR_PROTOCOL, "a SyncKey that cannot be right (%zu bytes)", text.n);
    c->key = arena_str(c->arena, text);
    return true;
}

static bool on_change(void *ud, struct err *err)
{
    struct eas_folder_changes *c = ud;

    if (c->count == EAS_FOLDER_CHANGES_MAX)
        return err_set(err, ERR_TOO_BIG, "over %d folders", EAS_FOLDER_CHANGES_MAX);
    c->current = (struct folder_info){0};
    c->type = 0;
    return true;
}

static bool on_id(void *ud, struct str text, struct err *err)
{
    struct eas_folder_changes *c = ud;

    (void)err;
    if (text.n <= BACKEND_ID_MAX)
        c->current.id = arena_str(c->arena, text);
    return true;
}

static bool on_parent(void *ud, struct str text, struct err *err)
{
    struct eas_folder_changes *c = ud;

    (void)err;
    if (!str_is(text, "0") && text.n <= BACKEND_ID_MAX)
        c->current.parent_id = arena_str(c->arena, text);
    return true;
}

static bool on_name(void *ud, struct str text, struct err *err)
{
    struct eas_folder_changes *c = ud;

    (void)err;
    c->current.name = text_utf8_repair(c->arena, arena_str(c->arena, str_sub(text, 0, EAS_FOLDER_NAME_MAX)));
    return true;
}

static bool on_type(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_folder_changes *)ud)->type = eas_number(text);
    return true;
}

/* There is one inbox: a second one is a folder like any other, and would hide the first under the same name. */
static void only_one(const struct eas_folder_changes *c, struct folder_info *info)
{
    for (size_t i = 0; info->use != USE_NONE && i < c->count; i++)
        if (c->list[i].use == info->use && !c->list[i].gone && !str_eq(c->list[i].id, info->id))
            info->use = USE_NONE;
}

static bool close_change(void *ud, struct err *err)
{
    struct eas_folder_changes *c = ud;

    (void)err;
    if (c->current.id.n == 0)
        return true;
    if (c->count == c->size) {
        struct folder_info *more;

        c->size = c->size ? c->size * 2 : 32;
        more = arena_array(c->arena, c->size, sizeof(*more));
        if (c->count > 0)
            memcpy(more, c->list, c->count * sizeof(*more));
        c->list = more;
    }
    if (!c->current.gone) {
        eas_folder_classify(&c->current, c->type, c);
        only_one(c, &c->current);
    }
    c->list[c->count++] = c->current;
    return true;
}

static bool close_delete(void *ud, struct err *err)
{
    ((struct eas_folder_changes *)ud)->current.gone = true;
    return close_change(ud, err);
}

static const struct eas_rule rules[] = {
    {.tag = FolderHierarchy_FolderSync},
    {FolderHierarchy_FolderSync, FolderHierarchy_SyncKey, .text = on_key},
    EAS_CONTAINER(FolderHierarchy_FolderSync, FolderHierarchy_Changes),
    {FolderHierarchy_Changes, FolderHierarchy_Add, .open = on_change, .close = close_change},
    {FolderHierarchy_Changes, FolderHierarchy_Update, .open = on_change, .close = close_change},
    {FolderHierarchy_Changes, FolderHierarchy_Delete, .open = on_change, .close = close_delete},
    {FolderHierarchy_Add, FolderHierarchy_ServerId, .text = on_id},
    {FolderHierarchy_Add, FolderHierarchy_ParentId, .text = on_parent},
    {FolderHierarchy_Add, FolderHierarchy_DisplayName, .text = on_name},
    {FolderHierarchy_Add, FolderHierarchy_Type, .text = on_type},
    {FolderHierarchy_Update, FolderHierarchy_ServerId, .text = on_id},
    {FolderHierarchy_Update, FolderHierarchy_ParentId, .text = on_parent},
    {FolderHierarchy_Update, FolderHierarchy_DisplayName, .text = on_name},
    {FolderHierarchy_Update, FolderHierarchy_Type, .text = on_type},
    {FolderHierarchy_Delete, FolderHierarchy_ServerId, .text = on_id},
};
const struct eas_rules eas_folder_rules = {rules, sizeof(rules) / sizeof(rules[0])};
