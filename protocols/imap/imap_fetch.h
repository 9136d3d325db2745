/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOCOLS_IMAP_IMAP_FETCH_H
#define PROTOCOLS_IMAP_IMAP_FETCH_H
/*
 * FETCH in three parts: cmd_fetch.c walks the messages and asks the server for what is missing, imap_fetch_load.c makes
 * ready all bytes of one message's answer (so that nothing can fail any more), imap_fetch_write.c writes it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/change.h"
#include "bridge/formats/mime.h"
#include "protocols/imap/imap_session.h"
#include "protocols/imap/imap_source.h"

/* What one item of the answer consists of. */
enum fetch_form { FETCH_FORM_NIL, FETCH_FORM_PLAIN, FETCH_FORM_TEXT, FETCH_FORM_LITERAL, FETCH_FORM_BLOB };
struct fetch_value {
    enum fetch_form form;
    struct str bytes; /* PLAIN: as it is; TEXT: an nstring; LITERAL */
    struct blob *blob;
    uint64_t at, end; /* BLOB: the range */
    uint64_t size;    /* BINARY.SIZE */
    bool binary;      /* literal8 */
    bool owned;       /* blob is ours to give back */
};

/* Undoing a transfer encoding, piece by piece over several turns of the loop. */
struct fetch_decode {
    bool active, done, has_nul;
    const struct mime_part *part;
    struct mime_decoder decoder;
    struct buf piece;
    uint64_t at; /* next byte of the message */
    uint64_t size;
    struct blob *out;
};

struct fetch {
    struct imap_session *s;
    const struct imap_fetch *args;
    struct imap_seqset seqs;
    struct imap_seqset_iter iter;
    bool vanished_told;
    /* the message at hand; seq 0 = take the next one */
    uint32_t seq;
    size_t hint;
    struct fetch_value *values;   /* one an item */
    struct fetch_decode *decodes; /* one an item; NULL without BINARY */
    struct imap_source src;       /* src.m: found anew after each turn of the loop */
    /* A single message, and nothing below its header: a whole header block is that of the message, unless this cannot
     * be had just now (header_will_do) */
    bool alone, header_will_do;
    /* BODY[] and the like without PEEK, where flags can be changed: those that become \Seen at the end */
    uint32_t *unseen; /* NULL: none of that */
    size_t unseen_n;
    struct change *change;
    /* what could not be had */
    struct err err; /* of the first one */
    unsigned failed;
    bool gone, unknown_encoding;
};

enum fetch_ready {
    FETCH_READY,
    FETCH_NEEDS_HEADER,
    FETCH_NEEDS_MESSAGE,
    FETCH_AGAIN,       /* more to decode: come back in the next turn */
    FETCH_UNDECODABLE, /* BINARY of an unknown transfer encoding */
    FETCH_FAILED       /* f->src.err is set */
};

/* Make every item of the message at hand ready. */
enum fetch_ready imap_fetch_load(struct fetch *f);
/* Forget what belongs to the message at hand. */
void imap_fetch_unload(struct fetch *f);
/* `* n FETCH (...)`. */
void imap_fetch_write(struct fetch *f);

#endif
