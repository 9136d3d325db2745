/* SPDX-License-Identifier: Apache-2.0 */
/* LIST and LSUB (RFC 3501 6.3.8, RFC 5258, RFC 5819, RFC 6154 4). */
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_utf7.h"

#define MAX_PATTERNS 100

static bool parse_selection(struct imap_args *a, struct imap_list *l)
{
    static const struct imap_word options[] = {{"SUBSCRIBED", IMAP_LIST_SUBSCRIBED},
                                               {"REMOTE", IMAP_LIST_REMOTE},
                                               {"RECURSIVEMATCH", IMAP_LIST_RECURSIVEMATCH},
                                               {"SPECIAL-USE", IMAP_LIST_SPECIAL_USE}};
    size_t count = 0;
    if (!imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        unsigned one = 0;
        if (!imap_args_word(a, options, 4, "Unknown LIST selection option", &one))
            return false;
        l->selects |= one;
    }
    /* RFC 5258 3.1: it modifies another option, REMOTE apart. */
    if ((l->selects & IMAP_LIST_RECURSIVEMATCH) && !(l->selects & (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL_USE)))
        return imap_args_fail(a, "RECURSIVEMATCH wants another selection option");
    return imap_args_ok(a) && imap_args_space(a);
}

static bool parse_return(struct imap_args *a, struct imap_list *l)
{
    static const struct imap_word options[] = {{"SUBSCRIBED", IMAP_LIST_SUBSCRIBED},
                                               {"CHILDREN", IMAP_LIST_CHILDREN},
                                               {"SPECIAL-USE", IMAP_LIST_SPECIAL_USE},
                                               {"STATUS", IMAP_LIST_STATUS}};
    static const struct imap_word keyword[] = {{"RETURN", 0}};
    size_t count = 0;
    unsigned one = 0;
    if (!imap_args_space(a) || !imap_args_word(a, keyword, 1, "Expected RETURN", &one) || !imap_args_space(a) ||
        !imap_args_open(a))
        return false;
    while (imap_args_more(a, &count)) {
        if (!imap_args_word(a, options, 4, "Unknown LIST return option", &one))
            return false;
        l->returns |= one;
        if (one == IMAP_LIST_STATUS && (!imap_args_space(a) || !imap_parse_status_items(a, &l->status)))
            return false;
    }
    return imap_args_ok(a);
}

static bool parse_patterns(struct imap_args *a, struct imap_list *l)
{
    struct imap_strs_builder patterns = {0};
    struct str one;
    if (imap_args_is(a, '(')) {
        size_t count = 0;
        l->extended = true;
        imap_args_open(a);
        while (imap_args_more(a, &count)) {
            if (patterns.n == MAX_PATTERNS)
                return imap_args_fail(a, "Too many LIST patterns");
            if (imap_args_mailbox(a, &one))
                imap_strs_add(a->arena, &patterns, one);
        }
        if (imap_args_ok(a) && patterns.n == 0)
            return imap_args_fail(a, "LIST wants at least one pattern");
    } else if (imap_args_mailbox(a, &one)) {
        imap_strs_add(a->arena, &patterns, one);
    }
    l->patterns = (struct imap_strs){patterns.items, patterns.n};
    return imap_args_ok(a);
}

bool imap_parse_list(struct imap_args *a, struct imap_command *c)
{
    struct imap_list *l = &c->list;
    if (!imap_args_space(a))
        return false;
    if (imap_args_is(a, '(')) {
        l->extended = true;
        if (!parse_selection(a, l))
            return false;
    }
    if (!imap_args_mailbox(a, &l->reference) || !imap_args_space(a) || !parse_patterns(a, l))
        return false;
    if (imap_args_is(a, ' ') && str_trim(a->rest).n > 0) {
        l->extended = true;
        if (!parse_return(a, l))
            return false;
    }
    return imap_args_end(a);
}

bool imap_parse_lsub(struct imap_args *a, struct imap_command *c)
{
    struct imap_list *l = &c->list;
    struct str pattern;
    if (!imap_args_space(a) || !imap_args_mailbox(a, &l->reference) || !imap_args_space(a) ||
        !imap_args_mailbox(a, &pattern))
        return false;
    struct imap_strs_builder patterns = {0};
    imap_strs_add(a->arena, &patterns, pattern);
    l->patterns = (struct imap_strs){patterns.items, patterns.n};
    return imap_args_end(a);
}
