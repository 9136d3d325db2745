/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_BASE_LOG_H
#define BRIDGE_BASE_LOG_H
/*
 * Logging to stderr, one line an event: "2026-11-23T14:05:11.123Z info  imap[work]: ...". Under systemd (JOURNAL_STREAM
 * set) the time is left out and a "<n>" priority is put first.
 *
 * An allow-list, not a deny-list: callers log verbs, counts, codes, durations and ids of ours. Never bytes from a
 * client or a server, no subject, address, header, password, token, cookie, URL query. What comes from outside and must
 * be shown (a server's error text) goes through err.text, which strips control characters; log_msg() does so again. The
 * one global of the program (level and stream) lives in log.c.
 */
#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_MAX };

void log_set_level(enum log_level level);
bool log_level_from_name(const char *name, enum log_level *ret_level); /* error warn info debug */
bool log_on(enum log_level level);
/* area: "imap", "ews", "sync", ...; account: its section name, or NULL. */
void log_msg(enum log_level level, const char *area, const char *account, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#define log_error(area, account, ...) log_msg(LOG_LEVEL_ERROR, area, account, __VA_ARGS__)
#define log_warn(area, account, ...)  log_msg(LOG_LEVEL_WARN, area, account, __VA_ARGS__)
#define log_info(area, account, ...)  log_msg(LOG_LEVEL_INFO, area, account, __VA_ARGS__)
#define log_debug(area, account, ...)                                                                                  \
    do {                                                                                                               \
        if (log_on(LOG_LEVEL_DEBUG))                                                                                   \
            log_msg(LOG_LEVEL_DEBUG, area, account, __VA_ARGS__);                                                      \
    } while (0)

#endif
