/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended Protection for Apache: mod_auth_gssapi passes no channel bindings to GSSAPI. In its process this function
 * stands before GSSAPI's own, gives it the bindings of this server's certificate (TEST_BINDING, hexadecimal), and
 * refuses whoever has shown none (RFC 5056, RFC 5929 4; both mechanisms tell it by GSS_C_CHANNEL_BOUND_FLAG).
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t length;
    void *value;
} gss_buffer;
typedef struct {
    uint32_t initiator_type;
    gss_buffer initiator;
    uint32_t acceptor_type;
    gss_buffer acceptor;
    gss_buffer data;
} gss_bindings;
typedef uint32_t accept_fn(uint32_t *minor, void **context, void *cred, gss_buffer *token, gss_bindings *bindings,
                           void **name, void **mech, gss_buffer *out, uint32_t *flags, uint32_t *time,
                           void **delegated);

#define CHANNEL_BOUND 2048u
#define BAD_BINDINGS  (4u << 16)

uint32_t gss_accept_sec_context(uint32_t *minor, void **context, void *cred, gss_buffer *token, gss_bindings *none,
                                void **name, void **mech, gss_buffer *out, uint32_t *flags, uint32_t *time,
                                void **delegated)
{
    accept_fn *next = (accept_fn *)dlsym(RTLD_NEXT, "gss_accept_sec_context");
    const char *hex = getenv("TEST_BINDING");
    unsigned char data[64] = "tls-server-end-point:";
    size_t n = strlen((char *)data);
    gss_bindings bindings = {.data = {0, data}};
    uint32_t told = 0;
    (void)none;
    for (; hex[0] && hex[1] && n < sizeof(data); hex += 2, n++)
        sscanf(hex, "%2hhx", &data[n]);
    bindings.data.length = n;
    uint32_t major = next(minor, context, cred, token, &bindings, name, mech, out, &told, time, delegated);
    if (flags)
        *flags = told;
    return major == 0 && !(told & CHANNEL_BOUND) ? BAD_BINDINGS : major;
}
