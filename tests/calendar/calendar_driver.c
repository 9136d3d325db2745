/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program makes of iCalendar objects, for the tests in this folder. One object a file:
 *
 *   calendar_driver read FILE...              "ok" or "refused NAME FAULT: text"
 *   calendar_driver write FILE...             the object as it would be stored, extras merged
 *   calendar_driver plain FILE...             the same without extras
 *   calendar_driver extras FILE...            what is kept beside the item
 *   calendar_driver walk [FROM TO FILE]...    "START END SUMMARY" of each occurrence in UTC, or dates
 *
 * Each answer ends with a line of one dot. --zone NAME and --me ADDRESS before the command set the account's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "bridge/formats/ical.h"
#include "bridge/formats/timezone.h"

static struct ical_options options = {.zone = {"Europe/Berlin", 13}};
static struct str me;
static int64_t walk_from, walk_to;

static bool read_file(const char *path, struct buf *out)
{
    char block[65536];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return false;
    }
    while ((n = fread(block, 1, sizeof(block), f)))
        buf_add(out, block, n);
    fclose(f);
    return !out->failed;
}

static const char *fault_name(enum ical_fault f)
{
    static const char *const names[] = {"valid-calendar-data",
                                        "valid-calendar-object-resource",
                                        "supported-calendar-component",
                                        "max-resource-size",
                                        "min-date-time",
                                        "max-date-time",
                                        "max-instances",
                                        "max-attendees-per-instance"};
    return names[f];
}

static void put_time(int64_t t, bool all_day)
{
    struct time_parts p;
    if (t == TIME_NONE) {
        printf("-");
        return;
    }
    time_to_parts(t, 0, &p);
    if (all_day)
        printf("%04d-%02d-%02d", p.year, p.month, p.day);
    else
        printf("%04d-%02d-%02dT%02d:%02d:%02dZ", p.year, p.month, p.day, p.hour, p.minute, p.second);
}

static bool print_occurrence(void *ud, const struct event_occurrence *o)
{
    const struct event *e = ud;
    const struct event_fields *f = o->changed ? &o->changed->fields : &e->fields;
    put_time(o->start, f->all_day);
    printf(" ");
    put_time(o->end, f->all_day);
    printf(" %.*s\n", STR_ARG(f->subject));
    return true;
}

static void answer(const char *command, struct str text)
{
    struct arena a = {0};
    struct event e;
    struct str extras;
    struct ical_problem problem;
    struct buf out = BUF_INIT(0);
    if (!ical_read(text, &options, &a, &e, &extras, &problem)) {
        printf("refused %s %s: %s\n", ical_reason_name(problem.reason), fault_name(ical_reason_fault(problem.reason)),
               problem.text);
    } else if (!strcmp(command, "read")) {
        printf("ok\n");
    } else if (!strcmp(command, "extras")) {
        printf("%.*s", (int)extras.n, extras.n ? extras.p : "");
    } else if (!strcmp(command, "walk")) {
        event_each(&e, walk_from, walk_to, options.zone, print_occurrence, &e);
    } else {
        ical_write(&out, &e, &options, !strcmp(command, "plain") ? STR_NULL : extras);
        printf("%s", buf_z(&out));
    }
    printf(".\n");
    buf_done(&out);
    arena_done(&a);
}

static int64_t instant(const char *iso)
{
    int64_t ms;
    return time_parse_iso(str_from(iso), &ms) ? ms / 1000 : 0;
}

int main(int argc, char **argv)
{
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (!strcmp(argv[i], "--zone"))
            options.zone = str_from(argv[i + 1]);
        else if (!strcmp(argv[i], "--me")) {
            me = str_from(argv[i + 1]);
            options.me = &me;
            options.me_count = 1;
        }
    }
    if (i + 1 >= argc)
        return 64;
    const char *command = argv[i++];
    for (; i < argc; i++) {
        struct buf text = BUF_INIT(0);
        if (!strcmp(command, "walk") && i + 2 < argc) {
            walk_from = instant(argv[i++]);
            walk_to = instant(argv[i++]);
        }
        if (!read_file(argv[i], &text))
            return 1;
        answer(command, buf_view(&text));
        buf_done(&text);
    }
    return 0;
}
