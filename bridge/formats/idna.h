/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_FORMATS_IDNA_H
#define BRIDGE_FORMATS_IDNA_H
/*
 * Names of hosts with letters beyond ASCII, as the DNS has them: "bücher.example" is "xn--bcher-kva.example"
 * (RFC 5891, with the mapping of UTS 46, not transitional: what browsers do). Pure; the tables are libidn2's.
 *
 * Text that is ASCII comes out as it went in. False (ERR_INVALID): the name is no UTF-8, or cannot be one of a host.
 */
#include <stdbool.h>

#include "bridge/base/buf.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

#define IDNA_NAME_MAX 1024 /* bytes of UTF-8 */

bool idna_host(struct buf *out, struct str name, struct err *err);
/* The domain of an e-mail address; what stands before the last '@' stays as it is. */
bool idna_address(struct buf *out, struct str email, struct err *err);
/* The host of "https://host:port/path", "host:port" or "host". */
bool idna_url(struct buf *out, struct str url, struct err *err);

#endif
