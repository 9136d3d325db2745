/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_multipart.h"

#define TABLE_START 4
#define ENTRY_SIZE  8

static bool bad(struct err *err, const char *what)
{
    return err_set(err, ERR_PROTOCOL, "the multipart answer is not valid: %s", what);
}

void eas_multipart_init(struct eas_multipart *m, eas_part_fn *fn, void *ud)
{
    m->fn = fn;
    m->ud = ud;
    m->at = 0;
    m->number = 0;
    m->count = m->part = 0;
}

static uint64_t table_end(const struct eas_multipart *m)
{
    return TABLE_START + (uint64_t)m->count * ENTRY_SIZE;
}

static bool in_table(const struct eas_multipart *m)
{
    return m->at < TABLE_START || m->at < table_end(m);
}

static bool check_part(const struct eas_multipart *m, unsigned i, struct err *err)
{
    uint64_t before = i == 0 ? table_end(m) : (uint64_t)m->parts[i - 1].offset + m->parts[i - 1].size;

    return m->parts[i].offset >= before ? true : bad(err, "parts out of order");
}

/* Parts of no bytes have no piece of their own to come with. */
static bool skip_empty(struct eas_multipart *m, struct err *err)
{
    while (m->part < m->count && m->parts[m->part].size == 0 && m->at >= m->parts[m->part].offset)
        if (!m->fn(m->ud, m->part++, STR_NULL, true, err))
            return false;
    return true;
}

static bool feed_table(struct eas_multipart *m, uint8_t byte, struct err *err)
{
    unsigned shift = (unsigned)(m->at % 4) * 8, index;

    m->number = shift == 0 ? byte : m->number | (uint32_t)byte << shift;
    m->at++;
    if (shift != 24)
        return true;
    if (m->at == TABLE_START) {
        m->count = m->number <= EAS_PARTS_MAX ? m->number : 0;
        return m->count > 0 ? true : bad(err, "number of parts");
    }
    index = (unsigned)((m->at - TABLE_START - 1) / ENTRY_SIZE);
    if ((m->at - TABLE_START) % ENTRY_SIZE == 4) {
        m->parts[index].offset = m->number;
        return true;
    }
    m->parts[index].size = m->number;
    return check_part(m, index, err) && (in_table(m) || skip_empty(m, err));
}

/* Returns the bytes taken, 0 after an error. */
static size_t feed_part(struct eas_multipart *m, struct str bytes, struct err *err)
{
    uint64_t start = m->parts[m->part].offset, end = start + m->parts[m->part].size;
    unsigned part = m->part;
    size_t n;

    if (m->at < start) { /* a gap */
        n = start - m->at < bytes.n ? (size_t)(start - m->at) : bytes.n;
        m->at += n;
        return skip_empty(m, err) ? n : 0;
    }
    n = end - m->at < bytes.n ? (size_t)(end - m->at) : bytes.n;
    m->at += n;
    if (m->at == end)
        m->part++;
    if (!m->fn(m->ud, part, str_sub(bytes, 0, n), m->at == end, err))
        return 0;
    return skip_empty(m, err) ? n : 0;
}

bool eas_multipart_feed(struct eas_multipart *m, struct str bytes, struct err *err)
{
    while (bytes.n > 0) {
        size_t taken = 1;

        if (in_table(m)) {
            if (!feed_table(m, (uint8_t)bytes.p[0], err))
                return false;
        } else if (m->part == m->count) {
            return bad(err, "bytes after the last part");
        } else {
            taken = feed_part(m, bytes, err);
            if (taken == 0)
                return false;
        }
        bytes = str_skip(bytes, taken);
    }
    return true;
}

bool eas_multipart_end(const struct eas_multipart *m, struct err *err)
{
    return m->count > 0 && m->part == m->count && !in_table(m) ? true : bad(err, "cut short");
}
