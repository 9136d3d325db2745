/* SPDX-License-Identifier: Apache-2.0 */
/* What a CalDAV client may ask of calendars with a few objects (session.h); a byte 0x01 stands for the line that signs
 * it in. */
#include <string.h>

#include "bridge/base/buf.h"
#include "protocols/caldav/caldav_server.h"
#include "tests/fuzz/session.h"

static struct server *make(struct servers *all, const char *tmp_dir)
{
    (void)tmp_dir;
    return caldav_server_new(&(struct caldav_server_opts){.all = all, .port = 80});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_INIT(1 << 20);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 1 && i > 0)
            buf_lit(&text, "Host: localhost\r\nAuthorization: Basic bWluZTpzZWNyZXQ=\r\n");
        else
            buf_byte(&text, (char)data[i]);
    }
    if (!text.failed)
        session_run(make, "", (const uint8_t *)text.p, text.n);
    buf_done(&text);
    return 0;
}
