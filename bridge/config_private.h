/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CONFIG_PRIVATE_H
#define BRIDGE_CONFIG_PRIVATE_H
/* Between config.c (reading), config_keys.c (the table of keys) and config_check.c (what must fit together). */
#include "bridge/config.h"

enum config_section { SECTION_NONE, SECTION_SERVER, SECTION_LIMITS, SECTION_LOGIN, SECTION_ACCOUNT };

/* Which struct a key's value goes to; a [login] key may also stand in an account. */
enum config_kind {
    KIND_TEXT,   /* const char * */
    KIND_PATH,   /* const char *; absolute, ~/ is replaced */
    KIND_FILE,   /* a path of something that is to be read */
    KIND_NAMES,  /* unsigned (an enum): one of `names` */
    KIND_YES_NO, /* bool */
    KIND_NUMBER, /* uint64_t between min and max; so the next two */
    KIND_BYTES,
    KIND_SECONDS
};

struct config_key {
    const char *name;
    enum config_section section; /* SECTION_LOGIN: in accounts too */
    enum config_kind kind;
    size_t offset;
    uint64_t min, max;
    uint64_t initial;         /* KIND_NUMBER and like it */
    const char *const *names; /* KIND_NAMES: by value; NULL entries cannot be written; ends with "" */
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

struct reading {
    struct config *config;
    struct buf *problems;
    unsigned problem_count;
};
void config_problem(struct reading *r, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *config_section_name(enum config_section section);
/* The text for a key that does not exist: what was meant, perhaps. */
void config_unknown_key(struct reading *r, unsigned line, enum config_section section, struct str key);
void config_check(struct reading *r);

#endif
