/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_H
#define BACKENDS_EAS_H
/* The Exchange ActiveSync backend, protocol versions 12.1 to 16.1. Everything else in backends/eas is its inside. */
#include "bridge/backend.h"

extern const struct backend_ops eas_backend_ops;

#endif
