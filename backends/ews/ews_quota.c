/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How full the mailbox is. The limit is a property of the message store, PidTagProhibitSendQuota (MS-OXCSTOR
 * 2.2.2.1.1.7), that some servers show on the root folder and most do not: then there is nothing to tell. What is used
 * is the sum of PidTagMessageSizeExtended over all folders (MS-OXCFOLD 2.2.2.2.1.10), without Recoverable Items, which
 * have a limit of their own, and search folders, whose messages lie elsewhere.
 *
 *     GetFolder root, recoverableitemsroot -> no limit: done
 *                                          -> FindFolder Deep, page by page -> sum
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_single.h"

#define TAG_SEND_QUOTA 0x666E /* PidTagProhibitSendQuota, KB */
#define TAG_SIZE       0x0E08 /* PidTagMessageSizeExtended, bytes */
#define PAGE           "500"
#define FOLDERS_MAX    20000 /* more is told as unknown */

struct sized {
    struct str id, parent;
    uint64_t size;
    bool search;
};

struct quota_op {
    struct ews_single single;
    uint64_t limit; /* bytes; 0: not told */
    struct str recoverable;
    struct sized *folders;
    size_t count, room, page_start;
    struct sized at;
    bool in_folder, more;
};

static bool is_folder(int el)
{
    return el == EL_FOLDER || el == EL_FOLDER_CALENDAR || el == EL_FOLDER_CONTACTS || el == EL_FOLDER_TASKS ||
           el == EL_FOLDER_SEARCH;
}

static struct str id_of(struct quota_op *q, const struct xml_attr *attrs, size_t n)
{
    return arena_str(&q->single.op.arena, str_sub(xml_attr_get(attrs, n, "Id"), 0, BACKEND_ID_MAX));
}

/* --- the sum --------------------------------------------------------------------------------------------------------
 */

static int by_id(const void *a, const void *b)
{
    return str_cmp(((const struct sized *)a)->id, ((const struct sized *)b)->id);
}

static bool is_recoverable(const struct quota_op *q, const struct sized *f)
{
    /* Upwards; the count ends a ring that a server may have made. */
    for (size_t depth = 0; f && depth < 200; depth++) {
        if (str_eq(f->id, q->recoverable))
            return true;
        struct sized key = {.id = f->parent};
        f = bsearch(&key, q->folders, q->count, sizeof(*q->folders), by_id);
    }
    return false;
}

static void answer(struct quota_op *q)
{
    struct reply *r = q->single.op.reply;
    if (q->count)
        qsort(q->folders, q->count, sizeof(*q->folders), by_id);
    r->quota.limit = q->limit;
    for (size_t i = 0; i < q->count; i++)
        if (!q->folders[i].search && !(q->recoverable.n && is_recoverable(q, &q->folders[i])))
            r->quota.used += q->folders[i].size;
    op_finish(&q->single.op);
}

/* False: it failed, and so does the op. */
static bool is_answered(struct quota_op *q, const struct err *err)
{
    struct err problem;
    bool ok = ews_single_end(&q->single, err, &problem);
    if (!ok)
        op_finish_err(&q->single.op, &problem);
    return ok;
}

/* --- FindFolder -----------------------------------------------------------------------------------------------------
 */

static void find_more(struct quota_op *q);

static bool write_find(void *ud, struct xml_writer *w, bool slow)
{
    struct quota_op *q = ud;
    char offset[24];
    (void)slow;
    q->count = q->page_start;
    q->single.outcome = (struct ews_outcome){0};
    q->more = q->in_folder = false;
    xml_open(w, "m:FindFolder");
    xml_attr_lit(w, "Traversal", "Deep");
    xml_open(w, "m:FolderShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_open(w, "t:AdditionalProperties");
    ews_write_field(w, "folder:ParentFolderId");
    ews_write_property(w, TAG_SIZE, "Long");
    xml_close(w);
    xml_close(w);
    xml_open(w, "m:IndexedPageFolderView");
    xml_attr_lit(w, "MaxEntriesReturned", PAGE);
    snprintf(offset, sizeof(offset), "%zu", q->page_start);
    xml_attr_lit(w, "Offset", offset);
    xml_attr_lit(w, "BasePoint", "Beginning");
    xml_close(w);
    xml_open(w, "m:ParentFolderIds");
    ews_write_known(w, "root", ews_place(q->single.ews));
    xml_close(w);
    xml_close(w);
    return true;
}

static enum xml_want find_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct quota_op *q = ud;
    if (el == EL_ROOT_FOLDER) {
        q->more = !str_is(xml_attr_get(attrs, n, "IncludesLastItemInRange"), "true");
    } else if (is_folder((int)el)) {
        q->at = (struct sized){.search = el == EL_FOLDER_SEARCH};
        q->in_folder = true;
    } else if (el == EL_FOLDER_ID && is_folder(xml_parent(x, 1))) {
        q->at.id = id_of(q, attrs, n);
    } else if (el == EL_PARENT_FOLDER_ID && is_folder(xml_parent(x, 1))) {
        q->at.parent = id_of(q, attrs, n);
    }
    return XML_COLLECT;
}

static void add_folder(struct quota_op *q, struct xml *x)
{
    q->in_folder = false;
    if (q->count == FOLDERS_MAX) {
        xml_fail(x, ERR_TOO_BIG, "FindFolder: more than %d folders", FOLDERS_MAX);
        return;
    }
    if (q->count == q->room) {
        size_t room = q->room ? 2 * q->room : 64;
        struct sized *more = arena_array(&q->single.op.arena, room, sizeof(*more));
        if (q->count)
            memcpy(more, q->folders, q->count * sizeof(*more));
        q->folders = more;
        q->room = room;
    }
    q->folders[q->count++] = q->at;
}

static void find_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct quota_op *q = ud;
    if (el == EL_VALUE && q->in_folder)
        str_to_u64(str_trim(text), &q->at.size);
    else if (is_folder((int)el) && q->in_folder)
        add_folder(q, x);
}

static const struct ews_reader find_reader = {
    .on_start = find_start, .on_end = find_end, .on_message = ews_single_on_message, .max_bytes = 16 << 20};

static void on_found(void *ud, const struct err *err)
{
    struct quota_op *q = ud;
    if (!is_answered(q, err))
        return;
    bool progress = q->count > q->page_start;
    q->page_start = q->count;
    if (q->more && progress)
        find_more(q);
    else
        answer(q);
}

static void find_more(struct quota_op *q)
{
    ews_single_ask(&q->single,
                   (struct ews_call_opts){
                       .operation = "FindFolder", .write = write_find, .reader = &find_reader, .on_done = on_found});
}

/* --- GetFolder ------------------------------------------------------------------------------------------------------
 */

static bool write_get(void *ud, struct xml_writer *w, bool slow)
{
    struct quota_op *q = ud;
    (void)slow;
    q->single.outcome = (struct ews_outcome){0};
    q->limit = 0;
    q->at = (struct sized){0};
    q->recoverable = STR_NULL;
    xml_open(w, "m:GetFolder");
    xml_open(w, "m:FolderShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_open(w, "t:AdditionalProperties");
    ews_write_property(w, TAG_SEND_QUOTA, "Integer");
    xml_close(w);
    xml_close(w);
    xml_open(w, "m:FolderIds");
    ews_write_known(w, "root", ews_place(q->single.ews));
    ews_write_known(w, "recoverableitemsroot", ews_place(q->single.ews));
    xml_close(w);
    xml_close(w);
    return true;
}

static enum xml_want get_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct quota_op *q = ud;
    (void)x;
    if (el == EL_RESPONSE_MESSAGE)
        q->at = (struct sized){0};
    else if (el == EL_FOLDER_ID)
        q->at.id = id_of(q, attrs, n);
    return XML_COLLECT;
}

static void get_end(void *ud, struct xml *x, enum ews_el el, struct str text)
{
    struct quota_op *q = ud;
    (void)x;
    if (el == EL_VALUE)
        str_to_u64(str_trim(text), &q->at.size);
}

static void get_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct quota_op *q = ud;
    ews_single_on_message(ud, x, index, status);
    if (index == 0 && status->code->err == ERR_NONE && q->at.size < UINT32_MAX)
        q->limit = q->at.size * 1024;
    else if (index == 1 && status->code->err == ERR_NONE)
        q->recoverable = q->at.id;
}

static const struct ews_reader get_reader = {
    .on_start = get_start, .on_end = get_end, .on_message = get_message, .max_bytes = 1 << 20};

static void on_got(void *ud, const struct err *err)
{
    struct quota_op *q = ud;
    if (!is_answered(q, err))
        return;
    if (q->limit)
        find_more(q);
    else
        answer(q);
}

/* --- the op ---------------------------------------------------------------------------------------------------------
 */

static void start(struct op *op)
{
    ews_single_ask(
        (struct ews_single *)op,
        (struct ews_call_opts){
            .operation = "GetFolder", .write = write_get, .reader = &get_reader, .on_done = on_got, .batch = true});
}

static const struct op_class quota_class = {"ews.quota", sizeof(struct quota_op), start, ews_single_stop};

struct op *ews_quota(struct backend *b, op_cb *cb, void *ud)
{
    return &ews_single_new(b, &quota_class, cb, ud)->op;
}
