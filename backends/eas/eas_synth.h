/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_SYNTH_H
#define BACKENDS_EAS_SYNTH_H
/*
 * A message for an item that the server cannot give as MIME: made from its properties, its text or HTML body and its
 * attachments, each fetched by itself. An attachment that the server refuses is replaced by a text that says so.
 */
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/io/blob.h"

struct eas_backend;
struct eas_synth;

/* Exactly once, from the loop; `message` is the receiver's. The synth may be freed inside. */
typedef void eas_synth_cb(void *ud, struct blob *message, const struct err *err);
struct eas_synth *eas_synth_start(struct eas_backend *b, struct str folder_id, struct str id, eas_synth_cb *cb,
                                  void *ud);
void eas_synth_free(struct eas_synth **s); /* stops it; NULL inside is fine */

#endif
