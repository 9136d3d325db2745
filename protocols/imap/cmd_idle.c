/* SPDX-License-Identifier: Apache-2.0 */
/* IDLE (RFC 2177): news at once, until DONE. */
#include "protocols/imap/imap_session.h"

#define DONE_MAX 1024 /* bytes; longer is no DONE */

static void tell(struct imap_session *s)
{
    if (s->mailbox && mailbox_gone(s->mailbox)) {
        imap_bye(s, "The selected mailbox was deleted on the server.", "mailbox deleted");
        return;
    }
    if (s->view)
        imap_tell_news(s, true);
    client_flush(&s->client);
}

static void on_line(struct imap_session *s, struct str line)
{
    if (str_case_is(line, "DONE"))
        imap_finish(s, "OK", NULL, "IDLE completed.");
    else
        imap_finish_bad(s, "DONE was expected.");
}

void cmd_idle(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    s->work = (struct imap_work){.line = on_line, .change = tell};
    imap_expect_line(s, STR("idling"), DONE_MAX);
    if (s->mailbox)
        mailbox_poke(s->mailbox);
    tell(s);
}
