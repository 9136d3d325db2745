/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CONTROL_PRIVATE_H
#define BRIDGE_CONTROL_PRIVATE_H
/* Between control.c (the daemon's half) and control_call.c (the command line's). */
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bridge/control.h"

/* A socket and the address of `path`, which may be longer than sun_path: then the address goes by way of a descriptor
 * of its directory, *ret_dir (else -1), which must stay open until bind() or connect() is done. -1: err says why. */
int control_socket(const char *path, struct sockaddr_un *ret_address, int *ret_dir, struct err *err);
/* A configuration file as a request names it: {"path": absolute, "file": which one it is at this moment}. */
struct json_t *control_config(const char *path);
/* One of the error codes of err.h from its name; ERR_INTERNAL when unknown. */
enum err_code control_err_code(const char *name);

#endif
