/* SPDX-License-Identifier: Apache-2.0 */
/* DNS questions and answers: tables, every cut of every answer, pointers that go in circles. */
#include "bridge/formats/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bridge/base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct arena arena;

/* --- building answers ---------------------------------------------------------------------------- */

#define ID 0x1234

static void put_u16(struct buf *b, unsigned v)
{
    buf_byte(b, (char)(v >> 8));
    buf_byte(b, (char)v);
}

static void put_name(struct buf *b, const char *z)
{
    struct str s = str_from(z), label;
    while (s.n && str_cut(&s, '.', &label)) {
        buf_byte(b, (char)label.n);
        buf_str(b, label);
    }
    buf_byte(b, 0);
}

static void put_head(struct buf *b, unsigned id, unsigned flags, unsigned records, const char *name, unsigned type)
{
    put_u16(b, id);
    put_u16(b, flags);
    put_u16(b, 1);
    put_u16(b, records);
    put_u16(b, 0);
    put_u16(b, 0);
    put_name(b, name);
    put_u16(b, type);
    put_u16(b, 1);
}

static void put_record_head(struct buf *b, unsigned type, unsigned size)
{
    put_u16(b, type);
    put_u16(b, 1);
    put_u16(b, 0);
    put_u16(b, 300);
    put_u16(b, size);
}

static void put_srv(struct buf *b, unsigned priority, unsigned weight, unsigned port, const char *target)
{
    put_u16(b, 0xc00c); /* the name of the question */
    put_record_head(b, DNS_SRV, (unsigned)(6 + (*target ? strlen(target) + 2 : 1)));
    put_u16(b, priority);
    put_u16(b, weight);
    put_u16(b, port);
    put_name(b, target);
}

#define SRV_NAME "_autodiscover._tcp.example.com"

/* --- reading --------------------------------------------------------------------------------------- */

static char *read_answer(struct str packet, const char *name, enum dns_type type)
{
    struct dns_answer a;
    struct err err = {0};
    struct buf out = BUF_INIT(0);
    if (!dns_read_answer(packet, ID, str_from(name), type, &arena, &a, &err))
        buf_printf(&out, "%s: %s", err_name(err.code), err.text);
    for (size_t i = 0; i < a.count; i++)
        buf_printf(&out, "%s%u %u %u '%s'", i ? ", " : "", a.records[i].priority, a.records[i].weight,
                   a.records[i].port, a.records[i].name);
    char *z = strdup(buf_z(&out));
    buf_done(&out);
    return z;
}

static void expect(const struct buf *packet, const char *name, enum dns_type type, const char *expected)
{
    char *got = read_answer(buf_view(packet), name, type);
    assert_string_equal(got, expected);
    free(got);
}

/* No beginning of an answer is an answer, and none reads beyond its end (a copy of its own: ASan sees it). */
static void expect_every_cut_refused(const struct buf *packet, const char *name, enum dns_type type)
{
    for (size_t n = 0; n < packet->n; n++) {
        struct dns_answer a;
        struct err err = {0};
        char *copy = malloc(n ? n : 1);
        memcpy(copy, packet->p, n);
        assert_false(dns_read_answer(str_of(copy, n), ID, str_from(name), type, &arena, &a, &err));
        assert_int_equal(err.code, ERR_PROTOCOL);
        assert_int_equal(a.count, 0);
        free(copy);
    }
}

static void test_srv(void **state)
{
    struct buf b = BUF_INIT(0);
    (void)state;
    put_head(&b, ID, 0x8180, 4, SRV_NAME, DNS_SRV);
    put_srv(&b, 10, 5, 443, "second.example.com");
    put_srv(&b, 5, 1, 443, "light.example.com");
    put_srv(&b, 5, 9, 8443, "heavy.example.com");
    put_srv(&b, 65535, 0, 0, "");
    expect(&b, SRV_NAME, DNS_SRV,
           "5 9 8443 'heavy.example.com', 5 1 443 'light.example.com', 10 5 443 'second.example.com', 65535 0 0 ''");
    expect(&b, "_AutoDiscover._tcp.EXAMPLE.com", DNS_SRV, /* case does not matter */
           "5 9 8443 'heavy.example.com', 5 1 443 'light.example.com', 10 5 443 'second.example.com', 65535 0 0 ''");
    expect_every_cut_refused(&b, SRV_NAME, DNS_SRV);
    buf_done(&b);
}

static void test_mx_through_alias(void **state)
{
    struct buf b = BUF_INIT(0);
    (void)state;
    put_head(&b, ID, 0x8180, 3, "example.com", DNS_MX);
    put_u16(&b, 0xc00c);
    put_record_head(&b, DNS_CNAME, 7);
    buf_add(&b, "\4mail\xc0\x0c", 7); /* mail.example.com */
    put_name(&b, "mail.example.com");
    put_record_head(&b, DNS_MX, 2 + 2 + 4);
    put_u16(&b, 10);
    buf_add(&b, "\3mx1\xc0\x0c", 6);
    put_name(&b, "elsewhere.example.org"); /* nobody asked for that */
    put_record_head(&b, DNS_MX, 2 + 5);
    put_u16(&b, 0);
    put_name(&b, "bad");
    expect(&b, "example.com", DNS_MX, "10 0 0 'mx1.example.com'");
    expect_every_cut_refused(&b, "example.com", DNS_MX);
    buf_done(&b);
}

static void test_cnames(void **state)
{
    struct buf b = BUF_INIT(0);
    (void)state;
    put_head(&b, ID, 0x8180, 2, "a.test", DNS_CNAME);
    put_name(&b, "a.test");
    put_record_head(&b, DNS_CNAME, 8);
    put_name(&b, "b.test");
    put_name(&b, "b.test");
    put_record_head(&b, DNS_CNAME, 8);
    put_name(&b, "c.test");
    expect(&b, "a.test", DNS_CNAME, "0 0 0 'b.test', 0 0 0 'c.test'");
    buf_done(&b);
}

static void test_refusals(void **state)
{
    static const struct {
        unsigned id, flags, type;
        const char *name, *expected;
    } rows[] = {
        {ID, 0x8183, DNS_SRV, SRV_NAME, "not-found: " SRV_NAME " does not exist in the DNS"},
        {ID, 0x8182, DNS_SRV, SRV_NAME, "offline: the name server cannot answer (code 2)"},
        {ID, 0x8185, DNS_SRV, SRV_NAME, "offline: the name server cannot answer (code 5)"},
        {ID, 0x8180, DNS_SRV, SRV_NAME, "not-found: the DNS has no such record for " SRV_NAME},
        {ID, 0x8380, DNS_SRV, SRV_NAME, "offline: the name server's answer did not fit"},
        {ID + 1, 0x8180, DNS_SRV, SRV_NAME, "protocol: not an answer to our DNS question"},
        {ID, 0x0180, DNS_SRV, SRV_NAME, "protocol: not an answer to our DNS question"},
        {ID, 0x8180, DNS_MX, SRV_NAME, "protocol: not an answer to our DNS question"},
        {ID, 0x8180, DNS_SRV, "_autodiscover._tcp.example.org", "protocol: not an answer to our DNS question"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b = BUF_INIT(0);
        put_head(&b, rows[i].id, rows[i].flags, 0, rows[i].name, rows[i].type);
        expect(&b, SRV_NAME, DNS_SRV, rows[i].expected);
        buf_done(&b);
    }
}

/* What a hostile server may send: pointers to themselves and forwards, names that are too long or no host names. */
static void test_hostile(void **state)
{
    static const struct {
        const char *rdata; /* after priority, weight, port; hexadecimal */
        const char *expected;
    } rows[] = {
        {"c042", "protocol: a DNS answer that is cut short or broken"}, /* to itself */
        {"c0ff", "protocol: a DNS answer that is cut short or broken"}, /* beyond the end */
        {"01", "protocol: a DNS answer that is cut short or broken"},
        {"40", "protocol: a DNS answer that is cut short or broken"}, /* a kind of label that does not exist */
        {"c0", "protocol: a DNS answer that is cut short or broken"},
        {"0461202f6200", "not-found: the DNS has no such record for " SRV_NAME}, /* "a /b" */
        {"03612e6200", "not-found: the DNS has no such record for " SRV_NAME},   /* a dot inside a label */
        {"0361006200", "not-found: the DNS has no such record for " SRV_NAME},   /* a NUL inside */
        {"016100", "1 2 443 'a'"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b = BUF_INIT(0), data = BUF_INIT(0);
        assert_true(text_hex_decode(&data, str_from(rows[i].rdata)));
        put_head(&b, ID, 0x8180, 1, SRV_NAME, DNS_SRV);
        put_u16(&b, 0xc00c);
        put_record_head(&b, DNS_SRV, (unsigned)(6 + data.n));
        put_u16(&b, 1);
        put_u16(&b, 2);
        put_u16(&b, 443);
        buf_str(&b, buf_view(&data));
        expect(&b, SRV_NAME, DNS_SRV, rows[i].expected);
        buf_done(&b);
        buf_done(&data);
    }
}

static void test_limits(void **state)
{
    struct buf b = BUF_INIT(0);
    struct dns_answer a;
    struct err err;
    (void)state;
    put_head(&b, ID, 0x8180, 200, SRV_NAME, DNS_SRV);
    for (unsigned i = 0; i < 200; i++)
        put_srv(&b, i, 0, 443, "x.example.com");
    assert_true(dns_read_answer(buf_view(&b), ID, STR(SRV_NAME), DNS_SRV, &arena, &a, &err));
    assert_int_equal(a.count, DNS_RECORDS_MAX);
    buf_done(&b);

    /* a chain of aliases that leads back to its beginning */
    put_head(&b, ID, 0x8180, 20, "a.test", DNS_MX);
    for (unsigned i = 0; i < 20; i++) {
        put_name(&b, i % 2 ? "b.test" : "a.test");
        put_record_head(&b, DNS_CNAME, 8);
        put_name(&b, i % 2 ? "a.test" : "b.test");
    }
    expect(&b, "a.test", DNS_MX, "protocol: a DNS answer that is cut short or broken");
    buf_done(&b);
}

/* --- the question -------------------------------------------------------------------------------- */

static void test_query(void **state)
{
    struct buf b = BUF_INIT(0), hex = BUF_INIT(0);
    (void)state;
    assert_true(dns_write_query(&b, 0xabcd, STR("_a._tcp.b.c"), DNS_SRV));
    text_hex_add(&hex, buf_view(&b));
    assert_string_equal(buf_z(&hex), "abcd01000001000000000001"
                                     "025f61045f7463700162016300"
                                     "00210001"
                                     "00002904d0000000000000");
    buf_done(&hex);
    buf_done(&b);
}

static void test_names(void **state)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        {"a", true},
        {"mail.example.com", true},
        {"_x._tcp.example.com", true},
        {"", false},
        {".", false},
        {"a.", false},
        {".a", false},
        {"a..b", false},
        {"a b", false},
        {"a/b", false},
        {"a:1", false},
        {"a@b", false},
        {"b\xc3\xbc.de", false},
        {"xn--b-xga.de", true},
        {"123456789012345678901234567890123456789012345678901234567890123.x", true},
        {"1234567890123456789012345678901234567890123456789012345678901234.x", false},
    };
    char longest[DNS_NAME_MAX + 3];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(dns_name_is_good(str_from(rows[i].name)), rows[i].good);
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = i % 2 ? '.' : 'x';
    assert_true(dns_name_is_good(str_of(longest, DNS_NAME_MAX)));
    assert_false(dns_name_is_good(str_of(longest, DNS_NAME_MAX + 2)));
}

static void test_servers(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", "127.0.0.1"},
        {"nameserver 192.0.2.1\n", "192.0.2.1"},
        {"# a comment\nsearch example.com\nnameserver\t192.0.2.1  # x\r\n  nameserver 2001:db8::1\n",
         "192.0.2.1 2001:db8::1"},
        {"nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n", "1.1.1.1 1.1.1.2 1.1.1.3"},
        {"nameserver\nnameserver dns.example.com\nnameservers 192.0.2.1\noptions nameserver 192.0.2.1", "127.0.0.1"},
        {"nameserver 00000000000000000000000000000000000000000000000000000000001", "127.0.0.1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dns_servers s;
        struct buf out = BUF_INIT(0);
        dns_read_servers(str_from(rows[i].text), &s);
        for (size_t k = 0; k < s.count; k++)
            buf_printf(&out, "%s%s", k ? " " : "", s.addresses[k]);
        assert_string_equal(buf_z(&out), rows[i].expected);
        buf_done(&out);
    }
}

static int forget(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_srv),     cmocka_unit_test(test_mx_through_alias),
        cmocka_unit_test(test_cnames),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_query),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_servers),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
