/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_ERR_H
#define BRIDGE_BASE_ERR_H
/*
 * What went wrong, in words that every protocol can translate.
 *
 * A function that can fail returns bool (or a pointer) and takes a `struct err *` last. It sets the error and does not
 * log it; whoever ends the road (a session, the sync engine, main) logs it, once. `text` is for the log and for
 * `exbridge status`: it names the cause, the host, the status and the next step, never a secret and never message
 * content. Clients get fixed texts from each protocol's table, made from `code`.
 *
 * struct err is passed by value, owns nothing, and a zeroed one is "no error".
 */
#include <stdarg.h>
#include <stdbool.h>

enum err_code {
    ERR_NONE = 0,
    ERR_AUTH,      /* the server refused the credentials: NEEDS_LOGIN, never retried by itself. With retry_after_s:
                    * there were none to show (no Kerberos ticket) */
    ERR_DENIED,    /* signed in, but not allowed (403, ErrorAccessDenied, device blocked): an administrator is needed */
    ERR_NOT_FOUND, /* the item, folder or endpoint is not there (any more) */
    ERR_EXISTS,    /* a name is taken */
    ERR_CONFLICT,  /* somebody else changed it meanwhile */
    ERR_INVALID,   /* the caller's request cannot be right (bad name, bad argument) */
    ERR_UNSUPPORTED, /* this backend or server version cannot do it */
    ERR_TOO_BIG,     /* over a limit of the server or of ours */
    ERR_QUOTA,       /* the mailbox is full */
    ERR_THROTTLED,   /* the server asks for a pause: retry_after_s */
    ERR_OFFLINE,     /* no connection, DNS, TLS, timeout, 5xx: try again later */
    ERR_PROTOCOL,    /* the server answered nonsense (HTML, garbage, cut short) */
    ERR_STALE,       /* sync state or SyncKey invalid: start that collection anew */
    ERR_POLICY,      /* a device policy stands in the way (provisioning, wiped account) */
    ERR_DISK,        /* our own disk is full or failing */
    ERR_INTERNAL,    /* a bug of ours, or the impossible */
    ERR_MAX
};

struct err {
    enum err_code code;
    unsigned retry_after_s; /* ERR_THROTTLED, sometimes ERR_OFFLINE, ERR_AUTH; 0 = unknown */
    int status;             /* the HTTP status, or the protocol's own status code; 0 = none */
    char text[256];         /* one line, no control characters */
};

/* Set *e (which may be NULL) and return false, so that callers write `return err_set(e, ...)`. Control characters in
 * the result become '?'. */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool err_vset(struct err *e, enum err_code code, const char *fmt, va_list ap);
/* As err_set, from strerror(errno_value); ENOSPC and EDQUOT become ERR_DISK, others `code`. */
bool err_set_errno(struct err *e, enum err_code code, int errno_value, const char *what);
/* Put a prefix ("state.db: ") before the text, cutting at the end if need be. */
void err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "auth", "offline", ... : for logs and JSON. */
const char *err_name(enum err_code code);
/* Is a later attempt without any change likely to work? (throttled, offline, protocol, stale, conflict) */
bool err_is_transient(enum err_code code);

#endif
