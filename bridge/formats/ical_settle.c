/* SPDX-License-Identifier: Apache-2.0 */
/* What a client carries along without meaning it. */
#include "bridge/formats/ical.h"

static bool same_body(struct str a, struct str b)
{
    return !(event_fields_differ(&(struct event_fields){.text = a}, &(struct event_fields){.text = b}) &
             EVENT_PART_BODY);
}

/* Of text and HTML, which say the same, the one that was edited counts. */
static void settle_body(struct event_fields *wanted, const struct event_fields *base)
{
    bool text = same_body(wanted->text, base->text), html = same_body(wanted->html, base->html);
    if (!text && html)
        wanted->html = STR_NULL;
    else if (text && !html && wanted->html.n)
        wanted->text = STR_NULL;
}

static const struct event_attachment *known_attachment(const struct event_attachment *t,
                                                       const struct event_fields *base)
{
    for (size_t i = 0; i < base->attachment_count; i++) {
        const struct event_attachment *b = &base->attachments[i];
        if ((t->id.n && str_eq(t->id, b->id)) || (!t->id.n && t->url.n && str_eq(t->url, b->url)))
            return b;
    }
    return NULL;
}

static void settle_attachments(struct event_fields *wanted, const struct event_fields *base, struct arena *a)
{
    struct event_attachment *list = arena_array(a, wanted->attachment_count, sizeof(*list));
    for (size_t i = 0; i < wanted->attachment_count; i++) {
        const struct event_attachment *b = known_attachment(&wanted->attachments[i], base);
        list[i] = wanted->attachments[i];
        if (b && !list[i].data.n)
            list[i] = *b;
    }
    wanted->attachments = list;
}

static void settle_fields(struct event_fields *wanted, const struct event_fields *base, struct arena *a)
{
    settle_body(wanted, base);
    settle_attachments(wanted, base, a);
}

void ical_settle(struct event *wanted, const struct event *base, struct arena *a)
{
    struct event_exception *list = arena_array(a, wanted->exception_count, sizeof(*list));
    settle_fields(&wanted->fields, &base->fields, a);
    for (size_t i = 0; i < wanted->exception_count; i++) {
        const struct event_exception *x = event_exception(base, wanted->exceptions[i].original);
        list[i] = wanted->exceptions[i];
        if (list[i].deleted)
            continue;
        settle_fields(&list[i].fields, x && !x->deleted ? &x->fields : &base->fields, a);
        list[i].id = x && !x->deleted ? x->id : STR_NULL;
    }
    wanted->exceptions = list;
    if (wanted->sequence < base->sequence)
        wanted->sequence = base->sequence;
}
