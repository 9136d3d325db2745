/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invitations, updates, cancellations and answers that we send ourselves, where the server does not (EAS up to 14.1:
 * MS-ASCMD 3.1.5.6). A mail is written down before the server is asked for what it speaks of (calendar_held.c), and
 * deleted when the server has taken it; submit.h's journal sees to it that it goes out once.
 */
#include "bridge/base/crash.h"
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"
#include "bridge/calendar_private.h"
#include "bridge/formats/build.h"
#include "bridge/submit.h"

#define RETRY_MIN_MS (60 * 1000)
#define RETRY_MAX_MS (3600 * 1000)
#define OWED_MAX     (4u << 20) /* bytes of one mail */

/* --- writing a mail
 * ------------------------------------------------------------------------------------------------------- */

static void add_base64_lines(struct buf *out, struct str s)
{
    enum { LINE = 57 }; /* bytes that make 76 characters (RFC 2045 6.8) */
    while (s.n) {
        text_base64_add(out, str_sub(s, 0, LINE));
        buf_lit(out, "\r\n");
        s = str_skip(s, LINE);
    }
}

static void add_part(struct buf *out, struct str boundary, const char *type, struct str content)
{
    buf_printf(out, "--%.*s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n", STR_ARG(boundary), type);
    add_base64_lines(out, content);
}

/* What somebody reads whose program knows no calendars. */
static void add_text(struct buf *out, const struct event *e)
{
    buf_str(out, e->fields.subject);
    buf_lit(out, "\n");
    if (e->fields.location.n)
        buf_printf(out, "%.*s\n", STR_ARG(e->fields.location));
    time_add_iso(out, e->fields.start);
    buf_lit(out, " - ");
    time_add_iso(out, e->fields.end);
    buf_lit(out, "\n");
    if (e->fields.text.n) {
        buf_lit(out, "\n");
        buf_str(out, e->fields.text);
    }
}

struct mail {
    const struct calendar_due *due;
    const struct event *event;
    struct ical_message about;
    const char *prefix; /* of the subject */
    struct build_address *to;
    size_t to_count;
};

/* The recipients, one a line, an empty line, the message. */
static bool owe(struct account *a, const struct mail *m, struct err *err)
{
    struct ical_options options = calendar_options(a);
    struct buf calendar = BUF_INIT(OWED_MAX), text = {0}, subject = {0}, id = {0}, type = {0}, all = BUF_INIT(OWED_MAX);
    struct buf boundary = {0}, sealed = BUF_INIT(OWED_MAX + 1024), unique = {0};
    struct ical_message about = m->about;
    about.stamped = time_wall_s();
    bool ok = ical_write_message(&calendar, m->event, &about, &options, err);
    rand_add_hex(&boundary, 16);
    rand_add_hex(&unique, 16);
    buf_printf(&subject, "%s%.*s", m->prefix, STR_ARG(m->event->fields.subject));
    buf_printf(&id, "<%s@exbridge.invalid>", buf_z(&unique));
    buf_printf(&type, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n",
               buf_z(&boundary));
    struct build_address from = {.name = STR_NULL, .spec = options.me[0]};
    struct build_message message = {.date_s = about.stamped,
                                    .from = {&from, 1},
                                    .to = {m->to, m->to_count},
                                    .subject = buf_view(&subject),
                                    .message_id = buf_view(&id)};
    for (size_t i = 0; i < m->to_count; i++)
        buf_printf(&all, "%.*s\n", STR_ARG(m->to[i].spec));
    buf_lit(&all, "\n");
    ok = ok && (build_header(&message, &all) || err_set(err, ERR_TOO_BIG, "the invitation is too big"));
    if (ok)
        all.n -= 2; /* the empty line: the fields of the parts are ours */
    buf_str(&all, buf_view(&type));
    add_text(&text, m->event);
    add_part(&all, buf_view(&boundary), "text/plain; charset=utf-8", buf_view(&text));
    buf_reset(&type);
    buf_printf(&type, "text/calendar; charset=utf-8; method=%s", ical_method_name(about.method));
    add_part(&all, buf_view(&boundary), buf_z(&type), buf_view(&calendar));
    buf_printf(&all, "--%s--\r\n", buf_z(&boundary));
    if (ok && (all.failed || calendar.failed || m->due->promise.n == 0))
        ok = err_set(err, ERR_TOO_BIG, "the invitation is too big");
    if (ok) {
        cache_seal(a->cache, STR("owed"), buf_view(&all), &sealed);
        ok = store_owe_held(a->store, m->due->mark, buf_view(&sealed), m->due->promise, err);
    }
    struct buf *bufs[] = {&calendar, &text, &subject, &id, &type, &all, &boundary, &sealed, &unique};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        buf_done(bufs[i]);
    return ok;
}

/* --- who gets what
 * ------------------------------------------------------------------------------------------------------------ */

static bool is_invited(const struct event *e, struct str email)
{
    for (size_t i = 0; e && i < e->fields.attendee_count; i++)
        if (str_case_eq(e->fields.attendees[i].email, email))
            return true;
    return false;
}

/* Those of `e` that are (not) in `other`; all of them when it is NULL. */
static size_t guests(const struct event *e, const struct event *other, bool in_other, struct arena *arena,
                     struct build_address **ret)
{
    size_t n = 0;
    *ret = arena_array(arena, e->fields.attendee_count + 1, sizeof(**ret));
    for (size_t i = 0; i < e->fields.attendee_count; i++) {
        const struct event_attendee *x = &e->fields.attendees[i];
        if (x->email.n && !x->elsewhere && (!other || is_invited(other, x->email) == in_other))
            (*ret)[n++] = (struct build_address){x->name, x->email};
    }
    return n;
}

static bool tell(struct account *a, const struct calendar_due *due, const struct event *e, enum ical_method method,
                 const char *prefix, struct build_address *to, size_t count, struct arena *arena, struct err *err)
{
    if (count == 0)
        return true;
    struct str *addresses = arena_array(arena, count, sizeof(*addresses));
    for (size_t i = 0; i < count; i++)
        addresses[i] = to[i].spec;
    struct mail m = {.due = due,
                     .event = e,
                     .about = {.method = method, .to = addresses, .to_count = count},
                     .prefix = prefix,
                     .to = to,
                     .to_count = count};
    return owe(a, &m, err);
}

bool calendar_owe_put(struct account *a, const struct calendar_due *due, const struct event *before,
                      const struct event *after, struct err *err)
{
    struct arena arena = {0};
    struct build_address *to;
    size_t n;
    bool ok = true;
    if (before) { /* who is not invited any more, or nobody is */
        bool off = after->fields.cancelled;
        if (!before->fields.cancelled && (n = guests(before, off ? NULL : after, false, &arena, &to)))
            ok = tell(a, due, before, ICAL_CANCEL, "Canceled: ", to, n, &arena, err);
    }
    if (ok && !after->fields.cancelled) {
        bool news = !before || event_differ(before, after) & CALENDAR_NEWS;
        n = guests(after, news ? NULL : before, false, &arena, &to);
        ok = tell(a, due, after, ICAL_REQUEST, "", to, n, &arena, err);
    }
    arena_done(&arena);
    return ok;
}

bool calendar_owe_reply(struct account *a, const struct calendar_due *due, const struct event *e,
                        const struct calendar_answer *answer, struct err *err)
{
    static const char *const prefixes[] = {
        [EVENT_ACCEPTED] = "Accepted: ", [EVENT_TENTATIVELY_ACCEPTED] = "Tentative: ", [EVENT_DECLINED] = "Declined: "};
    enum event_response response = answer->response;
    if (e->organizer_email.n == 0 || e->organizer_elsewhere || response < EVENT_ACCEPTED || response > EVENT_DECLINED)
        return true; /* nobody to tell */
    struct build_address to = {e->organizer_name, e->organizer_email};
    struct mail m = {.due = due,
                     .event = e,
                     .about = {.method = ICAL_REPLY,
                               .to = &e->organizer_email,
                               .to_count = 1,
                               .has_instance = answer->has_instance,
                               .instance = answer->instance,
                               .from_email = str_from(a->opts.email),
                               .response = response},
                     .prefix = prefixes[response],
                     .to = &to,
                     .to_count = 1};
    return owe(a, &m, err);
}

bool calendar_owe_removal(struct account *a, const struct calendar_due *due, const struct event *e, struct err *err)
{
    struct calendar_answer no = {.response = EVENT_DECLINED};
    struct arena arena = {0};
    struct build_address *to;
    size_t n;
    bool ok = true;
    if (e->fields.mine != EVENT_ORGANIZER)
        ok = e->fields.cancelled || calendar_owe_reply(a, due, e, &no, err);
    else if (!e->fields.cancelled && (n = guests(e, NULL, false, &arena, &to)))
        ok = tell(a, due, e, ICAL_CANCEL, "Canceled: ", to, n, &arena, err);
    arena_done(&arena);
    return ok;
}

/* --- sending
 * --------------------------------------------------------------------------------------------------------------------
 */

struct calendar_mail {
    struct account *account;
    struct submit *submit;
    struct timer *timer;
    struct deferred turn;
    int64_t pk;
    uint64_t wait_ms;
    struct calendar_get *get; /* objects that mail waits for, lost with the cache */
    int64_t get_folder;
};

static void on_mail_turn(void *ud);

static void forget(struct calendar_mail *m)
{
    struct err err = {0};
    if (!store_owed_done(m->account->store, m->pk, &err))
        log_error("calendar", account_name(m->account), "%s", err.text);
}

static void on_sent(void *ud, const struct err *err)
{
    struct calendar_mail *m = ud;
    m->submit = NULL;
    bool for_good = err->code == ERR_INVALID || err->code == ERR_TOO_BIG || err->code == ERR_UNSUPPORTED;
    if (err->code == ERR_NONE || for_good) {
        if (for_good)
            log_error("calendar", account_name(m->account), "an invitation could not be sent: %s", err->text);
        crash_point("owed.answered");
        forget(m);
        crash_point("owed.done");
        m->wait_ms = 0;
        loop_defer(m->account->loop, &m->turn);
        return;
    }
    m->wait_ms = m->wait_ms ? m->wait_ms * 2 : RETRY_MIN_MS;
    if (m->wait_ms > RETRY_MAX_MS)
        m->wait_ms = RETRY_MAX_MS;
    timer_start(m->timer, m->wait_ms);
}

static bool send(struct calendar_mail *m, struct str stored, struct arena *arena)
{
    struct buf plain = BUF_INIT(OWED_MAX + 1024);
    struct str to[EVENT_ATTENDEES_MAX], line;
    size_t n = 0;
    bool ok = cache_unseal(m->account->cache, STR("owed"), stored, &plain);
    struct str rest = arena_str(arena, buf_view(&plain));
    buf_done(&plain);
    while (ok && n < EVENT_ATTENDEES_MAX && str_cut(&rest, '\n', &line) && line.n)
        to[n++] = line;
    if (!ok || n == 0)
        return false;
    struct blob *message = blob_from_str(rest);
    struct submit_request request = {
        .message = message, .sender = str_from(m->account->opts.email), .recipients = to, .recipient_count = n};
    m->submit = submit_start(m->account, &request, on_sent, m);
    blob_unref(&message);
    return true;
}

static void on_mail_turn(void *ud)
{
    struct calendar_mail *m = ud;
    struct arena arena = {0};
    struct str message;
    if (m->submit || m->account->wiped)
        return;
    timer_stop(m->timer);
    m->pk = 0;
    while (!m->submit && store_owed(m->account->store, m->pk, &arena, &m->pk, &message)) {
        crash_point("owed.due");
        if (send(m, message, &arena))
            continue;
        log_error("calendar", account_name(m->account),
                  "an invitation that was to be sent cannot be read: it is dropped");
        forget(m);
    }
    arena_done(&arena);
}

struct calendar_mail *calendar_mail_new(struct account *a)
{
    struct calendar_mail *m = MEM_NEW(struct calendar_mail);
    m->account = a;
    m->timer = timer_new(a->loop, on_mail_turn, m);
    deferred_init(&m->turn, on_mail_turn, m);
    loop_defer(a->loop, &m->turn);
    calendar_held_begin(a);
    return m;
}

void calendar_mail_free(struct calendar_mail **mp)
{
    struct calendar_mail *m = *mp;
    if (!m)
        return;
    submit_detach(&m->submit);
    calendar_get_cancel(&m->get);
    loop_defer_cancel(&m->turn);
    timer_free(&m->timer);
    mem_free(m);
    *mp = NULL;
}

void calendar_mail_kick(struct account *a)
{
    if (a->calendar_mail)
        loop_defer(a->loop, &a->calendar_mail->turn);
}

static void on_get(void *ud, const struct err *err)
{
    struct calendar_mail *m = ud;
    m->get = NULL;
    if (err->code == ERR_NONE)
        calendar_settle_held(m->account, m->get_folder, false);
}

void calendar_mail_fetch(struct account *a, int64_t folder_pk, const int64_t *pks, size_t count)
{
    struct calendar_mail *m = a->calendar_mail;
    if (!m || m->get)
        return;
    for (size_t i = 0; i < count; i++)
        cache_drop(a->cache, pks[i]); /* half of it may be there */
    m->get_folder = folder_pk;
    m->get = calendar_get(a, folder_pk, pks, count, on_get, m);
}
