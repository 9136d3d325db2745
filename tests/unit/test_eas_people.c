/* SPDX-License-Identifier: Apache-2.0 */
/* What servers answer to MeetingResponse and ResolveRecipients, and what digits of half hours mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/eas/eas_people_read.h"
#include "tests/unit/eas_doc.h"

/* Whole, and byte by byte. */
static void feed(const struct eas_rules *rules, void *ud, const char *space, const char *text, size_t step)
{
    struct buf doc = BUF_INIT(1 << 20);
    struct eas_answer a;
    struct err err = {0};

    eas_doc(&doc, space, text);
    eas_answer_init(&a, *rules, ud);
    for (size_t at = 0; at < doc.n; at += step)
        if (!eas_answer_feed(&a, str_sub(buf_view(&doc), at, step), &err))
            fail_msg("%s", err.text);
    assert_true(eas_answer_end(&a, &err));
    eas_answer_done(&a);
    buf_done(&doc);
}

static const struct {
    const char *text;
    enum err_code code;
    const char *id;
} meetings[] = {
    {"MeetingResponse(Result(RequestId=1 Status=1 CalendarId=5:7))", ERR_NONE, "5:7"},
    {"MeetingResponse(Result(Status=1))", ERR_NONE, ""},
    {"MeetingResponse(Result(RequestId=1 Status=2))", ERR_INVALID, ""},
    {"MeetingResponse(Result(RequestId=1 Status=4))", ERR_OFFLINE, ""},
    {"MeetingResponse(Result(RequestId=1 Status=146))", ERR_INVALID, ""},
    {"MeetingResponse(Result(RequestId=1 Status=x))", ERR_PROTOCOL, ""},
    {"MeetingResponse", ERR_PROTOCOL, ""},
};

static void meetings_are_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(meetings) / sizeof(meetings[0]); i++)
        for (size_t step = 1; step < 4096; step += 4094) {
            struct arena arena = {0};
            struct eas_meeting_answer a = {.arena = &arena};
            struct err err = {0};

            feed(&eas_meeting_rules, &a, "MeetingResponse", meetings[i].text, step);
            assert_int_equal(eas_meeting_status(&a, &err), meetings[i].code == ERR_NONE);
            assert_int_equal(err.code, meetings[i].code);
            assert_true(str_is(a.calendar_id, meetings[i].id));
            arena_done(&arena);
        }
}

#define BOB                                                                                                            \
    "Response(To=bob@x.org Status=1 RecipientCount=1 Recipient(Type=1 EmailAddress=bob@x.org "                         \
    "Availability(Status=1 MergedFreeBusy=0123)))"
static const struct {
    const char *text;
    enum err_code bob, eve;
    const char *digits; /* of bob */
} resolved[] = {
    {"ResolveRecipients(Status=1 " BOB " Response(To=eve@x.org Status=4 RecipientCount=0))", ERR_NONE, ERR_NOT_FOUND,
     "0123"},
    {"ResolveRecipients(Status=1 Response(To=eve@x.org Status=1 Recipient(EmailAddress=eve@x.org "
     "Availability(Status=163))) " BOB ")",
     ERR_NONE, ERR_OFFLINE, "0123"},
    {"ResolveRecipients(Status=1)", ERR_NOT_FOUND, ERR_NOT_FOUND, ""},
    /* several people: the one of the address, or nobody */
    {"ResolveRecipients(Response(To=BOB@x.org Status=2 Recipient(EmailAddress=bobby@x.org Availability(Status=1 "
     "MergedFreeBusy=2)) Recipient(EmailAddress=bob@x.org Availability(Status=1 MergedFreeBusy=1))) "
     "Response(To=eve@x.org Status=2 Recipient(EmailAddress=eve1@x.org) Recipient(EmailAddress=eve2@x.org)))",
     ERR_NONE, ERR_NOT_FOUND, "1"},
    {"ResolveRecipients(Response(To=bob@x.org Status=1 Recipient(EmailAddress=bob@x.org)))", ERR_DENIED, ERR_NOT_FOUND,
     ""},
    {"ResolveRecipients(Response(Status=1 Recipient(Availability(Status=1 MergedFreeBusy=3))) Response(To=who Status=1 "
     "Recipient(EmailAddress=who)))",
     ERR_NONE, ERR_NOT_FOUND, "3"},
};

static void names_are_resolved(void **state)
{
    static const struct str addresses[] = {{"bob@x.org", 9}, {"eve@x.org", 9}};

    (void)state;
    for (size_t i = 0; i < sizeof(resolved) / sizeof(resolved[0]); i++)
        for (size_t step = 1; step < 4096; step += 4094) {
            struct arena arena = {0};
            struct eas_resolved list[2];
            struct eas_resolve_answer a = {.arena = &arena, .list = list};
            struct err bob = {0}, eve = {0};

            eas_resolve_begin(&a, addresses, 2);
            feed(&eas_resolve_rules, &a, "ResolveRecipients", resolved[i].text, step);
            eas_resolve_status(&list[0], &bob);
            eas_resolve_status(&list[1], &eve);
            if (bob.code != resolved[i].bob || eve.code != resolved[i].eve)
                fail_msg("row %zu: %d %s, %d %s", i, bob.code, bob.text, eve.code, eve.text);
            assert_true(str_is(list[0].digits, resolved[i].digits));
            arena_done(&arena);
        }
}

static void digits_become_spans(void **state)
{
    struct arena arena = {0};
    struct busy_list list = {0};

    (void)state;
    assert_true(eas_busy_add(&list, STR("0112203"), 0, 2000, 11000, &arena));
    assert_int_equal(list.count, 3);
    assert_true(list.spans[0].from == 2000 && list.spans[0].to == 5400 && list.spans[0].busy == EVENT_TENTATIVE);
    assert_true(list.spans[1].from == 5400 && list.spans[1].to == 9000 && list.spans[1].busy == EVENT_BUSY);
    assert_true(list.spans[2].from == 10800 && list.spans[2].to == 11000 && list.spans[2].busy == EVENT_OOF);
    /* the next window goes on where this one has ended */
    assert_true(eas_busy_add(&list, STR("330"), 11000, 11000, 99999, &arena));
    assert_int_equal(list.count, 3);
    assert_true(list.spans[2].to == 11000 + 3600);
    assert_false(eas_busy_add(&list, STR("4444"), 20000, 20000, 99999, &arena));
    assert_false(eas_busy_add(&list, STR(""), 20000, 20000, 99999, &arena));
    assert_true(eas_busy_add(&list, STR("x9"), 20000, 20000, 99999, &arena));
    assert_int_equal(list.count, 3);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meetings_are_answered),
        cmocka_unit_test(names_are_resolved),
        cmocka_unit_test(digits_become_spans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
