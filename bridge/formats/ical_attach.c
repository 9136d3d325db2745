/* SPDX-License-Identifier: Apache-2.0 */
/* ATTACH (RFC 5545 3.8.1.1) with the parameters of managed attachments (RFC 8607 4). */
#include <stdio.h>

#include "bridge/base/text.h"
#include "bridge/formats/ical_private.h"

#define OWN_SCHEME "attachment:" /* stands where no address is known; see ical_write() */

static bool is_binary(struct arena *a, const struct ical_prop *p)
{
    return str_case_is(ical_param(a, p, "ENCODING"), "BASE64") || str_case_is(ical_param(a, p, "VALUE"), "BINARY");
}

/* Exchange's own, or to be added to it; any other address is a link, which Exchange has no place for. */
static bool is_attachment(const struct ical_options *o, struct arena *a, const struct ical_prop *p)
{
    return is_binary(a, p) || ical_param(a, p, "MANAGED-ID").n ||
           (o->own_urls.n && str_starts(str_trim(p->value), o->own_urls));
}

static struct str name_of(struct arena *a, const struct ical_prop *p)
{
    static const char *const names[] = {"FILENAME", "X-FILENAME", "X-APPLE-FILENAME", "X-ORACLE-FILENAME",
                                        "X-EVOLUTION-CALDAV-ATTACHMENT-FILENAME"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct str s = ical_param(a, p, names[i]);
        if (s.n)
            return s;
    }
    return STR_NULL;
}

static bool read_one(struct ical_reader *r, const struct ical_prop *p, struct event_attachment *t)
{
    t->id = ical_param(r->a, p, "MANAGED-ID");
    t->name = name_of(r->a, p);
    t->content_type = ical_param(r->a, p, "FMTTYPE");
    t->is_inline = str_case_is(ical_param(r->a, p, "X-EXBRIDGE-INLINE"), "TRUE");
    str_to_u64(ical_param(r->a, p, "SIZE"), &t->size);
    if (!is_binary(r->a, p)) {
        struct str value = str_trim(p->value);
        t->url = str_starts(value, STR(OWN_SCHEME)) ? STR_NULL : value;
        return true;
    }
    struct buf b = BUF_INIT(ICAL_TEXT_MAX);
    struct text_base64 decoder = {0};
    bool ok = text_base64_feed(&decoder, &b, p->value) && !decoder.bad;
    t->data = arena_str(r->a, buf_view(&b));
    t->size = t->data.n;
    buf_done(&b);
    return ok || ical_refuse(r, ICAL_BAD_ATTACHMENT, p->line, "ATTACH");
}

static bool attach_read(struct ical_reader *r, const struct ical_comp *c, struct ical_item *it)
{
    struct event_attachment *list = NULL;
    size_t n = 0;
    for (const struct ical_prop *p = ical_prop(c, "ATTACH"); p; p = ical_prop_next(p, "ATTACH")) {
        if (!is_attachment(r->options, r->a, p))
            continue;
        if (n == EVENT_ATTACHMENTS_MAX)
            return ical_refuse(r, ICAL_TOO_MANY, p->line, "ATTACH");
        if (!list)
            list = arena_array(r->a, EVENT_ATTACHMENTS_MAX, sizeof(*list));
        if (!read_one(r, p, &list[n++]))
            return false;
    }
    it->f->attachments = list;
    it->f->attachment_count = n;
    return true;
}

static void put_one(struct ical_maker *m, const struct event_attachment *t)
{
    char size[24];
    struct buf b = BUF_INIT(0);
    snprintf(size, sizeof(size), "%llu", (unsigned long long)t->size);
    ical_name(&m->w, "ATTACH");
    if (t->id.n)
        ical_param_add(&m->w, "MANAGED-ID", t->id);
    if (t->content_type.n)
        ical_param_add(&m->w, "FMTTYPE", t->content_type);
    if (t->name.n)
        ical_param_add(&m->w, "FILENAME", t->name);
    if (t->size && !t->data.n)
        ical_param_add(&m->w, "SIZE", str_from(size));
    if (t->is_inline)
        ical_param_add(&m->w, "X-EXBRIDGE-INLINE", STR("TRUE"));
    if (t->url.n) {
        ical_value(&m->w, t->url);
    } else if (t->id.n) {
        buf_lit(&b, OWN_SCHEME);
        text_percent_add(&b, t->id, NULL);
        ical_value(&m->w, buf_view(&b));
    } else {
        ical_param_add(&m->w, "ENCODING", STR("BASE64"));
        ical_param_add(&m->w, "VALUE", STR("BINARY"));
        buf_init(&b, ICAL_TEXT_MAX * 2);
        text_base64_add(&b, t->data);
        ical_value(&m->w, buf_view(&b));
    }
    buf_done(&b);
}

static void attach_write(struct ical_maker *m, const struct ical_view *v)
{
    for (size_t i = 0; i < v->f->attachment_count; i++)
        put_one(m, &v->f->attachments[i]);
    for (const struct ical_prop *p = v->extra ? ical_prop(v->extra, "ATTACH") : NULL; p;
         p = ical_prop_next(p, "ATTACH"))
        ical_line(&m->w, p);
}

static void attach_keep(struct ical_reader *r, struct ical_maker *m, const struct ical_comp *c,
                        const struct ical_item *it)
{
    (void)it;
    for (const struct ical_prop *p = ical_prop(c, "ATTACH"); p; p = ical_prop_next(p, "ATTACH"))
        if (!is_attachment(r->options, r->a, p))
            ical_line(&m->w, p);
}

const struct ical_group ical_group_attach = {.names = (const char *const[]){"ATTACH", NULL},
                                             .events = true,
                                             .tasks = true,
                                             .spelling = ICAL_SPELL_SELF,
                                             .read = attach_read,
                                             .write = attach_write,
                                             .keep = attach_keep};
