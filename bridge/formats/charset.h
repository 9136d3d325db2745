/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_CHARSET_H
#define BRIDGE_FORMATS_CHARSET_H
/*
 * Any charset to UTF-8, through iconv(3). Nothing here fails: an unknown charset is read as UTF-8 where it is valid
 * UTF-8 and as windows-1252 where not; bytes that have no meaning become U+FFFD. Output is always valid UTF-8.
 *
 * Opening an iconv descriptor is slow, so a struct charset_cache keeps a few open. One cache per thread of work (in
 * practice one per program, handed down); it is not locked. Mail names are mapped to what they mean in practice:
 * us-ascii and iso-8859-1 are read as windows-1252 when bytes above 127 occur, gb2312 and gbk as gb18030,
 * ks_c_5601-1987 as cp949, shift_jis as cp932.
 */
#include <stdbool.h>
#include <stddef.h>

#include "bridge/base/buf.h"
#include "bridge/base/str.h"

struct charset_cache;
struct charset_cache *charset_cache_new(void);
void charset_cache_free(struct charset_cache *c);

/* Is there a converter for that name? (SEARCH CHARSET answers NO [BADCHARSET] without) */
bool charset_known(struct charset_cache *c, struct str charset);
/* False only when `out` is at its limit. An empty name means: valid UTF-8 or windows-1252. */
bool charset_to_utf8(struct charset_cache *c, struct str charset, struct str in, struct buf *out);
/* Strict: false on an unknown charset, a bad byte, or a character the charset lacks (then `out` is as before). */
bool charset_from_utf8(struct charset_cache *c, struct str charset, struct str in, struct buf *out);

/* The same in pieces; characters may be cut anywhere. */
struct charset_decoder {
    struct charset_cache *cache;
    void *cd; /* iconv_t, or NULL for the built-in ones */
    int mode;
    size_t kept_n;
    char kept[16]; /* the beginning of a character; longer ones do not exist in any charset of iconv */
};
void charset_decoder_init(struct charset_decoder *d, struct charset_cache *c, struct str charset);
bool charset_decoder_feed(struct charset_decoder *d, struct str in, struct buf *out);
bool charset_decoder_finish(struct charset_decoder *d, struct buf *out);
void charset_decoder_done(struct charset_decoder *d); /* gives the descriptor back */

#endif
