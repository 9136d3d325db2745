/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DRIVER_JSON_H
#define TESTS_DRIVER_JSON_H
/*
 * What the programs that drive a backend by themselves (tests/EWS|EAS/..._driver.c) say: JSON objects, one a line, on
 * stdout; and the small state that an account would lend the backend, as files of a directory.
 */
#include "bridge/backend.h"

void driver_begin(struct buf *json, const char *event); /* {"event":"...": more keys may follow */
void driver_end(struct buf *json);                      /* written, and flushed */

void driver_string(struct buf *b, struct str s);
void driver_key(struct buf *b, const char *key, struct str value);
void driver_bool(struct buf *b, const char *key, bool value);
void driver_list(struct buf *b, const char *key, const struct str *list, size_t count);
void driver_err(struct buf *b, const struct err *e);
void driver_folders(struct buf *b, const struct reply *r);

/* The first word of a line, which is shortened. */
struct str driver_word(struct str *rest);

/* `dir` NULL: nothing is kept. */
bool driver_file_put(const char *dir, struct str key, struct str value, struct err *err);
bool driver_file_get(const char *dir, struct str key, struct buf *out);

#endif
