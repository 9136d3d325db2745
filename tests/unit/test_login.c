/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/login.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "tests/unit/test_loop.h"

struct fixture {
    struct loop *loop;
    struct login *login;
    char file[64];
};

struct asked {
    struct login_pass *pass;
    int told;
    struct err err;
    char secret[64];
};

static int set_up(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    f->loop = loop_new();
    snprintf(f->file, sizeof(f->file), "/tmp/exbridge-test-login-%d", (int)getpid());
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    login_free(&f->login);
    loop_free(f->loop);
    unlink(f->file);
    mem_free(f);
    return 0;
}

static void make(struct fixture *f, enum login_source source, const char *command_or_file, enum http_auth auth,
                 unsigned max)
{
    f->login = login_new(f->loop, &(struct login_opts){.name = "work",
                                                       .user = "alice",
                                                       .auth = auth,
                                                       .source = source,
                                                       .command_or_file = command_or_file,
                                                       .max_requests = max});
}

static void write_file(struct fixture *f, const char *text, mode_t mode)
{
    int fd = open(f->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void on_pass(void *ud, const struct err *err, const char *secret)
{
    struct asked *a = ud;
    a->told++;
    a->err = *err;
    snprintf(a->secret, sizeof(a->secret), "%s", secret ? secret : "(none)");
}

static void ask_with(struct fixture *f, struct asked *a, struct login_ask opts)
{
    *a = (struct asked){.told = 0};
    a->pass = login_ask(f->login, &opts, on_pass, a);
    assert_int_equal(a->told, 0);
}

static void ask(struct fixture *f, struct asked *a)
{
    ask_with(f, a, (struct login_ask){.patience_s = 1});
}

static void expect(struct fixture *f, struct asked *a, enum err_code code, const char *secret)
{
    TURN_UNTIL(f->loop, a->told);
    if (a->err.code != code)
        fail_msg("%s instead of %s: %s", err_name(a->err.code), err_name(code), a->err.text);
    if (secret)
        assert_string_equal(a->secret, secret);
}

static bool finish(struct asked *a, enum login_result result)
{
    bool again = login_result(a->pass, result);
    login_end(&a->pass);
    return again;
}

/* The command runs once; the first request is alone until its answer is known. */
static void single_flight(void **state)
{
    struct fixture *f = *state;
    char command[200];
    snprintf(command, sizeof(command), "echo x >> %s; printf 'geheim\\nsecond line\\n'", f->file);
    make(f, LOGIN_COMMAND, command, HTTP_AUTH_BASIC, 0);
    struct asked a[5];
    for (int i = 0; i < 5; i++)
        ask(f, &a[i]);
    expect(f, &a[0], ERR_NONE, "geheim");
    TURN_FOR(f->loop, 30);
    for (int i = 1; i < 5; i++)
        assert_int_equal(a[i].told, 0);
    assert_false(finish(&a[0], LOGIN_ACCEPTED));
    for (int i = 1; i < 5; i++)
        expect(f, &a[i], ERR_NONE, "geheim");
    for (int i = 1; i < 5; i++)
        finish(&a[i], LOGIN_ACCEPTED);
    struct stat st;
    assert_int_equal(stat(f->file, &st), 0);
    assert_int_equal(st.st_size, 2);
}

/* Twenty requests with a stale password: one refusal at the server, everybody else is told so. */
static void stale_password(void **state)
{
    struct fixture *f = *state;
    make(f, LOGIN_COMMAND, "echo old", HTTP_AUTH_NTLM, 0);
    struct asked a[20];
    for (int i = 0; i < 20; i++)
        ask(f, &a[i]);
    expect(f, &a[0], ERR_NONE, "old");
    assert_false(finish(&a[0], LOGIN_REFUSED));
    for (int i = 1; i < 20; i++) {
        expect(f, &a[i], ERR_AUTH, NULL);
        login_end(&a[i].pass);
    }
    ask(f, &a[0]);
    expect(f, &a[0], ERR_AUTH, NULL);
    login_end(&a[0].pass);
}

/* After a silence one request goes ahead: the password may have been changed meanwhile. */
static void stale_proof(void **state)
{
    struct fixture *f = *state;
    struct asked first, a[4], ping;
    write_file(f, "right\n", 0600);
    make(f, LOGIN_FILE, f->file, HTTP_AUTH_BASIC, 0);
    ask(f, &first);
    expect(f, &first, ERR_NONE, "right");
    finish(&first, LOGIN_ACCEPTED);
    ask(f, &a[0]);
    ask(f, &a[1]);
    expect(f, &a[0], ERR_NONE, "right"); /* fresh: side by side */
    expect(f, &a[1], ERR_NONE, "right");
    finish(&a[0], LOGIN_ACCEPTED);
    finish(&a[1], LOGIN_ACCEPTED);
    TURN_FOR(f->loop, LOGIN_FRESH_MS + 50);
    for (int i = 0; i < 4; i++)
        ask(f, &a[i]);
    ask_with(f, &ping, (struct login_ask){.parked = true, .late = true});
    expect(f, &a[0], ERR_NONE, "right");
    expect(f, &ping, ERR_NONE, "right"); /* nobody could wait for its answer */
    TURN_FOR(f->loop, 30);
    for (int i = 1; i < 4; i++)
        assert_int_equal(a[i].told, 0);
    login_end(&a[0].pass); /* the connection was lost: nothing was learnt, and again one goes ahead */
    expect(f, &a[1], ERR_NONE, "right");
    TURN_FOR(f->loop, 30);
    assert_int_equal(a[2].told + a[3].told, 0);
    finish(&a[1], LOGIN_UNANSWERED);
    expect(f, &a[2], ERR_NONE, "right");
    TURN_FOR(f->loop, 30);
    assert_int_equal(a[3].told, 0);
    finish(&a[2], LOGIN_ACCEPTED);
    expect(f, &a[3], ERR_NONE, "right");
    finish(&a[3], LOGIN_ACCEPTED);
    finish(&ping, LOGIN_ACCEPTED);
    TURN_FOR(f->loop, LOGIN_FRESH_MS + 50);
    for (int i = 0; i < 4; i++)
        ask(f, &a[i]);
    expect(f, &a[0], ERR_NONE, "right");
    assert_true(finish(&a[0], LOGIN_REFUSED)); /* read anew, one more try */
    expect(f, &a[1], ERR_NONE, "right");
    assert_false(finish(&a[1], LOGIN_REFUSED));
    for (int i = 2; i < 4; i++) {
        expect(f, &a[i], ERR_AUTH, NULL);
        login_end(&a[i].pass);
    }
}

/* A server that lets the one that went ahead wait for long: the others do not, one after the other; who asks later
 * does. */
static void silence(void **state)
{
    struct fixture *f = *state;
    struct asked a[4], ping, offered;
    make(f, LOGIN_COMMAND, "echo pw", HTTP_AUTH_BASIC, 0);
    for (int i = 0; i < 3; i++)
        ask(f, &a[i]);
    expect(f, &a[0], ERR_NONE, "pw");
    ask_with(f, &ping, (struct login_ask){.parked = true, .late = true});
    ask_with(f, &offered, (struct login_ask){.offered = STR("another")});
    TURN_FOR(f->loop, LOGIN_SILENCE_MS + 50);
    assert_int_equal(a[1].told + a[2].told + ping.told + offered.told, 0);
    assert_false(finish(&a[0], LOGIN_UNANSWERED));
    for (int i = 1; i < 3; i++) {
        expect(f, &a[i], ERR_OFFLINE, NULL);
        login_end(&a[i].pass);
    }
    expect(f, &ping, ERR_NONE, "pw");
    login_end(&ping.pass);
    expect(f, &offered, ERR_NONE, "another");
    login_end(&offered.pass);
    ask(f, &a[3]);
    expect(f, &a[3], ERR_NONE, "pw");
    finish(&a[3], LOGIN_ACCEPTED);
}

/* A parked request that goes ahead with a secret that nothing has proven yet: what was to be refused is refused at
 * once. When it was not, the others do not wait for the minutes that the server may hold it. */
static void late_goes_ahead(void **state)
{
    struct fixture *f = *state;
    struct asked ping, a[2];
    make(f, LOGIN_COMMAND, "echo pw", HTTP_AUTH_BASIC, 0);
    ask_with(f, &ping, (struct login_ask){.parked = true, .late = true});
    expect(f, &ping, ERR_NONE, "pw");
    for (int i = 0; i < 2; i++)
        ask(f, &a[i]);
    TURN_FOR(f->loop, 30);
    assert_int_equal(a[0].told + a[1].told, 0);
    expect(f, &a[0], ERR_NONE, "pw");
    TURN_FOR(f->loop, 30);
    assert_int_equal(a[1].told, 0); /* it went ahead in its stead */
    finish(&a[0], LOGIN_ACCEPTED);
    expect(f, &a[1], ERR_NONE, "pw");
    finish(&a[1], LOGIN_ACCEPTED);
    assert_true(finish(&ping, LOGIN_REFUSED)); /* after all: changed meanwhile, to be read anew */
    ask_with(f, &ping, (struct login_ask){.parked = true, .late = true});
    expect(f, &ping, ERR_NONE, "pw");
    ask(f, &a[0]);
    assert_false(finish(&ping, LOGIN_REFUSED)); /* at once: nobody else goes out with it */
    expect(f, &a[0], ERR_AUTH, NULL);
    login_end(&a[0].pass);
}

/* ... and it goes ahead only when nobody else wants to. */
static void late_gives_way(void **state)
{
    struct fixture *f = *state;
    struct asked ping, a;
    make(f, LOGIN_COMMAND, "echo pw", HTTP_AUTH_BASIC, 0);
    ask_with(f, &ping, (struct login_ask){.parked = true, .late = true});
    ask(f, &a);
    expect(f, &a, ERR_NONE, "pw");
    TURN_FOR(f->loop, 30);
    assert_int_equal(ping.told, 0);
    finish(&a, LOGIN_UNANSWERED);
    expect(f, &ping, ERR_NONE, "pw");
    login_end(&ping.pass);
}

/* A password in the vault, and the ways in which it may not come. */
struct fake_vault {
    enum login_stored result;
    char value[64];
};

static enum login_stored fake_get(void *ud, const char *record, struct buf *out, struct err *err)
{
    struct fake_vault *v = ud;
    assert_string_equal(record, "account-work");
    if (v->result == LOGIN_STORED_OK)
        buf_lit(out, v->value);
    if (v->result == LOGIN_STORED_FAILED)
        err_set(err, ERR_OFFLINE, "locked");
    return v->result;
}

static enum login_stored fake_put(void *ud, const char *record, struct str value, struct err *err)
{
    struct fake_vault *v = ud;
    (void)record;
    if (v->result == LOGIN_STORED_WAIT || v->result == LOGIN_STORED_FAILED)
        return fake_get(ud, "account-work", NULL, err);
    snprintf(v->value, sizeof(v->value), "%.*s", STR_ARG(value));
    v->result = LOGIN_STORED_OK;
    return LOGIN_STORED_OK;
}

static void stored(void **state)
{
    struct fixture *f = *state;
    struct fake_vault vault = {.result = LOGIN_STORED_WAIT};
    struct asked a;
    struct err err;
    f->login = login_new(f->loop, &(struct login_opts){.name = "work",
                                                       .user = "alice",
                                                       .auth = HTTP_AUTH_BASIC,
                                                       .source = LOGIN_STORED,
                                                       .vault = {&vault, fake_get, fake_put},
                                                       .record = "account-work"});
    ask(f, &a);
    TURN_FOR(f->loop, 30);
    assert_int_equal(a.told, 0); /* the keyring is being asked */
    assert_int_equal(login_store(f->login, STR("x"), &err), LOGIN_STORED_WAIT);
    vault.result = LOGIN_STORED_NONE;
    login_vault_changed(f->login);
    expect(f, &a, ERR_AUTH, NULL);
    assert_non_null(strstr(a.err.text, "run: exbridge login work"));
    login_end(&a.pass);
    vault.result = LOGIN_STORED_FAILED;
    login_vault_changed(f->login);
    ask(f, &a);
    expect(f, &a, ERR_OFFLINE, NULL);
    login_end(&a.pass);
    vault.result = LOGIN_STORED_NONE;
    assert_int_equal(login_store(f->login, STR("wrong"), &err), LOGIN_STORED_OK);
    ask(f, &a);
    expect(f, &a, ERR_NONE, "wrong");
    assert_int_equal(login_problem(f->login)->code, ERR_NONE);
    assert_false(finish(&a, LOGIN_REFUSED));
    assert_int_equal(login_problem(f->login)->code, ERR_AUTH);
    login_store(f->login, STR("wrong"), &err); /* again: known to be wrong */
    ask(f, &a);
    expect(f, &a, ERR_AUTH, NULL);
    login_end(&a.pass);
    login_forgive(f->login, STR("wrong"));
    login_store(f->login, STR("wrong"), &err); /* ... unless its owner insists */
    ask(f, &a);
    expect(f, &a, ERR_NONE, "wrong");
    finish(&a, LOGIN_ACCEPTED);
    assert_int_equal(login_problem(f->login)->code, ERR_NONE);
}

/* A refusal out of the blue: read again, tried once, then believed. */
static void proven_then_refused(void **state)
{
    struct fixture *f = *state;
    struct asked a, b, c;
    write_file(f, "one\n", 0600);
    make(f, LOGIN_FILE, f->file, HTTP_AUTH_BASIC, 0);
    ask(f, &a);
    expect(f, &a, ERR_NONE, "one");
    finish(&a, LOGIN_ACCEPTED);
    ask(f, &a);
    ask(f, &b);
    expect(f, &a, ERR_NONE, "one");
    expect(f, &b, ERR_NONE, "one");
    write_file(f, "two", 0600);
    assert_true(finish(&a, LOGIN_REFUSED));
    assert_true(finish(&b, LOGIN_REFUSED));
    ask(f, &a);
    ask(f, &b);
    expect(f, &a, ERR_NONE, "two");
    assert_int_equal(b.told, 0);
    finish(&a, LOGIN_ACCEPTED);
    expect(f, &b, ERR_NONE, "two");
    assert_true(finish(&b, LOGIN_REFUSED));
    ask(f, &c);
    expect(f, &c, ERR_NONE, "two"); /* the same again: a hiccup of the server's, perhaps */
    assert_false(finish(&c, LOGIN_REFUSED));
    ask(f, &c);
    expect(f, &c, ERR_AUTH, NULL);
    login_end(&c.pass);
}

/* What was answered to the secret of before says nothing of the next one, good or bad. */
static void late_acceptance(void **state)
{
    struct fixture *f = *state;
    struct asked a[4], fresh;
    write_file(f, "one\n", 0600);
    make(f, LOGIN_FILE, f->file, HTTP_AUTH_BASIC, 0);
    ask(f, &fresh);
    expect(f, &fresh, ERR_NONE, "one");
    finish(&fresh, LOGIN_ACCEPTED);
    for (int i = 0; i < 4; i++) {
        ask(f, &a[i]);
        expect(f, &a[i], ERR_NONE, "one");
    }
    assert_true(finish(&a[0], LOGIN_REFUSED));
    finish(&a[1], LOGIN_ACCEPTED);
    assert_true(finish(&a[2], LOGIN_REFUSED)); /* it is still to be read anew */
    ask(f, &fresh);
    expect(f, &fresh, ERR_NONE, "one");
    assert_false(finish(&fresh, LOGIN_REFUSED));
    assert_int_equal(login_problem(f->login)->code, ERR_AUTH);
    finish(&a[3], LOGIN_ACCEPTED);
    assert_int_equal(login_problem(f->login)->code, ERR_AUTH);
}

static void passthrough(void **state)
{
    struct fixture *f = *state;
    struct asked own, a, b;
    make(f, LOGIN_PASSTHROUGH, NULL, HTTP_AUTH_BASIC, 0);
    ask(f, &own);
    expect(f, &own, ERR_AUTH, NULL);
    login_end(&own.pass);
    ask_with(f, &a, (struct login_ask){.offered = STR("wrong1")});
    expect(f, &a, ERR_NONE, "wrong1");
    ask_with(f, &b, (struct login_ask){.offered = STR("right")});
    TURN_FOR(f->loop, 20);
    assert_int_equal(b.told, 0);
    assert_false(finish(&a, LOGIN_REFUSED));
    expect(f, &b, ERR_NONE, "right");
    finish(&b, LOGIN_ACCEPTED);
    ask(f, &own);
    expect(f, &own, ERR_NONE, "right");
    finish(&own, LOGIN_ACCEPTED);
    /* Known to be wrong: not sent again. */
    ask_with(f, &a, (struct login_ask){.offered = STR("wrong1")});
    expect(f, &a, ERR_AUTH, NULL);
    login_end(&a.pass);
    /* Three wrong ones in a row, then the guard closes; the accepted one goes on working. */
    for (int i = 0; i < LOGIN_REFUSALS_MAX; i++) {
        char text[16];
        snprintf(text, sizeof(text), "bad%d", i);
        ask_with(f, &a, (struct login_ask){.offered = str_from(text)});
        expect(f, &a, ERR_NONE, text);
        assert_false(finish(&a, LOGIN_REFUSED));
    }
    ask_with(f, &a, (struct login_ask){.offered = STR("another")});
    expect(f, &a, ERR_THROTTLED, NULL);
    assert_in_range(a.err.retry_after_s, 1, LOGIN_REFUSALS_S);
    login_end(&a.pass);
    ask(f, &own);
    expect(f, &own, ERR_NONE, "right");
    login_end(&own.pass);
    TURN_FOR(f->loop, LOGIN_FRESH_MS + 50); /* and later, too */
    ask(f, &own);
    expect(f, &own, ERR_NONE, "right");
    login_end(&own.pass);
    ask_with(f, &a, (struct login_ask){.offered = STR("another")});
    expect(f, &a, ERR_THROTTLED, NULL);
    login_end(&a.pass);
    login_reset(f->login);
    ask_with(f, &a, (struct login_ask){.offered = STR("another")});
    expect(f, &a, ERR_NONE, "another");
    login_end(&a.pass);
}

static void slots_and_cancel(void **state)
{
    struct fixture *f = *state;
    make(f, LOGIN_NO_SECRET, NULL, HTTP_AUTH_NEGOTIATE, 2);
    struct asked a[4], parked;
    for (int i = 0; i < 4; i++)
        ask(f, &a[i]);
    ask_with(f, &parked, (struct login_ask){.parked = true});
    expect(f, &parked, ERR_NONE, "(none)");
    expect(f, &a[1], ERR_NONE, "(none)");
    TURN_FOR(f->loop, 20);
    assert_int_equal(a[2].told + a[3].told, 0);
    login_end(&a[2].pass);
    assert_false(finish(&a[0], LOGIN_REFUSED));
    expect(f, &a[3], ERR_NONE, "(none)");
    assert_int_equal(a[2].told, 0);
    login_end(&a[1].pass);
    login_end(&a[3].pass);
    login_end(&parked.pass);
}

/* Whoever holds the trial and goes away without a result passes it on. */
static void trial_given_back(void **state)
{
    struct fixture *f = *state;
    struct asked a, b;
    make(f, LOGIN_COMMAND, "echo pw", HTTP_AUTH_BASIC, 0);
    ask(f, &a);
    ask(f, &b);
    expect(f, &a, ERR_NONE, "pw");
    assert_int_equal(b.told, 0);
    login_end(&a.pass);
    expect(f, &b, ERR_NONE, "pw");
    finish(&b, LOGIN_ACCEPTED);
}

static void back_off(void **state)
{
    struct fixture *f = *state;
    struct asked a, b;
    make(f, LOGIN_NO_SECRET, NULL, HTTP_AUTH_NEGOTIATE, 0);
    login_throttled(f->login, 1);
    assert_in_range(login_wait_ms(f->login), 1, 1000);
    ask_with(f, &a, (struct login_ask){.patience_s = 0});
    ask_with(f, &b, (struct login_ask){.patience_s = 5});
    expect(f, &a, ERR_THROTTLED, NULL);
    assert_int_equal(a.err.retry_after_s, 1);
    assert_int_equal(b.told, 0);
    expect(f, &b, ERR_NONE, "(none)");
    assert_int_equal(login_wait_ms(f->login), 0);
    login_end(&a.pass);
    login_end(&b.pass);
}

static void bad_sources(void **state)
{
    struct fixture *f = *state;
    struct asked a, b;
    static const struct {
        enum login_source source;
        const char *what;
        mode_t mode;
        enum err_code code;
    } table[] = {
        {LOGIN_COMMAND, "exit 3", 0, ERR_OFFLINE},
        {LOGIN_COMMAND, "/nonexistent/program", 0, ERR_OFFLINE},
        {LOGIN_COMMAND, "true", 0, ERR_AUTH},
        {LOGIN_COMMAND, "printf 'a\\000b\\n'", 0, ERR_AUTH},
        {LOGIN_COMMAND, "head -c 100000 /dev/zero", 0, ERR_OFFLINE},
        {LOGIN_FILE, NULL, 0644, ERR_INVALID},
        {LOGIN_FILE, "/tmp", 0, ERR_INVALID},
        {LOGIN_FILE, "/nonexistent", 0, ERR_OFFLINE},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].mode)
            write_file(f, "pw", table[i].mode);
        make(f, table[i].source, table[i].what ? table[i].what : f->file, HTTP_AUTH_BASIC, 0);
        ask(f, &a);
        ask(f, &b);
        expect(f, &a, table[i].code, NULL);
        expect(f, &b, table[i].code, NULL);
        login_end(&a.pass);
        login_end(&b.pass);
        login_free(&f->login);
    }
}

/* A command that hangs ends in time, and all who waited for it hear why; the next one who asks begins anew. */
static void hanging_command(void **state)
{
    struct fixture *f = *state;
    static const enum http_auth auths[] = {HTTP_AUTH_BASIC, HTTP_AUTH_BEARER};
    static const char *const keys[] = {"password-command", "token-command"};
    for (size_t i = 0; i < 2; i++) {
        struct asked a, b;
        char command[300], wanted[100];
        write_file(f, "", 0600);
        snprintf(command, sizeof(command), "sleep 600 & echo $! >%s; wait", f->file);
        f->login = login_new(f->loop, &(struct login_opts){.name = "work",
                                                           .user = "alice",
                                                           .auth = auths[i],
                                                           .source = LOGIN_COMMAND,
                                                           .command_or_file = command,
                                                           .command_ms = 700});
        ask(f, &a);
        ask(f, &b);
        expect(f, &a, ERR_OFFLINE, NULL);
        expect(f, &b, ERR_OFFLINE, NULL);
        snprintf(wanted, sizeof(wanted), "work: %s: the command took too long and was killed", keys[i]);
        assert_string_equal(a.err.text, wanted);
        assert_string_equal(b.err.text, wanted);
        login_end(&a.pass);
        login_end(&b.pass);
        FILE *file = fopen(f->file, "r");
        int pid = 0;
        assert_int_equal(fscanf(file, "%d", &pid), 1);
        fclose(file);
        TURN_UNTIL(f->loop, test_has_ended(pid)); /* its child as well */
        login_free(&f->login);
    }
}

/* An expired token is no failed password: the command is asked for a new one, and nothing is counted. */
static void tokens(void **state)
{
    struct fixture *f = *state;
    char command[200];
    struct asked a;
    snprintf(command, sizeof(command), "echo x >> %s; wc -l < %s", f->file, f->file);
    make(f, LOGIN_COMMAND, command, HTTP_AUTH_BEARER, 0);
    for (int i = 1; i <= 6; i++) {
        char token[8];
        snprintf(token, sizeof(token), "%d", i);
        ask(f, &a);
        expect(f, &a, ERR_NONE, token);
        finish(&a, LOGIN_ACCEPTED);
        ask(f, &a);
        expect(f, &a, ERR_NONE, token);
        assert_true(finish(&a, LOGIN_REFUSED));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(single_flight),   T(stale_password), T(stale_proof),      T(silence),
        T(late_goes_ahead), T(late_gives_way), T(stored),           T(proven_then_refused),
        T(late_acceptance), T(passthrough),    T(slots_and_cancel), T(trial_given_back),
        T(back_off),        T(bad_sources),    T(hanging_command),  T(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
