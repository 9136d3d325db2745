/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/mailbox.h"

#include <string.h>

#include "bridge/account_private.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/content_engine.h"
#include "bridge/keyword_sets.h"

#define MAILBOX_IDLE_MS  (10 * 60 * 1000) /* an unreferenced mailbox stays loaded for so long */
#define MAILBOX_IDLE_MAX 4                /* and so many of them */

struct mailbox {
    struct list link; /* of the account, most recently used first */
    struct account *account;
    int64_t folder_pk;
    unsigned refs;
    uint64_t unused_since_ms;
    struct message *messages;
    size_t count, size;
    uint32_t uidnext, uidvalidity, recent_from;
    uint64_t modseq, removals;
    bool gone, recent_taken; /* recent_taken: not written down yet */
    struct keyword_sets *keywords;
    struct list views;
};

/* --- following the store ---------------------------------------------------------------------- */

size_t mailbox_lower_bound(const struct mailbox *m, uint32_t uid)
{
    size_t lo = 0, hi = m->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->messages[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct message *slot(struct mailbox *m, uint32_t uid)
{
    size_t at = m->count && m->messages[m->count - 1].uid < uid ? m->count : mailbox_lower_bound(m, uid);
    if (at < m->count && m->messages[at].uid == uid)
        return &m->messages[at];
    if (m->count == m->size) {
        m->size = m->size ? m->size + m->size / 2 : 64;
        m->messages = mem_realloc(m->messages, m->size * sizeof(*m->messages));
    }
    memmove(&m->messages[at + 1], &m->messages[at], (m->count - at) * sizeof(*m->messages));
    m->count++;
    m->messages[at] = (struct message){.uid = uid};
    return &m->messages[at];
}

static void on_row(void *ud, const struct store_row *row)
{
    struct mailbox *m = ud;
    struct message *msg = slot(m, row->uid);
    msg->pk = row->pk;
    msg->modseq = row->modseq;
    msg->received_s = row->received_ms >= 0 ? row->received_ms / 1000 : -((-row->received_ms + 999) / 1000);
    msg->saved_s = row->saved_s;
    msg->size = row->size;
    msg->size_told = row->size_state == 1;
    msg->size_exact = row->size_state == 2;
    msg->keyword_set = keyword_sets_add(m->keywords, row->categories);
    msg->flags = (uint16_t)(row->flags | keyword_sets_marks(m->keywords, msg->keyword_set));
}

static void remove_uids(struct mailbox *m, const uint32_t *uids, size_t n)
{
    size_t to = 0, k = 0;
    for (size_t i = 0; i < m->count; i++) {
        while (k < n && uids[k] < m->messages[i].uid)
            k++;
        if (k < n && uids[k] == m->messages[i].uid)
            continue;
        if (to != i)
            m->messages[to] = m->messages[i];
        to++;
    }
    m->removals += m->count - to;
    m->count = to;
}

static bool follow(struct mailbox *m, struct err *err)
{
    struct store *s = m->account->store;
    struct store_counts counts = {0};
    struct arena arena = {0};
    uint32_t *uids = NULL;
    size_t n = 0;
    bool complete = true;
    if (!store_counts(s, m->folder_pk, &counts, err))
        return false;
    bool ok = true;
    if (m->modseq)
        ok = store_expunged(s, m->folder_pk, m->modseq, &arena, &uids, &n, &complete, err);
    if (ok && m->modseq && !complete) { /* the log has been trimmed since: read it all */
        m->removals += m->count;
        m->count = 0;
        m->modseq = 0;
    } else if (ok && n) {
        remove_uids(m, uids, n);
    }
    ok = ok && store_rows(s, m->folder_pk, m->modseq, on_row, m, err);
    arena_done(&arena);
    if (!ok)
        return false;
    m->modseq = counts.modseq;
    m->uidnext = counts.uidnext;
    m->uidvalidity = counts.uidvalidity;
    return true;
}

void mailbox_refresh(struct mailbox *m)
{
    struct err err = {0};
    if (m->gone)
        return;
    if (!follow(m, &err))
        log_error("store", account_name(m->account), "reading folder %lld: %s", (long long)m->folder_pk, err.text);
    view_notify_all(m);
}

void mailbox_folder_gone(struct mailbox *m)
{
    m->gone = true;
    m->removals += m->count;
    m->count = 0;
    view_notify_all(m);
}

/* --- life ------------------------------------------------------------------------------------- */

static void mailbox_free(struct mailbox *m)
{
    list_remove(&m->link);
    keyword_sets_free(&m->keywords);
    mem_free(m->messages);
    mem_free(m);
}

static struct mailbox *load(struct account *a, int64_t folder_pk, struct err *err)
{
    struct store_counts counts = {0};
    if (!store_counts(a->store, folder_pk, &counts, err))
        return NULL;
    struct mailbox *m = MEM_NEW(struct mailbox);
    m->account = a;
    m->folder_pk = folder_pk;
    m->recent_from = counts.recent_from;
    m->keywords = keyword_sets_new();
    list_init(&m->link);
    list_init(&m->views);
    m->size = counts.messages + 16;
    m->messages = mem_array(m->size, sizeof(*m->messages));
    if (!follow(m, err)) {
        mailbox_free(m);
        return NULL;
    }
    list_prepend(&a->mailboxes, &m->link);
    return m;
}

struct mailbox *mailbox_loaded(struct account *a, int64_t folder_pk)
{
    LIST_EACH (&a->mailboxes, l) {
        struct mailbox *m = LIST_ITEM(l, struct mailbox, link);
        if (m->folder_pk == folder_pk && !m->gone)
            return m;
    }
    return NULL;
}

struct mailbox *mailbox_load(struct account *a, int64_t folder_pk, struct err *err)
{
    struct mailbox *m = mailbox_loaded(a, folder_pk);
    if (!m)
        m = load(a, folder_pk, err);
    if (!m)
        return NULL;
    list_remove(&m->link);
    list_prepend(&a->mailboxes, &m->link);
    m->refs++;
    return m;
}

uint32_t mailbox_recent_from(const struct mailbox *m)
{
    return m->recent_from;
}

uint32_t mailbox_uidnext(const struct mailbox *m)
{
    return m->uidnext;
}

void mailbox_recent_taken(struct mailbox *m)
{
    m->recent_taken |= m->recent_from != m->uidnext;
    m->recent_from = m->uidnext;
}

/* After a crash some are recent once more, which harms nobody; a write to the disk for each new message would. */
static void write_recent(struct mailbox *m)
{
    struct err err = {0};
    if (m->recent_taken && !m->gone && !m->account->wiped &&
        !store_recent_taken(m->account->store, m->folder_pk, m->recent_from, &err))
        log_warn("store", account_name(m->account), "%s", err.text);
    m->recent_taken = false;
}

struct mailbox *mailbox_of_link(struct list *l)
{
    return LIST_ITEM(l, struct mailbox, link);
}

struct mailbox *mailbox_ref(struct mailbox *m)
{
    m->refs++;
    return m;
}

void mailbox_unref(struct mailbox **mp)
{
    struct mailbox *m = *mp;
    *mp = NULL;
    if (!m || --m->refs > 0)
        return;
    m->unused_since_ms = time_mono_ms();
    write_recent(m);
    mailbox_sweep(m->account, false);
}

void mailbox_sweep(struct account *a, bool all)
{
    uint64_t now = time_mono_ms();
    unsigned kept = 0;
    LIST_EACH (&a->mailboxes, l) {
        struct mailbox *m = LIST_ITEM(l, struct mailbox, link);
        if (m->refs)
            continue;
        if (all || m->gone || ++kept > MAILBOX_IDLE_MAX || now - m->unused_since_ms > MAILBOX_IDLE_MS)
            mailbox_free(m);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

struct account *mailbox_account(const struct mailbox *m)
{
    return m->account;
}

int64_t mailbox_folder_pk(const struct mailbox *m)
{
    return m->folder_pk;
}

bool mailbox_gone(const struct mailbox *m)
{
    return m->gone;
}

size_t mailbox_count(const struct mailbox *m)
{
    return m->count;
}

const struct message *mailbox_at(const struct mailbox *m, size_t i)
{
    return &m->messages[i];
}

const struct message *mailbox_find(const struct mailbox *m, uint32_t uid)
{
    size_t i = mailbox_lower_bound(m, uid);
    return i < m->count && m->messages[i].uid == uid ? &m->messages[i] : NULL;
}

void mailbox_get_counts(const struct mailbox *m, struct mailbox_status *ret)
{
    struct mailbox_status s = {.messages = (uint32_t)m->count,
                               .uidnext = m->uidnext,
                               .uidvalidity = m->uidvalidity,
                               .highestmodseq = m->modseq};
    for (size_t i = 0; i < m->count; i++) {
        const struct message *msg = &m->messages[i];
        s.unseen += !(msg->flags & ITEM_SEEN);
        s.deleted += (msg->flags & ITEM_DELETED) != 0;
        s.recent += msg->uid >= m->recent_from;
        s.size += msg->size;
        s.deleted_size += msg->flags & ITEM_DELETED ? msg->size : 0;
    }
    *ret = s;
}

const struct str *mailbox_keywords(const struct mailbox *m, const struct message *msg, size_t *ret_count)
{
    return keyword_sets_get(m->keywords, msg->keyword_set, ret_count);
}

const struct str *mailbox_all_keywords(const struct mailbox *m, size_t *ret_count)
{
    return keyword_sets_all(m->keywords, ret_count);
}

struct str mailbox_email_id(const struct mailbox *m, const struct message *msg, struct arena *arena)
{
    return arena_printf(arena, "M%s-%llx", store_epoch(m->account->store), (unsigned long long)msg->pk);
}

struct str mailbox_mailbox_id(const struct mailbox *m, struct arena *arena)
{
    return arena_printf(arena, "F%s-%llx", store_epoch(m->account->store), (unsigned long long)m->folder_pk);
}

struct str folder_mailbox_id(const struct account *a, const struct folder *f, struct arena *arena)
{
    return arena_printf(arena, "F%s-%llx", store_epoch(a->store), (unsigned long long)f->pk);
}

bool mailbox_vanished_since(const struct mailbox *m, uint64_t modseq, struct arena *arena, uint32_t **ret_uids,
                            size_t *ret_count, bool *ret_complete, struct err *err)
{
    return store_expunged(m->account->store, m->folder_pk, modseq, arena, ret_uids, ret_count, ret_complete, err);
}

/* What the cache holds has an exact size, also where a crash came between the message and its size. */
static void settle_sizes(struct mailbox *m, const uint32_t *uids, size_t count)
{
    struct content_engine *e = m->account->content;
    uint64_t size;
    content_flush_sizes(e);
    for (size_t i = 0; i < count; i++) {
        const struct message *msg = mailbox_find(m, uids[i]);
        if (msg && !msg->size_exact && !msg->size_told && cache_message_size(m->account->cache, msg->pk, &size))
            content_size_known(e, m->folder_pk, msg->pk, size);
    }
    content_flush_sizes(e);
}

bool mailbox_tell_sizes(struct mailbox *m, const uint32_t *uids, size_t count, struct err *err)
{
    uint32_t *open = mem_array(count + 1, sizeof(*open));
    size_t n = 0;
    settle_sizes(m, uids, count);
    for (size_t i = 0; i < count; i++) {
        const struct message *msg = mailbox_find(m, uids[i]);
        if (msg && !msg->size_exact && !msg->size_told)
            open[n++] = uids[i];
    }
    bool ok = n == 0 || store_sizes_told(m->account->store, m->folder_pk, open, n, err);
    for (size_t i = 0; ok && i < n; i++)
        m->messages[mailbox_lower_bound(m, open[i])].size_told = true;
    mem_free(open);
    return ok;
}

void mailbox_size_known(struct mailbox *m, uint32_t uid, uint32_t size)
{
    size_t i = mailbox_lower_bound(m, uid);
    if (i >= m->count || m->messages[i].uid != uid || m->messages[i].size_told)
        return;
    m->messages[i].size = size;
    m->messages[i].size_exact = true;
}

struct list *mailbox_views(struct mailbox *m)
{
    return &m->views;
}

uint64_t mailbox_modseq(const struct mailbox *m)
{
    return m->modseq;
}

uint64_t mailbox_removals(const struct mailbox *m)
{
    return m->removals;
}
