/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_EVENT_TIMES_H
#define EWS_EVENT_TIMES_H
/* When an event takes place, as requests say it: dates, recurrences, time zones (MS-OXWSCDATA, MS-OXWSGTZ). Pure. */
#include "backends/ews/ews_xml.h"
#include "bridge/formats/event.h"
#include "bridge/formats/timezone.h"

/* UTC for names that nobody knows. */
const struct tz *ews_zone_of(struct str name);
/* The day alone; `date` in seconds, midnight UTC. */
void ews_write_date(struct xml_writer *w, const char *name, int64_t date);
/* <t:Recurrence>; `first`: the date of the first occurrence. */
void ews_write_recurrence(struct xml_writer *w, const struct event_recurrence *p, int64_t first);
/* By its Windows name; a zone that Windows has none for travels as its rules of the year of `at` (MS-OXWSGTZ 2.2.4). */
void ews_write_zone(struct xml_writer *w, const char *element, struct str name, int64_t at);

#endif
