/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_XML_H
#define EWS_XML_H
/*
 * The vocabulary of EWS (MS-OXWSCDATA, MS-OXWSCORE, MS-OXWSSYNC, MS-OXWSNTIF) as far as this backend speaks it: one
 * table of element names for every reader, and the pieces requests are written from. Prefixes used in requests: s soap,
 * m messages, t types.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/base/str.h"
#include "bridge/formats/xml.h"

enum ews_el {
    EL_NONE,
    /* SOAP */
    EL_ENVELOPE,
    EL_HEADER,
    EL_BODY,
    EL_FAULT,
    EL_FAULT_CODE,
    EL_FAULT_STRING,
    EL_FAULT_DETAIL,
    EL_SERVER_VERSION,
    /* every answer */
    EL_RESPONSE_MESSAGES,
    EL_RESPONSE_MESSAGE,
    EL_RESPONSE_CODE,
    EL_MESSAGE_TEXT,
    EL_MESSAGE_XML,
    EL_VALUE,
    /* folders */
    EL_FOLDERS,
    EL_FOLDER,
    EL_FOLDER_CALENDAR,
    EL_FOLDER_CONTACTS,
    EL_FOLDER_TASKS,
    EL_FOLDER_SEARCH,
    EL_FOLDER_ID,
    EL_PARENT_FOLDER_ID,
    EL_OLD_PARENT_FOLDER_ID,
    EL_OLD_FOLDER_ID,
    EL_DISPLAY_NAME,
    EL_FOLDER_CLASS,
    EL_DISTINGUISHED_ID,
    /* synchronisation */
    EL_SYNC_STATE,
    EL_LAST_IN_RANGE,
    EL_CHANGES,
    EL_CREATE,
    EL_UPDATE,
    EL_DELETE,
    EL_READ_FLAG_CHANGE,
    /* items */
    EL_ITEMS,
    EL_ITEM,       /* whatever can be shown as a message */
    EL_ITEM_OTHER, /* contacts, tasks, ... */
    EL_ITEM_ID,
    EL_MIME_CONTENT,
    EL_ITEM_CLASS,
    EL_SUBJECT,
    EL_RECEIVED,
    EL_SENT,
    EL_CREATED_AT,
    EL_SIZE,
    EL_IMPORTANCE,
    EL_CATEGORIES,
    EL_STRING,
    EL_IN_REPLY_TO,
    EL_IS_READ,
    EL_MESSAGE_ID,
    EL_REFERENCES,
    EL_FROM,
    EL_SENDER,
    EL_TO,
    EL_CC,
    EL_BCC,
    EL_REPLY_TO,
    EL_MAILBOX,
    EL_NAME,
    EL_ADDRESS,
    EL_ROUTING_TYPE,
    EL_ITEM_BODY,
    EL_EXTENDED,
    EL_EXTENDED_URI,
    /* attachments */
    EL_ATTACHMENTS,
    EL_FILE_ATTACHMENT,
    EL_ITEM_ATTACHMENT,
    EL_ATTACHMENT_ID,
    EL_CONTENT,
    EL_CONTENT_TYPE,
    EL_CONTENT_ID,
    EL_IS_INLINE,
    /* notifications */
    EL_SUBSCRIPTION_ID,
    EL_NOTIFICATIONS,
    EL_NOTIFICATION,
    EL_CONNECTION_STATUS,
    EL_ERROR_SUBSCRIPTIONS,
    EL_EVENT,         /* created, deleted, new mail, copied, moved */
    EL_EVENT_CHANGED, /* modified */
    EL_EVENT_STATUS,  /* a sign of life */
    EL_UNREAD_COUNT,
    EL_ALTERNATE_ID,
    EL_ROOT_FOLDER, /* of FindItem */
    /* calendars and tasks */
    EL_CAL_UID,
    EL_CAL_STAMP,
    EL_CAL_START,
    EL_CAL_END,
    EL_CAL_ALL_DAY,
    EL_CAL_BUSY,
    EL_CAL_LOCATION,
    EL_CAL_IS_MEETING,
    EL_CAL_IS_CANCELLED,
    EL_CAL_RESPONSE_REQUESTED,
    EL_CAL_MY_RESPONSE,
    EL_CAL_ORGANIZER,
    EL_CAL_REQUIRED,
    EL_CAL_OPTIONAL,
    EL_CAL_RESOURCES,
    EL_CAL_ATTENDEE,
    EL_CAL_RESPONSE,
    EL_CAL_REPLIED,
    EL_CAL_SEQUENCE,
    EL_CAL_JOIN_URL,
    EL_CAL_RECURRENCE,
    EL_CAL_MODIFIED_LIST,
    EL_CAL_DELETED_LIST,
    EL_CAL_OCCURRENCE,
    EL_CAL_DELETED,
    EL_CAL_ORIGINAL,
    EL_CAL_START_ZONE,
    EL_CAL_END_ZONE,
    EL_REC_DAILY,
    EL_REC_WEEKLY,
    EL_REC_MONTHLY,
    EL_REC_MONTHLY_RELATIVE,
    EL_REC_YEARLY,
    EL_REC_YEARLY_RELATIVE,
    EL_REC_DAILY_AGAIN,
    EL_REC_WEEKLY_AGAIN,
    EL_REC_MONTHLY_AGAIN,
    EL_REC_YEARLY_AGAIN,
    EL_REC_INTERVAL,
    EL_REC_DAYS,
    EL_REC_WEEK,
    EL_REC_DAY_OF_MONTH,
    EL_REC_MONTH,
    EL_REC_FIRST_DAY,
    EL_REC_NO_END,
    EL_REC_END_DATE_RANGE,
    EL_REC_COUNT_RANGE,
    EL_REC_START_DATE, /* of a range, and of a task */
    EL_REC_END_DATE,
    EL_REC_COUNT,
    EL_TASK_DUE,
    EL_TASK_COMPLETED,
    EL_TASK_PERCENT,
    EL_TASK_STATUS,
    EL_SENSITIVITY,
    EL_REMINDER_SET,
    EL_REMINDER_MINUTES,
    EL_REMINDER_DUE,
    EL_MODIFIED_AT,
    EL_TEXT_BODY,
    EL_ATTACHMENT_URL,
    EL_REFERENCE_ATTACHMENT,
    EL_ZONE_PERIODS,
    EL_ZONE_PERIOD,
    EL_ZONE_GROUPS,
    EL_ZONE_GROUP,
    EL_ZONE_TRANSITIONS,
    EL_ZONE_DAY_TRANSITION,
    EL_ZONE_TO,
    EL_ZONE_TIME,
    EL_ZONE_DAY,
    EL_FB_STATUS, /* ResponseMessage inside of FreeBusyResponse */
    EL_FB_VIEW,
    EL_FB_EVENTS,
    EL_FB_EVENT,
    EL_FB_FROM,
    EL_FB_TO,
    EL_FB_BUSY,
    EL_MAIL_TIPS, /* MailTipsConfiguration */
    EL_MAX_MESSAGE_SIZE,
    EL_MAX
};

/* Fills in namespaces and tags; the caller adds callbacks and limits. */
void ews_xml_spec(struct xml_spec *spec);

/* xs:boolean. */
bool ews_xml_bool(struct str text);
/* The tag of a MAPI property as EWS prints it, "0xe07" or "3591" (MS-OXWSXPROP 2.1.5); 0 when it is none. */
uint32_t ews_xml_property_tag(struct str text);

#define EWS_TAG_HIDDEN      0x10F4u /* PidTagAttributeHidden */
#define EWS_TAG_MSG_FLAGS   0x0E07u /* PidTagMessageFlags */
#define EWS_TAG_FLAG_STATUS 0x1090u /* PidTagFlagStatus */
#define EWS_TAG_ICON        0x1080u /* PidTagIconIndex */
#define EWS_TAG_DELIVERED   0x0E06u /* PidTagMessageDeliveryTime */
#define EWS_TAG_LAST_VERB   0x1081u /* PidTagLastVerbExecuted */
#define EWS_TAG_HEADERS     0x007Du /* PidTagTransportMessageHeaders */
#define EWS_TAG_SENDER_SMTP 0x5D01u /* PidTagSenderSmtpAddress */
#define EWS_TAG_FROM_SMTP   0x5D02u /* PidTagSentRepresentingSmtpAddress */

/* <t:FieldURI FieldURI="..."/> */
void ews_write_field(struct xml_writer *w, const char *uri);
/* <t:ExtendedFieldURI PropertyTag="0x..." PropertyType="..."/> */
void ews_write_property(struct xml_writer *w, uint32_t tag, const char *type);
/* <t:ItemId Id="..."/> */
void ews_write_item_id(struct xml_writer *w, struct str id);
/* The same with ChangeKey, where one is known. */
void ews_write_item_version(struct xml_writer *w, struct str id, struct str change_key);
void ews_write_folder_id(struct xml_writer *w, struct str id);
/* <t:DistinguishedFolderId Id="..."> with the other mailbox in it, NULL = the own one. */
void ews_write_distinguished(struct xml_writer *w, const char *id, const char *mailbox);
/* Which tree of folders: another mailbox's (NULL: the own one's), or that of the own archive. */
struct ews_place {
    const char *mailbox;
    bool archive;
};
/* The same there. An archive has the top, deleted items, recoverable items and perhaps an inbox, no other known folder.
 */
void ews_write_known(struct xml_writer *w, const char *id, struct ews_place place);

struct ews_envelope {
    const char *version;     /* RequestServerVersion */
    const char *impersonate; /* address or principal name, or NULL */
};
/* Everything up to s:Body, which is left open; ews_write_end() closes it. */
void ews_write_begin(struct xml_writer *w, const struct ews_envelope *e);
void ews_write_end(struct xml_writer *w);

#endif
