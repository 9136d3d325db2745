/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_EVENT_WRITE_H
#define EWS_EVENT_WRITE_H
/*
 * struct event to calendar items and tasks in requests: whole ones for CreateItem, what changed for UpdateItem. The
 * order of elements is the schema's (types.xsd, CalendarItemType, TaskType). Pure.
 */
#include "backends/ews/ews_xml.h"
#include "bridge/formats/event.h"

/* <t:CalendarItem> or <t:Task>. evidence: the journal's token, which the item carries. */
/* zone: the user's, where all-day events begin and end at midnight. */
void ews_event_write_item(struct xml_writer *w, const struct event *e, struct str zone, struct str evidence);
/* <t:SetItemField> and <t:DeleteItemField> for these parts (enum event_part). Nothing is written for parts that EWS has
 * no field for; *ret_count: how many were. `fields` are those of the event, or of one occurrence. */
void ews_event_write_updates(struct xml_writer *w, const struct event *e, const struct event_fields *fields,
                             struct str zone, unsigned parts, bool occurrence, size_t *ret_count);
/* <t:OccurrenceItemId> */
void ews_event_write_occurrence_id(struct xml_writer *w, struct str master, unsigned index);
/* <t:FileAttachment> with its content. */
void ews_event_write_attachment(struct xml_writer *w, const struct event_attachment *a);

#endif
