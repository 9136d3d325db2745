/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_STR_H
#define BRIDGE_BASE_STR_H
/*
 * Borrowed bytes: pointer and length, no NUL promised, any byte allowed. A str never owns what it points to; who hands
 * one out says how long it lives. {NULL, 0} is the empty (absent) string. ASCII-only case folding: locale has no say
 * here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(lit)   ((struct str){(lit), sizeof(lit) - 1}) /* from a string literal */
#define STR_NULL   ((struct str){NULL, 0})
#define STR_ARG(s) ((int)((s).n > 2000 ? 2000 : (s).n)), ((s).p ? (s).p : "") /* for "%.*s" */

static inline struct str str_from(const char *z)
{
    return (struct str){z, z ? strlen(z) : 0};
}
static inline struct str str_of(const void *p, size_t n)
{
    return (struct str){(const char *)p, n};
}
static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_is(struct str a, const char *z)
{
    return str_eq(a, str_from(z));
}
bool str_case_eq(struct str a, struct str b); /* ASCII only */
bool str_case_is(struct str a, const char *z);
/* Is it one of these? */
bool str_among(struct str s, const char *const *names, size_t count);
bool str_case_among(struct str s, const char *const *names, size_t count);
int str_cmp(struct str a, struct str b);      /* bytewise; for sorting */
int str_case_cmp(struct str a, struct str b); /* ASCII folded */
bool str_starts(struct str s, struct str prefix);
bool str_case_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first match, or (size_t)-1. */
size_t str_find(struct str hay, struct str needle);
size_t str_case_find(struct str hay, struct str needle);
size_t str_find_byte(struct str s, char c);
struct str str_sub(struct str s, size_t from, size_t n); /* clamped, never out of range */
struct str str_skip(struct str s, size_t n);             /* without the first n bytes, clamped */
struct str str_trim(struct str s);                       /* without SP TAB CR LF at both ends */
/* Take from *s up to the separator; *s becomes what follows it. False when *s is empty (NULL) already. The last piece
 * has no separator. Splitting "a,,b" by ',' gives "a", "", "b". */
bool str_cut(struct str *s, char sep, struct str *ret_piece);
/* Whole string is an unsigned decimal number without sign or blanks and fits. */
bool str_to_u64(struct str s, uint64_t *ret_n);
bool str_to_u32(struct str s, uint32_t *ret_n);
/* xmalloc'ed NUL-terminated copy; the caller frees. */
char *str_dup(struct str s);
/* How many letters have to be put in, taken out or changed to make one of the other: for "did you mean". Of words of
 * STR_DISTANCE_MAX bytes and more it is STR_DISTANCE_MAX. */
#define STR_DISTANCE_MAX 64
size_t str_distance(struct str a, struct str b);

#endif
