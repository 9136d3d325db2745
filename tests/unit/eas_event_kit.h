/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_EAS_EVENT_KIT_H
#define TESTS_UNIT_EAS_EVENT_KIT_H
/* Documents with events and tasks (eas_doc.h), and what is understood of them as one line. */
#include "backends/eas/eas_event_answer.h"
#include "backends/eas/eas_items_read.h"
#include "bridge/base/buf.h"

#define PAGE(inside)   "Sync(Collections(Collection(SyncKey=k2 Status=1 Commands(" inside "))))"
#define ADD(data)      PAGE("Add(ServerId=5:1 ApplicationData(" data "))")
#define TIMES          "c:StartTime=20260105T080000Z c:EndTime=20260105T090000Z c:UID=u "
#define BERLIN         "c:Timezone=$Europe/Berlin "
#define AT_9           "u 2026-01-05T08:00:00Z - 2026-01-05T09:00:00Z Europe/Berlin"
#define DAYS(from, to) "c:AllDayEvent=1 c:StartTime=" from " c:EndTime=" to " c:UID=u "

/* "c:" Calendar, "b:" AirSyncBase, "t:" Tasks; "$Europe/Berlin" its 172 bytes of 2026. */
void eas_kit_document(struct buf *out, const char *text);
/* Of a user in Berlin, me@example.com. version: 141 and so on */
struct eas_sync_options eas_kit_options(unsigned version, bool task);
/* The whole document in pieces of `step` bytes, and its end. */
bool eas_kit_feed(struct eas_answer *a, struct str doc, size_t step, struct err *err);

void eas_kit_say_text(struct buf *out, const char *key, struct str text); /* nothing when there is none */
void eas_kit_say_event(struct buf *out, const struct event *e);
void eas_kit_say_page(struct buf *out, const struct eas_sync_page *page);

#endif
