/* SPDX-License-Identifier: Apache-2.0 */
/* CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE, NAMESPACE, and the answers to what is not offered. */
#include "protocols/imap/imap_answers.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_write.h"

#define READING                                                                                                        \
    "SASL-IR LITERAL+ ENABLE ID IDLE NAMESPACE CHILDREN LIST-EXTENDED LIST-STATUS SPECIAL-USE UNSELECT ESEARCH "       \
    "SEARCHRES WITHIN SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS CONDSTORE QRESYNC "  \
    "STATUS=SIZE UTF8=ACCEPT BINARY PREVIEW SAVEDATE OBJECTID"

/* COMPRESS is left out on purpose: on loopback it costs and saves nothing. */
void imap_write_capabilities(const struct imap_session *s, struct buf *out)
{
    const struct account *a = s->client.account;
    if (s->state == IMAP_STATE_NOT_AUTHENTICATED) {
        buf_lit(out, "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ENABLE ID AUTH=PLAIN AUTH=LOGIN");
        return;
    }
    if (!account_can_write(a)) {
        buf_lit(out, "IMAP4rev1 " READING);
        return;
    }
    buf_lit(out, "IMAP4rev1 IMAP4rev2 " READING);
    buf_lit(out, " UIDPLUS MOVE CREATE-SPECIAL-USE");
    unsigned caps = account_caps(a);
    if (caps & CAP_QUOTA)
        buf_lit(out, " QUOTA QUOTA=RES-STORAGE");
    if (caps & (CAP_APPEND | CAP_APPEND_DRAFT))
        buf_lit(out, " MULTIAPPEND REPLACE");
    buf_lit(out, " APPENDLIMIT");
    if (caps & CAP_APPEND) /* else it is not the same for all mailboxes: RFC 7889 2 */
        buf_printf(out, "=%llu", (unsigned long long)imap_append_limit(a, NULL));
}

void cmd_capability(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    buf_lit(&s->client.out, "* CAPABILITY ");
    imap_write_capabilities(s, &s->client.out);
    buf_lit(&s->client.out, "\r\n");
    imap_finish_ok(s);
}

void cmd_noop(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    if (s->mailbox)
        mailbox_poke(s->mailbox);
    imap_finish_ok(s);
}

void cmd_check(struct imap_session *s, struct imap_command *c)
{
    cmd_noop(s, c);
}

void cmd_logout(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    imap_untagged(s, "BYE", NULL, "Logging out.");
    imap_write_line(&s->client.out, s->command->tag, "OK", NULL, "LOGOUT completed.");
    client_close(&s->client, "logout");
}

/* TLS is implicit or not there at all: nothing in the clear can be smuggled into a later TLS session. */
void cmd_starttls(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    imap_finish_bad(s, "STARTTLS is not offered: connect with TLS from the start.");
}

void cmd_id(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    buf_lit(&s->client.out, "* ID (\"name\" \"exbridge\" \"version\" ");
    imap_write_string(&s->client.out, str_from(imap_server_of(s)->opts.version), false);
    buf_lit(&s->client.out, ")\r\n");
    imap_finish_ok(s);
}

/* RFC 5161: what is unknown, on already, or no extension that wants enabling is left out of ENABLED. */
void cmd_enable(struct imap_session *s, struct imap_command *c)
{
    bool condstore = false, qresync = false, utf8 = false, rev2 = false;
    for (size_t i = 0; i < c->enable.n; i++) {
        condstore |= str_is(c->enable.items[i], "CONDSTORE");
        qresync |= str_is(c->enable.items[i], "QRESYNC");
        utf8 |= str_is(c->enable.items[i], "UTF8=ACCEPT");
        rev2 |= str_is(c->enable.items[i], "IMAP4REV2"); /* the parser makes them upper case */
    }
    /* RFC 6855 3: enabling it while a mailbox is selected may be refused; there is no reason to. */
    buf_lit(&s->client.out, "* ENABLED");
    if (condstore && !s->condstore)
        buf_lit(&s->client.out, " CONDSTORE");
    if (qresync && !s->qresync)
        buf_lit(&s->client.out, " QRESYNC");
    if (utf8 && !s->utf8_accept)
        buf_lit(&s->client.out, " UTF8=ACCEPT");
    if (rev2 && !s->rev2)
        buf_lit(&s->client.out, " IMAP4rev2");
    buf_lit(&s->client.out, "\r\n");
    if (condstore || qresync)
        imap_enable_condstore(s);
    s->qresync |= qresync;
    s->utf8_accept |= utf8;
    s->rev2 |= rev2;
    if (utf8 || rev2)
        imap_enable_utf8(s);
    imap_finish_ok(s);
}

void cmd_namespace(struct imap_session *s, struct imap_command *c)
{
    (void)c;
    buf_lit(&s->client.out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    imap_finish_ok(s);
}
