/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews_xml.h"

#include <stdio.h>

enum { NS_SOAP = 1, NS_M, NS_T, NS_E };

#define URI_SOAP "http://schemas.xmlsoap.org/soap/envelope/"
#define URI_M    "http://schemas.microsoft.com/exchange/services/2006/messages"
#define URI_T    "http://schemas.microsoft.com/exchange/services/2006/types"
#define URI_E    "http://schemas.microsoft.com/exchange/services/2006/errors"

static const char *const namespaces[] = {URI_SOAP, URI_M, URI_T, URI_E};

static const struct xml_tag tags[] = {
    {NS_SOAP, "Envelope", EL_ENVELOPE},
    {NS_SOAP, "Header", EL_HEADER},
    {NS_SOAP, "Body", EL_BODY},
    {NS_SOAP, "Fault", EL_FAULT},
    {0, "faultcode", EL_FAULT_CODE},
    {0, "faultstring", EL_FAULT_STRING},
    {0, "detail", EL_FAULT_DETAIL},
    {NS_SOAP, "faultcode", EL_FAULT_CODE},
    {NS_SOAP, "faultstring", EL_FAULT_STRING},
    {NS_SOAP, "detail", EL_FAULT_DETAIL},
    {NS_T, "ServerVersionInfo", EL_SERVER_VERSION},

    {NS_M, "ResponseMessages", EL_RESPONSE_MESSAGES},
    {NS_M, "GetItemResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "GetFolderResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "SyncFolderItemsResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "SyncFolderHierarchyResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "GetAttachmentResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "SubscribeResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "UnsubscribeResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "GetStreamingEventsResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "ConvertIdResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "UpdateItemResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "MoveItemResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "CopyItemResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "DeleteItemResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "CreateItemResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "SendItemResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "FindItemResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "FindFolderResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "CreateFolderResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "UpdateFolderResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "MoveFolderResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "DeleteFolderResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "CreateAttachmentResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "DeleteAttachmentResponseMessage", EL_RESPONSE_MESSAGE},
    {NS_M, "ServiceConfigurationResponseMessageType", EL_RESPONSE_MESSAGE},
    {NS_M, "MailTipsConfiguration", EL_MAIL_TIPS},
    {NS_T, "MaxMessageSize", EL_MAX_MESSAGE_SIZE},
    {NS_M, "ResponseCode", EL_RESPONSE_CODE},
    {NS_E, "ResponseCode", EL_RESPONSE_CODE},
    {NS_M, "MessageText", EL_MESSAGE_TEXT},
    {NS_M, "MessageXml", EL_MESSAGE_XML},
    {NS_T, "MessageXml", EL_MESSAGE_XML},
    {NS_T, "Value", EL_VALUE},

    {NS_M, "Folders", EL_FOLDERS},
    {NS_T, "Folders", EL_FOLDERS}, /* of FindFolder */
    {NS_T, "Folder", EL_FOLDER},
    {NS_T, "CalendarFolder", EL_FOLDER_CALENDAR},
    {NS_T, "ContactsFolder", EL_FOLDER_CONTACTS},
    {NS_T, "TasksFolder", EL_FOLDER_TASKS},
    {NS_T, "SearchFolder", EL_FOLDER_SEARCH},
    {NS_T, "FolderId", EL_FOLDER_ID},
    {NS_T, "ParentFolderId", EL_PARENT_FOLDER_ID},
    {NS_T, "OldParentFolderId", EL_OLD_PARENT_FOLDER_ID},
    {NS_T, "OldFolderId", EL_OLD_FOLDER_ID},
    {NS_T, "DisplayName", EL_DISPLAY_NAME},
    {NS_T, "FolderClass", EL_FOLDER_CLASS},
    {NS_T, "DistinguishedFolderId", EL_DISTINGUISHED_ID},

    {NS_M, "SyncState", EL_SYNC_STATE},
    {NS_M, "IncludesLastItemInRange", EL_LAST_IN_RANGE},
    {NS_M, "IncludesLastFolderInRange", EL_LAST_IN_RANGE},
    {NS_M, "Changes", EL_CHANGES},
    {NS_T, "Create", EL_CREATE},
    {NS_T, "Update", EL_UPDATE},
    {NS_T, "Delete", EL_DELETE},
    {NS_T, "ReadFlagChange", EL_READ_FLAG_CHANGE},

    {NS_M, "RootFolder", EL_ROOT_FOLDER},
    {NS_M, "Items", EL_ITEMS},
    {NS_T, "Items", EL_ITEMS}, /* of FindItem */
    {NS_T, "Item", EL_ITEM},
    {NS_T, "Message", EL_ITEM},
    {NS_T, "CalendarItem", EL_ITEM},
    {NS_T, "MeetingMessage", EL_ITEM},
    {NS_T, "MeetingRequest", EL_ITEM},
    {NS_T, "MeetingResponse", EL_ITEM},
    {NS_T, "MeetingCancellation", EL_ITEM},
    {NS_T, "PostItem", EL_ITEM},
    {NS_T, "Contact", EL_ITEM_OTHER},
    {NS_T, "DistributionList", EL_ITEM_OTHER},
    {NS_T, "Task", EL_ITEM_OTHER},
    {NS_T, "RoleMember", EL_ITEM_OTHER},
    {NS_T, "Network", EL_ITEM_OTHER},
    {NS_T, "Person", EL_ITEM_OTHER},
    {NS_T, "ItemId", EL_ITEM_ID},
    {NS_T, "MimeContent", EL_MIME_CONTENT},
    {NS_T, "ItemClass", EL_ITEM_CLASS},
    {NS_T, "Subject", EL_SUBJECT},
    {NS_T, "DateTimeReceived", EL_RECEIVED},
    {NS_T, "DateTimeSent", EL_SENT},
    {NS_T, "DateTimeCreated", EL_CREATED_AT},
    {NS_T, "Size", EL_SIZE},
    {NS_T, "Importance", EL_IMPORTANCE},
    {NS_T, "Categories", EL_CATEGORIES},
    {NS_T, "String", EL_STRING},
    {NS_T, "InReplyTo", EL_IN_REPLY_TO},
    {NS_T, "IsRead", EL_IS_READ},
    {NS_T, "InternetMessageId", EL_MESSAGE_ID},
    {NS_T, "References", EL_REFERENCES},
    {NS_T, "From", EL_FROM},
    {NS_T, "Sender", EL_SENDER},
    {NS_T, "ToRecipients", EL_TO},
    {NS_T, "CcRecipients", EL_CC},
    {NS_T, "BccRecipients", EL_BCC},
    {NS_T, "ReplyTo", EL_REPLY_TO},
    {NS_T, "Mailbox", EL_MAILBOX},
    {NS_T, "Name", EL_NAME},
    {NS_T, "EmailAddress", EL_ADDRESS},
    {NS_T, "RoutingType", EL_ROUTING_TYPE},
    {NS_T, "Body", EL_ITEM_BODY},
    {NS_T, "ExtendedProperty", EL_EXTENDED},
    {NS_T, "ExtendedFieldURI", EL_EXTENDED_URI},

    {NS_T, "Attachments", EL_ATTACHMENTS}, /* of an item */
    {NS_M, "Attachments", EL_ATTACHMENTS}, /* of GetAttachment */
    {NS_T, "FileAttachment", EL_FILE_ATTACHMENT},
    {NS_T, "ItemAttachment", EL_ITEM_ATTACHMENT},
    {NS_T, "AttachmentId", EL_ATTACHMENT_ID},
    {NS_T, "Content", EL_CONTENT},
    {NS_T, "ContentType", EL_CONTENT_TYPE},
    {NS_T, "ContentId", EL_CONTENT_ID},
    {NS_T, "IsInline", EL_IS_INLINE},

    {NS_M, "SubscriptionId", EL_SUBSCRIPTION_ID},
    {NS_T, "SubscriptionId", EL_SUBSCRIPTION_ID},
    {NS_M, "Notifications", EL_NOTIFICATIONS},
    {NS_M, "Notification", EL_NOTIFICATION},
    {NS_T, "Notification", EL_NOTIFICATION},
    {NS_M, "ConnectionStatus", EL_CONNECTION_STATUS},
    {NS_M, "ErrorSubscriptionIds", EL_ERROR_SUBSCRIPTIONS},
    {NS_T, "CreatedEvent", EL_EVENT},
    {NS_T, "DeletedEvent", EL_EVENT},
    {NS_T, "NewMailEvent", EL_EVENT},
    {NS_T, "CopiedEvent", EL_EVENT},
    {NS_T, "MovedEvent", EL_EVENT},
    {NS_T, "ModifiedEvent", EL_EVENT_CHANGED},
    {NS_T, "StatusEvent", EL_EVENT_STATUS},
    {NS_T, "UnreadCount", EL_UNREAD_COUNT},
    {NS_M, "AlternateId", EL_ALTERNATE_ID},
    {NS_T, "AlternateId", EL_ALTERNATE_ID},

    {NS_T, "UID", EL_CAL_UID},
    {NS_T, "DateTimeStamp", EL_CAL_STAMP},
    {NS_T, "Start", EL_CAL_START},
    {NS_T, "End", EL_CAL_END},
    {NS_T, "IsAllDayEvent", EL_CAL_ALL_DAY},
    {NS_T, "LegacyFreeBusyStatus", EL_CAL_BUSY},
    {NS_T, "Location", EL_CAL_LOCATION},
    {NS_T, "IsMeeting", EL_CAL_IS_MEETING},
    {NS_T, "IsCancelled", EL_CAL_IS_CANCELLED},
    {NS_T, "IsResponseRequested", EL_CAL_RESPONSE_REQUESTED},
    {NS_T, "MyResponseType", EL_CAL_MY_RESPONSE},
    {NS_T, "Organizer", EL_CAL_ORGANIZER},
    {NS_T, "RequiredAttendees", EL_CAL_REQUIRED},
    {NS_T, "OptionalAttendees", EL_CAL_OPTIONAL},
    {NS_T, "Resources", EL_CAL_RESOURCES},
    {NS_T, "Attendee", EL_CAL_ATTENDEE},
    {NS_T, "ResponseType", EL_CAL_RESPONSE},
    {NS_T, "AppointmentReplyTime", EL_CAL_REPLIED},
    {NS_T, "AppointmentSequenceNumber", EL_CAL_SEQUENCE},
    {NS_T, "JoinOnlineMeetingUrl", EL_CAL_JOIN_URL},
    {NS_T, "Recurrence", EL_CAL_RECURRENCE},
    {NS_T, "ModifiedOccurrences", EL_CAL_MODIFIED_LIST},
    {NS_T, "DeletedOccurrences", EL_CAL_DELETED_LIST},
    {NS_T, "Occurrence", EL_CAL_OCCURRENCE}, /* of a series, and of a zone's transition */
    {NS_T, "DeletedOccurrence", EL_CAL_DELETED},
    {NS_T, "OriginalStart", EL_CAL_ORIGINAL},
    {NS_T, "StartTimeZone", EL_CAL_START_ZONE},
    {NS_T, "EndTimeZone", EL_CAL_END_ZONE},
    {NS_T, "DailyRecurrence", EL_REC_DAILY},
    {NS_T, "WeeklyRecurrence", EL_REC_WEEKLY},
    {NS_T, "AbsoluteMonthlyRecurrence", EL_REC_MONTHLY},
    {NS_T, "RelativeMonthlyRecurrence", EL_REC_MONTHLY_RELATIVE},
    {NS_T, "AbsoluteYearlyRecurrence", EL_REC_YEARLY},
    {NS_T, "RelativeYearlyRecurrence", EL_REC_YEARLY_RELATIVE},
    {NS_T, "DailyRegeneration", EL_REC_DAILY_AGAIN},
    {NS_T, "WeeklyRegeneration", EL_REC_WEEKLY_AGAIN},
    {NS_T, "MonthlyRegeneration", EL_REC_MONTHLY_AGAIN},
    {NS_T, "YearlyRegeneration", EL_REC_YEARLY_AGAIN},
    {NS_T, "Interval", EL_REC_INTERVAL},
    {NS_T, "DaysOfWeek", EL_REC_DAYS},
    {NS_T, "DayOfWeekIndex", EL_REC_WEEK},
    {NS_T, "DayOfMonth", EL_REC_DAY_OF_MONTH},
    {NS_T, "Month", EL_REC_MONTH},
    {NS_T, "FirstDayOfWeek", EL_REC_FIRST_DAY},
    {NS_T, "NoEndRecurrence", EL_REC_NO_END},
    {NS_T, "EndDateRecurrence", EL_REC_END_DATE_RANGE},
    {NS_T, "NumberedRecurrence", EL_REC_COUNT_RANGE},
    {NS_T, "StartDate", EL_REC_START_DATE},
    {NS_T, "EndDate", EL_REC_END_DATE},
    {NS_T, "NumberOfOccurrences", EL_REC_COUNT},
    {NS_T, "DueDate", EL_TASK_DUE},
    {NS_T, "CompleteDate", EL_TASK_COMPLETED},
    {NS_T, "PercentComplete", EL_TASK_PERCENT},
    {NS_T, "Status", EL_TASK_STATUS},
    {NS_T, "Sensitivity", EL_SENSITIVITY},
    {NS_T, "ReminderIsSet", EL_REMINDER_SET},
    {NS_T, "ReminderMinutesBeforeStart", EL_REMINDER_MINUTES},
    {NS_T, "ReminderDueBy", EL_REMINDER_DUE},
    {NS_T, "LastModifiedTime", EL_MODIFIED_AT},
    {NS_T, "TextBody", EL_TEXT_BODY},
    {NS_T, "AttachLongPathName", EL_ATTACHMENT_URL},
    {NS_T, "ReferenceAttachment", EL_REFERENCE_ATTACHMENT},
    {NS_T, "Periods", EL_ZONE_PERIODS},
    {NS_T, "Period", EL_ZONE_PERIOD},
    {NS_T, "TransitionsGroups", EL_ZONE_GROUPS},
    {NS_T, "TransitionsGroup", EL_ZONE_GROUP},
    {NS_T, "Transitions", EL_ZONE_TRANSITIONS},
    {NS_T, "RecurringDayTransition", EL_ZONE_DAY_TRANSITION},
    {NS_T, "To", EL_ZONE_TO},
    {NS_T, "TimeOffset", EL_ZONE_TIME},
    {NS_T, "DayOfWeek", EL_ZONE_DAY},
    {NS_M, "FreeBusyResponseArray", EL_RESPONSE_MESSAGES},
    {NS_M, "FreeBusyResponse", EL_RESPONSE_MESSAGE},
    {NS_M, "ResponseMessage", EL_FB_STATUS},
    {NS_M, "FreeBusyView", EL_FB_VIEW},
    {NS_T, "CalendarEventArray", EL_FB_EVENTS},
    {NS_T, "CalendarEvent", EL_FB_EVENT},
    {NS_T, "StartTime", EL_FB_FROM},
    {NS_T, "EndTime", EL_FB_TO},
    {NS_T, "BusyType", EL_FB_BUSY},
};

void ews_xml_spec(struct xml_spec *spec)
{
    spec->namespaces = namespaces;
    spec->namespace_count = sizeof(namespaces) / sizeof(namespaces[0]);
    spec->tags = tags;
    spec->tag_count = sizeof(tags) / sizeof(tags[0]);
    spec->mode = XML_SERVER;
}

bool ews_xml_bool(struct str text)
{
    text = str_trim(text);
    return str_case_is(text, "true") || str_is(text, "1");
}

uint32_t ews_xml_property_tag(struct str text)
{
    uint32_t base = 10, tag = 0;
    if (str_case_starts(text, STR("0x"))) {
        base = 16;
        text = str_skip(text, 2);
    }
    if (text.n == 0 || text.n > 8)
        return 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 99;
        if (digit >= base)
            return 0;
        tag = tag * base + digit;
    }
    return tag;
}

void ews_write_field(struct xml_writer *w, const char *uri)
{
    xml_open(w, "t:FieldURI");
    xml_attr_lit(w, "FieldURI", uri);
    xml_close(w);
}

void ews_write_property(struct xml_writer *w, uint32_t tag, const char *type)
{
    char hex[16];
    snprintf(hex, sizeof(hex), "0x%04X", (unsigned)tag);
    xml_open(w, "t:ExtendedFieldURI");
    xml_attr_lit(w, "PropertyTag", hex);
    xml_attr_lit(w, "PropertyType", type);
    xml_close(w);
}

static void write_id(struct xml_writer *w, const char *name, struct str id)
{
    xml_open(w, name);
    xml_attr(w, "Id", id);
    xml_close(w);
}

void ews_write_item_id(struct xml_writer *w, struct str id)
{
    write_id(w, "t:ItemId", id);
}

void ews_write_item_version(struct xml_writer *w, struct str id, struct str change_key)
{
    xml_open(w, "t:ItemId");
    xml_attr(w, "Id", id);
    if (change_key.n)
        xml_attr(w, "ChangeKey", change_key);
    xml_close(w);
}

void ews_write_folder_id(struct xml_writer *w, struct str id)
{
    write_id(w, "t:FolderId", id);
}

void ews_write_distinguished(struct xml_writer *w, const char *id, const char *mailbox)
{
    xml_open(w, "t:DistinguishedFolderId");
    xml_attr_lit(w, "Id", id);
    if (mailbox) {
        xml_open(w, "t:Mailbox");
        xml_leaf_lit(w, "t:EmailAddress", mailbox);
        xml_close(w);
    }
    xml_close(w);
}

void ews_write_known(struct xml_writer *w, const char *id, struct ews_place place)
{
    struct buf name = BUF_INIT(64);
    buf_printf(&name, "%s%s", place.archive ? "archive" : "", id);
    ews_write_distinguished(w, buf_z(&name), place.mailbox);
    buf_done(&name);
}

void ews_write_begin(struct xml_writer *w, const struct ews_envelope *e)
{
    xml_declaration(w);
    xml_open(w, "s:Envelope");
    xml_attr_lit(w, "xmlns:s", URI_SOAP);
    xml_attr_lit(w, "xmlns:m", URI_M);
    xml_attr_lit(w, "xmlns:t", URI_T);
    xml_open(w, "s:Header");
    xml_open(w, "t:RequestServerVersion");
    xml_attr_lit(w, "Version", e->version);
    xml_close(w);
    if (e->impersonate) {
        bool is_address = str_find_byte(str_from(e->impersonate), '@') != (size_t)-1;
        xml_open(w, "t:ExchangeImpersonation");
        xml_open(w, "t:ConnectingSID");
        xml_leaf_lit(w, is_address ? "t:PrimarySmtpAddress" : "t:PrincipalName", e->impersonate);
        xml_close(w);
        xml_close(w);
    }
    xml_close(w);
    xml_open(w, "s:Body");
}

void ews_write_end(struct xml_writer *w)
{
    xml_close(w);
    xml_close(w);
}
