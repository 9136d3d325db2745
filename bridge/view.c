/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/account_private.h"
#include "bridge/base/mem.h"

#define RECENT_RANGES_MAX                                                                                              \
    1000 /* two sessions that take turns make one for each new message: the oldest is forgotten                        \
          */

struct view {
    struct list link; /* of the mailbox */
    struct mailbox *mailbox;
    uint32_t *uids; /* what the client has been told, ascending: index + 1 is the sequence number */
    size_t count, size;
    uint64_t modseq;   /* flag changes up to here have been told */
    uint64_t removals; /* mailbox_removals() when `uids` was last compared */
    uint32_t last_uid; /* highest uid seen: later ones are new */
    struct {
        uint32_t uid;
        uint64_t modseq;
    } * told;
    size_t told_count, told_size;
    struct deferred notify;
    bool examine;
    struct {
        uint32_t from, to;
    } * recent; /* UIDs that this view was the first to be told of, ascending */
    size_t recent_n, recent_size;
    bool notified; /* on_change is due only once until the next update */
    void (*on_change)(void *ud);
    void *ud;
};

static void on_notify(void *ud)
{
    struct view *v = ud;
    if (v->on_change)
        v->on_change(v->ud);
}

static void append(struct view *v, uint32_t uid)
{
    if (v->count == v->size) {
        v->size = v->size ? v->size + v->size / 2 : 64;
        v->uids = mem_realloc(v->uids, v->size * sizeof(*v->uids));
    }
    v->uids[v->count++] = uid;
    v->last_uid = uid;
}

/* What nobody was told of yet is told to this one now. */
static void claim_recent(struct view *v)
{
    uint32_t from = mailbox_recent_from(v->mailbox), next = mailbox_uidnext(v->mailbox);
    if (v->recent_n && from <= v->recent[v->recent_n - 1].to)
        from = v->recent[v->recent_n - 1].to + 1; /* seen by EXAMINE before */
    if (from >= next)
        return;
    if (v->recent_n && v->recent[v->recent_n - 1].to + 1 == from) {
        v->recent[v->recent_n - 1].to = next - 1;
    } else {
        if (v->recent_n == RECENT_RANGES_MAX)
            memmove(v->recent, v->recent + 1, --v->recent_n * sizeof(*v->recent));
        if (v->recent_n == v->recent_size) {
            v->recent_size = v->recent_size ? 2 * v->recent_size : 4;
            v->recent = mem_realloc(v->recent, v->recent_size * sizeof(*v->recent));
        }
        v->recent[v->recent_n].from = from;
        v->recent[v->recent_n++].to = next - 1;
    }
    if (!v->examine)
        mailbox_recent_taken(v->mailbox);
}

bool view_recent(const struct view *v, uint32_t uid)
{
    for (size_t i = v->recent_n; i-- > 0 && uid <= v->recent[i].to;)
        if (uid >= v->recent[i].from)
            return true;
    return false;
}

uint32_t view_recent_count(const struct view *v)
{
    uint32_t n = 0;
    for (size_t i = 0; i < v->recent_n; i++)
        n += view_seq_le(v, v->recent[i].to) - view_seq_le(v, v->recent[i].from - 1);
    return n;
}

struct view *view_new(struct mailbox *m, bool examine, void (*on_change)(void *ud), void *ud)
{
    struct view *v = MEM_NEW(struct view);
    v->mailbox = mailbox_ref(m);
    v->examine = examine;
    v->on_change = on_change;
    v->ud = ud;
    deferred_init(&v->notify, on_notify, v);
    list_init(&v->link);
    list_append(mailbox_views(m), &v->link);
    v->size = mailbox_count(m) + 16;
    v->uids = mem_array(v->size, sizeof(*v->uids));
    for (size_t i = 0; i < mailbox_count(m); i++)
        append(v, mailbox_at(m, i)->uid);
    v->modseq = mailbox_modseq(m);
    v->removals = mailbox_removals(m);
    claim_recent(v);
    return v;
}

void view_free(struct view **vp)
{
    struct view *v = *vp;
    if (!v)
        return;
    *vp = NULL;
    loop_defer_cancel(&v->notify);
    list_remove(&v->link);
    mailbox_unref(&v->mailbox);
    mem_free(v->uids);
    mem_free(v->told);
    mem_free(v->recent);
    mem_free(v);
}

struct mailbox *view_mailbox(const struct view *v)
{
    return v->mailbox;
}

uint32_t view_count(const struct view *v)
{
    return (uint32_t)v->count;
}

uint32_t view_uid(const struct view *v, uint32_t seq)
{
    return v->uids[seq - 1];
}

uint32_t view_seq_le(const struct view *v, uint32_t uid)
{
    size_t lo = 0, hi = v->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v->uids[mid] <= uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (uint32_t)lo;
}

uint32_t view_seq(const struct view *v, uint32_t uid)
{
    uint32_t seq = view_seq_le(v, uid);
    return seq && v->uids[seq - 1] == uid ? seq : 0;
}

bool view_pending(const struct view *v)
{
    const struct mailbox *m = v->mailbox;
    size_t n = mailbox_count(m);
    return v->removals != mailbox_removals(m) || v->modseq != mailbox_modseq(m) ||
           (n && mailbox_at(m, n - 1)->uid > v->last_uid);
}

void view_notify_all(struct mailbox *m)
{
    LIST_EACH (mailbox_views(m), l) {
        struct view *v = LIST_ITEM(l, struct view, link);
        if (v->notified || (!view_pending(v) && !mailbox_gone(m)))
            continue;
        v->notified = true;
        loop_defer(account_loop(mailbox_account(m)), &v->notify);
    }
}

/* --- update ----------------------------------------------------------------------------------- */

/* From the end, so that each number is right at the moment it is told. */
static bool drop_vanished(struct view *v, const struct view_events *ev, void *ud)
{
    const struct mailbox *m = v->mailbox;
    size_t k = mailbox_count(m), to = v->count;
    bool any = false;
    for (size_t i = v->count; i-- > 0;) {
        while (k > 0 && mailbox_at(m, k - 1)->uid > v->uids[i])
            k--;
        if (k > 0 && mailbox_at(m, k - 1)->uid == v->uids[i]) {
            v->uids[--to] = v->uids[i];
            continue;
        }
        any = true;
        if (ev->on_expunge)
            ev->on_expunge(ud, (uint32_t)i + 1, v->uids[i]);
    }
    if (to) {
        memmove(v->uids, v->uids + to, (v->count - to) * sizeof(*v->uids));
        v->count -= to;
    }
    v->removals = mailbox_removals(m);
    return any;
}

static bool already_told(const struct view *v, const struct message *msg)
{
    for (size_t i = 0; i < v->told_count; i++)
        if (v->told[i].uid == msg->uid && v->told[i].modseq >= msg->modseq)
            return true;
    return false;
}

static void tell_flags(struct view *v, size_t old_count, const struct view_events *ev, void *ud)
{
    const struct mailbox *m = v->mailbox;
    size_t k = 0;
    for (size_t i = 0; i < old_count && k < mailbox_count(m); i++) {
        while (k < mailbox_count(m) && mailbox_at(m, k)->uid < v->uids[i])
            k++;
        if (k == mailbox_count(m))
            break;
        const struct message *msg = mailbox_at(m, k);
        if (msg->uid == v->uids[i] && msg->modseq > v->modseq && !already_told(v, msg) && ev->on_flags)
            ev->on_flags(ud, (uint32_t)i + 1, msg);
    }
}

void view_update(struct view *v, bool expunges, const struct view_events *ev, void *ud)
{
    const struct mailbox *m = v->mailbox;
    v->notified = false;
    bool vanished = expunges && v->removals != mailbox_removals(m) && drop_vanished(v, ev, ud);
    size_t old_count = v->count;
    for (size_t i = v->last_uid == UINT32_MAX ? mailbox_count(m) : mailbox_lower_bound(m, v->last_uid + 1);
         i < mailbox_count(m); i++)
        append(v, mailbox_at(m, i)->uid);
    if (v->count != old_count)
        claim_recent(v);
    if ((vanished || v->count != old_count) && ev->on_exists)
        ev->on_exists(ud, (uint32_t)v->count);
    if (v->modseq != mailbox_modseq(m)) {
        tell_flags(v, old_count, ev, ud);
        v->modseq = mailbox_modseq(m);
        v->told_count = 0;
    }
}

void view_told(struct view *v, uint32_t uid, uint64_t modseq)
{
    if (v->told_count == v->told_size) {
        v->told_size = v->told_size ? v->told_size * 2 : 16;
        v->told = mem_realloc(v->told, v->told_size * sizeof(*v->told));
    }
    v->told[v->told_count].uid = uid;
    v->told[v->told_count++].modseq = modseq;
}
