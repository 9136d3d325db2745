/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_collection.h"

#define BODY_MIME        4
#define MIME_SUPPORT_ALL 2 /* MIME for all messages, not for S/MIME alone */
#define MIME_TRUNCATION  5 /* EAS_TRUNCATION bytes; SOGo obeys this one, others the TruncationSize */

void eas_collection_open(struct eas_writer *w, struct str key, struct str folder_id)
{
    eas_write_open(w, AirSync_Sync);
    eas_write_open(w, AirSync_Collections);
    eas_write_open(w, AirSync_Collection);
    eas_write_text(w, AirSync_SyncKey, key);
    eas_write_text(w, AirSync_CollectionId, folder_id);
}

void eas_collection_options(struct eas_writer *w, unsigned filter)
{
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
