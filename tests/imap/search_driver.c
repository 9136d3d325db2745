/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEARCH, SORT and THREAD over messages in files, without session, store or server:
 *     search_driver COMMANDS FILE...
 * COMMANDS is a file with one command a line, without tag ("UID SEARCH SUBJECT x"). Message i is number i and UID 10 *
 * i; it arrived i hours after 2024-01-01 00:00 UTC and has \Seen if i is even, \Flagged if it is divisible by 3. Each
 * answer is a line. With EXBRIDGE_DIGEST=0 in the environment keys are read from the header instead of from digests.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/base/mem.h"
#include "bridge/base/time.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_search.h"
#include "protocols/imap/imap_sort.h"
#include "protocols/imap/imap_thread.h"
#include "protocols/imap/imap_write.h"

#define ARRIVED 1704067200

struct message {
    struct buf bytes, packed;
    struct mime_part *root;
    struct imap_digest digest;
    struct imap_reader reader;
};
struct mailbox {
    struct arena arena;
    struct charset_cache *charsets;
    struct message *messages;
    uint32_t n;
    bool digests;
};

static void die(const char *what)
{
    fprintf(stderr, "search_driver: %s\n", what);
    exit(1);
}

static void read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char piece[65536];
    size_t n;
    if (f == NULL)
        die(path);
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(out, piece, n);
    fclose(f);
}

static bool read_bytes(void *ud, uint64_t at, size_t n, struct buf *out)
{
    const struct message *m = ud;
    return buf_str(out, str_sub(buf_view(&m->bytes), (size_t)at, n));
}

static struct imap_search_message describe(struct mailbox *box, uint32_t seq)
{
    struct message *m = &box->messages[seq - 1];
    struct imap_search_message s = {.seq = seq,
                                    .uid = seq * 10,
                                    .flags = (seq % 2 ? 0u : ITEM_SEEN) | (seq % 3 ? 0u : ITEM_FLAGGED),
                                    .size = m->bytes.n,
                                    .internal_s = ARRIVED + (int64_t)seq * 3600,
                                    .structure = m->root,
                                    .reader = &m->reader};
    if (box->digests)
        s.digest = &m->digest;
    return s;
}

static size_t search(struct mailbox *box, const struct imap_command *c, uint32_t *seqs)
{
    struct imap_search_env env = {.charsets = box->charsets,
                                  .last_seq = box->n,
                                  .last_uid = box->n * 10,
                                  .now_s = ARRIVED + (int64_t)box->n * 3600};
    struct imap_searcher *s = imap_searcher_new(&env, c->search.program);
    size_t found = 0;
    for (uint32_t seq = 1; seq <= box->n; seq++) {
        struct imap_search_message m = describe(box, seq);
        if (imap_searcher_match(s, &m) == IMAP_MATCH_YES)
            seqs[found++] = seq;
    }
    imap_searcher_free(s);
    return found;
}

static uint32_t id_of(const struct imap_command *c, uint32_t seq)
{
    return c->uid ? seq * 10 : seq;
}

static void answer_sort(struct mailbox *box, const struct imap_command *c, uint32_t *seqs, size_t n)
{
    struct arena a = {0};
    struct imap_sort_entry *entries = arena_array(&a, n + 1, sizeof(*entries));
    for (size_t i = 0; i < n; i++) {
        struct message *m = &box->messages[seqs[i] - 1];
        entries[i] = (struct imap_sort_entry){.seq = seqs[i],
                                              .id = id_of(c, seqs[i]),
                                              .arrival_s = ARRIVED + (int64_t)seqs[i] * 3600,
                                              .size = m->bytes.n};
        imap_sort_fill(&a, c->search.sort, c->search.sort_n, &m->digest, &entries[i]);
    }
    imap_sort_run(entries, n, c->search.sort, c->search.sort_n);
    for (size_t i = 0; i < n; i++)
        seqs[i] = entries[i].id;
    arena_done(&a);
}

static void answer_thread(struct mailbox *box, const struct imap_command *c, const uint32_t *seqs, size_t n,
                          struct buf *out)
{
    struct arena a = {0};
    struct imap_thread_entry *entries = arena_array(&a, n + 1, sizeof(*entries));
    for (size_t i = 0; i < n; i++) {
        entries[i] = (struct imap_thread_entry){.seq = seqs[i], .id = id_of(c, seqs[i])};
        imap_thread_fill(&a, c->search.thread, &box->messages[seqs[i] - 1].digest, ARRIVED + (int64_t)seqs[i] * 3600,
                         &entries[i]);
    }
    buf_lit(out, n ? "* THREAD " : "* THREAD");
    imap_thread_run(out, c->search.thread, entries, n);
    buf_lit(out, "\r\n");
    arena_done(&a);
}

static void answer(struct mailbox *box, const struct imap_command *c)
{
    struct buf out = BUF_INIT(0);
    uint32_t *seqs = mem_array(box->n + 1, sizeof(*seqs));
    uint64_t began = time_mono_ms();
    size_t n = search(box, c, seqs);
    if (c->verb == IMAP_THREAD) {
        answer_thread(box, c, seqs, n, &out);
    } else {
        if (c->verb == IMAP_SORT)
            answer_sort(box, c, seqs, n);
        else
            for (size_t i = 0; i < n; i++)
                seqs[i] = id_of(c, seqs[i]);
        imap_write_numbers(&out, imap_verb_info(c->verb)->name, seqs, n, 0);
    }
    if (getenv("EXBRIDGE_TIMES"))
        fprintf(stderr, "%llu ms\n", (unsigned long long)(time_mono_ms() - began));
    fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
    mem_free(seqs);
}

static void run_commands(struct mailbox *box, const char *path)
{
    struct buf lines = BUF_INIT(0), line = BUF_INIT(0);
    read_file(path, &lines);
    struct str rest = buf_view(&lines), one;
    struct imap_parser *p = imap_parser_new(box->charsets, &imap_limits_auth);
    imap_parser_set_state(p, IMAP_STATE_SELECTED);
    while (rest.n > 0 && str_cut(&rest, '\n', &one)) {
        buf_reset(&line);
        buf_lit(&line, "a ");
        buf_str(&line, str_trim(one));
        buf_lit(&line, "\r\n");
        struct str in = buf_view(&line);
        struct imap_parse_event ev;
        if (imap_parser_feed(p, &in, &ev) != IMAP_PARSE_COMMAND)
            die(ev.error.text ? ev.error.text : "no command");
        answer(box, ev.command);
        imap_command_free(ev.command);
    }
    imap_parser_free(p);
    buf_done(&lines);
    buf_done(&line);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: search_driver COMMANDS FILE...");
    const char *digests = getenv("EXBRIDGE_DIGEST");
    struct mailbox box = {
        .charsets = charset_cache_new(), .n = (uint32_t)argc - 2, .digests = !digests || *digests != '0'};
    box.messages = mem_array(box.n, sizeof(*box.messages));
    for (uint32_t i = 0; i < box.n; i++) {
        struct message *m = &box.messages[i];
        read_file(argv[i + 2], &m->bytes);
        m->root = mime_parse(&box.arena, buf_view(&m->bytes));
        m->reader = (struct imap_reader){m, read_bytes};
        imap_digest_make(&m->packed, box.charsets, str_sub(buf_view(&m->bytes), 0, (size_t)m->root->body_at));
        if (!imap_digest_read(buf_view(&m->packed), &m->digest))
            die("a digest cannot be read back");
    }
    run_commands(&box, argv[1]);
    for (uint32_t i = 0; i < box.n; i++) {
        buf_done(&box.messages[i].bytes);
        buf_done(&box.messages[i].packed);
    }
    mem_free(box.messages);
    charset_cache_free(box.charsets);
    arena_done(&box.arena);
    return 0;
}
