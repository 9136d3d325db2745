/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_TRACE_PRIVATE_H
#define BACKENDS_COMMON_TRACE_PRIVATE_H
/* Between trace.c and trace_document.c. */
#include "backends/common/trace.h"
#include "bridge/formats/xml.h"

#define TRACE_DEPTH_MAX XML_MAX_DEPTH
#define TRACE_NAME_MAX  63 /* bytes of an element's name */

struct trace_document {
    const struct backend_trace *to;
    char prefix[32]; /* "#3 > " */
    size_t lines;    /* of this document */
    size_t depth;
    struct {
        char name[TRACE_NAME_MAX + 1];
        bool shown;
    } open[TRACE_DEPTH_MAX];
    struct buf tag; /* "<Name a="b"": the innermost element, while nothing but text has followed */
    bool pending;
    struct buf text; /* of the innermost element, as far as it is kept */
    uint64_t text_size;
    bool blank; /* nothing but white space so far */
};

void trace_document_init(struct trace_document *d, const struct backend_trace *to);
void trace_document_done(struct trace_document *d);
/* A line that belongs to no document. */
void trace_line(const struct trace_document *d, struct str line);
/* "[12 bytes]", or the value, shortened in its middle. */
void trace_add_value(struct buf *out, struct str kept, uint64_t size, bool shown);

/* For a struct http_looker; `trace` is the struct trace. */
void trace_see(void *trace, uint64_t number, enum http_sight sight, struct str bytes);

#endif
