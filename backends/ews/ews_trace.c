/* SPDX-License-Identifier: Apache-2.0 */
/* SOAP for `exbridge trace`: which values of EWS may be read by anybody. */
#include "backends/common/login.h"
#include "backends/common/trace.h"
#include "backends/ews/ews_backend.h"
#include "bridge/base/mem.h"
#include "bridge/formats/xml.h"

/* Names of servers' states, kinds, numbers and dates: nothing that a person wrote, and nothing that names one. */
static const char *const elements[] = {
    "AdditionalProperties",
    "AppointmentState",
    "AsEndpoint",
    "BackOffMilliseconds",
    "BaseShape",
    "BodyType",
    "CalendarItemType",
    "ChildFolderCount",
    "ConnectionStatus",
    "ConnectionTimeout",
    "ContentType",
    "DateTimeCreated",
    "DateTimeReceived",
    "DateTimeSent",
    "Day",
    "DayOfMonth",
    "DayOfWeekIndex",
    "DaysOfWeek",
    "DeleteType",
    "DueDate",
    "Duration",
    "EffectiveRights",
    "End",
    "ErrorSubscriptionId",
    "EventType",
    "ExchangeImpersonation",
    "FirstDayOfWeek",
    "FlagStatus",
    "FolderClass",
    "FreeBusyViewType",
    "HasAttachments",
    "Importance",
    "IncludeMimeContent",
    "IncludesLastFolderInRange",
    "IncludesLastItemInRange",
    "InstanceType",
    "Interval",
    "IsAllDayEvent",
    "IsAssociated",
    "IsCancelled",
    "IsDraft",
    "IsFromMe",
    "IsHidden",
    "IsInline",
    "IsMeeting",
    "IsRead",
    "IsRecurring",
    "IsResponseRequested",
    "IsResubmit",
    "IsSubmitted",
    "IsUnmodified",
    "ItemClass",
    "LastModifiedTime",
    "LegacyFreeBusyStatus",
    "MaxChangesReturned",
    "MeetingRequestWasSent",
    "MessageText",
    "Month",
    "MyResponseType",
    "NumberOfOccurrences",
    "OriginalStart",
    "PercentComplete",
    "ReminderIsSet",
    "ReminderMinutesBeforeStart",
    "ResponseCode",
    "ResponseType",
    "SaveItemToFolder",
    "SendMeetingInvitationsMode",
    "Sensitivity",
    "Size",
    "Start",
    "StartDate",
    "Status",
    "StatusFrequency",
    "SubscriptionId",
    "SyncFolderScope",
    "TimeStamp",
    "Timeout",
    "TotalCount",
    "UnreadCount",
    "faultcode",
    "faultstring",
};
static const char *const attributes[] = {
    "AffectedTaskOccurrences",
    "BasePoint",
    "ChangeKey",
    "ConflictResolution",
    "ContainmentComparison",
    "ContainmentMode",
    "DeleteType",
    "DistinguishedPropertySetId",
    "FieldIndex",
    "FieldURI",
    "Id",
    "IncludesLastItemInRange",
    "IndexedPagingOffset",
    "InstanceIndex",
    "MajorBuildNumber",
    "MajorVersion",
    "MaxEntriesReturned",
    "MessageDisposition",
    "MinorBuildNumber",
    "MinorVersion",
    "Offset",
    "Order",
    "PropertyId",
    "PropertyName",
    "PropertySetId",
    "PropertyTag",
    "PropertyType",
    "ResponseClass",
    "RootItemChangeKey",
    "RootItemId",
    "SendMeetingCancellations",
    "SendMeetingInvitations",
    "SendMeetingInvitationsOrCancellations",
    "SubscribeToAllFolders",
    "SuppressReadReceipts",
    "TotalItemsInView",
    "Traversal",
    "Version",
};

/* --- the reader -------------------------------------------------------------------------------------------------- */

struct reader {
    struct trace_document *document;
    struct xml_split split;
    struct xml *xml; /* of the envelope that is being read */
    bool failed;     /* ... and cannot be */
    bool skip;       /* its beginning was not seen */
};

static enum xml_want on_start(void *ctx, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                              size_t n)
{
    struct reader *r = ctx;
    (void)x;
    trace_open(r->document, name->local, str_among(name->local, elements, sizeof(elements) / sizeof(elements[0])));
    for (size_t i = 0; i < n; i++)
        trace_attr(r->document, attrs[i].name, attrs[i].value,
                   str_among(attrs[i].name, attributes, sizeof(attributes) / sizeof(attributes[0])));
    return XML_STREAM;
}

static void on_text(void *ctx, struct xml *x, struct str piece)
{
    (void)x;
    trace_text(((struct reader *)ctx)->document, piece);
}

static void on_end(void *ctx, struct xml *x, const struct xml_name *name, struct str text)
{
    (void)x;
    (void)name;
    (void)text;
    trace_close(((struct reader *)ctx)->document);
}

static const struct xml_spec spec = {.mode = XML_SERVER, .on_start = on_start, .on_text = on_text, .on_end = on_end};

static void *begin(struct trace_document *d, struct str content_type, bool whole)
{
    if (whole && str_case_find(content_type, STR("xml")) == (size_t)-1)
        return NULL;
    struct reader *r = MEM_NEW(struct reader);
    r->document = d;
    r->skip = !whole;
    r->split.in_document = !whole;
    return r;
}

static void end_envelope(struct reader *r)
{
    xml_free(r->xml);
    r->xml = NULL;
    r->failed = r->skip = false;
}

static void feed(void *reader, struct str bytes)
{
    struct reader *r = reader;
    struct str piece;
    struct err err;
    bool ends;
    while (xml_split_next(&r->split, &bytes, &piece, &ends)) {
        if (!r->skip && !r->xml) {
            r->xml = xml_new(&spec, r);
            trace_start(r->document);
        }
        if (!r->skip && !r->failed && !xml_feed(r->xml, piece, &err)) {
            r->failed = true;
            trace_note(r->document, "this is no XML: %s", err.text);
        }
        if (ends)
            end_envelope(r);
    }
}

static void end(void *reader)
{
    struct reader *r = reader;
    if (r->xml)
        trace_note(r->document, "it ends here");
    end_envelope(r);
    mem_free(r);
}

const struct trace_format ews_trace_format = {.label = "", .begin = begin, .feed = feed, .end = end};

void ews_trace(struct backend *b, const struct backend_trace *to)
{
    struct ews *e = (struct ews *)b;
    trace_replace(&e->trace, e->http, &ews_trace_format, to);
    login_trace(e->config.login, &e->login_trace, to);
}
