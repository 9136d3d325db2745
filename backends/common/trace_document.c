/* SPDX-License-Identifier: Apache-2.0 */
/* Elements as lines: an element with text on one line, one with elements around theirs. */
#include <stdio.h>

#include "backends/common/trace_private.h"

#define LINE_MAX_BYTES ((size_t)8192)
#define VALUE_WHOLE    96 /* longer values lose their middle */
#define VALUE_HEAD     32
#define VALUE_TAIL     24

void trace_line(const struct trace_document *d, struct str line)
{
    struct buf out = BUF_INIT(LINE_MAX_BYTES + 64);
    buf_lit(&out, d->prefix);
    buf_str(&out, str_sub(line, 0, LINE_MAX_BYTES));
    d->to->line(d->to->ud, buf_view(&out));
    buf_done(&out);
}

void trace_add_value(struct buf *out, struct str kept, uint64_t size, bool shown)
{
    bool address = str_find_byte(kept, '@') != (size_t)-1; /* even where nobody expects one */
    if (!shown || address || kept.n < size) {
        buf_printf(out, "[%llu bytes]", (unsigned long long)size);
    } else if (kept.n <= VALUE_WHOLE) {
        buf_str(out, kept);
    } else {
        buf_str(out, str_sub(kept, 0, VALUE_HEAD));
        buf_lit(out, "...");
        buf_str(out, str_skip(kept, kept.n - VALUE_TAIL));
    }
}

/* --- lines of a document ----------------------------------------------------------------------------------------- */

static void say(struct trace_document *d, size_t depth, struct str text)
{
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    if (++d->lines > TRACE_LINES_MAX) {
        if (d->lines == TRACE_LINES_MAX + 1)
            trace_line(d, STR("[the rest of the document is left out]"));
        return;
    }
    buf_fill(&line, ' ', 2 * depth);
    buf_str(&line, str_sub(text, 0, LINE_MAX_BYTES - line.n));
    trace_line(d, buf_view(&line));
    buf_done(&line);
}

static bool innermost_shown(const struct trace_document *d)
{
    return d->depth > 0 && d->depth <= TRACE_DEPTH_MAX && d->open[d->depth - 1].shown;
}

static bool has_text(const struct trace_document *d)
{
    return d->text_size > 0 && !d->blank;
}

static void add_text(struct trace_document *d, struct buf *out)
{
    trace_add_value(out, buf_view(&d->text), d->text_size, innermost_shown(d));
}

static void forget_text(struct trace_document *d)
{
    buf_reset(&d->text);
    d->text_size = 0;
    d->blank = true;
}

/* Something follows that is not the text of one element alone. */
static void flush(struct trace_document *d)
{
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    if (d->pending) {
        buf_str(&line, buf_view(&d->tag));
        buf_byte(&line, '>');
        say(d, d->depth - 1, buf_view(&line));
        d->pending = false;
    }
    if (has_text(d)) {
        buf_reset(&line);
        add_text(d, &line);
        say(d, d->depth, buf_view(&line));
    }
    forget_text(d);
    buf_done(&line);
}

void trace_start(struct trace_document *d)
{
    d->lines = d->depth = 0;
    d->pending = false;
    forget_text(d);
}

void trace_open(struct trace_document *d, struct str name, bool shown)
{
    flush(d);
    if (d->depth < TRACE_DEPTH_MAX) {
        snprintf(d->open[d->depth].name, sizeof(d->open[0].name), "%.*s", STR_ARG(name));
        d->open[d->depth].shown = shown;
    }
    d->depth++;
    buf_reset(&d->tag);
    buf_byte(&d->tag, '<');
    buf_str(&d->tag, str_sub(name, 0, TRACE_NAME_MAX));
    d->pending = true;
}

void trace_attr(struct trace_document *d, struct str name, struct str value, bool shown)
{
    buf_printf(&d->tag, " %.*s=\"", (int)(name.n < TRACE_NAME_MAX ? name.n : TRACE_NAME_MAX), name.p);
    trace_add_value(&d->tag, str_sub(value, 0, TRACE_VALUE_MAX), value.n, shown);
    buf_byte(&d->tag, '"');
}

void trace_text(struct trace_document *d, struct str piece)
{
    if (d->text.n < TRACE_VALUE_MAX)
        buf_str(&d->text, str_sub(piece, 0, TRACE_VALUE_MAX - d->text.n));
    d->text_size += piece.n;
    d->blank = d->blank && str_trim(piece).n == 0;
}

void trace_close(struct trace_document *d)
{
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    if (d->depth == 0)
        return;
    const char *name = d->depth <= TRACE_DEPTH_MAX ? d->open[d->depth - 1].name : "...";
    if (!d->pending)
        flush(d);
    bool alone = d->pending;
    if (alone)
        buf_str(&line, buf_view(&d->tag));
    if (alone && !has_text(d)) {
        buf_lit(&line, "/>");
    } else {
        if (alone) {
            buf_byte(&line, '>');
            add_text(d, &line);
        }
        buf_printf(&line, "</%s>", name);
    }
    d->depth--;
    d->pending = false;
    forget_text(d);
    say(d, d->depth, buf_view(&line));
    buf_done(&line);
}

void trace_note(struct trace_document *d, const char *fmt, ...)
{
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    va_list ap;
    flush(d);
    buf_byte(&line, '[');
    va_start(ap, fmt);
    buf_vprintf(&line, fmt, ap);
    va_end(ap);
    buf_byte(&line, ']');
    say(d, d->depth, buf_view(&line));
    buf_done(&line);
}

void trace_document_init(struct trace_document *d, const struct backend_trace *to)
{
    *d = (struct trace_document){.to = to, .blank = true};
    buf_init(&d->tag, LINE_MAX_BYTES);
    buf_init(&d->text, TRACE_VALUE_MAX);
}

void trace_document_done(struct trace_document *d)
{
    flush(d);
    buf_done(&d->tag);
    buf_done(&d->text);
}
