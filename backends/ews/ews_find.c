/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_find.h"

#include <string.h>

#include "backends/ews/ews_folders_read.h"
#include "bridge/base/time.h"

#define PAUSE_MS 2000 /* before a second look; before each further one twice as long */

void ews_write_journal_field(struct xml_writer *w)
{
    xml_open(w, "t:ExtendedFieldURI");
    xml_attr_lit(w, "DistinguishedPropertySetId", "PublicStrings");
    xml_attr_lit(w, "PropertyName", "exbridge-journal");
    xml_attr_lit(w, "PropertyType", "String");
    xml_close(w);
}

static void write_restriction(const struct ews_find *f, struct xml_writer *w)
{
    xml_open(w, "m:Restriction");
    xml_open(w, "t:IsEqualTo");
    ews_write_journal_field(w);
    xml_open(w, "t:FieldURIOrConstant");
    xml_open(w, "t:Constant");
    xml_attr(w, "Value", f->evidence);
    xml_close(w);
    xml_close(w);
    xml_close(w);
    xml_close(w);
}

static bool write_find(void *ud, struct xml_writer *w, bool slow)
{
    struct ews_find *f = ud;
    (void)slow;
    memset(f->found, 0, sizeof(f->found));
    f->at = 0;
    f->blind = (struct err){0};
    xml_open(w, "m:FindItem");
    xml_attr_lit(w, "Traversal", "Shallow");
    xml_open(w, "m:ItemShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_close(w);
    write_restriction(f, w);
    xml_open(w, "m:ParentFolderIds");
    for (size_t i = 0; i < f->well_known_count; i++)
        ews_write_distinguished(w, f->well_known[i], ews_delegate(f->ews));
    if (!f->well_known_count)
        ews_write_folder_id(w, f->folder_id);
    xml_close(w);
    xml_close(w);
    return true;
}

static enum xml_want on_start(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n)
{
    struct ews_find *f = ud;
    (void)x;
    if (el == EL_ITEM_ID && f->at < EWS_FIND_PLACES && f->found[f->at].id.n == 0) {
        struct ews_found *found = &f->found[f->at];
        found->id = arena_str(f->arena, str_sub(xml_attr_get(attrs, n, "Id"), 0, BACKEND_ID_MAX));
        found->change = arena_str(f->arena, str_sub(xml_attr_get(attrs, n, "ChangeKey"), 0, BACKEND_ID_MAX));
    }
    return XML_COLLECT;
}

static void on_message(void *ud, struct xml *x, size_t index, const struct ews_status *status)
{
    struct ews_find *f = ud;
    (void)x;
    f->at = index + 1;
    if (status->code->err != ERR_NONE && status->code->err != ERR_NOT_FOUND && f->blind.code == ERR_NONE)
        ews_status_err(status, "FindItem", &f->blind);
}

static void look(void *ud);

static void finish(struct ews_find *f, const struct err *err)
{
    struct err problem = *err;
    timer_free(&f->pause);
    f->done(f->ud, &problem);
}

static void wait_for(struct ews_find *f, uint64_t ms)
{
    if (!f->pause)
        f->pause = timer_new(f->ews->base.loop, look, f);
    timer_start(f->pause, ms);
}

static void on_looked(void *ud, const struct err *err)
{
    struct ews_find *f = ud;
    struct err problem = *err;
    size_t asked = f->well_known_count ? f->well_known_count : 1;
    uint64_t now = time_mono_ms();
    bool any = false, settled = now >= f->settled_ms;
    f->call = NULL;
    if (problem.code == ERR_NOT_FOUND)
        problem = (struct err){0};
    else if (problem.code == ERR_NONE && f->at != asked)
        err_set(&problem, ERR_PROTOCOL, "FindItem: %zu answers to %zu questions", f->at, asked);
    for (size_t i = 0; i < asked; i++)
        any = any || (f->found[i].id.n && (settled || i < asked - f->passing));
    if (problem.code != ERR_NONE || any) {
        finish(f, &problem);
    } else if (!settled) {
        uint64_t left = f->settled_ms - now;
        wait_for(f, left < f->pause_ms ? left : f->pause_ms);
        f->pause_ms *= 2;
    } else {
        finish(f, &f->blind);
    }
}

static void look(void *ud)
{
    static const struct ews_reader reader = {.on_start = on_start, .on_message = on_message, .max_bytes = 1 << 20};
    struct ews_find *f = ud;
    f->call = ews_call_start(f->ews, &(struct ews_call_opts){.operation = "FindItem",
                                                             .write = write_find,
                                                             .reader = &reader,
                                                             .reader_ud = f,
                                                             .on_done = on_looked,
                                                             .ud = f,
                                                             .batch = f->well_known_count > 0});
}

void ews_find_start(struct ews_find *f, bool lost)
{
    f->pause_ms = PAUSE_MS;
    f->settled_ms = f->ews->lost_ms + f->ews->tuning.settle_ms;
    if (lost)
        wait_for(f, PAUSE_MS);
    else
        look(f);
}
