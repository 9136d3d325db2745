/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APPEND to the Sent folder of what was sent through us: the server files a copy of its own, at once or a little later,
 * and that one is the answer. While the message is still on its way the append waits with it. When the copy does not
 * come the client's is stored, and the server's is removed should it come later (sent_copy.h); a server that takes no
 * messages there (ActiveSync) has promised the copy with its answer to the sending, so the client is told OK without a
 * UID.
 */
#include "bridge/base/time.h"
#include "bridge/change_private.h"

/* Before each look at the Sent folder, in milliseconds: 20 seconds in all. */
static const unsigned pauses[] = {0, 300, 700, 1000, 2000, 3000, 3000, 5000, 5000};
#define LOOKS (sizeof(pauses) / sizeof(pauses[0]))

static void look(struct change *c);

static struct append_message *at_hand(const struct change *c)
{
    return &c->appending->messages[c->appending->at];
}

static void go_on(struct change *c)
{
    timer_free(&c->timer);
    append_next(c);
}

static void give_up(struct change *c)
{
    struct append_message *m = at_hand(c);
    if (account_caps(c->account) & CAP_APPEND)
        m->merge = true;
    else
        m->fate = APPEND_KNOWN;
    go_on(c);
}

static void on_synced(void *ud, const struct err *err)
{
    struct change *c = ud;
    struct append_message *m = at_hand(c);
    struct store *store = c->account->store;
    struct sent_found found;
    struct err failed = {0};
    bool sent;
    c->wait = NULL;
    if (!store_sent_find(store, c->folder_pk, m->who.message_id_hash, 0, 0, &c->arena, &found, &failed) ||
        !store_journal_was_sent(store, m->who.message_id_hash, &sent, &failed)) {
        timer_free(&c->timer);
        append_not_known(c, &failed);
    } else if (found.uid) {
        m->uid = found.uid;
        m->fate = APPEND_KNOWN;
        change_refresh(c->account, c->folder_pk);
        go_on(c);
    } else if (!sent) {
        go_on(c); /* it was refused after all: an append like any other */
    } else if (err->code != ERR_NONE || ++c->appending->looks >= LOOKS) {
        give_up(c);
    } else {
        timer_start(c->timer, pauses[c->appending->looks]);
    }
}

static void on_pause(void *ud)
{
    look(ud);
}

static void look(struct change *c)
{
    c->wait = sync_wait(c->account->sync, c->folder_pk, on_synced, c);
    if (!c->wait)
        give_up(c);
}

void append_find_sent(struct change *c)
{
    c->appending->looks = 0;
    c->timer = timer_new(c->account->loop, on_pause, c);
    look(c);
}
