/* SPDX-License-Identifier: Apache-2.0 */
/* Search programs over one message, with everything at hand and with less: what is asked for, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_search.h"

static const char message_text[] =
    "From: \"Doe, Jane\" <jane@example.com>\r\n"
    "To: =?utf-8?q?J=C3=BCrgen?= <j@example.org>,\r\n"
    "\tbob@example.net\r\n"
    "Subject: =?iso-8859-1?Q?Gr=FC=DFe?= and more\r\n"
    "Date: Sat, 3 Jan 2026 23:30:00 -0500\r\n"
    "X-Empty:\r\n"
    "X-Two: one\r\n"
    "X-Two: second\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    "--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    "Stra=DFe in M=FCnchen, a lo=\r\nng word\r\n"
    "--x\r\nContent-Type: text/html; charset=utf-8\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\n"
    "PGI+SGVsbG8gV29ybGQ8L2I+\r\n"
    "--x\r\nContent-Type: application/octet-stream; name=secret.bin\r\n\r\nhidden words\r\n"
    "--x--\r\n";

struct fixture {
    struct arena arena;
    struct charset_cache *charsets;
    struct str text;
    struct mime_part *root;
    struct buf packed;
    struct imap_digest digest;
    struct imap_reader reader;
    bool unreadable;
    int headers_asked, messages_asked, reads;
};

static bool read_bytes(void *ud, uint64_t at, size_t n, struct buf *out)
{
    struct fixture *f = ud;
    f->reads++;
    return !f->unreadable && buf_str(out, str_sub(f->text, (size_t)at, n));
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.charsets = charset_cache_new(), .text = STR(message_text)};
    f.root = mime_parse(&f.arena, f.text);
    imap_digest_make(&f.packed, f.charsets, str_sub(f.text, 0, (size_t)f.root->body_at));
    assert_true(imap_digest_read(buf_view(&f.packed), &f.digest));
    f.reader = (struct imap_reader){&f, read_bytes};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->packed);
    arena_done(&f->arena);
    charset_cache_free(f->charsets);
    return 0;
}

static struct imap_command *parse(struct fixture *f, const char *keys)
{
    struct imap_parser *p = imap_parser_new(f->charsets, &imap_limits_auth);
    struct buf line = BUF_INIT(0);
    buf_printf(&line, "a SEARCH %s\r\n", keys);
    imap_parser_set_state(p, IMAP_STATE_SELECTED);
    struct str in = buf_view(&line);
    struct imap_parse_event ev;
    if (imap_parser_feed(p, &in, &ev) != IMAP_PARSE_COMMAND)
        fail_msg("%s: %s", keys, ev.error.text);
    imap_parser_free(p);
    buf_done(&line);
    return ev.command;
}

enum at_hand { NOTHING, DIGEST, HEADER, MESSAGE, ALL };

static struct imap_search_message describe(struct fixture *f, enum at_hand at_hand)
{
    static const struct str keywords[] = {{"$Label1", 7}};
    struct imap_search_message m = {.seq = 3,
                                    .uid = 30,
                                    .flags = ITEM_SEEN | ITEM_FORWARDED,
                                    .recent = true,
                                    .keywords = {keywords, 1},
                                    .size = 1000,
                                    .modseq = 77,
                                    .internal_s = 1767500000, /* Sun, 4 Jan 2026 04:13:20 UTC */
                                    .saved_s = 1767700000,    /* Tue, 6 Jan 2026 */
                                    .email_id = STR("M1"),
                                    .thread_id = STR("T1")};
    if (at_hand == DIGEST || at_hand == ALL)
        m.digest = &f->digest;
    if (at_hand == HEADER)
        m.header = str_sub(f->text, 0, (size_t)f->root->body_at);
    if (at_hand == MESSAGE || at_hand == ALL) {
        m.structure = f->root;
        m.reader = &f->reader;
    }
    return m;
}

static enum imap_match match(struct fixture *f, const char *keys, struct imap_search_message *m, int zone)
{
    static const struct imap_range saved_ranges[] = {{20, 30}};
    static const struct imap_seqset saved = {saved_ranges, 1, false};
    struct imap_search_env env = {.charsets = f->charsets,
                                  .last_seq = 9,
                                  .last_uid = 90,
                                  .saved_uids = &saved,
                                  .now_s = 1767500000 + 3600,
                                  .zone_minutes = zone};
    struct imap_command *c = parse(f, keys);
    struct imap_searcher *s = imap_searcher_new(&env, c->search.program);
    enum imap_match result = imap_searcher_match(s, m);
    imap_searcher_free(s);
    imap_command_free(c);
    return result;
}

static enum imap_match match_with(struct fixture *f, const char *keys, enum at_hand at_hand)
{
    struct imap_search_message m = describe(f, at_hand);
    return match(f, keys, &m, 0);
}

/* Keys that match (or not, with "NOT" before them), with everything at hand; from the message alone the answer is the
 * same. */
static const char *const yes[] = {
    "ALL",
    "SEEN",
    "UNFLAGGED",
    "KEYWORD $forwarded",
    "KEYWORD $label1",
    "UNKEYWORD $other",
    "RECENT",
    "NOT OLD SEEN OR NEW ALL",
    "3",
    "1:5",
    "*:3",
    "UID 30",
    "UID 25:*",
    "$",
    "UID $",
    "LARGER 999",
    "SMALLER 1001",
    "NOT LARGER 1000",
    "NOT SMALLER 1000",
    "MODSEQ 77",
    "NOT MODSEQ 78",
    "EMAILID M1",
    "NOT EMAILID m1",
    "THREADID T1",
    "SAVEDATESUPPORTED",
    "ON 4-Jan-2026",
    "SINCE 4-Jan-2026",
    "NOT SINCE 5-Jan-2026",
    "BEFORE 5-Jan-2026",
    "NOT BEFORE 4-Jan-2026",
    "SENTON 3-Jan-2026",
    "NOT SENTON 4-Jan-2026",
    "SENTBEFORE 4-Jan-2026",
    "SENTSINCE 3-Jan-2026", /* the sender's own day */
    "SAVEDON 6-Jan-2026",
    "SAVEDSINCE 6-Jan-2026",
    "NOT SAVEDBEFORE 6-Jan-2026",
    "YOUNGER 3600",
    "NOT YOUNGER 3599",
    "OLDER 3600",
    "NOT OLDER 3601",
    "FROM jane",
    "FROM JANE@EXAMPLE",
    "FROM \"doe, jane\"",
    "NOT FROM bob",
    "TO bob",
    "TO \"\xc3\xbcrgen\"",
    "TO \"j\xc3\x9cRGEN\"",
    "SUBJECT \"gr\xc3\xbc\xc3\x9f"
    "e and\"",
    "SUBJECT \"GR\xc3\x9c\xc3\x9f"
    "E\"",
    "NOT SUBJECT zzz",
    "NOT CC \"\"",
    "SUBJECT \"\"",
    "FROM \"\"",
    "HEADER X-Empty \"\"",
    "NOT HEADER X-None \"\"",
    "HEADER X-Two second",
    "HEADER x-two ONE",
    "NOT HEADER X-Two three",
    "HEADER Subject and",
    "HEADER Content-Type mixed",
    "BODY \"stra\xc3\x9f"
    "e\"",
    "BODY M\xc3\x9cNCHEN",
    "BODY \"long word\"",
    "BODY \"<b>hello\"",
    "NOT BODY hidden",
    "NOT BODY jane",
    "NOT BODY secret.bin",
    "TEXT jane",
    "TEXT \"long word\"",
    "TEXT secret.bin",
    "TEXT \"x-two: second\"",
    "NOT TEXT zzz",
    "OR BODY zzz SEEN",
    "NOT (SEEN BODY zzz)",
    "BODY world SUBJECT more SEEN",
};

static void test_matches(void **state)
{
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (match_with(*state, yes[i], ALL) != IMAP_MATCH_YES || match_with(*state, yes[i], MESSAGE) != IMAP_MATCH_YES)
            fail_msg("%s", yes[i]);
        char opposite[200];
        snprintf(opposite, sizeof(opposite), "NOT (%s)", yes[i]);
        assert_int_equal(match_with(*state, opposite, ALL), IMAP_MATCH_NO);
    }
}

static void test_needs(void **state)
{
    static const struct {
        const char *keys;
        enum at_hand at_hand;
        enum imap_match expected;
    } rows[] = {
        {"SEEN", NOTHING, IMAP_MATCH_YES},
        {"SUBJECT more", NOTHING, IMAP_MATCH_NEEDS_HEADER},
        {"SUBJECT more", DIGEST, IMAP_MATCH_YES},
        {"SUBJECT more", HEADER, IMAP_MATCH_YES},
        {"HEADER X-Two one", DIGEST, IMAP_MATCH_NEEDS_HEADER},
        {"HEADER X-Two one", HEADER, IMAP_MATCH_YES},
        {"HEADER From jane", DIGEST, IMAP_MATCH_YES},
        {"BODY world", NOTHING, IMAP_MATCH_NEEDS_MESSAGE},
        {"BODY world", HEADER, IMAP_MATCH_NEEDS_MESSAGE},
        {"TEXT jane", HEADER, IMAP_MATCH_YES},
        {"TEXT world", HEADER, IMAP_MATCH_NEEDS_MESSAGE},
        {"UNSEEN BODY world", NOTHING, IMAP_MATCH_NO},
        {"BODY world UNSEEN", NOTHING, IMAP_MATCH_NO},
        {"OR SEEN BODY world", NOTHING, IMAP_MATCH_YES},
        {"OR BODY world SEEN", NOTHING, IMAP_MATCH_YES},
        {"SEEN BODY world", NOTHING, IMAP_MATCH_NEEDS_MESSAGE},
        {"BODY world SUBJECT more", NOTHING, IMAP_MATCH_NEEDS_HEADER},
        {"BODY world SUBJECT zzz", DIGEST, IMAP_MATCH_NO},
        {"BODY world SUBJECT more", DIGEST, IMAP_MATCH_NEEDS_MESSAGE},
        {"OR BODY world SUBJECT more", DIGEST, IMAP_MATCH_YES},
        {"NOT BODY world", NOTHING, IMAP_MATCH_NEEDS_MESSAGE},
        {"NOT (UNSEEN BODY world)", NOTHING, IMAP_MATCH_YES},
        {"OR (UNSEEN SUBJECT x) BODY world", NOTHING, IMAP_MATCH_NEEDS_MESSAGE},
        {"SENTON 3-Jan-2026", NOTHING, IMAP_MATCH_NEEDS_HEADER},
        {"SENTON 3-Jan-2026", DIGEST, IMAP_MATCH_YES},
        {"SENTON 3-Jan-2026", HEADER, IMAP_MATCH_YES},
        {"BODY \"\"", NOTHING, IMAP_MATCH_YES},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum imap_match got = match_with(*state, rows[i].keys, rows[i].at_hand);
        if (got != rows[i].expected)
            fail_msg("%s: %d, not %d", rows[i].keys, (int)got, (int)rows[i].expected);
    }
}

static bool get_header(void *ud, struct imap_search_message *m)
{
    struct fixture *f = ud;
    f->headers_asked++;
    m->header = str_sub(f->text, 0, (size_t)f->root->body_at);
    return true;
}

static bool get_message(void *ud, struct imap_search_message *m)
{
    struct fixture *f = ud;
    f->messages_asked++;
    m->structure = f->root;
    m->reader = &f->reader;
    return true;
}

static void test_lazily(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *keys;
        enum imap_match expected;
        int headers, messages;
    } rows[] = {
        {"SEEN", IMAP_MATCH_YES, 0, 0},
        {"UNSEEN BODY world SUBJECT more", IMAP_MATCH_NO, 0, 0},
        {"SUBJECT zzz BODY world", IMAP_MATCH_NO, 1, 0},
        {"SUBJECT more HEADER X-Two one FROM jane", IMAP_MATCH_YES, 1, 0},
        {"SUBJECT more BODY world BODY hello TEXT jane", IMAP_MATCH_YES, 1, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct imap_search_message m = describe(f, NOTHING);
        m.ud = f;
        m.get_header = get_header;
        m.get_message = get_message;
        f->headers_asked = f->messages_asked = 0;
        assert_int_equal(match(f, rows[i].keys, &m, 0), rows[i].expected);
        assert_int_equal(f->headers_asked, rows[i].headers);
        assert_int_equal(f->messages_asked, rows[i].messages);
    }
}

static void test_unreadable(void **state)
{
    struct fixture *f = *state;
    f->unreadable = true;
    assert_int_equal(match_with(f, "BODY world", MESSAGE), IMAP_MATCH_FAILED);
    assert_int_equal(match_with(f, "SUBJECT more", MESSAGE), IMAP_MATCH_FAILED);
    assert_int_equal(match_with(f, "UNSEEN BODY world", MESSAGE), IMAP_MATCH_NO);
    f->unreadable = false;
}

/* Days are days in the zone of the session (RFC 3501 6.4.4: disregarding time and timezone). */
static void test_zone(void **state)
{
    struct imap_search_message m = describe(*state, NOTHING);
    assert_int_equal(match(*state, "ON 3-Jan-2026", &m, -300), IMAP_MATCH_YES);
    assert_int_equal(match(*state, "ON 4-Jan-2026", &m, -240), IMAP_MATCH_YES);
    m.saved_s = 0;
    assert_int_equal(match(*state, "SAVEDON 4-Jan-2026", &m, 0), IMAP_MATCH_YES);
}

static void test_bounds(void **state)
{
    struct fixture *f = *state;
    struct imap_search_env env = {.charsets = f->charsets, .last_seq = 9, .last_uid = 90};
    struct imap_command *c = parse(f, "SEEN UID 5:* BODY x");
    struct imap_searcher *s = imap_searcher_new(&env, c->search.program);
    bool uid;
    const struct imap_seqset *set;
    assert_false(imap_searcher_bounds(s, &uid, &set));
    assert_true(uid && set->n == 1 && set->ranges[0].from == 5 && set->ranges[0].to == 90);
    assert_int_equal(imap_search_needs(c->search.program), IMAP_NEEDS_MESSAGE);
    imap_searcher_free(s);
    imap_command_free(c);
    c = parse(f, "OR UID 5 SUBJECT x");
    s = imap_searcher_new(&env, c->search.program);
    assert_true(imap_searcher_bounds(s, &uid, &set));
    assert_int_equal(imap_search_needs(c->search.program), IMAP_NEEDS_HEADER);
    imap_searcher_free(s);
    imap_command_free(c);
}

/* A text that lies across the pieces a body is read in is found; in any case of cut. */
static void test_pieces(void **state)
{
    struct fixture *f = *state;
    for (size_t at = 65536 - 20; at < 65536 + 5; at++) {
        struct buf big = BUF_INIT(0);
        buf_lit(&big, "Subject: x\r\n\r\n");
        size_t header = big.n;
        buf_fill(&big, 'a', at);
        buf_lit(&big, "needle \xc3\xbc");
        buf_fill(&big, 'b', 70000);
        struct fixture g = *f;
        g.text = buf_view(&big);
        g.arena = (struct arena){0};
        g.root = mime_parse(&g.arena, g.text);
        g.reader = (struct imap_reader){&g, read_bytes};
        assert_int_equal(g.root->body_at, header);
        struct imap_search_message m = {.seq = 1, .uid = 1, .structure = g.root, .reader = &g.reader};
        assert_int_equal(match(&g,
                               "BODY \"aNEEDLE \xc3\x9c"
                               "b\"",
                               &m, 0),
                         IMAP_MATCH_YES);
        assert_int_equal(match(&g, "BODY needless", &m, 0), IMAP_MATCH_NO);
        arena_done(&g.arena);
        buf_done(&big);
    }
}

static void test_digest(void **state)
{
    struct fixture *f = *state;
    assert_true(f->digest.has_date && f->digest.has_from && f->digest.has_to && f->digest.has_subject);
    assert_false(f->digest.has_cc || f->digest.has_bcc);
    assert_int_equal(f->digest.date_zone, -300);
    assert_true(str_is(f->digest.from_box, "JANE"));
    assert_true(str_is(f->digest.from_name, "DOE, JANE"));
    /* Every cut of it, and every wrong byte in its head, is refused or gives something within the bytes. */
    for (size_t n = 0; n < f->packed.n; n++) {
        struct imap_digest d;
        assert_false(imap_digest_read(str_sub(buf_view(&f->packed), 0, n), &d));
    }
    struct buf copy = BUF_INIT(0);
    for (size_t i = 0; i < f->packed.n; i++) {
        struct imap_digest d;
        buf_reset(&copy);
        buf_str(&copy, buf_view(&f->packed));
        copy.p[i] = (char)(copy.p[i] ^ 0x80);
        if (imap_digest_read(buf_view(&copy), &d))
            assert_true(d.references.n <= copy.n && d.subject.n <= copy.n);
    }
    buf_done(&copy);
}

static void test_digest_references(void **state)
{
    struct fixture *f = *state;
    struct buf header = BUF_INIT(0), packed = BUF_INIT(0);
    buf_lit(&header, "Message-ID: (c) < a @b>\r\nIn-Reply-To: <x@y> <z@y>\r\nReferences:");
    for (int i = 0; i < 3000; i++)
        buf_printf(&header, "\r\n <%d@x>", i);
    buf_lit(&header, "\r\n\r\n");
    imap_digest_make(&packed, f->charsets, buf_view(&header));
    struct imap_digest d;
    assert_true(imap_digest_read(buf_view(&packed), &d));
    assert_true(str_is(d.message_id, "a@b"));
    size_t count = 1;
    for (size_t i = 0; i < d.references.n; i++)
        count += d.references.p[i] == '\n';
    assert_int_equal(count, IMAP_DIGEST_REFERENCES);
    assert_true(str_starts(d.references, STR("0@x\n2001@x\n2002@x\n")));
    assert_true(str_ends(d.references, STR("\n2999@x")));
    buf_reset(&packed);
    imap_digest_make(&packed, f->charsets, STR("In-Reply-To: <x@y> <z@y>\r\nSubject: Re: [l] A  b\r\n\r\n"));
    assert_true(imap_digest_read(buf_view(&packed), &d));
    assert_true(str_is(d.references, "x@y"));
    assert_true(d.is_reply);
    assert_true(str_is(d.base_subject, "A B"));
    buf_done(&header);
    buf_done(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),    cmocka_unit_test(test_needs),  cmocka_unit_test(test_lazily),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_zone),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_pieces),     cmocka_unit_test(test_digest), cmocka_unit_test(test_digest_references),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
