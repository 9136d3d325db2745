/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_ICAL_TREE_H
#define BRIDGE_FORMATS_ICAL_TREE_H
/*
 * iCalendar as text (RFC 5545 3.1 to 3.3): components, properties and parameters exactly as they stand in the object,
 * nothing interpreted, nothing lost; and the codecs of values. What it means is ical.h's business.
 *
 * A tree lives in an arena; names and values are views into the unfolded text, which is there, too. Order is kept.
 * Line ends may be CRLF or LF, blank lines are skipped, a byte order mark too. Input is bounded by the limits below and
 * must be UTF-8.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/str.h"

#define ICAL_TEXT_MAX       ((size_t)10 << 20) /* of one object; inline attachments are in it */
#define ICAL_DEPTH_MAX      8
#define ICAL_COMPONENTS_MAX 5000 /* master, overrides, alarms, zone observances, together */
#define ICAL_PROPERTIES_MAX 200000
#define ICAL_PARAMS_MAX     64 /* of one property */

struct ical_param {
    struct ical_param *next;
    struct str name;
    struct str value; /* as it stands, with quotes; several are one text: "a","b" */
};
struct ical_prop {
    struct ical_prop *next;
    struct str name;
    struct str value; /* raw: escaped text, base64, ... */
    struct ical_param *params;
    unsigned line; /* of the text, from 1 */
};
struct ical_comp {
    struct ical_comp *next, *parent;
    struct str name;
    struct ical_prop *props;
    struct ical_comp *comps;
    unsigned line;
    struct str text; /* BEGIN to END, as it stood (for VTIMEZONE) */
};

/* The one outermost component; false with a reason (static text) and its line. */
bool ical_parse(struct str text, struct arena *a, struct ical_comp **ret_root, const char **ret_why,
                unsigned *ret_line);

/* Names are compared without ASCII case. NULL: none. */
const struct ical_prop *ical_prop(const struct ical_comp *c, const char *name);
const struct ical_prop *ical_prop_next(const struct ical_prop *p, const char *name); /* the next one of that name */
const struct ical_comp *ical_comp(const struct ical_comp *c, const char *name);
/* The value without quotes and RFC 6868 escapes undone (in `a` where needed); empty when absent. */
struct str ical_param(struct arena *a, const struct ical_prop *p, const char *name);

/* --- values --------------------------------------------------------------------------------------------------------
 */

/* TEXT (3.3.11) back to plain: \n is LF. */
struct str ical_unescape(struct arena *a, struct str raw);
/* Next of a list "a,b\,c" (still escaped). False at the end. */
bool ical_list_next(struct str *rest, struct str *ret_item);
/* 20261123 (date), 20261123T140511 (local), ...Z (UTC). Seconds since 1970 of what is written. Strict. */
enum ical_when { ICAL_WHEN_DATE, ICAL_WHEN_LOCAL, ICAL_WHEN_UTC };
bool ical_when(struct str raw, int64_t *ret_seconds, enum ical_when *ret_kind);
/* P15DT5H0M20S, -PT15M, P7W. Days and seconds apart: a day is a day on the wall (3.3.6). */
bool ical_duration(struct str raw, int64_t *ret_days, int64_t *ret_seconds);

/* --- writing -------------------------------------------------------------------------------------------------------
 */

/*
 * One content line at a time, folded at 75 bytes without cutting a UTF-8 character, CRLF:
 *     ical_name(&w, "ATTENDEE"); ical_param_add(&w, "CN", name); ical_value(&w, address);
 * Control characters other than TAB cannot get out: they are left out of values (LF of text is "\n").
 */
struct ical_writer {
    struct buf *out;
    size_t column;
};
void ical_begin(struct ical_writer *w, const char *component);
void ical_end(struct ical_writer *w, const char *component);
void ical_name(struct ical_writer *w, const char *name);
void ical_param_add(struct ical_writer *w, const char *name, struct str value); /* quoted and RFC 6868 as needed */
void ical_param_raw(struct ical_writer *w, const struct ical_param *p);         /* as it was read */
void ical_value(struct ical_writer *w, struct str raw);                         /* ends the line */
void ical_text(struct ical_writer *w, struct str text);                         /* escaped; ends the line */
void ical_text_list(struct ical_writer *w, const struct str *items, size_t count);
void ical_when_add(struct ical_writer *w, int64_t seconds, enum ical_when kind); /* ends the line */
void ical_line(struct ical_writer *w, const struct ical_prop *p);                /* a property as it was read */
void ical_tree(struct ical_writer *w, const struct ical_comp *c);                /* a component as it was read */

#endif
