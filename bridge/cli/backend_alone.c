/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/cli/config_accounts.h"

struct memory_entry {
    struct memory_entry *next;
    char *key;
    size_t key_length;
    struct buf value;
};

static struct memory_entry *find(struct backend_alone *b, struct str key)
{
    for (struct memory_entry *e = b->memory; e; e = e->next)
        if (str_eq(key, str_of(e->key, e->key_length)))
            return e;
    return NULL;
}

void backend_alone_put(struct backend_alone *b, struct str key, struct str value)
{
    struct memory_entry *e = find(b, key);
    if (!e) {
        e = MEM_NEW(struct memory_entry);
        e->key = str_dup(key);
        e->key_length = key.n;
        e->next = b->memory;
        b->memory = e;
    }
    buf_reset(&e->value);
    buf_str(&e->value, value);
}

static bool host_put(void *ud, struct str key, struct str value, struct err *err)
{
    (void)err;
    backend_alone_put(ud, key, value);
    return true;
}

static bool host_get(void *ud, struct str key, struct buf *out)
{
    struct memory_entry *e = find(ud, key);
    return e && e->value.n && buf_str(out, buf_view(&e->value)); /* an empty value deletes */
}

/* There is nothing here to wipe: the command tells it, and the daemon gets the order as well. */
static void host_wipe(void *ud, const char *why)
{
    struct backend_alone *b = ud;
    mem_free(b->wiped);
    b->wiped = mem_strdup(why);
}

static void host_health(void *ud, const struct err *err)
{
    (void)ud; /* the op's own error is what counts */
    (void)err;
}

static bool host_cursor(void *ud, struct str folder_id, struct buf *out)
{
    (void)ud; /* nothing is synchronised here */
    (void)folder_id;
    (void)out;
    return false;
}

static void on_secrets_change(void *ud)
{
    struct backend_alone *b = ud;
    login_vault_changed(b->login);
}

bool backend_alone_get(struct backend_alone *b, struct str key, struct buf *out)
{
    return host_get(b, key, out);
}

static char *make_tmp_dir(struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    struct buf path = BUF_INIT(0);
    buf_printf(&path, "%s/exbridge-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
    buf_z(&path);
    char *made = mkdtemp(path.p) ? mem_strdup(path.p) : NULL;
    if (!made)
        err_set_errno(err, ERR_DISK, errno, path.p);
    buf_done(&path);
    return made;
}

/* loop and login are there */
static bool open_backend(struct config *c, const struct config_account *a, struct backend_alone *b, struct err *err)
{
    b->tmp_dir = make_tmp_dir(err);
    if (b->tmp_dir) {
        struct backend_config config = config_backend_config(c, a, b->loop, b->login);
        config.tmp_dir = b->tmp_dir;
        config.host = (struct backend_host){b, host_put, host_get, host_wipe, host_health, host_cursor};
        b->backend = config_backend_ops(a)->open(&config, err);
    }
    if (b->backend)
        return true;
    backend_alone_close(b);
    return false;
}

bool backend_alone_open(struct config *c, const struct config_account *a, struct backend_alone *ret, struct err *err)
{
    *ret = (struct backend_alone){.loop = loop_new(), .memory = ret->memory};
    ret->secrets = config_secrets_open(c, ret->loop, on_secrets_change, ret);
    ret->login = config_login_open(c, a->login, ret->loop, ret->secrets);
    return open_backend(c, a, ret, err);
}

bool backend_alone_open_with(struct config *c, const struct config_account *a, struct loop *loop, struct login *login,
                             struct backend_alone *ret, struct err *err)
{
    *ret = (struct backend_alone){.loop = loop, .login = login, .lent = true, .memory = ret->memory};
    return open_backend(c, a, ret, err);
}

void backend_alone_wait(struct backend_alone *b, const bool *done)
{
    while (!*done)
        loop_turn(b->loop);
}

void backend_alone_close(struct backend_alone *b)
{
    if (b->backend)
        b->backend->ops->close(b->backend);
    if (!b->lent) {
        login_free(&b->login);
        secrets_close(&b->secrets);
        loop_free(b->loop);
    }
    while (b->memory) {
        struct memory_entry *e = b->memory;
        b->memory = e->next;
        mem_free(e->key);
        buf_wipe(&e->value);
        mem_free(e);
    }
    if (b->tmp_dir)
        rmdir(b->tmp_dir);
    mem_free(b->tmp_dir);
    mem_free(b->wiped);
    *b = (struct backend_alone){0};
}
