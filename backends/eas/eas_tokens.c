/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_tokens.h"

#include <stddef.h>

#define TOKENS (EAS_TOKEN_MAX - EAS_TOKEN_MIN + 1)

#define TAG_NAME(space, number, name) [(number) >> 8][((number)&0xFF) - EAS_TOKEN_MIN] = #name,
static const char *const names[EAS_PAGE_MAX + 1][TOKENS] = {EAS_PAGES(TAG_NAME)};

static const char *const spaces[EAS_PAGE_MAX + 1] = {
    [0] = "AirSync",
    [1] = "Contacts",
    [2] = "Email",
    [4] = "Calendar",
    [5] = "Move",
    [6] = "GetItemEstimate",
    [7] = "FolderHierarchy",
    [8] = "MeetingResponse",
    [9] = "Tasks",
    [10] = "ResolveRecipients",
    [11] = "ValidateCert",
    [12] = "Contacts2",
    [13] = "Ping",
    [14] = "Provision",
    [15] = "Search",
    [16] = "GAL",
    [17] = "AirSyncBase",
    [18] = "Settings",
    [19] = "DocumentLibrary",
    [20] = "ItemOperations",
    [21] = "ComposeMail",
    [22] = "Email2",
    [23] = "Notes",
    [24] = "RightsManagement",
    [25] = "Find",
};

const char *eas_tag_name(unsigned tag)
{
    unsigned page = tag >> 8, token = tag & 0xFF;

    if (page > EAS_PAGE_MAX || token < EAS_TOKEN_MIN || token > EAS_TOKEN_MAX || !names[page][token - EAS_TOKEN_MIN])
        return "";
    return names[page][token - EAS_TOKEN_MIN];
}

const char *eas_tag_space(unsigned tag)
{
    unsigned page = tag >> 8;

    return page <= EAS_PAGE_MAX && spaces[page] ? spaces[page] : "";
}
