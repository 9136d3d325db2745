/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_MIME_FIELD_H
#define BRIDGE_FORMATS_MIME_FIELD_H
/* The header fields a struct mime_part is made of; used by the parser of mime.c only. */
#include "bridge/formats/mime.h"

enum mime_field_kind { MIME_FIELD_OTHER, MIME_FIELD_CONTENT, MIME_FIELD_ENVELOPE };

/* What a field of that name is for. */
enum mime_field_kind mime_field_kind(struct str name);
/* Put a Content-* field into the part: the first of each counts. *ret_boundary is set by the Content-Type of a
 * multipart. */
void mime_field_content(struct arena *a, struct mime_part *part, struct str name, struct str raw_value,
                        uint32_t max_params, struct str *ret_boundary);
/* Put a field into an envelope: of repeated ones the last counts, but addresses are collected (as Dovecot does). */
void mime_field_envelope(struct arena *a, struct mime_envelope *env, struct str name, struct str raw_value);

/* Parameters from where the reader stands (at ';'). False when there was something that is no parameter. */
struct rfc822;
bool mime_params_parse(struct arena *a, struct rfc822 *r, uint32_t max_params, struct mime_param **ret_params,
                       uint32_t *ret_count);

#endif
