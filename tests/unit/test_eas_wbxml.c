/* SPDX-License-Identifier: Apache-2.0 */
/* The WBXML codec: tables, every way of cutting the input, limits, and an independent decoder (libwbxml2) as the
 * oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/eas/eas_answer.h"
#include "backends/eas/eas_wbxml.h"
#include "bridge/base/mem.h"

#ifdef TEST_HAVE_WBXML
#include <sys/wait.h>
#include <unistd.h>
#include <wbxml/wbxml_conv.h>
#endif

/* What the decoder said, as text: <Space:Name>text</>. */
struct log {
    struct buf out;
    const char *(*name)(unsigned tag);
    bool spaces;
};

static bool on_open(void *ud, unsigned tag, struct err *err)
{
    struct log *l = ud;

    (void)err;
    buf_printf(&l->out, "<%s%s%s>", eas_tag_space(tag), eas_tag_space(tag)[0] ? ":" : "", eas_tag_name(tag));
    if (!eas_tag_name(tag)[0])
        buf_printf(&l->out, "[%04x]", tag);
    return true;
}

static bool on_text(void *ud, struct str piece, struct err *err)
{
    (void)err;
    assert_true(piece.n > 0);
    return buf_str(&((struct log *)ud)->out, piece);
}

static bool on_close(void *ud, struct err *err)
{
    (void)err;
    return buf_lit(&((struct log *)ud)->out, "</>");
}

static const struct eas_wbxml_events events = {.on_open = on_open, .on_text = on_text, .on_close = on_close};

/* Decode in pieces of `step` bytes; false when the document is refused. */
static bool decode(struct str doc, size_t step, struct log *l, struct err *err)
{
    struct eas_wbxml d;

    eas_wbxml_init(&d, &events, l);
    for (size_t at = 0; at < doc.n; at += step) {
        /* A heap copy of its own, so that a read beyond the piece is seen. */
        struct str piece = str_sub(doc, at, step);
        char *copy = mem_dup(piece.p, piece.n);
        bool ok = eas_wbxml_feed(&d, str_of(copy, piece.n), err);

        mem_free(copy);
        if (!ok)
            return false;
    }
    return eas_wbxml_end(&d, err);
}

struct example {
    const char *what;
    struct str doc;
    const char *expected; /* NULL: refused */
    const char *complaint;
};

#define DOC(...) STR("\x03\x01\x6A\x00" __VA_ARGS__)

static const struct example examples[] = {
    {"empty root", DOC("\x05"), "<AirSync:Sync></>", NULL},
    {"root with content and nothing in it", DOC("\x45\x01"), "<AirSync:Sync></>", NULL},
    {"text",
     DOC("\x45\x4B\x03"
         "abc\0\x01\x01"),
     "<AirSync:Sync><AirSync:SyncKey>abc</></>", NULL},
    {"empty string", DOC("\x45\x4B\x03\0\x01\x01"), "<AirSync:Sync><AirSync:SyncKey></></>", NULL},
    {"text not UTF-8", DOC("\x45\x4B\x03\xFF\xE4\0\x01\x01"), "<AirSync:Sync><AirSync:SyncKey>\xFF\xE4</></>", NULL},
    {"opaque with NUL-free bytes",
     DOC("\x00\x15\x50\xC3\x03"
         "a\x01\x03\x01"),
     "<ComposeMail:Mime>a\x01\x03</>", NULL},
    {"opaque of no bytes", DOC("\x45\xC3\x00\x01"), "<AirSync:Sync></>", NULL},
    {"opaque length in five bytes", DOC("\x45\xC3\x80\x80\x80\x80\x02hi\x01"), "<AirSync:Sync>hi</>", NULL},
    {"page switches", DOC("\x45\x00\x02\x15\x00\x00\x0B\x01"), "<AirSync:Sync><Email:Read></><AirSync:SyncKey></></>",
     NULL},
    {"the page stays after END", DOC("\x45\x00\x02\x55\x01\x0F\x01"),
     "<AirSync:Sync><Email:Read></><Email:DateReceived></></>", NULL},
    {"switch to the page it is", DOC("\x00\x00\x00\x00\x45\x01"), "<AirSync:Sync></>", NULL},
    {"unknown tag", DOC("\x45\x3F\x01"), "<AirSync:Sync><AirSync:>[003f]</></>", NULL},
    {"unknown page", DOC("\x45\x00\xF0\x05\x01"), "<AirSync:Sync><>[f005]</></>", NULL},
    {"Find, of 16.1", DOC("\x00\x19\x45\x0F\x01"), "<Find:Find><Find:>[190f]</></>", NULL},
    {"account-only wipe, of 16.1", DOC("\x00\x0E\x45\x3B\x01"),
     "<Provision:Provision><Provision:AccountOnlyRemoteWipe></></>", NULL},
    {"nothing", STR(""), NULL, "cut short"},
    {"a web page", STR("<!DOCTYPE html>"), NULL, "not WBXML"},
    {"JSON", STR("{\"error\":1}"), NULL, "not WBXML"},
    {"WBXML 1.2", STR("\x02\x01\x6A\x00\x05"), NULL, "not WBXML"},
    {"a string table", STR("\x03\x01\x6A\x01z\x05"), NULL, "not WBXML"},
    {"header alone", DOC(""), NULL, "cut short"},
    {"END first", DOC("\x01"), NULL, "END without"},
    {"text first",
     DOC("\x03"
         "a\0"),
     NULL, "text outside"},
    {"data first", DOC("\xC3\x00"), NULL, "data outside"},
    {"two roots", DOC("\x05\x05"), NULL, "after the root"},
    {"a byte too many", DOC("\x45\x01\x01"), NULL, "after the root"},
    {"an entity (aborts libwbxml2)", DOC("\x45\x02\x8F\xFF\xFF\xFF\x7F\x01"), NULL, "a token that"},
    {"a literal tag", DOC("\x04\x00"), NULL, "a token that"},
    {"attributes", DOC("\x85\x01"), NULL, "a token that"},
    {"attributes and content", DOC("\xC5\x01\x01"), NULL, "a token that"},
    {"a processing instruction", DOC("\x43\x01"), NULL, "a token that"},
    {"an extension", DOC("\x45\x40\x01"), NULL, "a token that"},
    {"a table reference", DOC("\x45\x83\x00\x01"), NULL, "a token that"},
    {"opaque length in six bytes", DOC("\x45\xC3\x80\x80\x80\x80\x80\x01h\x01"), NULL, "over 32 bits"},
    {"opaque length over 32 bits", DOC("\x45\xC3\xFF\xFF\xFF\xFF\x7Fh\x01"), NULL, "over 32 bits"},
    {"opaque longer than what is there", DOC("\x45\xC3\x05hi"), NULL, "cut short"},
    {"string without end",
     DOC("\x45\x4B\x03"
         "abc"),
     NULL, "cut short"},
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *e = &examples[i];

        for (size_t step = 1; step <= e->doc.n + 1; step++) {
            struct log l = {.out = BUF_INIT(4096)};
            struct err err = {0};
            bool ok = decode(e->doc, step, &l, &err);

            if (ok != (e->expected != NULL))
                fail_msg("%s, in pieces of %zu: %s", e->what, step, ok ? "taken" : err.text);
            if (e->expected && strcmp(buf_z(&l.out), e->expected) != 0)
                fail_msg("%s, in pieces of %zu: %s", e->what, step, buf_z(&l.out));
            if (!e->expected && (err.code != ERR_PROTOCOL || !strstr(err.text, e->complaint)))
                fail_msg("%s: complains of %s", e->what, err.text);
            buf_done(&l.out);
        }
    }
}

static void test_every_cut_is_refused(void **state)
{
    struct str doc = DOC("\x45\x5C\x4F\x4B\x03"
                         "key\0\x01\x00\x02\x55\x03"
                         "1\0\x01\x00\x15\x50\xC3\x04\x00\x01\x02\x03\x01\x01\x01\x01");

    (void)state;
    for (size_t n = 0; n <= doc.n; n++) {
        struct log l = {.out = BUF_INIT(4096)};
        struct err err = {0};

        assert_int_equal(decode(str_sub(doc, 0, n), doc.n + 1, &l, &err), n == doc.n);
        buf_done(&l.out);
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (unsigned depth = EAS_WBXML_DEPTH - 1; depth <= EAS_WBXML_DEPTH + 1; depth++) {
        struct log l = {.out = BUF_INIT(1 << 16)};
        struct buf doc = BUF_INIT(1 << 16);
        struct err err = {0};

        buf_add(&doc, "\x03\x01\x6A\x00", 4);
        buf_fill(&doc, '\x45', depth);
        buf_fill(&doc, '\x01', depth);
        assert_int_equal(decode(buf_view(&doc), 7, &l, &err), depth <= EAS_WBXML_DEPTH);
        buf_done(&doc);
        buf_done(&l.out);
    }
    {
        struct log l = {.out = BUF_INIT(1 << 20)};
        struct buf doc = BUF_INIT(1 << 20);
        struct err err = {0};

        buf_add(&doc, "\x03\x01\x6A\x00", 4);
        buf_fill(&doc, '\x45', 100000); /* overflows libwbxml2's stack */
        assert_false(decode(buf_view(&doc), 4096, &l, &err));
        assert_non_null(strstr(err.text, "nested"));
        buf_done(&doc);
        buf_done(&l.out);
    }
}

static bool refuse(void *ud, struct str piece, struct err *err)
{
    (void)ud;
    (void)piece;
    return err_set(err, ERR_DISK, "no more");
}

static void test_an_event_stops_the_decoder(void **state)
{
    static const struct eas_wbxml_events stop = {.on_open = on_open, .on_text = refuse, .on_close = on_close};
    struct log l = {.out = BUF_INIT(4096)};
    struct eas_wbxml d;
    struct err err = {0};

    (void)state;
    eas_wbxml_init(&d, &stop, &l);
    assert_false(eas_wbxml_feed(&d,
                                DOC("\x45\x03"
                                    "abc\0\x01"),
                                &err));
    assert_int_equal(err.code, ERR_DISK);
    buf_done(&l.out);
}

/* --- encoder ----------------------------------------------------------------------------------------------------- */

static void test_encoder(void **state)
{
    struct str expected = DOC("\x45\x5C\x4F\x4B\x03"
                              "0\0\x01\x52\x03"
                              "5\0\x01\x13\x57\x00\x11\x45\x46\x03"
                              "4\0\x01\x01"
                              "\x01\x01\x01\x00\x15\x50\xC3\x02h\0\x01\x01");
    struct buf out = BUF_INIT(4096);
    struct eas_writer w;

    (void)state;
    eas_writer_init(&w, &out);
    eas_write_open(&w, AirSync_Sync);
    eas_write_open(&w, AirSync_Collections);
    eas_write_open(&w, AirSync_Collection);
    eas_write_uint(&w, AirSync_SyncKey, 0);
    eas_write_text(&w, AirSync_CollectionId, STR("5"));
    eas_write_text(&w, AirSync_GetChanges, STR_NULL);
    eas_write_open(&w, AirSync_Options);
    eas_write_open(&w, AirSyncBase_BodyPreference);
    eas_write_uint(&w, AirSyncBase_Type, 4);
    eas_write_close(&w);
    eas_write_close(&w);
    eas_write_close(&w);
    eas_write_close(&w);
    eas_write_opaque(&w, ComposeMail_Mime, str_of("h", 2));
    eas_write_close(&w);
    assert_false(out.failed);
    assert_int_equal(out.n, expected.n);
    assert_memory_equal(out.p, expected.p, expected.n);
    buf_done(&out);
}

static void test_encoder_limits(void **state)
{
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 2097151, 2097152};
    struct buf out = BUF_INIT(0);
    struct eas_writer w;

    (void)state;
    eas_writer_init(&w, &out);
    eas_write_text(&w, AirSync_SyncKey, str_of("a\0b", 3));
    assert_true(out.failed);
    buf_reset(&out);
    eas_writer_init(&w, &out);
    for (unsigned i = 0; i <= EAS_WBXML_DEPTH; i++) {
        assert_false(out.failed);
        eas_write_open(&w, AirSync_Sync);
    }
    assert_true(out.failed);
    buf_reset(&out);
    eas_writer_init(&w, &out);
    eas_write_close(&w);
    assert_true(out.failed);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct log l = {.out = BUF_INIT(0)};
        char *bytes = mem_alloc(sizes[i]);
        struct err err = {0};

        memset(bytes, 'x', sizes[i]);
        buf_reset(&out);
        eas_writer_init(&w, &out);
        eas_write_opaque(&w, ComposeMail_Mime, str_of(bytes, sizes[i]));
        assert_true(decode(buf_view(&out), 100000, &l, &err));
        assert_int_equal(l.out.n, strlen("<ComposeMail:Mime></>") + sizes[i]);
        mem_free(bytes);
        buf_done(&l.out);
    }
    buf_done(&out);
}

/* --- rules ------------------------------------------------------------------------------------------------------- */

static bool take_key(void *ud, struct str text, struct err *err)
{
    (void)err;
    buf_printf(&((struct log *)ud)->out, "key=%.*s;", STR_ARG(text));
    return true;
}

static bool take_data(void *ud, struct str piece, struct err *err)
{
    (void)err;
    return buf_str(&((struct log *)ud)->out, piece);
}

static bool end_data(void *ud, struct err *err)
{
    (void)err;
    return buf_lit(&((struct log *)ud)->out, ";");
}

static void test_rules(void **state)
{
    static const struct eas_rule list[] = {
        {.parent = EAS_NO_TAG, .tag = AirSync_Sync},
        {.parent = AirSync_Sync, .tag = AirSync_Collection},
        {.parent = AirSync_Collection, .tag = AirSync_SyncKey, .text = take_key},
        {.parent = AirSync_Collection, .tag = AirSyncBase_Data, .data = take_data, .close = end_data},
    };
    static const struct eas_rules rules = {list, sizeof(list) / sizeof(list[0])};
    /* Sync{Status 3 (with a child that is nonsense), Unknown{SyncKey x}, Collection{SyncKey "a""b", [f005]{..}, Data
     * "d1" opaque "d2", Data}} */
    struct str doc = DOC("\x45\x4E\x03"
                         "3\0\x0B\x01\x7F\x4B\x03x\0\x01\x01\x4F\x4B\x03"
                         "a\0\x03"
                         "b\0\x01\x00\xF0\x45\x03no\0\x01\x00\x11\x4B"
                         "\x03"
                         "d1\0\xC3\x02"
                         "d2\x01\x0B\x01\x01");

    (void)state;
    for (size_t step = 1; step <= doc.n; step++) {
        struct log l = {.out = BUF_INIT(4096)};
        struct eas_answer a;
        struct err err = {0};

        eas_answer_init(&a, rules, &l);
        for (size_t at = 0; at < doc.n; at += step)
            assert_true(eas_answer_feed(&a, str_sub(doc, at, step), &err));
        assert_true(eas_answer_end(&a, &err));
        assert_int_equal(a.status, 3);
        assert_string_equal(buf_z(&l.out), "key=ab;d1d2;;");
        eas_answer_done(&a);
        buf_done(&l.out);
    }
}

static void test_rules_wrong_root_and_size(void **state)
{
    static const struct eas_rule list[] = {{.parent = EAS_NO_TAG, .tag = AirSync_Sync, .text = take_key}};
    static const struct eas_rules rules = {list, 1};
    struct log l = {.out = BUF_INIT(0)};
    struct buf doc = BUF_INIT(0);
    struct eas_answer a;
    struct err err = {0};

    (void)state;
    eas_answer_init(&a, rules, &l);
    assert_false(eas_answer_feed(&a, DOC("\x00\x0D\x05"), &err));
    assert_int_equal(err.code, ERR_PROTOCOL);
    eas_answer_done(&a);

    buf_add(&doc, "\x03\x01\x6A\x00\x45\x03", 6);
    buf_fill(&doc, 'x', EAS_TEXT_MAX + 1);
    eas_answer_init(&a, rules, &l);
    assert_false(eas_answer_feed(&a, buf_view(&doc), &err));
    assert_int_equal(err.code, ERR_TOO_BIG);
    eas_answer_done(&a);
    buf_done(&doc);
    buf_done(&l.out);
}

static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(eas_number(STR("1")), 1);
    assert_int_equal(eas_number(STR(" 142 ")), 142);
    assert_int_equal(eas_number(STR("")), -1);
    assert_int_equal(eas_number(STR("1x")), -1);
    assert_int_equal(eas_number(STR("-1")), -1);
    assert_int_equal(eas_number(STR("4294967295")), -1);
}

static void test_token_table(void **state)
{
    unsigned count = 0;

    (void)state;
    for (unsigned tag = 0; tag < 0x2000; tag++) {
        if (!eas_tag_name(tag)[0])
            continue;
        count++;
        assert_true(eas_tag_space(tag)[0] != '\0');
        assert_in_range(tag & 0xFF, EAS_TOKEN_MIN, EAS_TOKEN_MAX);
    }
    assert_int_equal(count, 585);
    assert_string_equal(eas_tag_space(3 << 8), "");
    /* MS-ASWBXML 2.1.2.1.26, which libwbxml2 does not have. */
    assert_string_equal(eas_tag_name(Find_Find), "Find");
    assert_int_equal(Find_Find, 0x1905);
    assert_int_equal(Find_DeepTraversal, 0x190E);
    assert_int_equal(Find_Response, 0x1911);
    assert_int_equal(Find_GalSearchCriterion, 0x1919);
    assert_int_equal(Find_Picture, 0x1922);
    assert_int_equal(Provision_AccountOnlyRemoteWipe, 0x0E3B);
    assert_int_equal(MeetingResponse_ProposedStartTime, 0x0810);
}

#ifdef TEST_HAVE_WBXML
/* --- the oracle: libwbxml2, in a process of its own, because some inputs abort it -------------------------------- */

static bool oracle_decode(struct str doc, struct buf *xml)
{
    WBXMLConvWBXML2XML *conv = NULL;
    WB_UTINY *text = NULL;
    WB_ULONG n = 0;
    bool ok;

    if (wbxml_conv_wbxml2xml_create(&conv) != WBXML_OK)
        return false;
    wbxml_conv_wbxml2xml_set_language(conv, WBXML_LANG_ACTIVESYNC);
    wbxml_conv_wbxml2xml_set_gen_type(conv, WBXML_GEN_XML_COMPACT);
    wbxml_conv_wbxml2xml_enable_preserve_whitespaces(conv);
    ok = wbxml_conv_wbxml2xml_run(conv, (WB_UTINY *)(uintptr_t)doc.p, (WB_ULONG)doc.n, &text, &n) == WBXML_OK;
    if (ok)
        buf_add(xml, text, n);
    free(text);
    wbxml_conv_wbxml2xml_destroy(conv);
    return ok;
}

/* The XML as our log writes it: no prologue, no namespaces, </> for every end. */
static void simplify(struct str xml, struct buf *out)
{
    while (xml.n > 0) {
        size_t end = str_find_byte(xml, '>');
        struct str tag = str_sub(xml, 1, end - 1);

        if (xml.p[0] != '<') {
            size_t text = str_find_byte(xml, '<');

            text = text < xml.n ? text : xml.n;
            buf_str(out, str_sub(xml, 0, text));
            xml = str_skip(xml, text);
            continue;
        }
        assert_true(end < xml.n);
        xml = str_skip(xml, end + 1);
        if (tag.p[0] == '?' || tag.p[0] == '!')
            continue;
        if (tag.p[0] == '/') {
            buf_lit(out, "</>");
            continue;
        }
        buf_byte(out, '<');
        for (size_t i = 0; i < tag.n && tag.p[i] != ' ' && tag.p[i] != '/'; i++)
            buf_byte(out, tag.p[i]);
        buf_byte(out, '>');
        if (tag.p[tag.n - 1] == '/')
            buf_lit(out, "</>");
    }
}

static void oracle_name(unsigned tag, struct buf *out)
{
    unsigned char doc[] = {0x03, 0x01, 0x6A, 0x00, 0x00, (unsigned char)(tag >> 8), (unsigned char)tag};
    struct buf xml = BUF_INIT(0), simple = BUF_INIT(0);

    if (oracle_decode(str_of(doc, sizeof(doc)), &xml))
        simplify(buf_view(&xml), &simple);
    if (simple.n > strlen("<></>"))
        buf_str(out, str_sub(buf_view(&simple), 1, simple.n - strlen("<></>")));
    buf_done(&xml);
    buf_done(&simple);
}

/* Names that differ by more than a prefix, punctuation, case or "Address". */
static const struct {
    unsigned tag;
    const char *name;
} renamed[] = {
    {Contacts_AssistantPhoneNumber, "AssistantTelephoneNumber"},
    {Email_Status, "FlagStatus"},
    {Provision_RequireStorageCardEncryption, "DeviceEncryptionEnabled"},
    {Settings_RightsManagementInformation, "ihsManagementInformation"},
    {ComposeMail_Name, "ForwardeeName"},
    {ComposeMail_Email, "ForwardeeEmail"},
    {RightsManagement_Owner, "RMOwner"},
    {RightsManagement_RemoveRightsManagementProtection, "RemoveRightsManagementDistribution"},
    /* 16.1, unknown to libwbxml2 0.11.8 */
    {MeetingResponse_ProposedStartTime, "unknown"},
    {MeetingResponse_ProposedEndTime, "unknown"},
    {Provision_AccountOnlyRemoteWipe, "unknown"},
};

static void squeeze(const char *name, struct buf *out)
{
    const char *underscore = strchr(name, '_');
    const char *address = strstr(name, "Address");

    for (const char *p = name; *p; p++) {
        if (address && p >= address && p < address + 7)
            continue;
        if (*p != '-' && !(underscore && p <= underscore))
            buf_byte(out, (char)(*p | 0x20));
    }
}

static bool same_name(unsigned tag, const char *theirs)
{
    struct buf a = BUF_INIT(0), b = BUF_INIT(0);
    bool same;

    for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
        if (renamed[i].tag == tag && strcmp(renamed[i].name, theirs) == 0)
            return true;
    squeeze(eas_tag_name(tag), &a);
    squeeze(theirs, &b);
    same = str_eq(buf_view(&a), buf_view(&b)) || str_ends(buf_view(&a), buf_view(&b));
    buf_done(&a);
    buf_done(&b);
    return same;
}

static int child_names(void)
{
    for (unsigned tag = 0; tag < Find_Find; tag++) {
        struct buf name = BUF_INIT(0);

        if (eas_tag_name(tag)[0]) {
            oracle_name(tag, &name);
            if (!same_name(tag, buf_z(&name))) {
                fprintf(stderr, "%04x: ours %s, libwbxml2 %s\n", tag, eas_tag_name(tag), buf_z(&name));
                return 1;
            }
        }
        buf_done(&name);
    }
    return 0;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Tags whose opaque content libwbxml2 knows as base64 and tags it does not know would differ by design. */
static bool comparable(unsigned tag)
{
    static const unsigned base64[] = {
        ComposeMail_Mime,
        Email2_ConversationId,
        Email2_ConversationIndex,
        AirSyncBase_Content,
        ItemOperations_ConversationId,
        Search_ConversationId,
        GAL_Data,
        ResolveRecipients_Data,
        MeetingResponse_ProposedStartTime,
        MeetingResponse_ProposedEndTime,
        Provision_AccountOnlyRemoteWipe,
    };

    for (size_t i = 0; i < sizeof(base64) / sizeof(base64[0]); i++)
        if (base64[i] == tag)
            return false;
    return tag < Find_Find && eas_tag_name(tag)[0];
}

static void random_tree(struct eas_writer *w, uint32_t *seed, unsigned depth)
{
    unsigned tag;

    do {
        tag = next_random(seed) % Find_Find;
    } while (!comparable(tag));
    switch (depth == 0 ? 2 : next_random(seed) % 4) {
    case 0:
        eas_write_empty(w, (enum eas_tag)tag);
        break;
    case 1:
        eas_write_text(w, (enum eas_tag)tag,
                       str_sub(STR("Gr\xC3\xBC\xC3\x9F Gott 0123456789 \xE2\x82\xAC"), 0, 4 + next_random(seed) % 14));
        break;
    default:
        eas_write_open(w, (enum eas_tag)tag);
        for (unsigned n = next_random(seed) % 5; n > 0 && depth < 12; n--)
            random_tree(w, seed, depth + 1);
        eas_write_close(w);
        break;
    }
}

static bool named_open(void *ud, unsigned tag, struct err *err)
{
    struct log *l = ud;

    (void)err;
    buf_byte(&l->out, '<');
    oracle_name(tag, &l->out);
    buf_byte(&l->out, '>');
    return true;
}

static int child_documents(void)
{
    static const struct eas_wbxml_events named = {.on_open = named_open, .on_text = on_text, .on_close = on_close};
    uint32_t seed = 20261123;

    for (unsigned round = 0; round < 300; round++) {
        struct log l = {.out = BUF_INIT(0)};
        struct buf doc = BUF_INIT(0), xml = BUF_INIT(0), theirs = BUF_INIT(0);
        struct eas_writer w;
        struct eas_wbxml d;
        struct err err = {0};

        eas_writer_init(&w, &doc);
        random_tree(&w, &seed, 0);
        eas_wbxml_init(&d, &named, &l);
        if (doc.failed || !eas_wbxml_feed(&d, buf_view(&doc), &err) || !eas_wbxml_end(&d, &err) ||
            !oracle_decode(buf_view(&doc), &xml)) {
            fprintf(stderr, "round %u: refused: %s\n", round, err.text);
            return 1;
        }
        simplify(buf_view(&xml), &theirs);
        if (!str_eq(buf_view(&theirs), buf_view(&l.out))) {
            fprintf(stderr, "round %u:\nours   %s\ntheirs %s\n", round, buf_z(&l.out), buf_z(&theirs));
            return 1;
        }
        buf_done(&l.out);
        buf_done(&doc);
        buf_done(&xml);
        buf_done(&theirs);
    }
    return 0;
}

static void in_child(int (*fn)(void))
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        _exit(fn());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_oracle_names(void **state)
{
    (void)state;
    in_child(child_names);
}

static void test_oracle_documents(void **state)
{
    (void)state;
    in_child(child_documents);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),     cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_depth),        cmocka_unit_test(test_an_event_stops_the_decoder),
        cmocka_unit_test(test_encoder),      cmocka_unit_test(test_encoder_limits),
        cmocka_unit_test(test_rules),        cmocka_unit_test(test_rules_wrong_root_and_size),
        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_token_table),
#ifdef TEST_HAVE_WBXML
        cmocka_unit_test(test_oracle_names), cmocka_unit_test(test_oracle_documents),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
