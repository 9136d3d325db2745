/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_watch_read.h"

#include "bridge/backend.h"

static bool on_heartbeat(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_ping_answer *)ud)->heartbeat_s = eas_number(text);
    return true;
}

static bool on_max_folders(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_ping_answer *)ud)->max_folders = eas_number(text);
    return true;
}

/* The id is the text of Folder; some servers write it as an Id inside. */
static bool on_folder(void *ud, struct str text, struct err *err)
{
    struct eas_ping_answer *a = ud;

    if (text.n == 0 || text.n > BACKEND_ID_MAX)
        return true;
    if (a->count == EAS_PING_FOLDERS_MAX)
        return err_set(err, ERR_TOO_BIG, "over %d folders in one Ping answer", EAS_PING_FOLDERS_MAX);
    if (!a->ids)
        a->ids = arena_array(a->arena, EAS_PING_FOLDERS_MAX, sizeof(struct str));
    a->ids[a->count++] = arena_str(a->arena, text);
    return true;
}

static const struct eas_rule rules[] = {
    {.tag = Ping_Ping},
    {Ping_Ping, Ping_HeartbeatInterval, .text = on_heartbeat},
    {Ping_Ping, Ping_MaxFolders, .text = on_max_folders},
    EAS_CONTAINER(Ping_Ping, Ping_Folders),
    {Ping_Folders, Ping_Folder, .text = on_folder},
    {Ping_Folder, Ping_Id, .text = on_folder},
};
const struct eas_rules eas_ping_rules = {rules, sizeof(rules) / sizeof(rules[0])};
