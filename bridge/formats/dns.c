/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/dns.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define HEADER_SIZE  12
#define LABEL_MAX    63
#define POINTERS_MAX 16 /* in one name; each must point backwards, too */
#define CNAMES_MAX   8  /* on the way to an answer */
#define SECTION_MAX  64 /* records of an answer that are looked at */
#define CLASS_IN     1
#define TYPE_OPT     41
#define FLAG_ANSWER  0x8000
#define FLAG_CUT     0x0200
#define FLAG_RECURSE 0x0100
#define CODE_NO_NAME 3

/* --- names ------------------------------------------------------------------------------------- */

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_label(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_label_byte(s.p[i]))
            return false;
    return s.n > 0 && s.n <= LABEL_MAX;
}

bool dns_name_is_good(struct str name)
{
    struct str label;
    if (name.n == 0 || name.n > DNS_NAME_MAX || name.p[name.n - 1] == '.')
        return false;
    while (str_cut(&name, '.', &label))
        if (!is_label(label))
            return false;
    return true;
}

/* --- the question -------------------------------------------------------------------------------- */

static void add_u16(struct buf *out, unsigned v)
{
    buf_byte(out, (char)(v >> 8));
    buf_byte(out, (char)v);
}

bool dns_write_query(struct buf *out, uint16_t id, struct str name, enum dns_type type)
{
    struct str label;
    if (!dns_name_is_good(name))
        return false;
    add_u16(out, id);
    add_u16(out, FLAG_RECURSE);
    add_u16(out, 1); /* questions */
    add_u16(out, 0);
    add_u16(out, 0);
    add_u16(out, 1); /* additional: our size */
    while (str_cut(&name, '.', &label)) {
        buf_byte(out, (char)label.n);
        buf_str(out, label);
    }
    buf_byte(out, 0);
    add_u16(out, (unsigned)type);
    add_u16(out, CLASS_IN);
    buf_byte(out, 0);
    add_u16(out, TYPE_OPT);
    add_u16(out, DNS_ANSWER_MAX);
    buf_fill(out, 0, 6);
    return !out->failed;
}

/* --- reading --------------------------------------------------------------------------------------- */

struct packet {
    struct str bytes;
    size_t at;
    bool bad;
};

struct name {
    char text[DNS_NAME_MAX + 1];
    size_t n;
    bool odd; /* legal in the DNS (a dot inside a label, say), but nothing we would look for or connect to */
};

static unsigned get(struct packet *p, size_t size)
{
    unsigned v = 0;
    if (p->bad || p->bytes.n - p->at < size) {
        p->bad = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        v = v << 8 | (unsigned char)p->bytes.p[p->at++];
    return v;
}

/* A name at p->at, which moves behind it. A pointer (RFC 1035 4.1.4) must point before the place where it was found. */
static void get_name(struct packet *p, struct name *to)
{
    size_t at = p->at, end = 0, floor = p->at;
    to->n = 0;
    to->odd = false;
    for (unsigned jumps = 0; !p->bad;) {
        if (at >= p->bytes.n) {
            p->bad = true;
            break;
        }
        size_t n = (unsigned char)p->bytes.p[at];
        if (n == 0) {
            end = end ? end : at + 1;
            break;
        }
        if ((n & 0xc0) == 0xc0) {
            if (p->bytes.n - at < 2 || ++jumps > POINTERS_MAX) {
                p->bad = true;
                break;
            }
            end = end ? end : at + 2;
            at = (n & 0x3f) << 8 | (unsigned char)p->bytes.p[at + 1];
            p->bad = at >= floor;
            floor = at;
            continue;
        }
        if (n > LABEL_MAX || p->bytes.n - at - 1 < n || to->n + (to->n > 0) + n > DNS_NAME_MAX) {
            p->bad = true;
            break;
        }
        if (to->n)
            to->text[to->n++] = '.';
        memcpy(to->text + to->n, p->bytes.p + at + 1, n);
        to->odd |= !is_label(str_of(p->bytes.p + at + 1, n));
        to->n += n;
        at += 1 + n;
    }
    to->text[to->n] = '\0';
    if (!p->bad)
        p->at = end;
}

static struct str view(const struct name *n)
{
    return str_of(n->text, n->n);
}

/* One resource record; p moves behind it. Its data lie at *ret_data. */
struct record {
    struct name owner;
    unsigned type, class;
    size_t data, size;
};

static bool get_record(struct packet *p, struct record *r)
{
    get_name(p, &r->owner);
    r->type = get(p, 2);
    r->class = get(p, 2);
    get(p, 4); /* how long it may be kept: we keep nothing */
    r->size = get(p, 2);
    r->data = p->at;
    if (p->bad || p->bytes.n - p->at < r->size)
        return false;
    p->at += r->size;
    return true;
}

static bool take(struct str bytes, const struct record *r, struct arena *arena, struct dns_answer *to)
{
    struct packet p = {.bytes = str_sub(bytes, 0, r->data + r->size), .at = r->data};
    struct dns_record d = {0};
    struct name target;
    d.priority = get(&p, 2);
    if (r->type == DNS_SRV) {
        d.weight = get(&p, 2);
        d.port = get(&p, 2);
    }
    get_name(&p, &target);
    if (p.bad)
        return false;
    if (target.odd)
        return true; /* as if it were not there */
    d.name = arena_strdup(arena, view(&target));
    if (to->count < DNS_RECORDS_MAX)
        to->records[to->count++] = d;
    return true;
}

static int by_priority(const void *a, const void *b)
{
    const struct dns_record *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    if (x->weight != y->weight) /* RFC 2782 wants a weighted throw; we take one host, the likeliest */
        return x->weight > y->weight ? -1 : 1;
    return strcmp(x->name, y->name);
}

static bool is_cut(struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "a DNS answer that is cut short or broken");
}

static bool check_head(struct packet *p, uint16_t id, struct str name, enum dns_type type, unsigned *ret_flags,
                       unsigned *ret_records, struct err *err)
{
    struct name asked;
    unsigned got_id = get(p, 2), questions;
    *ret_flags = get(p, 2);
    questions = get(p, 2);
    *ret_records = get(p, 2);
    get(p, 4);
    if (p->bad || got_id != id || !(*ret_flags & FLAG_ANSWER) || questions != 1)
        return err_set(err, ERR_PROTOCOL, "not an answer to our DNS question");
    get_name(p, &asked);
    unsigned got_type = get(p, 2), got_class = get(p, 2);
    if (p->bad || !str_case_eq(view(&asked), name) || got_type != (unsigned)type || got_class != CLASS_IN)
        return err_set(err, ERR_PROTOCOL, "not an answer to our DNS question");
    return true;
}

/* Records of the type asked for whose owner is the name asked for, or where CNAMEs lead from there. */
static bool collect(struct packet *p, unsigned count, struct str name, enum dns_type type, struct arena *arena,
                    struct dns_answer *to, struct err *err)
{
    struct name owner = {.n = name.n};
    unsigned aliases = 0;
    memcpy(owner.text, name.p, name.n);
    for (unsigned i = 0; i < count && i < SECTION_MAX; i++) {
        struct record r;
        if (!get_record(p, &r))
            return is_cut(err);
        if (r.class != CLASS_IN || r.owner.odd || !str_case_eq(view(&r.owner), view(&owner)))
            continue;
        if (r.type == (unsigned)type && type != DNS_CNAME) {
            if (!take(p->bytes, &r, arena, to))
                return is_cut(err);
        } else if (r.type == DNS_CNAME) {
            struct packet inner = {.bytes = str_sub(p->bytes, 0, r.data + r.size), .at = r.data};
            get_name(&inner, &owner);
            if (inner.bad || ++aliases > CNAMES_MAX)
                return is_cut(err);
            if (type == DNS_CNAME && owner.n && !owner.odd && to->count < DNS_RECORDS_MAX)
                to->records[to->count++].name = arena_strdup(arena, view(&owner));
        }
    }
    return true;
}

bool dns_read_answer(struct str packet, uint16_t id, struct str name, enum dns_type type, struct arena *arena,
                     struct dns_answer *ret_answer, struct err *err)
{
    struct packet p = {.bytes = packet};
    unsigned flags, records;
    *ret_answer = (struct dns_answer){.count = 0};
    if (packet.n < HEADER_SIZE || !dns_name_is_good(name))
        return is_cut(err);
    if (!check_head(&p, id, name, type, &flags, &records, err))
        return false;
    if ((flags & 0xf) == CODE_NO_NAME)
        return err_set(err, ERR_NOT_FOUND, "%.*s does not exist in the DNS", STR_ARG(name));
    if (flags & 0xf)
        return err_set(err, ERR_OFFLINE, "the name server cannot answer (code %u)", flags & 0xf);
    if (!collect(&p, records, name, type, arena, ret_answer, err)) {
        ret_answer->count = 0;
        return false;
    }
    if (ret_answer->count == 0 && (flags & FLAG_CUT))
        return err_set(err, ERR_OFFLINE, "the name server's answer did not fit");
    if (ret_answer->count == 0)
        return err_set(err, ERR_NOT_FOUND, "the DNS has no such record for %.*s", STR_ARG(name));
    if (type != DNS_CNAME) /* a chain has an order of its own */
        qsort(ret_answer->records, ret_answer->count, sizeof(ret_answer->records[0]), by_priority);
    return true;
}

/* --- resolv.conf ------------------------------------------------------------------------------------- */

static struct str take_word(struct str *line)
{
    *line = str_trim(*line);
    size_t end = 0;
    while (end < line->n && line->p[end] != ' ' && line->p[end] != '\t')
        end++;
    struct str word = str_sub(*line, 0, end);
    *line = str_skip(*line, end);
    return word;
}

static void add_server(struct dns_servers *s, struct str address)
{
    unsigned char parsed[16];
    char *z = s->addresses[s->count];
    if (address.n == 0 || address.n >= sizeof(s->addresses[0]))
        return;
    memcpy(z, address.p, address.n);
    z[address.n] = '\0';
    if (inet_pton(AF_INET, z, parsed) == 1 || inet_pton(AF_INET6, z, parsed) == 1)
        s->count++;
}

void dns_read_servers(struct str resolv_conf, struct dns_servers *ret_servers)
{
    struct str line;
    *ret_servers = (struct dns_servers){.count = 0};
    while (ret_servers->count < DNS_SERVERS_MAX && str_cut(&resolv_conf, '\n', &line))
        if (str_is(take_word(&line), "nameserver"))
            add_server(ret_servers, take_word(&line));
    if (ret_servers->count == 0)
        add_server(ret_servers, STR("127.0.0.1"));
}
