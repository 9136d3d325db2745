/* SPDX-License-Identifier: Apache-2.0 */
/* WBXML as text for `exbridge trace`: which values of ActiveSync may be read by anybody. */
#include <stdio.h>

#include "backends/common/login.h"
#include "backends/common/trace.h"
#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_multipart.h"
#include "backends/eas/eas_wbxml.h"
#include "bridge/base/mem.h"

/* Whole name spaces in which nothing is said but protocol: keys, ids, states, numbers. */
static const char *const spaces[] = {"AirSync", "Move", "GetItemEstimate", "Ping", "Provision"};
/* Of the others: nothing that a person wrote, and nothing that names one. */
static const unsigned tags[] = {
    FolderHierarchy_ServerId,
    FolderHierarchy_ParentId,
    FolderHierarchy_Type,
    FolderHierarchy_Status,
    FolderHierarchy_SyncKey,
    FolderHierarchy_Count,
    Email_DateReceived,
    Email_Read,
    Email_Importance,
    Email_MessageClass,
    Email_InternetCPID,
    Email_FlagType,
    Email2_LastVerbExecuted,
    Email2_LastVerbExecutionTime,
    Email2_IsDraft,
    Email2_Send,
    AirSyncBase_Type,
    AirSyncBase_TruncationSize,
    AirSyncBase_AllOrNone,
    AirSyncBase_EstimatedDataSize,
    AirSyncBase_Truncated,
    AirSyncBase_Method,
    AirSyncBase_IsInline,
    AirSyncBase_NativeBodyType,
    AirSyncBase_FileReference,
    AirSyncBase_Status,
    AirSyncBase_ClientId,
    Settings_Status,
    Settings_Model,
    Settings_OS,
    Settings_UserAgent,
    ItemOperations_Store,
    ItemOperations_Range,
    ItemOperations_Total,
    ItemOperations_Status,
    ItemOperations_Version,
    ItemOperations_Part,
    ComposeMail_FolderId,
    ComposeMail_ItemId,
    ComposeMail_ClientId,
    ComposeMail_Status,
};

static bool may_be_shown(unsigned tag)
{
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (tags[i] == tag)
            return true;
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
        if (str_is(str_from(spaces[i]), eas_tag_space(tag)))
            return true;
    return false;
}

/* --- the reader -------------------------------------------------------------------------------------------------- */

struct reader {
    struct trace_document *document;
    bool is_multipart, failed;
    struct eas_wbxml wbxml;
    struct eas_multipart multipart;
    uint64_t part_size;
};

static bool on_open(void *ud, unsigned tag, struct err *err)
{
    char name[64];
    (void)err;
    if (*eas_tag_name(tag))
        snprintf(name, sizeof(name), "%s:%s", eas_tag_space(tag), eas_tag_name(tag));
    else
        snprintf(name, sizeof(name), "unknown-%04x", tag);
    trace_open(((struct reader *)ud)->document, str_from(name), may_be_shown(tag));
    return true;
}

static bool on_text(void *ud, struct str piece, struct err *err)
{
    (void)err;
    trace_text(((struct reader *)ud)->document, piece);
    return true;
}

static bool on_close(void *ud, struct err *err)
{
    (void)err;
    trace_close(((struct reader *)ud)->document);
    return true;
}

static bool on_part(void *ud, unsigned part, struct str piece, bool last, struct err *err)
{
    struct reader *r = ud;
    if (part == 0)
        return eas_wbxml_feed(&r->wbxml, piece, err);
    r->part_size += piece.n;
    if (last) {
        trace_note(r->document, "part %u: %llu bytes", part, (unsigned long long)r->part_size);
        r->part_size = 0;
    }
    return true;
}

static void *begin(struct trace_document *d, struct str content_type, bool whole)
{
    static const struct eas_wbxml_events events = {.on_open = on_open, .on_text = on_text, .on_close = on_close};
    bool is_multipart = str_case_starts(content_type, STR("application/vnd.ms-sync.multipart"));
    if (!whole || !(is_multipart || str_case_starts(content_type, STR("application/vnd.ms-sync"))))
        return NULL;
    struct reader *r = MEM_NEW(struct reader);
    r->document = d;
    r->is_multipart = is_multipart;
    eas_wbxml_init(&r->wbxml, &events, r);
    eas_multipart_init(&r->multipart, on_part, r);
    return r;
}

static void feed(void *reader, struct str bytes)
{
    struct reader *r = reader;
    struct err err;
    if (r->failed)
        return;
    r->failed =
        !(r->is_multipart ? eas_multipart_feed(&r->multipart, bytes, &err) : eas_wbxml_feed(&r->wbxml, bytes, &err));
    if (r->failed)
        trace_note(r->document, "this is no WBXML: %s", err.text);
}

static void end(void *reader)
{
    struct reader *r = reader;
    struct err err;
    if (!r->failed && !eas_wbxml_end(&r->wbxml, &err))
        trace_note(r->document, "it ends here");
    mem_free(r);
}

const struct trace_format eas_trace_format = {.label = "", .begin = begin, .feed = feed, .end = end};

void eas_trace(struct backend *base, const struct backend_trace *to)
{
    struct eas_backend *b = (struct eas_backend *)base;
    trace_replace(&b->trace, b->http, &eas_trace_format, to);
    login_trace(b->config.login, &b->login_trace, to);
}
