/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses are the user's. Exchange knows several of a mailbox (proxyAddresses) and tells no client which; the
 * one that it writes on the user's own meetings is one of them, and often another than the one in the configuration.
 * What was learnt once is kept in the store: what a client means by an address must not change with the cache.
 */
#include "bridge/base/log.h"
#include "bridge/base/mem.h"
#include "bridge/calendar_private.h"

#define OWN_MAX     8   /* besides the configuration's */
#define ADDRESS_MAX 254 /* RFC 5321 4.5.3.1.3 */

struct calendar_own {
    struct arena arena;
    struct str list[2 + OWN_MAX];
    size_t count;
};

static bool is_known(const struct calendar_own *o, struct str address)
{
    for (size_t i = 0; i < o->count; i++)
        if (str_case_eq(o->list[i], address))
            return true;
    return false;
}

static bool add(struct calendar_own *o, struct str address)
{
    bool fits = o->count < sizeof(o->list) / sizeof(o->list[0]) && address.n <= ADDRESS_MAX &&
                str_find_byte(address, '@') != (size_t)-1 && !is_known(o, address);
    for (size_t i = 0; fits && i < address.n; i++)
        fits = (unsigned char)address.p[i] > ' ';
    if (fits)
        o->list[o->count++] = arena_str(&o->arena, address);
    return fits;
}

struct calendar_own *calendar_own_new(struct account *a)
{
    struct calendar_own *o = MEM_NEW(struct calendar_own);
    struct buf kept = {0};
    struct str rest, line;
    o->list[o->count++] = arena_str(&o->arena, str_from(a->opts.email));
    add(o, str_from(a->opts.backend_config.mailbox)); /* whose mailbox it is */
    store_own_addresses(a->store, &kept);
    rest = buf_view(&kept);
    while (str_cut(&rest, '\n', &line))
        add(o, line);
    buf_done(&kept);
    return o;
}

void calendar_own_free(struct calendar_own **o)
{
    if (!*o)
        return;
    arena_done(&(*o)->arena);
    mem_free(*o);
    *o = NULL;
}

size_t account_addresses(const struct account *a, const struct str **ret_list)
{
    *ret_list = a->calendar_own ? a->calendar_own->list : NULL;
    return a->calendar_own ? a->calendar_own->count : 0;
}

/* Where the server does the scheduling it is the server that names the organiser. In a calendar that phones fill in
 * (ActiveSync up to 14.1) anything may stand there, and who is taken for the organiser invites people. */
void calendar_own_learn(struct account *a, const struct event *e)
{
    struct calendar_own *o = a->calendar_own;
    struct buf b = {0};
    struct err err = {0};
    if (!o || !e->is_meeting || e->fields.mine != EVENT_ORGANIZER || !(account_caps(a) & CAP_SCHEDULING) ||
        !add(o, e->organizer_email))
        return;
    for (size_t i = 1; i < o->count; i++)
        buf_printf(&b, "%.*s\n", STR_ARG(o->list[i]));
    if (!store_set_own_addresses(a->store, buf_view(&b), &err))
        log_warn("calendar", account_name(a), "%s", err.text);
    buf_done(&b);
    log_info("calendar", account_name(a), "the server names the user by another address, too");
}
