/* SPDX-License-Identifier: Apache-2.0 */
/* Any message as a draft by its properties: refused with a reason, or WBXML that our own decoder accepts. */
#include <stdint.h>
#include <stdlib.h>

#include "backends/eas/eas_draft.h"
#include "backends/eas/eas_wbxml.h"

static bool on_open(void *ud, unsigned tag, struct err *err)
{
    (void)ud, (void)tag, (void)err;
    return true;
}

static bool on_text(void *ud, struct str piece, struct err *err)
{
    (void)ud, (void)piece, (void)err;
    return true;
}

static bool on_close(void *ud, struct err *err)
{
    (void)ud, (void)err;
    return true;
}

static bool feed(void *ud, struct str piece)
{
    if (!eas_wbxml_feed(ud, piece, NULL))
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct eas_wbxml_events events = {.on_open = on_open, .on_text = on_text, .on_close = on_close};
    struct err err = {0};
    struct blob *message = blob_from_str(str_of(data, size)), *properties = eas_draft_properties(message, "/tmp", &err);
    struct eas_wbxml d;

    blob_unref(&message);
    if (!properties && (err.code == ERR_NONE || err.text[0] == '\0'))
        abort();
    if (!properties)
        return 0;
    eas_wbxml_init(&d, &events, NULL);
    feed(&d, STR("\3\1\x6A\0\x45"));
    blob_each(properties, feed, &d, NULL);
    feed(&d, STR("\1"));
    if (!eas_wbxml_end(&d, NULL))
        abort();
    blob_unref(&properties);
    return 0;
}
