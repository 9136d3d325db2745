/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of EWS answers: pages of a folder, folders, notifications. */
#include "backends/ews/ews_folders_read.h"
#include "backends/ews/ews_stream_read.h"
#include "backends/ews/ews_sync_read.h"
#include "bridge/base/time.h"
#include "tests/unit/ews_doc.h"

/* --- SyncFolderItems ----------------------------------------------------------------------------- */

struct page_run {
    struct run run;
    struct arena arena;
    struct ews_page page;
};

static void page_begin(struct run *run)
{
    struct page_run *p = (struct page_run *)run;
    arena_done(&p->arena);
    ews_page_init(&p->page, &p->arena);
}

static void page_describe(struct run *run, struct buf *out)
{
    struct ews_page *p = &((struct page_run *)run)->page;
    if (!p->outcome.answered) {
        buf_lit(out, "unanswered");
        return;
    }
    buf_printf(out, "%s cursor=%.*s more=%d skipped=%zu", p->outcome.status.name, STR_ARG(p->cursor), p->more,
               p->skipped);
    for (size_t i = 0; i < p->count; i++) {
        const struct item_info *f = &p->list[i];
        buf_printf(out, "\n%s%.*s/%.*s %x/%x size=%u", f->gone ? "-" : "", STR_ARG(f->id), STR_ARG(f->change), f->flags,
                   f->flags_known, (unsigned)f->size_estimate);
        if (f->received_ms != TIME_NONE)
            buf_printf(out, " at=%lld", (long long)f->received_ms);
        buf_printf(out, " id=%.*s subject=%.*s", STR_ARG(f->message_id), STR_ARG(f->subject));
        if (f->categories_known)
            buf_printf(out, " categories=%zu", f->category_count);
        for (size_t k = 0; k < f->category_count; k++)
            buf_printf(out, " [%.*s]", STR_ARG(f->categories[k]));
        if (f->content_changed)
            buf_lit(out, " changed");
    }
}

#define SYNC(last, changes)                                                                                            \
    ANSWER("SyncFolderItems",                                                                                          \
           OK("SyncFolderItems", "<m:SyncState>H4sIA=</m:SyncState><m:IncludesLastItemInRange>" last                   \
                                 "</m:IncludesLastItemInRange><m:Changes>" changes "</m:Changes>"))

static struct page_run page_run_new(void)
{
    struct page_run p = {.run = {.reader = &ews_page_reader, .begin = page_begin, .describe = page_describe}};
    return p;
}

static void test_sync(void **state)
{
    (void)state;
    struct page_run p = page_run_new();
    p.run.ud = &p.page;
    ews_doc_check(&p.run, SYNC("true", ""), "15.1.2507 NoError cursor=H4sIA= more=0 skipped=0");
    ews_doc_check(
        &p.run,
        SYNC("false", "<t:Create><t:Message><t:ItemId Id=\"A+/=\" ChangeKey=\"C1\"/><t:ItemClass>IPM.Note</t:ItemClass>"
                      "<t:Subject>Gr&#xFC;&#223;e &amp; "
                      "mehr</t:Subject><t:DateTimeReceived>2026-01-05T07:49:55Z</t:DateTimeReceived>"
                      "<t:Size>4711</t:Size><t:Categories><t:String>Red</t:String><t:String>To "
                      "Do</t:String><t:String>3</t:String>"
                      "</t:Categories>" PROPERTY("0xe07", "Integer", "1") PROPERTY("0x1090", "Integer", "2")
                          PROPERTY("4225", "Integer",
                                   "103") "<t:InternetMessageId>&lt;a@b&gt;</t:InternetMessageId><t:IsRead>true</"
                                          "t:IsRead></t:Message></t:Create>"),
        "15.1.2507 NoError cursor=H4sIA= more=1 skipped=0\n"
        "A+/=/C1 7/17 size=4711 at=1767599395000 id=<a@b> subject=Grüße & mehr categories=3 [Red] [To Do] [3]");
    ews_doc_check(
        &p.run,
        SYNC("true",
             "<t:ReadFlagChange><t:ItemId Id=\"B\" ChangeKey=\"C2\"/><t:IsRead>false</t:IsRead></t:ReadFlagChange>"
             "<t:Delete><t:ItemId Id=\"C\" ChangeKey=\"C3\"/></t:Delete>"
             "<t:Create><t:Contact><t:ItemId Id=\"D\"/></t:Contact></t:Create>"
             "<t:Create><t:Hologram><t:ItemId Id=\"E\"/></t:Hologram></t:Create>"),
        "15.1.2507 NoError cursor=H4sIA= more=0 skipped=1\nB/C2 0/1 size=0 id= subject=\n-C/C3 0/0 size=0 id= "
        "subject=");
    arena_done(&p.arena);
}

static void test_sync_drafts(void **state)
{
    (void)state;
    struct page_run p = page_run_new();
    p.run.ud = &p.page;
    /* A draft that is edited changes its bytes; a message whose follow-up flag went away does not, and says so. */
    ews_doc_check(
        &p.run,
        SYNC("true", "<t:Update><t:Message><t:ItemId Id=\"A\" ChangeKey=\"2\"/>" PROPERTY(
                         "0xe07", "Integer",
                         "9") "</t:Message></t:Update>"
                              "<t:Update><t:Item><t:ItemId Id=\"B\" ChangeKey=\"2\"/>" PROPERTY("0xE07", "Integer", "0")
                                  PROPERTY("0x1081", "Integer", "104") "</t:Item></t:Update>"),
        "15.1.2507 NoError cursor=H4sIA= more=0 skipped=0\n"
        "A/2 11/1f size=0 id= subject= categories=0 changed\n"
        "B/2 8/1b size=0 id= subject= categories=0");
    arena_done(&p.arena);
}

static void test_sync_errors(void **state)
{
    (void)state;
    struct page_run p = page_run_new();
    p.run.ud = &p.page;
    ews_doc_check(
        &p.run,
        ANSWER("SyncFolderItems", BAD("SyncFolderItems", "ErrorInvalidSyncStateData", "Corrupt.", "<m:SyncState/>")),
        "15.1.2507 ErrorInvalidSyncStateData cursor= more=0 skipped=0");
    /* Missing parts: the flag that says "last", the code, the message, values that are no numbers. */
    ews_doc_check(&p.run, ANSWER("SyncFolderItems", OK("SyncFolderItems", "<m:SyncState>S</m:SyncState>")),
                  "15.1.2507 NoError cursor=S more=0 skipped=0");
    ews_doc_check(&p.run, ANSWER("SyncFolderItems", "<m:SyncFolderItemsResponseMessage/>"),
                  "15.1.2507 (no response code) cursor= more=0 skipped=0");
    ews_doc_check(&p.run, ANSWER("SyncFolderItems", ""), "15.1.2507 unanswered");
    ews_doc_check(&p.run, HEAD TAIL, "15.1.2507 unanswered");
    ews_doc_check(&p.run,
                  SYNC("true",
                       "<t:Create><t:Message><t:ItemId Id=\"A\"/><t:DateTimeReceived>yesterday</t:DateTimeReceived>"
                       "<t:Size>-3</t:Size>" PROPERTY("0xe07", "Integer", "x") PROPERTY(
                           "", "Integer", "2") "</t:Message></t:Create><t:Create><t:Message/></t:Create><t:Delete/>"),
                  "15.1.2507 NoError cursor=H4sIA= more=0 skipped=0\nA/ 0/e size=0 id= subject= categories=0");
    /* Control characters that XML forbids are dropped, the rest stays. */
    ews_doc_check(
        &p.run,
        SYNC("true",
             "<t:Create><t:Message><t:ItemId Id=\"A\"/><t:Subject>a&#x1F;b&#x0;c</t:Subject></t:Message></t:Create>"),
        "15.1.2507 NoError cursor=H4sIA= more=0 skipped=0\nA/ 0/e size=0 id= subject=abc categories=0");
    arena_done(&p.arena);
}

static void test_envelopes(void **state)
{
    (void)state;
    struct page_run p = page_run_new();
    p.run.ud = &p.page;
    /* Other prefixes, none at all, a byte order mark, faults of both generations. */
    ews_doc_check(&p.run,
                  "\xEF\xBB\xBF<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body>"
                  "<SyncFolderItemsResponse "
                  "xmlns=\"http://schemas.microsoft.com/exchange/services/2006/messages\"><ResponseMessages>"
                  "<SyncFolderItemsResponseMessage><ResponseCode>NoError</ResponseCode><SyncState>S</SyncState>"
                  "</SyncFolderItemsResponseMessage></ResponseMessages></SyncFolderItemsResponse></Body></Envelope>",
                  "NoError cursor=S more=0 skipped=0");
    ews_doc_check(
        &p.run,
        HEAD
        "<s:Fault><faultcode xmlns:a=\"http://schemas.microsoft.com/exchange/services/2006/types\">a:ErrorServerBusy"
        "</faultcode><faultstring xml:lang=\"en-US\">The server\ncannot service this request.</faultstring><detail>"
        "<e:ResponseCode xmlns:e=\"http://schemas.microsoft.com/exchange/services/2006/errors\">ErrorServerBusy"
        "</e:ResponseCode><e:Message "
        "xmlns:e=\"http://schemas.microsoft.com/exchange/services/2006/errors\">x</e:Message>"
        "<t:MessageXml xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\">"
        "<t:Value Name=\"BackOffMilliseconds\">297749</t:Value></t:MessageXml></detail></s:Fault>" TAIL,
        "15.1.2507 fault ErrorServerBusy(throttled) 'The server?cannot service this request.' 297749 ");
    ews_doc_check(&p.run, HEAD "<s:Fault><faultcode>s:Client</faultcode><faultstring>No.</faultstring></s:Fault>" TAIL,
                  "15.1.2507 fault Client(protocol) 'No.' 0 ");
    /* An inner code counts, a time to wait with it. */
    ews_doc_check(
        &p.run,
        ANSWER("SyncFolderItems", BAD("SyncFolderItems", "ErrorInternalServerError", "oops",
                                      "<m:MessageXml><t:Value Name=\"InnerErrorMessageText\">x</t:Value><t:Value "
                                      "Name=\"InnerErrorResponseCode\">ErrorServerBusy</t:Value></m:MessageXml>")),
        "15.1.2507 ErrorServerBusy cursor= more=0 skipped=0");
    /* What is no SOAP at all. */
    ews_doc_check_start(&p.run, "<html><body>Sign in</body></html>", "protocol");
    ews_doc_check_start(&p.run, "<!DOCTYPE x [<!ENTITY a \"b\">]><x/>", "protocol");
    ews_doc_check_start(&p.run, "not XML", "protocol");
    ews_doc_check_start(&p.run, "", "protocol");
    arena_done(&p.arena);
}

static void test_hostile(void **state)
{
    (void)state;
    struct page_run p = page_run_new();
    p.run.ud = &p.page;
    struct buf doc = BUF_INIT(0);
    /* deep nesting */
    buf_lit(&doc, HEAD);
    for (int i = 0; i < 50000; i++)
        buf_lit(&doc, "<a>");
    ews_doc_check_start(&p.run, buf_z(&doc), "too-big");
    /* an id longer than any real one */
    buf_reset(&doc);
    buf_lit(&doc, HEAD "<m:R" NS
                       "><m:ResponseMessages><m:SyncFolderItemsResponseMessage><m:Changes><t:Delete><t:ItemId Id=\"");
    buf_fill(&doc, 'A', BACKEND_ID_MAX + 1);
    buf_lit(&doc, "\"/></t:Delete></m:Changes></m:SyncFolderItemsResponseMessage></m:ResponseMessages></m:R>" TAIL);
    ews_doc_check_start(&p.run, buf_z(&doc), "protocol");
    /* more changes than were asked for */
    buf_reset(&doc);
    buf_lit(&doc, HEAD "<m:R" NS "><m:ResponseMessages><m:SyncFolderItemsResponseMessage><m:Changes>");
    for (int i = 0; i <= EWS_PAGE_CHANGES_MAX; i++)
        buf_lit(&doc, "<t:Delete><t:ItemId Id=\"A\"/></t:Delete>");
    buf_lit(&doc, "</m:Changes></m:SyncFolderItemsResponseMessage></m:ResponseMessages></m:R>" TAIL);
    ews_doc_check_start(&p.run, buf_z(&doc), "protocol");
    /* more messages than anybody asked for */
    buf_reset(&doc);
    buf_lit(&doc, HEAD "<m:R" NS "><m:ResponseMessages>");
    for (int i = 0; i <= EWS_ANSWER_MESSAGES_MAX; i++)
        buf_lit(&doc, "<m:SyncFolderItemsResponseMessage/>");
    buf_lit(&doc, "</m:ResponseMessages></m:R>" TAIL);
    ews_doc_check_start(&p.run, buf_z(&doc), "protocol");
    buf_done(&doc);
    arena_done(&p.arena);
}

/* --- folders ------------------------------------------------------------------------------------- */

struct tree_run {
    struct run run;
    struct arena arena;
    struct ews_tree tree;
    struct ews_roles_found roles;
};

static void tree_begin(struct run *run)
{
    struct tree_run *t = (struct tree_run *)run;
    arena_done(&t->arena);
    ews_tree_init(&t->tree, &t->arena);
    ews_tree_page_begin(&t->tree);
    ews_roles_init(&t->roles, &t->arena);
    t->roles.count = 3;
}

static void tree_describe(struct run *run, struct buf *out)
{
    static const char *const kinds[] = {"mail", "calendar", "tasks", "contacts", "other"};
    struct ews_tree *t = &((struct tree_run *)run)->tree;
    buf_printf(out, "%s cursor=%.*s more=%d", t->outcome.answered ? t->outcome.status.name : "?", STR_ARG(t->cursor),
               t->more);
    for (size_t i = 0; i < t->count; i++) {
        const struct folder_info *f = &t->list[i];
        buf_printf(out, "\n%s%.*s in %.*s '%.*s' %s%s%s", f->gone ? "-" : "", STR_ARG(f->id), STR_ARG(f->parent_id),
                   STR_ARG(f->name), kinds[f->kind], f->hidden ? " hidden" : "",
                   f->use == USE_ARCHIVE ? " archive" : "");
    }
}

#define FOLDER(change, element, id, name, class, more)                                                                 \
    "<t:" change "><t:" element "><t:FolderId Id=\"" id                                                                \
    "\" ChangeKey=\"x\"/><t:ParentFolderId Id=\"R\" ChangeKey=\"x\"/>"                                                 \
    "<t:FolderClass>" class "</t:FolderClass><t:DisplayName>" name "</t:DisplayName>" more "</t:" element              \
                            "></t:" change ">"

static void test_folders(void **state)
{
    (void)state;
    struct tree_run t = {.run = {.reader = &ews_tree_reader, .begin = tree_begin, .describe = tree_describe}};
    t.run.ud = &t.tree;
    ews_doc_check(
        &t.run,
        ANSWER(
            "SyncFolderHierarchy",
            OK("SyncFolderHierarchy",
               "<m:SyncState>S1</m:SyncState><m:IncludesLastFolderInRange>true</"
               "m:IncludesLastFolderInRange><m:Changes>" FOLDER("Create", "Folder", "A", "Posteingang", "IPF.Note", "")
                   FOLDER("Update", "Folder", "B", "a/b &lt;c&gt;", "IPF.Note.Sub",
                          PROPERTY("0x10f4", "Boolean", "true"))
                       FOLDER("Create", "Folder", "C", "Notizen", "IPF.StickyNote", "")
                           FOLDER("Create", "CalendarFolder", "D", "Kalender", "IPF.Appointment", "")
                               FOLDER("Create", "ContactsFolder", "E", "Kontakte", "IPF.Contact.RecipientCache", "")
                                   FOLDER("Create", "TasksFolder", "F", "Aufgaben", "IPF.Task", "")
                                       FOLDER("Create", "SearchFolder", "G", "Suche", "IPF.Note", "") FOLDER(
                                           "Create", "Folder", "H", "IMAP", "", PROPERTY("0x10f4", "Boolean", "false"))
                                           FOLDER("Create", "Folder", "I", "Archiv", "IPF.Note",
                                                  "<t:DistinguishedFolderId>archive"
                                                  "</t:DistinguishedFolderId>") "<t:Delete><t:FolderId "
                                                                                "Id=\"Z\"/></t:Delete></m:Changes>")),
        "15.1.2507 NoError cursor=S1 more=0\nA in R 'Posteingang' mail\nB in R 'a/b <c>' mail hidden\nC in R "
        "'Notizen' other\n"
        "D in R 'Kalender' calendar\nE in R 'Kontakte' contacts\nF in R 'Aufgaben' tasks\nG in R 'Suche' other\n"
        "H in R 'IMAP' mail\nI in R 'Archiv' mail archive\n-Z in  '' mail");
    ews_doc_check(&t.run,
                  ANSWER("SyncFolderHierarchy", BAD("SyncFolderHierarchy", "ErrorInvalidSyncStateData", "x", "")),
                  "15.1.2507 ErrorInvalidSyncStateData cursor= more=0");
    arena_done(&t.arena);
}

static void roles_describe(struct run *run, struct buf *out)
{
    struct ews_roles_found *r = &((struct tree_run *)run)->roles;
    buf_printf(out, "answered=%zu root=%s", r->answered, r->first_error.code ? r->first_error.name : "ok");
    for (size_t i = 0; i < EWS_ROLE_COUNT; i++)
        if (r->ids[i].n)
            buf_printf(out, " %s=%.*s'%.*s'", ews_roles[i].name, STR_ARG(r->ids[i]), STR_ARG(r->names[i]));
}

static void test_roles(void **state)
{
    (void)state;
    struct tree_run t = {.run = {.reader = &ews_roles_reader, .begin = tree_begin, .describe = roles_describe}};
    t.run.ud = &t.roles;
#define FOUND(id)                                                                                                      \
    OK("GetFolder", "<m:Folders><t:Folder><t:FolderId Id=\"" id "\" ChangeKey=\"x\"/><t:DisplayName>n" id              \
                    "</t:DisplayName></t:Folder></m:Folders>")
    ews_doc_check(
        &t.run, ANSWER("GetFolder", FOUND("R") BAD("GetFolder", "ErrorFolderNotFound", "x", "<m:Folders/>") FOUND("D")),
        "15.1.2507 answered=3 root=ok msgfolderroot=R'nR' inbox=D'nD'");
    ews_doc_check(&t.run,
                  ANSWER("GetFolder", BAD("GetFolder", "ErrorNonExistentMailbox", "x", "<m:Folders/>") FOUND("I")),
                  "15.1.2507 answered=2 root=ErrorNonExistentMailbox deleteditems=I'nI'");
    /* More answers than questions are not looked at. */
    ews_doc_check(&t.run, ANSWER("GetFolder", FOUND("R") FOUND("I") FOUND("D") FOUND("X")),
                  "15.1.2507 answered=3 root=ok msgfolderroot=R'nR' deleteditems=I'nI' inbox=D'nD'");
    arena_done(&t.arena);
}

/* --- notifications ------------------------------------------------------------------------------- */

struct events_run {
    struct run run;
    struct ews_events events;
    struct ews_subscribed subscribed;
};

static void on_folder(void *ud, struct str id)
{
    buf_printf(&((struct run *)ud)->log, " %.*s", STR_ARG(id));
}

static void events_begin(struct run *run)
{
    struct events_run *e = (struct events_run *)run;
    ews_events_reset(&e->events);
    e->events.on_folder = on_folder;
    e->events.ud = run;
    buf_reset(&e->subscribed.id);
    e->subscribed.outcome.answered = false;
}

static void events_describe(struct run *run, struct buf *out)
{
    struct ews_events *e = &((struct events_run *)run)->events;
    buf_printf(out, "%s%s%s beats=%zu events=%zu folders:", e->answered ? e->status.name : "?",
               e->closed ? " closed" : "", e->hierarchy ? " hierarchy" : "", e->beats, e->events);
    buf_str(out, buf_view(&run->log));
}

static void subscribed_describe(struct run *run, struct buf *out)
{
    struct ews_subscribed *s = &((struct events_run *)run)->subscribed;
    buf_printf(out, "%s %s", s->outcome.answered ? s->outcome.status.name : "?", buf_z(&s->id));
}

#define EVENTS(content)                                                                                                \
    ANSWER("GetStreamingEvents",                                                                                       \
           OK("GetStreamingEvents", "<m:Notifications><m:Notification><t:SubscriptionId>s"                             \
                                    "</t:SubscriptionId>" content "</m:Notification></m:Notifications>"))
#define EVENT(name, content) "<t:" name "><t:TimeStamp>2026-01-05T07:49:55Z</t:TimeStamp>" content "</t:" name ">"
#define ID(element, id)      "<t:" element " Id=\"" id "\" ChangeKey=\"x\"/>"

static void test_events(void **state)
{
    (void)state;
    struct events_run e = {.run = {.reader = &ews_events_reader, .begin = events_begin, .describe = events_describe}};
    e.run.ud = &e.events;
    ews_doc_check(&e.run,
                  ANSWER("GetStreamingEvents", OK("GetStreamingEvents", "<m:ConnectionStatus>OK</m:ConnectionStatus>")),
                  "15.1.2507 NoError beats=0 events=0 folders:");
    ews_doc_check(&e.run, EVENTS(EVENT("StatusEvent", "")), "15.1.2507 NoError beats=1 events=0 folders:");
    ews_doc_check(
        &e.run,
        EVENTS(EVENT("NewMailEvent", ID("ItemId", "i") ID("ParentFolderId", "inbox"))
                   EVENT("MovedEvent", ID("ItemId", "i") ID("ParentFolderId", "to") ID("OldItemId", "j")
                                           ID("OldParentFolderId", "from"))
                       EVENT("ModifiedEvent",
                             ID("FolderId", "inbox") ID("ParentFolderId", "root") "<t:UnreadCount>3</t:UnreadCount>")
                           EVENT("ModifiedEvent",
                                 ID("FolderId", "to") ID("ParentFolderId", "root") "<t:UnreadCount>4</t:UnreadCount>")),
        "15.1.2507 NoError beats=0 events=4 folders: inbox from to");
    /* A folder's counts change with what is in it, before or after; alone, the folder itself may have changed. */
    ews_doc_check(&e.run,
                  EVENTS(EVENT("ModifiedEvent", ID("FolderId", "inbox") "<t:UnreadCount>3</t:UnreadCount>")
                             EVENT("DeletedEvent", ID("ItemId", "i") ID("ParentFolderId", "inbox"))
                                 EVENT("ModifiedEvent", ID("FolderId", "inbox") "<t:UnreadCount>2</t:UnreadCount>")),
                  "15.1.2507 NoError beats=0 events=3 folders: inbox");
    ews_doc_check(&e.run, EVENTS(EVENT("ModifiedEvent", ID("FolderId", "renamed") "<t:UnreadCount>3</t:UnreadCount>")),
                  "15.1.2507 NoError hierarchy beats=0 events=1 folders: renamed");
    ews_doc_check(&e.run, EVENTS(EVENT("CreatedEvent", ID("FolderId", "new") ID("ParentFolderId", "root"))),
                  "15.1.2507 NoError hierarchy beats=0 events=1 folders:");
    ews_doc_check(&e.run, EVENTS(EVENT("ModifiedEvent", ID("FolderId", "renamed") ID("ParentFolderId", "root"))),
                  "15.1.2507 NoError hierarchy beats=0 events=1 folders:");
    ews_doc_check(
        &e.run,
        ANSWER("GetStreamingEvents", OK("GetStreamingEvents", "<m:ConnectionStatus>Closed</m:ConnectionStatus>")),
        "15.1.2507 NoError closed beats=0 events=0 folders:");
    ews_doc_check(&e.run,
                  ANSWER("GetStreamingEvents",
                         BAD("GetStreamingEvents", "ErrorSubscriptionNotFound", "x",
                             "<m:ErrorSubscriptionIds><t:SubscriptionId>s</t:SubscriptionId></m:ErrorSubscriptionIds>"
                             "<m:ConnectionStatus>Closed</m:ConnectionStatus>") OK("GetStreamingEvents", "")),
                  "15.1.2507 ErrorSubscriptionNotFound closed beats=0 events=0 folders:");
    e.run.reader = &ews_subscribe_reader;
    e.run.describe = subscribed_describe;
    e.run.ud = &e.subscribed;
    ews_doc_check(&e.run, ANSWER("Subscribe", OK("Subscribe", "<m:SubscriptionId>abc==</m:SubscriptionId>")),
                  "15.1.2507 NoError abc==");
    ews_doc_check(&e.run, ANSWER("Subscribe", BAD("Subscribe", "ErrorExceededSubscriptionCount", "x", "")),
                  "15.1.2507 ErrorExceededSubscriptionCount ");
    ews_events_done(&e.events);
    buf_done(&e.subscribed.id);
    buf_done(&e.run.log);
}

/* --- property tags ------------------------------------------------------------------------------- */

static void test_property_tags(void **state)
{
    static const struct {
        const char *text;
        uint32_t tag;
    } rows[] = {{"0xe07", 0xe07}, {"0x0E07", 0xe07}, {"0X0e07", 0xe07},  {"3591", 0xe07}, {"", 0},   {"0x", 0},
                {"0xg", 0},       {"12a", 0},        {"0x123456789", 0}, {"-1", 0},       {"7d", 0}, {"125", 0x7d}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(ews_xml_property_tag(str_from(rows[i].text)), rows[i].tag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync),      cmocka_unit_test(test_sync_drafts), cmocka_unit_test(test_sync_errors),
        cmocka_unit_test(test_envelopes), cmocka_unit_test(test_hostile),     cmocka_unit_test(test_folders),
        cmocka_unit_test(test_roles),     cmocka_unit_test(test_events),      cmocka_unit_test(test_property_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
