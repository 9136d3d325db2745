/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, statuses, HTTP statuses, addresses, versions, folder types, Ping answers: what the tables of the EAS
 * backend say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/eas/eas_folders_read.h"
#include "backends/eas/eas_http.h"
#include "backends/eas/eas_policy.h"
#include "backends/eas/eas_state.h"
#include "backends/eas/eas_status.h"
#include "backends/eas/eas_watch_read.h"
#include "tests/unit/eas_doc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void read_doc(const struct eas_rules *rules, void *ud, const char *space, const char *text, int *ret_status)
{
    struct buf doc = BUF_INIT(0);
    struct eas_answer a;
    struct err err = {0};

    eas_doc(&doc, space, text);
    eas_answer_init(&a, *rules, ud);
    for (size_t i = 0; i < doc.n; i++)
        if (!eas_answer_feed(&a, str_sub(buf_view(&doc), i, 1), &err))
            fail_msg("%s: %s", text, err.text);
    assert_true(eas_answer_end(&a, &err));
    if (ret_status)
        *ret_status = a.status;
    eas_answer_done(&a);
    buf_done(&doc);
}

/* --- policies --------------------------------------------------------------------------------------------------- */

#define POLICY(settings)                                                                                               \
    "Provision(Status=1 Policies(Policy(PolicyType=MS-EAS-Provisioning-WBXML Status=1 PolicyKey=123 "                  \
    "Data(EASProvisionDoc(" settings ")))))"

static const struct {
    const char *settings, *unmet;
    enum eas_acknowledgement ask, accept, refuse;
} policies[] = {
    {POLICY(""), "", EAS_ACK_APPLIED, EAS_ACK_APPLIED, EAS_ACK_APPLIED},
    {POLICY("DevicePasswordEnabled=0 MinDevicePasswordLength=4 MaxInactivityTimeDeviceLock=300"), "", EAS_ACK_APPLIED,
     EAS_ACK_APPLIED, EAS_ACK_APPLIED},
    {POLICY("AllowCamera=0 AllowBluetooth=0 AllowWiFi=0 AllowTextMessaging=0 RequireStorageCardEncryption=1"), "",
     EAS_ACK_APPLIED, EAS_ACK_APPLIED, EAS_ACK_APPLIED},
    {POLICY("MaxEmailAgeFilter=3 MaxCalendarAgeFilter=4"), "", EAS_ACK_APPLIED, EAS_ACK_APPLIED, EAS_ACK_APPLIED},
    {POLICY("MaxEmailBodyTruncationSize=-1 MaxEmailHTMLBodyTruncationSize MaxAttachmentSize AttachmentsEnabled=1"), "",
     EAS_ACK_APPLIED, EAS_ACK_APPLIED, EAS_ACK_APPLIED},
    {POLICY("DevicePasswordEnabled=1"), "a device password", EAS_ACK_NONE, EAS_ACK_PARTIAL, EAS_ACK_REFUSED},
    {POLICY("DevicePasswordEnabled=1 MaxInactivityTimeDeviceLock=900 MaxDevicePasswordFailedAttempts=8"),
     "a device password, a lock after inactivity, a wipe after failed device passwords", EAS_ACK_NONE, EAS_ACK_PARTIAL,
     EAS_ACK_REFUSED},
    {POLICY("DevicePasswordEnabled=1 MaxInactivityTimeDeviceLock=9999"), "a device password", EAS_ACK_NONE,
     EAS_ACK_PARTIAL, EAS_ACK_REFUSED},
    {POLICY("RequireDeviceEncryption=1"), "encryption of the device", EAS_ACK_NONE, EAS_ACK_PARTIAL, EAS_ACK_REFUSED},
    {POLICY("AllowPOPIMAPEmail=0"), "no IMAP on this device", EAS_ACK_NONE, EAS_ACK_PARTIAL, EAS_ACK_REFUSED},
    {POLICY("AttachmentsEnabled=0 AllowHTMLEmail=0"), "no attachments, no HTML mail", EAS_ACK_NONE, EAS_ACK_PARTIAL,
     EAS_ACK_REFUSED},
    {POLICY("MaxEmailBodyTruncationSize=0 MaxAttachmentSize=1000"),
     "a limit for message bodies, a limit for attachments", EAS_ACK_NONE, EAS_ACK_PARTIAL, EAS_ACK_REFUSED},
    {POLICY("RequireSignedSMIMEMessages=1 RequireEncryptedSMIMEMessages=1"),
     "S/MIME signatures on all mail, S/MIME encryption of all mail", EAS_ACK_NONE, EAS_ACK_PARTIAL, EAS_ACK_REFUSED},
    {POLICY("ApprovedApplicationList(Hash=x) UnapprovedInROMApplicationList(ApplicationName=y)"), "", EAS_ACK_APPLIED,
     EAS_ACK_APPLIED, EAS_ACK_APPLIED},
};

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(policies); i++) {
        struct eas_provision p = {0};
        struct arena arena = {0};
        struct str unmet;
        int status = 0;

        read_doc(&eas_provision_rules, &p, "Provision", policies[i].settings, &status);
        assert_int_equal(status, 1);
        assert_int_equal(p.policy_status, 1);
        assert_string_equal(p.key, "123");
        assert_true(p.has_policy && !p.wipe && !p.account_wipe);
        unmet = eas_policy_text(&p.policy, &arena, 200);
        if (!str_is(unmet, policies[i].unmet))
            fail_msg("%s: %.*s", policies[i].settings, STR_ARG(unmet));
        assert_int_equal(eas_policy_answer(&p.policy, PROVISION_ASK), policies[i].ask);
        assert_int_equal(eas_policy_answer(&p.policy, PROVISION_ACCEPT), policies[i].accept);
        assert_int_equal(eas_policy_answer(&p.policy, PROVISION_REFUSE), policies[i].refuse);
        arena_done(&arena);
    }
}

static void test_policy_details(void **state)
{
    struct eas_provision p = {0};
    struct arena arena = {0};
    int status = 0;

    (void)state;
    read_doc(&eas_provision_rules, &p, "Provision", POLICY("MaxEmailAgeFilter=3"), NULL);
    assert_int_equal(p.policy.email_age, 3);
    p = (struct eas_provision){0};
    read_doc(&eas_provision_rules, &p, "Provision", "Provision(RemoteWipe)", &status);
    assert_true(p.wipe && !p.account_wipe && status == 0);
    p = (struct eas_provision){0};
    read_doc(&eas_provision_rules, &p, "Provision", "Provision(Status=1 AccountOnlyRemoteWipe())", &status);
    assert_true(p.account_wipe && !p.wipe && status == 1);
    p = (struct eas_provision){0};
    read_doc(&eas_provision_rules, &p, "Provision", "Provision(Status=1 Policies(Policy(Status=2)))", &status);
    assert_true(p.policy_status == 2 && p.key[0] == '\0');
    p = (struct eas_provision){0};
    read_doc(&eas_provision_rules, &p, "Provision",
             POLICY("DevicePasswordEnabled=1 RequireDeviceEncryption=1 AllowPOPIMAPEmail=0 AttachmentsEnabled=0"),
             NULL);
    assert_true(eas_policy_text(&p.policy, &arena, 40).n <= 40);
    arena_done(&arena);
}

/* --- statuses --------------------------------------------------------------------------------------------------- */

static void test_common_statuses(void **state)
{
    static const struct {
        int status;
        enum eas_action action;
        enum err_code code;
    } cases[] = {{103, EAS_ACTION_FAIL, ERR_PROTOCOL},    {111, EAS_ACTION_RETRY, ERR_OFFLINE},
                 {113, EAS_ACTION_FAIL, ERR_QUOTA},       {126, EAS_ACTION_FAIL, ERR_DENIED},
                 {129, EAS_ACTION_FAIL, ERR_DENIED},      {132, EAS_ACTION_RETRY, ERR_STALE},
                 {134, EAS_ACTION_FAIL, ERR_STALE},       {138, EAS_ACTION_VERSION, ERR_UNSUPPORTED},
                 {139, EAS_ACTION_FAIL, ERR_POLICY},      {140, EAS_ACTION_WIPE, ERR_POLICY},
                 {142, EAS_ACTION_PROVISION, ERR_POLICY}, {143, EAS_ACTION_PROVISION, ERR_POLICY},
                 {144, EAS_ACTION_PROVISION, ERR_POLICY}, {165, EAS_ACTION_PROVISION, ERR_POLICY},
                 {177, EAS_ACTION_FAIL, ERR_DENIED},      {118, EAS_ACTION_FAIL, ERR_EXISTS},
                 {150, EAS_ACTION_FAIL, ERR_NOT_FOUND},   {999, EAS_ACTION_FAIL, ERR_PROTOCOL}};

    (void)state;
    for (int status = -1; status <= 100; status++)
        assert_null(eas_status_find(status));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct eas_status *found = eas_status_find(cases[i].status);
        struct err err = {0};

        assert_non_null(found);
        assert_int_equal(found->action, cases[i].action);
        assert_false(eas_status_err(&err, "Sync", cases[i].status));
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.status, cases[i].status);
        assert_non_null(strstr(err.text, "Sync: "));
    }
}

static void test_http_statuses(void **state)
{
    static const struct {
        int status;
        enum eas_http_action action;
        enum err_code code;
    } cases[] = {{200, EAS_HTTP_READ, ERR_NONE},        {302, EAS_HTTP_FAIL, ERR_PROTOCOL},
                 {400, EAS_HTTP_FAIL, ERR_PROTOCOL},    {401, EAS_HTTP_AUTH, ERR_AUTH},
                 {403, EAS_HTTP_FORBIDDEN, ERR_DENIED}, {404, EAS_HTTP_GONE, ERR_OFFLINE},
                 {418, EAS_HTTP_FAIL, ERR_PROTOCOL},    {429, EAS_HTTP_BUSY, ERR_THROTTLED},
                 {449, EAS_HTTP_PROVISION, ERR_POLICY}, {451, EAS_HTTP_MOVED, ERR_OFFLINE},
                 {457, EAS_HTTP_AUTH, ERR_AUTH},        {500, EAS_HTTP_RETRY, ERR_OFFLINE},
                 {503, EAS_HTTP_BUSY, ERR_THROTTLED},   {505, EAS_HTTP_VERSION, ERR_UNSUPPORTED},
                 {507, EAS_HTTP_FAIL, ERR_QUOTA},       {599, EAS_HTTP_RETRY, ERR_OFFLINE},
                 {0, EAS_HTTP_FAIL, ERR_PROTOCOL},      {204, EAS_HTTP_FAIL, ERR_PROTOCOL}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(eas_http_status_find(cases[i].status)->action, cases[i].action);
        assert_int_equal(eas_http_status_find(cases[i].status)->code, cases[i].code);
    }
}

/* --- addresses -------------------------------------------------------------------------------------------------- */

static void test_addresses(void **state)
{
    struct buf out = BUF_INIT(0);

    (void)state;
    eas_http_address(&out, &(struct eas_address){.url = "https://h/Microsoft-Server-ActiveSync",
                                                 .command = "Sync",
                                                 .user = "EXAMPLE\\al ice&x=\xC3\xBC",
                                                 .device_id = "0123",
                                                 .device_type = "exbridge"});
    assert_string_equal(buf_z(&out),
                        "https://h/Microsoft-Server-ActiveSync?Cmd=Sync&User=EXAMPLE%5Cal%20ice%26x%3D%C3%BC"
                        "&DeviceId=0123&DeviceType=exbridge");
    buf_reset(&out);
    eas_http_address(&out, &(struct eas_address){.url = "https://h/p?x=1", .command = "Ping", .user = "u"});
    assert_string_equal(buf_z(&out), "https://h/p?x=1&Cmd=Ping&User=u&DeviceId=&DeviceType=");
    buf_done(&out);
}

static void test_moves(void **state)
{
    static const struct {
        const char *from, *to;
        bool allowed;
    } cases[] = {
        {"https://a.example/x", "https://b.example/x", true},
        {"https://a.example/x", "HTTPS://b.example/x", true},
        {"https://a.example/x", "http://b.example/x", false},
        {"https://a.example/x", "http://127.0.0.1/x", false},
        {"http://127.0.0.1:1/x", "http://localhost:2/x", true},
        {"http://[::1]:1/x", "http://127.0.0.1:2/x", true},
        {"http://127.0.0.1:1/x", "http://127.evil.example/x", false},
        {"http://127.0.0.1:1/x", "http://b.example/x", false},
        {"https://a.example/x", "https://user@b.example/x", false},
        {"https://a.example/x", "https:///x", false},
        {"https://a.example/x", "https://b.example/x y", false},
        {"https://a.example/x", "https://b.example/\r\nX: y", false},
        {"https://a.example/x", "/x", false},
        {"https://a.example/x", "", false},
        {"https://a.example/x", "ftp://b.example/", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (eas_http_may_move(cases[i].from, str_from(cases[i].to)) != cases[i].allowed)
            fail_msg("%s -> %s", cases[i].from, cases[i].to);
    assert_true(str_is(eas_http_host(STR("https://h.example:443/x")), "h.example"));
    assert_true(str_is(eas_http_host(STR("https://[::1]:443/x")), "::1"));
    assert_true(str_is(eas_http_host(STR("https://h?x")), "h"));
    assert_int_equal(eas_http_host(STR("nonsense")).n, 0);
}

static void test_versions(void **state)
{
    static const struct {
        const char *list;
        unsigned sticky, chosen;
    } cases[] = {
        {"2.5,12.0,12.1,14.0,14.1,16.0,16.1", 0, 161},
        {"2.5,12.0,12.1,14.0,14.1", 0, 141},
        {"14.1, 14.0 ,12.1", 140, 140},
        {"16.1,14.1", 141, 141},
        {"16.1", 141, 161},
        {"2.5 12.0 12.1  14.0 14.1", 0, 141},
        {" 2.5, 12.1 ,14.0", 121, 121},
        {"2.5,12.0", 0, 0},
        {"", 0, 0},
        {"16.1,16.1,,x", 0, 161},
        {"17.0", 161, 0},
        {"16.10", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(eas_version_choose(str_from(cases[i].list), cases[i].sticky), cases[i].chosen);
    assert_string_equal(eas_version_name(121), "12.1");
    assert_string_equal(eas_version_name(0), "");
    assert_int_equal(eas_version_number(STR("14.0")), 140);
}

/* --- folders and Ping ------------------------------------------------------------------------------------------- */

static void test_folder_types(void **state)
{
    static const struct {
        int type;
        enum folder_kind kind;
        enum folder_use use;
        bool hidden_141, hidden_161;
    } cases[] = {
        {1, FOLDER_MAIL, USE_NONE, false, false},      {2, FOLDER_MAIL, USE_INBOX, false, false},
        {3, FOLDER_MAIL, USE_DRAFTS, true, false},     {4, FOLDER_MAIL, USE_TRASH, false, false},
        {5, FOLDER_MAIL, USE_SENT, false, false},      {6, FOLDER_MAIL, USE_OUTBOX, false, false},
        {7, FOLDER_TASKS, USE_NONE, false, false},     {8, FOLDER_CALENDAR, USE_NONE, false, false},
        {9, FOLDER_CONTACTS, USE_NONE, false, false},  {10, FOLDER_OTHER, USE_NONE, true, true},
        {12, FOLDER_MAIL, USE_NONE, false, false},     {13, FOLDER_CALENDAR, USE_NONE, false, false},
        {14, FOLDER_CONTACTS, USE_NONE, false, false}, {15, FOLDER_TASKS, USE_NONE, false, false},
        {18, FOLDER_OTHER, USE_NONE, true, true},      {19, FOLDER_OTHER, USE_NONE, true, true},
        {0, FOLDER_OTHER, USE_NONE, true, true},       {-1, FOLDER_OTHER, USE_NONE, true, true},
        {99, FOLDER_OTHER, USE_NONE, true, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (unsigned version = 141; version <= 161; version += 20) {
            struct eas_folder_changes c = {.version = version};
            struct folder_info info = {.name = STR("x")};

            eas_folder_classify(&info, cases[i].type, &c);
            assert_int_equal(info.kind, cases[i].kind);
            assert_int_equal(info.use, cases[i].use);
            assert_int_equal(info.hidden, version == 141 ? cases[i].hidden_141 : cases[i].hidden_161);
        }
}

static void test_folder_changes(void **state)
{
    struct arena arena = {0};
    struct eas_folder_changes c = {.arena = &arena, .version = 161, .junk_name = "Junk E-Mail", .archive_name = "Old"};
    int status = 0;

    (void)state;
    eas_folder_changes_begin(&c);
    read_doc(
        &eas_folder_rules, &c, "FolderHierarchy",
        "FolderSync(Status=1 SyncKey=7 Changes(Count=5 Add(ServerId=1 ParentId=0 DisplayName=Inbox Type=2) "
        "Add(ServerId=2 ParentId=1 DisplayName='junk e-mail' Type=12) Update(ServerId=3 ParentId=1 "
        "DisplayName='a\xFFz' Type=1) "
        "Delete(ServerId=4) Add(DisplayName=nameless Type=1) Add(ServerId=6 ParentId=0 DisplayName=Inbox Type=2)))",
        &status);
    assert_int_equal(status, 1);
    assert_true(str_is(c.key, "7"));
    assert_int_equal(c.count, 5);
    assert_true(c.list[4].use == USE_NONE && c.list[4].kind == FOLDER_MAIL);
    assert_int_equal(c.list[0].use, USE_INBOX);
    assert_int_equal(c.list[0].parent_id.n, 0);
    assert_int_equal(c.list[1].use, USE_JUNK);
    assert_true(str_is(c.list[1].parent_id, "1"));
    assert_true(str_is(c.list[2].name, "a\xEF\xBF\xBDz"));
    assert_true(c.list[3].gone && str_is(c.list[3].id, "4"));
    arena_done(&arena);
}

static void test_ping(void **state)
{
    static const struct {
        const char *doc;
        int status, heartbeat, max;
        const char *ids;
    } cases[] = {
        {"Ping(Status=1)", 1, 0, 0, ""},
        {"Ping(Status=2 Folders(Folder=5 Folder=7))", 2, 0, 0, "5 7 "},
        {"Ping(Status=2 Folders(Folder(Id=5 Class=Email)))", 2, 0, 0, "5 "},
        {"Ping(Status=2)", 2, 0, 0, ""},
        {"Ping(Status=5 HeartbeatInterval=3540)", 5, 3540, 0, ""},
        {"Ping(Status=6 MaxFolders=10)", 6, 0, 10, ""},
        {"Ping(Status=5 HeartbeatInterval=x)", 5, -1, 0, ""},
        {"Ping", 0, 0, 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena = {0};
        struct eas_ping_answer answer = {.arena = &arena};
        struct buf ids = BUF_INIT(0);
        int status = 0;

        read_doc(&eas_ping_rules, &answer, "Ping", cases[i].doc, &status);
        for (size_t f = 0; f < answer.count; f++)
            buf_printf(&ids, "%.*s ", STR_ARG(answer.ids[f]));
        assert_int_equal(status, cases[i].status);
        assert_int_equal(answer.heartbeat_s, cases[i].heartbeat);
        assert_int_equal(answer.max_folders, cases[i].max);
        assert_string_equal(buf_z(&ids), cases[i].ids);
        buf_done(&ids);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),        cmocka_unit_test(test_policy_details),
        cmocka_unit_test(test_common_statuses), cmocka_unit_test(test_http_statuses),
        cmocka_unit_test(test_addresses),       cmocka_unit_test(test_moves),
        cmocka_unit_test(test_versions),        cmocka_unit_test(test_folder_types),
        cmocka_unit_test(test_folder_changes),  cmocka_unit_test(test_ping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
