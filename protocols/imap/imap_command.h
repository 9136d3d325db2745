/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_COMMAND_H
#define PROTOCOLS_IMAP_COMMAND_H
/*
 * A parsed command: what imap_parse.h delivers and the cmd_*.c files read. Everything lives in the command's arena and
 * goes with imap_command_free().
 *
 * To add a command: its name in enum imap_verb, its arguments in the union below, a line in the table of
 * imap_command.c (name, states, flags) and its argument parser (imap_parse_*.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/backend.h" /* enum item_flag */
#include "bridge/base/arena.h"
#include "bridge/base/str.h"
#include "bridge/formats/header.h"
#include "bridge/formats/mime.h"
#include "protocols/imap/imap_seqset.h"

enum imap_verb {
    IMAP_CAPABILITY,
    IMAP_NOOP,
    IMAP_LOGOUT,
    IMAP_STARTTLS,
    IMAP_LOGIN,
    IMAP_AUTHENTICATE,
    IMAP_ENABLE,
    IMAP_ID,
    IMAP_NAMESPACE,
    IMAP_LIST,
    IMAP_LSUB,
    IMAP_SUBSCRIBE,
    IMAP_UNSUBSCRIBE,
    IMAP_SELECT,
    IMAP_EXAMINE,
    IMAP_STATUS,
    IMAP_IDLE,
    IMAP_CREATE,
    IMAP_DELETE,
    IMAP_RENAME,
    IMAP_APPEND,
    IMAP_GETQUOTA,
    IMAP_GETQUOTAROOT,
    IMAP_SETQUOTA,
    IMAP_UNSELECT,
    IMAP_CLOSE,
    IMAP_CHECK,
    IMAP_FETCH,
    IMAP_SEARCH,
    IMAP_SORT,
    IMAP_THREAD,
    IMAP_STORE,
    IMAP_COPY,
    IMAP_MOVE,
    IMAP_EXPUNGE,
    IMAP_REPLACE,
    IMAP_VERB_MAX
};

enum imap_state {
    IMAP_STATE_NOT_AUTHENTICATED = 1 << 0,
    IMAP_STATE_AUTHENTICATED = 1 << 1,
    IMAP_STATE_SELECTED = 1 << 2
};
enum imap_verb_flag {
    IMAP_UID_FORM = 1 << 0, /* "UID FETCH" exists */
    IMAP_NUMBERS = 1 << 2,  /* uses message numbers: no EXPUNGE may be sent before its end, unless in the UID form
                               (RFC 9051 5.5 and 7.5.1) */
    IMAP_WRITES = 1 << 3,   /* changes something on the server */
    IMAP_STREAMS = 1 << 4   /* has a message literal that is handed out in pieces (APPEND, REPLACE) */
};
struct imap_args;
struct imap_command;
typedef bool imap_parse_fn(struct imap_args *args, struct imap_command *command);
struct imap_verb_info {
    const char *name;
    unsigned states; /* enum imap_state bits it is allowed in */
    unsigned flags;
    imap_parse_fn *parse; /* of its arguments (imap_args.h); NULL: it has none */
};
const struct imap_verb_info *imap_verb_info(enum imap_verb verb);

/* A list of strings. */
struct imap_strs {
    const struct str *items;
    size_t n;
};
/* Flags (RFC 3501 2.3.2). System flags and the keywords that have a bit ($Forwarded and the marks of bridge/names.h)
 * are enum item_flag bits; the other keywords are atoms as written. */
struct imap_flags {
    unsigned bits;
    bool recent;  /* \Recent was named (cannot be set) */
    bool unknown; /* another flag with a backslash was named (cannot exist) */
    struct imap_strs keywords;
};

/* --- the arguments -------------------------------------------------------------------------------------------------
 */
/* Mailbox names are UTF-8 and decoded (imap_utf7.h); NULL p is a name that cannot exist: answer as for one that does
 * not
 * (`NO [NONEXISTENT]`, or `NO [CANNOT]` where it would be made). */

enum imap_status_item {
    IMAP_STATUS_MESSAGES = 1 << 0,
    IMAP_STATUS_RECENT = 1 << 1,
    IMAP_STATUS_UIDNEXT = 1 << 2,
    IMAP_STATUS_UIDVALIDITY = 1 << 3,
    IMAP_STATUS_UNSEEN = 1 << 4,
    IMAP_STATUS_DELETED = 1 << 5,         /* RFC 9051 */
    IMAP_STATUS_SIZE = 1 << 6,            /* RFC 8438 */
    IMAP_STATUS_HIGHESTMODSEQ = 1 << 7,   /* RFC 7162; enables CONDSTORE */
    IMAP_STATUS_APPENDLIMIT = 1 << 8,     /* RFC 7889 */
    IMAP_STATUS_DELETED_STORAGE = 1 << 9, /* RFC 9208 */
    IMAP_STATUS_MAILBOXID = 1 << 10       /* RFC 8474 */
};

enum imap_list_option {
    IMAP_LIST_SUBSCRIBED = 1 << 0,
    IMAP_LIST_REMOTE = 1 << 1,         /* selection only; there are none */
    IMAP_LIST_RECURSIVEMATCH = 1 << 2, /* selection only, and only with another one (the parser checks) */
    IMAP_LIST_SPECIAL_USE = 1 << 3,
    IMAP_LIST_CHILDREN = 1 << 4, /* return only */
    IMAP_LIST_STATUS = 1 << 5    /* return only; items in `status` */
};
struct imap_list {
    bool extended;    /* RFC 5258 syntax was used: answer with extended data items */
    unsigned selects; /* enum imap_list_option */
    unsigned returns; /* enum imap_list_option */
    unsigned status;  /* enum imap_status_item */
    struct str reference;
    struct imap_strs patterns; /* at least one; "" asks for the delimiter when it is the only one and the basic syntax
                                  is used; a pattern with NULL p (not decodable) matches nothing */
};

struct imap_select {
    struct str mailbox;
    bool condstore;
    bool qresync; /* implies condstore; only accepted after ENABLE QRESYNC: the session checks */
    uint32_t uidvalidity;
    uint64_t modseq;
    bool has_known_uids;
    struct imap_seqset known_uids;
    bool has_match; /* message sequence match data: same number of entries on both sides once resolved */
    struct imap_seqset match_seqs, match_uids;
};

enum imap_fetch_kind {
    IMAP_FETCH_UID,
    IMAP_FETCH_FLAGS,
    IMAP_FETCH_INTERNALDATE,
    IMAP_FETCH_RFC822_SIZE,
    IMAP_FETCH_ENVELOPE,
    IMAP_FETCH_BODYSTRUCTURE,
    IMAP_FETCH_BODY,     /* BODY without section: the structure without extension data */
    IMAP_FETCH_MODSEQ,   /* enables CONDSTORE */
    IMAP_FETCH_SAVEDATE, /* RFC 8514 */
    IMAP_FETCH_EMAILID,
    IMAP_FETCH_THREADID,   /* RFC 8474 */
    IMAP_FETCH_PREVIEW,    /* RFC 8970; .lazy */
    IMAP_FETCH_SECTION,    /* BODY[...], also RFC822, RFC822.HEADER, RFC822.TEXT */
    IMAP_FETCH_BINARY,     /* BINARY[...]: decoded */
    IMAP_FETCH_BINARY_SIZE /* BINARY.SIZE[...] */
};
enum imap_section_kind {
    IMAP_SECTION_ALL, /* BODY[], BODY[1.2]: mime_section BODY */
    IMAP_SECTION_HEADER,
    IMAP_SECTION_FIELDS,
    IMAP_SECTION_FIELDS_NOT,
    IMAP_SECTION_TEXT,
    IMAP_SECTION_MIME
};
struct imap_fetch_item {
    enum imap_fetch_kind kind;
    /* What the answer calls it, with section and partial origin: "FLAGS", "BODY[HEADER.FIELDS (FROM TO)]<0>",
     * "RFC822.HEADER", "BINARY[1.2]". Upper case, as Dovecot answers. */
    struct str label;
    /* SECTION, BINARY, BINARY_SIZE */
    enum imap_section_kind section;
    const uint32_t *path; /* part numbers, none is 0 */
    size_t path_n;
    const struct header_names *names; /* FIELDS, FIELDS_NOT */
    bool peek;                        /* does not set \Seen */
    bool partial;                     /* <offset.count>; count is at least 1 */
    uint64_t offset, count;
    bool lazy; /* PREVIEW (LAZY) */
};
enum imap_fetch_need {
    IMAP_NEEDS_HEADER =
        1 << 0, /* a header block is enough: ENVELOPE, BODY[HEADER], HEADER.FIELDS of the message itself */
    IMAP_NEEDS_MESSAGE = 1 << 1, /* the complete message, or something rendered from it */
    IMAP_NEEDS_SEEN = 1 << 2     /* some item sets \Seen where the mailbox allows it */
};
struct imap_fetch {
    struct imap_seqset set;
    const struct imap_fetch_item
        *items; /* in the order asked, without repetitions; UID is not added for the UID form */
    size_t n;
    unsigned kinds;        /* bit 1 << kind for each kind present */
    unsigned needs;        /* enum imap_fetch_need */
    bool has_changedsince; /* enables CONDSTORE; MODSEQ is then part of the answer */
    uint64_t changedsince;
    bool vanished; /* UID FETCH ... (CHANGEDSINCE n VANISHED): wants QRESYNC; the session checks */
};

enum imap_search_op {
    IMAP_SEARCH_ALL,
    IMAP_SEARCH_AND,
    IMAP_SEARCH_OR,
    IMAP_SEARCH_NOT, /* over `child` and its `next`s; OR has two or more, NOT has one */
    IMAP_SEARCH_SEQ,
    IMAP_SEARCH_UID,     /* set; set.saved = "$" */
    IMAP_SEARCH_FLAG,    /* bits: has all of them; NOT is written with NOT (UNSEEN = NOT SEEN) */
    IMAP_SEARCH_KEYWORD, /* text: has this keyword (any case) */
    IMAP_SEARCH_RECENT,  /* NEW = RECENT and NOT SEEN; OLD = NOT RECENT */
    IMAP_SEARCH_LARGER,
    IMAP_SEARCH_SMALLER,
    IMAP_SEARCH_MODSEQ, /* number */
    IMAP_SEARCH_BEFORE,
    IMAP_SEARCH_ON,
    IMAP_SEARCH_SINCE, /* day: days since 1970-01-01; INTERNALDATE */
    IMAP_SEARCH_SENTBEFORE,
    IMAP_SEARCH_SENTON,
    IMAP_SEARCH_SENTSINCE, /* day; the Date field */
    IMAP_SEARCH_SAVEDBEFORE,
    IMAP_SEARCH_SAVEDON,
    IMAP_SEARCH_SAVEDSINCE, /* day; RFC 8514 */
    IMAP_SEARCH_SAVEDATESUPPORTED,
    IMAP_SEARCH_OLDER,
    IMAP_SEARCH_YOUNGER, /* number: seconds (RFC 5032) */
    IMAP_SEARCH_HEADER,  /* field, text; an empty text asks only whether the field is there */
    IMAP_SEARCH_FROM,
    IMAP_SEARCH_TO,
    IMAP_SEARCH_CC,
    IMAP_SEARCH_BCC,
    IMAP_SEARCH_SUBJECT, /* text */
    IMAP_SEARCH_BODY,
    IMAP_SEARCH_TEXT, /* text */
    IMAP_SEARCH_EMAILID,
    IMAP_SEARCH_THREADID /* text, exact (RFC 8474) */
};
struct imap_search_key {
    enum imap_search_op op;
    struct imap_search_key *next, *child;
    struct imap_seqset set;
    unsigned bits;
    uint64_t number;
    int64_t day;
    struct str field;
    struct str text;   /* UTF-8, as asked (for servers that narrow) */
    struct str folded; /* the comparison form of text (unicode.h) */
};
enum imap_search_return {
    IMAP_RETURN_MIN = 1 << 0,
    IMAP_RETURN_MAX = 1 << 1,
    IMAP_RETURN_ALL = 1 << 2,
    IMAP_RETURN_COUNT = 1 << 3,
    IMAP_RETURN_SAVE = 1 << 4
};
enum imap_sort_key {
    IMAP_SORT_ARRIVAL,
    IMAP_SORT_CC,
    IMAP_SORT_DATE,
    IMAP_SORT_FROM,
    IMAP_SORT_SIZE,
    IMAP_SORT_SUBJECT,
    IMAP_SORT_TO,
    IMAP_SORT_DISPLAYFROM,
    IMAP_SORT_DISPLAYTO
};
struct imap_sort_by {
    enum imap_sort_key key;
    bool reverse;
};
enum imap_thread_by { IMAP_THREAD_ORDEREDSUBJECT, IMAP_THREAD_REFERENCES, IMAP_THREAD_REFS };
struct imap_search {                 /* SEARCH, SORT, THREAD */
    bool has_return;                 /* RETURN (...): answer with ESEARCH */
    unsigned returns;                /* enum imap_search_return; RETURN () is ALL */
    struct imap_search_key *program; /* an AND */
    bool uses_modseq;                /* MODSEQ is named: enables CONDSTORE, the answer has the highest MODSEQ */
    bool uses_saved;                 /* "$" is named */
    const struct imap_sort_by *sort; /* SORT */
    size_t sort_n;
    enum imap_thread_by thread; /* THREAD */
};

enum imap_store_how { IMAP_STORE_REPLACE, IMAP_STORE_ADD, IMAP_STORE_REMOVE };
struct imap_store {
    struct imap_seqset set;
    bool has_unchangedsince; /* enables CONDSTORE */
    uint64_t unchangedsince;
    enum imap_store_how how;
    bool silent;
    struct imap_flags flags;
};

/*
 * APPEND and REPLACE come in pieces (see imap_parse.h): IMAP_PARSE_APPEND at each message literal, with this describing
 * it, then its bytes, then the next message (MULTIAPPEND) or the end of the command.
 */
struct imap_append {
    struct str mailbox;
    uint32_t replace_seq; /* REPLACE: the message number or UID; IMAP_STAR for `*` */
    /* The message at hand: */
    size_t index; /* 0, 1, ... */
    struct imap_flags flags;
    bool has_date;
    int64_t date_s;
    int date_zone;
    uint64_t size; /* bytes of the literal */
    bool sync;     /* the client waits for "+ " before it sends it */
    bool binary;   /* literal8: may contain NUL */
    bool utf8;     /* UTF8 (~{n}): headers are UTF-8 (RFC 6855) */
};

struct imap_pair {
    struct str name, value; /* value: NULL p is NIL */
};

struct imap_command {
    struct arena arena;
    struct str tag;
    enum imap_verb verb;
    bool uid;         /* the UID form */
    struct str bytes; /* as it came; the strings below point into it where they can */
    union {
        struct {
            struct str user, password;
        } login; /* the command's memory is overwritten when it is freed */
        struct {
            struct str mechanism; /* upper case */
            bool has_initial;
            struct str initial; /* base64 as sent; "=" (an empty response) is {"", 0} with has_initial */
        } authenticate;
        struct imap_strs enable; /* capability names, upper case */
        struct {
            const struct imap_pair *pairs;
            size_t n;
        } id;
        struct imap_list list; /* LIST; LSUB: reference and one pattern */
        struct str mailbox;    /* SUBSCRIBE UNSUBSCRIBE DELETE GETQUOTAROOT */
        struct imap_select select;
        struct {
            struct str mailbox;
            unsigned items; /* enum imap_status_item */
        } status;
        struct {
            struct str mailbox;
            struct imap_strs use; /* USE (\Drafts): attributes as written */
            struct str asked;     /* the name on the wire, without the trailing separator */
        } create;
        struct {
            struct str from, to, asked; /* asked: `to` on the wire */
        } rename;
        struct {
            struct str root;
        } quota; /* GETQUOTA; SETQUOTA is refused whatever it says */
        struct imap_fetch fetch;
        struct imap_search search;
        struct imap_store store;
        struct {
            struct imap_seqset set;
            struct str mailbox;
        } copy; /* COPY, MOVE */
        struct {
            struct imap_seqset set;
        } expunge; /* UID EXPUNGE */
        struct imap_append append;
    };
};
void imap_command_free(struct imap_command *c); /* NULL is fine */

#endif
