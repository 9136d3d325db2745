/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/mem.h"
#include "bridge/config_private.h"
#include "bridge/ini.h"

#define PROBLEMS_MAX 50
#define NAME_MAX_LEN 64

void config_problem(struct reading *r, unsigned line, const char *fmt, ...)
{
    if (++r->problem_count > PROBLEMS_MAX)
        return;
    struct err e;
    va_list ap;
    va_start(ap, fmt);
    err_vset(&e, ERR_INVALID, fmt, ap); /* cuts, and takes control characters out */
    va_end(ap);
    if (line)
        buf_printf(r->problems, "%s:%u: %s\n", r->config->path, line, e.text);
    else
        buf_printf(r->problems, "%s: %s\n", r->config->path, e.text);
}

unsigned config_key_line(const unsigned *key_lines, const char *keys, unsigned otherwise)
{
    struct str rest = str_from(keys), key;
    unsigned last = 0;
    while (str_cut(&rest, ' ', &key))
        for (size_t i = 0; key_lines && i < config_key_count; i++)
            if (key_lines[i] > last && str_is(key, config_keys[i].name))
                last = key_lines[i];
    return last ? last : otherwise;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool parse_scaled(struct str s, const char *letters, const uint64_t *scales, uint64_t *ret_n)
{
    uint64_t n, scale = 1;
    if (s.n > 1) {
        char last = s.p[s.n - 1];
        const char *at = last ? strchr(letters, last) : NULL;
        if (at) {
            scale = scales[at - letters];
            s.n--;
        }
    }
    return str_to_u64(s, &n) && !__builtin_mul_overflow(n, scale, ret_n);
}

static bool parse_number(const struct config_key *k, struct str s, uint64_t *ret_n)
{
    static const uint64_t powers[] = {1ull << 10, 1ull << 10, 1ull << 20, 1ull << 20, 1ull << 30, 1ull << 30};
    static const uint64_t times[] = {1, 60, 3600, 86400};
    if (k->kind == KIND_BYTES)
        return parse_scaled(s, "KkMmGg", powers, ret_n);
    if (k->kind == KIND_SECONDS)
        return parse_scaled(s, "smhd", times, ret_n);
    return str_to_u64(s, ret_n);
}

/* "basic, ntlm, kerberos" */
static const char *listed(struct arena *a, const char *const *names)
{
    struct buf b = BUF_INIT(0);
    for (size_t i = 0; !names[i] || names[i][0]; i++)
        if (names[i])
            buf_printf(&b, b.n ? ", %s" : "%s", names[i]);
    const char *text = arena_strdup(a, buf_view(&b));
    buf_done(&b);
    return text;
}

static const char *remark(struct str value)
{
    bool comment = str_find(value, STR(" #")) != (size_t)-1 || str_find(value, STR(" ;")) != (size_t)-1;
    return comment ? " (a comment stands on its own line)" : "";
}

static bool name_to_value(const char *const *names, struct str s, unsigned *ret_value)
{
    for (unsigned i = 0; !names[i] || names[i][0]; i++) {
        if (names[i] && str_is(s, names[i])) {
            *ret_value = i;
            return true;
        }
    }
    return false;
}

static void set_path(struct reading *r, const struct config_key *k, struct str s, unsigned line, const char **to)
{
    struct arena *a = &r->config->arena;
    const char *home = getenv("HOME");
    if (s.n > CONFIG_PATH_MAX)
        config_problem(r, line, "%s: a path of more than %d bytes", k->name, CONFIG_PATH_MAX);
    else if (str_starts(s, STR("~/")) && home)
        *to = arena_printf(a, "%s/%.*s", home, STR_ARG(str_skip(s, 2))).p;
    else if (s.n && s.p[0] == '/')
        *to = arena_strdup(a, s);
    else
        config_problem(r, line, "%s: a path is absolute, or begins with ~/%s", k->name, remark(s));
}

static void set_number(struct reading *r, const struct config_key *k, struct str s, unsigned line, uint64_t *to)
{
    static const char *const forms[] = {
        [KIND_NUMBER] = "a number", [KIND_BYTES] = "a size like 64K or 25M", [KIND_SECONDS] = "a time like 90s or 30m"};
    uint64_t n;
    if (!parse_number(k, s, &n))
        config_problem(r, line, "%s: not %s%s", k->name, forms[k->kind], remark(s));
    else if (n < k->min || n > k->max)
        config_problem(r, line, "%s: must be between %llu and %llu", k->name, (unsigned long long)k->min,
                       (unsigned long long)k->max);
    else
        *to = n;
}

static void set_value(struct reading *r, const struct config_key *k, struct str s, unsigned line, void *base)
{
    static const char *const yes_no[] = {"no", "yes", ""};
    void *to = (char *)base + k->offset;
    const char *const *names = k->kind == KIND_YES_NO && !k->names ? yes_no : k->names;
    unsigned value;
    switch (k->kind) {
    case KIND_TEXT:
        *(const char **)to = arena_strdup(&r->config->arena, s);
        break;
    case KIND_PATH:
    case KIND_FILE:
        set_path(r, k, s, line, to);
        break;
    case KIND_NAMES:
    case KIND_YES_NO:
        if (!name_to_value(names, s, &value))
            config_problem(r, line, "%s: must be one of: %s%s", k->name, listed(&r->config->arena, names), remark(s));
        else if (k->kind == KIND_NAMES)
            *(unsigned *)to = value;
        else
            *(bool *)to = value != 0;
        break;
    case KIND_NUMBER:
    case KIND_BYTES:
    case KIND_SECONDS:
        set_number(r, k, s, line, to);
        break;
    }
}

/* --- sections ----------------------------------------------------------------------------------- */

/* Where we are in the file. */
struct place {
    enum config_section section;
    bool skip; /* an unknown section: one problem is enough */
    struct config_login *login;
    struct config_account *account;
    unsigned server_line, limits_line;
    unsigned *lines; /* by key: where it was set in this section */
};

static void set_defaults(struct config *c)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *k = &config_keys[i];
        void *base = k->section == SECTION_SERVER ? (void *)&c->server : (void *)&c->limits;
        if ((k->section == SECTION_SERVER || k->section == SECTION_LIMITS) && k->max)
            *(uint64_t *)(void *)((char *)base + k->offset) = k->initial;
    }
    c->server.listen = "localhost";
    c->server.tls = true;
    c->server.log_level = LOG_LEVEL_INFO;
}

/* Section names become directory names, log fields and login names. */
static bool name_is_good(struct str name)
{
    if (name.n == 0 || name.n > NAME_MAX_LEN || name.p[0] == '.' || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@+", name.p[i]))
            return false;
    return true;
}

static void begin_account(struct reading *r, struct place *at, struct str name, unsigned line)
{
    struct config *c = r->config;
    for (size_t i = 0; i < c->account_count; i++)
        if (str_case_is(name, c->accounts[i].name))
            config_problem(r, line, "account \"%s\" was there before, in line %u", c->accounts[i].name,
                           c->accounts[i].line);
    if (c->account_count == CONFIG_ACCOUNTS_MAX) {
        config_problem(r, line, "more than %d accounts", CONFIG_ACCOUNTS_MAX);
        at->skip = true;
        return;
    }
    at->account = &c->accounts[c->account_count++];
    *at->account = (struct config_account){.name = arena_strdup(&c->arena, name), .line = line};
    at->account->prefetch = CONFIG_PREFETCH_RECENT;
    at->account->key_lines = at->lines;
    at->login = &at->account->own;
    at->login->name = at->account->name;
    at->login->line = line;
    at->login->key_lines = at->lines;
}

static void begin_login(struct reading *r, struct place *at, struct str name, unsigned line)
{
    struct config *c = r->config;
    for (size_t i = 0; i < c->login_count; i++)
        if (str_case_is(name, c->logins[i].name))
            config_problem(r, line, "login \"%s\" was there before, in line %u", c->logins[i].name, c->logins[i].line);
    if (c->login_count == CONFIG_ACCOUNTS_MAX) {
        config_problem(r, line, "more than %d logins", CONFIG_ACCOUNTS_MAX);
        at->skip = true;
        return;
    }
    at->login = &c->logins[c->login_count++];
    *at->login = (struct config_login){.name = arena_strdup(&c->arena, name), .line = line, .key_lines = at->lines};
}

static void begin_plain(struct reading *r, const struct ini_line *l, unsigned *before)
{
    if (l->name.n)
        config_problem(r, l->number, "[%.*s] has no name", STR_ARG(l->section));
    if (*before)
        config_problem(r, l->number, "[%.*s] was there before, in line %u", STR_ARG(l->section), *before);
    *before = l->number;
}

static void begin_section(struct reading *r, struct place *at, const struct ini_line *l)
{
    at->skip = false;
    at->account = NULL;
    at->login = NULL;
    at->lines = arena_array(&r->config->arena, config_key_count, sizeof(*at->lines));
    at->section = SECTION_NONE;
    for (enum config_section s = SECTION_SERVER; s <= SECTION_ACCOUNT; s++)
        if (str_is(l->section, config_section_name(s)))
            at->section = s;
    bool named = at->section == SECTION_LOGIN || at->section == SECTION_ACCOUNT;
    if (named && !name_is_good(l->name)) {
        config_problem(r, l->number, "a name is needed, as in [%s \"work\"]: letters, digits and . _ - @ +, up to %d",
                       config_section_name(at->section), NAME_MAX_LEN);
        at->skip = true;
        return;
    }
    switch (at->section) {
    case SECTION_NONE:
        config_problem(r, l->number,
                       "unknown section [%.40s]: there are [server], [limits], [login \"NAME\"] and [account "
                       "\"NAME\"]",
                       l->section.n < 40 ? arena_strdup(&r->config->arena, l->section) : "...");
        at->skip = true;
        break;
    case SECTION_SERVER:
        begin_plain(r, l, &at->server_line);
        r->config->server.key_lines = at->lines;
        break;
    case SECTION_LIMITS:
        begin_plain(r, l, &at->limits_line);
        break;
    case SECTION_LOGIN:
        begin_login(r, at, l->name, l->number);
        break;
    case SECTION_ACCOUNT:
        begin_account(r, at, l->name, l->number);
        break;
    }
}

static void *base_for(struct reading *r, const struct place *at, const struct config_key *k)
{
    if (k->section == SECTION_LOGIN)
        return at->login;
    if (k->section != at->section)
        return NULL;
    switch (k->section) {
    case SECTION_SERVER:
        return &r->config->server;
    case SECTION_LIMITS:
        return &r->config->limits;
    case SECTION_ACCOUNT:
        return at->account;
    case SECTION_LOGIN:
    case SECTION_NONE:
        break;
    }
    return NULL;
}

static void take_key(struct reading *r, struct place *at, const struct ini_line *l)
{
    if (at->skip)
        return;
    if (at->section == SECTION_NONE) {
        config_problem(r, l->number, "a key before the first section; [server] is missing, perhaps");
        at->skip = true;
        return;
    }
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *k = &config_keys[i];
        void *base = str_is(l->key, k->name) ? base_for(r, at, k) : NULL;
        if (!base)
            continue;
        if (at->lines[i])
            config_problem(r, l->number, "%s was set before, in line %u", k->name, at->lines[i]);
        else if (l->value.n == 0)
            config_problem(r, l->number, "%s: a value is missing", k->name);
        else
            set_value(r, k, l->value, l->number, base);
        at->lines[i] = l->number;
        return;
    }
    config_unknown_key(r, l->number, at->section, l->key);
}

/* --- the file ------------------------------------------------------------------------------------- */

/* *ret_problems: how many there are. */
static struct config *parse(struct str text, const char *path, struct buf *problems, unsigned *ret_problems)
{
    struct config *c = MEM_NEW(struct config);
    struct reading r = {.config = c, .problems = problems};
    struct place at = {.section = SECTION_NONE};
    struct ini_line line;
    unsigned number = 0;
    c->path = arena_strdup(&c->arena, str_from(path));
    c->logins = arena_array(&c->arena, CONFIG_ACCOUNTS_MAX, sizeof(*c->logins)); /* fixed: accounts point to them */
    c->accounts = arena_array(&c->arena, CONFIG_ACCOUNTS_MAX, sizeof(*c->accounts));
    set_defaults(c);
    if (text.n > INI_FILE_MAX) {
        config_problem(&r, 0, "larger than %zu bytes", INI_FILE_MAX);
        text.n = 0;
    }
    while (ini_next(&text, &number, &line)) {
        switch (line.kind) {
        case INI_BAD:
            config_problem(&r, line.number, "%.*s", STR_ARG(line.value));
            break;
        case INI_SECTION:
            begin_section(&r, &at, &line);
            break;
        case INI_KEY:
            take_key(&r, &at, &line);
            break;
        }
    }
    config_check(&r);
    if (r.problem_count > PROBLEMS_MAX)
        buf_printf(problems, "%s: and %u more\n", c->path, r.problem_count - PROBLEMS_MAX);
    *ret_problems = r.problem_count;
    return c;
}

struct config *config_parse(struct str text, const char *path, struct buf *problems)
{
    unsigned count;
    struct config *c = parse(text, path, problems, &count);
    if (count)
        config_free(&c);
    return c;
}

static bool read_all(int fd, struct buf *out)
{
    for (;;) {
        char *room = buf_room(out, 16384);
        ssize_t n = room ? read(fd, room, 16384) : 0;
        if (n < 0)
            return false;
        if (n == 0)
            return true;
        out->n += (size_t)n;
    }
}

static bool read_file(const char *path, struct buf *text, struct buf *problems)
{
    bool ok = false;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        buf_printf(problems, "%s: %s%s\n", path, strerror(errno), errno == ENOENT ? "; exbridge setup makes one" : "");
    else if (!S_ISREG(st.st_mode))
        buf_printf(problems, "%s: not a file\n", path);
    else if (st.st_uid != geteuid() && st.st_uid != 0)
        buf_printf(problems, "%s: belongs to somebody else (uid %u)\n", path, (unsigned)st.st_uid);
    else if (st.st_mode & 022)
        buf_printf(problems, "%s: others can write to it, and it names commands; run: chmod go-w %s\n", path, path);
    else if (!read_all(fd, text))
        buf_printf(problems, "%s: %s\n", path, strerror(errno));
    else
        ok = true;
    if (fd >= 0)
        close(fd);
    return ok;
}

#define TEXT_INIT BUF_INIT(INI_FILE_MAX + 2 * 16384)

struct config *config_load(const char *path, struct buf *problems)
{
    struct buf text = TEXT_INIT;
    struct config *c = read_file(path, &text, problems) ? config_parse(buf_view(&text), path, problems) : NULL;
    buf_done(&text);
    return c;
}

bool config_state_dir(const char *path, struct buf *out)
{
    struct buf text = TEXT_INIT, problems = BUF_INIT(0);
    struct config *c = NULL;
    unsigned count;
    if (read_file(path, &text, &problems))
        c = parse(buf_view(&text), path, &problems, &count);
    bool ok = c && c->server.state_dir;
    if (ok)
        buf_str(out, str_from(c->server.state_dir));
    config_free(&c);
    buf_done(&text);
    buf_done(&problems);
    return ok;
}

void config_free(struct config **config)
{
    struct config *c = *config;
    *config = NULL;
    if (!c)
        return;
    arena_done(&c->arena);
    mem_free(c);
}

static bool is_missing(const struct config *c, const struct config_key *k, const void *base, const unsigned *key_lines,
                       struct buf *problems)
{
    const char *path = *(const char *const *)(const void *)((const char *)base + k->offset);
    if (!path || access(path, R_OK) == 0)
        return false;
    buf_printf(problems, "%s:%u: %s: %s: %s\n", c->path, config_key_line(key_lines, k->name, 0), k->name, path,
               strerror(errno));
    return true;
}

static size_t missing_of_key(const struct config *c, const struct config_key *k, struct buf *problems)
{
    size_t count = 0;
    if (k->section == SECTION_SERVER)
        count += is_missing(c, k, &c->server, c->server.key_lines, problems);
    for (size_t i = 0; k->section == SECTION_LOGIN && i < c->login_count; i++)
        count += is_missing(c, k, &c->logins[i], c->logins[i].key_lines, problems);
    for (size_t i = 0; i < c->account_count; i++) {
        const struct config_account *a = &c->accounts[i];
        if (k->section == SECTION_LOGIN)
            count += is_missing(c, k, &a->own, a->key_lines, problems);
        else if (k->section == SECTION_ACCOUNT)
            count += is_missing(c, k, a, a->key_lines, problems);
    }
    return count;
}

size_t config_missing_files(const struct config *c, struct buf *problems)
{
    size_t count = 0;
    for (size_t i = 0; i < config_key_count; i++)
        if (config_keys[i].kind == KIND_FILE)
            count += missing_of_key(c, &config_keys[i], problems);
    return count;
}
