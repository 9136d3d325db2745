/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_IMAP_CHANGE_H
#define PROTOCOLS_IMAP_IMAP_CHANGE_H
/* What the commands that change something share (cmd_store.c, cmd_copy.c, cmd_append.c, cmd_folders.c). */
#include "bridge/change.h"
#include "protocols/imap/imap_session.h"

struct imap_changing {
    struct change *change;
    struct str folder; /* MOVE, COPY: for texts */
    void (*closing)(struct imap_session *s);
};
/* Puts itself into s->work: stop() detaches the change. */
struct imap_changing *imap_changing_new(struct imap_session *s);
void imap_changing_stop(struct imap_session *s);
/* UIDs of a set, of messages that have all these flags. *ret_ok false: a number beyond the end. */
uint32_t *imap_changing_uids(struct imap_session *s, const struct imap_seqset *set, bool uid, unsigned flags,
                             size_t *ret_count, bool *ret_ok);
/* UIDs in the order given, runs joined: for COPYUID, whose two sets correspond place by place, and APPENDUID. Those
 * without error and with a new UID: the new one (`target`), or the old. */
void imap_changing_add_uids(struct buf *out, const struct change_item *items, size_t count, bool target);
/* Tagged answer: OK, or NO for what went wrong first. */
void imap_changing_finish(struct imap_session *s, const struct change_result *r, const char *ok_code,
                          const char *ok_text);

#endif
