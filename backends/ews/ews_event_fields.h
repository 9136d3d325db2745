/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_EVENT_FIELDS_H
#define EWS_EVENT_FIELDS_H
/*
 * The text of one element into the item that is being read: words, times, zones, recurrences. ews_event_read.c knows
 * where in the answer an element stands, and calls these; nobody else does. What cannot be read stays as it was.
 */
#include "backends/ews/ews_event_read.h"

/* xs:dateTime; TIME_NONE when it is none. */
int64_t ews_event_instant(struct str text);
/* The day whose midnight this is on the item's wall; servers round, daylight saving does not always. */
int64_t ews_event_day(int64_t at, const struct tz *zone);

/* StartTimeZone and EndTimeZone: by their name, else by their rules. */
void ews_event_zone_begin(struct ews_event_reading *r, const struct xml_attr *attrs, size_t n);
void ews_event_zone_period(struct ews_event_reading *r, const struct xml_attr *attrs, size_t n);
void ews_event_zone_field(struct ews_event_reading *r, struct xml *x, enum ews_el el, struct str text);
const struct tz *ews_event_zone_end(struct ews_event_reading *r);

void ews_event_item_field(struct ews_event_reading *r, enum ews_el el, struct str text);
void ews_event_recurrence_field(struct event_recurrence *p, enum ews_el el, struct str text);
void ews_event_attendee_field(struct ews_event_reading *r, enum ews_el el, struct str text);
void ews_event_mailbox_field(struct ews_event_reading *r, enum ews_el el, struct str text);
void ews_event_attachment_field(struct ews_event_reading *r, enum ews_el el, struct str text);

#endif
