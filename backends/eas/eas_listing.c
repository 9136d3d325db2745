/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_listing.h"

/* FolderSync's own statuses (MS-ASCMD 2.2.3.177.5). */
enum folder_status {
    STATUS_OK = 1,
    STATUS_SERVER = 6,
    STATUS_KEY = 9,
    STATUS_FORMAT = 10,
    STATUS_UNKNOWN = 11,
    STATUS_CODE = 12
};

#define SERVER_RETRIES 2
#define EFFECTS_MAX    200 /* changes of ours between two listings of the core */

static void ask(struct eas_listing *l);

/* --- the record -------------------------------------------------------------------------------------------------- */

static void read_changes(struct eas_backend *b, struct eas_folder_changes *c, struct str document, struct arena *arena)
{
    struct eas_answer answer;

    *c = (struct eas_folder_changes){.arena = arena,
                                     .junk_name = b->config.junk_name,
                                     .archive_name = b->config.archive_name,
                                     .version = b->state.version};
    eas_answer_init(&answer, eas_folder_rules, c);
    if (document.n == 0 || !eas_answer_feed(&answer, document, NULL) || !eas_answer_end(&answer, NULL))
        c->count = 0;
    eas_answer_done(&answer);
}

struct folder_info *eas_listing_effects(struct eas_backend *b, const struct eas_record *r, struct arena *arena,
                                        size_t *ret_count)
{
    struct eas_folder_changes changes;

    read_changes(b, &changes, r->request, arena);
    *ret_count = changes.count;
    return changes.list;
}

static void write_change(struct eas_writer *w, const struct folder_info *f)
{
    eas_write_open(w, f->gone ? FolderHierarchy_Delete : FolderHierarchy_Update);
    eas_write_text(w, FolderHierarchy_ServerId, f->id);
    if (!f->gone) {
        eas_write_text(w, FolderHierarchy_ParentId, f->parent_id.n > 0 ? f->parent_id : STR("0"));
        eas_write_text(w, FolderHierarchy_DisplayName, f->name);
        eas_write_uint(w, FolderHierarchy_Type, eas_folder_type(f->kind));
    }
    eas_write_close(w);
}

/* A folder that a person has made: the document knows no other types. */
static bool is_plain(const struct folder_info *f)
{
    return f->gone || (!f->hidden && eas_folder_type(f->kind) > 0 &&
                       (f->use == USE_NONE || f->use == USE_JUNK || f->use == USE_ARCHIVE));
}

bool eas_listing_note(struct eas_backend *b, struct eas_record *r, const struct folder_info *list, size_t count,
                      struct str key, struct arena *arena, struct err *err)
{
    size_t old_count;
    struct folder_info *old = eas_listing_effects(b, r, arena, &old_count);
    struct buf document = BUF_INIT(EAS_RECORD_MAX);
    struct eas_writer w;

    r->key = arena_str(arena, key);
    r->request = STR_NULL;
    for (size_t i = 0; i < count; i++)
        if (!is_plain(&list[i]))
            r->key = STR("0");
    if (old_count + count > EFFECTS_MAX)
        r->key = STR("0");
    if (!str_is(r->key, "0")) {
        eas_writer_init(&w, &document);
        eas_write_open(&w, FolderHierarchy_FolderSync);
        eas_write_open(&w, FolderHierarchy_Changes);
        for (size_t i = 0; i < old_count; i++)
            write_change(&w, &old[i]);
        for (size_t i = 0; i < count; i++)
            write_change(&w, &list[i]);
        eas_write_close(&w);
        eas_write_close(&w);
        r->request = arena_str(arena, buf_view(&document));
    }
    buf_done(&document);
    return eas_record_save(b, STR_NULL, r, err);
}

/* --- ends -------------------------------------------------------------------------------------------------------- */

static void end(struct eas_listing *l, const struct err *err)
{
    struct err copy = *err;

    eas_call_close(&l->call);
    if (err->code == ERR_NONE) {
        l->b->hierarchy = false;
        if (l->full)
            l->b->upgraded = false;
    }
    l->done(l->ud, &copy);
}

static void start_over(struct eas_listing *l)
{
    l->restarted = true;
    ask(l);
}

static void fail(struct eas_listing *l, enum err_code code, int status)
{
    struct err err = {0};

    err_set(&err, code, "FolderSync: the server answered status %d", status);
    err.status = status;
    end(l, &err);
}

static void on_status(struct eas_listing *l, int status)
{
    struct err none = {0};

    switch (status) {
    case STATUS_OK:
        if (l->changes.key.n > 0)
            end(l, &none);
        else
            fail(l, ERR_PROTOCOL, status);
        return;
    case STATUS_KEY:
        if (l->restarted || l->full)
            fail(l, ERR_PROTOCOL, status);
        else
            start_over(l);
        return;
    case STATUS_SERVER:
    case STATUS_UNKNOWN:
    case STATUS_CODE:
        if (l->server_errors++ < SERVER_RETRIES)
            ask(l);
        else if (!l->full)
            start_over(l);
        else
            fail(l, ERR_OFFLINE, status);
        return;
    default:
        fail(l, ERR_PROTOCOL, status);
    }
}

static void on_done(void *ud, const struct err *err)
{
    struct eas_listing *l = ud;

    if (err->code == ERR_STALE && !l->full) {
        start_over(l);
        return;
    }
    if (err->code != ERR_NONE) {
        end(l, err);
        return;
    }
    if (l->call.empty && !l->full) /* as it is for Sync: nothing new */
        l->changes.key = l->asked;
    /* Some leave the status out. */
    on_status(l, l->call.answer.status == 0 && l->changes.key.n > 0 ? STATUS_OK : l->call.answer.status);
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static bool write_request(void *ud, struct eas_writer *w, struct err *err)
{
    struct eas_listing *l = ud;
    struct str key;

    (void)err;
    l->full = l->restarted || !eas_cursor_read(l->b, l->cursor, &key);
    if (!l->full && l->known) {
        key = l->record.key;
        l->full = str_is(key, "0");
    }
    l->asked = l->full ? STR_NULL : key;
    l->changes.version = l->b->state.version;
    eas_folder_changes_begin(&l->changes);
    eas_write_open(w, FolderHierarchy_FolderSync);
    eas_write_text(w, FolderHierarchy_SyncKey, l->full ? STR("0") : key);
    eas_write_close(w);
    return true;
}

static const struct eas_request request = {
    .command = EAS_FOLDER_SYNC, .rules = &eas_folder_rules, .write = write_request, .done = on_done};

static void ask(struct eas_listing *l)
{
    eas_call_close(&l->call);
    eas_call_init(&l->call, l->b, &request, l);
    l->call.reader = &l->changes;
    eas_call_start(&l->call);
}

void eas_listing_init(struct eas_listing *l, struct eas_backend *b, struct str cursor, struct arena *arena)
{
    *l = (struct eas_listing){.b = b, .cursor = cursor};
    l->changes.arena = arena;
    l->changes.junk_name = b->config.junk_name;
    l->changes.archive_name = b->config.archive_name;
    l->known = cursor.n > 0 && eas_record_load(b, STR_NULL, cursor, arena, &l->record);
}

void eas_listing_start(struct eas_listing *l, bool full, void (*done)(void *ud, const struct err *err), void *ud)
{
    l->done = done;
    l->ud = ud;
    l->restarted = full;
    l->server_errors = 0;
    ask(l);
}

void eas_listing_close(struct eas_listing *l)
{
    if (!l->b)
        return;
    eas_call_close(&l->call);
    l->b = NULL;
}
