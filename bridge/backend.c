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

struct op *backend_flag(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud)
{
    return b->ops->flag ? b->ops->flag(b, request, cb, ud) : unsupported(b, "changing flags", cb, ud);
}

struct op *backend_move(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                        op_cb *cb, void *ud)
{
    return b->ops->move ? b->ops->move(b, from_id, to_id, ids, count, cb, ud) : unsupported(b, "moving", cb, ud);
}

struct op *backend_copy(struct backend *b, struct str from_id, struct str to_id, const struct str *ids, size_t count,
                        op_cb *cb, void *ud)
{
    return b->ops->copy ? b->ops->copy(b, from_id, to_id, ids, count, cb, ud) : unsupported(b, "copying", cb, ud);
}

struct op *backend_remove(struct backend *b, struct str folder_id, const struct str *ids, size_t count, bool permanent,
                          op_cb *cb, void *ud)
{
    return b->ops->remove ? b->ops->remove(b, folder_id, ids, count, permanent, cb, ud)
                          : unsupported(b, "deleting", cb, ud);
}

struct op *backend_append(struct backend *b, const struct append_request *request, op_cb *cb, void *ud)
{
    return b->ops->append ? b->ops->append(b, request, cb, ud) : unsupported(b, "storing a message", cb, ud);
}

struct op *backend_send(struct backend *b, const struct send_request *request, op_cb *cb, void *ud)
{
    return b->ops->send ? b->ops->send(b, request, cb, ud) : unsupported(b, "sending", cb, ud);
}

struct op *backend_folder_create(struct backend *b, struct str parent_id, struct str name, op_cb *cb, void *ud)
{
    return b->ops->folder_create ? b->ops->folder_create(b, parent_id, name, cb, ud)
                                 : unsupported(b, "making folders", cb, ud);
}

struct op *backend_folder_change(struct backend *b, struct str id, struct str parent_id, struct str name, op_cb *cb,
                                 void *ud)
{
    return b->ops->folder_change ? b->ops->folder_change(b, id, parent_id, name, cb, ud)
                                 : unsupported(b, "renaming folders", cb, ud);
}

struct op *backend_folder_remove(struct backend *b, struct str id, op_cb *cb, void *ud)
{
    return b->ops->folder_remove ? b->ops->folder_remove(b, id, cb, ud) : unsupported(b, "deleting folders", cb, ud);
}
