/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of the commands that have no file of their own. */
#include "bridge/formats/date.h"
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_utf7.h"

/* --- signing in -------------------------------------------------------------------------------------------------- */

bool imap_parse_login(struct imap_args *a, struct imap_command *c)
{
    return imap_args_space(a) && imap_args_astring(a, &c->login.user) && imap_args_space(a) &&
           imap_args_astring(a, &c->login.password) && imap_args_end(a);
}

static bool is_base64(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '+' ||
              ch == '/' || ch == '='))
            return false;
    }
    return true;
}

bool imap_parse_authenticate(struct imap_args *a, struct imap_command *c)
{
    struct str mechanism;
    if (!imap_args_space(a) || !imap_args_atom(a, &mechanism))
        return false;
    c->authenticate.mechanism = imap_args_upper(a, mechanism);
    if (!imap_args_is(a, ' '))
        return imap_args_end(a);
    struct str initial;
    if (!imap_args_space(a) || !imap_args_atom(a, &initial))
        return false;
    if (!is_base64(initial))
        return imap_args_fail(a, "The initial response is not base64");
    c->authenticate.has_initial = true;
    c->authenticate.initial = str_is(initial, "=") ? STR("") : initial; /* RFC 4959 3: "=" is an empty one */
    return imap_args_end(a);
}

bool imap_parse_enable(struct imap_args *a, struct imap_command *c)
{
    struct imap_strs_builder names = {0};
    do {
        struct str atom;
        if (!imap_args_space(a) || !imap_args_atom(a, &atom))
            return false;
        if (names.n >= a->limits->items)
            return imap_args_fail(a, "Too many items in a list");
        imap_strs_add(a->arena, &names, imap_args_upper(a, atom));
    } while (imap_args_is(a, ' '));
    c->enable = (struct imap_strs){names.items, names.n};
    return imap_args_end(a);
}

bool imap_parse_id(struct imap_args *a, struct imap_command *c)
{
    if (!imap_args_space(a))
        return false;
    struct str nil;
    if (!imap_args_is(a, '('))
        return imap_args_nstring(a, &nil) && nil.p == NULL ? imap_args_end(a)
                                                           : imap_args_fail(a, "Expected a list or NIL");
    struct imap_strs_builder words = {0};
    size_t count = 0;
    if (!imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        struct str name, value;
        if (!imap_args_string(a, &name) || !imap_args_space(a) || !imap_args_nstring(a, &value))
            return false;
        imap_strs_add(a->arena, &words, name);
        imap_strs_add(a->arena, &words, value);
    }
    if (!imap_args_ok(a))
        return false;
    struct imap_pair *pairs = arena_array(a->arena, words.n / 2 + 1, sizeof(*pairs));
    for (size_t i = 0; i < words.n / 2; i++)
        pairs[i] = (struct imap_pair){words.items[2 * i], words.items[2 * i + 1]};
    c->id.pairs = pairs;
    c->id.n = words.n / 2;
    return imap_args_end(a);
}

/* --- mailboxes --------------------------------------------------------------------------------------------------- */

bool imap_parse_one_mailbox(struct imap_args *a, struct imap_command *c)
{
    return imap_args_space(a) && imap_args_mailbox(a, &c->mailbox) && imap_args_end(a);
}

static bool parse_match(struct imap_args *a, struct imap_select *s)
{
    size_t count = 0;
    if (!imap_args_open(a))
        return false;
    if (!imap_args_seqset(a, &s->match_seqs) || !imap_args_space(a) || !imap_args_seqset(a, &s->match_uids))
        return false;
    s->has_match = true;
    count++;
    return !imap_args_more(a, &count) && imap_args_ok(a) ? true
                                                         : imap_args_fail(a, "Wrong message sequence match data");
}

/* QRESYNC (uidvalidity modseq [known-uids] [(seqs uids)]) (RFC 7162 3.2.5) */
static bool parse_qresync(struct imap_args *a, struct imap_select *s)
{
    s->condstore = s->qresync = true;
    if (!imap_args_space(a) || !imap_args_open(a) || !imap_args_u32(a, &s->uidvalidity) || !imap_args_space(a) ||
        !imap_args_u64(a, &s->modseq))
        return false;
    if (s->uidvalidity == 0 || s->modseq == 0)
        return imap_args_fail(a, "UIDVALIDITY and MODSEQ of QRESYNC cannot be 0");
    size_t count = 1;
    while (imap_args_more(a, &count)) {
        if (count == 2 && !imap_args_is(a, '(')) {
            s->has_known_uids = true;
            imap_args_seqset(a, &s->known_uids);
        } else if (s->has_match || !parse_match(a, s)) {
            return imap_args_fail(a, "Wrong QRESYNC parameter");
        }
    }
    if (s->known_uids.saved || s->match_seqs.saved || s->match_uids.saved)
        return imap_args_fail(a, "$ cannot be used here");
    return imap_args_ok(a);
}

bool imap_parse_select(struct imap_args *a, struct imap_command *c)
{
    static const struct imap_word params[] = {{"CONDSTORE", 0}, {"QRESYNC", 1}};
    struct imap_select *s = &c->select;
    if (!imap_args_space(a) || !imap_args_mailbox(a, &s->mailbox))
        return false;
    if (!imap_args_is(a, ' '))
        return imap_args_end(a);
    size_t count = 0;
    if (!imap_args_space(a) || !imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        unsigned which = 0;
        if (!imap_args_word(a, params, 2, "Unknown SELECT parameter", &which))
            return false;
        s->condstore = true;
        if (which == 1 && !parse_qresync(a, s))
            return false;
    }
    return imap_args_ok(a) && imap_args_end(a);
}

bool imap_parse_status_items(struct imap_args *a, unsigned *ret_items)
{
    static const struct imap_word items[] = {
        {"MESSAGES", IMAP_STATUS_MESSAGES},
        {"RECENT", IMAP_STATUS_RECENT},
        {"UIDNEXT", IMAP_STATUS_UIDNEXT},
        {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
        {"UNSEEN", IMAP_STATUS_UNSEEN},
        {"DELETED", IMAP_STATUS_DELETED},
        {"SIZE", IMAP_STATUS_SIZE},
        {"HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ},
        {"APPENDLIMIT", IMAP_STATUS_APPENDLIMIT},
        {"DELETED-STORAGE", IMAP_STATUS_DELETED_STORAGE},
        {"MAILBOXID", IMAP_STATUS_MAILBOXID},
    };
    unsigned all = 0;
    size_t count = 0;
    if (!imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        unsigned one = 0;
        if (!imap_args_word(a, items, sizeof(items) / sizeof(items[0]), "Unknown STATUS item", &one))
            return false;
        all |= one;
    }
    if (!imap_args_ok(a))
        return false;
    if (all == 0)
        return imap_args_fail(a, "STATUS wants at least one item");
    *ret_items = all;
    return true;
}

bool imap_parse_status(struct imap_args *a, struct imap_command *c)
{
    return imap_args_space(a) && imap_args_mailbox(a, &c->status.mailbox) && imap_args_space(a) &&
           imap_parse_status_items(a, &c->status.items) && imap_args_end(a);
}

/* The name of a mailbox to be. A separator at its end only announces children (RFC 9051 6.3.4). */
static bool parse_new_name(struct imap_args *a, struct str *ret_name, struct str *ret_asked)
{
    if (!imap_args_space(a) || !imap_args_mailbox(a, ret_name))
        return false;
    *ret_asked = a->mailbox_wire;
    if (ret_name->n > 1 && ret_name->p[ret_name->n - 1] == '/') {
        ret_name->n--;
        ret_asked->n--;
    }
    return true;
}

/* CREATE name [(USE (\Sent))] (RFC 6154 3) */
bool imap_parse_create(struct imap_args *a, struct imap_command *c)
{
    static const struct imap_word params[] = {{"USE", 0}};
    if (!parse_new_name(a, &c->create.mailbox, &c->create.asked))
        return false;
    if (!imap_args_is(a, ' '))
        return imap_args_end(a);
    struct imap_strs_builder uses = {0};
    size_t params_n = 0, uses_n = 0;
    if (!imap_args_space(a) || !imap_args_open(a))
        return false;
    while (imap_args_more(a, &params_n)) {
        unsigned which;
        if (!imap_args_word(a, params, 1, "Unknown CREATE parameter", &which) || !imap_args_space(a) ||
            !imap_args_open(a))
            return false;
        while (imap_args_more(a, &uses_n)) {
            struct str use = a->rest, atom;
            if (!imap_args_expect(a, '\\', "Wrong special use") || !imap_args_atom(a, &atom))
                return false;
            use.n = atom.n + 1;
            imap_strs_add(a->arena, &uses, use);
        }
    }
    c->create.use = (struct imap_strs){uses.items, uses.n};
    return imap_args_ok(a) && imap_args_end(a);
}

bool imap_parse_rename(struct imap_args *a, struct imap_command *c)
{
    return imap_args_space(a) && imap_args_mailbox(a, &c->rename.from) &&
           parse_new_name(a, &c->rename.to, &c->rename.asked) && imap_args_end(a);
}

/* GETQUOTA root; SETQUOTA root (STORAGE 512 ...) (RFC 9208) */
bool imap_parse_quota(struct imap_args *a, struct imap_command *c)
{
    if (!imap_args_space(a) || !imap_args_astring(a, &c->quota.root))
        return false;
    if (c->verb == IMAP_GETQUOTA)
        return imap_args_end(a);
    size_t count = 0;
    if (!imap_args_space(a) || !imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        struct str resource;
        uint64_t limit;
        if (!imap_args_atom(a, &resource) || !imap_args_space(a) || !imap_args_u64(a, &limit))
            return false;
    }
    return imap_args_ok(a) && imap_args_end(a);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

/* STORE set [(UNCHANGEDSINCE n)] [+|-]FLAGS[.SILENT] flags (RFC 3501 6.4.6, RFC 7162 3.1.3) */
bool imap_parse_store(struct imap_args *a, struct imap_command *c)
{
    static const struct imap_word modifiers[] = {{"UNCHANGEDSINCE", 0}};
    static const struct imap_word items[] = {{"FLAGS", 0}, {"FLAGS.SILENT", 1}};
    struct imap_store *s = &c->store;
    if (!imap_args_space(a) || !imap_args_seqset(a, &s->set) || !imap_args_space(a))
        return false;
    if (imap_args_is(a, '(')) {
        size_t count = 0;
        unsigned which;
        imap_args_open(a);
        while (imap_args_more(a, &count)) {
            if (!imap_args_word(a, modifiers, 1, "Unknown STORE modifier", &which) || !imap_args_space(a) ||
                !imap_args_u64(a, &s->unchangedsince))
                return false;
            s->has_unchangedsince = true;
        }
        if (!imap_args_ok(a) || !imap_args_space(a))
            return false;
    }
    if (imap_args_char(a, '+'))
        s->how = IMAP_STORE_ADD;
    else if (imap_args_char(a, '-'))
        s->how = IMAP_STORE_REMOVE;
    unsigned silent = 0;
    if (!imap_args_word(a, items, 2, "STORE changes FLAGS and nothing else", &silent))
        return false;
    s->silent = silent == 1;
    return imap_args_space(a) && imap_args_flags(a, true, &s->flags) && imap_args_end(a);
}

bool imap_parse_copy(struct imap_args *a, struct imap_command *c)
{
    return imap_args_space(a) && imap_args_seqset(a, &c->copy.set) && imap_args_space(a) &&
           imap_args_mailbox(a, &c->copy.mailbox) && imap_args_end(a);
}

bool imap_parse_expunge(struct imap_args *a, struct imap_command *c)
{
    if (!c->uid)
        return imap_args_end(a);
    return imap_args_space(a) && imap_args_seqset(a, &c->expunge.set) && imap_args_end(a);
}

/* --- APPEND and REPLACE ------------------------------------------------------------------------------------------ */

/* The head of the message literal, the last thing of the line. */
static bool parse_message_head(struct imap_args *a, struct imap_append *m)
{
    struct imap_literal l;
    struct str line = str_trim(a->rest);
    if (!imap_args_is(a, '{') && !imap_args_is(a, '~'))
        return imap_args_fail(a, "The message must be a literal");
    if (!a->partial || !imap_literal_find(line, &l) || l.head != line.n)
        return imap_args_fail(a, "Wrong literal");
    if (l.too_large)
        return imap_args_fail_with(a, "NO", "TOOBIG", "The message is too large");
    if (m->utf8 && !l.binary)
        return imap_args_fail(a, "UTF8 wants a literal8");
    m->size = l.size;
    m->sync = l.sync;
    m->binary = l.binary;
    a->rest = str_skip(a->rest, a->rest.n);
    a->at_message = true;
    return true;
}

/* [flags] [date-time] message */
static bool parse_message(struct imap_args *a, struct imap_append *m)
{
    static const struct imap_word extensions[] = {{"UTF8", 0}, {"CATENATE", 1}, {"BINARY", 2}};
    m->flags = (struct imap_flags){0};
    m->has_date = m->utf8 = false;
    if (!imap_args_space(a))
        return false;
    if (imap_args_is(a, '(') && (!imap_args_flags(a, false, &m->flags) || !imap_args_space(a)))
        return false;
    if (imap_args_is(a, '"')) {
        struct str date;
        if (!imap_args_string(a, &date))
            return false;
        if (!date_parse_imap(date, &m->date_s, &m->date_zone))
            return imap_args_fail(a, "Wrong date and time");
        m->has_date = true;
        if (!imap_args_space(a))
            return false;
    }
    if (!imap_args_is(a, '{') && !imap_args_is(a, '~')) {
        unsigned which;
        if (!imap_args_word(a, extensions, 3, "The message must be a literal", &which))
            return false;
        if (which != 0)
            return imap_args_fail(a, "CATENATE is not available");
        m->utf8 = true;
        if (!imap_args_space(a) || !imap_args_expect(a, '(', "UTF8 wants a literal8 in parentheses"))
            return false;
    }
    return parse_message_head(a, m);
}

bool imap_parse_append(struct imap_args *a, struct imap_command *c)
{
    struct imap_append *m = &c->append;
    if (c->verb == IMAP_REPLACE) {
        if (!imap_args_space(a))
            return false;
        if (!imap_args_char(a, '*') && (!imap_args_u32(a, &m->replace_seq) || m->replace_seq == 0))
            return imap_args_fail(a, "Wrong message number");
    }
    return imap_args_space(a) && imap_args_mailbox(a, &m->mailbox) && parse_message(a, m);
}

bool imap_parse_append_more(struct imap_args *a, struct imap_command *c)
{
    struct imap_append *m = &c->append;
    if (m->utf8 && !imap_args_expect(a, ')', "UTF8 wants a literal8 in parentheses"))
        return false;
    if (str_trim(a->rest).n == 0)
        return true;
    if (c->verb == IMAP_REPLACE)
        return imap_args_fail(a, "REPLACE takes one message");
    m->index++;
    return parse_message(a, m);
}
