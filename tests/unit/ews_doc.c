/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ews_doc.h"

static bool feed_cut(struct ews_answer *a, struct str doc, size_t first, size_t piece, struct err *err)
{
    bool ok = ews_answer_feed(a, str_sub(doc, 0, first), err);
    for (size_t at = first; ok && at < doc.n; at += piece)
        ok = ews_answer_feed(a, str_sub(doc, at, piece), err);
    return ok;
}

/* The description of what was read, or of the error. */
char *ews_doc_read(struct run *run, struct str doc, size_t first, size_t piece)
{
    struct err err = {0};
    struct buf out = BUF_INIT(0);
    struct ews_server server;
    buf_reset(&run->log);
    run->begin(run);
    struct ews_answer *a = ews_answer_new(run->reader, run->ud);
    bool ok = feed_cut(a, doc, first, piece, &err) && ews_answer_finish(a, &err);
    if (!ok)
        buf_printf(&out, "%s ", err_name(err.code));
    if (ok && ews_answer_server(a, &server))
        buf_printf(&out, "%u.%u.%u ", server.major, server.minor, server.build);
    const struct ews_status *fault = ews_answer_fault(a);
    if (fault)
        buf_printf(&out, "fault %s(%s) '%s' %u ", fault->name, err_name(fault->code->err), fault->text,
                   fault->backoff_ms);
    if (ok && !fault)
        run->describe(run, &out);
    ews_answer_free(a);
    char *z = strdup(buf_z(&out));
    buf_done(&out);
    return z;
}

void ews_doc_check(struct run *run, const char *doc, const char *expected)
{
    struct str d = str_from(doc);
    char *whole = ews_doc_read(run, d, d.n, d.n);
    assert_string_equal(whole, expected);
    char *bytes = ews_doc_read(run, d, 0, 1);
    assert_string_equal(bytes, expected);
    free(bytes);
    free(whole);
    for (size_t cut = 1; cut < d.n; cut++) {
        char *pieces = ews_doc_read(run, d, cut, d.n);
        assert_string_equal(pieces, expected);
        free(pieces);
    }
    for (size_t end = 0; end < d.n; end++) {
        struct err err = {0};
        run->begin(run);
        struct ews_answer *a = ews_answer_new(run->reader, run->ud);
        bool ok = ews_answer_feed(a, str_sub(d, 0, end), &err) && ews_answer_finish(a, &err);
        assert_false(ok);
        assert_int_equal(err.code, ERR_PROTOCOL);
        ews_answer_free(a);
    }
}

void ews_doc_check_start(struct run *run, const char *doc, const char *expected)
{
    struct str d = str_from(doc);
    char *whole = ews_doc_read(run, d, d.n, d.n);
    assert_int_equal(strncmp(whole, expected, strlen(expected)), 0);
    free(whole);
}
