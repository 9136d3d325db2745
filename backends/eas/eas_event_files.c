/* SPDX-License-Identifier: Apache-2.0 */
/* Attachments of events and of single occurrences, from 16.0 on (MS-ASAIRS 2.2.2.8, MS-ASCAL 2.2.2.21). */
#include "backends/eas/eas_event_write.h"
#include "bridge/base/buf.h"

#define ATTACHMENT_NORMAL 1 /* AirSyncBase:Method */

bool eas_event_is_new_attachment(const struct event_attachment *a)
{
    return a->id.n == 0 && a->data.n > 0;
}

static bool keeps(const struct event_fields *f, struct str id)
{
    for (size_t n = 0; n < f->attachment_count; n++)
        if (str_eq(f->attachments[n].id, id))
            return true;
    return false;
}

/* What an occurrence has from its series has no name there under which it could be deleted: it stays. */
static bool goes(const struct eas_event_files *files, const struct event_attachment *was)
{
    return was->id.n > 0 && !keeps(files->wanted, was->id) && !(files->series && keeps(files->series, was->id));
}

static bool same_content(const struct event_attachment *a, const struct event_attachment *b)
{
    return str_eq(a->name, b->name) && str_eq(a->data, b->data);
}

/* What is new in the series, too, an occurrence gets with it. */
static bool comes(const struct eas_event_files *files, const struct event_attachment *a)
{
    const struct event_fields *with = files->with;

    for (size_t n = 0; with && n < with->attachment_count; n++)
        if (eas_event_is_new_attachment(&with->attachments[n]) && same_content(&with->attachments[n], a))
            return false;
    return eas_event_is_new_attachment(a);
}

struct eas_event_files eas_event_files_of(const struct event *e, const struct event_exception *x,
                                          const struct event *base)
{
    const struct event_exception *was = base ? event_exception(base, x->original) : NULL;
    struct eas_event_files files = {.wanted = &x->fields, .series = base ? &base->fields : NULL};

    if (was && !was->deleted)
        files.was = &was->fields;
    else
        files.with = &e->fields;
    return files;
}

bool eas_event_files_change(const struct eas_event_files *files)
{
    const struct event_fields *f = files->wanted, *was = files->was;

    for (size_t n = 0; n < f->attachment_count; n++)
        if (comes(files, &f->attachments[n]))
            return true;
    for (size_t n = 0; was && n < was->attachment_count; n++)
        if (goes(files, &was->attachments[n]))
            return true;
    return false;
}

static void write_new(struct eas_writer *w, const struct event_attachment *a, size_t n)
{
    struct buf id = BUF_INIT(32);

    buf_printf(&id, "a%zu", n);
    eas_write_open(w, AirSyncBase_Add);
    eas_write_text(w, AirSyncBase_ClientId, buf_view(&id));
    eas_write_opaque(w, AirSyncBase_Content, a->data);
    eas_write_text(w, AirSyncBase_DisplayName, a->name.n ? a->name : STR("attachment"));
    eas_write_uint(w, AirSyncBase_Method, ATTACHMENT_NORMAL);
    if (a->content_type.n)
        eas_write_text(w, AirSyncBase_ContentType, a->content_type);
    eas_write_close(w);
    buf_done(&id);
}

void eas_event_write_files(struct eas_writer *w, const struct eas_event_files *files)
{
    const struct event_fields *f = files->wanted, *was = files->was;

    if (!eas_event_files_change(files))
        return;
    eas_write_open(w, AirSyncBase_Attachments);
    for (size_t n = 0; was && n < was->attachment_count; n++) {
        if (!goes(files, &was->attachments[n]))
            continue;
        eas_write_open(w, AirSyncBase_Delete);
        eas_write_text(w, AirSyncBase_FileReference, was->attachments[n].id);
        eas_write_close(w);
    }
    for (size_t n = 0; n < f->attachment_count; n++)
        if (comes(files, &f->attachments[n]))
            write_new(w, &f->attachments[n], n);
    eas_write_close(w);
}
