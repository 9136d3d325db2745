/* SPDX-License-Identifier: Apache-2.0 */
/* Setup talks to the person: questions to stderr, answers from stdin, a terminal or not. */
#include <stdio.h>
#include <string.h>

#include "bridge/base/text.h"
#include "bridge/cli/setup.h"
#include "bridge/formats/idna.h"

void setup_say(const char *fmt, ...)
{
    struct buf text = BUF_INIT(0), clean = BUF_INIT(0);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    text_add_printable(&clean, buf_view(&text)); /* much of it comes from servers */
    buf_byte(&clean, '\n');
    fwrite(clean.p, 1, clean.n, stderr);
    buf_done(&text);
    buf_done(&clean);
}

bool setup_ask(struct setup *s, enum setup_question q, const char *question, const char *initial, const char **ret,
               struct err *err)
{
    struct buf answer;
    s->asked[q] = true;
    if (!cli_ask(question, initial, &answer, err))
        return false;
    *ret = arena_strdup(&s->arena, buf_view(&answer));
    buf_done(&answer);
    return true;
}

bool setup_ask_yes(struct setup *s, enum setup_question q, const char *question, bool initial, bool safe,
                   const char *flag, bool *ret_yes, struct err *err)
{
    if (s->yes && safe) {
        setup_say("%s yes (--yes)", question);
        *ret_yes = true;
        return true;
    }
    if (s->yes)
        return err_set(err, ERR_DENIED, "--yes does not answer this question: %s Say it with %s", question, flag);
    s->asked[q] = true;
    return cli_ask_yes(question, initial, ret_yes, err);
}

bool setup_ask_password(struct setup *s, const char *question, struct err *err)
{
    for (int i = 0; i < SETUP_TRIES_MAX; i++) {
        s->asked[SETUP_ASK_SECRET] = true;
        buf_wipe(&s->secret);
        if (!cli_ask_secret(question, &s->secret, err))
            return false;
        if (s->secret.n > 0 && text_utf8_valid(buf_view(&s->secret)))
            return true;
        setup_say(s->secret.n ? "That is not UTF-8: is the terminal set to another character set?"
                              : "Nothing was entered. ^C ends setup; nothing has been changed yet.");
    }
    return err_set(err, ERR_AUTH, "no password was entered");
}

/* --- the address --------------------------------------------------------------------------------------- */

static bool take_ascii(struct setup *s, bool ok, struct buf *ascii, const char **text)
{
    if (ok && strcmp(*text, buf_z(ascii)) != 0) {
        setup_say("%s: in the DNS that is %s", *text, buf_z(ascii));
        *text = arena_strdup(&s->arena, buf_view(ascii));
    }
    buf_done(ascii);
    return ok;
}

bool setup_read_url(struct setup *s, const char **url, struct err *err)
{
    struct buf ascii = BUF_INIT(AUTODISCOVER_URL_MAX);
    return take_ascii(s, idna_url(&ascii, str_from(*url), err), &ascii, url);
}

bool setup_check_address(struct setup *s, const char **email, struct err *err)
{
    struct str e = str_from(*email);
    struct buf ascii = BUF_INIT(AUTODISCOVER_URL_MAX);
    size_t at = str_find_byte(e, '@');
    if (at == (size_t)-1)
        return err_set(err, ERR_INVALID, "\"%.100s\" has no '@': an e-mail address looks like alice@example.com",
                       *email);
    if (at == 0 || strpbrk(*email, " \t<>\",") || str_find_byte(str_skip(e, at + 1), '@') != (size_t)-1)
        return err_set(err, ERR_INVALID, "\"%.100s\" is not an e-mail address like alice@example.com", *email);
    if (!take_ascii(s, idna_address(&ascii, e, err), &ascii, email))
        return false;
    if (!autodiscover_domain(str_from(*email)).n)
        return err_set(err, ERR_INVALID, "\"%.100s\": what follows the '@' is no domain like example.com", *email);
    return true;
}

bool setup_ask_address(struct setup *s, struct err *err)
{
    struct err problem;
    if (s->cli->arg_count) {
        s->v.email = s->cli->args[0];
        return setup_check_address(s, &s->v.email, err);
    }
    for (int i = 0; i < SETUP_TRIES_MAX; i++) {
        if (!setup_ask(s, SETUP_ASK_ADDRESS, "E-mail address", NULL, &s->v.email, err))
            return false;
        if (setup_check_address(s, &s->v.email, &problem))
            return true;
        setup_say("%s", problem.text);
    }
    *err = problem;
    return false;
}

/* --- hosts the user has said yes to ------------------------------------------------------------------------- */

bool setup_is_confirmed(const struct setup *s, const char *url)
{
    return autodiscover_trust(str_from(url), STR_NULL, s->confirmed, s->confirmed_count) == AUTODISCOVER_CONFIRMED;
}

void setup_confirm(struct setup *s, const char *url)
{
    struct autodiscover_url u;
    struct buf name = BUF_INIT(0);
    if (!autodiscover_url_read(str_from(url), &u) || setup_is_confirmed(s, url) ||
        s->confirmed_count == SETUP_CONFIRMED_MAX)
        return;
    autodiscover_authority(&u, &name);
    s->confirmed[s->confirmed_count++] = arena_strdup(&s->arena, buf_view(&name));
    buf_done(&name);
}
