/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_WBXML_H
#define BACKENDS_EAS_WBXML_H
/*
 * WBXML as Exchange ActiveSync uses it (MS-ASWBXML, WAP-192-WBXML): header 03 01 6A 00, tags without attributes,
 * SWITCH_PAGE, END, STR_I and OPAQUE. Everything else (entities, literals, extensions, processing instructions, string
 * tables) is an error, as is anything after the root element.
 *
 * The decoder is fed bytes in pieces of any size and reports events. It is iterative, holds no content (text comes in
 * pieces that point into what was fed), and uses a fixed amount of memory whatever the server sends. It does not know
 * which tags exist: unknown ones are reported like the others, and eas_answer skips their subtrees.
 *
 * The encoder writes into a struct buf; failures (a NUL in text, too deep) make the buf's `failed` true.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/eas/eas_tokens.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

#define EAS_HEADER_SIZE                                                                                                \
    4                      /* bytes before the first token: an answer that is refused within them is not WBXML at all  \
                            */
#define EAS_WBXML_DEPTH 32 /* elements inside each other, in both directions */

struct eas_wbxml_events {
    bool (*on_open)(void *ud, unsigned tag, struct err *err);
    bool (*on_text)(void *ud, struct str piece, struct err *err); /* of a STR_I or an OPAQUE; never empty */
    bool (*on_close)(void *ud, struct err *err);
};

struct eas_wbxml {
    const struct eas_wbxml_events *events;
    void *ud;
    uint64_t offset; /* bytes taken so far, for error texts */
    uint32_t number; /* of an OPAQUE: bytes to come */
    uint8_t state, page, count;
    uint8_t depth;
};

void eas_wbxml_init(struct eas_wbxml *d, const struct eas_wbxml_events *events, void *ud);
/* False: the answer is unusable (ERR_PROTOCOL), or an event returned false with its own error. Not to be fed again. */
bool eas_wbxml_feed(struct eas_wbxml *d, struct str bytes, struct err *err);
/* No more bytes come: was it a whole document? */
bool eas_wbxml_end(const struct eas_wbxml *d, struct err *err);

#define EAS_PAGE_NONE 0xFF /* not known which is selected: the next tag says it */

struct eas_writer {
    struct buf *out;
    uint8_t page, depth;
};

void eas_writer_init(struct eas_writer *w, struct buf *out); /* writes the header */
void eas_write_open(struct eas_writer *w, enum eas_tag tag);
void eas_write_close(struct eas_writer *w);
void eas_write_empty(struct eas_writer *w, enum eas_tag tag);
void eas_write_text(struct eas_writer *w, enum eas_tag tag, struct str text); /* STR_I; empty text: an empty element */
void eas_write_uint(struct eas_writer *w, enum eas_tag tag, uint64_t n);
void eas_write_opaque(struct eas_writer *w, enum eas_tag tag, struct str bytes);
/* The frame of an element whose content is put between the two by somebody else: `size` bytes as an OPAQUE, or as a
 * STR_I, in which there must be no NUL. */
void eas_write_opaque_begin(struct eas_writer *w, enum eas_tag tag, uint64_t size);
void eas_write_opaque_end(struct eas_writer *w);
void eas_write_text_begin(struct eas_writer *w, enum eas_tag tag);
void eas_write_text_end(struct eas_writer *w);

#endif
