/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/backend.h"

static struct op *unsupported(struct backend *b, const char *what, op_cb *cb, void *ud)
{
    struct err err;
    err_set(&err, ERR_UNSUPPORTED, "%s: %s is not supported", b->ops->name, what);
    return op_fail(b->loop, &err, cb, ud);
}

struct op *backend_login(struct backend *b, struct str secret, op_cb *cb, void *ud)
{
    return b->ops->login ? b->ops->login(b, secret, cb, ud) : unsupported(b, "login", cb, ud);
}

struct op *backend_folders(struct backend *b, struct str cursor, op_cb *cb, void *ud)
{
    return b->ops->folders ? b->ops->folders(b, cursor, cb, ud) : unsupported(b, "folders", cb, ud);
}

struct op *backend_sync(struct backend *b, struct str folder_id, struct str cursor, op_cb *cb, void *ud)
{
    return b->ops->sync ? b->ops->sync(b, folder_id, cursor, cb, ud) : unsupported(b, "sync", cb, ud);
}

struct op *backend_fetch(struct backend *b, const struct fetch_request *request, op_cb *cb, void *ud)
{
    return b->ops->fetch ? b->ops->fetch(b, request, cb, ud) : unsupported(b, "fetch", cb, ud);
}

struct op *backend_watch(struct backend *b, const struct str *folder_ids, size_t count, op_cb *cb, void *ud)
{
    return b->ops->watch ? b->ops->watch(b, folder_ids, count, cb, ud) : unsupported(b, "watch", cb, ud);
}
