/* SPDX-License-Identifier: Apache-2.0 */
/* The IMAP command parser: what clients really send, what they should not send, and every way to cut it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/base/mem.h"
#include "tests/unit/imap_describe.h"

struct row {
    const char *input, *expected;
};

static char *describe(struct str input, const struct imap_describe_options *options)
{
    struct buf out = BUF_INIT(0);
    imap_describe_input(&out, input, options);
    char *z = mem_strdup(buf_z(&out));
    buf_done(&out);
    return z;
}

/* Whole, byte by byte, and in two pieces cut at each place: the events are the same. */
static void check(const char *input, size_t n, const char *expected, struct imap_describe_options options)
{
    struct str in = str_of(input, n);
    options.feeding = FEED_WHOLE;
    char *got = describe(in, &options);
    if (strcmp(got, expected) != 0)
        print_error("input: %s\n", input);
    assert_string_equal(got, expected);
    mem_free(got);
    options.feeding = FEED_BYTES;
    got = describe(in, &options);
    assert_string_equal(got, expected);
    mem_free(got);
    options.feeding = FEED_CUT;
    for (options.cut = 1; options.cut < n; options.cut++) {
        got = describe(in, &options);
        if (strcmp(got, expected) != 0)
            print_error("cut at %zu: %s\n", options.cut, input);
        assert_string_equal(got, expected);
        mem_free(got);
    }
}

static void check_rows(const struct row *rows, size_t n, struct imap_describe_options options)
{
    for (size_t i = 0; i < n; i++)
        check(rows[i].input, strlen(rows[i].input), rows[i].expected, options);
}
#define CHECK(rows, ...) check_rows(rows, sizeof(rows) / sizeof((rows)[0]), (struct imap_describe_options){__VA_ARGS__})

/* --- what clients send ------------------------------------------------------------------------------------------- */

static void test_sign_in(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 CAPABILITY\r\n", "1 CAPABILITY\n"},
        {"A001 LOGIN alice@example.com secret\r\n", "A001 LOGIN <alice@example.com> <secret>\n"},
        {"1001 LOGIN \"alice\" \"se\\\"cr\\\\et\"\r\n", "1001 LOGIN <alice> <se\"cr\\et>\n"},
        {"a login {5}\r\nalice {6}\r\nsecret\r\n", "+\n+\na LOGIN <alice> <secret>\n"},
        {"a LOGIN {5+}\r\nalice {6+}\r\nse\r\net\r\n", "a LOGIN <alice> <se\\0d\\0aet>\n"},
        {"a LOGIN alice {0}\r\n\r\n", "+\na LOGIN <alice> <>\n"},
        {"a LOGIN alice {2+}\r\n\r\n\r\n", "a LOGIN <alice> <\\0d\\0a>\n"},
        {"a LOGIN alice {1+}\r\n\r\n", "a LOGIN <alice> <\\0d>\n"},
        {"a LOGIN alice \"\"\r\n", "a LOGIN <alice> <>\n"},
        {"a LOGIN alice p%s]s*\r\n", "a LOGIN <alice> <p%s]s*>\n"},
        {"a LOGIN EXAMPLE/alice \"p\xc3\xa4ss\"\r\n", "a LOGIN <EXAMPLE/alice> <p\\c3\\a4ss>\n"},
        {"2 AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n", "2 AUTHENTICATE <PLAIN> <AGFsaWNlAHNlY3JldA==>\n"},
        {"2 authenticate PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n3 NOOP\r\n",
         "2 AUTHENTICATE <PLAIN>\nline: <AGFsaWNlAHNlY3JldA==>\n3 NOOP\n"},
        {"2 AUTHENTICATE plain =\r\n", "2 AUTHENTICATE <PLAIN> <>\n"},
        {"2 AUTHENTICATE LOGIN\r\n*\r\n", "2 AUTHENTICATE <LOGIN>\nline: <*>\n"},
        {"a STARTTLS\r\n", "a STARTTLS\n"},
        {"a ID NIL\r\n", "a ID\n"},
        {"a ID (\"name\" \"mutt\" \"version\" \"2.2.12\" \"x\" NIL)\r\n",
         "a ID <name>=<mutt> <version>=<2.2.12> <x>=NULL\n"},
        {"a ID ()\r\n", "a ID\n"},
        {"a LOGOUT\r\n", "a LOGOUT\n"},
        {"a NOOP \r\n", "a NOOP\n"},
        {"a NOOP\n", "a NOOP\n"},
        {"\r\n\na NOOP\r\n", "a NOOP\n"},
    };
    CHECK(rows, .state = IMAP_STATE_NOT_AUTHENTICATED, .limits = &imap_limits_preauth);
}

static void test_mailboxes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a ENABLE UTF8=ACCEPT\r\n", "a ENABLE <UTF8=ACCEPT>\n"},
        {"a0004 ENABLE CONDSTORE qresync\r\n", "a0004 ENABLE <CONDSTORE> <QRESYNC>\n"},
        {"a NAMESPACE\r\n", "a NAMESPACE\n"},
        {"3 LIST \"\" \"*\"\r\n", "3 LIST basic <> <*>\n"},
        {"A004 LIST \"\" *\r\n", "A004 LIST basic <> <*>\n"},
        {"a LIST \"\" \"\"\r\n", "a LIST basic <> <>\n"},
        {"a LIST \"\" %\r\n", "a LIST basic <> <%>\n"},
        {"a LIST Foo/ %/%\r\n", "a LIST basic <Foo/> <%/%>\n"},
        {"6 list (subscribed) \"\" \"*\" return (special-use)\r\n",
         "6 LIST extended select=1 <> <*> return=8 status=0\n"},
        {"a LIST \"\" \"*\" RETURN (STATUS (MESSAGES RECENT UNSEEN UIDNEXT))\r\n",
         "a LIST extended <> <*> return=20 status=17\n"},
        {"C LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE) SPECIAL-USE "
         "CHILDREN "
         "SUBSCRIBED)\r\n",
         "C LIST extended <> <*> return=39 status=dd\n"},
        {"a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (INBOX \"Sent/%\" {1+}\r\n*) RETURN ()\r\n",
         "a LIST extended select=5 <> <INBOX> <Sent/%> <*>\n"},
        {"a LIST () \"\" *\r\n", "a LIST extended <> <*>\n"},
        {"a LSUB \"\" \"*\"\r\n", "a LSUB basic <> <*>\n"},
        {"a LIST \"\" \"Entw&APw-rfe\"\r\n", "a LIST basic <> <Entw\\c3\\bcrfe>\n"},
        {"a LIST \"\" \"Entw\xc3\xbcrfe\"\r\n", "a LIST basic <> NULL\n"},
        {"a SELECT inbox\r\n", "a SELECT <INBOX>\n"},
        {"a SELECT \"Inbox/Sub\"\r\n", "a SELECT <INBOX/Sub>\n"},
        {"a SELECT {5}\r\nINBOX\r\n", "+\na SELECT <INBOX>\n"},
        {"a SELECT \"Tom & Jerry\"\r\n", "a SELECT NULL\n"},
        {"a SELECT \"Tom &- Jerry\"\r\n", "a SELECT <Tom & Jerry>\n"},
        {"a0006 SELECT \"INBOX\" (CONDSTORE)\r\n", "a0006 SELECT <INBOX> condstore\n"},
        {"a EXAMINE \"&ZeVnLIqe-\"\r\n", "a EXAMINE <\\e6\\97\\a5\\e6\\9c\\ac\\e8\\aa\\9e>\n"},
        {"a SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))\r\n",
         "a SELECT <INBOX> condstore qresync 67890007 20050715194045000 known=41,43:211,214:541\n"},
        {"a SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541 (1:*,4 2:5)))\r\n",
         "a SELECT <INBOX> condstore qresync 67890007 90060115194045000 known=41:211,214:541 match=1:*,4/2:5\n"},
        {"a SELECT INBOX (QRESYNC (1 2))\r\n", "a SELECT <INBOX> condstore qresync 1 2\n"},
        {"a SELECT INBOX (QRESYNC (1 2 (3 4)) CONDSTORE)\r\n", "a SELECT <INBOX> condstore qresync 1 2 match=3/4\n"},
        {"a STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT "
         "DELETED-STORAGE MAILBOXID)\r\n",
         "a STATUS <INBOX> 7ff\n"},
        {"A003 STATUS \"Drafts\" (messages uidnext)\r\n", "A003 STATUS <Drafts> 5\n"},
        {"a SUBSCRIBE Foo\r\n", "a SUBSCRIBE <Foo>\n"},
        {"a UNSUBSCRIBE Foo\r\n", "a UNSUBSCRIBE <Foo>\n"},
        {"a CREATE Foo/\r\n", "a CREATE <Foo>\n"},
        {"a CREATE Foo (USE (\\Sent \\Archive))\r\n", "a CREATE <Foo> <\\Sent> <\\Archive>\n"},
        {"a DELETE \"Foo Bar\"\r\n", "a DELETE <Foo Bar>\n"},
        {"a RENAME Foo Bar/\r\n", "a RENAME <Foo> <Bar>\n"},
        {"a RENAME Foo \"B&AOQ-r\"\r\n", "a RENAME <Foo> <B\\c3\\a4r>\n"},
        {"9 getquotaroot \"INBOX\"\r\n", "9 GETQUOTAROOT <INBOX>\n"},
        {"a GETQUOTA \"\"\r\n", "a GETQUOTA <>\n"},
        {"a SETQUOTA \"\" (STORAGE 512 MESSAGE 7)\r\n", "a SETQUOTA <>\n"},
        {"a IDLE\r\nDONE\r\nb NOOP\r\n", "a IDLE\nline: <DONE>\nb NOOP\n"},
        {"a CHECK\r\nb CLOSE\r\nc UNSELECT\r\nd EXPUNGE\r\n", "a CHECK\nb CLOSE\nc UNSELECT\nd EXPUNGE\n"},
    };
    CHECK(rows, 0);
    static const struct row utf8[] = {
        {"a SELECT \"Entw\xc3\xbcrfe\"\r\n", "a SELECT <Entw\\c3\\bcrfe>\n"},
        {"a SELECT \"A &- B\"\r\n", "a SELECT <A &- B>\n"},
        {"a SELECT \"\xff\"\r\n", "a SELECT NULL\n"},
    };
    CHECK(utf8, .utf8 = true);
}

#define TB_FIELDS                                                                                                      \
    "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type "       \
    "Reply-To Received"
#define TB_UPPER                                                                                                       \
    "FROM TO CC BCC SUBJECT DATE MESSAGE-ID PRIORITY X-PRIORITY REFERENCES NEWSGROUPS IN-REPLY-TO CONTENT-TYPE "       \
    "REPLY-TO RECEIVED"

static void test_fetch(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* mbsync */
        {"5 UID FETCH 1:1000 (UID FLAGS)\r\n", "5 UID FETCH 1:1000 UID FLAGS needs=-\n"},
        {"6 UID FETCH 17 (BODY.PEEK[])\r\n7 UID FETCH 18 (BODY.PEEK[])\r\n",
         "6 UID FETCH 17 BODY[]{ALL peek} needs=M\n7 UID FETCH 18 BODY[]{ALL peek} needs=M\n"},
        /* offlineimap, mutt, neomutt */
        {"a FETCH 1:* (FLAGS UID INTERNALDATE)\r\n", "a FETCH 1:* FLAGS UID INTERNALDATE needs=-\n"},
        {"a0009 FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER X-Label)])\r\n",
         "a0009 FETCH 1:3 UID FLAGS INTERNALDATE RFC822.SIZE BODY[HEADER.FIELDS (DATE FROM SENDER X-LABEL)]{FIELDS "
         "peek} "
         "needs=H\n"},
        {"a FETCH 1:* (UID FLAGS) (CHANGEDSINCE 12 VANISHED)\r\n", "!a BAD VANISHED is for UID FETCH\n"},
        {"a UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 12 VANISHED)\r\n",
         "a UID FETCH 1:* UID FLAGS since=12 vanished needs=-\n"},
        /* Thunderbird */
        {"10 UID fetch 1:* (FLAGS)\r\n", "10 UID FETCH 1:* FLAGS needs=-\n"},
        {"11 UID fetch 1:7 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (" TB_FIELDS ")])\r\n",
         "11 UID FETCH 1:7 UID RFC822.SIZE FLAGS BODY[HEADER.FIELDS (" TB_UPPER ")]{FIELDS peek} needs=H\n"},
        {"12 UID fetch 1:* (FLAGS) (CHANGEDSINCE 44)\r\n", "12 UID FETCH 1:* FLAGS since=44 needs=-\n"},
        {"13 UID fetch 4 (UID RFC822.SIZE BODY[])\r\n", "13 UID FETCH 4 UID RFC822.SIZE BODY[]{ALL} needs=MS\n"},
        /* alpine */
        {"a FETCH 1:3 (UID ENVELOPE BODY.PEEK[HEADER.FIELDS (Newsgroups Content-MD5)] INTERNALDATE RFC822.SIZE "
         "FLAGS)\r\n",
         "a FETCH 1:3 UID ENVELOPE BODY[HEADER.FIELDS (NEWSGROUPS CONTENT-MD5)]{FIELDS peek} INTERNALDATE RFC822.SIZE "
         "FLAGS "
         "needs=H\n"},
        {"a FETCH 1 BODYSTRUCTURE\r\n", "a FETCH 1 BODYSTRUCTURE needs=M\n"},
        {"a FETCH 1 BODY[1]<0.8192>\r\n", "a FETCH 1 BODY[1]<0>{ALL 1 0+8192} needs=MS\n"},
        /* aerc, imapfilter, curl, imapflow, python */
        {"a UID FETCH 1,3 (BODYSTRUCTURE ENVELOPE INTERNALDATE FLAGS UID BODY.PEEK[HEADER])\r\n",
         "a UID FETCH 1,3 BODYSTRUCTURE ENVELOPE INTERNALDATE FLAGS UID BODY[HEADER]{HEADER peek} needs=HM\n"},
        {"a UID FETCH 1 BODY.PEEK[HEADER.FIELDS (subject)]\r\n",
         "a UID FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]{FIELDS peek} needs=H\n"},
        {"A005 UID FETCH 1 BODY[HEADER]\r\n", "A005 UID FETCH 1 BODY[HEADER]{HEADER} needs=HS\n"},
        {"A UID FETCH 1:* (UID MODSEQ EMAILID THREADID) (CHANGEDSINCE 1)\r\n",
         "A UID FETCH 1:* UID MODSEQ EMAILID THREADID since=1 needs=-\n"},
        {"A UID FETCH 3 (BODY.PEEK[]<65536.65536>)\r\n", "A UID FETCH 3 BODY[]<65536>{ALL peek 65536+65536} needs=M\n"},
        {"A UID FETCH 3 (BODY.PEEK[1.MIME] BODY.PEEK[1.2.HEADER] BODY.PEEK[2.TEXT])\r\n",
         "A UID FETCH 3 BODY[1.MIME]{MIME 1 peek} BODY[1.2.HEADER]{HEADER 1.2 peek} BODY[2.TEXT]{TEXT 2 peek} "
         "needs=M\n"},
        {"a FETCH 1 (RFC822)\r\n", "a FETCH 1 RFC822{ALL} needs=MS\n"},
        /* everything else */
        {"a FETCH 1 ALL\r\n", "a FETCH 1 FLAGS INTERNALDATE RFC822.SIZE ENVELOPE needs=H\n"},
        {"a FETCH 1 fast\r\n", "a FETCH 1 FLAGS INTERNALDATE RFC822.SIZE needs=-\n"},
        {"a FETCH 1 Full\r\n", "a FETCH 1 FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY{structure} needs=HM\n"},
        {"a FETCH * (BODY RFC822.HEADER RFC822.TEXT)\r\n",
         "a FETCH * BODY{structure} RFC822.HEADER{HEADER peek} RFC822.TEXT{TEXT} needs=HMS\n"},
        {"a FETCH $ FLAGS\r\n", "a FETCH $ FLAGS needs=-\n"},
        {"a FETCH 1 BODY[TEXT]\r\n", "a FETCH 1 BODY[TEXT]{TEXT} needs=MS\n"},
        {"a FETCH 1 BINARY.PEEK[1.2]<5.6>\r\n", "a FETCH 1 BINARY[1.2]<5>{ALL 1.2 peek 5+6} needs=M\n"},
        {"a FETCH 1 (BINARY[] BINARY.SIZE[2])\r\n", "a FETCH 1 BINARY[]{ALL} BINARY.SIZE[2]{ALL 2 peek} needs=MS\n"},
        {"a FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Received \"X Y\" {3}\r\nFoo)]<1.2>\r\n",
         "+\na FETCH 1 BODY[HEADER.FIELDS.NOT (RECEIVED \"X Y\" FOO)]<1>{NOT peek 1+2} needs=H\n"},
        {"a FETCH 1 BODY[1.HEADER.FIELDS (A)]\r\n", "a FETCH 1 BODY[1.HEADER.FIELDS (A)]{FIELDS 1} needs=MS\n"},
        {"a FETCH 1 PREVIEW\r\n", "a FETCH 1 PREVIEW needs=M\n"},
        {"a FETCH 1 (PREVIEW (LAZY) SAVEDATE)\r\n", "a FETCH 1 PREVIEW{lazy} SAVEDATE needs=-\n"},
        {"a FETCH 1 PREVIEW (LAZY) (CHANGEDSINCE 3)\r\n", "a FETCH 1 PREVIEW{lazy} since=3 needs=-\n"},
        {"a FETCH 1 PREVIEW (CHANGEDSINCE 3)\r\n", "a FETCH 1 PREVIEW since=3 needs=M\n"},
        {"a FETCH 1 (FLAGS FLAGS BODY[] BODY.PEEK[])\r\n", "a FETCH 1 FLAGS BODY[]{ALL} needs=MS\n"},
        {"a FETCH 1 (BODY.PEEK[]<0.5> BODY.PEEK[]<5.5>)\r\n",
         "a FETCH 1 BODY[]<0>{ALL peek 0+5} BODY[]<5>{ALL peek 5+5} needs=M\n"},
        {"a FETCH 1  ( FLAGS  UID ) \r\n", "a FETCH 1 FLAGS UID needs=-\n"},
    };
    CHECK(rows, 0);
}

static void test_search(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a SEARCH ALL\r\n", "a SEARCH and(all)\n"},
        {"a UID SEARCH CHARSET UTF-8 ALL\r\n", "a UID SEARCH and(all)\n"},
        {"14 uid SEARCH UNDELETED BODY \"two words\"\r\n",
         "14 UID SEARCH and(not(flag(\\Deleted)) bodyNULL<two words>)\n"},
        {"a SEARCH UNANSWERED UNSEEN NEW OLD\r\n",
         "a SEARCH and(not(flag(\\Answered)) not(flag(\\Seen)) and(recent not(flag(\\Seen))) not(recent))\n"},
        {"a UID SEARCH ALL SUBJECT foo LARGER 5000\r\n", "a UID SEARCH and(all subjectNULL<foo> larger=5000)\n"},
        {"a UID SEARCH YOUNGER 86400 OLDER 1\r\n", "a UID SEARCH and(younger=86400 older=1)\n"},
        {"a UID SEARCH CHARSET UTF-8 TEXT {4+}\r\nf\xc3\xbcr\r\n", "a UID SEARCH and(textNULL<f\\c3\\bcr>)\n"},
        {"a SEARCH CHARSET ISO-8859-1 SUBJECT {3}\r\nf\xfcr\r\n", "+\na SEARCH and(subjectNULL<f\\c3\\bcr>)\n"},
        {"a SEARCH CHARSET X-NONE SUBJECT x\r\n", "!a NO [BADCHARSET (US-ASCII UTF-8)] The charset is not known\n"},
        {"a SEARCH 1:5,7 UID 9:* NOT (OR SEEN DELETED)\r\n",
         "a SEARCH and(seq=1:5,7 uid=9:* not(and(or(flag(\\Seen) flag(\\Deleted)))))\n"},
        {"a SEARCH OR FROM a OR FROM b OR FROM c FROM d\r\n",
         "a SEARCH and(or(fromNULL<a> fromNULL<b> fromNULL<c> fromNULL<d>))\n"},
        {"a SEARCH OR OR SEEN DRAFT FLAGGED SEEN\r\n",
         "a SEARCH and(or(or(flag(\\Seen) flag(\\Draft)) flag(\\Flagged)) flag(\\Seen))\n"},
        {"a SEARCH HEADER Message-ID <a@b> HEADER X-Foo \"\"\r\n",
         "a SEARCH and(header<Message-ID><<a@b>> header<X-Foo><>)\n"},
        {"a SEARCH SINCE 1-Feb-1994 BEFORE \"02-feb-1994\" ON 3-Feb-1994 SENTON 4-Feb-1994 SENTBEFORE 5-Feb-1994 "
         "SENTSINCE "
         "6-Feb-1994\r\n",
         "a SEARCH and(since=8797 before=8798 on=8799 senton=8800 sentbefore=8801 sentsince=8802)\n"},
        {"a SEARCH SAVEDBEFORE 1-Feb-1994 SAVEDON 1-Feb-1994 SAVEDSINCE 1-Feb-1994 SAVEDATESUPPORTED\r\n",
         "a SEARCH and(savedbefore=8797 savedon=8797 savedsince=8797 savedatesupported)\n"},
        {"a SEARCH KEYWORD $label1 UNKEYWORD $Forwarded KEYWORD $MDNSent\r\n",
         "a SEARCH and(keywordNULL<$label1> not(flag($Forwarded)) flag($MDNSent))\n"},
        {"a SEARCH MODSEQ 620162338\r\n", "a SEARCH and(modseq=620162338) modseq\n"},
        {"a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338\r\n", "a SEARCH and(modseq=620162338) modseq\n"},
        {"a SEARCH BCC a CC b TO c ANSWERED FLAGGED DRAFT UNDRAFT UNFLAGGED RECENT SMALLER 9\r\n",
         "a SEARCH and(bccNULL<a> ccNULL<b> toNULL<c> flag(\\Answered) flag(\\Flagged) flag(\\Draft) "
         "not(flag(\\Draft)) "
         "not(flag(\\Flagged)) recent smaller=9)\n"},
        {"a SEARCH EMAILID M123 THREADID T4\r\n", "a SEARCH and(emailidNULL<M123> threadidNULL<T4>)\n"},
        {"a SEARCH RETURN (MIN MAX ALL COUNT SAVE) UNSEEN\r\n", "a SEARCH return=1f and(not(flag(\\Seen)))\n"},
        {"a SEARCH RETURN () CHARSET UTF-8 $ UID $\r\n", "a SEARCH return=4 and(seq=$ uid=$) saved\n"},
        {"a SEARCH RETURN (save) ALL\r\n", "a SEARCH return=10 and(all)\n"},
        {"a SORT (REVERSE DATE SUBJECT) UTF-8 ALL\r\n", "a SORT -date +subject and(all)\n"},
        {"a UID SORT RETURN (COUNT) (ARRIVAL CC FROM SIZE TO DISPLAYFROM REVERSE DISPLAYTO) us-ascii SEEN 1:3\r\n",
         "a UID SORT return=8 +arrival +cc +from +size +to +displayfrom -displayto and(flag(\\Seen) seq=1:3)\n"},
        {"a THREAD REFERENCES UTF-8 ALL\r\n", "a THREAD references and(all)\n"},
        {"a UID THREAD orderedsubject US-ASCII TEXT \"gewp\"\r\n", "a UID THREAD orderedsubject and(textNULL<gewp>)\n"},
        {"a THREAD REFS UTF-8 SINCE 5-MAR-2000\r\n", "a THREAD refs and(since=11021)\n"},
        {"a SEARCH (SEEN (FLAGGED (DRAFT)))\r\n",
         "a SEARCH and(and(flag(\\Seen) and(flag(\\Flagged) and(flag(\\Draft)))))\n"},
        {"a SEARCH SUBJECT NIL\r\n", "a SEARCH and(subjectNULL<NIL>)\n"},
    };
    CHECK(rows, 0);
}

static void test_writing_commands(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a UID STORE 1:2 +FLAGS.SILENT (\\Seen $label1)\r\n", "a UID STORE 1:2 add silent (\\Seen $label1)\n"},
        {"a STORE 3 -FLAGS \\Deleted\r\n", "a STORE 3 remove (\\Deleted)\n"},
        {"a STORE 3 FLAGS ()\r\n", "a STORE 3 replace ()\n"},
        {"a STORE 3 flags \\Seen \\Recent \\Foo bar\r\n", "a STORE 3 replace (\\Seen \\Recent bar)+unknown\n"},
        {"a UID STORE 4 (UNCHANGEDSINCE 12) +FLAGS (\\Flagged $Forwarded)\r\n",
         "a UID STORE 4 unchangedsince=12 add (\\Flagged $Forwarded)\n"},
        {"a COPY 2:4 MEETING\r\n", "a COPY 2:4 <MEETING>\n"},
        {"a UID MOVE 7 \"Trash\"\r\n", "a UID MOVE 7 <Trash>\n"},
        {"a UID EXPUNGE 3:5\r\n", "a UID EXPUNGE 3:5\n"},
        {"A APPEND \"Sent\" (\\Seen) {3}\r\nabc\r\n",
         "message: A APPEND <Sent> #0 (\\Seen) size=3 sync\ndata: abc\nA APPEND <Sent> #0 (\\Seen) size=3 sync\n"},
        {"A append Sent {3+}\r\na\r\n\r\nb NOOP\r\n",
         "message: A APPEND <Sent> #0 () size=3\ndata: a\r\n\nA APPEND <Sent> #0 () size=3\nb NOOP\n"},
        {"A APPEND {4}\r\nSent (\\Draft $x) \"17-Jul-1996 02:44:25 -0700\" ~{2}\r\nab\r\n",
         "+\nmessage: A APPEND <Sent> #0 (\\Draft $x) date=837596665/-420 size=2 sync binary\ndata: ab\n"
         "A APPEND <Sent> #0 (\\Draft $x) date=837596665/-420 size=2 sync binary\n"},
        {"A APPEND x \" 7-Jul-1996 02:44:25 +0000\" {1+}\r\na (\\Seen) {2+}\r\nbc\r\n",
         "message: A APPEND <x> #0 () date=836707465/0 size=1\ndata: a\nmessage: A APPEND <x> #1 (\\Seen) "
         "size=2\ndata: bc\n"
         "A APPEND <x> #1 (\\Seen) size=2\n"},
        {"A APPEND x UTF8 (~{2+}\r\nab)\r\n",
         "message: A APPEND <x> #0 () size=2 binary utf8\ndata: ab\nA APPEND <x> #0 () size=2 binary utf8\n"},
        {"A APPEND x {0}\r\n\r\n", "message: A APPEND <x> #0 () size=0 sync\nA APPEND <x> #0 () size=0 sync\n"},
        {"A UID REPLACE 5 x {1}\r\na\r\n", "message: A UID REPLACE <x> #0 replaces 5 () size=1 sync\ndata: a\nA UID "
                                           "REPLACE <x> #0 replaces 5 () size=1 sync\n"},
        {"A REPLACE * x {1+}\r\na\r\n", "message: A REPLACE <x> #0 () size=1\ndata: a\nA REPLACE <x> #0 () size=1\n"},
        {"A APPEND x {1+}\r\na {1+}\r\nb bad\r\nB NOOP\r\n",
         "message: A APPEND <x> #0 () size=1\ndata: a\nmessage: A APPEND <x> #1 () size=1\ndata: b\n"
         "!A BAD The message must be a literal\nB NOOP\n"},
    };
    CHECK(rows, 0);
    static const struct row refused[] = {
        {"A APPEND x {3}\r\nb NOOP\r\n", "message: A APPEND <x> #0 () size=3 sync\nb NOOP\n"},
        {"A APPEND x {6+}\r\nb NOOP\r\nc NOOP\r\n", "message: A APPEND <x> #0 () size=6\nc NOOP\n"},
        {"A APPEND x {2+}\r\nab {3+}\r\na\r\n {9}\r\nc NOOP\r\n", "message: A APPEND <x> #0 () size=2\nc NOOP\n"},
        {"A APPEND x {0+}\r\n\r\nc NOOP\r\n", "message: A APPEND <x> #0 () size=0\nc NOOP\n"},
    };
    CHECK(refused, .refuse = true);
}

/* --- what nobody should send ------------------------------------------------------------------------------------- */

static void test_wrong(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a XYZZY\r\nb NOOP\r\n", "!a BAD Unknown command\nb NOOP\n"},
        {"a\r\n", "!a BAD Missing argument\n"},
        {"a \r\n", "!a BAD Missing argument\n"},
        {" NOOP\r\n", "!* BAD A command begins with a tag\n"},
        {"+ NOOP\r\n", "!* BAD A command begins with a tag\n"},
        {"a+b NOOP\r\n", "!* BAD A command begins with a tag\n"},
        {"* NOOP\r\n", "!* BAD A command begins with a tag\n"},
        {"DONE\r\n", "!DONE BAD Missing argument\n"},
        {"a NOOP x\r\n", "!a BAD Too many arguments\n"},
        {"a UID\r\n", "!a BAD Missing argument\n"},
        {"a UID NOOP\r\n", "!a BAD Unknown command\n"},
        {"a UID SELECT x\r\n", "!a BAD Unknown command\n"},
        {"a LOGIN x y\r\n", "!a BAD The command is not allowed now\n"},
        {"a SELECT\r\n", "!a BAD Missing argument\n"},
        {"a SELECT \"INBOX\r\nb NOOP\r\n", "!a BAD A quoted string does not end\nb NOOP\n"},
        {"a SELECT \"IN\\BOX\"\r\n", "!a BAD Only \\\" and \\\\ may be escaped in a quoted string\n"},
        {"a SELECT \"INBOX\\\r\n", "!a BAD Only \\\" and \\\\ may be escaped in a quoted string\n"},
        {"a SELECT \"INBOX\"x\r\n", "!a BAD Too many arguments\n"},
        {"a SELECT INBOX (FOO)\r\n", "!a BAD Unknown SELECT parameter\n"},
        {"a SELECT INBOX (CONDSTORE\r\n", "!a BAD Missing argument\n"},
        {"a SELECT INBOX (QRESYNC (0 1))\r\n", "!a BAD UIDVALIDITY and MODSEQ of QRESYNC cannot be 0\n"},
        {"a SELECT INBOX (QRESYNC (1 1 $))\r\n", "!a BAD $ cannot be used here\n"},
        {"a SELECT INBOX (QRESYNC (1 1 (1)))\r\n", "!a BAD A space is missing between arguments\n"},
        {"a STATUS INBOX ()\r\n", "!a BAD STATUS wants at least one item\n"},
        {"a STATUS INBOX MESSAGES\r\n", "!a BAD Expected a list in parentheses\n"},
        {"a LIST (FOO) \"\" *\r\n", "!a BAD Unknown LIST selection option\n"},
        {"a LIST (RECURSIVEMATCH) \"\" *\r\n", "!a BAD RECURSIVEMATCH wants another selection option\n"},
        {"a LIST \"\" ()\r\n", "!a BAD LIST wants at least one pattern\n"},
        {"a LIST \"\" * FOO ()\r\n", "!a BAD Expected RETURN\n"},
        {"a LIST \"\" * RETURN (FOO)\r\n", "!a BAD Unknown LIST return option\n"},
        {"a FETCH 0 FLAGS\r\n", "!a BAD Wrong sequence set\n"},
        {"a FETCH 4294967296 FLAGS\r\n", "!a BAD Wrong sequence set\n"},
        {"a FETCH 1:2:3 FLAGS\r\n", "!a BAD Wrong sequence set\n"},
        {"a FETCH 1,, FLAGS\r\n", "!a BAD Wrong sequence set\n"},
        {"a FETCH x FLAGS\r\n", "!a BAD Wrong sequence set\n"},
        {"a FETCH 1 ()\r\n", "!a BAD FETCH wants at least one item\n"},
        {"a FETCH 1 (ALL)\r\n", "!a BAD Unknown FETCH item\n"},
        {"a FETCH 1 (FLAGS\r\n", "!a BAD Missing argument\n"},
        {"a FETCH 1 FLAGS)\r\n", "!a BAD Too many arguments\n"},
        {"a FETCH 1 BODY[\r\n", "!a BAD Unknown section\n"},
        {"a FETCH 1 BODY[]<0>\r\n", "!a BAD Wrong partial range\n"},
        {"a FETCH 1 BODY[]<0.0>\r\n", "!a BAD A partial range of no bytes\n"},
        {"a FETCH 1 BODY[]<-1.5>\r\n", "!a BAD Expected a number\n"},
        {"a FETCH 1 BODY[]<99999999999999999999.1>\r\n", "!a BAD Expected a number\n"},
        {"a FETCH 1 BODY[0]\r\n", "!a BAD Wrong part number\n"},
        {"a FETCH 1 BODY[1.]\r\n", "!a BAD Unknown section\n"},
        {"a FETCH 1 BODY[1TEXT]\r\n", "!a BAD Wrong section\n"},
        {"a FETCH 1 BODY[MIME]\r\n", "!a BAD MIME wants a part number\n"},
        {"a FETCH 1 BODY[HEADER.FIELDS ()]\r\n", "!a BAD Expected names of header fields\n"},
        {"a FETCH 1 BINARY[1.TEXT]\r\n", "!a BAD BINARY takes part numbers only\n"},
        {"a FETCH 1 BINARY.SIZE[1]<0.5>\r\n", "!a BAD BINARY.SIZE has no partial form\n"},
        {"a FETCH 1 BODY.PEEK\r\n", "!a BAD Expected [ after the item\n"},
        {"a FETCH 1 X-GM-LABELS\r\n", "!a BAD Unknown FETCH item\n"},
        {"a FETCH 1 FLAGS (VANISHED)\r\n", "!a BAD VANISHED is for UID FETCH\n"},
        {"a UID FETCH 1 FLAGS (VANISHED)\r\n", "!a BAD VANISHED wants CHANGEDSINCE\n"},
        {"a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)\r\n", "!a BAD Expected a number\n"},
    };
    CHECK(rows, 0);
}

static void test_wrong_search(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a SEARCH\r\n", "!a BAD Missing argument\n"},
        {"a SEARCH FOO\r\n", "!a BAD Unknown search key\n"},
        {"a SEARCH FUZZY SUBJECT x\r\n", "!a BAD Unknown search key\n"},
        {"a SEARCH SUBJECT\r\n", "!a BAD Missing argument\n"},
        {"a SEARCH ()\r\n", "!a BAD Empty parentheses in SEARCH\n"},
        {"a SEARCH OR SEEN\r\n", "!a BAD Missing argument\n"},
        {"a SEARCH NOT\r\n", "!a BAD Missing argument\n"},
        {"a SEARCH BEFORE 32-Jan-2020\r\n", "!a BAD Wrong date\n"},
        {"a SEARCH YOUNGER 0\r\n", "!a BAD The interval cannot be 0\n"},
        {"a SEARCH RETURN (PARTIAL 1:5) ALL\r\n", "!a BAD Unknown RETURN option\n"},
        {"a SEARCH (SEEN\r\n", "!a BAD Missing argument\n"},
        {"a SORT () UTF-8 ALL\r\n", "!a BAD SORT wants a key\n"},
        {"a SORT (REVERSE) UTF-8 ALL\r\n", "!a BAD SORT wants a key\n"},
        {"a SORT (REVERSE REVERSE DATE) UTF-8 ALL\r\n", "!a BAD REVERSE twice\n"},
        {"a SORT (DATE) X-NONE ALL\r\n", "!a NO [BADCHARSET (US-ASCII UTF-8)] The charset is not known\n"},
        {"a THREAD FOO UTF-8 ALL\r\n", "!a BAD Unknown THREAD algorithm\n"},
        {"a STORE 1 LABELS (x)\r\n", "!a BAD STORE changes FLAGS and nothing else\n"},
        {"a STORE 1 +FLAGS (\\)\r\n", "!a BAD Expected an atom\n"},
        {"a APPEND x\r\n", "!a BAD Missing argument\n"},
        {"a APPEND x \"now\" {3}\r\nb NOOP\r\n", "!a BAD Wrong date and time\nb NOOP\n"},
        {"a APPEND x CATENATE (TEXT {3}\r\nb NOOP\r\n", "!a BAD CATENATE is not available\nb NOOP\n"},
        {"a APPEND x \"abc\"\r\n", "!a BAD Wrong date and time\n"},
        {"a ID (\"x\")\r\n", "!a BAD A space is missing between arguments\n"},
        {"a ID x\r\n", "!a BAD Expected a string or NIL\n"},
        {"a IDLE\r\nDONE and more than ten\r\nb NOOP\r\n", "a IDLE\n!* BAD [TOOBIG] The line is too long\nb NOOP\n"},
        {"a IDLE\r\n12345678901\r\nb NOOP\r\n", "a IDLE\n!* BAD [TOOBIG] The line is too long\nb NOOP\n"},
        {"a IDLE\r\n1234567890\r\nb NOOP\r\n", "a IDLE\nline: <1234567890>\nb NOOP\n"},
        {"a NOOP\rx\r\nb NOOP\r\n", "!a BAD CR is not allowed without LF\nb NOOP\n"},
        {"a NOOP\r\r\nb NOOP\r\n", "!a BAD CR is not allowed without LF\nb NOOP\n"},
    };
    CHECK(rows, 0);
}

/* Literals of commands that are wrong already: asked for never, skipped when they come unasked. */
static void test_wrong_literals(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a NOOP {3}\r\nb NOOP\r\n", "!a BAD Too many arguments\nb NOOP\n"},
        {"a XYZZY {6+}\r\nb NOOP\r\nc NOOP\r\n", "!a BAD Unknown command\nc NOOP\n"},
        {"a XYZZY {2+}\r\nxx {3+}\r\nyyy foo\r\nc NOOP\r\n", "!a BAD Unknown command\nc NOOP\n"},
        {"a XYZZY {2+}\r\nxx {3}\r\nc NOOP\r\n", "!a BAD Unknown command\nc NOOP\n"},
        {"a SELECT {3-}\r\nb NOOP\r\n", "!a BAD Wrong literal\nb NOOP\n"},
        {"a SELECT ~{3}\r\nb NOOP\r\n", "!a BAD Too many arguments\nb NOOP\n"},
        {"a SELECT {131073}\r\nb NOOP\r\n", "!a BAD [TOOBIG] A literal is too large\nb NOOP\n"},
        {"a SELECT {99999999999999999999}\r\nb NOOP\r\n", "!a BAD [TOOBIG] A literal is too large\nb NOOP\n"},
        {"a SELECT {99999999999999999999+}\r\nb NOOP\r\n", "!a BAD [TOOBIG] A literal is too large FATAL\n"},
        {"a APPEND x {99999999999999999999}\r\nb NOOP\r\n", "!a NO [TOOBIG] The message is too large\nb NOOP\n"},
    };
    CHECK(rows, 0);
}

static void test_nul(void **state)
{
    (void)state;
    struct imap_describe_options o = {0};
    static const char line[] = "a SELECT \"IN\0BOX\"\r\nb NOOP\r\n";
    check(line, sizeof(line) - 1, "!a BAD NUL is not allowed\nb NOOP\n", o);
    static const char literal[] = "a SELECT {3+}\r\na\0b\r\nb NOOP\r\n";
    check(literal, sizeof(literal) - 1, "!a BAD NUL is not allowed in a literal\nb NOOP\n", o);
    static const char skipped[] = "a SEL\0ECT {3+}\r\na\0b\r\nb NOOP\r\n";
    check(skipped, sizeof(skipped) - 1, "!a BAD NUL is not allowed\nb NOOP\n", o);
}

static void test_foreign(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n", "!GET BAD This is an IMAP server FOREIGN\n"},
        {"POST /a?b HTTP/1.0\r\n", "!POST BAD This is an IMAP server FOREIGN\n"},
        {"Host: localhost\r\n", "!Host: BAD This is an IMAP server FOREIGN\n"},
        {"EHLO localhost\r\n", "!EHLO BAD Unknown command\n"},
        {"a SELECT INBOX\r\n", "!a BAD The command is not allowed now\n"},
        {"a ID ((\"x\" NIL))\r\n", "!a BAD Expected a string\n"},
        {"a LOGIN {8193}\r\nb NOOP\r\n", "!a BAD [TOOBIG] A literal is too large\nb NOOP\n"},
        {"a LOGIN {80000+}\r\nb NOOP\r\n", "!a BAD [TOOBIG] A literal is too large FATAL\n"},
        {"a LOGIN (((((((\r\n", "!a BAD Expected a string\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct imap_describe_options o = {.state = IMAP_STATE_NOT_AUTHENTICATED, .limits = &imap_limits_preauth};
        check(rows[i].input, strlen(rows[i].input), rows[i].expected, o);
    }
}

/* --- limits ----------------------------------------------------------------------------------- */

static void check_big(struct buf *input, const char *expected, struct imap_describe_options o)
{
    for (int i = 0; i < 2; i++) {
        o.feeding = i == 0 ? FEED_WHOLE : FEED_BYTES;
        char *got = describe(buf_view(input), &o);
        assert_string_equal(got, expected);
        mem_free(got);
    }
    buf_done(input);
}

static void test_long_lines(void **state)
{
    (void)state;
    struct buf in = BUF_INIT(0);
    buf_lit(&in, "a SELECT ");
    buf_fill(&in, 'x', 70000);
    buf_lit(&in, "\r\nb NOOP\r\n");
    check_big(&in, "!a BAD [TOOBIG] The line is too long\nb NOOP\n", (struct imap_describe_options){0});
    buf_lit(&in, "a SELECT ");
    buf_fill(&in, 'x', 70000);
    buf_lit(&in, " {9+}\r\nb NOOP\r\nx {3+}\r\nabc\r\nc NOOP\r\n");
    check_big(&in, "!a BAD [TOOBIG] The line is too long\nc NOOP\n", (struct imap_describe_options){0});
    buf_lit(&in, "a SELECT \"");
    buf_fill(&in, 'x', (64 << 10) - 9 - 1 - 3);
    buf_lit(&in, "\"\r\n");
    check_big(&in, "a SELECT NULL\n", (struct imap_describe_options){0});
    buf_fill(&in, 'x', 9000);
    buf_lit(&in, "\r\nb NOOP\r\n");
    check_big(&in, "!* BAD [TOOBIG] The line is too long\nb NOOP\n",
              (struct imap_describe_options){.state = IMAP_STATE_NOT_AUTHENTICATED, .limits = &imap_limits_preauth});
}

static void test_many_literals(void **state)
{
    (void)state;
    struct buf in = BUF_INIT(0);
    buf_lit(&in, "a SEARCH");
    for (int i = 0; i < 1000; i++)
        buf_lit(&in, " SUBJECT {1+}\r\nx");
    buf_lit(&in, " SEEN {1+}\r\nx\r\nb NOOP\r\n");
    check_big(&in, "!a BAD [TOOBIG] Too many literals\nb NOOP\n", (struct imap_describe_options){0});
    buf_lit(&in, "a SEARCH");
    for (int i = 0; i < 9; i++) {
        buf_lit(&in, " SUBJECT {120000+}\r\n");
        buf_fill(&in, 'x', 120000);
    }
    buf_lit(&in, "\r\nb NOOP\r\n");
    check_big(&in, "!a BAD [TOOBIG] The command is too long\nb NOOP\n", (struct imap_describe_options){0});
}

static void test_nesting(void **state)
{
    (void)state;
    struct buf in = BUF_INIT(0);
    buf_lit(&in, "a SEARCH ");
    buf_fill(&in, '(', 33);
    buf_lit(&in, "ALL");
    buf_fill(&in, ')', 33);
    buf_lit(&in, "\r\nb NOOP\r\n");
    check_big(&in, "!a BAD Lists are nested too deep\nb NOOP\n", (struct imap_describe_options){0});
    buf_lit(&in, "a SEARCH ");
    for (int i = 0; i < 20000; i++)
        buf_lit(&in, "OR ");
    buf_lit(&in, "\r\n");
    check_big(&in, "!a BAD Search keys are nested too deep\n", (struct imap_describe_options){0});
    buf_lit(&in, "a SEARCH ");
    for (int i = 0; i < 33; i++)
        buf_lit(&in, "NOT ");
    buf_lit(&in, "ALL\r\n");
    check_big(&in, "!a BAD Search keys are nested too deep\n", (struct imap_describe_options){0});
    buf_lit(&in, "a SEARCH");
    for (int i = 0; i < 10001; i++)
        buf_lit(&in, " ALL");
    buf_lit(&in, "\r\n");
    check_big(&in, "!a BAD Too many search keys\n", (struct imap_describe_options){0});
}

/* OR of many, as clients write it: depth does not limit it. */
static void test_wide_or(void **state)
{
    (void)state;
    struct buf in = BUF_INIT(0), expected = BUF_INIT(0);
    buf_lit(&in, "a SEARCH ");
    buf_lit(&expected, "a SEARCH and(or(");
    for (int i = 0; i < 999; i++) {
        buf_lit(&in, "OR SEEN ");
        buf_lit(&expected, "flag(\\Seen) ");
    }
    buf_lit(&in, "DRAFT\r\n");
    buf_lit(&expected, "flag(\\Draft)))\n");
    check_big(&in, buf_z(&expected), (struct imap_describe_options){0});
    buf_done(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_in),
        cmocka_unit_test(test_mailboxes),
        cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_writing_commands),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_wrong_search),
        cmocka_unit_test(test_wrong_literals),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_many_literals),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_wide_or),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
