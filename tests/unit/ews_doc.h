/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_EWS_DOC_H
#define TESTS_UNIT_EWS_DOC_H
/*
 * For tests of the readers of EWS answers. Each document is read whole, byte by byte and in two pieces cut at every
 * place, with the same result; and each of its beginnings is refused as incomplete.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/ews/ews_answer.h"
#include "bridge/base/buf.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- documents ----------------------------------------------------------------------------------- */

#define HEAD                                                                                                           \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope "                                                           \
    "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header>"                                                 \
    "<h:ServerVersionInfo MajorVersion=\"15\" MinorVersion=\"1\" MajorBuildNumber=\"2507\" MinorBuildNumber=\"6\" "    \
    "Version=\"V2017_07_11\" xmlns:h=\"http://schemas.microsoft.com/exchange/services/2006/types\" "                   \
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"/></s:Header><s:Body>"
#define TAIL "</s:Body></s:Envelope>"
#define NS                                                                                                             \
    " xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\" "                                       \
    "xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\""
#define ANSWER(op, messages)                                                                                           \
    HEAD "<m:" op "Response" NS "><m:ResponseMessages>" messages "</m:ResponseMessages></m:" op "Response>" TAIL
#define OK(op, content)                                                                                                \
    "<m:" op "ResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>" content "</m:" op    \
    "ResponseMessage>"
#define BAD(op, code, text, content)                                                                                   \
    "<m:" op "ResponseMessage ResponseClass=\"Error\"><m:MessageText>" text "</m:MessageText><m:ResponseCode>" code    \
    "</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>" content "</m:" op "ResponseMessage>"
#define PROPERTY(tag, type, value)                                                                                     \
    "<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag=\"" tag "\" PropertyType=\"" type "\"/><t:Value>" value       \
    "</t:Value></t:ExtendedProperty>"

/* --- running a reader ---------------------------------------------------------------------------- */

struct run {
    const struct ews_reader *reader;
    void *ud;
    void (*begin)(struct run *run);                     /* before each document */
    void (*describe)(struct run *run, struct buf *out); /* what was read */
    struct buf log;                                     /* of callbacks */
    bool quiet;
};

/* What was read of the document, or the error, in words; free() it. It comes as `first` bytes and then `piece` by
 * piece. */
char *ews_doc_read(struct run *run, struct str doc, size_t first, size_t piece);
/* `expected`: what describe() says, after the server's version; or the error. */
void ews_doc_check(struct run *run, const char *doc, const char *expected);
/* Only how it begins, and only of the whole document. */
void ews_doc_check_start(struct run *run, const char *doc, const char *expected);

#endif
