/* SPDX-License-Identifier: Apache-2.0 */
/* What an IMAP client may say after it has signed in. */
#include "protocols/imap/imap_server.h"
#include "tests/fuzz/session.h"

static struct server *make(struct servers *all, const char *tmp_dir)
{
    return imap_server_new(&(struct imap_server_opts){.all = all, .version = "fuzz", .tmp_dir = tmp_dir});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return session_run(make, "1 LOGIN mine secret\r\n", data, size);
}
