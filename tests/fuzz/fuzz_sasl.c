/* SPDX-License-Identifier: Apache-2.0 */
/* First line: the mechanism; the others: what the client sends. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "bridge/base/text.h"
#include "protocols/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, line, challenge = STR_NULL;
    struct sasl s;
    if (!str_cut(&in, '\n', &line) || !sasl_begin(&s, line))
        return 0;
    bool initial = str_cut(&in, '\n', &line);
    enum sasl_result result = sasl_initial(&s, initial, line, &challenge);
    while (result == SASL_CONTINUE && str_cut(&in, '\n', &line))
        result = sasl_feed(&s, line, &challenge);
    if (result == SASL_COMPLETE && (s.user.n == 0 || !text_utf8_valid(buf_view(&s.user))))
        abort();
    sasl_done(&s);
    return 0;
}
