/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_INI_H
#define BRIDGE_INI_H
/*
 * The syntax of the configuration file, line by line: `[section]`, `[section "name"]`, `key = value`, blank lines, and
 * comments
 * (`#` or `;` at the start of a line, nowhere else: a value may contain both). UTF-8; LF or CRLF. The value is the rest
 * of the line without blanks at both ends; one pair of double quotes around the whole of it is taken off, and keeps
 * blanks. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/str.h"

#define INI_FILE_MAX ((size_t)1 << 20) /* bytes */
#define INI_LINE_MAX ((size_t)8192)

enum ini_kind {
    INI_SECTION, /* section, name (empty where there is none) */
    INI_KEY,     /* key, value (may be empty) */
    INI_BAD      /* value: what is wrong, as a text of ours */
};

struct ini_line {
    enum ini_kind kind;
    unsigned number; /* from 1 */
    struct str section, name;
    struct str key, value;
};

/* The next line that says something; *text is advanced. False at the end. Everything points into the text (INI_BAD:
 * constant). */
bool ini_next(struct str *text, unsigned *number, struct ini_line *ret_line);

#endif
