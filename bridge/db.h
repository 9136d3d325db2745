/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_DB_H
#define BRIDGE_DB_H
/*
 * A thin layer over SQLite shared by store and cache: open, prepared statements kept by their text's address, one-line
 * binds, errors as struct err. Statements are written as string literals; the pointer is the key, so each place in the
 * code has its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/err.h"
#include "bridge/base/str.h"

struct sqlite3;
struct sqlite3_stmt;

#define DB_STATEMENTS 256 /* more than there are in the code: db_prepare() aborts when they are not enough */

struct db {
    struct sqlite3 *handle;
    struct {
        const char *sql;
        struct sqlite3_stmt *stmt;
    } cached[DB_STATEMENTS];
    unsigned depth; /* of db_begin */
    bool damaged;   /* the file was found not to be a sound database; an error alone says nothing about it */
};

/* A journal that one large transaction has made long is cut back by a later one. `durable`: synchronous = FULL, else
 * NORMAL: a power failure then takes the last transactions, and nothing else. Fails with ERR_DISK, or ERR_INTERNAL when
 * the file is not a sound database.
 */
bool db_open(struct db *db, const char *path, bool durable, struct err *err);
void db_close(struct db *db);
bool db_exec(struct db *db, const char *sql, struct err *err);
bool db_user_version(struct db *db, int64_t *ret_version, struct err *err);
/* Is the file sound as far as PRAGMA quick_check can tell? False: it is `damaged`, or could not be looked at. */
bool db_sound(struct db *db, struct err *err);

/* Give back to the disk what deleted rows have left, where that is most of a file of some size. Copies what is left:
 * for a moment when nobody waits. All or nothing, whatever dies; that it could not be done harms nothing. */
void db_compact(struct db *db);

/* Ready to be bound; reset first. NULL on error. */
struct sqlite3_stmt *db_prepare(struct db *db, const char *sql, struct err *err);
void db_bind_int(struct sqlite3_stmt *s, int i, int64_t v);
void db_bind_blob(struct sqlite3_stmt *s, int i, struct str v); /* borrowed until reset */
void db_bind_text(struct sqlite3_stmt *s, int i, struct str v);
/* One row: 1; done: 0; error: -1 and *err. */
int db_step(struct db *db, struct sqlite3_stmt *s, struct err *err);
/* Run to the end and reset. */
bool db_run(struct db *db, struct sqlite3_stmt *s, struct err *err);
void db_reset(struct sqlite3_stmt *s);
int64_t db_int(struct sqlite3_stmt *s, int column);
struct str db_bytes(struct sqlite3_stmt *s, int column); /* valid until the next step or reset */

/* Transactions. Begin inside a transaction only counts; the outermost commit commits. A rollback anywhere makes the
 * outermost fail. */
bool db_begin(struct db *db, struct err *err);
bool db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);
int64_t db_last_rowid(struct db *db);
int db_changes(struct db *db);

#endif
