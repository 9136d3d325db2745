/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_PORTS_H
#define BRIDGE_CLI_PORTS_H
/* Ports of this machine, for setup and doctor. */
#include <stdbool.h>

/* Could we listen there, on 127.0.0.1 and ::1 (where there is one)? */
bool port_is_free(unsigned port);
/* The first free one from `wanted` on, of a hundred; `wanted` when none is. Chosen once, and written down: at run time
 * a port that is taken is an error, never another port (somebody else may be waiting there for passwords). */
unsigned port_find_free(unsigned wanted);

#endif
