/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_ARGS_H
#define PROTOCOLS_IMAP_ARGS_H
/*
 * Inside the parser: a cursor over the bytes of one command, literals included, and the terminals of the grammar (RFC
 * 3501 9, RFC 9051 9). Every function takes what it is named after and moves on; false means failure, and the first
 * failure is kept, so parsers are written as one chain of &&.
 *
 * The bytes may end where a literal begins that has not been sent yet (`partial`): this is how a command is checked
 * before the client is asked for its literal. A parser that wants that literal fails with `wants_literal` and no error.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/str.h"
#include "bridge/formats/charset.h"
#include "protocols/imap/imap_command.h"
#include "protocols/imap/imap_parse.h"

struct imap_args {
    struct str rest; /* without the last line end */
    struct arena *arena;
    const struct imap_limits *limits;
    struct charset_cache *charsets;
    bool utf8;
    bool partial;
    bool wants_literal;
    /* APPEND's message literal was reached: its head */
    bool at_message;
    unsigned depth;
    const char *response, *code, *text; /* the failure; text NULL = none */
    struct str mailbox_wire;            /* the last mailbox name as the client wrote it */
};

/* A literal's head at the end of a line: {12}, {12+}, ~{12} (RFC 3501 4.3, RFC 7888, RFC 3516). */
struct imap_literal {
    uint64_t size;
    bool sync, binary;
    bool too_large; /* more than fits 63 bits */
    size_t head;    /* length of the head, without line end */
};
/* Does the line (without its end) end in one? */
bool imap_literal_find(struct str line, struct imap_literal *ret_literal);

bool imap_args_fail(struct imap_args *a, const char *text); /* BAD; keeps the first failure; returns false */
bool imap_args_fail_with(struct imap_args *a, const char *response, const char *code, const char *text);

bool imap_args_space(struct imap_args *a);            /* at least one SP */
bool imap_args_end(struct imap_args *a);              /* nothing more but blanks */
bool imap_args_is(const struct imap_args *a, char c); /* the next byte; takes nothing */
bool imap_args_char(struct imap_args *a, char c);     /* takes it if it is there; never an error */
bool imap_args_expect(struct imap_args *a, char c, const char *text);

bool imap_args_atom(struct imap_args *a, struct str *ret_atom);
/* A word of letters, digits and "-." in capitals (of the arena): option and item names. */
bool imap_args_name(struct imap_args *a, struct str *ret_name);
struct str imap_args_upper(struct imap_args *a, struct str s); /* a copy in capitals */
bool imap_args_astring(struct imap_args *a, struct str *ret_s);
bool imap_args_string(struct imap_args *a, struct str *ret_s);
bool imap_args_nstring(struct imap_args *a, struct str *ret_s);    /* NIL: p NULL; an empty string: p not NULL */
bool imap_args_mailbox(struct imap_args *a, struct str *ret_name); /* decoded */
bool imap_args_u32(struct imap_args *a, uint32_t *ret_n);
bool imap_args_u64(struct imap_args *a, uint64_t *ret_n); /* up to 63 bits (mod-sequence-value) */
bool imap_args_seqset(struct imap_args *a, struct imap_seqset *ret_set);
bool imap_args_flags(struct imap_args *a, bool bare,
                     struct imap_flags *ret_flags); /* bare: parentheses may be missing */

/*
 * A list: "(" item *(SP item) ")", possibly empty:
 *     if (!imap_args_open(a)) return false;
 *     while (imap_args_more(a, &n)) ... take one item ...
 *     return imap_args_ok(a);
 * more() counts against the limit of items, and takes the ")" when it returns false.
 */
bool imap_args_open(struct imap_args *a);
bool imap_args_more(struct imap_args *a, size_t *count);
bool imap_args_ok(const struct imap_args *a);

/* Index of `name` (capitals) in a table of names, or fails with `text`. */
struct imap_word {
    const char *name;
    unsigned value;
};
bool imap_args_word(struct imap_args *a, const struct imap_word *table, size_t n, const char *text,
                    unsigned *ret_value);

/* A growing array of strings in the arena. */
struct imap_strs_builder {
    struct str *items;
    size_t n, size;
};
void imap_strs_add(struct arena *arena, struct imap_strs_builder *b, struct str s);

bool imap_verb_find(struct str name, enum imap_verb *ret_verb);

/* The arguments of each command, from the space after its name. */
imap_parse_fn imap_parse_login, imap_parse_authenticate, imap_parse_enable, imap_parse_id, imap_parse_list,
    imap_parse_lsub, imap_parse_one_mailbox, imap_parse_select, imap_parse_status, imap_parse_create, imap_parse_rename,
    imap_parse_append, imap_parse_quota, imap_parse_fetch, imap_parse_search, imap_parse_sort, imap_parse_thread,
    imap_parse_store, imap_parse_copy, imap_parse_expunge;
/* What follows a message literal of APPEND: the end, or the next message. */
imap_parse_fn imap_parse_append_more;
bool imap_parse_status_items(struct imap_args *a, unsigned *ret_items);
/* [RETURN (...)] [CHARSET x] keys */
bool imap_parse_search_keys(struct imap_args *a, struct str charset, struct imap_search *search);

#endif
