/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which command does what. To add one: its name and arguments in the table of smtp_parse.c, its behaviour here, a line
 * in EHLO's answer when it is an extension, dialogues in tests/smtp/.
 */
#include "protocols/smtp/smtp_session.h"

typedef void command_fn(struct smtp_session *s, const struct smtp_command *c);

static const struct smtp_reply ok = {250, "2.0.0", "Done."};

/* What the server takes; as long as nobody knows, what we are configured to carry. Most clients ask before they sign
 * in, and only then: what any of the accounts may send. */
uint64_t smtp_size_limit(const struct smtp_session *s)
{
    uint64_t own = smtp_server_of(s)->limits.message, most = 0;
    const struct accounts *all = servers_accounts(s->client.all);
    size_t count = s->client.account ? 1 : accounts_count(all);
    for (size_t i = 0; i < count; i++) {
        const struct account *a = s->client.account ? s->client.account : accounts_at(all, i);
        uint64_t servers = submit_size_limit(a);
        if (servers == 0 || servers > own)
            servers = own;
        if (servers > most)
            most = servers;
    }
    return most ? most : own;
}

static void hello(struct smtp_session *s)
{
    smtp_mail_reset(s);
    s->said_hello = true;
}

static void cmd_ehlo(struct smtp_session *s, const struct smtp_command *c)
{
    (void)c;
    hello(s);
    buf_printf(&s->client.out,
               "250-localhost\r\n"
               "250-AUTH PLAIN LOGIN\r\n"
               "250-SIZE %llu\r\n"
               "250-8BITMIME\r\n"
               "250-SMTPUTF8\r\n"
               "250-PIPELINING\r\n"
               "250-CHUNKING\r\n"
               "250 ENHANCEDSTATUSCODES\r\n",
               (unsigned long long)smtp_size_limit(s));
}

static void cmd_helo(struct smtp_session *s, const struct smtp_command *c)
{
    (void)c;
    hello(s);
    smtp_say(s, 250, NULL, "localhost");
}

/* The envelope's sender goes no further: Exchange sends as what the message's From says, and refuses (550) who may not.
 * So an alias or a shared mailbox works without being configured here. */
static void cmd_mail(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply twice = {503, "5.5.1", "The sender was given already."},
                                   utf8 = {550, "5.6.7", "This address needs SMTPUTF8."},
                                   fine = {250, "2.1.0", "Sender taken."};
    if (s->mail.begun) {
        smtp_answer_bad(s, &twice);
    } else if (c->address_utf8 && !c->utf8) {
        smtp_answer(s, &utf8);
    } else if (c->has_size && c->size > smtp_size_limit(s)) {
        smtp_answer_err(s, &(struct err){.code = ERR_TOO_BIG, .text = "announced with MAIL"});
    } else {
        s->mail.begun = true;
        s->mail.utf8 = c->utf8;
        s->mail.sender = arena_str(&s->mail.arena, c->address);
        smtp_answer(s, &fine);
    }
}

static void cmd_rcpt(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply early = {503, "5.5.1", "MAIL comes first."},
                                   chunk = {503, "5.5.1", "The message has begun already."},
                                   utf8 = {553, "5.6.7", "This address needs SMTPUTF8."},
                                   many = {452, "4.5.3", "Too many recipients."},
                                   fine = {250, "2.1.5", "Recipient taken."};
    if (!s->mail.begun)
        smtp_answer_bad(s, &early);
    else if (s->mail.chunked)
        smtp_answer_bad(s, &chunk);
    else if (c->address_utf8 && !s->mail.utf8)
        smtp_answer(s, &utf8);
    else if (s->mail.recipient_n >= smtp_server_of(s)->limits.recipients)
        smtp_answer(s, &many);
    else {
        smtp_mail_add(s, c->address);
        smtp_answer(s, &fine);
    }
}

static void cmd_rset(struct smtp_session *s, const struct smtp_command *c)
{
    (void)c;
    smtp_mail_reset(s);
    smtp_answer(s, &ok);
}

static void cmd_noop(struct smtp_session *s, const struct smtp_command *c)
{
    (void)c;
    smtp_answer(s, &ok);
}

static void cmd_quit(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply bye = {221, "2.0.0", "Goodbye."};
    (void)c;
    smtp_end_with(s, &bye, "QUIT");
}

static void cmd_vrfy(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply maybe = {252, "2.0.0", "Nobody is looked up here; send, and Exchange will tell."};
    (void)c;
    smtp_answer(s, &maybe);
}

static void cmd_expn(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply no = {502, "5.5.1", "Lists are not expanded here."};
    (void)c;
    smtp_answer_bad(s, &no);
}

static void cmd_help(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply help = {214, "2.0.0",
                                           "This is exbridge: sign in, then MAIL, RCPT, DATA (RFC 6409)."};
    (void)c;
    smtp_answer(s, &help);
}

static void cmd_starttls(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply no = {502, "5.5.1", "TLS begins with the connection here, or not at all."};
    (void)c;
    smtp_answer_bad(s, &no);
}

static const struct {
    command_fn *fn;
    bool signed_in; /* only then */
} commands[SMTP_VERB_MAX] = {
    [SMTP_EHLO] = {cmd_ehlo, false},     [SMTP_HELO] = {cmd_helo, false},         [SMTP_AUTH] = {smtp_cmd_auth, false},
    [SMTP_MAIL] = {cmd_mail, true},      [SMTP_RCPT] = {cmd_rcpt, true},          [SMTP_DATA] = {smtp_cmd_data, true},
    [SMTP_BDAT] = {smtp_cmd_bdat, true}, [SMTP_RSET] = {cmd_rset, false},         [SMTP_NOOP] = {cmd_noop, false},
    [SMTP_QUIT] = {cmd_quit, false},     [SMTP_VRFY] = {cmd_vrfy, false},         [SMTP_EXPN] = {cmd_expn, false},
    [SMTP_HELP] = {cmd_help, false},     [SMTP_STARTTLS] = {cmd_starttls, false},
};

void smtp_dispatch(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply sign_in = {530, "5.7.0", "Sign in first."};
    if (!commands[c->verb].signed_in || s->client.account)
        commands[c->verb].fn(s, c);
    else if (c->verb == SMTP_BDAT) /* the chunk of a stranger is not waited for */
        smtp_end_with(s, &sign_in, "BDAT before signing in");
    else
        smtp_answer(s, &sign_in);
}
