/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A search program over a message: "keys LF message". With everything at hand the answer is yes or no; with less it is
 * the same or "needs", and never something else. SORT and THREAD keys come along.
 */
#include <stdint.h>
#include <stdlib.h>

#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_search.h"
#include "protocols/imap/imap_sort.h"
#include "protocols/imap/imap_thread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_bytes(void *ud, uint64_t at, size_t n, struct buf *out)
{
    const struct str *message = ud;
    if (at > message->n || n > message->n - at)
        abort();
    return buf_str(out, str_sub(*message, (size_t)at, n));
}

static struct imap_command *parse(struct charset_cache *cs, struct str keys)
{
    struct imap_parser *p = imap_parser_new(cs, &imap_limits_auth);
    struct imap_parse_event ev;
    struct buf line = BUF_INIT(0);
    buf_lit(&line, "a SEARCH ");
    buf_str(&line, keys);
    buf_lit(&line, "\r\n");
    imap_parser_set_state(p, IMAP_STATE_SELECTED);
    struct str in = buf_view(&line);
    struct imap_command *c = imap_parser_feed(p, &in, &ev) == IMAP_PARSE_COMMAND ? ev.command : NULL;
    imap_parser_free(p);
    buf_done(&line);
    return c;
}

static void try_search(struct charset_cache *cs, const struct imap_command *c, struct str message)
{
    struct arena a = {0};
    struct buf packed = BUF_INIT(0);
    struct imap_digest digest;
    struct imap_reader reader = {&message, read_bytes};
    struct mime_part *root = mime_parse(&a, message);
    struct str header = str_sub(message, 0, (size_t)root->body_at);
    imap_digest_make(&packed, cs, header);
    if (!imap_digest_read(buf_view(&packed), &digest))
        abort();
    struct imap_search_env env = {.charsets = cs, .last_seq = 9, .last_uid = 99, .now_s = 1000000000};
    struct imap_searcher *s = imap_searcher_new(&env, c->search.program);
    struct imap_search_message nothing = {.seq = 3, .uid = 30, .size = message.n, .internal_s = 999999999};
    struct imap_search_message some = nothing, all = nothing;
    some.digest = &digest;
    all.digest = &digest;
    all.structure = root;
    all.reader = &reader;
    enum imap_match m[3] = {imap_searcher_match(s, &nothing), imap_searcher_match(s, &some),
                            imap_searcher_match(s, &all)};
    if (m[2] != IMAP_MATCH_NO && m[2] != IMAP_MATCH_YES)
        abort();
    for (int i = 0; i < 2; i++) /* what is decided on less stays so */
        if (m[i] == IMAP_MATCH_FAILED || ((m[i] == IMAP_MATCH_NO || m[i] == IMAP_MATCH_YES) && m[i] != m[2]))
            abort();
    imap_searcher_free(s);
    struct buf out = BUF_INIT(0);
    struct imap_thread_entry entries[2] = {{.seq = 1, .id = 1}, {.seq = 2, .id = 2}};
    for (int i = 0; i < 2; i++)
        imap_thread_fill(&a, IMAP_THREAD_REFERENCES, &digest, 5, &entries[i]);
    imap_thread_run(&out, IMAP_THREAD_REFERENCES, entries, 2);
    buf_done(&out);
    buf_done(&packed);
    arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct charset_cache *cs;
    if (cs == NULL)
        cs = charset_cache_new();
    struct str message = str_of(data, size), keys;
    struct imap_digest digest;
    imap_digest_read(message, &digest);
    if (size == 0 || !str_cut(&message, '\n', &keys))
        return 0;
    struct imap_command *c = parse(cs, keys);
    if (c && c->verb == IMAP_SEARCH)
        try_search(cs, c, message.p ? message : STR(""));
    imap_command_free(c);
    return 0;
}
