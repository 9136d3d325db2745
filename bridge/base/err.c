/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WHAT_MAX 160 /* bytes of what is told with errno */

static const char *const names[] = {
    [ERR_NONE] = "none",           [ERR_AUTH] = "auth",
    [ERR_DENIED] = "denied",       [ERR_NOT_FOUND] = "not-found",
    [ERR_EXISTS] = "exists",       [ERR_CONFLICT] = "conflict",
    [ERR_INVALID] = "invalid",     [ERR_UNSUPPORTED] = "unsupported",
    [ERR_TOO_BIG] = "too-big",     [ERR_QUOTA] = "quota",
    [ERR_THROTTLED] = "throttled", [ERR_OFFLINE] = "offline",
    [ERR_PROTOCOL] = "protocol",   [ERR_STALE] = "stale",
    [ERR_POLICY] = "policy",       [ERR_DISK] = "disk",
    [ERR_INTERNAL] = "internal",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == ERR_MAX, "every error code has a name");

/* Control characters become '?'; a UTF-8 sequence that the end of the buffer cut is dropped. */
static void clean(char *z)
{
    size_t n = strlen(z);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)z[i] < 0x20 || z[i] == 0x7f)
            z[i] = '?';
    size_t start = n;
    while (start && n - start < 4 && ((unsigned char)z[start - 1] & 0xc0) == 0x80)
        start--;
    if (!start || n < sizeof(((struct err *)0)->text) - 1)
        return;
    unsigned char lead = (unsigned char)z[start - 1];
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (length > n - start + 1)
        z[start - 1] = '\0';
}

bool err_vset(struct err *e, enum err_code code, const char *fmt, va_list ap)
{
    if (!e)
        return false;
    struct err made = {.code = code}; /* the arguments may point into *e */
    vsnprintf(made.text, sizeof(made.text), fmt, ap);
    clean(made.text);
    *e = made;
    return false;
}

bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(e, code, fmt, ap);
    va_end(ap);
    return false;
}

bool err_set_errno(struct err *e, enum err_code code, int errno_value, const char *what)
{
    size_t n = strlen(what);
    bool cut = n > WHAT_MAX;
    if (errno_value == ENOSPC || errno_value == EDQUOT)
        code = ERR_DISK;
    if (cut) /* of a long path the end, and room for the reason */
        what += n - WHAT_MAX;
    while (cut && ((unsigned char)*what & 0xc0) == 0x80)
        what++;
    return err_set(e, code, "%s%s: %s", cut ? "..." : "", what, strerror(errno_value));
}

void err_prefix(struct err *e, const char *fmt, ...)
{
    if (!e)
        return;
    char text[sizeof(e->text)];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(text))
        snprintf(text + n, sizeof(text) - (size_t)n, "%s", e->text);
    clean(text);
    memcpy(e->text, text, sizeof(text));
}

const char *err_name(enum err_code code)
{
    return (unsigned)code < ERR_MAX ? names[code] : "unknown";
}

bool err_is_transient(enum err_code code)
{
    return code == ERR_THROTTLED || code == ERR_OFFLINE || code == ERR_PROTOCOL || code == ERR_STALE ||
           code == ERR_CONFLICT;
}
