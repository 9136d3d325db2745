/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocols/caldav/dav_if.h"

/* The object has "a", /c has "c" and the token <t>. */
static bool has_etag(void *ud, struct str resource, struct str tag)
{
    (void)ud;
    return resource.n ? str_is(resource, "/c") && str_is(tag, "\"c\"") : str_is(tag, "\"a\"") || str_is(tag, "W/\"a\"");
}

static bool has_token(void *ud, struct str resource, struct str token)
{
    (void)ud;
    return str_is(resource, "/c") && str_is(token, "t");
}

static const struct dav_if who = {has_etag, has_token, NULL};

static void headers(void **state)
{
    static const struct {
        const char *header;
        enum dav_if_result result;
    } table[] = {
        {"([\"a\"])", DAV_IF_HOLDS},
        {" ( [ W/\"a\" ] )\t", DAV_IF_HOLDS},
        {"([\"b\"])", DAV_IF_FAILS},
        {"([\"a]\"])", DAV_IF_FAILS},
        {"([\"b\"])([\"a\"])", DAV_IF_HOLDS},
        {"([\"b\"] [\"a\"])", DAV_IF_FAILS},
        {"(Not [\"b\"] [\"a\"])", DAV_IF_HOLDS},
        {"(not[\"a\"])", DAV_IF_FAILS},
        {"(<t>)", DAV_IF_FAILS},
        {"(Not <DAV:no-lock>)", DAV_IF_HOLDS},
        {"</c> (<t>)", DAV_IF_HOLDS},
        {"</c> (<t> [\"c\"]) </d> (<t>)", DAV_IF_HOLDS},
        {"</d> (<t>) </c> (<u>) (<t>)", DAV_IF_HOLDS},
        {"</c> ([\"a\"])", DAV_IF_FAILS},
        {"", DAV_IF_WRONG},
        {" ", DAV_IF_WRONG},
        {"()", DAV_IF_WRONG},
        {"(", DAV_IF_WRONG},
        {"([\"a\"]", DAV_IF_WRONG},
        {"([a])", DAV_IF_WRONG},
        {"([\"a\")", DAV_IF_WRONG},
        {"([\"a)", DAV_IF_WRONG},
        {"(<>)", DAV_IF_WRONG},
        {"(<a b>)", DAV_IF_WRONG},
        {"(<a", DAV_IF_WRONG},
        {"(Not)", DAV_IF_WRONG},
        {"(Not Not <t>)", DAV_IF_WRONG},
        {"</c>", DAV_IF_WRONG},
        {"</c> </d> (<t>)", DAV_IF_WRONG},
        {"([\"a\"]) </c> (<t>)", DAV_IF_WRONG},
        {"([\"a\"]),([\"a\"])", DAV_IF_WRONG},
        {"x", DAV_IF_WRONG},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (dav_if_check(str_from(table[i].header), &who) != table[i].result)
            fail_msg("%s", table[i].header);
}

/* Every beginning of a header that is right is another one, or wrong: nothing beyond its end is looked at. */
static void beginnings(void **state)
{
    static const char all[] = "</c> (<t> Not [\"c\"]) (Not [W/\"c\"]) </d> (<t>)";
    (void)state;
    for (size_t n = 0; n < sizeof(all); n++) {
        enum dav_if_result result = dav_if_check(str_of(all, n), &who);
        bool whole = n == 20 || n == 21 || n == 34 || n == 35 || n == sizeof(all) - 1;
        if (whole != (result != DAV_IF_WRONG))
            fail_msg("%zu", n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers), cmocka_unit_test(beginnings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
