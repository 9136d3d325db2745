/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void expect(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(found, 1, sizeof(found) - 1, file);
    fclose(file);
    assert_int_equal(n, strlen(text));
    assert_string_equal(found, text);
}

static void replace(void **state)
{
    char dir[] = "/tmp/exbridge-test-XXXXXX", path[64], tmp[64];
    struct stat st;
    struct err err;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/file", dir);
    snprintf(tmp, sizeof(tmp), "%s/file.tmp", dir);
    umask(022);
    assert_true(file_replace(path, STR("one"), 0600, &err));
    expect(path, "one");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    FILE *left = fopen(tmp, "w"); /* by a crash */
    fputs("half of some", left);
    fclose(left);
    assert_true(file_replace(path, STR("two"), 0644, &err));
    expect(path, "two");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(access(tmp, F_OK), -1);
    assert_int_equal(mkdir(tmp, 0700), 0); /* in the way, and no file */
    assert_false(file_replace(path, STR("three"), 0600, &err));
    assert_int_equal(err.code, ERR_DISK);
    expect(path, "two");
    rmdir(tmp);
    unlink(path);
    rmdir(dir);
    assert_false(file_replace(path, STR("four"), 0600, &err)); /* no such directory */
    assert_int_equal(err.code, ERR_DISK);
    assert_false(file_sync_dir(dir));
}

/* A disk that takes no more. */
static void full(void **state)
{
    FILE *file = fopen("/dev/full", "w");
    (void)state;
    assert_non_null(file);
    assert_false(file_write(fileno(file), STR("x")));
    assert_true(file_write(fileno(file), STR_NULL));
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replace), cmocka_unit_test(full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
