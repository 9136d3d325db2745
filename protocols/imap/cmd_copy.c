/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and MOVE (RFC 3501 6.4.7, RFC 6851), with COPYUID (RFC 4315 3). */
#include "bridge/change.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_change.h"
#include "protocols/imap/imap_session.h"

void imap_changing_add_uids(struct buf *out, const struct change_item *items, size_t count, bool target)
{
    uint32_t first = 0, last = 0;
    bool any = false;
    for (size_t i = 0; i <= count; i++) {
        bool end = i == count;
        if (!end && (items[i].err.code != ERR_NONE || items[i].new_uid == 0))
            continue;
        uint32_t n = end ? 0 : target ? items[i].new_uid : items[i].uid;
        if (!end && first && n == last + 1) {
            last = n;
            continue;
        }
        if (first) {
            if (any)
                buf_byte(out, ',');
            any = true;
            buf_u64(out, first);
            if (last != first) {
                buf_byte(out, ':');
                buf_u64(out, last);
            }
        }
        first = last = n;
    }
}

static struct str copyuid(struct imap_session *s, const struct change_result *r)
{
    struct buf b = {0};
    size_t known = 0;
    for (size_t i = 0; i < r->count; i++)
        known += r->items[i].err.code == ERR_NONE && r->items[i].new_uid;
    if (known == 0 || r->uidvalidity == 0)
        return STR_NULL;
    buf_lit(&b, "COPYUID ");
    buf_u64(&b, r->uidvalidity);
    buf_byte(&b, ' ');
    imap_changing_add_uids(&b, r->items, r->count, false);
    buf_byte(&b, ' ');
    imap_changing_add_uids(&b, r->items, r->count, true);
    struct str code = arena_str(&s->command->arena, buf_view(&b));
    buf_done(&b);
    return code;
}

static void on_changed(void *ud, const struct change_result *r)
{
    struct imap_session *s = ud;
    struct imap_changing *w = s->work.ud;
    bool move = s->command->verb == IMAP_MOVE;
    struct str code = copyuid(s, r);
    w->change = NULL;
    bool whole = r->err.code == ERR_NONE;
    for (size_t i = 0; i < r->count; i++)
        whole = whole && r->items[i].err.code == ERR_NONE;
    /* RFC 6851 4.3: before the EXPUNGEs, untagged; so too when only some could be copied. */
    if (code.n && (move || !whole))
        imap_untagged(s, "OK", code.p, "What went over.");
    imap_changing_finish(s, r, code.n && !move ? code.p : NULL, move ? "MOVE completed." : "COPY completed.");
}

static void start(struct imap_session *s, struct imap_command *c, bool move)
{
    size_t n;
    bool ok;
    if (move && s->read_only) {
        imap_finish(s, "NO", s->examined ? "READ-ONLY" : "CANNOT",
                    s->examined ? "The mailbox is open read-only." : IMAP_READ_ONLY_TEXT);
        return;
    }
    if (!account_can_write(s->client.account)) {
        imap_finish(s, "NO", "CANNOT", IMAP_READ_ONLY_TEXT);
        return;
    }
    if (!move && !(account_caps(s->client.account) & CAP_COPY)) {
        imap_finish(s, "NO", "CANNOT", "Exchange ActiveSync cannot copy messages; they can be moved.");
        return;
    }
    const struct folder *f = c->copy.mailbox.p ? account_folder_by_name(s->client.account, c->copy.mailbox) : NULL;
    if (!f || !f->selectable) {
        imap_finish(s, "NO", "TRYCREATE", "There is no such mailbox.");
        return;
    }
    uint32_t *uids = imap_changing_uids(s, &c->copy.set, c->uid, 0, &n, &ok);
    if (!ok)
        imap_finish_bad(s, "There is no message of that number.");
    else if (n == 0)
        imap_finish_ok(s);
    else if (move && f->pk == mailbox_folder_pk(s->mailbox))
        imap_finish(s, "NO", "CANNOT", "The messages are in that mailbox already.");
    else if (move)
        imap_changing_new(s)->change = change_move(s->mailbox, uids, n, f->pk, on_changed, s);
    else
        imap_changing_new(s)->change = change_copy(s->mailbox, uids, n, f->pk, on_changed, s);
}

void cmd_copy(struct imap_session *s, struct imap_command *c)
{
    start(s, c, false);
}

void cmd_move(struct imap_session *s, struct imap_command *c)
{
    start(s, c, true);
}
