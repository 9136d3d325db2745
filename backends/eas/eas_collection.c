/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_collection.h"

#include "bridge/base/time.h"

#define BODY_TEXT        1
#define BODY_MIME        4
#define MIME_SUPPORT_ALL 2 /* MIME for all messages, not for S/MIME alone */
#define MIME_TRUNCATION  5 /* EAS_TRUNCATION bytes; SOGo obeys this one, others the TruncationSize */

#define FLAGGED     2 /* Email:Flag/Status: active (MS-ASEMAIL 2.2.2.72) */
#define FLAG_TYPE   "Flag for follow up"
#define FLAG_DUE_MS ((int64_t)7 * 24 * 3600 * 1000)

static void write_date(struct eas_writer *w, enum eas_tag tag, int64_t wall_ms)
{
    struct buf text = BUF_INIT(64);

    time_add_iso_ms(&text, wall_ms);
    eas_write_text(w, tag, buf_view(&text));
    buf_done(&text);
}

/* MS-ASEMAIL 2.2.2.34: without dates it is what people mean by a flag; some servers want dates all the same. */
void eas_write_flag(struct eas_writer *w, bool set, int64_t since_ms)
{
    if (!set) {
        eas_write_empty(w, Email_Flag);
        return;
    }
    eas_write_open(w, Email_Flag);
    eas_write_uint(w, Email_Status, FLAGGED);
    eas_write_text(w, Email_FlagType, STR(FLAG_TYPE));
    if (since_ms != TIME_NONE) {
        write_date(w, Tasks_StartDate, since_ms);
        write_date(w, Tasks_UtcStartDate, since_ms);
        write_date(w, Tasks_DueDate, since_ms + FLAG_DUE_MS);
        write_date(w, Tasks_UtcDueDate, since_ms + FLAG_DUE_MS);
    }
    eas_write_close(w);
}

void eas_collection_open(struct eas_writer *w, struct str key, struct str folder_id)
{
    eas_write_open(w, AirSync_Sync);
    eas_write_open(w, AirSync_Collections);
    eas_write_open(w, AirSync_Collection);
    eas_write_text(w, AirSync_SyncKey, key);
    eas_write_text(w, AirSync_CollectionId, folder_id);
}

static void event_options(struct eas_writer *w, unsigned filter)
{
    eas_write_open(w, AirSync_Options);
    eas_write_uint(w, AirSync_FilterType, filter);
    eas_write_open(w, AirSyncBase_BodyPreference);
    eas_write_uint(w, AirSyncBase_Type, BODY_TEXT);
    eas_write_close(w);
    eas_write_close(w);
}

void eas_collection_options(struct eas_writer *w, enum folder_kind kind, unsigned filter)
{
    if (!eas_is_mail(kind)) {
        event_options(w, filter);
        return;
    }
    eas_write_open(w, AirSync_Options);
    eas_write_uint(w, AirSync_FilterType, filter);
    eas_write_uint(w, AirSync_MIMETruncation, MIME_TRUNCATION);
    eas_write_uint(w, AirSync_MIMESupport, MIME_SUPPORT_ALL);
    eas_write_open(w, AirSyncBase_BodyPreference);
    eas_write_uint(w, AirSyncBase_Type, BODY_MIME);
    eas_write_uint(w, AirSyncBase_TruncationSize, EAS_TRUNCATION);
    eas_write_close(w);
    eas_write_close(w);
}

void eas_collection_close(struct eas_writer *w)
{
    eas_write_close(w);
    eas_write_close(w);
    eas_write_close(w);
}
