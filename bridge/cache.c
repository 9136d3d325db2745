/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/file.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/cache_file.h"
#include "bridge/db.h"

#define CACHE_VERSION 2
#define TROUBLE_MS    (60 * 1000) /* a full disk has room for some small things: so long without a failure is its end */
#define CLOCK_SLACK_S (24 * 3600)
#define EVICT_SHARE   20 /* one part in so many is evicted when the limit is reached */

static const char schema[] =
    "CREATE TABLE about (epoch TEXT);"
    "CREATE TABLE header (pk INTEGER PRIMARY KEY, exact INTEGER NOT NULL, bytes BLOB NOT NULL);"
    "CREATE TABLE structure (pk INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE rendering (row INTEGER PRIMARY KEY, bytes BLOB NOT NULL);" /* rendering_row() */
    "CREATE TABLE message (pk INTEGER PRIMARY KEY, size INTEGER NOT NULL, sum INTEGER NOT NULL, used INTEGER NOT NULL);"
    "CREATE INDEX message_used ON message(used);"
    "PRAGMA user_version = 2;";

struct cache {
    struct db db;
    struct loop *loop;
    struct deferred commit; /* one transaction for all that is read or written in a turn of the loop */
    bool reading;           /* a transaction without writes is open: a lookup then takes no locks of its own */
    char *dir, *epoch;
    unsigned char key[32];
    bool sealed, destroyed;
    uint64_t limit, bytes;
    struct err trouble; /* what last kept content from being kept; code ERR_NONE = nothing */
    uint64_t trouble_ms;
};

/* --- opening ---------------------------------------------------------------------------------- */

static void path_in(const struct cache *c, struct buf *out, const char *name)
{
    buf_reset(out);
    buf_printf(out, "%s/%s", c->dir, name);
}

static bool right_epoch(struct cache *c)
{
    struct sqlite3_stmt *q = db_prepare(&c->db, "SELECT epoch FROM about", NULL);
    bool right = q && db_step(&c->db, q, NULL) == 1 && str_is(db_bytes(q, 0), c->epoch);
    if (q)
        db_reset(q);
    return right;
}

static bool begin_anew(struct cache *c, struct err *err)
{
    static const char *const parts[] = {"cache.db", "cache.db-wal", "cache.db-shm"};
    struct buf path = {0};
    db_close(&c->db);
    for (size_t i = 0; i < 3; i++) {
        path_in(c, &path, parts[i]);
        unlink(buf_z(&path));
    }
    path_in(c, &path, "messages");
    cache_file_remove_tree(buf_z(&path));
    path_in(c, &path, "cache.db");
    bool ok = file_make_dirs(c->dir, err) && db_open(&c->db, buf_z(&path), false, err) && db_exec(&c->db, schema, err);
    buf_done(&path);
    if (!ok)
        return false;
    struct sqlite3_stmt *q = db_prepare(&c->db, "INSERT INTO about (epoch) VALUES (?1)", err);
    if (!q)
        return false;
    db_bind_text(q, 1, str_from(c->epoch));
    return db_run(&c->db, q, err);
}

/* Read through the page cache of the system, not through memory of ours. */
static bool read_mapped(struct cache *c, struct err *err)
{
    return db_exec(&c->db, "PRAGMA mmap_size = 1073741824", err);
}

static uint64_t sum_of_sizes(struct cache *c)
{
    struct sqlite3_stmt *q = db_prepare(&c->db, "SELECT coalesce(sum(size), 0) FROM message", NULL);
    uint64_t n = q && db_step(&c->db, q, NULL) == 1 ? (uint64_t)db_int(q, 0) : 0;
    if (q)
        db_reset(q);
    return n;
}

static void end_reading(struct cache *c)
{
    if (c->reading)
        db_exec(&c->db, "COMMIT", NULL); /* nothing was written that could be lost */
    c->reading = false;
}

/* --- trouble: told once, and its end once ----------------------------------------------------- */

void cache_failed(struct cache *c, const struct err *err)
{
    if (err->code != ERR_DISK || c->trouble.code == ERR_NONE)
        log_warn("cache", NULL, "content is not kept, but fetched again: %s", err->text);
    if (err->code != ERR_DISK)
        return; /* of one message */
    c->trouble = *err;
    c->trouble_ms = time_mono_ms();
}

static void went_well(struct cache *c)
{
    if (c->trouble.code != ERR_NONE)
        log_info("cache", NULL, "%s: content is kept again", c->dir);
    c->trouble = (struct err){0};
}

const struct err *cache_trouble(const struct cache *c)
{
    return &c->trouble;
}

static bool is_deleted(const struct cache *c)
{
    struct buf path = {0};
    path_in(c, &path, "cache.db");
    bool gone = access(buf_z(&path), F_OK) != 0 && errno == ENOENT;
    buf_done(&path);
    return gone;
}

/* Nothing of it is of use any more: damaged while it was in use, or deleted, and what we write to is a file without a
 * name that goes with the process. */
static void start_over(struct cache *c)
{
    struct err err = {0};
    if (c->db.handle)
        log_warn("cache", NULL, "%s: cache.db %s; begun anew", c->dir, c->db.damaged ? "is damaged" : "was deleted");
    db_rollback(&c->db);
    if (!begin_anew(c, &err) || !read_mapped(c, &err)) {
        db_close(&c->db);
        cache_failed(c, &err);
    }
    c->bytes = 0;
}

/* There was no room to begin anew. */
static bool may_try_again(const struct cache *c)
{
    return !c->db.handle && !c->destroyed && time_mono_ms() - c->trouble_ms > TROUBLE_MS;
}

static void on_commit(void *ud)
{
    struct cache *c = ud;
    struct err err = {0};
    end_reading(c);
    if (c->db.damaged || (c->db.depth && is_deleted(c)) || may_try_again(c)) {
        start_over(c);
        return;
    }
    if (c->db.depth == 0)
        return;
    if (!db_commit(&c->db, &err)) {
        cache_failed(c, &err);
        c->bytes = sum_of_sizes(c);
    } else if (time_mono_ms() - c->trouble_ms > TROUBLE_MS) {
        went_well(c);
    }
}

struct cache *cache_open(struct loop *loop, const char *dir, const char *epoch, const unsigned char *key,
                         uint64_t limit, struct err *err)
{
    struct cache *c = MEM_NEW(struct cache);
    c->loop = loop;
    c->dir = mem_strdup(dir);
    c->epoch = mem_strdup(epoch);
    c->limit = limit;
    deferred_init(&c->commit, on_commit, c);
    if (key) {
        memcpy(c->key, key, sizeof(c->key));
        c->sealed = true;
    }
    int64_t version;
    struct buf path = {0};
    path_in(c, &path, "cache.db");
    bool ok = db_open(&c->db, buf_z(&path), false, NULL) && db_user_version(&c->db, &version, NULL) &&
              version == CACHE_VERSION && right_epoch(c);
    ok = ok || begin_anew(c, err);
    ok = ok && read_mapped(c, err);
    path_in(c, &path, "messages");
    if (ok && mkdir(buf_z(&path), 0700) != 0 && errno != EEXIST)
        ok = err_set_errno(err, ERR_DISK, errno, buf_z(&path));
    buf_done(&path);
    if (!ok) {
        cache_close(&c);
        return NULL;
    }
    c->bytes = sum_of_sizes(c);
    return c;
}

void cache_close(struct cache **c)
{
    if (!*c)
        return;
    loop_defer_cancel(&(*c)->commit);
    if ((*c)->db.handle)
        on_commit(*c);
    db_close(&(*c)->db);
    mem_wipe((*c)->key, sizeof((*c)->key));
    mem_free((*c)->dir);
    mem_free((*c)->epoch);
    mem_free(*c);
    *c = NULL;
}

const char *cache_tmp_dir(const struct cache *c)
{
    return c->sealed && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : c->dir; /* plain bytes must not reach the disk */
}

uint64_t cache_bytes(const struct cache *c)
{
    return c->bytes;
}

/* --- rows ------------------------------------------------------------------------------------- */

static void reading(struct cache *c)
{
    if (c->reading || c->db.depth)
        return;
    c->reading = db_exec(&c->db, "BEGIN", NULL);
    loop_defer(c->loop, &c->commit);
}

static struct sqlite3_stmt *lookup(struct cache *c, const char *sql, int64_t pk)
{
    reading(c);
    struct sqlite3_stmt *q = db_prepare(&c->db, sql, NULL);
    if (q)
        db_bind_int(q, 1, pk);
    return q;
}

static bool writing(struct cache *c, struct err *err)
{
    if (c->db.depth == 0) {
        end_reading(c);
        if (!db_begin(&c->db, err))
            return false;
        loop_defer(c->loop, &c->commit);
    }
    return true;
}

static struct str row_label(char *to, size_t size, const char *table, int64_t pk)
{
    int n = snprintf(to, size, "%s/%lld", table, (long long)pk);
    return str_of(to, (size_t)n);
}

/* Bind `bytes`, sealed if need be; `sealed` keeps them alive until the statement has run. */
static void bind_bytes(struct cache *c, struct sqlite3_stmt *q, int i, const char *table, int64_t pk, struct str bytes,
                       struct buf *sealed)
{
    if (!c->sealed) {
        db_bind_blob(q, i, bytes);
        return;
    }
    char label[64];
    crypto_seal(sealed, c->key, row_label(label, sizeof(label), table, pk), bytes);
    db_bind_blob(q, i, buf_view(sealed));
}

static bool take_bytes(struct cache *c, const char *table, int64_t pk, struct str stored, struct arena *arena,
                       struct str *ret)
{
    if (!c->sealed) {
        *ret = arena_str(arena, stored);
        return true;
    }
    char label[64];
    struct buf plain = {0};
    bool ok = crypto_open(&plain, c->key, row_label(label, sizeof(label), table, pk), stored);
    if (ok)
        *ret = arena_str(arena, buf_view(&plain));
    buf_wipe(&plain);
    return ok;
}

void cache_seal(const struct cache *c, struct str label, struct str plain, struct buf *out)
{
    if (c->sealed)
        crypto_seal(out, c->key, label, plain);
    else
        buf_str(out, plain);
}

bool cache_unseal(const struct cache *c, struct str label, struct str stored, struct buf *out)
{
    return c->sealed ? crypto_open(out, c->key, label, stored) : buf_str(out, stored);
}

enum cache_header_state cache_header(struct cache *c, int64_t pk, struct arena *arena, struct str *ret_header)
{
    struct sqlite3_stmt *q = lookup(
        c, ret_header ? "SELECT exact, bytes FROM header WHERE pk = ?1" : "SELECT exact FROM header WHERE pk = ?1", pk);
    if (!q)
        return CACHE_NO_HEADER;
    enum cache_header_state state = CACHE_NO_HEADER;
    if (db_step(&c->db, q, NULL) == 1) {
        state = db_int(q, 0) ? CACHE_HEADER_EXACT : CACHE_HEADER_INEXACT;
        if (ret_header && !take_bytes(c, "header", pk, db_bytes(q, 1), arena, ret_header))
            state = CACHE_NO_HEADER;
    }
    db_reset(q);
    return state;
}

bool cache_put_header(struct cache *c, int64_t pk, struct str header, bool exact, struct err *err)
{
    struct sqlite3_stmt *q = NULL;
    if (!writing(c, err) ||
        !(q = db_prepare(&c->db, "INSERT OR REPLACE INTO header (pk, exact, bytes) VALUES (?1, ?2, ?3)", err)))
        return false;
    struct buf sealed = {0};
    db_bind_int(q, 1, pk);
    db_bind_int(q, 2, exact);
    bind_bytes(c, q, 3, "header", pk, header, &sealed);
    bool ok = db_run(&c->db, q, err);
    buf_done(&sealed);
    return ok;
}

bool cache_structure(struct cache *c, int64_t pk, struct arena *arena, struct str *ret_packed)
{
    struct sqlite3_stmt *q = lookup(c, "SELECT bytes FROM structure WHERE pk = ?1", pk);
    if (!q)
        return false;
    bool ok = db_step(&c->db, q, NULL) == 1 && take_bytes(c, "structure", pk, db_bytes(q, 0), arena, ret_packed);
    db_reset(q);
    return ok;
}

static bool put_structure(struct cache *c, int64_t pk, struct str packed, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&c->db, "INSERT OR REPLACE INTO structure (pk, bytes) VALUES (?1, ?2)", err);
    if (!q)
        return false;
    struct buf sealed = {0};
    db_bind_int(q, 1, pk);
    bind_bytes(c, q, 2, "structure", pk, packed, &sealed);
    bool ok = db_run(&c->db, q, err);
    buf_done(&sealed);
    return ok;
}

/* All renderings of a kind lie together: clients ask for one kind of all messages. */
static int64_t rendering_row(int64_t pk, unsigned which)
{
    return ((int64_t)which << 48) + pk;
}

bool cache_rendering(struct cache *c, int64_t pk, unsigned which, struct arena *arena, struct str *ret_bytes)
{
    int64_t row = rendering_row(pk, which);
    struct sqlite3_stmt *q =
        which < CACHE_RENDERINGS ? lookup(c, "SELECT bytes FROM rendering WHERE row = ?1", row) : NULL;
    if (!q)
        return false;
    bool ok = db_step(&c->db, q, NULL) == 1 &&
              (!ret_bytes || take_bytes(c, "rendering", row, db_bytes(q, 0), arena, ret_bytes));
    db_reset(q);
    return ok;
}

void cache_put_rendering(struct cache *c, int64_t pk, unsigned which, struct str bytes)
{
    struct sqlite3_stmt *q = NULL;
    if (which >= CACHE_RENDERINGS || !writing(c, NULL) ||
        !(q = db_prepare(&c->db, "INSERT OR REPLACE INTO rendering (row, bytes) VALUES (?1, ?2)", NULL)))
        return;
    struct buf sealed = {0};
    int64_t row = rendering_row(pk, which);
    db_bind_int(q, 1, row);
    bind_bytes(c, q, 2, "rendering", row, bytes, &sealed);
    db_run(&c->db, q, NULL); /* it can be rendered again */
    buf_done(&sealed);
}

static bool run1(struct cache *c, const char *sql, int64_t a, struct err *err)
{
    struct sqlite3_stmt *q = db_prepare(&c->db, sql, err);
    if (!q)
        return false;
    db_bind_int(q, 1, a);
    return db_run(&c->db, q, err);
}

static bool drop_renderings(struct cache *c, int64_t pk, struct err *err)
{
    for (unsigned which = 0; which < CACHE_RENDERINGS; which++)
        if (!run1(c, "DELETE FROM rendering WHERE row = ?1", rendering_row(pk, which), err))
            return false;
    return true;
}

/* --- messages --------------------------------------------------------------------------------- */

static void message_path(const struct cache *c, int64_t pk, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "%s/messages/%02x/%lld", c->dir, (unsigned)(pk & 0xff), (long long)pk);
}

struct message_row {
    uint64_t size, sum;
    int64_t used;
};

static bool message_row(struct cache *c, int64_t pk, struct message_row *ret)
{
    struct sqlite3_stmt *q = lookup(c, "SELECT size, sum, used FROM message WHERE pk = ?1", pk);
    if (!q)
        return false;
    bool found = db_step(&c->db, q, NULL) == 1;
    if (found)
        *ret = (struct message_row){(uint64_t)db_int(q, 0), (uint64_t)db_int(q, 1), db_int(q, 2)};
    db_reset(q);
    return found;
}

bool cache_has_message(struct cache *c, int64_t pk)
{
    struct message_row row;
    return message_row(c, pk, &row);
}

bool cache_message_size(struct cache *c, int64_t pk, uint64_t *ret_size)
{
    struct message_row row;
    if (!message_row(c, pk, &row))
        return false;
    *ret_size = row.size;
    return true;
}

static void touch(struct cache *c, int64_t pk, int64_t used)
{
    int64_t now = time_wall_s();
    if (!c->limit || now - used < 3600 || !writing(c, NULL))
        return;
    struct sqlite3_stmt *q = db_prepare(&c->db, "UPDATE message SET used = ?2 WHERE pk = ?1", NULL);
    if (!q)
        return;
    db_bind_int(q, 1, pk);
    db_bind_int(q, 2, now);
    db_run(&c->db, q, NULL);
}

/* The bytes of the message are lost; header, structure and renderings still describe them. False: it could not be
 * written down. */
static bool forget_message(struct cache *c, int64_t pk, uint64_t size)
{
    struct buf path = {0};
    message_path(c, pk, &path);
    unlink(buf_z(&path));
    buf_done(&path);
    if (!writing(c, NULL) || !run1(c, "DELETE FROM message WHERE pk = ?1", pk, NULL))
        return false;
    c->bytes -= size < c->bytes ? size : c->bytes;
    return true;
}

struct blob *cache_message(struct cache *c, int64_t pk)
{
    struct message_row row;
    if (!message_row(c, pk, &row))
        return NULL;
    struct buf path = {0};
    message_path(c, pk, &path);
    struct blob *b = cache_file_read(buf_z(&path), c->sealed ? c->key : NULL, pk, row.size, row.sum, cache_tmp_dir(c));
    buf_done(&path);
    if (b)
        touch(c, pk, row.used);
    else
        forget_message(c, pk, row.size);
    return b;
}

static void evict(struct cache *c)
{
    uint64_t goal = c->limit - c->limit / EVICT_SHARE;
    /* The clock was ahead for a while: what was used then is not the newest for years. */
    bool ok = run1(c, "UPDATE message SET used = 0 WHERE used > ?1", time_wall_s() + CLOCK_SLACK_S, NULL);
    while (ok && c->bytes > goal) {
        struct sqlite3_stmt *q = db_prepare(&c->db, "SELECT pk, size FROM message ORDER BY used LIMIT 1", NULL);
        if (!q || db_step(&c->db, q, NULL) != 1)
            return;
        int64_t pk = db_int(q, 0);
        uint64_t size = (uint64_t)db_int(q, 1);
        db_reset(q);
        ok = forget_message(c, pk, size);
    }
}

static bool put_message_row(struct cache *c, int64_t pk, uint64_t size, uint64_t sum, struct err *err)
{
    struct sqlite3_stmt *q =
        db_prepare(&c->db, "INSERT OR REPLACE INTO message (pk, size, sum, used) VALUES (?1, ?2, ?3, ?4)", err);
    if (!q)
        return false;
    db_bind_int(q, 1, pk);
    db_bind_int(q, 2, (int64_t)size);
    db_bind_int(q, 3, (int64_t)sum);
    db_bind_int(q, 4, time_wall_s());
    return db_run(&c->db, q, err);
}

bool cache_put_message(struct cache *c, int64_t pk, const struct blob *message, struct str header, struct str structure,
                       struct err *err)
{
    if (cache_has_message(c, pk))
        return true;
    struct buf path = {0};
    message_path(c, pk, &path);
    uint64_t sum = 0;
    bool ok = cache_file_write(buf_z(&path), c->sealed ? c->key : NULL, pk, message, &sum, err);
    buf_done(&path);
    if (!ok || !writing(c, err))
        return false;
    if (cache_header(c, pk, NULL, NULL) == CACHE_HEADER_INEXACT && !drop_renderings(c, pk, err))
        return false;
    if (!cache_put_header(c, pk, header, true, err) || !put_structure(c, pk, structure, err) ||
        !put_message_row(c, pk, blob_size(message), sum, err))
        return false;
    went_well(c);
    c->bytes += blob_size(message);
    if (c->limit && c->bytes > c->limit)
        evict(c);
    return true;
}

void cache_drop(struct cache *c, int64_t pk)
{
    struct message_row row;
    if (message_row(c, pk, &row))
        forget_message(c, pk, row.size);
    if (!writing(c, NULL))
        return;
    run1(c, "DELETE FROM header WHERE pk = ?1", pk, NULL);
    run1(c, "DELETE FROM structure WHERE pk = ?1", pk, NULL);
    drop_renderings(c, pk, NULL);
}

void cache_destroy(struct cache *c)
{
    c->destroyed = true;
    loop_defer_cancel(&c->commit);
    end_reading(c);
    db_rollback(&c->db);
    db_close(&c->db);
    cache_file_remove_tree(c->dir);
}
