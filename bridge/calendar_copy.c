/* SPDX-License-Identifier: Apache-2.0 */
/* COPY, and what it has in common with MOVE (calendar_move.c). */
#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/text.h"
#include "bridge/calendar_write_private.h"
#include "bridge/formats/ical_tree.h"
#include "bridge/io/blob.h"
#include "bridge/io/crypto.h"
#include "bridge/store_write.h"
#include "bridge/sync.h"

/* --- what was in the way
 * -------------------------------------------------------------------------------------------------------------- */

/*
 * An object that COPY or MOVE overwrites goes last, when the server has confirmed what takes its place:
 *
 *   look at the old one -> the new one is put beside it, under a name of its own -> the old one is deleted -> the name
 *
 * So whatever fails or dies in between, there is one object too many and never one too few. Where the two have one UID,
 * COPY changes the old one instead, if nobody hears of that. The name in between says what it is for, so that the
 * client's next attempt at a COPY finds it and goes on from there; without one, what is left to do is a move within
 * the target, written down as such (calendar_move.c has the end of it).
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

static bool write_down_rest(struct calendar_write *w, struct str between, struct err *err)
{
    w->moving = (struct moving){.folder_pk = w->to_pk,
                                .to_pk = w->to_pk,
                                .name = between,
                                .to_name = w->to_name,
                                .replaces_pk = w->replaces ? w->replaced.pk : 0,
                                .digest = w->replaces ? w->replaced.digest : STR_NULL,
                                .ical_uid = w->known.ical_uid,
                                .server_uid = w->base.uid,
                                .extra = w->known.extra};
    return store_moving_add(w->account->store, &w->moving, err);
}

/* The same COPY asked again is another one: it has its answer by itself. */
static bool forget_rest(struct calendar_write *w, struct err *err)
{
    bool ok = !w->moving.pk || store_moving_forget(w->account->store, w->moving.pk, err);
    w->moving.pk = 0;
    return ok;
}

static bool name_it(struct calendar_write *w, struct err *err)
{
    struct store *s = w->account->store;
    struct store_resource there;
    bool has_it = store_resource_by_name(s, w->to_pk, w->to_name, NULL, &there) && there.pk == w->made_pk;
    if (w->made_pk && !has_it && !store_resource_rename(s, w->to_pk, w->made_pk, w->to_name, &w->done.revision, err))
        return false;
    if (!w->move)
        return forget_rest(w, err);
    w->moving.state = MOVING_DONE;
    w->moving.item_pk = w->made_pk;
    return !w->moving.pk || store_moving_set(s, &w->moving, err);
}

static void take_name(struct calendar_write *w)
{
    struct store *s = w->account->store;
    struct err err = {0};
    bool ok = store_begin(s, &err);
    if (ok) {
        ok = (!w->replaces || store_items_gone(s, w->to_pk, &w->replaced.pk, 1, &err)) && name_it(w, &err);
        ok = store_end(s, ok, &err);
    }
    crash_point("event_replaced.stored");
    w->done.name = w->to_name;
    w->done.created = w->moving.pk ? !w->moving.replaces_pk : !w->replaces;
    if (ok)
        calendar_write_end(w);
    else
        calendar_write_fail(w, &err);
}

/* The server will not let it go: both stay. */
static void stuck(struct calendar_write *w)
{
    struct err err = {0};
    w->moving.state = MOVING_STUCK;
    if (w->moving.pk && !store_moving_set(w->account->store, &w->moving, &err))
        log_warn("calendar", account_name(w->account), "%s", err.text);
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
    if (err.code == ERR_STALE && calendar_write_await(w, w->to_pk)) {
        w->decide = calendar_write_take_place;
        return;
    }
    if (calendar_is_final(err.code))
        stuck(w);
    else
        sync_want(w->account->sync, w->to_pk, 0);
    calendar_write_fail(w, &err);
}

/* The new one is there (made_pk; 0: the server did not say under which id). */
void calendar_write_take_place(struct calendar_write *w)
{
    struct store_resource now;
    if (w->replaces && store_resource_by_pk(w->account->store, w->replaced.pk, &w->arena, &now))
        w->replaced = now; /* under its present id */
    if (w->replaces)       /* looked at before, and overwritten on purpose: whatever it is by now */
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

/* --- attachments
 * --------------------------------------------------------------------------------------------------------------------
 */

/*
 * No server copies an event as CalDAV means it: CopyItem (EWS) would copy a meeting together with its guests, and leave
 * no evidence by which a lost answer could be told from a copy that was never made; ActiveSync has no copy at all. So
 * the contents are read from the server and put with the new object, as if a client had sent them: not more than one
 * could have sent.
 */
#define CONTENTS_MAX      1000
#define CONTENT_BYTES_MAX (ICAL_TEXT_MAX / 4 * 3) /* in an object they are base64 */

bool calendar_has_attachments(const struct event *e)
{
    bool any = e->fields.attachment_count > 0;
    for (size_t i = 0; i < e->exception_count; i++)
        any = any || (!e->exceptions[i].deleted && e->exceptions[i].fields.attachment_count > 0);
    return any;
}

static const struct event_attachment *content_of(const struct calendar_write *w, const struct event_attachment *a)
{
    for (size_t i = 0; i < w->content_count; i++)
        if (str_eq(w->contents[i].id, a->id))
            return &w->contents[i];
    return NULL;
}

static bool refuse_contents(struct calendar_write *w, enum calendar_refusal refusal, const char *why)
{
    calendar_write_refuse(w, refusal, ERR_INVALID, why);
    return false;
}

static bool list_contents(struct calendar_write *w, const struct event_fields *f)
{
    for (size_t i = 0; i < f->attachment_count; i++) {
        const struct event_attachment *a = &f->attachments[i];
        if (a->url.n || !a->id.n)
            return refuse_contents(w, CALENDAR_BAD_OBJECT,
                                   "a copy would be without an attachment that is a link: move the object");
        if (content_of(w, a)) /* an occurrence has it from its series */
            continue;
        if (w->content_count == CONTENTS_MAX)
            return refuse_contents(w, CALENDAR_TOO_BIG, "too many attachments for a copy: move the object");
        w->contents[w->content_count++] = (struct event_attachment){.id = a->id};
    }
    return true;
}

static void next_content(struct calendar_write *w);

static bool add_piece(void *ud, struct str piece)
{
    return buf_str(ud, piece);
}

static void on_content(void *ud, const struct reply *reply)
{
    struct calendar_write *w = ud;
    struct err err = reply->err;
    struct buf b = BUF_INIT(CONTENT_BYTES_MAX + 1);
    w->op = NULL;
    if (err.code == ERR_NOT_FOUND) {
        sync_want(w->account->sync, w->folder_pk, 0);
        calendar_write_conflict(w);
    } else if (err.code != ERR_NONE) {
        calendar_write_explain(w, &err);
        calendar_write_fail(w, &err);
    } else if (blob_size(reply->content) == 0) {
        refuse_contents(w, CALENDAR_BAD_OBJECT,
                        "a copy would be without an attachment that is empty, or an item itself: move the object");
    } else if (blob_size(reply->content) > CONTENT_BYTES_MAX - w->content_bytes) {
        refuse_contents(w, CALENDAR_TOO_BIG, "the attachments are too large for a copy: move the object");
    } else if (!blob_each(reply->content, add_piece, &b, &err)) {
        calendar_write_fail(w, &err);
    } else {
        w->contents[w->content_next++].data = arena_str(&w->arena, buf_view(&b));
        w->content_bytes += b.n;
        next_content(w);
    }
    buf_done(&b);
}

static void next_content(struct calendar_write *w)
{
    if (w->content_next < w->content_count)
        w->op = backend_event_attachment(w->account->backend, w->known.server_id, w->contents[w->content_next].id,
                                         on_content, w);
    else
        w->decide(w);
}

/* True: they are being read (or cannot be had), and it is decided again with them. */
static bool read_contents(struct calendar_write *w)
{
    if (w->move || w->contents || !calendar_has_attachments(&w->base))
        return false;
    w->contents = arena_array(&w->arena, CONTENTS_MAX, sizeof(*w->contents));
    bool ok = list_contents(w, &w->base.fields);
    for (size_t i = 0; ok && i < w->base.exception_count; i++)
        ok = w->base.exceptions[i].deleted || list_contents(w, &w->base.exceptions[i].fields);
    if (ok)
        next_content(w);
    return true;
}

static bool fill_in(struct calendar_write *w, struct event_fields *f)
{
    struct event_attachment *list = arena_array(&w->arena, f->attachment_count + 1, sizeof(*list));
    for (size_t i = 0; i < f->attachment_count; i++) {
        const struct event_attachment *content = content_of(w, &f->attachments[i]);
        if (!content)
            return false;
        list[i] = f->attachments[i];
        list[i].id = STR_NULL;
        list[i].data = content->data;
        list[i].size = content->data.n;
    }
    f->attachments = list;
    return true;
}

/* `wanted` gets them as new ones. False: it has others by now. */
static bool add_contents(struct calendar_write *w)
{
    struct event_exception *list = arena_array(&w->arena, w->wanted.exception_count + 1, sizeof(*list));
    bool ok = fill_in(w, &w->wanted.fields);
    for (size_t i = 0; ok && i < w->wanted.exception_count; i++) {
        list[i] = w->wanted.exceptions[i];
        list[i].id = STR_NULL;
        ok = list[i].deleted || fill_in(w, &list[i].fields);
    }
    w->wanted.exceptions = list;
    return ok;
}

/* --- COPY and MOVE
 * ------------------------------------------------------------------------------------------------------------------ */

/* A server that lets one UID be in a calendar once gives the old one for the new one (MS-ASCAL, ClientUid). */
static void refuse_same(struct calendar_write *w)
{
    struct err err = {0};
    uint64_t modseq;
    if (store_resource_rename(w->account->store, w->to_pk, w->replaced.pk, w->to_name, &modseq, &err))
        calendar_write_refuse(
            w, CALENDAR_UID_CONFLICT, ERR_INVALID,
            "the server has one object of that UID in a calendar: delete the one that is there first");
    else
        calendar_write_fail(w, &err);
}

static void copied(struct calendar_write *w)
{
    struct store_resource made;
    if (store_resource_by_name(w->account->store, w->to_pk, w->name, NULL, &made))
        w->made_pk = made.pk;
    if (w->replaces && w->made_pk == w->replaced.pk)
        refuse_same(w);
    else
        calendar_write_take_place(w);
}

/* The client hears that nothing was done: so it stays. */
static void conflict(struct calendar_write *w)
{
    struct err err = {0};
    if (forget_rest(w, &err))
        calendar_write_conflict(w);
    else
        calendar_write_fail(w, &err);
}

/* `wanted` under the name that it gets: a new object, or one that is there and is changed. */
static void decide_put_copy(struct calendar_write *w)
{
    if (!calendar_write_look(w) || calendar_write_fetch_base(w))
        return;
    bool in_place = w->replaces && str_eq(w->name, w->to_name);
    if (w->exists && !in_place)
        calendar_write_adopt(w);
    if (w->adopted) /* what it brought then is not brought once more */
        calendar_write_meet(w);
    if (w->unseen)
        conflict(w);
    else if (w->exists && !(event_differ(&w->base, &w->wanted) & ~(unsigned)CALENDAR_NOT_OURS))
        calendar_write_keep_extras(w);
    else
        calendar_write_put(w);
}

/* What is in the way has the same UID, and nothing that a change would tell people of. */
static bool fits_in_place(struct calendar_write *w)
{
    struct event there;
    return w->replaces && str_eq(w->replaced.ical_uid, w->known.ical_uid) && !w->base.is_meeting &&
           calendar_base(w->account, w->replaced.pk, &w->arena, &there) && !there.is_meeting;
}

/* A copy is an item with what the old one says: put under the other name. */
static void copy(struct calendar_write *w)
{
    struct str between = name_between(w);
    struct store_resource begun;
    struct err err = {0};
    bool is_begun = store_resource_by_name(w->account->store, w->to_pk, between, NULL, &begun);
    w->name = w->to_name;
    if ((w->replaces || is_begun) && !fits_in_place(w)) {
        w->name = between;
        w->then = copied;
        if (!write_down_rest(w, between, &err)) {
            calendar_write_fail(w, &err);
            return;
        }
    }
    w->wanted = w->base;
    w->wanted.uid = w->known.ical_uid;
    calendar_disinvite(&w->wanted, &w->arena); /* the guests have their invitation already */
    if (!add_contents(w)) {
        conflict(w);
        return;
    }
    w->extras = calendar_unseal(w->account, w->known.extra, &w->arena);
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

void calendar_write_relocate(struct calendar_write *w)
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
    } else if (!uid_is_taken(w) && !calendar_write_fetch_base(w) && !read_contents(w) && !look_at_replaced(w)) {
        if (w->move)
            calendar_write_move(w);
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
    w->decide = do_move ? calendar_write_decide_move : calendar_write_relocate;
    calendar_write_next(a);
    return w;
}
