/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/file.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/schema_sql.h"
#include "bridge/store_private.h"

#define SCHEMA_VERSION 11

static void path_in(struct buf *out, const struct store *s, const char *name)
{
    buf_reset(out);
    buf_printf(out, "%s/%s", s->dir, name);
}

bool store_run1(struct store *s, const char *sql, int64_t a, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, sql, err);
    if (!q)
        return false;
    db_bind_int(q, 1, a);
    return db_run(&s->db, q, err);
}

bool store_run2(struct store *s, const char *sql, int64_t a, int64_t b, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, sql, err);
    if (!q)
        return false;
    db_bind_int(q, 1, a);
    db_bind_int(q, 2, b);
    return db_run(&s->db, q, err);
}

bool store_names(struct store *s, struct sqlite3_stmt *q, struct arena *arena, struct str **ret_names,
                 size_t *ret_count, struct err *err)
{
    size_t n = 0, size = 0;
    struct str *names = NULL;
    int rc;
    while ((rc = db_step(&s->db, q, err)) > 0) {
        if (n == size) {
            struct str *more = arena_array(arena, size = size ? size * 2 : 16, sizeof(*more));
            if (n)
                memcpy(more, names, n * sizeof(*more));
            names = more;
        }
        names[n++] = arena_str(arena, db_bytes(q, 0));
    }
    db_reset(q);
    *ret_names = names;
    *ret_count = n;
    return rc == 0;
}

bool store_meta_get(struct store *s, const char *key, struct buf *out)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT value FROM meta WHERE key = ?1", NULL);
    if (!q)
        return false;
    db_bind_text(q, 1, str_from(key));
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        buf_str(out, db_bytes(q, 0));
    db_reset(q);
    return found;
}

bool store_meta_put(struct store *s, const char *key, struct str value, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", err);
    if (!q)
        return false;
    db_bind_text(q, 1, str_from(key));
    db_bind_blob(q, 2, value);
    return db_run(&s->db, q, err);
}

/* --- UIDVALIDITY -------------------------------------------------------------------------------------------------- */

/* False: it is there and cannot be read. */
static bool read_mirror(const struct store *s, uint32_t *ret_value, struct err *err)
{
    struct buf path = {0};
    path_in(&path, s, "uidvalidity");
    char text[32];
    int fd = open(buf_z(&path), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : errno == ENOENT ? 0 : -1;
    bool ok = n >= 0 || err_set_errno(err, ERR_DISK, errno, buf_z(&path));
    if (fd >= 0)
        close(fd);
    buf_done(&path);
    *ret_value = 0;
    if (n > 0)
        str_to_u32(str_trim(str_of(text, (size_t)n)), ret_value);
    return ok;
}

bool store_new_uidvalidity(struct store *s, uint32_t *ret_value, struct err *err)
{
    int64_t now = time_wall_s();
    uint32_t value = s->uidvalidity_high + 1;
    if (now > value && now < UINT32_MAX)
        value = (uint32_t)now;
    struct buf path = {0}, text = {0};
    path_in(&path, s, "uidvalidity");
    buf_printf(&text, "%u\n", value);
    bool ok = file_replace(buf_z(&path), buf_view(&text), 0600, err);
    buf_done(&path);
    buf_done(&text);
    if (!ok)
        return false;
    s->uidvalidity_high = value;
    *ret_value = value;
    return true;
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool lock_directory(struct store *s, struct err *err)
{
    struct buf path = {0};
    path_in(&path, s, "lock");
    s->lock_fd = open(buf_z(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    buf_done(&path);
    if (s->lock_fd < 0)
        return err_set_errno(err, ERR_DISK, errno, s->dir);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ERR_EXISTS, "%s is in use by another exbridge process", s->dir);
    return true;
}

/* The part of schema.sql that a state.db of this version has not got yet. */
static const char *schema_after(int64_t version)
{
    char mark[48];
    snprintf(mark, sizeof(mark), "\n-- version %lld\n", (long long)version + 1);
    return version == 0 ? schema_sql : strstr(schema_sql, mark);
}

static bool give_epoch(struct store *s, struct err *err)
{
    char epoch[9];
    uint32_t r;
    rand_bytes(&r, sizeof(r));
    snprintf(epoch, sizeof(epoch), "%08x", r);
    return store_meta_put(s, "epoch", str_from(epoch), err);
}

/* Make or upgrade: all in one transaction, so that a crash leaves the old state. */
static bool make_schema(struct store *s, int64_t version, struct err *err)
{
    const char *sql = schema_after(version);
    char pragma[64];
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", SCHEMA_VERSION);
    if (!sql)
        return err_set(err, ERR_INTERNAL, "there is no way from schema %lld", (long long)version);
    if (!db_begin(&s->db, err))
        return false;
    if (!db_exec(&s->db, sql, err) || (version == 0 && !give_epoch(s, err)) || !db_exec(&s->db, pragma, err)) {
        db_rollback(&s->db);
        return false;
    }
    return db_commit(&s->db, err);
}

static bool read_epoch(struct store *s, const char *path, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT value FROM meta WHERE key = 'epoch'", err);
    int rc = q ? db_step(&s->db, q, err) : -1;
    struct str epoch = rc == 1 ? db_bytes(q, 0) : STR_NULL;
    bool found = epoch.n == 8;
    if (found)
        memcpy(s->epoch, epoch.p, 8);
    if (q)
        db_reset(q);
    if (rc >= 0 && !found) {
        s->db.damaged = true;
        err_set(err, ERR_INTERNAL, "%s has no epoch", path);
    }
    return found;
}

static bool open_sound(struct store *s, const char *path, struct err *err)
{
    if (!db_open(&s->db, path, true, err))
        return false;
    int64_t version;
    if (!db_user_version(&s->db, &version, err))
        return false;
    if (version > SCHEMA_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "%s was written by a newer exbridge (schema %lld)", path,
                       (long long)version);
    if (!db_sound(&s->db, err) || (version < SCHEMA_VERSION && !make_schema(s, version, err)))
        return false;
    db_compact(&s->db);
    return read_epoch(s, path, err);
}

/* Never delete what cannot be read: a person may want to look at it. */
static bool move_aside(struct store *s, struct err *err)
{
    static const char *const parts[] = {"state.db", "state.db-wal", "state.db-shm"};
    struct buf from = {0}, to = {0};
    bool ok = true;
    long long now = (long long)time_wall_s();
    for (size_t i = 0; i < 3; i++) {
        path_in(&from, s, parts[i]);
        buf_reset(&to);
        buf_printf(&to, "%s/state.db.damaged-%lld%s", s->dir, now, parts[i] + strlen("state.db"));
        if (rename(buf_z(&from), buf_z(&to)) != 0 && errno != ENOENT)
            ok = err_set_errno(err, ERR_DISK, errno, buf_z(&from));
    }
    buf_done(&from);
    buf_done(&to);
    return ok;
}

static bool load_high_water(struct store *s, struct err *err)
{
    if (!read_mirror(s, &s->uidvalidity_high, err))
        return false;
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT max(uidvalidity) FROM folder", err);
    int rc = q ? db_step(&s->db, q, err) : -1;
    if (rc == 1 && db_int(q, 0) > s->uidvalidity_high)
        s->uidvalidity_high = (uint32_t)db_int(q, 0);
    if (q)
        db_reset(q);
    return rc >= 0;
}

struct store *store_open(const char *dir, bool *ret_rebuilt, struct err *err)
{
    struct store *s = MEM_NEW(struct store);
    s->dir = mem_strdup(dir);
    s->lock_fd = -1;
    struct buf path = {0};
    bool rebuilt = false, ok = lock_directory(s, err);
    if (ok) {
        path_in(&path, s, "state.db");
        struct err first = {0};
        ok = open_sound(s, buf_z(&path), &first);
        if (!ok && s->db.damaged) {
            db_close(&s->db);
            rebuilt = true;
            ok = move_aside(s, err) && open_sound(s, buf_z(&path), err);
        } else if (!ok && err) {
            *err = first;
        }
    }
    buf_done(&path);
    if (!ok || !load_high_water(s, err)) {
        store_close(&s);
        return NULL;
    }
    *ret_rebuilt = rebuilt;
    return s;
}

void store_close(struct store **s)
{
    if (!*s)
        return;
    db_close(&(*s)->db);
    if ((*s)->lock_fd >= 0)
        close((*s)->lock_fd);
    mem_free((*s)->dir);
    mem_free(*s);
    *s = NULL;
}

void store_remove_files(const char *dir)
{
    static const char *const parts[] = {"state.db", "state.db-wal", "state.db-shm"};
    struct buf path = {0};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        buf_reset(&path);
        buf_printf(&path, "%s/%s", dir, parts[i]);
        unlink(buf_z(&path));
    }
    buf_done(&path);
}

void store_destroy(struct store *s)
{
    db_rollback(&s->db);
    db_close(&s->db);
    store_remove_files(s->dir);
}

const char *store_epoch(const struct store *s)
{
    return s->epoch;
}

/* --- the backend's small state ---------------------------------------------------------------- */

bool store_persist_put(struct store *s, struct str key, struct str value, struct err *err)
{
    struct sqlite3_stmt *q =
        value.n ? db_prepare(&s->db, "INSERT OR REPLACE INTO persist (key, value) VALUES (?1, ?2)", err)
                : db_prepare(&s->db, "DELETE FROM persist WHERE key = ?1", err);
    if (!q)
        return false;
    db_bind_blob(q, 1, key);
    if (value.n)
        db_bind_blob(q, 2, value);
    return db_run(&s->db, q, err);
}

bool store_persist_get(struct store *s, struct str key, struct buf *out)
{
    struct sqlite3_stmt *q = db_prepare(&s->db, "SELECT value FROM persist WHERE key = ?1", NULL);
    if (!q)
        return false;
    db_bind_blob(q, 1, key);
    bool found = db_step(&s->db, q, NULL) == 1;
    if (found)
        buf_str(out, db_bytes(q, 0));
    db_reset(q);
    return found;
}
