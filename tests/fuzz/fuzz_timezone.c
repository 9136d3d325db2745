/* SPDX-License-Identifier: Apache-2.0 */
/* Zones from outside: the first byte says whether the rest is a TZif file, a blob of EAS, a VTIMEZONE or a name. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/formats/timezone.h"
#include "bridge/formats/timezone_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct tz *z)
{
    static const int64_t times[] = {INT64_MIN,  -62135596800, -1,           0,        1774746000,
                                    1792893600, 4102444800,   253402300799, INT64_MAX};
    struct buf out = BUF_INIT(0);
    struct tz_rules rules;
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        int64_t at;
        int offset;
        tz_to_utc(z, tz_to_local(z, times[i]));
        tz_next_change(z, times[i], &at, &offset);
    }
    tz_rules(z, 2026, &rules);
    tz_write_vtimezone(z, 2026, 2040, &out);
    buf_done(&out);
}

static void file(struct str bytes)
{
    struct tz z = {0};
    const char *why;
    if (tz_file_read(bytes, &z, &why))
        use(&z);
    tz_unload(&z);
}

static void named(const struct tz *z)
{
    unsigned char blob[TZ_BLOB_SIZE];
    const struct tz *back;
    if (!z)
        return;
    use(z);
    if (tz_by_name(tz_name(z)) != z)
        abort();
    tz_blob_write(z, 2026, blob);
    if (!tz_blob_read(str_of(blob, sizeof(blob)), 2026, z, &back))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tz *z = NULL;
    const char *why;
    if (!size)
        return 0;
    struct str rest = str_of(data + 1, size - 1);
    switch (data[0]) {
    case 'F':
        file(rest);
        break;
    case 'B':
        if (tz_blob_read(rest, 2026, NULL, &z))
            named(z);
        break;
    case 'V':
        if (tz_read_vtimezone(rest, 2026, 2040, NULL, &z, &why))
            named(z);
        break;
    default:
        named(tz_find(rest, NULL));
    }
    return 0;
}
