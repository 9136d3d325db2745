/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/submit_source.h"

#include "bridge/account_private.h"
#include "bridge/formats/header.h"
#include "bridge/formats/thread.h"
#include "bridge/message_id.h"
#include "bridge/store_private.h"
#include "bridge/store_write.h"

static bool is_sealed(struct str header)
{
    static const char *const types[] = {"multipart/signed", "multipart/encrypted", "application/pkcs7-mime",
                                        "application/x-pkcs7-mime"};
    struct str type;
    if (!header_find(header, "Content-Type", &type))
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (str_case_starts(type, str_from(types[i])))
            return true;
    return false;
}

/* INBOX is the first in the list, and where it is looked for first. */
static bool find_item(struct account *a, struct str id, struct arena *arena, struct submit_source *ret)
{
    char hash[IDENTITY_SIZE];
    struct str key = store_message_id(id, hash);
    size_t n;
    const struct folder *const *folders = account_folders(a, &n);
    for (size_t i = 0; i < n; i++) {
        struct sent_found found;
        if (!folders[i]->selectable || !store_sent_find(a->store, folders[i]->pk, key, 0, 0, arena, &found, NULL) ||
            found.pk == 0)
            continue;
        ret->folder_id = arena_str(arena, folders[i]->server_id);
        ret->item_id = found.server_id;
        return true;
    }
    return false;
}

bool submit_find_source(struct account *a, const struct blob *message, struct arena *arena, struct submit_source *ret)
{
    static const struct {
        const char *field;
        bool forwarded;
    } fields[] = {{"X-Forwarded-Message-Id", true}, {"In-Reply-To", false}};
    struct str header = message_header(message, arena), value, id;
    *ret = (struct submit_source){0};
    if (is_sealed(header))
        return false;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!header_find(header, fields[i].field, &value) || !thread_next_id(arena, &value, &id))
            continue;
        ret->forwarded = fields[i].forwarded;
        return find_item(a, id, arena, ret);
    }
    return false;
}
