/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object that a client makes once more, because nobody heard the end of its first attempt.
 *
 * Before the first request goes out the journal gets a row: the evidence that the item will bear, and what was asked
 * for (`asked`, sealed), and the name that its client gives it. What became of it is seen by the next attempt:
 *
 *     nothing there                                   -> made now, with the same evidence
 *     a sync has brought the item, by a name of ours  -> it gets the client's           \ adopted: from now on an
 * object the backend finds it by its evidence            -> written down by that name      / like any other that is
 * changed
 *
 * An adopted object differs in one thing. Its client may think that there is nothing, and what it wants must not undo
 * what somebody has done to the item meanwhile: calendar_write_is_overtaken() is the one place that knows. The row ends
 * when the object is written down as it is wanted, or the client has been told that it is there; until then every
 * further attempt adopts it again, whatever died in between.
 */
#include <string.h>

#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/rand.h"
#include "bridge/calendar_write_private.h"
#include "bridge/io/crypto.h"

/* --- the row
 * -------------------------------------------------------------------------------------------------------------- */

static struct str name_hash(struct calendar_write *w)
{
    struct crypto_hash h = crypto_sha256(w->name);
    return arena_str(&w->arena, str_of(h.b, sizeof(h.b)));
}

static struct journal_key journal_key(struct calendar_write *w, int64_t folder_pk, struct str uid)
{
    struct buf b = {0};
    buf_printf(&b, "event %lld\n", (long long)folder_pk);
    buf_str(&b, uid);
    struct crypto_hash h = crypto_sha256(buf_view(&b));
    buf_done(&b);
    return (struct journal_key){arena_str(&w->arena, str_of(h.b, sizeof(h.b))), STR(""), name_hash(w)};
}

/* pk 0: there is none whose outcome is unknown. */
static bool find_row(struct calendar_write *w, int64_t folder_pk, struct str uid, struct journal_row *ret_row,
                     struct err *err)
{
    struct journal_key key = journal_key(w, folder_pk, uid);
    if (!store_journal_find(w->account->store, &key, ret_row, err))
        return false;
    if (ret_row->state != JOURNAL_UNKNOWN)
        *ret_row = (struct journal_row){0};
    return true;
}

bool calendar_write_was_begun(struct calendar_write *w, int64_t folder_pk, struct str uid, struct journal_row *ret_row)
{
    return find_row(w, folder_pk, uid, ret_row, NULL) && ret_row->pk != 0;
}

/* Is this the name that the client gives it who is making it? A sync may have given it another one, and whoever uses
 * that has seen it. Rows of earlier releases have none. */
static bool is_makers_name(struct calendar_write *w, const struct journal_row *row)
{
    const struct crypto_hash none = {{0}};
    struct str name = str_of(row->message_id.b, sizeof(row->message_id.b));
    return str_eq(name, name_hash(w)) || str_eq(name, str_of(none.b, sizeof(none.b)));
}

/* Whoever makes it once more may use another name. */
static bool take_over(struct calendar_write *w, const struct journal_row *row, struct err *err)
{
    return is_makers_name(w, row) || store_journal_rename(w->account->store, row->pk, name_hash(w), err);
}

/* Contents of attachments are known again by their hashes. */
static void hash_attachments(struct event_fields *f, struct arena *arena)
{
    struct event_attachment *list = arena_array(arena, f->attachment_count + 1, sizeof(*list));
    for (size_t i = 0; i < f->attachment_count; i++) {
        list[i] = f->attachments[i];
        if (list[i].data.n == 0)
            continue;
        struct crypto_hash h = crypto_sha256(list[i].data);
        list[i].data = arena_str(arena, str_of(h.b, sizeof(h.b)));
    }
    f->attachments = list;
}

static struct event hashed(const struct event *e, struct arena *arena)
{
    struct event copy = *e;
    struct event_exception *list = arena_array(arena, e->exception_count + 1, sizeof(*list));
    hash_attachments(&copy.fields, arena);
    for (size_t i = 0; i < e->exception_count; i++) {
        list[i] = e->exceptions[i];
        hash_attachments(&list[i].fields, arena);
    }
    copy.exceptions = list;
    return copy;
}

static struct str seal_asked(struct calendar_write *w)
{
    struct buf sealed = {0};
    struct event asked = hashed(&w->wanted, &w->arena);
    cache_seal(w->account->cache, STR("asked"), calendar_written(w->account, &asked, &w->arena), &sealed);
    struct str kept = arena_str(&w->arena, buf_view(&sealed));
    buf_done(&sealed);
    return kept;
}

static bool read_asked(struct calendar_write *w)
{
    struct buf plain = {0};
    struct str sealed, text;
    bool ok = store_journal_asked(w->account->store, w->journal_pk, &w->arena, &sealed) && sealed.n > 0 &&
              cache_unseal(w->account->cache, STR("asked"), sealed, &plain);
    text = arena_str(&w->arena, buf_view(&plain));
    buf_done(&plain);
    return ok && calendar_read(w->account, text, &w->arena, &w->asked);
}

bool calendar_write_journal(struct calendar_write *w, struct journal_row *row, struct err *err)
{
    struct store *s = w->account->store;
    struct buf token = {0};
    bool ok = find_row(w, w->folder_pk, w->wanted.uid, row, err);
    if (ok && row->pk == 0) {
        struct journal_key key = journal_key(w, w->folder_pk, w->wanted.uid);
        rand_add_hex(&token, 16);
        memcpy(row->evidence, buf_z(&token), token.n + 1);
        ok = store_begin(s, err);
        if (ok) {
            ok = store_journal_add(s, &key, buf_view(&token), &row->pk, err) &&
                 store_journal_ask(s, row->pk, seal_asked(w), err) &&
                 store_journal_set(s, row->pk, JOURNAL_UNKNOWN, err);
            ok = store_end(s, ok, err);
        }
        buf_done(&token);
    } else if (ok) {
        ok = take_over(w, row, err);
    }
    w->journal_pk = row->pk;
    return ok;
}

/* --- what it made
 * -------------------------------------------------------------------------------------------------------------- */

void calendar_write_adopt(struct calendar_write *w)
{
    struct journal_row row;
    if (w->adopted || !calendar_write_was_begun(w, w->folder_pk, w->known.ical_uid, &row) || !is_makers_name(w, &row))
        return;
    w->journal_pk = row.pk;
    if (w->condition.has_revision || w->condition.must_exist) /* a client that knows it */
        return;
    w->adopted = true;
    w->must_be_equal = w->condition.must_not_exist;
    w->condition.must_not_exist = false;
}

bool calendar_write_take_name(struct calendar_write *w, const struct store_resource *made)
{
    struct store *s = w->account->store;
    struct journal_row row;
    struct err err = {0};
    uint64_t modseq;
    if (!calendar_write_was_begun(w, w->folder_pk, w->wanted.uid, &row))
        return false;
    bool ok = store_begin(s, &err);
    if (ok) {
        ok = store_resource_rename(s, w->folder_pk, made->pk, w->name, &modseq, &err) && take_over(w, &row, &err);
        ok = store_end(s, ok, &err);
    }
    if (ok)
        return true;
    log_warn("calendar", account_name(w->account), "%s", err.text);
    return false;
}

bool calendar_write_found(struct calendar_write *w, const struct reply *reply, struct err *err)
{
    struct account *a = w->account;
    const struct event *got = reply->event_done.event;
    struct store_resource as = {.ical_uid = w->wanted.uid}, now;
    struct calendar_item made;
    if (w->exists || ++w->rounds > ROUNDS_MAX)
        return err_set(err, ERR_STALE, "the calendar is still being read anew");
    calendar_prepare(a, got, &as, &w->arena, &made);
    made.row.name = w->name;
    made.row.told_again = account_caps(a) & CAP_TELLS_OWN;
    if (!store_event_put(a->store, w->folder_pk, reply->event_done.id, reply->event_done.change, got->uid, &made.row,
                         &now, err))
        return false;
    calendar_keep(a, now.pk, &made);
    crash_point("event_retry.found");
    return true;
}

/* --- attachments, whose contents no server tells beside the item
 * -------------------------------------------------------------------------------------------------------------- */

static const struct event_attachment *of_name(const struct event_fields *f, struct str name)
{
    for (size_t i = 0; i < f->attachment_count; i++)
        if (str_eq(f->attachments[i].name, name))
            return &f->attachments[i];
    return NULL;
}

/* What is wanted, was asked for, and is there by its name is what is there. */
static void recognise(struct event_fields *wanted, const struct event_fields *asked, const struct event_fields *there,
                      struct arena *arena)
{
    struct event_attachment *list = arena_array(arena, wanted->attachment_count + 1, sizeof(*list));
    for (size_t i = 0; i < wanted->attachment_count; i++) {
        const struct event_attachment *was = of_name(asked, wanted->attachments[i].name);
        const struct event_attachment *now = of_name(there, wanted->attachments[i].name);
        list[i] = wanted->attachments[i];
        if (list[i].id.n || !list[i].data.n || !was || !now)
            continue;
        struct crypto_hash h = crypto_sha256(list[i].data);
        if (str_eq(was->data, str_of(h.b, sizeof(h.b))))
            list[i] = *now;
    }
    wanted->attachments = list;
}

/* --- what the server writes in its own way
 * -------------------------------------------------------------------------------------------------------------- */

/*
 * Servers fill these in, or round them, and somebody may have changed them as well: nobody can tell. Where the client
 * asks for the same as before, the server's is left as it is, and is what the client gets to read. In the other parts
 * (when, what, where) a difference is somebody's change.
 */
#define SOFT                                                                                                           \
    (EVENT_PART_BODY | EVENT_PART_BUSY | EVENT_PART_SENSITIVITY | EVENT_PART_IMPORTANCE | EVENT_PART_REMINDER |        \
     EVENT_PART_CATEGORIES | EVENT_PART_ATTENDEES)

static void yield_fields(struct event_fields *f, const struct event_fields *there, unsigned parts)
{
    if (parts & EVENT_PART_BODY) {
        f->text = there->text;
        f->html = there->html;
    }
    if (parts & EVENT_PART_BUSY)
        f->busy = there->busy;
    if (parts & EVENT_PART_SENSITIVITY)
        f->sensitivity = there->sensitivity;
    if (parts & EVENT_PART_IMPORTANCE)
        f->importance = there->importance;
    if (parts & EVENT_PART_REMINDER) {
        f->has_reminder = there->has_reminder;
        f->reminder_minutes = there->reminder_minutes;
    }
    if (parts & EVENT_PART_CATEGORIES) {
        f->categories = there->categories;
        f->category_count = there->category_count;
    }
    if (parts & EVENT_PART_ATTENDEES) {
        f->attendees = there->attendees;
        f->attendee_count = there->attendee_count;
    }
}

static void yield_event(struct event *e, const struct event *there, unsigned parts)
{
    yield_fields(&e->fields, &there->fields, parts);
    if (parts & EVENT_PART_REMINDER)
        e->task.reminder_at = there->task.reminder_at;
    if (parts & EVENT_PART_ATTENDEES) {
        e->organizer_email = there->organizer_email;
        e->organizer_name = there->organizer_name;
        e->is_meeting = there->is_meeting;
        e->response_requested = there->response_requested;
    }
}

/* --- what is there
 * -------------------------------------------------------------------------------------------------------------- */

static const struct event_exception *changed_at(const struct event *e, int64_t original)
{
    const struct event_exception *x = event_exception(e, original);
    return x && !x->deleted ? x : NULL;
}

static struct event_exception *own_exceptions(struct event *e, struct arena *arena)
{
    struct event_exception *list = arena_array(arena, e->exception_count + 1, sizeof(*list));
    for (size_t i = 0; i < e->exception_count; i++)
        list[i] = e->exceptions[i];
    e->exceptions = list;
    return list;
}

/* The same for an exception that all three know. */
static void yield_exceptions(struct calendar_write *w, struct event_exception *wanted, struct event_exception *asked)
{
    for (size_t i = 0; i < w->wanted.exception_count; i++) {
        const struct event_exception *x = changed_at(&w->base, wanted[i].original);
        size_t k = 0;
        while (k < w->asked.exception_count && asked[k].original != wanted[i].original)
            k++;
        if (!x || k == w->asked.exception_count || wanted[i].deleted || asked[k].deleted)
            continue;
        unsigned parts = event_fields_differ(&x->fields, &asked[k].fields) & SOFT &
                         ~event_fields_differ(&wanted[i].fields, &asked[k].fields);
        yield_fields(&wanted[i].fields, &x->fields, parts);
        yield_fields(&asked[k].fields, &x->fields, parts);
        w->yielded = w->yielded || parts;
    }
}

void calendar_write_meet(struct calendar_write *w)
{
    w->yielded = false;
    w->has_asked = read_asked(w);
    if (!w->has_asked)
        return;
    struct event_exception *wanted = own_exceptions(&w->wanted, &w->arena);
    struct event_exception *asked = own_exceptions(&w->asked, &w->arena);
    recognise(&w->wanted.fields, &w->asked.fields, &w->base.fields, &w->arena);
    for (size_t i = 0; i < w->wanted.exception_count; i++) {
        const struct event_exception *then = changed_at(&w->asked, wanted[i].original);
        const struct event_exception *now = changed_at(&w->base, wanted[i].original);
        if (!wanted[i].deleted && then)
            recognise(&wanted[i].fields, &then->fields, now ? &now->fields : &w->base.fields, &w->arena);
    }
    if (!w->must_be_equal)
        return;
    unsigned parts = event_differ(&w->base, &w->asked) & SOFT & ~event_differ(&w->wanted, &w->asked);
    yield_event(&w->wanted, &w->base, parts);
    yield_event(&w->asked, &w->base, parts);
    w->yielded = parts != 0;
    yield_exceptions(w, wanted, asked);
}

/* --- has somebody changed it?
 * -------------------------------------------------------------------------------------------------------------- */

static bool attachments_within(const struct event_fields *now, const struct event_fields *asked)
{
    for (size_t i = 0; i < now->attachment_count; i++)
        if (!of_name(asked, now->attachments[i].name))
            return false;
    return true;
}

static bool fields_within(unsigned differ, const struct event_fields *now, const struct event_fields *asked)
{
    const unsigned later = EVENT_PART_EXCEPTIONS | EVENT_PART_ATTACHMENTS;
    return !(differ & ~(later | CALENDAR_NOT_OURS)) && attachments_within(now, asked);
}

/* Exceptions and attachments are requests of their own: as long as some of them are missing, the attempt has not come
 * to its end, and nobody has done anything to what there is. */
static bool is_within(const struct event *now, const struct event *asked)
{
    if (!fields_within(event_differ(now, asked), &now->fields, &asked->fields))
        return false;
    for (size_t i = 0; i < now->exception_count; i++) {
        const struct event_exception *x = &now->exceptions[i], *y = event_exception(asked, x->original);
        if (!y || x->deleted != y->deleted)
            return false;
        if (!x->deleted && !fields_within(event_fields_differ(&x->fields, &y->fields), &x->fields, &y->fields))
            return false;
    }
    return true;
}

bool calendar_write_is_overtaken(const struct calendar_write *w)
{
    return w->must_be_equal && !is_within(&w->base, &w->wanted) && !(w->has_asked && is_within(&w->base, &w->asked));
}
