/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/db.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define COMPACT_MIN_PAGES 1024 /* 4 MiB */

static bool fail(struct db *db, struct err *err)
{
    int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
    const char *what = db->handle ? sqlite3_errmsg(db->handle) : "out of memory";
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        db->damaged = true;
        return err_set(err, ERR_INTERNAL, "%s: %s", sqlite3_db_filename(db->handle, "main"), what);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(err, ERR_DISK, "%s: %s", db->handle ? sqlite3_db_filename(db->handle, "main") : "database",
                       what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_EXISTS, "database is in use by another process: %s", what);
    default:
        return err_set(err, ERR_INTERNAL, "database: %s (%d)", what, code);
    }
}

bool db_open(struct db *db, const char *path, bool durable, struct err *err)
{
    *db = (struct db){0};
    if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        fail(db, err);
        db_close(db);
        return false;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, 2000);
    if (!db_exec(db, "PRAGMA journal_mode = WAL", err) ||
        !db_exec(db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err) ||
        !db_exec(db, "PRAGMA journal_size_limit = 4194304", err) || !db_exec(db, "PRAGMA foreign_keys = ON", err) ||
        !db_exec(db, "PRAGMA trusted_schema = OFF", err)) {
        db_close(db);
        return false;
    }
    return true;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < DB_STATEMENTS; i++)
        if (db->cached[i].stmt)
            sqlite3_finalize(db->cached[i].stmt);
    if (db->handle)
        sqlite3_close(db->handle);
    *db = (struct db){.damaged = db->damaged};
}

/* SQLite rolls back by itself when memory or the disk fails. What follows must not be a transaction of its own, whether
 * somebody has looked at that error or not. */
static bool may_go_on(struct db *db, struct err *err)
{
    if (!db->handle) /* after a remote wipe */
        return err_set(err, ERR_DISK, "database is closed");
    if (db->depth > 0 && sqlite3_get_autocommit(db->handle))
        return err_set(err, ERR_DISK, "%s: the transaction has failed", sqlite3_db_filename(db->handle, "main"));
    return true;
}

bool db_exec(struct db *db, const char *sql, struct err *err)
{
    if (!may_go_on(db, err))
        return false;
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, err);
}

static bool read_number(struct db *db, const char *pragma, int64_t *ret_number, struct err *err)
{
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_prepare_v2(db->handle, pragma, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        *ret_number = sqlite3_column_int64(s, 0);
    else
        fail(db, err);
    sqlite3_finalize(s);
    return ok;
}

bool db_user_version(struct db *db, int64_t *ret_version, struct err *err)
{
    return read_number(db, "PRAGMA user_version", ret_version, err);
}

void db_compact(struct db *db)
{
    int64_t pages, unused;
    if (!read_number(db, "PRAGMA page_count", &pages, NULL) ||
        !read_number(db, "PRAGMA freelist_count", &unused, NULL) || pages < COMPACT_MIN_PAGES || unused <= pages / 2)
        return;
    sqlite3_exec(db->handle, "VACUUM", NULL, NULL, NULL);
    sqlite3_exec(db->handle, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL); /* it is in the journal so far */
}

bool db_sound(struct db *db, struct err *err)
{
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_ROW;
    const char *text = ok ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (!text) { /* it could not be looked at */
        ok = fail(db, err);
    } else if (strstr(text, "error code=") || strstr(text, "failed to get page")) {
        ok = err_set(err, ERR_DISK, "%s: %s", sqlite3_db_filename(db->handle, "main"), text); /* nor this page of it */
    } else if (strcmp(text, "ok") != 0) {
        db->damaged = true;
        ok = err_set(err, ERR_INTERNAL, "%s: %s", sqlite3_db_filename(db->handle, "main"), text);
    }
    sqlite3_finalize(s);
    return ok;
}

struct sqlite3_stmt *db_prepare(struct db *db, const char *sql, struct err *err)
{
    if (!may_go_on(db, err))
        return NULL;
    size_t at = ((uintptr_t)sql >> 3) % DB_STATEMENTS;
    for (size_t i = 0; i < DB_STATEMENTS; i++, at = (at + 1) % DB_STATEMENTS) {
        if (db->cached[at].sql == sql) {
            sqlite3_reset(db->cached[at].stmt);
            return db->cached[at].stmt;
        }
        if (db->cached[at].sql)
            continue;
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
            fail(db, err);
            return NULL;
        }
        db->cached[at].sql = sql;
        db->cached[at].stmt = stmt;
        return stmt;
    }
    abort(); /* more statements in the code than DB_STATEMENTS: a constant to be raised, not a run-time condition */
}

void db_bind_int(struct sqlite3_stmt *s, int i, int64_t v)
{
    sqlite3_bind_int64(s, i, v);
}

void db_bind_blob(struct sqlite3_stmt *s, int i, struct str v)
{
    sqlite3_bind_blob64(s, i, v.p ? v.p : "", v.n, SQLITE_STATIC);
}

void db_bind_text(struct sqlite3_stmt *s, int i, struct str v)
{
    sqlite3_bind_text64(s, i, v.p ? v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8);
}

int db_step(struct db *db, struct sqlite3_stmt *s, struct err *err)
{
    int rc = may_go_on(db, err) ? sqlite3_step(s) : SQLITE_ABORT;
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ABORT)
        fail(db, err);
    sqlite3_reset(s);
    return -1;
}

bool db_run(struct db *db, struct sqlite3_stmt *s, struct err *err)
{
    int rc;
    while ((rc = db_step(db, s, err)) > 0)
        ;
    sqlite3_reset(s);
    return rc == 0;
}

void db_reset(struct sqlite3_stmt *s)
{
    sqlite3_reset(s);
}

int64_t db_int(struct sqlite3_stmt *s, int column)
{
    return sqlite3_column_int64(s, column);
}

struct str db_bytes(struct sqlite3_stmt *s, int column)
{
    const void *p = sqlite3_column_blob(s, column);
    int n = sqlite3_column_bytes(s, column);
    return p ? str_of(p, (size_t)n) : str_of("", 0);
}

bool db_begin(struct db *db, struct err *err)
{
    if (db->depth == 0 && db->handle && !sqlite3_get_autocommit(db->handle) &&
        !db_exec(db, "ROLLBACK", err)) /* there was no memory to do it when it was due */
        return false;
    if (db->depth == 0 && !db_exec(db, "BEGIN IMMEDIATE", err))
        return false;
    db->depth++;
    return true;
}

bool db_commit(struct db *db, struct err *err)
{
    if (db->depth == 0) /* rolled back on the way */
        return err_set(err, ERR_INTERNAL, "database: transaction was rolled back");
    if (db->depth > 1) {
        db->depth--;
        return true;
    }
    if (!db_exec(db, "COMMIT", err)) {
        db_rollback(db);
        return false;
    }
    db->depth = 0;
    return true;
}

void db_rollback(struct db *db)
{
    if (db->depth > 0 && !sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    db->depth = 0;
}

int64_t db_last_rowid(struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

int db_changes(struct db *db)
{
    return sqlite3_changes(db->handle);
}
