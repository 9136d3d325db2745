/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/store_look.h"

#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

static bool is_sound(sqlite3 *db, struct err *err)
{
    sqlite3_stmt *q = NULL;
    bool ok =
        sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    const char *said = ok ? (const char *)sqlite3_column_text(q, 0) : NULL;
    int code = sqlite3_errcode(db) & 0xff;
    if (!ok)
        err_set(err, code == SQLITE_CANTOPEN || code == SQLITE_PERM || code == SQLITE_IOERR ? ERR_DISK : ERR_INTERNAL,
                "%s", sqlite3_errmsg(db));
    else if (!said || !str_is(str_from(said), "ok"))
        ok = err_set(err, ERR_INTERNAL, "%s", said ? said : "quick_check says nothing");
    sqlite3_finalize(q);
    return ok;
}

static void read_value(sqlite3 *db, struct str key, struct buf *out)
{
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(db, "SELECT value FROM persist WHERE key = ?1", -1, &q, NULL) == SQLITE_OK &&
        sqlite3_bind_blob(q, 1, key.p, (int)key.n, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        buf_add(out, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
    sqlite3_finalize(q);
}

bool store_look(const char *dir, struct str key, struct buf *out, struct err *err)
{
    struct buf path = BUF_INIT(0);
    sqlite3 *db = NULL;
    buf_printf(&path, "%s/state.db", dir);
    if (access(buf_z(&path), F_OK) != 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        err_set_errno(err, missing ? ERR_NOT_FOUND : ERR_DISK, errno, buf_z(&path));
        buf_done(&path);
        return false;
    }
    bool ok = sqlite3_open_v2(buf_z(&path), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK ||
              err_set(err, ERR_DISK, "%s", db ? sqlite3_errmsg(db) : "out of memory");
    sqlite3_busy_timeout(db, 2000);
    ok = ok && is_sound(db, err);
    if (ok && out)
        read_value(db, key, out);
    sqlite3_close(db);
    buf_done(&path);
    return ok;
}
