/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_invitations.h"

#include "bridge/base/text.h"

#define KEY       STR("eas.invitations") /* lines of "FOLDER SERVER-ID UID", each in hexadecimal, the newest last */
#define BYTES_MAX ((size_t)1 << 20)

/* --- UIDs -------------------------------------------------------------------------------------------------------- */

#define DATE_AT       16 /* of the occurrence: 4 bytes that are not part of the identity */
#define DATE_BYTES    4
#define LENGTH_AT     36
#define DATA_AT       40
#define UID_AT        52
#define UID_BYTES_MAX 300 /* MS-ASCAL 2.2.2.46 */

static uint32_t little_endian(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Of a meeting that was not made by Exchange: its UID, wrapped. */
static struct str wrapped_uid(struct str id)
{
    static const char mark[] = {'v', 'C', 'a', 'l', '-', 'U', 'i', 'd', 1, 0, 0, 0};
    struct str rest = str_skip(id, UID_AT);
    uint32_t length;

    if (id.n <= UID_AT || !str_eq(str_sub(id, DATA_AT, sizeof(mark)), str_of(mark, sizeof(mark))))
        return STR_NULL;
    length = little_endian(str_skip(id, LENGTH_AT));
    if (length <= sizeof(mark) || length > id.n - DATA_AT)
        return STR_NULL;
    rest = str_sub(rest, 0, length - sizeof(mark));
    return str_sub(rest, 0, str_find_byte(rest, '\0'));
}

struct str eas_uid_of_global_id(struct str base64, struct arena *arena)
{
    struct buf id = BUF_INIT(4096), hex = BUF_INIT(8192);
    struct str uid = STR_NULL, zeros = STR("\0\0\0\0");

    if (text_base64_decode(&id, str_trim(base64)) && id.n >= DATA_AT) {
        uid = wrapped_uid(buf_view(&id));
        if (uid.n == 0) {
            text_hex_add(&hex, str_sub(buf_view(&id), 0, DATE_AT));
            text_hex_add(&hex, zeros);
            text_hex_add(&hex, str_skip(buf_view(&id), DATE_AT + DATE_BYTES));
            uid = buf_view(&hex);
        }
        uid = uid.n <= UID_BYTES_MAX ? arena_str(arena, uid) : STR_NULL;
    }
    buf_done(&id);
    buf_done(&hex);
    return uid;
}

/* --- what is remembered ------------------------------------------------------------------------------------------ */

struct entry {
    struct str folder, id, uid; /* in hexadecimal */
};

static bool next_entry(struct str *rest, struct entry *ret)
{
    struct str line;

    while (str_cut(rest, '\n', &line)) {
        if (str_cut(&line, ' ', &ret->folder) && str_cut(&line, ' ', &ret->id) && line.n > 0) {
            ret->uid = line;
            return true;
        }
    }
    return false;
}

static struct str hex_of(struct str s, struct arena *arena)
{
    struct buf b = BUF_INIT(2 * BACKEND_ID_MAX + 1);
    struct str hex;

    text_hex_add(&b, s);
    hex = arena_str(arena, buf_view(&b));
    buf_done(&b);
    return hex;
}

/* The page speaks of this mail: what was known of it is over. */
static bool is_told(const struct entry *e, const struct str *told, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(e->id, told[i]))
            return true;
    return false;
}

/* Entries of the folder that speak of these mails go, the new ones come. */
static void replace(struct eas_backend *b, struct str folder, const struct str *told, size_t told_count,
                    const struct eas_sync_page *page, struct arena *arena)
{
    const struct backend_host *host = &b->config.host;
    struct buf old = BUF_INIT(BYTES_MAX), now = BUF_INIT(BYTES_MAX);
    size_t left = page->invitation_count;
    struct err err = {0};
    struct str rest;
    struct entry e;

    host->persist_get(host->ud, KEY, &old);
    for (rest = buf_view(&old); next_entry(&rest, &e);)
        left += !(str_eq(e.folder, folder) && is_told(&e, told, told_count));
    for (rest = buf_view(&old); next_entry(&rest, &e);)
        if (!(str_eq(e.folder, folder) && is_told(&e, told, told_count)) && left-- <= EAS_INVITATIONS_MAX)
            buf_printf(&now, "%.*s %.*s %.*s\n", STR_ARG(e.folder), STR_ARG(e.id), STR_ARG(e.uid));
    for (size_t i = 0; i < page->invitation_count; i++)
        buf_printf(&now, "%.*s %.*s %.*s\n", STR_ARG(folder), STR_ARG(hex_of(page->invitations[i].id, arena)),
                   STR_ARG(hex_of(page->invitations[i].uid, arena)));
    if (!str_eq(buf_view(&old), buf_view(&now)) && !host->persist_put(host->ud, KEY, buf_view(&now), &err))
        log_warn("eas", b->config.name, "%s", err.text); /* the meeting is answered elsewhere then */
    buf_done(&old);
    buf_done(&now);
}

void eas_invitations_note(struct eas_backend *b, struct str folder_id, const struct item_info *items, size_t count,
                          const struct eas_sync_page *page)
{
    struct arena arena = {0};
    struct str *told;
    size_t n = 0;

    if (b->state.version >= EAS_ANSWER_BY_ITEM)
        return;
    told = arena_array(&arena, count + page->invitation_count + 1, sizeof(*told));
    for (size_t i = 0; i < count; i++)
        if (items[i].gone)
            told[n++] = hex_of(items[i].id, &arena);
    for (size_t i = 0; i < page->invitation_count; i++)
        told[n++] = hex_of(page->invitations[i].id, &arena);
    if (n > 0)
        replace(b, hex_of(folder_id, &arena), told, n, page, &arena);
    arena_done(&arena);
}

struct str eas_invitation_find(struct eas_backend *b, struct str folder_id, struct str uid, struct arena *arena)
{
    const struct backend_host *host = &b->config.host;
    struct buf all = BUF_INIT(BYTES_MAX), text = BUF_INIT(BACKEND_ID_MAX);
    struct str rest, folder = hex_of(folder_id, arena), found = STR_NULL;
    struct entry e;

    host->persist_get(host->ud, KEY, &all);
    for (rest = buf_view(&all); next_entry(&rest, &e);) {
        buf_reset(&text);
        if (!str_eq(e.folder, folder) || !text_hex_decode(&text, e.uid) || !str_case_eq(buf_view(&text), uid))
            continue; /* Exchange's own UIDs are hexadecimal, in capitals or not */
        buf_reset(&text);
        if (text_hex_decode(&text, e.id))
            found = arena_str(arena, buf_view(&text));
    }
    buf_done(&all);
    buf_done(&text);
    return found;
}
