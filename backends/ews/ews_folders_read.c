/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_folders_read.h"

#include <string.h>

/* --- the roles ----------------------------------------------------------------------------------- */

const struct ews_role ews_roles[EWS_ROLE_COUNT] = {
    {"msgfolderroot", USE_NONE, false, false}, {"deleteditems", USE_TRASH, false, false},
    {"inbox", USE_INBOX, false, false},        {"drafts", USE_DRAFTS, false, false},
    {"sentitems", USE_SENT, false, false},     {"junkemail", USE_JUNK, false, false},
    {"outbox", USE_OUTBOX, false, false},      {"syncissues", USE_NONE, true, true},
    {"conflicts", USE_NONE, true, true},       {"localfailures", USE_NONE, true, true},
    {"serverfailures", USE_NONE, true, true},  {"recipientcache", USE_NONE, true, true},
};

void ews_roles_init(struct ews_roles_found *r, struct arena *arena)
{
    memset(r, 0, sizeof(*r));
    r->arena = arena;
}

static struct str read_id(struct arena *arena, struct xml *x, const struct xml_attr *attrs, size_t n)
{
    struct str id = xml_attr_get(attrs, n, "Id");
    if (id.n > BACKEND_ID_MAX) {
        xml_fail(x, ERR_PROTOCOL, "a folder id of %zu bytes", id.n);
        return STR_NULL;
    }
    return arena_str(arena, id);
}

static enum xml_want roles_on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_roles_found *r = ud;
    if (el == EL_RESPONSE_MESSAGE)
        r->id = r->name = STR_NULL;
    else if (el == EL_FOLDER_ID && xml_parent(x, 2) == EL_FOLDERS)
        r->id = read_id(r->arena, x, attrs, n);
    return XML_COLLECT;
}

static void roles_on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct ews_roles_found *r = ud;
    if (el == EL_DISPLAY_NAME && xml_parent(x, 2) == EL_FOLDERS)
        r->name = arena_str(r->arena, text);
}

static void roles_on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct ews_roles_found *r = ud;
    (void)x;
    if (index >= r->count)
        return;
    r->answered++;
    if (status->code->err == ERR_NONE) {
        r->ids[index] = r->id;
        r->names[index] = r->name;
    } else if (index == 0) {
        r->first_error = *status; /* no root, no mailbox; a missing junk folder is nothing special */
    }
}

const struct ews_reader ews_roles_reader = {
    .on_start = roles_on_start,
    .on_end = roles_on_end,
    .on_message = roles_on_message,
    .max_bytes = 1 << 20,
};

void ews_roles_write(struct xml_writer *w, struct ews_roles_found *r, bool is_15, struct ews_place place)
{
    size_t most = place.archive ? EWS_ROLE_ARCHIVE + is_15 : EWS_ROLE_COUNT;
    ews_roles_init(r, r->arena);
    xml_open(w, "m:GetFolder");
    xml_open(w, "m:FolderShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_open(w, "t:AdditionalProperties");
    ews_write_field(w, "folder:DisplayName");
    xml_close(w);
    xml_close(w);
    xml_open(w, "m:FolderIds");
    /* The later ones are at the end of the table, so an answer's index is the table's. */
    for (size_t i = 0; i < most && (is_15 || !ews_roles[i].since_15); i++, r->count++)
        ews_write_known(w, ews_roles[i].name, place);
    xml_close(w);
    xml_close(w);
}

/* --- the tree ------------------------------------------------------------------------------------ */

void ews_tree_init(struct ews_tree *t, struct arena *arena)
{
    memset(t, 0, sizeof(*t));
    t->arena = arena;
}

void ews_tree_page_begin(struct ews_tree *t)
{
    t->count = t->page_start;
    t->cursor = STR_NULL;
    t->more = false;
    t->outcome = (struct ews_outcome){0};
}

void ews_tree_page_done(struct ews_tree *t)
{
    t->page_start = t->count;
}

static bool is_folder(enum ews_el el)
{
    return el == EL_FOLDER || el == EL_FOLDER_CALENDAR || el == EL_FOLDER_CONTACTS || el == EL_FOLDER_TASKS ||
           el == EL_FOLDER_SEARCH;
}

/* Is the class `name` or something derived from it ("IPF.Note.Sub")? */
static bool class_is(struct str class, const char *name)
{
    struct str base = str_from(name);
    return str_case_starts(class, base) && (class.n == base.n || class.p[base.n] == '.');
}

static enum folder_kind folder_kind(enum ews_el element, struct str class)
{
    static const struct {
        const char *class;
        enum folder_kind kind;
    } kinds[] = {
        {"IPF.Note", FOLDER_MAIL},
        {"IPF.Appointment", FOLDER_CALENDAR},
        {"IPF.Task", FOLDER_TASKS},
        {"IPF.Contact", FOLDER_CONTACTS},
    };
    if (element == EL_FOLDER_SEARCH)
        return FOLDER_OTHER; /* cannot be synchronised */
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (class_is(class, kinds[i].class))
            return kinds[i].kind;
    if (class.n)
        return FOLDER_OTHER;
    /* IMAP clients and old programs make folders without a class: they hold mail. */
    return element == EL_FOLDER_CALENDAR   ? FOLDER_CALENDAR
           : element == EL_FOLDER_CONTACTS ? FOLDER_CONTACTS
           : element == EL_FOLDER_TASKS    ? FOLDER_TASKS
                                           : FOLDER_MAIL;
}

static enum xml_want tree_on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_tree *t = ud;
    int parent = xml_parent(x, 1);
    if (parent == EL_CHANGES && (el == EL_CREATE || el == EL_UPDATE || el == EL_DELETE)) {
        memset(&t->folder, 0, sizeof(t->folder));
        t->folder.gone = el == EL_DELETE;
        t->class = t->distinguished = STR_NULL;
        t->element = EL_NONE;
    } else if (is_folder(el)) {
        t->element = el;
    } else if (el == EL_FOLDER_ID && (is_folder((enum ews_el)parent) || parent == EL_DELETE)) {
        t->folder.id = read_id(t->arena, x, attrs, n);
    } else if (el == EL_PARENT_FOLDER_ID && is_folder((enum ews_el)parent)) {
        t->folder.parent_id = read_id(t->arena, x, attrs, n);
    } else if (el == EL_EXTENDED) {
        t->tag = 0;
    } else if (el == EL_EXTENDED_URI) {
        t->tag = ews_xml_property_tag(xml_attr_get(attrs, n, "PropertyTag"));
    }
    return XML_COLLECT;
}

static void folder_end(struct ews_tree *t, struct xml *x)
{
    if (t->folder.id.n == 0)
        return;
    if (t->count >= EWS_FOLDERS_MAX) {
        xml_fail(x, ERR_TOO_BIG, "more than %d folders", EWS_FOLDERS_MAX);
        return;
    }
    if (!t->folder.gone) {
        t->folder.kind = folder_kind(t->element, t->class);
        if (str_is(t->distinguished, "archive"))
            t->folder.use = USE_ARCHIVE;
    }
    if (t->count == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct folder_info *list = arena_array(t->arena, room, sizeof(*list));
        if (t->count)
            memcpy(list, t->list, t->count * sizeof(*list));
        t->list = list;
        t->room = room;
    }
    t->list[t->count++] = t->folder;
}

static void tree_on_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct ews_tree *t = ud;
    int parent = xml_parent(x, 1);
    if (parent == EL_CHANGES && (el == EL_CREATE || el == EL_UPDATE || el == EL_DELETE))
        folder_end(t, x);
    else if (parent == EL_RESPONSE_MESSAGE && el == EL_SYNC_STATE)
        t->cursor = arena_str(t->arena, str_trim(text));
    else if (parent == EL_RESPONSE_MESSAGE && el == EL_LAST_IN_RANGE)
        t->more = text.n && !ews_xml_bool(text);
    else if (is_folder((enum ews_el)parent) && el == EL_DISPLAY_NAME)
        t->folder.name = arena_str(t->arena, text);
    else if (is_folder((enum ews_el)parent) && el == EL_FOLDER_CLASS)
        t->class = arena_str(t->arena, str_trim(text));
    else if (is_folder((enum ews_el)parent) && el == EL_DISTINGUISHED_ID)
        t->distinguished = arena_str(t->arena, str_trim(text));
    else if (parent == EL_EXTENDED && el == EL_VALUE && t->tag == EWS_TAG_HIDDEN)
        t->folder.hidden = ews_xml_bool(text);
}

static void tree_on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    (void)x;
    ews_outcome_take(&((struct ews_tree *)ud)->outcome, index, status);
}

const struct ews_reader ews_tree_reader = {
    .on_start = tree_on_start,
    .on_end = tree_on_end,
    .on_message = tree_on_message,
    .max_bytes = 64 << 20,
    .max_elements = 500000,
};

void ews_tree_write(struct xml_writer *w, struct str cursor, bool is_15, struct ews_place place)
{
    xml_open(w, "m:SyncFolderHierarchy");
    xml_open(w, "m:FolderShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_open(w, "t:AdditionalProperties");
    ews_write_field(w, "folder:DisplayName");
    ews_write_field(w, "folder:ParentFolderId");
    ews_write_field(w, "folder:FolderClass");
    if (is_15)
        ews_write_field(w, "folder:DistinguishedFolderId");
    ews_write_property(w, EWS_TAG_HIDDEN, "Boolean");
    xml_close(w);
    xml_close(w);
    xml_open(w, "m:SyncFolderId");
    ews_write_known(w, ews_roles[0].name, place);
    xml_close(w);
    if (cursor.n)
        xml_leaf(w, "m:SyncState", cursor);
    xml_close(w);
}
