/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail that is due when the server has done what it speaks of (EAS up to 14.1, where nobody but us writes to guests and
 * organisers). It is written down before the server is asked, together with what has to be true then; so it goes out
 * once, whatever is lost or dies in between.
 *
 *     hold -> ask -> confirmed: in the transaction that writes the outcome down, it is due
 *                 -> refused: it is dropped
 *                 -> nobody knows: the next sync of the calendar is asked for, and when that is complete the object
 *                    tells (calendar_settle_held)
 *
 * A change that was repeated holds a mail of its own beside that of the attempt before: each is judged for itself, and
 * the one that is confirmed takes the place of the others.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/rand.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/calendar_write_private.h"
#include "bridge/io/crypto.h"
#include "bridge/sync.h"

#define PROMISE_MAX (8u << 20)  /* bytes: two events */
#define HELD_MAX_S  (7 * 86400) /* so long a mail waits */
#define ANSWERING_S 120         /* so long a server may still be at an answer whose sender is gone */

/* --- marks and promises
 * ------------------------------------------------------------------------------------------------------- */

/*
 * STORE_HELD "FOLDER UID TOKEN MATTER": pk; hash of the iCalendar UID; which attempt; "put", "gone", or "answer
 * ORIGINAL RESPONSE" with "-" for all occurrences.
 */
static struct str object_mark(int64_t folder_pk, struct str uid, struct arena *arena)
{
    struct crypto_hash h = crypto_sha256(uid);
    struct buf hex = BUF_INIT(64);
    text_hex_add(&hex, str_of(h.b, 16));
    struct str mark = arena_printf(arena, STORE_HELD "%lld %s ", (long long)folder_pk, buf_z(&hex));
    buf_done(&hex);
    return mark;
}

static struct str attempt_mark(const struct calendar_held *h, struct arena *arena)
{
    struct str object = object_mark(h->folder_pk, h->uid, arena);
    return arena_printf(arena, "%.*s%s ", STR_ARG(object), h->token);
}

struct promise {
    struct str uid;
    bool has_wanted, has_base; /* of a "put" */
    struct event wanted, base; /* what was asked for, and what the guests knew before */
};

static struct str seal_promise(struct account *a, struct str uid, const struct event *wanted, const struct event *base,
                               struct arena *arena)
{
    struct buf plain = BUF_INIT(PROMISE_MAX), sealed = BUF_INIT(PROMISE_MAX + 1024);
    struct str after = wanted ? calendar_written(a, wanted, arena) : STR("");
    struct str before = base ? calendar_written(a, base, arena) : STR("");
    buf_printf(&plain, "%zu %zu\n", uid.n, after.n);
    buf_str(&plain, uid);
    buf_str(&plain, after);
    buf_str(&plain, before);
    cache_seal(a->cache, STR("promise"), buf_view(&plain), &sealed);
    struct str promise = plain.failed || sealed.failed ? STR_NULL : arena_str(arena, buf_view(&sealed));
    buf_done(&plain);
    buf_done(&sealed);
    return promise;
}

static bool read_promise(struct account *a, struct str sealed, struct arena *arena, struct promise *ret)
{
    struct buf plain = BUF_INIT(PROMISE_MAX + 1024);
    struct str rest, line, word;
    uint32_t uid, wanted;
    bool ok = cache_unseal(a->cache, STR("promise"), sealed, &plain);
    rest = arena_str(arena, buf_view(&plain));
    buf_done(&plain);
    *ret = (struct promise){0};
    ok = ok && str_cut(&rest, '\n', &line) && str_cut(&line, ' ', &word) && str_to_u32(word, &uid) &&
         str_to_u32(line, &wanted) && uid <= rest.n && wanted <= rest.n - uid;
    if (!ok)
        return false;
    struct str after = str_sub(rest, uid, wanted), before = str_skip(rest, (size_t)uid + wanted);
    ret->uid = str_sub(rest, 0, uid);
    ret->has_wanted = wanted > 0;
    ret->has_base = before.n > 0;
    return (!ret->has_wanted || calendar_read(a, after, arena, &ret->wanted)) &&
           (!ret->has_base || calendar_read(a, before, arena, &ret->base));
}

/* --- holding
 * ------------------------------------------------------------------------------------------------------------------ */

static struct calendar_due begin(struct account *a, struct calendar_held *h, const struct event *wanted,
                                 const struct event *base, struct arena *arena)
{
    struct buf token = {0};
    rand_add_hex(&token, 8);
    snprintf(h->token, sizeof(h->token), "%s", buf_z(&token));
    buf_done(&token);
    struct str mark = attempt_mark(h, arena);
    return (struct calendar_due){.mark = arena_printf(arena, "%.*s%s", STR_ARG(mark), h->matter),
                                 .promise = seal_promise(a, h->uid, wanted, base, arena)};
}

/* The mails of one change, all or none. */
static bool end(struct account *a, struct calendar_held *h, bool ok, struct err *err)
{
    ok = store_end(a->store, ok, err);
    if (!ok)
        h->token[0] = '\0';
    crash_point("held.written");
    return ok;
}

/* What the guests know: what they were told before the first of the attempts of which nobody knows. False: they know
 * what the caller says. */
static bool known_to_guests(struct account *a, int64_t folder_pk, struct str uid, struct arena *arena,
                            struct promise *ret)
{
    struct store_held *list;
    struct str object = object_mark(folder_pk, uid, arena);
    size_t n = store_held(a->store, object, arena, &list);
    for (size_t i = 0; i < n; i++)
        if (read_promise(a, list[i].promise, arena, ret) && ret->has_wanted)
            return true;
    return false;
}

bool calendar_hold_put(struct account *a, int64_t folder_pk, const struct event *before, const struct event *after,
                       struct calendar_held *ret, struct err *err)
{
    struct arena arena = {0};
    struct promise earlier;
    *ret = (struct calendar_held){.folder_pk = folder_pk, .uid = after->uid, .matter = "put"};
    if (known_to_guests(a, folder_pk, after->uid, &arena, &earlier))
        before = earlier.has_base ? &earlier.base : NULL;
    struct calendar_due due = begin(a, ret, after, before, &arena);
    bool ok = store_begin(a->store, err) && end(a, ret, calendar_owe_put(a, &due, before, after, err), err);
    arena_done(&arena);
    return ok;
}

bool calendar_hold_reply(struct account *a, int64_t folder_pk, struct str uid, const struct event *e,
                         const struct calendar_answer *answer, struct calendar_held *ret, struct err *err)
{
    struct arena arena = {0};
    *ret = (struct calendar_held){.folder_pk = folder_pk, .uid = uid};
    if (answer->has_instance)
        snprintf(ret->matter, sizeof(ret->matter), "answer %lld %d", (long long)answer->instance, answer->response);
    else
        snprintf(ret->matter, sizeof(ret->matter), "answer - %d", answer->response);
    struct calendar_due due = begin(a, ret, NULL, NULL, &arena);
    bool ok = store_begin(a->store, err) && end(a, ret, calendar_owe_reply(a, &due, e, answer, err), err);
    arena_done(&arena);
    return ok;
}

bool calendar_hold_removal(struct account *a, int64_t folder_pk, struct str uid, const struct event *e,
                           struct calendar_held *ret, struct err *err)
{
    struct arena arena = {0};
    *ret = (struct calendar_held){.folder_pk = folder_pk, .uid = uid, .matter = "gone"};
    struct calendar_due due = begin(a, ret, NULL, NULL, &arena);
    bool ok = store_begin(a->store, err) && end(a, ret, calendar_owe_removal(a, &due, e, err), err);
    arena_done(&arena);
    return ok;
}

/* --- the server's word
 * -------------------------------------------------------------------------------------------------------- */

/* MATTER of a mark, and whose attempt it is. */
static struct str matter_of(struct str mark, struct str *ret_token)
{
    struct str rest = mark, word;
    str_cut(&rest, ' ', &word); /* "held" */
    str_cut(&rest, ' ', &word);
    str_cut(&rest, ' ', &word);
    str_cut(&rest, ' ', ret_token);
    return rest;
}

/* Do both speak of the same: a removal of everything, an answer of the same occurrences? */
static bool replaces(struct str matter, struct str other)
{
    struct str a[2], b[2];
    if (str_is(matter, "gone") || str_eq(matter, other))
        return true;
    for (size_t i = 0; i < 2; i++) {
        a[i] = b[i] = STR("");
        str_cut(&matter, ' ', &a[i]);
        str_cut(&other, ' ', &b[i]);
    }
    return str_eq(a[0], b[0]) && str_eq(a[1], b[1]);
}

bool calendar_held_confirmed(struct account *a, const struct calendar_held *h, struct err *err)
{
    struct arena arena = {0};
    struct store_held *list;
    struct str token;
    if (h->token[0] == '\0')
        return true;
    if (!store_begin(a->store, err))
        return false;
    size_t n = store_held(a->store, object_mark(h->folder_pk, h->uid, &arena), &arena, &list);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        struct str matter = matter_of(list[i].mark, &token);
        if (!str_is(token, h->token) && replaces(str_from(h->matter), matter))
            ok = store_held_drop(a->store, list[i].mark, err);
    }
    ok = ok && store_held_release(a->store, attempt_mark(h, &arena), err);
    arena_done(&arena);
    return store_end(a->store, ok, err);
}

bool calendar_is_final(enum err_code code)
{
    return code == ERR_INVALID || code == ERR_UNSUPPORTED || code == ERR_TOO_BIG || code == ERR_QUOTA ||
           code == ERR_CONFLICT || code == ERR_NOT_FOUND || code == ERR_EXISTS || code == ERR_DENIED;
}

void calendar_held_ends(struct account *a, struct calendar_held *h, enum err_code code)
{
    struct arena arena = {0};
    struct store_held *list;
    struct err err = {0};
    if (h->token[0] == '\0')
        return;
    if (calendar_is_final(code) && !store_held_drop(a->store, attempt_mark(h, &arena), &err))
        log_error("calendar", account_name(a), "%s", err.text);
    h->token[0] = '\0';
    if (code == ERR_NONE)
        calendar_mail_kick(a);
    else if (store_held(a->store, object_mark(h->folder_pk, h->uid, &arena), &arena, &list) > 0)
        sync_want(a->sync, h->folder_pk, 0); /* this attempt, or one before it: the calendar tells */
    arena_done(&arena);
}

/* --- what the calendar says
 * ----------------------------------------------------------------------------------------------- */

enum verdict { HAPPENED, NEVER_HAPPENED, OPEN };

/* Unlike a change of an item, which a Sync brings to an end one way or the other, an answer may arrive late. */
static enum verdict judge_answer(const struct event *now, struct str original, int what, int64_t age_s)
{
    enum verdict not_yet = age_s < ANSWERING_S ? OPEN : NEVER_HAPPENED;
    enum event_response mine;
    if (!now)
        return what == EVENT_DECLINED && str_is(original, "-") ? HAPPENED : not_yet;
    mine = now->fields.mine;
    if (!str_is(original, "-")) {
        char digits[32];
        snprintf(digits, sizeof(digits), "%.*s", STR_ARG(original));
        const struct event_exception *x = event_exception(now, strtoll(digits, NULL, 10));
        mine = !x ? mine : x->deleted ? EVENT_DECLINED : x->fields.mine;
    }
    return (int)mine == what ? HAPPENED : not_yet;
}

/*
 * A series that came without its exceptions is half of what was asked for (they are the second request): the client,
 * which was told of no success, asks again. What servers write otherwise than they were told is the description.
 */
static enum verdict judge_put(const struct event *now, const struct promise *p)
{
    const unsigned told = CALENDAR_NEWS | EVENT_PART_ATTENDEES;
    if (!now)
        return NEVER_HAPPENED;
    unsigned open = event_differ(now, &p->wanted) & told;
    if (!p->has_base) {
        bool half = open & EVENT_PART_EXCEPTIONS && now->exception_count == 0;
        return half ? OPEN : HAPPENED;
    }
    unsigned asked = event_differ(&p->base, &p->wanted) & told;
    if ((open & asked) == 0)
        return HAPPENED;
    if ((event_differ(now, &p->base) & asked) == 0)
        return NEVER_HAPPENED;
    return (open & asked & ~(unsigned)EVENT_PART_BODY) == 0 ? HAPPENED : OPEN;
}

/* An item that cannot be read may be the object, if it was told of since the server was asked; or it is what the object
 * has become. */
static bool is_unreadable(struct account *a, int64_t folder_pk, const struct store_resource *there, int64_t since_s)
{
    return there ? store_unread(a->store, folder_pk, there->server_id, 0) > 0
                 : store_unread(a->store, folder_pk, STR_NULL, since_s) > 0;
}

static enum verdict judge(const struct event *now, const struct store_held *held, const struct promise *p)
{
    struct str kind, original, token, matter = matter_of(held->mark, &token);
    uint32_t what;
    str_cut(&matter, ' ', &kind);
    if (str_is(kind, "put"))
        return p->has_wanted ? judge_put(now, p) : OPEN;
    if (str_is(kind, "gone"))
        return now ? NEVER_HAPPENED : HAPPENED;
    if (!str_cut(&matter, ' ', &original) || !str_to_u32(matter, &what))
        return OPEN;
    return judge_answer(now, original, (int)what, time_wall_s() - held->created_s);
}

/* A client's change of the object is under way, and will have the last word. */
static bool is_under_way(struct account *a, int64_t folder_pk, struct str uid)
{
    LIST_EACH (&a->calendar_writes, l) {
        const struct calendar_held *h = &LIST_ITEM(l, struct calendar_write, link)->held;
        if (h->token[0] && h->folder_pk == folder_pk && str_eq(h->uid, uid))
            return true;
    }
    return false;
}

/* False: the object is not in the cache. */
static bool settle(struct account *a, int64_t folder_pk, const struct store_held *held, int64_t *ret_pk,
                   bool *ret_unreadable)
{
    struct arena arena = {0};
    struct promise p;
    struct event now;
    struct store_resource there;
    struct err err = {0};
    bool ok = true, exists = false;
    if (!read_promise(a, held->promise, &arena, &p) || is_under_way(a, folder_pk, p.uid)) {
        arena_done(&arena);
        return true;
    }
    exists = store_resource_by_uid(a->store, folder_pk, p.uid, &arena, &there);
    if (exists && !calendar_base(a, there.pk, &arena, &now)) {
        *ret_pk = there.pk;
        ok = false;
    } else {
        bool unreadable = is_unreadable(a, folder_pk, exists ? &there : NULL, held->created_s);
        enum verdict v = unreadable ? OPEN : judge(exists ? &now : NULL, held, &p);
        *ret_unreadable |= unreadable;
        bool done = v == OPEN || (v == HAPPENED ? store_held_release(a->store, held->mark, &err)
                                                : store_held_drop(a->store, held->mark, &err));
        if (!done)
            log_error("calendar", account_name(a), "%s", err.text);
        else if (v != OPEN)
            log_info("calendar", account_name(a), "a mail about a meeting waited for the server's word: %s",
                     v == HAPPENED ? "it goes out" : "what it speaks of did not happen");
    }
    arena_done(&arena);
    return ok;
}

/* True: nobody will ever know. */
static bool is_over(struct account *a, const struct store_held *held)
{
    struct err err = {0};
    if (held->created_s > time_wall_s() - HELD_MAX_S)
        return false;
    log_warn(
        "calendar", account_name(a),
        "a mail about a meeting is not sent: for a week the server did not tell whether what it speaks of happened");
    if (!store_held_drop(a->store, held->mark, &err))
        log_error("calendar", account_name(a), "%s", err.text);
    return true;
}

static void tell_unreadable(struct account *a, bool unreadable)
{
    if (unreadable && !a->held_unreadable)
        log_warn("calendar", account_name(a),
                 "a mail about a meeting waits: the server has an item that cannot be read, and it may be the meeting");
    a->held_unreadable = unreadable;
}

void calendar_settle_held(struct account *a, int64_t folder_pk, bool fetch)
{
    bool unreadable = false;
    struct arena arena = {0};
    struct store_held *list;
    int64_t *lost;
    size_t lost_count = 0;
    struct str marks = arena_printf(&arena, STORE_HELD "%lld ", (long long)folder_pk);
    size_t n = store_held(a->store, marks, &arena, &list);
    lost = arena_array(&arena, n + 1, sizeof(*lost));
    for (size_t i = 0; i < n; i++) {
        bool twin = i > 0 && str_eq(list[i].mark, list[i - 1].mark); /* two mails of one change */
        if (!twin && !is_over(a, &list[i]) && !settle(a, folder_pk, &list[i], &lost[lost_count], &unreadable))
            lost_count++;
    }
    if (n > 0) {
        tell_unreadable(a, unreadable);
        crash_point("held.settled");
        calendar_mail_kick(a);
    }
    if (fetch && lost_count > 0)
        calendar_mail_fetch(a, folder_pk, lost, lost_count);
    arena_done(&arena);
}

void calendar_held_begin(struct account *a)
{
    struct arena arena = {0};
    struct store_held *list;
    size_t n = store_held(a->store, STR(STORE_HELD), &arena, &list);
    for (size_t i = 0; i < n; i++) {
        struct str rest = list[i].mark, word;
        uint32_t folder_pk;
        str_cut(&rest, ' ', &word);
        str_cut(&rest, ' ', &word);
        if (!is_over(a, &list[i]) && str_to_u32(word, &folder_pk))
            sync_want(a->sync, folder_pk, 0);
    }
    arena_done(&arena);
}
