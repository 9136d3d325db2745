/* SPDX-License-Identifier: Apache-2.0 */
/* The WBXML decoder, in pieces chosen by the input: whatever comes, the events must balance and the pieces not matter.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backends/eas/eas_wbxml.h"

struct events {
    unsigned depth;
    uint64_t hash;
};

static bool on_open(void *ud, unsigned tag, struct err *err)
{
    struct events *e = ud;

    (void)err;
    if (++e->depth > EAS_WBXML_DEPTH)
        abort();
    e->hash = e->hash * 31 + tag;
    return true;
}

static bool on_text(void *ud, struct str piece, struct err *err)
{
    struct events *e = ud;

    (void)err;
    if (e->depth == 0 || piece.n == 0)
        abort();
    for (size_t i = 0; i < piece.n; i++)
        e->hash = e->hash * 33 + (unsigned char)piece.p[i];
    return true;
}

static bool on_close(void *ud, struct err *err)
{
    struct events *e = ud;

    (void)err;
    if (e->depth-- == 0)
        abort();
    e->hash = e->hash * 37 + 1;
    return true;
}

static bool run(const uint8_t *data, size_t size, size_t step, uint64_t *ret_hash)
{
    static const struct eas_wbxml_events callbacks = {.on_open = on_open, .on_text = on_text, .on_close = on_close};
    struct events e = {0};
    struct eas_wbxml d;
    struct err err = {0};

    eas_wbxml_init(&d, &callbacks, &e);
    for (size_t at = 0; at < size; at += step)
        if (!eas_wbxml_feed(&d, str_of(data + at, size - at < step ? size - at : step), &err))
            return false;
    if (!eas_wbxml_end(&d, &err))
        return false;
    if (e.depth != 0)
        abort();
    *ret_hash = e.hash;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole = 0, cut = 0;
    bool ok;

    if (size == 0)
        return 0;
    ok = run(data, size, size, &whole);
    if (ok != run(data, size, 1 + data[size - 1] % 7, &cut) || (ok && whole != cut))
        abort();
    return 0;
}
