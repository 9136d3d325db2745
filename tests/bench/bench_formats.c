/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the pure parsers are: bench_formats FILE... reads complete messages (one a file), then prints messages and
 * megabytes a second for each thing a mail client asks of all messages of a folder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bridge/base/mem.h"
#include "bridge/formats/address.h"
#include "bridge/formats/charset.h"
#include "bridge/formats/header.h"
#include "bridge/formats/mime.h"
#include "bridge/formats/unicode.h"

struct message {
    struct str whole, header, packed;
};
struct corpus {
    struct message *items;
    size_t n;
    struct arena arena, scratch;
    struct charset_cache *cs;
    const struct header_names *thunderbird;
    struct buf out;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct str read_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct buf b = BUF_INIT((size_t)1 << 30);
    char piece[65536];
    size_t n;
    if (!f) {
        perror(path);
        exit(1);
    }
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(&b, piece, n);
    fclose(f);
    struct str s = arena_str(a, buf_view(&b));
    buf_done(&b);
    return s;
}

static size_t run_fields(struct corpus *c, const struct message *m)
{
    buf_reset(&c->out);
    header_add_fields(&c->out, m->header, c->thunderbird, true);
    return m->header.n;
}

static size_t run_parse(struct corpus *c, const struct message *m)
{
    mime_parse(&c->scratch, m->whole);
    return m->whole.n;
}

static size_t run_unpack(struct corpus *c, const struct message *m)
{
    struct mime_part *root;
    if (!mime_unpack(&c->scratch, m->packed, &root))
        abort();
    return m->packed.n;
}

static size_t run_envelope(struct corpus *c, const struct message *m)
{
    struct mime_envelope e;
    struct address_list list;
    mime_envelope_parse(&c->scratch, m->header, &e);
    address_parse(&c->scratch, e.from, &list);
    address_parse(&c->scratch, e.to, &list);
    address_parse(&c->scratch, e.cc, &list);
    return m->header.n;
}

static size_t run_subject(struct corpus *c, const struct message *m)
{
    struct str value = STR_NULL;
    buf_reset(&c->out);
    if (header_find(m->header, "subject", &value))
        unicode_fold_add(&c->out, header_text(&c->scratch, c->cs, value));
    return m->header.n;
}

/* All text parts to comparison form: SEARCH BODY. */
static size_t run_text(struct corpus *c, const struct message *m)
{
    struct mime_part *p;
    mime_unpack(&c->scratch, m->packed, &p);
    buf_reset(&c->out);
    while (p) {
        if (mime_is_text(p)) {
            struct buf text = BUF_INIT(0);
            struct mime_text t;
            mime_text_init(&t, c->cs, p);
            mime_text_feed(&t, str_sub(m->whole, p->body_at, p->end - p->body_at), &text);
            mime_text_finish(&t, &text);
            mime_text_done(&t);
            unicode_fold_add(&c->out, buf_view(&text));
            buf_done(&text);
        }
        if (p->children) {
            p = p->children;
            continue;
        }
        while (p && !p->next)
            p = p->parent;
        p = p ? p->next : NULL;
    }
    return m->whole.n;
}

static const struct {
    const char *name;
    size_t (*run)(struct corpus *c, const struct message *m);
} benches[] = {
    {"HEADER.FIELDS (13 names)", run_fields},
    {"structure: parse", run_parse},
    {"structure: unpack", run_unpack},
    {"envelope with addresses", run_envelope},
    {"subject, decoded and folded", run_subject},
    {"all text, decoded and folded", run_text},
};

static void measure(struct corpus *c, size_t which)
{
    double start = now(), took = 0;
    size_t messages = 0, bytes = 0;
    while (took < 1) {
        for (size_t i = 0; i < c->n; i++) {
            bytes += benches[which].run(c, &c->items[i]);
            if (c->scratch.total > (1 << 20)) {
                arena_done(&c->scratch);
                c->scratch = (struct arena){0};
            }
        }
        messages += c->n;
        took = now() - start;
    }
    printf("%-30s %10.0f messages/s %8.0f MB/s\n", benches[which].name, (double)messages / took,
           (double)bytes / took / 1e6);
}

int main(int argc, char **argv)
{
    static const struct str names[] = {STR("From"),        STR("To"),         STR("Cc"),         STR("Bcc"),
                                       STR("Subject"),     STR("Date"),       STR("Message-ID"), STR("Priority"),
                                       STR("X-Priority"),  STR("References"), STR("Newsgroups"), STR("In-Reply-To"),
                                       STR("Content-Type")};
    struct corpus c = {.n = (size_t)(argc - 1), .cs = charset_cache_new(), .out = BUF_INIT(0)};
    size_t bytes = 0, header_bytes = 0;
    c.items = mem_array(c.n, sizeof(*c.items));
    c.thunderbird = header_names_new(&c.arena, names, sizeof(names) / sizeof(*names));
    for (size_t i = 0; i < c.n; i++) {
        struct message *m = &c.items[i];
        struct buf packed = BUF_INIT(0);
        m->whole = read_file(&c.arena, argv[i + 1]);
        m->header = str_sub(m->whole, 0, header_block_size(m->whole));
        mime_pack(mime_parse(&c.scratch, m->whole), &packed);
        m->packed = arena_str(&c.arena, buf_view(&packed));
        buf_done(&packed);
        bytes += m->whole.n;
        header_bytes += m->header.n;
    }
    if (!c.n) {
        fprintf(stderr, "usage: bench_formats MESSAGE...\n");
        return 2;
    }
    printf("%zu messages, mean %zu bytes, header %zu bytes\n", c.n, bytes / c.n, header_bytes / c.n);
    for (size_t i = 0; i < sizeof(benches) / sizeof(*benches); i++)
        measure(&c, i);
    arena_done(&c.arena);
    arena_done(&c.scratch);
    charset_cache_free(c.cs);
    buf_done(&c.out);
    mem_free(c.items);
    return 0;
}
