/* SPDX-License-Identifier: Apache-2.0 */
/* What has changed between two readings of the file: by the table of keys, so that no key is forgotten. */
#include <string.h>

#include "bridge/config_private.h"

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_value(const struct config_key *k, const void *base_a, const void *base_b)
{
    const void *a = (const char *)base_a + k->offset, *b = (const char *)base_b + k->offset;
    switch (k->kind) {
    case KIND_TEXT:
    case KIND_PATH:
    case KIND_FILE:
        return same_text(*(const char *const *)a, *(const char *const *)b);
    case KIND_NAMES:
        return *(const unsigned *)a == *(const unsigned *)b;
    case KIND_YES_NO:
        return *(const bool *)a == *(const bool *)b;
    case KIND_NUMBER:
    case KIND_BYTES:
    case KIND_SECONDS:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    }
    return false;
}

static bool same_section(enum config_section section, const void *a, const void *b)
{
    for (size_t i = 0; i < config_key_count; i++)
        if (config_keys[i].section == section && !same_value(&config_keys[i], a, b))
            return false;
    return true;
}

bool config_login_same(const struct config_login *a, const struct config_login *b)
{
    return same_text(a->name, b->name) && same_section(SECTION_LOGIN, a, b);
}

bool config_account_same(const struct config_account *a, const struct config_account *b)
{
    bool own = a->login == &a->own;
    return same_text(a->name, b->name) && same_section(SECTION_ACCOUNT, a, b) && own == (b->login == &b->own) &&
           config_login_same(a->login, b->login);
}

bool config_limits_same(const struct config_limits *a, const struct config_limits *b)
{
    return same_section(SECTION_LIMITS, a, b);
}
