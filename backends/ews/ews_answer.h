/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EWS_ANSWER_H
#define EWS_ANSWER_H
/*
 * Reading one SOAP document from Exchange: envelope, version header, fault, and the row of response messages every EWS
 * operation answers with (MS-OXWSCDATA 2.2.4.57). What is in the messages goes to the reader of the operation as it
 * comes; nothing is held. Pure: bytes in, calls out.
 *
 *     ews_answer_new(&reader, ud) -- ews_answer_feed()* -- ews_answer_finish() -- look at result -- ews_answer_free()
 *
 * A reader sees the elements inside a response message only, the message's own start (EL_RESPONSE_MESSAGE) included,
 * and on_message() when it ends. Elements that are not in the table (ews_xml.h) are skipped with all that is in them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/ews/ews_codes.h"
#include "backends/ews/ews_xml.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"
#include "bridge/formats/xml.h"

#define EWS_ANSWER_MESSAGES_MAX 4096          /* response messages in one answer */
#define EWS_ANSWER_TEXT_MAX     (1024 * 1024) /* collected text of one element: a SyncState is the longest */
#define EWS_BACKOFF_MAX_MS      (30 * 60 * 1000)

/* How one response message, or the whole request (a fault), ended. */
struct ews_status {
    const struct ews_code *code; /* an InnerErrorResponseCode counts as the code */
    char name[64];               /* the code as the server wrote it, cut and made printable */
    char text[160];              /* MessageText or faultstring, the same */
    unsigned backoff_ms;         /* BackOffMilliseconds; 0 = none */
};

struct ews_reader {
    /* Any may be NULL. on_start NULL: everything is collected. */
    enum xml_want (*on_start)(void *ud, struct xml *x, enum ews_el el, const struct xml_attr *attrs, size_t n);
    void (*on_text)(void *ud, struct xml *x, struct str piece);
    void (*on_end)(void *ud, struct xml *x, enum ews_el el, struct str text);
    /* A response message is over. index: its place in the answer. */
    void (*on_message)(void *ud, struct xml *x, size_t index, const struct ews_status *status);
    uint64_t max_bytes;  /* of the document; 0 = XML_MAX_BYTES */
    size_t max_elements; /* 0 = XML_MAX_ELEMENTS */
};

struct ews_answer;

struct ews_answer *ews_answer_new(const struct ews_reader *reader, void *ud); /* the reader must outlive it */
void ews_answer_free(struct ews_answer *a);                                   /* NULL is fine */
/* Asked before on_message(): false keeps the message from the reader. */
typedef bool ews_answer_filter(void *ud, const struct ews_status *status);
void ews_answer_set_filter(struct ews_answer *a, ews_answer_filter *filter, void *ud);
/* From now on the reader is told nothing: it is gone. May be called from its own callbacks. */
void ews_answer_mute(struct ews_answer *a);
bool ews_answer_feed(struct ews_answer *a, struct str bytes, struct err *err);
/* False: the document is not complete. */
bool ews_answer_finish(struct ews_answer *a, struct err *err);

/* The fault, or NULL. Valid as soon as it was read, whatever becomes of the rest. */
const struct ews_status *ews_answer_fault(const struct ews_answer *a);
size_t ews_answer_messages(const struct ews_answer *a);
/* The server's version of t:ServerVersionInfo; false when it told none. */
struct ews_server {
    unsigned major, minor, build;
};
bool ews_answer_server(const struct ews_answer *a, struct ews_server *ret_server);

/* The error an op or item gets for it: "GetItem: ErrorItemNotFound: ..." */
bool ews_status_err(const struct ews_status *s, const char *operation, struct err *err);
/* An error that an item is answered with. flags: enum ews_code_flag. When they say that the item itself is the trouble,
 * it is one that the server cannot give (backend.h: struct fetched), and no later attempt is better. */
void ews_item_err(unsigned flags, struct err *err);

/* How a request about one thing ended: its first response message. To be zeroed before each attempt. */
struct ews_outcome {
    bool answered;
    struct ews_status status;
};
void ews_outcome_take(struct ews_outcome *o, size_t index, const struct ews_status *status); /* for on_message() */
/* False: there was none, or it is an error. */
bool ews_outcome_check(const struct ews_outcome *o, const char *operation, struct err *err);

#endif
