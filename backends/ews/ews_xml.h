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

struct ews_envelope {
    const char *version;     /* RequestServerVersion */
    const char *impersonate; /* address or principal name, or NULL */
};
/* Everything up to s:Body, which is left open; ews_write_end() closes it. */
void ews_write_begin(struct xml_writer *w, const struct ews_envelope *e);
void ews_write_end(struct xml_writer *w);

#endif
