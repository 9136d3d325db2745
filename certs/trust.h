/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTS_TRUST_H
#define CERTS_TRUST_H
/*
 * The store of what an NSS program (Thunderbird, Firefox) trusts: cert9.db in its profile, changed by certutil(1) of
 * libnss3-tools. Blocking. Where the profile has a primary password, certutil asks for it on the terminal.
 */
#include <stdbool.h>

#include "bridge/base/err.h"

/* Is certutil there? ERR_UNSUPPORTED says which package has it. */
bool trust_is_possible(struct err *err);
/* Trust `ca_file` for servers. *ret_news: it was not trusted before. Makes the store in a profile that has none yet. */
bool trust_add(const char *profile_dir, const char *ca_file, bool *ret_news, struct err *err);
/* Take it back; *ret_news: it was trusted. */
bool trust_remove(const char *profile_dir, const char *ca_file, bool *ret_news, struct err *err);

#endif
