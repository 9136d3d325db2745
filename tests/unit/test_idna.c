/* SPDX-License-Identifier: Apache-2.0 */
/* Names beyond ASCII as the DNS has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/config.h"
#include "bridge/formats/idna.h"

typedef bool convert_fn(struct buf *out, struct str in, struct err *err);

static void check(convert_fn *convert, const char *in, const char *wanted)
{
    struct buf out = BUF_INIT(4096);
    struct err err = {0};
    bool ok = convert(&out, str_from(in), &err);
    if (!wanted && (ok || err.code != ERR_INVALID || !err.text[0]))
        fail_msg("%s became %s", in, buf_z(&out));
    if (wanted)
        assert_string_equal(ok ? buf_z(&out) : err.text, wanted);
    buf_done(&out);
}

static void hosts(void **state)
{
    (void)state;
    check(idna_host, "", "");
    check(idna_host, "mail.Example.com", "mail.Example.com");
    check(idna_host,
          "b\xc3\xbc"
          "cher.example",
          "xn--bcher-kva.example");
    check(idna_host,
          "B\xc3\x9c"
          "CHER.EXAMPLE",
          "xn--bcher-kva.example"); /* capitals */
    check(idna_host,
          "bu\xcc\x88"
          "cher.example",
          "xn--bcher-kva.example"); /* u and its two dots apart */
    check(idna_host,
          "stra\xc3\x9f"
          "e.example",
          "xn--strae-oqa.example"); /* not strasse (UTS 46 8) */
    check(idna_host, "\xe4\xbe\x8b\xe3\x80\x82\xe6\xb5\x8b\xe8\xaf\x95", "xn--fsq.xn--0zwm56d"); /* another full stop */
    check(idna_host, "xn--bcher-kva.example", "xn--bcher-kva.example");
    check(idna_host, "a\xff", NULL);
    check(idna_host, "-\xc3\xbc.example", NULL);
    check(idna_host, "\xc3\xbc..example", NULL);
    check(idna_host, "\xc3\xbc\xe2\x80\xae.example", NULL); /* a control that turns text round */
    struct buf text = BUF_INIT(4096);
    for (int i = 0; i < 600; i++)
        buf_lit(&text, "\xc3\xbc");
    check(idna_host, buf_z(&text), NULL);
    buf_done(&text);
}

static void parts(void **state)
{
    (void)state;
    check(idna_address,
          "alice@b\xc3\xbc"
          "cher.example",
          "alice@xn--bcher-kva.example");
    check(idna_address, "j\xc3\xbcrgen@example.com", "j\xc3\xbcrgen@example.com");
    check(idna_url,
          "https://mail.b\xc3\xbc"
          "cher.example:8443/EWS/\xc3\xbc",
          "https://mail.xn--bcher-kva.example:8443/EWS/\xc3\xbc");
    check(idna_url,
          "b\xc3\xbc"
          "cher.example",
          "xn--bcher-kva.example");
    check(idna_url, "https://[::1]/", "https://[::1]/");
}

static void in_the_configuration(void **state)
{
    struct buf problems = BUF_INIT(0);
    (void)state;
    struct config *c =
        config_parse(STR("[server]\nstate-dir = /s\ncache-dir = /c\n[account \"a\"]\nemail = a@b\nauth = basic\n"
                         "backend = ews\nhost = mail.b\xc3\xbc"
                         "cher.example\n"),
                     "x.conf", &problems);
    if (!c)
        fail_msg("%s", buf_z(&problems));
    assert_string_equal(c->accounts[0].url, "https://mail.xn--bcher-kva.example/EWS/Exchange.asmx");
    config_free(&c);
    buf_done(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(parts),
        cmocka_unit_test(in_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
