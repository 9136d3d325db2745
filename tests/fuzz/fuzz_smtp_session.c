/* SPDX-License-Identifier: Apache-2.0 */
/* What an SMTP client may say after it has signed in. */
#include "protocols/smtp/smtp_server.h"
#include "tests/fuzz/session.h"

static struct server *make(struct servers *all, const char *tmp_dir)
{
    return smtp_server_new(&(struct smtp_server_opts){.all = all, .tmp_dir = tmp_dir, .limits = {.message = 100000}});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return session_run(make, "EHLO x\r\nAUTH PLAIN AG1pbmUAc2VjcmV0\r\n", data, size);
}
