/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "protocols/imap/imap_write.h"

#define EXPECT(out, text)                                                                                              \
    do {                                                                                                               \
        assert_string_equal(buf_z(out), text);                                                                         \
        buf_reset(out);                                                                                                \
    } while (0)

static void test_strings(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    static const struct {
        const char *in, *astring, *string, *utf8;
    } rows[] = {
        {"", "\"\"", "\"\"", "\"\""},
        {"INBOX", "INBOX", "\"INBOX\"", "INBOX"},
        {"NIL", "\"NIL\"", "\"NIL\"", "\"NIL\""},
        {"a b", "\"a b\"", "\"a b\"", "\"a b\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""},
        {"a]b", "\"a]b\"", "\"a]b\"", "\"a]b\""},
        {"a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
        {"\xc3\xa4", "{2}\r\n\xc3\xa4", "{2}\r\n\xc3\xa4", "\"\xc3\xa4\""},
        {"\xff", "{1}\r\n\xff", "{1}\r\n\xff", "{1}\r\n\xff"},
        {"\x01", "{1}\r\n\x01", "{1}\r\n\x01", "{1}\r\n\x01"},
        {"$Forwarded", "$Forwarded", "\"$Forwarded\"", "$Forwarded"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        imap_write_astring(&out, str_from(rows[i].in), false);
        EXPECT(&out, rows[i].astring);
        imap_write_string(&out, str_from(rows[i].in), false);
        EXPECT(&out, rows[i].string);
        imap_write_astring(&out, str_from(rows[i].in), true);
        EXPECT(&out, rows[i].utf8);
    }
    imap_write_nstring(&out, STR_NULL, false);
    EXPECT(&out, "NIL");
    imap_write_literal_head(&out, 5000000000u, true);
    EXPECT(&out, "~{5000000000}\r\n");
    imap_write_literal(&out, STR("a\0b"));
    EXPECT(&out, "{3}\r\na\x80"
                 "b");
    imap_write_mailbox(&out, STR("Entw\xc3\xbcrfe"), false);
    EXPECT(&out, "Entw&APw-rfe");
    imap_write_mailbox(&out, STR("Entw\xc3\xbcrfe 2"), true);
    EXPECT(&out, "\"Entw\xc3\xbcrfe 2\"");
    buf_fill(&out, 'x', 0);
    struct buf longer = BUF_INIT(0);
    buf_fill(&longer, 'x', 1001);
    imap_write_string(&out, buf_view(&longer), false);
    assert_true(str_starts(buf_view(&out), STR("{1001}\r\nxxx")));
    buf_done(&longer);
    buf_done(&out);
}

static void test_flags(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    static const struct str keywords[] = {{"$label1", 7}, {"foo", 3}};
    imap_write_flags(&out, 0, false, (struct imap_strs){0});
    EXPECT(&out, "()");
    imap_write_flags(&out, ITEM_SEEN | ITEM_ANSWERED | ITEM_FORWARDED, true, (struct imap_strs){keywords, 2});
    EXPECT(&out, "(\\Answered \\Seen $Forwarded \\Recent $label1 foo)");
    imap_write_flags(&out, 0, false, (struct imap_strs){keywords, 1});
    EXPECT(&out, "($label1)");
    assert_int_equal(imap_flag_bit(STR("\\sEEN")), ITEM_SEEN);
    imap_write_flags(&out, imap_flag_bit(STR("$mdnsent")) | imap_flag_bit(STR("NONJUNK")), true,
                     (struct imap_strs){keywords, 1});
    EXPECT(&out, "($MDNSent NonJunk \\Recent $label1)");
    assert_int_equal(imap_flag_bit(STR("\\Recent")), 0);
    imap_write_internaldate(&out, 837596665, -420);
    EXPECT(&out, "\"17-Jul-1996 02:44:25 -0700\"");
    buf_done(&out);
}

static void test_untagged(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(0);
    struct imap_status_values v = {
        .messages = 3, .uidnext = 9, .uidvalidity = 7, .size = 5000000000u, .mailbox_id = STR("F1")};
    imap_write_status(&out, STR("A B"), false,
                      IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_SIZE |
                          IMAP_STATUS_MAILBOXID,
                      &v);
    EXPECT(&out, "* STATUS \"A B\" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 SIZE 5000000000 MAILBOXID (F1))\r\n");
    static const char *const attributes[] = {"HasNoChildren", "Sent"};
    imap_write_list(&out, "LIST", attributes, 2, STR("Gesendet"), false, 0);
    EXPECT(&out, "* LIST (\\HasNoChildren \\Sent) \"/\" Gesendet\r\n");
    v.deleted_size = 77;
    imap_write_status(&out, STR("x"), false, IMAP_STATUS_DELETED_STORAGE, &v);
    EXPECT(&out, "* STATUS x (DELETED-STORAGE 77)\r\n");
    imap_write_oldname(&out, STR("Caf\xc3\xa9"), STR("Cafe\xcc\x81"), true);
    EXPECT(&out, "* LIST () \"/\" \"Caf\xc3\xa9\" (\"OLDNAME\" (\"Cafe\xcc\x81\"))\r\n");
    imap_write_list(&out, "LIST", attributes, 0, STR("x"), false, IMAP_LIST_SUBSCRIBED);
    EXPECT(&out, "* LIST () \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
    static const uint32_t numbers[] = {2, 3, 4, 9}, sorted[] = {9, 2, 3, 1};
    imap_write_numbers(&out, "SEARCH", numbers, 4, 0);
    EXPECT(&out, "* SEARCH 2 3 4 9\r\n");
    imap_write_numbers(&out, "SEARCH", numbers, 0, 0);
    EXPECT(&out, "* SEARCH\r\n");
    imap_write_numbers(&out, "SEARCH", numbers, 2, 99);
    EXPECT(&out, "* SEARCH 2 3 (MODSEQ 99)\r\n");
    struct imap_esearch e = {.tag = STR("a1"), .uid = true, .returns = 0x1f, .numbers = numbers, .n = 4, .modseq = 12};
    imap_write_esearch(&out, &e);
    EXPECT(&out, "* ESEARCH (TAG \"a1\") UID MIN 2 MAX 9 ALL 2:4,9 COUNT 4 MODSEQ 12\r\n");
    e = (struct imap_esearch){.tag = STR("a1"), .returns = 0x1f};
    imap_write_esearch(&out, &e);
    EXPECT(&out, "* ESEARCH (TAG \"a1\") COUNT 0\r\n");
    e = (struct imap_esearch){.tag = STR("a1"), .returns = 7, .numbers = sorted, .n = 4, .sorted = true};
    imap_write_esearch(&out, &e);
    EXPECT(&out, "* ESEARCH (TAG \"a1\") MIN 9 MAX 1 ALL 9,2:3,1\r\n");
    imap_write_line(&out, STR("a1"), "NO", "CANNOT", "Not\r\n\xc3 here");
    EXPECT(&out, "a1 NO [CANNOT] Not??? here\r\n");
    imap_write_line(&out, STR_NULL, "OK", NULL, "Still here");
    EXPECT(&out, "* OK Still here\r\n");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings), cmocka_unit_test(test_flags),
                                       cmocka_unit_test(test_untagged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
