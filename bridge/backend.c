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

struct op *backend_watch(struct backend *b, const struct folder_ref *folders, size_t count, op_cb *cb, void *ud)
{
    return b->ops->watch ? b->ops->watch(b, folders, count, cb, ud) : unsupported(b, "watch", cb, ud);
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

struct op *backend_find_appended(struct backend *b, struct str folder_id, struct str evidence, op_cb *cb, void *ud)
{
    return b->ops->find_appended ? b->ops->find_appended(b, folder_id, evidence, cb, ud)
                                 : unsupported(b, "looking for a stored message", cb, ud);
}

struct op *backend_send(struct backend *b, const struct send_request *request, op_cb *cb, void *ud)
{
    return b->ops->send ? b->ops->send(b, request, cb, ud) : unsupported(b, "sending", cb, ud);
}

struct op *backend_send_limit(struct backend *b, op_cb *cb, void *ud)
{
    return b->ops->send_limit ? b->ops->send_limit(b, cb, ud) : unsupported(b, "a limit for sending", cb, ud);
}

struct op *backend_quota(struct backend *b, op_cb *cb, void *ud)
{
    return b->ops->quota ? b->ops->quota(b, cb, ud) : unsupported(b, "quotas", cb, ud);
}

struct op *backend_folder_create(struct backend *b, struct str parent_id, struct str name, enum folder_kind kind,
                                 op_cb *cb, void *ud)
{
    return b->ops->folder_create ? b->ops->folder_create(b, parent_id, name, kind, cb, ud)
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

struct op *backend_sync_events(struct backend *b, struct str folder_id, enum folder_kind kind, struct str cursor,
                               event_known_cb *is_known, op_cb *cb, void *ud)
{
    return b->ops->sync_events ? b->ops->sync_events(b, folder_id, kind, cursor, is_known, cb, ud)
                               : unsupported(b, "reading calendars", cb, ud);
}

struct op *backend_event_fetch(struct backend *b, struct str folder_id, enum folder_kind kind, const struct str *ids,
                               size_t count, op_cb *cb, void *ud)
{
    return b->ops->event_fetch ? b->ops->event_fetch(b, folder_id, kind, ids, count, cb, ud)
                               : unsupported(b, "reading events", cb, ud);
}

struct op *backend_event_put(struct backend *b, const struct event_put *request, op_cb *cb, void *ud)
{
    return b->ops->event_put ? b->ops->event_put(b, request, cb, ud) : unsupported(b, "changing events", cb, ud);
}

struct op *backend_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                                struct str change, bool notify, event_current_cb *is_current, op_cb *cb, void *ud)
{
    return b->ops->event_remove ? b->ops->event_remove(b, folder_id, kind, id, change, notify, is_current, cb, ud)
                                : unsupported(b, "deleting events", cb, ud);
}

struct op *backend_event_respond(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud)
{
    return b->ops->event_respond ? b->ops->event_respond(b, request, cb, ud)
                                 : unsupported(b, "answering invitations", cb, ud);
}

struct op *backend_event_attachment(struct backend *b, struct str item_id, struct str attachment_id, op_cb *cb,
                                    void *ud)
{
    return b->ops->event_attachment ? b->ops->event_attachment(b, item_id, attachment_id, cb, ud)
                                    : unsupported(b, "reading attachments", cb, ud);
}

struct op *backend_free_busy(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                             op_cb *cb, void *ud)
{
    return b->ops->free_busy ? b->ops->free_busy(b, addresses, count, from, to, cb, ud)
                             : unsupported(b, "looking up free times", cb, ud);
}
