/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/local_passwords.h"
#include "tests/unit/temp_dir.h"

static void test_life(void **state)
{
    (void)state;
    char *dir = temp_dir_new();
    struct local_passwords all;
    struct buf one, two;
    struct err err;
    assert_true(local_passwords_load(dir, &all, &err));
    assert_int_equal(all.count, 0);
    assert_true(local_passwords_new(dir, "default", &one, &err));
    assert_true(local_passwords_new(dir, "phone", &two, &err));
    assert_int_equal(one.n, 29);
    assert_int_equal(strspn(buf_z(&one), "abcdefghijklmnopqrstuvwxyz234567-"), 29);
    assert_false(str_eq(buf_view(&one), buf_view(&two)));
    assert_true(local_passwords_load(dir, &all, &err));
    assert_int_equal(all.count, 2);
    assert_string_equal(all.list[1].label, "phone");
    assert_true(local_passwords_match(&all, buf_view(&one)) && local_passwords_match(&all, buf_view(&two)));
    struct buf dup;
    assert_false(local_passwords_new(dir, "phone", &dup, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_true(local_passwords_revoke(dir, "default", &err));
    assert_true(local_passwords_load(dir, &all, &err));
    assert_false(local_passwords_match(&all, buf_view(&one)));
    assert_true(local_passwords_match(&all, buf_view(&two)));
    assert_false(local_passwords_revoke(dir, "default", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    buf_wipe(&one);
    buf_wipe(&two);
    temp_dir_done(&dir);
}

static void test_how_people_type(void **state)
{
    (void)state;
    char *dir = temp_dir_new();
    struct local_passwords all;
    struct buf password;
    struct err err;
    assert_true(local_passwords_new(dir, "x", &password, &err));
    assert_true(local_passwords_load(dir, &all, &err));
    char typed[64] = "";
    size_t n = 0;
    for (size_t i = 0; i < password.n; i++) /* capitals, without dashes */
        if (password.p[i] != '-')
            typed[n++] = password.p[i] >= 'a' ? (char)(password.p[i] - 32) : password.p[i];
    assert_true(local_passwords_match(&all, str_of(typed, n)));
    for (size_t i = 0; i < n; i++) { /* every letter counts */
        char right = typed[i];
        typed[i] = right == 'A' ? 'B' : 'A';
        assert_false(local_passwords_match(&all, str_of(typed, n)));
        typed[i] = right;
    }
    assert_false(local_passwords_match(&all, str_of(typed, n - 1)));
    assert_false(local_passwords_match(&all, STR_NULL));
    char longer[1000];
    memset(longer, 'a', sizeof(longer));
    assert_false(local_passwords_match(&all, str_of(longer, sizeof(longer))));
    memset(longer, '-', sizeof(longer));
    assert_false(local_passwords_match(&all, str_of(longer, sizeof(longer))));
    buf_wipe(&password);
    temp_dir_done(&dir);
}

#define SALT "000102030405060708090a0b0c0d0e0f"
#define HASH SALT SALT
static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int count; /* -1: damaged */
    } table[] = {
        {"", 0},
        {"phone " SALT " " HASH " 2026-11-28T13:00:00Z\n", 1},
        {"a " SALT " " HASH " 2026-11-28T13:00:00Z\nb " SALT " " HASH " 2026-11-28T13:00:00Z\n", 2},
        {"phone " SALT " " HASH " 2026-11-28T13:00:00Z", -1},
        {"\n", -1},
        {"phone " SALT " " HASH "\n", -1},
        {"phone " SALT " " HASH " yesterday\n", -1},
        {"phone " HASH " " HASH " 2026-11-28T13:00:00Z\n", -1},
        {"phone " SALT " " SALT " 2026-11-28T13:00:00Z\n", -1},
        {"pho ne " SALT " " HASH " 2026-11-28T13:00:00Z\n", -1},
        {"ph\xc3\xb6ne " SALT " " HASH " 2026-11-28T13:00:00Z\n", -1},
        {" " SALT " " HASH " 2026-11-28T13:00:00Z\n", -1},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct local_passwords all;
        struct err err;
        bool ok = local_passwords_parse(str_from(table[i].text), &all, &err);
        if (ok != (table[i].count >= 0) || (ok && all.count != (size_t)table[i].count))
            fail_msg("%s", table[i].text);
    }
    struct local_passwords all;
    struct err err;
    const char *whole = table[1].text;
    for (size_t n = 1; n < strlen(whole); n++) /* cut anywhere: damaged */
        assert_false(local_passwords_parse(str_of(whole, n), &all, &err));
    struct buf many = BUF_INIT(0);
    for (int i = 0; i <= LOCAL_PASSWORDS_MAX; i++)
        buf_printf(&many, "l%d " SALT " " HASH " 2026-11-28T13:00:00Z\n", i);
    assert_false(local_passwords_parse(buf_view(&many), &all, &err));
    buf_done(&many);
}

static void test_trouble(void **state)
{
    (void)state;
    char *dir = temp_dir_new();
    struct local_passwords all;
    struct buf password, path = BUF_INIT(0);
    struct err err;
    static const char *const labels[] = {"", "a b", "a/b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        assert_false(local_passwords_new(dir, labels[i], &password, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
    buf_printf(&path, "%s/passwords", dir);
    assert_true(local_passwords_new(dir, "a", &password, &err));
    buf_wipe(&password);
    assert_int_equal(chmod(buf_z(&path), 0644), 0);
    assert_false(local_passwords_load(dir, &all, &err));
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_false(local_passwords_new(dir, "b", &password, &err));
    assert_int_equal(unlink(buf_z(&path)), 0);
    int fd = open(buf_z(&path), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "x\n", 2), 2);
    close(fd);
    assert_false(local_passwords_new(dir, "b", &password, &err));
    assert_non_null(strstr(err.text, "line 1 makes no sense"));
    buf_done(&path);
    temp_dir_done(&dir);
    assert_false(local_passwords_new("/nonexistent/x", "b", &password, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life), cmocka_unit_test(test_how_people_type),
                                       cmocka_unit_test(test_lines), cmocka_unit_test(test_trouble)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
