/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_XML_H
#define BRIDGE_FORMATS_XML_H
/*
 * Reading XML from a peer (SOAP, autodiscover, DAV) in chunks of any size, through libxml2's push parser, with our own
 * limits. Never any network, entity or DTD: a DOCTYPE ends it. Elements are known by namespace URI and local name,
 * through a table of the caller, never by prefix.
 *
 *     enum { EL_ITEM_ID = 1, EL_SUBJECT, ... };
 *     enum { NS_T = 1, NS_M };
 *     static const char *const namespaces[] = {"http://.../types", "http://.../messages"};     (index 0 is ns 1)
 *     static const struct xml_tag tags[] = {{NS_T, "ItemId", EL_ITEM_ID}, {NS_T, "Subject", EL_SUBJECT}, ...};
 *     static const struct xml_spec spec = {.namespaces = namespaces, .namespace_count = 2, .tags = tags, .tag_count =
 * N, .on_start = ..., .on_end = ..., .mode = XML_SERVER}; struct xml *x = xml_new(&spec, ctx); xml_feed(x, bytes, &err)
 * ...; xml_finish(x, &err); xml_free(x);
 *
 * The usual reader needs on_end alone: it gets the element's own text, collected, and asks xml_parent(x, 1) where it
 * stands. Everything a callback gets lives until it returns.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

enum xml_mode {
    XML_STRICT, /* what clients send: any error ends it */
    XML_SERVER  /* what Exchange sends: character references that XML 1.0 forbids (&#x1F;) are dropped and invalid UTF-8
                   becomes  U+FFFD; everything else is as strict */
};

struct xml_tag {
    int ns; /* 1-based index of the namespace table; 0 = no namespace */
    const char *name;
    int id; /* > 0 */
};
struct xml_name {
    int id;         /* of the tag table; 0 = not in it */
    int ns;         /* 0 = none, -1 = one that is not in the table */
    struct str uri; /* as in the document; empty = none */
    struct str local;
};
struct xml_attr {
    int ns;
    struct str name, value; /* local name; value decoded */
};

struct xml;
/* What to do with the text of the element that starts. */
enum xml_want {
    XML_COLLECT, /* gather it, on_end gets it; over max_text is an error */
    XML_STREAM,  /* hand it to on_text in pieces, never held */
    XML_SKIP     /* nothing of this element and what is in it is reported; its end neither */
};

struct xml_spec {
    const char *const *namespaces;
    size_t namespace_count;
    const struct xml_tag *tags;
    size_t tag_count;
    enum xml_mode mode;
    /* Limits; 0 = default. Over one: ERR_TOO_BIG. */
    size_t max_depth;    /* 64 */
    size_t max_elements; /* 200,000 */
    size_t max_text;     /* 1 MiB: collected text of one element */
    uint64_t max_bytes;  /* 64 MiB: the document */

    /* Each may be NULL. */
    enum xml_want (*on_start)(void *ctx, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                              size_t n);
    void (*on_text)(void *ctx, struct xml *x, struct str piece);
    void (*on_end)(void *ctx, struct xml *x, const struct xml_name *name, struct str text);
};

#define XML_MAX_DEPTH      64
#define XML_MAX_ELEMENTS   200000
#define XML_MAX_TEXT       (1u << 20)
#define XML_MAX_BYTES      (64u << 20)
#define XML_MAX_ATTRS      64
#define XML_MAX_ATTR_BYTES (64u << 10) /* all values of one element */

struct xml *xml_new(const struct xml_spec *spec, void *ctx); /* spec must outlive it */
/* False: over, with the reason (ERR_PROTOCOL, ERR_TOO_BIG, or what a callback gave xml_fail); later calls say the same.
 */
bool xml_feed(struct xml *x, struct str bytes, struct err *e);
/* The document must be complete: false when the root element is still open or there was none. */
bool xml_finish(struct xml *x, struct err *e);
void xml_free(struct xml *x);

/* For callbacks. */
void xml_fail(struct xml *x, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t xml_depth(const struct xml *x); /* open elements; the root element counts 1 in its own callbacks */
/* The id of an element that is open: 0 is the one of this callback, 1 its parent, ... ; 0 when unknown or none. */
int xml_parent(const struct xml *x, size_t up);
/* Is an element with this id open (the callback's own included)? */
bool xml_inside(const struct xml *x, int id);
/* An attribute without namespace; NULL p when absent. */
struct str xml_attr_get(const struct xml_attr *attrs, size_t n, const char *name);

/*
 * A long HTTP answer that holds many SOAP envelopes back to back (GetStreamingEvents). Cuts at the end tag of any
 * prefix whose local name is Envelope; blanks and byte order marks between documents are dropped. Each document wants a
 * struct xml of its own.
 */
struct xml_split {
    int state;
    bool in_document;
    size_t matched;
};
/* Take the next piece of *in (advanced). False when *in is used up. *ret_ends: the piece is the last of its document.
 */
bool xml_split_next(struct xml_split *s, struct str *in, struct str *ret_piece, bool *ret_ends);

/*
 * Writing. Names are literals of the caller ("m:GetItem", prefix included; they must outlive the element), values are
 * escaped here. Characters XML 1.0 forbids are dropped, invalid UTF-8 becomes U+FFFD. Test out->failed at the end.
 */
struct xml_writer {
    struct buf *out;
    const char *open[XML_MAX_DEPTH];
    size_t depth;
    bool in_tag;
};
void xml_writer_init(struct xml_writer *w, struct buf *out);
void xml_declaration(struct xml_writer *w); /* <?xml version="1.0" encoding="utf-8"?> */
void xml_open(struct xml_writer *w, const char *name);
void xml_attr(struct xml_writer *w, const char *name, struct str value); /* right after xml_open */
void xml_attr_lit(struct xml_writer *w, const char *name, const char *value);
void xml_text(struct xml_writer *w, struct str text);
void xml_raw(struct xml_writer *w, struct str xml); /* already XML */
void xml_close(struct xml_writer *w);               /* <x/> when nothing was in it */
void xml_leaf(struct xml_writer *w, const char *name, struct str text);
void xml_leaf_lit(struct xml_writer *w, const char *name, const char *text);
void xml_leaf_u64(struct xml_writer *w, const char *name, uint64_t value);
/* Base64 content in pieces of any size, between xml_open and xml_close: xml_base64(w, &st, bytes), at last
 * xml_base64_end. */
struct xml_base64 {
    unsigned char kept[3];
    size_t n;
};
void xml_base64(struct xml_writer *w, struct xml_base64 *st, struct str bytes);
void xml_base64_end(struct xml_writer *w, struct xml_base64 *st);
/* Escaping alone. */
void xml_add_escaped(struct buf *out, struct str text);

#endif
