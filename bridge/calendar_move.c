/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE, COPY and MOVE. */
#include "bridge/base/crash.h"
#include "bridge/base/text.h"
#include "bridge/calendar_write_private.h"
#include "bridge/io/crypto.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

/* --- DELETE
 * ---------------------------------------------------------------------------------------------------------------------------
 */

static bool tells_removal(const struct calendar_write *w)
{
    return calendar_writes_mail(w) && w->has_base && w->base.is_meeting;
}

static void on_removed(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    w->op = NULL;
    crash_point("event_gone.answered");
    if (err.code == ERR_NONE && reply->items_done.each && reply->items_done.count)
        err = reply->items_done.each[0];
    if (err.code == ERR_NOT_FOUND)
        err = (struct err){0};
    struct account *a = w->account;
    if (err.code != ERR_NONE)
        calendar_held_ends(a, &w->held, err.code);
    if (calendar_write_again(w, &err))
        return;
    if (err.code != ERR_NONE && !calendar_is_refusal(err.code))
        sync_want(a->sync, w->folder_pk, 0);
    if (err.code != ERR_NONE) {
        calendar_write_fail(w, &err);
        return;
    }
    bool ok = store_begin(a->store, &err);
    if (ok) {
        ok = store_items_gone(a->store, w->folder_pk, &w->known.pk, 1, &err) &&
             calendar_held_confirmed(a, &w->held, &err);
        ok = store_end(a->store, ok, &err);
    }
    crash_point("event_gone.stored");
    calendar_held_ends(a, &w->held, ok ? ERR_NONE : ERR_INTERNAL);
    if (ok)
        calendar_write_end(w);
    else
        calendar_write_fail(w, &err);
}

static void decide_delete(struct calendar_write *w)
{
    struct err err = {0};
    if (!calendar_write_look(w))
        return;
    if (!w->exists) {
        err_set(&err, ERR_NOT_FOUND, "there is no such object");
        calendar_write_fail(w, &err);
        return;
    }
    if (w->unseen) {
        calendar_write_conflict(w);
        return;
    }
    if (w->folder.kind == FOLDER_CALENDAR && w->schedule && calendar_write_fetch_base(w)) /* whom to tell */
        return;
    if (w->has_base) {
        calendar_write_mark_elsewhere(w);
        if (!calendar_write_agents_fit(w, &w->base))
            return;
    }
    if (w->has_base && w->base.is_meeting && !calendar_is_organizer(&w->base) && !w->base.fields.cancelled &&
        w->schedule &&
        calendar_server_schedules(w)) { /* RFC 6638 3.2.2.3: who deletes somebody else's meeting declines it */
        w->wanted = w->base;
        w->wanted.fields.mine = EVENT_DECLINED;
        w->answered = true;
        calendar_write_respond(w, NULL, EVENT_DECLINED);
        return;
    }
    if (tells_removal(w) &&
        !calendar_hold_removal(w->account, w->folder_pk, w->known.ical_uid, &w->base, &w->held, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    w->op = backend_event_remove(w->account->backend, w->folder.server_id, w->folder.kind, w->known.server_id,
                                 w->known.change, w->schedule, calendar_write_is_current, on_removed, w);
}

struct calendar_write *calendar_delete(struct account *a, int64_t pk, struct str name,
                                       const struct calendar_condition *condition, bool schedule, calendar_done_cb *cb,
                                       void *ud)
{
    struct calendar_write *w = calendar_write_new(a, pk, name, condition, schedule, cb, ud);
    w->decide = decide_delete;
    calendar_write_next(a);
    return w;
}

/* --- what was in the way
 * -------------------------------------------------------------------------------------------------------------- */

/*
 * An object that COPY or MOVE overwrites goes last, when the server has confirmed what takes its place:
 *
 *   look at the old one -> the new one is put beside it, under a name of its own -> the old one is deleted -> the name
 *
 * So whatever fails or dies in between, there is one object too many and never one too few. Where the two have one UID,
 * COPY changes the old one instead. The name in between says what it is for, so that the client's next attempt finds it
 * and goes on from there.
 */
static struct str name_between(struct calendar_write *w)
{
    struct buf b = {0}, name = {0};
    buf_printf(&b, "copy %lld\n", (long long)w->known.pk);
    buf_str(&b, w->to_name);
    struct crypto_hash h = crypto_sha256(buf_view(&b));
    text_hex_add(&name, str_of(h.b, STORE_DIGEST_SIZE));
    buf_lit(&name, ".ics");
    struct str made = arena_str(&w->arena, buf_view(&name));
    buf_done(&b);
    buf_done(&name);
    return made;
}

static void take_name(struct calendar_write *w)
{
    struct store *s = w->account->store;
    struct err err = {0};
    bool ok = store_begin(s, &err);
    if (ok) {
        ok = (!w->replaces || store_items_gone(s, w->to_pk, &w->replaced.pk, 1, &err)) &&
             (!w->made_pk || store_resource_rename(s, w->to_pk, w->made_pk, w->to_name, &w->done.revision, &err));
        ok = store_end(s, ok, &err);
    }
    crash_point("event_replaced.stored");
    w->done.name = w->to_name;
    w->done.created = !w->replaces;
    if (ok)
        calendar_write_end(w);
    else
        calendar_write_fail(w, &err);
}

static void on_replaced_gone(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    w->op = NULL;
    crash_point("event_replaced.answered");
    if (err.code == ERR_NONE || err.code == ERR_NOT_FOUND) {
        take_name(w);
        return;
    }
    if (!calendar_is_refusal(err.code))
        sync_want(w->account->sync, w->to_pk, 0);
    calendar_write_fail(w, &err);
}

/* The new one is there (made_pk; 0: the server did not say under which id). */
static void take_place(struct calendar_write *w)
{
    if (w->replaces) /* looked at before, and overwritten on purpose: whatever it is by now */
        w->op = backend_event_remove(w->account->backend, w->to_folder.server_id, w->to_folder.kind,
                                     w->replaced.server_id, STR_NULL, false, NULL, on_replaced_gone, w);
    else
        take_name(w);
}

static void on_replaced_looked(void *ud, const struct err *err)
{
    struct calendar_write *w = ud;
    struct store_resource now;
    w->get = NULL;
    if (err->code != ERR_NONE)
        calendar_write_fail(w, err);
    else if (store_resource_by_pk(w->account->store, w->replaced.pk, &w->arena, &now) &&
             !str_eq(now.digest, w->replaced.digest))
        calendar_write_conflict(w);
    else
        w->decide(w); /* it may be gone */
}

/* True: what is to be overwritten is being looked at, so that no change of it goes that nobody here has seen. */
static bool look_at_replaced(struct calendar_write *w)
{
    if (!w->replaces || w->replaced_looked)
        return false;
    w->replaced_looked = true;
    w->get = calendar_get_again(w->account, w->to_pk, w->replaced.pk, on_replaced_looked, w);
    return true;
}

/* --- COPY and MOVE
 * ------------------------------------------------------------------------------------------------------------------ */

static bool has_attachments(const struct event *e)
{
    bool any = e->fields.attachment_count > 0;
    for (size_t i = 0; i < e->exception_count; i++)
        any = any || (!e->exceptions[i].deleted && e->exceptions[i].fields.attachment_count > 0);
    return any;
}

static bool moved_down(struct calendar_write *w, struct str id, struct err *err)
{
    struct account *a = w->account;
    struct store_event row = {.ical_uid = w->known.ical_uid,
                              .name = w->replaces ? w->name : w->to_name, /* taken: another one is made */
                              .digest = w->known.digest,
                              .served = w->known.served,
                              .kind = w->known.kind,
                              .from = w->known.from,
                              .to = w->known.to,
                              .size = w->known.size,
                              .extra = w->known.extra,
                              .told_again = account_caps(a) & CAP_TELLS_OWN};
    struct store_resource now = {0};
    struct str canonical, served;
    bool cached = !has_attachments(&w->base) && /* they have other addresses from now on */
                  calendar_rendering(a, w->known.pk, CALENDAR_R_CANONICAL, &w->arena, &canonical) &&
                  calendar_rendering(a, w->known.pk, CALENDAR_R_SERVED, &w->arena, &served);
    if (!store_begin(a->store, err))
        return false;
    /* Without a ChangeKey: what was moved may be newer than what is known of it here. */
    bool ok = store_items_gone(a->store, w->folder_pk, &w->known.pk, 1, err) &&
              (id.n == 0 || store_event_put(a->store, w->to_pk, id, STR_NULL, w->base.uid, &row, &now, err));
    if (!store_end(a->store, ok, err))
        return false;
    if (cached && now.pk)
        calendar_keep(a, now.pk, &(struct calendar_item){.canonical = canonical, .served = served});
    w->made_pk = now.pk;
    w->done.revision = now.modseq;
    return true;
}

static void on_moved(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    w->op = NULL;
    crash_point("event_moved.answered");
    if (err.code == ERR_NONE && reply->items_done.each && reply->items_done.count)
        err = reply->items_done.each[0];
    struct str id = reply->items_done.new_ids && reply->items_done.count ? reply->items_done.new_ids[0] : STR_NULL;
    if (err.code != ERR_NONE || !moved_down(w, id, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    crash_point("event_moved.stored");
    if (id.n == 0) /* the sync will tell */
        sync_want(w->account->sync, w->to_pk, 0);
    w->done.name = w->to_name;
    w->done.created = true;
    if (w->replaces)
        take_place(w);
    else
        calendar_write_end(w);
}

static void move(struct calendar_write *w)
{
    struct str ids[1] = {w->known.server_id};
    if (w->to_pk != w->folder_pk) {
        w->op = backend_move(w->account->backend, w->folder.server_id, w->to_folder.server_id, ids, 1, on_moved, w);
        return;
    }
    w->made_pk = w->known.pk; /* the name is ours alone, the server is not asked */
    take_place(w);
}

static void copied(struct calendar_write *w)
{
    struct store_resource made;
    if (store_resource_by_name(w->account->store, w->to_pk, w->name, NULL, &made))
        w->made_pk = made.pk;
    take_place(w);
}

/* `wanted` under the name that it gets: a new object, or one that is there and is changed. */
static void decide_put_copy(struct calendar_write *w)
{
    if (!calendar_write_look(w) || calendar_write_fetch_base(w))
        return;
    if (w->unseen)
        calendar_write_conflict(w);
    else if (w->exists && !(event_differ(&w->base, &w->wanted) & ~(unsigned)CALENDAR_NOT_OURS))
        calendar_write_keep_extras(w);
    else
        calendar_write_put(w);
}

/* What is in the way has the same UID, and nothing that a change would tell people of, or take away for good. */
static bool fits_in_place(struct calendar_write *w)
{
    struct event there;
    return w->replaces && str_eq(w->replaced.ical_uid, w->known.ical_uid) && !w->base.is_meeting &&
           calendar_base(w->account, w->replaced.pk, &w->arena, &there) && !there.is_meeting &&
           !has_attachments(&there);
}

/* A copy is an item with what the old one says: put under the other name. */
static void copy(struct calendar_write *w)
{
    struct str me[1], between = name_between(w);
    struct ical_options options = calendar_options(w->account, me);
    struct store_resource begun;
    struct buf b = {0};
    bool is_begun = store_resource_by_name(w->account->store, w->to_pk, between, NULL, &begun);
    w->name = w->to_name;
    if ((w->replaces || is_begun) && !fits_in_place(w)) {
        w->name = between;
        w->then = copied;
    }
    w->wanted = w->base;
    w->wanted.uid = w->known.ical_uid;
    calendar_disinvite(&w->wanted); /* the guests have their invitation already */
    w->extras = calendar_unseal(w->account, w->known.extra, &w->arena);
    ical_write(&b, &w->wanted, &options, w->extras);
    w->text = arena_str(&w->arena, buf_view(&b));
    buf_done(&b);
    w->done.name = w->to_name;
    w->folder_pk = w->to_pk;
    w->schedule = false;
    w->condition = (struct calendar_condition){0}; /* was about the old one, and is met */
    w->decide = decide_put_copy;
    w->base_asked = false;
    decide_put_copy(w);
}

/* Something else has the UID in the collection that the object goes to; not what an earlier attempt has left there. */
static bool uid_is_taken(struct calendar_write *w)
{
    struct store_resource other;
    struct journal_row row;
    if ((w->move && w->to_pk == w->folder_pk) ||
        !store_resource_by_uid(w->account->store, w->to_pk, w->known.ical_uid, &w->arena, &other) ||
        (w->replaces && other.pk == w->replaced.pk) ||
        (!w->move && other.pk != w->known.pk &&
         (str_eq(other.name, name_between(w)) || calendar_write_was_begun(w, w->to_pk, w->known.ical_uid, &row))))
        return false;
    w->done.name = other.name;
    calendar_write_refuse(w, CALENDAR_UID_CONFLICT, ERR_INVALID, "another object of that calendar has the UID");
    return true;
}

static void decide_copy(struct calendar_write *w)
{
    struct err err = {0};
    if (!calendar_write_look(w))
        return;
    bool there = w->exists && calendar_folder(w->account, w->to_pk, &w->arena, &w->to_folder);
    w->replaces = there && store_resource_by_name(w->account->store, w->to_pk, w->to_name, &w->arena, &w->replaced);
    if (!there) {
        err_set(&err, ERR_NOT_FOUND, "there is no such object, or no such calendar");
        calendar_write_fail(w, &err);
    } else if (w->replaces && (!w->overwrite || w->replaced.pk == w->known.pk)) {
        err_set(&err, ERR_CONFLICT, "there is an object of that name already");
        calendar_write_fail(w, &err);
    } else if (w->to_folder.kind != w->folder.kind) {
        calendar_write_refuse(w, CALENDAR_BAD_COMPONENT, ERR_INVALID, "events and tasks do not go into one collection");
    } else if (!uid_is_taken(w) && !calendar_write_fetch_base(w) && !look_at_replaced(w)) {
        if (w->move)
            move(w);
        else if (has_attachments(&w->base))
            calendar_write_refuse(w, CALENDAR_BAD_OBJECT, ERR_INVALID,
                                  "a copy would be without the attachments: move the object, or store it anew");
        else
            copy(w);
    }
}

struct calendar_write *calendar_copy(struct account *a, int64_t pk, struct str name, int64_t to_pk, struct str to_name,
                                     bool do_move, bool overwrite, const struct calendar_condition *condition,
                                     calendar_done_cb *cb, void *ud)
{
    struct calendar_write *w = calendar_write_new(a, pk, name, condition, false, cb, ud);
    w->to_pk = to_pk;
    w->to_name = arena_str(&w->arena, to_name);
    w->move = do_move;
    w->overwrite = overwrite;
    w->decide = decide_copy;
    calendar_write_next(a);
    return w;
}
