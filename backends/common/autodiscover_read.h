/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_COMMON_AUTODISCOVER_READ_H
#define BACKENDS_COMMON_AUTODISCOVER_READ_H
/*
 * What autodiscover is asked and what it answers, without any network: POX ("plain old XML") in the schema of Outlook
 * (MS-OXDSCLI 2.2, where EWS is) and of mobile devices (MS-ASCMD 2.2.2.3, where ActiveSync is), SOAP (MS-OXWSADISC,
 * Exchange 2010 and later: EWS), and the JSON of version 2. Nothing here decides whether an answer may be believed:
 * autodiscover_rules.h does.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/base/arena.h"
#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

#define AUTODISCOVER_VALUE_MAX     2048                /* bytes of a value; longer ones are as good as absent */
#define AUTODISCOVER_ANSWER_MAX    ((size_t)512 << 10) /* bytes of an answer */
#define AUTODISCOVER_MAILBOXES_MAX 16

enum autodiscover_schema { AUTODISCOVER_OUTLOOK, AUTODISCOVER_MOBILE, AUTODISCOVER_SOAP };

/* The request's body; Content-Type is text/xml. `url` is the one it goes to: SOAP repeats it. */
void autodiscover_write(struct buf *out, enum autodiscover_schema schema, struct str url, struct str email);

enum autodiscover_action {
    AUTODISCOVER_SETTINGS,
    AUTODISCOVER_REDIRECT_ADDRESS, /* begin anew with another e-mail address: `redirect` */
    AUTODISCOVER_REDIRECT_URL,     /* ask there: `redirect` */
    AUTODISCOVER_ERROR             /* error_code, error_text */
};

enum autodiscover_section {                      /* MS-OXDSCLI 2.2.4.1.1.2.6.19 */
                            AUTODISCOVER_EXPR,   /* from outside */
                            AUTODISCOVER_EXHTTP, /* both, Exchange 2013 and later; the last one counts */
                            AUTODISCOVER_EXCH,   /* from inside the company's network */
                            AUTODISCOVER_WEB,    /* Outlook on the web */
                            AUTODISCOVER_SECTIONS
};

struct autodiscover_protocol {
    bool there;
    struct str server;
    struct str ews_url;          /* EwsUrl */
    struct str availability_url; /* ASUrl: the same Exchange.asmx, and all that older servers tell */
    struct str oof_url, oab_url;
    struct str owa_url;      /* WEB: the external one where there is one */
    struct str auth_package; /* "basic", "ntlm", "negotiate", ... */
};

struct autodiscover_mailbox {
    struct str type; /* "Archive", "Delegate", "TeamMailbox", ... */
    struct str address, name;
};

/* Strings live in the arena; empty = not told. */
struct autodiscover_answer {
    enum autodiscover_action action;
    struct str redirect;
    struct str display_name;
    struct str address;    /* the primary SMTP address */
    bool microsoft_online; /* the mailbox is in Exchange Online */
    struct autodiscover_protocol sections[AUTODISCOVER_SECTIONS];
    struct str eas_url;
    struct autodiscover_mailbox mailboxes[AUTODISCOVER_MAILBOXES_MAX];
    size_t mailbox_count;
    struct str public_folders; /* the address of their mailbox */
    uint32_t error_code; /* MS-OXDSCLI 2.2.4.1.1.1.1.3: 500 501 no such address, 600 601 bad request or schema, 603 */
    struct str error_text;
};

/* Best first; empty where EWS is not mentioned. */
struct str autodiscover_ews_url(const struct autodiscover_answer *a);
struct str autodiscover_owa_url(const struct autodiscover_answer *a);

struct autodiscover_reader;
struct autodiscover_reader *autodiscover_reader_new(struct arena *arena, struct autodiscover_answer *ret_answer);
bool autodiscover_reader_feed(struct autodiscover_reader *r, struct str bytes, struct err *err);
/* The document is complete, and an answer to autodiscover (HTML is not, neither is one that says nothing). */
bool autodiscover_reader_finish(struct autodiscover_reader *r, struct err *err);
void autodiscover_reader_free(struct autodiscover_reader **r);

/* {"Protocol":"ActiveSync","Url":"https://..."} or {"ErrorCode":"...","ErrorMessage":"..."}: the latter is false with
 * ERR_NOT_FOUND. */
bool autodiscover_read_json(struct str doc, struct arena *arena, struct str *ret_url, struct err *err);

#endif
