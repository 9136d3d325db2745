/* SPDX-License-Identifier: Apache-2.0 */
/* Dates: what is understood can be written and is then understood as the same moment. */
#include <stdint.h>
#include <stdlib.h>

#include "bridge/formats/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = str_of(data, size);
    struct buf out = BUF_INIT(0);
    int64_t wall_s, again, day;
    int zone, zone_again;
    if (date_parse(s, &wall_s, &zone)) {
        date_add_rfc5322(&out, wall_s, zone);
        if (wall_s > -62000000000 && wall_s < 253000000000 &&
            (!date_parse(buf_view(&out), &again, &zone_again) || again != wall_s || zone_again != zone))
            abort();
    }
    if (date_parse_imap(s, &wall_s, &zone)) {
        buf_reset(&out);
        date_add_imap(&out, wall_s, zone);
        if (wall_s > -62000000000 && wall_s < 253000000000 &&
            (!date_parse_imap(buf_view(&out), &again, &zone_again) || again != wall_s))
            abort();
    }
    date_parse_imap_day(s, &day);
    buf_done(&out);
    return 0;
}
