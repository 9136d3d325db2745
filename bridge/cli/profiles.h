/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_PROFILES_H
#define BRIDGE_CLI_PROFILES_H
/*
 * Profiles of Thunderbird and Firefox: where they keep what they trust. Found by profiles.ini and by looking, below the
 * home directory, the one for configurations, the snap's and the flatpaks' places.
 */
#include <stdbool.h>
#include <stddef.h>

#define PROFILES_MAX 64

struct profile {
    char *program; /* "Thunderbird", "Firefox" */
    char *dir;
    bool in_use; /* the program runs with it: it will not notice before its next start */
};
struct profiles {
    struct profile list[PROFILES_MAX];
    size_t count;
};

/* `only`: "thunderbird", "firefox", or NULL for both. */
void profiles_find(const char *home, const char *only, struct profiles *ret);
/* One that somebody names. */
void profiles_add(struct profiles *p, const char *program, const char *dir);
void profiles_done(struct profiles *p);

#endif
