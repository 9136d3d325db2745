/* SPDX-License-Identifier: Apache-2.0 */
/* An If header: nothing is read beyond its end, what is asked of whoever knows stands in it, and a header that is wrong
 * is wrong whatever they know. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/caldav/dav_if.h"

struct look {
    struct str header;
    bool answer;
};

static void inside(const struct look *l, struct str s)
{
    if (s.n && (s.p < l->header.p || s.p + s.n > l->header.p + l->header.n))
        abort();
}

static bool ask(void *ud, struct str resource, struct str what)
{
    const struct look *l = ud;
    inside(l, resource);
    inside(l, what);
    if (what.n == 0)
        abort();
    return l->answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); /* exactly as large as the header: what is read beyond shows */
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    struct look yes = {str_of(copy, size), true}, no = {str_of(copy, size), false};
    struct dav_if all = {ask, ask, &yes}, none = {ask, ask, &no};
    enum dav_if_result a = dav_if_check(yes.header, &all), b = dav_if_check(no.header, &none);
    if ((a == DAV_IF_WRONG) != (b == DAV_IF_WRONG))
        abort();
    free(copy);
    return 0;
}
