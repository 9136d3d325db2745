/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Autodiscover's answers and the URLs in them. The first byte chooses: POX (the second is the size of the pieces, which
 * must not matter), JSON, or a URL and whom it makes us trust.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backends/common/autodiscover_read.h"
#include "backends/common/autodiscover_rules.h"

static void check(struct str s)
{
    if (s.n > AUTODISCOVER_VALUE_MAX)
        abort();
}

static bool read_pox(struct str doc, size_t piece, struct arena *arena, struct autodiscover_answer *a)
{
    struct err err = {0};
    struct autodiscover_reader *r = autodiscover_reader_new(arena, a);
    bool ok = true;
    for (size_t at = 0; ok && at < doc.n; at += piece)
        ok = autodiscover_reader_feed(r, str_sub(doc, at, piece), &err);
    ok = ok && autodiscover_reader_finish(r, &err);
    autodiscover_reader_free(&r);
    if (!ok && err.code == ERR_NONE)
        abort();
    return ok;
}

static void pox(struct str doc, size_t piece)
{
    struct arena arena = {0};
    struct autodiscover_answer a, b;
    bool ok = read_pox(doc, doc.n ? doc.n : 1, &arena, &a);
    if (read_pox(doc, piece, &arena, &b) != ok)
        abort();
    if (ok) {
        check(a.redirect);
        check(autodiscover_ews_url(&a));
        check(a.eas_url);
        if (a.action != b.action || !str_eq(a.redirect, b.redirect) || !str_eq(a.eas_url, b.eas_url) ||
            !str_eq(autodiscover_ews_url(&a), autodiscover_ews_url(&b)) || a.mailbox_count != b.mailbox_count ||
            a.error_code != b.error_code || !str_eq(a.error_text, b.error_text))
            abort();
    }
    arena_done(&arena);
}

static void url(struct str s)
{
    struct autodiscover_url u;
    struct buf out = BUF_INIT(0);
    enum autodiscover_trust trust = autodiscover_trust(s, STR("corp.test"), NULL, 0);
    if (!autodiscover_url_read(s, &u)) {
        if (trust != AUTODISCOVER_NEVER)
            abort();
        return;
    }
    autodiscover_authority(&u, &out);
    /* What is trusted by itself is the domain, or really lies below it. */
    struct str tail = str_skip(u.host, u.host.n > 9 ? u.host.n - 10 : 0);
    if (trust == AUTODISCOVER_OWN && (!u.https || !(str_case_is(tail, "corp.test") || str_case_is(tail, ".corp.test"))))
        abort();
    if (u.host.n == 0 || u.port == 0 || u.port > 65535 || u.path.n == 0 || str_find_byte(u.host, '@') != (size_t)-1)
        abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str found;
    struct err err;
    if (size < 2)
        return 0;
    struct str rest = str_of(data + 2, size - 2);
    switch (data[0] % 3) {
    case 0:
        pox(rest, 1 + data[1] % 64);
        break;
    case 1:
        if (autodiscover_read_json(rest, &arena, &found, &err))
            check(found);
        break;
    default:
        url(rest);
    }
    arena_done(&arena);
    return 0;
}
