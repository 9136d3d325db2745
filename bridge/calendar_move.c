/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MOVE. Neither protocol lets a move be asked for twice: the second time the item is not where it was. So each is
 * written down before the server is asked (store_moving_*), and what was begun is brought to its end by the client's
 * next attempt, by the process after this one, or when the target is synchronised:
 *
 *     ASKED: is the item still where it was? -> it never happened
 *            has it arrived in the target? it gets what clients know of it (UID, extras) -> THERE
 *     THERE: what was in its place is as it was then -> it goes, and its name is free: DONE
 *     DONE: the same question has the same answer, until the client is known to have heard it
 *
 * What a COPY has begun beside the object that it overwrites (calendar_copy.c) ends here, too, when nobody asks for it
 * again: the copy moves to its name. Its row begins without an item.
 */
#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/calendar_write_private.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

#define LOOKS_MAX 2 /* at the target: a page that was under way may be older than the move */

static void go_on(struct calendar_write *w);

static void forget(struct calendar_write *w)
{
    struct err err = {0};
    if (w->moving.pk && !store_moving_forget(w->account->store, w->moving.pk, &err))
        log_warn("calendar", account_name(w->account), "%s", err.text);
    w->moving.pk = 0;
}

/* --- moving
 * -------------------------------------------------------------------------------------------------------------------
 */

static bool moved_down(struct calendar_write *w, struct str id, struct err *err)
{
    struct account *a = w->account;
    struct store_event row = {.ical_uid = w->known.ical_uid,
                              .name = w->replaces ? w->name : w->to_name, /* taken: another one is made */
                              .digest = w->known.digest,
                              .served = w->known.served,
                              .schedule = w->known.schedule,
                              .kind = w->known.kind,
                              .from = w->known.from,
                              .to = w->known.to,
                              .size = w->known.size,
                              .extra = w->known.extra,
                              .told_again = account_caps(a) & CAP_TELLS_OWN};
    struct store_resource now = {0};
    struct str canonical, served;
    bool cached = !calendar_has_attachments(&w->base) && /* they have other addresses from now on */
                  calendar_rendering(a, w->known.pk, CALENDAR_R_CANONICAL, &w->arena, &canonical) &&
                  calendar_rendering(a, w->known.pk, CALENDAR_R_SERVED, &w->arena, &served);
    if (!store_begin(a->store, err))
        return false;
    /* Without a ChangeKey: what was moved may be newer than what is known of it here. */
    bool ok = store_items_gone(a->store, w->folder_pk, &w->known.pk, 1, err) &&
              store_event_put(a->store, w->to_pk, id, STR_NULL, w->base.uid, &row, &now, err) &&
              store_resource_by_pk(a->store, now.pk, &w->arena, &now);
    if (ok) {
        w->moving.state = w->replaces ? MOVING_THERE : MOVING_DONE;
        w->moving.item_pk = now.pk;
        w->moving.place = now.name;
        ok = store_moving_set(a->store, &w->moving, err);
    }
    if (!store_end(a->store, ok, err))
        return false;
    if (cached)
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
    if (calendar_write_again(w, &err))
        return;
    bool not_told = err.code == ERR_NONE && id.n == 0; /* an answer was lost before this one */
    if (not_told || (err.code == ERR_NOT_FOUND && !w->source_looked)) {
        w->decide = go_on;
        go_on(w);
        return;
    }
    if (err.code != ERR_NONE || !moved_down(w, id, &err)) {
        if (calendar_is_final(err.code))
            forget(w);
        else
            sync_want(w->account->sync, w->to_pk, 0);
        calendar_write_fail(w, &err);
        return;
    }
    crash_point("event_moved.stored");
    w->done.name = w->to_name;
    w->done.created = true;
    if (w->replaces)
        calendar_write_take_place(w);
    else
        calendar_write_end(w);
}

static bool written_down(struct calendar_write *w, struct err *err)
{
    w->moving = (struct moving){.folder_pk = w->folder_pk,
                                .to_pk = w->to_pk,
                                .name = w->name,
                                .to_name = w->to_name,
                                .item_pk = w->known.pk,
                                .replaces_pk = w->replaces ? w->replaced.pk : 0,
                                .digest = w->replaces ? w->replaced.digest : STR_NULL,
                                .ical_uid = w->known.ical_uid,
                                .server_uid = w->base.uid,
                                .extra = w->known.extra};
    return store_moving_add(w->account->store, &w->moving, err);
}

void calendar_write_move(struct calendar_write *w)
{
    struct err err = {0};
    struct str ids[1] = {w->known.server_id};
    if (!written_down(w, &err)) {
        calendar_write_fail(w, &err);
        return;
    }
    crash_point("event_moved.journaled");
    if (w->to_pk != w->folder_pk) {
        w->op = backend_move(w->account->backend, w->folder.server_id, w->to_folder.server_id, ids, 1, on_moved, w);
        return;
    }
    w->made_pk = w->known.pk; /* the name is ours alone, the server is not asked */
    calendar_write_take_place(w);
}

/* --- what was begun
 * --------------------------------------------------------------------------------------------------------------- */

/* It never happened, or is about other objects: what is asked for now counts. */
static void begin_anew(struct calendar_write *w)
{
    forget(w);
    if (w->resumes) {
        calendar_write_end(w);
        return;
    }
    w->decide = calendar_write_relocate;
    calendar_write_relocate(w);
}

static void on_looked(void *ud, const struct err *err)
{
    struct calendar_write *w = ud;
    w->get = NULL;
    if (err->code != ERR_NONE)
        calendar_write_fail(w, err);
    else
        w->decide(w);
}

/* True: it is being asked for; once. Afterwards the store has it as the server does, or not at all. */
static bool look(struct calendar_write *w, bool *looked, int64_t folder_pk, int64_t pk)
{
    if (*looked)
        return false;
    *looked = true;
    w->get = calendar_get_again(w->account, folder_pk, pk, on_looked, w);
    return true;
}

static void give_up(struct calendar_write *w, enum err_code code, const char *why)
{
    struct err err = {0};
    forget(w);
    err_set(&err, code, "%s", why);
    calendar_write_fail(w, &err);
}

/* It has come with a page, under a name of ours: clients know it by its UID, and by what they have stored with it. */
static bool adopt(struct calendar_write *w, const struct store_resource *there, struct err *err)
{
    struct account *a = w->account;
    struct moving *m = &w->moving;
    struct store_resource as = *there, now;
    struct calendar_item made;
    struct event e;
    if (!calendar_base(a, there->pk, &w->arena, &e))
        return err_set(err, ERR_OFFLINE, "what was moved cannot be read at the moment");
    as.digest = STR_NULL;
    as.ical_uid = m->ical_uid;
    as.extra = m->extra;
    calendar_prepare(a, &e, &as, &w->arena, &made);
    made.row.extra = m->extra.n ? m->extra : STR("");
    m->state = MOVING_THERE;
    m->item_pk = there->pk;
    m->place = there->name;
    if (!store_begin(a->store, err))
        return false;
    bool ok = store_event_put(a->store, m->to_pk, there->server_id, there->change, e.uid, &made.row, &now, err) &&
              store_moving_set(a->store, m, err);
    if (!store_end(a->store, ok, err))
        return false;
    calendar_keep(a, there->pk, &made);
    return true;
}

/* The source is gone from the server. */
static void find_it(struct calendar_write *w)
{
    struct store_resource there;
    struct err err = {0};
    if (!store_moving_arrived(w->account->store, &w->moving, &w->arena, &there)) {
        if (w->looks++ >= LOOKS_MAX || !calendar_write_await(w, w->to_pk))
            give_up(w, ERR_NOT_FOUND, "there is no such object");
        return;
    }
    if (look(w, &w->made_looked, w->to_pk, there.pk))
        return;
    if (adopt(w, &there, &err))
        go_on(w);
    else
        calendar_write_fail(w, &err);
}

static void finish(struct calendar_write *w)
{
    struct store *s = w->account->store;
    const struct moving *m = &w->moving;
    struct store_resource made, other;
    if (!store_resource_by_pk(s, m->item_pk, &w->arena, &made) || !str_eq(made.name, m->place)) {
        begin_anew(w); /* deleted or renamed since */
        return;
    }
    if (look(w, &w->made_looked, w->to_pk, m->item_pk))
        return;
    w->replaces = m->replaces_pk && store_resource_by_pk(s, m->replaces_pk, &w->arena, &w->replaced);
    if (w->replaces && look(w, &w->replaced_looked, w->to_pk, m->replaces_pk))
        return;
    bool taken = store_resource_by_name(s, w->to_pk, w->to_name, NULL, &other) && other.pk != m->item_pk &&
                 !(w->replaces && other.pk == w->replaced.pk);
    if (taken || (w->replaces && !str_eq(w->replaced.digest, m->digest))) {
        give_up(w, ERR_CONFLICT, "an object was moved, but what it was to overwrite has been changed since: both stay");
        return;
    }
    w->made_pk = m->item_pk;
    calendar_write_take_place(w);
}

static void answer_again(struct calendar_write *w)
{
    struct store_resource there;
    if (!store_resource_by_name(w->account->store, w->to_pk, w->to_name, NULL, &there) ||
        there.pk != w->moving.item_pk) {
        begin_anew(w);
        return;
    }
    w->done.name = w->to_name;
    w->done.created = w->moving.replaces_pk == 0;
    w->done.revision = there.modseq;
    calendar_write_end(w);
}

static bool is_copys(const struct moving *m)
{
    return m->folder_pk == m->to_pk && m->state <= MOVING_THERE && (m->item_pk == 0 || m->state == MOVING_THERE);
}

/* The copy has its name in between, or has come with a page and has none of ours, or was never made. */
static void finish_copy(struct calendar_write *w, const struct store_resource *copy)
{
    struct journal_row row;
    if (copy) {
        w->moving.item_pk = copy->pk;
        w->moving.place = w->name;
        w->moving.state = MOVING_THERE;
        finish(w);
    } else if (w->moving.state == MOVING_THERE) {
        finish(w);
    } else if (calendar_write_was_begun(w, w->to_pk, w->moving.ical_uid, &row)) {
        find_it(w);
    } else {
        begin_anew(w);
    }
}

static void go_on(struct calendar_write *w)
{
    const struct moving *m = &w->moving;
    struct store_resource source;
    bool exists = store_resource_by_name(w->account->store, w->folder_pk, w->name, NULL, &source);
    bool asked = m->state == MOVING_ASKED;
    bool known = calendar_folder(w->account, w->folder_pk, &w->arena, &w->folder) &&
                 calendar_folder(w->account, w->to_pk, &w->arena, &w->to_folder);
    if (known && is_copys(m)) {
        finish_copy(w, exists ? &source : NULL);
    } else if (!known || (exists && (!asked || source.pk != m->item_pk || w->folder_pk == w->to_pk))) {
        begin_anew(w);
    } else if (exists) {
        if (!look(w, &w->source_looked, w->folder_pk, source.pk))
            begin_anew(w);
    } else if (asked) {
        find_it(w);
    } else if (m->state == MOVING_DONE) {
        answer_again(w);
    } else {
        finish(w);
    }
}

void calendar_write_decide_move(struct calendar_write *w)
{
    bool begun =
        store_moving_find(w->account->store, w->folder_pk, w->name, w->to_pk, w->to_name, &w->arena, &w->moving);
    if (begun && w->moving.pk == w->account->move_heard) { /* asked for once more, and not again */
        forget(w);
        begun = false;
    }
    w->decide = begun ? go_on : calendar_write_relocate;
    if (begun || !w->resumes)
        w->decide(w);
    else
        calendar_write_end(w);
}

/* --- without a client
 * ------------------------------------------------------------------------------------------------------------- */

static bool is_under_way(struct account *a, const struct moving *m)
{
    LIST_EACH (&a->calendar_writes, l) {
        const struct calendar_write *w = LIST_ITEM(l, struct calendar_write, link);
        if (w->move && w->folder_pk == m->folder_pk && w->to_pk == m->to_pk && str_eq(w->name, m->name) &&
            str_eq(w->to_name, m->to_name))
            return true;
    }
    return false;
}

void calendar_moves_go_on(struct account *a, int64_t to_pk)
{
    struct arena arena = {0};
    struct moving *list;
    size_t n = store_moving_open(a->store, to_pk, &arena, &list);
    for (size_t i = 0; i < n; i++) {
        if (is_under_way(a, &list[i]))
            continue;
        struct calendar_write *w = calendar_copy(a, list[i].folder_pk, list[i].name, list[i].to_pk, list[i].to_name,
                                                 true, true, NULL, NULL, NULL);
        w->detached = w->resumes = true;
    }
    arena_done(&arena);
}

/* It may not have left us yet: what a process knows that dies now is that it has not been heard. So the row stays until
 * the next one. */
void calendar_write_heard(struct calendar_write *w)
{
    struct account *a = w->account;
    struct err err = {0};
    if (w->done.err.code != ERR_NONE || !w->moving.pk)
        return;
    if (a->move_heard && !store_moving_forget(a->store, a->move_heard, &err))
        log_warn("calendar", account_name(a), "%s", err.text);
    a->move_heard = w->moving.pk;
}
