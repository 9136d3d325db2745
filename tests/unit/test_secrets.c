/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/secrets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/test_loop.h"

struct fixture {
    struct loop *loop;
    char *top;
    char dir[200], path[220]; /* the store's; the usual PATH with the fake secret-tool before it */
    struct secrets *secrets;
    int changes;
    struct err err;
};

static void on_change(void *ud)
{
    struct fixture *f = ud;
    f->changes++;
}

static void reopen(struct fixture *f, enum secrets_kind kind)
{
    secrets_close(&f->secrets);
    f->secrets = secrets_open(
        f->loop, &(struct secrets_opts){
                     .dir = f->dir, .kind = kind, .ask_ms = 2000, .look_ms = 50, .on_change = on_change, .ud = f});
}

static int set_up(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    f->loop = loop_new();
    f->top = temp_dir_new();
    snprintf(f->dir, sizeof(f->dir), "%s/secrets", f->top);
    snprintf(f->path, sizeof(f->path), "%s/bin:/usr/bin:/bin", f->top);
    unsetenv("CREDENTIALS_DIRECTORY");
    reopen(f, SECRETS_FILE);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    secrets_close(&f->secrets);
    loop_free(f->loop);
    temp_dir_done(&f->top);
    setenv("PATH", "/usr/bin:/bin", 1);
    mem_free(f);
    return 0;
}

static void write_text(const char *dir, const char *name, const char *text, mode_t mode)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* A keyring of a few lines: keeps one secret in $TOP/ring; mode: "ok", "gone", "locked" or "silent" (and search tells
 * no secret then, as secret-tool's). */
static void fake_keyring(struct fixture *f, const char *mode)
{
    char dir[300], script[1000];
    snprintf(dir, sizeof(dir), "%s/bin", f->top);
    mkdir(dir, 0700);
    snprintf(script, sizeof(script),
             "#!/bin/sh\necho \"$*\" >> %s/calls\n"
             "[ $1 != search ] || echo '[/1]\nlabel = '\n"
             "case %s-$1 in ok-search) printf 'secret = '; cat %s/ring; echo '\ncreated = ';; gone-*) exit 1;; "
             "*-search) :;;\n"
             "locked-*) exit 1;; silent-*) exec sleep 60;; ok-store) cat > %s/ring;; ok-lookup) cat %s/ring;; esac\n",
             f->top, mode, f->top, f->top, f->top);
    write_text(dir, "secret-tool", script, 0700);
    setenv("PATH", f->path, 1);
}

static enum secrets_result put(struct fixture *f, const char *name, const char *value)
{
    return secrets_put(f->secrets, name, str_from(value), &f->err);
}

static void expect_get(struct fixture *f, const char *name, enum secrets_result expected, const char *value)
{
    struct buf out = BUF_INIT(0);
    enum secrets_result result = secrets_get(f->secrets, name, &out, &f->err);
    if (result != expected)
        fail_msg("%s: result %d instead of %d: %s", name, (int)result, (int)expected, f->err.text);
    assert_string_equal(buf_z(&out), value);
    buf_wipe(&out);
}

static void expect_text(struct fixture *f, enum err_code code, const char *part)
{
    assert_int_equal(f->err.code, code);
    if (!strstr(f->err.text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, f->err.text);
}

static char *file_of(struct fixture *f, const char *name)
{
    static char path[300];
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return path;
}

static void files(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    expect_get(f, "login-work", SECRETS_NONE, "");
    assert_int_equal(access(f->dir, F_OK), -1); /* nothing is made for a look */
    assert_int_equal(put(f, "login-work", "geheim"), SECRETS_OK);
    assert_int_equal(put(f, "login-home", "other"), SECRETS_OK);
    expect_get(f, "login-work", SECRETS_OK, "geheim");
    assert_int_equal(put(f, "login-work", "newer"), SECRETS_OK);
    reopen(f, SECRETS_FILE);
    expect_get(f, "login-work", SECRETS_OK, "newer");
    assert_int_equal(stat(file_of(f, "login-work.secret"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(file_of(f, "key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(access(file_of(f, "login-work.secret.tmp"), F_OK), -1);
    char command[400];
    snprintf(command, sizeof(command), "grep -rq newer %s", f->dir);
    assert_int_not_equal(system(command), 0); /* sealed */
    secrets_remove(f->secrets, "login-work");
    expect_get(f, "login-work", SECRETS_NONE, "");
    assert_true(secrets_exists(f->secrets, "login-home"));
    assert_false(secrets_exists(f->secrets, "login-work"));
}

/* What is damaged, swapped or sealed with another key is refused, kept, and can be written anew. */
static void refused(void **state)
{
    struct fixture *f = *state;
    char from[300];
    put(f, "a", "secret of a");
    put(f, "b", "secret of b");
    snprintf(from, sizeof(from), "%s", file_of(f, "a.secret"));
    assert_int_equal(rename(from, file_of(f, "b.secret")), 0);
    expect_get(f, "b", SECRETS_FAILED, "");
    expect_text(f, ERR_INVALID, "it is kept");
    assert_true(secrets_exists(f->secrets, "b"));
    write_text(f->dir, "c.secret", "exbridge-secret-1\nrubbish", 0600);
    expect_get(f, "c", SECRETS_FAILED, "");
    write_text(f->dir, "c.secret", "", 0600);
    expect_get(f, "c", SECRETS_FAILED, "");
    assert_int_equal(put(f, "c", "good"), SECRETS_OK);
    expect_get(f, "c", SECRETS_OK, "good");
    chmod(file_of(f, "c.secret"), 0644);
    expect_get(f, "c", SECRETS_FAILED, "");
    expect_text(f, ERR_INVALID, "chmod 600");
    chmod(file_of(f, "c.secret"), 0600);
    write_text(f->dir, "key", "0123456789012345678901234567890123456789", 0600);
    reopen(f, SECRETS_FILE);
    expect_get(f, "c", SECRETS_FAILED, "");
    expect_text(f, ERR_INVALID, "another key");
    unlink(file_of(f, "key"));
    reopen(f, SECRETS_FILE);
    expect_get(f, "c", SECRETS_FAILED, "");
    expect_text(f, ERR_INVALID, "the key is not here");
    write_text(f->dir, "key", "short", 0600);
    assert_int_equal(put(f, "c", "x"), SECRETS_FAILED);
    expect_text(f, ERR_INVALID, "shorter");
}

static void disk_trouble(void **state)
{
    struct fixture *f = *state;
    put(f, "a", "old");
    write_text(f->dir, "a.secret.tmp", "half", 0600); /* a crash left it */
    assert_int_equal(put(f, "a", "new"), SECRETS_OK);
    expect_get(f, "a", SECRETS_OK, "new");
    assert_int_equal(mkdir(file_of(f, "a.secret.tmp"), 0700), 0); /* cannot be removed as a file */
    assert_int_equal(put(f, "a", "newer"), SECRETS_FAILED);
    assert_int_equal(f->err.code, ERR_DISK);
    rmdir(file_of(f, "a.secret.tmp"));
    expect_get(f, "a", SECRETS_OK, "new");
}

static void credential(void **state)
{
    struct fixture *f = *state;
    write_text(f->top, "exbridge.key", "0123456789abcdef0123456789abcdef", 0440);
    setenv("CREDENTIALS_DIRECTORY", f->top, 1);
    assert_int_equal(put(f, "a", "sealed by systemd's key"), SECRETS_OK);
    assert_int_equal(access(file_of(f, "key"), F_OK), -1);
    reopen(f, SECRETS_FILE);
    expect_get(f, "a", SECRETS_OK, "sealed by systemd's key");
    unsetenv("CREDENTIALS_DIRECTORY");
    reopen(f, SECRETS_FILE);
    expect_get(f, "a", SECRETS_FAILED, "");
}

static void keyring(void **state)
{
    struct fixture *f = *state;
    fake_keyring(f, "ok");
    reopen(f, SECRETS_SERVICE);
    assert_int_equal(put(f, "a", "x"), SECRETS_WAIT);
    assert_int_equal(put(f, "a", "x"), SECRETS_WAIT); /* asked once */
    TURN_UNTIL(f->loop, f->changes == 1);
    assert_int_equal(put(f, "a", "x"), SECRETS_OK);
    assert_int_equal(access(file_of(f, "key"), F_OK), -1);
    reopen(f, SECRETS_SERVICE);
    expect_get(f, "none", SECRETS_NONE, ""); /* asks nobody */
    expect_get(f, "a", SECRETS_WAIT, "");
    TURN_UNTIL(f->loop, f->changes == 2);
    expect_get(f, "a", SECRETS_OK, "x");
    reopen(f, SECRETS_SERVICE);
    expect_get(f, "a", SECRETS_WAIT, "");
    secrets_close(&f->secrets); /* in the middle */
}

/* A key file moves into the keyring, and what it sealed stays good. */
static void moving(void **state)
{
    struct fixture *f = *state;
    put(f, "a", "x");
    fake_keyring(f, "ok");
    reopen(f, SECRETS_SERVICE);
    expect_get(f, "a", SECRETS_WAIT, "");
    TURN_UNTIL(f->loop, f->changes == 1);
    expect_get(f, "a", SECRETS_OK, "x");
    assert_int_equal(access(file_of(f, "key"), F_OK), -1);
}

static void keyring_trouble(void **state)
{
    struct fixture *f = *state;
    fake_keyring(f, "ok");
    reopen(f, SECRETS_SERVICE);
    put(f, "a", "x");
    TURN_UNTIL(f->loop, f->changes == 1);
    put(f, "a", "x");
    fake_keyring(f, "locked");
    reopen(f, SECRETS_SERVICE);
    expect_get(f, "a", SECRETS_WAIT, "");
    TURN_UNTIL(f->loop, f->changes == 2);
    expect_get(f, "a", SECRETS_FAILED, "");
    expect_text(f, ERR_OFFLINE, "unlocked");
    expect_get(f, "a", SECRETS_FAILED, ""); /* not asked again at once */
    fake_keyring(f, "ok");
    secrets_retry(f->secrets);
    expect_get(f, "a", SECRETS_WAIT, "");
    TURN_UNTIL(f->loop, f->changes == 3);
    expect_get(f, "a", SECRETS_OK, "x");
    fake_keyring(f, "silent");
    reopen(f, SECRETS_SERVICE);
    expect_get(f, "a", SECRETS_WAIT, "");
    TURN_UNTIL(f->loop, f->changes == 4);
    expect_get(f, "a", SECRETS_FAILED, "");
    expect_text(f, ERR_OFFLINE, "does not answer");
    secrets_retry(f->secrets);
    assert_true(secrets_exists(f->secrets, "a"));
    write_text(f->dir, "keyring-id", "../..", 0600);
    secrets_retry(f->secrets);
    expect_get(f, "a", SECRETS_FAILED, "");
    expect_text(f, ERR_INVALID, "damaged");
}

static int calls_of(struct fixture *f, const char *command)
{
    char line[400], path[300];
    int n = 0;
    snprintf(path, sizeof(path), "%s/calls", f->top);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        n += strncmp(line, command, strlen(command)) == 0;
    if (file)
        fclose(file);
    return n;
}

/* Who closed the keyring's question is asked once. Whoever unlocks it later need not tell us. */
static void unlocked_later(void **state)
{
    static const char *const modes[] = {"locked", "silent"};
    struct fixture *f = *state;
    fake_keyring(f, "ok");
    reopen(f, SECRETS_SERVICE);
    put(f, "a", "x");
    TURN_UNTIL(f->loop, f->changes == 1);
    put(f, "a", "x");
    for (size_t i = 0; i < 2; i++) {
        int before = calls_of(f, "search"), asked = calls_of(f, "lookup");
        fake_keyring(f, modes[i]);
        reopen(f, SECRETS_SERVICE);
        f->changes = 0;
        expect_get(f, "a", SECRETS_WAIT, "");
        TURN_UNTIL(f->loop, f->changes == 1);
        TURN_UNTIL(f->loop, calls_of(f, "search") >= before + 3);
        expect_get(f, "a", SECRETS_FAILED, "");
        expect_text(f, ERR_OFFLINE, "unlocked");
        assert_int_equal(calls_of(f, "lookup"), asked + 1);
        assert_int_equal(f->changes, 1);
        fake_keyring(f, "ok");
        TURN_UNTIL(f->loop, f->changes == 2);
        expect_get(f, "a", SECRETS_OK, "x");
        int over = calls_of(f, "search");
        TURN_FOR(f->loop, 200);
        assert_int_equal(calls_of(f, "search"), over);
        assert_int_equal(calls_of(f, "lookup"), asked + 1);
    }
    fake_keyring(f, "locked");
    reopen(f, SECRETS_SERVICE);
    expect_get(f, "a", SECRETS_WAIT, "");
    TURN_UNTIL(f->loop, f->changes == 3);
    int before = calls_of(f, "search");
    TURN_UNTIL(f->loop, calls_of(f, "search") > before);
    secrets_close(&f->secrets); /* in the middle */
}

static void no_secret_tool(void **state)
{
    struct fixture *f = *state;
    char bin[300];
    snprintf(bin, sizeof(bin), "%s/empty", f->top);
    mkdir(bin, 0700);
    setenv("PATH", bin, 1);
    reopen(f, SECRETS_SERVICE);
    assert_int_equal(put(f, "a", "x"), SECRETS_WAIT);
    TURN_UNTIL(f->loop, f->changes == 1);
    assert_int_equal(put(f, "a", "x"), SECRETS_FAILED);
    expect_text(f, ERR_OFFLINE, "libsecret-tools");
}

static void on_probed(void *ud, const struct err *err, struct str output)
{
    struct fixture *f = ud;
    (void)output;
    f->err = *err;
    f->changes++;
}

static void probe(void **state)
{
    struct fixture *f = *state;
    fake_keyring(f, "ok");
    secrets_probe_service(f->loop, on_probed, f);
    TURN_UNTIL(f->loop, f->changes == 1);
    assert_int_equal(f->err.code, ERR_NONE);
    fake_keyring(f, "gone");
    secrets_probe_service(f->loop, on_probed, f);
    TURN_UNTIL(f->loop, f->changes == 2);
    assert_int_not_equal(f->err.code, ERR_NONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(files),          TEST(refused), TEST(disk_trouble),    TEST(credential),
                                       TEST(keyring),        TEST(moving),  TEST(keyring_trouble), TEST(unlocked_later),
                                       TEST(no_secret_tool), TEST(probe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
