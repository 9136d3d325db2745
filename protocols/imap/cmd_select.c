/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT and EXAMINE (RFC 3501, 7162, 8474), UNSELECT, CLOSE. */
#include <stdio.h>

#include "bridge/change.h"
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

struct selecting {
    struct waiter *waiter;
    struct mailbox_open *op;
    bool resync;              /* QRESYNC: telling changes since args->modseq */
    struct imap_seqset known; /* resolved; only with has_known_uids */
    uint32_t seq;             /* next to look at */
    size_t hint;
};

static void stop(struct imap_session *s)
{
    struct selecting *sel = s->work.ud;
    waiter_cancel(&sel->waiter);
    mailbox_open_cancel(&sel->op);
}

static void on_progress(void *ud, unsigned done, unsigned total)
{
    struct imap_session *s = ud;
    char text[100];
    if (total > 0)
        snprintf(text, sizeof(text), "Reading the list of messages from the server: %u of %u.", done, total);
    else
        snprintf(text, sizeof(text), "Reading the list of messages from the server: %u so far.", done);
    imap_untagged(s, "OK", NULL, text);
    client_flush(&s->client);
}

/* --- the answers ------------------------------------------------------------------------------ */

static uint32_t first_unseen(struct imap_session *s)
{
    size_t hint = 0;
    for (uint32_t seq = 1; seq <= view_count(s->view); seq++) {
        const struct message *m = imap_message_at(s, seq, &hint);
        if (m && !(m->flags & ITEM_SEEN))
            return seq;
    }
    return 0;
}

static void write_code(struct buf *out, const char *code, uint64_t value, const char *text)
{
    buf_lit(out, "* OK [");
    buf_lit(out, code);
    buf_byte(out, ' ');
    buf_u64(out, value);
    buf_lit(out, "] ");
    buf_lit(out, text);
    buf_lit(out, "\r\n");
}

/* What STORE can change for good (RFC 3501 7.1). */
static void write_permanent_flags(struct imap_session *s)
{
    struct buf *out = &s->client.out;
    if (s->read_only) {
        buf_lit(out, "* OK [PERMANENTFLAGS ()] No flag can be changed here.\r\n");
        return;
    }
    static const struct str any = {"\\*", 2};
    buf_lit(out, "* OK [PERMANENTFLAGS ");
    imap_write_flags(out, CHANGE_SETTABLE, false,
                     (struct imap_strs){&any, account_caps(s->client.account) & CAP_KEYWORDS ? 1 : 0});
    buf_lit(out, "] Flags can be changed.\r\n");
}

static void write_selected(struct imap_session *s)
{
    struct buf *out = &s->client.out;
    struct mailbox_status status;
    mailbox_get_counts(s->mailbox, &status);
    imap_write_all_flags(s);
    write_permanent_flags(s);
    imap_write_exists(s);
    const struct folder *f = account_folder_by_pk(s->client.account, mailbox_folder_pk(s->mailbox));
    if (s->rev2 && f) /* RFC 9051 6.3.2 */
        imap_write_folder(s, f, "LIST", false, 0);
    uint32_t unseen = status.unseen && !s->rev2 ? first_unseen(s) : 0;
    if (unseen)
        write_code(out, "UNSEEN", unseen, "First unseen.");
    write_code(out, "UIDVALIDITY", status.uidvalidity, "UIDs are valid.");
    write_code(out, "UIDNEXT", status.uidnext, "Predicted next UID.");
    write_code(out, "HIGHESTMODSEQ", status.highestmodseq, "Highest.");
    buf_lit(out, "* OK [MAILBOXID (");
    buf_str(out, mailbox_mailbox_id(s->mailbox, &s->command->arena));
    buf_lit(out, ")] Ok.\r\n");
}

/* RFC 7162 3.2.5.2: pairs of number and UID that the client has; the last pair that is still right says up to where
 * nothing has vanished. */
static uint32_t intact_up_to(struct imap_session *s, const struct imap_select *args)
{
    struct imap_seqset seqs, uids;
    struct imap_seqset_iter seq_it, uid_it;
    uint32_t seq, uid, intact = 0;
    if (!args->has_match)
        return 0;
    imap_seqset_resolve(&s->command->arena, &args->match_seqs, view_count(s->view), &seqs);
    imap_seqset_resolve(&s->command->arena, &args->match_uids, UINT32_MAX, &uids);
    imap_seqset_iter_init(&seq_it, &seqs);
    imap_seqset_iter_init(&uid_it, &uids);
    while (imap_seqset_iter_next(&seq_it, &seq) && imap_seqset_iter_next(&uid_it, &uid)) {
        if (seq > view_count(s->view) || view_uid(s->view, seq) != uid)
            break;
        intact = uid;
    }
    return intact;
}

static void finish(struct imap_session *s)
{
    bool examine = s->command->verb == IMAP_EXAMINE;
    imap_finish(s, "OK", s->read_only ? "READ-ONLY" : "READ-WRITE",
                examine ? "EXAMINE completed." : "SELECT completed.");
}

static void step_resync(struct imap_session *s)
{
    struct selecting *sel = s->work.ud;
    const struct imap_select *args = &s->command->select;
    for (; sel->seq <= view_count(s->view); sel->seq++) {
        if (!client_has_room(&s->client)) {
            client_yield(&s->client);
            return;
        }
        const struct message *m = imap_message_at(s, sel->seq, &sel->hint);
        if (m && m->modseq > args->modseq && (!args->has_known_uids || imap_seqset_has(&sel->known, m->uid)))
            imap_write_flag_news(s, sel->seq, m);
    }
    finish(s);
}

static void resync(struct imap_session *s, struct selecting *sel)
{
    const struct imap_select *args = &s->command->select;
    struct err err = {0};
    if (args->has_known_uids)
        imap_seqset_resolve(&s->command->arena, &args->known_uids, UINT32_MAX, &sel->known);
    if (!imap_write_vanished(s, args->has_known_uids ? &sel->known : NULL, args->modseq, intact_up_to(s, args), &err)) {
        imap_unselect(s);
        imap_finish_err(s, &err);
        return;
    }
    sel->seq = 1;
    s->work.step = step_resync;
    step_resync(s);
}

static void on_open(void *ud, struct mailbox *mailbox, const struct err *err)
{
    struct imap_session *s = ud;
    struct selecting *sel = s->work.ud;
    struct imap_command *c = s->command;
    struct mailbox_status status;
    sel->op = NULL;
    if (err && err->code != ERR_NONE) {
        imap_finish_err(s, err);
        return;
    }
    imap_select(s, mailbox, c->verb == IMAP_EXAMINE);
    s->condstore |= c->select.condstore || c->select.qresync;
    write_selected(s);
    mailbox_get_counts(mailbox, &status);
    if (c->select.qresync && c->select.uidvalidity == status.uidvalidity)
        resync(s, sel);
    else
        finish(s);
}

/* --- the road there --------------------------------------------------------------------------- */

static void on_folders(void *ud, const struct err *err)
{
    static const struct mailbox_open_events events = {on_progress, on_open};
    struct imap_session *s = ud;
    struct selecting *sel = s->work.ud;
    sel->waiter = NULL;
    if (err && err->code != ERR_NONE) {
        imap_finish_err(s, err);
        return;
    }
    const struct folder *f = account_folder_by_name(s->client.account, s->command->select.mailbox);
    if (!f)
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
    else if (!f->selectable)
        imap_finish(s, "NO", "CANNOT", "This mailbox only holds other mailboxes.");
    else
        sel->op = mailbox_open(s->client.account, f->pk, &events, s);
}

void cmd_select(struct imap_session *s, struct imap_command *c)
{
    if (c->select.qresync && !s->qresync) { /* RFC 7162 3.2.5 */
        imap_finish_bad(s, "ENABLE QRESYNC has to come first.");
        return;
    }
    if (s->view) {
        imap_unselect(s);
        imap_untagged(s, "OK", "CLOSED", "The mailbox before is closed."); /* RFC 7162 3.2.11, RFC 9051 7.1 */
    }
    if (!c->select.mailbox.p) {
        imap_finish(s, "NO", "NONEXISTENT", "There is no such mailbox.");
        return;
    }
    struct selecting *sel = ARENA_NEW(&c->arena, struct selecting);
    s->work = (struct imap_work){.stop = stop, .ud = sel};
    sel->waiter = account_wait_folders(s->client.account, on_folders, s);
}

void cmd_examine(struct imap_session *s, struct imap_command *c)
{
    cmd_select(s, c);
}

void cmd_unselect(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    imap_unselect(s);
    imap_finish_ok(s);
}

/* Nothing can have been marked \Deleted through a read-only mailbox, so nothing is expunged (RFC 3501 6.4.2). */
static void close_done(struct imap_session *s)
{
    cmd_unselect(s, s->command);
}

/* RFC 3501 6.4.2: CLOSE expunges, without telling. */
void cmd_close(struct imap_session *s, struct imap_command *c)
{
    if (!imap_close_expunge(s, close_done))
        cmd_unselect(s, c);
}
