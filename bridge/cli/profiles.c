/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cli/profiles.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/mem.h"
#include "bridge/ini.h"

/* From version 147 on new profiles are made below $XDG_CONFIG_HOME; the old places stay in use where they are there.
 * The flatpak of Thunderbird has had three names. */
#define FLATPAK ".var/app/"
static const struct {
    const char *program, *below_home, *below_config;
} places[] = {
    {"Thunderbird", ".thunderbird", NULL},
    {"Thunderbird", NULL, "thunderbird"},
    {"Thunderbird", "snap/thunderbird/common/.thunderbird", NULL},
    {"Thunderbird", FLATPAK "org.mozilla.thunderbird/.thunderbird", NULL},
    {"Thunderbird", FLATPAK "org.mozilla.thunderbird/config/thunderbird", NULL},
    {"Thunderbird", FLATPAK "net.thunderbird.Thunderbird/.thunderbird", NULL},
    {"Thunderbird", FLATPAK "net.thunderbird.Thunderbird/config/thunderbird", NULL},
    {"Thunderbird", FLATPAK "org.mozilla.Thunderbird/.thunderbird", NULL},
    {"Firefox", ".mozilla/firefox", NULL},
    {"Firefox", NULL, "mozilla/firefox"},
    {"Firefox", "snap/firefox/common/.mozilla/firefox", NULL},
    {"Firefox", FLATPAK "org.mozilla.firefox/.mozilla/firefox", NULL},
    {"Firefox", FLATPAK "org.mozilla.firefox/config/mozilla/firefox", NULL},
};

static bool exists(const char *dir, const char *name)
{
    struct buf path = BUF_INIT(0);
    struct stat st;
    buf_printf(&path, "%s/%s", dir, name);
    bool there = lstat(buf_z(&path), &st) == 0;
    buf_done(&path);
    return there;
}

/* The program leaves a symbolic link "ADDRESS:+PID" while it runs. */
static bool is_in_use(const char *dir)
{
    struct buf path = BUF_INIT(0);
    char target[256];
    buf_printf(&path, "%s/lock", dir);
    ssize_t n = readlink(buf_z(&path), target, sizeof(target) - 1);
    buf_done(&path);
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *plus = strrchr(target, '+');
    long pid = plus ? strtol(plus + 1, NULL, 10) : 0;
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

void profiles_add(struct profiles *p, const char *program, const char *dir)
{
    char *whole = realpath(dir, NULL);
    for (size_t i = 0; whole && i < p->count; i++) {
        if (strcmp(p->list[i].dir, whole) == 0) {
            free(whole);
            return;
        }
    }
    if (whole && p->count < PROFILES_MAX)
        p->list[p->count++] = (struct profile){mem_strdup(program), mem_strdup(whole), is_in_use(whole)};
    free(whole);
}

/* profiles.ini also knows profiles that lie elsewhere, and new ones that have no file yet. */
static void add_listed(struct profiles *p, const char *program, const char *top)
{
    struct buf path = BUF_INIT(0), text = BUF_INIT(INI_FILE_MAX);
    buf_printf(&path, "%s/profiles.ini", top);
    FILE *file = fopen(buf_z(&path), "re");
    char *room = file ? buf_room(&text, INI_FILE_MAX) : NULL;
    if (room)
        text.n = fread(room, 1, INI_FILE_MAX, file);
    if (file)
        fclose(file);
    struct str rest = buf_view(&text);
    struct ini_line line;
    unsigned number = 0;
    while (ini_next(&rest, &number, &line)) {
        if (line.kind != INI_KEY || !str_is(line.key, "Path"))
            continue;
        buf_reset(&path);
        if (line.value.n && line.value.p[0] != '/')
            buf_printf(&path, "%s/", top);
        buf_str(&path, line.value);
        profiles_add(p, program, buf_z(&path));
    }
    buf_done(&path);
    buf_done(&text);
}

static void add_seen(struct profiles *p, const char *program, const char *top)
{
    DIR *dir = opendir(top);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        struct buf path = BUF_INIT(0);
        buf_printf(&path, "%s/%s", top, entry->d_name);
        const char *z = buf_z(&path);
        if (entry->d_name[0] != '.' && (exists(z, "cert9.db") || exists(z, "prefs.js")))
            profiles_add(p, program, z);
        buf_done(&path);
    }
    if (dir)
        closedir(dir);
}

void profiles_find(const char *home, const char *only, struct profiles *ret)
{
    const char *xdg = getenv("XDG_CONFIG_HOME");
    bool own = xdg && xdg[0] == '/'; /* the XDG specification: a relative one is ignored */
    *ret = (struct profiles){0};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct buf top = BUF_INIT(0);
        if (places[i].below_home)
            buf_printf(&top, "%s/%s", home, places[i].below_home);
        else
            buf_printf(&top, "%s%s/%s", own ? xdg : home, own ? "" : "/.config", places[i].below_config);
        if (!only || strcasecmp(only, places[i].program) == 0) {
            add_listed(ret, places[i].program, buf_z(&top));
            add_seen(ret, places[i].program, buf_z(&top));
        }
        buf_done(&top);
    }
}

void profiles_done(struct profiles *p)
{
    for (size_t i = 0; i < p->count; i++) {
        mem_free(p->list[i].program);
        mem_free(p->list[i].dir);
    }
    p->count = 0;
}
