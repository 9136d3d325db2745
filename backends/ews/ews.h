/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EWS_EWS_H
#define BACKENDS_EWS_EWS_H
/*
 * The Exchange Web Services backend (MS-OXWS*): Exchange 2010 to Subscription Edition and servers that speak like them.
 * What a backend is and promises: bridge/backend.h.
 */
#include "bridge/backend.h"

extern const struct backend_ops ews_ops;

#endif
