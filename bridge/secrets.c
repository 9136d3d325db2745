/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/secrets.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/file.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/time.h"
#include "bridge/io/crypto.h"

#define MAGIC       "exbridge-secret-1\n"
#define KEY_FILE    "key"
#define ID_FILE     "keyring-id" /* which of the keyring's items is ours; says that the key is there */
#define CREDENTIAL  "exbridge.key"
#define KEY_TEXT    64 /* hexadecimal digits of a key that we make */
#define KEY_MIN     32 /* bytes of a key that somebody else makes */
#define KEY_MAX     4096
#define NOT_FOUND   127 /* exit status of the shell */
#define KEYRING_CMD "command -v secret-tool >/dev/null || exit 127; exec secret-tool "
#define LOOK_CMD    "exec env LC_ALL=C secret-tool search service exbridge id %s 2>/dev/null" /* asks nobody */
#define LOOK_LINE   "secret = " /* is there when the keyring is unlocked */

struct secrets {
    struct loop *loop;
    char *dir;
    enum secrets_kind kind;
    unsigned ask_ms, look_ms;
    void (*on_change)(void *ud);
    void *ud;

    bool has_key;
    unsigned char key[CRYPTO_KEY_SIZE];
    struct child *asked; /* secret-tool, under way */
    uint64_t asked_ms;   /* since when */
    bool closed;         /* our key is there, and the keyring did not give it when it could ask */
    struct timer *timer; /* ... until it is looked at again */
    struct child *look;
    struct buf made; /* a key on its way into the keyring */
    char id[KEY_TEXT + 1];
    uint64_t failed_ms; /* when the keyring last failed; 0 = it did not */
    struct err why;
};

/* --- files --------------------------------------------------------------------------------------- */

static void path_of(const struct secrets *s, struct buf *out, const char *name, const char *ending)
{
    buf_reset(out);
    buf_printf(out, "%s/%s%s", s->dir, name, ending);
}

static bool name_is_good(const char *name)
{
    return name[0] && name[0] != '.' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@+")] == '\0';
}

static bool check_private(int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(err, ERR_DISK, errno, path);
    if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0))
        return err_set(err, ERR_INVALID, "%s: is not a file of ours", path);
    if (st.st_mode & 077)
        return err_set(err, ERR_INVALID, "%s: others can read it; run: chmod 600", path);
    return true;
}

static bool read_all(int fd, struct buf *out)
{
    char room[4096];
    ssize_t n;
    while ((n = read(fd, room, sizeof(room))) > 0)
        buf_add(out, room, (size_t)n);
    mem_wipe(room, sizeof(room));
    return n == 0;
}

/* SECRETS_NONE: there is no such file. */
static enum secrets_result read_file(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return SECRETS_NONE;
    bool ok = fd >= 0 || err_set_errno(err, ERR_DISK, errno, path);
    ok = ok && check_private(fd, path, err);
    if (ok && !read_all(fd, out))
        ok = err_set_errno(err, ERR_DISK, errno, path);
    if (ok && out->failed)
        ok = err_set(err, ERR_INVALID, "%s: larger than anything stored here", path);
    if (fd >= 0)
        close(fd);
    return ok ? SECRETS_OK : SECRETS_FAILED;
}

static bool write_file(const struct secrets *s, const char *path, struct str bytes, struct err *err)
{
    if (mkdir(s->dir, 0700) != 0 && errno != EEXIST)
        return err_set_errno(err, ERR_DISK, errno, s->dir);
    return file_replace(path, bytes, 0600, err);
}

/* --- the key ------------------------------------------------------------------------------------- */

static bool take_key(struct secrets *s, struct str text, const char *where, struct err *err)
{
    text = str_trim(text);
    if (text.n < KEY_MIN)
        return err_set(err, ERR_INVALID, "%s: shorter than the %d bytes that a key needs", where, KEY_MIN);
    struct crypto_hash hash = crypto_sha256(text);
    memcpy(s->key, hash.b, sizeof(s->key));
    mem_wipe(&hash, sizeof(hash));
    s->has_key = true;
    return true;
}

/* LoadCredential= of a unit: systemd guards the folder. */
static enum secrets_result read_credential(struct secrets *s, struct err *err)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    struct buf path = BUF_INIT(0), text = BUF_INIT(KEY_MAX);
    enum secrets_result result = SECRETS_NONE;
    if (dir && dir[0] == '/') {
        buf_printf(&path, "%s/" CREDENTIAL, dir);
        int fd = open(buf_z(&path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0) {
            bool ok = read_all(fd, &text) || err_set_errno(err, ERR_DISK, errno, buf_z(&path));
            result = ok && take_key(s, buf_view(&text), buf_z(&path), err) ? SECRETS_OK : SECRETS_FAILED;
            close(fd);
        }
    }
    buf_done(&path);
    buf_wipe(&text);
    return result;
}

/* make: where there is none. */
static enum secrets_result read_key_file(struct secrets *s, bool make, struct err *err)
{
    enum secrets_result result = read_credential(s, err);
    if (result != SECRETS_NONE)
        return result;
    struct buf path = BUF_INIT(0), text = BUF_INIT(KEY_MAX);
    path_of(s, &path, KEY_FILE, "");
    result = read_file(buf_z(&path), &text, err);
    if (result == SECRETS_NONE && make) {
        rand_add_hex(&text, KEY_TEXT / 2);
        result = write_file(s, buf_z(&path), buf_view(&text), err) ? SECRETS_OK : SECRETS_FAILED;
    }
    if (result == SECRETS_OK && !take_key(s, buf_view(&text), buf_z(&path), err))
        result = SECRETS_FAILED;
    buf_done(&path);
    buf_wipe(&text);
    return result;
}

/* --- the keyring --------------------------------------------------------------------------------- */

static void look_later(struct secrets *s)
{
    s->closed = true;
    timer_start(s->timer, s->look_ms);
}

static void told(struct secrets *s, const struct err *err)
{
    s->asked = NULL;
    s->why = *err;
    s->failed_ms = err->code == ERR_NONE ? 0 : time_mono_ms();
    buf_wipe(&s->made);
    if (s->on_change)
        s->on_change(s->ud);
}

static void describe(struct err *err, const char *what)
{
    if (err->status == NOT_FOUND)
        err_set(err, ERR_OFFLINE,
                "the program secret-tool (package libsecret-tools) is missing; or set secret-store = file");
    else
        err_set(err, ERR_OFFLINE, "%s; is the keyring unlocked? (or set secret-store = file)", what);
}

static void on_looked_up(void *ud, const struct err *err, struct str output)
{
    struct secrets *s = ud;
    struct err why = *err;
    if (why.code != ERR_NONE)
        describe(&why, why.code == ERR_OFFLINE ? "the keyring does not answer" : "the keyring does not give our key");
    else
        take_key(s, output, "the keyring's key", &why);
    if (why.code == ERR_OFFLINE)
        look_later(s);
    told(s, &why);
}

/* Somebody may have unlocked it. */
static void on_seen(void *ud, const struct err *err, struct str output)
{
    struct secrets *s = ud;
    struct err why = *err;
    struct str line = STR_NULL;
    s->look = NULL;
    while (why.code == ERR_NONE && str_cut(&output, '\n', &line) && !str_starts(line, STR(LOOK_LINE)))
        line = STR_NULL;
    if (line.n && take_key(s, str_skip(line, strlen(LOOK_LINE)), "the keyring's key", &why)) {
        s->closed = false;
        told(s, &why);
    } else {
        look_later(s);
    }
}

static void on_look(void *ud)
{
    struct secrets *s = ud;
    struct buf command = BUF_INIT(0);
    buf_printf(&command, LOOK_CMD, s->id);
    s->look = child_run(s->loop, buf_z(&command), STR_NULL, KEY_MAX, s->ask_ms, on_seen, s);
    buf_done(&command);
}

static void stop_looking(struct secrets *s)
{
    s->closed = false;
    timer_stop(s->timer);
    child_free(&s->look);
}

static void on_stored(void *ud, const struct err *err, struct str output)
{
    struct secrets *s = ud;
    struct err why = *err;
    struct buf path = BUF_INIT(0);
    (void)output;
    if (why.code != ERR_NONE) {
        describe(&why, why.code == ERR_OFFLINE ? "the keyring does not answer" : "the keyring does not take our key");
    } else {
        path_of(s, &path, ID_FILE, "");
        if (write_file(s, buf_z(&path), str_from(s->id), &why) &&
            take_key(s, buf_view(&s->made), "the keyring's key", &why)) {
            path_of(s, &path, KEY_FILE, "");
            unlink(buf_z(&path)); /* has moved */
        }
    }
    buf_done(&path);
    told(s, &why);
}

/* SECRETS_NONE: we have no item in the keyring yet. */
static enum secrets_result read_id(struct secrets *s, struct err *err)
{
    struct buf path = BUF_INIT(0), text = BUF_INIT(KEY_TEXT);
    path_of(s, &path, ID_FILE, "");
    enum secrets_result result = read_file(buf_z(&path), &text, err);
    if (result == SECRETS_OK) {
        memcpy(s->id, buf_z(&text), text.n + 1);
        if (!text.n || s->id[strspn(s->id, "0123456789abcdef")] != '\0') {
            err_set(err, ERR_INVALID, "%s: damaged", buf_z(&path));
            result = SECRETS_FAILED;
        }
    }
    buf_done(&path);
    buf_done(&text);
    return result;
}

static void look_up(struct secrets *s)
{
    struct buf command = BUF_INIT(0);
    buf_printf(&command, KEYRING_CMD "lookup service exbridge id %s", s->id);
    s->asked = child_run(s->loop, buf_z(&command), STR_NULL, KEY_MAX, s->ask_ms, on_looked_up, s);
    s->asked_ms = time_mono_ms();
    buf_done(&command);
}

static enum secrets_result store_new(struct secrets *s, struct err *err)
{
    struct buf command = BUF_INIT(0), path = BUF_INIT(0), id = BUF_INIT(0);
    path_of(s, &path, KEY_FILE, "");
    buf_init(&s->made, KEY_MAX);
    enum secrets_result result = read_file(buf_z(&path), &s->made, err);
    if (result == SECRETS_NONE)
        rand_add_hex(&s->made, KEY_TEXT / 2);
    if (result != SECRETS_FAILED) {
        rand_add_hex(&id, 8);
        memcpy(s->id, buf_z(&id), id.n + 1);
        buf_printf(&command, KEYRING_CMD "store --label='exbridge: key of the stored secrets' service exbridge id %s",
                   s->id);
        s->asked = child_run(s->loop, buf_z(&command), buf_view(&s->made), KEY_MAX, s->ask_ms, on_stored, s);
        s->asked_ms = time_mono_ms();
        result = SECRETS_WAIT;
    }
    buf_done(&command);
    buf_done(&path);
    buf_done(&id);
    return result;
}

static enum secrets_result ask_keyring(struct secrets *s, struct err *err)
{
    if (s->asked)
        return SECRETS_WAIT;
    if (s->closed || (s->failed_ms && time_mono_ms() - s->failed_ms < SECRETS_RETRY_MS)) {
        *err = s->why;
        return SECRETS_FAILED;
    }
    enum secrets_result result = read_id(s, err);
    if (result == SECRETS_NONE)
        return store_new(s, err);
    if (result == SECRETS_OK) {
        look_up(s);
        result = SECRETS_WAIT;
    }
    return result;
}

/* SECRETS_NONE: there is none, and it was not to be made. */
static enum secrets_result need_key(struct secrets *s, bool make, struct err *err)
{
    if (s->has_key)
        return SECRETS_OK;
    return s->kind == SECRETS_FILE ? read_key_file(s, make, err) : ask_keyring(s, err);
}

/* --- secrets ------------------------------------------------------------------------------------- */

static void add_label(struct buf *out, const char *name)
{
    buf_printf(out, MAGIC "%s", name);
}

static enum secrets_result unseal(struct secrets *s, const char *name, const char *path, struct str sealed,
                                  struct buf *out, struct err *err)
{
    struct buf label = BUF_INIT(0);
    add_label(&label, name);
    bool ok =
        str_starts(sealed, STR(MAGIC)) && crypto_open(out, s->key, buf_view(&label), str_skip(sealed, strlen(MAGIC)));
    buf_done(&label);
    if (!ok)
        err_set(err, ERR_INVALID, "%s: damaged, or sealed with another key (was secret-store changed?); it is kept",
                path);
    return ok ? SECRETS_OK : SECRETS_FAILED;
}

enum secrets_result secrets_get(struct secrets *s, const char *name, struct buf *out, struct err *err)
{
    struct buf path = BUF_INIT(0), sealed = BUF_INIT(SECRETS_SIZE_MAX + 1024);
    assert(name_is_good(name));
    path_of(s, &path, name, ".secret");
    enum secrets_result result = read_file(buf_z(&path), &sealed, err);
    if (result == SECRETS_OK) {
        result = need_key(s, false, err);
        if (result == SECRETS_OK) {
            result = unseal(s, name, buf_z(&path), buf_view(&sealed), out, err);
        } else if (result == SECRETS_NONE) {
            err_set(err, ERR_INVALID, "%s: the key is not here (was secret-store changed?); it is kept", buf_z(&path));
            result = SECRETS_FAILED;
        }
    }
    buf_done(&path);
    buf_done(&sealed);
    return result;
}

enum secrets_result secrets_put(struct secrets *s, const char *name, struct str value, struct err *err)
{
    struct buf path = BUF_INIT(0), label = BUF_INIT(0), sealed = BUF_INIT(SECRETS_SIZE_MAX + 1024);
    assert(name_is_good(name));
    if (value.n > SECRETS_SIZE_MAX) {
        err_set(err, ERR_TOO_BIG, "a secret of more than %zu bytes", SECRETS_SIZE_MAX);
        return SECRETS_FAILED;
    }
    enum secrets_result result = need_key(s, true, err);
    if (result == SECRETS_OK) {
        path_of(s, &path, name, ".secret");
        add_label(&label, name);
        buf_lit(&sealed, MAGIC);
        crypto_seal(&sealed, s->key, buf_view(&label), value);
        if (!write_file(s, buf_z(&path), buf_view(&sealed), err))
            result = SECRETS_FAILED;
    }
    buf_done(&path);
    buf_done(&label);
    buf_done(&sealed);
    return result;
}

bool secrets_exists(const struct secrets *s, const char *name)
{
    struct buf path = BUF_INIT(0);
    assert(name_is_good(name));
    path_of(s, &path, name, ".secret");
    bool there = access(buf_z(&path), F_OK) == 0;
    buf_done(&path);
    return there;
}

void secrets_remove(struct secrets *s, const char *name)
{
    struct buf path = BUF_INIT(0);
    assert(name_is_good(name));
    path_of(s, &path, name, ".secret");
    unlink(buf_z(&path));
    buf_done(&path);
}

bool secrets_asks_somebody(const struct secrets *s)
{
    return s->asked && time_mono_ms() - s->asked_ms >= SECRETS_QUICK_MS;
}

void secrets_retry(struct secrets *s)
{
    s->failed_ms = 0;
    stop_looking(s);
}

/* --- life ---------------------------------------------------------------------------------------- */

struct secrets *secrets_open(struct loop *loop, const struct secrets_opts *opts)
{
    struct secrets *s = MEM_NEW(struct secrets);
    s->loop = loop;
    s->dir = mem_strdup(opts->dir);
    s->kind = opts->kind;
    s->ask_ms = opts->ask_ms ? opts->ask_ms : SECRETS_ASK_MS;
    s->look_ms = opts->look_ms ? opts->look_ms : SECRETS_LOOK_MS;
    s->timer = timer_new(loop, on_look, s);
    s->on_change = opts->on_change;
    s->ud = opts->ud;
    return s;
}

void secrets_close(struct secrets **secrets)
{
    struct secrets *s = *secrets;
    *secrets = NULL;
    if (!s)
        return;
    child_free(&s->asked);
    child_free(&s->look);
    timer_free(&s->timer);
    buf_wipe(&s->made);
    mem_free(s->dir);
    mem_wipe(s, sizeof(*s));
    mem_free(s);
}

struct child *secrets_probe_service(struct loop *loop, child_cb *cb, void *ud)
{
    /* What it says when there is none is nothing for the terminal of somebody who did not ask. */
    return child_run(loop, KEYRING_CMD "search service exbridge-probe 2>/dev/null", STR_NULL, KEY_MAX, SECRETS_PROBE_MS,
                     cb, ud);
}
