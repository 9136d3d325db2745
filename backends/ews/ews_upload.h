/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_UPLOAD_H
#define EWS_UPLOAD_H
/*
 * A request body with a message in it: XML before, the message in base64, XML after. The base64 is made piece by piece
 * as the body goes out, and its length is known before (IIS wants Content-Length).
 */
#include "bridge/base/str.h"
#include "bridge/io/blob.h"
#include "bridge/io/http.h"

#define EWS_UPLOAD_MARK "\1MIME\1" /* in the XML, where the message goes; cannot be in anything escaped */

struct ews_upload;
/* Copies the XML, references the blob. Without a mark in it the XML goes out as it is. */
struct ews_upload *ews_upload_new(struct str xml, struct blob *mime);
/* Sets body_size, read, rewind and body_ud of the options. The upload must outlive the request. */
void ews_upload_attach(struct ews_upload *u, struct http_request_opts *opts);
void ews_upload_free(struct ews_upload **u);

#endif
