/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_SECRETS_H
#define BRIDGE_SECRETS_H
/*
 * Where the program's own secrets lie: refresh tokens, passwords that `exbridge login` took, keys of encrypted caches.
 * Each is a file in `dir` (0600), sealed with AES-256-GCM for its name, so that files cannot be swapped; written to the
 * disk (fsync, rename, fsync) before secrets_put() says yes. One key seals them all. It comes
 *
 *   SECRETS_FILE      from $CREDENTIALS_DIRECTORY/exbridge.key (systemd's LoadCredential=) where that exists, else from
 *                     the file `key` beside them, made when first needed. No better than file permissions and what the
 *                     disk does, but a copied secret alone is worth nothing.
 *   SECRETS_SERVICE   from the desktop's keyring (org.freedesktop.secrets, by way of the program secret-tool), made
 * when first needed; a `key` file of before moves there.
 *
 * A keyring may be locked, ask its owner, or never answer: it is asked in the background, for SECRETS_ASK_MS at most.
 * Until then SECRETS_WAIT; on_change comes when something has been learnt. Who closes the keyring's question is not
 * asked again and again: after a failure we only look every SECRETS_LOOK_MS whether the key can be read without any
 * question, because somebody has unlocked the keyring; secrets_retry() lets it ask. A key that is still to be stored is
 * offered again when somebody wants something, SECRETS_RETRY_MS later.
 *
 * What cannot be opened is kept, and the text says so: it is never begun anew by itself.
 */
#include <stdbool.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/loop.h"

#define SECRETS_ASK_MS   (60 * 1000) /* somebody may be typing the keyring's password */
#define SECRETS_QUICK_MS 1500        /* a keyring that has not answered by then asks somebody */
#define SECRETS_PROBE_MS 10000       /* a busy machine takes its time; where there is none, the answer comes at once */
#define SECRETS_RETRY_MS (60 * 1000)
#define SECRETS_LOOK_MS  (10 * 1000)
#define SECRETS_SIZE_MAX ((size_t)256 << 10) /* bytes of one secret */

enum secrets_kind { SECRETS_FILE, SECRETS_SERVICE };

struct secrets_opts {
    const char *dir; /* copied; made, mode 0700, when something is stored */
    enum secrets_kind kind;
    unsigned ask_ms, look_ms;    /* 0 = SECRETS_ASK_MS, SECRETS_LOOK_MS */
    void (*on_change)(void *ud); /* the key has come, or will not; may be NULL */
    void *ud;
};
struct secrets;
struct secrets *secrets_open(struct loop *loop, const struct secrets_opts *opts);
void secrets_close(struct secrets **s); /* NULL inside is fine */

enum secrets_result {
    SECRETS_OK,
    SECRETS_NONE, /* nothing of that name */
    SECRETS_WAIT, /* the keyring was asked; on_change will come, ask again then */
    SECRETS_FAILED
};
/* name: letters, digits and ._-@+, not beginning with a dot. `out` is appended to; buf_wipe() it. err: when FAILED;
 * ERR_OFFLINE (the keyring cannot be read now), ERR_INVALID (sealed with another key, damaged, open to others) or
 * ERR_DISK. */
enum secrets_result secrets_get(struct secrets *s, const char *name, struct buf *out, struct err *err);
/* On the disk when it returns OK. */
enum secrets_result secrets_put(struct secrets *s, const char *name, struct str value, struct err *err);
bool secrets_exists(const struct secrets *s, const char *name); /* without the key */
void secrets_remove(struct secrets *s, const char *name);
/* The keyring was asked, and takes as long as a question to a person does. */
bool secrets_asks_somebody(const struct secrets *s);
/* Somebody did something about it: forget that the keyring failed. */
void secrets_retry(struct secrets *s);

/* Is there a keyring at all? Calls back within SECRETS_PROBE_MS; ERR_NONE = yes. child_free() takes it back. */
struct child *secrets_probe_service(struct loop *loop, child_cb *cb, void *ud);

#endif
