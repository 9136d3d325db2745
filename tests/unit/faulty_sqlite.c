/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/faulty_sqlite.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static struct {
    bool armed, on, failed;
    enum faulty what;
    unsigned left;
} plan;

void faulty_sqlite_arm(enum faulty what, unsigned n, bool on)
{
    plan.armed = true;
    plan.on = on;
    plan.failed = false;
    plan.what = what;
    plan.left = n;
}

bool faulty_sqlite_disarm(void)
{
    plan.armed = false;
    return plan.failed;
}

static bool fails(bool memory)
{
    if (!plan.armed || memory != (plan.what == FAULTY_MEMORY))
        return false;
    if (plan.left > 0 && --plan.left > 0)
        return false;
    if (plan.failed && !plan.on)
        return false;
    plan.failed = true;
    return true;
}

/* --- memory -------------------------------------------------------------------------------------- */

static sqlite3_mem_methods real_memory;

static void *faulty_malloc(int n)
{
    return fails(true) ? NULL : real_memory.xMalloc(n);
}

static void *faulty_realloc(void *p, int n)
{
    return fails(true) ? NULL : real_memory.xRealloc(p, n);
}

/* --- files --------------------------------------------------------------------------------------- */

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* lies behind this one */
};

#define REAL(f) (((struct file *)(f))->real)

static int file_close(sqlite3_file *f)
{
    return REAL(f)->pMethods->xClose(REAL(f));
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return fails(false) ? SQLITE_IOERR_READ : REAL(f)->pMethods->xRead(REAL(f), to, n, at);
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (fails(false))
        return plan.what == FAULTY_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    return REAL(f)->pMethods->xWrite(REAL(f), from, n, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    return fails(false) ? SQLITE_IOERR_TRUNCATE : REAL(f)->pMethods->xTruncate(REAL(f), n);
}

static int file_sync(sqlite3_file *f, int flags)
{
    return fails(false) ? SQLITE_IOERR_FSYNC : REAL(f)->pMethods->xSync(REAL(f), flags);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret_n)
{
    return fails(false) ? SQLITE_IOERR_FSTAT : REAL(f)->pMethods->xFileSize(REAL(f), ret_n);
}

static int file_lock(sqlite3_file *f, int level)
{
    return fails(false) ? SQLITE_IOERR_LOCK : REAL(f)->pMethods->xLock(REAL(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int file_reserved(sqlite3_file *f, int *ret)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), ret);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int file_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int file_device(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return fails(false) ? SQLITE_IOERR_SHMMAP : REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *f, int from, int n, int flags)
{
    if (!(flags & SQLITE_SHM_UNLOCK) && fails(false))
        return SQLITE_IOERR_SHMLOCK;
    return REAL(f)->pMethods->xShmLock(REAL(f), from, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int file_shm_unmap(sqlite3_file *f, int delete)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static sqlite3_vfs *real_vfs, faulty_vfs;

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    (void)vfs;
    struct file *file = (struct file *)f;
    file->base.pMethods = NULL;
    if (fails(false))
        return SQLITE_CANTOPEN;
    file->real = (sqlite3_file *)(file + 1);
    int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
    if (file->real->pMethods)
        file->base.pMethods = &methods;
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    return fails(false) ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, sync);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    (void)vfs;
    return fails(false) ? SQLITE_IOERR_ACCESS : real_vfs->xAccess(real_vfs, name, flags, ret);
}

void faulty_sqlite_init(void)
{
    sqlite3_mem_methods memory;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
        abort();
    memory = real_memory;
    memory.xMalloc = faulty_malloc;
    memory.xRealloc = faulty_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
        abort();
    real_vfs = sqlite3_vfs_find(NULL);
    faulty_vfs = *real_vfs;
    faulty_vfs.zName = "faulty";
    faulty_vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    faulty_vfs.xOpen = vfs_open;
    faulty_vfs.xDelete = vfs_delete;
    faulty_vfs.xAccess = vfs_access;
    if (sqlite3_vfs_register(&faulty_vfs, 1) != SQLITE_OK)
        abort();
}
