/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: what the rest is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "backends/common/oauth.h"

/* What was taken goes into a header. */
static void check_token(const char *z)
{
    for (; z && *z; z++)
        if ((unsigned char)*z <= ' ' || (unsigned char)*z > '~')
            abort();
}

static void answer(int status, struct str body)
{
    struct oauth_answer a;
    struct oauth_tokens again;
    struct buf saved = BUF_INIT(0);
    struct err err;
    oauth_read_answer(status, body, 1000, &a);
    if (a.verdict == OAUTH_TOKENS) {
        check_token(a.tokens.access);
        check_token(a.tokens.refresh);
        oauth_tokens_save(&a.tokens, &saved);
        if (!oauth_tokens_load(&again, buf_view(&saved), &err))
            abort();
        oauth_tokens_done(&again);
    } else if (a.err.code == ERR_NONE || a.err.text[0] == '\0') {
        abort();
    }
    oauth_tokens_done(&a.tokens);
    buf_wipe(&saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str in = {(const char *)data + 1, size - 1};
    struct oauth_tokens tokens;
    struct oauth_device device;
    struct oauth_redirect redirect;
    struct err err;
    switch (data[0] % 6) {
    case 0:
        answer(200, in);
        break;
    case 1:
        answer(400, in);
        break;
    case 2:
        oauth_tokens_load(&tokens, in, &err);
        oauth_tokens_done(&tokens);
        break;
    case 3:
        if (oauth_read_device(200, in, &device, &err)) {
            check_token(device.device_code);
            check_token(device.user_code);
            check_token(device.url);
        }
        oauth_device_done(&device);
        break;
    case 4:
        oauth_read_redirect(in, 99, &redirect);
        oauth_redirect_done(&redirect);
        break;
    case 5:
        oauth_read_pasted(in, &redirect);
        oauth_redirect_done(&redirect);
        break;
    }
    return 0;
}
