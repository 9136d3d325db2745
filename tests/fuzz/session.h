/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_SESSION_H
#define TESTS_FUZZ_SESSION_H
/*
 * A whole session of a server with a client that says whatever it likes: the core over the scripted backend of
 * tests/imap (a few folders, messages, events and a task, in a directory of its own that is new for each run), one
 * connection, signed in as "work" with the password "secret", whose client sends its bytes in pieces, ends its
 * direction, and reads to the end. A server that does not end the session then hangs, and the fuzzer's timeout tells.
 */
#include <stddef.h>
#include <stdint.h>

#include "protocols/server.h"

/* `make` gives the server; `lines` sign the client in, each said when the server has spoken ("": nothing, and the
 * client begins); the first byte of data is the size of the pieces, the rest is said then. Returns 0, as libFuzzer
 * wants. */
int session_run(struct server *(*make)(struct servers *all, const char *tmp_dir), const char *lines,
                const uint8_t *data, size_t size);

#endif
